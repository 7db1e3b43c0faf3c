#!/usr/bin/env bash
#
# run.sh
#	kstream shown at work: "make demo".
#
# Starts a PostgreSQL of its own (own data directory, sockets only), lets
# demo.py do the rest, and removes the server with its data whatever happened.
#
# Takes from the environment (test/private-pg.sh):
#	PGBIN	programs of a PostgreSQL that has kstream
#	STAGE	a directory to work in
#
# The exit status is 0 only if the balances that a consumer group rebuilt from
# the topic are those of the table, row for row, and kcat, by Kafka's protocol, has
# read and written what SQL has.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=${STAGE:?}/demo
bin=${PGBIN:?}
log=$work/server.log

export PGHOST=$work PGPORT=54329 PGUSER=demo PGDATABASE=demo
export PGAPPNAME=kstream-demo
KAFKA_PORT=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export KAFKA_PORT

# Stop the server of this directory, if one runs, and remove its data.
clean()
{
	local pid

	if pid=$(head -n 1 "$work/data/postmaster.pid" 2>/dev/null) &&
		[ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$bin/postgres")" ]; then
		"$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null || true
	fi
	rm -rf "$work/data"
}

finish()
{
	local status=$?

	trap - EXIT
	clean
	if [ "$status" != 0 ]; then
		printf '\nThe demo FAILED (exit status %s). Last lines of %s:\n' "$status" "$log"
		tail -n 20 "$log" 2>/dev/null || true
	fi
	exit "$status"
}

start_server()
{
	"$bin/initdb" -D "$work/data" -U "$PGUSER" -A trust -E UTF8 --no-locale \
		>"$log" 2>&1
	: >"$log"
	cat >>"$work/data/postgresql.conf" <<-EOC
		shared_preload_libraries = 'kstream'
		listen_addresses = ''
		unix_socket_directories = '$work'
		port = $PGPORT
		fsync = on
		synchronous_commit = on
		shared_buffers = 256MB
		max_wal_size = 2GB
		checkpoint_timeout = 15min
		max_worker_processes = 20
		kstream.kafka_port = $KAFKA_PORT
		kstream.kafka_listen_addresses = '127.0.0.1'
		kstream.kafka_database = '$PGDATABASE'
		kstream.kafka_max_connections = 8
	EOC
	sed -i '1i host all app 127.0.0.1/32 scram-sha-256' "$work/data/pg_hba.conf"
	"$bin/pg_ctl" -D "$work/data" -l "$log" -w start >/dev/null
	"$bin/createdb" "$PGDATABASE"
}

# interrupted STATUS: let demo.py end its processes first.
interrupted()
{
	if [ -n "$demo" ]; then
		kill "$demo" 2>/dev/null || true
		wait "$demo" || true
	fi
	exit "$1"
}

demo=
trap finish EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

clean		# of a demo that was killed
mkdir -p "$work"
rm -f "$log"

cat <<'EOT'

  k s t r e a m :  topics inside PostgreSQL

  A bank, played by pgbench, moves money. Each of its transactions also
  produces a record to a topic, and the two commit together. A consumer group
  that sees nothing but the topic keeps books of its own. One of its members is
  killed on the way, and a new one comes. In the end bank and books must agree,
  account by account. Then kcat, which knows Kafka's protocol and no SQL, reads
  the same topic, and writes to one that SQL reads.

EOT
echo "Starting a private PostgreSQL (fsync on, for Kafka clients at port $KAFKA_PORT of localhost) ..."
start_server
/usr/bin/python3 -B "$here/demo.py" &	# a trap does not wait for this
demo=$!
wait "$demo"
