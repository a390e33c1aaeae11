-- Grows with every change of the customer directory, whoever makes it: the switch keeps the directory in memory
-- and reads it again when this has grown.
CREATE TABLE directory (revision BIGINT NOT NULL);
INSERT INTO directory (revision) VALUES (0);
CREATE FUNCTION directory_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE directory SET revision = revision + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER customers_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON customers
    FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
