# What the TAP tests share: a server that finds the extension, and a
# description of everything crm keeps in a database.
package CrmTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(crm_node crm_server_is_back crm_sample_data crm_sales_data crm_door_data crm_door_works crm_state crm_catalog crm_same);

# A started server in UTF8 with the settings by which it finds the extension.
sub crm_node
{
	my ($name, $extra) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}));
	$node->append_conf('postgresql.conf', $extra) if defined $extra;
	$node->start;
	return $node;
}

# Waits until the server takes connections again after a crash. psql cannot be
# asked: one that is refused before it has read its query breaks the pipe.
sub crm_server_is_back
{
	my ($node) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if system_log('pg_isready', '-q', '-d', $node->connstr('postgres')) == 0;
		select undef, undef, undef, 0.1;
	}
	return 0;
}

# Contacts with everything that hangs on them, through the public functions.
sub crm_sample_data
{
	my ($node, $db, $role) = @_;
	$node->safe_psql($db, ($role ? "SET ROLE $role;" : '') . <<'SQL');
SET crm.default_region = 'RU';
SELECT crm.create_contact(jsonb_build_object('name', 'Иванов Иван Иванович', 'email', 'ivan' || i || '@example.com',
       'phone', '8 (912) 345-' || lpad((i / 100)::text, 2, '0') || '-' || lpad((i % 100)::text, 2, '0'), 'birth_date', '1980-01-01',
       'company', 'ООО Ромашка ' || i % 5, 'tags', '["vip"]'::jsonb,
       'external_ref', jsonb_build_object('1C', i), 'identity', jsonb_build_object('vk', i),
       'consent', '{"purpose": "marketing", "channel": "email"}'::jsonb))
FROM generate_series(1, 50) i;
SELECT crm.update_contact(id, '{"city": "Казань"}') FROM crm.contact WHERE id % 2 = 0;
SELECT crm.delete_contact(id) FROM crm.contact WHERE id % 7 = 0;
SELECT crm.import_apply(crm.import_csv('clients.csv', E'id,name,email\n1,Anna Ivanova,anna@example.com\n2,Broken,nobody@@example.com\n', source => 'shop'));
SQL
}

# A pipeline with stages of its own; deals that are open, won, lost, taken up
# again, deleted, with their history; tasks, calls and orders: as far as the
# installed version has them.
sub crm_sales_data
{
	my ($node, $db, $role) = @_;
	$node->safe_psql($db, ($role ? "SET ROLE $role;" : '') . <<'SQL');
SELECT to_regclass('crm.deal') IS NOT NULL AS has_deals, to_regclass('crm.sales_order') IS NOT NULL AS has_orders \gset
\if :has_deals
INSERT INTO crm.agent (name) VALUES ('Анна'), ('Борис');
INSERT INTO crm.pipeline (name, currency) VALUES ('Опт', 'RUB');
INSERT INTO crm.stage (pipeline_id, name, position, kind, probability)
SELECT p.id, s.name, s.position, s.kind, s.probability
FROM crm.pipeline p, (VALUES ('Заявка', 1, 'open', 0.1), ('Счёт', 2, 'open', 0.5), ('Оплачено', 3, 'won', 1), ('Отказ', 4, 'lost', 0)) s (name, position, kind, probability) WHERE p.name = 'Опт';
SELECT crm.allow_transition('Опт', f, t) FROM (VALUES (NULL, 'Заявка'), ('Заявка', 'Счёт'), ('Счёт', 'Оплачено'), ('Заявка', 'Отказ'), ('Счёт', 'Отказ'), ('Отказ', 'Заявка')) s (f, t);
INSERT INTO crm.loss_reason (name, kind) VALUES ('Передумали', 'natural') ON CONFLICT DO NOTHING;
-- Every second in the default pipeline.
INSERT INTO crm.deal (name, pipeline_id, contact_id, owner_id, amount, created_at)
SELECT 'Поставка ' || c.id, CASE WHEN c.id % 2 = 0 THEN p.id END, c.id, a.id, 1000 * c.id, timestamptz '2024-01-01 00:00:00+00' + c.id * interval '1 day'
FROM crm.contact c, crm.pipeline p, (SELECT min(id) AS first FROM crm.agent) f JOIN crm.agent a ON a.id = f.first
WHERE p.name = 'Опт' AND c.deleted_at IS NULL ORDER BY c.id LIMIT 30;
UPDATE crm.deal SET amount = amount + 1, close_date = '2024-03-01' WHERE id % 3 = 0;
SELECT crm.move_deal(d.id, 'Счёт', as_of => d.created_at + interval '2 days') FROM crm.deal d JOIN crm.pipeline p ON p.id = d.pipeline_id WHERE p.name = 'Опт' AND d.id % 4 <> 0;
SELECT crm.win_deal(d.id, as_of => d.created_at + interval '5 days') FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE s.name = 'Счёт' AND d.id % 3 = 0;
SELECT crm.lose_deal(d.id, 'Передумали', as_of => d.created_at + interval '6 days') FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE s.name = 'Счёт' AND d.id % 3 = 1;
SELECT crm.move_deal(min(d.id), 'Заявка', as_of => min(d.created_at) + interval '30 days') FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE s.name = 'Отказ';
UPDATE crm.deal SET deleted_at = now() WHERE id = (SELECT min(id) + 2 FROM crm.deal);
INSERT INTO crm.deal_contact (deal_id, contact_id, role) SELECT min(d.id), max(d.contact_id), 'signs' FROM crm.deal d;
SELECT crm.create_task(jsonb_build_object('title', 'Позвонить', 'deal_id', d.id, 'due_at', d.created_at)) FROM crm.deal d WHERE d.id % 5 = 0;
SELECT crm.complete_task(min(t.id), 'done') FROM crm.task t;
INSERT INTO crm.activity (contact_id, deal_id, kind, direction, occurred_at) SELECT d.contact_id, d.id, 'call', 'out', d.created_at FROM crm.deal d WHERE d.contact_id IS NOT NULL;
\endif
\if :has_orders
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) SELECT 'RUB', b.code, '2000-01-01', 0.0125 FROM crm.base_currency b;
INSERT INTO crm.sales_order (contact_id, deal_id, ordered_at, amount, currency, status)
SELECT d.contact_id, d.id, d.created_at, d.amount, d.currency, CASE WHEN d.id % 4 = 0 THEN 'cancelled' ELSE 'completed' END FROM crm.deal d;
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency) SELECT contact_id, ordered_at + interval '10 days', amount, currency FROM crm.sales_order WHERE contact_id % 3 = 0;
\endif
SQL
}

# A table of the user's with a key of two columns, every fifth row the one
# before it again, and contacts, both watched for duplicates; a merge.
sub crm_door_data
{
	my ($node, $db, $role) = @_;
	my $as = $role ? "SET ROLE $role;" : '';
	$node->safe_psql($db, $as . <<'SQL');
CREATE TABLE guest (branch integer, number integer, given_name text, family_name text, birth_date date, email text, PRIMARY KEY (branch, number));
INSERT INTO guest
SELECT i % 3, i, initcap(translate(lpad((e * 37 % 1000)::text, 4, '7'), '0123456789', 'aeiounrlst')),
       initcap(translate(lpad((e * 7919 % 100000)::text, 7, '8'), '0123456789', 'aeioubdkmp')), date '1950-01-01' + e * 7907 % 18000, 'mail' || e || '@example.com'
FROM (SELECT i, CASE WHEN i % 5 = 0 THEN i - 1 ELSE i END AS e FROM generate_series(1, 1500) i) s;
ANALYZE guest;
SELECT crm.create_contact(jsonb_build_object('given_name', given_name, 'family_name', family_name, 'birth_date', birth_date, 'email', email)) FROM guest WHERE number <= 300;
SELECT crm.create_match_model('guest', 'guest');
SELECT crm.train_match_model(m) FROM unnest('{guest,contacts}'::text[]) m;
SELECT crm.guard_duplicates('guest', 'queue');
SELECT crm.guard_duplicates('contacts', 'queue', t, c) FROM (VALUES ('crm.contact'::regclass, 'id'), ('crm.contact_point', 'contact_id')) v (t, c);
SQL
	$node->safe_psql($db, "$as SELECT crm.dedupe('guest'); SELECT crm.dedup_tick()");
}

# Looking, the triggers and the sweep: rows are entered again under numbers from
# 10000, 20000 or 30000 on, and found in each way.
sub crm_door_works
{
	my ($node, $db, $number, $when, $role) = @_;
	my $as = $role ? "SET ROLE $role;" : '';
	my $row = 21 + $number / 2000;
	is($node->safe_psql($db, "$as SELECT string_agg(record_id, ' ' ORDER BY record_id) FROM crm.find_duplicates('guest', (SELECT to_jsonb(g) - 'branch' - 'number' FROM guest g WHERE number = 14), 2)"),
		'(0,15) (2,14)', "found $when");
	$node->safe_psql($db, "$as INSERT INTO guest SELECT 9, $number, given_name, family_name, birth_date, email FROM guest WHERE number = $row");
	is($node->safe_psql($db, "$as SELECT left_id FROM crm.match_pair WHERE model = 'guest' AND right_id = '(9,$number)'"), "(" . $row % 3 . ",$row)", "queued by the trigger $when");
	$node->safe_psql($db, "$as INSERT INTO guest SELECT 8, $number + number, given_name, family_name, birth_date, email FROM guest WHERE branch < 3 AND number BETWEEN 101 AND 250");
	cmp_ok($node->safe_psql($db, "$as SELECT pairs FROM crm.dedup_tick('guest')"), '>=', 150, "swept $when");
	is($node->safe_psql($db, "$as WITH c AS (SELECT crm.create_contact(to_jsonb(g) - 'branch' - 'number') AS id FROM guest g WHERE number = $row + 30)
		SELECT count(*) FROM c"), '1', "a contact is entered $when");
	is($node->safe_psql($db, "$as SELECT count(*) FROM crm.match_pair WHERE model = 'contacts' AND right_id = (SELECT max(id)::text FROM crm.contact)"), '1', "and queued $when");
}

# One line a relation: its rows and their checksum; sequences; and what the
# user added. Not the queue of segments, which gets a row by whatever is written.  Two databases with the same lines hold the same.
sub crm_state
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, <<'SQL');
SET search_path = pg_catalog;
SELECT format('%s: %s rows, %s', c.relname, x.rows, x.sum)
FROM pg_class c CROSS JOIN LATERAL (
    SELECT (xpath('/row/n/text()', r))[1]::text AS rows, (xpath('/row/s/text()', r))[1]::text AS sum
    FROM query_to_xml(format('SELECT count(*) AS n, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS s FROM crm.%I t', c.relname), true, true, '') r) x
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'segment_queue' ORDER BY c.relname;
SELECT format('sequence %s: %s', sequencename, last_value) FROM pg_sequences WHERE schemaname = 'crm' AND sequencename <> 'segment_queue_id_seq' ORDER BY 1;
SELECT format('trigger %s on %s: %s %s', tgname, tgrelid::regclass, tgenabled, pg_get_triggerdef(oid)) FROM pg_trigger
WHERE tgrelid::regclass::text LIKE 'crm.%' AND NOT tgisinternal ORDER BY 1;
SELECT format('policy %s on %s: %s', polname, polrelid::regclass, pg_get_expr(polqual, polrelid)) FROM pg_policy ORDER BY 1;
SELECT format('row security of %s: %s', relname, relrowsecurity) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relrowsecurity ORDER BY 1;
SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'crm' ORDER BY 1;
SELECT format('column %s.%s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod)) FROM pg_attribute
WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v')) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid::regclass::text, attname;
SELECT format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE connamespace = 'crm'::regnamespace AND conrelid <> 0 ORDER BY 1;
SELECT format('acl of %s: %s', relname, relacl) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relacl IS NOT NULL ORDER BY 1;
SELECT format('comment on %s: %s', objoid::regclass, description) FROM pg_description
WHERE classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'crm'::regnamespace) ORDER BY 1;
SQL
}

# Whether two such descriptions are equal; shows the lines that differ only.
sub crm_same
{
	my ($got, $expected, $name) = @_;
	my %got = map { $_ => 1 } split /\n/, $got;
	my %expected = map { $_ => 1 } split /\n/, $expected;
	my @lost = grep { !$got{$_} } sort keys %expected;
	my @new = grep { !$expected{$_} } sort keys %got;
	ok(!@lost && !@new, $name)
	  or diag(join("\n", (map { "lost: $_" } @lost[ 0 .. ($#lost > 9 ? 9 : $#lost) ]), (map { "new:  $_" } @new[ 0 .. ($#new > 9 ? 9 : $#new) ])));
}

# The members of the extension with definitions, comments and rights.
sub crm_catalog
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, <<'SQL');
SET search_path = pg_catalog;
WITH member AS (
    SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm')
)
SELECT pg_describe_object(m.classid, m.objid, 0) || ' | ' || coalesce(obj_description(m.objid, m.classid::regclass::text::name), 'no comment')
       || coalesce(' | ' || (SELECT pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '') || row(p.procost, p.prorows, p.proparallel, p.proleakproof)::text FROM pg_proc p WHERE p.oid = m.objid AND m.classid = 'pg_proc'::regclass AND p.prokind IN ('f', 'p')), '')
       || coalesce(' | ' || (SELECT row(o.oprname, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprcode, o.oprrest, o.oprjoin, o.oprcanhash, o.oprcanmerge)::text FROM pg_operator o WHERE o.oid = m.objid AND m.classid = 'pg_operator'::regclass), '')
       || coalesce(' | ' || (SELECT row(t.typlen, t.typbyval, t.typalign, t.typstorage, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typcategory)::text FROM pg_type t WHERE t.oid = m.objid AND m.classid = 'pg_type'::regclass), '')
FROM member m ORDER BY 1;
SQL
}

1;
