-- No foreign key to events: both are written by the same statement batch and never change, and checking one row of
-- tags after another would be a good part of an append's cost.
CREATE TABLE tags (
    tag text COLLATE "C",
    position bigint,
    PRIMARY KEY (tag, position)
);

GRANT SELECT, INSERT ON tags TO caseledger_runtime;
