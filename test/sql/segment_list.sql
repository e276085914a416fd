-- Lists: given contacts, who of them is a member; and refreshing with fewer
-- rights; and history given up.  R-023 R-078 R-080 R-220
SET default_transaction_isolation = 'read committed';
\pset null '(null)'
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET search_path = public, crm;
BEGIN;
SELECT crm.install(roles => true) IS NOT NULL AS installed;
DELETE FROM crm.segment_queue;
INSERT INTO crm.contact (id, given_name, city, created_at) SELECT 910000 + i, 'L' || i, CASE WHEN i <= 5 THEN 'Omsk' ELSE 'Tver' END, '2026-01-01' FROM generate_series(1, 10) i;

-- Who is archived when the list is given comes in when taken back.
UPDATE crm.contact SET archived_at = '2026-02-01' WHERE id = 910003;
SELECT crm.create_segment('list', members => '{910001,910002,910003,910009}', as_of => '2026-03-01') > 0 AS made;
SELECT crm.create_segment('list or Omsk', $$in_segment('list') or city = 'Omsk'$$, as_of => '2026-03-01') > 0 AS made;
SELECT crm.segment_set('list'), crm.segment_set('list or Omsk');
SELECT crm.restore_contacts('{910003}');
SELECT * FROM crm.refresh_segments('2026-03-02');
SELECT crm.segment_set('list'), crm.segment_set('list or Omsk');
-- Who is absorbed is stood for by the survivor, until the merge is undone.
SELECT crm.merge_contacts(910010, '{910009}') AS merge \gset
SELECT entered, departed FROM crm.refresh_segments('2026-03-03');
SELECT crm.segment_set('list');
SELECT segment, contact_id, entered, cause FROM crm.v_segment_history WHERE segment = 'list' AND at = '2026-03-03' ORDER BY contact_id;
-- A merge of the survivor into another.
SELECT crm.merge_contacts(910008, '{910010}') AS second \gset
SELECT entered, departed FROM crm.refresh_segments('2026-03-04');
SELECT crm.segment_set('list');
SELECT count(*) FROM crm.unmerge(:second);
SELECT entered, departed FROM crm.refresh_segments('2026-03-05');
SELECT crm.segment_set('list');
SELECT count(*) FROM crm.unmerge(:merge);
SELECT entered, departed FROM crm.refresh_segments('2026-03-06');
SELECT crm.segment_set('list');
-- Adding an absorbed one adds who stands for it; removing that one removes both.
SELECT crm.merge_contacts(910006, '{910007}') > 0 AS merged;
SELECT crm.add_members('list', '{910007}', '2026-03-07');
SELECT crm.segment_set('list');
SELECT crm.remove_members('list', '{910006}', '2026-03-07');
SELECT crm.segment_set('list'), (SELECT crm.union_agg(crm.from_roaring(l.contacts)) FROM crm.segment_list l WHERE l.segment_id = crm.segment_number('list')) AS given;
-- Nobody twice, nobody who is not there.
SELECT crm.add_members('list', '{910001, 4711}', '2026-03-07'), crm.remove_members('list', '{4711, 910005}', '2026-03-07');
-- From all contacts it is the same.
SELECT * FROM crm.refresh_segment('list', '2026-03-08');
SELECT entered, departed FROM crm.refresh_segments('2026-03-08');
SELECT crm.segment_set('list'), crm.segment_set('list or Omsk');
-- A list becomes a rule and back.
SELECT crm.change_segment('list', $$city = 'Tver'$$, as_of => '2026-03-09') > 0 AS changed;
SELECT crm.segment_set('list'), (SELECT count(*) FROM crm.segment_list l WHERE l.segment_id = crm.segment_number('list')) AS lists;
SELECT crm.change_segment('list', members => '{910002}', as_of => '2026-03-10') > 0 AS changed;
SELECT crm.segment_set('list');
SELECT entered, departed FROM crm.refresh_segments('2026-03-10');

-- Older history is given up; what came after can still be asked for.
CREATE TEMPORARY TABLE moment AS SELECT at, crm.segment_as_of('list', at) AS members FROM generate_series(timestamptz '2026-03-05 12:00', '2026-03-11', '1 day') at;
SELECT count(*) FROM crm.segment_changes(crm.segment_number('list'));
SELECT crm.compact_segment_history('2027-03-05 12:00', '1 year');
SELECT crm.compact_segment_history('2027-03-05 12:00', '1 year') AS nothing_left;
SELECT count(*) FROM crm.segment_changes(crm.segment_number('list'));
SELECT count(*) AS differ FROM moment m WHERE m.members <> crm.segment_as_of('list', m.at);
SELECT at, entered, cause FROM crm.contact_segment_history(910001) WHERE segment = 'list';
SELECT crm.rebuild_segment_chunks() > 0 AS rebuilt;
SELECT crm.segment_set('list');

-- An event that becomes another one; what a trigger derives is not written by hand.
CREATE TABLE first_place (contact_id bigint, at timestamptz, kind text);
CREATE TABLE second_place (LIKE first_place);
INSERT INTO first_place VALUES (910001, '2026-03-01', 'a');
INSERT INTO second_place VALUES (910002, '2026-03-01', 'a'), (910003, '2026-03-01', 'b');
INSERT INTO crm.event_kind (event, relation, at_column) VALUES ('seen', 'public.first_place', 'at');
SELECT crm.create_segment('seen', $$did('seen')$$, as_of => '2026-03-10') > 0 AS made;
SELECT crm.watch_for_segments(t) FROM unnest('{first_place,second_place}'::regclass[]) t;
SELECT crm.segment_set('seen');
UPDATE crm.event_kind SET relation = 'public.second_place' WHERE event = 'seen';
SELECT entered, departed FROM crm.refresh_segments('2026-03-10');
SELECT crm.segment_set('seen');
UPDATE crm.event_kind SET filter = 'kind = ''b''' WHERE event = 'seen';
INSERT INTO second_place VALUES (910004, '2026-03-02', 'b');
SELECT entered, departed FROM crm.refresh_segments('2026-03-10');
SELECT crm.segment_set('seen');
INSERT INTO second_place VALUES (910005, '2026-03-02', 'b');
SELECT segments, entered FROM crm.refresh_segments('2026-03-10');
UPDATE crm.segment SET rule = 'true' WHERE name = 'seen' RETURNING rule;
-- Of a partitioned table the partitions are watched, too.
CREATE TABLE visit (contact_id bigint, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
INSERT INTO crm.event_kind (event, relation, at_column) VALUES ('visit', 'public.visit', 'at');
SELECT crm.create_segment('visitors', $$did('visit')$$, as_of => '2026-03-10') > 0 AS made;
SELECT crm.watch_for_segments('visit');
SELECT entered FROM crm.refresh_segments('2026-03-10');
INSERT INTO visit_1 VALUES (910001, '2026-01-05');
INSERT INTO visit VALUES (910002, '2026-01-05');
SELECT segments, entered FROM crm.refresh_segments('2026-03-10');
CREATE TABLE visit_2 PARTITION OF visit FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT crm.is_watched('public.visit');
INSERT INTO visit_2 VALUES (910003, '2026-02-05');
SELECT entered FROM crm.refresh_segments('2026-03-10');
SELECT crm.watch_for_segments('visit');
SELECT crm.is_watched('public.visit'), crm.segment_set('visitors');
-- Who is merged after an action is counted for the one who stands for it.
UPDATE crm.base_currency SET code = 'USD';
SELECT crm.create_segment('aimed at', members => '{910004,910005}', as_of => '2026-03-10') > 0 AS made;
SELECT targets, control FROM crm.start_action('letter', 'aimed at', 0, '10 days', as_of => '2026-03-10');
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency) VALUES (910005, '2026-03-11', 50, 'USD');
SELECT targets, responded, revenue FROM crm.v_segment_performance WHERE action = 'letter';
SELECT crm.merge_contacts(910010, '{910005}') > 0 AS merged;
SELECT targets, responded, revenue FROM crm.v_segment_performance WHERE action = 'letter';
-- A segment that an incentive asks for stays; a queue that was written by hand is no end of it.
INSERT INTO crm.incentive (name, kind, amount, cost, definition, priority) VALUES ('gift', 'gift', 1, 1, 'in_segment(''seen'')', 1);
SAVEPOINT s;
SELECT crm.drop_segment('seen');
ROLLBACK TO s;
INSERT INTO crm.segment_queue (source, contacts) VALUES ('contact', 'nonsense');
UPDATE crm.contact SET city = 'Omsk' WHERE id = 910008;
SELECT entered FROM crm.refresh_segments('2026-03-10');
SELECT count(*) FROM crm.segment_queue;
-- A column that somebody added to the profile.
CREATE TABLE extra (contact_id bigint PRIMARY KEY, vip boolean);
GRANT SELECT ON extra TO crm_marketer;
DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW crm.contact_profile WITH (security_invoker = true) AS SELECT q.*, e.vip FROM (' || rtrim(pg_get_viewdef('crm.contact_profile'::regclass), ';') || ') q LEFT JOIN public.extra e USING (contact_id)'; END $$;
SELECT crm.create_segment('very', $$vip$$, as_of => '2026-03-10') > 0 AS made;
INSERT INTO extra VALUES (910001, true);
SELECT entered FROM crm.refresh_segments('2026-03-10');
SELECT crm.watch_for_segments('extra');
SELECT entered FROM crm.refresh_segments('2026-03-10');
INSERT INTO extra VALUES (910002, true);
SELECT segments, entered FROM crm.refresh_segments('2026-03-10');
SELECT crm.segment_set('very');

-- Why, with the events that were found; a file of numbers of the shop; who was aimed at.
SELECT crm.create_segment('why', $$(city = 'Omsk' or did('order', at_least => 2)) and not did('visit', within => interval '30 days')$$, as_of => '2026-03-12') > 0 AS made;
SELECT * FROM crm.explain_segment('why', 910010, '2026-03-12');
SELECT * FROM crm.explain_segment('aimed at', 910010);
INSERT INTO crm.external_ref (contact_id, system, external_id) VALUES (910001, 'shop', 'K-1'), (910002, 'shop', 'K-2');
SELECT * FROM crm.contacts_of('shop', '{K-1,K-2,K-3,K-2}');
SELECT * FROM crm.action_contacts('letter');
SAVEPOINT s;
SELECT crm.segment_overlap('{seen,nope}');
ROLLBACK TO s;
SELECT crm.create_segment('ratio', $$order_total / (order_count - order_count) > 1$$, as_of => '2026-03-12');
ROLLBACK TO s;
SELECT segment, refreshed_at FROM crm.v_segment WHERE segment = 'why';

-- A role that must not see what a rule asks for leaves that segment alone.
CREATE TABLE call (contact_id bigint, at timestamptz);
GRANT SELECT ON call TO crm_admin;
INSERT INTO crm.event_kind (event, relation, at_column) VALUES ('secret call', 'public.call', 'at');
SELECT crm.create_segment('called', $$did('secret call')$$, as_of => '2026-03-10') > 0 AS made;
SELECT crm.watch_for_segments('call');
INSERT INTO call VALUES (910001, '2026-03-10');
UPDATE crm.contact SET city = 'Omsk' WHERE id = 910006;
SET ROLE crm_marketer;
SET client_min_messages = notice;
SELECT entered FROM crm.refresh_segments('2026-03-11');
SELECT entered AS nothing_said_again FROM crm.refresh_segments('2026-03-11');
RESET ROLE;
SELECT name, error, hindrance, needs_full FROM crm.segment WHERE error IS NOT NULL OR needs_full;
SELECT entered FROM crm.refresh_segments('2026-03-12');
SELECT name, error, needs_full FROM crm.segment WHERE error IS NOT NULL OR needs_full;
SELECT crm.segment_set('called'), (SELECT hindrance FROM crm.v_segment WHERE segment = 'called');
-- Nor does one from which row-level security hides contacts, or the events.
ALTER TABLE call ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON call TO crm_marketer;
INSERT INTO call VALUES (910002, '2026-03-12');
SET ROLE crm_marketer;
SELECT entered, departed FROM crm.refresh_segments('2026-03-13');
SAVEPOINT s;
SELECT crm.refresh_segment('called', '2026-03-13');
ROLLBACK TO s;
RESET ROLE;
SELECT entered, departed FROM crm.refresh_segments('2026-03-13');
SELECT crm.segment_set('called');
-- Nor does it change a list; nor write a rule that asks for what it may not read.
SAVEPOINT s;
CREATE TABLE hidden_call (LIKE call);
INSERT INTO crm.event_kind (event, relation, at_column) VALUES ('hidden call', 'public.hidden_call', 'at');
SET ROLE crm_marketer;
SAVEPOINT t;
UPDATE crm.segment SET definition = 'did(''hidden call'')' WHERE name = 'list or Omsk';
ROLLBACK TO t;
RESET ROLE;
ROLLBACK TO s;
-- An event that is gone concerns its segments, and nobody else.
DELETE FROM crm.event_kind WHERE event = 'seen';
UPDATE crm.contact SET city = 'Tver' WHERE id = 910001;
SELECT departed FROM crm.refresh_segments('2026-03-13');
SELECT name, error FROM crm.segment WHERE error IS NOT NULL;
ALTER TABLE call RENAME at TO happened_at;
UPDATE crm.contact SET city = 'Omsk' WHERE id = 910001;
SELECT entered FROM crm.refresh_segments('2026-03-14');
SELECT name, error FROM crm.segment WHERE error IS NOT NULL ORDER BY name;
SELECT item, detail FROM crm.status('2026-03-14') WHERE item IN ('segments', 'event secret call') ORDER BY 2;
-- So with incentives and archive rules.
DELETE FROM crm.incentive;
INSERT INTO crm.incentive (name, kind, amount, cost, definition, priority) VALUES ('gift', 'gift', 1, 1, 'order_total / (order_total - order_total) > 1', 1), ('points', 'points', 1, 1, 'true', 3);
SELECT incentive FROM crm.choose_incentive(910001);
INSERT INTO crm.archive_rule (name, inactive_for, definition) VALUES ('a', '1 day', 'order_count / (order_count - order_count) = 1'), ('b', '1 day', 'given_name = ''L6''');
SELECT crm.archive_contacts('2030-01-01');
-- What is watched can be unwatched.
SELECT crm.unwatch_for_segments('visit');
SELECT crm.is_watched('public.visit'), (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'visit_1'::regclass) AS triggers;
-- Nobody else's type is taken for a number.
CREATE TYPE number_of_mine AS (x bigint);
ALTER TABLE second_place ALTER contact_id TYPE number_of_mine USING row(contact_id)::number_of_mine;
SAVEPOINT s;
INSERT INTO second_place VALUES (row(1)::number_of_mine, now(), 'b');
ROLLBACK TO s;
ALTER TABLE crm.contact ENABLE ROW LEVEL SECURITY;
SET ROLE crm_marketer;
SELECT entered FROM crm.refresh_segments('2026-03-15');
ROLLBACK TO s;
ALTER TABLE crm.contact ENABLE ROW LEVEL SECURITY;
SET ROLE crm_marketer;
SAVEPOINT s;
SELECT crm.add_members('list', '{910001}');
ROLLBACK TO s;
RESET ROLE;
ROLLBACK;
