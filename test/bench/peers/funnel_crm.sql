-- A funnel over :rows events of a tenth as many contacts, which are left in
-- :file for a peer; the best time of some runs in :seconds, levels in :levels.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET jit = off;
SET enable_hashagg = off;
SET enable_seqscan = off;
CREATE EXTENSION IF NOT EXISTS crm;
SELECT setseed(0.5) \g /dev/null
CREATE TABLE event (contact_id bigint, at timestamptz, kind integer) WITH (autovacuum_enabled = off);
INSERT INTO event
SELECT 1 + floor(random() ^ 2 * (:rows / 10))::bigint, timestamptz '2025-01-01 00:00+00' + random() * interval '365 days',
       width_bucket(random(), ARRAY[0, 0.4, 0.62, 0.75, 0.83, 0.88, 0.95, 0.99])
FROM generate_series(1, :rows);
CREATE INDEX ON event (contact_id, at) INCLUDE (kind);
VACUUM (FREEZE, ANALYZE) event;
SELECT format('\copy (SELECT contact_id, at AT TIME ZONE ''UTC'' AS at, kind FROM event) TO %L (FORMAT csv, HEADER)', :'file') \g :script
\i :script
CREATE TABLE run (seconds float8, levels text);
DO $$
DECLARE
    started timestamptz;
    found text;
BEGIN
    FOR workers IN 0 .. 2 BY 2 LOOP
        PERFORM set_config('max_parallel_workers_per_gather', workers::text, false);
        FOR i IN 1 .. 3 LOOP
            started := clock_timestamp();
            SELECT concat_ws(',', count(*) FILTER (WHERE level = 1), count(*) FILTER (WHERE level = 2), count(*) FILTER (WHERE level = 3), count(*) FILTER (WHERE level = 4)) INTO found
            FROM (SELECT contact_id, crm.window_funnel('7 days', '', at, kind = 1, kind = 2, kind = 3, kind = 5) AS level FROM event WHERE kind IN (1, 2, 3, 5) GROUP BY contact_id) x;
            INSERT INTO run VALUES (extract(epoch FROM clock_timestamp() - started), found);
        END LOOP;
    END LOOP;
END
$$;
SELECT min(seconds) FROM run \g :seconds
SELECT min(levels) FROM run \g :levels
DROP TABLE run, event;
