-- Payments, what payment systems tell of them, balances.  R-058, R-184, R-219
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SELECT crm.install() IS NOT NULL AS installed;
SELECT count(setval(s, 940050)) FROM unnest('{crm.quote_id_seq,crm.payment_id_seq,crm.shipment_id_seq,crm.sales_order_id_seq}'::regclass[]) s;
BEGIN;
\set ON_ERROR_ROLLBACK on
INSERT INTO crm.contact (id, given_name) VALUES (940001, 'Anna'), (940002, 'Boris');
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2026-01-01', 1.25), ('USD', 'JPY', '2026-01-01', 150);
INSERT INTO crm.sales_order (contact_id, id, number, amount, currency, ordered_at, due_at) VALUES
    (940001, 940001, 'A-1', 100, 'USD', '2026-02-01', '2026-03-01'), (940001, 940002, 'A-2', 10, 'EUR', '2026-02-01', NULL),
    (940001, 940003, 'A-3', 50, 'USD', '2026-02-01', '2999-01-01'), (940002, 940004, 'B-1', 1000, 'JPY', '2026-02-01', NULL);
CREATE TEMPORARY VIEW balance AS
SELECT number, status, due_amount AS due, paid_amount AS paid, refunded_amount AS refunded, open_amount AS open, currency, overdue_since::date AS overdue, unconverted_payments AS odd
FROM crm.v_order_balance WHERE order_id BETWEEN 940001 AND 940004 ORDER BY order_id;
TABLE balance;
-- In parts: paid when all is there. The status follows.
INSERT INTO crm.payment (contact_id, order_id, amount, method, status, paid_at) VALUES (940001, 940001, 40, 'cash', 'paid', '2026-02-02');
SELECT crm.create_payment('{"contact_id": 940001, "order_id": 940001, "method": "transfer", "due_at": "2026-02-20"}') AS p \gset
SELECT amount, currency, exchange_rate, status, paid_at FROM crm.payment WHERE id = :p;
SELECT * FROM balance WHERE number = 'A-1';
UPDATE crm.payment SET status = 'paid', paid_at = '2026-02-25' WHERE id = :p;
SELECT * FROM balance WHERE number = 'A-1';
-- Another amount is paid or not.
UPDATE crm.sales_order SET amount = 120 WHERE id = 940001 RETURNING status;
UPDATE crm.sales_order SET amount = 100 WHERE id = 940001 RETURNING status;
-- Given back: not paid any more.
UPDATE crm.payment SET status = 'partially_refunded', refunded_amount = 10 WHERE id = :p;
SELECT * FROM balance WHERE number = 'A-1';
UPDATE crm.payment SET status = 'refunded' WHERE id = :p RETURNING refunded_amount;
SELECT * FROM balance WHERE number = 'A-1';
-- In another currency at the rate of its day, rounded to the digits of the order's; without a rate it is in no sum.
INSERT INTO crm.payment (contact_id, order_id, amount, currency, status, paid_at) VALUES (940001, 940002, 12.5, 'USD', 'paid', '2026-02-03'), (940001, 940003, 5, 'GBP', 'paid', '2026-02-03'), (940002, 940004, 6.66, 'USD', 'paid', '2026-02-03');
SELECT * FROM balance WHERE number <> 'A-1';
-- Too much, money on account, cancelled orders.
INSERT INTO crm.payment (contact_id, amount, currency, status, paid_at) VALUES (940001, 30, 'USD', 'paid', '2026-02-04'), (940001, 7, 'USD', 'pending', NULL);
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (940001, 940003, 60, 'paid');
UPDATE crm.sales_order SET status = 'cancelled' WHERE contact_id = 940001 AND id = 940003;
SELECT * FROM balance WHERE number = 'A-3';
SELECT currency, due_amount, paid_amount, refunded_amount, account_amount, balance, overdue_amount, overdue_since::date FROM crm.v_contact_balance WHERE contact_id = 940001 ORDER BY 1;

SELECT order_id, open_amount, currency, overdue_since::date, overdue_by FROM crm.overdue_orders('2026-03-04');
SELECT count(*) FROM crm.overdue_orders('2026-03-01');

-- A payment system tells: in any order, repeatedly, before we know the payment.
SELECT crm.record_payment_status('acme', 'x1', 'paid', '2026-03-01 10:02', 'e2', '{"n": 2}'), crm.record_payment_status('acme', 'x1', 'authorized', '2026-03-01 10:01', 'e1');
SELECT state, detail FROM crm.status() WHERE item = 'payments';
INSERT INTO crm.payment (contact_id, id, order_id, amount, provider, provider_payment_id) VALUES (940001, 940001, 940001, 60, 'acme', 'x1');
SELECT count(*) FROM crm.status() WHERE item = 'payments';
SELECT status, paid_at, refunded_amount FROM crm.payment WHERE id = 940001;
SELECT * FROM balance WHERE number = 'A-1';
SELECT crm.record_payment_status('acme', 'x1', 'partially_refunded', '2026-03-03', 'e4', refunded_amount => 25);
SELECT crm.record_payment_status('acme', 'x1', 'partially_refunded', '2026-03-02', 'e3', refunded_amount => 20), crm.record_payment_status('acme', 'x1', 'paid', '2026-03-01 10:02', 'e2');
SELECT status, paid_at, refunded_amount FROM crm.payment WHERE id = 940001;
SELECT crm.record_payment_status('acme', 'x1', 'partially_refunded', '2026-03-04', refunded_amount => 60), crm.record_payment_status('acme', 'x1', 'partially_refunded', '2026-03-04', refunded_amount => 60);
SELECT status, paid_at, refunded_amount FROM crm.payment WHERE id = 940001;
SELECT event_id LIKE 'e_' AS named, status, event_at, payload FROM crm.payment_event WHERE provider_payment_id = 'x1' ORDER BY event_at;
-- Of one moment the later in a payment's life counts, or the number that the system gives; what has no time is the earliest.
SELECT crm.create_payment('{"contact_id": 940002, "amount": 5, "currency": "USD", "provider": "acme"}') AS y \gset
UPDATE crm.payment SET provider_payment_id = 'y1' WHERE id = :y;
SELECT crm.record_payment_status('acme', 'y1', 'paid', '2026-03-01'), crm.record_payment_status('acme', 'y1', 'failed', '2026-03-01'), crm.record_payment_status('acme', 'y1', 'failed', '2026-03-01', 's', sequence => 2), crm.record_payment_status('acme', 'y1', 'refunded', NULL);
SELECT status, paid_at FROM crm.payment WHERE id = :y;
-- What the provider tells no client overrules.
\set VERBOSITY default
UPDATE crm.payment SET status = 'paid' WHERE id = :y;
INSERT INTO crm.payment (contact_id, amount, currency, provider, provider_payment_id) VALUES (940002, 5, 'USD', 'acme', 'x1');
SELECT crm.record_payment_status('acme', 'y1', 'paid', '2026-03-05', 's');
\set VERBOSITY terse
-- Several messages in one statement.
INSERT INTO crm.payment (contact_id, id, amount, currency, provider, provider_payment_id) VALUES (940002, 940010, 5, 'USD', 'acme', 'm1'), (940002, 940011, 5, 'USD', 'acme', 'm2');
INSERT INTO crm.payment_event (provider, event_id, provider_payment_id, status, event_at) VALUES
    ('acme', 'm3', 'm1', 'refunded', '2026-03-03'), ('acme', 'm4', 'm1', 'paid', '2026-03-01'), ('acme', 'm5', 'm2', 'authorized', '2026-03-01'), ('acme', 'm6', 'm2', 'cancelled', '2026-03-02');
SELECT id, status, paid_at::date FROM crm.payment WHERE id IN (940010, 940011) ORDER BY id;
-- A payment that is removed leaves what was told.
DELETE FROM crm.payment WHERE id = 940010;
INSERT INTO crm.payment (contact_id, id, amount, currency, provider, provider_payment_id) VALUES (940001, 940012, 5, 'USD', 'acme', 'm1');
SELECT id, status FROM crm.payment WHERE provider_payment_id = 'm1';

-- A merge brings everything along: the order that both have from one shop is one; undone, it is as before.
INSERT INTO crm.sales_order (contact_id, id, number, ordered_at, amount, currency, external_system, external_id) VALUES
    (940001, 940021, 'S-1', '2026-04-01', 1, 'USD', 'shop', '1'), (940002, 940022, 'S-1', '2026-04-01', 1, 'USD', 'shop', '1'), (940002, 940023, 'S-2', '2026-04-01', 1, 'USD', 'shop', '2');
INSERT INTO crm.order_line (contact_id, order_id, line_number, description, quantity, unit_price) VALUES
    (940001, 940021, 1, 'a', 1, 10), (940002, 940022, 1, 'a', 1, 10), (940002, 940022, 2, 'b', 1, 5), (940002, 940023, 1, 'c', 2, 7);
INSERT INTO crm.payment (contact_id, order_id, amount, status, provider, provider_payment_id) VALUES (940002, 940023, 14, 'pending', 'acme', 'z1');
SELECT crm.record_payment_status('acme', 'z1', 'paid', '2026-04-02');
SELECT crm.create_shipment(940002, 940023) AS s \gset
INSERT INTO crm.sales_order (contact_id, id, number, ordered_at, currency, external_system, external_id) VALUES (940002, 940024, 'S-3', '2026-04-01', 'USD', 'shop', '3'), (940002, 940025, 'S-4', '2026-04-01', 'USD', 'shop', '4');
INSERT INTO crm.order_line (contact_id, order_id, line_number, description, quantity, unit_price) VALUES (940002, 940024, 1, 'd', 2, 3), (940002, 940025, 1, 'e', 1, 4), (940002, 940025, 2, 'less', 1, -1);
SELECT crm.create_shipment(940002, 940024) AS s4 \gset
UPDATE crm.shipment SET status = 'shipped' WHERE id = :s4;
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, shipment_id) VALUES (940002, 940024, 1, 1, :s4);
-- Returned wholly, and called completed all the same.
UPDATE crm.sales_order SET status = 'completed' WHERE id = 940025;
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity) VALUES (940002, 940025, 1, 1);
UPDATE crm.sales_order SET status = 'completed' WHERE id = 940025 RETURNING status, amount;
SELECT crm.create_quote('{"contact_id": 940002, "lines": [{"description": "q", "unit_price": 3}]}') AS q \gset
SELECT crm.send_quote(:q), crm.accept_quote(:q) > 0 AS accepted;
SELECT crm.ingest_receipt('f1', 'shop', '2026-04-03', 9, 'USD', '[{"description": "r", "unit_price": 9}]', contact_id => 940002) > 0 AS ingested;
CREATE TEMPORARY VIEW everything AS
SELECT s::text FROM crm.sales_order s UNION ALL SELECT l::text FROM crm.order_line l UNION ALL SELECT p::text FROM crm.payment p UNION ALL SELECT k::text FROM crm.payment_key k
UNION ALL SELECT h::text FROM crm.shipment h UNION ALL SELECT x::text FROM crm.shipment_line x UNION ALL SELECT b::text FROM crm.order_return b UNION ALL SELECT q::text FROM crm.quote q UNION ALL SELECT r::text FROM crm.receipt r UNION ALL SELECT m::text FROM crm.contact_metric m;
CREATE TEMPORARY TABLE before AS TABLE everything;
SELECT crm.merge_contacts(940001, '{940002}') AS merge \gset
SELECT number, status, amount, lines FROM crm.v_order WHERE contact_id = 940001 AND ordered_at >= '2026-04-01' AND source IS DISTINCT FROM 'quote' ORDER BY 1;
SELECT (SELECT count(*) FROM crm.payment WHERE contact_id = 940002) AS payments, (SELECT count(*) FROM crm.quote WHERE contact_id = 940002) AS quotes, (SELECT count(*) FROM crm.shipment_line WHERE contact_id = 940001) AS shipment_lines,
       (SELECT contact_id FROM crm.receipt WHERE fiscal_id = 'f1') AS receipt, (SELECT contact_id FROM crm.payment_key WHERE provider_payment_id = 'z1') AS key;
SELECT crm.rebuild_contact_metric();
SELECT * FROM crm.unmerge(:merge);
SELECT count(*) FROM ((TABLE before EXCEPT ALL TABLE everything) UNION ALL (TABLE everything EXCEPT ALL TABLE before)) differences;
SELECT crm.rebuild_contact_metric();
SELECT crm.record_payment_status('acme', 'z1', 'refunded', '2026-04-05');
SELECT status FROM crm.sales_order WHERE id = 940023;

-- Refused.
UPDATE crm.payment SET status = 'authorized' WHERE id = :p;
INSERT INTO crm.payment (contact_id, amount, currency) VALUES (940001, 0, 'USD');
INSERT INTO crm.payment (contact_id, amount, currency) VALUES (940001, 'NaN', 'USD');
INSERT INTO crm.payment (contact_id, amount, currency) VALUES (940001, 1, 'XXQ');
INSERT INTO crm.payment (contact_id, order_id, amount) VALUES (940002, 940001, 1);
INSERT INTO crm.payment (contact_id, amount, currency, provider_payment_id) VALUES (940001, 1, 'USD', 'x');
INSERT INTO crm.payment (contact_id, amount, currency, status) VALUES (940001, 1, 'USD', 'lost');
INSERT INTO crm.payment (contact_id, amount, currency, status, refunded_amount) VALUES (940001, 1, 'USD', 'partially_refunded', 1);
SELECT crm.record_payment_status('acme', 'x1', 'lost', now());
SELECT crm.record_payment_status('acme', 'x1', 'partially_refunded', now());
UPDATE crm.payment_event SET status = 'paid';
DELETE FROM crm.payment_event;
TRUNCATE crm.payment_event;
SELECT crm.create_payment('{"contact_id": 940001, "colour": 1}');
SELECT crm.create_payment('{"contact_id": 940001, "order_id": 940003}');
SELECT crm.create_payment('{"contact_id": 940001, "order_id": 940004}');
SELECT crm.create_payment('{"contact_id": -1, "amount": 1}');

-- The gateway hands in messages and sees no payment; an agent takes money.
SET LOCAL client_min_messages = warning;
SELECT crm.create_roles();
INSERT INTO crm.contact_identity (contact_id, provider, external_id) VALUES (940002, 'card', 'known');
SET LOCAL ROLE crm_gateway;
SELECT crm.record_payment_status('acme', 'z1', 'paid', '2026-04-06');
SELECT crm.ingest_receipt('f0', 'shop', '2026-04-04', 5, 'ZZZ');
SELECT crm.ingest_receipt('f2', 'shop', '2026-04-04', 5, 'USD');
SELECT crm.ingest_receipt('f3', 'shop', '2026-04-04', 5, 'USD', card => 'known') > 0 AS ordered;
SELECT count(*) FROM crm.payment;
SELECT contact_id FROM crm.receipt;
SELECT card, phone, phone_key FROM crm.receipt;
SELECT lines FROM crm.receipt;
UPDATE crm.payment_event SET status = 'paid';
SET LOCAL ROLE crm_agent;
SELECT status FROM crm.payment WHERE provider_payment_id = 'z1';
SELECT crm.create_payment('{"contact_id": 940001, "order_id": 940001, "status": "paid"}') > 0 AS paid;
SELECT open_amount FROM crm.v_order_balance WHERE order_id = 940001;
UPDATE crm.payment_key SET status = 'paid';
SET LOCAL ROLE crm_manager;
SELECT crm.merge_contacts(940001, '{940002}') > 0 AS merged;
SELECT count(*) AS differences FROM crm.unmerge((SELECT max(id) FROM crm.merge));
UPDATE crm.payment_key SET status = 'paid';
UPDATE crm.receipt SET amount = 1;
RESET ROLE;
ROLLBACK;
