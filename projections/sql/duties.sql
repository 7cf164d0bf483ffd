-- What is owed, one row a span of legal dates and of knowledge: the rows at (D, P) are those with valid_from ≤ D <
-- valid_to and known_from ≤ P < known_to.
CREATE TABLE duties (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    rule text COLLATE "C" NOT NULL,
    arises_from bigint NOT NULL,
    about bigint NOT NULL,
    owed_by text COLLATE "C" NOT NULL,
    due_on date NOT NULL,
    met_on date
);

CREATE INDEX duties_of_subject ON duties (subject, known_to);
CREATE INDEX duties_by_due ON duties (due_on, subject, rule, arises_from, about);

GRANT SELECT, INSERT, UPDATE, DELETE ON duties TO caseledger_runtime;
