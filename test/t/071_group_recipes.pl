#-------------------------------------------------------------------------
#
# 071_group_recipes.pl
#	The recipes of examples/recipes keep what they promise.
#
# Each is run as it stands, also by two at the same time, and is rolled back,
# or killed where it hurts:
#
#	exactly once	in SQL and Python: each payment counts once
#	at least once	killed after the work, before the commit: done again
#	at most once	killed after the commit, in the work: not done again
#	transform		each payment has its receipt, once
#	look up			a row that committed with the record is found
#	dead letter		what fails is in the dead letter topic, what works is done, once
#
# test/t/071_group_recipes.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $clients = "$FindBin::RealBin/../clients";
my $recipes = "$FindBin::RealBin/../../examples/recipes";
my $node = new_node('main');
my $watcher = session($node);
local $ENV{DSN} = $node->connstr('postgres');

sub recipe
{
	my ($name) = @_;
	my $text = slurp_file("$recipes/$name");

	# a statement for a session, which adds the last semicolon
	$text =~ s/^--.*\n//mg;
	$text =~ s/;\s*\z//;
	return $text;
}

$watcher->query(<<'SQL');
SELECT kstream.create_topic('payments', 3);
SELECT kstream.create_topic('receipts', 2);
CREATE TABLE balance (account text, amount numeric);
CREATE TABLE total (account text PRIMARY KEY, amount numeric);
CREATE TABLE account (account text PRIMARY KEY, owner text);
CREATE TABLE statement_line (owner text, amount numeric);
SQL

# Payments are numbers from 1 on, so their sum tells whether each counted
# once.
my $payments = 0;

sub pay
{
	my ($count) = @_;
	my $from = $payments + 1;

	$payments += $count;
	$watcher->query("SELECT count(kstream.produce('payments', 'a' || n % 7, jsonb_build_object('amount', n))) FROM generate_series($from, $payments) n");
	return;
}

# count and sum of 1 .. $payments
sub all_payments
{
	return "$payments|" . $payments * ($payments + 1) / 2;
}

# Exactly once in one statement
my $sql = recipe('exactly_once.sql');
my ($one, $two) = (session($node), session($node));
pay(30);
is($one->query("BEGIN; $sql; SELECT count(*) FROM balance; ROLLBACK"), 30, 'exactly_once.sql: does the work');
is($watcher->query('SELECT count(*) FROM balance'), 0, 'exactly_once.sql: a rollback undoes it');
$one->query($sql);
is($watcher->query('SELECT count(*), sum(amount) FROM balance'), all_payments(), 'exactly_once.sql: the same records come again');
for my $round (1 .. 5)
{
	pay(20);
	$_->start($sql) foreach $one, $two;
	is($_->finish->{err}, '', "exactly_once.sql: round $round") foreach $one, $two;
}
$_->query($sql) foreach $one, $two;
is($watcher->query('SELECT count(*), sum(amount) FROM balance'), all_payments(), 'exactly_once.sql: two sessions, each payment once');
$_->quit foreach $one, $two;

# From one topic into another
$sql = recipe('transform.sql');
$one = session($node);
is($one->query("BEGIN; $sql; ROLLBACK"), $payments, 'transform.sql: does the work');
is($watcher->query("SELECT sum(latest) FROM kstream.list_offsets('receipts')"), 0, 'transform.sql: a rollback undoes it');
is($one->query($sql), $payments, 'transform.sql: the same records come again');
$one->quit;
is($watcher->query(<<'SQL'), all_payments(), 'transform.sql: a receipt for each payment');
SELECT count(*), sum((kstream.json(r.value) ->> 'received')::int)
FROM kstream.list_offsets('receipts') o, LATERAL kstream.fetch('receipts', o.partition, 0, 100000) r
SQL

# The row commits with the record, while the consumer waits in its poll.
$sql = recipe('look_up.sql');
$sql =~ s/'1 s'/'20 s'/;
$watcher->query(q{SELECT kstream.create_group('statements', '{"auto_offset_reset": "latest"}')});
$one = session($node);
$one->query("SELECT FROM kstream.poll('statements', '{payments}', max_wait => '0')");
$one->start($sql);
wait_until('it waits', sub {
	$watcher->query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND pid = " . $one->pid) > 0;
});
$watcher->query(q{BEGIN; INSERT INTO account VALUES ('new', 'Ada'); SELECT kstream.produce('payments', 'new', '{"amount": 0}'::jsonb); COMMIT});
is($one->finish->{sqlstate}, '', 'look_up.sql: runs');
is($watcher->query('SELECT * FROM statement_line'), 'Ada|0', 'look_up.sql: finds the row that the record speaks of');
$one->quit;

# Poison records among others: no JSON, a value that a constraint refuses
my ($setup, $call) = recipe('dead_letter.sql') =~ /^(.*;)\n\n(CALL .*)\z/s;
$watcher->query(<<'SQL');
SELECT kstream.create_topic('orders', 3), kstream.create_topic('orders.dlt');
CREATE TABLE done (id int PRIMARY KEY, amount int CHECK (amount < 90));
SELECT count(kstream.produce('orders', n, CASE WHEN n = 50 THEN 'poison' ELSE jsonb_build_object('id', n, 'amount', n)::text END))
FROM generate_series(1, 100) n;
SQL
$watcher->query($setup);
$one = session($node);
is($one->query("BEGIN; $call; SELECT count(*), sum(id) FROM done; ROLLBACK"), '88|3955', 'dead_letter.sql: does the work');
$one->query($call) foreach 1 .. 2;
is($watcher->query('SELECT count(*), sum(id) FROM done'), '88|3955', 'dead_letter.sql: what works is done once');
is($watcher->query(<<'SQL'), "22P02|1|50\n23514|11|1045", 'dead_letter.sql: what fails is in the topic once, with its error and key');
SELECT left(kstream.header(r.headers, 'error'), 5) AS state, count(DISTINCT kstream.header(r.headers, 'origin')), sum(kstream.text(r.key)::int)
FROM kstream.fetch('orders.dlt', 0, 0) r GROUP BY 1 ORDER BY 1
SQL
is($watcher->query("SELECT sum(records) FROM kstream.lag WHERE group_id = 'work'"), 0, 'dead_letter.sql: nothing is left');
$one->quit;

# Run a recipe that may die in its work; returns what it has done.
sub run_recipe
{
	my ($name, $die_after, @member) = @_;
	my ($out, $err);

	IPC::Run::run([ '/usr/bin/python3', '-B', "$clients/group/recipe.py", "$recipes/$name", $die_after, @member ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	is($err, '', "$name: no error");
	return map { (split / /)[1] } split /\n/, $out;
}

sub amounts
{
	return join ' ', sort { $a <=> $b } @_;
}

# At least once
my @first = run_recipe('at_least_once.py', 5, 'mailer');
my @second = run_recipe('at_least_once.py', 0, 'mailer');
is(scalar(@first), 5, 'at_least_once.py: it dies after the fifth');
is(amounts(@second), join(' ', 0 .. $payments), 'at_least_once.py: all are done, the five again');
is(amounts(run_recipe('at_least_once.py', 0, 'mailer')), '', 'at_least_once.py: then nothing is left');

# At most once
@first = run_recipe('at_most_once.py', 5);
is(scalar(@first), 5, 'at_most_once.py: it dies in the fifth');
is(amounts(run_recipe('at_most_once.py', 0)), '', 'at_most_once.py: the others are lost');
pay(10);
is(amounts(run_recipe('at_most_once.py', 0)), join(' ', $payments - 9 .. $payments), 'at_most_once.py: it goes on behind them');

# Exactly once in Python: two processes, killed and started again
my %process;

sub start_consumer
{
	my ($which) = @_;
	my ($err) = ('');

	$process{$which} = IPC::Run::start([ '/usr/bin/python3', '-B', "$recipes/exactly_once.py" ], '<', \undef, '>', \my $out, '2>', \$err);
	return;
}

sub behind
{
	my $left = $watcher->query("SELECT sum(records) FROM kstream.lag WHERE group_id = 'totals'");
	return $left eq '' ? 1 : $left;
}

start_consumer($_) foreach 0, 1;
foreach my $round (1 .. 8)
{
	my $which = $round % 2;

	pay(25);
	wait_until('some of it is done', sub { behind() < $payments });
	if ($round % 4 == 0)
	{
		$watcher->query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'totals' AND pid <> pg_backend_pid()");
		foreach (0, 1)
		{
			$process{$_}->kill_kill;
			start_consumer($_);
		}
		next;
	}
	$process{$which}->signal('KILL');
	eval { $process{$which}->finish };
	start_consumer($which);
}
wait_until('all is done', sub { behind() == 0 });
$_->kill_kill foreach values %process;
is($watcher->query('SELECT sum(amount) FROM total'), $payments * ($payments + 1) / 2, 'exactly_once.py: each payment once');

log_is_clean($node);
$watcher->quit;
$node->stop;
done_testing();
