#!/usr/bin/env bash
#
# check_layers.sh
#	Calls point down only: no room of src/ includes one above or beside it.
#
# Usage: test/check_layers.sh [SRC]
#
# A file may include headers of its own room and of rooms in an earlier line of
# the order below.  Files in src/ itself put the rooms together and may include
# all of them; no room may include those.  Prints each offence; a room that has
# no place in the order is one, and so is finding no file at all.
set -euo pipefail
shopt -s nullglob

order='
base
codec wire
record
rowjson
state
catalog
topic
log
produce fetch admin
staging
table
group cdc
offset
consume
upkeep
worker
kafka
'

src=${1:-$(dirname "$0")/../src}
files=("$src"/*/*.c "$src"/*/*.h)
tops=("$src"/*.h)
if [ ${#files[@]} -eq 0 ]; then
	echo "check_layers.sh: there are no source files in $src/*/" >&2
	exit 1
fi

awk -v order="$order" -v tops="${tops[*]}" '
	BEGIN {
		count = split(order, line, "\n")
		for (i = 1; i <= count; i++) {
			rooms = split(line[i], room, " ")
			for (j = 1; j <= rooms; j++)
				level[room[j]] = i
		}
		count = split(tops, path, " ")
		for (i = 1; i <= count; i++) {
			sub(/.*\//, "", path[i])
			top[path[i]] = 1
		}
		for (i = 1; i < ARGC; i++) {
			count = split(ARGV[i], part, "/")
			ours[part[count - 1] "/" part[count]] = 1
		}
	}
	function offence(why) {
		print FILENAME ":" FNR ": " why
		offences = 1
	}
	FNR == 1 {
		parts = split(FILENAME, part, "/")
		here = part[parts - 1]
		if (!(here in level))
			offence("room \"" here "\" has no place in the order of rooms")
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, quoted, "\"")
		if (quoted[2] in top)
			offence(here " includes \"" quoted[2] "\" from above the rooms")
		there = quoted[2]
		sub(/\/.*/, "", there)
		# "catalog/" is a directory of the headers of PostgreSQL, too
		if (there in level && quoted[2] in ours && there != here && level[there] >= level[here])
			offence(here " includes \"" quoted[2] "\", which is not below it")
	}
	END { exit offences }
' "${files[@]}"
