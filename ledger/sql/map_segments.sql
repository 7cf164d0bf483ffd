-- The segments of the enterprise map: what the entries after a position up to another have under how many keys, and the
-- root over these (see ledger/enterprise_map.py). All of it follows from the tags and types of the entries.
CREATE TABLE map_segments (
    after bigint NOT NULL CHECK (after >= 0),
    upto bigint NOT NULL CHECK (upto > after),
    leaves bigint NOT NULL CHECK (leaves >= 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    PRIMARY KEY (after, upto)
);

GRANT SELECT, INSERT, DELETE ON map_segments TO caseledger_runtime;
