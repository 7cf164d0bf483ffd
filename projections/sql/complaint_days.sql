-- Complaints counted a day of receipt, as changes that become visible on a date: the count as of D is the sum of the
-- changes with visible_from ≤ D. Its size is that of the days, whatever the number of complaints.
CREATE TABLE complaint_days (
    uscc text COLLATE "C" NOT NULL,
    received_on date NOT NULL,
    visible_from date NOT NULL,
    received bigint NOT NULL,
    substantiated bigint NOT NULL,
    PRIMARY KEY (uscc, received_on, visible_from)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON complaint_days TO caseledger_runtime;
