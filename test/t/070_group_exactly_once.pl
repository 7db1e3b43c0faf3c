#-------------------------------------------------------------------------
#
# 070_group_exactly_once.pl
#	Exactly once, whatever happens.
#
# Seven consumers in two groups, sessions and names, at all isolation levels,
# consume what two producers produce, while members come and go and backends
# are killed, terminated, and stopped for long enough to lose their partitions
# and come back as if nothing had happened (test/clients/group/chaos.py).
# There is no unique index that would hide a record applied twice.
#
# At the end, per group: each record of the topic has had its effect once,
# no effect is of a record that is not there, and the commits of each
# partition chain: none begins before the one before ended.
#
# KSTREAM_CHAOS_SECONDS and KSTREAM_CHAOS_SEED change how long and which.
#
# test/t/070_group_exactly_once.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use JSON::PP;
use KstreamTest;
use Test::More;

my $seconds = $ENV{KSTREAM_CHAOS_SECONDS} || 22;
my $seed = $ENV{KSTREAM_CHAOS_SEED} || int(rand(1_000_000));
my $node = new_node('main', conf => "max_connections = 60\n");

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('source', 4);
SELECT kstream.create_topic('target', 3);
CREATE TABLE sink (grp text, part int, off bigint, value text, by text);
CREATE TABLE step (grp text, part int, lo bigint, hi bigint, by text, at timestamptz DEFAULT clock_timestamp(), xid xid8 DEFAULT pg_current_xact_id());
SELECT kstream.create_group('sink', '{"session_timeout": "1 second", "max_poll_interval": "1 second"}');
SELECT kstream.create_group('copy', '{"session_timeout": "1 second", "max_poll_interval": "1 second"}');
SQL

diag("seed $seed");
my ($out, $err);
my $done = IPC::Run::run(
	[ '/usr/bin/python3', '-B', "$FindBin::RealBin/../clients/group/chaos.py", $node->connstr('postgres'), $seconds, $seed ],
	'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($seconds + 90));
ok($done, 'the consumers ran to their end') or BAIL_OUT("$out\n$err");
my @unexpected = grep { /^unexpected/ } split /\n/, $out;
is(join("\n", @unexpected), '', 'nobody met an error that is not to be met');
my $report = decode_json((split /\n/, $out)[-1]);
my $counts = $report->{counts};

diag(join ', ', map { "$_ $counts->{$_}" } sort keys %$counts);
ok($report->{caught_up}, 'both groups came to the end');
cmp_ok($counts->{$_} || 0, '>', 0, "it happened: $_")
  foreach qw(produced statements transactions killed terminated stopped left KS110);

# All that the topic holds, against a table of effects.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE held AS
	SELECT r.partition AS part, r.offset AS off, kstream.text(r.value) AS value
	FROM kstream.list_offsets('source') o, LATERAL kstream.fetch('source', o.partition, 0, 2147483647, 2147483647) r;
CREATE TABLE effect AS
	SELECT grp, part, off, value FROM sink
	UNION ALL
	SELECT 'copy', split_part(v, ':', 1)::int, split_part(v, ':', 2)::bigint, split_part(v, ':', 3)
	FROM kstream.list_offsets('target') o, LATERAL kstream.fetch('target', o.partition, 0, 2147483647, 2147483647) r,
	     LATERAL kstream.text(r.value) v;
SQL
my %held = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT value FROM held');
my @lost = grep { !$held{$_} } @{ $report->{acknowledged} };
is("@lost", '', 'what was acknowledged to producers is there');
cmp_ok(scalar(keys %held), '>', 500, 'that is more than a handful');

foreach my $group ('sink', 'copy')
{
	is($node->safe_psql('postgres', <<"SQL"), '', "$group: each record once, and nothing else");
SELECT part, off, h.value, e.value, e.count
FROM held h FULL JOIN
     (SELECT part, off, min(value) AS value, count(*) AS count FROM effect WHERE grp = '$group' GROUP BY part, off) e
     USING (part, off)
WHERE h.value IS DISTINCT FROM e.value OR e.count <> 1
ORDER BY part, off LIMIT 20
SQL
	is($node->safe_psql('postgres', <<"SQL"), '', "$group: commits chain");
SELECT * FROM (SELECT part, lo, hi, by, lag(hi) OVER (PARTITION BY part ORDER BY hi, lo) AS before
               FROM step WHERE grp = '$group') s
WHERE lo < before OR hi <= lo
ORDER BY part, hi LIMIT 20
SQL
}
is($node->safe_psql('postgres', <<'SQL'), '', 'each group stands at the end');
SELECT c.group_id, c.partition, c.offset, o.latest FROM kstream.committed_offsets c
       JOIN kstream.list_offsets('source') o USING (partition) WHERE c.offset < o.latest
SQL
diag($node->safe_psql('postgres', 'SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY grp, part ORDER BY hi, lo) AS n FROM step) s WHERE n < 8 ORDER BY grp, part, n'))
  unless Test::More->builder->is_passing;
is_sound($node, $_, $_) foreach 'source', 'target';
is_quiet($node, 'at the end');
log_is_clean($node);
$node->stop;
done_testing();
