-- Phone numbers: parts, formats, orders, operator classes, index ranges, binary form.
SET search_path = crm, public;
SET crm.default_region = '';

-- Parts and facts.
SELECT p, country_code(p), national_number(p), extension(p), base(p), e164(p), region(p), phone_type(p),
       is_possible(p) AS possible, is_valid(p) AS valid, mask(p)
FROM unnest('{+79161234567;ext=105,+77272501234,+390612345678,+80012345678,+16502530000,+18005553535,+78916123456,+99912345,+4930123456}'::phone[]) p;
SELECT region(p), is_valid_for(p, 'RU') AS ru, is_valid_for(p, 'KZ') AS kz, is_valid_for(p, '001') AS none
FROM unnest('{+79161234567,+77272501234,+80012345678}'::phone[]) p;
SELECT is_valid_for('+79161234567', 'ZZ');
SELECT p, format_phone(p), format_phone(p, 'national') AS national, format_phone(p, 'rfc3966') AS rfc3966, format_phone(p, 'e164') AS e164
FROM unnest('{+79161234567;ext=105,+16502530000,+442079460000;ext=7,+5491123456789,+33123456789,+390612345678,+99912345}'::phone[]) p;
SELECT format_phone(phone '+79161234567', 'pretty');
SELECT format_phone_from('+79161234567', 'RU'), format_phone_from('+79161234567', 'US'), format_phone_from('+4930123456', 'RU'), format_phone_from('+16502530000', 'CA');
SELECT a, b, same_number(a, b)
FROM (VALUES ('+79161234567'::phone, '+79161234567'::phone), ('+79161234567;ext=1', '+79161234567'),
             ('+79161234567;ext=1', '+79161234567;ext=2'), ('+39061234567', '+390061234567'), ('+79161234567', '+19161234567'),
             ('+4930123456', '+49123456')) v(a, b);
SELECT p, is_placeholder(p) FROM unnest('{+79999999999,+70000000000,+79161234567,+71234567890,+79876543210,+12125550000,+79160000000,+79161111111}'::phone[]) p;
SELECT p::text, p::text::phone = p AS same FROM (SELECT phone '+79161234567;ext=05') AS v(p);

-- Other functions of the same name are not in the way.
SELECT format('%s-%s', 'a', 1), format('%L', '+79161234567'), format('%s', 'x'::text);

-- Several numbers in one field.
SELECT i, s.* FROM (VALUES
    (1, '8 916 123 45 67 Иван, 8 495 111-22-33 (офис)'),
    (2, 'моб. 8 916 123 45 67; тел. 8 495 111-22-33 доб. 12'),
    (3, '89161234567 84951112233'),
    (4, '+7 (916) 123-45-67/+7 495 111 22 33'),
    (5, 'Иван: 8 916 123 45 67 или 8 916 765 43 21, после 18:00'),
    (6, 'кв. 12, 8 916 123 45 67'),
    (7, '8 916 123 45 6, нет номера'),
    (8, ''), (9, '8 916 123 45 67'), (10, '8 916 123 45 67, доб. 5, 8 916 123 45 67 доб. 6'),
    (11, E'8 916 123 45 67\n8 495 111-22-33\n+49 30 123456 Berlin'),
    (12, NULL)) v(i, t), split_phones(t, 'RU') s ORDER BY i;
SELECT * FROM split_phones('8 916 123 45 67, +49 30 123456');
SELECT * FROM split_phones('+79161234567', 'QQ');

-- Operator classes are complete.
SELECT opcname, amname, amvalidate(o.oid) FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod WHERE opcname LIKE 'phone%' ORDER BY 1, 2;
SELECT count(*) AS not_leakproof FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode
WHERE oprleft = 'crm.phone'::regtype AND NOT proleakproof;
SELECT count(*) AS uncommented FROM pg_proc p WHERE pronamespace = 'crm'::regnamespace AND prosrc LIKE 'crm_phone%'
    AND proname NOT LIKE 'phone\_%' AND obj_description(oid, 'pg_proc') IS NULL;

-- All pairs of a nasty list: the operators agree with the order of the text forms' digits.
CREATE TEMP TABLE nasty AS
SELECT p::phone FROM unnest(ARRAY['+10000', '+100000', '+1000000', '+100000000000000', '+19999', '+199999999999999', '+2000000', '+20000',
    '+79161234567', '+79161234567;ext=0', '+79161234567;ext=00', '+79161234567;ext=1', '+79161234567;ext=10', '+79161234567;ext=9999999999',
    '+79161234567;ext=0000000000', '+7916123456', '+791612345670', '+791612345678', '+79161234568', '+99999', '+999999999999999',
    '+999999999999999;ext=9999999999', '+98765', '+89161234567', '+49161234567', '+9161234567', '+567891', '+167891']) p;
WITH pair AS (
    SELECT a.p AS a, b.p AS b,
           sign(phone_cmp(a.p, b.p)) AS c,
           CASE WHEN ea = eb THEN CASE WHEN xa = xb THEN 0 WHEN xa < xb THEN -1 ELSE 1 END WHEN ea < eb THEN -1 ELSE 1 END AS want,
           sign(phone_suffix_cmp(a.p, b.p)) AS s,
           CASE WHEN ea = eb THEN CASE WHEN xa = xb THEN 0 WHEN xa < xb THEN -1 ELSE 1 END WHEN reverse(ea) < reverse(eb) THEN -1 ELSE 1 END AS want_s
    FROM nasty a, nasty b,
         LATERAL (SELECT e164(a.p) COLLATE "C" AS ea, e164(b.p) COLLATE "C" AS eb,
                         coalesce(extension(a.p), '') COLLATE "C" AS xa, coalesce(extension(b.p), '') COLLATE "C" AS xb) x)
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE c <> want) AS wrong_order,
       count(*) FILTER (WHERE (a < b, a <= b, a = b, a <> b, a >= b, a > b) IS DISTINCT FROM (c < 0, c <= 0, c = 0, c <> 0, c >= 0, c > 0)) AS wrong_operators,
       count(*) FILTER (WHERE s <> want_s) AS wrong_reversed_order,
       count(*) FILTER (WHERE (a %< b, a %<= b, a %>= b, a %> b) IS DISTINCT FROM (s < 0, s <= 0, s >= 0, s > 0)) AS wrong_reversed_operators,
       count(*) FILTER (WHERE (a = b) <> (a::text = b::text)) AS wrong_equality,
       count(*) FILTER (WHERE (a ~= b) <> (e164(a) = e164(b))) AS wrong_base,
       count(*) FILTER (WHERE a = b AND (phone_hash(a) <> phone_hash(b) OR phone_hash_extended(a, 7) <> phone_hash_extended(b, 7))) AS wrong_hash
FROM pair;

-- A table with every kind of index; ranges are exact.
CREATE TEMP TABLE number (id int PRIMARY KEY, p phone);
INSERT INTO number
SELECT i, (CASE i % 4 WHEN 0 THEN '+7916' WHEN 1 THEN '+7917' WHEN 2 THEN '+4930' ELSE '+1650' END
           || lpad((i::bigint * 7919 % 10000000)::text, 7, '0') || CASE i % 5 WHEN 0 THEN ';ext=' || i % 100 ELSE '' END)::phone
FROM generate_series(1, 20000) i;
INSERT INTO number SELECT 30000 + row_number() OVER (), p FROM nasty;
CREATE INDEX number_p ON number (p);
CREATE INDEX number_suffix ON number (p phone_suffix_ops);
CREATE INDEX number_hash ON number USING hash (p);
ANALYZE number;

-- Order by index = order by sort.
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
CREATE TEMP TABLE by_index AS SELECT row_number() OVER (ORDER BY p, id) AS n, id FROM number;
CREATE TEMP TABLE by_suffix_index AS SELECT row_number() OVER () AS n, p FROM (SELECT p FROM number ORDER BY p USING %<) s;
RESET enable_sort; SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_seqscan = on;
CREATE TEMP TABLE by_sort AS SELECT row_number() OVER (ORDER BY e164(p) COLLATE "C", coalesce(extension(p), '') COLLATE "C", id) AS n, id FROM number;
CREATE TEMP TABLE by_suffix_sort AS SELECT row_number() OVER (ORDER BY reverse(e164(p)) COLLATE "C", coalesce(extension(p), '') COLLATE "C") AS n, p FROM number;
CREATE TEMP TABLE by_abbreviated AS SELECT row_number() OVER () AS n, p FROM (SELECT p FROM number ORDER BY p) s;
RESET enable_indexscan; RESET enable_indexonlyscan; RESET enable_bitmapscan; RESET enable_seqscan;
SELECT (SELECT count(*) FROM by_index i JOIN by_sort s USING (n) WHERE i.id <> s.id) AS wrong_in_index,
       (SELECT count(*) FROM by_suffix_index i JOIN by_suffix_sort s USING (n) WHERE i.p <> s.p) AS wrong_in_suffix_index,
       (SELECT count(*) FROM by_abbreviated i JOIN by_sort s USING (n) JOIN number USING (id) WHERE i.p <> number.p) AS wrong_sorted;

-- One range each.
EXPLAIN (COSTS OFF) SELECT * FROM number WHERE p ^@ '+7916';
EXPLAIN (COSTS OFF) SELECT * FROM number WHERE p %^ '1234567';
EXPLAIN (COSTS OFF) SELECT * FROM number WHERE p ~= '+79161234567;ext=3';
EXPLAIN (COSTS OFF) SELECT * FROM number WHERE '+79161234567;ext=3' ~= p;
EXPLAIN (COSTS OFF) SELECT * FROM number WHERE p = '+79161234567';
PREPARE caller(text) AS SELECT count(*) FROM number WHERE p %^ $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE caller('1234567');
EXECUTE caller('1234567');
RESET plan_cache_mode;
SET enable_hashjoin = off; SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT * FROM (VALUES ('1234567'), ('0000')) v(t), number WHERE p %^ t;
RESET enable_hashjoin; RESET enable_mergejoin;

-- The ranges find what the operators say.
CREATE TEMP TABLE pattern AS SELECT t FROM unnest(ARRAY['+', '', '7', '+7', '+7916', '+7 (916) 1', '7916123456', '+79161234567', '+791612345678901234', '9', '99', '999',
    '0', '00', '1', '4567', '123-45-67', '9161234567', '79161234567', '+9', '999999999999999', '9999999999999999', 'x', '7x', '7+', '++7', '１']) t;
CREATE FUNCTION pg_temp.found(operator text, pattern text, use_index bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    PERFORM set_config('enable_seqscan', (NOT use_index)::text, true), set_config('enable_bitmapscan', 'off', true),
            set_config('enable_indexscan', use_index::text, true), set_config('enable_indexonlyscan', use_index::text, true);
    EXECUTE format('SELECT count(*) || '' '' || coalesce(md5(string_agg(id::text, '','' ORDER BY id)), '''') FROM number WHERE p %s %L', operator, pattern) INTO answer;
    RETURN answer;
END $$;
SELECT operator, count(*) AS patterns, count(*) FILTER (WHERE pg_temp.found(operator, t, true) <> pg_temp.found(operator, t, false)) AS differ,
       sum(split_part(pg_temp.found(operator, t, true), ' ', 1)::int) AS rows
FROM pattern, unnest('{^@,%^}'::text[]) operator GROUP BY 1;
SELECT count(*) AS numbers, count(*) FILTER (WHERE pg_temp.found('~=', p::text, true) <> pg_temp.found('~=', p::text, false)) AS differ,
       sum(split_part(pg_temp.found('~=', p::text, true), ' ', 1)::int) AS rows FROM nasty;
SELECT t, pg_temp.found('^@', t, true) LIKE '0 %' AS none FROM pattern WHERE t ~ '[^+0-9() -]' OR length(t) > 15 ORDER BY 1;

-- Hash, merge and nested-loop joins agree; equal values are stored once in the btree.
SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT count(*) FROM number a JOIN number b USING (p);
SET enable_hashjoin = off; SET enable_mergejoin = on;
SELECT count(*) FROM number a JOIN number b USING (p);
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_nestloop;
SELECT count(DISTINCT p) FROM number;
SELECT pg_column_size(p) AS bytes, length(extension(p)) AS ext, count(*) FROM number GROUP BY 1, 2 ORDER BY 1, 2;

-- Binary form.
SELECT phone_send('+79161234567;ext=105');
COPY (SELECT p FROM nasty) TO '/dev/null' (FORMAT binary);
DROP FUNCTION pg_temp.found;
