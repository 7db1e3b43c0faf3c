#!/usr/bin/env bash
#
# check_mutants.sh
#	Prove that the tests can fail: put each seeded bug in and see it found.
#
# Usage: test/check_mutants.sh [MUTANT...]	in a tree that test/private-pg.sh
#											has built with the debug points
#
# A seeded bug is a patch, test/mutants/NAME.patch, that is applied to this tree,
# built and taken back; a patch that no longer applies or builds is a failure.  A
# few, which histories switch on at run time, are in src/ itself (KS_MUTANT) and
# are chosen by a setting.  test/mutants.txt says which tests must fail under which
# bug.  First all of those tests run without a bug, where they must pass; then
# those of each bug run on servers that have it, and each must fail.  Prints a
# line for each and, last, "N passed, N failed".  A bug that is neither a patch nor
# in src/, or that the table lacks, is a failure too.
#
# With names, only those bugs.
set -uo pipefail

table=test/mutants.txt
OUT=$STAGE/out-mutants
export OUT
mkdir -p "$OUT"
log=$(mktemp)
applied=
trap 'take_back; rm -f "$log"' EXIT

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

# Build and install this tree as test/private-build.sh did.
build()
{
	eval "make -s -j$(nproc) $(cat "$STAGE/test/flags") all install" > "$log" 2>&1
}

# apply PATCH: put a bug in.
apply()
{
	applied=$1
	patch -p1 --fuzz=0 --no-backup-if-mismatch -s < "$1" > "$log" 2>&1 && build
}

# Take out the bug that was put in last.
take_back()
{
	[ -n "$applied" ] || return 0
	patch -p1 -R --fuzz=0 --no-backup-if-mismatch -s < "$applied" && build
	applied=
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

# The lines of the table, of the chosen bugs only.
lines()
{
	awk -v chosen=" ${*:-} " '
		/^[a-z]/ && (chosen == "  " || index(chosen, " " $1 " "))
	' "$table"
}

# Each bug is in the table and the other way round.
check_table()
{
	local name

	while read -r name; do
		result "$name" FAILED "it is only a patch or in src/, or only in $table"
	done < <(LC_ALL=C comm -3 \
		<({
			find test/mutants -name '*.patch' -printf '%f\n' | sed 's/\.patch$//'
			grep -rhoE --exclude=debug.h 'KS_MUTANT\("[a-z_]+"\)' src | sed 's/.*"\(.*\)".*/\1/'
		} | LC_ALL=C sort -u) \
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
				result "none, $suite $name" FAILED "it must pass without a bug"
				tail -n 40 "$log"
			fi
		done
	done < <(lines "$@" | awk '{ print $2 }' | LC_ALL=C sort -u)
}

# check_line MUTANT SUITE TESTS: one line of the table, with the bug in.
check_line()
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

check_mutant()
{
	local patch=test/mutants/$1.patch suite tests

	if [ -e "$patch" ] && ! apply "$patch"; then
		result "$1" FAILED "the patch does not apply or build"
		tail -n 40 "$log"
		take_back
		return
	fi
	while read -r _ suite tests; do
		check_line "$1" "$suite" "$tests" < /dev/null
	done < <(lines "$1")
	take_back
}

[ $# -gt 0 ] || check_table
check_sound "$@"
while read -r mutant; do
	check_mutant "$mutant" < /dev/null
done < <(lines "$@" | awk '{ print $1 }' | awk '!seen[$0]++')

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
