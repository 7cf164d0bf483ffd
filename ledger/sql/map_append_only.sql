CREATE TRIGGER map_segments_append_only
BEFORE UPDATE OR TRUNCATE ON map_segments
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER map_segments_superseded
BEFORE DELETE ON map_segments
FOR EACH ROW EXECUTE FUNCTION refuse_unless_superseded();

CREATE TRIGGER map_tiles_append_only
BEFORE UPDATE OR TRUNCATE ON map_tiles
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER map_tiles_superseded
BEFORE DELETE ON map_tiles
FOR EACH ROW EXECUTE FUNCTION refuse_unless_superseded();

CREATE TRIGGER map_notes_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON map_notes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE map_segments ENABLE ALWAYS TRIGGER map_segments_append_only;
ALTER TABLE map_segments ENABLE ALWAYS TRIGGER map_segments_superseded;
ALTER TABLE map_tiles ENABLE ALWAYS TRIGGER map_tiles_append_only;
ALTER TABLE map_tiles ENABLE ALWAYS TRIGGER map_tiles_superseded;
ALTER TABLE map_notes ENABLE ALWAYS TRIGGER map_notes_append_only;
