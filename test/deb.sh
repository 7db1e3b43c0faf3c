#!/usr/bin/env bash
#
# deb.sh
#	Build the Debian package, and see it work in a clean system.
#
# Usage: test/deb.sh build
#	builds postgresql-NN-kstream in a copy of the tree, for the version of
#	PostgreSQL in KSTREAM_PG_MAJOR (default 15), and puts it into build/deb.
#	lintian's errors and warnings stop it; build/deb/build.log has what was said.
#
#	test/deb.sh check
#	installs the package of build/deb into a fresh copy of a minimal system of this
#	machine's suite (test/roots.sh) and runs debian/tests/smoke there; then removes
#	the package, which must leave nothing behind.  Needs root.  The last line is
#	"N passed, N failed".
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=test/roots.sh
. test/roots.sh

major=${KSTREAM_PG_MAJOR:-15}
out=$PWD/build/deb

build()
{
	local tree=$out/tree

	rm -rf "$out"
	mkdir -p "$tree"
	tar -c --exclude=./.git --exclude=./build --exclude=./test/output --exclude='*.o' --exclude='*.bc' \
		--exclude='*.so' --exclude='./src/sql/kstream--*.sql' . | tar -C "$tree" -x
	if ! (
		cd "$tree"
		export PG_SUPPORTED_VERSIONS=$major
		pg_buildext updatecontrol
		dpkg-buildpackage -us -uc -b
	) > "$out/build.log" 2>&1; then
		tail -n 40 "$out/build.log"
		return 1
	fi
	rm -rf "$tree"
	ls "$out"/*.deb
	# not an upload to Debian, where a bug announces a new package
	lintian --allow-root --suppress-tags initial-upload-closes-no-bugs --fail-on error,warning "$out"/*.changes
}

# shellcheck disable=SC2016
check()
{
	local suite root refusal failed=0

	refusal=$(roots_refusal)
	if [ -n "$refusal" ]; then
		echo "the package cannot be tested here: $refusal"
		return 1
	fi
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	root=$roots/deb
	roots_make "$suite"
	rm -rf "$root"
	cp -a "$roots/$suite" "$root"
	# the package depends on the PostgreSQL it was built with or a later one
	roots_sources > "$root/etc/apt/sources.list"
	cp "$out"/postgresql-"$major"-kstream_*.deb debian/tests/smoke "$root/root/"
	if roots_run "$root" sh -c '
		set -eu
		export DEBIAN_FRONTEND=noninteractive
		set -- apt-get -q -y --no-install-recommends install
		{
			apt-get -q update
			"$@" postgresql-common
			mkdir -p /etc/postgresql-common/createcluster.d
			echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/none.conf
			"$@" /root/*.deb
		} > /root/install.log 2>&1 || { tail -n 20 /root/install.log; exit 1; }
		sh /root/smoke
		apt-get -q -y purge "postgresql-*-kstream" > /root/remove.log 2>&1
		left=$(find /usr -name "*kstream*")
		[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
	' < /dev/null; then
		echo "1 passed, 0 failed"
	else
		echo "0 passed, 1 failed"
		failed=1
	fi
	rm -rf "$root"
	return "$failed"
}

case ${1:-} in
	build | check) "$1" ;;
	*)
		echo "usage: test/deb.sh build | check" >&2
		exit 2
		;;
esac
