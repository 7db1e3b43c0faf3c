#-------------------------------------------------------------------------
#
# 076_documents.pl
#	What the documents say is so.
#
#	links		every relative link of every *.md leads to a file, and to a
#				heading of it
#	blocks		every fenced block says what it is, and those of SQL in README.md,
#				docs/ and examples/ run: a page's in their order, in one session
#				of a new database, with the worker.  What cannot run is marked
#				"text".  A table of psql's in such a block right behind one of SQL is
#				what that prints.
#	recipes		pages quote examples/recipes/ word for word
#	reference	docs/reference.md has the functions (each with its signatures and
#				an example), the views and their columns, the settings and the
#				options that the catalogs and the error messages have, and no others
#	errors		docs/errors.md has the table of src/base/errors.c
#
# test/t/076_documents.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use File::Find;
use File::Spec::Functions qw(catfile canonpath);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = canonpath("$FindBin::RealBin/../..");
my %pages;    # by path below $top: the text

find(
	{   no_chdir => 1,
		wanted => sub {
			my $path = $File::Find::name =~ s{^\Q$top\E/?}{}r;
			$File::Find::prune = 1 if -d && $path =~ m{^(?:\.git|build|test/output)$};
			$pages{$path} = slurp_file($_) if /\.md$/ && -f;
		}
	},
	$top);

# The fenced blocks of a page: { info, text, line, behind }, the last being the
# block right before it.  In a list they are indented; as much is taken from
# their lines.
sub blocks
{
	my ($page) = @_;
	my (@blocks, $block, $indent, $near);
	my $number = 0;

	foreach my $line (split /\n/, $pages{$page})
	{
		$number++;
		if ($block && $line =~ /^\s*```\s*$/)
		{
			push @blocks, $block;
			($near, $block) = ($block, undef);
		}
		elsif ($block)
		{
			$block->{text} .= ($line =~ s/^\Q$indent\E//r) . "\n";
		}
		elsif ($line =~ /^(\s*)```(.*)$/)
		{
			$indent = $1;
			$block = { info => $2, text => '', line => $number, behind => $near };
		}
		elsif ($line =~ /\S/)
		{
			undef $near;
		}
	}
	ok(!$block, "$page: every block ends");
	return @blocks;
}

# A page without its blocks.
sub prose
{
	my ($page) = @_;
	return $pages{$page} =~ s/^\s*```.*?^\s*```\s*$//gmsr;
}

# The anchors of a page, as GitHub makes them of headings.
sub anchors
{
	my ($page) = @_;
	my %anchors;

	foreach my $heading (prose($page) =~ /^#+ +(.*?)\s*$/gm)
	{
		$heading =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
		my $anchor = lc $heading;
		$anchor =~ s/[^\w\- ]//g;
		$anchor =~ s/ /-/g;
		my $again = $anchors{$anchor}++;
		$anchors{"$anchor-$again"}++ if $again;
	}
	return \%anchors;
}

# The section of a page below a heading, up to the next of the same level.
sub section
{
	my ($text, $heading) = @_;
	my ($level) = $heading =~ /^(#+)/;
	my ($section) = $text =~ /^\Q$heading\E\n(.*?)(?=^#{1,@{[length $level]}} |\z)/ms;
	return $section;
}

# The rows of the first table in a text, without its head, as lists of cells.
sub table
{
	my ($text) = @_;
	my ($table) = $text =~ /^(\|.*?\n)(?!\|)/ms;
	my @rows = map { [ map { s/^\s+|\s+$//gr } (split /(?<!\\)\|/, $_)[ 1 .. 9 ] ] }
	  map { "$_ | | | | | | | |" } split /\n/, $table // '';
	return @rows[ 2 .. $#rows ];
}

#
# Links
#
foreach my $page (sort keys %pages)
{
	my @broken;

	foreach my $target (prose($page) =~ /\]\(([^)\s]+)\)/g)
	{
		next if $target =~ /^[a-z]+:/;
		my ($path, $anchor) = $target =~ /^([^#]*)(?:#(.*))?$/;
		my $file = $path eq '' ? $page : canonpath(catfile(dirname($page), $path));
		1 while $file =~ s{(^|/)(?!\.\./)[^/]+/\.\./}{$1};
		$file =~ s{^\./}{};

		push @broken, $target
		  if !-e "$top/$file"
		  || defined $anchor && !($pages{$file} && anchors($file)->{$anchor});
	}
	is("@broken", '', "$page: its links lead somewhere");
}

#
# Blocks
#
my %known = map { $_ => 1 } qw(sql text sh python go js rust c);
my %blocks;

foreach my $page (sort keys %pages)
{
	$blocks{$page} = [ blocks($page) ];
	is(join(' ', map { $known{ $_->{info} } ? () : $_->{line} } @{ $blocks{$page} }),
		'', "$page: every block says what it is");
}

my $node = new_node('main', worker => 'on', no_extension => 1);

foreach my $page (sort grep { m{^(?:README\.md|docs/.*|examples/README\.md)$} } keys %pages)
{
	my @sql = grep { $_->{info} eq 'sql' } @{ $blocks{$page} };
	next if !@sql;
	my $script = join '', "\\pset format aligned\n\\pset tuples_only off\n",
	  map { "\\echo at block in line $_->{line}\n$_->{text}" } @sql;
	my $database = $page =~ s/\W/_/gr;
	my ($out, $err);

	$node->safe_psql('postgres', "CREATE DATABASE \"$database\"");
	# README.md makes it itself
	$node->safe_psql($database, 'CREATE EXTENSION kstream') if $script !~ /^CREATE EXTENSION kstream;/m;
	my $status = $node->psql($database, "$script\\echo at the end\n",
		stdout => \$out, stderr => \$err, on_error_stop => 1, timeout => 120);
	my ($where) = $out =~ /.*^(at (?:block in line \d+|the end))$/ms;
	ok($status == 0 && $where eq 'at the end', "$page: its SQL runs") or diag("$where: $err");

	$out =~ s/ +$//gm;
	foreach my $table (grep { $_->{behind} && $_->{behind}{info} eq 'sql' && $_->{text} =~ /^[^\n]*\n-[-+]*\n/ } @{ $blocks{$page} })
	{
		my ($printed) = $out =~ /^at block in line $table->{behind}{line}\n(.*?)(?=^at )/ms;
		ok(index($printed // '', $table->{text}) >= 0, "$page: what the SQL before line $table->{line} prints") or diag($printed);
	}

	# for the next page, which may use the same names
	$node->safe_psql('postgres', "DROP DATABASE \"$database\" WITH (FORCE)");
	$node->safe_psql('postgres', <<'SQL');
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE oid >= 16384 AND rolname <> CURRENT_USER \gexec
SQL
}

# README.md's ALTER SYSTEM names several libraries.
$node->restart;
like($node->safe_psql('postgres', 'SHOW shared_preload_libraries'), qr/kstream/,
	'the server starts with the libraries that README.md has it preload');

#
# Recipes
#
my @quoting = map { $_->{text} } map { @$_ } @blocks{qw(docs/consuming.md docs/capture.md)};

foreach my $path (glob "$top/examples/recipes/*")
{
	my $file = substr $path, length($top) + 1;
	my $text = slurp_file($path);
	my ($quoted) =
	  $file =~ /\.py$/
	  ? $text =~ /^(def consume.*?)\n+(?=^\S)/ms
	  : join '', grep { !/^--/ } split /^/, $text;
	$quoted =~ s/^\s+|\s+$//g;
	ok(scalar(grep { index($_, $quoted) >= 0 } @quoting), "$file is quoted as it is");
}

#
# Reference
#
my $reference = $pages{'docs/reference.md'};

$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS kstream');

sub rows
{
	my ($sql) = @_;
	return map { [ split /\x01/, $_, -1 ] } split /\n/,
	  $node->safe_psql('postgres', $sql, extra_params => [ '-F', "\x01" ]);
}

# Types by the names that one writes.
sub short
{
	my ($text) = @_;
	$text =~ s/timestamp with time zone/timestamptz/g;
	return $text;
}

# What the catalog says of a function, as the reference writes it.
sub signature
{
	my ($name, $kind, $arguments, $result) = map { short($_) } @_;

	$arguments =~ s/'00:00:00'::interval/'0'/g;
	$arguments =~ s/'00:00:00\.5'::interval/'500 ms'/g;
	$arguments =~ s/::[a-z_ ]+(?:\[\])?//g;
	my @all = split /, (?=(?:IN |OUT )?"?\w+"? )/, $arguments;
	my @in = map { s/^IN //r } grep { !/^OUT / } @all;
	my @out = map { s/^OUT //r } grep { /^OUT / } @all;
	$result = ($result =~ /^SETOF/ ? 'SETOF ' : '') . '(' . join(', ', @out) . ')' if @out;
	return ($kind eq 'p' ? 'CALL ' : '') . "kstream.$name(" . join(', ', @in) . ')' . ($result ne '' ? " -> $result" : '');
}

my %inner = map { $_ => 1 } map { $_->[0] =~ /`(\w+)`/g } table(section($reference, '## Behind views and triggers'));
my %functions;

foreach my $row (rows(<<'SQL'))
SELECT proname, prokind, pg_get_function_arguments(oid), COALESCE(pg_get_function_result(oid), '')
FROM pg_proc WHERE pronamespace = 'kstream'::regnamespace ORDER BY proname
SQL
{
	push @{ $functions{ $row->[0] } }, signature(@$row);
}
foreach my $name (sort keys %functions)
{
	next if delete $inner{$name};
	my $section = section($reference, "### kstream.$name");
	ok(defined $section, "reference: kstream.$name() has an entry") or next;
	my ($text) = $section =~ /^```text\n(.*?)^```/ms;
	my @said = map { s/\s+/ /gr =~ s/ $//r } split /\n(?=kstream\.)/, $text // '';
	is(join("\n", sort map { s/\( /(/gr } @said), join("\n", sort @{ $functions{$name} }), "reference: signature of kstream.$name()");
	like($section, qr/^```sql\n[^`]*kstream\.$name\(/m, "reference: an example of kstream.$name()");
}
is(join(' ', sort keys %inner), '', 'reference: names no inner function that is not there');

my %views;
foreach my $row (rows(<<'SQL'))
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'kstream'::regnamespace AND c.relkind IN ('v', 'c') ORDER BY c.relname, a.attnum
SQL
{
	my ($view, $column, $type) = map { short($_) } @$row;
	push @{ $views{$view} }, "$column $type";
}
foreach my $view (sort keys %views)
{
	my $section = section($reference, "### kstream.$view");
	ok(defined $section, "reference: kstream.$view has an entry") or next;
	is(join("\n", map { "$_->[0] $_->[1]" } table($section)),
		join("\n", @{ $views{$view} }), "reference: columns of kstream.$view");
}

my %headings = map { $_ => 1 } $reference =~ /^### kstream\.(\w+)$/gm;
is(join(' ', sort grep { !$functions{$_} && !$views{$_} } keys %headings), '', 'reference: has nothing that is not there');

my %set_by = (postmaster => 'restart', sighup => 'reload', superuser => 'superuser', user => 'user');
is( join("\n", sort map { join ' ', @$_[ 0 .. 2 ] } table(section($reference, '## Settings'))),
	join("\n",
		sort map { "$_->[0] $_->[1] $set_by{$_->[2]}" }
		  rows(<<'SQL')), 'reference: settings, their defaults and contexts');
SELECT name, current_setting(name), context FROM pg_settings
WHERE name ^@ 'kstream.' AND name NOT IN ('kstream.debug_point', 'kstream.mutant')
SQL

# What an error names as allowed.
sub allowed
{
	my ($sql) = @_;
	my ($out, $err);

	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err);
	my ($names) = $err =~ /^(?:DETAIL|HINT): .*?\bare ([a-z_]+(?:, (?!and\b)[a-z_]+)*(?: and [a-z_]+)?)/m;
	return sort split /, | and /, $names // $err;
}

$node->safe_psql('postgres',
	q{SELECT kstream.create_topic('t'), kstream.create_group('g'); CREATE TABLE r (id int PRIMARY KEY)});
foreach my $kind (
	[ 'Topic options', q{SELECT kstream.alter_topic('t', '{"%s": null}')}, 1 ],
	[ 'Group options', q{SELECT kstream.alter_group('g', '{"%s": null}')}, 1 ],
	[ 'Capture options', q{SELECT kstream.capture('r', options => '{"%s": 1}')}, 0 ])
{
	my ($title, $sql, $kafka) = @$kind;
	my @rows = table(section($reference, "## $title"));

	is(join("\n", sort map { $_->[0] } @rows), join("\n", allowed(sprintf $sql, 'no_such')), "reference: $title");
	foreach my $name (grep { $_ ne '-' } map { $kafka ? $_->[1] : () } @rows)
	{
		is(sqlstate($node, sprintf $sql, $name), '', "reference: $title: Kafka's $name");
	}
}

#
# Errors
#
my ($includes) = PostgreSQL::Test::Utils::run_command([ 'pg_config', '--includedir-server' ]);
my %sqlstate = slurp_file("$includes/utils/errcodes.h") =~ /^#define (ERRCODE_\w+) MAKE_SQLSTATE\(([^)]*)\)/gm;
my %code = slurp_file("$top/src/base/errors.h") =~ /^\s+(KS_E_\w+) = (\d+),/gm;
my @errors;

foreach my $row (slurp_file("$top/src/base/errors.c") =~ /^\s+\{(KS_E_.*)\},$/gm)
{
	my ($symbol, $name, $state) = $row =~ /^(\w+), "(\w+)", (.*)$/;
	$state = $state =~ /^KS_SQLSTATE\((.*)\)$/ ? "K'S'$1" : $sqlstate{$state};
	push @errors, join ' ', $name, $code{$symbol}, $state =~ s/\W//gr;
}
cmp_ok(scalar(@errors), '>', 10, 'src/base/errors.c has a table');
is(join("\n", map { join ' ', @$_[ 0 .. 2 ] } table(section($pages{'docs/errors.md'}, "## Kafka's errors"))),
	join("\n", @errors), "docs/errors.md has Kafka's errors");

$node->stop;
done_testing();
