-- The hashes of the Merkle tree's complete subtrees: node (level, index) covers the leaves index·2^level and following.
-- A row holds up to 32 neighbours of a level that one append completed, so an append writes few rows, and a look-up is
-- still one step in the index: the last run that begins at the node or before it.
CREATE TABLE node_runs (
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 62),
    first bigint NOT NULL CHECK (first >= 0),
    hashes bytea NOT NULL CHECK (length(hashes) BETWEEN 32 AND 1024 AND length(hashes) % 32 = 0),
    PRIMARY KEY (level, first)
);

INSERT INTO node_runs (level, first, hashes) SELECT level, index, hash FROM nodes;

DROP TABLE nodes;

GRANT SELECT, INSERT ON node_runs TO caseledger_runtime;
