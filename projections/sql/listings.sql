-- List entries by legal dates and by knowledge, with name and removal as known.
CREATE TABLE listings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    known_from bigint NOT NULL,
    known_to bigint NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    position bigint NOT NULL,
    entry_id text NOT NULL,
    list text COLLATE "C" NOT NULL,
    name text NOT NULL,
    authority text COLLATE "C" NOT NULL,
    ground text COLLATE "C" NOT NULL,
    removed_on date
);

CREATE INDEX listings_of_subject ON listings (subject, known_to);
CREATE INDEX listings_by_date ON listings (valid_from, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON listings TO caseledger_runtime;
