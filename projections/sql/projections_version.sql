-- The version of the projection that filled its tables. A program moves on only what is of its own version.
ALTER TABLE projections ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version >= 0);
