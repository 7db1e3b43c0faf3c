#!/usr/bin/env bash
#
# check_sanitize.sh
#	Run the suites with gcc's address and undefined behaviour sanitizers.
#
# Usage: test/check_sanitize.sh
#
# Builds PostgreSQL from Debian's source with both (test/pg_source.sh), then kstream
# in a private copy of it, with the same flags since PGXS passes them on, and the
# programs of the unit suite.  PostgreSQL tells the sanitizer of its own memory and
# buffers (test/sanitize).  What a sanitizer finds ends the process.  Its report is
# in a file of its own, or, where a server has overwritten the environment that
# names this file, in the log; either fails the run also where no test looks.
# SUITES chooses the suites (default: unit regress isolation tap).  The last line
# is "N passed, N failed"; "no reports" is one of them.
#
# Memory that is not freed is not looked for: PostgreSQL leaves it to the end of the
# process.  Nor is an overflow of signed numbers a finding in PostgreSQL, which is
# compiled with -fwrapv; in kstream it is.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=test/roots.sh
. test/roots.sh
# shellcheck source=test/pg_source.sh
. test/pg_source.sh

# Programs run while PostgreSQL is built, too.  Its check of the depth of the stack
# wants variables on the stack proper, and libfaketime wants to be loaded first.
common=abort_on_error=1:disable_coredump=1:print_stacktrace=1
export ASAN_OPTIONS=$common:detect_leaks=0:detect_stack_use_after_return=0:verify_asan_link_order=0
export UBSAN_OPTIONS=$common

mkdir -p "$pg_source_place/include"
cp -r test/sanitize/. "$pg_source_place/include"
pg_source_build sanitize \
	CPPFLAGS="-I$pg_source_place/include -DUSE_VALGRIND -DCLOBBER_FREED_MEMORY" \
	CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all' \
	LDFLAGS='-fsanitize=address,undefined'

export KSTREAM_COPT=-fno-wrapv

# What cannot be run so: 134_no_memory limits the memory of a process, which the
# address sanitizer has reserved already.
# shellcheck disable=SC2016,SC2086
bash test/private-pg.sh test -- bash -c '
	reports=$STAGE/reports
	rm -rf "$reports"
	mkdir "$reports"
	export ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$reports/asan UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$reports/ubsan
	export SANITIZE=address,undefined PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-240}
	[ -n "${PROVE_TESTS:-}" ] || PROVE_TESTS=$(ls test/t/*.pl | grep -v 134_no_memory)
	export PROVE_TESTS
	sum=$(mktemp)
	bash test/run_all.sh "$@" | tee "$sum" | sed "/^[0-9]* passed, [0-9]* failed\$/d"
	read -r passed _ failed _ < <(tail -n 1 "$sum")
	rm -f "$sum"
	found=$(head -n 40 "$reports"/* 2> /dev/null || true; grep -rnE ": runtime error: |Sanitizer: " "$STAGE/out" || true)
	if [ -z "$found" ]; then
		echo "no reports ... ok"
		passed=$((passed + 1))
	else
		echo "no reports ... FAILED"
		echo "$found"
		failed=$((failed + 1))
	fi
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
' check_sanitize ${SUITES:-unit regress isolation tap}
