-- Every attempt that was made and what came of it; nothing of what a receiver said but its status.
CREATE TABLE webhook_attempts (
    delivery text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    attempted_at timestamptz NOT NULL,
    milliseconds integer NOT NULL,
    status integer,
    result text COLLATE "C" NOT NULL,
    PRIMARY KEY (delivery, number)
);

GRANT SELECT, INSERT ON webhook_attempts TO caseledger_runtime;
