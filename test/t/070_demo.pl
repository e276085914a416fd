# The story of make demo, told in a server of the test's own: its key numbers,
# and that a demo which goes wrong says so by its exit status.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use CrmTest;
use PostgreSQL::Test::Utils;
use Encode;
use File::Temp;
use Test::More;

my $node = crm_node('demo');
my $told = 0;
my $folder = File::Temp->newdir;

# Tells the story in a new database; gives its name, what was printed, and the
# exit status.
sub tell_story
{
	my %choice = @_;
	my $db = 'demo' . ++$told;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION crm; SELECT crm.install()');
	local %ENV = (
		(map { $_ => $ENV{$_} } grep { !/^(CSV|DEALS|ENTITY|REGION|DATE_ORDER|DELIMITER|ENCODING|BAD_VALUES)$/ } keys %ENV),
		PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $db, PSQL => $node->installed_command('psql'), %choice);
	my $printed = "$folder/$db.out";
	my $status = system("$FindBin::Bin/../demo/tell >$printed 2>&1");
	open(my $in, '<:raw', $printed) or die "$printed: $!";
	local $/;
	return ($db, scalar <$in>, $status >> 8);
}

sub file
{
	my ($name, $content) = @_;
	my $path = "$folder/$name";
	open(my $out, '>:raw', $path) or die "$path: $!";
	print $out $content;
	close $out;
	return $path;
}

sub counts
{
	my ($db) = @_;
	return $node->safe_psql($db, 'SELECT entity, rows, created, updated, unchanged, rejected, values_set_aside FROM crm.import_batch');
}

# ---- our own messy contacts
my ($db, $story, $status) = tell_story();
is($status, 0, 'the story ends well') or diag($story);
# 44 rows are rejected; one of them is corrected and taken in.
is(counts($db), 'contact|263|193|27|0|43|0', 'contacts: created, recognised, rejected');
is($node->safe_psql($db, 'SELECT count(*), count(resolved_at) FROM crm.import_reject WHERE code <> $$ROW_EMPTY$$ AND (reason = $$$$ OR value = $$$$)'),
	'0|0', 'each has a value and a reason');
is($node->safe_psql($db, "SELECT count(DISTINCT code) FROM crm.import_reject"), '28', 'kinds of trouble in the file');
is($node->safe_psql($db, 'SELECT name, amount FROM crm.v_deal WHERE kind = $$won$$ ORDER BY amount'), "Spare parts, Brandauer|88000\nAnnual contract, КОМАРОВА|480000", 'the deals that were won');
is($node->safe_psql($db, 'SELECT string_agg(stage || $$=$$ || deals, $$ $$ ORDER BY position) FROM crm.v_pipeline_total WHERE pipeline = $$Sales$$'),
	'New=1 Qualified=1 Proposal=1 Negotiation=0 Won=2 Lost=1', 'the funnel');
is($node->safe_psql($db, 'SELECT string_agg(kind, $$ $$ ORDER BY id) FROM crm.notification'), 'reminder task.due task.overdue', 'what was reminded of');
my @refused = $story =~ /^SQLSTATE: (\w+)$/mg;
is("@refused", 'RM001 RM001 RM003 42703 RM002', 'what was refused');
like($story, qr/RM003 │ Something is missing\..*\n.*RM002 │ The guard of the move is not met\./, 'a move tells all that it asks for');
is($node->safe_psql($db, 'SELECT status, amount, lines, margin FROM crm.v_order'), 'paid|480000.00|2|127000.00', 'the quote became one order, and was paid');
is($node->safe_psql($db, 'SELECT string_agg(status, $$ $$ ORDER BY received_at), count(*) FROM crm.payment_event'), 'paid authorized|2', 'by messages in the wrong order');
is($node->safe_psql($db, 'SELECT count(*), count(DISTINCT deal_id), min(status) FROM crm.lead'), '1|1|converted', 'a lead came twice, was converted twice, and is one');
like($story, qr/^│ In turn │ Vera Lind │ skipped +│ is absent until/m, 'who did not get it, and why');
like($story, qr/^│ 2026-03-10 │ 14:00 +│ 17:30 │ 03:30:00 │ 08:00:00 │/m, 'the deadline is explained');
like($story, qr/^│ +1 │ +5 │\n│ +2 │ +2 │\n│ +3 │ +1 │/m, 'the funnel over activities');
like($story, qr/^│ email +│ +0\.4 │ +192000 │/m, 'attribution');
like($story, qr/^New +(?:█){33} +6 +83%/m, 'the funnel is drawn');
like($story, qr/^│ closing │ +3 │ 1286200\.50 │/m, 'the waterfall');
like($story, qr/^│ weighted +│ +1 │ +8750 │/m, 'the forecast');
like($story, qr/crm\.fire_reminders\('[^']+'\);\n3\n/, 'reminders fire once');
like($story, qr/crm\.fire_reminders\('[^']+'\);\n0\n/, 'and not twice');
like($story, qr/│ ФИО +│ contact\.name /, 'the mapping is shown');
like($story, qr/КОМАРОВА ВИКТОРИЯ +│ 9451980455 .*\n.*Viktoriya Komarova +│ 8\(945\)198-04-55/, 'a duplicate in another alphabet is shown');
cmp_ok($node->safe_psql($db, q{SELECT count(*) FROM crm.match_pair WHERE model = 'contacts' AND probability > 0.95}), '>=', 6, 'probable duplicates are found');
like($story, qr/^│ person +│ \{Алла,Щеглова\} +│ \{Ульяна,Щеглова\} +│ only family name equal /m, 'and explained');
like($story, qr/crm\.unmerge\(\d+, reject => false\);\n0 conflicts$/m, 'one is merged and parted again');
is($node->safe_psql($db, 'SELECT count(*), count(undone_at) FROM crm.merge'), '1|1', 'once');
is($node->safe_psql($db, q{SELECT string_agg(name || '=' || cardinality, ' ' ORDER BY id) FROM crm.segment}), 'here=24 in talks=3 new=193 to invite=23', 'segments');
like($story, qr/explain_segment\('to invite', \d+\);\n(.*\n){1,8}│ +2 │ in_segment\('here'\) +│ \{\} +│ t/, 'one is explained');
is($node->safe_psql($db, q{SELECT string_agg(segment || cause, ' ' ORDER BY segment) FROM crm.v_segment_history WHERE cause = 'change'}), 'herechange to invitechange',
	'who moved entered by the change, and what the clock did was taken back');
ok(!grep({ /^(│|┌|├|└)/ && length(decode('UTF-8', $_)) > 100 } split /\n/, $story), 'no table is wider than 100 columns');
unlike($story, qr/^(psql:|WARNING|NOTICE)/m, 'no noise');

# ---- another encoding, delimiter, order of dates and region, by the data alone
my $file = file('win1251.csv', encode('cp1251', decode('UTF-8', "Фамилия\tИмя\tТелефон\tДата рождения\nПетрова\tАнна\t8 912 345-67-89\t31.12.1980\nСидоров\tПётр\t912 345 67 90\t1.2.1979\n")));
($db, $story, $status) = tell_story(CSV => $file);
is($status, 0, 'Windows-1251 with tabs') or diag($story);
is(counts($db), 'contact|2|2|0|0|0|0', 'both rows are taken');
is($node->safe_psql($db, q{SELECT string_agg(family_name || birth_date, ' ' ORDER BY birth_date DESC) FROM crm.contact}), 'Петрова1980-12-31 Сидоров1979-02-01', 'and read rightly');
is($node->safe_psql($db, q{SELECT string_agg(phone::text, ' ' ORDER BY phone) FROM crm.contact_point}), '+79123456789 +79123456790', 'numbers as of Russia');

$file = file('us.csv', "Full Name,Phone,Birth date,Email\nAnn Field,(202) 555-0143,12/31/1980,ann\@example.com\nBob Stone,202-555-0144,2/1/1979,bob at example.com\nCy Reed,12,3/25/1970,\n");
($db, $story, $status) = tell_story(CSV => $file);
is($status, 0, 'months first') or diag($story);
is(counts($db), 'contact|3|3|0|0|0|2', 'bad values are set aside, their rows taken');
is($node->safe_psql($db, q{SELECT string_agg(birth_date::text, ' ' ORDER BY family_name) FROM crm.contact}), '1980-12-31 1970-03-25 1979-02-01', 'months first by the data');
is($node->safe_psql($db, q{SELECT string_agg(phone::text, ' ' ORDER BY phone) FROM crm.contact_point WHERE kind = 'phone'}), '+12025550143 +12025550144', 'numbers as of the USA by the data');
like($story, qr/^Nothing could be learned from this file: match model "contacts" cannot be trained/m, 'too few to learn from, and it says so');
like($story, qr/too few to make deals/, 'too few for deals, and it says so');
is($node->safe_psql($db, q{SELECT string_agg(name || '=' || cardinality, ' ' ORDER BY id) FROM crm.segment}), 'here=3 in talks=3 new=3 to invite=0', 'segments without cities');

$file = file('plain.csv', "name,phone,country\n" . join('', map { "Ann Field-$_,+44 20 7946 095$_,uk\n" } 0 .. 5) =~ s/uk$//r);
($db, $story, $status) = tell_story(CSV => $file);
is($status, 0, 'numbers with country codes') or diag($story);
is(counts($db), 'contact|6|6|0|0|0|0', 'all are taken');
like($story, qr/no country could be guessed/, 'no region is guessed from nothing');
is($node->safe_psql($db, q{SELECT string_agg(DISTINCT country, ' ') FROM crm.contact}), 'GB', 'the United Kingdom as people write it');
is($node->safe_psql($db, q{SELECT count(*) FROM crm.deal}), '6', 'deals with them, and one of the lead');

$file = file('deals.csv', "Deal ID;Deal Name;Stage;Owner;Amount;Created;Close date\n1;One;Talk;Kim;10;15.01.2026;\n2;Two;Closed won;Kim;20,5;16.01.2026;20.02.2026\n3;Three;Closed lost;Lee;30;17.01.2026;19.02.2026\n4;Four;Talk;Lee;x;18.01.2026;\n");
($db, $story, $status) = tell_story(DEALS => $file);
is($status, 0, 'deals with other headers') or diag($story);
is($node->safe_psql($db, q{SELECT string_agg(name || '=' || kind || '=' || coalesce(amount::text, ''), ' ' ORDER BY name) FROM crm.v_deal}),
	'One=open=10 Three=lost=30 Two=won=20.5', 'stages that end a deal are guessed');
is($node->safe_psql($db, q{SELECT field, reason FROM crm.deal_import_reject}), 'amount|"x" is not a number', 'the bad row is set aside');

($db, $story, $status) = tell_story(CSV => file('first.csv', "name,birth date\nAnn Field,25/12/1980\n"),
	DEALS => file('then.csv', "id,stage,created\n1,Talk,12/25/2025\n"));
is($status, 0, 'both files, each with its order of dates') or diag($story);
is($node->safe_psql($db, 'SELECT (SELECT birth_date FROM crm.contact), (SELECT created_at::date FROM crm.deal)'), '1980-12-25|2025-12-25', 'both read rightly');

# ---- what cannot be told
for my $wrong ([ 'no file', CSV => "$folder/absent.csv" ], [ 'an empty file', CSV => file('empty.csv', '') ],
	[ 'a workbook', CSV => file('book.xlsx', "PK\x03\x04rest") ], [ 'an unknown region', REGION => 'usa' ],
	[ 'a header only', CSV => file('header.csv', "name,email\n") ], [ 'deals without stages', DEALS => file('nostage.csv', "id,x\n1,2\n") ])
{
	my ($what, %choice) = @$wrong;
	(undef, $story, $status) = tell_story(%choice);
	isnt($status, 0, "$what: the exit status says so");
	like($story, qr/\S/, "$what: and a message");
}

# ---- the data sets
SKIP:
{
	my $data = $ENV{CRM_DATA} // '';
	$file = "$data/dedupe_csv_example/csv_example_messy_input.csv";
	skip 'no data set dedupe_csv_example (CRM_DATA)', 6 unless -e $file;
	($db, $story, $status) = tell_story(CSV => $file);
	is($status, 0, '3 337 messy organisations') or diag($story);
	like(counts($db), qr/^company\|3337\|3337\|0\|0\|0\|33\d\d$/, 'all are taken as companies');
	is($node->safe_psql($db, q{SELECT count(*) FROM crm.import_reject WHERE code = 'PHONE_LOCAL_ONLY'}), '3189', 'numbers without an area code are set aside');
	cmp_ok($node->safe_psql($db, q{SELECT count(*) FROM crm.match_cluster WHERE model = 'companies'}), '>', 1500, 'companies in clusters');
	like($story, qr/^0 conflicts$/m, 'merged and parted');
	like($story, qr/^256 rows differ from another in nothing but their number.*: 128 groups/m, 'exact duplicates are shown');
}
SKIP:
{
	my $data = $ENV{CRM_DATA} // '';
	$file = "$data/crm_sales_maven/sales_pipeline.csv";
	skip 'no data set crm_sales_maven (CRM_DATA)', 6 unless -e $file;
	($db, $story, $status) = tell_story(DEALS => $file);
	is($status, 0, '8 800 deals') or diag($story);
	is($node->safe_psql($db, q{SELECT string_agg(stage || '=' || deals, ' ' ORDER BY position) FROM crm.v_pipeline_total WHERE pipeline = 'Imported'}),
		'Prospecting=500 Engaging=1589 Won=4238 Lost=2473', 'the funnel of the file');
	like($story, qr/^All together: 4238 won, 2473 lost, win rate 63\.2 %, won value 10,005,534$/m, 'what was won');
	like($story, qr/^SQLSTATE: RM001$/m, 'a jump is refused');
	like($story, qr/^│ +1 │ Darcel Schlecht +│ +55\.24 │ 119216\.0000 │/m, 'who sold most in the last month of the file');
	# The 500 deals of which no day is known came with the file, right after the month.
	like($story, qr/^│ closing │ +1589 │/m, 'the waterfall of that month');
}

$node->stop;
done_testing();
