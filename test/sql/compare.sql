-- How alike two strings are: published values, edge cases, and the definitions.
-- R-019
SET client_min_messages = warning;
SET extra_float_digits = 0;

-- Values from the literature (W. Winkler 1990 and 1994, and the examples by
-- which the methods are usually explained), to the four places given there.
SELECT a, b, round(crm.jaro(a, b)::numeric, 4) AS jaro, jaro AS "should be",
       round(crm.jaro_winkler(a, b)::numeric, 4) AS jaro_winkler, winkler AS "should be"
FROM (VALUES
    ('MARTHA', 'MARHTA', 0.9444, 0.9611),
    ('DIXON', 'DICKSONX', 0.7667, 0.8133),
    ('DWAYNE', 'DUANE', 0.8222, 0.8400),
    ('JELLYFISH', 'SMELLYFISH', 0.8963, 0.8963),
    ('JONES', 'JOHNSON', 0.7905, 0.8324),
    ('ABROMS', 'ABRAMS', 0.8889, 0.9222),
    ('SHACKLEFORD', 'SHACKELFORD', 0.9697, 0.9818),
    ('DUNNINGHAM', 'CUNNIGHAM', 0.8963, 0.8963),
    ('NICHLESON', 'NICHULSON', 0.9259, 0.9556),
    ('MASSEY', 'MASSIE', 0.8889, 0.9333),
    ('HARDIN', 'MARTINEZ', 0.7222, 0.7222),
    ('ITMAN', 'SMITH', 0.4667, 0.4667),
    ('CRATE', 'TRACE', 0.7333, 0.7333),
    ('МАРФА', 'МАФРА', 0.9333, 0.9467),
    ('Иванов', 'Иваонв', 0.9444, 0.9611),
    ('Щербаков', 'Щербаковa', 0.9630, 0.9778)
) AS v (a, b, jaro, winkler)
WHERE round(crm.jaro(a, b)::numeric, 4) <> jaro OR round(crm.jaro_winkler(a, b)::numeric, 4) <> winkler
   OR crm.jaro(a, b) <> crm.jaro(b, a) OR crm.jaro_winkler(a, b) <> crm.jaro_winkler(b, a);

-- Levenshtein, optimal string alignment.
SELECT a, b, crm.levenshtein(a, b), levenshtein AS "should be", crm.osa_distance(a, b), osa AS "should be"
FROM (VALUES
    ('kitten', 'sitting', 3, 3),
    ('Saturday', 'Sunday', 3, 3),
    ('CA', 'ABC', 3, 3),
    ('AB', 'BA', 2, 1),
    ('a cat', 'an abct', 4, 4),
    ('Ivanov', 'Ivnaov', 2, 1),
    ('Иванов', 'Ивнаов', 2, 1),
    ('п', 'р', 1, 1),
    ('Müller', 'Mueller', 2, 2),
    ('Müller', 'Muller', 1, 1),
    ('Ñandú', 'Nandu', 2, 2),
    ('李小龍', '李龍小', 2, 1),
    ('😀😁', '😁😀', 2, 1),
    ('Łódź', 'Лодзь', 5, 5),
    ('', '', 0, 0),
    ('', 'abc', 3, 3),
    ('abc', '', 3, 3),
    (repeat('a', 100), repeat('a', 99) || 'b', 1, 1),
    (repeat('ab', 50), repeat('ba', 50), 2, 2),
    (repeat('x', 63) || 'ab' || repeat('y', 63), repeat('x', 63) || 'ba' || repeat('y', 63), 2, 1)
) AS v (a, b, levenshtein, osa)
WHERE crm.levenshtein(a, b) <> levenshtein OR crm.osa_distance(a, b) <> osa
   OR crm.levenshtein(b, a) <> levenshtein OR crm.osa_distance(b, a) <> osa;

-- A few to be seen.
SELECT crm.jaro('MARTHA', 'MARHTA'), crm.jaro_winkler('MARTHA', 'MARHTA'), crm.levenshtein('kitten', 'sitting'), crm.osa_distance('CA', 'ABC');
SELECT crm.jaro('', '') AS both_empty, crm.jaro('', 'a') AS one_empty, crm.jaro('a', 'a') AS one_letter, crm.jaro('a', 'b') AS other_letter,
       crm.jaro_winkler('ab', 'cd') AS nothing, crm.jaro('ab', 'ba') AS out_of_reach;
SELECT crm.jaro(NULL, 'a') AS jaro, crm.levenshtein('a', NULL) AS levenshtein, crm.osa_distance('a', 'b', NULL) AS osa_distance,
       crm.token_containment(NULL, 'a') AS token_containment;

-- Case, spaces and look-alikes count: the A of the second is Cyrillic.
SELECT crm.levenshtein('Anna', 'anna') AS "case", crm.levenshtein('Anna', 'Аnna') AS look_alike, crm.levenshtein('Anna', ' Anna ') AS spaces;

-- Bounds.
SELECT max, crm.levenshtein('kitten', 'sitting', max), crm.osa_distance('Иванов', 'Ивнаов', max)
FROM unnest(ARRAY[0, 1, 2, 3, 4, 2147483647]) AS max;
\set VERBOSITY sqlstate
SELECT crm.levenshtein('a', 'b', -1);
SELECT crm.osa_distance('a', 'b', -2);
\set VERBOSITY default

-- The definitions, row by row, in SQL.
CREATE FUNCTION pg_temp.matrix(a text, b text, swaps boolean) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    x text[] := regexp_split_to_array(a, '');
    y text[] := regexp_split_to_array(b, '');
    n integer := length(a);
    m integer := length(b);
    before integer[];
    above integer[];
    here integer[];
    cost integer;
BEGIN
    above := ARRAY(SELECT generate_series(0, m));
    FOR i IN 1 .. n LOOP
        here := ARRAY[i];
        FOR j IN 1 .. m LOOP
            cost := least(above[j + 1] + 1, here[j] + 1, above[j] + CASE WHEN x[i] = y[j] THEN 0 ELSE 1 END);
            IF swaps AND i > 1 AND j > 1 AND x[i] = y[j - 1] AND x[i - 1] = y[j] THEN
                cost := least(cost, before[j - 1] + 1);
            END IF;
            here[j + 1] := cost;
        END LOOP;
        before := above;
        above := here;
    END LOOP;
    RETURN above[m + 1];
END
$$;
-- Texts of few letters, so that much is in common; of many lengths and scripts.
SELECT setseed(0.5);
CREATE TEMPORARY TABLE pair AS
SELECT n,
       (SELECT coalesce(string_agg(CASE WHEN g > 0 THEN letter[1 + floor(random() * size)::integer] END, ''), '') FROM generate_series(1, floor(random() * length)::integer + n * 0) AS g) AS a,
       (SELECT coalesce(string_agg(CASE WHEN g > 0 THEN letter[1 + floor(random() * size)::integer] END, ''), '') FROM generate_series(1, floor(random() * length)::integer + n * 0) AS g) AS b
FROM (
    SELECT n, (ARRAY[string_to_array('a b c d e f g h', ' '), string_to_array('а б в г д е ж з', ' '), string_to_array('a б é 龍 😀 z ü ж', ' ')])[1 + n % 3 : 1 + n % 3] AS alphabet,
           (ARRAY[2, 4, 8])[1 + n / 3 % 3] AS size, (ARRAY[8, 20, 40, 70])[1 + n / 9 % 4] AS length
    FROM generate_series(1, 600) AS n
) AS choice, LATERAL (SELECT ARRAY(SELECT unnest(alphabet)) AS letter) AS letters;
-- One text in two is the other with neighbours swapped in three places, and a letter lost.
UPDATE pair SET b = regexp_replace(regexp_replace(a, '^(.{' || n % 11 || '})(.)(.)', '\1\3\2'), '(.)(.)(.{' || n % 7 || '}).(.)(.)$', '\2\1\3\5\4') WHERE n % 2 = 0;
SELECT count(*) AS pairs, count(*) FILTER (WHERE length(a) > 32 OR length(b) > 32) > 50 AS some_long,
       count(*) FILTER (WHERE crm.levenshtein(a, b) <> pg_temp.matrix(a, b, false)) AS levenshtein_wrong,
       count(*) FILTER (WHERE crm.osa_distance(a, b) <> pg_temp.matrix(a, b, true)) AS osa_wrong,
       count(*) FILTER (WHERE crm.osa_distance(a, b) < crm.levenshtein(a, b)) > 100 AS swaps_seen,
       count(*) FILTER (WHERE crm.jaro(a, b) NOT BETWEEN 0 AND 1 OR crm.jaro_winkler(a, b) < crm.jaro(a, b)
                           OR crm.jaro(a, b) <> crm.jaro(b, a) OR (crm.jaro(a, b) = 1) <> (a = b)) AS jaro_wrong
FROM pair;

-- Short and long strings go different ways: what is spoilt by a letter that no
-- short way reads (a Han one), and what is prolonged, must agree all the same.
SELECT count(*) AS wrong FROM pair, LATERAL (SELECT translate(a, 'аa', '龍龍') AS x, translate(b, 'аa', '龍龍') AS y) AS han
WHERE n % 3 < 2 AND (crm.jaro(a, b) <> crm.jaro(x, y) OR crm.jaro_winkler(a, b) <> crm.jaro_winkler(x, y)
    OR crm.levenshtein(a, b) <> crm.levenshtein(x, y) OR crm.osa_distance(a, b) <> crm.osa_distance(x, y)
    OR crm.levenshtein(a, b) <> crm.levenshtein(repeat('q', 40) || a, repeat('q', 40) || b)
    OR crm.osa_distance(a, b) <> crm.osa_distance(a || repeat('q', 90), b || repeat('q', 90)));
-- Western and Cyrillic letters have one byte each in the short way, not the same;
-- Cyrillic beyond the basic block has none.
SELECT crm.levenshtein('é', 'щ') AS must_be_1, crm.jaro('éàü', 'щрь') AS must_be_0, crm.levenshtein('aé', 'aщ') AS must_be_1_too,
       crm.levenshtein('Ґ', 'А') AS must_be_1_again, crm.jaro('ҐҐ', 'АА') AS must_be_0_again;
-- Neighbours that change places where one word of bits ends and the next begins.
SELECT count(*) AS places, count(*) FILTER (WHERE crm.osa_distance(a, b) <> 3 OR crm.levenshtein(a, b) <> 4) AS wrong
FROM generate_series(55, 135) AS n,
     LATERAL (SELECT 'p' || repeat('x', n) || 'ab' || repeat('y', 70) || 'q' AS a, 'r' || repeat('x', n) || 'ba' || repeat('y', 70) || 's' AS b) AS pair;

-- Beside fuzzystrmatch, where it is installed.
CREATE FUNCTION pg_temp.other_levenshtein(OUT pairs integer, OUT wrong integer, OUT wrong_within integer) LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'fuzzystrmatch') THEN
        pairs := (SELECT count(*) FROM pair) * 15;
        wrong := 0;
        wrong_within := 0;
        RETURN;
    END IF;
    CREATE SCHEMA fuzzy;
    CREATE EXTENSION fuzzystrmatch SCHEMA fuzzy;
    SELECT count(*), count(*) FILTER (WHERE crm.levenshtein(p.a, q.b) <> fuzzy.levenshtein(p.a, q.b)),
           count(*) FILTER (WHERE crm.levenshtein(p.a, q.b, p.n % 9) <> least(fuzzy.levenshtein(p.a, q.b), p.n % 9 + 1))
    INTO pairs, wrong, wrong_within
    FROM pair AS p JOIN pair AS q ON q.n % 40 = p.n % 40;
    DROP EXTENSION fuzzystrmatch;
    DROP SCHEMA fuzzy;
END
$$;
SELECT * FROM pg_temp.other_levenshtein();

-- Words: Jaccard, overlap.
-- A soft hyphen is shown as ~, as terminals differ in its width.
SELECT a, replace(b, U&'\00AD', '~') AS b, crm.token_set_similarity(a, b) AS similarity, crm.token_containment(a, b) AS containment
FROM (VALUES
    ('Horns and Hooves', 'hooves & horns, and more'),
    ('ООО «Рога и Копыта»', 'РОГА И КОПЫТА ООО'),
    ('Anna Maria Anna', 'anna-maria'),
    ('O''Brien', 'o’brien'),
    ('Ёлкин Пётр', 'пётр ЁЛКИН'),
    ('a b c', 'c d'),
    ('a b', 'c d'),
    ('co-operative', 'Co Operative'),
    ('cooperative', 'co' || U&'\00AD' || 'operative'),
    ('Straße 12b', 'STRASSE 12B'),
    ('李 小龍', '小龍 李'),
    ('a', '...'),
    ('', '-')
) AS v (a, b);
SELECT crm.token_set_similarity(a, b) = crm.token_set_similarity(b, a) AND crm.token_containment(a, b) = crm.token_containment(b, a) AS symmetric
FROM (VALUES ('a b c x', 'c d e'), ('x', 'x y')) AS v (a, b);
-- A decomposed letter is another word unless it is normalized.
SELECT crm.token_set_similarity(U&'\0438\0306', 'й') AS as_written, crm.token_set_similarity(normalize(U&'\0438\0306'), 'й') AS normalized;

-- Long texts: all is well up to the limit, and refused beyond it.
SELECT crm.jaro(repeat('abc', 21845), repeat('abc', 21845)) AS equal, crm.levenshtein(repeat('a', 65535), repeat('b', 65535)) AS all_different,
       crm.osa_distance(repeat('ab', 32767), repeat('ba', 32767), 1) AS beyond, crm.osa_distance(repeat('ab', 32767), repeat('ba', 32767)) AS shifted,
       crm.levenshtein(repeat('я', 65535), 'я') AS most_missing, crm.token_set_similarity(repeat('a b ', 16383), 'b a') AS two_words;
SELECT crm.jaro(repeat('a', 65536), 'a');
SELECT crm.jaro_winkler('a', repeat('😀', 65536));
SELECT crm.levenshtein(repeat('я', 65536), 'a');
SELECT crm.osa_distance('a', repeat('x', 10000000));
\set VERBOSITY sqlstate
SELECT crm.token_containment(repeat('x ', 32768), 'a');
\set VERBOSITY default
SELECT crm.token_set_similarity('a', repeat('x', 10000000));

-- Long work can be stopped.
SET statement_timeout = '200ms';
SELECT sum(crm.levenshtein(repeat('ab', 32700) || n, repeat('cd', 32700) || n)) FROM generate_series(1, 1000) AS n;
RESET statement_timeout;

-- What the planner is told.
SELECT oid::regprocedure, provolatile, proisstrict, proparallel, procost FROM pg_proc
WHERE pronamespace = 'crm'::regnamespace AND prosrc LIKE 'crm_compare_%' ORDER BY oid::regprocedure::text COLLATE "C";
