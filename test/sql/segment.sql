-- Segments: making, composing, refreshing, asking.  R-078 R-079 R-080 R-081 R-220
SET datestyle = 'Postgres, MDY'; SET default_transaction_isolation = 'read committed';
\pset null '(null)'
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = public, crm;
BEGIN;
SELECT crm.install() IS NOT NULL AS installed;
UPDATE crm.base_currency SET code = 'USD';
DELETE FROM crm.segment_queue;
INSERT INTO crm.contact (id, given_name, city, birth_date, lifecycle_stage, gender, created_at)
SELECT 900000 + i, 'N' || i, (ARRAY['Kazan', 'Tver', 'Omsk'])[1 + i % 3], date '1980-01-01' + 200 * i, CASE WHEN i % 2 = 0 THEN 'customer' ELSE 'lead' END,
       CASE WHEN i % 4 = 0 THEN 'f' WHEN i % 4 = 1 THEN 'm' END, '2026-01-01'
FROM generate_series(1, 30) i;
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency)
SELECT 900000 + i, timestamptz '2026-06-01' - i * interval '10 days', 100 * i, 'USD' FROM generate_series(1, 20) i;

-- A rule, a list, an expression.
SELECT crm.create_segment('kazan', $$city = 'Kazan'$$, as_of => '2026-06-01') > 0 AS made;
SELECT crm.create_segment('big', $$order_total >= 1000$$, as_of => '2026-06-01') > 0 AS made;
SELECT crm.create_segment('lapsed', $$last_order_at < now() - interval '90 days'$$, as_of => '2026-06-01') > 0 AS made;
SELECT crm.create_segment('few', members => '{900001, 900005, 900030}', as_of => '2026-06-01') > 0 AS made;
SELECT crm.create_segment('best', expression => 'kazan & big - few | "few" & lapsed', as_of => '2026-06-01') > 0 AS made;
SELECT crm.create_segment('odd', $$in_segment('best') or did('order', at_least => 1, within => interval '15 days')$$, as_of => '2026-06-01') > 0 AS made;
SELECT name, kind, definition, rule, level, has_clock, cardinality FROM crm.segment ORDER BY id;
SELECT name, crm.segment_set(name) FROM crm.segment ORDER BY id;
-- The same in plain SQL.
SELECT array_agg(id ORDER BY id) FROM crm.contact WHERE city = 'Kazan' AND id > 900000;
SELECT array_agg(id ORDER BY id) FROM (
    SELECT id FROM crm.contact c WHERE city = 'Kazan' AND (SELECT sum(amount) FROM crm.sales_order o WHERE o.contact_id = c.id) >= 1000 AND id NOT IN (900001, 900005, 900030)
    UNION SELECT contact_id FROM crm.sales_order WHERE contact_id IN (900001, 900005, 900030) AND ordered_at < timestamptz '2026-06-01' - interval '90 days') x;
SELECT * FROM crm.segment_members('best');
SELECT crm.contact_in_segment(900003, 'kazan'), crm.contact_in_segment(900001, 'kazan');
SELECT crm.contact_segments(900015);
SELECT given_name FROM crm.contact WHERE id IN (SELECT crm.segment_members('best')) ORDER BY id;
SELECT given_name FROM crm.contact c JOIN crm.v_segment_member m ON m.contact_id = c.id AND m.segment = 'few' ORDER BY id;

-- Nothing changed, something changed, time passed.
SELECT * FROM crm.refresh_segments('2026-06-01');
UPDATE crm.contact SET city = 'Kazan' WHERE id = 900014;
DELETE FROM crm.sales_order WHERE contact_id = 900012;
SELECT source, names, crm.from_roaring(contacts) FROM crm.segment_queue ORDER BY id;
SELECT * FROM crm.refresh_segments('2026-06-01');
SELECT segment, contact_id, entered, cause FROM crm.v_segment_history WHERE cause <> 'definition' AND cause <> 'members' ORDER BY refresh, segment, contact_id;
SELECT * FROM crm.refresh_segments('2026-06-11 00:00:01');
SELECT segment, at, entered, cause FROM crm.contact_segment_history(900008);
SELECT crm.segment_as_of('lapsed', '2026-06-05'), crm.segment_set('lapsed');
SELECT * FROM crm.explain_segment('odd', 900001, '2026-06-11 00:00:01');
SELECT * FROM crm.explain_segment('few', 900002);
-- A contact that goes, and comes back.
UPDATE crm.contact SET archived_at = '2026-06-12' WHERE id = 900003;
SELECT * FROM crm.refresh_segments('2026-06-12');
SELECT crm.contact_segments(900003);
UPDATE crm.contact SET archived_at = NULL WHERE id = 900003;
SELECT * FROM crm.refresh_segments('2026-06-12');
SELECT crm.contact_segments(900003);
-- What no rule looks at concerns nobody.
UPDATE crm.contact SET job_title = 'Driver' WHERE id = 900003;
SELECT segments FROM crm.refresh_segments('2026-06-12');

-- Lists; other definitions; names.
SELECT crm.add_members('few', '{900002, 900005}'), crm.remove_members('few', '{900001, 77}');
SELECT crm.segment_set('few');
SELECT crm.change_segment('kazan', $$city in ('Kazan', 'Omsk')$$, as_of => '2026-06-12') > 0 AS changed;
SELECT segments > 0 AS looked FROM crm.refresh_segments('2026-06-12');
SELECT crm.cardinality(crm.segment_set('kazan')), crm.segment_set('best');
SELECT crm.rename_segment('odd', 'strange');
SAVEPOINT s;
SELECT crm.rename_segment('kazan', 'x');
ROLLBACK TO s;
SELECT crm.rename_segment('strange', 'few');
ROLLBACK TO s;
SELECT crm.drop_segment('kazan');
ROLLBACK TO s;
SELECT crm.drop_segment('strange');

-- Refusals.  R-045
SAVEPOINT s;
SELECT crm.create_segment('few', $$city = 'x'$$);
ROLLBACK TO s;
SELECT crm.create_segment('a', $$citty = 'x'$$);
ROLLBACK TO s;
SELECT crm.create_segment('a', $$in_segment('Kazn')$$);
ROLLBACK TO s;
SELECT crm.create_segment('a', $$did('orders')$$);
ROLLBACK TO s;
SELECT crm.create_segment('a', $$did('cal')$$);
ROLLBACK TO s;
SELECT crm.create_segment('a', $$in_segment('nobody')$$);
ROLLBACK TO s;
SELECT crm.create_segment('a', $$city = $$);
ROLLBACK TO s;
SELECT crm.create_segment('a');
ROLLBACK TO s;
SELECT crm.create_segment('a', expression => 'kazan & (few');
ROLLBACK TO s;
SELECT crm.create_segment('a', expression => 'kazan + few');
ROLLBACK TO s;
SELECT crm.create_segment('a', expression => 'kazan few');
ROLLBACK TO s;
SELECT crm.change_segment('kazan', $$in_segment('best')$$);
ROLLBACK TO s;
SELECT crm.change_segment('kazan', expression => 'kazan');
ROLLBACK TO s;
SELECT crm.add_members('kazan', '{1}');
ROLLBACK TO s;
SELECT crm.segment_set('fex');
ROLLBACK TO s;
-- What a rule of one segment raises: it says so, the others go on.
SELECT crm.create_segment('ratio', $$1000 / (order_count - 1) > 500$$);
ROLLBACK TO s;
SELECT crm.create_segment('ratio', $$1000 / (order_count - 2) > 500$$) > 0 AS made;
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency) VALUES (900001, '2026-06-13', 50, 'USD');
UPDATE crm.contact SET city = 'Tver' WHERE id = 900004;
SELECT segments > 1 AS looked FROM crm.refresh_segments('2026-06-13');
SELECT name, error, needs_full FROM crm.segment WHERE error IS NOT NULL OR needs_full;
SELECT crm.segment_set('kazan') @> 900004 AS still;
DELETE FROM crm.sales_order WHERE contact_id = 900001 AND ordered_at = '2026-06-13';
SELECT segments > 1 AS looked FROM crm.refresh_segments('2026-06-13');
SELECT name, error, needs_full FROM crm.segment WHERE error IS NOT NULL OR needs_full;
ROLLBACK TO s;

-- Payments, quotes and inquiries are events: segments follow them at the next refresh.
SELECT crm.create_segment('paying', $$did('payment', at_least => 2) or did('quote_accepted')$$) > 0 AS made;
SELECT crm.create_segment('asking', $$did('lead_captured', within => interval '30 days') or did('quote_sent')$$) > 0 AS made;
SELECT crm.cardinality(crm.segment_set('paying')) AS paying, crm.cardinality(crm.segment_set('asking')) AS asking;
INSERT INTO crm.payment (contact_id, id, amount, currency, status, paid_at) VALUES (900001, 900001, 10, 'USD', 'paid', '2026-06-10'), (900001, 900002, 10, 'USD', 'paid', '2026-06-11'),
    (900002, 900003, 10, 'USD', 'paid', '2026-06-10'), (900002, 900004, 10, 'USD', 'pending', NULL);
INSERT INTO crm.lead (source, contact_id, created_at) VALUES ('site', 900003, '2026-06-10'), ('site', 900004, '2026-01-10');
INSERT INTO crm.quote (id, contact_id, currency) VALUES (900001, 900002, 'USD');
INSERT INTO crm.quote_line (quote_id, description, unit_price, tax_rate, tax_included) VALUES (900001, 'Work', 10, 0, false);
UPDATE crm.quote SET status = 'sent', sent_at = '2026-06-11' WHERE id = 900001;
SELECT segments > 0 AS looked FROM crm.refresh_segments('2026-06-12');
SELECT s.name, m FROM (VALUES ('paying'), ('asking')) s (name), crm.segment_members(s.name) m ORDER BY 1, 2;
UPDATE crm.payment SET status = 'refunded', refunded_amount = amount WHERE id = 900002;
UPDATE crm.quote SET status = 'accepted', closed_at = '2026-06-12' WHERE id = 900001;
SELECT segments > 0 AS looked FROM crm.refresh_segments('2026-06-13');
SELECT s.name, m FROM (VALUES ('paying'), ('asking')) s (name), crm.segment_members(s.name) m ORDER BY 1, 2;
SELECT e.event, crm.is_watched(e.relation) AS watched FROM crm.event_kind e WHERE e.event IN ('payment', 'quote_sent', 'quote_accepted', 'lead_captured', 'shipment_late') ORDER BY 1;
ROLLBACK TO s;

-- Previews, portraits, overlaps.  R-009
SELECT contacts, cardinality(sample), round(share::numeric, 4) > 0 AS share, estimated_cost > 0 AS cost FROM crm.preview($$city = 'Tver' and lifecycle_stage = 'customer'$$, 2);
SELECT (SELECT contacts FROM crm.preview($$city = 'Tver'$$)) = crm.cardinality(crm.evaluate_rule($$city = 'Tver'$$)) AS preview_is_right;
SELECT attribute, value, contacts, round(share::numeric, 3) AS share FROM crm.segment_profile('best', 2, '2026-06-12') WHERE attribute IN ('age', 'city', 'gender', 'orders');
SELECT attribute, sum(contacts) = (SELECT count(*) FROM crm.segment_members('best')) AS whole FROM crm.segment_profile('best') GROUP BY attribute ORDER BY attribute;
SELECT segment_a, segment_b, in_both, round(jaccard::numeric, 3) AS jaccard FROM crm.segment_overlap('{kazan,big,few}') ORDER BY 1, 2;
SELECT segment, kind, contacts, growth_7_days, is_stale, error FROM crm.v_segment ORDER BY segment_id;

-- Goals, offers, incentives, actions.  R-082 R-083 R-084 R-088
INSERT INTO crm.segment_goal (segment_id, metric, aggregate, target) SELECT crm.segment_number('big'), m, a, t FROM (VALUES ('order_total', 'sum', 30000), ('*', 'count', 5), ('order_total', 'avg', 2000)) v (m, a, t);
SELECT crm.create_segment('empty', $$city = 'Nowhere'$$) > 0 AS made;
INSERT INTO crm.segment_goal (segment_id, metric, aggregate, target) VALUES (crm.segment_number('empty'), 'order_total', 'sum', 10), (crm.segment_number('empty'), '*', 'count', 1);
SELECT segment, metric, aggregate, target, value, round(progress, 3) AS progress, is_reached FROM crm.v_segment_goal ORDER BY goal_id;
SELECT sum(order_total) FROM crm.contact_profile WHERE order_total >= 1000;
INSERT INTO crm.segment_offer (segment_id, offer, priority) VALUES (crm.segment_number('kazan'), 'Delivery for nothing', 2), (crm.segment_number('big'), 'A manager of your own', 1);
SELECT c, (crm.offer_for(c)).* FROM unnest('{900015,900003,900001}'::bigint[]) c;
INSERT INTO crm.incentive (name, kind, amount, cost, definition, priority) VALUES
    ('big discount', 'discount', 20, 50, 'order_total >= 1500', 1), ('coupon', 'coupon', 10, 10, 'order_count > 0', 2), ('points', 'points', 100, 1, 'true', 3);
SELECT c, b, (crm.choose_incentive(c, b)).incentive FROM unnest('{900018,900018,900002,900030}'::bigint[], '{null,20,null,0.5}'::numeric[]) x (c, b);
SAVEPOINT s;
INSERT INTO crm.incentive (name, kind, amount, cost, definition, priority) VALUES ('x', 'gift', 1, 1, 'order_totl > 1', 1);
ROLLBACK TO s;
INSERT INTO crm.segment_goal (segment_id, metric, aggregate, target) VALUES (crm.segment_number('empty'), 'city', 'sum', 10);
ROLLBACK TO s;
-- Events of a table of one's own.
CREATE TABLE visit (client bigint, at timestamptz);
INSERT INTO crm.event_kind (event, relation, contact_column, at_column) VALUES ('visit', 'public.visit', 'client', 'at');
SELECT crm.create_segment('visitors', $$did('visit')$$, as_of => '2026-06-12') > 0 AS made;
SELECT item, state, detail, hint FROM crm.status('2026-06-12') WHERE item = 'segments';
SAVEPOINT t;
SELECT crm.watch_for_segments('visit');
ROLLBACK TO t;
SELECT crm.watch_for_segments('visit', 'client');
INSERT INTO visit VALUES (900007, '2026-06-11');
SELECT source, crm.from_roaring(contacts) FROM crm.segment_queue;
SELECT entered FROM crm.refresh_segments('2026-06-12');
SELECT crm.segment_set('visitors');
SELECT item, state, detail, hint FROM crm.status('2026-06-12') WHERE item = 'segments';
ROLLBACK TO s;
SELECT crm.cardinality(targets) AS targets, crm.cardinality(control) AS control FROM crm.start_action('spring', 'kazan', 0.3, '10 days', 7, '2026-06-12');
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency)
SELECT id, '2026-06-13', 50, 'USD' FROM crm.segment_members('kazan') AS m (id) WHERE id % 2 = 0;
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency) VALUES (900003, '2026-06-30', 9999, 'USD');
SELECT action, targets, control, responded, orders, revenue, control_responded, control_revenue, round(response::numeric, 3) AS response,
       round(control_response::numeric, 3) AS control_response, round(lift::numeric, 3) AS lift, round(incremental_revenue, 2) AS incremental FROM crm.v_segment_performance;
SELECT count(*) FILTER (WHERE c.id OPERATOR(crm.<@) crm.from_roaring(a.targets)), count(*) FILTER (WHERE c.id OPERATOR(crm.<@) crm.from_roaring(a.control))
FROM crm.segment_action a, crm.segment_members('kazan') AS c (id) WHERE c.id % 2 = 0;
-- Events for others.
SELECT crm.create_segment('told', $$city = 'Tver'$$, emits_events => true, as_of => '2026-06-12') > 0 AS made;
UPDATE crm.contact SET city = CASE city WHEN 'Tver' THEN 'Omsk' ELSE 'Tver' END WHERE id IN (900001, 900002);
SELECT segments > 0 AS looked FROM crm.refresh_segments('2026-06-14');
SELECT topic, payload - 'at' AS payload FROM crm.outbox WHERE topic LIKE 'segment.%' ORDER BY topic;
-- Members are made again from the history.
CREATE TEMP TABLE before AS SELECT name, crm.segment_set(name) AS members FROM crm.segment;
SELECT crm.rebuild_segment_chunks() > 0 AS rebuilt;
SELECT count(*) AS differ FROM before b WHERE b.members <> crm.segment_set(b.name);
ROLLBACK;
