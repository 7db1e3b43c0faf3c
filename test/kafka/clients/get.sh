#!/usr/bin/env bash
#
# get.sh
#	Fetch and build the Kafka clients that check_clients.sh runs.
#
# Usage: test/kafka/clients/get.sh DIRECTORY
#
# Packages come from the registries of their languages through the languages'
# own tools as they are configured.  What cannot be had is told in a line and
# left in DIRECTORY/absent/NAME; the others leave DIRECTORY/run/NAME, a line
# that is a command.  What is there already is not fetched again.  TESTS="name ..."
# is for these clients only.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$1
sources=$root/src
java_versions="4.4.0 3.9.2"

mkdir -p "$root/absent" "$root/run"
rm -rf "$root/absent/"* "$root/run/"* "$sources"
cp -r "$here" "$sources"
export npm_config_update_notifier=false

# client NAME FUNCTION COMMAND [ARGUMENT...]: how it is run, if the function succeeds.
client()
{
	local name=$1 log=$root/$1.log

	case " ${TESTS:-$name} " in
		*" $name "*) ;;
		*) return ;;
	esac
	if "$2" > "$log" 2>&1; then
		echo "${*:3}" > "$root/run/$name"
	else
		grep -v '^ *$' "$log" | tail -n 1 | cut -c 1-200 | sed -E 's,[a-z]+://[^ ]+,...,g' > "$root/absent/$name"
		echo "clients: no $name: $(cat "$root/absent/$name")" >&2
	fi
}

# The release that is tested; Debian's python3 is what runs it.
pip_packages()
{
	[ -e "$root/python/.done" ] && return
	python3 -m pip install -q --disable-pip-version-check --python-version "$(/usr/bin/python3 -c \
		'import sys; print("%d.%d" % sys.version_info[:2])')" --only-binary :all: --target "$root/python" \
		confluent-kafka==2.16.1 aiokafka==0.14.0 kafka-python==3.0.12 lz4 python-snappy zstandard cramjam &&
		touch "$root/python/.done"
}

debian_python()
{
	bash "$here/../../setup.sh" kafka-clients && /usr/bin/python3 -c 'import confluent_kafka'
}

java()
{
	local jars=$root/java-$version

	[ -e "$jars/.done" ] || mvn -q -B -f "$sources/java/pom.xml" dependency:copy-dependencies \
		-DoutputDirectory="$jars" -Dkafka.version="$version" || return
	touch "$jars/.done"
	javac -cp "$jars/*" -d "$jars/classes" "$sources/java/Interop.java"
}

tool_jars()
{
	[ -e "$root/tools/.done" ] || mvn -q -B -f "$sources/tools/pom.xml" dependency:copy-dependencies \
		-DoutputDirectory="$root/tools" || return
	touch "$root/tools/.done"
}

go_programs()
{
	cd "$sources/go" && go build -o "$root/go/" ./franz ./sarama
}

node_packages()
{
	[ -e "$root/node/node_modules/.done" ] && cmp -s "$sources/node/package.json" "$root/node/package.json" && return
	mkdir -p "$root/node" && cp "$sources/node/package.json" "$root/node/" && cd "$root/node" &&
		npm install --no-audit --no-fund && touch node_modules/.done
}

rust_program()
{
	cd "$sources/rust" && CARGO_TARGET_DIR=$root/rust cargo build -q
}

python="env PYTHONPATH=$root/python /usr/bin/python3 -B $sources/python"
for version in $java_versions; do
	client "java-$version" java "java -XX:TieredStopAtLevel=1 -cp $root/java-$version/classes:$root/java-$version/* Interop"
done
client kafka-tools tool_jars "java -XX:TieredStopAtLevel=1 -cp $root/tools/*"
client confluent-kafka pip_packages "$python/confluent.py"
client aiokafka pip_packages "$python/aio.py"
client kafka-python pip_packages "$python/kafkapython.py"
client librdkafka-debian debian_python "/usr/bin/python3 -B $sources/python/confluent.py"
client franz-go go_programs "$root/go/franz"
client sarama go_programs "$root/go/sarama"
client kafkajs node_packages "env NODE_PATH=$root/node/node_modules node $sources/node/interop.js"
client platformatic node_packages "env NODE_PATH=$root/node/node_modules node $sources/node/platformatic.js"
client rskafka rust_program "$root/rust/debug/interop"
chmod -R a+rX "$root"
