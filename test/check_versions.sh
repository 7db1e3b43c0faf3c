#!/usr/bin/env bash
#
# check_versions.sh
#	Build kstream for every version of PostgreSQL and run its suites there.
#
# Usage: test/check_versions.sh [MAJOR...]	(default: 15 16 17 18)
#
# Where a version comes from, the first that there is:
#	- PG_CONFIG_<MAJOR>, an installation of your own with PostgreSQL's TAP modules
#	- this machine's packages, installed or of the suites in /etc/apt
#	- the oldest later suite of Debian that has it, in a root of its own
#	  (test/roots.sh); this needs root, and about 2 GB for each
#
# Prints a line for each version and at the end the sum as "N passed, N failed".
# A version that is not to be had is no failure; one that was found and cannot be
# built or set up is.  What a version's run said is kept in KSTREAM_ROOTS, as
# MAJOR.log.  SUITES chooses the suites (default: unit regress isolation tap
# warnings).
set -uo pipefail

cd "$(dirname "$0")/.."
top=$PWD
# shellcheck source=test/roots.sh
. test/roots.sh

SUITES=${SUITES:-unit regress isolation tap warnings}
majors=("$@")
[ ${#majors[@]} -gt 0 ] || majors=(15 16 17 18)
passed=0
failed=0

# Where the runs' output goes.
logs=$roots
[ "$(id -u)" = 0 ] || logs=${TMPDIR:-/tmp}/kstream-versions-$(id -un)
mkdir -p "$logs" || exit 2

# tell MAJOR WHAT: the line of a version, from the end of its log.
tell()
{
	local major=$1 sum

	sum=$(tail -n 1 "$logs/$major.log" | grep -E '^[0-9]+ passed, [0-9]+ failed$') ||
		sum="0 passed, 1 failed"
	echo "$major: $sum ($2; $logs/$major.log)"
	passed=$((passed + ${sum%% passed*}))
	sum=${sum#*, }
	failed=$((failed + ${sum% failed}))
	grep -E '^(tap|style) .* FAILED$|^not ok .* ms$|^test .* FAILED' "$logs/$major.log" | sed "s/^/$major:   /"
}

# run_here MAJOR [PG_CONFIG]: in private copies on this machine; the versions do
# not undo each other's.  What an installation of one's own needs besides itself
# is what Debian's packages for the usual version need.
run_here()
(
	major=$1
	config=${2:-/usr/lib/postgresql/$major/bin/pg_config}

	[ -n "${2:-}" ] || export KSTREAM_PG_MAJOR=$major
	export KSTREAM_PG_CONFIG=$config KSTREAM_STAGE_SUFFIX=-$major
	# shellcheck disable=SC2086
	bash test/setup.sh build check clients &&
		bash test/private-pg.sh release test -- bash test/run_all.sh $SUITES
) > "$logs/$1.log" 2>&1

# shellcheck disable=SC2016,SC2086
run_in_root()
{
	local major=$1 suite=$2 root=$roots/$2

	if ! roots_make "$suite"; then
		echo "cannot make a root of $suite" > "$logs/$major.log"
		tell "$major" "$suite"
		return
	fi
	{
		exec 8> "$root.lock"
		flock 8
		roots_copy "$top" "$root" &&
			roots_run "$root" "KSTREAM_PG_MAJOR=$major" KSTREAM_STAGE=/var/tmp/kstream-stage \
				"PROVE_TESTS=${PROVE_TESTS:-}" "TESTS=${TESTS:-}" bash -c '
				cd /kstream && bash test/setup.sh build check clients &&
				bash test/private-pg.sh release test -- bash test/run_all.sh "$@"
			' run_in_root $SUITES
		exec 8>&-
	} > "$logs/$major.log" 2>&1 < /dev/null
	tell "$major" "$(roots_run "$root" "/usr/lib/postgresql/$major/bin/pg_config" --version) of $suite"
}

check_version()
{
	local major=$1 own=PG_CONFIG_$1 refusal suite

	if [ -n "${!own:-}" ]; then
		run_here "$major" "${!own}"
		tell "$major" "$("${!own}" --version)"
		return
	fi
	if [ -x "/usr/lib/postgresql/$major/bin/pg_config" ] ||
		apt-cache show "postgresql-server-dev-$major" >/dev/null 2>&1; then
		run_here "$major"
		tell "$major" "$("/usr/lib/postgresql/$major/bin/pg_config" --version)"
		return
	fi
	refusal=$(roots_refusal)
	if [ -n "$refusal" ]; then
		echo "$major: not to be had: $refusal"
		return
	fi
	if ! bash test/setup.sh roots || ! roots_update; then
		echo "$major: not to be had: the lists of Debian's suites cannot be read ($roots/apt/update.log)"
		return
	fi
	suite=$(roots_suite_of "postgresql-server-dev-$major")
	if [ -z "$suite" ]; then
		echo "$major: not to be had: no suite of Debian has it now ($roots_suites)"
		return
	fi
	run_in_root "$major" "$suite"
}

for major in "${majors[@]}"; do
	check_version "$major"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
