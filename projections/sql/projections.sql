-- How far each projection has read the log. A row's lock makes one runner at a time write it, whatever the number of
-- processes.
CREATE TABLE projections (
    name text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    moved_at timestamptz NOT NULL DEFAULT now()
)
WITH (fillfactor = 10);

GRANT SELECT, INSERT, UPDATE ON projections TO caseledger_runtime;
