-- One row: the last position given out and its instant. Who appends locks it, so that appends take turns and
-- positions follow without gaps.
CREATE TABLE head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL CHECK (position >= 0),
    recorded_at timestamptz NOT NULL
)
-- The row changes at every append: room on its page lets the old versions be pruned without vacuum.
WITH (fillfactor = 10);

INSERT INTO head (position, recorded_at) VALUES (0, 'epoch');

GRANT SELECT, UPDATE ON head TO caseledger_runtime;
