-- One row an event that a webhook is told of; `id` is what the receiver gets as webhook-id, at every attempt the same.
-- Rows of one lane go one after the other: only the first that waits has a `next_at`.
CREATE TABLE webhook_deliveries (
    id text COLLATE "C" PRIMARY KEY,
    webhook text COLLATE "C" NOT NULL REFERENCES webhooks,
    position bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    lane text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead', 'withheld')),
    created_at timestamptz NOT NULL,
    next_at timestamptz,
    expires_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    status integer,
    result text COLLATE "C",
    ended_at timestamptz,
    UNIQUE (webhook, position)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, next_at, position)
    WHERE state = 'waiting' AND next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_lanes ON webhook_deliveries (webhook, lane, position) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (position, webhook)
    WHERE state = 'dead' OR (state = 'waiting' AND failures > 0);
CREATE INDEX webhook_deliveries_at ON webhook_deliveries (position, webhook);

GRANT SELECT, INSERT, UPDATE (lane, state, next_at, expires_at, attempts, failures, status, result, ended_at)
    ON webhook_deliveries TO caseledger_runtime;
