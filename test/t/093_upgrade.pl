#-------------------------------------------------------------------------
#
# 093_upgrade.pl
#	ALTER EXTENSION UPDATE leads from every released version to what a fresh
#	CREATE EXTENSION makes.
#
# Released versions are those with a script in src/sql/upgrade/ (the Makefile
# installs it).  That the comparison can fail is shown with a made-up version,
# a delta that repairs all that it differs in, and deltas that forget one thing.
#
# test/t/093_upgrade.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\n");
my $current = $node->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'kstream'");

# Every member of the extension in full: definition, owner, rights, comment;
# for relations also columns, constraints, indexes, settings, triggers.
sub describe
{
	my ($dbname) = @_;
	return $node->safe_psql($dbname, <<'SQL');
WITH member AS (
	SELECT d.classid, d.objid, i.type, i.identity
	FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, 0) i
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'kstream'))
SELECT type, identity, obj_description(objid, classid::regclass::name) AS what FROM member
UNION ALL SELECT 'definition of ' || type, identity, pg_get_functiondef(p.oid) || ' ' || coalesce(proacl::text, '') || proowner::regrole
	FROM member JOIN pg_proc p ON p.oid = objid AND classid = 'pg_proc'::regclass AND prokind <> 'a'
UNION ALL SELECT 'table', identity, concat_ws(' ', relkind, relpersistence, relreplident, reloptions, relacl, relowner::regrole, CASE WHEN relkind = 'v' THEN pg_get_viewdef(c.oid) END)
	FROM member JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass
UNION ALL SELECT 'column', identity || '.' || attname, concat_ws(' ', row_number() OVER (PARTITION BY identity ORDER BY attnum), format_type(atttypid, atttypmod), attcollation::regcollation, attnotnull, attstorage, attidentity, attgenerated, attacl, pg_get_expr(adbin, adrelid), col_description(objid, attnum))
	FROM member JOIN pg_attribute a ON attrelid = objid AND classid = 'pg_class'::regclass AND attnum > 0 AND NOT attisdropped LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
UNION ALL SELECT 'constraint', identity || '.' || conname, pg_get_constraintdef(c.oid) FROM member JOIN pg_constraint c ON conrelid = objid AND classid = 'pg_class'::regclass
UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid) || coalesce(obj_description(indexrelid, 'pg_class'), '') FROM member JOIN pg_index ON indrelid = objid AND classid = 'pg_class'::regclass
UNION ALL SELECT 'trigger', identity || '.' || tgname, pg_get_triggerdef(t.oid) FROM member JOIN pg_trigger t ON tgrelid = objid AND classid = 'pg_class'::regclass
UNION ALL SELECT 'sequence', identity, concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle) FROM member JOIN pg_sequence ON seqrelid = objid AND classid = 'pg_class'::regclass
UNION ALL SELECT 'schema', identity, concat_ws(' ', nspacl, nspowner::regrole) FROM member JOIN pg_namespace n ON n.oid = objid AND classid = 'pg_namespace'::regclass
UNION ALL SELECT 'wrapper', identity, concat_ws(' ', fdwhandler::regproc, fdwvalidator::regproc, fdwoptions, fdwacl) FROM member JOIN pg_foreign_data_wrapper w ON w.oid = objid AND classid = 'pg_foreign_data_wrapper'::regclass
UNION ALL SELECT 'server', identity, concat_ws(' ', srvoptions, srvacl) FROM member JOIN pg_foreign_server s ON s.oid = objid AND classid = 'pg_foreign_server'::regclass
UNION ALL SELECT 'dumped', r::regclass::text, c FROM pg_extension, unnest(extconfig, extcondition) x (r, c) WHERE extname = 'kstream'
UNION ALL SELECT 'extension', extname, concat_ws(' ', extversion, extrelocatable, extnamespace::regnamespace) FROM pg_extension WHERE extname = 'kstream'
ORDER BY 1, 2, 3
SQL
}

# Install a version, use it, update it; what differs from a fresh install.
sub difference
{
	my ($version) = @_;
	my $dbname = 'db' . ($version =~ s/\W/_/gr);
	$node->safe_psql('postgres', "CREATE DATABASE $dbname");
	$node->safe_psql($dbname, "CREATE EXTENSION kstream VERSION '$version'; SELECT kstream.create_topic('t'); SELECT kstream.produce('t', NULL, 'before')");
	$node->safe_psql($dbname, 'ALTER EXTENSION kstream UPDATE');
	is($node->safe_psql($dbname, "SELECT kstream.produce('t', NULL, 'after'); SELECT string_agg(kstream.text(r.value), ' ' ORDER BY r.offset) FROM kstream.fetch('t', 0, 0) r"), "0\nbefore after", "$version: records survive the update")
	  if $node->safe_psql($dbname, "SELECT extversion FROM pg_extension WHERE extname = 'kstream'") eq $current;
	my %updated = map { $_ => 1 } split /\n/, describe($dbname);
	my %fresh = map { $_ => 1 } split /\n/, describe('postgres');
	$node->safe_psql('postgres', "DROP DATABASE $dbname");
	return join "\n", (map { "+ $_" } sort grep { !$fresh{$_} } keys %updated), (map { "- $_" } sort grep { !$updated{$_} } keys %fresh);
}

cmp_ok(scalar(split /\n/, describe('postgres')), '>', 200, 'there is something to compare');
my @released = split /\n/, $node->safe_psql('postgres', "SELECT version FROM pg_available_extension_versions WHERE name = 'kstream' AND version <> '$current' ORDER BY 1");
is(difference($_), '', "$_ is updated to what $current is") foreach @released;

# The made-up version is the current script and some damage.
my $dir = $node->config_data('--sharedir') . '/extension';
my $old = $current . '.test' . $$;
my @made;
sub make { my ($name, $text) = @_; append_to_file("$dir/$name", $text); push @made, "$dir/$name"; return; }
END { unlink @made; }

SKIP:
{
	skip "cannot write to $dir", 1 unless -w $dir;
	my $view = $node->safe_psql('postgres', "SELECT pg_get_viewdef('kstream.stats'::regclass)");
	my $comment = $node->safe_psql('postgres', "SELECT quote_literal(obj_description('kstream.version()'::regprocedure, 'pg_proc'))");
	my $of_view = $node->safe_psql('postgres', "SELECT quote_literal(obj_description('kstream.stats'::regclass, 'pg_class'))");
	my $of_columns = $node->safe_psql('postgres', "SELECT string_agg(format('COMMENT ON COLUMN kstream.stats.%I IS %L;', attname, col_description(attrelid, attnum)), '') FROM pg_attribute WHERE attrelid = 'kstream.stats'::regclass AND col_description(attrelid, attnum) IS NOT NULL");
	my %delta = (
		view => "CREATE VIEW kstream.stats WITH (security_barrier) AS $view\n",
		'comment of the view' => "COMMENT ON VIEW kstream.stats IS $of_view;$of_columns\n",
		grant => "GRANT SELECT ON kstream.stats TO PUBLIC;\n",
		comment => "COMMENT ON FUNCTION kstream.version() IS $comment;\n",
		function => "ALTER FUNCTION kstream.version() PARALLEL SAFE;\n",
		column => "ALTER TABLE kstream.consumer_group ALTER COLUMN options SET DEFAULT '{}';\n",
		option => "ALTER TABLE kstream.committed_offset SET (fillfactor = 50);\n");
	my @order = ('view', 'comment of the view', 'grant', 'comment', 'function', 'column', 'option');
	my %forgets = ('comment of the view' => 1, grant => 1, comment => 1, function => 1, column => 1, option => 1);

	make("kstream--$old.sql", slurp_file("$dir/kstream--$current.sql") . <<'SQL');
DROP VIEW kstream.stats;
COMMENT ON FUNCTION kstream.version() IS 'old';
ALTER FUNCTION kstream.version() PARALLEL UNSAFE;
ALTER TABLE kstream.consumer_group ALTER COLUMN options SET DEFAULT '{"old": true}';
ALTER TABLE kstream.committed_offset SET (fillfactor = 60);
SQL
	make("kstream--$old--$current.sql", join '', @delta{@order});
	is(difference($old), '', 'a delta that repairs everything is good');
	foreach my $forgotten (sort keys %forgets)
	{
		unlink "$dir/kstream--$old--$current.sql";
		append_to_file("$dir/kstream--$old--$current.sql", join '', @delta{ grep { $_ ne $forgotten } @order });
		isnt(difference($old), '', "a delta that forgets one thing ($forgotten) is found");
	}
}
log_is_clean($node);
$node->stop;
done_testing();
