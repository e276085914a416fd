-- Sets of contact ids: text, operators, functions, plans, indexes.  R-081
SET plan_cache_mode = auto;
SET search_path = crm, public;
SET client_min_messages = warning;

-- ---- text: what is read, and how it is written
SELECT value, value::contact_set AS canonical
FROM (VALUES ('{}'), ('{ }'), ('{5}'), ('{3,1,2}'), ('{1,2}'), ('{1,2,3}'), (' { 5, 1 ,7 .. 9, 8,+6 } '), ('{7..9,1..3,2..5}'),
    ('{-1,0,1}'), ('{-3..-1}'), ('{65535,65536,65537}'), ('{65535,65536}'), ('{1..65536,65537..131072}'), ('{007}'), ('{5..5}'),
    ('{9223372036854775807,-9223372036854775808}'), ('{9223372036854775805..9223372036854775807}'),
    ('{-9223372036854775808..-9223372036854775806,4294967295,4294967296}'), ('{1..1000000000}')) v (value);
SELECT (check_contact_set(value)).code, value, (check_contact_set(value)).message, (check_contact_set(value)).hint
FROM (VALUES (''), ('1,2'), ('{'), ('{1'), ('{1,'), ('{,1}'), ('{1,}'), ('{1 2}'), ('{1-3}'), ('{1–3}'), ('{1..}'), ('{..3}'), ('{3..1}'),
    ('{1..2..3}'), ('{x}'), ('{é}'), ('{1.5}'), ('{0x10}'), ('{1}}'), ('{1} 2'), ('{--1}'), ('{NULL}'),
    ('{9223372036854775808}'), ('{-9223372036854775809}'), ('{1..9223372036854775807}'),
    ('{-9223372036854775808..9223372036854775807}'), ('{0..2000000000000}'),
    ('roaring:'), ('roaring:AAAA'), ('roaring:AAAAAAAAAAA='), ('roaring:AAAAAAAAAAA!'), ('roaring:AQAAAAAAAAA=')) v (value);
SELECT '{1-3}'::contact_set;
SELECT try_contact_set('{1,x}') IS NULL AS refused, try_contact_set('{1,2}') AS accepted, (check_contact_set('{2,1}')).*;
SELECT 'roaring:AAAAAAAAAAA='::contact_set AS empty, contact_set('{4..6}') AS by_name;

-- ---- arrays
SELECT contact_set('{3,1,3,2,70000,-5}'::bigint[]), contact_set('{}'::bigint[]), contact_set(ARRAY[[1,2],[3,4]]::bigint[]),
       '{1,2}'::bigint[]::contact_set, '{7..9,70000}'::contact_set::bigint[], '{}'::contact_set::bigint[];
SELECT contact_set(ARRAY[1, NULL]);
SELECT member_array('{1..200000000}');

-- ---- the portable form: two bitmaps of the specification, by hand
SELECT encode(to_roaring('{}'), 'hex') AS nothing,
       encode(to_roaring('{1,5,70000}'), 'hex') AS two_arrays,
       encode(to_roaring('{-1}'), 'hex') AS negative,
       encode(to_roaring('{0..99}'), 'hex') AS one_run;
SELECT from_roaring(decode('0100000000000000' || '00000000' || '3a300000' || '02000000' || '00000100' || '01000000' || '18000000' || '1c000000' || '01000500' || '7011', 'hex'));
SELECT from_roaring(decode('0100000000000000' || '00000000' || '3b300000' || '01' || '00006300' || '0100' || '00006300', 'hex'));
-- runs that touch, which some programs write; an empty bitmap
SELECT from_roaring(decode('0100000000000000' || '00000000' || '3b300000' || '01' || '00006300' || '0200' || '00003100' || '32003100', 'hex'));
SELECT from_roaring(decode('0100000000000000' || '00000000' || '3a300000' || '00000000', 'hex'));
SELECT from_roaring(decode('0100000000000000' || '00000000' || '3b300000' || '01' || '00006300' || '0200' || '00003100' || '31003100', 'hex'));
SELECT from_roaring('\x00');
SELECT bool_and(from_roaring(to_roaring(s)) = s) AS same
FROM unnest(ARRAY['{}', '{1}', '{-70000..70000}', '{1,3,5,9223372036854775807,-9223372036854775808}']::contact_set[]) s;

-- ---- algebra, against EXCEPT, INTERSECT and UNION below and in TAP
WITH s (a, b) AS (VALUES ('{1..10,70000}'::contact_set, '{5..20,80000}'::contact_set))
SELECT a & b AS "and", a | b AS "or", a - b AS minus, a # b AS xor, a && b AS overlaps, a @> b AS contains, a <@ b AS contained,
       a = b AS equal, a <> b AS differs, intersect_count(a, b), union_count(a, b), difference_count(a, b), round(jaccard(a, b)::numeric, 6) AS jaccard
FROM s;
SELECT '{1..10}'::contact_set @> '{3,4}'::contact_set AS t, '{3,4}'::contact_set <@ '{1..10}'::contact_set AS t,
       '{1..10}'::contact_set @> '{}'::contact_set AS t, '{}'::contact_set <@ '{}'::contact_set AS t, '{}'::contact_set && '{}'::contact_set AS f,
       '{1..10}'::contact_set @> '{3,40}'::contact_set AS f, jaccard('{}', '{}') AS one, jaccard('{}', '{1}') AS zero;
SELECT '{1,2}'::contact_set | 70000 AS "with", '{1..3}'::contact_set - 2 AS without, '{1}'::contact_set - 1 AS empty,
       '{1}'::contact_set | 1 AS same, '{1}'::contact_set - 5 AS same, 5 <@ '{1..9}'::contact_set AS t, '{1..9}'::contact_set @> 10 AS f;

-- ---- one set
SELECT cardinality(s), is_empty(s), minimum(s), maximum(s), rank(s, 0), rank(s, 8), rank(s, 70000), select_member(s, 1), select_member(s, 4), select_member(s, 5), select_member(s, 0)
FROM unnest(ARRAY['{}', '{1,7..8,70000}', '{-9223372036854775808,9223372036854775807}']::contact_set[]) s;
SELECT * FROM members('{-1,3..5,70000}') AS m (id);
SELECT count(*), min(m), max(m), sum(m) FROM members('{-100000..100000,4294967296..4294967300}') m;

-- ---- aggregates
SELECT contact_set_agg(i), contact_set_agg(i) FILTER (WHERE i % 3 = 0), contact_set_agg(i) FILTER (WHERE i > 100) AS none,
       contact_set_agg(NULLIF(i, i)) AS nulls FROM generate_series(1, 10) i;
SELECT union_agg(s), intersect_agg(s), union_agg(s) FILTER (WHERE false) AS none, intersect_agg(s) FILTER (WHERE false) AS none
FROM unnest(ARRAY['{1..5}', NULL, '{3..9}', '{4,5,70000}']::contact_set[]) s;
SELECT i, contact_set_agg(i) OVER (ORDER BY i ROWS 2 PRECEDING), union_agg(contact_set(ARRAY[i, -i])) OVER (ORDER BY i) FROM generate_series(1, 4::bigint) i;

-- many ids, sparse,
-- dense and in runs, beside SQL
CREATE TEMP TABLE pool AS
SELECT id, kind, side FROM (
    SELECT (i * 7919 % 200003) + 1 AS id, 'dense' AS kind, i % 2 AS side FROM generate_series(1, 60000::bigint) i
    UNION ALL SELECT (i * i * 104729 % 1000000007) * 4099 - 2000000000000, 'sparse', i % 2 FROM generate_series(1, 5000::bigint) i
    UNION ALL SELECT i + i / 100 * 37, 'runs', 0 FROM generate_series(1, 40000::bigint) i
    UNION ALL SELECT i + i / 60 * 61, 'runs', 1 FROM generate_series(1, 30000::bigint) i
    UNION ALL SELECT 5000000 + i * 3, 'bitmap', 0 FROM generate_series(1, 50000::bigint) i
    UNION ALL SELECT 5000000 + i * 2, 'bitmap', 1 FROM generate_series(1, 50000::bigint) i) p;
CREATE TEMP TABLE built AS
SELECT x.kind AS x, y.kind AS y, x.s AS a, y.s AS b
FROM (SELECT kind, contact_set_agg(id) s FROM pool WHERE side = 0 GROUP BY kind) x, (SELECT kind, contact_set_agg(id) s FROM pool WHERE side = 1 GROUP BY kind) y;
SELECT count(*) AS pairs, count(*) FILTER (WHERE intersect_count(a, b) > 0) AS overlapping,
    count(*) FILTER (WHERE member_array(a) <> ARRAY(SELECT DISTINCT id FROM pool WHERE kind = x AND side = 0 ORDER BY 1)) AS wrong_set,
    count(*) FILTER (WHERE member_array(a & b) <> ARRAY(SELECT id FROM pool WHERE kind = x AND side = 0 INTERSECT SELECT id FROM pool WHERE kind = y AND side = 1 ORDER BY 1)) AS wrong_and,
    count(*) FILTER (WHERE member_array(a | b) <> ARRAY(SELECT id FROM pool WHERE kind = x AND side = 0 UNION SELECT id FROM pool WHERE kind = y AND side = 1 ORDER BY 1)) AS wrong_or,
    count(*) FILTER (WHERE member_array(a - b) <> ARRAY(SELECT id FROM pool WHERE kind = x AND side = 0 EXCEPT SELECT id FROM pool WHERE kind = y AND side = 1 ORDER BY 1)) AS wrong_minus,
    count(*) FILTER (WHERE a # b <> (a - b) | (b - a) OR a # b <> (a | b) - (a & b)) AS wrong_xor,
    count(*) FILTER (WHERE intersect_count(a, b) <> cardinality(a & b) OR union_count(a, b) <> cardinality(a | b) OR difference_count(a, b) <> cardinality(a - b)) AS wrong_count,
    count(*) FILTER (WHERE NOT (a | b) @> a OR NOT (a & b) <@ b OR (a - b) && b OR (a && b) <> (intersect_count(a, b) > 0)) AS wrong_test
FROM built;
SELECT kind, side, cardinality(s), cardinality(s) = count AS right_count, s::text::contact_set = s AS text, contact_set(member_array(s)) = s AS array, from_roaring(to_roaring(s)) = s AS portable,
    rank(s, select_member(s, count / 3)) = count / 3 AS rank, (SELECT bool_and(s @> id AND id <@ s) FROM pool p WHERE p.kind = q.kind AND p.side = q.side) AS has
FROM (SELECT kind, side, contact_set_agg(id) s, count(DISTINCT id) FROM pool GROUP BY kind, side) q ORDER BY 1, 2;
DROP TABLE built;

-- ---- samples and arms
SELECT cardinality(sample('{1..1000}', 100, 1)), sample('{1..1000}', 100, 1) = sample('{1..1000}', 100, 1) AS again, sample('{1..1000}', 100, 1) <> sample('{1..1000}', 100, 2) AS other,
       sample('{1..1000}', 100, 1) <@ '{1..1000}'::contact_set AS within, sample('{1..5}', 10, 1) AS "all", sample('{1..5}', 0, 1) AS none,
       sample('{1..1000}', 10, 1) <@ sample('{1..1000}', 100, 1) AS nested,
       (sample('{1..1000}', 500, 1) & '{1..400}') @> sample('{1..400}', cardinality(sample('{1..1000}', 500, 1) & '{1..400}'), 1) AS of_a_subset;
SELECT sample('{1}', -1, 1);
SELECT arm, cardinality(members) BETWEEN share - 1000 AND share + 1000 AS fair, bool_and(arm_of(id, '{1,0,2,7}', 42) = arm) AS same
FROM split('{1..100000}', '{1,0,2,7}', 42) JOIN (VALUES (1, 10000), (2, 0), (3, 20000), (4, 70000)) e (arm, share) USING (arm)
LEFT JOIN LATERAL members(members) AS id ON true GROUP BY arm, members, share ORDER BY arm;
-- the same contact in the same arm, whatever set it is in; other seeds do not follow
SELECT bool_and((a.members & '{500..70500}') = b.members) AS same_arms FROM split('{1..100000}', '{1,1,1}', 7) a JOIN split('{500..70500}', '{1,1,1}', 7) b USING (arm);
SELECT abs(intersect_count(a.members, b.members) - 25000) < 700 AS independent FROM split('{1..100000}', '{1,1}', 7) a, split('{1..100000}', '{1,1}', 8) b WHERE a.arm = 1 AND b.arm = 1;
SELECT abs(intersect_count(sample('{1..100000}', 50000, 7), members) - 25000) < 700 AS independent FROM split('{1..100000}', '{1,1}', 7) WHERE arm = 1;
-- chi-squared of 100 arms, 99 degrees of freedom: between the 0.01 % points
SELECT sum((cardinality(members) - 1000.0) ^ 2 / 1000) BETWEEN 53 AND 161 AS uniform FROM split('{1..100000}', array_fill(1, ARRAY[100])::float8[], 3);
-- fixed for ever: experiments that run now must not be dealt anew by a later version
SELECT array_agg(arm_of(i, '{1,1,1,1}', 2024) ORDER BY i) FROM generate_series(1, 16::bigint) i;
SELECT sample('{1..100}', 8, 2024);
SELECT split('{1}', '{}', 1);
SELECT split('{1}', '{0,0}', 1);
SELECT split('{1}', '{1,-1}', 1);
SELECT split('{1}', '{1,NULL}', 1);
SELECT split('{1}', '{1,inf}', 1);
SELECT split('{1}', '{{1,1},{1,1}}', 1);
SELECT arm_of(1, array_fill(1, ARRAY[1001])::float8[], 1);

-- ---- order, equality and hash: every pair of a nasty list
CREATE TEMP TABLE nasty AS SELECT row_number() OVER () AS n, s FROM unnest(ARRAY['{}', '{0}', '{1}', '{-1}', '{0,1}', '{0..2}', '{65535,65536}', '{65536,65537}', '{4294967296}', '{1..4096}', '{1..4097}',
    '{-9223372036854775808}', '{9223372036854775807}', '{1,3,5}', '{2,4,6}']::contact_set[]
    || ARRAY[(SELECT contact_set_agg(i * 2) FROM generate_series(1, 4097) i), (SELECT contact_set_agg(i * 2) FROM generate_series(2, 4098) i)]) s;
SELECT count(*) AS pairs,
    count(*) FILTER (WHERE (a.n = b.n) <> (contact_set_cmp(a.s, b.s) = 0) OR contact_set_cmp(a.s, b.s) <> -contact_set_cmp(b.s, a.s)) AS wrong_cmp,
    count(*) FILTER (WHERE (a.s < b.s) <> (contact_set_cmp(a.s, b.s) < 0) OR (a.s <= b.s) <> (contact_set_cmp(a.s, b.s) <= 0) OR (a.s = b.s) <> (contact_set_cmp(a.s, b.s) = 0)
        OR (a.s <> b.s) <> (contact_set_cmp(a.s, b.s) <> 0) OR (a.s >= b.s) <> (contact_set_cmp(a.s, b.s) >= 0) OR (a.s > b.s) <> (contact_set_cmp(a.s, b.s) > 0)) AS wrong_operator,
    count(*) FILTER (WHERE cardinality(a.s) < cardinality(b.s) AND a.s >= b.s) AS wrong_size,
    count(*) FILTER (WHERE a.n <> b.n AND (contact_set_hash(a.s) = contact_set_hash(b.s) OR contact_set_hash_extended(a.s, 7) = contact_set_hash_extended(b.s, 7))) AS collisions
FROM nasty a, nasty b;
SELECT count(*) AS wrong_triples FROM nasty a, nasty b, nasty c WHERE a.s < b.s AND b.s < c.s AND NOT a.s < c.s;
-- made in other ways, equal in bytes
SELECT count(*) AS wrong FROM nasty WHERE contact_set_hash(s) <> contact_set_hash(contact_set(member_array(s))) OR s <> (s | '{7..70000}') - ('{7..70000}' - s);
SELECT count(*), count(DISTINCT s) FROM (SELECT s FROM nasty UNION ALL SELECT s::text::contact_set FROM nasty) u;
SELECT opfname, amname, amvalidate(c.oid) AS valid FROM pg_opclass c JOIN pg_opfamily f ON f.oid = opcfamily JOIN pg_am a ON a.oid = opcmethod
WHERE opcintype = 'crm.contact_set'::regtype ORDER BY 1, 2;
-- a row of a btree index holds a third of a page: for small sets
CREATE INDEX nasty_order ON nasty (s);
CREATE INDEX nasty_order ON nasty (s) WHERE cardinality(s) < 100;
CREATE INDEX nasty_hash ON nasty USING hash (s);
SET enable_seqscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT n FROM nasty WHERE cardinality(s) < 100 ORDER BY s;
SELECT array_agg(n) = (SELECT array_agg(n ORDER BY s) FROM nasty WHERE cardinality(s) < 100) AS index_order FROM (SELECT n FROM nasty WHERE cardinality(s) < 100 ORDER BY s) o;
SET enable_sort = on;
SET enable_bitmapscan = off;
SELECT bool_and((SELECT n FROM nasty b WHERE b.s = a.s) = a.n) AS found FROM nasty a;
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP TABLE nasty;

-- ---- id <@ set in plans
CREATE TEMP TABLE person (id bigint PRIMARY KEY, x int NOT NULL);
INSERT INTO person SELECT i, i % 7 FROM generate_series(1, 30000) i;
ANALYZE person;
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE id <@ '{5,7..9,100000}';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE '{5}'::contact_set @> id AND x > 1;
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE id <@ '{}';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE id <@ '{1..20000}';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE NOT id <@ '{5}';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE x <@ '{5}'::contact_set;
PREPARE of_set (contact_set) AS SELECT count(*) FROM person WHERE id <@ $1;
EXPLAIN (COSTS OFF) EXECUTE of_set('{1,2}');
EXECUTE of_set('{1,2,5..9}');
EXECUTE of_set('{}');
EXECUTE of_set(NULL);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE of_set('{1,2}');
EXECUTE of_set('{1..29000,40000}');
RESET plan_cache_mode;
DEALLOCATE of_set;
CREATE FUNCTION pg_temp.rows_of(query text) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE line json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO line;
    RETURN NEXT line->0->'Plan'->>'Plan Rows';
END $$;
SELECT pg_temp.rows_of(q) AS rows, q FROM (VALUES ('SELECT * FROM person WHERE id <@ ''{1..3000}'''), ('SELECT * FROM person WHERE id <@ ''{1..29000}'''),
    ('SELECT * FROM person WHERE id <@ ''{1..90000}'''), ('SELECT * FROM person WHERE x <@ ''{1..3}''::crm.contact_set'), ('SELECT * FROM person WHERE NOT id <@ ''{1..3000}'''),
    ('SELECT * FROM crm.members(''{1..12345}'')'), ('SELECT * FROM crm.members(crm.contact_set(ARRAY[1,2,3]))')) v (q);
-- all ways to ask give the same, stored in line, out of line, compressed, as parameter
CREATE TEMP TABLE audience (name text, members contact_set);
CREATE TEMP TABLE packed (name text, members contact_set);
ALTER TABLE packed ALTER members SET STORAGE extended;
INSERT INTO audience VALUES ('small', '{3,4,5}'), ('even', (SELECT contact_set_agg(id) FROM person WHERE id % 2 = 0)), ('range', '{100..20000}'), ('none', '{}'), ('null', NULL),
    ('sparse', (SELECT contact_set_agg(id * 65536 * 3) FROM person) | 17), ('seventh', (SELECT contact_set_agg(id) FROM person WHERE x = 3));
INSERT INTO packed SELECT * FROM audience;
SELECT a.name, n.nested, (SELECT count(*) FROM person WHERE id <@ a.members) AS correlated,
    (SELECT count(*) FROM person JOIN members(a.members) m ON m = id) AS joined, intersect_count(a.members, '{1..30000}') AS counted, n.packed, k.members = a.members AS same
FROM audience a JOIN packed k USING (name) JOIN (
    SELECT a.name, count(*) FILTER (WHERE p.id <@ a.members) AS nested, count(*) FILTER (WHERE k.members @> p.id) AS packed
    FROM audience a JOIN packed k USING (name) CROSS JOIN person p GROUP BY a.name) n USING (name) ORDER BY 1;
SELECT count(*) FROM person WHERE id <@ (SELECT members FROM audience WHERE name = 'even');
-- sets in turn, and one probe a set
SELECT count(*) FROM audience a, generate_series(1, 40000, 4999::bigint) i WHERE members @> i;
SELECT name FROM audience WHERE members @> 17 ORDER BY 1;
SELECT name FROM packed WHERE 30000 <@ members ORDER BY 1;
SELECT name FROM audience WHERE members @> (65536 * 3 * 30000::bigint);

-- ---- GIN: which sets hold it
CREATE TEMP TABLE segment (id int, members contact_set);
INSERT INTO segment SELECT s, contact_set_agg((s * 7001 + i * i % 50000) % 3000000 + CASE WHEN s % 10 = 0 THEN -9000000000 ELSE 0 END)
FROM generate_series(1, 300) s, generate_series(1, 40::bigint) i GROUP BY s;
INSERT INTO segment VALUES (1001, '{}'), (1002, NULL), (1003, '{1..3000000}');
CREATE TEMP TABLE query AS SELECT row_number() OVER () AS n, * FROM (
    SELECT s.members AS q, minimum(s.members) AS q_id FROM segment s WHERE id % 20 = 1 AND id < 1000
    UNION ALL SELECT '{}', 5 UNION ALL SELECT '{1..3000000}', 2999999 UNION ALL SELECT '{7,2000000}', -1 UNION ALL SELECT '{100000000000}', 100000000000) u;
CREATE TEMP TABLE answer AS
SELECT 'seq' AS way, n, array_agg(id ORDER BY id) FILTER (WHERE members @> q_id) AS has, array_agg(id ORDER BY id) FILTER (WHERE members @> q) AS contains,
       array_agg(id ORDER BY id) FILTER (WHERE members && q) AS overlaps, array_agg(id ORDER BY id) FILTER (WHERE members = q) AS equal FROM segment, query GROUP BY n;
CREATE INDEX segment_members ON segment USING gin (members);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM segment WHERE members @> 42;
EXPLAIN (COSTS OFF) SELECT id FROM segment WHERE 42 <@ members;
EXPLAIN (COSTS OFF) SELECT id FROM segment WHERE members && '{5,6}';
INSERT INTO answer SELECT 'gin', n, (SELECT array_agg(id ORDER BY id) FROM segment WHERE members @> q_id), (SELECT array_agg(id ORDER BY id) FROM segment WHERE members @> q),
    (SELECT array_agg(id ORDER BY id) FROM segment WHERE members && q), (SELECT array_agg(id ORDER BY id) FROM segment WHERE members = q) FROM query;
RESET enable_seqscan;
SELECT count(*) AS queries, count(*) FILTER (WHERE s.has IS DISTINCT FROM g.has OR s.contains IS DISTINCT FROM g.contains OR s.overlaps IS DISTINCT FROM g.overlaps OR s.equal IS DISTINCT FROM g.equal) AS wrong,
       sum(array_length(s.has, 1)) AS has, sum(array_length(s.contains, 1)) AS contains, sum(array_length(s.overlaps, 1)) AS overlaps, sum(array_length(s.equal, 1)) AS equal
FROM answer s JOIN answer g USING (n) WHERE s.way = 'seq' AND g.way = 'gin';
DROP TABLE pool, person, audience, packed, segment, query, answer;
RESET search_path;
