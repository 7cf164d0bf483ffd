-- A segment of the enterprise map goes only when a larger one that covers it is there: nothing that is proved is lost.
CREATE FUNCTION refuse_unless_superseded() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM map_segments AS larger
        WHERE larger.after <= OLD.after AND larger.upto >= OLD.upto AND larger.upto - larger.after > OLD.upto - OLD.after
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: DELETE is refused. No larger segment covers the entries % to %.',
        TG_TABLE_NAME, OLD.after + 1, OLD.upto
        USING ERRCODE = 'insufficient_privilege';
END
$$;
