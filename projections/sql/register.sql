-- What a search looks in: an enterprise's name and province, one row a span of dates on which neither changes, as
-- known at the projection's position. What takes effect in the future is here already.
CREATE TABLE register (
    uscc text COLLATE "C" NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    name text NOT NULL,
    province text COLLATE "C" NOT NULL,
    folded text NOT NULL,
    grams text[] NOT NULL,
    PRIMARY KEY (uscc, valid_from)
);

-- Any part of a name or a code, without an extension: their characters and pairs of characters, in lower case.
CREATE INDEX register_grams ON register USING gin (grams);
CREATE INDEX register_of_province ON register (province, uscc);

GRANT SELECT, INSERT, UPDATE, DELETE ON register TO caseledger_runtime;
