# Names against real data: recall of keys over 28 romanisations, gender,
# transliteration samples, parsing, CLDR name forms.
# R-010, R-019
use strict;
use warnings FATAL => 'all';
use utf8;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{CRM_DATA};
plan skip_all => 'CRM_DATA is not set: no data sets' unless defined $data && -d $data;
for my $need (qw(iuliia/iuliia_samples.tsv petrovich/surnames.gender.tsv petrovich/midnames.gender.tsv
	petrovich/firstnames.gender.tsv petrovich/firstnames.popular.gender.tsv russiannames/names.csv
	russiannames/midnames.csv cldr/personname_ru.tsv))
{
	plan skip_all => "no data set $need" unless -e "$data/$need";
}

my $node = PostgreSQL::Test::Cluster->new('name');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION crm');

sub query
{
	my ($sql) = @_;
	utf8::encode($sql);
	return $node->safe_psql('postgres', $sql);
}

# A tab separated file as it is, its first line left out.
sub load
{
	my ($table, $columns, $file) = @_;
	query("CREATE TABLE $table ($columns);
		COPY $table FROM '$data/$file' WITH (FORMAT csv, HEADER, DELIMITER E'\\t', QUOTE E'\\b', NULL '')");
}

# ---- transliteration: every sample of the collection
load('sample', 'scheme text, cyrillic text, latin text', 'iuliia/iuliia_samples.tsv');
is(query('SELECT count(*), count(DISTINCT scheme) FROM sample'), '164|28', 'samples and schemes');
is(query("SELECT scheme, cyrillic, crm.translit(cyrillic, scheme), latin FROM sample WHERE crm.translit(cyrillic, scheme) <> latin"),
	'', 'every sample is reproduced');

# ---- keys: each surname against its spelling in each scheme
load('surname', 'lemma text, gender text', 'petrovich/surnames.gender.tsv');
query("CREATE TABLE pair AS
	SELECT s.lemma, t.scheme, crm.translit(s.lemma, t.scheme) AS latin
	FROM surname AS s, (SELECT scheme FROM crm.translit_schemes() WHERE scheme <> 'uk_2010') AS t");
is(query('SELECT count(*), count(DISTINCT scheme) FROM pair'), 15474 * 28 . '|28', 'pairs');
query("CREATE TABLE recall AS SELECT scheme,
		100.0 * avg((crm.name_key(lemma) = crm.name_key(latin))::int) AS by_key,
		100.0 * avg((crm.name_keys(lemma) && crm.name_keys(latin))::int) AS by_keys,
		100.0 * avg((lower(crm.translit(lemma)) = lower(latin))::int) AS plain
	FROM pair GROUP BY scheme");
note(query("SELECT string_agg(format('%s: key %s %%, keys %s %%, plain equality with icao %s %%', scheme,
	round(by_key, 2), round(by_keys, 2), round(plain, 2)), E'\\n' ORDER BY scheme) FROM recall"));
my ($key, $keys, $plain) = split /\|/,
  query('SELECT round(avg(by_key), 2), round(avg(by_keys), 2), round(avg(plain), 2) FROM recall');
note("all: key $key %, keys $keys %, plain equality with icao $plain %");
cmp_ok($key, '>=', 98.3, "recall of name_key over all schemes: $key %");
cmp_ok($keys, '>=', 99.7, "recall of name_keys over all schemes: $keys %");
is(query("SELECT scheme, by_keys FROM recall WHERE by_keys < CASE scheme WHEN 'uz' THEN 92.5 ELSE 99.9 END"),
	'', 'name_keys finds 99.9 % in every scheme (Uzbek 92.5 %)');
is(query("SELECT scheme, by_key FROM recall
	WHERE by_key < CASE scheme WHEN 'mvd_310_fr' THEN 76 WHEN 'uz' THEN 87 WHEN 'telegram' THEN 94 ELSE 99.9 END"),
	'', 'name_key finds 99.9 % in every scheme but three');

# ---- keys: how many surnames share one
my ($shared, $biggest) = split /\|/, query('SELECT sum(n) FILTER (WHERE n > 1), max(n)
	FROM (SELECT count(*) AS n FROM surname GROUP BY crm.name_key(lemma)) AS g');
note("of 15,474 surnames $shared share a key, at most $biggest one key");
cmp_ok($shared, '<=', 463, 'surnames that share a key with another');
cmp_ok($biggest, '<=', 3, 'most surnames of one key');
my ($house) = query("SELECT round(100.0 * avg((crm.name_household_key(m.lemma) = crm.name_household_key(f.lemma))::int), 2)
	FROM (SELECT lemma, CASE WHEN lemma ~ '(ИЙ|ЫЙ|ОЙ)\$' THEN left(lemma, -2) || 'АЯ' ELSE lemma || 'А' END AS wife
		FROM surname WHERE gender = 'мр') AS m
	JOIN surname AS f ON f.gender = 'жр' AND f.lemma = m.wife");
cmp_ok($house, '==', 100, "household key of husband and wife: $house %");

# ---- gender
load('midname', 'lemma text, gender text', 'petrovich/midnames.gender.tsv');
load('firstname', 'lemma text, gender text', 'petrovich/firstnames.gender.tsv');
load('popular', 'lemma text, gender text', 'petrovich/firstnames.popular.gender.tsv');
my $verdict = "count(*) FILTER (WHERE g = CASE gender WHEN 'мр' THEN 'm' WHEN 'жр' THEN 'f' END),
	count(*) FILTER (WHERE g <> CASE gender WHEN 'мр' THEN 'm' WHEN 'жр' THEN 'f' END),
	count(*) FILTER (WHERE g IS NULL)";
is(query("SELECT $verdict FROM (SELECT gender, crm.name_gender(NULL, lemma) AS g FROM midname) AS x"),
	'16005|0|0', 'patronymics: right, wrong, undecided');
my ($right, $wrong, $unknown) = split /\|/,
  query("SELECT $verdict FROM (SELECT gender, crm.name_gender(lemma) AS g FROM firstname
		-- Names of women that the data call names of men.
		WHERE lemma NOT IN ('АЙСЫЛУ', 'ГУЛЬЧАЧАК', 'ЛЯЙСАН')) AS x");
note("given names: $right right, $wrong wrong, $unknown undecided");
is($wrong, 0, 'no given name of the wrong gender');
($right, $wrong, $unknown) = split /\|/,
  query("SELECT $verdict FROM (SELECT gender, crm.name_gender(lemma) AS g FROM popular) AS x");
note("popular given names: $right right, $wrong wrong, $unknown undecided");
is($wrong, 0, 'no popular given name of the wrong gender');
cmp_ok($right, '>=', 185, 'popular given names known, of 199');
($right, $wrong, $unknown) = split /\|/,
  query("SELECT $verdict FROM (SELECT gender, crm.name_gender(NULL, NULL, lemma) AS g FROM surname) AS x");
note("surnames: $right right, $wrong wrong, $unknown undecided");
is($wrong, 0, 'no surname of the wrong gender');
cmp_ok($right, '>=', 9600, 'surnames whose gender is decided');

# The share of people, not of names: counts of a register.
query("CREATE TABLE given (count bigint, text text, ethnic text, lett text, gender text);
	COPY given FROM '$data/russiannames/names.csv' WITH (FORMAT csv, HEADER);
	CREATE TABLE patronymic (count bigint, gender text, ethnic text, lett text, fname text, text text);
	COPY patronymic FROM '$data/russiannames/midnames.csv' WITH (FORMAT csv, HEADER)");
my ($known, $bad) = split /\|/, query("SELECT round(100.0 * sum(count) FILTER (WHERE g = gender) / sum(count), 2),
	round(100.0 * sum(count) FILTER (WHERE g <> gender) / sum(count), 3)
	FROM (SELECT *, crm.name_gender(text) AS g FROM given) AS x");
note("people whose given name decides: $known %, wrongly $bad %");
cmp_ok($known, '>=', 93, 'people whose given name tells the gender, in percent');
cmp_ok($bad, '<=', 0.05, 'people of the wrong gender, in percent');

# ---- parts: names put together from the data, in the orders that occur
query(q{ANALYZE; CREATE TABLE person AS
	WITH s AS (SELECT crm.name_case(lemma) AS family, gender, row_number() OVER (PARTITION BY gender ORDER BY lemma) AS n
			FROM surname WHERE gender IN ('мр', 'жр')),
		g AS (SELECT text AS given, gender, row_number() OVER (PARTITION BY gender ORDER BY count DESC) AS n FROM given
			WHERE text <> 'Нинель'),	-- a name of women that the data call one of men
		p AS (SELECT text AS middle, gender, row_number() OVER (PARTITION BY gender ORDER BY count DESC) AS n FROM patronymic)
	SELECT s.family, g.given, p.middle, g.gender
	FROM s JOIN g ON g.gender = CASE s.gender WHEN 'мр' THEN 'm' ELSE 'f' END AND g.n = s.n % 300 + 1
		JOIN p ON p.gender = g.gender AND p.n = s.n % 997 + 1});
for my $form (
	[ 'family given patronymic', "family || ' ' || given || ' ' || middle", 'n.middle = p.middle', 99.9 ],
	[ 'given patronymic family', "given || ' ' || middle || ' ' || family", 'n.middle = p.middle', 99.9 ],
	[ 'family, given patronymic', "family || ', ' || given || ' ' || middle", 'n.middle = p.middle', 100 ],
	[ 'family with initials', "family || ' ' || left(given, 1) || '.' || left(middle, 1) || '.'", "n.middle = left(p.middle, 1) || '.'", 99.9 ],
	[ 'family given', "family || ' ' || given", 'n.middle IS NULL', 99 ],
	[ 'given family', "given || ' ' || family", 'n.middle IS NULL', 99 ])
{
	my ($name, $text, $middle, $least) = @$form;
	my $given = $name =~ /initials/ ? "left(p.given, 1) || '.'" : 'p.given';
	my ($share, $sure_wrong, $gender, $gender_wrong) = split /\|/,
	  query("SELECT round(100.0 * avg(ok::int), 2), round(100.0 * avg((NOT ok AND confidence >= 0.8)::int), 2),
			round(100.0 * avg((gender = person)::int), 2), count(*) FILTER (WHERE gender <> person)
		FROM (SELECT n.family IS NOT DISTINCT FROM p.family AND n.given IS NOT DISTINCT FROM $given
				AND ($middle) IS TRUE AS ok, n.confidence, n.gender, p.gender AS person
			FROM person AS p, crm.parse_name($text) AS n) AS x");
	note("$name: $share % right, $sure_wrong % wrong with confidence 0.8 or more, gender of $gender % found, wrong $gender_wrong");
	cmp_ok($share, '>=', $least, "$name: $share % right");
	cmp_ok($sure_wrong, '<=', 0.5, "$name: wrong and sure of it in $sure_wrong %");
	is($gender_wrong, 0, "$name: no wrong gender");
}

# ---- CLDR: the forms that crm.format_name() has
load('cldr', 'name text, options text, expected text', 'cldr/personname_ru.tsv');
query("CREATE TABLE cldr_form (options text, form text, informal boolean);
	INSERT INTO cldr_form VALUES
		('none long referring formal', 'full', false), ('none medium referring formal', 'full', false),
		('none long referring informal', 'full', true), ('none medium referring informal', 'full', true),
		('none short referring formal', 'short', false), ('none short referring informal', 'informal', true),
		('sorting long referring formal', 'sorting', false), ('sorting long referring informal', 'sorting', true),
		('sorting medium referring informal', 'sorting', true), ('sorting short referring informal', 'sorting', true),
		('sorting short referring formal', 'sorting_short', false),
		('none long monogram formal', 'monogram', false), ('none long monogram informal', 'monogram', true)");
my $cldr = "SELECT expected, crm.format_name(
		CASE WHEN informal THEN coalesce(j->>'given-informal', j->>'given') ELSE j->>'given' END,
		CASE WHEN NOT informal THEN j->>'given2' END, coalesce(j->>'surname', j->>'surname-core'), form) AS got
	FROM (SELECT *, name::json AS j FROM cldr) AS c JOIN cldr_form USING (options)";
is(query("SELECT count(*) FROM ($cldr) AS x"), 33, 'vectors of CLDR that apply, of 52');
is(query("SELECT * FROM ($cldr) AS x WHERE got IS DISTINCT FROM expected"), '', 'all of them are met');

$node->stop;
done_testing();
