CREATE TABLE resolutions (
    position bigint PRIMARY KEY,
    complaint_id text COLLATE "C" NOT NULL,
    effective_on date NOT NULL,
    substantiated boolean NOT NULL,
    voided boolean NOT NULL DEFAULT false
);

CREATE INDEX resolutions_of_complaint ON resolutions (complaint_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON resolutions TO caseledger_runtime;
