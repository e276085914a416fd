# The server is killed in the middle of an import: afterwards the batch is
# either not there or whole, and counts add up.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = crm_node('crash', "fsync = on\nsynchronous_commit = on\nrestart_after_crash = on\n");
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
crm_sample_data($node, 'postgres');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE source_rows AS
SELECT i AS id, 'Client' AS given_name, 'Number ' || i AS family_name, 'client' || i || '@example.com' AS email, 'Company ' || i % 100 AS company
FROM generate_series(1, 20000) i;
SELECT crm.import_table('load', 'source_rows', source => 'load');
SQL
my $batch = $node->safe_psql('postgres', "SELECT id FROM crm.import_batch WHERE name = 'load'");

# Everything that must hold at any time.
sub consistent
{
	my ($when) = @_;
	is($node->safe_psql('postgres', <<'SQL'), '', "consistent $when");
SELECT 'batch ' || id FROM crm.import_batch WHERE status = 'applied' AND rows <> created + updated + unchanged + rejected
UNION ALL
SELECT 'batch results ' || b.id FROM crm.import_batch b
WHERE (SELECT count(*) FROM crm.import_result r WHERE r.batch_id = b.id) <> CASE status WHEN 'staged' THEN 0 ELSE rows END
UNION ALL
SELECT 'key ' || kind || ' ' || key FROM crm.contact_key k WHERE NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = k.contact_id AND c.deleted_at IS NULL)
UNION ALL
SELECT 'point ' || p.id FROM crm.contact_point p JOIN crm.contact c ON c.id = p.contact_id AND c.deleted_at IS NULL
WHERE p.match_key IS NOT NULL AND NOT EXISTS (SELECT FROM crm.contact_key k WHERE k.contact_id = p.contact_id AND k.kind = p.kind AND k.key = p.match_key)
UNION ALL
SELECT 'history ' || c.id FROM crm.contact c WHERE NOT EXISTS (SELECT FROM crm.audit_log a WHERE a.relation = 'contact' AND a.row_id = c.id AND a.operation = 'insert')
LIMIT 5
SQL
}

consistent('before');
for my $delay (300_000, 900_000, 1_600_000)
{
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT crm.import_apply($batch, notice_every => 2000)" ],
		'>', \my $out, '2>', \my $err);
	usleep($delay);
	# The whole server at once, as by a power cut: the postmaster, and every
	# process that it started.
	my @children = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	kill 9, @children;
	$session->finish;
	# While one of them is still dying the next server does not start.
	for my $try (1 .. 60)
	{
		last if $node->start(fail_ok => 1);
		$node->{_pid} = undef;
		usleep(300_000);
	}
	consistent("after a kill at $delay us");
}
my $state = $node->safe_psql('postgres', "SELECT status FROM crm.import_batch WHERE id = $batch");
$node->safe_psql('postgres', "SELECT crm.import_apply($batch, notice_every => 5000)") if $state eq 'staged';
consistent('at the end');
is($node->safe_psql('postgres', "SELECT created FROM crm.import_batch WHERE id = $batch"), '20000', 'and the import can be done again');

done_testing();
