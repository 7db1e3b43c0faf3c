# 062_group_clients.pl
#	Applications in other languages produce, and consume in one group.
#
# The producers and consumers of examples/ are written as a user would: a
# producer places orders (a row and a record in one transaction), a consumer
# ships them (a row per record and the offset in one transaction).  All of them
# work on one topic.  Then the worst is done to them at the worst time, with
# the help of triggers: each order passes a gate, an advisory lock (1, number)
# when it is placed and (2, 0) when it is shipped.  Whom the gate holds stands
# in the middle of his transaction.
#
#	1	nothing happens
#	2	the server restarts while all of them stand at a gate
#	3	consumers are killed while all consumers stand at the gate: one that is a
#		member as a session, whose partitions others take over, and one that has
#		a name, under which it starts again
#
# After each, every order has been shipped once, and in order of the offsets.
# A language whose driver is not installed is skipped, and said so
# (test/perl/KstreamClients.pm).
use strict;
use warnings;

use IPC::Run;
use KstreamClients;
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant PARTITIONS => 12;
use constant ORDERS => 60;      # of each language and in each part

# Numbers of orders begin at 1000 * (the language's place in @LANGUAGES + 1).
# Who has a name here is a member by it, the others are as sessions.
my %name_of = (node => 'dock 2', java => 'dock 4');

my (%consumer_command, %producer_command, %consumers, @started);

my $node = client_node('group_clients');
$node->safe_psql('postgres', <<"SQL", extra_params => [ '-U', 'app' ]);
SELECT kstream.create_topic('orders', @{[PARTITIONS]});
SQL
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE orders (
    id        bigint PRIMARY KEY,
    customer  text NOT NULL,
    cents     bigint NOT NULL,
    source    text NOT NULL,
    placed_at timestamptz NOT NULL);
CREATE TABLE shipment (
    id            bigserial,
    consumer      text NOT NULL DEFAULT current_setting('application_name'),
    pid           int NOT NULL DEFAULT pg_backend_pid(),
    partition     int NOT NULL,
    record_offset bigint NOT NULL,
    placed_at     timestamptz NOT NULL,
    order_id      bigint NOT NULL,
    record        bytea NOT NULL,
    headers       jsonb NOT NULL);
GRANT ALL ON orders, shipment, shipment_id_seq TO app;

CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_RELID = 'orders'::regclass THEN
        PERFORM pg_advisory_xact_lock_shared(1, NEW.id::int);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(2, 0);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION gate();
CREATE TRIGGER gate BEFORE INSERT ON shipment FOR EACH ROW EXECUTE FUNCTION gate();
SQL

sub start_program
{
	my ($language, $name, @command) = @_;
	my %program = (name => $name, err => '');
	local %ENV = client_env($node, $language, $name);

	$program{run} = IPC::Run::start(\@command, '<', \undef, '>', \my $out, '2>', \$program{err});
	push @started, $program{run};
	return \%program;
}

# Consumers never end of themselves.
sub end_programs
{
	foreach my $run (splice @started)
	{
		$run->signal('KILL');
		eval { $run->finish };
	}
	return;
}

# also of a test that is given up
END
{
	my $status = $?;
	end_programs();
	$? = $status;
}

sub start_consumer
{
	my ($language, $name) = @_;
	my @member = $name_of{$language} ? ($name_of{$language}) : ();

	$consumers{$name} = start_program($language, $name, @{ $consumer_command{$language} }, @member);
	return;
}

sub first_order
{
	my ($part, $n) = @_;
	return 1000 * ($n + 1) + ORDERS * ($part - 1) + 1;
}

# Start the producers of a part's orders; returns them.
sub start_producers
{
	my ($part) = @_;
	my @producers;

	for my $n (grep { $producer_command{ $LANGUAGES[$_] } } 0 .. $#LANGUAGES)
	{
		my $language = $LANGUAGES[$n];
		my $first = first_order($part, $n);
		push @producers, start_program($language, "$language producer",
			@{ $producer_command{$language} }, $first, $first + ORDERS - 1);
	}
	return @producers;
}

# Producers must come to their end, and well.
sub end_producers
{
	foreach my $producer (@_)
	{
		ok($producer->{run}->finish, "$producer->{name}: places its orders")
		  or diag($producer->{err});
	}
	return;
}

sub wait_for
{
	my ($query, $what) = @_;
	return ok($node->poll_query_until('postgres', $query), $what)
	  || BAIL_OUT("$what: never came true: $query");
}

# Every member of the group has an equal share, and nobody is left out.
sub wait_balanced
{
	my ($what) = @_;
	my $members = keys %consumers;
	my $share = PARTITIONS / $members;

	return wait_for("SELECT count(*) = $members AND bool_and(partitions = $share)
			FROM kstream.members WHERE group_id = 'shipping'",
		"$what: each of the $members consumers has $share partitions");
}

# Until that many sessions stand at gates of that kind.
sub wait_standing
{
	my ($gate, $count, $what) = @_;
	return wait_for("SELECT count(*) = $count FROM pg_locks
			WHERE locktype = 'advisory' AND classid = $gate AND NOT granted", $what);
}

# What is left of a part when all is shipped.
sub check_part
{
	my ($part) = @_;
	my $orders = ORDERS * $part * keys %producer_command;

	# What is shipped twice comes with the other records or right after; the
	# queries below would find it then, too.
	wait_for("SELECT count(DISTINCT order_id) >= $orders FROM shipment", "part $part: all orders are shipped");
	wait_for("SELECT coalesce(sum(records), 0) = 0 FROM kstream.lag WHERE group_id = 'shipping'",
		"part $part: and all offsets are committed");
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT order_id) FROM shipment'),
		"$orders|$orders", "part $part: each of them once");
	is($node->safe_psql('postgres', <<'SQL'), '', "part $part: nothing was changed on the way");
SELECT s.consumer, s.headers, s.placed_at, o, convert_from(s.record, 'UTF8')
FROM orders o FULL JOIN shipment s ON s.order_id = o.id
WHERE (s.headers = jsonb_build_object('source', o.source)
       AND s.placed_at = date_trunc('milliseconds', o.placed_at)
       AND convert_from(s.record, 'UTF8')::jsonb =
           jsonb_build_object('id', o.id, 'customer', o.customer, 'cents', o.cents)) IS NOT TRUE
ORDER BY o.id LIMIT 5
SQL
	is($node->safe_psql('postgres', <<'SQL'), '0', "part $part: in the order of the offsets");
SELECT count(*) FROM (SELECT record_offset, lag(record_offset) OVER (PARTITION BY partition ORDER BY id) AS before
                      FROM shipment) s
WHERE record_offset <= before
SQL
	return;
}

foreach my $language (@LANGUAGES)
{
	my @consumer = client_command($language, 'consumer') or next;
	$consumer_command{$language} = \@consumer;
	$producer_command{$language} = [ client_command($language, 'producer') ];
}
my @languages = grep { $consumer_command{$_} } @LANGUAGES;
BAIL_OUT('no client could be run') if !@languages;

# 1: nothing happens
foreach my $language (@languages)
{
	start_consumer($language, $language);
}
wait_balanced('at the start');
end_producers(start_producers(1));
check_part(1);
is($node->safe_psql('postgres',
		'SELECT count(DISTINCT (s.consumer, o.source)) FROM shipment s JOIN orders o ON o.id = s.order_id'),
	@languages**2, 'every consumer has shipped orders of every producer');

# 2: the server restarts while everybody is in the middle of a transaction
my $gate = session($node);
$gate->query('SELECT pg_advisory_lock(2, 0)');
for my $n (0 .. $#LANGUAGES)
{
	$gate->query('SELECT pg_advisory_lock(1, ' . (first_order(2, $n) + ORDERS / 2) . ')');
}
my @producers = start_producers(2);
wait_standing(1, scalar @producers, 'every producer stands in the middle of an order');
wait_standing(2, scalar keys %consumers, 'every consumer stands in the middle of a batch');
$node->restart;
$gate->quit;
end_producers(@producers);
is(scalar(grep { $_->{err} =~ /will try again/ } @producers), scalar @producers,
	'every producer has noticed the restart');
check_part(2);
wait_balanced('after the restart');

# 3: consumers are killed in the middle of a batch
my ($session) = grep { !$name_of{$_} } @languages;
my ($named) = grep { $name_of{$_} } @languages;
my @victims = grep { defined } $session, $named;
$gate = session($node);
$gate->query('SELECT pg_advisory_lock(2, 0)');
end_producers(start_producers(3));
wait_standing(2, scalar keys %consumers, 'every consumer stands in the middle of a batch again');
my $pids = $node->safe_psql('postgres',
	"SELECT coalesce(string_agg(pid::text, ','), '0') FROM pg_stat_activity WHERE application_name IN ("
	  . join(', ', map { "'$_'" } @victims) . ')');
foreach my $victim (@victims)
{
	my $consumer = delete $consumers{$victim};
	$consumer->{run}->signal('KILL');
	eval { $consumer->{run}->finish };
	start_consumer($victim, "$victim again");
}
$gate->quit;
my $since = time;
check_part(3);
wait_balanced('after the kill');
# consumers without work wait in a poll of 20 seconds
cmp_ok(time - $since, '<', 10, 'no rebalance waits for a poll to end');
is($node->safe_psql('postgres',
		"SELECT count(*) FROM shipment WHERE pid IN ($pids) AND order_id % 1000 > " . 2 * ORDERS),
	'0', 'nothing of what the killed ones had in hand was kept');

SKIP:
{
	skip 'no language with a member by name', 1 if !$named;
	is($node->safe_psql('postgres',
			"SELECT count(*) FROM kstream.members WHERE group_id = 'shipping' AND member = '$name_of{$named}'"),
		'1', 'the name is a member still');
}

end_programs();

# A consumer that met something unforeseen would have tried again, too.
my %states = map { /^\S+ \S+ \S+ \[\d+\] .*? (\w{5}) (?:ERROR|FATAL):/ ? ($1 => 1) : () }
  split /\n/, slurp_file($node->logfile);
delete @states{qw(57P01 57P03 KS110 40001 55006 08006 08P01)};
is(join(' ', sort keys %states), '', 'the server saw no error but those of restart, kill and fencing');
is_sound($node, 'orders', 'at the end');
log_is_clean($node);

$node->stop;
done_testing();
