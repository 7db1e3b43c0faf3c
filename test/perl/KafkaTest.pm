# KafkaTest.pm
#	Kafka clients for the tests in Perl: programs of test/kafka that are led step by step.
#
#	kafka_settings(port)	lines for postgresql.conf
#	wait_for_listener(port)	until one can connect
#	kafka_client(port[, 'tls'])	a client that has logged in as alice, by steps.py
#	say_to(client, expression)	start it, do not wait
#	answer(client)			its value
#	told(client, expression)	both
package KafkaTest;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use FindBin;
use IPC::Run;
use KstreamTest;
use Test::More;

our @EXPORT = qw(kafka_settings wait_for_listener kafka_client say_to answer told);

my $programs = abs_path("$FindBin::Bin/../kafka");

sub kafka_settings
{
	my ($port) = @_;
	return "kstream.kafka_port = $port\nkstream.kafka_max_connections = 20\nmax_worker_processes = 40\n";
}

sub wait_for_listener
{
	my ($port) = @_;
	return wait_until('Kafka clients can connect', sub {
		IPC::Run::run([ '/usr/bin/python3', '-c', "import socket; socket.create_connection(('127.0.0.1', $port), 5)" ],
			'<', \undef, '&>', \my $said) });
}

sub kafka_client
{
	my ($port, @how) = @_;
	my %c = (in => '', out => '', err => '');

	$c{run} = IPC::Run::start([ '/usr/bin/python3', '-B', "$programs/steps.py", $port, 'alice', 'secret', @how ],
		'<', \$c{in}, '>', \$c{out}, '2>', \$c{err}, IPC::Run::timeout(120));
	$c{run}->pump until $c{out} =~ /\n/;
	return \%c;
}

sub say_to
{
	my ($c, $expression) = @_;
	$c->{out} = '';
	$c->{in} .= "$expression\n";
	$c->{run}->pump_nb while $c->{in} ne '';
	return;
}

sub answer
{
	my ($c) = @_;
	$c->{run}->pump until $c->{out} =~ /\n/ || !$c->{run}->pumpable;
	return $c->{out} =~ /^(.*)\n/ ? $1 : "nothing: $c->{err}";
}

sub told
{
	my ($c, $expression) = @_;
	say_to($c, $expression);
	return answer($c);
}

1;
