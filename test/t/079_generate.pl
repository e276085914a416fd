# The generator of contacts: the same rows from a seed with every compiler, of
# the shape it describes.
use strict;
use warnings;
use Digest::SHA;
use File::Spec;
use FindBin;
use lib $FindBin::Bin;
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $generate = "$FindBin::Bin/../generate";
my $node = crm_node('generate');
my $contacts = File::Spec->rel2abs($node->basedir . '/contacts');
is(system('cc', '-O2', '-o', $contacts, "$generate/contacts.c"), 0, 'compiles');
is(system("$contacts --rows 20000 --seed 1 > $contacts.csv"), 0, 'runs');
is(Digest::SHA->new(256)->addfile("$contacts.csv")->hexdigest,
	'3d0387ce3cfadc296c9d1660003cbff213ef622dc905671a75fd0c896e12a252', 'the rows of seed 1');
isnt(qx{$contacts --rows 5 --seed 2}, qx{$contacts --rows 5 --seed 1}, 'another seed, other rows');
like(qx{$contacts --describe}, qr/typo, in each name .*households: /s, 'describes itself');
my ($out, $err) = run_command([ $contacts, '--rows', 'x' ]);
ok($out eq '' && $err =~ /^usage/, 'refuses what it does not know');

$node->safe_psql('postgres', qq{
	CREATE TABLE person (
		id bigint PRIMARY KEY, cluster bigint NOT NULL, locale text, given_name text, middle_name text, family_name text,
		birth_date date, gender text, email text, phone text, city text, postal_code text, address text, company text, source text
	);
	COPY person FROM '$contacts.csv' (FORMAT csv, HEADER)});
is($node->safe_psql('postgres', 'SELECT count(*), min(id), max(id) FROM person'), '20000|1|20000', 'rows are numbered');
is($node->safe_psql('postgres', q{
	SELECT n, percent FROM (
		SELECT n, round(100.0 * count(*) / sum(count(*)) OVER ()) AS percent
		FROM (SELECT count(*) AS n FROM person GROUP BY cluster) AS c GROUP BY n) AS s
	WHERE abs(percent - CASE n WHEN 1 THEN 70 WHEN 2 THEN 18 WHEN 3 THEN 7 WHEN 4 THEN 3.5 WHEN 5 THEN 1.5 ELSE -9 END) > 1.5}),
	'', 'persons occur as often as described');

# agreement.sql: field, both given, equal in rows of one person, of different ones.
my $agreement = $node->safe_psql('postgres', slurp_file("$generate/agreement.sql"));
my %equal = map { /^([a-z_]+)\|[\d.]+\|([\d.]+)\|([\d.]+)$/ ? ($1 => [ $2, $3 ]) : () } split /\n/, $agreement;
is(join(' ', sort keys %equal), 'address birth_date city company email family_name gender given_name middle_name phone postal_code', 'agreement of each field');
my %between = (given_name => [ 75, 87 ], family_name => [ 83, 93 ], middle_name => [ 75, 92 ], birth_date => [ 88, 97 ],
	email => [ 70, 82 ], phone => [ 72, 86 ], city => [ 75, 88 ]);
for (sort keys %between)
{
	ok($equal{$_}[0] >= $between{$_}[0] && $equal{$_}[0] <= $between{$_}[1] && $equal{$_}[1] < 3,
		"$_: equal in $equal{$_}[0] % of the pairs of one person, $equal{$_}[1] % of others");
}
note($agreement);

$node->stop;
done_testing();
