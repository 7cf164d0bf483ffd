-- The days on which an enterprise holds a licence in force, as known at the projection's position.
CREATE TABLE licence_spans (
    uscc text COLLATE "C" NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    PRIMARY KEY (uscc, valid_from)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON licence_spans TO caseledger_runtime;
