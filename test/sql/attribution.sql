-- Attribution: who has the credit for a conversion.  R-120 R-121
SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
-- One conversion: touches on days before it.
CREATE FUNCTION pg_temp.credit(model text, touches text, days integer[] DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(u.channel || ' ' || u.credit, ', ') || ' = ' || sum(u.credit) FROM (
        SELECT crm.attribution(model, c, timestamptz '2026-03-01' - coalesce(days[i], 20 - i) * interval '1 day', '2026-03-01') AS credits FROM string_to_table(touches, NULL) WITH ORDINALITY AS t (c, i)) x, unnest(credits) u
$$;
SELECT t AS touches, m AS model, pg_temp.credit(m, t) FROM unnest(ARRAY['a', 'ab', 'abc', 'aba', 'abcabcd', 'aaab']) t, unnest(ARRAY['first', 'last', 'linear', 'position', 'shapley']) WITH ORDINALITY AS u (m, n) ORDER BY t, n;
SELECT pg_temp.credit('time_decay', 'ab', '{7,0}') AS "1/3, 2/3", pg_temp.credit('time_decay', 'abc', '{14,7,0}') AS "1/7, 2/7, 4/7", pg_temp.credit('time_decay', 'ab', '{3000,0}') AS "none, all", pg_temp.credit('time_decay', 'ab', '{3000,2993}') AS "1/3, 2/3";
SELECT crm.attribution('time_decay', c, timestamptz '2026-03-01' - d * interval '1 day', '2026-03-01', '1 day') FROM (VALUES ('b', 0), ('a', 1), ('c', -1), (NULL, 0), ('d', NULL)) v (c, d);
SELECT crm.attribution('last', 'a', now(), '-infinity'), crm.attribution('last', 'a', now(), now()) FILTER (WHERE false);
-- Touches of one moment are in the order of their channels, whatever the order of rows.
SELECT crm.attribution('first', c, 'epoch', now() ORDER BY n), crm.attribution('first', c, 'epoch', now() ORDER BY n DESC) FROM (VALUES (1, 'b'), (2, 'a'), (3, 'ab')) v (n, c);
-- Always 1, whatever the touches.
SELECT model, count(*), min(total), max(total) FROM (
    SELECT model, g, (SELECT sum(credit) FROM unnest(credits)) AS total FROM (
        SELECT model, g, crm.attribution(model, 'channel ' || (hashint4(g * 100 + i) & 7), timestamptz '2026-01-01' + (hashint4(g * 1000 + i) & 2147483647) % 100000 * interval '1 minute', '2026-06-01', '3 days 01:00') AS credits
        FROM unnest(ARRAY['first', 'last', 'linear', 'position', 'time_decay', 'shapley']) model, generate_series(1, 200) g, generate_series(1, 40) i WHERE i <= g % 40 + 1 GROUP BY 1, 2) x) y GROUP BY 1 ORDER BY 1;

-- Paths with published answers. Chain: of 3, one converts; without C1 1/6, without C2 or C3 none.
CREATE FUNCTION pg_temp.show(channels crm.channel_attribution[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s (%s)', channel, round(credit, 6), round(removal_effect::numeric, 6)), ', ') FROM unnest(channels)
$$;
SELECT pg_temp.show(crm.attribution('markov', string_to_array(p, '>'), c, NULL, n)) AS ".2 .4 .4; .5 1 1" FROM (VALUES ('C1>C2>C3', 1, 0), ('C1', 0, 1), ('C2>C3', 0, 1)) v (p, c, n);
SELECT pg_temp.show(crm.attribution('markov', string_to_array(p, '>'), c, NULL, n)) AS "2.4 1.6; .75 .5" FROM (VALUES ('g', 2, 1), ('m', 1, 0), ('g>m', 1, 0)) v (p, c, n);
SELECT pg_temp.show(crm.attribution('markov', string_to_array(p, '>'), c, NULL, n)) AS "2 1.5 .5; 1 .75 .25" FROM (VALUES ('a>b', 3, 1), ('a>c', 1, 1)) v (p, c, n);
SELECT pg_temp.show(crm.attribution('markov', string_to_array(p, '>'), c, NULL, n)) AS "the same, repeats and all" FROM (VALUES ('a>a>b', 3, 1), ('a>c>c>c', 1, 1), ('d', 0, 0), ('', 5, 5)) v (p, c, n);
SELECT pg_temp.show(crm.attribution('shapley', string_to_array(p, '>'), c, NULL, 0)) AS "7 3" FROM (VALUES ('a', 4), ('a>b', 6)) v (p, c);
SELECT pg_temp.show(crm.attribution('shapley', string_to_array(p, '>'), c, NULL, 0)) AS "7.5 2.5 2.5 2.5" FROM (VALUES ('a', 5), ('a>b>c>d>a', 10)) v (p, c);
SELECT m AS model, c.channel, round(c.credit, 9) AS credit, round(c.value, 9) AS value, round(c.removal_effect::numeric, 9) AS removal_effect
FROM unnest(ARRAY['first', 'last', 'linear', 'position', 'shapley', 'markov']) WITH ORDINALITY AS u (m, n),
     LATERAL (SELECT crm.attribution(m, string_to_array(p, '>'), k, v, z) AS credits FROM (VALUES ('a>b>c', 3, 30.03, 1), ('b>a', 1, 5, NULL), ('b', NULL, NULL, 4), (NULL, 1, 1, 1), ('a>b>a>a', 0.5, 10, 0)) v (p, k, v, z)) x, unnest(credits) c
ORDER BY n, 2;
SELECT crm.attribution('markov', '{}', 1, 1, 1), crm.attribution('markov', '{a,NULL}', 0, 0, 1), crm.attribution('linear', '{a}', 1, 1, 1) FILTER (WHERE false);
-- Parallel workers agree with one process, to the last digit.
CREATE TABLE path AS SELECT ARRAY(SELECT 'channel ' || (hashint4(i * 50 + j) & 31) FROM generate_series(0, (hashint4(i) & 2147483647) % 9) j) AS path, (hashint4(i + 1) & 3) AS c, (hashint4(i + 2) & 255) / 7.0 AS v, (hashint4(i + 3) & 15) AS n FROM generate_series(1, 5000) i;
ANALYZE path;
SET max_parallel_workers_per_gather = 0;
CREATE VIEW answer AS SELECT crm.attribution('markov', path, c, v, n) AS m, crm.attribution('position', path, c, v, n) AS p, crm.attribution('shapley', path, c, v, n) AS s FROM path;
CREATE TABLE serial AS SELECT * FROM answer;
SELECT cardinality(m) AS channels, (SELECT sum(credit) FROM unnest(m)) = c AND (SELECT sum(credit) FROM unnest(p)) = c AND (SELECT sum(value) FROM unnest(s)) = v AS whole
FROM serial, (SELECT sum(c) AS c, sum(v) AS v FROM path) x;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT * FROM answer;
SELECT a.m = s.m AND a.p = s.p AND a.s = s.s AS equal FROM answer a, serial s;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;
DROP VIEW answer;
DROP TABLE path, serial;

-- Running, as a window function: each row the same as the aggregate over the rows so far.
CREATE TABLE path AS SELECT i, ARRAY(SELECT 'channel ' || (hashint4(i * 50 + j) & 7) FROM generate_series(0, (hashint4(i) & 2147483647) % 4) j) AS path, (hashint4(i + 1) & 3) AS c, (hashint4(i + 2) & 255) / 7.0 AS v, (hashint4(i + 3) & 15) AS n FROM generate_series(1, 60) i;
SELECT m AS model, count(*) AS rows, count(*) FILTER (WHERE running IS DISTINCT FROM (SELECT crm.attribution(m, path, c, v, n) FROM path p WHERE p.i <= r.i)) AS other
FROM (SELECT m, i, crm.attribution(m, path, c, v, n) OVER (PARTITION BY m ORDER BY i) AS running FROM path, unnest(ARRAY['markov', 'linear', 'shapley']) m) r GROUP BY 1 ORDER BY 1;
SELECT m AS model, count(*) AS rows, count(*) FILTER (WHERE running IS DISTINCT FROM (SELECT crm.attribution(m, path[1], 'epoch'::timestamptz + i * 7 % 60 * interval '1 day', '2026-01-01') FROM path p WHERE p.i <= r.i)) AS other
FROM (SELECT m, i, crm.attribution(m, path[1], 'epoch'::timestamptz + i * 7 % 60 * interval '1 day', '2026-01-01') OVER (PARTITION BY m ORDER BY i) AS running FROM path, unnest(ARRAY['last', 'time_decay', 'position']) m) r GROUP BY 1 ORDER BY 1;
DROP TABLE path;

-- Bad input.
SELECT crm.attribution('best', 'a', now(), now());
SELECT crm.attribution('markov', 'a', now(), now());
SELECT crm.attribution(NULL, 'a', now(), now());
SELECT crm.attribution('last', 'a', now(), NULL);
SELECT crm.attribution('time_decay', 'a', now(), now(), '0');
SELECT crm.attribution('time_decay', 'a', now(), now(), '1 month');
SELECT crm.attribution('time_decay', 'a', now(), now(), NULL);
SELECT crm.attribution('last', 'a', 'epoch', 'epoch'::timestamptz + i * interval '1 s') FROM generate_series(1, 2) i;
SELECT crm.attribution('best', '{a}'::text[], 1, 1, 1);
SELECT crm.attribution('time_decay', '{a}'::text[], 1, 1, 1);
SELECT crm.attribution(NULL, '{a}'::text[], 1, 1, 1);
SELECT crm.attribution('linear', '{a}'::text[], -1, 1, 1);
SELECT crm.attribution('linear', '{a}'::text[], 1, 'NaN', 1);
SELECT crm.attribution('linear', '{a}'::text[], 1, 1, 'Infinity');
SELECT crm.attribution(m, '{a}'::text[], 1, 1, 1) FROM unnest(ARRAY['first', 'last']) m;
SELECT crm.attribution('markov', ARRAY['c' || i], 1, 1, 1) FROM generate_series(1, 2001) i;

-- Orders: each shared among the touches of its contact in the time before it.
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
UPDATE crm.base_currency SET code = 'EUR';
INSERT INTO crm.contact (id, given_name) SELECT i, 'N' || i FROM generate_series(901, 904) i;
INSERT INTO crm.activity (contact_id, kind, occurred_at) VALUES
    (901, 'newsletter', '2026-03-01'), (901, 'site_visit', '2026-03-05'), (901, 'call', '2026-03-08'), (901, 'call', '2026-04-01'),
    (902, 'site_visit', '2026-01-01'), (902, 'call', '2026-03-20'), (903, 'newsletter', '2026-03-02');
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency, status) VALUES
    (901, '2026-03-08', 100.01, 'EUR', 'paid'), (902, '2026-03-21', 50, 'EUR', 'placed'), (902, '2026-03-30', NULL, 'EUR', 'placed'), (904, '2026-03-02', 10, 'EUR', 'placed'), (903, '2026-03-03', 999, 'EUR', 'cancelled');
SELECT m AS model, channel, round(orders, 9) AS orders, round(amount, 9) AS amount, currency FROM unnest(ARRAY['first', 'last', 'linear', 'position', 'shapley', 'markov']) WITH ORDINALITY AS u (m, n), crm.attribute_orders(m) a ORDER BY n, a.orders DESC, channel;
SELECT channel, round(orders, 9) AS orders, round(amount, 9) AS amount, currency FROM crm.attribute_orders('time_decay', '100 days', half_life => '3 days', since => '2026-03-02 00:00:01', until => '2026-03-30');
SELECT m, sum(orders), sum(amount) FROM unnest(ARRAY['first', 'last', 'linear', 'position', 'shapley', 'markov', 'time_decay']) m, crm.attribute_orders(m) GROUP BY 1 ORDER BY 1;
CREATE TEMPORARY TABLE click AS SELECT 904 AS who, 'banner' AS utm, date '2026-03-01' AS day;
SELECT * FROM crm.attribute_orders('last', touches => 'click', channel_column => 'utm', at_column => 'day', contact_column => 'who');
SAVEPOINT here;
SELECT * FROM crm.attribute_orders('best');
ROLLBACK TO here;
SELECT * FROM crm.attribute_orders(look_back => '-1 day');
ROLLBACK TO here;
SELECT * FROM crm.attribute_orders(touches => 'click', channel_column => 'kind');
ROLLBACK TO here;
SELECT * FROM crm.journey_paths('click', event_column => 'sise', at_column => 'day', contact_column => 'who');
ROLLBACK TO here;
-- Orders of which nobody knows what they are worth: their number, and no amount.
UPDATE crm.sales_order SET currency = 'XAF', exchange_rate = NULL;
SELECT m, sum(orders) > 0 AS orders, sum(amount) FROM unnest(ARRAY['linear', 'markov']) m, crm.attribute_orders(m) GROUP BY 1 ORDER BY 1;
ROLLBACK;
