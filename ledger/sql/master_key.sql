-- Which master key wraps new keys of subjects, by its id and never the key; and, wrapped by it, the key of the hashes
-- that subjects are found by.
CREATE TABLE master_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id text COLLATE "C" NOT NULL,
    lookup_key bytea NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON master_key TO caseledger_runtime;
