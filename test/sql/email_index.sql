-- crm.email in indexes: the operator classes proved, and the plans.
SELECT opcname, amname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
WHERE opcintype = 'crm.email'::regtype ORDER BY 1, 2;

BEGIN;
SET LOCAL search_path = crm, public;
CREATE TEMP TABLE nasty (n serial, e crm.email);
INSERT INTO nasty (e)
SELECT crm.email(l || '@' || d)
FROM unnest(ARRAY['a', 'A', 'aa', 'Aa', 'ab', 'a.b', 'a-b', 'a_b', 'z', 'Z', '`', '~', '!', '"a b"', '"A b"', '"@"', 'é', 'É', 'я', 'Я', '用户', 'aaaaaaaa', 'AAAAAAAAb', 'aaaaaaaab', '0']) AS l,
     unnest(ARRAY['a.b', 'b.a', 'A.B', 'com.example', 'example.com', 'www.example.com', 'a.www.example.com', 'example-x.com', 'examplex.com', 'xexample.com',
                  'example.co', 'example.com.ua', 'пример.рф', 'xn--e1afmkfd.xn--p1ai', 'www.пример.рф', 'a-b.com', 'a.com', 'b.a.com', '1.com', 'example.com']) AS d;
-- All pairs: one comparison and the operators say the same; it is antisymmetric.
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE (c < 0) <> (x.e < y.e) OR (c <= 0) <> (x.e <= y.e) OR (c = 0) <> (x.e = y.e)
                           OR (c <> 0) <> (x.e <> y.e) OR (c >= 0) <> (x.e >= y.e) OR (c > 0) <> (x.e > y.e)) AS wrong,
       count(*) FILTER (WHERE sign(c) <> -sign(email_cmp(y.e, x.e))) AS not_antisymmetric,
       count(*) FILTER (WHERE (d < 0) <> (x.e ~<~ y.e) OR (d <= 0) <> (x.e ~<=~ y.e) OR (d = 0) <> (x.e = y.e)
                           OR (d >= 0) <> (x.e ~>=~ y.e) OR (d > 0) <> (x.e ~>~ y.e)) AS wrong_by_domain,
       count(*) FILTER (WHERE sign(d) <> -sign(email_domain_cmp(y.e, x.e))) AS not_antisymmetric_by_domain,
       count(*) FILTER (WHERE x.e = y.e AND (email_hash(x.e) <> email_hash(y.e) OR email_hash_extended(x.e, 42) <> email_hash_extended(y.e, 42))) AS wrong_hash,
       count(*) FILTER (WHERE (x.e = y.e) <> (lower(local_part(x.e) COLLATE "C") || '@' || domain(x.e) = lower(local_part(y.e) COLLATE "C") || '@' || domain(y.e))) AS wrong_equality
FROM nasty x, nasty y, email_cmp(x.e, y.e) AS c, email_domain_cmp(x.e, y.e) AS d;
-- Transitive: positions in the sorted order agree with all pairs.
WITH placed AS (SELECT e, rank() OVER (ORDER BY e) AS p, rank() OVER (ORDER BY e USING ~<~) AS q FROM nasty)
SELECT count(*) FILTER (WHERE sign(email_cmp(x.e, y.e)) <> sign(x.p - y.p)) AS wrong,
       count(*) FILTER (WHERE sign(email_domain_cmp(x.e, y.e)) <> sign(x.q - y.q)) AS wrong_by_domain
FROM placed x, placed y;
-- The default order is that of (folded local part, domain) by bytes.
SELECT count(*) AS wrong FROM (
    SELECT row_number() OVER (ORDER BY e, n) AS a,
           row_number() OVER (ORDER BY lower(local_part(e) COLLATE "C") COLLATE "C", domain(e) COLLATE "C", n) AS b FROM nasty) AS s
WHERE a <> b;

-- Indexes give what sorting and scanning give.
CREATE TEMP TABLE person (id int, e crm.email);
INSERT INTO person
SELECT g, crm.email(CASE WHEN g % 3 = 0 THEN 'User' ELSE 'user' END || (g * 7919 % 5000) || '@' ||
                    (ARRAY['example.com', 'mail.example.com', 'example.org', 'gmail.com', 'пример.рф', 'shop.пример.рф', 'examples.com', 'a-example.com'])[1 + g % 8])
FROM generate_series(1, 20000) AS g;
INSERT INTO person SELECT 100000 + n, e FROM nasty;
CREATE INDEX person_e ON person (e);
CREATE INDEX person_domain ON person (e email_domain_ops);
CREATE INDEX person_hash ON person USING hash (e);
ANALYZE person;
-- Plans without the line by which 18 says that only a forbidden scan was left.
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line !~ '^ *Disabled: true' THEN RETURN NEXT line; END IF;
    END LOOP;
END $$;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE e ^@ 'User12';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE e ^@ 'user1@ex';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE e ^@ 'user1@';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE e <<@ 'example.com';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE e <<@ 'XN--E1AFMKFD.xn--p1ai';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE e <<@ 'com';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE e = 'user1@example.com';
-- An unusable right side is for the operator to refuse.
SAVEPOINT here;
SELECT * FROM person WHERE e <<@ 'no domain';
ROLLBACK TO here;
-- Not with the other order.
DROP INDEX person_domain;
SELECT pg_temp.plan($$SELECT * FROM person WHERE e <<@ 'example.com'$$);
ROLLBACK TO here;
-- The same answers by every path.
CREATE TEMP TABLE question (kind text, q text);
INSERT INTO question SELECT 'prefix', q FROM unnest(ARRAY['', 'u', 'U', 'user1', 'USER12', 'user12@', 'user12@e', 'user12@example.com', 'user12@пр',
    '"', '"@', '"@"', '"@"@', '"@"@e', '"a', '"A B"@', '~', 'z', 'Z', '`', 'я', '用', 'é', 'É', '@', 'a@example.com.ua', 'a@example.com.ua.', U&'\D7FF', U&'\+10FFFF', repeat('u', 300)]) AS q;
INSERT INTO question SELECT 'domain', q FROM unnest(ARRAY['com', 'example.com', ' EXAMPLE.com', 'mail.example.com', 'org', 'рф', 'пример.рф', 'xn--p1ai', 'shop.пример.рф', 'ample.com', 'example', 'b', '@gmail.com', 'example-x.com', '1.com', 'www.example.com']) AS q;
SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;
CREATE TEMP TABLE by_scan AS
SELECT kind, q, count(id) AS rows, sum(id) AS ids FROM question LEFT JOIN person ON e ^@ q WHERE kind = 'prefix' GROUP BY 1, 2
UNION ALL SELECT kind, q, count(id), sum(id) FROM question LEFT JOIN person ON e <<@ q WHERE kind = 'domain' GROUP BY 1, 2;
SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on; SET LOCAL enable_material = off;
SELECT pg_temp.plan($$SELECT q, id FROM question LEFT JOIN person ON e ^@ q WHERE kind = 'prefix'$$);
SELECT pg_temp.plan($$SELECT q, id FROM question LEFT JOIN person ON e <<@ q WHERE kind = 'domain'$$);
CREATE TEMP TABLE by_index AS
SELECT kind, q, count(id) AS rows, sum(id) AS ids FROM question LEFT JOIN person ON e ^@ q WHERE kind = 'prefix' GROUP BY 1, 2
UNION ALL SELECT kind, q, count(id), sum(id) FROM question LEFT JOIN person ON e <<@ q WHERE kind = 'domain' GROUP BY 1, 2;
-- By the words of the definition: what the text or the domain ends or begins with.
CREATE TEMP TABLE by_text AS
SELECT kind, q, count(id) AS rows, sum(id) AS ids FROM question LEFT JOIN person ON starts_with(lower(local_part(e) COLLATE "C") || '@' || domain(e), lower(q COLLATE "C")) WHERE kind = 'prefix' GROUP BY 1, 2
UNION ALL SELECT kind, q, count(id), sum(id) FROM question, LATERAL (SELECT CASE btrim(q, ' @') WHEN 'xn--p1ai' THEN 'рф' ELSE lower(btrim(q, ' @')) END AS d) AS s
    LEFT JOIN person ON domain(e) = d OR right(domain(e), length(d) + 1) = '.' || d WHERE kind = 'domain' GROUP BY 1, 2;
SELECT i.kind, CASE WHEN length(i.q) > 30 THEN 'long' WHEN ascii(i.q) IN (55295, 1114111) THEN 'edge of UTF-8' ELSE i.q END AS q, i.rows, (i.rows, i.ids) IS NOT DISTINCT FROM (s.rows, s.ids) AND (i.rows, i.ids) IS NOT DISTINCT FROM (t.rows, t.ids) AS same
FROM by_index i LEFT JOIN by_scan s USING (kind, q) LEFT JOIN by_text t USING (kind, q) ORDER BY i.kind, i.q COLLATE "C";
-- The same with constants in the plan.
CREATE FUNCTION pg_temp.count_prefix(q text) RETURNS bigint LANGUAGE plpgsql AS
$$ DECLARE n bigint; BEGIN EXECUTE format('SELECT count(*) FROM person WHERE e ^@ %L', q) INTO n; RETURN n; END $$;
CREATE FUNCTION pg_temp.count_domain(q text) RETURNS bigint LANGUAGE plpgsql AS
$$ DECLARE n bigint; BEGIN EXECUTE format('SELECT count(*) FROM person WHERE e <<@ %L', q) INTO n; RETURN n; END $$;
SELECT count(*) AS wrong FROM by_scan WHERE rows <> CASE kind WHEN 'prefix' THEN pg_temp.count_prefix(q) ELSE pg_temp.count_domain(q) END;
-- A generic plan, too, uses the index.
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE under (text) AS SELECT count(*) FROM person WHERE e <<@ $1;
EXPLAIN (COSTS OFF) EXECUTE under ('example.com');
EXECUTE under ('example.com');
EXECUTE under ('рф');
-- Joins agree.
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
SELECT count(*) FROM person x JOIN nasty y ON x.e = y.e;
SET LOCAL enable_mergejoin = on; SET LOCAL enable_hashjoin = off;
SELECT count(*) FROM person x JOIN nasty y ON x.e = y.e;
SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = on;
SELECT count(*) FROM person x JOIN nasty y ON x.e = y.e;
-- Sorting, by abbreviated keys, gives the order of the comparisons.
SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_seqscan = on;
EXPLAIN (COSTS OFF) SELECT e FROM person ORDER BY e USING ~<~;
CREATE TEMP TABLE sorted AS SELECT row_number() OVER () AS p, e FROM (SELECT e FROM person ORDER BY e) AS s;
SELECT count(*) FILTER (WHERE before > e) AS wrong FROM (SELECT e, lag(e) OVER (ORDER BY p) AS before FROM sorted) AS s;
CREATE TEMP TABLE sorted_by_domain AS SELECT row_number() OVER () AS p, e FROM (SELECT e FROM person ORDER BY e USING ~<~) AS s;
SELECT count(*) FILTER (WHERE before ~>~ e) AS wrong FROM (SELECT e, lag(e) OVER (ORDER BY p) AS before FROM sorted_by_domain) AS s;
SELECT min(e), max(e) FROM person;
-- A unique index keeps the first spelling.
CREATE TEMP TABLE one (e crm.email UNIQUE);
INSERT INTO one VALUES ('Ivan@example.com');
INSERT INTO one VALUES ('IVAN@Example.com') ON CONFLICT (e) DO NOTHING;
SELECT * FROM one;
SAVEPOINT here;
INSERT INTO one VALUES ('ivan@example.com');
ROLLBACK;
-- The bounds are no addresses, but harmless to every function.
SELECT b, crm.local_part(b), crm.domain(b), crm.ascii(b), crm.domain_ascii(b), crm.tag(b), crm.mask(b), crm.match_key(b), crm.is_special_use(b)
FROM unnest(ARRAY[crm.email_domain_bound('example.com', false), crm.email_domain_bound('bad domain', false), crm.email_prefix_bound('iva', true)]) AS b;
