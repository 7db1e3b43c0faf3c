#!/usr/bin/env bash
#
# get.sh
#	Fetch the peers into the staging directory; nothing is installed.
#
# Usage: test/bench/peers/get.sh [NAME...]
#
# NAME: load kafka nats pgq redis rabbitmq; all of them by default.
#
# Debian packages are downloaded and unpacked, not configured, so no service
# starts.  Kafka comes from the Maven repository, NATS and the load generator
# are built by Go, each through the tool's own configuration.  What cannot be
# had is told in a line and left in peers/absent/NAME; run.py passes it on and
# does without.  What is there already is not fetched again.
#
# In the staging directory (see test/private-pg.sh), below peers/:
#	bin/		load, nats-server
#	kafka/		jars
#	root/		what Debian packages held
#	absent/		a file per peer that could not be had: why
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
stage=$(bash "$here/../../private-pg.sh" release -- printenv STAGE | tail -n 1)
peers=$stage/peers
nats_version=v2.15.2

mkdir -p "$peers/bin" "$peers/kafka" "$peers/root"
rm -rf "$peers/absent"
mkdir "$peers/absent"

# try NAME COMMAND...: whether it worked, its last words kept.
try()
{
	local name=$1 log=$peers/$1.log

	shift
	if ! "$@" > "$log" 2>&1; then
		grep -v '^ *$' "$log" | tail -n 1 | cut -c 1-200 | sed -E 's,[a-z]+://[^ ]+,...,g' > "$peers/absent/$name"
		echo "peers: no $name: $(cat "$peers/absent/$name")" >&2
	fi
}

# debian MARK PACKAGE...: unpack packages and what they need and is not installed.
debian()
{
	local mark=$1 archives file

	shift
	[ ! -e "$peers/root/.$mark" ] || return 0
	archives=$(mktemp -d "$peers/debs.XXXXXX") || return
	mkdir "$archives/partial"
	apt-get -q -y -d --no-install-recommends --reinstall -o "Dir::Cache::archives=$archives" \
		-o Debug::NoLocking=1 -o APT::Sandbox::User= install "$@" || return
	for file in "$archives"/*.deb; do
		dpkg -x "$file" "$peers/root" || return
	done
	rm -rf "$archives"
	touch "$peers/root/.$mark"
}

has_go()
{
	command -v go || { echo "there is no Go"; return 1; }
}

load()
{
	has_go && cd "$here/load" && go build -o "$peers/bin/load" .
}

nats()
{
	[ ! -x "$peers/bin/nats-server" ] || return 0
	has_go && cd "$peers" && GOBIN=$peers/bin go install "github.com/nats-io/nats-server/v2@$nats_version"
}

kafka()
{
	[ ! -e "$peers/kafka/.complete" ] || return 0
	command -v java || { echo "there is no Java"; return 1; }
	command -v mvn || { echo "there is no Maven"; return 1; }
	mvn -q -B -f "$here/kafka/pom.xml" -DoutputDirectory="$peers/kafka" -DincludeScope=runtime \
		dependency:copy-dependencies && touch "$peers/kafka/.complete"
}

# Debian's Erlang looks for itself where a package would be installed.
rabbitmq()
{
	local erl

	debian rabbitmq rabbitmq-server || return
	for erl in "$peers"/root/usr/lib/erlang/bin/erl "$peers"/root/usr/lib/erlang/erts-*/bin/erl; do
		[ ! -e "$erl" ] || sed -i "s,ROOTDIR=/usr/lib/erlang\$,ROOTDIR=$peers/root/usr/lib/erlang," "$erl"
	done
}

pgq()
{
	debian pgq postgresql-15-pgq3 pgqd
}

redis()
{
	debian redis redis-server
}

[ $# -gt 0 ] || set -- load nats kafka pgq redis rabbitmq
for name in "$@"; do
	try "$name" "$name"
done
chmod -R a+rX "$peers"
[ -x "$peers/bin/load" ] || { echo "peers: without the load generator nothing can be measured" >&2; exit 2; }
