#!/usr/bin/env bash
#
# run.sh
#	Measure kstream against PostgreSQL's own way of doing the same.
#
# Usage: test/bench/run.sh [quick] [FIGURE...]
#
# Figures: single bulk batch fetch table latency many group capture retention; all of them by default.  With
# "quick" there are fewer and shorter runs of a subset, for eight minutes.
# README.md tells what each measures.
#
# From the environment (test/private-pg.sh):
#	PGBIN			programs of the PostgreSQL to measure, with kstream installed
#	STAGE			a directory to write to
#	BENCH_FIGURES	the arguments, when there are none
#	BENCH_RUNS		how often each side runs (5; quick: 3)
#	BENCH_ROWS		records to load and to read (2,000,000; quick: 500,000)
#	BENCH_SECONDS	of each run of pgbench (8; quick: 3)
#	BENCH_KEEP		1: leave the data directory behind
#
# Starts a server of its own and stops it at the end.  Not as root: servers
# refuse that.
set -euo pipefail

bench=$(cd "$(dirname "$0")" && pwd)
all=(single bulk batch fetch table latency many group capture retention)

fail()
{
	echo "run.sh: $*" >&2
	exit 2
}

if [ -z "${PGBIN:-}" ] || [ -z "${STAGE:-}" ]; then
	fail "PGBIN and STAGE must be set; \"make bench\" does"
fi

figures=("$@")
if [ ${#figures[@]} -eq 0 ]; then
	read -ra figures <<< "${BENCH_FIGURES:-}"
fi
QUICK=0
if [ "${figures[0]:-}" = quick ]; then
	QUICK=1
	figures=("${figures[@]:1}")
fi
if [ ${#figures[@]} -eq 0 ]; then
	figures=("${all[@]}")
fi
for figure in "${figures[@]}"; do
	[[ " ${all[*]} " = *" $figure "* ]] || fail "there is no figure \"$figure\"; there are: ${all[*]}"
done

if [ "$QUICK" = 1 ]; then
	RUNS=${BENCH_RUNS:-3} ROWS=${BENCH_ROWS:-500000} SECONDS_PER_RUN=${BENCH_SECONDS:-3}
else
	RUNS=${BENCH_RUNS:-5} ROWS=${BENCH_ROWS:-2000000} SECONDS_PER_RUN=${BENCH_SECONDS:-8}
fi
WORK=$STAGE/bench
export QUICK RUNS ROWS SECONDS_PER_RUN WORK PGBIN
export PGHOST=$WORK PGPORT=5432 PGDATABASE=bench PGUSER=bench PGOPTIONS='-c client_min_messages=warning'
data=$WORK/data

stop()
{
	if [ -e "$data/postmaster.pid" ]; then
		"$PGBIN/pg_ctl" -D "$data" -m fast -w -t 120 stop > /dev/null || true
	fi
	[ "${BENCH_KEEP:-0}" = 1 ] || rm -rf "$data"
}

start()
{
	rm -rf "$data"
	"$PGBIN/initdb" -D "$data" -U "$PGUSER" -A trust --no-locale -E UTF8 > "$WORK/initdb.log" 2>&1 ||
		{ cat "$WORK/initdb.log" >&2; fail "initdb failed"; }
	cat >> "$data/postgresql.conf" <<-END
		shared_preload_libraries = 'kstream'
		listen_addresses = ''
		unix_socket_directories = '$WORK'
		shared_buffers = 1GB
		max_wal_size = 8GB
		min_wal_size = 4GB
		checkpoint_timeout = 1h
		max_connections = 150
		fsync = on
		synchronous_commit = on
		autovacuum = on
		jit = off
		log_checkpoints = off
	END
	"$PGBIN/pg_ctl" -D "$data" -l "$WORK/server.log" -w -t 60 start > /dev/null ||
		{ tail -n 40 "$WORK/server.log" >&2; fail "the server did not start"; }
	"$PGBIN/createdb" "$PGDATABASE"
	"$PGBIN/psql" -XAtqc 'CREATE EXTENSION kstream' -c CHECKPOINT
	sync -f "$data"	# what initdb wrote is no part of any figure
}

mkdir -p "$WORK"
rm -f "$WORK/server.log"
stop	# of a run that was killed
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
start

"$PGBIN/psql" -XAt -F ' ' <<-'END'
	SELECT 'PostgreSQL ' || current_setting('server_version') || ', kstream ' || kstream.version();
	SELECT string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name)
	FROM pg_settings
	WHERE name IN ('fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size', 'work_mem', 'autovacuum', 'wal_level');
END
echo "$(nproc) processors, load $(cut -d' ' -f1-3 /proc/loadavg), $(date -u +%Y-%m-%d)"

status=0
for figure in "${figures[@]}"; do
	bash "$bench/$figure.sh" ||
		{ echo "$figure FAILED"; tail -n 5 "$WORK/server.log" >&2; status=1; }
done
exit "$status"
