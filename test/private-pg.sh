#!/usr/bin/env bash
#
# private-pg.sh
#	Build kstream into private copies of PostgreSQL and run a command there.
#
# Usage: test/private-pg.sh VARIANT... [-- COMMAND [ARGUMENT...]]
#
# A variant is a build of its own with a PostgreSQL of its own: "release", or
# "test" (with the debug points and the seeded bugs).  Nothing is written into the installed PostgreSQL or into this
# checkout: the tree is copied into the staging directory and built there.
#
# Servers refuse to run as root, so root steps down to the user postgres, who
# need not be able to read the checkout.  Anybody else stays who they are.
#
# The staging directory is KSTREAM_STAGE, or one in /var/tmp that is named after
# the user and the path of this checkout, with KSTREAM_STAGE_SUFFIX behind it.  It
# is made from the PostgreSQL of KSTREAM_PG_CONFIG, by default that of Debian's
# packages for KSTREAM_PG_MAJOR (15).  It is locked for as long as this
# runs.  In it:
#	incoming/		the tree as it was copied last
#	VARIANT/src/	the tree as it was built
#	VARIANT/root/	the private PostgreSQL, below root/usr
#	out/			what the suites leave behind
#
# COMMAND runs in the tree of the last variant with a clean environment:
#	STAGE			the staging directory
#	PGBIN			programs of the last variant's PostgreSQL
#	RELEASE_BIN, TEST_BIN	the same by variant
# and whatever of KSTREAM_*, BENCH_*, PEERS*, PROVE_*, TESTS and the sanitizers'
# *_OPTIONS was set.  The exit status is the command's, or 2 when it could not be run.
set -euo pipefail

export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

top=$(cd "$(dirname "$0")/.." && pwd -P)
me=$(id -un)
if [ "$(id -u)" = 0 ]; then
	tester=${KSTREAM_USER:-postgres}
	as=(runuser -u "$tester" --)
else
	tester=$me
	as=()
fi
stage=${KSTREAM_STAGE:-/var/tmp/kstream-$me-$(printf %s "$top" | cksum | cut -d' ' -f1)}
stage=$stage${KSTREAM_STAGE_SUFFIX:-}

fail()
{
	echo "private-pg.sh: $*" >&2
	exit 2
}

# The staging directory exists, is the tester's, and is a staging directory.
# The name in /var/tmp can be guessed, so what is found there is not trusted.
make_stage()
{
	case $stage in
		/*) ;;
		*) fail "KSTREAM_STAGE must be an absolute path" ;;
	esac
	if [ ! -e "$stage" ]; then
		mkdir -m 755 "$stage"
		touch "$stage/.kstream-stage"
		if [ "$tester" != "$me" ]; then
			chown "$tester" "$stage" "$stage/.kstream-stage"
		fi
	fi
	if [ -L "$stage" ] || [ "$(stat -c %U "$stage")" != "$tester" ]; then
		fail "\"$stage\" is not a directory of user \"$tester\""
	fi
	if [ ! -e "$stage/.kstream-stage" ]; then
		fail "\"$stage\" exists and was not made by this script"
	fi
}

# What the command may inherit: its path, and the variables that are for it.
clean_environment()
{
	local name

	environment=(
		"HOME=$stage" "PATH=/usr/local/bin:/usr/bin:/bin" "LANG=C.UTF-8"
		"TERM=${TERM:-dumb}" "USER=$tester" "LOGNAME=$tester" "STAGE=$stage"
	)
	for name in $(compgen -e); do
		case $name in
			KSTREAM_* | BENCH_* | PEERS | PEERS_* | PROVE_* | TESTS | ASAN_OPTIONS | UBSAN_OPTIONS)
				environment+=("$name=${!name}")
				;;
		esac
	done
}

# What the tester runs under the lock; the tree comes in through its input.
# shellcheck disable=SC2016
inside='
	set -eu
	rm -rf incoming
	mkdir incoming
	tar -C incoming -xmf -
	exec bash incoming/test/private-build.sh "$@" </dev/null
'

make_stage
clean_environment
run=("${as[@]}" env -i "${environment[@]}")

tar -C "$top" --mode=u+rwX --exclude=./.git --exclude=./build --exclude=./test/output \
	--exclude='*.o' --exclude='*.bc' --exclude='*.so' \
	--exclude='./src/sql/kstream--*.sql' -cf - . | {
	cd "$stage"
	"${run[@]}" flock -n -o lock true ||
		echo "another run holds $stage; waiting for it" >&2
	"${run[@]}" flock -o lock bash -c "$inside" inside "$@"
}
