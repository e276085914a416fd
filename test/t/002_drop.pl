# DROP EXTENSION refuses while the tables are there, and even with CASCADE
# nothing is lost that crm.install() does not bring back.  R-046
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('drop');
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
crm_sample_data($node, 'postgres');
$node->safe_psql('postgres', "UPDATE crm.stage SET entry_guard = 'amount > 5' WHERE name = 'Qualified'; SELECT crm.allow_transition('Sales', 'New', 'Qualified', guard => 'open_tasks = 0')");
# Of deals each agent sees his own, and so does it stay.
crm_sales_data($node, 'postgres');
$node->safe_psql('postgres', "CREATE ROLE anna; CREATE ROLE chief; GRANT USAGE ON SCHEMA crm TO anna; GRANT SELECT ON crm.deal, crm.deal_member, crm.agent, crm.task TO anna;
	UPDATE crm.agent SET role_name = 'anna' WHERE id = (SELECT max(id) FROM crm.agent); UPDATE crm.deal SET owner_id = (SELECT max(id) FROM crm.agent) WHERE id % 2 = 0;
	SELECT crm.enable_deal_security('{chief}')");
my $seen = "SET ROLE anna; SELECT count(*), count(DISTINCT owner_id), (SELECT count(*) FROM crm.task) FROM crm.deal";
my $is_seen = $node->safe_psql('postgres', $seen);
like($is_seen, qr/^[1-9]\d*\|1\|/, 'an agent sees his deals');
isnt($is_seen, $node->safe_psql('postgres', "SELECT count(*), count(DISTINCT owner_id), (SELECT count(*) FROM crm.task) FROM crm.deal"), 'and no others');
my $before = crm_state($node, 'postgres');

my ($status, $out, $err) = $node->psql('postgres', 'DROP EXTENSION crm');
isnt($status, 0, 'DROP EXTENSION is refused');
like($err, qr/its tables are installed/, 'the reason');
like($err, qr/HINT:.*crm\.uninstall\(confirm/, 'the way out');

$node->safe_psql('postgres', 'DROP EXTENSION crm CASCADE');
is($node->safe_psql('postgres', "SELECT count(*) FROM crm.contact"), '51', 'CASCADE leaves the rows');
is($node->safe_psql('postgres', $seen), $is_seen, 'and who sees which deals');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_attribute WHERE attrelid = 'crm.contact_point'::regclass AND attname IN ('email', 'phone') AND NOT attisdropped"),
	'0', 'and takes the columns of our types');
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM crm.status() WHERE state = 'error'"), 't', 'status names what is missing');
like($node->safe_psql('postgres', 'SELECT crm.install()'), qr/repaired/, 'install() repairs');
is($node->safe_psql('postgres', "SELECT string_agg(item || ' ' || detail, ', ') FROM crm.status() WHERE state = 'error'"), '', 'status is clean');

# The same rows; the columns came back at the end of their tables, and the
# objects were made anew.
my $after = crm_state($node, 'postgres');
for my $state (\$before, \$after)
{
	$$state =~ s/^(contact_point|company_point|schema_object|stage|stage_transition): .*$//mg;
}
crm_same($after, $before, 'all as before');
is($node->safe_psql('postgres', $seen), $is_seen, 'who sees which deals, too');
is($node->safe_psql('postgres', "SELECT count(*) FROM crm.contact_point WHERE (kind = 'email') <> (email IS NOT NULL) OR (kind = 'phone') <> (phone IS NOT NULL) OR (kind IN ('email', 'phone') AND match_key IS NULL)"),
	'0', 'derived columns are filled');
($status, $out, $err) = $node->psql('postgres', "INSERT INTO crm.deal (name, stage_id) SELECT 'x', id FROM crm.stage WHERE name = 'Qualified'");
like($err, qr/entry guard of stage "Qualified" is not met/, 'guards hold');
is($node->safe_psql('postgres', "SELECT count(*) FROM crm.stage_transition WHERE guard_rule IS NOT NULL"), '1', 'those of moves, too');
is($node->safe_psql('postgres', "SELECT count(*) FROM crm.lookup_contact('+7 912 345 00 01')"), '1', 'look-ups work');

# A trigger, an index and a view that somebody removed come back as well.
$node->safe_psql('postgres', 'DROP TRIGGER audit_update ON crm.contact; DROP INDEX crm.contact_name_key; ALTER TABLE crm.contact DISABLE TRIGGER key_update');
is($node->safe_psql('postgres', "SELECT string_agg(item || ': ' || detail, '; ' ORDER BY item) FROM crm.status() WHERE state = 'error'"),
	'index contact_name_key: missing on crm.contact; trigger audit_update: missing on crm.contact; trigger key_update: disabled on crm.contact', 'status names them');
like($node->safe_psql('postgres', 'SELECT crm.install()'), qr/repaired: 2 objects/, 'install() repairs two');

# With the rights that the roles had, on what comes back and on what was dropped with CASCADE.
$node->safe_psql('postgres', 'SELECT crm.create_roles()');
my $grants = "SELECT c.relname, c.relacl FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'S') ORDER BY 1";
sub acl_lines { return join "\n", map { my ($name, $acl) = split /\|/, $_, 2; map { "$name $_" } sort split /,/, $acl =~ tr/{}//dr } split /\n/, $_[0]; }
my $granted = acl_lines($node->safe_psql('postgres', $grants));
like($granted, qr/^v_deal .*crm_agent=r/m, 'roles have rights');
$node->safe_psql('postgres', 'DROP TABLE crm.referral CASCADE; SELECT crm.install()');
crm_same(acl_lines($node->safe_psql('postgres', $grants)), $granted, 'of a table that was dropped');
$node->safe_psql('postgres', 'DROP EXTENSION crm CASCADE; CREATE EXTENSION crm; SELECT crm.install()');
crm_same(acl_lines($node->safe_psql('postgres', $grants)), $granted, 'after DROP EXTENSION CASCADE');

# Uninstalling.
($status, $out, $err) = $node->psql('postgres', "SELECT crm.uninstall('elsewhere')");
like($err, qr/RM012|removes every contact/, 'uninstall() wants the name of the database');
$node->safe_psql('postgres', 'CREATE TABLE mine (contact_id bigint REFERENCES crm.contact (id))');
($status, $out, $err) = $node->psql('postgres', "SELECT crm.uninstall('postgres')");
like($err, qr/other objects depend|constraint mine_contact_id_fkey/, 'and refuses while something of the user depends');
$node->safe_psql('postgres', 'DROP TABLE mine');
# A table of the user's at whose door duplicates are looked for can be written afterwards.
$node->safe_psql('postgres', 'CREATE TABLE guest (id integer PRIMARY KEY, name text);
	CREATE TRIGGER crm_door_insert_x AFTER INSERT ON guest REFERENCING NEW TABLE AS crm_new FOR EACH STATEMENT EXECUTE FUNCTION crm.match_door($$x$$, $$id$$)');
like($node->safe_psql('postgres', "SELECT crm.uninstall('postgres')"), qr/crm uninstalled: \d+ objects removed\. To remove/, 'uninstall()');
is($node->safe_psql('postgres', "SELECT string_agg(relname, ' ') FROM pg_class c WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'S', 'm', 'p') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"),
	'', 'no relation is left');
is($node->safe_psql('postgres', "SELECT string_agg(proname, ' ') FROM pg_proc p WHERE pronamespace = 'crm'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"),
	'', 'no function is left');
is($node->safe_psql('postgres', "INSERT INTO guest VALUES (1, 'Anna'); SELECT count(*) FROM pg_trigger WHERE tgrelid = 'guest'::regclass; DROP TABLE guest"), '0', 'nor a trigger at a door');
$node->safe_psql('postgres', 'DROP EXTENSION crm');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE pronamespace = 'crm'::regnamespace"), '0', 'nothing is left');
like($node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()'), qr/installed/, 'and it can be installed again');

# By an owner who is no superuser, with models and a door.
$node->safe_psql('postgres', 'CREATE ROLE keeper; CREATE DATABASE kept OWNER keeper');
$node->safe_psql('kept', 'GRANT CREATE ON SCHEMA public TO keeper; SET ROLE keeper; CREATE EXTENSION crm; SELECT crm.install()');
crm_door_data($node, 'kept', 'keeper');
crm_door_works($node, 'kept', 10000, 'before', 'keeper');
my $models = "SELECT count(*), sum(hashtext(m::text)) FROM crm.match_model m UNION ALL SELECT count(*), sum(hashtext(f::text)) FROM crm.match_field f
	UNION ALL SELECT count(*), sum(hashtext(l::text)) FROM crm.match_level l UNION ALL SELECT count(*), sum(hashtext(p::text)) FROM crm.match_pair p
	UNION ALL SELECT count(*), sum(hashtext(k::text)) FROM crm.match_key k UNION ALL SELECT count(*), sum(hashtext(r::text)) FROM crm.match_record r";
my $of_models = $node->safe_psql('kept', $models);
$node->safe_psql('kept', 'SET ROLE keeper; DROP EXTENSION crm CASCADE');
is($node->safe_psql('kept', "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'crm%'"), '0', 'the triggers at the door go with the extension');
$node->safe_psql('kept', 'SET ROLE keeper; CREATE EXTENSION crm');
like($node->safe_psql('kept', 'SET ROLE keeper; SELECT crm.install()'), qr/repaired/, 'the owner repairs');
is($node->safe_psql('kept', $models), $of_models, 'models, pairs and keys are as before');
is($node->safe_psql('kept', "SET ROLE keeper; SELECT string_agg(item || ': ' || detail, '; ' ORDER BY item) FROM crm.status() WHERE state = 'error'"),
	'match model contacts: policy queue, but no table has its triggers; match model guest: policy queue, but no table has its triggers', 'status names the triggers at the door');
# Its hints are what to do.
$node->safe_psql('kept', "SET ROLE keeper; $_") for split /\n/, $node->safe_psql('kept', "SET ROLE keeper; SELECT hint FROM crm.status() WHERE state = 'error'");
is($node->safe_psql('kept', "SET ROLE keeper; SELECT string_agg(item || ' ' || detail, ', ') FROM crm.status() WHERE state IN ('error', 'warning')"), '', 'and its hints bring them back');
crm_door_works($node, 'kept', 20000, 'afterwards', 'keeper');
is($node->safe_psql('kept', "SELECT count(*) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relowner <> 'keeper'::regrole AND relkind IN ('r', 'v', 'S')"), '0', 'everything is the owner\'s');

done_testing();
