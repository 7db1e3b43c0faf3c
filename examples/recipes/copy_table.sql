-- A copy of a table that follows it, exactly once.
--
-- "orders" is captured with the format "json" into a topic of its name, the
-- copy lies in schema "copy".  Repeat the CALL in as many sessions as the topic
-- has partitions.  A record may speak of rows that committed after the poll
-- began; each statement in the loop sees them, at READ COMMITTED.
CREATE TABLE copy.orders (LIKE orders INCLUDING INDEXES, partition int NOT NULL);

CREATE PROCEDURE copy.follow() LANGUAGE plpgsql AS $$
DECLARE
    change record;
BEGIN
    FOR change IN
        SELECT p.partition, kstream.json(p.key) AS key, kstream.json(p.value) AS row,
               kstream.header(p.headers, '__op') AS op
        FROM kstream.poll('copy', '{public.orders}', commit => true, max_wait => '1 s') p
    LOOP
        IF change.op = 't' THEN             -- TRUNCATE: each partition has this record
            DELETE FROM copy.orders WHERE partition = change.partition;
        ELSIF change.op = 'd' THEN
            DELETE FROM copy.orders WHERE id = (change.key ->> 'id')::int;
        ELSE                                -- c, u, and r of a snapshot
            INSERT INTO copy.orders
            SELECT (jsonb_populate_record(NULL::orders, change.row)).*, change.partition
            ON CONFLICT (id) DO UPDATE SET (customer, amount, placed) = (excluded.customer, excluded.amount, excluded.placed);
        END IF;
    END LOOP;
END
$$;

CALL copy.follow();
