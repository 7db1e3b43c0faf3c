#!/usr/bin/env bash
#
# soak.sh
#	Look for leaks, then let the models and the profiles of history.py take turns.
#
# Usage: test/history/soak.sh SECONDS	in a tree that test/private-pg.sh has built
#
# The leaks come first: up to a million transactions of each kind in one session
# (test/t/132_leaks.pl), a hundred for each second of the soak, with what was
# measured.  They take about a minute for each hundred thousand.
#
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

models=0
for program in groups group_workers logs; do
	mkdir "$STAGE/out/soak/$program"
	# a seed of workers or logs is one run: several, each on a new server
	for round in 1 2 3 4 5 6; do
		python3 -B "test/model/$program.py" --seconds $(($1 / 72 + 1)) --shrink 300 \
			--out "$STAGE/out/soak/$program/$round" || models=1
	done
done

python3 -B test/history/history.py soak --seconds "$(($1 * 3 / 4))" --out "$STAGE/out/soak" && [ "$leaks$models" = 00 ]
