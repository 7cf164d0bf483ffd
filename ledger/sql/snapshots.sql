-- Folds of tags, so that a long history need not be read from its beginning. A cache: whatever is here can be made anew
-- from the log, and is when the version of the facts is another one.
CREATE TABLE snapshots (
    tag text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL CHECK (position > 0),
    version text COLLATE "C" NOT NULL,
    facts bytea NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON snapshots TO caseledger_runtime;
