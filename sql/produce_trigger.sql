-- Producing from triggers: row, statement and deferred ones, whose records arrive with the rest.
\pset format unaligned

SELECT kstream.create_topic('t');
CREATE TABLE item (id int PRIMARY KEY, name text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kstream.produce('t', TG_NAME,
		CASE TG_LEVEL WHEN 'STATEMENT' THEN TG_OP WHEN 'ROW' THEN concat_ws(' ', TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN OLD.id END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.id END) END);
	RETURN COALESCE(NEW, OLD);
END $$;
CREATE FUNCTION pg_temp.news() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT kstream.text(key) || ': ' || kstream.text(value) FROM kstream.fetch('t', 0, (SELECT base_offset FROM kstream.last_produced())) r
$$;

CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER statement AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON item FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE OR DELETE ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();

BEGIN;
INSERT INTO item VALUES (1, 'one'), (2, 'two');
SELECT count(*) AS waiting FROM kstream.pending() r;
COMMIT;
SELECT pg_temp.news();

BEGIN;
UPDATE item SET id = 3 WHERE id = 2;
SAVEPOINT s;
DELETE FROM item WHERE id = 1;
ROLLBACK TO s;
INSERT INTO item VALUES (4, 'four');
COMMIT;
SELECT pg_temp.news();

TRUNCATE item;
SELECT pg_temp.news();

-- COPY, and a deferred trigger that is made to fire earlier.
BEGIN;
COPY item FROM stdin;
5	five
6	six
\.
SET CONSTRAINTS ALL IMMEDIATE;
SELECT kstream.produce('t', 'after', 'all');
COMMIT;
SELECT pg_temp.news();

-- Only deferred triggers produce: the transaction has nothing before COMMIT, and is not read-only then.
DROP TRIGGER before_row ON item;
DROP TRIGGER after_row ON item;
DROP TRIGGER statement ON item;
BEGIN;
DELETE FROM item WHERE id = 5;
SELECT count(*) AS waiting FROM kstream.pending() r;
COMMIT;
SELECT pg_temp.news();
DELETE FROM item WHERE id = 6;
SELECT pg_temp.news();

-- A deferred trigger that fails takes everything along.
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kstream.produce('t', TG_NAME, 'lost');
	RAISE 'no';
END $$;
CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
BEGIN;
SELECT kstream.produce('t', 'k', 'lost');
INSERT INTO item VALUES (7, 'seven');
COMMIT;
SELECT count(*) FROM item;
SELECT count(*) FROM kstream.fetch('t', 0, 0) r WHERE kstream.text(value) = 'lost';

-- Foreign keys that are checked at the end stand before the log is written.
CREATE TABLE part (item int REFERENCES item DEFERRABLE INITIALLY DEFERRED);
BEGIN;
SELECT kstream.produce('t', 'k', 'lost');
INSERT INTO part VALUES (99);
COMMIT;
SELECT count(*) FROM kstream.fetch('t', 0, 0) r WHERE kstream.text(value) = 'lost';

-- A cursor WITH HOLD runs at COMMIT; what it produces arrives.
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT kstream.produce('t', 'cursor', i) FROM generate_series(1, 3) i;
COMMIT;
SELECT pg_temp.news();
FETCH ALL FROM held;
CLOSE held;

DROP TABLE part, item;
DROP FUNCTION tell, fail;
SELECT kstream.drop_topic('t');
