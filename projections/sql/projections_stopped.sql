-- A projection that met an event of no enterprise which it cannot apply: it stands before that event.
ALTER TABLE projections
    ADD COLUMN stopped_at bigint,
    ADD COLUMN event_type text,
    ADD COLUMN fault text;
