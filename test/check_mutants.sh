#!/usr/bin/env bash
#
# check_mutants.sh
#	Prove that the tests can fail: switch each seeded bug on and see it found.
#
# Usage: test/check_mutants.sh [MUTANT...]	in a tree that test/private-pg.sh
#											has built with the debug points
#
# test/mutants.txt says which tests must fail under which mutant.  First all of
# those tests run without a bug, where they must pass; then those of each mutant
# run on servers that have it (KSTREAM_MUTANT), and each must fail.  Prints a
# line for each and, last, "N passed, N failed".  A mutant that src/ has and the
# table lacks, or the other way round, is a failure too.
#
# With names, only those mutants.
set -uo pipefail

table=test/mutants.txt
OUT=$STAGE/out-mutants
export OUT
mkdir -p "$OUT"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

passed=0
failed=0

# result NAME ok|FAILED [WHY]
result()
{
	if [ "$2" = ok ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	echo "mutant $1 ... $2${3:+: $3}"
}

# run MUTANT SUITE TEST...: the suite's output goes to the log.  A step that
# waits for what does not come is soon given up.
run()
{
	local mutant=$1 suite=$2
	shift 2

	env KSTREAM_MUTANT="$mutant" KSTREAM_HISTORY_SECONDS=20 TESTS="$*" PROVE_TESTS="$(printf 'test/t/%s.pl ' "$@")" PGISOLATIONTIMEOUT=20 \
		bash test/run_all.sh "$suite" > "$log" 2>&1
	grep -qE '^[0-9]+ passed, [0-9]+ failed$' "$log"
}

# passed_in_log TEST: a test that gave no result has failed.
passed_in_log()
{
	grep -qE "^(test|tap|history) +$1 +\.\.\. ok\b|^ok +[0-9]+ +[-+] $1\b" "$log"
}

# The lines of the table, of the chosen mutants only.
lines()
{
	awk -v chosen=" ${*:-} " '
		/^[a-z]/ && (chosen == "  " || index(chosen, " " $1 " "))
	' "$table"
}

# Each mutant of the source is in the table and the other way round.
check_table()
{
	local name

	while read -r name; do
		result "$name" FAILED "it is only in src/ or only in $table"
	done < <(LC_ALL=C comm -3 \
		<(grep -rhoE --exclude=debug.h 'KS_MUTANT\("[a-z_]+"\)' src | sed 's/.*"\(.*\)".*/\1/' | LC_ALL=C sort -u) \
		<(awk '/^[a-z]/ { print $1 }' "$table" | LC_ALL=C sort -u) | tr -d '\t')
}

check_sound()
{
	local suite name
	local -a tests

	while read -r suite; do
		mapfile -t tests < <(lines "$@" |
			awk -v suite="$suite" '$2 == suite { for (i = 3; i <= NF; i++) print $i }' | LC_ALL=C sort -u)
		run "" "$suite" "${tests[@]}"
		for name in "${tests[@]}"; do
			if passed_in_log "$name"; then
				result "none, $suite $name" ok
			else
				result "none, $suite $name" FAILED "it must pass without a mutant"
				tail -n 40 "$log"
			fi
		done
	done < <(lines "$@" | awk '{ print $2 }' | LC_ALL=C sort -u)
}

check_mutant()
{
	local name
	local -a tests

	read -ra tests <<< "$3"
	if ! run "$1" "$2" "${tests[@]}"; then
		result "$1" FAILED "its tests could not run"
		tail -n 40 "$log"
		return
	fi
	for name in "${tests[@]}"; do
		if passed_in_log "$name"; then
			result "$1, $2 $name" FAILED "the test did not notice"
		else
			result "$1, $2 $name" ok
		fi
	done
}

[ $# -gt 0 ] || check_table
check_sound "$@"
while read -r mutant suite tests; do
	check_mutant "$mutant" "$suite" "$tests" < /dev/null
done < <(lines "$@")

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
