-- Penalties while they are public, by legal dates and by knowledge.
CREATE TABLE exhibits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    position bigint NOT NULL,
    decided_on date NOT NULL,
    name text NOT NULL,
    public_until date
);

CREATE INDEX exhibits_of_subject ON exhibits (subject, known_to);
CREATE INDEX exhibits_by_date ON exhibits (decided_on, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON exhibits TO caseledger_runtime;
