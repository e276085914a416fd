# Helping processes: the same result whether there are any, and nothing is left
# when one of them ends or is killed.  R-019
use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use FindBin;
use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('match_workers', "restart_after_crash = on\nmax_worker_processes = 4\nmax_parallel_workers = 4\nautovacuum = off\n");
my $contacts = abs_path($node->basedir) . '/contacts';
plan skip_all => 'there is no C compiler for the generator'
	if system('cc', '-O2', '-o', $contacts, "$FindBin::Bin/../generate/contacts.c") != 0;
system("$contacts --rows 120000 --seed 1 > $contacts.csv") == 0 or die 'the generator failed';
$node->safe_psql('postgres', qq{
	CREATE EXTENSION crm; SELECT crm.install();
	CREATE TABLE person (
		id bigint PRIMARY KEY, cluster bigint NOT NULL, locale text, given_name text, middle_name text, family_name text,
		birth_date date, gender text, email text, phone text, city text, postal_code text, address text, company text, source text
	);
	COPY person FROM '$contacts.csv' (FORMAT csv, HEADER);
	ALTER TABLE person DROP COLUMN cluster;
	ANALYZE person;
	SELECT crm.create_match_model('person', 'person')});

# What training and a run found, to the last bit.
my $found = "SELECT count(*), sum(hashtextextended(row(left_id, right_id, weight, in_cluster)::text, 0)::numeric) FROM crm.match_pair
	UNION ALL SELECT count(*), sum(hashtextextended(row(id, cluster_id)::text, 0)::numeric) FROM crm.match_cluster
	UNION ALL SELECT count(*), sum(hashtextextended(row(rule, key, records, example_id, divided_by, left_out)::text, 0)::numeric) FROM crm.match_block
	UNION ALL SELECT count(*), sum(hashtextextended(row(field, level, m, u, weight, h, household_weight)::text, 0)::numeric) FROM crm.match_level";

# A run in a session of its own, of another process meanwhile: whatever helps is
# given to the code, which is called with its number.
sub run_and
{
	my ($sql, $code) = @_;
	my ($out, $err, $helper) = ('', '', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ], '>', \$out, '2>', \$err);
	if ($code)
	{
		$helper = $node->safe_psql('postgres', <<'SQL');
CREATE OR REPLACE FUNCTION pg_temp.helper() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    helper integer;
BEGIN
    FOR i IN 1 .. 20000 LOOP
        SELECT w.pid INTO helper FROM pg_stat_activity w JOIN pg_stat_activity l ON l.pid = w.leader_pid
        WHERE w.backend_type = 'parallel worker' AND l.query LIKE '%crm.dedupe(%' LIMIT 1;
        IF FOUND OR i > 200 AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%crm.dedupe(%' AND state = 'active' AND pid <> pg_backend_pid()) THEN
            RETURN helper;
        END IF;
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.003);
    END LOOP;
    RETURN NULL;
END
$$;
SELECT pg_temp.helper();
SQL
		$code->($helper) if $helper ne '';
	}
	$session->finish;
	return ($helper, $out, $err);
}

my $drop = "TRUNCATE crm.match_pair, crm.match_cluster, crm.match_block, crm.match_run; DELETE FROM crm.match_version; UPDATE crm.match_model SET version = NULL";
my ($helper, $out, $err) = run_and("SET crm.match_workers = 0; SELECT records, pairs > 0 FROM crm.dedupe('person')");
is($out, "120000|t\n", 'alone') or diag($err);
my $alone = $node->safe_psql('postgres', $found);

$node->safe_psql('postgres', $drop);
($helper, $out, $err) = run_and("SET crm.match_workers = 2; SELECT records, pairs > 0 FROM crm.dedupe('person')", sub { });
is($out, "120000|t\n", 'with helpers') or diag($err);
is($node->safe_psql('postgres', $found), $alone, 'the same result');
my $runs = $node->safe_psql('postgres', 'SELECT count(*) FROM crm.match_run');

SKIP:
{
	skip 'no helping process was seen: is there one processor?', 9 if $helper eq '';

	# Ended by the administrator: an error of the run, which leaves nothing.
	($helper, $out, $err) = run_and("SET crm.match_workers = 2; SELECT crm.dedupe('person')",
		sub { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") });
	isnt($helper, '', 'a helping process was ended');
	like($err, qr/ERROR:.*due to administrator command|ERROR:.*lost connection to parallel worker/s, 'the run says so');
	is($node->safe_psql('postgres', $found), $alone, 'what was found before stays');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM crm.match_run'), $runs, 'no run is noted');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM crm.v_match_progress'), '0', 'nor is one under way');

	# Killed: the server starts anew.
	($helper, $out, $err) = run_and("SET crm.match_workers = 2; SELECT crm.dedupe('person')", sub { kill 9, $_[0] });
	isnt($helper, '', 'a helping process was killed');
	like($err, qr/terminating connection because of crash|server closed the connection/, 'the session ends');
	crm_server_is_back($node) or die 'the server did not start again';
	is($node->safe_psql('postgres', $found), $alone, 'what was found before stays');
	is($node->safe_psql('postgres', "SELECT count(*) FROM crm.v_match_progress"), '0', 'no run is under way');
}
# Of the pairs the server has no statistics yet; that must not take long.
is($node->safe_psql('postgres', "SET statement_timeout = '5min'; SELECT records, added, withdrawn FROM crm.dedupe('person')"), '120000|0|0', 'the next run finds the same');

# A server that has no processes to spare.
for my $most (0, 1)
{
	$node->adjust_conf('postgresql.conf', 'max_worker_processes', $most);
	$node->restart;
	$node->safe_psql('postgres', $drop);
	is($node->safe_psql('postgres', "SET crm.match_workers = 2; SELECT records, pairs > 0 FROM crm.dedupe('person')"), '120000|t', "max_worker_processes = $most");
	is($node->safe_psql('postgres', $found), $alone, 'the same result');
}
$node->stop;
done_testing();
