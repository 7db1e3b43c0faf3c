#-------------------------------------------------------------------------
#
# 001_restart.pl
#	What a topic holds, and where it goes on, after every way to stop.
#
# Offsets are kept in shared memory and found again from the tables.  What must
# survive: every acknowledged record at its offset, the end that consumers
# were shown, and that no offset which anybody was shown is given to another
# record.  The dangerous states are those where memory knew more than the
# tables do: transactions that took offsets and aborted (their rows may be on
# disk or not), a consumer that stands at the end behind such a hole, a roll
# to a segment that nobody has written to, records that were all deleted.
#
# Each state is made as a topic of its own, all at once, for each way to stop;
# afterwards every topic is looked at, goes on, and is looked at again.
#
# With synchronous_commit off, the last commits before a crash may be lost and
# their offsets given again; nothing here turns it off.
#
# test/t/001_restart.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

# Add records of 100 kB, as many as there are names, and how scan shows them.
sub add_big
{
	my ($topic, @names) = @_;
	my $list = join ', ', map { "'$_'" } @names;

	$node->safe_psql('postgres', "SELECT kstream.produce_batch('$topic', NULL, ARRAY(SELECT rpad(n, 100000, 'B') FROM unnest(ARRAY[$list]) n), partition => 0)");
	return;
}

sub big { return map { "$_*100000" } @_; }

# An aborted transaction that stopped at a point, with records of that size.
sub abort_at
{
	my ($point, $topic, $value) = @_;
	my $state = sqlstate($node, <<"SQL");
SET kstream.debug_point = '$point=error';
BEGIN;
SELECT kstream.produce('$topic', NULL, repeat('$value', 2000), partition => 0) FROM generate_series(1, 3);
COMMIT;
SQL
	die "expected an abort, got \"$state\"" unless $state eq '57000';
	return;
}

sub maintain { return $node->safe_psql('postgres', 'CALL kstream.run_maintenance()'); }

sub segments
{
	my ($topic) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM kstream.segments WHERE topic = '$topic'");
}

# Sessions that stand in the middle of a commit when the server stops, and the
# two that hold them there and look on.
my (@hanging, $holder, $watcher);

# A transaction that has taken offsets, and stays there.
sub hang_with_offsets
{
	my ($topic) = @_;
	my $victim = session($node);

	unless (@hanging)
	{
		push @hanging, $holder = session($node), $watcher = session($node);
		$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	}
	$victim->start("SET kstream.debug_point = 'precommit.written=wait';\n"
		  . "SELECT kstream.produce('$topic', NULL, 'never', partition => 0)");
	wait_at_point($watcher, $victim->pid);
	push @hanging, $victim;
	return;
}

# name => [ how to make it, records that must be seen, options ]
my @cases = (
	[ 'plain', sub { add($node, $_[0], 0, qw(a b c)); add($node, $_[0], 0, 'd'); }, 'a b c d' ],
	[ 'empty', sub { }, '' ],
	[ 'aborted_rows', sub { add($node, $_[0], 0, qw(a b)); abort_at('precommit.written', $_[0], 'x'); }, 'a b' ],
	[
		'aborted_rows_on_disk',
		sub {
			add($node, $_[0], 0, qw(a b));
			abort_at('precommit.written', $_[0], 'x');
			$node->safe_psql('postgres', 'CHECKPOINT');
		},
		'a b'
	],
	[ 'aborted_no_rows', sub { add($node, $_[0], 0, qw(a b)); abort_at('precommit.reserved', $_[0], 'x'); }, 'a b' ],
	[ 'only_aborted', sub { abort_at('precommit.written', $_[0], 'x') for 1 .. 2; }, '' ],
	[
		'hole_inside',
		sub {
			add($node, $_[0], 0, 'a');
			abort_at('precommit.reserved', $_[0], 'x');
			add($node, $_[0], 0, 'b');
		},
		'a b'
	],
	[
		'aborted_vacuumed',
		sub {
			add($node, $_[0], 0, 'a');
			abort_at('precommit.written', $_[0], 'x');
			my $table = $node->safe_psql('postgres', "SELECT relation FROM kstream.segments WHERE topic = '$_[0]'");
			$node->safe_psql('postgres', "VACUUM $table; CHECKPOINT");
		},
		'a'
	],
	[
		'all_deleted',
		sub {
			add($node, $_[0], 0, qw(a b c));
			is($node->safe_psql('postgres', "SELECT kstream.delete_records('$_[0]', 0, -1)"), 3, 'deleted to the end');
		},
		''
	],
	[
		'all_deleted_behind_hole',
		sub {
			add($node, $_[0], 0, qw(a b c));
			abort_at('precommit.reserved', $_[0], 'x');
			$node->safe_psql('postgres', "SELECT kstream.delete_records('$_[0]', 0, -1)");
		},
		''
	],
	[
		'segments',
		sub {
			for my $i (1 .. 6)
			{
				add_big($_[0], map { "$i.$_" } 1 .. 5);
				maintain();
			}
			cmp_ok(segments($_[0]), '>=', 3, 'several segments');
		},
		join ' ',
		map { my $i = $_; map { big("$i.$_") } 1 .. 5 } 1 .. 6
	],
	[
		'spare',
		sub {
			add($node, $_[0], 0, qw(a b));
			maintain();
			is(segments($_[0]), 2, 'a spare segment');
		},
		'a b'
	],
	# the reservation that rolls takes offsets of the new segment; nothing of it
	# is written, or only rows of an aborted transaction
	map {
		my $point = $_;
		[
			"rolled_$point",
			sub {
				my ($topic) = @_;
				add_big($topic, "r$_") for 1 .. 8;
				maintain();
				my $rolls = "SELECT rolls FROM kstream.stats WHERE topic = '$topic'";
				is($node->safe_psql('postgres', $rolls), 0, 'not rolled yet');
				is(sqlstate($node, <<"SQL"), '57000', 'rolled, then aborted');
SET kstream.debug_point = 'precommit.$point=error';
SELECT kstream.produce_batch('$topic', NULL, array_fill(repeat('x', 100000), ARRAY[6]), partition => 0)
SQL
				is($node->safe_psql('postgres', $rolls), 1, 'rolled');
			},
			join(' ', map { big("r$_") } 1 .. 8)
		]
	} qw(reserved written));

# The two cases that need a stop without grace, and another end afterwards.
my @crash_cases = (
	[ 'hanging', sub { add($node, $_[0], 0, qw(a b)); hang_with_offsets($_[0]); add($node, $_[0], 0, 'c'); }, 'a b', 'a b c' ],
	[ 'hanging_tail', sub { add($node, $_[0], 0, 'a'); hang_with_offsets($_[0]); }, 'a', 'a' ]);

# (topic, partition, offset) => value, of all that was ever seen
my %ever;

# What a topic shows now; no offset may show another record than before.
sub look
{
	my ($topic, $name) = @_;
	my $rows = scan($node, $topic);
	my @changed;

	foreach my $row (@$rows)
	{
		my ($partition, $offset, $value) = @$row;
		my $known = \$ever{$topic}{$partition}{$offset};

		push @changed, $offset if defined $$known && $$known ne $value;
		$$known = $value;
	}
	is("@changed", '', "$name: every offset shows the record that it showed before");
	return values_of($rows);
}

sub topic_of { return "$_[0].$_[1]"; }

# Kill a process; PostgreSQL ends all others then, and recovers.
sub kill_process
{
	my ($type) = @_;
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'");

	kill 'KILL', $pid;
	wait_usable($node);
	return;
}

my %stop = (
	fast => sub { $node->restart; },
	immediate => sub { $node->stop('immediate'); $node->start; },
	kill_postmaster => sub {
		my @pids = split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
		$node->kill9;
		# who stands at a heavyweight lock leaves as soon as it sees that
		kill 'KILL', @pids;
		wait_until('the backends are gone', sub { !grep { kill 0, $_ } @pids });
		wait_until('the server starts', sub { $node->start(fail_ok => 1) });
	},
	kill_backend => sub {
		my $victim = session($node);
		kill 'KILL', $victim->pid;
		ok($victim->run('SELECT 1')->{lost}, 'the backend is killed');
		$victim->quit;
		wait_usable($node);
	},
	kill_walwriter => sub { kill_process('walwriter'); },
	kill_checkpointer => sub { kill_process('checkpointer'); });

foreach my $mode (sort keys %stop)
{
	my @run = (@cases, $mode eq 'fast' ? () : @crash_cases);
	my %end;

	foreach my $case (@run)
	{
		my ($name, $make, $expected) = @$case;
		my $topic = topic_of($name, $mode);

		$node->safe_psql('postgres', "SELECT kstream.create_topic('$topic', options => '{\"segment_bytes\": \"1MB\", \"compression\": \"none\"}')");
		$make->($topic);
		is(look($topic, $topic), $expected, "$topic: before");
		$end{$topic} = latest($node, $topic, 0);
		is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.fetch('$topic', 0, $end{$topic})"),
			0, "$topic: a consumer stands at the end");
	}

	$stop{$mode}->();
	$_->quit foreach splice @hanging;

	foreach my $case (@run)
	{
		my ($name, undef, $before, $after) = @$case;
		my $topic = topic_of($name, $mode);
		my $expected = defined $after ? $after : $before;
		my $latest = latest($node, $topic, 0);

		is(look($topic, $topic), $expected, "$topic: after $mode");
		cmp_ok($latest, '>=', $end{$topic}, "$topic: the end is not behind what was shown");
		is($latest, $end{$topic}, "$topic: the end is what was shown") unless defined $after;
		my $base = add($node, $topic, 0, 'new1');
		cmp_ok($base, '>=', $latest, "$topic: goes on behind the end");
		is($base, $latest, "$topic: goes on exactly at the end") if $name =~ /^(?:plain|empty|all_deleted|segments|spare)$/;
		is($node->safe_psql('postgres', "SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('$topic', 0, $end{$topic}) r WHERE r.offset >= $latest"),
			'new1', "$topic: who stood at the end reads on");
		maintain() if $name =~ /spare|segments|rolled/;
		add($node, $topic, 0, 'new2');
		is(look($topic, $topic), join(' ', sort split(/ /, $expected), 'new1', 'new2'), "$topic: all is there");
		is_sound($node, $topic, $topic);
	}
	is(segments(topic_of('spare', $mode)), 2, "$mode: the spare that was there is the spare");
	is(sqlstate($node, "SELECT * FROM kstream.fetch('all_deleted.$mode', 0, 2)"), 'KS001', "$mode: deleted records stay deleted");
	is_quiet($node, $mode);
}

# Rows that an aborted transaction left are not written over, though nobody saw
# them.  (Nobody must look before the restart: a scan marks dead rows as such.)
$node->safe_psql('postgres', "SELECT kstream.create_topic('dead')");
add($node, 'dead', 0, qw(a b));
abort_at('precommit.written', 'dead', 'x');
$node->restart;
is(add($node, 'dead', 0, 'c'), 5, 'offsets go on behind the rows of an aborted transaction');

# Everything once more after the last stop, with all these ways behind it.
$node->restart;
foreach my $topic (sort keys %ever)
{
	my @lost;
	my $rows = scan($node, $topic);
	my %now = map { ("$_->[0] $_->[1]" => $_->[2]) } @$rows;
	my $start = $node->safe_psql('postgres', "SELECT earliest FROM kstream.list_offsets('$topic')");
	foreach my $offset (sort { $a <=> $b } keys %{ $ever{$topic}{0} })
	{
		push @lost, $offset if $offset >= $start && ($now{"0 $offset"} // '') ne $ever{$topic}{0}{$offset};
	}
	is("@lost", '', "$topic: nothing that was ever seen is lost or changed");
}

log_is_clean($node);
$node->stop;
done_testing();
