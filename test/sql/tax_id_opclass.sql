-- Order, equality and hashing of the identifiers: every pair of a nasty list.
SET search_path = crm, public;
CREATE TEMP TABLE nasty (kind text, value text);
INSERT INTO nasty
SELECT 'inn', v FROM unnest('{7707083893,7736050003,500100732259,0201017011,9909125356,005826107187,7702070139,7710140679,667033849132}'::text[]) v
UNION ALL
-- prefixes of each other, letters beside digits
SELECT 'kpp', v FROM unnest('{773601001,7736AB001,773609001,77360A001,7736ZZ999,003601001,010101001,999999999,7736A0001,773699001}'::text[]) v
UNION ALL
SELECT 'ogrn', v FROM unnest('{1027700132195,304500116000050,304500116000061,404500116000057,1037739877295,5077746887312,1027700070518}'::text[]) v
UNION ALL
SELECT 'snils', v FROM unnest('{11223344595,08765430300,00100199800,00000000100,00100199899}'::text[]) v
UNION ALL
SELECT 'vat', v FROM unnest('{DE143454214,GB220430231,GB220430231001,XI220430231,RO19,RO160796,RO1590082,IE1+12345U,IE2*54321T,IE0A12345S,IE6388047V,IE1234567TW,ATU33864707,FR40303265045,FRX9303265045}'::text[]) v
UNION ALL
SELECT 'lei', v FROM unnest('{253400M18U5TB02TW421,7LTWFZYICNSX8D621K86,549300EXJV1RPGZNH608}'::text[]) v;
-- LEIs that differ only in the second word, their check digits found by trial
INSERT INTO nasty
SELECT 'lei', min(body || lpad(d::text, 2, '0'))
FROM unnest('{253400M18U00000000,253400M18UZZZZZZZZ,253400M18UZZZZZZZ0,00000000000000000A,ZZZZZZZZZZZZZZZZZZ}'::text[]) body, generate_series(2, 98) d
WHERE crm.try_lei(body || lpad(d::text, 2, '0')) IS NOT NULL
GROUP BY body;

-- inconsistencies among all pairs; the order is that of the text under "C"
DO $$
DECLARE
    t text;
    r record;
BEGIN
    FOREACH t IN ARRAY '{inn,kpp,ogrn,snils,vat,lei}'::text[]
    LOOP
        EXECUTE format($q$
            SELECT count(*) AS pairs,
                   count(*) FILTER (WHERE crm.%1$s_cmp(a, b) <> 0 AND sign(crm.%1$s_cmp(a, b)) <> sign(c)
                                       OR (crm.%1$s_cmp(a, b) = 0) <> (c = 0)) AS wrong_cmp,
                   count(*) FILTER (WHERE (a < b) <> (c < 0) OR (a <= b) <> (c <= 0) OR (a = b) <> (c = 0)
                                       OR (a <> b) <> (c <> 0) OR (a >= b) <> (c >= 0) OR (a > b) <> (c > 0)) AS wrong_operator,
                   count(*) FILTER (WHERE a = b AND (crm.%1$s_hash(a) <> crm.%1$s_hash(b)
                                       OR crm.%1$s_hash_extended(a, 7) <> crm.%1$s_hash_extended(b, 7))) AS wrong_hash,
                   count(*) FILTER (WHERE a <> b AND crm.%1$s_hash(a) = crm.%1$s_hash(b)) AS collisions
            FROM (SELECT x.value::crm.%1$s AS a, y.value::crm.%1$s AS b,
                         CASE WHEN x.value = y.value THEN 0 WHEN x.value < y.value COLLATE "C" THEN -1 ELSE 1 END AS c
                  FROM nasty x JOIN nasty y USING (kind) WHERE kind = %1$L) p $q$, t) INTO r;
        RAISE NOTICE '%: %', t, r;
    END LOOP;
END
$$;

-- the operator classes hold together
SELECT opfname, amname, amvalidate(c.oid) AS valid
FROM pg_opclass c JOIN pg_opfamily f ON f.oid = opcfamily JOIN pg_am a ON a.oid = opcmethod
WHERE opcintype IN ('crm.inn'::regtype, 'crm.kpp'::regtype, 'crm.ogrn'::regtype, 'crm.snils'::regtype,
    'crm.vat'::regtype, 'crm.lei'::regtype)
ORDER BY 1, 2;
SELECT count(*) AS operators, count(*) FILTER (WHERE oprcom <> 0 AND oprnegate <> 0 AND oprrest <> 0 AND oprjoin <> 0) AS complete,
       count(*) FILTER (WHERE oprcanhash AND oprcanmerge) AS equalities
FROM pg_operator WHERE oprleft IN ('crm.inn'::regtype, 'crm.kpp'::regtype, 'crm.ogrn'::regtype, 'crm.snils'::regtype,
    'crm.vat'::regtype, 'crm.lei'::regtype) AND oprright = oprleft;

-- many values: sorted, by index, by hash and by text they are the same
CREATE TEMP TABLE many AS
SELECT i AS id, crm.try_inn('77' || lpad((i % 1250 * 104729 % 10000000)::text, 7, '0') || d) AS inn,
       crm.try_lei('253400' || upper(md5((i % 1250)::text))::char(12) || lpad((i % 97)::text, 2, '0')) AS lei,
       crm.try_vat('LU' || lpad((i % 1250)::text, 6, '0') || lpad((i % 1250 % 89)::text, 2, '0')) AS vat
FROM generate_series(1, 5000) i, generate_series(0, 9) d;
ANALYZE many;
SELECT count(inn) > 1000 AS inn, count(lei) > 300 AS lei, count(vat) > 1000 AS vat FROM many;
SELECT array_agg(inn::text ORDER BY inn, id) = array_agg(inn::text ORDER BY inn::text COLLATE "C", id) AS inn FROM many WHERE inn IS NOT NULL;
SELECT array_agg(lei::text ORDER BY lei, id) = array_agg(lei::text ORDER BY lei::text COLLATE "C", id) AS lei FROM many WHERE lei IS NOT NULL;
SELECT array_agg(vat::text ORDER BY vat, id) = array_agg(vat::text ORDER BY vat::text COLLATE "C", id) AS vat FROM many WHERE vat IS NOT NULL;
CREATE INDEX many_inn ON many (inn);
CREATE INDEX many_lei ON many (lei);
CREATE INDEX many_hash ON many USING hash (inn);
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT lei FROM many WHERE lei IS NOT NULL ORDER BY lei;
SELECT array_agg(lei::text) = array_agg(lei::text ORDER BY lei::text COLLATE "C") AS index_order
FROM (SELECT lei FROM many WHERE lei IS NOT NULL ORDER BY lei) s;
EXPLAIN (COSTS OFF) SELECT count(*) FROM many WHERE inn = '7702070139';
RESET enable_seqscan;
RESET enable_sort;
RESET enable_bitmapscan;
-- hash, merge and nested-loop joins agree
CREATE TEMP TABLE joined (method text, pairs bigint);
SET enable_mergejoin = off;
SET enable_nestloop = off;
INSERT INTO joined SELECT 'hash', count(*) FROM many a JOIN many b USING (inn) WHERE b.id <= 1250;
SET enable_hashjoin = off;
SET enable_mergejoin = on;
INSERT INTO joined SELECT 'merge', count(*) FROM many a JOIN many b USING (inn) WHERE b.id <= 1250;
SET enable_mergejoin = off;
SET enable_nestloop = on;
INSERT INTO joined SELECT 'nested loop', count(*) FROM many a JOIN many b USING (inn) WHERE b.id <= 1250;
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT count(*) AS methods, count(DISTINCT pairs) AS answers, min(pairs) > 0 AS any FROM joined;
SELECT count(DISTINCT inn) = count(DISTINCT inn::text) AS same_groups FROM many;
DROP TABLE joined, many, nasty;
RESET search_path;
