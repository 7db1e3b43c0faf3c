#!/usr/bin/env bash
#
# single.sh
#	One record per transaction against one row per transaction.
#
# The peer is INSERT into a table with an identity primary key.  Both sides
# evaluate the same key, 8 bytes and random, and the same value of 102 bytes.
# The topic of twelve partitions is filled by key.
. "$(dirname "$0")/lib.sh"

value="'\\x$(printf '7b%.0s' {1..102})'::bytea"

sql -o /dev/null <<-END
	SELECT kstream.create_topic('single1', 1);
	SELECT kstream.create_topic('single12', 12);
	CREATE TABLE single_plain (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		ts timestamptz, key bytea, value bytea);
END
for topic in single1 single12; do
	printf '%s\n' '\set k random(1, 1000000000)' \
		"SELECT kstream.produce('$topic', int8send(:k), $value);" > "$WORK/$topic.sql"
done
printf '%s\n' '\set k random(1, 1000000000)' \
	"INSERT INTO single_plain (ts, key, value) VALUES (now(), int8send(:k), $value);" > "$WORK/single_plain.sql"

plain()
{
	tps "$WORK/single_plain.sql" "$clients"
}

one()
{
	tps "$WORK/single1.sql" "$clients"
}

twelve()
{
	tps "$WORK/single12.sql" "$clients"
}

# Commits are at the mercy of the disk, so more and shorter turns.
if [ "$QUICK" = 0 ]; then
	turns=$((RUNS * 2 - 1))
	seconds=$(((SECONDS_PER_RUN + 1) / 2))
fi

warm=1
for clients in 1 16 64; do
	[ "$QUICK" = 0 ] || [ "$clients" != 64 ] || continue
	load=$clients-clients
	[ "$clients" != 1 ] || load=1-client
	sql -c CHECKPOINT
	compare tps insert plain -- \
		"single.one-partition.$load" one \
		"single.twelve-partitions.$load" twelve
	warm=0
done
