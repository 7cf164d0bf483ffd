-- Accesses while they are GRANTED, by legal dates and by knowledge: what FND-LIVE asks about.
CREATE TABLE live_accesses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    position bigint NOT NULL
);

CREATE INDEX live_accesses_of_subject ON live_accesses (subject, known_to);
CREATE INDEX live_accesses_by_position ON live_accesses (position);

GRANT SELECT, INSERT, UPDATE, DELETE ON live_accesses TO caseledger_runtime;
