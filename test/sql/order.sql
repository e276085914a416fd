-- What becomes of orders when lines, payments, shipments and returns change.
-- R-156, R-158, R-184, R-219
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT crm.install() IS NOT NULL AS installed;
SELECT count(setval(s, 945050)) FROM unnest('{crm.quote_id_seq,crm.payment_id_seq,crm.shipment_id_seq,crm.sales_order_id_seq,crm.order_return_id_seq}'::regclass[]) s;
BEGIN;
\set ON_ERROR_ROLLBACK on
INSERT INTO crm.contact (id, given_name) VALUES (945001, 'Anna'), (945002, 'Boris');
INSERT INTO crm.product (id, sku, name, price, cost, currency) VALUES (945001, 'TEA', 'Tea', 10, 6, 'USD'), (945002, 'CUP', 'Cup', 5, 2, 'USD');
INSERT INTO crm.product (id, sku, name, kind, price, currency) VALUES (945003, 'WRAP', 'Wrapping', 'service', 1, 'USD'), (945004, 'CARD', 'A card with it', 'service', 0, 'USD');
INSERT INTO crm.product (id, sku, name) VALUES (945005, 'FREE', 'No price');
INSERT INTO crm.warehouse (name, allow_negative) VALUES ('main', true);

-- Deductions, services, fees that nobody ships are not waited for.
INSERT INTO crm.sales_order (contact_id, id, number, currency) SELECT 945001, i, 'A-' || i - 945000, 'USD' FROM generate_series(945001, 945012) i;
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, description, quantity, unit_price) VALUES
    (945001, 945001, 1, 945001, NULL, 4, 10), (945001, 945001, 2, NULL, 'Rebate', 1, -3), (945001, 945001, 3, 945003, NULL, 1, 1), (945001, 945001, 4, NULL, 'Delivery', 1, 7),
    (945001, 945002, 1, NULL, 'a', 1, 10), (945001, 945002, 2, NULL, 'b', 1, 10);
SELECT crm.create_shipment(945001, 945001, 'main', lines => '[{"line": 1, "quantity": 4}]') AS s \gset
UPDATE crm.shipment SET status = 'shipped' WHERE id = :s;
SELECT status FROM crm.sales_order WHERE id = 945001;
-- Nothing is left to ship; what has left comes back and is not called off.
SELECT crm.create_shipment(945001, 945001, 'main');
SELECT crm.create_shipment(945001, 945005, 'main');
SELECT count(*) AS shipments FROM crm.shipment WHERE order_id IN (945001, 945005);
UPDATE crm.sales_order SET status = 'cancelled' WHERE id = 945001;
UPDATE crm.shipment SET status = 'delivered' WHERE id = :s;
SELECT status FROM crm.sales_order WHERE id = 945001;
-- Where there is no catalogue all lines are goods.
SELECT crm.create_shipment(945001, 945002, lines => '[{"line": 1, "quantity": 1}]') AS s2 \gset
UPDATE crm.shipment SET status = 'shipped' WHERE id = :s2;
SELECT status FROM crm.sales_order WHERE id = 945002;
-- Lost on its way, sent again.
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity) VALUES (945001, 945003, 1, 945001, 2), (945001, 945003, 2, 945004, 1);
SELECT crm.create_shipment(945001, 945003, 'main') AS l1 \gset
UPDATE crm.shipment SET status = 'shipped' WHERE id = :l1;
UPDATE crm.shipment SET status = 'lost' WHERE id = :l1;
SELECT crm.create_shipment(945001, 945003, 'main') AS l2 \gset
UPDATE crm.shipment SET status = 'shipped' WHERE id = :l2;
UPDATE crm.shipment SET status = 'delivered' WHERE id = :l2;
SELECT status FROM crm.sales_order WHERE id = 945003;

-- A part comes back: of a shipment, then the rest of the order still leaves.
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity) VALUES (945001, 945004, 1, 945001, 4);
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945001, 945004, 40, 'paid');
SELECT crm.create_shipment(945001, 945004, 'main', lines => '[{"line": 1, "quantity": 2}]') AS p1 \gset
UPDATE crm.shipment SET status = 'shipped' WHERE id = :p1;
UPDATE crm.shipment SET status = 'delivered' WHERE id = :p1;
SELECT quantity AS stock FROM crm.stock_balance WHERE product_id = 945001;
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, reason, shipment_id) VALUES (945001, 945004, 1, 1, 'too strong', :p1) RETURNING id AS r \gset
SELECT quantity AS stock FROM crm.stock_balance WHERE product_id = 945001;
SELECT o.status, o.amount, l.quantity, l.returned_quantity FROM crm.sales_order o JOIN crm.order_line l ON l.order_id = o.id WHERE o.id = 945004;
SELECT open_amount FROM crm.v_order_balance WHERE order_id = 945004;
SELECT crm.create_shipment(945001, 945004, 'main') AS p2 \gset
SELECT quantity FROM crm.shipment_line WHERE shipment_id = :p2;
UPDATE crm.shipment SET status = 'shipped' WHERE id = :p2;
SELECT status FROM crm.sales_order WHERE id = 945004;
UPDATE crm.shipment SET status = 'delivered' WHERE id = :p2;
SELECT status FROM crm.sales_order WHERE id = 945004;
-- It was a mistake: taken back, stock too; entered again; then all of it comes back.
UPDATE crm.order_return SET quantity = 2 WHERE id = :r;
SELECT quantity AS stock FROM crm.stock_balance WHERE product_id = 945001;
DELETE FROM crm.order_return WHERE id = :r;
SELECT quantity AS stock FROM crm.stock_balance WHERE product_id = 945001;
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, shipment_id) VALUES (945001, 945004, 1, 1, :p1);
UPDATE crm.shipment SET status = 'returned' WHERE id IN (:p1, :p2);
SELECT o.status, o.amount, l.quantity, l.returned_quantity FROM crm.sales_order o JOIN crm.order_line l ON l.order_id = o.id WHERE o.id = 945004;
SELECT quantity AS stock FROM crm.stock_balance WHERE product_id = 945001;
SELECT open_amount FROM crm.v_order_balance WHERE order_id = 945004;

-- Paid and all of it returned without a shipment; also with a deduction.
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity) VALUES (945001, 945005, 1, 945001, 2), (945001, 945005, 2, 945004, 1);
INSERT INTO crm.order_line (contact_id, order_id, line_number, description, unit_price) VALUES (945001, 945006, 1, 'Thing', 10), (945001, 945006, 2, 'Rebate', -3);
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945001, 945005, 20, 'paid'), (945001, 945006, 7, 'paid');
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity) VALUES (945001, 945005, 1, 1);
SELECT status, amount FROM crm.sales_order WHERE id = 945005;
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity) VALUES (945001, 945005, 1, 1), (945001, 945006, 1, 1);
SELECT id, status, amount FROM crm.sales_order WHERE id IN (945005, 945006) ORDER BY id;
-- A service that is kept is owed.
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity) VALUES (945001, 945007, 1, 945001, 2), (945001, 945007, 2, 945003, 1);
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945001, 945007, 21, 'paid');
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity) VALUES (945001, 945007, 1, 2);
SELECT status, amount FROM crm.sales_order WHERE id = 945007;
-- Back to what it was, when the return was a mistake.
DELETE FROM crm.order_return WHERE order_id = 945005;
SELECT status, amount FROM crm.sales_order WHERE id = 945005;
UPDATE crm.sales_order SET status = 'completed' WHERE id = 945005 RETURNING status;

-- Payments: an order that was paid elsewhere stays so until money says otherwise.
INSERT INTO crm.sales_order (contact_id, id, number, status, amount, currency) VALUES (945001, 945021, 'P-1', 'paid', 100, 'USD'), (945001, 945022, 'P-2', 'placed', 100, 'USD'), (945001, 945023, 'P-3', 'draft', 100, 'USD'), (945001, 945024, 'P-4', 'placed', 90, 'USD');
INSERT INTO crm.payment (contact_id, id, order_id, amount) VALUES (945001, 945021, 945021, 50);
UPDATE crm.payment SET description = 'x' WHERE id = 945021;
UPDATE crm.payment SET status = 'cancelled' WHERE id = 945021;
DELETE FROM crm.payment WHERE id = 945021;
SELECT status FROM crm.sales_order WHERE id = 945021;
-- A payment that comes as partially refunded counts with the rest.
INSERT INTO crm.payment (contact_id, order_id, amount, status, refunded_amount) VALUES (945001, 945024, 100, 'partially_refunded', 10);
SELECT status FROM crm.sales_order WHERE id = 945024;
-- Paid before it is placed.
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945001, 945023, 100, 'paid');
SELECT status FROM crm.sales_order WHERE id = 945023;
UPDATE crm.sales_order SET status = 'placed' WHERE id = 945023 RETURNING status;
-- The payment moves to another order.
UPDATE crm.payment SET order_id = 945022 WHERE order_id = 945023;
SELECT id, status FROM crm.sales_order WHERE id IN (945022, 945023) ORDER BY id;
-- The rate is that of the day when the money comes, unless one was agreed on.
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2026-01-01', 1.25), ('EUR', 'USD', '2026-03-01', 1.5);
INSERT INTO crm.payment (contact_id, id, amount, currency, created_at, exchange_rate) VALUES (945002, 945031, 10, 'EUR', '2026-01-05', NULL), (945002, 945032, 10, 'EUR', '2026-01-05', 1.3);
UPDATE crm.payment SET status = 'paid', paid_at = '2026-03-02' WHERE id IN (945031, 945032);
SELECT id, exchange_rate FROM crm.payment WHERE id IN (945031, 945032) ORDER BY id;

-- Balances: what was paid for a deleted order is on account; an order of unknown amount hides nothing.
INSERT INTO crm.sales_order (contact_id, id, number, amount, currency) VALUES (945002, 945041, 'B-1', 100, 'USD'), (945002, 945042, 'B-2', NULL, 'USD'), (945002, 945043, 'B-3', 30, 'USD');
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945002, 945041, 60, 'paid'), (945002, 945042, 25, 'paid'), (945002, 945043, 30, 'paid');
UPDATE crm.sales_order SET deleted_at = now() WHERE id = 945043;
SELECT currency, due_amount, paid_amount, refunded_amount, account_amount, balance, orders_without_amount FROM crm.v_contact_balance WHERE contact_id = 945002 AND currency = 'USD';

-- Receipts with what came back do not stand in the way of others.
INSERT INTO crm.receipt (fiscal_id, store, issued_at, amount, currency, lines, card) VALUES
    ('O1', 'main', '2026-03-01', 5, 'USD', '[{"sku": "CUP", "quantity": 3}, {"sku": "TEA", "quantity": -1}]', '945'), ('O2', 'main', '2026-03-02', 0, 'USD', '[{"sku": "TEA", "quantity": 1}, {"sku": "TEA", "quantity": -1}, {"sku": "CUP", "quantity": 0}]', '945'),
    ('O3', 'main', '2026-03-03', 10, 'USD', '[{"sku": "TEA"}]', '945'), ('O5', 'main', '2026-03-04', 1, 'USD', '[{"product_id": -7, "unit_price": 1}]', '945');
INSERT INTO crm.contact_identity (contact_id, provider, external_id) VALUES (945002, 'card', '945');
SELECT crm.claim_receipts(945002);
SELECT o.number, o.status, o.amount, l.line_number, l.sku, l.product, l.quantity, l.unit_price, l.margin FROM crm.sales_order o LEFT JOIN crm.v_order_line l ON l.order_id = o.id WHERE o.external_system = 'receipt' AND o.contact_id = 945002 ORDER BY 1, 4;
SELECT product_id, quantity, reason FROM crm.stock_move WHERE reference LIKE 'receipt:O%' ORDER BY id;

-- Refused.
\set VERBOSITY default
DELETE FROM crm.shipment WHERE id = :s;
UPDATE crm.shipment SET order_id = 945002 WHERE id = :s;
UPDATE crm.order_line SET quantity = 3 WHERE order_id = 945001 AND line_number = 1;
DELETE FROM crm.order_line WHERE order_id = 945001 AND line_number = 1;
DELETE FROM crm.shipment_line WHERE shipment_id = :s;
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity) VALUES (945001, 945001, 1, 5);
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, shipment_id) VALUES (945001, 945004, 1, 1, :p1);
SELECT crm.create_shipment(945001, 945008, lines => '[]') AS n \gset
INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, shipment_id) VALUES (945001, 945002, 1, 1, :n);
INSERT INTO crm.order_line (contact_id, order_id, line_number, description, unit_price) VALUES (945001, 945008, 1, 'Rebate', -5);
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id) VALUES (945001, 945008, 1, 945005);
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity) VALUES (945001, 945008, 1, 945001, -1);
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945001, 945008, -5, 'paid');
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945001, 945008, 5, 'partially_refunded');
INSERT INTO crm.payment (contact_id, order_id, amount, status, refunded_amount) VALUES (945001, 945008, 5, 'paid', 2);
INSERT INTO crm.payment (contact_id, order_id, amount, status) VALUES (945001, 945008, 5, 'lost');
INSERT INTO crm.payment (contact_id, amount, currency, provider_payment_id) VALUES (945001, 5, 'USD', 'x');
INSERT INTO crm.receipt (fiscal_id, issued_at, amount, currency, lines) VALUES ('O4', '2026-03-03', 10, 'USD', '[{"sku": "TEA", "quantity": "NaN"}]');
INSERT INTO crm.receipt (fiscal_id, issued_at, amount, currency, lines) VALUES ('O4', '2026-03-03', 10, 'USD', '[{"sku": "TEA", "discount_percent": 120}]');
SELECT crm.accept_quote(q) FROM crm.create_quote('{"contact_id": 945001, "lines": [{"description": "a", "unit_price": -1}]}') q, crm.send_quote(q);
\set VERBOSITY terse
-- What has not left is planned anew.
DELETE FROM crm.shipment WHERE id = :n;
UPDATE crm.order_line SET quantity = 5 WHERE order_id = 945001 AND line_number = 1;
SELECT amount FROM crm.sales_order WHERE id = 945001;
ROLLBACK;
