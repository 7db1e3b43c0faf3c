#!/usr/bin/env bash
#
# soak.sh
#	Look for leaks, for queries with wrong results and for crashes, then let the models
#	and the profiles of history.py take turns.
#
# Usage: test/history/soak.sh SECONDS	in a tree that test/private-pg.sh has built
#
# The leaks come first: up to a million transactions of each kind in one session
# (test/t/132_leaks.pl), a hundred for each second of the soak, with what was
# measured.  They take about a minute for each hundred thousand.
#
# Then come random queries (test/t/140_fuzz.pl) for a tenth of the time, at most
# twenty minutes.
# Then the fuzzers of test/fuzz that look for crashes (test/t/141_hostile.pl), each for
# a tenth of the soak.
# Then the models of test/model, for a quarter of the time in all.
#
# What a round with findings leaves is kept in STAGE/out/soak, until the next
# soak begins.
set -euo pipefail

rm -rf "${STAGE:?}/out/soak"
mkdir -p "$STAGE/out/soak"

transactions=$(($1 * 100))
[ "$transactions" -le 1000000 ] || transactions=1000000
leaks=0
KSTREAM_LEAK_TRANSACTIONS=$transactions PG_TEST_TIMEOUT_DEFAULT=3600 \
	PROVE_TESTS=test/t/132_leaks.pl bash test/run_all.sh tap || leaks=1
sed -n 's/^# \(.* transactions, .*\)/\1/p' "$STAGE/out/tap/132_leaks.out"

queries=$(($1 / 10))
[ "$queries" -le 1200 ] || queries=1200
fuzz=0
KSTREAM_FUZZ_SECONDS=$queries PROVE_TESTS=test/t/140_fuzz.pl bash test/run_all.sh tap || fuzz=1
sed -n 's/^# \(seed .*\)/\1/p' "$STAGE/out/tap/140_fuzz.out"

hostile=0
KSTREAM_FUZZ_SECONDS=$(($1 / 10 + 1)) KSTREAM_SUITE_TIMEOUT=$(($1 + 3600)) \
	PROVE_TESTS=test/t/141_hostile.pl bash test/run_all.sh tap || hostile=1

models=0
for program in groups group_workers logs; do
	mkdir "$STAGE/out/soak/$program"
	# a seed of workers or logs is one run: several, each on a new server
	for round in 1 2 3 4 5 6; do
		python3 -B "test/model/$program.py" --seconds $(($1 / 72 + 1)) --shrink 300 \
			--out "$STAGE/out/soak/$program/$round" || models=1
	done
done

python3 -B test/history/history.py soak --seconds "$(($1 * 3 / 4))" --out "$STAGE/out/soak" && [ "$leaks$fuzz$hostile$models" = 0000 ]
