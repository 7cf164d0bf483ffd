CREATE TRIGGER map_tiles_superseded
BEFORE DELETE ON map_tiles
FOR EACH ROW EXECUTE FUNCTION refuse_unless_superseded();

ALTER TABLE map_tiles ENABLE ALWAYS TRIGGER map_tiles_superseded;
