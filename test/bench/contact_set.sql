-- Contact sets beside tables of members, arrays and, where it is installed,
-- pg_roaringbitmap (test/tool/bench: ROARINGBITMAP=folder of its source).
-- Two random sets of :rows members among twice as many ids; best of some runs,
-- each statement in turn, in one process.
\set QUIET on
\pset tuples_only on
\pset format unaligned
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET search_path = public, crm;
SELECT setseed(0.5) \g /dev/null
CREATE TABLE member (segment_id int, contact_id bigint, PRIMARY KEY (segment_id, contact_id));
INSERT INTO member SELECT s, id FROM generate_series(1, 2) s,
    LATERAL (SELECT id FROM generate_series(1, 2 * :rows) id WHERE s > 0 ORDER BY random() LIMIT :rows) r;
CREATE TABLE contact AS SELECT id::bigint AS id, id % 7 AS x FROM generate_series(1, 2 * :rows) id;
ALTER TABLE contact ADD PRIMARY KEY (id);
CREATE TABLE shuffled AS SELECT contact_id FROM member WHERE segment_id = 1 ORDER BY random();
CREATE TABLE segment AS SELECT segment_id AS id, contact_set_agg(contact_id) AS members, array_agg(contact_id) AS ids FROM member GROUP BY 1;
VACUUM ANALYZE;
SELECT format('a random set of %s members among %s ids: %s bytes; as bigint[] %s bytes, as a table with its key %s bytes', cardinality(members), 2 * :rows,
    pg_column_size(members), octet_length(array_send(ids)) - octet_length(array_send(ids)) / 12 * 4, pg_total_relation_size('member') / 2) FROM segment WHERE id = 1;

CREATE TABLE statement (n serial, topic text, what text, query text, runs int, ms numeric, workers int DEFAULT 0);
INSERT INTO statement (topic, what, query, runs) VALUES
    ('common members', 'INTERSECT of member tables', 'SELECT count(*) FROM (SELECT contact_id FROM member WHERE segment_id = 1 INTERSECT SELECT contact_id FROM member WHERE segment_id = 2) x', 3),
    ('common members', 'join of member tables', 'SELECT count(*) FROM member a JOIN member b USING (contact_id) WHERE a.segment_id = 1 AND b.segment_id = 2', 3),
    ('common members', 'intersect_count()', 'SELECT intersect_count(a.members, b.members) FROM segment a, segment b WHERE a.id = 1 AND b.id = 2', 50),
    ('common members', 'cardinality(a & b)', 'SELECT cardinality(a.members & b.members) FROM segment a, segment b WHERE a.id = 1 AND b.id = 2', 50),
    ('union', 'UNION of member tables', 'SELECT count(*) FROM (SELECT contact_id FROM member WHERE segment_id = 1 UNION SELECT contact_id FROM member WHERE segment_id = 2) x', 3),
    ('union', 'cardinality(a | b)', 'SELECT cardinality(a.members | b.members) FROM segment a, segment b WHERE a.id = 1 AND b.id = 2', 50),
    ('building, shuffled', 'array_agg()', 'SELECT array_length(array_agg(contact_id), 1) FROM shuffled', 7),
    ('building, shuffled', 'contact_set_agg()', 'SELECT cardinality(contact_set_agg(contact_id)) FROM shuffled', 7),
    ('building, shuffled', 'array_agg(DISTINCT)', 'SELECT array_length(array_agg(DISTINCT contact_id), 1) FROM shuffled', 3),
    ('building, shuffled', '(the scan and count)', 'SELECT count(contact_id) FROM shuffled', 7),
    ('a filter of all contacts', 'id IN (member table)', 'SELECT count(*) FROM contact WHERE id IN (SELECT contact_id FROM member WHERE segment_id = 1)', 5),
    ('a filter of all contacts', 'id <@ set', 'SELECT count(*) FROM contact WHERE id <@ (SELECT members FROM segment WHERE id = 1)', 5),
    ('a filter of all contacts', '(the scan, id > 0)', 'SELECT count(*) FROM contact WHERE id > 0', 5),
    ('one look into a stored set', 'member table by its key', 'SELECT count(*) FROM member WHERE segment_id = 1 AND contact_id = 4711', 50),
    ('one look into a stored set', 'set @> id', 'SELECT members @> 4711 FROM segment WHERE id = 1', 50),
    ('members as rows', 'member table', 'SELECT count(*) FROM (SELECT contact_id FROM member WHERE segment_id = 1 OFFSET 0) x', 5),
    ('members as rows', 'members(set)', 'SELECT count(*) FROM members((SELECT members FROM segment WHERE id = 1))', 5),
    ('a sample of a tenth', 'ORDER BY hash LIMIT', 'SELECT count(*) FROM (SELECT contact_id FROM member WHERE segment_id = 1 ORDER BY hashint8extended(contact_id, 7) LIMIT ' || :rows / 10 || ') x', 3),
    ('a sample of a tenth', 'sample()', 'SELECT cardinality(sample(members, ' || :rows / 10 || ', 7)) FROM segment WHERE id = 1', 5),
    ('ten arms', 'GROUP BY hash % 10', 'SELECT count(*) FROM (SELECT abs(hashint8extended(contact_id, 7) % 10), array_agg(contact_id) FROM member WHERE segment_id = 1 GROUP BY 1) x', 3),
    ('ten arms', 'split()', 'SELECT sum(cardinality(p.members)) FROM segment, split(members, array_fill(1, ARRAY[10])::float8[], 7) p WHERE id = 1', 5);
INSERT INTO statement (topic, what, query, runs, workers) VALUES
    ('building, shuffled', 'contact_set_agg(), 2 workers', 'SELECT cardinality(contact_set_agg(contact_id)) FROM shuffled', 7, 2),
    ('building, shuffled', 'array_agg(), 2 workers', 'SELECT array_length(array_agg(contact_id), 1) FROM shuffled', 7, 2);
\getenv peer ROARINGBITMAP
\if :{?peer}
CREATE SCHEMA peer;
CREATE EXTENSION roaringbitmap SCHEMA peer;
SET search_path = public, crm, peer;
CREATE TABLE peer_segment AS SELECT segment_id AS id, rb_build_agg(contact_id::int) AS members FROM member GROUP BY 1;
CREATE TABLE peer_segment64 AS SELECT segment_id AS id, rb64_build_agg(contact_id) AS members FROM member GROUP BY 1;
INSERT INTO statement (topic, what, query, runs) VALUES
    ('common members', 'pg_roaringbitmap, 32 bits', 'SELECT rb_and_cardinality(a.members, b.members) FROM peer_segment a, peer_segment b WHERE a.id = 1 AND b.id = 2', 50),
    ('common members', 'pg_roaringbitmap, 64 bits', 'SELECT rb64_and_cardinality(a.members, b.members) FROM peer_segment64 a, peer_segment64 b WHERE a.id = 1 AND b.id = 2', 50),
    ('union', 'pg_roaringbitmap, 32 bits', 'SELECT rb_cardinality(rb_or(a.members, b.members)) FROM peer_segment a, peer_segment b WHERE a.id = 1 AND b.id = 2', 50),
    ('building, shuffled', 'pg_roaringbitmap, 32 bits', 'SELECT rb_cardinality(rb_build_agg(contact_id::int)) FROM shuffled', 7),
    ('building, shuffled', 'pg_roaringbitmap, 64 bits', 'SELECT rb64_cardinality(rb64_build_agg(contact_id)) FROM shuffled', 7),
    ('one look into a stored set', 'pg_roaringbitmap, 32 bits', 'SELECT members @> 4711 FROM peer_segment WHERE id = 1', 50),
    ('members as rows', 'pg_roaringbitmap, 32 bits', 'SELECT count(*) FROM rb_iterate((SELECT members FROM peer_segment WHERE id = 1))', 5);
SELECT format('pg_roaringbitmap %s: %s bytes, 64 bits %s bytes', (SELECT extversion FROM pg_extension WHERE extname = 'roaringbitmap'), pg_column_size(a.members), pg_column_size(b.members))
FROM peer_segment a JOIN peer_segment64 b USING (id) WHERE id = 1;
\endif
DO $$
DECLARE
    s statement;
    started timestamptz;
    took numeric;
BEGIN
    FOR run IN 1 .. (SELECT max(runs) FROM statement) LOOP
        FOR s IN SELECT * FROM statement WHERE runs >= run ORDER BY n LOOP
            PERFORM set_config('max_parallel_workers_per_gather', s.workers::text, false);
            started := clock_timestamp();
            EXECUTE s.query;
            took := extract(epoch FROM clock_timestamp() - started) * 1000;
            UPDATE statement t SET ms = least(t.ms, took) WHERE t.n = s.n;
        END LOOP;
    END LOOP;
END
$$;
\pset tuples_only off
\pset format aligned
\pset footer off
SELECT s.topic, s.what, round(s.ms, 3) AS ms, round(s.ms / o.ms, 2) AS "times ours"
FROM statement s JOIN LATERAL (SELECT ms FROM statement o WHERE o.topic = s.topic AND o.what ~ '^(intersect_count|cardinality\(a \||contact_set_agg\(\)$|id <@|set @>|members\(|sample|split)') o ON true
ORDER BY (SELECT min(n) FROM statement f WHERE f.topic = s.topic), s.n;
\pset tuples_only on
\pset format unaligned
SELECT format('a look into a set that is in memory: %s ns',
    round((max(ms) FILTER (WHERE what = 'id <@ set') - max(ms) FILTER (WHERE what LIKE '(the scan, id%')) * 1e6 / (2 * :rows), 1)) || ' more than id > 0' FROM statement;

-- Many small groups: memory of the hash table as the server tells it.
CREATE TABLE grouped AS SELECT i / 3 AS g, i::bigint * 7 AS id FROM generate_series(1, 3 * :rows) i;
VACUUM ANALYZE grouped;
SET work_mem = '2GB';
SET hash_mem_multiplier = 2;
SET enable_sort = off;
CREATE FUNCTION memory(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, FORMAT json, TIMING off) ' || query INTO plan;
    RETURN (plan->0->'Plan'->>'Peak Memory Usage') || ' kB and ' || (plan->0->'Plan'->>'Disk Usage') || ' kB on disk, ' || round((plan->0->>'Execution Time')::numeric) || ' ms';
END
$$;
SELECT format('%s groups of 3 ids: contact_set_agg %s; array_agg %s; count %s', :rows, memory('SELECT g, contact_set_agg(id) FROM grouped GROUP BY g'), memory('SELECT g, array_agg(id) FROM grouped GROUP BY g'), memory('SELECT g, count(id) FROM grouped GROUP BY g'));

-- Which of many sets hold an id: with and without the index.
CREATE TABLE many AS SELECT s AS id, contact_set_agg((s * 48271::bigint % 100) * 1000003 + (i * i * 7919::bigint) % 60000) AS members
FROM generate_series(1, 10000) s, generate_series(1, 300) i GROUP BY s;
VACUUM ANALYZE many;
TRUNCATE statement;
INSERT INTO statement (topic, what, query, runs) VALUES ('sets that hold an id', 'reading all', 'SELECT count(*) FROM many WHERE members @> 3048009', 5);
DO $$ DECLARE started timestamptz; r record; BEGIN
    FOR run IN 1 .. 5 LOOP
        started := clock_timestamp(); PERFORM count(*) FROM many WHERE members @> 3048009;
        UPDATE statement SET ms = least(ms, extract(epoch FROM clock_timestamp() - started) * 1000);
    END LOOP;
END $$;
CREATE INDEX ON many USING gin (members);
INSERT INTO statement (topic, what, runs) VALUES ('sets that hold an id', 'GIN', 5);
SET enable_seqscan = off;
DO $$ DECLARE started timestamptz; BEGIN
    FOR run IN 1 .. 5 LOOP
        started := clock_timestamp(); PERFORM count(*) FROM many WHERE members @> 3048009;
        UPDATE statement SET ms = least(ms, extract(epoch FROM clock_timestamp() - started) * 1000) WHERE what = 'GIN';
    END LOOP;
END $$;
SELECT format('which of 10000 sets of 300 ids hold one: all read %s ms, GIN %s ms, %s times; the index %s bytes, the table %s',
    round(a.ms, 2), round(g.ms, 2), round(a.ms / g.ms, 1), pg_relation_size('many_members_idx'), pg_table_size('many'))
FROM statement a, statement g WHERE a.what = 'reading all' AND g.what = 'GIN';
