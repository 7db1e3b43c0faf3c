#!/usr/bin/env bash
#
# batch.sh
#	produce_batch_bytes from a client against COPY FROM STDIN.
#
# The client is load.c, over a local socket: 1,000 records a call as binary
# arrays of a prepared statement, against COPY in binary format.  Either each
# 1,000 records are a transaction, or all of them.
. "$(dirname "$0")/lib.sh"

warm=1	# the first turn creates WAL files, which later ones reuse

program load
load=$REPLY
rows=$((ROWS / 4))

# load MODE: a fresh target of both kinds, then the client.
run()
{
	sql -o /dev/null <<-END
		DROP TABLE IF EXISTS batch_plain;
		CREATE TABLE batch_plain (id bigint PRIMARY KEY, ts timestamptz, key bytea, value bytea);
		SELECT kstream.drop_topic('batch', if_exists => true);
		SELECT kstream.create_topic('batch');
		CHECKPOINT;
	END
	REPLY=$("$load" "$1" "$2" "$rows")
	[ -n "$REPLY" ]
}

copy_each() { run copy each; }
copy_all() { run copy all; }
batch_each() { run batch each; }
batch_all() { run batch all; }

compare rows/s copy copy_each -- batch.transaction-per-1000 batch_each
compare rows/s copy copy_all -- batch.one-transaction batch_all
