-- The SHA-256 of a key and never the key: who reads this table cannot use what it finds.
CREATE TABLE api_keys (
    id text COLLATE "C" PRIMARY KEY,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    role text COLLATE "C" NOT NULL,
    name text NOT NULL,
    carrier text COLLATE "C",
    authority text COLLATE "C",
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

-- A key is revoked and never changed otherwise, nor deleted: its id stands in recordedBy of what it recorded.
GRANT SELECT, INSERT, UPDATE (revoked_at) ON api_keys TO caseledger_runtime;
