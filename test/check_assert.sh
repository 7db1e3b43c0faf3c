#!/usr/bin/env bash
#
# check_assert.sh
#	Run the suites on a PostgreSQL with assertions.
#
# Usage: test/check_assert.sh
#
# Builds PostgreSQL from Debian's source with --enable-cassert (test/pg_source.sh),
# which takes some minutes, once for each source version; then kstream in private
# copies of it (test/private-pg.sh).  SUITES chooses the suites (default: unit
# regress isolation tap warnings).  The last line is "N passed, N failed".
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=test/roots.sh
. test/roots.sh
# shellcheck source=test/pg_source.sh
. test/pg_source.sh

pg_source_build assert --enable-cassert CFLAGS='-O1 -g -fno-omit-frame-pointer'
# shellcheck disable=SC2086
bash test/private-pg.sh release test -- bash test/run_all.sh ${SUITES:-unit regress isolation tap warnings}
