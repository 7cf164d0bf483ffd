-- A legal hold is kept by force: no erasure gets past it, whatever was known when it was asked for.
CREATE FUNCTION refuse_held() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.hold IS NOT NULL THEN
        RAISE EXCEPTION 'the subject is under a legal hold' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;
