# How well duplicates are found in labelled sets: pairwise precision, recall and
# F1 of the clusters, exactly, for models proposed from the names of the columns
# and trained without labels.  R-019
use strict;
use warnings;
use File::Spec;
use FindBin;
use lib $FindBin::Bin;
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'CRM_DATA does not name a folder with the labelled sets'
	unless $ENV{CRM_DATA} && -r "$ENV{CRM_DATA}/febrl/dataset1.csv";

my $generate = "$FindBin::Bin/../generate";
my $node = crm_node('match_accuracy');
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
$node->safe_psql('postgres', slurp_file("$generate/score.sql"));
$node->safe_psql('postgres', "\\cd $ENV{CRM_DATA}\n" . slurp_file("$generate/labelled.sql"));

# 20,000 contacts of ours.
my $contacts = File::Spec->rel2abs($node->basedir . '/contacts');
system('cc', '-O2', '-o', $contacts, "$generate/contacts.c") == 0 or die 'the generator does not compile';
system("$contacts --rows 20000 --seed 1 > $contacts.csv") == 0 or die 'the generator failed';
$node->safe_psql('postgres', qq{
	CREATE TABLE person (
		id bigint PRIMARY KEY, cluster bigint NOT NULL, locale text, given_name text, middle_name text, family_name text,
		birth_date date, gender text, email text, phone text, city text, postal_code text, address text, company text, source text
	);
	COPY person FROM '$contacts.csv' (FORMAT csv, HEADER);
	ANALYZE person});

# The measure itself, where the answer is known: of the pairs (1 2) (1 3) (2 3)
# (4 5) two are found, and one that is none.
is($node->safe_psql('postgres', q{
	CREATE TABLE known (id int, cluster text);
	INSERT INTO known VALUES (1, 'a'), (2, 'a'), (3, 'a'), (4, 'b'), (5, 'b'), (6, 'c'), (7, 'd');
	CREATE TABLE answered (id text, cluster_id text);
	INSERT INTO answered VALUES ('1', 'x'), ('2', 'x'), ('4', 'y'), ('5', 'y'), ('6', 'z'), ('7', 'z');
	SELECT * FROM score('answered', 'known')}), '4|3|2|0.6667|0.5000|0.5714', 'the measure');

# Rows and true pairs as the sets' own descriptions have them; what is asked.
my %floor = (febrl1 => 1, febrl2 => .999, febrl3 => .998, rldata => .960, fake_1000 => .90, person => .93);
my %pairs = (febrl1 => 500, febrl2 => 1934, febrl3 => 6538, rldata => 1000, fake_1000 => 2031, organisation => 6608);
my @report;
for my $set (qw(febrl1 febrl2 febrl3 rldata fake_1000 person organisation))
{
	# The truth is kept apart from what is matched.
	my $answer = $node->safe_psql('postgres', qq{
		CREATE TABLE truth_$set AS SELECT id, cluster FROM $set;
		ALTER TABLE $set DROP COLUMN cluster;
		SELECT FROM crm.create_match_model('$set', '$set'::regclass, 'id');
		SELECT FROM crm.train_match_model('$set', seed => 1);
		CREATE TABLE answer_$set AS SELECT id, cluster_id FROM crm.match_clusters('$set');
		CREATE TABLE edge_$set AS SELECT left_id, right_id, weight FROM crm.match_pairs('$set', -10);
		SELECT s.true_pairs, s.found_pairs, s.right_pairs, e.f1 FROM score('answer_$set', 'truth_$set') AS s, score_edges('edge_$set', 'truth_$set') AS e});
	my ($true, $found, $right, $edges) = split /\|/, (grep { /\d/ } split /\n/, $answer)[-1];
	my $f1 = 2 * $right / ($true + $found);		# not rounded
	push @report, sprintf('%-12s precision %.4f, recall %.4f, F1 %.5f; pairs of weight >= 0: F1 %s', $set, $right / ($found || 1), $right / $true, $f1, $edges);
	is($true, $pairs{$set}, "$set: the true pairs") if $pairs{$set};
	cmp_ok($f1, '>=', $floor{$set}, "$set: F1 of the clusters") if defined $floor{$set};
}
diag(join "\n", '', @report);

$node->stop;
done_testing();
