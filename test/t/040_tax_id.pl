# Identifiers against the data set ru_ids, the binary form, dump and restore.
# R-017
use strict;
use warnings FATAL => 'all';
use utf8;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Spec;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('tax_id');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION crm');

# ---- 184 rows: type, input, what must come of it
SKIP:
{
	my $file = defined $ENV{CRM_DATA} ? "$ENV{CRM_DATA}/ru_ids/ru_ids.tsv" : '';
	skip 'no data set ru_ids (CRM_DATA)', 2 unless -e $file;

	my (@rows, @wrong);
	open(my $in, '<:encoding(UTF-8)', $file) or die "$file: $!";
	while (<$in>)
	{
		chomp;
		next if /^#/;
		my ($type, $input, $expected, $note) = split /\t/, $_, -1;
		push @rows, [ $type, $input, $expected, $note // '' ];
	}
	close $in;
	is(scalar @rows, 184, 'rows of ru_ids');

	my @queries = map {
		my ($type, $input, undef, $note) = @$_;
		(my $quoted = $input) =~ s/'/''/g;
		$note =~ /pair: split/
		  ? "SELECT 'normalise ' || inn FROM crm.split_inn_kpp('$quoted');"
		  : "SELECT status || ' ' || coalesce(value, '') FROM crm.check_$type('$quoted');";
	} @rows;
	my $sql = join("\n", @queries);
	utf8::encode($sql);
	my @answers = split /\n/, $node->safe_psql('postgres', $sql);

	for my $row (@rows)
	{
		my ($type, $input, $expected, $note) = @$row;
		my $got = shift @answers // 'nothing';
		my $verdict =
			$got =~ /^bad/ ? 'invalid'
		  : $expected =~ /^normalise/ && $got =~ /^(?:fixed|normalise) (.*)/ ? "normalise $1"
		  : $got =~ /^(?:ok|odd|fixed) / ? 'valid'
		  : $got;
		push @wrong, "$type '$input': $got instead of $expected ($note)"
		  if $verdict ne $expected;
	}
	is(join("\n", @wrong), '', 'every row is read as the data set says');
}

# ---- out, in, binary out, binary in: the same values
$node->safe_psql('postgres', q{
	CREATE TABLE ids (inn crm.inn PRIMARY KEY, kpp crm.kpp, ogrn crm.ogrn, snils crm.snils, vat crm.vat, lei crm.lei);
	INSERT INTO ids VALUES
		('7707083893', '773601001', '1027700132195', '11223344595', 'DE143454214', '253400M18U5TB02TW421'),
		('500100732259', '7736AB001', '304500116000050', '00100199800', 'IE2*54321T', '7LTWFZYICNSX8D621K86'),
		('005826107187', '003601001', '404500116000057', '08765430300', 'GB220430231001', '549300EXJV1RPGZNH608'),
		('0201017011', NULL, NULL, NULL, NULL, NULL);
	CREATE INDEX ON ids (vat);
	CREATE INDEX ON ids USING hash (lei);});
my $before = $node->safe_psql('postgres', 'TABLE ids ORDER BY inn');
my $dir = File::Spec->rel2abs($node->basedir);
$node->safe_psql('postgres', qq{
	COPY ids TO '$dir/ids.bin' (FORMAT binary);
	CREATE TABLE again (LIKE ids);
	COPY again FROM '$dir/ids.bin' (FORMAT binary);});
is($node->safe_psql('postgres', 'TABLE again ORDER BY inn'), $before, 'binary copy');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/ids.dump", '-d', $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), "$dir/ids.dump" ], 'restore');
is($node->safe_psql('restored', 'TABLE ids ORDER BY inn'), $before, 'restored values');
is($node->safe_psql('restored', q{
	CREATE EXTENSION amcheck;
	SELECT count(bt_index_check(indexrelid, true)::text) FROM pg_index JOIN pg_class ON oid = indexrelid
	JOIN pg_am a ON a.oid = relam WHERE indrelid = 'ids'::regclass AND amname = 'btree'}),
	'2', 'indexes are sound');

# ---- hostile binary values
sub binary_error
{
	my ($type, $bytes) = @_;
	my $file = "$dir/hostile.bin";
	open(my $out, '>:raw', $file) or die "$file: $!";
	print $out "PGCOPY\n\377\r\n\0", pack('NN', 0, 0), pack('nN', 1, length $bytes), $bytes, pack('n', 0xFFFF);
	close $out;
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS hostile; CREATE TABLE hostile (v crm.$type)");
	my ($status, $stdout, $stderr) =
	  $node->psql('postgres', "\\set VERBOSITY sqlstate\nCOPY hostile FROM '$file' (FORMAT binary)");
	return $stderr =~ /ERROR:\s+(\w+)/ ? $1 : 'accepted';
}
is(binary_error('inn', "\1" . '7707083893'), 'accepted', 'what send writes');
is(binary_error('inn', "\2" . '7707083893'), '22P03', 'a later version');
is(binary_error('inn', ''), '08P01', 'no version byte');
is(binary_error('inn', "\1"), '22P02', 'no number');
is(binary_error('inn', "\1" . '7707083894'), '22P02', 'wrong check digit');
is(binary_error('inn', "\1" . ' 7707083893'), '22P03', 'not canonical');
is(binary_error('snils', "\1" . '112-233-445 95'), '22P03', 'written form is not canonical');
is(binary_error('vat', "\1DE\xFF43454214"), '22P02', 'not UTF-8');
is(binary_error('lei', "\1" . 'A' x 2000), '22P02', 'too long');
is(binary_error('kpp', "\1" . "7736\0AB01"), '22P02', 'a zero byte');

# ---- soft errors
SKIP:
{
	skip 'soft errors came with PostgreSQL 16', 2 if $node->pg_version < 16;
	is($node->safe_psql('postgres', q{SELECT pg_input_is_valid('7707083894', 'crm.inn'), pg_input_is_valid('7707083893', 'crm.inn')}),
		'f|t', 'pg_input_is_valid');
	like($node->safe_psql('postgres', q{SELECT detail FROM pg_input_error_info('DE143454215', 'crm.vat')}),
		qr/^VAT_CHECK_DIGIT: /, 'pg_input_error_info');
}

$node->stop;
done_testing();
