#!/usr/bin/env bash
#
# bulk.sh
#	Many records in one statement against INSERT ... SELECT.
#
# The peer inserts the same rows into a table (bigint primary key, timestamptz,
# bytea, bytea).  Each run has a new table or topic, made before the clock
# starts, and begins right after a checkpoint.
. "$(dirname "$0")/lib.sh"

warm=1	# the first turn creates WAL files, which later ones reuse

make_source

fresh_table()
{
	sql -o /dev/null <<-END
		DROP TABLE IF EXISTS bulk_plain;
		CREATE TABLE bulk_plain (id bigint PRIMARY KEY, ts timestamptz, key bytea, value bytea);
		SELECT pg_prewarm('source') > 0;
		CHECKPOINT;
	END
}

fresh_topic()
{
	sql -o /dev/null <<-END
		SELECT kstream.drop_topic('bulk', if_exists => true);
		SELECT kstream.create_topic('bulk', 1, '$1');
		SELECT pg_prewarm('source') > 0;
		CHECKPOINT;
	END
}

plain()
{
	fresh_table
	timed "INSERT INTO bulk_plain SELECT id, ts, key, value FROM source;"
	per_second "$ROWS" "$REPLY"
}

topic()
{
	fresh_topic "$1"
	timed "SELECT count(kstream.produce('bulk', key, value)) FROM source;"
	per_second "$ROWS" "$REPLY"
}

uncompressed()
{
	topic '{}'
}

lz4()
{
	topic '{"compression": "lz4"}'
}

compare rows/s insert plain -- bulk.uncompressed uncompressed bulk.lz4 lz4
