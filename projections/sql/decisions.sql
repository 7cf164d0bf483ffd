-- The gate decisions, newest first, by what they are asked for.
CREATE TABLE decisions (
    position bigint PRIMARY KEY,
    uscc text COLLATE "C" NOT NULL,
    gate text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    carrier text COLLATE "C"
);

CREATE INDEX decisions_of_enterprise ON decisions (uscc, position);
CREATE INDEX decisions_of_carrier ON decisions (carrier, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON decisions TO caseledger_runtime;
