-- The life cycle of contacts, its history, and who was responsible when.  R-006, R-055
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET jit = off;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
\set ON_ERROR_ROLLBACK on
SET LOCAL crm.actor = 'olga';
INSERT INTO crm.agent (id, name) VALUES (950001, 'Cycle One'), (950002, 'Cycle Two');
CREATE TEMPORARY VIEW history AS
SELECT contact_id - 950000 AS c, stage, lower(valid) AS since, upper(valid) AS until FROM crm.lifecycle_history WHERE contact_id BETWEEN 950001 AND 950099 ORDER BY contact_id, valid;
CREATE TEMPORARY VIEW owned AS
SELECT entity, record_id - 950000 AS r, owner_id - 950000 AS o, lower(valid) AS since, upper(valid) AS until, actor FROM crm.ownership_history WHERE record_id BETWEEN 950001 AND 950099 ORDER BY entity, record_id, valid;
TABLE crm.lifecycle_rule;

-- The first order makes a customer, the second a repeat one, the fifth a loyal one: in the statement of the order.
INSERT INTO crm.contact (id, given_name, created_at) SELECT 950000 + i, 'C' || i, '2024-01-01' FROM generate_series(1, 6) i;
SET LOCAL crm.effective_at = '2024-02-01';
INSERT INTO crm.sales_order (contact_id, id, amount, status) VALUES (950001, 950001, 10, 'placed'), (950002, 950002, 10, 'draft'), (950003, 950003, 10, 'paid'), (950003, 950004, 10, 'paid');
SELECT id - 950000 AS c, lifecycle_stage FROM crm.contact WHERE id BETWEEN 950001 AND 950006 ORDER BY 1;
SET LOCAL crm.effective_at = '2024-03-01';
INSERT INTO crm.sales_order (contact_id, id, amount, status) SELECT 950000 + c, 950010 + c * 10 + n, 10, 'paid' FROM generate_series(1, 3) c, generate_series(1, 3) n;
UPDATE crm.sales_order SET status = 'placed' WHERE contact_id = 950002 AND id = 950002;
SELECT id - 950000 AS c, lifecycle_stage FROM crm.contact WHERE id BETWEEN 950001 AND 950006 ORDER BY 1;
TABLE history;
-- The past can be asked for.
SELECT c, crm.lifecycle_as_of(950000 + c, '2023-12-31') AS before, crm.lifecycle_as_of(950000 + c, '2024-01-15') AS january, crm.lifecycle_as_of(950000 + c, '2024-02-01') AS february,
       crm.lifecycle_as_of(950000 + c, '2024-03-01') AS march, crm.lifecycle_as_of(950000 + c) AS now FROM generate_series(1, 4) c;
-- Never down by itself, but where the rule says so.
SET LOCAL crm.effective_at = '2024-04-01';
UPDATE crm.sales_order SET status = 'completed' WHERE contact_id = 950001;
UPDATE crm.sales_order SET status = 'returned' WHERE contact_id = 950001;
SELECT lifecycle_stage FROM crm.contact WHERE id = 950001;
UPDATE crm.lifecycle_rule SET moves_down = true WHERE stage = 'loyal';
UPDATE crm.sales_order SET status = 'completed' WHERE contact_id = 950003 AND id <> 950003;
UPDATE crm.sales_order SET status = 'returned' WHERE contact_id = 950003 AND id <> 950003;
SELECT lifecycle_stage FROM crm.contact WHERE id = 950003;
SELECT stage, since, until FROM history WHERE c = 3;
-- Other thresholds, for those who are there.
UPDATE crm.lifecycle_rule SET order_count = 4 WHERE stage = 'loyal';
SELECT crm.refresh_lifecycle(ARRAY[950001, 950002, 950003, 950004]) AS moved;
SELECT id - 950000 AS c, lifecycle_stage FROM crm.contact WHERE id BETWEEN 950001 AND 950004 ORDER BY 1;
-- Switched off; closed_cycle is left by people alone.
UPDATE crm.lifecycle_rule SET enabled = false;
INSERT INTO crm.sales_order (contact_id, amount) VALUES (950004, 1);
UPDATE crm.lifecycle_rule SET enabled = true;
UPDATE crm.contact SET lifecycle_stage = 'closed_cycle' WHERE id = 950005;
INSERT INTO crm.sales_order (contact_id, amount) VALUES (950005, 1);
SELECT id - 950000 AS c, lifecycle_stage FROM crm.contact WHERE id IN (950004, 950005) ORDER BY 1;
SELECT crm.refresh_lifecycle() >= 1 AS moved;
SELECT id - 950000 AS c, lifecycle_stage FROM crm.contact WHERE id IN (950004, 950005) ORDER BY 1;
UPDATE crm.lifecycle_rule SET order_count = 2 WHERE stage = 'loyal';
INSERT INTO crm.lifecycle_rule VALUES ('lead', 7);
-- A thousand orders in one statement.
INSERT INTO crm.contact (id, given_name, created_at) SELECT 951000 + i, 'M', '2024-01-01' FROM generate_series(1, 1000) i;
SET LOCAL crm.effective_at = '2024-05-01';
INSERT INTO crm.sales_order (contact_id, amount) SELECT 951000 + i, 1 FROM generate_series(1, 1000) i, generate_series(1, 5) n WHERE n <= i % 6;
SELECT c.lifecycle_stage, count(*), min(m.order_count), max(m.order_count) FROM crm.contact c LEFT JOIN crm.contact_metric m ON m.contact_id = c.id WHERE c.id > 951000 GROUP BY 1 ORDER BY 3 NULLS FIRST;
SELECT stage, count(*) FROM crm.lifecycle_history WHERE contact_id > 951000 AND valid @> timestamptz '2024-05-02' GROUP BY 1 ORDER BY 1;
-- The ranges of a contact never overlap, and leave no gap.
SELECT count(*) AS bad FROM crm.lifecycle_history a JOIN crm.lifecycle_history b ON b.contact_id = a.contact_id AND b.valid <> a.valid AND b.valid && a.valid WHERE a.contact_id > 950000;
SELECT count(*) AS gaps FROM (SELECT lower(valid) <> lag(upper(valid)) OVER (PARTITION BY contact_id ORDER BY valid) AS gap FROM crm.lifecycle_history WHERE contact_id > 950000) g WHERE gap;

-- Shares of each stage; of another moment.
UPDATE crm.contact SET deleted_at = '2020-01-01' WHERE id < 950000 OR id BETWEEN 952001 AND 999999;
SELECT * FROM crm.v_lifecycle;
SELECT stage, contacts, share, reached, conversion FROM crm.lifecycle_shares('2024-03-15') WHERE contacts + reached > 0;
SELECT sum(share) FROM crm.v_lifecycle;

-- Who was responsible when, of contacts, companies, deals and leads.
SET LOCAL crm.effective_at = '2024-06-01';
INSERT INTO crm.contact (id, given_name, owner_id, created_at) VALUES (950010, 'Owned', 950001, '2024-01-01');
INSERT INTO crm.company (id, name, created_at) VALUES (950010, 'Owned company', '2024-01-01');
INSERT INTO crm.deal (id, name, owner_id, created_at) VALUES (950010, 'Owned deal', 950001, '2024-02-01');
INSERT INTO crm.lead (id, source, owner_id, created_at) VALUES (950010, 'hand', 950001, '2024-03-01');
UPDATE crm.contact SET owner_id = 950002, city = 'Tver' WHERE id = 950010;
UPDATE crm.company SET owner_id = 950002 WHERE id = 950010;
SET LOCAL crm.effective_at = '2024-07-01';
UPDATE crm.contact SET owner_id = NULL WHERE id = 950010;
UPDATE crm.deal SET owner_id = 950002 WHERE id = 950010;
UPDATE crm.lead SET owner_id = 950002 WHERE id = 950010;
-- Set twice at one moment, the last counts; set before the latest entry, right after its beginning.
UPDATE crm.deal SET owner_id = 950001 WHERE id = 950010;
SET LOCAL crm.effective_at = '2024-01-01';
UPDATE crm.lead SET owner_id = 950001 WHERE id = 950010;
SET LOCAL crm.effective_at = '2024-08-01';
UPDATE crm.contact SET owner_id = 950001 WHERE id = 950010;
DELETE FROM crm.deal WHERE id = 950010;
TABLE owned;
SELECT crm.owner_as_of('contact', 950010, '2024-05-31') AS may, crm.owner_as_of('contact', 950010, '2024-06-30') AS june, crm.owner_as_of('contact', 950010, '2024-07-15') AS july, crm.owner_as_of('contact', 950010, '2024-08-15') AS august;
SET LOCAL crm.effective_at = 'soon';
UPDATE crm.contact SET owner_id = 950002 WHERE id = 950010;
ROLLBACK;
-- Set and set back within functions, whatever the client's style of dates.
BEGIN;
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL timezone = 'Asia/Kolkata';
SELECT crm.set_effective_at(timestamptz 'epoch' + interval '1706933106.789 s') IS NULL AS was_none, crm.effective_at() = timestamptz 'epoch' + interval '1706933106.789 s' AS is_set;
SELECT crm.set_effective_at('-infinity') = timestamptz 'epoch' + interval '1706933106.789 s' AS was_set, crm.effective_at() = '-infinity'::timestamptz AS is_set;
SELECT crm.set_effective_at(NULL) = '-infinity'::timestamptz AS was_set, crm.effective_at() = now() AS is_now;
ROLLBACK;
