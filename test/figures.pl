#!/usr/bin/perl
#
# figures.pl
#	Figures about the state of the source.
#
# Usage: perl test/figures.pl				print all
#		 perl test/figures.pl unused		only the functions that nobody calls; status
#											1 if there are some (check_style.sh)
#		 perl test/figures.pl elsewhere N	only those of headers that are defined in a
#											.c of another name; status 1 if they are
#											N % or more (check_style.sh)
#
# How it counts:
#	A function's braces stand in the first column; its length is from one to the
#	other, both included, and what is between them is its body.
#	A comment inside a function is one that begins in its body, however long.
#	A function of a header is one declared "extern" there.  It is defined in the .c
#	that has its name in the first column, and called where else its name stands
#	outside of comments and strings.
#	It is unused when no other file of src/ calls it; unless the server does
#	(PGDLLEXPORT), or its own file does and test/unit/ tests it, or the header
#	itself does, in a macro or an inline function.
use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename);
use FindBin;

chdir "$FindBin::RealBin/.." or die "cannot go to the top: $!";

# The errors of Kafka by their numbers, for what speaks its protocol.
my %wanted = map { $_ => 1 } qw(ks_error_code ks_error_list);

sub slurp
{
	my ($path) = @_;
	local $/;
	open my $file, '<', $path or die "cannot read $path: $!";
	return scalar <$file>;
}

# Code without comments and strings, which may hold names.
sub bare
{
	my ($text) = @_;
	$text =~ s{("(?:[^"\\\n]|\\.)*")|('(?:[^'\\\n]|\\.)*')|/\*.*?\*/|//[^\n]*}{defined $1 ? '""' : defined $2 ? "''" : ' '}gse;
	return $text;
}

my @sources = (glob('src/*.c'), glob('src/*/*.c'));
my @headers = (glob('src/*.h'), glob('src/*/*.h'));
my %text = map { $_ => slurp($_) } @sources, @headers;
my %bare = map { $_ => bare($text{$_}) } keys %text;
my $unit = join "\n", map { bare(slurp($_)) } glob('test/unit/*.[ch]');

# By name: the files that it stands in, and how often.
my %places;
foreach my $path (keys %bare)
{
	$places{$_}{$path}++ foreach $bare{$path} =~ /\b(ks\w*)\b/g;
}

my (@declared, @elsewhere, @unused);
foreach my $header (@headers)
{
	foreach my $declaration ($bare{$header} =~ /^extern ([^;{}=]*\([^;{}]*);/gm)
	{
		# a variable of a function's type has none before its first parenthesis
		my ($name) = $declaration =~ /\b(ks\w*)\s*\(/ or next;
		my ($definer) = grep { $bare{$_} =~ /^\Q$name\E\s*\(/m || $bare{$_} =~ /^\w[^;\n]*\b\Q$name\E\([^;]*\)\n\{/m } @sources;
		next if !defined $definer;
		push @declared, $name;
		push @elsewhere, "$name ($header, $definer)" if basename($definer, '.c') ne basename($header, '.h');
		my @callers = grep { $_ ne $header && $_ ne $definer } keys %{ $places{$name} };
		push @unused, "$name ($header)"
		  if !@callers
		  && $places{$name}{$header} < 2
		  && $declaration !~ /\bPGDLLEXPORT\b/
		  && !($places{$name}{$definer} > 1 && $unit =~ /\b\Q$name\E\b/)
		  && !$wanted{$name};
	}
}

if ("@ARGV" =~ /^elsewhere (\d+)$/)
{
	my $limit = $1;
	print map { "$_\n" } sort @elsewhere;
	printf "%d of %d functions of headers are defined in a .c of another name; less than %d %% may be\n",
	  scalar @elsewhere, scalar @declared, $limit;
	exit(100 * @elsewhere >= $limit * @declared ? 1 : 0);
}
if (@ARGV)
{
	die "usage: figures.pl [unused | elsewhere PERCENT]\n" if "@ARGV" ne 'unused';
	print map { "nobody calls $_\n" } sort @unused;
	exit(@unused ? 1 : 0);
}

my %names;
push @{ $names{ basename($_) } }, $_ foreach @sources, @headers;
my @twice = map { @{ $names{$_} } } grep { @{ $names{$_} } > 1 } sort keys %names;

my (@long, $functions, $lines, $comments);
foreach my $path (@sources)
{
	my ($number, $begin, $title) = (0, 0, '');
	foreach my $line (split /\n/, $text{$path})
	{
		$number++;
		if ($line =~ /^\{/)
		{
			$begin = $number;
			$functions++;
		}
		elsif ($line =~ /^\}/)
		{
			push @long, "$title ($path:$begin, " . ($number - $begin + 1) . ')' if $begin && $number - $begin + 1 > 60;
			$begin = 0;
		}
		elsif ($begin)
		{
			$lines++;
			$comments++ if $line =~ m{/\*|//};
		}
		else
		{
			$title = $1 if $line =~ /^(?:\w.*?\b)?(\w+)\(/;
		}
	}
}

sub show
{
	my ($what, $value, @list) = @_;
	print "$what: $value\n", map { "\t$_\n" } sort @list;
	return;
}

show('source files whose name stands twice', scalar @twice, @twice);
show('functions over 60 lines', scalar(@long) . " of $functions", @long);
show('comments inside functions, per 100 lines of their bodies', sprintf('%.1f', 100 * $comments / $lines));
show('bytes of README.md', -s 'README.md');
show('functions of headers that are defined in a .c of another name',
	sprintf('%d of %d, %.0f %%', scalar @elsewhere, scalar @declared, 100 * @elsewhere / @declared), @elsewhere);
show('functions of headers that nobody else calls', scalar @unused, @unused);
