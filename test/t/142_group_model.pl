#-------------------------------------------------------------------------
#
# 142_group_model.pl
#	Consumer groups do what a model of them says, whatever is called when.
#
# test/model/groups.py lets sessions take turns with random calls, and compares
# each answer with group_model.py, which is the specification.  A difference is
# printed with the shortest list of steps that shows it, and the seed that found
# it.  KSTREAM_MODEL_SEED begins with another seed than the clock's,
# KSTREAM_MODEL_SECONDS takes more time.
#
# test/t/142_group_model.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{KSTREAM_MODEL_SECONDS} || 25;
my @seed = defined $ENV{KSTREAM_MODEL_SEED} ? ('--seed', $ENV{KSTREAM_MODEL_SEED}) : ();

foreach my $program ('groups.py', 'group_workers.py')
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $done = IPC::Run::run(
		[ '/usr/bin/python3', '-B', "$FindBin::RealBin/../model/$program", '--seconds', $seconds, '--out', $dir, @seed ],
		'<', \undef, '>', \my $out, '2>&1');

	ok($done, "$program finds nothing");
	if ($done) { note($_) foreach grep { /runs|seed/ } split /\n/, $out; }
	else { diag($out); }
}
done_testing();
