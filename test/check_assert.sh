#!/usr/bin/env bash
#
# check_assert.sh
#	Run the suites on a PostgreSQL with assertions.
#
# Usage: test/check_assert.sh
#
# Builds PostgreSQL from Debian's source with --enable-cassert below KSTREAM_ASSERT
# (default: /var/tmp/kstream-assert-USER), which takes some minutes, once for each
# source version; then kstream in private copies of it (test/private-pg.sh).
# SUITES chooses the suites (default: unit regress isolation tap warnings).
# The last line is "N passed, N failed".
#
# The source is the one of KSTREAM_PG_SOURCE if that is set, else what "apt-get
# source" brings in (test/roots.sh), which needs root.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=test/roots.sh
. test/roots.sh

major=${KSTREAM_PG_MAJOR:-15}
place=${KSTREAM_ASSERT:-/var/tmp/kstream-assert-$(id -un)}
SUITES=${SUITES:-unit regress isolation tap warnings}

fetch_source()
{
	local refusal

	refusal=$(roots_refusal)
	if [ -n "$refusal" ]; then
		echo "PostgreSQL's source cannot be fetched here: $refusal; KSTREAM_PG_SOURCE may name it" >&2
		return 1
	fi
	roots_update
	rm -rf "$place/source"
	mkdir -p "$place/source"
	(cd "$place/source" && roots_apt apt-get -q -o APT::Sandbox::User=root \
		source "postgresql-$major") > "$place/source.log" 2>&1
	ls -d "$place/source"/postgresql-"$major"*/
}

# The tests use XML; whatever else needs libraries is left out.
build()
{
	local source=$1

	rm -rf "$place/build" "$place/pg"
	mkdir -p "$place/build"
	cd "$place/build"
	# PostgreSQL's makefiles make some headers only in the outermost make
	unset MAKELEVEL MAKEFLAGS
	echo "building PostgreSQL with assertions from $source"
	{
		"$source/configure" --prefix="$place/pg" --enable-cassert --enable-debug --enable-tap-tests \
			--without-readline --without-icu --with-libxml CFLAGS='-O1 -g -fno-omit-frame-pointer' &&
			nice make -s -j"${KSTREAM_JOBS:-$(nproc)}" world-bin &&
			make -s install-world-bin
	} > "$place/build.log" 2>&1 || {
		tail -n 20 "$place/build.log"
		return 1
	}
	cd - > /dev/null
	echo "$source" > "$place/pg/source"
	rm -rf "$place/build"
}

mkdir -p "$place"
exec 8> "$place/lock"
flock 8
source=${KSTREAM_PG_SOURCE:-$(cat "$place/pg/source" 2>/dev/null || true)}
[ -n "$source" ] || source=$(fetch_source)
source=${source%/}
[ "$(cat "$place/pg/source" 2>/dev/null)" = "$source" ] || (build "$source")
exec 8>&-

export KSTREAM_PG_MAJOR=$major KSTREAM_PG_CONFIG=$place/pg/bin/pg_config KSTREAM_STAGE_SUFFIX=-assert
# shellcheck disable=SC2086
bash test/private-pg.sh release test -- bash test/run_all.sh $SUITES
