-- Products and prices, proposals, quotes, lines of orders.
-- R-065, R-066, R-156, R-184, R-279
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT crm.install() IS NOT NULL AS installed;
SELECT count(setval(s, 930050)) FROM unnest('{crm.quote_id_seq,crm.payment_id_seq,crm.shipment_id_seq,crm.sales_order_id_seq}'::regclass[]) s;
BEGIN;
\set ON_ERROR_ROLLBACK on
INSERT INTO crm.contact (id, given_name, family_name, created_at) VALUES (930001, 'Anna', 'Orlova', '2026-01-01'), (930002, 'Boris', 'Belov', '2026-01-01');
INSERT INTO crm.company (id, name) VALUES (930001, 'Rose Ltd');
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2026-01-01', 1.25), ('USD', 'JPY', '2026-01-01', 150);
INSERT INTO crm.product (id, sku, name, category, price, cost, currency, tax_rate) VALUES
    (930001, 'DESK', 'Desk', 'furniture', 200, 120, 'USD', 20), (930002, 'LAMP', 'Lamp', 'light', 40, NULL, 'USD', 20);
INSERT INTO crm.product (id, sku, name, kind, unit, price, cost, currency, tax_rate, tax_included) VALUES
    (930003, 'SETUP', 'Setting up', 'service', 'hour', 60, 25, 'USD', 20, true), (930004, 'OLD', 'Old desk', 'good', 'piece', NULL, NULL, NULL, 0, false);
UPDATE crm.product SET active = false WHERE id = 930004;

-- Prices: by day, list and currency; the list's other currency; the product's own.
INSERT INTO crm.product_price (product_id, list, currency, valid_from, price) VALUES
    (930001, 'standard', 'USD', '2026-03-01', 210), (930001, 'standard', 'USD', '2026-05-01', NULL), (930001, 'wholesale', 'EUR', '2026-02-01', 140);
SELECT d::date, crm.product_price(930001, d) AS standard, crm.product_price(930001, d, 'EUR') AS eur, crm.product_price(930001, d, 'JPY') AS jpy,
       crm.product_price(930001, d, 'USD', 'wholesale') AS wholesale, crm.product_price(930001, d, 'EUR', 'wholesale') AS wholesale_eur, crm.product_price(930001, d, 'GBP') AS gbp
FROM unnest('{2026-01-31 23:59, 2026-02-28, 2026-03-01, 2026-05-01}'::timestamptz[]) d;
SELECT crm.product_price(930004) AS none, crm.product_price(-1) AS unknown, crm.convert_amount(0.125, 'USD', 'EUR', '2026-01-01') AS cents, crm.convert_amount(-1.005, 'USD', 'USD') AS away_from_zero, crm.convert_amount(1, 'USD', 'JPY', '2026-01-01') AS yen;

-- What is said to whom.
INSERT INTO crm.deal (id, name, contact_id, company_id, amount, currency, created_at) VALUES (930001, 'Ten desks', 930001, 930001, 1, 'USD', '2026-02-01'), (930002, 'Nothing', 930002, NULL, NULL, NULL, '2026-02-01');
INSERT INTO crm.contact_need (contact_id, id, kind, subject, strength, valid) VALUES
    (930001, 930001, 'need', 'Delivery', 5, '[2026-01-01,)'), (930001, 930002, 'objection', 'price', 4, '[2026-01-01,)'), (930001, 930003, 'desire', '{total}', 3, '[2026-01-01,)'),
    (930001, 930004, 'need', 'light', 2, '[2026-01-01,2026-02-01)'), (930001, 930005, 'preference', 'oak', 1, '[2026-01-01,)'), (930002, 930006, 'need', 'silence', 5, '[2026-01-01,)');
INSERT INTO crm.product_value (product_id, need_kind, subject, argument) VALUES
    (NULL, NULL, 'delivery', 'We deliver within a week.'), (930001, 'objection', 'Price', 'It lasts twenty years.'), (930001, 'need', 'price', 'Not for objections.'),
    (930002, NULL, 'light', 'Bright.'), (930002, NULL, 'price', 'Cheap to run.'), (930004, NULL, 'oak', 'All oak.'), (930001, NULL, 'colour', 'Nobody asks for it.');
SELECT need_id - 930000 AS need, need_kind, subject, product, argument, is_answered FROM crm.proposal_arguments(930001, '2026-03-01');

-- A quote: what is not said is the deal's and the product's.
SELECT crm.create_quote('{"deal_id": 930001, "created_at": "2026-02-20", "valid_until": "2026-04-01", "lines": [{"sku": "DESK", "quantity": 10, "discount_percent": 12.5, "unit_price": 199.99}, {"sku": "SETUP", "quantity": 1.5}, {"description": "Rebate", "unit_price": -0.01}]}') AS q \gset
SELECT number = 'Q-' || quote_id AS numbered, version, status, contact, company, deal, lines, net_amount, tax_amount, amount, currency, margin, lines_without_cost FROM crm.v_quote WHERE quote_id = :q;
-- 10 * 199.99 * 0.875 = 1749.9125 -> 1749.91, tax 349.98; 1.5 * 60 = 90 with 15 of tax; the rebate.
SELECT line_number, description, quantity, unit_price, discount_percent, tax_rate, tax_included, unit_cost, amount, tax_amount, margin FROM crm.quote_line WHERE quote_id = :q ORDER BY 1;
SELECT v.amount = sum(l.amount) AND v.tax_amount = sum(l.tax_amount) AND v.net_amount + v.tax_amount = v.amount AS totals FROM crm.v_quote v JOIN crm.quote_line l USING (quote_id) WHERE quote_id = :q GROUP BY v.amount, v.tax_amount, v.net_amount;
-- Only what the quote offers argues now; a need that is not answered is told.
SELECT need_id - 930000 AS need, product, argument FROM crm.proposal_arguments(930001, '2026-03-01');
SELECT crm.render_proposal(930001, as_of => '2026-03-01');
INSERT INTO crm.proposal_template (name, body) VALUES ('wrong', '{who}'), ('short', E'{date} {} { x } {company}\n{needs}{owner}');
SELECT crm.render_proposal(930001, 'short', '2026-03-01');
SELECT crm.render_proposal(930002, as_of => '2026-03-01');
-- Rounded to the digits of the currency, half away from zero.
SELECT crm.create_quote('{"contact_id": 930001, "currency": "JPY", "number": "J-1", "created_at": "2026-03-01", "lines": [{"description": "a", "unit_price": 10.5, "tax_rate": 10}, {"description": "b", "unit_price": 110, "tax_rate": 10, "tax_included": true, "quantity": 0.5}, {"sku": "DESK"}]}') AS j \gset
SELECT description, unit_price, digits, amount, tax_amount, unit_cost, margin FROM crm.quote_line WHERE quote_id = :j ORDER BY line_number;

-- The status moves as it may, for every client; what was sent does not change.
\set VERBOSITY default
UPDATE crm.quote SET status = 'accepted' WHERE id = :q;
SELECT crm.send_quote(:q, '2026-03-01'), crm.send_quote(:q, '2026-03-05');
\set VERBOSITY terse
UPDATE crm.quote_line SET quantity = 1 WHERE quote_id = :q;
INSERT INTO crm.quote_line (quote_id, product_id) VALUES (:q, 930002);
DELETE FROM crm.quote_line WHERE quote_id = :q;
UPDATE crm.quote SET currency = 'EUR' WHERE id = :q;
UPDATE crm.quote SET status = 'draft' WHERE id = :q;
SELECT crm.view_quote(:q, '2026-03-02'), crm.view_quote(:q, '2026-03-09');
SELECT status, sent_at::date, viewed_at::date, closed_at FROM crm.quote WHERE id = :q;
SELECT crm.accept_quote(:q, '2026-04-02 00:00:01');
-- Another version.
SELECT crm.revise_quote(:q, '2026-03-10') AS r \gset
UPDATE crm.quote_line SET discount_percent = 15 WHERE quote_id = :r AND line_number = 1;
INSERT INTO crm.quote_line (quote_id, product_id, quantity) VALUES (:r, 930002, 3);
SELECT version, status, amount, margin, lines_without_cost, valid_until FROM crm.v_quote WHERE deal_id = 930001 ORDER BY version;
SELECT crm.revise_quote(:q);
INSERT INTO crm.quote (number, version, currency) SELECT number, 7, 'USD' FROM crm.quote WHERE id = :q;
SELECT crm.send_quote(:r, '2026-03-11');
-- Accepted: the order with its lines, and the amount of the deal, once.
SELECT crm.accept_quote(:r, '2026-03-12') AS o \gset
SELECT crm.accept_quote(:r) = :o AS once_more, crm.view_quote(:r) AS seen_again;
SELECT number = (SELECT number FROM crm.quote WHERE id = :r) AS same_number, status, ordered_at::date, amount, currency, lines, margin, deal, company FROM crm.v_order WHERE order_id = :o;
SELECT line_number, sku, product, quantity, net_amount, tax_amount, amount, cost, margin, margin_percent FROM crm.v_order_line WHERE order_id = :o ORDER BY 1;
SELECT o.amount = q.amount AND d.amount = q.amount AS same FROM crm.sales_order o, crm.v_quote q, crm.deal d WHERE o.id = :o AND q.quote_id = :r AND d.id = 930001;
-- As of that day also in the histories.
SELECT new_value, effective_at::date FROM crm.deal_history WHERE deal_id = 930001 AND field = 'amount' ORDER BY id;
SELECT stage, lower(valid)::date FROM crm.lifecycle_history WHERE contact_id = 930001 AND stage <> 'lead';
SELECT order_count, order_total FROM crm.contact_metric WHERE contact_id = 930001;
\set VERBOSITY terse
INSERT INTO crm.agent (id, name) VALUES (930001, 'Olga');
UPDATE crm.quote SET owner_id = 930001 WHERE id = :r RETURNING status;
UPDATE crm.quote SET description = 'x' WHERE id = :r;
UPDATE crm.quote SET status = 'refused' WHERE id = :r;
UPDATE crm.quote SET order_id = NULL WHERE id = :r;
DELETE FROM crm.quote WHERE id = :r;
SELECT crm.revise_quote(:r);
SELECT crm.refuse_quote(:r);
-- History.
SELECT changes -> 'status' ->> 'old' AS was, changes -> 'status' ->> 'new' AS is FROM crm.audit_log WHERE relation = 'quote' AND row_id IN (:q, :r) AND changes ? 'status' ORDER BY id;
-- Others.
SELECT crm.create_quote('{"company_id": 930001, "lines": [{"description": "a", "unit_price": 1}]}') AS n \gset
SELECT crm.send_quote(:n), crm.refuse_quote(:n, 'too dear');
SELECT status, refusal_reason FROM crm.quote WHERE id = :n;
SELECT crm.revise_quote(:n) AS n2 \gset
SELECT crm.send_quote(:n2);
SELECT crm.accept_quote(:n2);
UPDATE crm.quote SET valid_until = '2026-03-31' WHERE id = :n2;
SELECT crm.expire_quotes('2026-03-31 23:59'), crm.expire_quotes('2026-04-01'), crm.expire_quotes('2026-04-01');
SELECT status FROM crm.quote WHERE id = :n2;

-- Lines of orders: the amount follows them, whatever is written.
INSERT INTO crm.sales_order (contact_id, id, amount, currency, ordered_at) VALUES (930002, 930001, 77, 'USD', '2026-03-01'), (930002, 930002, 88, 'EUR', '2026-03-01');
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity) VALUES (930002, 930001, 1, 930001, 2), (930002, 930001, 2, 930003, 1), (930002, 930002, 1, 930001, 1);
SELECT id - 930000 AS o, amount, currency FROM crm.sales_order WHERE contact_id = 930002 ORDER BY id;
SELECT order_id - 930000 AS o, line_number, description, unit_price, currency, digits, unit_cost, amount, margin FROM crm.order_line WHERE contact_id = 930002 ORDER BY 1, 2;
UPDATE crm.sales_order SET amount = 5 WHERE contact_id = 930002 RETURNING amount;
UPDATE crm.order_line SET returned_quantity = 1 WHERE contact_id = 930002 AND order_id = 930001 AND line_number = 1;
UPDATE crm.order_line SET quantity = quantity WHERE contact_id = 930002;
DELETE FROM crm.order_line WHERE contact_id = 930002 AND order_id = 930002;
SELECT id - 930000 AS o, amount FROM crm.sales_order WHERE contact_id = 930002 ORDER BY id;
UPDATE crm.sales_order SET amount = 5 WHERE contact_id = 930002 AND id = 930002 RETURNING amount;
SELECT order_count, priced_order_count, order_total, crm.rebuild_contact_metric() AS wrong FROM crm.contact_metric WHERE contact_id = 930002;
SELECT revenue, cost, margin, lines, lines_without_cost, currency, month FROM (SELECT sum(revenue) AS revenue, sum(cost) AS cost, sum(margin) AS margin, sum(lines) AS lines, sum(lines_without_cost) AS lines_without_cost, currency, min(month) AS month FROM crm.v_profit WHERE contact_id IN (930001, 930002) GROUP BY currency) x;
SELECT p.sku, v.quantity, v.revenue, v.margin FROM crm.v_profit v LEFT JOIN crm.product p ON p.id = v.product_id WHERE v.contact_id = 930001 ORDER BY p.sku;

-- Refused.
UPDATE crm.sales_order SET currency = 'EUR' WHERE contact_id = 930002 AND id = 930001;
INSERT INTO crm.order_line (contact_id, order_id, line_number, unit_price, currency, digits) VALUES (930002, 930001, 9, 1, 'EUR', 2);
INSERT INTO crm.order_line (contact_id, order_id, line_number, unit_price, currency, digits) VALUES (930002, 930001, 9, 1, 'USD', 3);
UPDATE crm.order_line SET digits = 4 WHERE contact_id = 930002 AND line_number = 1;
INSERT INTO crm.order_line (contact_id, order_id, line_number, unit_price) VALUES (930002, -1, 1, 1);
INSERT INTO crm.order_line (contact_id, order_id, line_number, unit_price) VALUES (930002, 930001, 9, -1000);
INSERT INTO crm.order_line (contact_id, order_id, line_number) VALUES (930002, 930001, 9);
UPDATE crm.order_line SET returned_quantity = 3 WHERE contact_id = 930002 AND order_id = 930001 AND line_number = 1;
INSERT INTO crm.order_line (contact_id, order_id, line_number, unit_price, quantity) VALUES (930002, 930001, 9, 1, 'NaN');
SELECT crm.create_quote('{"deal_id": 930001, "colour": 1}');
SELECT crm.create_quote('{"contact_id": 930001, "lines": [{"sku": "NONE"}]}');
SELECT crm.create_quote('{"contact_id": 930001, "lines": [{"sku": "OLD"}]}');
SELECT crm.create_quote('{"contact_id": 930001, "lines": [{"colour": 1}]}');
SELECT crm.create_quote('{"contact_id": 930001, "lines": {}}');
SELECT crm.create_quote('{"contact_id": 930001, "number": "J-1"}');
SELECT crm.create_quote('{"contact_id": -1}');
SELECT crm.send_quote(crm.create_quote('{"contact_id": 930001}'));
SELECT crm.send_quote(-1), crm.accept_quote(-1);
INSERT INTO crm.quote (number, status, currency) VALUES ('X', 'sent', 'USD');
INSERT INTO crm.quote_line (quote_id, description, unit_price) VALUES (-1, 'a', 1);
INSERT INTO crm.quote_line (quote_id, unit_price) VALUES (:j, 1);
SELECT crm.render_proposal(-1);
SELECT crm.render_proposal(930001, 'none');
SELECT crm.render_proposal(930001, 'wrong');
INSERT INTO crm.product (sku, name, price) VALUES ('X', 'No currency', 1);
INSERT INTO crm.product (sku, name, season_months) VALUES ('X', 'No month', '{13}');
DELETE FROM crm.product WHERE id = 930001;
-- The order's own status.
\set VERBOSITY default
UPDATE crm.sales_order SET status = 'returned' WHERE contact_id = 930002 AND id = 930001;
\set VERBOSITY terse
UPDATE crm.sales_order SET status = 'cancelled' WHERE contact_id = 930002 AND id = 930001 RETURNING status;
UPDATE crm.sales_order SET status = 'completed' WHERE contact_id = 930002 AND id = 930001;
INSERT INTO crm.status_transition VALUES ('sales_order', 'cancelled', 'completed');
UPDATE crm.sales_order SET status = 'completed' WHERE contact_id = 930002 AND id = 930001 RETURNING status;

-- An agent sells.
SET LOCAL client_min_messages = warning;
SELECT crm.create_roles();
SET LOCAL ROLE crm_agent;
SELECT crm.create_quote('{"contact_id": 930002, "lines": [{"sku": "LAMP", "quantity": 2}]}') AS a \gset
SELECT crm.send_quote(:a), crm.accept_quote(:a) IS NOT NULL AS ordered;
SELECT amount FROM crm.v_quote WHERE quote_id = :a;
UPDATE crm.product SET price = 1;
INSERT INTO crm.status_transition VALUES ('quote', 'accepted', 'draft');
RESET ROLE;
ROLLBACK;
