CREATE TRIGGER map_segments_superseded
BEFORE DELETE ON map_segments
FOR EACH ROW EXECUTE FUNCTION refuse_unless_superseded();

ALTER TABLE map_segments ENABLE ALWAYS TRIGGER map_segments_superseded;
