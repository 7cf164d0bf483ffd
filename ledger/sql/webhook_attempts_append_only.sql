CREATE TRIGGER webhook_attempts_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON webhook_attempts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE webhook_attempts ENABLE ALWAYS TRIGGER webhook_attempts_append_only;
