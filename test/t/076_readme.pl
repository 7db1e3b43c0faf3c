# README.md quotes the recipes that 071_group_recipes.pl runs and the programs
# that 062_group_clients.pl runs, word for word.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file('README.md');

foreach my $file (glob 'examples/recipes/*.sql')
{
	my $quoted = join '', grep { !/^--/ } split /^/, slurp_file($file);
	$quoted =~ s/^\s+|\s+$//g;
	ok(index($readme, "```sql\n$quoted\n```") >= 0, "README quotes $file");
}

foreach my $file (glob 'examples/recipes/*.py')
{
	my ($quoted) = slurp_file($file) =~ /^(def consume.*?)\n+(?=^\S)/ms;
	ok(index($readme, "```python\n$quoted\n```") >= 0, "README quotes $file");
}

foreach my $file (glob 'examples/*/{producer,consumer,Producer,Consumer}.*')
{
	my $quoted = slurp_file($file);
	$quoted =~ s/\s+$//;
	ok($readme =~ /^```\w+\n\Q$quoted\E\n```$/m, "README quotes $file");
}

done_testing();
