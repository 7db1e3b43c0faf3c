# pg_source.sh
#	PostgreSQL built from Debian's source with flags of its own; to be sourced,
#	after test/roots.sh.
#
# The source and what is built are below KSTREAM_BUILT (default:
# /var/tmp/kstream-built-USER), for each version in a directory of its own, and are
# kept for the next run.  In it:
#	source/			the source, unless KSTREAM_PG_SOURCE names one
#	KIND/postgresql	a PostgreSQL that was installed there
#
# The source is what "apt-get source" brings in (test/roots.sh), which needs root.

pg_source_place=${KSTREAM_BUILT:-/var/tmp/kstream-built-$(id -un)}/${KSTREAM_PG_MAJOR:-15}

# Print the directory of the source, which is fetched when there is none.
pg_source_fetch()
{
	local place=$1 major=$2 refusal

	if ! ls -d "$place/source"/postgresql-"$major"*/ 2>/dev/null; then
		refusal=$(roots_refusal)
		if [ -n "$refusal" ]; then
			echo "PostgreSQL's source cannot be fetched here: $refusal; KSTREAM_PG_SOURCE may name it" >&2
			return 1
		fi
		roots_update
		rm -rf "$place/source" "$place/source.new"
		mkdir -p "$place/source.new"
		(cd "$place/source.new" && roots_apt apt-get -q -o APT::Sandbox::User=root \
			source "postgresql-$major") > "$place/source.log" 2>&1
		mv "$place/source.new" "$place/source"
		ls -d "$place/source"/postgresql-"$major"*/
	fi
}

# The tests use XML; whatever else needs libraries is left out.
#
# Debian's makefiles put libraries among those of its own packages, unless the prefix
# has "postgres" in it.  So it has, and what is installed goes below a directory of
# ours whatever they say.
pg_source_make()
{
	local place=$1 kind=$2 source=$3 prefix=$1/$2/postgresql new=$1/$2.new
	shift 3

	rm -rf "$place/$kind.build" "$new" "${place:?}/$kind"
	mkdir -p "$place/$kind.build" "$place/$kind"
	cd "$place/$kind.build"
	# PostgreSQL's makefiles make some headers only in the outermost make
	unset MAKELEVEL MAKEFLAGS
	echo "building PostgreSQL ($kind) from $source"
	{
		"$source/configure" --prefix="$prefix" --enable-debug --enable-tap-tests \
			--without-readline --without-icu --with-libxml "$@" &&
			nice make -s -j"${KSTREAM_JOBS:-$(nproc)}" world-bin &&
			make -s DESTDIR="$new" install-world-bin &&
			mv "$new$prefix" "$prefix" &&
			{ [ -z "$(find "$new" ! -type d)" ] || { echo "not all of it was installed below $prefix" && false; }; }
	} > "$place/$kind.log" 2>&1 || {
		tail -n 20 "$place/$kind.log"
		return 1
	}
	cd - > /dev/null
	rm -rf "$place/$kind.build" "$new"
}

# pg_source_build KIND ARGUMENT...: a PostgreSQL with these arguments of configure,
# once for each source and set of arguments.  What test/private-pg.sh makes next is
# made from it.
pg_source_build()
{
	local kind=$1 major=${KSTREAM_PG_MAJOR:-15} place=$pg_source_place source
	shift

	mkdir -p "$place"
	exec 8> "$place/source.lock"
	flock 8
	source=${KSTREAM_PG_SOURCE:-}
	[ -n "$source" ] || source=$(pg_source_fetch "$place" "$major")
	source=${source%/}
	exec 8> "$place/$kind.lock"
	flock 8
	if [ "$(cat "$place/$kind/made" 2>/dev/null)" != "$source $*" ]; then
		(pg_source_make "$place" "$kind" "$source" "$@")
		echo "$source $*" > "$place/$kind/made"
	fi
	exec 8>&-
	export KSTREAM_PG_MAJOR=$major KSTREAM_PG_CONFIG=$place/$kind/postgresql/bin/pg_config KSTREAM_STAGE_SUFFIX=-$kind
}
