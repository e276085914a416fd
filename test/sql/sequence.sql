-- Patterns of events, retention, journeys: worked out by hand.  R-063 R-153
SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
-- A letter an event, a second apart; conditions a, b and c.
CREATE FUNCTION pg_temp.matches(events text, pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT crm.sequence_match(pattern, at, e = 'a', e = 'b', e = 'c') || ' ' || crm.sequence_count(pattern, at, e = 'a', e = 'b', e = 'c')
    FROM (SELECT e, 'epoch'::timestamptz + i * interval '1 second' AS at FROM string_to_table(events, NULL) WITH ORDINALITY AS u (e, i)) x
$$;
SELECT e AS events, p AS pattern, pg_temp.matches(e, p) FROM (VALUES
    ('acbacb', '(?1).*(?2)'), ('acb', '(?1)(?2)'), ('axb', '(?1)(?2)'), ('acb', '(?1).(?2)'), ('ab', '(?1).(?2)'), ('ab', '(?1).*.*(?2)'), ('ab', '.*(?1)(?2).*'),
    ('ba', '(?1).*(?2)'), ('aabb', '(?1)(?2)'), ('abab', '(?1)(?2)'), ('ababab', '(?1)(?2)(?1)'), ('aaaa', '(?1)(?1)'), ('aaaaa', '(?1).*(?1)'), ('abc', '...'), ('ab', '...'), ('x', '(?1)'), ('', '(?1)'),
    ('a.b', '(?1)(?t<=2)(?2)'), ('a..b', '(?1)(?t<=2)(?2)'), ('a..b', '(?1)(?t<3).*(?2)'), ('a..b', '(?1)(?t<=3)(?2)'), ('a..b', '(?1)(?t>=3)(?2)'), ('a..b', '(?1)(?t>3)(?2)'), ('a..b', '(?1)(?t==3)(?2)'), ('a..b', '(?1)(?t==2)(?2)'),
    ('a.a..b', '(?1)(?t>=4)(?2)'), ('a.ac.b', '(?1)(?t<=3)(?2)'), ('a.b....b', '(?1)(?t>3)(?t<8)(?2)'), ('ab.....c', '(?1).*(?2)(?t<=3)(?3)'), ('ab..b...c', '(?1).*(?2)(?t<=4)(?3)'),
    ('abc', '(?1)(?t<=1 minute).(?3)'), ('abc', E'(?1) (?t <= 1 hour )\n.* (?3)')) v (e, p);
-- The first match that ends is taken, then one goes on behind it.
SELECT pg_temp.matches('abcabc', '(?1)(?2)') AS "2", pg_temp.matches('aabcabcc', '(?1).*(?2).*(?3)') AS "2", pg_temp.matches('aabb', '(?1)(?t<=1)(?2)') AS "1", pg_temp.matches('ababcc', '(?1)(?t>=3)(?3)') AS "1";
-- One moment: in the order of conditions. A row for which two conditions hold.
SELECT crm.sequence_match('(?1)(?2)', 'epoch', e = 'a', e = 'b') AS t, crm.sequence_match('(?2)(?1)', 'epoch', e = 'a', e = 'b') AS f FROM (VALUES ('b'), ('a')) v (e);
SELECT crm.sequence_match('(?1)(?2)', at, a, b) AS f, crm.sequence_match('(?2)(?1)', at, a, b) AS f, crm.sequence_count('(?2)', at, a, b) AS "1" FROM (VALUES (timestamptz 'epoch', true, true), (NULL, true, true), ('epoch', NULL, NULL)) v (at, a, b);
SELECT crm.sequence_count('(?1)(?t>=1 day)(?2)', at, true, true) AS "1", crm.sequence_count('(?1)(?t<=15000000 weeks)(?2)', at, true, true) AS "0" FROM (VALUES (timestamptz '-infinity'), ('infinity')) v (at);
-- What would take a backtracking matcher for ever.
SELECT crm.sequence_match('(?1)(?t<=5).*(?1)(?t<=5).*(?1)(?t<=5).*(?1)(?t<=5).*(?2)', 'epoch'::timestamptz + i * interval '1 s', true, i = 100001 AND i < 0) AS f FROM generate_series(1, 100000) i;
SELECT crm.sequence_count(repeat('(?1).*', 63) || '(?2)', 'epoch'::timestamptz + i * interval '1 s', i % 64 <> 0, i % 64 = 0) AS "156" FROM generate_series(1, 9999) i;
-- Malformed patterns.
CREATE FUNCTION pg_temp.refused(pattern text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    what text; detail text; hint text;
BEGIN
    PERFORM crm.sequence_match(pattern, now(), true, false);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS what = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN format('%s %s %s | %s', SQLSTATE, what, detail, hint);
END
$$;
SELECT pg_temp.refused(p) FROM unnest(ARRAY['', '.*', '(?3)', '(?0)', '(?)', '(?1', '(?1x)', '1', '(1)', '(?1)*', '(?t<=1)(?1)', '(?1)(?t<=1)', '(?1)(?t=1)(?2)', '(?1)(?t<=x)(?2)', '(?1)(?t<=1 month)(?2)',
    '(?1)(?t<=1234567890)(?2)', '(?1)(?t<=999999999 weeks)(?2)', repeat('.', 65), 'ä(?1)', '(?1)ä']) p;
SELECT crm.sequence_match(NULL, now(), true);
SELECT crm.sequence_match(p, now(), true) FROM unnest(ARRAY['(?1)', '.']) p;
SELECT crm.sequence_match('(?1)', now(), 1);

-- Retention: of 15, 10 and 5 who came on three days, 5 came on the first, too.
CREATE TABLE visit AS SELECT u AS contact_id, date '2026-01-01' + d AS day FROM generate_series(0, 2) d, generate_series(1, 5 + 5 * d) u;
SELECT sum(r[1]::integer), sum(r[2]::integer), sum(r[3]::integer)
FROM (SELECT contact_id, crm.retention(day = '2026-01-01', day = '2026-01-02', day = '2026-01-03') AS r FROM visit GROUP BY 1) x;
SELECT contact_id, crm.retention(day = '2026-01-02', day = '2026-01-01', NULL, day > '2026-01-02') FROM visit WHERE contact_id IN (5, 6, 11) GROUP BY 1 ORDER BY 1;
SELECT crm.retention(VARIADIC ARRAY[day = '2026-01-02', day = '2026-01-05']), crm.retention(false) FILTER (WHERE day IS NULL) FROM visit;
SELECT crm.retention(1);
SELECT crm.retention(VARIADIC array_fill(true, ARRAY[33]));
SELECT crm.retention(VARIADIC array_fill(true, ARRAY[i])) FROM generate_series(1, 2) i;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
CREATE TABLE many AS SELECT i % 100 AS contact_id, (hashint4(i) & 2147483647) % 7 AS kind, 'epoch'::timestamptz + (hashint4(i + 7) & 2147483647) % 200000 * interval '1 minute' AS at FROM generate_series(1, 20000) i;
ANALYZE many;
SET max_parallel_workers_per_gather = 0;
CREATE VIEW answer AS SELECT contact_id, crm.retention(kind = 1, at > 'epoch'::timestamptz + interval '130 days', kind = 9) AS r, crm.sequence_count('(?1)(?t<=1 day)(?2).(?1)', at, kind = 1, kind = 2) AS s,
    crm.sequence_match('(?1)(?t<=3 hours)(?2)(?t>2 days)(?t<=3 days)(?3)', at, kind = 1, kind = 2, kind = 3) AS m, crm.journey_path('kind ' || kind, at) AS p FROM many GROUP BY 1;
CREATE TABLE serial AS SELECT * FROM answer;
SELECT sum(s), count(*) FILTER (WHERE m), count(*) FILTER (WHERE r[2]), sum(cardinality(p)) FROM serial;
SET max_parallel_workers_per_gather = 2; SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT * FROM answer;
SELECT count(*) FROM (TABLE answer EXCEPT TABLE serial) x;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather; RESET enable_sort;
DROP VIEW answer;
DROP TABLE serial, many, visit;

-- Journeys.  R-070
CREATE TABLE step AS SELECT c AS contact_id, timestamptz '2026-03-01 10:00' + m * interval '1 minute' AS occurred_at, e AS kind FROM (VALUES
    (1, 0, 'site'), (1, 1, 'site'), (1, 5, 'call'), (1, 500, 'site'), (1, 501, 'order'),
    (2, 0, 'site'), (2, 9, 'call'), (2, 600, 'order'),
    (3, 0, 'call'), (3, 0, 'site'), (3, 3, 'call'), (3, 4, NULL), (NULL, 4, 'site'), (3, NULL, 'site')) v (c, m, e);
SELECT contact_id, crm.journey_path(kind, occurred_at), crm.journey_path(kind, occurred_at, 2, NULL) AS two, crm.journey_path(kind, occurred_at, NULL, '1 hour') AS session, crm.journey_path(kind, occurred_at, 1, '0') AS one FROM step GROUP BY 1 ORDER BY 1;
SELECT crm.journey_path('x', now()) FROM generate_series(1, 0);
-- Running, as window functions: each row the same as the aggregate over the rows so far.
SELECT count(*) AS rows,
       count(*) FILTER (WHERE r.match IS DISTINCT FROM p.match) AS match, count(*) FILTER (WHERE r.count IS DISTINCT FROM p.count) AS count,
       count(*) FILTER (WHERE r.kept IS DISTINCT FROM p.kept) AS kept, count(*) FILTER (WHERE r.path IS DISTINCT FROM p.path) AS path, count(*) FILTER (WHERE r.cut IS DISTINCT FROM p.cut) AS cut
FROM (SELECT i, crm.sequence_match('(?1).*(?2)(?t<60)(?3)', at, k = 1, k = 2, k = 3) OVER w AS match, crm.sequence_count('(?1).*(?2)', at, k = 1, k = 2) OVER w AS count,
             crm.retention(k = 1, k = 2, k = 5) OVER w AS kept, crm.journey_path(chr(97 + k), at) OVER w AS path, crm.journey_path(chr(97 + k), at, 5, '3 minutes') OVER w AS cut
      FROM (SELECT i, i * 7 % 5 AS k, 'epoch'::timestamptz + i * 37 % 100 * interval '1 minute' AS at FROM generate_series(1, 100) i) e WINDOW w AS (ORDER BY i)) r
JOIN LATERAL (SELECT crm.sequence_match('(?1).*(?2)(?t<60)(?3)', at, k = 1, k = 2, k = 3) AS match, crm.sequence_count('(?1).*(?2)', at, k = 1, k = 2) AS count,
                     crm.retention(k = 1, k = 2, k = 5) AS kept, crm.journey_path(chr(97 + k), at) AS path, crm.journey_path(chr(97 + k), at, 5, '3 minutes') AS cut
              FROM (SELECT i * 7 % 5 AS k, 'epoch'::timestamptz + i * 37 % 100 * interval '1 minute' AS at FROM generate_series(1, r.i) i) e) p ON true;
SELECT * FROM crm.journey_paths('step');
SELECT * FROM crm.journey_paths('step', gap => '1 hour');
SELECT * FROM crm.journey_paths('step', gap => '1 hour', max_steps => 1);
SELECT * FROM crm.journey_paths('step', starts_with => 'call', max_steps => NULL);
SELECT * FROM crm.journey_paths('step', ends_with => 'order', max_steps => 2);
SELECT * FROM crm.journey_paths('step', starts_with => 'site', ends_with => 'call', since => '2026-03-01 10:00', until => '2026-03-01 10:05');
SELECT step, event, next_event, sum(journeys) AS journeys FROM crm.journey_paths('step'), crm.journey_edges(path) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT crm.journey_path('x', now(), 0, NULL);
SELECT crm.journey_path('x', now(), 1, '-1 s');
SELECT crm.journey_path('x', now(), 1, '1 month');
SELECT crm.journey_path('x', now(), i, NULL) FROM generate_series(1, 2) i;
SELECT * FROM crm.journey_paths('step', max_steps => 0);
SELECT * FROM crm.journey_paths('step', gap => '-1 s');
\set VERBOSITY sqlstate
SELECT * FROM crm.journey_paths('step', event_column => 'none');
\set VERBOSITY default
DROP TABLE step;
