#!/usr/bin/env bash
#
# check_kafka.sh
#	Kafka clients by others against a server of its own.
#
# Usage: test/check_kafka.sh get DIRECTORY	fetch clients, at the versions of test/kafka/real/versions
#        test/check_kafka.sh run DIRECTORY	run those that there are (by test/private-pg.sh)
#
# It fetches from PyPI, npm and the Go module proxy, and says so.  What cannot be had is
# left out: kcat is Debian's package, and Kafka's own tools are looked for in KAFKA_JARS.
# The last line is "N passed, N failed".
set -euo pipefail

cd "$(dirname "$0")/.."
real=$PWD/test/kafka/real
what=$1
place=$2

wanted() { awk -v registry="$1" '$1 == registry { print $2 (registry == "pip" ? "==" : "@") $3 }' "$real/versions"; }

get()
{
	echo "fetching from PyPI, npm and the Go module proxy into $place:"
	grep -v '^#' "$real/versions"
	mkdir -p "$place/node" "$place/go"
	# shellcheck disable=SC2046
	python3 -m pip -q install --target "$place/python" --upgrade --only-binary=:all: --python-version \
		"$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" $(wanted pip) || echo 'no Python clients'
	# shellcheck disable=SC2046
	(cd "$place/node" && npm install --silent --no-audit $(wanted npm)) || echo 'no Node client'
	(
		cd "$place/go"
		cp "$real/franz.go" main.go
		[ -f go.mod ] || go mod init face
		# shellcheck disable=SC2046
		go get $(wanted go) && go mod tidy && go build -o franz .
	) > "$place/go.log" 2>&1 || echo 'no Go client'
	[ ! -d "${KAFKA_JARS:-}" ] || ln -sfn "$KAFKA_JARS" "$place/jars"
	chmod -R go+rX "$place"
}

start_server()
{
	data=$STAGE/out/kafka_clients
	port=${KSTREAM_KAFKA_PORT:-19392}
	rm -rf "$data"
	mkdir -p "$data"
	"$PGBIN/initdb" -D "$data/pgdata" -A trust --no-locale -E UTF8 > /dev/null
	sed -i '/^host/d' "$data/pgdata/pg_hba.conf"
	printf 'host all all %s scram-sha-256\n' 127.0.0.1/32 ::1/128 >> "$data/pgdata/pg_hba.conf"
	cat >> "$data/pgdata/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$sockets'
		shared_preload_libraries = 'kstream'
		kstream.kafka_port = $port
		max_worker_processes = 120
	CONF
	"$PGBIN/pg_ctl" -D "$data/pgdata" -l "$data/log" -w start > /dev/null
	"$PGBIN/psql" -h "$sockets" -Xqc "CREATE EXTENSION kstream" -c "CREATE ROLE alice LOGIN PASSWORD 'secret'" \
		-c 'GRANT CREATE ON SCHEMA kstream_topic TO alice' postgres
}

passed=0
failed=0
try()
{
	local name=$1
	shift
	"$PGBIN/psql" -h "$sockets" -XAtq postgres -c "SELECT kstream.create_topic('$name', 2)" \
		-c "GRANT SELECT, INSERT ON kstream_topic.\"$name\" TO alice" > /dev/null
	if "$@" "$port" "$name" ${more:+"$more"} > "$data/$name.out" 2>&1; then
		echo "client $name ... ok"
		passed=$((passed + 1))
	else
		echo "client $name ... FAILED"
		tail -n 15 "$data/$name.out"
		failed=$((failed + 1))
	fi
}

run()
{
	local more=
	sockets=$(mktemp -d)
	trap '"$PGBIN/pg_ctl" -D "$data/pgdata" -m immediate stop > /dev/null 2>&1; rm -rf "$sockets"' EXIT
	start_server
	if command -v kcat > /dev/null; then try kcat bash "$real/kcat.sh"; fi
	if [ -d "$place/python" ]; then
		PYTHONPATH=$place/python try confluent /usr/bin/python3 -B "$real/confluent.py"
		PYTHONPATH=$place/python try aiokafka /usr/bin/python3 -B "$real/aio.py"
	fi
	if [ -d "$place/node/node_modules/kafkajs" ]; then NODE_PATH=$place/node/node_modules try kafkajs node "$real/kafkajs.js"; fi
	if [ -x "$place/go/franz" ]; then try franz "$place/go/franz"; fi
	if [ -d "$place/jars" ] && command -v java > /dev/null; then
		more=$place/jars
		try java bash "$real/java.sh"
	fi
	if grep -E 'PANIC|TRAP|terminated by signal' "$data/log"; then failed=$((failed + 1)); fi
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}

"$what"
