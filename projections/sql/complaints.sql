-- One row a complaint that bears an enterprise, with what has settled it: what the counts are made from.
CREATE TABLE complaints (
    complaint_id text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    uscc text COLLATE "C" NOT NULL,
    received_on date NOT NULL,
    voided boolean NOT NULL DEFAULT false
);

GRANT SELECT, INSERT, UPDATE, DELETE ON complaints TO caseledger_runtime;
