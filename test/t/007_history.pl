#-------------------------------------------------------------------------
#
# 007_history.pl
#	Many clients, dying backends, and the history that they leave.
#
# The clients and the judgement are in test/perl/history.py, which says what is
# checked.  The seed is printed; with the same one the clients make the same
# choices, though the server need not.
#
# test/t/007_history.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{KSTREAM_HISTORY_SECONDS} || 15;
my $seed = $ENV{KSTREAM_HISTORY_SEED} || int(rand(1_000_000));
my $node = new_node('main');

note "seed $seed";
my ($out, $err);
my $result = IPC::Run::run(
	[ 'python3', "$FindBin::RealBin/../perl/history.py", $node->connstr('postgres'), $seconds, $seed ],
	'>', \$out, '2>', \$err, IPC::Run::timeout($seconds + 120));
ok($result, 'the history is judged') or diag $err;
note $out;
my ($counts, @problems) = split /\n/, $out;
is(join("\n", @problems), '', "the history is sound (seed $seed)");

# A history in which nothing happened proves nothing.
my %count = $counts =~ /(\w+)=(\d+)/g;
cmp_ok($count{committed}, '>', 40 * $seconds, 'transactions were committed');
cmp_ok($count{kill}, '>=', 2, 'backends were killed') or diag $counts;
cmp_ok($count{read}, '>', $count{records}, 'the readers followed');
cmp_ok($node->safe_psql('postgres', "SELECT min(segments) FROM kstream.partitions WHERE topic = 'history'"), '>=', 2, 'segments were rolled');

is_quiet($node, 'afterwards');
is_sound($node, 'history', 'afterwards');
is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.partitions WHERE topic = 'history' AND last_stable_offset <> end_offset"), 0, 'nothing is held back');
log_is_clean($node);
$node->stop;
done_testing();
