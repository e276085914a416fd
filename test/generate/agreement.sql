-- How alike the rows of one person are, and how alike those of different
-- persons, in a table person() of generated contacts:
--
--   psql -c 'CREATE TABLE person (id bigint PRIMARY KEY, cluster bigint, locale text, given_name text,
--            middle_name text, family_name text, birth_date date, gender text, email text, phone text,
--            city text, postal_code text, address text, company text, source text)'
--   contacts --rows 100000 | psql -c '\copy person FROM STDIN (FORMAT csv, HEADER)'
--   psql -f test/generate/agreement.sql
--
-- Equal is meant after capitals, ё and the marks in phones are put aside, as
-- the least that any matcher does.

SET client_min_messages = warning;
CREATE FUNCTION pg_temp.plain(written text) RETURNS text IMMUTABLE
RETURN translate(lower(written), 'ё', 'е');

CREATE TEMP TABLE plain AS
SELECT id, cluster, locale, source, pg_temp.plain(given_name) AS given_name, pg_temp.plain(middle_name) AS middle_name,
       pg_temp.plain(family_name) AS family_name, birth_date, gender, lower(email) AS email,
       right(regexp_replace(phone, '\D', '', 'g'), 9) AS phone, pg_temp.plain(city) AS city, postal_code,
       pg_temp.plain(address) AS address, pg_temp.plain(company) AS company
FROM person;
ANALYZE plain;

-- The rows of persons: one, two, … of them.
SELECT n AS rows_of_person, count(*) AS persons, round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent
FROM (SELECT count(*) AS n FROM plain GROUP BY cluster) AS c GROUP BY n ORDER BY n;

-- The pairs of rows: of one person, and as many of different ones by chance.
CREATE TEMP TABLE couple AS
SELECT 'same' AS kind, a.id AS left_id, b.id AS right_id
FROM plain AS a JOIN plain AS b ON a.cluster = b.cluster AND a.id < b.id
UNION ALL
SELECT 'different', a.id, b.id
FROM (SELECT id, cluster, locale, row_number() OVER (PARTITION BY locale ORDER BY hashint8(id)) AS at FROM plain) AS a
JOIN (SELECT id, cluster, locale, row_number() OVER (PARTITION BY locale ORDER BY hashint8(id + 1000000000)) AS at FROM plain) AS b
  ON a.locale = b.locale AND a.at = b.at AND a.cluster <> b.cluster;

CREATE TEMP TABLE agreement AS
SELECT c.kind, f.field, f.l, f.r
FROM couple AS c
JOIN plain AS a ON a.id = c.left_id
JOIN plain AS b ON b.id = c.right_id
CROSS JOIN LATERAL (VALUES
    ('1 given_name', a.given_name, b.given_name), ('2 middle_name', a.middle_name, b.middle_name),
    ('3 family_name', a.family_name, b.family_name), ('4 birth_date', a.birth_date::text, b.birth_date::text),
    ('5 gender', a.gender, b.gender), ('6 email', a.email, b.email), ('7 phone', a.phone, b.phone),
    ('8 city', a.city, b.city), ('9 postal_code', a.postal_code, b.postal_code),
    ('a address', a.address, b.address), ('b company', a.company, b.company)) AS f (field, l, r);

-- Both given, and equal when both are: in percent.
SELECT substr(field, 3) AS field,
       round(100.0 * count(*) FILTER (WHERE kind = 'same' AND l IS NOT NULL AND r IS NOT NULL)
             / count(*) FILTER (WHERE kind = 'same'), 1) AS both_given,
       round(100.0 * count(*) FILTER (WHERE kind = 'same' AND l = r)
             / nullif(count(*) FILTER (WHERE kind = 'same' AND l IS NOT NULL AND r IS NOT NULL), 0), 1) AS same_equal,
       round(100.0 * count(*) FILTER (WHERE kind = 'different' AND l = r)
             / nullif(count(*) FILTER (WHERE kind = 'different' AND l IS NOT NULL AND r IS NOT NULL), 0), 3) AS different_equal
FROM agreement GROUP BY field ORDER BY agreement.field;

-- What the rows of one person have in common, in percent of the pairs.
SELECT count(*) AS pairs,
       round(100 * avg(((a.email = b.email OR a.phone = b.phone) IS TRUE)::int), 1) AS mailbox_or_phone,
       round(100 * avg(((a.email = b.email OR a.phone = b.phone OR a.birth_date = b.birth_date OR a.postal_code = b.postal_code) IS TRUE)::int), 1) AS or_birth_or_postal_code,
       round(100 * avg(((a.given_name = b.given_name AND a.family_name = b.family_name) IS TRUE)::int), 1) AS both_names
FROM couple AS c JOIN plain AS a ON a.id = c.left_id JOIN plain AS b ON b.id = c.right_id
WHERE c.kind = 'same';

-- Different persons who are easily taken for one: pairs with this in common.
SELECT 'given name, surname, birth date' AS common, count(*) AS pairs FROM plain AS a JOIN plain AS b
  USING (given_name, family_name, birth_date) WHERE a.id < b.id AND a.cluster <> b.cluster
UNION ALL
SELECT 'given name, surname, city', count(*) FROM plain AS a JOIN plain AS b
  USING (given_name, family_name, city) WHERE a.id < b.id AND a.cluster <> b.cluster
UNION ALL
SELECT 'surname, phone', count(*) FROM plain AS a JOIN plain AS b
  USING (family_name, phone) WHERE a.id < b.id AND a.cluster <> b.cluster
UNION ALL
SELECT 'surname, birth date, address', count(*) FROM plain AS a JOIN plain AS b
  USING (family_name, birth_date, postal_code) WHERE a.id < b.id AND a.cluster <> b.cluster
UNION ALL
SELECT 'mailbox', count(*) FROM plain AS a JOIN plain AS b
  USING (email) WHERE a.id < b.id AND a.cluster <> b.cluster
UNION ALL
SELECT 'phone', count(*) FROM plain AS a JOIN plain AS b
  USING (phone) WHERE a.id < b.id AND a.cluster <> b.cluster;

-- The commonest names, in percent of the rows of their language.
(SELECT 'given' AS name, locale, given_name AS written, round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY locale), 2) AS percent
 FROM plain GROUP BY locale, given_name ORDER BY 4 DESC LIMIT 6)
UNION ALL
(SELECT 'surname', locale, family_name, round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY locale), 2)
 FROM plain GROUP BY locale, family_name ORDER BY 4 DESC LIMIT 6);
SELECT locale, count(DISTINCT given_name) AS given_names, count(DISTINCT family_name) AS surnames FROM plain GROUP BY locale;
