#!/usr/bin/env bash
#
# latency.sh
#	From a producer's COMMIT to a waiting consumer that has the record.
#
# 1,000 transactions a second, one producer, one consumer (latency.c).  The peer
# is a table with NOTIFY, which is how one waits for rows in PostgreSQL.  Both
# are counted from the moment in which COMMIT is sent, so the flush is in it.
. "$(dirname "$0")/lib.sh"

program latency
latency=$REPLY
rate=1000
seconds=$((SECONDS_PER_RUN + 1))
results=$WORK/latency.out

# One run; its numbers and its side go into the results.
run()
{
	sql -o /dev/null <<-END
		DROP TABLE IF EXISTS latency_plain;
		CREATE TABLE latency_plain (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			ts timestamptz, key bytea, value bytea);
		SELECT kstream.drop_topic('latency', if_exists => true);
		SELECT kstream.create_topic('latency');
	END
	echo "$1 $("$latency" "$1" "$rate" "$seconds")" >> "$results"
}

# middle SIDE COLUMN: the median of a column of one side, us.
middle()
{
	awk -v side="$1" -v column="$2" '$1 == side { print $column }' "$results" | sort -n |
		awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}

: > "$results"
for ((i = 0; i < RUNS; i++)); do
	run notify
	run fetch
done
sql -c CHECKPOINT

for figure in 'median 2' 'p99 3'; do
	read -r name column <<< "$figure"
	ours=$(middle fetch "$column")
	theirs=$(middle notify "$column")
	ratio=$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')
	printf '%-36s ratio %s  kstream %s us  notify %s us  runs %d\n' \
		"latency.commit-sent.$name" "$ratio" "$ours" "$theirs" "$RUNS"
done
printf '%-36s kstream %s us median %s us p99  notify %s us median %s us p99\n' \
	latency.commit-returned "$(middle fetch 4)" "$(middle fetch 5)" "$(middle notify 4)" "$(middle notify 5)"
printf '%-36s kstream %s us at %s tps  notify %s us at %s tps\n' \
	latency.commit-itself "$(middle fetch 6)" "$(middle fetch 7)" "$(middle notify 6)" "$(middle notify 7)"
