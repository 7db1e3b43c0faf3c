-- Poison records: what the work cannot handle goes to a dead letter topic.
--
-- The work of each record is a savepoint.  If it fails, the record is produced
-- to "orders.dlt", with the error and where it came from as headers.  All of it
-- commits with the offsets, so a record is done or there, once.  Repeat the
-- CALL.
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
DECLARE
    r kstream.record;
BEGIN
    FOR r IN SELECT p.* FROM kstream.poll('work', '{orders}', commit => true, max_wait => '1 s') p
    LOOP
        BEGIN
            INSERT INTO done VALUES ((kstream.json(r.value) ->> 'id')::int, (kstream.json(r.value) ->> 'amount')::int);
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected THEN
                RAISE;                          -- the whole transaction again
            WHEN OTHERS THEN
                PERFORM kstream.produce('orders.dlt', r.key, r.value,
                    headers => kstream.add_header(kstream.add_header(r.headers, 'error', SQLSTATE || ' ' || SQLERRM),
                                                  'origin', format('%s-%s@%s', r.topic, r.partition, r.offset)));
        END;
    END LOOP;
END
$$;

CALL work();
