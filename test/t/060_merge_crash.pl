# The server is killed while contacts are merged, one transaction each:
# afterwards every contact is merged wholly or not at all, and no row is lost.  R-019
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = crm_node('merge', "fsync = on\nsynchronous_commit = on\n");
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
$node->safe_psql('postgres', <<'SQL');
SELECT crm.create_contact(jsonb_build_object('name', 'Client ' || n, 'email', 'client' || n || '@example.com', 'tags', '["a"]'::jsonb,
    'consent', '{"purpose": "marketing"}'::jsonb, 'identity', jsonb_build_object('vk', n))) FROM generate_series(1, 400) n;
INSERT INTO crm.activity (contact_id, kind, subject) SELECT c.id, 'call', 'Call ' || n FROM crm.contact c, generate_series(1, 20) n;
SQL

# Rows of each kind, where a row may also be in the journal as dropped.
my $sums = <<'SQL';
SELECT (SELECT count(*) FROM crm.activity), (SELECT count(*) FROM crm.consent), (SELECT count(*) FROM crm.contact_identity),
       (SELECT count(*) FROM crm.contact_point),
       (SELECT count(*) FROM crm.tag) + (SELECT count(*) FROM crm.merge_journal WHERE relation = 'tag' AND operation = 'drop')
SQL
my $before = $node->safe_psql('postgres', $sums);

for my $delay (400_000, 900_000)
{
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', <<'SQL' ], '>', \my $out, '2>', \my $err);
DO $$
DECLARE pair record;
BEGIN
    FOR pair IN SELECT min(id) AS a, max(id) AS b FROM crm.contact WHERE deleted_at IS NULL GROUP BY id / 2 HAVING count(*) = 2 ORDER BY 1 LOOP
        PERFORM crm.merge_contacts(pair.a, ARRAY[pair.b]);
        COMMIT;
    END LOOP;
END $$
SQL
	usleep($delay);
	my @children = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	kill 9, @children;
	$session->finish;
	for my $try (1 .. 60)
	{
		last if $node->start(fail_ok => 1);
		$node->{_pid} = undef;
		usleep(300_000);
	}
	my $merged = $node->safe_psql('postgres', 'SELECT count(*) FROM crm.contact WHERE merged_into IS NOT NULL');
	note("$merged contacts merged after $delay us");
	is($node->safe_psql('postgres', $sums), $before, 'no row is lost');
	is($node->safe_psql('postgres', <<'SQL'), '', 'every merge is whole');
SELECT 'activity left at ' || a.contact_id FROM crm.activity a JOIN crm.contact c ON c.id = a.contact_id WHERE c.merged_into IS NOT NULL
UNION ALL
SELECT 'point left at ' || p.contact_id FROM crm.contact_point p JOIN crm.contact c ON c.id = p.contact_id WHERE c.merged_into IS NOT NULL
UNION ALL
SELECT 'consent left at ' || p.contact_id FROM crm.consent p JOIN crm.contact c ON c.id = p.contact_id WHERE c.merged_into IS NOT NULL
UNION ALL
SELECT 'no journal of ' || c.id FROM crm.contact c WHERE c.merged_into IS NOT NULL
   AND (SELECT count(*) FROM crm.merge_journal j WHERE j.absorbed_id = c.id AND j.operation = 'move' AND j.relation = 'activity') <> 20
UNION ALL
SELECT 'journal without merge ' || j.merge_id FROM crm.merge_journal j JOIN crm.contact c ON c.id = j.absorbed_id WHERE c.merged_into IS DISTINCT FROM j.survivor_id
UNION ALL
SELECT 'key ' || k.key FROM crm.contact_key k JOIN crm.contact c ON c.id = k.contact_id WHERE c.deleted_at IS NOT NULL
LIMIT 5
SQL
}
done_testing();
