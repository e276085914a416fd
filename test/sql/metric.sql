-- Orders and the metrics of contacts.  R-051, R-184
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
\set ON_ERROR_ROLLBACK on
INSERT INTO crm.contact (id, given_name) VALUES (910001, 'Anna'), (910002, 'Boris'), (910003, 'Clara');
CREATE TEMPORARY VIEW metric AS
SELECT contact_id - 910000 AS c, order_count AS n, priced_order_count AS priced, order_total AS total, order_average AS average, largest_order AS largest, first_order_at::date AS first, last_order_at::date AS last
FROM crm.contact_metric WHERE contact_id > 910000 ORDER BY contact_id;

-- What an order is completed with.
SELECT code FROM crm.base_currency;
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2026-01-01', 1.10), ('EUR', 'USD', '2026-02-01', 1.20), ('USD', 'JPY', '2026-01-01', 160);
SELECT d, crm.exchange_rate('USD', d) AS usd, crm.exchange_rate('EUR', d) AS eur, crm.exchange_rate('JPY', d) AS jpy, crm.exchange_rate('GBP', d) AS gbp
FROM unnest('{2025-12-31 23:59, 2026-01-31 23:59, 2026-02-01}'::timestamptz[]) d;
INSERT INTO crm.sales_order (contact_id, number, ordered_at, amount, currency) VALUES
    (910001, 'A-1', '2026-01-10', 100, NULL), (910001, 'A-2', '2026-02-10', 100, 'EUR'), (910001, 'A-3', '2026-02-11', 16000, 'JPY'),
    (910002, 'B-1', '2026-02-12', 50, 'GBP'), (910002, 'B-2', '2026-02-13', NULL, 'USD');
INSERT INTO crm.sales_order (contact_id, number, ordered_at, amount, currency, exchange_rate) VALUES (910002, 'B-3', '2026-02-14', 50, 'GBP', 1.3);
SELECT number, status, amount, currency, exchange_rate, base_amount, is_counted FROM crm.sales_order WHERE contact_id > 910000 ORDER BY number;
TABLE metric;
-- Which count.
INSERT INTO crm.sales_order (contact_id, status, ordered_at, amount)
SELECT 910003, s, '2026-03-01'::timestamptz + n * interval '1 day', 10 ^ n FROM unnest('{draft,placed,paid,shipped,completed,cancelled,returned}'::text[]) WITH ORDINALITY u (s, n);
SELECT * FROM metric WHERE c = 3;
UPDATE crm.sales_order SET status = 'returned' WHERE contact_id = 910003 AND status = 'completed';
UPDATE crm.sales_order SET status = 'placed' WHERE contact_id = 910003 AND status = 'draft';
UPDATE crm.sales_order SET deleted_at = now() WHERE contact_id = 910003 AND status = 'shipped';
SELECT * FROM metric WHERE c = 3;
-- A rate that comes later prices what had none, and nothing else.
SELECT state, detail FROM crm.status() WHERE item = 'orders';
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('GBP', 'USD', '2026-02-01', 1.25), ('EUR', 'USD', '2026-02-10', 9);
SELECT number, exchange_rate, base_amount FROM crm.sales_order WHERE contact_id BETWEEN 910001 AND 910002 AND currency IN ('GBP', 'EUR') ORDER BY number;
SELECT * FROM metric WHERE c = 2;
SELECT count(*) FROM crm.status() WHERE item = 'orders';
-- Another currency has another rate, unless one is given; null has it looked up.
UPDATE crm.sales_order SET currency = 'USD' WHERE number = 'B-3' AND contact_id = 910002 RETURNING exchange_rate;
UPDATE crm.sales_order SET currency = 'GBP', exchange_rate = 1.3 WHERE number = 'B-3' AND contact_id = 910002 RETURNING exchange_rate;
UPDATE crm.sales_order SET exchange_rate = NULL WHERE number = 'B-3' AND contact_id = 910002 RETURNING exchange_rate, base_amount, updated_at = now() AS touched;
-- Another base currency.
SAVEPOINT base;
UPDATE crm.base_currency SET code = 'EUR';
SELECT number, currency, exchange_rate, base_amount FROM crm.sales_order WHERE contact_id BETWEEN 910001 AND 910002 ORDER BY number;
TABLE metric;
SELECT crm.rebuild_contact_metric();
ROLLBACK TO base;

-- An order given to another contact, and removed; who has none has no row.
UPDATE crm.sales_order SET contact_id = 910002 WHERE contact_id = 910003;
TABLE metric;
DELETE FROM crm.sales_order WHERE contact_id = 910001 AND number = 'A-1';
TABLE metric;
DELETE FROM crm.sales_order WHERE contact_id = 910001;
TABLE metric;
SELECT v.contact_id - 910000 AS c, v.order_count, v.order_total, v.last_order_at FROM crm.v_contact_metric v WHERE v.contact_id > 910000 ORDER BY 1;
-- History.
SELECT operation, changes -> 'status' AS status, changes -> 'number' ->> 'old' AS number FROM crm.audit_log WHERE relation = 'sales_order' AND contact_id IN (910001, 910003) AND (changes ? 'status') ORDER BY id;

-- Activities and deals.
INSERT INTO crm.activity (contact_id, kind, direction, occurred_at) VALUES (910001, 'call', 'in', '2026-01-01'), (910001, 'call', 'out', '2026-01-05'), (910001, 'note', NULL, '2026-01-07'), (910003, 'call', 'in', '2026-01-02');
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('CHF', 'USD', '2000-01-01', 2);
INSERT INTO crm.deal (id, name, contact_id, amount, currency) VALUES (910001, 'One', 910001, 100, 'CHF'), (910002, 'Two', 910001, 7, NULL), (910003, 'Three', NULL, 1, NULL);
SELECT crm.move_deal(910001, 'Qualified'), crm.move_deal(910001, 'Proposal'), crm.move_deal(910001, 'Negotiation'), crm.move_deal(910001, 'Won');
CREATE TEMPORARY VIEW rest AS
SELECT contact_id - 910000 AS c, activity_count AS n, first_activity_at::date AS first, last_activity_at::date AS last, last_inbound_at::date AS "in", last_outbound_at::date AS out, open_deal_count AS open, won_deal_count AS won, won_deal_total AS total, last_won_at = now() AS won_now
FROM crm.contact_metric WHERE contact_id > 910000 ORDER BY contact_id;
TABLE rest;
UPDATE crm.activity SET direction = 'out' WHERE contact_id = 910001 AND direction = 'in';
DELETE FROM crm.activity WHERE contact_id = 910001 AND kind = 'note';
UPDATE crm.deal SET contact_id = 910003 WHERE id = 910002;
UPDATE crm.deal SET deleted_at = now() WHERE id = 910001;
TABLE rest;

-- A merge brings the orders along, an undone one takes them back.
INSERT INTO crm.sales_order (contact_id, id, number, ordered_at, amount, currency, external_system, external_id) VALUES
    (910001, 910001, 'M-1', '2026-04-01', 10, 'USD', 'shop', '1'), (910002, 910002, 'M-2', '2026-04-02', 20, 'NOK', 'shop', '1'), (910003, 910003, 'M-3', '2026-04-03', 30, 'USD', 'fair', '1');
CREATE TEMPORARY TABLE before AS SELECT o AS line FROM (SELECT s::text AS o FROM crm.sales_order s UNION ALL SELECT a::text FROM crm.activity a UNION ALL SELECT m::text FROM crm.contact_metric m) x;
SELECT crm.merge_contacts(910001, '{910002,910003}') AS merge \gset
SELECT number, contact_id - 910000 AS c, external_system, external_id FROM crm.sales_order WHERE number LIKE 'M-%' ORDER BY number;
SELECT operation, row_before ->> 'number' AS number, reason FROM crm.merge_journal WHERE merge_id = :merge AND relation = 'sales_order' AND row_before ->> 'number' LIKE 'M-%' ORDER BY entry;
TABLE metric;
SELECT crm.rebuild_contact_metric();
SELECT * FROM crm.unmerge(:merge);
SELECT count(*) FROM ((TABLE before EXCEPT ALL SELECT * FROM (SELECT s::text FROM crm.sales_order s UNION ALL SELECT a::text FROM crm.activity a UNION ALL SELECT m::text FROM crm.contact_metric m) x)
    UNION ALL (SELECT * FROM (SELECT s::text FROM crm.sales_order s UNION ALL SELECT a::text FROM crm.activity a UNION ALL SELECT m::text FROM crm.contact_metric m) x EXCEPT ALL TABLE before)) differences;
SELECT crm.rebuild_contact_metric();

-- Refused.
\set VERBOSITY sqlstate
INSERT INTO crm.sales_order (contact_id, status) VALUES (910001, 'lost');
INSERT INTO crm.sales_order (contact_id, amount) VALUES (910001, -1);
INSERT INTO crm.sales_order (contact_id, amount) VALUES (910001, 'NaN');
INSERT INTO crm.sales_order (contact_id, currency) VALUES (910001, 'XXQ');
INSERT INTO crm.sales_order (contact_id, external_system, external_id) VALUES (910001, 'shop', '1');
INSERT INTO crm.sales_order (contact_id, external_system) VALUES (910001, 'shop');
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('USD', 'USD', '2026-01-01', 1);
INSERT INTO crm.base_currency (singleton, code) VALUES (false, 'EUR');
DELETE FROM crm.contact WHERE id = 910001;
\set VERBOSITY default
-- The same number of two shops is two orders; loaded again it is the same.
INSERT INTO crm.sales_order (contact_id, external_system, external_id, amount, ordered_at) VALUES (910001, 'second shop', '1', 5, '2026-05-01');
INSERT INTO crm.sales_order (contact_id, external_system, external_id, amount, status) VALUES (910001, 'shop', '1', 11, 'paid')
ON CONFLICT (contact_id, external_system, external_id) DO UPDATE SET amount = excluded.amount, status = excluded.status;
SELECT * FROM metric WHERE c = 1;

-- Triggers that are missing or disabled are told, and counting anew mends.
ALTER TABLE crm.sales_order DISABLE TRIGGER metric_insert;
DROP TRIGGER metric_delete ON crm.activity;
INSERT INTO crm.sales_order (contact_id, amount, ordered_at) VALUES (910001, 1000, '2026-05-02');
SELECT item, state, detail, hint FROM crm.status() WHERE item LIKE 'trigger %';
ALTER TABLE crm.sales_order ENABLE TRIGGER metric_insert;
SELECT regexp_replace(crm.install(), '^crm [0-9.]+ ', '') AS install;
SELECT crm.rebuild_contact_metric('{910002}'), crm.rebuild_contact_metric('{910001,910001,NULL,-5}'), crm.rebuild_contact_metric();
SELECT * FROM metric WHERE c = 1;
-- Made anew from what is there.
CREATE TEMPORARY TABLE kept AS SELECT m::text AS line FROM crm.contact_metric m;
DROP VIEW rest, metric, crm.v_contact_metric;
DROP TABLE crm.contact_metric CASCADE;
SELECT regexp_replace(crm.install(), '^crm [0-9.]+ ', '') AS install;
SELECT count(*) FROM (SELECT line FROM kept EXCEPT SELECT m::text FROM crm.contact_metric m) x;
-- TRUNCATE.
SET LOCAL client_min_messages = warning;
TRUNCATE crm.sales_order CASCADE;
SELECT contact_id - 910000 AS c, order_count, order_total, last_order_at, activity_count, open_deal_count FROM crm.contact_metric WHERE contact_id > 910000 ORDER BY 1;
TRUNCATE crm.activity;
SELECT contact_id - 910000 AS c, activity_count, first_activity_at, open_deal_count FROM crm.contact_metric WHERE contact_id > 910000 ORDER BY 1;
DELETE FROM crm.deal WHERE contact_id > 910000;
SELECT count(*) FROM crm.contact_metric WHERE contact_id > 910000;

-- An agent takes orders and cannot touch metrics.
SET LOCAL client_min_messages = warning;
SELECT crm.create_roles();
SET LOCAL ROLE crm_agent;
INSERT INTO crm.sales_order (contact_id, amount, currency) VALUES (910001, 100, 'CHF');
UPDATE crm.sales_order SET status = 'paid' WHERE contact_id = 910001;
SELECT order_count, order_total > 0 AS total FROM crm.v_contact_metric WHERE contact_id = 910001;
SELECT status, contact FROM crm.v_order WHERE contact_id = 910001;
\set VERBOSITY sqlstate
UPDATE crm.contact_metric SET order_count = 9;
DELETE FROM crm.sales_order;
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2026-03-01', 5);
SELECT crm.rebuild_contact_metric();
SELECT crm.refresh_deal_metrics('{1}');
RESET ROLE;
SELECT g.grantee, g.privilege_type FROM information_schema.role_table_grants g
WHERE g.table_schema = 'crm' AND g.table_name = 'contact_metric' AND g.grantee LIKE 'crm\_%' ORDER BY 1, 2;
SET LOCAL ROLE crm_admin;
SELECT crm.rebuild_contact_metric();
RESET ROLE;
ROLLBACK;
