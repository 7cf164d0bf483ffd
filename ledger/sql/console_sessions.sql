-- Who is signed in at the console: the SHA-256 of a random token and never the token, and the key that signed in.
CREATE TABLE console_sessions (
    sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32),
    key_id text COLLATE "C" NOT NULL REFERENCES api_keys (id),
    began_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz NOT NULL
);

CREATE INDEX console_sessions_ends_at ON console_sessions (ends_at);

GRANT SELECT, INSERT, DELETE ON console_sessions TO caseledger_runtime;
