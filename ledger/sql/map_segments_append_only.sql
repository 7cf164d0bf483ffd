CREATE TRIGGER map_segments_append_only
BEFORE UPDATE OR TRUNCATE ON map_segments
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE map_segments ENABLE ALWAYS TRIGGER map_segments_append_only;
