#!/usr/bin/env bash
#
# soak.sh
#	Let the profiles of history.py take turns for some time.
#
# Usage: test/history/soak.sh SECONDS	in a tree that test/private-pg.sh has built
#
# What a round with findings leaves is kept in STAGE/out/soak, until the next
# soak begins.
set -euo pipefail

rm -rf "${STAGE:?}/out/soak"
mkdir -p "$STAGE/out/soak"
exec python3 -B test/history/history.py soak --seconds "$1" --out "$STAGE/out/soak"
