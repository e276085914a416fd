-- What all clients could buy, beside asking for each client by itself as one
-- writes it by hand: peers of the market, their purchases, the share.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
SELECT greatest(:rows / 50, 1000) AS contacts \gset
INSERT INTO crm.product (id, sku, name, category) SELECT i, 'P' || i, 'Product ' || i, 'Category ' || i % 20 FROM generate_series(1, 300) i;
INSERT INTO crm.company (id, name, industry, employees) SELECT i, 'Company ' || i, 'Industry ' || i % 40, 1 + i * 7 % 400 FROM generate_series(1, :contacts) i;
INSERT INTO crm.contact (id, given_name) SELECT i, 'Contact ' || i FROM generate_series(1, :contacts) i;
INSERT INTO crm.company_contact (contact_id, company_id, is_primary, valid) SELECT i, i, true, '[2020-01-01,)' FROM generate_series(1, :contacts) i;
INSERT INTO crm.sales_order (contact_id, id, status, ordered_at, amount, currency) SELECT i, i, 'paid', '2025-06-01', 1, (SELECT code FROM crm.base_currency) FROM generate_series(1, :contacts) i;
ALTER TABLE crm.order_line DISABLE TRIGGER amount_insert;
INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, unit_price)
SELECT i, i, n, 1 + (hashint4(i * 10 + n) & 2147483647) % (10 + 290 * (n % 2)), 10 FROM generate_series(1, :contacts) i, generate_series(1, 8) n;
ALTER TABLE crm.order_line ENABLE TRIGGER amount_insert;
ANALYZE;
CREATE VIEW peer AS
SELECT w.contact_id, o.industry, width_bucket(o.employees, '{10,50,250}') AS size FROM crm.company_contact w JOIN crm.company o ON o.id = w.company_id;
CREATE TABLE result (what text, clients bigint, seconds numeric);
DO $$
DECLARE
    began timestamptz := clock_timestamp();
    many bigint := (SELECT count(*) FROM crm.contact);
BEGIN
    PERFORM count(*) FROM crm.whitespace(as_of => '2026-01-01');
    INSERT INTO result VALUES ('crm.whitespace(), all at once', many, extract(epoch FROM clock_timestamp() - began));
    began := clock_timestamp();
    PERFORM count(*) FROM generate_series(1, 20) c, LATERAL (
        SELECT l.product_id, count(DISTINCT l.contact_id)::numeric / (SELECT count(*) FROM peer x WHERE (x.industry, x.size) = (me.industry, me.size)) AS share
        FROM peer me JOIN peer p ON (p.industry, p.size) = (me.industry, me.size) JOIN crm.order_line l ON l.contact_id = p.contact_id
        JOIN crm.sales_order o ON o.contact_id = l.contact_id AND o.id = l.order_id AND o.is_counted
        WHERE me.contact_id = c AND NOT EXISTS (SELECT FROM crm.order_line m WHERE m.contact_id = c AND m.product_id = l.product_id)
        GROUP BY l.product_id, me.industry, me.size) w WHERE w.share >= 0.1;
    INSERT INTO result VALUES ('by hand, market peers alone, one by one', 20, extract(epoch FROM clock_timestamp() - began));
    began := clock_timestamp();
    PERFORM count(*) FROM crm.whitespace(1, as_of => '2026-01-01');
    INSERT INTO result VALUES ('crm.whitespace(1)', 1, extract(epoch FROM clock_timestamp() - began));
END $$;
SELECT what, clients, round(seconds, 3) AS seconds, round(1000 * seconds / clients, 3) AS "ms a client",
       round(max(seconds / clients) FILTER (WHERE clients = 20) OVER () / (seconds / clients), 1) AS "times by hand" FROM result;
