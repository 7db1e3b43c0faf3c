#-------------------------------------------------------------------------
#
# KstreamTest.pm
#	What the TAP tests of kstream share.
#
# A server that preloads the library, sessions that can be left waiting in the
# middle of a statement, a scan of everything that a topic holds, and the
# checks that must hold after any fault:
#
#	new_node(NAME, init => {...}, conf => TEXT, worker => 'on')	a running server
#									with the extension; its worker is off unless asked for
#	session(NODE [, DBNAME])		a psql that stays; see KstreamTest::Session
#	sqlstate(NODE, SQL)				how a script ended: '' or its first SQLSTATE
#	scan(NODE, TOPIC)				[ [partition, offset, value], ... ]; a long value
#									that was padded with B comes as NAME*LENGTH
#	latest(NODE, TOPIC, PARTITION)	the end that consumers see
#	add(SESSION or NODE, TOPIC, PARTITION, VALUE...)	produce, and commit
#	wait_at_point(NODE [, PID])		until a backend stands at a debug point
#	wait_usable(NODE)				until a server that restarts after a crash answers
#	is_quiet(NODE, NAME)			nothing in flight, no lock held by anybody
#	is_sound(NODE, TOPIC, NAME)		kstream.verify() finds nothing
#	log_is_clean(NODE)				no internal error, assertion or unplanned crash
#
# Nothing here sleeps to win a race: every wait is for a condition, and fails
# when PG_TEST_TIMEOUT_DEFAULT has passed.
#
# test/perl/KstreamTest.pm
#
#-------------------------------------------------------------------------
package KstreamTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(new_node has_debug_points session sqlstate scan values_of latest add
  wait_at_point wait_until wait_usable is_quiet is_sound log_is_clean DEBUG_LOCK);

# KS_DEBUG_LOCK of src/base/debug.h
use constant DEBUG_LOCK => 27507;

# Nothing here takes that long; a test that hangs should fail soon.
$PostgreSQL::Test::Utils::timeout_default = 60
  unless defined $ENV{PG_TEST_TIMEOUT_DEFAULT};

# A bug put in on purpose is found with the first failure.
if ($ENV{KSTREAM_MUTANT})
{
	my $ok = \&Test::Builder::ok;
	no warnings 'redefine';
	*Test::Builder::ok = sub {
		local $Test::Builder::Level = $Test::Builder::Level + 1;
		return $ok->(@_) || BAIL_OUT("found $ENV{KSTREAM_MUTANT}");
	};
}

# A killed backend leaves its psql with a broken pipe.
$SIG{PIPE} = 'IGNORE';

# Small and quick to restart after a crash; fsync is off, since the kernel
# survives everything that is done here.
sub new_node
{
	my ($name, %param) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $preload = exists $param{preload} ? $param{preload} : 'kstream';

	$node->init(extra => [ '--no-locale', '-E', 'UTF8' ], %{ $param{init} || {} });
	$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = '$preload'
shared_buffers = 16MB
max_connections = 40
restart_after_crash = on
log_statement = none
log_line_prefix = '%m [%p] %e '
CONF
	$node->append_conf('postgresql.conf', "kstream.mutant = '$ENV{KSTREAM_MUTANT}'")
	  if $ENV{KSTREAM_MUTANT};
	# It would come between what a test does and what it looks at.
	$node->append_conf('postgresql.conf', 'kstream.worker = ' . ($param{worker} || 'off'))
	  if $preload eq 'kstream';
	$node->append_conf('postgresql.conf', $param{conf}) if defined $param{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION kstream')
	  unless $param{no_extension};
	return $node;
}

# Is the library a test build?  What stops at a debug point cannot be tested
# otherwise.
sub has_debug_points
{
	my ($node) = @_;
	return $node->safe_psql('postgres',
		"LOAD 'kstream'; SELECT count(*) FROM pg_settings WHERE name = 'kstream.debug_point'"
	) eq '1';
}

sub session
{
	my ($node, $dbname) = @_;
	return KstreamTest::Session->new($node, $dbname || 'postgres');
}

sub sqlstate
{
	my ($node, $sql, $dbname) = @_;
	my ($stdout, $stderr);

	$node->psql($dbname || 'postgres', "\\set VERBOSITY sqlstate\n$sql",
		stdout => \$stdout, stderr => \$stderr, on_error_die => 0, on_error_stop => 1);
	return $stderr =~ /(?:ERROR|FATAL): +(\w{5})/ ? $1 : $stderr eq '' ? '' : "? $stderr";
}

# All that a topic holds, from the log start on, in the order of partition and
# offset.
sub scan
{
	my ($node, $topic, $dbname) = @_;
	my $rows = $node->safe_psql($dbname || 'postgres', <<"SQL");
SELECT r.partition, r.offset,
       CASE WHEN length(r.value) < 500 THEN kstream.text(r.value)
            ELSE rtrim(kstream.text(r.value), 'B') || '*' || length(r.value) END
FROM kstream.list_offsets('$topic') o,
     LATERAL kstream.fetch('$topic', o.partition, o.earliest, 2147483647, 2147483647) r
ORDER BY 1, 2
SQL

	return [ map { [ split /\|/, $_, 3 ] } split /\n/, $rows ];
}

# Only the values of a scan, sorted and joined.
sub values_of
{
	my ($rows) = @_;
	return join ' ', sort map { $_->[2] } @$rows;
}

sub latest
{
	my ($node, $topic, $partition, $dbname) = @_;
	return $node->safe_psql($dbname || 'postgres',
		"SELECT latest FROM kstream.list_offsets('$topic') WHERE partition = $partition");
}

# Produce values to a partition in one transaction; returns the offset of the
# first.
sub add
{
	my ($where, $topic, $partition, @values) = @_;
	my $list = join ', ', map { "'$_'" } @values;
	my $sql = "SELECT FROM kstream.produce_batch('$topic', NULL, ARRAY[$list], partition => $partition);\n"
	  . 'SELECT base_offset FROM kstream.last_produced()';

	return $where->query($sql) if $where->isa('KstreamTest::Session');
	my $base = $where->safe_psql('postgres', $sql);
	$base =~ s/\s//g;
	return $base;
}

# Until a condition holds; it is asked again every 5 ms.
sub wait_until
{
	my ($what, $condition) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;

	until ($condition->())
	{
		die "timed out waiting until $what" if time > $deadline;
		usleep(5000);
	}
	return 1;
}

# Until a backend waits for the advisory lock of the debug points.
sub wait_at_point
{
	my ($watcher, $pid) = @_;
	my $who = defined $pid ? "AND pid = $pid" : '';
	my $sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = "
	  . DEBUG_LOCK . " AND NOT granted $who";

	return wait_until('a backend stands at a debug point', sub { $watcher->query($sql) > 0 });
}

# After the crash of a backend: until its server has noticed and takes
# connections again.  To be called once for each crash.
my %crashes;

sub wait_usable
{
	my ($node) = @_;
	my $seen = $crashes{ $node->name } // 0;

	wait_until('the server has restarted', sub {
		my $log = slurp_file($node->logfile);
		my $count = () = $log =~ /terminated by signal 9/g;

		$crashes{ $node->name } = $count;
		return $count > $seen && $log =~ /.*terminated by signal 9.*ready to accept (?:read-only )?connections/s;
	});

	# Not psql, which gets its SQL by a pipe that breaks when it is turned away.
	return wait_until('the server answers', sub {
		IPC::Run::run([ 'pg_isready', '-q', '-h', $node->host, '-p', $node->port ]);
	});
}

# Nothing is left of other sessions: no offset in flight, no lock.
sub is_quiet
{
	my ($node, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($node->safe_psql('postgres', <<'SQL'), '', "$name: nothing in flight, no lock is left");
SELECT 'in flight', topic, partition, base_offset FROM kstream.in_flight
UNION ALL
SELECT 'lock', l.locktype, l.pid, coalesce(l.relation, l.objid)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid()
  AND l.locktype <> 'virtualxid'
SQL
}

sub is_sound
{
	my ($node, $topic, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($node->safe_psql('postgres', "SELECT * FROM kstream.verify('$topic')"), '', "$name: the log is sound");
}

# The planned crashes are signal 9.
sub log_is_clean
{
	my ($node) = @_;
	my @bad = grep { /PANIC|TRAP|detected write past chunk end|\] XX\d{3} |terminated by signal (?!9\b)/ }
	  split /\n/, slurp_file($node->logfile);
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(join("\n", @bad), '', 'the log of ' . $node->name . ' tells of nothing unplanned');
}

#-------------------------------------------------------------------------
#
# KstreamTest::Session
#	A psql that stays connected and can be left waiting.
#
#	$s->query(SQL)		output; dies on an error
#	$s->run(SQL)		the same, without dying: a hash of out, sqlstate, err, lost
#	$s->start(SQL)		send it, do not wait
#	$s->finish			wait for what was started; as run
#	$s->pid				of its backend
#	$s->quit
#
#-------------------------------------------------------------------------
package KstreamTest::Session;

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;

sub new
{
	my ($class, $node, $dbname) = @_;
	my $self = bless { in => '', out => '', err => '', count => 0 }, $class;

	$self->{run} = IPC::Run::start(
		[
			$node->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=verbose',
			'-d', $node->connstr($dbname), '-f', '-'
		],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default * 5));
	$self->{pid} = $self->query('SELECT pg_backend_pid()');
	return $self;
}

sub pid { return $_[0]->{pid}; }

sub start
{
	my ($self, $sql) = @_;

	$self->{mark} = 'end of ' . ++$self->{count};
	$self->{begin} = "begin of $self->{count}";
	$self->{in} .= "\\echo '$self->{begin}'\n$sql\n;\n\\echo '$self->{mark}'\n\\warn '$self->{mark}'\n";
	# psql has read it all when it prints what stands before it
	eval { $self->{run}->pump until $self->{out} =~ /^\Q$self->{begin}\E\n/m };
	return;
}

sub finish
{
	my ($self) = @_;
	my $end = qr/^\Q$self->{mark}\E\n/m;
	my ($out, $err, $lost);

	eval {
		$self->{run}->pump
		  until ($self->{out} =~ $end && $self->{err} =~ $end);
	};
	$lost = !($self->{out} =~ $end && $self->{err} =~ $end);
	if ($lost)
	{
		die $@ if $@ =~ /timeout/;
		eval { $self->{run}->finish };
	}
	($out, $err) = ($self->{out}, $self->{err});
	$self->{out} = $self->{err} = '';
	$out =~ s/^\Q$self->{begin}\E\n//m;
	$out =~ s/$end//;
	$err =~ s/$end//;
	chomp $out;
	my ($state) = $err =~ /(?:ERROR|FATAL): +(\w{5}):/;
	return { out => $out, err => $err, sqlstate => $state || '', lost => $lost };
}

sub run
{
	my ($self, $sql) = @_;

	$self->start($sql);
	return $self->finish;
}

sub query
{
	my ($self, $sql) = @_;
	my $result = $self->run($sql);

	die "query failed: $sql\n$result->{err}" if $result->{sqlstate} ne '' || $result->{lost};
	return $result->{out};
}

sub quit
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish };
	return;
}

1;
