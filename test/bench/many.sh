#!/usr/bin/env bash
#
# many.sh
#	10,000 partitions in a database against one.
#
# Two databases: one with 100 topics of 100 partitions, each partition with a
# record, and one with a single topic.  Both sides produce to, and read from,
# one partition of the same size.  Locks are at their default.
. "$(dirname "$0")/lib.sh"

topics=100
[ "$QUICK" = 0 ] || topics=10

# database NAME TOPICS PARTITIONS: made anew, with a record in each partition.
database()
{
	sql -d postgres -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1"
	sql -d "$1" -c 'CREATE EXTENSION kstream'
	started=$(date +%s%N)
	for ((i = 0; i < $2; i++)); do
		echo "SELECT kstream.create_topic('t$i', $3);"
	done | sql -d "$1" -o /dev/null
	created=$(date +%s%N)
	for ((i = 0; i < $2; i++)); do
		echo "SELECT count(kstream.produce('t$i', 'k', 'v', partition => p)) FROM generate_series(0, $3 - 1) p;"
	done | sql -d "$1" -o /dev/null
	filled=$(date +%s%N)
}

# What both sides read and write: partition 0 of the topic t0.
fill_partition()
{
	sql -d "$1" -o /dev/null -c "SELECT count(kstream.produce('t0', lpad(i::text, 8), repeat('v', 102), partition => 0))
		FROM generate_series(1, 100000) i"
}

database bench_one 1 1
fill_partition bench_one
database bench_many "$topics" 100
fill_partition bench_many
printf '%-36s %s partitions/s, %d in %.1f s, max_locks_per_transaction %s\n' many.create \
	"$((topics * 100 * 1000 / ((created - started) / 1000000)))" $((topics * 100)) \
	"$(((created - started) / 100000000))e-1" "$(sql -c 'SHOW max_locks_per_transaction')"
printf '%-36s %s partitions/s, transactions of 100 partitions\n' many.first-record \
	"$((topics * 100 * 1000 / ((filled - created) / 1000000)))"
sql -c CHECKPOINT

echo "SELECT kstream.produce('t0', 'key', repeat('v', 102), partition => 0);" > "$WORK/many_produce.sql"
echo "SELECT count(*) FROM kstream.fetch('t0', 0, 50000);" > "$WORK/many_fetch.sql"

produce_one() { tps "$WORK/many_produce.sql" 4 bench_one; }
produce_many() { tps "$WORK/many_produce.sql" 4 bench_many; }
fetch_one() { tps "$WORK/many_fetch.sql" 1 bench_one; }
fetch_many() { tps "$WORK/many_fetch.sql" 1 bench_many; }

compare tps one-topic produce_one -- many.produce produce_many
compare calls/s one-topic fetch_one -- many.fetch-500 fetch_many

# The server starts with this and twice as many slots for partitions.
shared_memory()
{
	"$PGBIN/pg_ctl" -D "$WORK/data" -l "$WORK/server.log" -m fast -w -t 120 \
		-o "-c kstream.max_partitions=$1" restart > /dev/null
	REPLY=$(sql -d postgres -c "SELECT sum(allocated_size) FROM pg_shmem_allocations WHERE name IS NOT NULL")
}

shared_memory 16384
less=$REPLY
shared_memory 32768
printf '%-36s %d bytes\n' many.shared-memory-per-partition $(((REPLY - less) / 16384))
