#!/usr/bin/env bash
#
# private-build.sh
#	The half of private-pg.sh that runs as the tester in the staging directory.
#
# Usage: private-build.sh VARIANT... [-- COMMAND [ARGUMENT...]]
#
# Only what changed is copied from incoming/ into a variant's tree, so that make
# compiles no more than it must.
set -euo pipefail

cd "$STAGE"
major=${KSTREAM_PG_MAJOR:-15}
config=${KSTREAM_PG_CONFIG:-/usr/lib/postgresql/$major/bin/pg_config}
bindir=${config%/pg_config}

fail()
{
	echo "private-build.sh: $*" >&2
	exit 2
}

# Copy the installed PostgreSQL, unless this very one was copied before.
# The programs find their files relative to themselves as long as the tree keeps
# its shape.  Bitcode is left out: it is large and JIT does without.
copy_postgres()
{
	local variant=$1 root=$STAGE/$1/root
	local lib=${bindir%/bin} share mark

	[ -x "$bindir/postgres" ] || fail "there is no $bindir/postgres"
	# the directories tell of an extension that was installed since
	mark=$(stat -c '%n %s %Y' "$bindir/postgres" "$bindir/psql" \
		"$("$config" --pkglibdir)" "$("$config" --sharedir)/extension")
	if [ "$(cat "$variant/copied" 2>/dev/null)" = "$mark" ]; then
		return
	fi
	# what was compiled before was compiled for another one
	rm -rf "$root" "$variant/copied" "$variant/flags"
	mkdir -p "$root"
	share=$("$config" --sharedir)
	case $share in
		"$lib"/*)
			tar -C / --exclude="${lib#/}/lib/bitcode" -cf - "${lib#/}" | tar -C "$root" -xf -
			;;
		*)
			# Debian's tree
			tar -C / --exclude="${lib#/}/lib/bitcode" --exclude="${share#/}/man" \
				-cf - "${lib#/}" "${share#/}" | tar -C "$root" -xf -
			# what pg_config of the copy names but nobody writes to
			mkdir -p "$root/usr/include"
			ln -s /usr/include/postgresql "$root/usr/include/postgresql"
			ln -s "/usr/lib/$(gcc -print-multiarch)" "$root/usr/lib/$(gcc -print-multiarch)"
			;;
	esac
	echo "$mark" > "$variant/copied"
}

# Make the tree of a variant equal to incoming/, and leave alone what is equal.
# The list of the files copied last time tells which were deleted since.
copy_tree()
{
	local variant=$1 file

	mkdir -p "$variant/src"
	(cd incoming && find . \( -type f -o -type l \) | LC_ALL=C sort) > "$variant/files.new"
	if [ -e "$variant/files" ]; then
		while IFS= read -r file; do
			rm -f "$variant/src/$file"
			# make does not see that something has one part less
			rm -f "$variant"/src/*.so "$variant"/src/src/sql/kstream--*.sql
		done < <(LC_ALL=C comm -23 "$variant/files" "$variant/files.new")
	fi
	mv "$variant/files.new" "$variant/files"
	while IFS= read -r file; do
		cmp -s "incoming/$file" "$variant/src/$file" && continue
		mkdir -p "$variant/src/${file%/*}"
		cp -Pp "incoming/$file" "$variant/src/$file"
		touch -h "$variant/src/$file"
	done < "$variant/files"
}

# Build a variant's tree and install it into the variant's PostgreSQL.
build()
{
	local variant=$1 started=$SECONDS
	local tree=$STAGE/$1/src log=$STAGE/$1/build.log
	local told='^[^ ]+:[0-9]+:([0-9]+:)? (fatal )?(error|warning):|undefined reference|\*\*\*'
	local -a flags

	case $variant in
		release) flags=(DEBUG_POINTS=) ;;
		test) flags=(DEBUG_POINTS=1) ;;
		*) fail "there is no variant \"$variant\"" ;;
	esac
	flags+=("PG_CONFIG=$config" "DESTDIR=$STAGE/$variant/root" with_llvm=no)
	flags+=("CC=bash $tree/test/keep-warnings.sh gcc" "COPT=${KSTREAM_COPT:-}")

	mkdir -p "$variant"
	copy_postgres "$variant"
	copy_tree "$variant"
	# objects of other flags are of no use; a makefile may have changed them too
	# (as the shell would read them: check_mutants.sh builds with them)
	if [ "$(cat "$variant/flags" 2>/dev/null)" != "$(printf '%q ' "${flags[@]}")" ] ||
		[ "$tree/Makefile" -nt "$variant/flags" ]; then
		find "$tree" \( -name '*.o' -o -name '*.so' -o -name '*.warnings' \) -delete
		printf '%q ' "${flags[@]}" > "$variant/flags"
	fi
	if ! (cd "$tree" && make -k -j"${KSTREAM_JOBS:-$(nproc)}" "${flags[@]}" all &&
		make "${flags[@]}" install) > "$log" 2>&1; then
		grep -E "$told" "$log" || tail -n 40 "$log"
		fail "could not build the $variant variant; all of it: $log"
	fi
	grep -E "$told" "$log" || true
	echo "$variant build ready in $((SECONDS - started)) s: $STAGE/$variant/root$bindir"
}

variants=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	variants+=("$1")
	shift
done

for variant in "${variants[@]}"; do
	build "$variant"
	PGBIN=$STAGE/$variant/root$bindir
	export PGBIN "${variant^^}_BIN=$PGBIN"
done

if [ $# -gt 1 ]; then
	shift
	export PATH="$PGBIN:$PATH"
	cd "$STAGE/$variant/src"
	exec "$@"
fi
