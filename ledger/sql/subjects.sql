-- A data subject: a random id, the key that its personal fields are sealed under (wrapped by the master key `master`),
-- and a keyed hash by which it is found. Erasing a subject deletes the row, and key and hash with it.
CREATE TABLE subjects (
    id text COLLATE "C" PRIMARY KEY,
    lookup bytea NOT NULL UNIQUE CHECK (length(lookup) = 32),
    master text COLLATE "C" NOT NULL,
    wrapped bytea NOT NULL,
    hold text
);

GRANT SELECT, INSERT, DELETE, UPDATE (master, wrapped, hold) ON subjects TO caseledger_runtime;
