#-------------------------------------------------------------------------
#
# 133_cut_client.pl
#	A client's connection is cut at each byte of COMMIT, and within its answer.
#
# The client speaks the protocol by itself, so that it can leave wherever it
# likes.  What it cannot know, pg_xact_status() tells: the records are there,
# in all partitions, if and only if it says "committed".
#
# test/t/133_cut_client.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IO::Socket::UNIX;
use KstreamTest;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\n");
my $slow = has_debug_points($node);
my $watcher = session($node);
my $user = $watcher->query('SELECT current_user');

$watcher->query("SELECT kstream.create_topic('t', 3)");

sub message
{
	my ($type, $body) = @_;
	return $type . pack('N', length($body) + 4) . $body;
}

sub query { return message('Q', "$_[0]\0"); }

sub read_exactly
{
	my ($socket, $length) = @_;
	my $data = '';
	while (length($data) < $length)
	{
		sysread($socket, $data, $length - length($data), length($data)) or die 'the server has closed the connection';
	}
	return $data;
}

# All messages up to ReadyForQuery; the last field of the last row is returned.
sub read_answer
{
	my ($socket) = @_;
	my $field = '';
	while (1)
	{
		my ($type, $length) = unpack('a N', read_exactly($socket, 5));
		my $body = read_exactly($socket, $length - 4);
		die "error: $body" if $type eq 'E';
		if ($type eq 'D')
		{
			my ($columns, $size) = unpack('n N', $body);
			$field = substr($body, 6, $size);
		}
		return $field if $type eq 'Z';
	}
}

sub connect_raw
{
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die "connect: $!";
	my $parameters = "user\0$user\0database\0postgres\0\0";

	syswrite($socket, pack('N N', length($parameters) + 8, 196608) . $parameters);
	read_answer($socket);
	return $socket;
}

# The COMMIT, by either protocol.
my $simple = query('COMMIT');
my $extended = message('P', "\0COMMIT\0\0\0") . message('B', "\0\0" . pack('n n n', 0, 0, 0)) . message('E', "\0" . pack('N', 0)) . message('S', '');

my %seen;
sub cut
{
	my ($name, $bytes, $sent, $read, $point) = @_;
	my $socket = connect_raw();

	syswrite($socket, query('SELECT pg_backend_pid()'));
	my $pid = read_answer($socket);
	if ($point)
	{
		syswrite($socket, query("SET kstream.debug_point = '$point=sleep:30'"));
		read_answer($socket);
	}
	syswrite($socket, query("BEGIN; SELECT pg_current_xact_id()"));
	my $xid = read_answer($socket);
	syswrite($socket, query("SELECT count(kstream.produce('t', NULL, 'x$xid', partition => p)) FROM generate_series(0, 2) p"));
	read_answer($socket);
	syswrite($socket, substr($bytes, 0, $sent)) if $sent > 0;
	read_exactly($socket, $read) if $read;
	close $socket;
	wait_until('the backend is gone', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid") == 0 });

	my $status = $watcher->query("SELECT pg_xact_status('$xid')");
	$seen{$status}++;
	is($watcher->query("SELECT count(*) FROM generate_series(0, 2) p, kstream.fetch('t', p, 0, 100000) r WHERE kstream.text(r.value) = 'x$xid'"),
		$status eq 'committed' ? 3 : 0, "$name: $status, and so are the records");
	is($status, $sent < length($bytes) ? 'aborted' : 'committed', "$name: as far as the command had come")
	  if $bytes eq $simple;
	return;
}

cut("$_ bytes of COMMIT", $simple, $_, 0) foreach 0 .. length $simple;
cut("COMMIT, $_ bytes of its answer", $simple, length $simple, $_) foreach 1, 5, 12, 13, 18;
cut("$_ bytes of a prepared COMMIT", $extended, $_, 0) foreach 0 .. length $extended;
cut("a prepared COMMIT, $_ bytes of its answer", $extended, length $extended, $_) foreach 1, 5, 10, 15, 20;
if ($slow)
{
	foreach my $point (qw(precommit.begin precommit.reserved precommit.written commit.before_dereg commit.after_dereg))
	{
		cut("COMMIT, gone at $point", $simple, length $simple, 0, $point);
	}
}
is(join(' ', sort keys %seen), 'aborted committed', 'both ends were seen');
is($watcher->query('SELECT * FROM kstream.in_flight'), '', 'nothing is in flight');
is_sound($node, 't', 'after all');
$watcher->quit;
log_is_clean($node);
$node->stop;
done_testing();
