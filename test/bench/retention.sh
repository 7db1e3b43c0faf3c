#!/usr/bin/env bash
#
# retention.sh
#	What dropping a segment costs, by the size of the segment.
#
# A topic whose segments are all sealed gets retention_bytes = 0 and one pass of
# maintenance.  The cost must not depend on how much a segment holds: time and
# WAL per segment are told for each size.
. "$(dirname "$0")/lib.sh"

# drop_segments SIZE_IN_MB SEGMENTS
drop_segments()
{
	local name=t$1 before after bytes started ended dropped

	sql -o /dev/null -c "SELECT kstream.create_topic('$name', 1, '{\"segment_bytes\": \"$1MB\", \"retention\": \"infinite\"}')"
	for ((i = 0; i <= $2; i++)); do
		sql -o /dev/null -c 'CALL kstream.run_maintenance()' \
			-c "SELECT count(kstream.produce('$name', NULL, repeat('v', 500))) FROM generate_series(1, $1 * 2030)"
	done
	sql -o /dev/null -c 'CALL kstream.run_maintenance()' -c CHECKPOINT
	dropped=$(sql -c "SELECT count(*) FROM kstream.segment WHERE rows IS NOT NULL AND frozen")
	bytes=$(sql -c "SELECT sum(bytes) FROM kstream.segments s WHERE topic = '$name' AND \"rows\" IS NOT NULL")
	sql -o /dev/null -c "SELECT kstream.alter_topic('$name', '{\"retention_bytes\": 0}')"
	before=$(sql -c 'SELECT pg_current_wal_lsn()')
	started=$(date +%s%N)
	sql -c 'CALL kstream.run_maintenance()'
	ended=$(date +%s%N)
	after=$(sql -c "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '$before')::bigint")
	[ "$(sql -c "SELECT count(*) FROM kstream.segment WHERE rows IS NOT NULL")" = 0 ] ||
		{ echo "retention.sh: not all was dropped" >&2; exit 1; }
	printf '%-36s %d segments, %d MB: %s ms and %d kB of WAL per segment\n' "retention.drop-$1MB" "$dropped" \
		$((bytes / 1048576)) "$(((ended - started) / 10000 / dropped))e-2" $((after / 1024 / dropped))
	sql -o /dev/null -c "SELECT kstream.drop_topic('$name')"
}

# The worker would drop them, too.
sql -c 'ALTER SYSTEM SET kstream.worker = off' -c 'SELECT pg_reload_conf()' -o /dev/null
drop_segments 1 32
drop_segments 64 8
if [ "$QUICK" = 0 ]; then
	drop_segments 1024 3
fi
sql -c 'ALTER SYSTEM RESET kstream.worker' -c 'SELECT pg_reload_conf()' -o /dev/null
