#!/usr/bin/env bash
#
# lib.sh
#	What the figures share: SQL, the comparison of two sides, its line.
#
# Sourced by the scripts of the figures, which run.sh starts with
#	PGBIN			programs of the PostgreSQL to measure
#	WORK			a directory to write to
#	RUNS			how often each side runs
#	SECONDS_PER_RUN	of a side that runs for a time
#	ROWS			records of a side that loads or reads a fixed number
#	QUICK			1: the subset that makes do with eight minutes
# and PGHOST, PGPORT, PGDATABASE and PGUSER of a running server.
set -euo pipefail

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=C.UTF-8

# Run SQL; the answer, unaligned.
sql()
{
	"$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"
}

# timed SQL [SETUP]: how many ms a statement takes, its commit and no start of
# psql included, in REPLY.  SETUP runs before it in the same session.
timed()
{
	local said

	said=$(sql -o /dev/null <<-END
		${2:-}
		\\timing on
		$1
		END
	)
	REPLY=$(awk '/^Time:/ { ms = $2 } END { print ms }' <<< "$said")
	[ -n "$REPLY" ]
}

# per_second COUNT MS: a rate, in REPLY.
per_second()
{
	REPLY=$(awk -v count="$1" -v ms="$2" 'BEGIN { printf "%.1f", count * 1000 / ms }')
}

# tps SCRIPT CLIENTS [DATABASE]: transactions a second of a pgbench script, in
# REPLY, over "seconds" (SECONDS_PER_RUN).  A client that failed makes the run
# worthless.
tps()
{
	local threads=2 said=$WORK/pgbench.out

	[ "$2" -gt 1 ] || threads=1
	"$PGBIN/pgbench" -n -M prepared -f "$1" -c "$2" -j "$threads" -T "${seconds:-$SECONDS_PER_RUN}" \
		"${3:-$PGDATABASE}" > "$said" 2>&1 || { cat "$said" >&2; return 1; }
	REPLY=$(sed -n 's/^tps = \([0-9.]*\) .*/\1/p' "$said")
	[ -n "$REPLY" ]
}

# A program of this directory, built once; its path in REPLY.
program()
{
	local source=$bench/$1.c

	REPLY=$WORK/$1
	[ "$REPLY" -nt "$source" ] ||
		cc -O2 -Wall -Wextra -o "$REPLY" "$source" \
			-I"$("$PGBIN/pg_config" --includedir)" -lpq -lpthread
}

# compare UNIT PEER FUNCTION -- FIGURE FUNCTION [FIGURE FUNCTION]...
#
# Each function leaves in REPLY a rate, of which more is better.  The peer and
# our sides take turns, "turns" times (RUNS) after "warm" turns (none) that do
# not count.  Then there is one line per figure: the median of the ratios that
# the turns gave, the least and the greatest of them, and the median of each
# side.  Two neighbours in time see the same machine, so a turn's ratio tells
# more than two medians that were taken apart.
compare()
{
	local unit=$1 peer=$2 peer_function=$3 results=$WORK/results turn i line
	local -a figures

	shift 4
	figures=("$@")
	: > "$results"
	for ((turn = -${warm:-0}; turn < ${turns:-$RUNS}; turn++)); do
		"$peer_function"
		line=$REPLY
		for ((i = 1; i < ${#figures[@]}; i += 2)); do
			"${figures[i]}"
			line+=" $REPLY"
		done
		[ "$turn" -lt 0 ] || echo "$line" >> "$results"
	done
	for ((i = 0; i < ${#figures[@]}; i += 2)); do
		awk -v figure="${figures[i]}" -v unit="$unit" -v peer="$peer" -v column=$((i / 2 + 2)) '
			function sort(a, n,   i, j, t) {
				for (i = 2; i <= n; i++)
					for (j = i; j > 1 && a[j - 1] > a[j]; j--) {
						t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
					}
			}
			function median(a, n) {
				sort(a, n)
				return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
			}
			{
				theirs[NR] = $1 + 0
				ours[NR] = $column + 0
				ratio[NR] = $column / $1
			}
			END {
				middle = median(ratio, NR)
				printf "%-36s ratio %.2f (%.2f to %.2f)  kstream %.0f %s  %s %.0f %s  runs %d\n",
					figure, middle, ratio[1], ratio[NR],
					median(ours, NR), unit, peer, median(theirs, NR), unit, NR
			}' "$results"
	done
}

# The records that the figures load: a key of 8 bytes and a value of 102, an
# order as JSON.  Made once per server.
make_source()
{
	[ "$(sql -c "SELECT to_regclass('source') IS NULL")" = t ] || return 0
	sql <<-END
		CREATE TABLE source (id bigint, ts timestamptz, key bytea, value bytea);
		INSERT INTO source
		SELECT i, '2026-01-01'::timestamptz + i * interval '1 ms',
			convert_to(lpad((hashint8(i) & 16777215)::text, 8, '0'), 'UTF8'),
			convert_to(rpad(format('{"order": %s, "customer": %s, "amount": %s, "currency": "EUR", "state": "%s"',
				i, hashint8(i) & 65535, hashint8(-i) & 1048575,
				(ARRAY['paid', 'sent', 'open', 'back'])[1 + i % 4]), 101) || '}', 'UTF8')
		FROM generate_series(1, $ROWS) i;
		CREATE EXTENSION IF NOT EXISTS pg_prewarm;
		VACUUM (FREEZE, ANALYZE) source;
		SELECT count(*) FROM source WHERE length(key) + length(value) <> 110 HAVING count(*) > 0;
	END
}
