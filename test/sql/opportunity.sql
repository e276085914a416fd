-- Opportunities: whitespace, return of channels, budgets, referrals.
\set SHOW_CONTEXT never
SET datestyle = ISO;
SET timezone = 'UTC';
SET intervalstyle = postgres;
SET jit = off;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
\set ON_ERROR_ROLLBACK on
SET LOCAL client_min_messages = warning;
UPDATE crm.base_currency SET code = 'USD';
INSERT INTO crm.agent (id, name) VALUES (900001, 'Anna');

-- Unused opportunities: six shops of one size, one buyer without a company, one who never bought.  R-068
INSERT INTO crm.product (id, sku, name, category, active) VALUES (900001, 'R1', 'Router', 'net', true), (900002, 'S1', 'Switch', 'net', true), (900003, 'C1', 'Camera', 'video', true),
    (900004, 'D1', 'Recorder', 'video', true), (900005, 'W1', 'Cable', 'wire', true), (900006, 'P1', 'Phone', 'voice', true), (900007, 'O1', 'Old', 'voice', false);
INSERT INTO crm.contact (id, given_name, created_at) SELECT 900000 + n, 'Buyer ' || n, '2024-01-01' FROM generate_series(1, 9) n;
INSERT INTO crm.company (id, name, industry, employees) SELECT 900000 + n, 'Shop ' || n, CASE n WHEN 2 THEN 'Retail ' ELSE 'retail' END, 10 + n FROM generate_series(1, 6) n;
INSERT INTO crm.company_contact (contact_id, company_id, is_primary, valid) SELECT 900000 + n, 900000 + n, true, '[2024-01-01,)' FROM generate_series(1, 6) n;
INSERT INTO crm.sales_order (contact_id, id, status, ordered_at) SELECT 900000 + n, 900000 + n, 'paid', '2025-06-01' FROM generate_series(1, 7) n;
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, unit_price)
SELECT 900000 + n, 900000 + n, row_number() OVER (PARTITION BY n ORDER BY p), 900000 + p, a
FROM (VALUES (1, 1, 50), (2, 1, 50), (2, 2, 100), (2, 3, 400), (3, 1, 50), (3, 2, 200), (3, 3, 400), (3, 7, 10), (4, 2, 300), (4, 5, 5), (4, 4, 80), (5, 5, 5), (5, 4, 80), (5, 7, 10),
             (6, 6, 60), (6, 5, 5), (7, 1, 50)) v (n, p, a);
SELECT product_id, product, category, basis, peers_are, peers, buyers, share, average_amount, expected_amount, currency FROM crm.whitespace(900001, min_peers => 2, as_of => '2026-01-01');
SELECT product, share FROM crm.whitespace(900001, min_peers => 2, min_share => 0.5, as_of => '2026-01-01');
SELECT contact_id, product, basis, share FROM crm.whitespace(900007, min_peers => 2, as_of => '2026-01-01');
SELECT count(*) FROM crm.whitespace(900008, min_peers => 1, as_of => '2026-01-01');
SELECT product_id, product, category, peers_are, peers, buyers, share, expected_amount FROM crm.whitespace(900001, 'category', min_peers => 2, as_of => '2026-01-01');
-- The best of each; all for null.
SELECT contact_id, product, expected_amount FROM crm.whitespace(min_peers => 2, per_contact => 1, as_of => '2026-01-01') WHERE contact_id > 900000;
SELECT count(*) FROM crm.whitespace(900001, min_peers => 2, per_contact => NULL, as_of => '2026-01-01');
-- All at once are as each by itself; few peers say nothing; what is long ago neither.
CREATE TEMPORARY TABLE each_one AS SELECT w.* FROM crm.contact c, crm.whitespace(c.id, min_peers => 2, as_of => '2026-01-01') w WHERE c.id > 900000;
SELECT (SELECT count(*) FROM each_one) AS rows, (SELECT count(*) FROM (SELECT * FROM each_one EXCEPT SELECT * FROM crm.whitespace(min_peers => 2, as_of => '2026-01-01')) x) AS other,
       (SELECT count(*) FROM crm.whitespace(min_peers => 2, as_of => '2026-01-01') w WHERE w.contact_id > 900000) AS all_rows,
       (SELECT count(*) FROM crm.whitespace(900001, min_peers => 6, as_of => '2026-01-01')) AS few, (SELECT count(*) FROM crm.whitespace(900001, look_back => '1 month', min_peers => 1, as_of => '2026-01-01')) AS old;
-- Nobody has what he bought, with plain SQL.
SELECT count(*) AS owned FROM crm.whitespace(min_peers => 1, as_of => '2026-01-01') w JOIN crm.order_line l USING (contact_id, product_id);
-- What is owned, and what was refused, is left out, one after the other.
INSERT INTO crm.owned_product (contact_id, product, purchased_at) VALUES (900001, ' camera', '2020-01-01');
SELECT array_agg(product) AS "Switch Recorder Phone Cable" FROM crm.whitespace(900001, min_peers => 2, as_of => '2026-01-01');
SELECT crm.set_need(900001, 'objection', 's1', as_of => '2025-12-01') > 0 AS objects;
SELECT array_agg(product) AS "Recorder Phone Cable" FROM crm.whitespace(900001, min_peers => 2, as_of => '2026-01-01');
SELECT crm.create_quote('{"contact_id": 900001, "created_at": "2025-10-01", "lines": [{"sku": "D1", "quantity": 1, "unit_price": 80}]}') AS q1,
       crm.create_quote('{"company_id": 900001, "created_at": "2025-10-01", "lines": [{"sku": "P1", "quantity": 1, "unit_price": 80}]}') AS q2 \gset
SELECT crm.send_quote(:q1, '2025-10-02'), crm.refuse_quote(:q1, 'no', '2025-10-03');
SELECT array_agg(product) AS "Cable" FROM crm.whitespace(900001, min_peers => 2, as_of => '2026-01-01');
INSERT INTO crm.sales_order (contact_id, id, status, ordered_at, company_id) VALUES (900009, 900009, 'paid', '2025-07-01', 900001);
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, unit_price) VALUES (900009, 900009, 1, 900005, 5);
SELECT count(*) AS "none" FROM crm.whitespace(900001, min_peers => 2, as_of => '2026-01-01');
-- What came back is open again; an objection that is withdrawn, too; a category that is objected to goes whole.
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, returned_at) VALUES (900009, 900009, 1, 1, '2025-07-02');
SELECT crm.set_need(900001, 'objection', 's1', NULL, as_of => '2025-12-15') IS NULL AS withdrawn;
SELECT array_agg(product) AS "Switch Cable" FROM crm.whitespace(900001, min_peers => 2, as_of => '2026-01-01');
SELECT crm.set_need(900007, 'objection', 'Video', as_of => '2025-12-01') > 0 AS objects;
SELECT array_agg(product) AS "Switch" FROM crm.whitespace(900007, min_peers => 2, as_of => '2026-01-01');
SELECT (SELECT count(*) FROM crm.v_whitespace) = (SELECT count(*) FROM crm.whitespace()) AS view;
SELECT crm.whitespace(1, 'brand');
SELECT crm.whitespace(1, look_back => '0');
SELECT crm.whitespace(1, min_peers => 0);
SELECT crm.whitespace(1, min_share => 2);
SELECT crm.whitespace(1, per_contact => 0);

-- Return of channels, against sums by hand.  R-121
DELETE FROM crm.order_line WHERE contact_id > 900000;
DELETE FROM crm.order_return WHERE contact_id > 900000;
UPDATE crm.sales_order SET status = 'cancelled' WHERE contact_id > 900000 AND status <> 'returned';
INSERT INTO crm.contact (id, given_name) SELECT 910000 + n, 'Client ' || n FROM generate_series(1, 40) n;
INSERT INTO crm.lead (id, source, contact_id, name, created_at, first_channel) VALUES (910001, 'form', 910001, 'a', '2025-01-01', 'search'), (910002, 'form', 910002, 'b', '2025-01-01', 'social');
INSERT INTO crm.lead_activity (lead_id, occurred_at, channel) VALUES (910001, '2025-01-01', 'search'), (910001, '2025-01-05', 'social'), (910002, '2025-01-02', 'social');
INSERT INTO crm.sales_order (contact_id, id, status, ordered_at, amount) VALUES (910001, 910001, 'paid', '2025-01-10', 100), (910002, 910002, 'paid', '2025-02-10', 60), (910003, 910003, 'paid', '2025-02-11', 7), (910001, 910004, 'cancelled', '2025-02-01', 999);
INSERT INTO crm.channel_spend (channel, period, amount, currency, allocation) VALUES ('search', '[2025-01-01,2025-02-01)', 20, 'USD', 'none'), ('social', '[2025-01-01,2025-03-01)', 59, 'USD', 'none'), (NULL, '[2025-02-01,2025-03-01)', 5, 'USD', 'none');
SELECT * FROM crm.channel_roi('2025-01-01', '2025-03-01');
SELECT month, channel, revenue, roi FROM crm.channel_roi('2025-01-01', '2025-03-01', 'first');
SELECT v.month, sum(v.revenue) = (SELECT sum(o.base_amount) FROM crm.sales_order o WHERE o.is_counted AND date_trunc('month', o.ordered_at) = v.month) AS revenue, sum(v.spend) AS spend, sum(v.orders) AS orders
FROM crm.v_channel_roi v WHERE v.month IN ('2025-01-01', '2025-02-01') GROUP BY v.month ORDER BY 1;
SELECT crm.channel_roi(model => 'best');

-- Budgets: returns of a known curve are found again.  R-122
DELETE FROM crm.channel_spend;
SELECT crm.suggest_budget(1000, as_of => '2025-11-15');
INSERT INTO crm.channel_spend (channel, period, amount, currency) SELECT 'fitted', daterange(m::date, (m + interval '1 month')::date), 100 * extract(month FROM m), 'USD' FROM generate_series(timestamp '2025-03-01', '2025-10-01', '1 month') m;
INSERT INTO crm.channel_spend (channel, period, amount, currency) VALUES ('root', '[2025-03-01,2025-04-01)', 400, 'USD'), ('root', '[2025-04-01,2025-05-01)', 900, 'USD'), ('dead', '[2025-04-01,2025-05-01)', 300, 'USD');
SELECT channel, current_budget, budget, share, response, elasticity, expected_revenue, marginal_return FROM crm.suggest_budget(1000, as_of => '2025-11-15');     -- no revenue: as it was spent, 650 : 650 : 300
INSERT INTO crm.lead (id, source, contact_id, name, created_at, first_channel) SELECT 920000 + n, 'form', 910010 + n, 'f', make_timestamptz(2025, n, 2, 0, 0, 0, 'UTC'), 'fitted' FROM generate_series(3, 10) n;
INSERT INTO crm.lead (id, source, contact_id, name, created_at, first_channel) VALUES (920021, 'form', 910031, 'r', '2025-03-02', 'root'), (920022, 'form', 910032, 'r', '2025-04-02', 'root');
INSERT INTO crm.lead_activity (lead_id, occurred_at, channel) SELECT l.id, l.created_at, l.first_channel FROM crm.lead l WHERE l.id > 920000;
INSERT INTO crm.sales_order (contact_id, id, status, ordered_at, amount)
SELECT 910010 + n, 920000 + n, 'paid', make_timestamptz(2025, n, 3, 0, 0, 0, 'UTC'), round(20 * (100 * n) ^ 0.6, 4) FROM generate_series(3, 10) n
UNION ALL VALUES (910031, 920021, 'paid', '2025-03-03'::timestamptz, 600), (910032, 920022, 'paid', '2025-04-03', 900);        -- 30 times the root of 400 and 900
SELECT channel, current_budget, budget, share, response, elasticity, expected_revenue, marginal_return FROM crm.suggest_budget(1000, as_of => '2025-11-15');
-- Nothing is gained by moving a hundred either way.
WITH s AS (SELECT max(budget) FILTER (WHERE channel = 'fitted') AS f, max(budget) FILTER (WHERE channel = 'root') AS r FROM crm.suggest_budget(1000, as_of => '2025-11-15'))
SELECT d, round(20 * (f + d) ^ 0.6 + 30 * sqrt(r - d), 2) AS revenue FROM s, unnest('{-100,-1,0,1,100}'::numeric[]) d ORDER BY 2 DESC, abs(d) LIMIT 1;
-- Floors and caps hold; what none that earns has room for goes to the others; a new channel by its floor.
SELECT channel, budget, response, marginal_return FROM crm.suggest_budget(1000, '{"dead": 50.005, "new": 10}', '{"fitted": 300}', as_of => '2025-11-15');
SELECT channel, budget, response FROM crm.suggest_budget(1000, '{}', '{"fitted": 300, "root": 200}', as_of => '2025-11-15');
SELECT count(*) AS totals, bool_and(b.total = t) AS exact, min(b.least) AS least FROM (SELECT round(g * g * 7.13 / 3, 2) AS t FROM generate_series(0, 24) g UNION ALL SELECT 999999999999.99) x
CROSS JOIN LATERAL (SELECT sum(budget) AS total, min(budget) AS least FROM crm.suggest_budget(t, as_of => '2025-11-15')) b;
SELECT crm.suggest_budget(100, '{"root": 101}', as_of => '2025-11-15');
SELECT crm.suggest_budget(100, '{}', '{"root": 1, "dead": 1, "fitted": 1}', as_of => '2025-11-15');
SELECT crm.suggest_budget(100.001);
SELECT crm.suggest_budget(NULL);
SELECT crm.suggest_budget(1, months => 0);
SELECT crm.suggest_budget(1, '{"root": "much"}');

-- Referrals: the lead is linked to its referrer, and the contact when it is known.  R-071
SELECT crm.referral_code(900001) AS code, crm.referral_code(1), crm.referral_code(9223372036854775807), crm.referrer(crm.referral_code(900001)) AS referrer, crm.referrer(lower(overlay(crm.referral_code(900001) PLACING '- ' FROM 3 FOR 0))) AS careless,
       crm.referrer('X' || crm.referral_code(900001)) AS wrong, crm.referrer('') AS empty, crm.referrer(crm.referral_code(9223372036854775807)) AS nobody;
SELECT crm.referral_code(900001) AS r_code \gset
SELECT count(DISTINCT crm.referral_code(n)) AS codes, count(*) FILTER (WHERE crm.referral_code(n) ~ '[ILOU]') AS odd FROM generate_series(1, 5000) n;
SELECT crm.capture_lead('form', jsonb_build_object('name', 'Friend', 'email', 'friend@opportunity.example', 'referral_code', :'r_code'), 'o1', '2025-12-01') AS friend \gset
SELECT referrer_id, contact_id, lead_id = :friend AS lead, code = :'r_code' AS code, referred_at FROM crm.referral;
SELECT contact_id AS friend_id FROM crm.convert_lead(:friend) \gset
SELECT referrer_id, contact_id = :friend_id AS friend, is_new, orders FROM crm.v_referral;
SELECT crm.capture_lead('form', '{"name": "Mistake", "referral_code": "ZZZZZ"}', 'o2') AS mistake \gset
SELECT problems FROM crm.lead WHERE id = :mistake;
-- Nobody refers himself, nor those who referred him; a lead is not refused for that.
INSERT INTO crm.referral (referrer_id, contact_id) VALUES (900001, 900001);
INSERT INTO crm.referral (referrer_id, contact_id) VALUES (:friend_id, 900002), (900002, 900003);
\set VERBOSITY sqlstate
INSERT INTO crm.referral (referrer_id, contact_id) VALUES (900003, 900001);
INSERT INTO crm.referral (referrer_id, contact_id) VALUES (900004, 900003);
INSERT INTO crm.referral (referrer_id) VALUES (900004);
\set VERBOSITY default
SELECT crm.capture_lead('form', jsonb_build_object('name', 'Friend', 'email', 'friend@opportunity.example', 'referral_code', crm.referral_code(900003)), 'o3') IS NOT NULL AS captured;
SELECT crm.capture_lead('form', jsonb_build_object('name', 'Who', 'referral_code', crm.referral_code(900005)), 'o4') AS self \gset
SELECT referrer_id, contact_id FROM crm.referral WHERE lead_id = :self;
UPDATE crm.lead SET contact_id = 900005 WHERE id = :self;
SELECT count(*) AS "none" FROM crm.referral WHERE lead_id = :self;
SELECT crm.is_referred_by(900003, 900001) AS through_others, crm.is_referred_by(900001, 900003) AS back;
-- Merged, it follows, with the code; who would refer himself then does not; undone, all is as before.
SELECT array_agg(r ORDER BY id) AS before FROM crm.referral r \gset
SELECT crm.merge_contacts(900008, ARRAY[900001]) AS m1 \gset
SELECT referrer_id, crm.referrer(:'r_code') AS by_code FROM crm.referral WHERE contact_id = :friend_id;
SELECT crm.merge_contacts(900008, ARRAY[:friend_id]) AS m2 \gset
SELECT referrer_id, contact_id FROM crm.referral ORDER BY id;
SELECT count(*) FROM crm.unmerge(:m2);
SELECT count(*) FROM crm.unmerge(:m1);
SELECT array_agg(r ORDER BY id) = :'before'::crm.referral[] AS as_before FROM crm.referral r;

-- People work with it by their roles.
SELECT crm.create_roles();
SET LOCAL ROLE crm_agent;
SELECT count(*) FROM crm.whitespace(900004, min_peers => 1, as_of => '2026-01-01');
SELECT crm.capture_lead('form', jsonb_build_object('name', 'Second friend', 'referral_code', :'r_code'), 'o5') > 0 AS captured;
SET LOCAL ROLE crm_marketer;
SELECT sum(budget) FROM crm.suggest_budget(1000, as_of => '2025-11-15');
SELECT count(*) > 0 AS referrals FROM crm.v_referral;
SELECT count(*) FROM crm.whitespace(900004, min_peers => 1, as_of => '2026-01-01');
RESET ROLE;

-- Who has had all there is hears of us once a quarter.
INSERT INTO crm.contact (id, given_name, lifecycle_stage, created_at) VALUES (900010, 'Had it all', 'closed_cycle', '2025-01-01');
INSERT INTO crm.activity (contact_id, kind, direction, occurred_at) VALUES (900010, 'newsletter', 'out', '2025-05-31 12:00'), (900010, 'call', 'in', '2025-08-20 12:00'), (900007, 'call', 'out', '2025-05-31 12:00');
SELECT at, crm.may_nurture(900010, at) AS closed_cycle, crm.may_nurture(900007, at) AS other FROM unnest('{2025-05-31 11:59,2025-05-31 12:00,2025-08-31 11:59,2025-08-31 12:00}'::timestamptz[]) at;
SELECT crm.may_nurture(-1), crm.may_nurture(NULL);
ROLLBACK;
