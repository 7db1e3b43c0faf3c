#!/usr/bin/env bash
#
# table.sh
#	A topic's table against a plain one: reading, INSERT ... SELECT, COPY.
#
# Reading counts the rows and sums the lengths of the values, in one process.
# COPY reads a file of the server, the same rows for both sides (the table's
# have a number more, its key).  Each load has a new table or topic, made before
# the clock starts, and begins right after a checkpoint.  The rows are old, so
# the topic keeps them whatever their age.
. "$(dirname "$0")/lib.sh"

warm=1	# the first turn creates WAL files, which later ones reuse

make_source
for format in text binary; do
	sql <<-END
		COPY (SELECT id, ts, key, value FROM source) TO '$WORK/table_plain.$format' (FORMAT $format);
		COPY (SELECT ts, key, value FROM source) TO '$WORK/table_topic.$format' (FORMAT $format);
	END
done

fresh()
{
	sql -o /dev/null <<-END
		DROP TABLE IF EXISTS table_plain;
		CREATE TABLE table_plain (id bigint PRIMARY KEY, ts timestamptz, key bytea, value bytea);
		SELECT kstream.drop_topic('table', if_exists => true);
		SELECT kstream.create_topic('table', 1, '{"retention": "infinite"}');
		SELECT pg_prewarm('source') > 0;
		CHECKPOINT;
	END
}

# load SQL: a load of all rows, its rate in REPLY.
load()
{
	fresh
	timed "$1"
	per_second "$ROWS" "$REPLY"
}

plain_insert() { load "INSERT INTO table_plain SELECT id, ts, key, value FROM source;"; }
topic_insert() { load 'INSERT INTO kstream_topic.table ("timestamp", key, value) SELECT ts, key, value FROM source;'; }
plain_text() { load "COPY table_plain FROM '$WORK/table_plain.text';"; }
topic_text() { load "COPY kstream_topic.table (\"timestamp\", key, value) FROM '$WORK/table_topic.text';"; }
plain_binary() { load "COPY table_plain FROM '$WORK/table_plain.binary' (FORMAT binary);"; }
topic_binary() { load "COPY kstream_topic.table (\"timestamp\", key, value) FROM '$WORK/table_topic.binary' (FORMAT binary);"; }

compare rows/s insert plain_insert -- table.insert topic_insert
compare rows/s copy plain_text -- table.copy-text topic_text
compare rows/s copy plain_binary -- table.copy-binary topic_binary

fresh
sql -o /dev/null <<-END
	INSERT INTO table_plain SELECT id, ts, key, value FROM source;
	INSERT INTO kstream_topic.table ("timestamp", key, value) SELECT ts, key, value FROM source;
	VACUUM (FREEZE, ANALYZE) table_plain;
	CHECKPOINT;
	SELECT pg_prewarm('table_plain') > 0;
END

# scan TABLE
scan()
{
	timed "SELECT count(*), sum(length(value)) FROM $1;" "SET max_parallel_workers_per_gather = 0;"
	per_second "$ROWS" "$REPLY"
}

plain_scan() { scan table_plain; }
topic_scan() { scan kstream_topic.table; }

compare rows/s scan plain_scan -- table.select topic_scan
rm -f "$WORK"/table_*.text "$WORK"/table_*.binary
