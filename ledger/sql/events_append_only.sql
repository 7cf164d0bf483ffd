CREATE TRIGGER events_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Always: also in a session that applies replicated changes, where triggers are off otherwise.
ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only;
