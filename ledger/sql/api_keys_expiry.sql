-- Until when a key is good (none: until it is revoked), and when it was last used, to about a minute.
ALTER TABLE api_keys ADD COLUMN expires_at timestamptz, ADD COLUMN last_used_at timestamptz;

GRANT UPDATE (last_used_at) ON api_keys TO caseledger_runtime;
