CREATE TABLE idempotency (
    holder text COLLATE "C",
    key text COLLATE "C",
    input_sha256 bytea NOT NULL CHECK (length(input_sha256) = 32),
    first_position bigint NOT NULL CHECK (first_position > 0),
    last_position bigint NOT NULL CHECK (last_position >= first_position),
    PRIMARY KEY (holder, key)
);

GRANT SELECT, INSERT ON idempotency TO caseledger_runtime;
