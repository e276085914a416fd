# Phone numbers in and out of a server: hostile binary input, dump and restore
# of numbers that no numbering plan knows, corrupted values, the data sets.  R-017
use strict;
use warnings FATAL => 'all';
use utf8;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Spec;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('phone');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}) . "\nsearch_path = 'public, crm'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION crm; CREATE TABLE t (id int, p crm.phone)');

# ---- binary input: one row, one field with the given bytes
my $file = File::Spec->rel2abs($node->basedir) . '/phone.bin';

sub write_file
{
	my ($name, $bytes) = @_;
	open(my $out, '>:raw', $name) or die "$name: $!";
	print $out "PGCOPY\n\xff\r\n\0", pack('NN', 0, 0), pack('n', 1), pack('N', length $bytes), $bytes, pack('n', 0xffff);
	close $out;
}

sub copy_in
{
	my ($bytes) = @_;
	write_file($file, $bytes);
	my ($stdout, $stderr);
	$node->psql('postgres', "COPY t (p) FROM '$file' (FORMAT binary)", stderr => \$stderr);
	return $stderr;
}
sub digits { my ($n, $d, $e) = @_; return pack('CCa*Ca*', 1, $n, $d, length $e, $e) }

is(copy_in(digits(11, '79161234567', '')), '', 'a good value');
is(copy_in(digits(15, '791612345678901', '0123456789')), '', 'the longest value');
like(copy_in("\x02\x0b79161234567\0"), qr/unsupported version 2/, 'another version');
like(copy_in(digits(4, '7916', '')), qr/invalid digits/, 'too few digits');
like(copy_in(digits(16, '7' x 16, '')), qr/invalid digits/, 'too many digits');
like(copy_in(digits(11, '09161234567', '')), qr/invalid digits/, 'a leading zero');
like(copy_in(digits(11, '7916123456x', '')), qr/invalid digits/, 'a letter');
like(copy_in(digits(11, "7916123456\0", '')), qr/invalid digits/, 'a zero byte');
like(copy_in(digits(11, '79161234567', '1' x 11)), qr/invalid digits/, 'a long extension');
like(copy_in(digits(11, '79161234567', "1\xff")), qr/invalid digits/, 'an extension of other bytes');
like(copy_in(digits(255, '7', '')), qr/invalid digits/, 'a length beyond the value');
like(copy_in(digits(11, '791612', '')), qr/invalid|insufficient data/, 'a value that is cut');
like(copy_in(''), qr/no data left/, 'no bytes at all');
like(copy_in(digits(11, '79161234567', '') . 'x'), qr/incorrect binary data format/, 'a trailing byte');
srand(7);
my $script = '';
for my $i (1 .. 300)
{
	my $bytes = digits(11, '79161234567', '105');
	substr($bytes, rand length $bytes, 1) = chr(rand 256) for 1 .. 1 + rand 3;
	write_file("$file.$i", $bytes);
	$script .= "COPY t (p) FROM '$file.$i' (FORMAT binary);\n";
}
my $errors;
$node->psql('postgres', $script, stderr => \$errors, on_error_stop => 0);
my @unexpected = grep { /ERROR/ && !/invalid digits|unsupported version|insufficient data|incorrect binary/ } split /\n/, $errors;
is("@unexpected", '', 'random damage is refused');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE p::text::crm.phone <> p'), '0', 'and what came in can be read back');

# ---- binary and text copies are faithful
$node->safe_psql('postgres', q{
	TRUNCATE t;
	INSERT INTO t SELECT i, (CASE i % 3 WHEN 0 THEN '+999' WHEN 1 THEN '+7800' ELSE '+44020' END || 100000 + i
		|| CASE i % 2 WHEN 0 THEN ';ext=0' || i ELSE '' END)::crm.phone FROM generate_series(1, 3000) i;
	CREATE INDEX ON t (p); CREATE INDEX ON t (p crm.phone_suffix_ops); CREATE INDEX ON t USING hash (p);
	CREATE TABLE g (raw text, p crm.phone GENERATED ALWAYS AS (crm.try_phone(raw, 'RU')) STORED);
	INSERT INTO g VALUES ('8 (916) 123-45-67'), ('нет');
});
my $sum = 'SELECT count(*), md5(string_agg(id || p::text, \',\' ORDER BY id)) FROM t';
my $before = $node->safe_psql('postgres', $sum);
$node->safe_psql('postgres', "COPY t TO '$file' (FORMAT binary); TRUNCATE t; COPY t FROM '$file' (FORMAT binary)");
is($node->safe_psql('postgres', $sum), $before, 'a binary copy is faithful');

# ---- dump and restore, with the indexes and the generated column
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('again') ], 'restore');
is($node->safe_psql('again', $sum), $before, 'numbers of no known plan survive a dump');
is($node->safe_psql('again', 'SELECT p FROM g WHERE p IS NOT NULL'), '+79161234567', 'a generated column is made again');

# ---- a hash join, a merge join, a sort and a parallel scan agree
$node->safe_psql('postgres', q{
	CREATE TABLE big AS SELECT ('+7916' || lpad((i::bigint * 7919 % 10000000)::text, 7, '0'))::crm.phone AS p FROM generate_series(1, 200000) i;
	ALTER TABLE big SET (parallel_workers = 2); ANALYZE big});
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';
for my $off ('enable_hashjoin', 'enable_mergejoin')
{
	is($node->safe_psql('postgres', "$parallel SET $off = off; SELECT count(*) FROM big a JOIN big b USING (p)"), 200000, "join without $off");
}
is($node->safe_psql('postgres', "$parallel SELECT count(*) FROM (SELECT p, lag(p) OVER (ORDER BY p) AS q FROM big) s WHERE q >= p"), 0, 'sorted');
is($node->safe_psql('postgres', "$parallel SELECT count(*) FROM big WHERE crm.try_phone(p::text) = p AND crm.is_valid(p)"), 200000, 'read in parallel');

# ---- in a database of another encoding only ASCII is certain, and nothing breaks
$node->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
$node->safe_psql('latin', 'CREATE EXTENSION crm');
is($node->safe_psql('latin', q{SELECT crm.try_phone('+7 916' || chr(160) || '123-45-67')}), '+79161234567', 'a no-break space of LATIN1');
is($node->safe_psql('latin', q{SELECT (crm.check_phone('+7 916 123-45-67 ' || chr(233))).code}), 'PHONE_WORDS', 'a letter of LATIN1');

# ---- stored bytes that no code of ours writes
$node->safe_psql('postgres', q{CREATE CAST (bytea AS crm.phone) WITHOUT FUNCTION});
for my $bytes ('00', '00000000000040', '0000000000000102', '00000000000041', 'ffffffffffffffff', '00000000000041bb', '0000000000004110f1')
{
	my ($stdout, $stderr);
	$node->psql('postgres', "SELECT '\\x$bytes'::bytea::crm.phone::text", stdout => \$stdout, stderr => \$stderr);
	ok($stderr =~ /malformed/ || $stdout =~ /^\+\d*(;ext=\d+)?$/, "bytes $bytes");
	$node->psql('postgres', "SELECT '\\x$bytes'::bytea::crm.phone < '+79161234567', crm.phone_hash('\\x$bytes'::bytea::crm.phone)", stderr => \$stderr);
	is($stderr, '', "comparing bytes $bytes never fails");
}

# ---- the data sets, where they match the table
SKIP:
{
	my $folder = defined $ENV{CRM_DATA} ? "$ENV{CRM_DATA}/libphonenumber" : '';
	my $version = $node->safe_psql('postgres', 'SELECT crm.phone_metadata_version()');
	skip 'no data set libphonenumber (CRM_DATA)', 3 unless -e "$folder/examples_9.0.35.tsv";

	my %kind = (FIXED_LINE => 'fixed', MOBILE => 'mobile', FIXED_LINE_OR_MOBILE => 'fixed_or_mobile', TOLL_FREE => 'toll_free',
		PREMIUM_RATE => 'premium', SHARED_COST => 'shared', VOIP => 'voip', PERSONAL_NUMBER => 'personal', PAGER => 'pager',
		UAN => 'uan', VOICEMAIL => 'voicemail', UNKNOWN => 'unknown');
	my ($seen, @wrong) = (0);
	if (-e "$folder/random_e164_$version.tsv")
	{
		my @rows = map { [ split /\t/, $_, -1 ] } grep { !/^#/ } split /\n/, slurp_file("$folder/random_e164_$version.tsv");
		my $answers = $node->safe_psql('postgres', join("\n", "CREATE TEMP TABLE v (n serial, t text);", "COPY v (t) FROM stdin;",
			(map { $_->[0] } @rows), '\\.',
			q{SELECT coalesce(p::text, 'refused'), crm.is_valid(p), crm.phone_type(p), coalesce(crm.region(p), 'ZZ'), crm.format_phone(p),
				crm.format_phone(p, 'national'), crm.format_phone(p, 'rfc3966') FROM (SELECT n, crm.try_phone(t) AS p FROM v) s ORDER BY n}));
		my @answers = split /\n/, $answers;
		for my $row (@rows)
		{
			my @answer = split /\|/, shift(@answers) // '', -1;
			my ($input, undef, $parsed, $e164, undef, undef, $valid, $type, $region, $international, $national, $rfc) = @$row;
			next if $parsed ne 'OK' || length $e164 > 16 || $answer[0] ne $e164;
			$seen++;
			push @wrong, "$input: @answer" if join('|', @answer[1 .. 6])
			  ne join('|', $valid eq 'valid' ? 't' : 'f', $kind{$type}, $region, $international, $national, $rfc);
		}
		cmp_ok($seen, '>', 11_900, 'random numbers');
		is("@wrong[0 .. ($#wrong < 5 ? $#wrong : 5)]", '', 'facts and formats are the library\'s');
	}
	else
	{
		pass("random numbers are of another version than $version") for 1 .. 2;
	}
	my @examples = map { (split /\t/)[4] } grep { !/^#/ } split /\n/, slurp_file("$folder/examples_9.0.35.tsv");
	is($node->safe_psql('postgres', "SELECT count(*) FROM unnest('{" . join(',', @examples) . "}'::text[]) t WHERE t::crm.phone::text <> t"),
		0, 'examples of newer plans are read whatever our plans say');
}

$node->stop;
done_testing();
