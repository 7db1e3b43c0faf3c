#-------------------------------------------------------------------------
#
# 143_log_model.pl
#	What can be read of a topic is what a model of it says, whatever maintenance,
#	failing transactions, reindexing and crashes did.
#
# test/model/logs.py makes a random history and compares what is read, by every
# way to read, with log_model.py.  KSTREAM_MODEL_SEED repeats a seed, as far as
# races repeat; KSTREAM_MODEL_SECONDS takes more time.
#
# test/t/143_log_model.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{KSTREAM_MODEL_SECONDS} || 45;
my @seed = defined $ENV{KSTREAM_MODEL_SEED} ? ('--seed', $ENV{KSTREAM_MODEL_SEED}) : ();
my $dir = PostgreSQL::Test::Utils::tempdir();
my $done = IPC::Run::run(
	[ '/usr/bin/python3', '-B', "$FindBin::RealBin/../model/logs.py", '--seconds', $seconds, '--out', $dir, @seed ],
	'<', \undef, '>', \my $out, '2>&1');

ok($done, 'logs.py finds nothing');
if ($done) { note($_) foreach grep { /seed/ } split /\n/, $out; }
else { diag($out); }
done_testing();
