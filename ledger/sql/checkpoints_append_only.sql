CREATE TRIGGER checkpoints_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_append_only;
