# Comparing strings: the vectors of this processor, and of AArch64 where it can
# be emulated, give what the portable code gives, on names given with their
# variants, on all pairs of common given names and on random pairs; and
# databases of other encodings compare characters, not bytes.
# R-019
use strict;
use warnings FATAL => 'all';
use utf8;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tree = $ENV{CRM_TREE};
my $work = PostgreSQL::Test::Utils::tempdir();
my $data = $ENV{CRM_DATA};

sub run
{
	my ($what, $command) = @_;
	my $output = qx{exec 2>&1; cd '$tree' && $command};
	is($?, 0, $what) or diag($output);
	return $output;
}

# Column numbers from 0 of a file with separators, its first line left out.
sub columns
{
	my ($file, $separator, @columns) = @_;
	my @lines = split /\r?\n/, slurp_file("$data/$file");
	shift @lines;
	return map { my @fields = split $separator; join("\t", grep { defined } @fields[@columns]) . "\n" } grep { !/^#/ } @lines;
}

# ---- vectors
my $lines = '';
if (defined $data && -d "$data/russiannames" && -d "$data/nicknames")
{
	$lines .= join '', columns('russiannames/names.csv', ',', 1), columns('russiannames/midnames.csv', ',', 4, 5),
	  columns('nicknames/names.csv', ',', 0, 2), columns('nicknames/ru_diminutives_train-gender.tsv', "\t", 0, 1),
	  columns('nicknames/pseudopeople_nicknames.csv', ',', 0 .. 15),
	  map { slurp_file("$data/nicknames/diminutives_db_${_}_diminutives.csv") } qw(female male);
}
else
{
	note('CRM_DATA is not set: only the names of the program itself are compared');
}
append_to_file("$work/names", $lines);

my $flags = "-std=gnu11 -O2 -Wall -Wextra -Werror -Isrc test/t/035_compare.c src/match/compare.c";
run('the program builds', "cc -o '$work/here' $flags");
my $here = run('vectors = portable', "'$work/here' <'$work/names'");
my ($names, $pairs) = $here =~ /^(\d+) names, (\d+) pairs/m;
cmp_ok($pairs, '>=', $lines eq '' ? 784 : 2_000_000, "$pairs pairs of $names names");

SKIP:
{
	skip 'no compiler for AArch64, or nothing to run its programs', 3
	  if system("command -v aarch64-linux-gnu-gcc >/dev/null") != 0
	  || system("command -v qemu-aarch64-static >/dev/null") != 0;
	run('the program builds for AArch64', "aarch64-linux-gnu-gcc -static -o '$work/there' $flags");
	my $there = run('NEON = portable', "qemu-aarch64-static '$work/there' <'$work/names'");
	s/^(NEON|SSE2|no vectors)\n//m for $here, $there;
	is($there, $here, 'and equal to the last bit to those here');
}

# ---- encodings
# The functions alone: not every encoding has the letters of all of the extension.
my $functions = slurp_file("$tree/sql/17-compare.sql");
$functions =~ s/MODULE_PATHNAME/\$libdir\/crm/g;
my $node = crm_node('compare');
for my $case ([ 'WIN1251', 'Иванов', 'Ивнаов', 'Пётр Иванов', 'ИВАНОВ ПЁТР' ], [ 'LATIN1', 'Müller', 'Mülelr', 'Émile Zola', 'ZOLA émile' ],
	[ 'EUC_JP', '山田太', '山太田', '山田 太郎', '太郎 山田' ], [ 'SQL_ASCII', 'Smith', 'Smiht', 'John Smith', 'SMITH john' ])
{
	my ($encoding, $a, $b, $words, $other) = @$case;
	$node->safe_psql('postgres', "CREATE DATABASE d_$encoding ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	my $long = "repeat(chr(64), 100) || ";
	my $sql = "SET client_encoding = '" . ($encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8') . "';
		CREATE SCHEMA crm;
		$functions;
		SELECT crm.levenshtein('$a', '$b'), crm.osa_distance('$a', '$b'), crm.osa_distance($long '$a', '$b' || repeat('q', 100)),
		       crm.jaro('$a', left('$a', -1)) = (2 + (length('$a') - 1.0::float8) / length('$a')) / 3,
		       crm.token_set_similarity('$words', '$other')";
	utf8::encode($sql);
	is($node->safe_psql("d_\L$encoding", $sql), "2|1|" . (100 + length($a)) . "|t|1", "characters of $encoding");
}
# Bytes of which nobody knows what they mean are each a character, and never an error.
is($node->safe_psql('d_sql_ascii', q{SET client_encoding = 'SQL_ASCII';
	SELECT crm.levenshtein(E'a\xff\xfe', E'a\xfe\xff'), crm.osa_distance(E'a\xff\xfe', E'a\xfe\xff'), crm.token_set_similarity(E'\xff b', E'B \xff \xe0\xa4')}),
	'2|1|0.6666666666666666', 'bytes without an encoding');
done_testing();
