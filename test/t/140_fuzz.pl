#-------------------------------------------------------------------------
#
# 140_fuzz.pl
#	Random queries return the same, however the records are read.
#
# test/fuzz/fuzz.py compares kstream.fetch() as a streaming scan with the
# function scan, and a topic's table with a copy of its rows, first with seeds
# that are always the same, then with one that is new each time.  What it prints
# when it finds a difference repeats the query.
#
# KSTREAM_FUZZ_SECONDS is how long the second part takes.
#
# test/t/140_fuzz.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

IPC::Run::run([ '/usr/bin/python3', '-c', 'import psycopg2' ], '<', \undef, '&>', '/dev/null')
  or plan skip_all => 'needs python3-psycopg2';

my $seconds = $ENV{KSTREAM_FUZZ_SECONDS} // 20;
my $node = new_node('main');

# Run the program; it must find nothing.
sub compare
{
	my ($name, @options) = @_;
	my $out;
	my $done = IPC::Run::run(
		[ '/usr/bin/python3', '-B', "$FindBin::RealBin/../fuzz/fuzz.py", $node->connstr('postgres'), @options ],
		'<', \undef, '>&', \$out,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default + 4 * $seconds));

	ok($done, $name);
	$done ? note($out) : diag($out);
	return;
}

# As many queries as find each of the faults that there have been.
compare('queries that are always the same', '--seed', 1, '--queries', 400, '--seconds', 20);
compare('queries that are new', '--queries', 1000000, '--seconds', $seconds);

is_quiet($node, 'nothing is left behind');
log_is_clean($node);
done_testing();
