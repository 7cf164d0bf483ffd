-- Facts that the rules forbade (FND-GATE, FND-OUT), by legal dates and by knowledge. FND-LIVE is asked when it is read:
-- it changes with every day that passes.
CREATE TABLE findings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    rule text COLLATE "C" NOT NULL,
    uscc text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    effective_on date NOT NULL,
    reasons text NOT NULL
);

CREATE INDEX findings_of_subject ON findings (subject, known_to);
CREATE INDEX findings_by_position ON findings (position, rule);
CREATE INDEX findings_of_enterprise ON findings (uscc, position, rule);

GRANT SELECT, INSERT, UPDATE, DELETE ON findings TO caseledger_runtime;
