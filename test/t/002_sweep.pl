#-------------------------------------------------------------------------
#
# 002_sweep.pl
#	Every debug point, every way to be stopped there.
#
# At each point of producing, committing, fetching, recovering and rolling a
# backend fails, dies, is cancelled, is terminated, is stopped and continued,
# while it does what leads to that point.  After each:
#
#	- the server is usable, nobody else was disturbed beyond what a crash does
#	- what was acknowledged is there exactly once, what failed is not there
#	  at all, and what was cut off is there as a whole or not at all, over
#	  three partitions
#	- the last stable offset moves on, nothing is in flight, no lock is left
#	- offsets go up, the log is sound
#
# In COMMIT and ABORT callbacks nothing may fail, so there a backend only
# dies, or is slow while it is terminated.
#
# test/t/002_sweep.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_node('main');
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

my $partitions = 3;
$node->safe_psql('postgres', "SELECT kstream.create_topic('t', $partitions); CREATE TABLE skew (id int, n int); INSERT INTO skew VALUES (1, 0), (2, 0)");

my ($holder, $watcher);

# After a crash all sessions are gone.
sub connect_again
{
	$_->quit foreach grep { defined } ($holder, $watcher);
	$holder = session($node);
	$watcher = session($node);
	return;
}

connect_again();

# What must be in the topic: value => how often (undef: as its whole
# transaction, 0 or 1).
my %acknowledged;
my %unknown;
my @next = (0) x $partitions;
my $case_number = 0;

# The operations.  Each is SQL to prepare, SQL to run with the debug point on,
# and the values that it produces.
sub produce_sql
{
	my ($topic, $tag) = @_;

	return join("\n", 'BEGIN;',
		(map { my $p = $_; map { "SELECT FROM kstream.produce('$topic', NULL, '$tag.$p.$_', partition => $p);" } 0, 1 } 0 .. $partitions - 1),
		'COMMIT');
}

sub produced_values
{
	my ($tag) = @_;
	return map { my $p = $_; map { "$tag.$p.$_" } 0, 1 } 0 .. $partitions - 1;
}

my %operation = (
	produce => sub {
		my ($tag) = @_;
		return { sql => produce_sql('t', $tag), values => [ produced_values($tag) ], topic => 't' };
	},
	# the topic is new, so its partitions are looked for in the tables
	first_use => sub {
		my ($tag) = @_;
		return {
			before => "SELECT kstream.create_topic('$tag', $partitions)",
			sql => produce_sql($tag, $tag),
			values => [ produced_values($tag) ],
			topic => $tag
		};
	},
	fetch => sub {
		return { sql => "SELECT count(*) FROM kstream.fetch('t', 1, 0)", values => [] };
	},
	wait => sub {
		return {
			sql => "SELECT count(*) FROM kstream.fetch('t', 1, (SELECT latest FROM kstream.list_offsets('t') WHERE partition = 1), max_wait => '20 ms')",
			values => []
		};
	},
	roll => sub {
		my ($tag) = @_;
		return {
			before => "SELECT kstream.create_topic('$tag', $partitions);\n" . produce_sql($tag, "$tag.0"),
			sql => 'CALL kstream.run_maintenance()',
			values => [],
			topic => $tag
		};
	},
	# another session commits first, so this one fails after its flush
	abort => sub {
		my ($tag) = @_;
		my $sql = produce_sql('t', $tag);
		$sql =~ s/^BEGIN;//;
		return {
			before => "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM skew WHERE id = 1; UPDATE skew SET n = n + 1 WHERE id = 2",
			between => "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM skew WHERE id = 2; UPDATE skew SET n = n + 1 WHERE id = 1; COMMIT",
			sql => $sql,
			values => [ produced_values($tag) ],
			topic => 't',
			fails => '40001'
		};
	});

# The ways to be stopped.  Each gets the victim (debug point not set yet), the
# point and the operation, and returns how it ended: committed, failed,
# unknown.
sub start_at
{
	my ($victim, $point, $action, $op) = @_;

	my $set = "kstream.debug_point = '$point=$action'";
	my $sql = $op->{sql};

	# Where there is a transaction block the setting is its own, or the
	# callbacks of SET itself would be stopped.
	if ($op->{fails})
	{
		$sql = "SET LOCAL $set;\n$sql";
	}
	elsif ($sql !~ s/^BEGIN;/BEGIN; SET LOCAL $set;/)
	{
		$victim->query("SET $set");
	}
	$victim->start($sql);
	return;
}

# The victim stands at the point; do something to it, let go, tell its result.
sub while_waiting
{
	my ($victim, $point, $op, $do) = @_;

	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	start_at($victim, $point, 'wait', $op);
	wait_at_point($watcher, $victim->pid);
	$do->($victim->pid);
	my $result = $victim->finish;
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	return $result;
}

sub expect
{
	my ($result, $sqlstate, $lost, $name) = @_;

	is($result->{sqlstate}, $sqlstate, "$name: SQLSTATE") or diag $result->{err};
	is($result->{lost} ? 1 : 0, $lost, $lost ? "$name: the connection ends" : "$name: the connection lasts");
	return;
}

# It must act at once, though the lock is still held.
sub quickly
{
	my ($name, $do) = @_;
	my $begin = time;
	my $result = $do->();

	cmp_ok(time - $begin, '<', 2, "$name: at once");
	return $result;
}

my %way = (
	error => sub {
		my ($victim, $point, $op, $name) = @_;
		start_at($victim, $point, 'error', $op);
		expect($victim->finish, '57000', 0, $name);
		return 'failed';
	},
	fatal => sub {
		my ($victim, $point, $op, $name) = @_;
		start_at($victim, $point, 'fatal', $op);
		expect($victim->finish, '57P01', 1, $name);
		return 'failed';
	},
	sigkill => sub {
		my ($victim, $point, $op, $name) = @_;
		start_at($victim, $point, 'sigkill', $op);
		ok($victim->finish->{lost}, "$name: the connection ends");
		wait_usable($node);
		connect_again();
		return 'unknown';
	},
	cancel => sub {
		my ($victim, $point, $op, $name) = @_;
		my $result = quickly($name, sub {
			while_waiting($victim, $point, $op, sub { $watcher->query("SELECT pg_cancel_backend($_[0])") });
		});
		expect($result, '57014', 0, $name);
		return 'failed';
	},
	terminate => sub {
		my ($victim, $point, $op, $name) = @_;
		my $result = quickly($name, sub {
			while_waiting($victim, $point, $op, sub { $watcher->query("SELECT pg_terminate_backend($_[0])") });
		});
		expect($result, '57P01', 1, $name);
		return 'failed';
	},
	# Stopped by the system: others go on, and readers see nothing behind its
	# offsets if it has some.
	stop => sub {
		my ($victim, $point, $op, $name) = @_;
		my $other = "other$case_number";

		$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
		start_at($victim, $point, 'wait', $op);
		wait_at_point($watcher, $victim->pid);
		kill 'STOP', $victim->pid;
		$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');

		my $taken = $watcher->query("SELECT base_offset FROM kstream.in_flight WHERE pid = " . $victim->pid . " AND topic = 't' AND partition = 1");
		$watcher->query("SELECT kstream.produce('t', NULL, '$other', partition => 1)");
		$acknowledged{$other} = 1;
		my $end = $watcher->query("SELECT latest FROM kstream.list_offsets('t') WHERE partition = 1");
		my $seen = $watcher->query("SELECT count(*) FROM kstream.fetch('t', 1, greatest($end - 50, 0), 2147483647) r WHERE kstream.text(r.value) = '$other'");
		if ($taken ne '')
		{
			cmp_ok($end, '<=', $taken, "$name: the end waits for the offsets that were taken");
			is($seen, 0, "$name: what is behind them is not shown");
		}
		else
		{
			is($seen, 1, "$name: others are not held back");
		}
		kill 'CONT', $victim->pid;
		my $result = $victim->finish;
		expect($result, '', 0, $name);
		return 'committed';
	},
	# in the callbacks: slow, and told to leave meanwhile
	slow => sub {
		my ($victim, $point, $op, $name) = @_;
		my $pid = $victim->pid;

		start_at($victim, $point, 'sleep:100', $op);
		wait_until('the victim is at work', sub {
			$watcher->query("SELECT count(*) FROM kstream.in_flight WHERE pid = $pid") > 0
			  || $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'idle' AND query LIKE '%COMMIT%'") > 0;
		});
		my $result = $victim->finish;
		expect($result, $op->{fails} || '', 0, $name);
		return $op->{fails} ? 'failed' : 'committed';
	},
	terminate_slow => sub {
		my ($victim, $point, $op, $name) = @_;
		my $pid = $victim->pid;

		start_at($victim, $point, 'sleep:100', $op);
		# it is past the point of no return when its offsets can be seen; where
		# the end of the sleep comes first, the session was terminated when idle
		wait_until('the victim is at work', sub {
			$watcher->query("SELECT count(*) FROM kstream.in_flight WHERE pid = $pid") > 0
			  || $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state LIKE 'idle%' AND query LIKE '%COMMIT%'") > 0;
		});
		$watcher->query("SELECT pg_terminate_backend($pid)");
		wait_until('the victim is gone', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid") == 0 });
		$victim->finish;
		return 'unknown';
	});

my @anywhere = qw(error fatal sigkill cancel terminate stop);
my @callback = qw(slow terminate_slow sigkill);
my @sweep = (
	[ 'produce.enqueue:3', 'produce', @anywhere ],
	[ 'precommit.begin', 'produce', @anywhere ],
	[ 'precommit.locked', 'produce', @anywhere ],
	[ 'precommit.reserved', 'produce', @anywhere ],
	[ 'precommit.row_n:1', 'produce', @anywhere ],
	[ 'precommit.row_n:3', 'produce', @anywhere ],
	[ 'precommit.written', 'produce', @anywhere ],
	[ 'precommit.done', 'produce', @anywhere ],
	[ 'commit.before_dereg', 'produce', @callback ],
	[ 'commit.before_wake:2', 'produce', @callback ],
	[ 'commit.after_dereg', 'produce', @callback ],
	[ 'abort.before_dereg', 'abort', @callback ],
	[ 'init.scan:1', 'first_use', @anywhere ],
	[ 'init.scan:2', 'first_use', @anywhere ],
	[ 'roll.created:2', 'roll', @anywhere ],
	[ 'fetch.after_lso', 'fetch', @anywhere ],
	[ 'fetch.after_snapshot', 'fetch', @anywhere ],
	[ 'fetch.segment_open', 'fetch', @anywhere ],
	[ 'fetch.row_n:5', 'fetch', @anywhere ],
	[ 'fetch.before_wait:1', 'wait', @anywhere ],
	[ 'fetch.before_sleep:1', 'wait', @anywhere ]);

# Everything that must hold after a case, in as few statements as will do.
sub check
{
	my ($name, $topic) = @_;
	my $marker = "marker$case_number";
	my %found;
	my @wrong;

	is($watcher->query(<<'SQL'), '', "$name: nothing in flight, no lock is left");
SELECT 'in flight', topic, partition, base_offset FROM kstream.in_flight
UNION ALL
SELECT 'lock', l.locktype, l.pid, coalesce(l.relation, l.objid)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid()
  AND l.locktype <> 'virtualxid'
SQL

	# a new transaction over all partitions gets through and can be read
	my @base = split /\n/, $watcher->query("BEGIN;\n"
		  . join("\n", map { "SELECT FROM kstream.produce('t', NULL, '$marker.$_', partition => $_);" } 0 .. $partitions - 1)
		  . "\nCOMMIT;\nSELECT base_offset FROM kstream.last_produced() ORDER BY partition");
	@base = grep { $_ ne '' } @base;
	foreach my $p (0 .. $partitions - 1)
	{
		$acknowledged{"$marker.$p"} = 1;
		push @wrong, "partition $p goes on at $base[$p], $next[$p] was reached" if $base[$p] < $next[$p];
		$next[$p] = $base[$p] + 1;
	}

	foreach my $t ('t', grep { defined && $_ ne 't' } $topic)
	{
		$found{$_}++ foreach split /\n/, $watcher->query("SELECT kstream.text(r.value) FROM kstream.list_offsets('$t') o, LATERAL kstream.fetch('$t', o.partition, 0, 2147483647) r");
	}
	foreach my $value (keys %acknowledged)
	{
		push @wrong, "acknowledged $value is there " . ($found{$value} // 0) . ' times' if ($found{$value} // 0) != 1;
	}
	foreach my $tag (keys %unknown)
	{
		my @there = map { $found{$_} // 0 } @{ $unknown{$tag} };
		my $sum = 0;
		$sum += $_ foreach @there;
		push @wrong, "of $tag, which was cut off, there are @there"
		  unless $sum == 0 || (grep { $_ == 1 } @there) == @there;
	}
	my %allowed = (%acknowledged, map { ($_ => 1) } map { @$_ } values %unknown);
	push @wrong, map { "$_ must not be there" } grep { !exists $allowed{$_} && !/^roll/ } keys %found;
	push @wrong, $watcher->query("SELECT * FROM kstream.verify('$_')") foreach grep { defined } 't', (defined $topic && $topic ne 't' ? $topic : undef);
	is(join("\n", sort grep { $_ ne '' } @wrong), '', "$name: all or nothing, once, in order, sound");
	return;
}

foreach my $line (@sweep)
{
	my ($point, $operation, @ways) = @$line;

	foreach my $way (@ways)
	{
		my $name = "$point, $way";
		my $tag = "$operation." . ++$case_number;
		my $op = $operation{$operation}->($tag);
		my $victim = session($node);

		$watcher->query("SELECT FROM kstream.fetch('t', 0, 0)");
		$victim->query($op->{before}) if $op->{before};
		$watcher->query($op->{between}) if $op->{between};
		my $outcome = $way{$way}->($victim, $point, $op, $name);
		$victim->quit;

		# values of topics of their own are looked at only here
		my @mine;
		if ($outcome eq 'committed' && !$op->{fails})
		{
			$acknowledged{$_} = 1 foreach @{ $op->{values} };
		}
		elsif ($outcome eq 'unknown' && !$op->{fails} && @{ $op->{values} })
		{
			$unknown{$tag} = $op->{values};
		}
		check($name, $op->{topic});
		if (defined $op->{topic} && $op->{topic} ne 't')
		{
			delete $acknowledged{$_} foreach @{ $op->{values} };
			delete $unknown{$tag};
			# it goes on, and is itself again
			$watcher->query(produce_sql($tag, 'again'));
			$watcher->query("CALL kstream.run_maintenance()");
			is($watcher->query("SELECT string_agg(DISTINCT segments::text, ' ') FROM kstream.partitions WHERE topic = '$tag'"),
				2, "$name: each partition has its segment and a spare")
			  if $operation eq 'roll';
			$watcher->query("SELECT kstream.drop_topic('$tag')");
		}
	}
}

log_is_clean($node);
$node->stop;
done_testing();
