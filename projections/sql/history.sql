-- What each event bears and when it takes effect: the order in which an enterprise's history is read.
CREATE TABLE history (
    position bigint PRIMARY KEY,
    uscc text COLLATE "C",
    area text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    effective_on date NOT NULL,
    voided_by bigint
);

CREATE INDEX history_of_enterprise ON history (uscc, effective_on DESC, position DESC);
CREATE INDEX history_bearing ON history (uscc, position);
CREATE INDEX history_of_type ON history (type, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON history TO caseledger_runtime;
