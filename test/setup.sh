#!/usr/bin/env bash
#
# setup.sh
#	Install the Debian packages that are missing for one or more purposes.
#
# Usage: test/setup.sh PURPOSE...
#
# Does nothing, and needs no rights, when all of them are installed.  Otherwise
# it needs root, or sudo.  Debian starts a cluster "main" when it first installs
# a PostgreSQL server; nothing here uses one, so that is held back while the
# packages are installed, and clusters that exist are never touched.
set -euo pipefail

# dpkg wants ldconfig and its like, which "su" leaves out of the path.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

major=${KSTREAM_PG_MAJOR:-15}

# The one list of packages, by purpose.
packages()
{
	case $1 in
		build)
			echo "postgresql-$major postgresql-server-dev-$major"
			echo "make gcc libc6-dev zlib1g-dev liblz4-dev libzstd-dev libsnappy-dev"
			;;
		demo)
			echo "python3-psycopg2 kcat"
			;;
		bench)
			echo "python3-psycopg2"
			;;
		bench-kafka)
			echo "librdkafka-dev"
			;;
		peers)
			# queues to measure against, one a line
			echo "postgresql-$major-pgq3"
			;;
		plots)
			echo "python3-matplotlib"
			;;
		check)
			# what the demonstration uses is tested too
			packages demo
			# PostgreSQL::Test
			echo "perl libipc-run-perl"
			# Kafka's own reader of record batches, with its codecs
			echo "python3-kafka python3-lz4 python3-snappy python3-zstandard"
			# consumers behind a pooler; a clock that jumps; a network that is cut
			echo "pgbouncer libfaketime iproute2"
			;;
		style)
			echo "clang-format-14 binutils patch"
			;;
		deb)
			echo "postgresql-server-dev-all debhelper dpkg-dev fakeroot lintian"
			;;
		source)
			# PostgreSQL from source (test/pg_source.sh)
			echo "bison flex libxml2-dev"
			;;
		kafka-clients)
			# a client on Debian's librdkafka
			echo "python3-confluent-kafka"
			;;
		roots)
			# other suites of Debian (test/roots.sh)
			echo "debootstrap"
			;;
		clients)
			# PostgreSQL's drivers for other languages, one language a line
			echo "python3-psycopg"
			echo "nodejs node-pg"
			echo "golang-go golang-github-jackc-pgx-v4-dev"
			echo "default-jdk-headless libpostgresql-jdbc-java"
			;;
		*)
			echo "setup.sh: there is no purpose \"$1\"" >&2
			exit 2
			;;
	esac
}

# missing PACKAGE...: print those that are not installed.
missing()
{
	local package

	for package in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			echo "$package"
	done
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "setup.sh: neither root nor sudo; as root, run: $*" >&2
		return 1
	fi
}

# quietly COMMAND...: show what it prints only when it fails.
quietly()
{
	local said

	if ! said=$("$@" 2>&1); then
		printf '%s\n' "$said" >&2
		return 1
	fi
}

# Read the package lists, once.
updated=
update_lists()
{
	[ -z "$updated" ] || return 0
	echo "reading the package lists"
	quietly as_root apt-get -q update
	updated=yes
}

# Remove the file that holds the cluster "main" back.
held=
release()
{
	[ -z "$held" ] || as_root rm -f "$held"
	held=
}

install()
{
	local hold=/etc/postgresql-common/createcluster.d/kstream-setup.conf

	echo "installing: $*"
	if [ -n "$(missing "postgresql-$major")" ] && [ ! -e "$hold" ]; then
		held=$hold
		as_root mkdir -p "${hold%/*}"
		echo 'create_main_cluster = false' | as_root tee "$hold" >/dev/null
	fi
	quietly as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y --no-install-recommends install "$@"
	release
}

# What this machine cannot have, for instance because it has another
# distributor's runtime, is left out, line by line; the tests say so.
install_what_can_be()
{
	local -a line

	while read -ra line; do
		[ -n "$(missing "${line[@]}")" ] || continue
		apt-cache show "${line[@]}" >/dev/null 2>&1 || update_lists
		if apt-get -qq -s install "${line[@]}" >/dev/null 2>&1; then
			install "${line[@]}"
		else
			echo "cannot be installed here, left out: ${line[*]}" >&2
		fi
	done < <(packages "$1")
}

trap release EXIT

if ! command -v dpkg-query >/dev/null; then
	echo "setup.sh: this is not Debian; what is needed must be installed by hand" >&2
	exit 0
fi

for purpose in "$@"; do
	if [ "$purpose" = clients ] || [ "$purpose" = peers ]; then
		install_what_can_be "$purpose"
		continue
	fi
	list=$(packages "$purpose")
	# shellcheck disable=SC2086
	list=$(missing $list)
	if [ -n "$list" ]; then
		update_lists
		# shellcheck disable=SC2086
		install $list
	fi
done
