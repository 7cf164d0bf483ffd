-- Who was shown which enterprise's history or personal fields, when and by what. `id` is random and keeps a row that is
-- written twice single. `every` is a feed of all enterprises, which has no `uscc`; nor has what belongs to no enterprise.
CREATE TABLE read_log (
    id uuid PRIMARY KEY,
    read_at timestamptz NOT NULL,
    role text COLLATE "C" NOT NULL,
    reader text COLLATE "C" NOT NULL,
    field text COLLATE "C" NOT NULL,
    operation text COLLATE "C",
    uscc text COLLATE "C",
    "every" boolean NOT NULL CHECK (NOT ("every" AND uscc IS NOT NULL))
);
CREATE INDEX read_log_by_time ON read_log (read_at, id);
CREATE INDEX read_log_by_enterprise ON read_log (uscc, read_at, id);
CREATE INDEX read_log_of_every ON read_log (read_at, id) WHERE "every";

GRANT SELECT, INSERT ON read_log TO caseledger_runtime;
