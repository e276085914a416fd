-- A funnel of four steps within 7 days over :rows events of a tenth as many
-- contacts in a year, beside the best plain SQL, and beside the time in which
-- PostgreSQL groups the same rows at all. Meant for ROWS=20000000. All read the
-- index in order, which is the fastest way for each of them.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET jit = off;
SET work_mem = '1GB';
SET enable_hashagg = off;
SET enable_seqscan = off;
SELECT setseed(0.5) \g /dev/null
CREATE TABLE event (contact_id bigint, at timestamptz, kind integer) WITH (autovacuum_enabled = off);
INSERT INTO event
SELECT 1 + floor(random() ^ 2 * (:rows / 10))::bigint, timestamptz '2025-01-01 00:00+00' + random() * interval '365 days',
       width_bucket(random(), ARRAY[0, 0.4, 0.62, 0.75, 0.83, 0.88, 0.95, 0.99])
FROM generate_series(1, :rows);
CREATE INDEX ON event (contact_id, at) INCLUDE (kind);
VACUUM (FREEZE, ANALYZE) event;

CREATE TABLE statement (n serial, what text, query text, ms float8, result text, workers integer);
INSERT INTO statement (what, query) VALUES
    ('nested window functions', $$
SELECT count(*) FILTER (WHERE lvl = 0) AS l0, count(*) FILTER (WHERE lvl = 1) AS l1, count(*) FILTER (WHERE lvl = 2) AS l2, count(*) FILTER (WHERE lvl = 3) AS l3, count(*) FILTER (WHERE lvl = 4) AS l4 FROM (SELECT contact_id, max(CASE WHEN s4 IS NOT NULL THEN 4 WHEN s3 IS NOT NULL THEN 3 WHEN s2 IS NOT NULL THEN 2 WHEN s1 IS NOT NULL THEN 1 ELSE 0 END) lvl FROM (
 SELECT *, CASE WHEN kind=5 AND at<=s3+interval '7 days' THEN s3 END s4 FROM (
 SELECT *, max(CASE WHEN kind=3 AND at<=s2+interval '7 days' THEN s2 END) OVER w s3 FROM (
 SELECT *, max(CASE WHEN kind=2 AND at<=s1+interval '7 days' THEN s1 END) OVER w s2 FROM (
 SELECT contact_id, kind, at, max(CASE WHEN kind=1 THEN at END) OVER w s1 FROM event WHERE kind IN (1,2,3,5)
 WINDOW w AS (PARTITION BY contact_id ORDER BY at ROWS UNBOUNDED PRECEDING)) a
 WINDOW w AS (PARTITION BY contact_id ORDER BY at ROWS UNBOUNDED PRECEDING)) b
 WINDOW w AS (PARTITION BY contact_id ORDER BY at ROWS UNBOUNDED PRECEDING)) c) d GROUP BY contact_id) l $$),
    ('crm.window_funnel()', $$SELECT count(*) FILTER (WHERE lvl = 0) AS l0, count(*) FILTER (WHERE lvl = 1) AS l1, count(*) FILTER (WHERE lvl = 2) AS l2, count(*) FILTER (WHERE lvl = 3) AS l3, count(*) FILTER (WHERE lvl = 4) AS l4 FROM (SELECT contact_id, crm.window_funnel('7 days', '', at, kind = 1, kind = 2, kind = 3, kind = 5) AS lvl FROM event WHERE kind IN (1, 2, 3, 5) GROUP BY contact_id) x$$),
    ('floor: max(at) of the same', $$SELECT count(*), max(last) FROM (SELECT contact_id, max(at) AS last FROM event WHERE kind IN (1, 2, 3, 5) GROUP BY contact_id) x$$),
    ('crm.window_funnel(), all rows', $$SELECT count(*) FILTER (WHERE lvl = 0) AS l0, count(*) FILTER (WHERE lvl = 1) AS l1, count(*) FILTER (WHERE lvl = 2) AS l2, count(*) FILTER (WHERE lvl = 3) AS l3, count(*) FILTER (WHERE lvl = 4) AS l4 FROM (SELECT contact_id, crm.window_funnel('7 days', '', at, kind = 1, kind = 2, kind = 3, kind = 5) AS lvl FROM event GROUP BY contact_id) x$$),
    ('floor: max(at), all rows', $$SELECT count(*), max(last) FROM (SELECT contact_id, max(at) AS last FROM event GROUP BY contact_id) x$$),
    ('crm.sequence_match()', $$SELECT count(*) FILTER (WHERE m) FROM (SELECT contact_id, crm.sequence_match('(?1)(?t<=7 days).*(?2).*(?3)', at, kind = 1, kind = 2, kind = 3) AS m FROM event GROUP BY contact_id) x$$);
CREATE TABLE run AS SELECT s.*, w AS processes FROM statement s, unnest(ARRAY[0, 2]) w;
DO $$
DECLARE
    s record;
    started timestamptz;
    took float8;
    rows text;
BEGIN
    FOR round IN 1 .. 5 LOOP
        FOR s IN SELECT * FROM run ORDER BY n, processes LOOP
            PERFORM set_config('max_parallel_workers_per_gather', s.processes::text, false);
            started := clock_timestamp();
            EXECUTE format('SELECT string_agg(x::text, '' '') FROM (%s) x', s.query) INTO rows;
            took := extract(epoch FROM clock_timestamp() - started) * 1000;
            UPDATE run r SET ms = least(r.ms, took), result = rows WHERE r.n = s.n AND r.processes = s.processes;
        END LOOP;
    END LOOP;
END
$$;
CREATE FUNCTION best(wanted text, workers integer DEFAULT NULL) RETURNS numeric LANGUAGE sql AS 'SELECT min(ms)::numeric FROM run WHERE what = wanted AND (workers IS NULL OR processes = workers)';
SELECT format('%s, %s workers: %s ms', what, processes, round(ms)) FROM run ORDER BY n, processes;
SELECT 'levels: ' || result FROM run WHERE what = 'crm.window_funnel()' LIMIT 1;
SELECT 'NOT EQUAL to plain SQL' FROM run a, run b WHERE a.what = 'crm.window_funnel()' AND b.what LIKE 'nested%' AND a.result <> b.result LIMIT 1;
SELECT format('best plain SQL / ours: %s; ours / floor: %s, without workers %s; over all rows %s, without workers %s',
              round(best('nested window functions') / best('crm.window_funnel()'), 1),
              round(best('crm.window_funnel()') / best('floor: max(at) of the same'), 2),
              round(best('crm.window_funnel()', 0) / best('floor: max(at) of the same', 0), 2),
              round(best('crm.window_funnel(), all rows') / best('floor: max(at), all rows'), 2),
              round(best('crm.window_funnel(), all rows', 0) / best('floor: max(at), all rows', 0), 2));
