#-------------------------------------------------------------------------
#
# 085_standby_limits.pl
#	A standby whose pools are smaller than what it will need.
#
# It says so before it is promoted, in its log and in the view kstream.limits; and
# promoted it serves all partitions, though not all of them at once.
#
# test/t/085_standby_limits.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 });
my $warning = qr/WARNING:  not all partitions of this database can be in use at the same time/;

is($primary->safe_psql('postgres', "SELECT name, in_database FROM kstream.limits WHERE name IN ('partitions', 'groups') ORDER BY name"),
	"groups|0\npartitions|0", 'a database that is empty has none');
$primary->safe_psql('postgres', "SELECT kstream.create_topic('wide', 40); SELECT kstream.create_group('a'), kstream.create_group('b')");
$primary->safe_psql('postgres', "SELECT kstream.produce('wide', NULL, 'x', partition => p) FROM generate_series(0, 39) p");
unlike(slurp_file($primary->logfile), $warning, 'the primary has room');
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "kstream.max_partitions = 16\nkstream.worker = on\nkstream.worker_naptime = '200 ms'\n");
$standby->start;
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM kstream_topic.wide'), 40, 'all can be read on the standby');
like(slurp_file($standby->logfile), $warning, 'its log warns');
is($standby->safe_psql('postgres', "SELECT name, used, \"limit\", in_database FROM kstream.limits WHERE in_database IS NOT NULL ORDER BY name DESC"), "partitions|0|16|40\ngroups|0|256|2", 'the view shows what it will need');
is($standby->safe_psql('postgres', 'SELECT count(*), count(end_offset) FROM kstream.partitions'), '40|40', 'all views work');
{
	my $log = slurp_file($standby->logfile);
	my $count = () = $log =~ /$warning/g;
	is($count, 1, 'each reader does not warn again');
}
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT count(*), sum(end_offset) FROM kstream.partitions'), '40|40', 'promoted, views work');
is(add($standby, 'wide', $_, 'y'), 1, "and partition $_ is written") foreach 0 .. 39;
wait_until('the worker has gone over it', sub { $standby->safe_psql('postgres', "SELECT runs > 1 FROM kstream.maintenance WHERE pass = 'memory'") eq 't' });
{
	my $log = slurp_file($standby->logfile);
	my $count = () = $log =~ /$warning/g;
	cmp_ok($count, '>=', 2, 'its worker warns, too');
}
is_sound($standby, 'wide', 'promoted');
log_is_clean($standby);
$standby->stop;
$primary->stop;
done_testing();
