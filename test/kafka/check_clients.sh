#!/usr/bin/env bash
#
# check_clients.sh
#	Run Kafka clients of several languages against a server of one's own.
#
# Usage: test/kafka/check_clients.sh, through private-pg.sh, after
# test/kafka/clients/get.sh.  TESTS="name ..." runs only these clients.
#
# Each client is judged by test/kafka/clients/judge.py, those with an idempotent producer
# by cuts.py too, Kafka's own tools by tools.py.  What it said stands in
# out/kafka-clients/NAME.out, the server's log beside it.  A client that could
# not be had is told as skipped.  The last line is "N passed, N failed, N skipped".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
clients=$STAGE/kafka-clients
out=$STAGE/out/kafka-clients
data=$(mktemp -d "${TMPDIR:-/var/tmp}/kstream-clients.XXXXXX")
export PGHOST=$data PGPORT=5432

stop()
{
	"$PGBIN/pg_ctl" -D "$data/data" -m immediate stop > /dev/null 2>&1 || true
	rm -rf "$data"
}
trap stop EXIT

free_port()
{
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start()
{
	local port

	port=$(free_port)
	"$PGBIN/initdb" -D "$data/data" -A trust -U postgres --no-sync > /dev/null
	sed -i '1i host all app 127.0.0.1/32 scram-sha-256' "$data/data/pg_hba.conf"
	cat >> "$data/data/postgresql.conf" <<-CONF
		shared_preload_libraries = 'kstream'
		listen_addresses = ''
		unix_socket_directories = '$data'
		fsync = off
		max_worker_processes = 120
		kstream.worker = off
		kstream.kafka_port = $port
		kstream.kafka_listen_addresses = '127.0.0.1'
	CONF
	"$PGBIN/pg_ctl" -D "$data/data" -l "$out/server.log" -w start > /dev/null
	export KAFKA_BOOTSTRAP=127.0.0.1:$port KAFKA_USER=app KAFKA_PASSWORD=secret
	"$PGBIN/psql" -X -q -U postgres <<-SQL
		CREATE EXTENSION kstream;
		CREATE ROLE app LOGIN PASSWORD '$KAFKA_PASSWORD';
		GRANT CREATE ON SCHEMA kstream_topic TO app;
	SQL
}

count()
{
	cat "$out"/*.out | grep -c "^$1 - " || true
}

rm -rf "$out"
mkdir -p "$out"
start
for name in ${TESTS:-$(cd "$clients" && ls run absent | grep -v ':$' | sort -u)}; do
	if [ -e "$clients/absent/$name" ]; then
		echo "skip - $name: $(cat "$clients/absent/$name")" | tee "$out/$name.out"
		continue
	fi
	read -ra command < "$clients/run/$name"
	judge=judge.py
	if [ "$name" = kafka-tools ]; then
		judge=tools.py
	fi
	timeout 600 /usr/bin/python3 -B "$here/clients/$judge" "$name" "${command[@]}" > "$out/$name.out" 2> "$out/$name.err" ||
		echo "not ok - $name: the judge ends" >> "$out/$name.out"
	# what was judged, now over connections that are cut
	[ "$judge" != judge.py ] || timeout 300 /usr/bin/python3 -B "$here/clients/cuts.py" "$name" "${command[@]}" >> "$out/$name.out" 2>> "$out/$name.err" ||
		echo "not ok - $name: it does not get on over connections that are cut" >> "$out/$name.out"
	grep -v '^ok' "$out/$name.out" || true
	echo "$name: $(grep -c '^ok' "$out/$name.out" || true) passed"
done
# Nothing that a client asks is a fault inside the server.
if grep -E 'duplicate key|PANIC|TRAP|terminated by signal' "$out/server.log"; then
	echo "not ok - server: its log tells of nothing unplanned" > "$out/server.out"
fi
failed=$(count 'not ok')
echo "$(count ok) passed, $failed failed, $(count skip) skipped"
[ "$failed" = 0 ]
