-- Which enterprise filed which number on which dates, for a search by number, and for which carriers.
CREATE TABLE filed_numbers (
    uscc text COLLATE "C" NOT NULL,
    number text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    PRIMARY KEY (number, uscc, position)
);

CREATE INDEX filed_numbers_of_enterprise ON filed_numbers (uscc);

GRANT SELECT, INSERT, UPDATE, DELETE ON filed_numbers TO caseledger_runtime;
