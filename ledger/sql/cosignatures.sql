-- What witnesses signed of a checkpoint, each verified before it was written: `line` is the note's signature line,
-- `cosigned_at` the time that the witness states in it.
CREATE TABLE cosignatures (
    size bigint NOT NULL CHECK (size > 0),
    witness text COLLATE "C" NOT NULL,
    line text NOT NULL CHECK (line LIKE '— %'),
    cosigned_at timestamptz NOT NULL,
    PRIMARY KEY (size, witness)
);

GRANT SELECT, INSERT ON cosignatures TO caseledger_runtime;
