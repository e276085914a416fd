-- Funnels: what the modes mean, on events worked out by hand.  R-063
SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
-- A letter an event, a second apart; steps a, b, c and d as far as they are told.
CREATE FUNCTION pg_temp.funnel(events text, mode text, "window" interval DEFAULT '1 day') RETURNS integer LANGUAGE sql AS $$
    SELECT crm.window_funnel("window", mode, 'epoch'::timestamptz + i * interval '1 second', e = 'a', e = 'b', e = 'c') FROM string_to_table(events, NULL) WITH ORDINALITY AS u (e, i)
$$;
CREATE FUNCTION pg_temp.funnel_4(events text, mode text) RETURNS integer LANGUAGE sql AS $$
    SELECT crm.window_funnel('1 day', mode, 'epoch'::timestamptz + i * interval '1 second', e = 'a', e = 'b', e = 'c', e = 'd') FROM string_to_table(events, NULL) WITH ORDINALITY AS u (e, i)
$$;
SELECT e AS events, pg_temp.funnel(e, '') AS plain, pg_temp.funnel(e, 'strict_order') AS "order", pg_temp.funnel(e, 'strict_deduplication') AS deduplication,
       pg_temp.funnel(e, 'strict_order, strict_deduplication') AS both, pg_temp.funnel(e, 'strict_order allow_reentry') AS reentry
FROM unnest(ARRAY['abc', 'adbc', 'aabbcc', 'aabbdcc', 'ccbbaa', 'acb', 'abac', 'ababc']) e;
SELECT e AS events, pg_temp.funnel_4(e, '') AS plain, pg_temp.funnel_4(e, 'strict_order') AS "order", pg_temp.funnel_4(e, 'strict_deduplication') AS deduplication,
       pg_temp.funnel_4(e, 'strict_order,allow_reentry') AS reentry
FROM unnest(ARRAY['abcabcd', 'abcbd', 'dcba', 'xxaxxbxxcxxdxx', '']) e;
-- Numbers as events: bounds of the window are within it; a row may be several steps.
CREATE TABLE pg_temp.number AS SELECT 'epoch'::timestamptz + i * interval '1 second' AS at, 1000 + i AS e FROM generate_series(0, 8) i;
SELECT crm.window_funnel('2 s', '', at, e = 1003, e = 1004, e = 1005, e = 1006, e = 1007) AS three,
       crm.window_funnel('3 s', '', at, e = 1003, e = 1004, e = 1005, e = 1006, e = 1007) AS four,
       crm.window_funnel('4 s', '', at, e = 1003, e = 1004, e = 1005, e = 1006, e = 1007) AS five,
       crm.window_funnel('3.999999 s', '', at, e = 1003, e = 1004, e = 1005, e = 1006, e = 1007) AS four,
       crm.window_funnel('10000 s', '', at, e = 1001, e = 1008) AS two,
       crm.window_funnel('10000 s', '', at, e = 1008, e = 1001) AS one,
       crm.window_funnel('4 s', '', at, e <= 1007, e >= 1002, e <= 1006, e >= 1004) AS four,
       crm.window_funnel('0', '', at, e = 1001, e = 1001) AS two FROM pg_temp.number;
-- The same moment.
CREATE TABLE pg_temp.tied AS SELECT 'epoch'::timestamptz + s * interval '1 second' AS at, e FROM (VALUES (0, 1000), (1, 1001), (1, 1002), (1, 1003), (2, 1004)) v (s, e);
SELECT crm.window_funnel('1 day', m, at, e = 1000, e = 1001, e = 1002, e = 1003, e = 1004) AS steps, crm.window_funnel('1 day', m, at, e = 1004, e = 1004, e = 1004) AS same,
       crm.window_funnel('1 day', m, at, e = 1003, e = 1001, e < 1003, e = 1004) AS dealt
FROM pg_temp.tied, unnest(ARRAY['', 'strict_increase', 'strict_once', 'strict_once,strict_increase']) WITH ORDINALITY AS u (m, n) GROUP BY m, n ORDER BY n;
-- A chain that is complete is not lost when another begins in the moment of its second step.
SELECT crm.window_funnel('10 s', 'strict_increase', 'epoch'::timestamptz + s * interval '1 second', e = 'a', e = 'b', e = 'c') AS three
FROM (VALUES (0, 'a'), (1, 'a'), (1, 'b'), (2, 'c')) v (s, e);
-- strict_once deals the rows of a moment to the steps as well as can be.
SELECT crm.window_funnel('0', 'strict_once', 'epoch', VARIADIC m) AS two FROM (VALUES ('{t,t}'::boolean[]), ('{f,t}')) v (m);
SELECT crm.window_funnel('0', 'strict_once', 'epoch', VARIADIC m) AS three FROM (VALUES ('{t,f,t}'::boolean[]), ('{t,f,f}'), ('{f,t,f}')) v (m);
SELECT crm.window_funnel('0', 'strict_once', 'epoch', VARIADIC m) AS four FROM (VALUES ('{t,t,t,t}'::boolean[]), ('{t,t,t,f}'), ('{t,t,f,f}'), ('{t,f,f,f}')) v (m);
SELECT crm.window_funnel('0', 'strict_once', 'epoch', VARIADIC m) AS two FROM (VALUES ('{t,t,t}'::boolean[]), ('{t,t,t}')) v (m);
-- Nulls; no rows; forms of the call.
SELECT crm.window_funnel('1 day', '', at, a, b) AS one FROM (VALUES (timestamptz 'epoch', true, NULL::boolean), (NULL, NULL, true), ('epoch', NULL, NULL)) v (at, a, b);
SELECT crm.window_funnel('1 day', '', now(), true) AS zero, crm.window_funnel_times('1 day', '', now(), true) AS none FROM generate_series(1, 0);
SELECT crm.window_funnel('1 day', 'strict_order', now(), false, NULL) AS zero, crm.window_funnel_times('1 day', '', now(), false) AS none;
SELECT crm.window_funnel('1 day', '', at, VARIADIC ARRAY[e = 1003, e = 1004, NULL]) AS two FROM pg_temp.number;
SELECT crm.window_funnel('1 day', '', at, e = 1000, e = 1001) FILTER (WHERE e <> 1000) AS none, crm.window_funnel('1 day', '', at, e = 1000, e = 1001 ORDER BY at DESC) AS two FROM pg_temp.number;
SELECT crm.window_funnel('1 day', '', at, VARIADIC array_fill(false, ARRAY[i::integer]) || true || array_fill(false, ARRAY[63 - i::integer])) AS none,
       crm.window_funnel('1 day', '', 'epoch'::timestamptz + i * interval '1 s', VARIADIC array_fill(false, ARRAY[i::integer]) || true || array_fill(false, ARRAY[63 - i::integer])) AS all_64
FROM generate_series(0, 63) i, (SELECT 'epoch'::timestamptz - i * interval '1 s' AS at FROM (SELECT 1 AS i) x) y;
SELECT crm.window_funnel('1000000 days', '', at, a, b) AS two, crm.window_funnel('106751991 days', '', at, b, a) AS two FROM (VALUES (timestamptz '-infinity', true, true), ('infinity', true, true)) v (at, a, b);
-- Moments of the steps: of the first chain that was complete, and never falling.
SELECT e, crm.window_funnel('1 day', '', 'epoch'::timestamptz + i * interval '1 s', c = 'a', c = 'b', c = 'c') AS level,
       (SELECT array_agg(extract(epoch FROM t)::integer) FROM unnest(crm.window_funnel_times('1 day', '', 'epoch'::timestamptz + i * interval '1 s', c = 'a', c = 'b', c = 'c')) t) AS seconds
FROM unnest(ARRAY['abc', 'aabbcc', 'abac', 'abababc', 'abcabc', 'abbb', 'ca', 'x']) e, string_to_table(e, NULL) WITH ORDINALITY AS u (c, i) GROUP BY e;
SELECT crm.window_funnel_times('3 s', '', at, e = 1003, e = 1004, e = 1007) AS two, crm.window_funnel_times('1 day', 'strict_once', at, e < 1003, e < 1003, e < 1009) AS three FROM pg_temp.number;
-- Running, as a window function.
SELECT e, crm.window_funnel('5 s', '', at, e = 1001, e = 1003, e = 1006) OVER (ORDER BY at) FROM pg_temp.number;
SELECT e, crm.window_funnel('5 s', '', at, e = 1001, e = 1003, e = 1006) OVER (ORDER BY at DESC) FROM pg_temp.number;
SELECT e, (SELECT array_agg(extract(epoch FROM t)::integer) FROM unnest(times) t) AS seconds FROM (
    SELECT e, crm.window_funnel_times('5 s', '', at, e = 1001, e = 1003, e = 1006) OVER (ORDER BY at DESC) AS times FROM pg_temp.number) r;

-- Arguments of its own for every group: the same as group by group, however they are grouped.
CREATE TABLE pg_temp.own AS SELECT c, 'epoch'::timestamptz + i * interval '1 minute' AS at, i % 4 AS kind, c % 300 * interval '2 minutes' AS span, CASE c % 3 WHEN 0 THEN '' WHEN 1 THEN 'strict_increase' ELSE 'strict_once' END AS mode
FROM generate_series(0, 499) c, generate_series(0, 9) i;
ANALYZE pg_temp.own;
CREATE FUNCTION pg_temp.own_levels() RETURNS TABLE (level integer, groups bigint) LANGUAGE sql AS $$
    SELECT l, count(*) FROM (SELECT crm.window_funnel(span, mode, at, kind = 1, kind = 2, kind = 3, kind = 0) AS l FROM pg_temp.own GROUP BY c) x GROUP BY 1 ORDER BY 1
$$;
SET enable_sort = off;
SELECT * FROM pg_temp.own_levels();
RESET enable_sort; SET enable_hashagg = off;
SELECT * FROM pg_temp.own_levels();
RESET enable_hashagg; SET work_mem = '64kB'; SET enable_sort = off;
SELECT * FROM pg_temp.own_levels();
RESET work_mem; RESET enable_sort;
SELECT l, count(*) FROM pg_temp.own o, LATERAL (SELECT crm.window_funnel(o.span, o.mode, at, kind = 1, kind = 2, kind = 3, kind = 0) AS l FROM pg_temp.own i WHERE i.c = o.c) x WHERE o.kind = 1 AND o.at < 'epoch'::timestamptz + interval '2 minutes' GROUP BY 1 ORDER BY 1;
SELECT span, mode, max(level) FROM (SELECT span, mode, crm.window_funnel(span, mode, at, kind = 1, kind = 2) AS level FROM pg_temp.own WHERE c < 6 GROUP BY GROUPING SETS ((span, mode, c), (span, mode, kind), (span, mode))) x GROUP BY 1, 2 ORDER BY 1, 2;
SELECT crm.window_funnel(span, mode, at, kind = 1, kind = 2) FROM pg_temp.own;
SELECT count(*) AS rows, count(*) FILTER (WHERE running <> (SELECT crm.window_funnel(r.span, r.mode, i.at, i.kind = 1, i.kind = 2, i.kind = 3) FROM pg_temp.own i WHERE i.c = r.c AND i.at <= r.at)) AS other,
       count(*) FILTER (WHERE sliding <> (SELECT crm.window_funnel(r.span, r.mode, i.at, i.kind = 1, i.kind = 2, i.kind = 3) FROM pg_temp.own i WHERE i.c = r.c AND i.at BETWEEN r.at - interval '3 minutes' AND r.at)) AS other_sliding
FROM (SELECT *, crm.window_funnel(span, mode, at, kind = 1, kind = 2, kind = 3) OVER (PARTITION BY c ORDER BY at) AS running,
             crm.window_funnel(span, mode, at, kind = 1, kind = 2, kind = 3) OVER (PARTITION BY c ORDER BY at ROWS 3 PRECEDING) AS sliding FROM pg_temp.own WHERE c < 40) r;

-- Many rows in any order: sorted, and by parallel workers, who must agree.
CREATE TABLE funnel_event AS SELECT i % 100 AS contact_id, 'epoch'::timestamptz + (hashint4(i + 7) & 2147483647) % 200000 * interval '1 minute' AS at, (hashint4(i) & 2147483647) % 5 AS kind FROM generate_series(1, 20000) i;
ANALYZE funnel_event;
CREATE TEMPORARY TABLE serial AS SELECT contact_id, crm.window_funnel('1 day', 'strict_increase', at, kind = 1, kind = 2, kind = 3, kind = 4) AS level,
       crm.window_funnel_times('1 day', '', at, kind = 1, kind = 2, kind = 3, kind = 4) AS times FROM funnel_event GROUP BY 1;
SELECT level, count(*) FROM serial GROUP BY 1 ORDER BY 1;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT contact_id, crm.window_funnel('1 day', '', at, kind = 1, kind = 2) FROM funnel_event GROUP BY 1;
SELECT count(*) AS other FROM serial s JOIN (SELECT contact_id, crm.window_funnel('1 day', 'strict_increase', at, kind = 1, kind = 2, kind = 3, kind = 4) AS level,
       crm.window_funnel_times('1 day', '', at, kind = 1, kind = 2, kind = 3, kind = 4) AS times FROM funnel_event GROUP BY 1) p USING (contact_id) WHERE (p.level, p.times) IS DISTINCT FROM (s.level, s.times);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;
DROP TABLE funnel_event;

-- Bad input.
\set SHOW_CONTEXT never
SELECT crm.window_funnel('1 month', '', now(), true);
SELECT crm.window_funnel('-1 day', '', now(), true);
SELECT crm.window_funnel('178000000 days', '', now(), true);
SELECT crm.window_funnel(NULL, '', now(), true);
SELECT crm.window_funnel('1 day', NULL, now(), true);
SELECT crm.window_funnel('1 day', 'strict_order,stricter', now(), true);
SELECT crm.window_funnel('1 day', 'allow_reentry', now(), true);
SELECT crm.window_funnel('1 day', '', now(), true, 1);
SELECT crm.window_funnel('1 day', '', now(), 'x');
SELECT crm.window_funnel('1 day', '', now(), VARIADIC '{1}'::integer[]);
SELECT crm.window_funnel('1 day', '', now(), VARIADIC '{}'::boolean[]);
SELECT crm.window_funnel('1 day', '', now(), VARIADIC NULL::boolean[]);
SELECT crm.window_funnel('1 day', '', now(), VARIADIC array_fill(true, ARRAY[65]));
SELECT crm.window_funnel(i * interval '1 day', '', now(), true) FROM generate_series(1, 2) i;
SELECT crm.window_funnel('1 day', '', now(), VARIADIC array_fill(true, ARRAY[i])) FROM generate_series(1, 2) i;
