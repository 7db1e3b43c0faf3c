#!/usr/bin/env bash
#
# capture.sh
#	What it costs a table to be captured: short transactions, a large update.
#
# TPC-B of pgbench, with pgbench_accounts captured and not, by 16 clients.  Then
# one UPDATE of every row of a table like pgbench_accounts (121 bytes a row),
# captured and not, and with the trigger that PgQ has for the purpose.  Each
# update begins with a table that was filled and vacuumed, on a new topic or
# queue, after a checkpoint.
#
# Wall-clock time, and CPU time of the backend (user and system, from /proc),
# which a neighbour disturbs less.
. "$(dirname "$0")/lib.sh"

clients=16
scale=20
rows=$((ROWS / 2))
turns_file=$WORK/turns
[ "$QUICK" = 0 ] || scale=10

# ---- TPC-B ----

"$PGBIN/pgbench" -i -q -s "$scale" "$PGDATABASE" > "$WORK/pgbench.out" 2>&1 ||
	{ cat "$WORK/pgbench.out" >&2; exit 1; }

# CPU time of all backends that have ended, in ticks; once no other is left.
ended_cpu()
{
	until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")" = 1 ]; do
		sleep 0.1
	done
	REPLY=$(awk '{ print $16 + $17 }' "/proc/$(head -n 1 "$WORK/data/postmaster.pid")/stat")
}

# Transactions per second and per CPU second are appended to the line of this turn.
tpcb()
{
	local before

	sql -o /dev/null -c CHECKPOINT
	ended_cpu
	before=$REPLY
	"$PGBIN/pgbench" -n -M prepared -b tpcb-like -c "$clients" -j 2 -T "$SECONDS_PER_RUN" "$PGDATABASE" \
		> "$WORK/pgbench.out" 2>&1 || { cat "$WORK/pgbench.out" >&2; return 1; }
	ended_cpu
	line+=$(awk -v cpu=$((REPLY - before)) -v ticks="$(getconf CLK_TCK)" '
		/^number of transactions actually processed:/ { done = $NF }
		/^tps = / { tps = $3 }
		END { printf " %.1f %.1f", tps, done * ticks / cpu }' "$WORK/pgbench.out")
}

# column N: what compare() would have measured, of its turn
column()
{
	REPLY=$(awk -v turn="$turn" -v column="$1" 'NR == turn + 1 { print $column }' "$turns_file")
}
plain_rate() { column 1; }
plain_cpu() { column 2; }
captured_rate() { column 3; }
captured_cpu() { column 4; }
uncompressed_rate() { column 5; }
uncompressed_cpu() { column 6; }
pgq_rate() { column 7; }
pgq_cpu() { column 8; }

# The sides of one turn follow each other; the first turn does not count.
: > "$turns_file"
for ((turn = -1; turn < RUNS; turn++)); do
	line=
	sql -o /dev/null -c "SELECT kstream.uncapture(relation) FROM kstream.captures"
	tpcb
	sql -o /dev/null -c "SELECT kstream.capture('pgbench_accounts', 'accounts')"
	tpcb
	[ "$turn" -lt 0 ] || echo "$line" >> "$turns_file"
done
compare tps uncaptured plain_rate -- capture.tpcb-16 captured_rate
compare xacts/cpu-s uncaptured plain_cpu -- capture.tpcb-16.cpu captured_cpu
sql -o /dev/null -c "SELECT kstream.uncapture('pgbench_accounts')" -c "SELECT kstream.drop_topic('accounts')"

# ---- one UPDATE ----

sql <<-END
	CREATE TABLE capture_row (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (autovacuum_enabled = false);
END

# update SETUP CLEANUP: update all rows; rows per second and per CPU second are
# appended to the line of this turn.
update()
{
	local said

	said=$(sql <<-END
		TRUNCATE capture_row;
		INSERT INTO capture_row SELECT i, i % 20, 0, '' FROM generate_series(1, $rows) i;
		VACUUM (FREEZE, ANALYZE) capture_row;
		\\o /dev/null
		$1
		\\o
		CHECKPOINT;
		SELECT pg_backend_pid() AS pid \\gset
		\\setenv BACKEND :pid
		\\! awk '{ print "cpu", \$14 + \$15 }' /proc/\$BACKEND/stat
		\\timing on
		UPDATE capture_row SET abalance = abalance + 1;
		\\timing off
		\\! awk '{ print "cpu", \$14 + \$15 }' /proc/\$BACKEND/stat
		\\o /dev/null
		$2
	END
	)
	line+=$(awk -v rows="$rows" -v ticks="$(getconf CLK_TCK)" '
		/^cpu/ { cpu = $2 - cpu }
		/^Time:/ { ms = $2 }
		END { printf " %.1f %.1f", rows * 1000 / ms, rows * ticks / cpu }' <<< "$said")
}

update_plain()
{
	update '' ''
}

# update_captured TOPIC_OPTIONS: NULL as capture() makes it
update_captured()
{
	local create=

	[ -z "$1" ] || create="SELECT kstream.create_topic('rows', 1, '$1');"
	update "$create SELECT kstream.capture('capture_row', 'rows');" \
		"SELECT kstream.uncapture('capture_row'); SELECT kstream.drop_topic('rows');"
}

update_pgq()
{
	update "SELECT pgq.create_queue('rows'); CREATE TRIGGER pgq_rows AFTER INSERT OR UPDATE OR DELETE ON capture_row FOR EACH ROW EXECUTE FUNCTION pgq.jsontriga('rows');" \
		"DROP TRIGGER pgq_rows ON capture_row; SELECT pgq.drop_queue('rows', true);"
}

has_pgq=$(sql -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgq'")
[ "$has_pgq" = 0 ] || sql -c 'CREATE EXTENSION IF NOT EXISTS pgq'
: > "$turns_file"
for ((turn = -1; turn < RUNS; turn++)); do
	line=
	update_plain
	update_captured ''
	update_captured '{"compression": "none"}'
	[ "$has_pgq" = 0 ] || update_pgq
	[ "$turn" -lt 0 ] || echo "$line" >> "$turns_file"
done

compare rows/s uncaptured plain_rate -- capture.update captured_rate capture.update-uncompressed uncompressed_rate
compare rows/cpu-s uncaptured plain_cpu -- capture.update.cpu captured_cpu capture.update-uncompressed.cpu uncompressed_cpu
if [ "$has_pgq" = 0 ]; then
	echo "capture.update-pgq                   skipped: this PostgreSQL has no PgQ"
else
	compare rows/s pgq pgq_rate -- capture.update-pgq captured_rate
	compare rows/cpu-s pgq pgq_cpu -- capture.update-pgq.cpu captured_cpu
fi
