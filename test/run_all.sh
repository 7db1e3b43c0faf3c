#!/usr/bin/env bash
#
# run_all.sh
#	Run suites of tests and sum up what passed.
#
# Usage: test/run_all.sh SUITE...		in the tree that was built
#	unit		test/unit/, C programs that print TAP; counted by test
#	regress		sql/ and expected/, by pg_regress; counted by file
#	isolation	test/isolation/, by isolationtester; counted by file
#	tap			test/t/*.pl with PostgreSQL::Test; counted by file
#	history		test/history/: the checker's own tests, then its profiles, then
#				the seeded bugs that it must find; counted by each
#	style		test/check_style.sh; counted by gate
#	warnings	those of its gates that speak of what was built
#
# Every suite runs, whatever the others did.  The last line is "N passed, N
# failed"; the exit status is 0 only when nothing failed.  A test that was asked
# for and gave no result has failed, and a suite without tests is a failure.
#
# From the environment:
#	BINDIR			programs of the PostgreSQL to test (default PGBIN)
#	OUT				where results go (default STAGE/out)
#	TESTS			with a single suite: only these tests
#	KSTREAM_HISTORY_SECONDS	how long each profile of the history suite runs
#	PROVE_TESTS		only these files of the tap suite
#	KSTREAM_MUTANT	a seeded bug that the servers shall have
#	KSTREAM_SUITE_TIMEOUT	seconds after which a suite is given up
set -uo pipefail
shopt -s nullglob

BINDIR=${BINDIR:-$PGBIN}
OUT=${OUT:-$STAGE/out}
PGXS=${PGXS:-$("$BINDIR/pg_config" --pgxs)}
pgtest=${PGXS%/makefiles/pgxs.mk}/test
limit=(timeout --foreground -k 30 "${KSTREAM_SUITE_TIMEOUT:-1800}")

passed=0
failed=0

# count PASSED FAILED: add a suite's tests to the sums.
count()
{
	passed=$((passed + $1))
	failed=$((failed + $2))
}

# A suite that could not do its work counts as one failed test.
broken()
{
	echo "$1"
	count 0 1
}

# Stop the servers that a suite left running.  Only servers whose data are
# below OUT and whose program is that of BINDIR are its.
stop_servers()
{
	local file pid

	while IFS= read -r file; do
		pid=$(head -n 1 "$file" 2>/dev/null) || continue
		if [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$(readlink -f "$BINDIR/postgres")" ]; then
			"$BINDIR/pg_ctl" -D "${file%/*}" -m immediate -t 20 stop >/dev/null 2>&1
		fi
	done < <(find "$OUT" -name postmaster.pid 2>/dev/null)
}

# An empty directory for a suite's results.
fresh()
{
	rm -rf "${OUT:?}/$1"
	mkdir -p "$OUT/$1"
}

# show FILE LINES: the end of a file that tells why something failed.
show()
{
	[ -s "$1" ] || return 0
	echo "---- $1"
	tail -n "$2" "$1"
	echo "----"
}

run_unit()
{
	local out=$OUT/unit log=$OUT/unit.log status good bad planned

	if [ ! -e test/unit/Makefile ]; then
		broken "unit: there is no test/unit/Makefile"
		return
	fi
	fresh unit
	"${limit[@]}" make -s -C test/unit OUT="$out" check 2>&1 | tee "$log" | grep -v '^ok '
	status=${PIPESTATUS[0]}
	good=$(grep -cE '^ok\b' "$log")
	bad=$(grep -cE '^not ok\b' "$log")
	planned=$(awk -F '[.][.]' '/^1[.][.][0-9]+/ { sum += $2 } END { print sum + 0 }' "$log")
	# a program that died did not reach the end of its plan
	[ "$planned" -le $((good + bad)) ] || bad=$((planned - good))
	[ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
	echo "unit: $good of $((good + bad)) passed"
	[ $((good + bad)) -gt 0 ] || broken "unit: there are no tests"
	count "$good" "$bad"
}

# run_pg_regress SUITE PROGRAM INPUTDIR TEST...
# Both versions of the result lines are known: PostgreSQL 16 writes TAP.
run_pg_regress()
{
	local suite=$1 program=$2 inputdir=$3 out=$OUT/$1 log=$OUT/$1.log good
	local -a mutant=()
	shift 3

	if [ $# -eq 0 ]; then
		broken "$suite: there are no tests"
		return
	fi
	fresh "$suite"
	if [ -n "${KSTREAM_MUTANT:-}" ]; then
		echo "kstream.mutant = '$KSTREAM_MUTANT'" > "$OUT/$suite/mutant.conf"
		mutant=(--temp-config="$OUT/$suite/mutant.conf")
	fi
	"${limit[@]}" "$program" --bindir="$BINDIR" --inputdir="$inputdir" --outputdir="$out" \
		--temp-instance="$out/data" --temp-config=test/kstream.conf "${mutant[@]}" \
		--no-locale --encoding=UTF8 \
		--load-extension=kstream --dbname=contrib_regression "$@" 2>&1 | tee "$log"
	stop_servers
	good=$(grep -cE '^test .* \.\.\. ok\b|^ok +[0-9]+ +[-+] ' "$log")
	if [ "$good" -ne $# ]; then
		show "$out/regression.diffs" 400
		[ -s "$out/regression.diffs" ] || show "$out/log/initdb.log" 20
		show "$out/log/postmaster.log" 60
	fi
	count "$good" $(($# - good))
}

run_regress()
{
	local -a tests=(sql/*.sql)

	tests=("${tests[@]##*/}")
	tests=("${tests[@]%.sql}")
	[ ${#chosen[@]} -eq 0 ] || tests=("${chosen[@]}")
	run_pg_regress regress "$pgtest/regress/pg_regress" . "${tests[@]}"
}

run_isolation()
{
	local -a tests=(test/isolation/specs/*.spec)

	tests=("${tests[@]##*/}")
	tests=("${tests[@]%.spec}")
	[ ${#chosen[@]} -eq 0 ] || tests=("${chosen[@]}")
	run_pg_regress isolation "$pgtest/isolation/pg_isolation_regress" test/isolation "${tests[@]}"
}

# One file of the tap suite.  A file that skips itself proves nothing, and all
# that it could miss is installed, so that counts as failed.
run_prove()
{
	local file=$1 name log status
	name=$(basename "$1" .pl)
	log=$OUT/tap/$name.out

	mkdir -p "$OUT/tap/$name"
	# shellcheck disable=SC2086
	TESTDIR=$OUT/tap/$name TESTDATADIR=$OUT/tap/$name/tmp_check \
		TESTLOGDIR=$OUT/tap/$name/tmp_check/log \
		PATH="$BINDIR:$PATH" PGPORT=65432 PG_REGRESS="$pgtest/regress/pg_regress" \
		"${limit[@]}" prove -v -I test/perl -I "$pgtest/perl" ${PROVE_FLAGS:-} "$file" > "$log" 2>&1
	status=$?
	stop_servers
	if [ "$status" = 0 ] && grep -q '^Result: PASS' "$log"; then
		echo "tap $name ... ok ($(sed -n 's/^Files=1, Tests=\([0-9]*\), *\([0-9]*\) wallclock.*/\1 tests, \2 s/p' "$log"))"
		sed -n 's/^ok.*# skip /    skipped: /p' "$log"
		count 1 0
	else
		echo "tap $name ... FAILED"
		show "$log" 60
		for log in "$OUT/tap/$name"/tmp_check/log/*; do
			show "$log" 40
		done
		count 0 1
	fi
}

run_tap()
{
	local file
	local -a files=(test/t/*.pl)

	# shellcheck disable=SC2206
	[ -z "${PROVE_TESTS:-}" ] || files=($PROVE_TESTS)
	if [ ${#files[@]} -eq 0 ]; then
		broken "tap: there are no tests"
		return
	fi
	fresh tap
	for file in "${files[@]}"; do
		run_prove "$file"
	done
}

# history_result NAME ok|FAILED [WHY]
history_result()
{
	echo "history $1 ... $2${3:+ ($3)}"
	if [ "$2" = ok ]; then count 1 0; else count 0 1; fi
}

run_profile()
{
	local log=$OUT/history/$1.out

	if PGBIN=$BINDIR "${limit[@]}" python3 -B test/history/history.py run "$1" \
		--seconds "${KSTREAM_HISTORY_SECONDS:-10}" --out "$OUT/history" > "$log" 2>&1; then
		history_result "$1" ok "$(sed -n "s/^history $1, //p" "$log")"
	else
		history_result "$1" FAILED
		show "$log" 60
	fi
	stop_servers
}

# What the checker is to find, it finds in a few seconds, or at the next try; the
# limit is a minute.
run_seeded()
{
	local log=$OUT/history/$1.out status=0 try

	for try in 1 2 3 4 5 6 7 8; do
		PGBIN=$BINDIR "${limit[@]}" python3 -B test/history/history.py run "$2" \
			--seconds 4 --mutant "$1" --out "$OUT/history" > "$log" 2>&1
		status=$?
		stop_servers
		[ "$status" = 0 ] || break
	done
	if [ "$status" = 1 ]; then
		history_result "$2 with $1" ok \
			"try $try found $(sed -nE '/faults/d; s/^  ([A-Za-z0-9-]+): .*/\1/p' "$log" | uniq | paste -sd ' ')"
	else
		history_result "$2 with $1" FAILED "the bug was not found"
		show "$log" 60
	fi
}

run_history()
{
	local log=$OUT/history/checker.out name suite profile

	fresh history
	if [ ${#chosen[@]} -gt 0 ]; then
		for profile in "${chosen[@]}"; do
			run_profile "$profile"
		done
		return
	fi
	if python3 -B test/history/test_checker.py > "$log" 2>&1; then
		history_result checker ok "$(grep '^Ran' "$log")"
	else
		history_result checker FAILED
		show "$log" 60
	fi
	for profile in smoke kill stop restart rebalance retention promote; do
		run_profile "$profile"
	done
	while read -r name suite profile; do
		# A patch is for check_mutants.sh, which builds.
		[ -e "test/mutants/$name.patch" ] || run_seeded "$name" "$profile"
	done < <(awk '/^[a-z]/ && $2 == "history"' test/mutants.txt)
}

# run_style [GATE...]
run_style()
{
	local log=$OUT/style.log good bad

	"${limit[@]}" bash test/check_style.sh "$@" 2>&1 | tee "$log"
	good=$(grep -cE '^style .* \.\.\. ok$' "$log")
	bad=$(grep -cE '^style .* \.\.\. FAILED$' "$log")
	[ $((good + bad)) -gt 0 ] || broken "style: the gates did not run"
	count "$good" "$bad"
}

trap stop_servers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

chosen=()
if [ $# -eq 1 ]; then
	read -ra chosen <<< "${TESTS:-}"
fi

mkdir -p "$OUT"
stop_servers	# of a run that was killed
for suite in "$@"; do
	echo "== $suite"
	case $suite in
		unit | regress | isolation | tap | history | style) "run_$suite" ;;
		warnings) run_style symbols warnings ;;
		*) broken "run_all.sh: there is no suite \"$suite\"" ;;
	esac
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
