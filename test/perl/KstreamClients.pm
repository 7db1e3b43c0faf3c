#-------------------------------------------------------------------------
#
# KstreamClients.pm
#	Running the programs of examples/ and test/clients/ in whatever languages
#	are there: producers and consumers as users would write them, and a client
#	per language that makes every call.
#
#	@LANGUAGES					all that there are programs in
#	client_node(NAME)			a running server with the extension and a role app
#	client_command(LANGUAGE, PROGRAM)	how to run client, producer or consumer:
#								a list; none, with a test skipped, when the
#								language's driver is missing
#	client_env(NODE, LANGUAGE [, NAME])	the environment for it, as a list; NAME is
#								its application_name
#
# "make check" installs the drivers (test/setup.sh).  node-postgres may also
# come from npm: KSTREAM_NODE_PATH (or NODE_PATH) names its node_modules.
#
# test/perl/KstreamClients.pm
#
#-------------------------------------------------------------------------
package KstreamClients;

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(@LANGUAGES client_node client_command client_env);

our @LANGUAGES = qw(python node go java);

my $top = abs_path(dirname(__FILE__) . '/../..');
my $build;  # where compilers put things
my $password = join '', map { sprintf '%02x', int(rand(256)) } 1 .. 16;

# The source of a program: FILE is a language's directory and the file in it.
sub source
{
	my ($file) = @_;
	my ($path) = grep { -e $_ } map { "$top/$_/$file" } 'examples', 'test/clients';
	return $path // die "neither examples/ nor test/clients/ has $file";
}

# The first of a list of programs that is there.
sub program
{
	foreach my $name (@_)
	{
		foreach my $path ($name =~ m{/} ? $name : map { "$_/$name" } split /:/, $ENV{PATH})
		{
			return $path if -x $path && !-d $path;
		}
	}
	return;
}

# Run a command for its exit status.
sub works
{
	return IPC::Run::run([@_], '<', \undef, '&>', \my $said);
}

# Run a compiler, which must not fail.
sub compiles
{
	my $done = IPC::Run::run([@_], '<', \undef, '&>', \my $said);
	diag($said) if !$done;
	return $done;
}

# By language: how to run a program, or nothing and what is missing.
my %prepare = (
	python => sub {
		my ($name) = @_;
		works('/usr/bin/python3', '-c', 'import psycopg')
		  or return (undef, 'python3-psycopg');
		return ['/usr/bin/python3', '-B', source("python/$name.py")];
	},
	node => sub {
		my ($name) = @_;
		my $node = program('node', 'nodejs');
		$ENV{NODE_PATH} = $ENV{KSTREAM_NODE_PATH} if $ENV{KSTREAM_NODE_PATH};
		$node && works($node, '-e', 'require("pg")')
		  or return (undef, 'nodejs and node-pg');
		return [ $node, source("node/$name.js") ];
	},
	go => sub {
		my ($name) = @_;
		my $go = program('/usr/bin/go', glob('/usr/lib/go*/bin/go'), 'go');
		$go && -d '/usr/share/gocode/src/github.com/jackc/pgx/v4'
		  or return (undef, 'golang-go and golang-github-jackc-pgx-v4-dev');
		# pgx takes long to compile, so that is kept
		my $cache = ($ENV{STAGE} || $build) . '/gocache';
		my @settings = ('GO111MODULE=off', 'GOPATH=/usr/share/gocode', "GOCACHE=$cache");
		ok(compiles('env', @settings, $go, 'build', '-o', "$build/$name", source("go/$name.go")),
			"go: the $name compiles");
		return ["$build/$name"];
	},
	java => sub {
		my ($name) = @_;
		my $jar = '/usr/share/java/postgresql.jar';
		my $javac = program('javac');
		my $java = program('java');
		my $class = ucfirst $name;
		$javac && $java && -e $jar
		  or return (undef, 'default-jdk-headless and libpostgresql-jdbc-java');
		ok(compiles($javac, '-cp', $jar, '-d', $build, source("java/$class.java")),
			"java: the $name compiles");
		return [ $java, '-XX:TieredStopAtLevel=1', '-cp', "$jar:$build", $class ];
	});

sub client_command
{
	my ($language, $name) = @_;

	# not before PostgreSQL::Test knows where the test may write
	$build ||= PostgreSQL::Test::Utils::tempdir();
	my ($command, $missing) = $prepare{$language}->($name);

  SKIP:
	{
		last SKIP if $command;
		diag("$language is left out: needs $missing");
		skip("$language needs $missing", 1);
	}
	return $command ? @$command : ();
}

# JDBC has no Unix sockets, so this server listens on 127.0.0.1 too, where it
# asks for a password.
sub client_node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'kstream'
listen_addresses = '127.0.0.1'
log_line_prefix = '%m [%p] %a %e '
CONF
	unlink $node->data_dir . '/pg_hba.conf';
	$node->append_conf('pg_hba.conf',
		"local all all trust\nhost all all 127.0.0.1/32 scram-sha-256");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION kstream');
	$node->safe_psql('postgres', "CREATE ROLE app LOGIN PASSWORD '$password'");
	$node->safe_psql('postgres', 'GRANT CREATE ON SCHEMA kstream_topic TO app');
	return $node;
}

sub client_env
{
	my ($node, $language, $name) = @_;
	$name //= $language;
	return (
		%ENV,
		PGHOST => $language eq 'java' ? '127.0.0.1' : $node->host,
		PGPORT => $node->port,
		PGDATABASE => 'postgres',
		PGUSER => 'app',
		PGPASSWORD => $password,
		PGAPPNAME => $name,
		JDBC_URL => 'jdbc:postgresql://127.0.0.1:' . $node->port
		  . "/postgres?user=app&password=$password&ApplicationName=$name",
		# times must not depend on it
		TZ => 'Asia/Kolkata',
		LC_ALL => 'C.UTF-8');
}

1;
