-- What the triggers that complete orders and keep crm.contact_metric cost:
-- loads of orders and activities beside the same loads without them, single
-- statements, and counting anew.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
CREATE TABLE result (n serial, what text, variant text, rows bigint, seconds numeric);
SELECT greatest(:rows / 10, 100) AS contacts \gset
INSERT INTO crm.contact (given_name) SELECT 'Contact ' || i FROM generate_series(1, :contacts) i;
INSERT INTO crm.fx_rate (currency, base, valid_from, rate)
SELECT c, 'USD', '2020-01-01'::date + i, 1 + i / 1000.0 FROM unnest('{EUR,GBP,RUB}'::text[]) c, generate_series(0, 2500) i;
ANALYZE;

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

-- The best of some rounds, each undone; first with the triggers of the table
-- disabled, then with them.
CREATE PROCEDURE measure(what text, relation regclass, rows bigint, statement text, rounds integer DEFAULT 2, repeated integer DEFAULT 1) LANGUAGE plpgsql AS $$
DECLARE
    began numeric;
    best numeric;
    spent numeric;
    variant text;
BEGIN
    FOREACH variant IN ARRAY '{plain,with triggers}'::text[] LOOP
        best := NULL;
        FOR round IN 1 .. rounds LOOP
            BEGIN
                IF variant = 'plain' THEN
                    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', relation);
                END IF;
                began := processor_seconds();
                FOR i IN 1 .. repeated LOOP
                    EXECUTE statement USING i;
                END LOOP;
                spent := processor_seconds() - began;
                best := least(best, spent);
                RAISE EXCEPTION 'undo' USING ERRCODE = 'XX999';
            EXCEPTION WHEN SQLSTATE 'XX999' THEN
            END;
        END LOOP;
        INSERT INTO result (what, variant, rows, seconds) VALUES (what, variant, rows, best);
        COMMIT;
    END LOOP;
END $$;

-- Also what is completed is cancelled here.
INSERT INTO crm.status_transition VALUES ('sales_order', 'completed', 'cancelled') ON CONFLICT DO NOTHING;

CREATE TABLE file AS
SELECT 1 + (i * 7919::bigint) % :contacts AS contact_id, '2024-01-01'::timestamptz + i * interval '1 minute' AS ordered_at, (i % 100000) / 100.0 AS amount,
       (ARRAY['EUR', 'GBP', 'RUB', 'USD'])[1 + i % 4] AS currency, 'N' || i AS number, (ARRAY['placed', 'paid', 'shipped', 'completed', 'cancelled'])[1 + i % 5] AS status
FROM generate_series(1, :rows) i;
ANALYZE file;
COPY (SELECT contact_id, ordered_at, amount, 'USD', number, status FROM file) TO '/tmp/crm_bench_metric.tsv';

CALL measure('COPY of orders, number and status', 'crm.sales_order', :rows,
    $$COPY crm.sales_order (contact_id, ordered_at, amount, currency, number, status) FROM '/tmp/crm_bench_metric.tsv'$$);
CALL measure('INSERT of orders in the base currency', 'crm.sales_order', :rows,
    $$INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency, status) SELECT contact_id, ordered_at, amount, 'USD', status FROM file$$);
CALL measure('... whose rate is given', 'crm.sales_order', :rows,
    $$INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency, exchange_rate, status) SELECT contact_id, ordered_at, amount, 'USD', 1, status FROM file$$);
CALL measure('... in four currencies', 'crm.sales_order', :rows,
    $$INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency, status) SELECT contact_id, ordered_at, amount, currency, status FROM file$$);
CALL measure('INSERT of activities', 'crm.activity', :rows,
    $$INSERT INTO crm.activity (contact_id, kind, direction, occurred_at) SELECT contact_id, 'call', 'in', ordered_at FROM file$$);
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency, status) SELECT contact_id, ordered_at, amount, 'USD', status FROM file;
VACUUM ANALYZE crm.sales_order, crm.contact_metric;
CALL measure('one more order, 10000 statements', 'crm.sales_order', 10000,
    format($$INSERT INTO crm.sales_order (contact_id, amount, currency) VALUES (1 + $1 %% %s, 5, 'USD')$$, :contacts), 2, 10000);
CALL measure('the same contact each time', 'crm.sales_order', 10000,
    $$INSERT INTO crm.sales_order (contact_id, amount, currency) VALUES (1 + $1 * 0, 5, 'USD')$$, 2, 10000);
CALL measure('change of status, 10000 statements', 'crm.sales_order', 10000,
    format($$UPDATE crm.sales_order SET status = 'completed' WHERE contact_id = 1 + $1 %% %s AND status = 'shipped'$$, :contacts), 2, 10000);
CALL measure('cancel of the latest, 10000 statements', 'crm.sales_order', 10000,
    format($$UPDATE crm.sales_order SET status = 'cancelled' WHERE (contact_id, ordered_at) = (1 + $1 %% %s, (SELECT max(ordered_at) FROM crm.sales_order WHERE contact_id = 1 + $1 %% %s))$$, :contacts, :contacts), 2, 10000);
CALL measure('UPDATE of the notes of a tenth', 'crm.sales_order', :rows / 10, $$UPDATE crm.sales_order SET description = 'x' WHERE id % 10 = 0$$, 1);
CALL measure('cancel of a tenth', 'crm.sales_order', :rows / 10, $$UPDATE crm.sales_order SET status = 'cancelled' WHERE id % 10 = 0$$, 1);
CALL measure('DELETE of a tenth', 'crm.sales_order', :rows / 10, $$DELETE FROM crm.sales_order WHERE id % 10 = 0$$, 1);

SELECT p.what, p.rows, round(p.seconds, 2) AS plain_s, round(t.seconds, 2) AS with_triggers_s, round(1e6 * p.seconds / p.rows, 1) AS plain_us_a_row,
       round(1e6 * t.seconds / t.rows, 1) AS with_triggers_us_a_row, round(t.seconds / nullif(p.seconds, 0), 2) AS ratio
FROM result p JOIN result t ON t.what = p.what AND t.variant = 'with triggers' AND p.variant = 'plain' ORDER BY p.n;

\echo Counting the metrics of all contacts anew (seconds of processor time):
SELECT processor_seconds() AS began \gset
SELECT crm.rebuild_contact_metric() AS rows_that_were_wrong;
SELECT processor_seconds() - :began AS rebuild_s;
TRUNCATE crm.contact_metric;
SELECT processor_seconds() AS began \gset
SELECT crm.rebuild_contact_metric() AS rows_made;
SELECT processor_seconds() - :began AS rebuild_from_nothing_s;
\! rm -f /tmp/crm_bench_metric.tsv
