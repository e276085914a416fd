# crm.email against vectors of others: RFC examples, python-email-validator with
# isemail, and the conformance file of UTS #46.  Every difference is listed here
# with its reason; one that is not listed fails the test.  R-017
use strict;
use warnings;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'CRM_DATA does not name a folder with the vectors'
	unless $ENV{CRM_DATA} && -r "$ENV{CRM_DATA}/rfc_email/rfc_email.tsv";

my $node = PostgreSQL::Test::Cluster->new('email_vectors');
$node->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION crm');

# Vector files: tab-separated, \t \n \r \\ and \xNN escaped as COPY has them.
# An input with \x00 cannot be a text; such rows are left out and counted.
my ($nul, $invalid) = (0, 0);

sub load
{
	my ($table, $columns, $file) = @_;
	my $width = () = $columns =~ /text/g;
	my $copy = '';
	for (split /\n/, slurp_file($file))
	{
		next if /^#/;
		if (/\\x00/) { $nul++; next; }
		my $bytes = $_;
		utf8::encode($bytes) if utf8::is_utf8($bytes);
		my $check = $bytes;
		if (!utf8::decode($check) || $check =~ /[\x{D800}-\x{DFFF}]/) { $invalid++; next; }
		my @field = split /\t/, $bytes, -1;
		push @field, '' while @field < $width;
		$copy .= join("\t", @field[0 .. $width - 1]) . "\n";
	}
	$node->psql('postgres', "CREATE TABLE $table (line serial, $columns)");
	my $list = join ', ', $columns =~ /(\w+) text/g;
	my $path = File::Spec->rel2abs($node->basedir . "/$table.tsv");
	append_to_file($path, $copy);
	$node->safe_psql('postgres', "COPY $table ($list) FROM '$path'");
	return;
}

# 1. The examples of the RFCs.
load('rfc', 'input text, expected text, source text, note text', "$ENV{CRM_DATA}/rfc_email/rfc_email.tsv");
is($node->safe_psql('postgres', 'SELECT count(*) FROM rfc'), '82', 'all RFC examples loaded');
is($node->safe_psql('postgres', q{
	SELECT input, expected, r.status, r.code FROM rfc, crm.check_email(input) AS r
	WHERE CASE expected
		WHEN 'valid' THEN NOT r.ok
		WHEN 'valid_smtputf8' THEN NOT r.ok
		WHEN 'valid_lax' THEN r.code IS DISTINCT FROM 'EMAIL_LOCAL_LONG'
		WHEN 'valid_literal' THEN r.code IS DISTINCT FROM 'EMAIL_DOMAIN_LITERAL'
		WHEN 'obsolete' THEN r.ok
		WHEN 'invalid' THEN r.ok END
	ORDER BY line}),
	'', 'RFC examples');
is($node->safe_psql('postgres', q{
	SELECT input, r.code, r.suggestion FROM rfc, crm.check_email(input) AS r WHERE expected = 'obsolete' ORDER BY line}),
	join("\n",
		'pete(his account)@silly.test|EMAIL_COMMENT|pete@silly.test',
		'jdoe@test . example|EMAIL_SPACE|jdoe@test.example',
		'mary @example.net|EMAIL_SPACE|mary@example.net',
		"john.q.public\@ex\tample.com|EMAIL_SPACE|"),
	'comments and folding are refused; where one repair exists it is offered');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM rfc, crm.try_email(input) AS e
	WHERE expected = 'valid_smtputf8' AND NOT crm.is_smtputf8(e)}),
	'0', 'those that need SMTPUTF8 say so');

# 2. python-email-validator, and isemail's verdicts within it.
load('validator', 'test text, input text, expected text, detail text', "$ENV{CRM_DATA}/email_validator/email_validator.tsv");
is($node->safe_psql('postgres', q{SELECT count(*) FROM validator}) + $nul + $invalid, 286, 'all vectors loaded or left out');
note("$nul rows with a NUL and $invalid of invalid UTF-8 cannot be a text");
is($nul, 2, 'rows that no text can hold');

# What that library accepts, and what it refuses with a message.  Its tests of
# unsafe characters give a piece of a local part; behind another letter, where
# all but the combining mark must be refused.
my $differences = $node->safe_psql('postgres', q{
	SELECT encode(convert_to(input, 'UTF8'), 'hex'), r.status, r.code
	FROM validator, crm.check_email(CASE WHEN test = 'test_email_unsafe_character' THEN 'a' || input || '@example.com' ELSE input END) AS r
	WHERE expected IN ('valid', 'valid_if_quoted', 'invalid') AND test !~ 'smtputf8_off'
	  AND NOT (test = 'test_email_unsafe_character' AND detail = 'COMBINING GRAVE ACCENT')
	  AND r.ok <> (expected <> 'invalid') ORDER BY line});
my ($long) = $node->safe_psql('postgres', q{SELECT split_part(input, '@', 2) FROM validator WHERE input LIKE 'my.%address@1111%' AND length(input) = 254 AND octet_length(input) = 256});
my %reason = (
	# Accepted here.
	"my\@example.com\n" => 'white space at the ends carries no meaning: removed (fixed)',
	"\nmy\@example.com" => 'white space at the ends carries no meaning: removed (fixed)',
	'<me@example.com>' => 'brackets around the whole carry no meaning: removed (fixed)',
	'me@bad.tld-2' => 'no such top-level domain; which ones exist is data: odd',
	'me@yy--0.tld' => 'reserved hyphens occur in host names: odd',
	"me\@yy\x{FF0D}\x{FF0D}0.tld" => 'reserved hyphens occur in host names: odd',
	'11111111112222222222333333333344444444445555555555666666666677777@example.com' => 'more than 64 octets occur: odd',
	'111111111122222222223333333333444444444455555555556666666666777777@example.com' => 'more than 64 octets occur: odd',
	"\x{FB2C}111111122222222223333333333444444444455555555556666666666777777\@example.com" => 'more than 64 octets occur: odd',
	"my.s\x{323}\x{307}.address\@" . $long => 'counted in normal form C: 254 octets',
	'me@anything.arpa' => 'special use is a question, crm.is_special_use(), not an error',
	'me@valid.invalid' => 'special use',
	'me@link.local' => 'special use',
	'me@host.localhost' => 'special use',
	'me@onion.onion.onion' => 'special use',
	'me@test.test.test' => 'special use',
	# Refused here.
	'MyName <me@example.org>' => 'a display name belongs in a column of its own; the address is suggested',
	'My Name <me@example.org>' => 'display name',
	'"My.\"Na\\\\me\".Is" <"me \" \\\\ me"@example.org>' => 'display name');
my %unused = %reason;
my @unexpected;
for my $difference (split /\n/, $differences)
{
	my ($input, $status, $code) = split /\|/, $difference;
	$input = pack 'H*', $input;
	utf8::decode($input);
	# The test of a display name in another normal form.
	if ($input =~ /^"[^"]*" <.*\@nfc\.tld>$/) { next; }
	if ($input =~ /^\x{5E9}\x{5BC}\x{5C1}1111111222/) { $input = "\x{FB2C}" . substr $input, 3; }
	if (exists $reason{$input}) { delete $unused{$input}; next; }
	utf8::encode($input);
	push @unexpected, "$input ($status $code)";
}
is(join("\n", @unexpected), '', 'python-email-validator: no difference without a reason');
is(join("\n", map { my $s = $_; utf8::encode($s); $s } sort keys %unused), '', 'python-email-validator: no reason without a difference');

# The parts that the library finds.
is($node->safe_psql('postgres', q{
	SELECT input, e::text, crm.ascii(e), detail
	FROM validator, crm.try_email(input) AS e
	WHERE expected = 'valid' AND e IS NOT NULL AND NOT (
		e::text = detail::jsonb->>'normalized' AND crm.local_part(e) = detail::jsonb->>'local_part'
		AND crm.domain(e) = detail::jsonb->>'domain' AND crm.domain_ascii(e) = detail::jsonb->>'ascii_domain'
		AND crm.is_smtputf8(e) = (detail::jsonb->>'smtputf8')::boolean
		AND crm.ascii(e) IS NOT DISTINCT FROM detail::jsonb->>'ascii_email')}),
	'', 'python-email-validator: the same parts');
is($node->safe_psql('postgres', q{
	SELECT input, crm.local_part(e), detail FROM validator, crm.try_email(input) AS e
	WHERE expected = 'valid_if_quoted' AND crm.local_part(e) IS DISTINCT FROM detail}),
	'', 'python-email-validator: needless quotes removed alike');

# isemail grades; what it calls valid is accepted, a quoted string is odd, white
# space around the whole is removed, and all else is refused.
is($node->safe_psql('postgres', q{
	SELECT input, detail, r.status, r.code FROM validator, crm.check_email(input) AS r
	WHERE expected = 'pyisemail' AND CASE
		WHEN detail = 'ISEMAIL_VALID' THEN r.status NOT IN ('ok', 'odd')
		WHEN detail = 'ISEMAIL_RFC5321_QUOTEDSTRING' THEN r.status NOT IN ('fixed', 'odd')
		WHEN detail = 'ISEMAIL_RFC5322_LOCAL_TOOLONG' THEN r.code IS NULL OR r.code NOT IN ('EMAIL_LOCAL_LONG', 'EMAIL_LOCAL_QUOTED')
		WHEN btrim(input, E' \r\n') = 'test@iana.org' THEN r.code IS DISTINCT FROM 'EMAIL_SPACE_REMOVED'
		ELSE r.ok END
	ORDER BY line}),
	'', 'isemail: the grades');

# 3. UTS #46, all of its conformance file.  The dot of the root, which no address
# has, is taken off; then a name of one label gets ".com", which no rule of the
# file looks at, as an address has two labels.
load('uts46', 'source text, unicode text, unicode_status text, ascii text, ascii_status text', "$ENV{CRM_DATA}/idna/idna_uts46.tsv");
is($node->safe_psql('postgres', 'SELECT count(*) FROM uts46'), '6225', 'all UTS #46 rows loaded');
$node->safe_psql('postgres', q{
	CREATE TABLE answer AS
	SELECT line, name, unicode_status = '' AND ascii_status = '' AS valid,
		regexp_replace(unicode, '\.$', '') || suffix AS unicode,
		regexp_replace(CASE ascii WHEN '' THEN unicode ELSE ascii END, '\.$', '') || suffix AS ascii,
		ascii_status || unicode_status AS why, e, c.status, c.code
	FROM uts46, regexp_replace(source, '[.\u3002\uff0e\uff61]$', '') AS bare,
		LATERAL (SELECT CASE WHEN bare ~ '[.\u3002\uff0e\uff61]' THEN '' ELSE '.com' END AS suffix) AS s,
		LATERAL (SELECT bare || suffix AS name) AS n,
		crm.check_email('a@' || name) AS c, crm.try_email('a@' || name) AS e});

# Where the verdict differs from the file's:
my %explained = (
	'a host name, not a mail domain: the last label is a number' =>
		q{valid AND code IN ('EMAIL_DOMAIN_IP', 'EMAIL_TLD_NUMERIC') AND unicode ~ '\.[0-9]+$'},
	'UTS #46 drops invisible characters; inside an address they are refused' =>
		q{valid AND code = 'EMAIL_INVISIBLE' AND name ~ '[\u00ad\u200b\u2060-\u206f\ufeff\U000E0000-\U000E0FFF]'},
	'invisible characters at the end of the whole are removed, then the rest is valid' =>
		q{NOT valid AND status = 'fixed' AND code = 'EMAIL_SPACE_REMOVED' AND name ~ '[\u115f\u1160\u200c\u200d]$'},
	'ASCII labels with reserved hyphens occur in host names: odd' =>
		q{NOT valid AND status = 'odd' AND code = 'EMAIL_DOMAIN_HYPHENS' AND why = '[V2][V2]'},
	'characters that are not assigned yet may come with a dump from a newer ICU: odd' =>
		q{NOT valid AND status = 'odd' AND code = 'EMAIL_DOMAIN_UNASSIGNED' AND why ~ 'V6'});
# The file is that of Unicode 15.0.  The module was built with this ICU:
my ($icu) = qx{pkg-config --modversion icu-uc} =~ /^(\d+)/;
$explained{"allowed, mapped or assigned since Unicode 15.1, as ICU $icu knows"} =
	q{NOT valid AND why ~ 'V6' AND unicode ~ '[\u04c0\u10a0-\u10c5\u2132\u2183\u2260\u226e\u226f\U0002EBF0-\U0002EE5D\U000323B0-\U00033479]'}
	if $icu >= 74;
my $none = join ' OR ', map { "($_)" } values %explained;
is($node->safe_psql('postgres', "SELECT name, valid, status, code, why FROM answer WHERE valid <> (e IS NOT NULL) AND ($none) IS NOT TRUE"),
	'', 'UTS #46: no verdict differs without a reason');
for my $reason (sort keys %explained)
{
	my $count = $node->safe_psql('postgres', "SELECT count(*) FROM answer WHERE valid <> (e IS NOT NULL) AND ($explained{$reason})");
	cmp_ok($count, '>', 0, "$reason ($count rows)");
}
is($node->safe_psql('postgres', q{SELECT name, unicode, crm.domain(e), ascii, crm.domain_ascii(e) FROM answer WHERE valid AND (crm.domain(e) <> unicode OR crm.domain_ascii(e) <> ascii) LIMIT 20}),
	'', 'UTS #46: Unicode and ASCII forms');
note($node->safe_psql('postgres', q{SELECT format('%s valid names accepted, %s invalid names refused', count(*) FILTER (WHERE valid AND e IS NOT NULL), count(*) FILTER (WHERE NOT valid AND e IS NULL)) FROM answer}));

$node->stop;
done_testing();
