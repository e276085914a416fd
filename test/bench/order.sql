-- Lines of orders: what their triggers cost beside the same load without them,
-- and beside writing the sums by hand; one more line; payments; balances.
-- Seconds of processor time.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE result (n serial, what text, variant text, rows bigint, seconds numeric);
SELECT greatest(:rows / 20, 1) AS orders, greatest(:rows / 100, 1) AS contacts \gset

INSERT INTO crm.contact (id, given_name) SELECT i, 'Contact' FROM generate_series(1, :contacts) i;
INSERT INTO crm.product (id, sku, name, price, cost, currency) SELECT i, 'P' || i, 'Product ' || i, i, i / 2.0, 'USD' FROM generate_series(1, 1000) i;
SELECT setval('crm.contact_id_seq', :contacts), setval('crm.product_id_seq', 1000), setval('crm.sales_order_id_seq', :orders) \g /dev/null
-- The one kind of order knows its amount, the other has to be told.
INSERT INTO crm.sales_order (contact_id, id, ordered_at, amount, currency)
SELECT 1 + (i * 7919::bigint) % :contacts, i, '2024-01-01'::timestamptz + i * interval '1 minute', 0, 'USD' FROM generate_series(1, :orders) i;
CREATE TABLE file AS
SELECT o.contact_id, o.id AS order_id, n AS line_number, 1 + (o.id * 31 + n) % 1000 AS product_id, 1 + n % 3 AS quantity, ((o.id * 17 + n) % 10000) / 100.0 AS price
FROM crm.sales_order o, generate_series(1, 20) n ORDER BY o.contact_id, o.id, n;
UPDATE crm.sales_order o SET amount = f.amount
FROM (SELECT contact_id, order_id, sum(round(quantity * price, 2)) AS amount FROM file GROUP BY 1, 2) f WHERE f.contact_id = o.contact_id AND f.order_id = o.id;
VACUUM ANALYZE;

-- Processor time of this backend: a busy machine does not disturb it.
CREATE FUNCTION processor_seconds() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    field text[];
BEGIN
    field := string_to_array(regexp_replace(pg_read_file('/proc/self/stat'), '^.*\) ', ''), ' ');
    RETURN (field[12]::numeric + field[13]::numeric) / 100;
EXCEPTION WHEN OTHERS THEN
    RETURN extract(epoch FROM clock_timestamp());
END $$;

-- The best of some rounds, each undone; without the triggers of the table where
-- the variant says so.
CREATE PROCEDURE measure(what text, variant text, relation regclass, rows bigint, statement text, before text DEFAULT NULL, after text DEFAULT NULL, repeated integer DEFAULT 1) LANGUAGE plpgsql AS $$
DECLARE
    began numeric;
    best numeric;
BEGIN
    FOR round IN 1 .. 2 LOOP
        BEGIN
            IF variant LIKE 'without%' THEN
                EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', relation);
            END IF;
            IF before IS NOT NULL THEN
                EXECUTE before;
            END IF;
            began := processor_seconds();
            FOR i IN 1 .. repeated LOOP
                EXECUTE statement USING i;
            END LOOP;
            IF after IS NOT NULL THEN
                EXECUTE after;
            END IF;
            best := least(best, processor_seconds() - began);
            RAISE EXCEPTION 'undo' USING ERRCODE = 'XX999';
        EXCEPTION WHEN SQLSTATE 'XX999' THEN
        END;
    END LOOP;
    INSERT INTO result (what, variant, rows, seconds) VALUES (what, variant, rows, best);
    COMMIT;
END $$;

SELECT 'INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, quantity, unit_price, currency, digits, unit_cost) SELECT contact_id, order_id, line_number, product_id, quantity, price, ''USD'', 2, 20 FROM file' AS load,
       'UPDATE crm.sales_order o SET amount = f.amount FROM (SELECT contact_id, order_id, sum(amount) AS amount FROM crm.order_line GROUP BY 1, 2) f WHERE f.contact_id = o.contact_id AND f.order_id = o.id' AS sums,
       'UPDATE crm.sales_order SET amount = NULL' AS empty,
       'INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, unit_price, currency, digits) SELECT o.contact_id, o.id, 1, 1, 5, ''USD'', 2 FROM crm.sales_order o WHERE o.id = $1' AS one \gset
CALL measure('load of lines, the orders know their amounts', 'without', 'crm.order_line', :rows, :'load');
CALL measure('load of lines, the orders know their amounts', 'with', 'crm.order_line', :rows, :'load');
CALL measure('load of lines, the orders are told', 'without, sums by hand', 'crm.order_line', :rows, :'load', :'empty', :'sums');
CALL measure('load of lines, the orders are told', 'with', 'crm.order_line', :rows, :'load', :'empty');
CALL measure('one line of an order, 2000 statements', 'without', 'crm.order_line', 2000, :'one', repeated => 2000);
CALL measure('one line of an order, 2000 statements', 'with', 'crm.order_line', 2000, :'one', repeated => 2000);
SELECT 'INSERT INTO crm.payment (contact_id, order_id, amount, currency, exchange_rate, status, paid_at) SELECT contact_id, id, amount, currency, 1, ''paid'', ordered_at FROM crm.sales_order' AS pay \gset
SELECT 'UPDATE crm.sales_order o SET status = ''paid'' FROM (SELECT contact_id, order_id, sum(amount - refunded_amount) AS amount FROM crm.payment WHERE status = ''paid'' GROUP BY 1, 2) p WHERE p.contact_id = o.contact_id AND p.order_id = o.id AND p.amount >= o.amount' AS statuses \gset
CALL measure('payments of all orders, which become paid', 'without, status by hand', 'crm.payment', :orders, :'pay', NULL, :'statuses');
CALL measure('payments of all orders, which become paid', 'with', 'crm.payment', :orders, :'pay');
SELECT p.what, p.rows, round(p.seconds, 2) AS without_s, round(w.seconds, 2) AS with_s, round(w.seconds / nullif(p.seconds, 0), 2) AS ratio, p.variant AS beside
FROM result p JOIN result w ON w.what = p.what AND w.variant = 'with' AND p.variant LIKE 'without%' ORDER BY p.n;

SET client_min_messages = error;
:load;
:pay WHERE id % 3 > 0;
VACUUM ANALYZE;
\echo Balances of all orders, and of one person (seconds):
SELECT processor_seconds() AS began \gset
SELECT count(*) AS orders, sum(open_amount) AS open FROM crm.v_order_balance;
SELECT processor_seconds() - :began AS all_orders_s;
SELECT processor_seconds() AS began \gset
SELECT count(*) AS orders, sum(o.amount - coalesce((SELECT sum(p.amount - p.refunded_amount) FROM crm.payment p WHERE p.contact_id = o.contact_id AND p.order_id = o.id AND p.status = 'paid'), 0)) AS open FROM crm.sales_order o;
SELECT processor_seconds() - :began AS by_hand_s;
SELECT processor_seconds() AS began \gset
SELECT count(b.balance) AS contacts FROM generate_series(1, 1000) i, LATERAL (SELECT balance FROM crm.v_contact_balance v WHERE v.contact_id = i OFFSET 0) b;
SELECT processor_seconds() - :began AS a_thousand_persons_one_by_one_s;
SELECT processor_seconds() AS began \gset
SELECT count(*), sum(margin) AS margin FROM crm.v_profit;
SELECT processor_seconds() - :began AS profit_of_all_lines_s;
-- The orders of a real shop, where there are: 541,909 lines.
\getenv data CRM_DATA
\if :{?data}
\else
\set data ''
\endif
SELECT (pg_stat_file(:'data' || '/online_retail/online_retail.csv.gz', true)).size IS NOT NULL AS has_data \gset
\if :has_data
CREATE TABLE retail ("InvoiceNo" text, "StockCode" text, "Description" text, "Quantity" text, "InvoiceDate" text, "UnitPrice" text, "CustomerID" text, "Country" text);
SELECT format('COPY retail FROM PROGRAM %L (FORMAT csv, HEADER)', 'zcat ' || :'data' || '/online_retail/online_retail.csv.gz') \gexec
SELECT processor_seconds() AS began \gset
SELECT * FROM crm.import_orders('retail', 'shop', currency => 'GBP');
SELECT processor_seconds() - :began AS import_s;
\endif
