#!/usr/bin/env bash
#
# check_style.sh
#	The gates of the style suite, each of which counts as one test.
#
# Usage: test/check_style.sh [GATE...]	in a tree that test/private-pg.sh has built
#
# Takes from the environment RELEASE_BIN, the program directory of the release
# build, and STAGE, where the built trees are (test/private-pg.sh).  Prints
# "style NAME ... ok" or "... FAILED" for each gate and what it found.
#
# The gates are called by their names in the loop at the end.
# shellcheck disable=SC2317
set -uo pipefail
shopt -s nullglob

sources=(src/*.c src/*/*.c)
headers=(src/*.h src/*/*.h)

# The layout of PostgreSQL's own code, as near as clang-format comes to it.
gate_format()
{
	local program=clang-format-14

	command -v "$program" >/dev/null || program=clang-format
	"$program" --style=file --dry-run --Werror "${sources[@]}" "${headers[@]}"
}

gate_layers()
{
	bash test/check_layers.sh src
}

# PostgreSQL 15 exports every symbol of a library, so the prefix is all that
# keeps ours apart from those of other extensions.
gate_symbols()
{
	local library names

	library=$("$RELEASE_BIN/pg_config" --pkglibdir)/kstream.so
	names=$(nm -D --defined-only "$library" | awk '{ print $3 }') || return 1
	[ -n "$names" ] || return 1
	! grep -vE '^(ks_.*|kstream_.*|pg_finfo_kstream_.*|_PG_init|Pg_magic_func)$' <<< "$names"
}

# What differs between versions of PostgreSQL is in one place.
gate_versions()
{
	local file found=0

	if grep -n 'PG_VERSION_NUM' "${sources[@]}" "${headers[@]}" | grep -v '^src/base/compat\.h:'; then
		found=1
	fi
	# PostgreSQL 18 has no such macro
	for file in $(grep -l 'pg_attribute_noreturn' "${sources[@]}" "${headers[@]}"); do
		if ! grep -q -e '^#include "base/compat\.h"' -e '^#define pg_attribute_noreturn' "$file"; then
			echo "$file uses pg_attribute_noreturn() without base/compat.h"
			found=1
		fi
	done
	return "$found"
}

# The version stands in four files.
gate_release()
{
	local control meta provided package

	control=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" kstream.control)
	# the first is the distribution's, the second the extension's
	{ read -r meta && read -r provided; } < <(sed -n 's/^.*"version": "\([0-9.]*\)",\{0,1\}$/\1/p' META.json)
	package=$(sed -n '1s/^kstream (\(.*\)-[^-]*) .*/\1/p' debian/changelog)
	echo "kstream.control $control, META.json $meta and $provided, debian/changelog $package"
	[ -n "$control" ] && [ "$control" = "$meta" ] && [ "$control" = "$provided" ] && [ "$control" = "$package" ] &&
		python3 -m json.tool META.json > /dev/null &&
		diff <(sed -n 's/^Package: postgresql-PGVERSION-//p' debian/control.in) \
			<(sed -n 's/^Package: postgresql-[0-9]*-//p' debian/control)
}

# A name leads to one file: PostgreSQL's log and debuggers show base names only, so
# none is ours twice, and none is one of PostgreSQL's own (as its program knows them).
gate_names()
{
	local twice theirs

	twice=$(printf '%s\n' "${sources[@]}" "${headers[@]}" | sed 's#.*/##' | sort | uniq -d)
	theirs=$(comm -12 <(printf '%s\n' "${sources[@]}" | sed 's#.*/##' | sort -u) \
		<(strings -n 3 "$RELEASE_BIN/postgres" | grep -xE '([A-Za-z0-9_.-]+/)*[A-Za-z0-9_-]+\.c' | sed 's#.*/##' | sort -u))
	[ -z "$twice" ] || printf 'stands twice: %s\n' $twice
	[ -z "$theirs" ] || printf 'PostgreSQL has one too: %s\n' $theirs
	[ -z "$twice$theirs" ]
}

# A function's braces stand in the first column; a type ends with a semicolon.
gate_lengths()
{
	awk '
		FNR == 1 { start = 0 }
		/^\{/ { start = FNR }
		/^\}[ \t]*$/ {
			if (start && FNR - start + 1 >= 100) {
				print FILENAME ":" start ": a function of " FNR - start + 1 " lines"
				long = 1
			}
			start = 0
		}
		END { exit long }
	' "${sources[@]}"
}

# What the compiler said of every object that both builds are made of.
gate_warnings()
{
	local variant file said=0

	for variant in release test; do
		for file in "${sources[@]}"; do
			file=$STAGE/$variant/src/${file%.c}
			if [ ! -e "$file.o" ]; then
				echo "$file.o was not built"
				said=1
			elif [ -s "$file.o.warnings" ]; then
				cat "$file.o.warnings"
				said=1
			fi
		done
	done
	return "$said"
}

# test/FAULTS.md names every debug point, and the tests that sweep it, and every
# test that it names is there and has the point.
gate_faults()
{
	local point files file found=0

	while read -r point; do
		files=$(sed -nE "s/^\| $point \|[^|]*\| (.*) \|\$/\1/p" test/FAULTS.md)
		if [ -z "$files" ]; then
			echo "test/FAULTS.md has no row for the debug point $point"
			found=1
		fi
		for file in $files; do
			if ! grep -qF "$point" "test/${file%,}" 2>/dev/null; then
				echo "test/${file%,} has no debug point $point"
				found=1
			fi
		done
	done < <(grep -ohE 'KS_DEBUG_POINT\("[^"]+"' "${sources[@]}" "${headers[@]}" | sed 's/.*"\(.*\)"/\1/' | sort -u)
	while read -r file; do
		if ! compgen -G "test/$file" > /dev/null && [ ! -e "$file" ]; then
			echo "test/FAULTS.md names $file, which is not there"
			found=1
		fi
	done < <(grep -oE '\b(t/[0-9a-z_]+\.pl|isolation/specs/[a-z_]+\.spec|sql/[a-z_]+\.sql|history/[a-z_]+\.py)' test/FAULTS.md | sort -u)
	return "$found"
}

# What a header declares, another file calls; or it is dead, or should be static.
gate_unused()
{
	perl test/figures.pl unused
}

# A name leads to its file: what x.h declares is defined in x.c, but for a few.
gate_elsewhere()
{
	perl test/figures.pl elsewhere 5
}

# The bugs that prove the tests can still be put in.
gate_mutants()
{
	local file found=0

	for file in test/mutants/*.patch; do
		if ! patch -p1 --dry-run --fuzz=0 -s < "$file"; then
			echo "$file does not apply; make it anew from the code of today"
			found=1
		fi
	done
	return "$found"
}

# Each tag of a heavyweight lock and each tranche stands in one file, with their order.
gate_locks()
{
	! grep -nE '\b(SET_LOCKTAG_[A-Z]+|(Unl|L|ConditionalL)ock(Database|Shared)Object)\b|LWLockRegisterTranche\([^"]*"' \
		"${sources[@]}" "${headers[@]}" | grep -v '^src/base/locks\.h:'
}

# A table of the catalog is named in SQL by one room; the headers of src/catalog/ say
# which tables those are.
gate_catalog()
{
	local tables

	tables=$(grep -h '^ \*.*The rows of kstream\.' src/catalog/*_row.h | grep -oE 'kstream\.[a-z_0-9]+' | sort -u | paste -sd '|')
	[ -n "$tables" ] || return 1
	! grep -nE "\".*\b(FROM|JOIN|INTO|UPDATE|TRUNCATE|TABLE|LIKE) (ONLY )?(${tables//./\\.}|kstream\.segment_template)\b" \
		"${sources[@]}" "${headers[@]}" | grep -v '^src/catalog/'
}

# README.md is what a newcomer reads; the rest is in docs/.
gate_readme()
{
	local bytes

	bytes=$(wc -c < README.md)
	echo "README.md has $bytes bytes; at most 14336"
	[ "$bytes" -le 14336 ]
}

failed=0
[ $# -gt 0 ] || set -- format layers locks catalog names symbols versions release lengths faults mutants unused elsewhere readme warnings
for gate in "$@"; do
	if [ ${#sources[@]} -gt 0 ] && found=$("gate_$gate" 2>&1); then
		echo "style $gate ... ok"
	else
		echo "style $gate ... FAILED"
		head -n 60 <<< "$found"
		failed=1
	fi
done
exit "$failed"
