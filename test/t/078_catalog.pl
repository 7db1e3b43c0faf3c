#-------------------------------------------------------------------------
#
# 078_catalog.pl
#	The attribute numbers in C are those of the catalog's tables.
#
# Rows that are read and written without SQL are addressed by number.  Each number
# stands in the source as "#define Anum_TABLE_COLUMN N" with the column's type behind
# it, and "Natts_TABLE N" says how many there are; here both are compared with
# pg_attribute: every number that the source has, and every column of a table that
# the source knows any of.
#
# test/t/078_catalog.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $src = "$FindBin::RealBin/../../src";

# Where the name in C is not that of one table.
my %tables = (
	batch => ['segment_template'],
	producer_batch => [ 'producer_batch_0', 'producer_batch_1' ],
	staged => [ 'staged_0', 'staged_1' ]);

# By table in C: name of column => [number, type]; and the number of columns.
my (%columns, %counts);
foreach my $path (sort glob "$src/*/*.[ch]")
{
	foreach my $line (split /\n/, slurp_file($path))
	{
		if (my ($name, $number, $type) = $line =~ m{^#define Anum_(\w+) (\d+)(?:\s+/\* (.*?) \*/)?})
		{
			$columns{$name} = [ $number, $type, $path ];
		}
		$counts{$1} = $2 if $line =~ /^#define Natts_(\w+) (\d+)/;
	}
}

my $node = new_node('main');
my %known;
foreach my $line (split /\n/, $node->safe_psql('postgres', <<'SQL'))
SELECT c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace IN ('kstream'::regnamespace, 'kstream_turns'::regnamespace) AND c.relkind = 'r' AND a.attnum > 0
ORDER BY 1, 3
SQL
{
	my ($table, $column, $number, $type) = split /\|/, $line;
	push @{ $known{$table} }, [ $column, $number, $type ];
}

my %checked;
my $tables = 0;
my %in_c = map { $_ => [$_] } keys %known;
delete $in_c{$_} foreach map { @$_ } values %tables;
%in_c = (%in_c, %tables);
foreach my $name (sort keys %in_c)
{
	next if !grep { defined $columns{"${name}_$_->[0]"} } @{ $known{ $in_c{$name}[0] } };
	$tables++;
	foreach my $table (@{ $in_c{$name} })
	{
		my $expected = join "\n", map { "$_->[0] $_->[1] $_->[2]" } @{ $known{$table} };
		my $found = join "\n", map {
			my $c = $columns{"${name}_$_->[0]"};
			$checked{"${name}_$_->[0]"} = 1;
			defined $c ? "$_->[0] $c->[0] " . ($c->[1] // 'without a type') : "$_->[0] is not in the source"
		} @{ $known{$table} };
		$found =~ s/timestamptz/timestamp with time zone/g;
		$found =~ s/\bbool$/boolean/gm;
		$found =~ s/\bregrole\b/regrole/g;
		is($found, $expected, "columns of kstream.$table");
		is($counts{$name} // 'none', scalar @{ $known{$table} }, "number of columns of kstream.$table")
		  if defined $counts{$name};
	}
}
cmp_ok($tables, '>=', 8, 'tables that the source knows by number');
is(join("\n", grep { !$checked{$_} } sort keys %columns), '', 'numbers of columns that no table has');

done_testing();
