-- The public keys that credentials are or were signed by, as JSON Web Keys: what an old one signed stays verifiable until
-- it is withdrawn, which is for a key that others may have got hold of.
CREATE TABLE credential_keys (
    kid text COLLATE "C" PRIMARY KEY,
    jwk text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    withdrawn_at timestamptz
);

GRANT SELECT, INSERT, UPDATE (withdrawn_at) ON credential_keys TO caseledger_runtime;
