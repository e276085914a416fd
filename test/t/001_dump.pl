# Dump and restore lose nothing: rows, sequences, what the user added, and
# history is not written twice.  R-046
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('dump');
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
crm_sample_data($node, 'postgres');
crm_sales_data($node, 'postgres');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE clerk;
ALTER TABLE crm.contact ADD COLUMN shoe_size integer CHECK (shoe_size > 0);
UPDATE crm.contact SET shoe_size = 42 WHERE id = 1;
CREATE INDEX contact_shoe_size ON crm.contact (shoe_size);
CREATE INDEX contact_point_domain ON crm.contact_point USING btree (email crm.email_domain_ops);
ALTER TABLE crm.contact ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON crm.contact TO clerk USING (city = 'Казань');
GRANT SELECT ON crm.contact TO clerk;
COMMENT ON TABLE crm.contact IS 'ours';
ALTER TABLE crm.contact ENABLE ALWAYS TRIGGER audit_update;
UPDATE crm.channel SET cost_per_contact = 5 WHERE name = 'call';
CREATE TABLE note (contact_id bigint REFERENCES crm.contact (id), mail crm.email, phone crm.phone, body text);
INSERT INTO note SELECT contact_id, email, NULL, 'x' FROM crm.contact_point WHERE email IS NOT NULL;
CREATE VIEW public.people AS SELECT id, crm.full_name(title, given_name, middle_name, family_name, suffix) AS name FROM crm.contact;
SQL
$node->safe_psql('postgres', 'SELECT crm.enable_deal_security()');
my $before = crm_state($node, 'postgres');
like($before, qr/^contact: 51 rows/m, 'there is something to dump');
like($before, qr/^audit_log: \d\d+ rows/m, 'and a history');

# A view that is made of its dump is no view that the user changed; one that he changed is.
my $changed_views = "SELECT string_agg(name, ' ' ORDER BY name) FROM crm.schema_object WHERE kind = 'view' AND NOT crm.view_is_unchanged(name, statement)";
is($node->safe_psql('postgres', $changed_views), '', 'no view is changed');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM crm.schema_object WHERE kind = 'view'"), '>', 60, 'of many');

my $dir = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/c.dump", '-d', 'postgres' ], 'pg_dump, custom format');
$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", '-d', 'postgres' ], 'pg_dump, plain');
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$dir/d.dump", '-d', 'postgres' ], 'pg_dump, parallel');

my %restore = (
	single => [ 'pg_restore', '--single-transaction', '--exit-on-error', '-d', 'single', "$dir/c.dump" ],
	jobs => [ 'pg_restore', '-j4', '--exit-on-error', '-d', 'jobs', "$dir/d.dump" ],
	plain => [ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", 'plain' ]);
for my $how (sort keys %restore)
{
	$node->safe_psql('postgres', "CREATE DATABASE $how TEMPLATE template0");
	$node->command_ok($restore{$how}, "restore: $how");
	crm_same(crm_state($node, $how), $before, "nothing lost: $how");
	is($node->safe_psql($how, 'SELECT sum(hashtext(n::text)::bigint) FROM note n'),
		$node->safe_psql('postgres', 'SELECT sum(hashtext(n::text)::bigint) FROM note n'), "a table of the user with our types: $how");
	is($node->safe_psql($how, "SELECT crm.install()"),
		"crm " . $node->safe_psql($how, 'SELECT crm.code_version()') . " is complete", "nothing to repair: $how");
	is($node->safe_psql($how, "SELECT count(*) FROM crm.status() WHERE state = 'error'"), '0', "status is clean: $how");
	is($node->safe_psql($how, $changed_views), '', "no view is changed: $how");
	# It goes on working, with the next number and one entry of history a change.
	my $entries = $node->safe_psql($how, "SELECT count(*) FROM crm.audit_log WHERE relation = 'contact'");
	$node->safe_psql($how, "SELECT crm.create_contact('{\"name\": \"Anna Ivanova\", \"email\": \"anna\@example.org\"}')");
	is($node->safe_psql($how, "SELECT max(id) - (SELECT last_value FROM crm.contact_id_seq) FROM crm.contact"), '0', "ids go on: $how");
	is($node->safe_psql($how, "SELECT count(*) - $entries FROM crm.audit_log WHERE relation = 'contact'"), '1', "history goes on: $how");
	is($node->safe_psql($how, "SELECT count(*) FROM crm.lookup_contact('ANNA\@EXAMPLE.ORG')"), '1', "keys go on: $how");
}

# Restored once more.
$node->safe_psql('postgres', 'CREATE DATABASE again TEMPLATE template0');
$node->command_ok([ 'pg_dump', '-f', "$dir/again.sql", '-d', 'plain' ], 'pg_dump of what was restored');
$node->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/again.sql", 'again' ], 'restore: again');
is($node->safe_psql('again', $changed_views), '', 'no view is changed: again');
$node->safe_psql('again', "CREATE OR REPLACE VIEW crm.v_lifecycle WITH (security_invoker = true) AS " . ($node->safe_psql('again', "SELECT pg_get_viewdef('crm.v_lifecycle'::regclass)") =~ s/;$/ LIMIT 3/r));
is($node->safe_psql('again', $changed_views), 'v_lifecycle', 'but for one that is');

# Schema first, data afterwards with triggers off, as some do.
$node->safe_psql('postgres', 'CREATE DATABASE twostep TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-s', '--exit-on-error', '-d', 'twostep', "$dir/c.dump" ], 'restore: schema');
$node->command_ok([ 'pg_restore', '-a', '--disable-triggers', '--exit-on-error', '-d', 'twostep', "$dir/c.dump" ], 'restore: data');
# (The option --disable-triggers itself turns ENABLE ALWAYS into ENABLE.)
(my $plain = $before) =~ s/(trigger audit_update on crm\.contact:) A/$1 O/;
crm_same(crm_state($node, 'twostep'), $plain, 'nothing lost: schema, then data');

# The structure alone, as for a new branch: install() writes the first rows.
$node->safe_psql('postgres', 'CREATE DATABASE structure TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-s', '--exit-on-error', '-d', 'structure', "$dir/c.dump" ], 'restore: structure alone');
like($node->safe_psql('structure', 'SELECT crm.install()'), qr/^crm \S+ installed: \d+ objects$/, 'install() completes it');
is($node->safe_psql('structure', 'SELECT (SELECT count(*) FROM crm.channel) > 5, (SELECT count(*) FROM crm.job) > 3, (SELECT count(*) FROM crm.contact)'), 't|t|0', 'with the first rows and no others');
is($node->safe_psql('structure', "SELECT count(*) FROM crm.status() WHERE state IN ('error', 'warning')"), '0', 'status is clean: structure');

# A table of the user's that is in the way is named, not taken over.
$node->safe_psql('postgres', 'CREATE DATABASE inway TEMPLATE template0');
$node->safe_psql('inway', 'CREATE EXTENSION crm; CREATE TABLE crm.deal (x int)');
my ($status, $out, $err) = $node->psql('inway', 'SELECT crm.install()');
like($err, qr/table "crm.deal" is in the way/, 'a table in the way');

# Over itself.
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--exit-on-error', '-d', 'single', "$dir/c.dump" ], 'restore: --clean');
crm_same(crm_state($node, 'single'), $before, 'nothing lost: --clean');

done_testing();
