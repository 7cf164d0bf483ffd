-- Every change of an enterprise's credit timeline, by the position of the event that made it: the timeline known at P
-- is that of the last change at or before P.
CREATE TABLE credit_changes (
    position bigint NOT NULL,
    uscc text COLLATE "C" NOT NULL,
    timeline jsonb NOT NULL,
    PRIMARY KEY (position, uscc)
);

CREATE INDEX credit_changes_of_enterprise ON credit_changes (uscc, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON credit_changes TO caseledger_runtime;
