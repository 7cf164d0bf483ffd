-- The credit status of each enterprise by dates, as known at the projection's position.
CREATE TABLE credit_spans (
    uscc text COLLATE "C" NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    status text COLLATE "C" NOT NULL,
    PRIMARY KEY (uscc, valid_from)
);

CREATE INDEX credit_spans_of_status ON credit_spans (status, uscc);

GRANT SELECT, INSERT, UPDATE, DELETE ON credit_spans TO caseledger_runtime;
