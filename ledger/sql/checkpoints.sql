-- One signed note for each group of appends: size, root and signature were made in the transaction of its events.
CREATE TABLE checkpoints (
    size bigint PRIMARY KEY CHECK (size > 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    note text NOT NULL,
    signed_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON checkpoints TO caseledger_runtime;
