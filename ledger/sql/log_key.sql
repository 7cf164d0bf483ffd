-- The one verifier key under which this ledger's checkpoints are signed: who holds another key may not append.
CREATE TABLE log_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    verifier text NOT NULL
);

GRANT SELECT, INSERT ON log_key TO caseledger_runtime;
