#!/usr/bin/env bash
#
# group.sh
#	Consumer groups: how fast, what waiting costs, and what a change takes.
#
# These figures have no peer: PostgreSQL has nothing to set against them.  Each
# stands on a line of its own with its aim.  README.md tells how each is taken.
. "$(dirname "$0")/lib.sh"

program group
group=$REPLY
results=$WORK/group.out
idle_seconds=30
idle_members=100
xmin_seconds=600
if [ "$QUICK" = 1 ]; then
	idle_seconds=10
	xmin_seconds=60
fi

# line FIGURE TEXT...
line()
{
	printf '%-36s %s\n' "$1" "${*:2}"
}

median()
{
	sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}

sql -o /dev/null <<-END
	SELECT kstream.create_topic('group4', 4);
	SELECT count(kstream.produce('group4', lpad((i % 10000)::text, 8), rpad(i::text, 102), partition => (i % 4)::int))
	FROM generate_series(1, $ROWS) i;
	SELECT kstream.create_topic('group1000', 1000);
	SELECT kstream.create_topic('group100', 100);
	SELECT kstream.create_topic('group1', 1);
	SELECT kstream.create_topic('group0', 1);
	SELECT count(kstream.produce('group1', 'k', rpad(i::text, 109))) FROM generate_series(1, 100000) i;

	-- Until nothing comes for a second, which is taken off.
	CREATE PROCEDURE group_consume(name text) LANGUAGE plpgsql AS \$\$
	DECLARE
		rows bigint;
		bytes bigint;
	BEGIN
		LOOP
			SELECT count(*), sum(length(r.value)) INTO rows, bytes
			FROM kstream.poll(name, '{group4}', max_records => 500, max_wait => '1 s', commit => true) r;
			COMMIT;
			EXIT WHEN rows = 0;
		END LOOP;
	END \$\$;

	-- CPU seconds of this backend so far.
	CREATE FUNCTION group_cpu() RETURNS double precision LANGUAGE sql AS \$\$
		SELECT (f[12]::float8 + f[13]::float8) / 100
		FROM string_to_array(split_part(pg_read_file('/proc/self/stat', 0, 2000), ') ', 2), ' ') f
	\$\$;

	-- Commits per second, and per CPU second, at the start and at the end of a
	-- time; a record each.
	CREATE PROCEDURE group_commits(name text, how text, seconds double precision, edge double precision)
	LANGUAGE plpgsql AS \$\$
	DECLARE
		start timestamptz := clock_timestamp();
		cpu double precision := group_cpu();
		at double precision := 0;
		first bigint := 0;
		last bigint := 0;
		commits bigint := 0;
		first_cpu double precision;
		last_cpu double precision;
		rows bigint;
	BEGIN
		WHILE at < seconds LOOP
			SELECT count(*) INTO rows
			FROM kstream.poll(name, '{group1}', how, max_records => 1, max_wait => '0', commit => true);
			IF rows = 0 THEN
				PERFORM kstream.seek(name, 'group1', 0, 0, how);
			END IF;
			COMMIT;
			at := extract(epoch FROM clock_timestamp() - start);
			commits := commits + 1;
			first := first + (at < edge)::int;
			last := last + (at >= seconds - edge)::int;
			IF first_cpu IS NULL AND at >= edge THEN
				first_cpu := group_cpu() - cpu;
			ELSIF last_cpu IS NULL AND at >= seconds - edge THEN
				last_cpu := group_cpu();
			END IF;
		END LOOP;
		RAISE INFO '% % % %', first / edge, last / edge, commits,
			(last / (group_cpu() - last_cpu)) / (first / first_cpu);
	END \$\$;
END

# ---------- consume ----------

# in_server MEMBERS SYNCHRONOUS_COMMIT: records a second, in REPLY.
in_server()
{
	local started ms i name=s$RANDOM$RANDOM

	started=$(date +%s%N)
	for ((i = 0; i < $1; i++)); do
		sql -o /dev/null -c "SET synchronous_commit = $2" -c "CALL group_consume('$name')" &
	done
	wait
	ms=$((($(date +%s%N) - started) / 1000000 - 1000))
	[ "$(sql -c "SELECT sum(\"offset\") FROM kstream.committed_offsets WHERE group_id = '$name'")" = "$ROWS" ] ||
		{ echo "group.sh: not all records were consumed" >&2; return 1; }
	per_second "$ROWS" "$ms"
}

in_client()
{
	REPLY=$(PGOPTIONS="$PGOPTIONS -c synchronous_commit=$2" "$group" consume "c$RANDOM$RANDOM" group4 "$1" "$ROWS")
	[ -n "$REPLY" ]
}

# consume FIGURE FUNCTION MEMBERS SYNCHRONOUS_COMMIT AIM
consume()
{
	: > "$results"
	for ((turn = 0; turn < RUNS; turn++)); do
		"$2" "$3" "$4"
		echo "${REPLY%.*}" >> "$results"
	done
	line "$1" "$(median < "$results") records/s  ($(sort -n "$results" | head -n 1) to" \
		"$(sort -n "$results" | tail -n 1))  members $3  $5 runs $RUNS"
}

sql -c CHECKPOINT
consume group.consume.server.async in_server 2 off 'aim 1000000 '
consume group.consume.server.sync in_server 2 on ''
consume group.consume.server.sync-4 in_server 4 on ''
consume group.consume.client.async in_client 2 off ''
consume group.consume.client.sync-4 in_client 4 on ''

# ---------- idle ----------

line group.idle "$("$group" idle idle group100 "$idle_members" "$idle_seconds") CPU s of the server in $idle_seconds s " \
	"members $idle_members, waiting  aim 0"

# ---------- rebalance ----------

for wait in 500 5000; do
	: > "$results"
	for ((turn = 0; turn < (RUNS + 1) / 2; turn++)); do
		"$group" rebalance "r$wait$turn" group1000 100 "$wait" >> "$results"
	done
	line "group.rebalance.join.wait-$wait" "$(awk '{ print $2 }' "$results" | median) ms, committed" \
		"$(awk '{ print $3 }' "$results" | median) ms  partitions 1000  members 100  aim 1000"
	line "group.rebalance.leave.wait-$wait" "$(awk '{ print $5 }' "$results" | median) ms, committed" \
		"$(awk '{ print $6 }' "$results" | median) ms  partitions 1000  members 100  aim 1000"
done

# ---------- write_free ----------

# wal SCRIPT: bytes of WAL that 10,000 of them made, in REPLY.
wal()
{
	local before

	echo "$1" > "$WORK/group_free.sql"
	sql -o /dev/null -c CHECKPOINT
	before=$(sql -c 'SELECT pg_current_wal_insert_lsn()')
	"$PGBIN/pgbench" -n -M prepared -f "$WORK/group_free.sql" -c 1 -t 10000 > "$WORK/pgbench.out" 2>&1 ||
		{ cat "$WORK/pgbench.out" >&2; return 1; }
	REPLY=$(sql -c "SELECT pg_current_wal_insert_lsn() - '$before'")
}

sql -o /dev/null -c "ALTER SYSTEM SET autovacuum = off" -c "SELECT pg_reload_conf()"
sql -o /dev/null <<-END
	SELECT kstream.poll('free', '{group100}', 'm', max_wait => '0');
	SELECT kstream.poll('free', '{group100}', 'm', max_wait => '0');
END
wal "SELECT kstream.heartbeat('free', 'm');"
line group.write-free.heartbeat "$REPLY bytes of WAL  calls 10000  aim 0"
wal "SELECT kstream.poll('free', '{group100}', 'm', max_wait => '0', commit => true);"
line group.write-free.poll "$REPLY bytes of WAL  calls 10000  aim 0"
sql -o /dev/null -c "ALTER SYSTEM RESET autovacuum" -c "SELECT pg_reload_conf()"

# ---------- many partitions ----------

# What an empty poll pays for the partitions that others of the group own.
sql -o /dev/null <<-END
	SELECT kstream.create_topic('group10k', 1000);
END
for ((partitions = 2000; partitions <= 10000; partitions += 1000)); do
	echo "SELECT kstream.add_partitions('group10k', $partitions);"
done | sql -o /dev/null
echo "SELECT kstream.poll('others', '{group0}', 'm', max_wait => '0');" > "$WORK/group_poll.sql"
echo "SELECT kstream.poll('alone', '{group0}', 'm', max_wait => '0');" > "$WORK/group_alone.sql"
sql -o /dev/null -c "SELECT kstream.poll('others', '{group10k}', 'owner-of-most', max_wait => '0')"

many()
{
	tps "$WORK/group_poll.sql" 1
}

alone()
{
	tps "$WORK/group_alone.sql" 1
}

seconds=2
compare tps alone alone -- group.poll-of-1-in-10001 many
unset seconds

# ---------- xmin ----------

# xmin FIGURE MEMBER; NULL is a session.  Commits do not wait for the disk, so
# that there are as many as can be, and its moods do not tell.
xmin()
{
	local holder said first last commits by_cpu

	"$PGBIN/psql" -XAtq -o /dev/null -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' \
		-c 'SELECT pg_current_xact_id()' -c "SELECT pg_sleep($((xmin_seconds + 3600)))" > "$WORK/holder.out" 2>&1 &
	holder=$!
	until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")" = 1 ]; do
		sleep 0.1
	done
	said=$(sql -c 'SET synchronous_commit = off' \
		-c "CALL group_commits('$1', $2, $xmin_seconds, 5 + $xmin_seconds / 60)" 2>&1)
	sql -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
	wait "$holder" || true
	read -r _ first last commits by_cpu <<< "$said"
	line "$1" "$(awk -v a="$first" -v b="$last" 'BEGIN { printf "ratio %.2f  at the end %.0f  at the start %.0f commits/s", b / a, b, a }')" \
		" per CPU second ratio $(printf %.2f "$by_cpu")  commits $commits in $xmin_seconds s  aim 0.9"
	sql -c 'VACUUM kstream.committed_offset'
}

xmin group.xmin.session NULL
xmin group.xmin.name "'m'"
