-- Checkpoints of the ledger that name the root of the enterprise map as well: one for each size that one was asked for.
CREATE TABLE map_notes (
    size bigint PRIMARY KEY CHECK (size > 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    note text NOT NULL
);

GRANT SELECT, INSERT ON map_notes TO caseledger_runtime;
