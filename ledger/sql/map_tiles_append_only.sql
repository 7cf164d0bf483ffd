CREATE TRIGGER map_tiles_append_only
BEFORE UPDATE OR TRUNCATE ON map_tiles
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE map_tiles ENABLE ALWAYS TRIGGER map_tiles_append_only;
