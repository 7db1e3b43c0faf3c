# roots.sh
#	Other suites of Debian, in directories of their own; to be sourced.
#
# What this machine is configured for stays as it is: package lists and the roots
# are below KSTREAM_ROOTS (default: /var/tmp/kstream-roots), which is root's and
# is kept for the next run.  The mirror is the one of /etc/apt.  In it:
#	apt/			a private configuration of apt: bookworm and later, with sources
#	SUITE/			a minimal system of that suite, made by debootstrap
#
# A root is entered with mounts and process numbers of its own, so whatever is
# started in it ends with the command.

roots=${KSTREAM_ROOTS:-/var/tmp/kstream-roots}
roots_suites="bookworm trixie forky sid"

# Print why roots cannot be had here, or nothing.
roots_refusal()
{
	if [ "$(id -u)" != 0 ]; then
		echo "needs root"
	elif ! command -v apt-get >/dev/null; then
		echo "needs Debian"
	elif ! unshare --mount --pid --fork true 2>/dev/null; then
		echo "mounts are not allowed here"
	elif [ -z "$(roots_mirror)" ]; then
		echo "no Debian mirror is configured in /etc/apt"
	elif [ -L "$roots" ] || { [ -e "$roots" ] && [ "$(stat -c %u "$roots")" != 0 ]; }; then
		echo "\"$roots\" is not a directory of root's"
	fi
}

# The first mirror of Debian's main component, security's archive left out.
roots_mirror()
{
	apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT) $(LABEL)' \
		'Created-By: Packages' 2>/dev/null |
		awk '$2 == "Debian" && $3 == "main" && $4 == "Debian" { print $1; exit }'
}

# What this machine has of Debian (security and updates too), as a sources.list.
roots_sources()
{
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' \
		'Created-By: Packages' | awk '$NF == "Debian" { NF--; print }'
}

# roots_apt COMMAND...: apt's COMMAND with the private configuration.  A mirror
# may be a copy of one day, so the day until which lists are valid is not asked.
roots_apt()
{
	local program=$1
	shift

	"$program" -o "Dir::Etc=$roots/apt/etc" -o "Dir::State=$roots/apt/state" \
		-o "Dir::State::status=$roots/apt/status" -o "Dir::Cache=$roots/apt/cache" \
		-o Acquire::Check-Valid-Until=false "$@"
}

# Make the private configuration and read the lists of all suites, once a day.
roots_update()
{
	local apt=$roots/apt suite mirror

	mirror=$(roots_mirror)
	[ -z "$(find "$apt/read" -mtime -1 2>/dev/null)" ] || return 0
	mkdir -p "$apt"/etc/{apt.conf.d,sources.list.d,preferences.d} "$apt"/state/lists/partial "$apt"/cache/archives/partial
	touch "$apt/status"
	for suite in $roots_suites; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
		echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
	done > "$apt/etc/sources.list"
	roots_apt apt-get -q update > "$apt/update.log" 2>&1 || return 1
	touch "$apt/read"
}

# roots_suite_of PACKAGE: print the oldest suite that has it.
roots_suite_of()
{
	local had suite

	had=$(roots_apt apt-cache madison "$1" 2>/dev/null)
	for suite in $roots_suites; do
		if grep -q " $suite/main " <<< "$had"; then
			echo "$suite"
			return
		fi
	done
}

# roots_make SUITE: a minimal system of the suite below roots, unless there is one.
roots_make()
{
	local root=$roots/$1 script=/usr/share/debootstrap/scripts/$1

	[ ! -e "$root/.complete" ] || return 0
	mkdir -p -m 755 "$roots"
	rm -rf "$root"
	# debootstrap may be older than the suite
	[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
	if ! debootstrap --variant=minbase "$1" "$root" "$(roots_mirror)" "$script" > "$root.log" 2>&1; then
		tail -n 5 "$root.log" >&2
		return 1
	fi
	echo 'Acquire::Check-Valid-Until "false";' > "$root/etc/apt/apt.conf.d/90roots"
	# no service starts in a root
	printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	touch "$root/.complete"
}

# roots_run ROOT COMMAND...: run in a root, with a clean environment.
# shellcheck disable=SC2016
roots_run()
{
	local root=$1
	shift

	unshare --mount --pid --fork --kill-child bash -c '
		root=$1
		shift
		mount --make-rprivate /
		mount -t proc proc "$root/proc"
		mount -t tmpfs tmpfs "$root/dev/shm"
		exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			HOME=/root LANG=C.UTF-8 "$@"
	' roots_run "$root" "$@"
}

# roots_copy TREE ROOT: put a copy of a source tree at /kstream of a root.
roots_copy()
{
	rm -rf "$2/kstream"
	mkdir -p "$2/kstream"
	tar -C "$1" --exclude=./.git --exclude=./build --exclude=./test/output --exclude='*.o' --exclude='*.bc' \
		--exclude='*.so' --exclude='./src/sql/kstream--*.sql' -cf - . |
		tar -C "$2/kstream" -xf - --no-same-owner
}
