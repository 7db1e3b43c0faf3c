#!/usr/bin/env bash
#
# fetch.sh
#	Reading a whole partition against a sequential scan of a table.
#
# Both sides count the rows and sum the lengths of the values, in the server.
# The table holds the same rows and was vacuumed.  One process each: the scan
# may not be parallel, since fetch cannot be.
. "$(dirname "$0")/lib.sh"

warm=1	# and read from memory

make_source
sql -o /dev/null <<-END
	SELECT kstream.create_topic('fetch');
	SELECT count(kstream.produce('fetch', key, value)) FROM source;
	CREATE TABLE fetch_plain (id bigint PRIMARY KEY, ts timestamptz, key bytea, value bytea);
	INSERT INTO fetch_plain SELECT id, ts, key, value FROM source;
	DROP TABLE source;
	VACUUM (FREEZE, ANALYZE) fetch_plain;
	CHECKPOINT;
	SELECT pg_prewarm('fetch_plain') > 0;
END

scan()
{
	timed "SELECT count(*), sum(length(value)) FROM fetch_plain;" "SET max_parallel_workers_per_gather = 0;"
	per_second "$ROWS" "$REPLY"
}

whole()
{
	timed "SELECT count(*), sum(length(value))
		FROM kstream.fetch('fetch', 0, 0, max_records => $ROWS, max_bytes => 2000000000);"
	per_second "$ROWS" "$REPLY"
}

# The loop checks that it saw everything, or the figure would be too good.
in_calls()
{
	timed "DO \$\$
		DECLARE
			at bigint := 0;
			rows bigint;
			read bigint := 0;
			total bigint := 0;
		BEGIN
			LOOP
				SELECT count(*), total + sum(length(r.value)), max(r.\"offset\") + 1
				INTO rows, total, at
				FROM kstream.fetch('fetch', 0, at, max_records => 500) r;
				EXIT WHEN rows = 0;
				read := read + rows;
				EXIT WHEN at >= $ROWS;
			END LOOP;
			IF read <> $ROWS THEN
				RAISE 'read % rows', read;
			END IF;
		END \$\$;"
	per_second "$ROWS" "$REPLY"
}

compare rows/s scan scan -- fetch.whole whole fetch.calls-of-500 in_calls
