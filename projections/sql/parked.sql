-- Enterprises that a projection could not bring on: from `position` on its rows of them stand still. The words are made
-- of type and fault, neither of which holds any data.
CREATE TABLE parked (
    projection text COLLATE "C" NOT NULL,
    uscc text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    event_type text NOT NULL,
    fault text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, uscc)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON parked TO caseledger_runtime;
