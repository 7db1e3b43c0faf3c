#!/usr/bin/env bash
#
# keep-warnings.sh
#	Run a compiler and keep what it says beside the object it makes.
#
# Usage: keep-warnings.sh COMPILER ARGUMENT...
#
# A second make compiles nothing and so warns of nothing; with OBJECT.warnings
# kept, the style suite sees the warnings of every object that is up to date.
set -u

object=
previous=
for argument in "$@"; do
	[ "$previous" != -o ] || object=$argument
	previous=$argument
done
[ -n "$object" ] || exec "$@"

"$@" 2> "$object.warnings"
status=$?
cat "$object.warnings" >&2
[ -s "$object.warnings" ] || rm -f "$object.warnings"
exit "$status"
