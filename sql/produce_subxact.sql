-- Records and subtransactions: what is rolled back is gone at every level, what stays is in the order of produce.
\pset format unaligned

SELECT kstream.create_topic('s', 2);
-- The records of partition 0 since the last look.
CREATE FUNCTION pg_temp.news() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('s', 0, (SELECT max(base_offset) FROM kstream.last_produced() WHERE topic = 's' AND partition = 0)) r
$$;
CREATE FUNCTION pg_temp.waiting() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(kstream.text(value), ' ') FROM kstream.pending() r $$;
CREATE FUNCTION pg_temp.put(value text, partition int DEFAULT 0) RETURNS void LANGUAGE sql AS $$ SELECT kstream.produce('s', 'k', value, partition => partition) $$;

-- A rolled back transaction leaves nothing, and takes no offset.
BEGIN;
SELECT pg_temp.put('lost');
ROLLBACK;
SELECT pg_temp.put('first');
SELECT r.offset, kstream.text(value) FROM kstream.fetch('s', 0, 0) r;

-- Savepoints: rolled back, released, rolled back after release.
BEGIN;
SELECT pg_temp.put('a');
SAVEPOINT s1;
SELECT pg_temp.put('lost');
SAVEPOINT s2;
SELECT pg_temp.put('lost');
RELEASE s2;
SELECT pg_temp.waiting();
ROLLBACK TO s1;
SELECT pg_temp.waiting();
SELECT pg_temp.put('b');
RELEASE s1;
SAVEPOINT s3;
SELECT pg_temp.put('c');
SAVEPOINT s4;
SELECT pg_temp.put('lost');
ROLLBACK TO s4;
SELECT pg_temp.put('d');
RELEASE s3;
SELECT pg_temp.put('e');
COMMIT;
SELECT pg_temp.news();

-- Levels without records between those that have some; the same savepoint again and again.
BEGIN;
SAVEPOINT l1;
SAVEPOINT l2;
SAVEPOINT l3;
SELECT pg_temp.put('a');
RELEASE l2;
SAVEPOINT l2;
SELECT pg_temp.put('lost');
ROLLBACK TO l2;
ROLLBACK TO l2;
SELECT pg_temp.put('lost');
ROLLBACK TO l2;
SELECT pg_temp.put('b');
SAVEPOINT l2;
SELECT pg_temp.put('c');
RELEASE l1;
COMMIT;
SELECT pg_temp.news();

-- Everything of a level rolled back, the level before it too.
BEGIN;
SAVEPOINT l1;
SELECT pg_temp.put('lost'), pg_temp.put('lost', 1);
SAVEPOINT l2;
SELECT pg_temp.put('lost', 1);
ROLLBACK TO l1;
SELECT pg_temp.put('other', 1);
COMMIT;
SELECT partition, records FROM kstream.last_produced();
-- nothing left at all: no record, no offset
BEGIN;
SAVEPOINT l1;
SELECT pg_temp.put('lost');
ROLLBACK TO l1;
COMMIT;
SELECT partition, latest FROM kstream.list_offsets('s') ORDER BY partition;

-- Depth.
DO $$
DECLARE
	i int;
BEGIN
	PERFORM pg_temp.put('0');
	FOR i IN 1..200 LOOP
		BEGIN
			PERFORM pg_temp.put(i::text);
			IF i % 3 <> 0 THEN RAISE division_by_zero; END IF;
		EXCEPTION WHEN division_by_zero THEN
			IF i % 3 = 1 THEN PERFORM pg_temp.put('h'); END IF;
		END;
	END LOOP;
END $$;
SELECT pg_temp.news();
CREATE FUNCTION pg_temp.deep(level int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.put(level::text);
	IF level < 50 THEN PERFORM pg_temp.deep(level + 1); END IF;
	IF level = 30 THEN RAISE division_by_zero; END IF;
	PERFORM pg_temp.put('-' || level);
EXCEPTION WHEN division_by_zero THEN
	PERFORM pg_temp.put('caught');
END $$;
SELECT pg_temp.deep(1);
SELECT pg_temp.news();

-- A failed statement inside a transaction: with psql's savepoint around it, and without.
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT pg_temp.put('a');
SELECT count(pg_temp.put(i::text)), 1 / min(10 - i) FROM generate_series(1, 10) i;
SELECT pg_temp.put('b');
COMMIT;
SELECT pg_temp.news();
\set ON_ERROR_ROLLBACK off
BEGIN;
SELECT pg_temp.put('lost');
SELECT 1 / 0;
SELECT pg_temp.put('not even heard');
COMMIT;
SELECT pg_temp.news();

-- Transactions inside procedures: each commits what is its own.
CREATE PROCEDURE in_pieces() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..4 LOOP
		PERFORM kstream.produce('s', 'k', 'p' || i, partition => 0);
		IF i = 3 THEN ROLLBACK; ELSE COMMIT; END IF;
		RAISE INFO '% waiting, % written', (SELECT count(*) FROM kstream.pending() r), (SELECT sum(records) FROM kstream.last_produced());
	END LOOP;
	PERFORM kstream.produce('s', 'k', 'end', partition => 0);
END $$;
SELECT latest AS before FROM kstream.list_offsets('s') WHERE partition = 0 \gset
CALL in_pieces();
SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('s', 0, :before) r;
DROP PROCEDURE in_pieces;

-- AND CHAIN.
SELECT latest AS before FROM kstream.list_offsets('s') WHERE partition = 0 \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.put('a');
COMMIT AND CHAIN;
SELECT pg_temp.waiting() IS NULL AS none_waiting, pg_temp.put('lost');
ROLLBACK AND CHAIN;
SELECT pg_temp.put('b');
SHOW transaction_isolation;
COMMIT;
SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('s', 0, :before) r;

-- Several statements in one message are one transaction.
SELECT pg_temp.put('x') \; SELECT pg_temp.waiting() \; SELECT pg_temp.put('y');
SELECT pg_temp.news();
SELECT pg_temp.put('lost') \; SELECT 1 / 0;
SELECT pg_temp.news();

SELECT kstream.drop_topic('s');
