# A subscriber of all tables: rows arrive, triggers stay silent, and after the
# promotion it works when what doc/operations.md says is done.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = crm_node('publisher', "wal_level = logical\nmax_wal_senders = 10\nmax_replication_slots = 10\n");
my $subscriber = crm_node('subscriber');
$publisher->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
crm_sample_data($publisher, 'postgres');
crm_door_data($publisher, 'postgres');

$publisher->safe_psql('postgres', "SELECT crm.create_segment('everybody', 'true'), crm.create_segment('some', members => '{1,4}'); SELECT crm.refresh_segments()");

my $dir = PostgreSQL::Test::Utils::tempdir();
$publisher->command_ok([ 'pg_dump', '--schema-only', '-f', "$dir/structure.sql", '-d', 'postgres' ], 'the structure');
$subscriber->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/structure.sql", 'postgres' ], 'is restored');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION everything CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 'everything');

# Everything that is done to the tables can be published.
my $parts = join ' UNION ALL ', (map { "SELECT '$_', contact_id, md5((to_jsonb(t) - 'updated_at')::text) FROM crm.$_ t WHERE contact_id IN (1, 2, 3)" }
	qw(contact_point contact_key external_ref contact_identity consent company_contact)), "SELECT 'contact', id, md5((to_jsonb(t) - 'updated_at')::text) FROM crm.contact t WHERE id IN (1, 2, 3) ORDER BY 1, 2, 3";
my $before = $publisher->safe_psql('postgres', $parts);
my $merge = $publisher->safe_psql('postgres', "SELECT crm.merge_contacts(1, '{2,3}')");
my $undone = $publisher->safe_psql('postgres', "SELECT crm.merge_contacts(5, '{6}')");
$publisher->safe_psql('postgres', "SELECT * FROM crm.unmerge($undone); SELECT crm.dedupe('guest'); CALL crm.run_due_jobs()");
crm_door_works($publisher, 'postgres', 10000, 'at the publisher');
$publisher->safe_psql('postgres', "SELECT crm.delete_contact(8); SELECT crm.purge_audit('1 day', now() + interval '1 year'); SELECT crm.train_match_model('guest'); SELECT crm.dedup_tick();
	DELETE FROM guest WHERE number = 1001");
$publisher->wait_for_catchup('everything');
my $rows = sub {
	return join "\n", grep { /^\w+: \d+ rows/ } split /\n/, crm_state($_[0], 'postgres');
};
# What was committed last may be on its way.
for (1 .. 60)
{
	last if $rows->($subscriber) eq $rows->($publisher);
	sleep 1;
}
crm_same($rows->($subscriber), $rows->($publisher), 'the same rows: nothing is missing and no trigger has written');

# Promotion.
$publisher->stop;
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION everything DISABLE; ALTER SUBSCRIPTION everything SET (slot_name = NONE); DROP SUBSCRIPTION everything');
my ($calls) = slurp_file("$ENV{CRM_TREE}/doc/operations.md") =~ /^## Replicas.*?^```\n(.*?)^```/ms;
ok($calls, 'the documentation says what to call');
$subscriber->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres', '-f', do { append_to_file("$dir/calls.sql", $calls); "$dir/calls.sql" } ], 'which works');
is($subscriber->safe_psql('postgres', "SELECT string_agg(item || ' ' || detail, ', ') FROM crm.status() WHERE state IN ('error', 'warning')"), '', 'status is clean');
crm_door_works($subscriber, 'postgres', 20000, 'after the promotion');
# Segments go on; their history is in order.
my $members = "SELECT string_agg(name || crm.segment_set(name)::text, ' ' ORDER BY name) FROM crm.segment";
$subscriber->safe_psql('postgres', "INSERT INTO crm.contact (given_name) VALUES ('Later'); SELECT crm.delete_contact(max(id)) FROM crm.contact; SELECT crm.refresh_segments();
	INSERT INTO crm.contact (given_name) VALUES ('Last'); SELECT crm.refresh_segments()");
my $now = $subscriber->safe_psql('postgres', $members);
is($subscriber->safe_psql('postgres', "SELECT crm.evaluate_rule('true') OPERATOR(crm.=) crm.segment_set('everybody')"), 't', 'segments follow changes');
$subscriber->safe_psql('postgres', 'SELECT crm.rebuild_segment_chunks()');
is($subscriber->safe_psql('postgres', $members), $now, 'and are made again from their history');
# Rows of the survivor are told as written since: here other transactions wrote them.
unlike($subscriber->safe_psql('postgres', "SELECT * FROM crm.unmerge($merge)"), qr/^(?!.*stays with contact 1$)./m, 'a merge of before is undone');
crm_same($subscriber->safe_psql('postgres', $parts), $before, 'and the contacts are as they were');
done_testing();
