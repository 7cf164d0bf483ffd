-- Text is compared by its bytes (collation C): cheap, and the same on every machine.
CREATE TABLE events (
    position bigint PRIMARY KEY CHECK (position > 0),
    type text COLLATE "C" NOT NULL,
    tags text[] NOT NULL,
    data bytea NOT NULL,
    recorded_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON events TO caseledger_runtime;
