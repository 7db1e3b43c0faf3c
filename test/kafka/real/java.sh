#!/usr/bin/env bash
# Kafka's own tools: all codecs, idempotent; read back from an assigned partition; describe.
# Usage: java.sh PORT TOPIC DIRECTORY_OF_JARS
set -euo pipefail
properties=$(mktemp)
trap 'rm -f "$properties"' EXIT
cat > "$properties" <<CONF
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-256
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="secret";
CONF
tool()
{
	local name=$1
	shift
	timeout 90 java -Xmx300m -Dlog4j2.level=ERROR -cp "$jars/*" "org.apache.kafka.tools.$name" --bootstrap-server "localhost:$port" \
		--topic "$topic" --command-config "$properties" "$@" 2> /dev/null
}
port=$1 topic=$2 jars=$3
for codec in none gzip snappy lz4 zstd; do
	tool ProducerPerformance --num-records 2000 --record-size 100 --throughput -1 --command-property "compression.type=$codec" > /dev/null
done
[ "$(tool GetOffsetShell | awk -F: '{ n += $3 } END { print n }')" = 10000 ]
[ "$(tool consumer.ConsoleConsumer --partition 0 --offset earliest --max-messages 500 --timeout-ms 20000 | wc -l)" = 500 ]
tool TopicCommand --describe | grep -q 'PartitionCount: 2'
