-- The random draws, with the legal date from which each is public, as known at the projection's position.
CREATE TABLE draws (
    position bigint PRIMARY KEY,
    draw_id text COLLATE "C" NOT NULL UNIQUE,
    authority text COLLATE "C" NOT NULL,
    public_from date NOT NULL
);

CREATE INDEX draws_of_authority ON draws (authority, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON draws TO caseledger_runtime;
