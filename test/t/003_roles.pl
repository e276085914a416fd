# Installed and used by roles without superuser rights.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('roles');
$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN; CREATE ROLE mallory LOGIN; CREATE ROLE app LOGIN; CREATE DATABASE crm OWNER owner; GRANT CREATE ON DATABASE crm TO mallory');

sub as
{
	my ($role, $sql) = @_;
	my ($status, $out, $err) = $node->psql('crm', $sql, extra_params => [ '-U', $role ]);
	return $status == 0 ? $out : $err;
}

# A schema that somebody else made first is refused.
as('mallory', 'CREATE SCHEMA crm');
like(as('owner', 'CREATE EXTENSION crm'), qr/schema "crm" belongs to another role, "mallory"|must be a member|permission denied/, 'a schema of a stranger is refused');
as('mallory', 'DROP SCHEMA crm');

# The owner of the database installs everything.
is(as('owner', 'CREATE EXTENSION crm'), '', 'the owner of a database creates the extension');
like(as('owner', 'SELECT crm.install()'), qr/installed/, 'and the tables');
is($node->safe_psql('crm', "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'S')"),
	'owner', 'which are the owner\'s');
crm_sample_data($node, 'crm', 'owner');
is(as('owner', "SELECT string_agg(item || detail, ' ') FROM crm.status() WHERE state NOT IN ('ok', 'info')"), '', 'status is clean');
is(as('owner', "ALTER TABLE crm.contact ADD COLUMN note text; CREATE INDEX contact_note ON crm.contact (note)"), '', 'the owner alters the tables');

# Roles need one who may create them.
like(as('owner', 'SELECT crm.install(roles => true)'), qr/role "owner" may not create roles.*HINT:.*CREATE ROLE crm_admin; CREATE ROLE crm_manager/s, 'who may not create roles is told so');
$node->safe_psql('postgres', "CREATE ROLE crm_$_") for qw(admin manager agent marketer analyst gateway portal);
like(as('owner', 'SELECT crm.install(roles => true)'), qr/complete/, 'once they are there he grants them their rights');
is($node->safe_psql('crm', "SELECT has_table_privilege('crm_agent', 'crm.contact', 'INSERT') AND has_schema_privilege('crm_agent', 'crm', 'USAGE')"), 't', 'which they have');

# Others have what they are granted and no more.
like(as('app', "SELECT crm.create_contact('{\"name\": \"Anna\"}')"), qr/permission denied/, 'a stranger cannot write');
like(as('mallory', 'SELECT crm.install()'), qr/may not create objects in schema "crm"/, 'nor install');
like(as('mallory', "SELECT crm.uninstall('crm')"), qr/may not create objects in schema "crm"/, 'nor uninstall');
like(as('app', 'SELECT crm.refresh_contact_keys(ARRAY[1])'), qr/permission denied/, 'nor call what runs with the owner\'s rights');
as('owner', 'GRANT SELECT, INSERT, UPDATE ON crm.contact, crm.contact_point, crm.company, crm.company_contact TO app;
	GRANT INSERT, SELECT ON crm.tag, crm.consent, crm.external_ref, crm.contact_identity TO app; GRANT DELETE ON crm.tag TO app; GRANT UPDATE ON crm.external_ref TO app;
	GRANT SELECT ON crm.installation, crm.custom_field, crm.contact_key, crm.company_key TO app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO app');
like(as('app', "SELECT crm.create_contact('{\"name\": \"Anna Ivanova\", \"email\": \"anna\@example.org\", \"tags\": [\"x\"], \"identity\": {\"vk\": \"anna\"}}')"), qr/^\d+$/, 'a role with rights on the tables writes');
is(as('app', "SELECT count(*) FROM crm.contact_key WHERE key = 'anna\@example.org'"), '1', 'keys are kept for it');
is($node->safe_psql('crm', "SELECT count(*) > 0 FROM crm.audit_log WHERE actor = 'app' AND role = 'app'"), 't', 'and history in its name');
like(as('app', "INSERT INTO crm.contact_key VALUES ('email', 'x', 1)"), qr/permission denied/, 'it cannot write keys itself');
like(as('app', "DELETE FROM crm.audit_log"), qr/permission denied/, 'nor touch history');
like(as('owner', "UPDATE crm.consent SET status = 'denied'"), qr/cannot be changed/, 'consent is append-only even for the owner');

# Inside an extension script the tables would become members.
like(as('owner', 'SELECT crm.in_extension_script()'), qr/f/, 'no script is running');

# A superuser's extension in an owner's database.
$node->safe_psql('postgres', 'CREATE DATABASE other OWNER owner');
$node->safe_psql('other', 'CREATE EXTENSION crm');
my ($status, $out, $err) = $node->psql('other', 'SELECT crm.install()', extra_params => [ '-U', 'owner' ]);
like($err, qr/HINT:\s+As the owner of the schema: GRANT USAGE, CREATE ON SCHEMA crm TO owner/, 'the hint says what is missing');
$node->safe_psql('other', 'GRANT USAGE, CREATE ON SCHEMA crm TO owner');
($status, $out, $err) = $node->psql('other', 'SELECT crm.install()', extra_params => [ '-U', 'owner' ]);
like($out, qr/installed/, 'and then it works');

# There the superuser neither mends nor upgrades the owner's tables as his own.
for my $call ('install', 'upgrade')
{
	($status, $out, $err) = $node->psql('other', "\\set VERBOSITY verbose\nDROP VIEW crm.v_lifecycle; SELECT crm.$call()");
	like($err, qr/ERROR:\s+42501: the tables of crm belong to role "owner", not to .*HINT:\s+SET LOCAL ROLE owner;/s, "a superuser's $call() is refused");
	$node->safe_psql('other', "BEGIN; ALTER EXTENSION crm UPDATE; SET LOCAL ROLE owner; SELECT crm.$call(); COMMIT");
	is($node->safe_psql('other', "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'crm.v_lifecycle'::regclass"), 'owner', "as the owner it works: $call()");
}
$node->safe_psql('other', 'ALTER TABLE crm.referral OWNER TO postgres; ALTER FUNCTION crm.link_identity(bigint, text, text, jsonb) OWNER TO postgres');
is($node->safe_psql('other', "SELECT string_agg(item || ' ' || detail, '; ' ORDER BY item) FROM crm.status() WHERE state = 'error'"),
	'function link_identity belongs to postgres, the tables to owner; table referral belongs to postgres, the tables to owner', 'what belongs to another is named');
($status, $out, $err) = $node->psql('other', 'SELECT crm.install()', extra_params => [ '-U', 'owner' ]);
like($err, qr/relation "crm.referral" belongs to another role, "postgres".*HINT:\s+ALTER TABLE crm.referral OWNER TO owner/s, 'and refused');
$node->safe_psql('other', $_) for split /\n/, $node->safe_psql('other', "SELECT hint FROM crm.status() WHERE state = 'error'");
is($node->safe_psql('other', "SELECT count(*) FROM crm.status() WHERE state = 'error'"), '0', 'the hints mend it');

# What the owner installed, a superuser restores, also into another database.
my $dir = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', 'CREATE DATABASE restored');
my $before = crm_state($node, 'crm');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/crm.dump", 'crm' ], 'dump of what the owner installed');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'restored', "$dir/crm.dump" ], 'restored by a superuser');
crm_same(crm_state($node, 'restored'), $before, 'with everything');
($status, $out, $err) = $node->psql('restored', 'SELECT crm.install()');
like($err, qr/a superuser cannot own tables in schema "crm", which belongs to "owner"/, 'whose tables a superuser does not mend');
like($node->safe_psql('restored', 'SET ROLE owner; SELECT crm.install()'), qr/complete/, 'but the owner');

# A hostile schema, made before the extension, gains nothing from the script.
$node->safe_psql('postgres', 'CREATE DATABASE trap OWNER mallory');
$node->psql('trap', <<'SQL', extra_params => [ '-U', 'mallory' ]);
CREATE SCHEMA crm;
CREATE FUNCTION crm.pwn(text, smallint) RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; RETURN 'x'; END$$;
CREATE FUNCTION crm.pwn(text, regoperator) RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; RETURN 'x'; END$$;
CREATE FUNCTION crm.pwn(text, regprocedure) RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; RETURN 'x'; END$$;
CREATE OPERATOR crm.|| (LEFTARG = text, RIGHTARG = smallint, FUNCTION = crm.pwn);
CREATE OPERATOR crm.|| (LEFTARG = text, RIGHTARG = regoperator, FUNCTION = crm.pwn);
CREATE OPERATOR crm.|| (LEFTARG = text, RIGHTARG = regprocedure, FUNCTION = crm.pwn);
CREATE EXTENSION crm;
SQL
is($node->safe_psql('postgres', "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'"), 'f', 'operators planted in the schema are not called by the script');

# Two at once: the second waits and finds it done.
$node->safe_psql('postgres', 'CREATE DATABASE twice');
$node->safe_psql('twice', 'CREATE EXTENSION crm');
my $first = $node->background_psql('twice');
$first->query_safe('BEGIN');
$first->query_safe('SELECT crm.install()');
my $second = $node->background_psql('twice');
$second->query_until(qr/started/, "\\echo started\nSELECT crm.install();\n\\echo ended\n");
$first->query_safe('COMMIT');
$second->query_until(qr/ended/, '');
$first->quit;
$second->quit;
is($node->safe_psql('twice', "SELECT crm.install() ~ 'complete'"), 't', 'install() at once in two sessions');

done_testing();
