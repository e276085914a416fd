-- VAT numbers of every prefix: test/data/tax_id_vat.tsv and what typos pass.
-- R-017
\set vectors `cat "$PG_ABS_SRCDIR/data/tax_id_vat.tsv"`
CREATE TEMP TABLE vector AS
SELECT f[1] AS number, f[2] AS expected, f[3] AS note
FROM string_to_table(:'vectors', E'\n') AS line, string_to_array(line, E'\t') AS f
WHERE line !~ '^#' AND line <> '';
SELECT count(*) AS vectors, count(*) FILTER (WHERE expected = 'ok') AS good,
       count(DISTINCT left(number, 2)) FILTER (WHERE expected = 'ok') AS prefixes
FROM vector;

-- the disagreements; there are none
SELECT v.*, r.status, r.code, r.message
FROM vector v, crm.check_vat(v.number) r
WHERE v.expected <> CASE r.status WHEN 'bad' THEN r.code ELSE r.status END;

-- what is accepted is canonical and survives
SELECT count(*) FROM vector WHERE expected IN ('ok', 'odd') AND number::crm.vat::text <> number;

-- each digit replaced by each other one: how many typos are caught
SELECT prefix, numbers, typos, caught, round(100.0 * caught / typos, 1) AS percent
FROM (
    SELECT left(number, 2) AS prefix, count(DISTINCT number) AS numbers, count(*) AS typos,
           count(*) FILTER (WHERE crm.try_vat(overlay(number PLACING d::text FROM i FOR 1)) IS NULL) AS caught
    FROM vector, generate_series(3, length(number)) i, generate_series(0, 9) d
    WHERE expected = 'ok' AND substr(number, i, 1) ~ '[0-9]' AND substr(number, i, 1) <> d::text
    GROUP BY 1) s
ORDER BY prefix COLLATE "C";
-- and two different neighbours swapped
SELECT count(*) AS swaps, count(*) FILTER (WHERE crm.try_vat(swapped) IS NULL) AS caught
FROM (
    SELECT overlay(number PLACING substr(number, i + 1, 1) || substr(number, i, 1) FROM i FOR 2) AS swapped
    FROM vector, generate_series(3, length(number) - 1) i
    WHERE expected = 'ok' AND substr(number, i, 2) ~ '^[0-9]{2}$' AND substr(number, i, 1) <> substr(number, i + 1, 1)) s;
DROP TABLE vector;
