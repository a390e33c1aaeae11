-- Grows with every change of the customer directory, whoever makes it: the switch keeps the directory in memory
-- and reads it again when this has grown.
CREATE TABLE directory (revision BIGINT NOT NULL);
INSERT INTO directory (revision) VALUES (0);
CREATE TRIGGER customers_inserted AFTER INSERT ON customers BEGIN UPDATE directory SET revision = revision + 1; END;
CREATE TRIGGER customers_updated  AFTER UPDATE ON customers BEGIN UPDATE directory SET revision = revision + 1; END;
CREATE TRIGGER customers_deleted  AFTER DELETE ON customers BEGIN UPDATE directory SET revision = revision + 1; END;
