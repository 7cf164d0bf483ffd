-- Under which idempotency key of the holder `import` a line of a file was sent. The line is in if that key is kept;
-- a row whose key is not kept is of a line that was refused, or of an import that was cut off.
CREATE TABLE imported_lines (
    line bytea PRIMARY KEY CHECK (length(line) = 32),
    batch text COLLATE "C" NOT NULL
);

GRANT SELECT, INSERT, UPDATE (batch) ON imported_lines TO caseledger_runtime;
