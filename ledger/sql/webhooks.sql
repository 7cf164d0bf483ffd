-- Who is told of events as they are recorded. `secret` signs what is sent and is sealed under a key that the master key
-- wraps; `previous` is the one before it, for as long as it signs too. Events up to `position` have their deliveries.
CREATE TABLE webhooks (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    url text NOT NULL,
    key_id text COLLATE "C" NOT NULL REFERENCES api_keys,
    types text[],
    usccs text[],
    state text COLLATE "C" NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'gone', 'removed')),
    secret bytea NOT NULL,
    previous bytea,
    previous_until timestamptz,
    created_at timestamptz NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    wait_until timestamptz,
    delivered bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    delivered_at timestamptz
)
WITH (fillfactor = 50);

-- A webhook that was removed stays, with what it was sent.
GRANT SELECT, INSERT, UPDATE (state, secret, previous, previous_until, position, wait_until, delivered, dead, delivered_at)
    ON webhooks TO caseledger_runtime;
