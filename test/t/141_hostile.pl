#-------------------------------------------------------------------------
#
# 141_hostile.pl
#	The fuzzers that look for crashes: hostile arguments, hostile rows of the
#	catalog and the logs, hostile record batches.
#
# Each runs for KSTREAM_FUZZ_SECONDS (15); its seed is in the log of this test, and
# KSTREAM_FUZZ_SEED repeats it.  After it the server must have lost no process,
# and told of no internal error.
#
# test/t/141_hostile.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

IPC::Run::run([ '/usr/bin/python3', '-c', 'import psycopg2' ], '<', \undef, '&>', \my $said)
  or plan skip_all => 'needs python3-psycopg2';

my $seconds = $ENV{KSTREAM_FUZZ_SECONDS} || 15;
my @seed = $ENV{KSTREAM_FUZZ_SEED} ? ('--seed', $ENV{KSTREAM_FUZZ_SEED}) : ();

foreach my $name ('functions', 'catalog', 'batches')
{
	# the worker is among the readers of hostile rows
	my $node = new_node($name, conf => "autovacuum = off\n", worker => $name eq 'catalog' ? 'on' : 'off');
	my $restart = join ' ', map { "'$_'" } $node->installed_command('pg_ctl'), '-D', $node->data_dir, '-l', $node->logfile, '-m', 'fast', '-w', 'restart';
	my @more = $name eq 'catalog' ? ('--restart', $restart) : ();
	my ($out, $err);
	my $done = IPC::Run::run(
		[ '/usr/bin/python3', '-B', "$FindBin::RealBin/../fuzz/$name.py", '--dsn', $node->connstr('postgres'), '--seconds', $seconds, @seed, @more ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($seconds + 600));
	my ($statements) = $out =~ /^(\d+) statements, /m;

	ok($done, "$name: nothing is found");
	cmp_ok($statements // 0, '>', 100, "$name: there was something to find it in");
	note($out);
	diag($out, $err) unless $done;
	is(join("\n", grep { /PANIC|TRAP|detected write past chunk end|\] XX000 |terminated by signal|was terminated by exception/ } split /\n/, slurp_file($node->logfile)),
		'', "$name: the server lost no process, and tells of no internal error");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), 0, "$name: it answers");
	is_quiet($node, $name) if $name ne 'catalog';
	$node->stop;
}
done_testing();
