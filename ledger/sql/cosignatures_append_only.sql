CREATE TRIGGER cosignatures_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON cosignatures
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE cosignatures ENABLE ALWAYS TRIGGER cosignatures_append_only;
