-- The trees of the map's segments. At level 0 a row has up to 256 leaves, a key and a value of 32 bytes each, and its first
-- key; at a higher level up to 256 hashes of the tree's nodes of level 8·level, as the tiles of C2SP tlog-tiles have them.
CREATE TABLE map_tiles (
    after bigint NOT NULL,
    upto bigint NOT NULL,
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    index bigint NOT NULL CHECK (index >= 0),
    first_key bytea CHECK ((level = 0) = (first_key IS NOT NULL) AND length(first_key) = 32),
    content bytea NOT NULL CHECK (length(content) BETWEEN 32 AND 16384 AND length(content) % 32 = 0),
    PRIMARY KEY (after, upto, level, index)
);

-- Hashes cannot be made smaller: nobody need try.
ALTER TABLE map_tiles ALTER COLUMN content SET STORAGE EXTERNAL;

GRANT SELECT, INSERT, DELETE ON map_tiles TO caseledger_runtime;
