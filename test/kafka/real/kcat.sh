#!/usr/bin/env bash
# kcat: all codecs, idempotent and not; read back from an assigned partition.
# Usage: kcat.sh PORT TOPIC
set -euo pipefail
login=(-b "localhost:$1" -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=SCRAM-SHA-256
	-X sasl.username=alice -X sasl.password=secret)
for codec in none gzip snappy lz4 zstd; do
	for idempotent in false true; do
		seq 1000 | timeout 30 kcat "${login[@]}" -P -t "$2" -p 0 -z "$codec" -X enable.idempotence=$idempotent
	done
done
timeout 30 kcat "${login[@]}" -C -t "$2" -p 0 -o beginning -e -q | cmp - <(for _ in {1..10}; do seq 1000; done)
timeout 30 kcat "${login[@]}" -Q -t "$2:0:-1" | grep -q 'offset 10000$'
