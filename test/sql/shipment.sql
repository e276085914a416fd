-- Stock, shipments, receipts.  R-156, R-157, R-158, R-159
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SELECT crm.install() IS NOT NULL AS installed;
SELECT count(setval(s, 950050)) FROM unnest('{crm.payment_id_seq,crm.shipment_id_seq,crm.sales_order_id_seq}'::regclass[]) s;
BEGIN;
\set ON_ERROR_ROLLBACK on
SET LOCAL crm.default_region = 'RU';
INSERT INTO crm.contact (id, given_name) VALUES (950001, 'Anna'), (950002, 'Boris'), (950003, 'Clara');
INSERT INTO crm.product (id, sku, name, price, cost, currency) VALUES (950001, 'TEA', 'Tea', 10, 6, 'USD'), (950002, 'CUP', 'Cup', 5, 2, 'USD');
INSERT INTO crm.product (id, sku, name, kind, price, currency) VALUES (950003, 'WRAP', 'Wrapping', 'service', 1, 'USD');
INSERT INTO crm.warehouse (name, allow_negative) VALUES ('main', false), ('shop', true);

-- Stock: moves and their sum.
INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason, reference, at) VALUES
    (950001, 'main', 5, 'supply', 'supply:1', '2026-01-01'), (950002, 'main', 8, 'supply', 'supply:1', '2026-01-01'), (950001, 'main', 1, 'correction', NULL, '2026-01-02');
SELECT sku, warehouse, quantity, reserved, available FROM crm.v_stock ORDER BY sku, warehouse;
\set VERBOSITY default
INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason) VALUES (950002, 'main', -1, 'correction'), (950001, 'main', -6.5, 'correction');
\set VERBOSITY terse
INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason, reference) VALUES (950001, 'main', 5, 'supply', 'supply:1');
UPDATE crm.stock_move SET quantity = 1;
DELETE FROM crm.stock_move;
TRUNCATE crm.stock_move;

-- An order in two shipments.
INSERT INTO crm.sales_order (contact_id, id, number, ordered_at, currency) VALUES (950001, 950001, 'A-1', '2026-02-01', 'USD'), (950001, 950002, 'A-2', '2026-02-01', 'USD'), (950001, 950003, 'A-3', '2026-02-01', 'USD');
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity) VALUES
    (950001, 950001, 1, 950001, 3), (950001, 950001, 2, 950002, 2), (950001, 950001, 3, 950003, 1), (950001, 950002, 1, 950001, 4), (950001, 950003, 1, 950002, 1);
SELECT crm.create_shipment(950001, 950001, 'main', '2026-02-10', 'post', '[{"line": 1, "quantity": 2}]') AS s1 \gset
SELECT crm.create_shipment(950001, 950001, 'main', '2026-02-12') AS s2 \gset
SELECT shipment_id - :s1 AS s, line_number, quantity FROM crm.shipment_line WHERE shipment_id IN (:s1, :s2) ORDER BY 1, 2;
SELECT sku, warehouse, quantity, reserved, available FROM crm.v_stock ORDER BY sku, warehouse;
UPDATE crm.shipment SET status = 'packed' WHERE id = :s1;
UPDATE crm.shipment SET status = 'shipped', shipped_at = '2026-02-05' WHERE id = :s1;
SELECT status FROM crm.sales_order WHERE id = 950001;
UPDATE crm.shipment SET status = 'shipped', shipped_at = '2026-02-06', tracking = 'T-1' WHERE id = :s2;
SELECT status FROM crm.sales_order WHERE id = 950001;
SELECT sku, warehouse, quantity, reserved, available FROM crm.v_stock ORDER BY sku, warehouse;
SELECT reason, reference = 'shipment:' || :s2 AS of_second, product_id - 950000 AS product, quantity, at::date FROM crm.stock_move WHERE reason = 'shipment' ORDER BY id;
-- Late: told once for each promise.
SELECT contact, number, status, promised_at::date, delivered_at FROM crm.v_late_shipment;
SELECT order_id, status, late_by FROM crm.late_shipments('2026-02-11 12:00');
SELECT crm.tell_late_shipments('2026-02-10'), crm.tell_late_shipments('2026-02-11'), crm.tell_late_shipments('2026-02-11');
SELECT topic, payload - 'shipment_id' AS payload, available_at::date FROM crm.outbox WHERE topic = 'shipment.late';
UPDATE crm.shipment SET status = 'delivered', delivered_at = '2026-02-12' WHERE id IN (:s1, :s2);
SELECT status FROM crm.sales_order WHERE id = 950001;
SELECT crm.tell_late_shipments('2026-02-20') AS in_time;
SELECT crm.tell_late_shipments('2026-02-20', 1) FROM (SELECT) once;
SELECT late_by FROM crm.late_shipments('2026-03-01');
UPDATE crm.shipment SET promised_at = '2026-02-11' WHERE id = :s2;
SELECT crm.tell_late_shipments('2026-02-20') AS another_promise;
-- Back: stock, lines, amount and status follow.
UPDATE crm.shipment SET status = 'returned' WHERE id = :s1;
SELECT status, amount FROM crm.sales_order WHERE id = 950001;
SELECT line_number, quantity, returned_quantity, amount FROM crm.order_line WHERE order_id = 950001 ORDER BY 1;
UPDATE crm.shipment SET status = 'returned' WHERE id = :s2;
SELECT status, amount FROM crm.sales_order WHERE id = 950001;
SELECT sku, warehouse, quantity, reserved, available FROM crm.v_stock ORDER BY sku, warehouse;
-- More than there is does not leave; two shipments of one statement.
SELECT crm.create_shipment(950001, 950002, 'main') AS s3 \gset
INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason) VALUES (950001, 'main', -3, 'correction');
UPDATE crm.shipment SET status = 'shipped' WHERE id = :s3;
SELECT status FROM crm.shipment WHERE id = :s3;
UPDATE crm.shipment SET warehouse = 'shop' WHERE id = :s3;
SELECT crm.create_shipment(950001, 950003, 'shop') AS s4 \gset
UPDATE crm.shipment SET status = 'shipped' WHERE id IN (:s3, :s4);
SELECT number, status FROM crm.v_order WHERE contact_id = 950001 ORDER BY 1;
SELECT sku, warehouse, quantity FROM crm.v_stock ORDER BY sku, warehouse;
SELECT b.quantity = m.quantity AS same FROM crm.stock_balance b JOIN (SELECT product_id, warehouse, sum(quantity) AS quantity FROM crm.stock_move GROUP BY 1, 2) m USING (product_id, warehouse);
-- Refused.
UPDATE crm.shipment SET status = 'planned' WHERE id = :s3;
INSERT INTO crm.shipment (contact_id, order_id, status) VALUES (950001, 950001, 'shipped');
UPDATE crm.shipment_line SET quantity = 1 WHERE shipment_id = :s3;
DELETE FROM crm.shipment_line WHERE shipment_id = :s3;
SELECT crm.create_shipment(950001, 950002, lines => '[{"line": 1, "quantity": 1}]');
SELECT crm.create_shipment(950001, 950002, lines => '[{"line": 7, "quantity": 1}]');
SELECT crm.create_shipment(950002, 950002);
INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason) VALUES (950001, 'main', 0, 'supply');
INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason) VALUES (950001, 'nowhere', 1, 'supply');

-- Receipts. Of a known buyer it is an order at once; the goods leave the shop; what the lines miss is a line.
INSERT INTO crm.contact_identity (contact_id, provider, external_id) VALUES (950002, 'card', '777');
INSERT INTO crm.contact_point (contact_id, kind, raw) VALUES (950003, 'phone', '8 (912) 345-67-89');
SELECT crm.ingest_receipt('F1', 'shop', '2026-03-01', 24.99, 'USD', '[{"sku": "TEA", "quantity": 2}, {"sku": "CUP", "tax_rate": 25, "tax_included": false, "unit_price": 4}, {"sku": "NEW", "unit_price": 1}]', card => '777') AS f1 \gset
SELECT crm.ingest_receipt('F1', 'shop', '2026-03-01', 24.99, 'USD', card => '777') = :f1 AS once;
SELECT number, status, amount, source, lines, margin, external_system FROM crm.v_order WHERE order_id = :f1;
SELECT line_number, sku, product, quantity, amount, tax_amount, margin FROM crm.v_order_line WHERE order_id = :f1 ORDER BY 1;
SELECT due_amount, paid_amount, open_amount FROM crm.v_order_balance WHERE order_id = :f1;
SELECT order_count, order_total FROM crm.contact_metric WHERE contact_id = 950002;
SELECT sku, warehouse, quantity FROM crm.v_stock WHERE warehouse = 'shop' ORDER BY sku;
-- Nobody's: kept, claimed later by card or phone number, by all at once or by hand.
SELECT crm.ingest_receipt('F2', 'kiosk', '2026-03-02', 10, 'USD', '[{"sku": "TEA"}]', card => '888') AS nobody, crm.ingest_receipt('F3', 'kiosk', '2026-03-03', 5, 'USD', '[{"sku": "CUP"}]', card => '888') AS nobody,
       crm.ingest_receipt('F4', 'kiosk', '2026-03-04', 7, 'USD', phone => '+7 912 345 67 80') AS nobody, crm.ingest_receipt('F5', 'kiosk', '2026-03-05', 8, 'USD') AS nobody;
SELECT crm.ingest_receipt('F6', 'kiosk', '2026-03-06', 6, 'USD', phone => '9123456789') IS NOT NULL AS known_by_phone;
SELECT fiscal_id, contact_id - 950000 AS c, order_id IS NOT NULL AS ordered, card, phone_key FROM crm.receipt WHERE fiscal_id LIKE 'F_' ORDER BY 1;
SELECT crm.claim_receipts(950002) AS none_yet;
INSERT INTO crm.contact_identity (contact_id, provider, external_id) VALUES (950002, 'card', '888');
SELECT crm.claim_receipts(950002, '2026-03-10'), crm.claim_receipts(950002, '2026-03-11');
SELECT order_count, order_total, crm.rebuild_contact_metric('{950002}') AS wrong FROM crm.contact_metric WHERE contact_id = 950002;
INSERT INTO crm.contact_point (contact_id, kind, raw) VALUES (950003, 'phone', '8 912 345-67-80'), (950002, 'phone', '8 912 345-67-80');
SELECT crm.claim_receipts(950003) AS whose_is_it;
SELECT crm.claim_receipt('F4', 950003) IS NOT NULL AS claimed, crm.claim_receipt('F4', 950003) = crm.claim_receipt('F4', 950003) AS once;
SELECT fiscal_id, contact_id - 950000 AS c, claimed_at::date = '2026-03-10' AS that_day FROM crm.receipt WHERE fiscal_id LIKE 'F_' ORDER BY 1;
SELECT count(*) AS orders, count(DISTINCT external_id) AS receipts FROM crm.sales_order WHERE external_system = 'receipt';
-- Refused.
SELECT crm.claim_receipt('F4', 950002);
SELECT crm.claim_receipt('F9', 950002);
SELECT crm.claim_receipt('F5', -1);
SELECT crm.ingest_receipt('F5', 'kiosk', '2026-03-05', 9, 'USD');
SELECT crm.ingest_receipt('F7', 'kiosk', '2026-03-05', 9, 'USD', '[{"colour": 1}]');
SELECT crm.ingest_receipt('F7', 'kiosk', '2026-03-05', -9, 'USD');
UPDATE crm.receipt SET amount = 1 WHERE fiscal_id = 'F5';
UPDATE crm.receipt SET contact_id = NULL, order_id = NULL WHERE fiscal_id = 'F4';
DELETE FROM crm.sales_order WHERE external_id = 'F4';
-- An analyst sees what there is, not where it goes.
SET LOCAL client_min_messages = warning;
SELECT crm.create_roles();
SET LOCAL ROLE crm_analyst;
SELECT count(*) > 0 AS stock FROM crm.v_stock;
SELECT count(*) > 0 AS profit FROM crm.v_profit;
SELECT count(*) > 0 AS balances FROM crm.v_contact_balance;
SELECT address FROM crm.shipment;
SELECT phone FROM crm.receipt;
SET LOCAL ROLE crm_agent;
UPDATE crm.receipt SET contact_id = 950001;
UPDATE crm.stock_balance SET quantity = 1;
SELECT crm.claim_receipt('F5', 950001) > 0 AS claimed;
RESET ROLE;
ROLLBACK;
