#-------------------------------------------------------------------------
#
# 121_capture_recipes.pl
#	The recipes of docs/capture.md, run as they stand.
#
#	copy_table.sql	a copy of a table, kept by a group of two while others write
#					the table and a snapshot brings the rows of before; one member
#					dies with work that it has not committed.  At the end the copy
#					is the table.  Then the same through a TRUNCATE.
#	outbox.sql		the event commits with the row, and only then
#
# test/t/121_capture_recipes.pl
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

my $recipes = "$FindBin::RealBin/../../examples/recipes";
my $node = new_node('main');
my $watcher = session($node);

#
# A copy of a table
#
$watcher->query(<<'SQL');
CREATE TABLE orders (id int PRIMARY KEY, customer text, amount numeric(10,2), placed timestamptz);
INSERT INTO orders SELECT i, 'before ' || i, i * 1.01, '2026-01-01'::timestamptz + i * interval '1.000001 s' FROM generate_series(1, 2000) i;
SELECT kstream.capture('orders', options => '{"format": "json", "partitions": 4}');
CREATE SCHEMA copy;
SQL
my ($setup, $follow) = slurp_file("$recipes/copy_table.sql") =~ /^(.*;\n)\n(CALL .*?);\n\z/s;
$watcher->query($setup);

# the rows that only one of the two has
sub differences
{
	return $watcher->query(<<'SQL');
(TABLE orders EXCEPT ALL SELECT id, customer, amount, placed FROM copy.orders)
UNION ALL
(SELECT id, customer, amount, placed FROM copy.orders EXCEPT ALL TABLE orders)
ORDER BY 1 LIMIT 5
SQL
}

# What writers do, with keys that come, go and change, and rollbacks.  Each of
# the three brings keys of its own, so that none takes another's.
my $script = $node->basedir . '/writers.sql';
append_to_file($script, <<'SQL');
\set id random(1, 2200)
\set other 3 * random(0, 733) + :client_id
\set what random(1, 100)
BEGIN;
UPDATE orders SET amount = amount + 0.01, placed = clock_timestamp() WHERE id = :id;
\if :what < 20
DELETE FROM orders WHERE id = :other;
\elif :what < 45
INSERT INTO orders VALUES (:other, 'new', :what) ON CONFLICT (id) DO UPDATE SET customer = 'again';
\elif :what < 60
UPDATE orders SET id = :other WHERE id = :id AND NOT EXISTS (SELECT FROM orders WHERE id = :other);
\endif
\if :what < 75
COMMIT;
\else
ROLLBACK;
\endif
SQL

my ($out, $err);

sub start_writers
{
	($out, $err) = ('', '');
	return IPC::Run::start(
		[ 'pgbench', '-n', '-c', '3', '-t', '1000', '--max-tries=100', '-f', $script, $node->connstr('postgres') ],
		'>', \$out, '2>', \$err);
}

my @consumer = (session($node), session($node));

# A round of both; an answer that means "again" is none to worry about.
sub follow
{
	$_->start($follow) foreach @consumer;
	foreach (@consumer)
	{
		my $state = $_->finish->{sqlstate};
		die "a consumer failed: $state" if $state !~ /^(|40001|40P01|KS110|KS025)$/;
	}
	return;
}

sub behind
{
	return $watcher->query("SELECT COALESCE(sum(records), 1) FROM kstream.lag WHERE group_id = 'copy'");
}

# CALL kstream.snapshot() until it is through: a deadlock with a writer is its
# to repeat.
sub start_snapshot
{
	my ($session) = @_;
	$session->start(q{CALL kstream.snapshot('orders', options => '{"chunk_size": 100}')});
	return;
}

my $writers = start_writers();
my $snapshot = session($node);
start_snapshot($snapshot);
follow() foreach 1 .. 3;

# Consumer two dies with work done that has not been committed.  The writers may
# have ended by now, so there are rows for it.
my $row = 10000;
wait_until('consumer two has something to do', sub {
	$watcher->query("INSERT INTO orders SELECT i, 'more', i FROM generate_series($row + 1, $row + 40) i");
	$row += 40;
	$consumer[0]->query($follow);
	$consumer[1]->query("BEGIN; $follow");
	return 1 if $consumer[1]->query('SELECT count(*) > 0 FROM copy.orders WHERE xmin::text = pg_current_xact_id_if_assigned()::text') eq 't';
	$consumer[1]->query('COMMIT');
	return 0;
});
$watcher->query('SELECT pg_terminate_backend(' . $consumer[1]->pid . ')');
$consumer[1]->quit;
$consumer[1] = session($node);
follow();

for my $try (1 .. 20)
{
	my $state = $snapshot->finish->{sqlstate};
	last if $state eq '';
	die "snapshot failed: $state" if $state ne '40P01';
	start_snapshot($snapshot);
}
$writers->finish;
is($err, '', 'the writers ran');
is($watcher->query('SELECT finished_at IS NOT NULL FROM kstream.snapshots'), 't', 'the snapshot is finished');
wait_until('nothing is left', sub { follow(); return behind() == 0; });
cmp_ok($watcher->query('SELECT count(*) FROM copy.orders'), '>', 500, 'there is a copy');
cmp_ok($watcher->query('SELECT count(DISTINCT partition) FROM copy.orders'), '==', 4, 'of all partitions');
is(differences(), '', 'and it is the table');

# The next statement of those who wait sees an empty table, and what comes then.
$writers = start_writers();
follow();
$watcher->query("TRUNCATE orders");
follow();
$watcher->query("INSERT INTO orders SELECT i, 'after', i, NULL FROM generate_series(3001, 3100) i");
$writers->finish;
is($err, '', 'the writers ran');
wait_until('nothing is left after TRUNCATE', sub { follow(); return behind() == 0; });
is($watcher->query("SELECT count(*) FROM copy.orders WHERE customer = 'after'"), 100, 'rows that came after TRUNCATE are there');
is(differences(), '', 'and no others');
$_->quit foreach @consumer, $snapshot;

#
# An outbox
#
my ($outbox) = slurp_file("$recipes/outbox.sql") =~ /^(INSERT .*?);\n\z/ms;
my $events = q{SELECT string_agg(format('%s %s', kstream.text(key), kstream.json(value) ->> 'id'), ', ' ORDER BY "offset") FROM kstream.fetch('purchases', 0, 0)};
$watcher->query(<<'SQL');
SELECT kstream.create_topic('purchases');
CREATE TABLE purchase (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text, amount numeric CHECK (amount < 100));
SQL
is($watcher->query($outbox), '1|0', 'outbox.sql: a row and its event');
is($watcher->query("BEGIN; $outbox; ROLLBACK"), '2|0', 'outbox.sql: another, rolled back');
$watcher->query("BEGIN; SAVEPOINT s; $outbox; ROLLBACK TO s; COMMIT");
is($watcher->run("BEGIN; $outbox; INSERT INTO purchase (amount) VALUES (1000); COMMIT")->{sqlstate}, '23514', 'outbox.sql: what comes after it fails');
$watcher->query('ROLLBACK');
is($watcher->query($events), 'ada 1', 'outbox.sql: the topic has the event of the row that committed alone');
is($watcher->query('SELECT id, customer FROM purchase'), '1|ada', 'as the table has the row');

log_is_clean($node);
$watcher->quit;
$node->stop;
done_testing();
