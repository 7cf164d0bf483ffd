-- The hashes of the Merkle tree's complete subtrees: node (level, index) covers the leaves index·2^level and following.
CREATE TABLE nodes (
    level smallint NOT NULL CHECK (level >= 0),
    index bigint NOT NULL CHECK (index >= 0),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, index)
);

GRANT SELECT, INSERT ON nodes TO caseledger_runtime;
