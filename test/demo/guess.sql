-- Reads the file named by CRM_DEMO_FILE and decides what its columns are.
-- Variables that may be empty: entity, region, date_order, delimiter, bad_values.
SELECT clock_timestamp() AS step_began \gset
\set content `base64 -w0 "$CRM_DEMO_FILE"`
CREATE TEMPORARY TABLE demo_file AS
    SELECT convert_from(decode(:'content', 'base64'), :'encoding') AS content;
\unset content

-- Persons or organisations?  What more of the headers make sense for; a file
-- that has no column for a person's name holds organisations.
SELECT coalesce(nullif(:'entity', ''), CASE
           WHEN contact.names = 0 AND company.names > 0 THEN 'company'
           WHEN company.names = 0 OR contact.columns >= company.columns THEN 'contact'
           ELSE 'company' END) AS entity
FROM (SELECT fields FROM crm.csv_rows((SELECT content FROM demo_file), nullif(:'delimiter', '')) LIMIT 1) header
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE value <> 'ignore') AS columns, count(*) FILTER (WHERE value IN ('name', 'given_name', 'family_name')) AS names
                    FROM jsonb_each_text(crm.guess_mapping(array_replace(fields, NULL, ''), 'contact'))) contact
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE value <> 'ignore') AS columns, count(*) FILTER (WHERE value IN ('name', 'legal_name')) AS names
                    FROM jsonb_each_text(crm.guess_mapping(array_replace(fields, NULL, ''), 'company'))) company
\gset
SELECT :'entity' = 'contact' AS is_contact, CASE :'entity' WHEN 'contact' THEN 'Contacts' ELSE 'Companies' END AS entities_heading \gset

SELECT crm.import_csv(:'name', content, :'entity', 'file', nullif(:'delimiter', '')) AS batch FROM demo_file \gset

-- A sample of every column, for guessing and for showing.
CREATE TEMPORARY TABLE demo_value AS
    SELECT u.n, p.target, p.kind, r.row_number, btrim(r.fields[u.n]) AS value
    FROM crm.import_batch b
    CROSS JOIN LATERAL unnest(b.columns) WITH ORDINALITY AS u (header, n)
    LEFT JOIN crm.import_plan(b.id) p ON p.n = u.n
    JOIN crm.import_row r ON r.batch_id = b.id AND r.row_number <= 5000 AND btrim(r.fields[u.n]) <> ''
    WHERE b.id = :batch;

-- Day or month first?  A number over 12 tells.
SELECT coalesce(nullif(:'date_order', ''), guess.date_order) AS file_date_order,
       CASE WHEN :'date_order' <> '' THEN 'as you said'
            WHEN guess.proof IS NOT NULL THEN format('by the data, e.g. %s', guess.proof) ELSE 'nothing tells otherwise' END AS date_reason
FROM (SELECT CASE WHEN month_first > day_first THEN 'mdy' ELSE 'dmy' END AS date_order,
             CASE WHEN month_first > day_first THEN month_example ELSE day_example END AS proof
      FROM (SELECT count(*) FILTER (WHERE part[1]::integer BETWEEN 13 AND 31 AND part[2]::integer <= 12) AS day_first,
                   count(*) FILTER (WHERE part[2]::integer BETWEEN 13 AND 31 AND part[1]::integer <= 12) AS month_first,
                   min(value) FILTER (WHERE part[1]::integer BETWEEN 13 AND 31 AND part[2]::integer <= 12) AS day_example,
                   min(value) FILTER (WHERE part[2]::integer BETWEEN 13 AND 31 AND part[1]::integer <= 12) AS month_example
            FROM (SELECT value, regexp_match(value, '^(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}\M') AS part
                  FROM demo_value WHERE kind IN ('date', 'birth')) dates) counted) guess
\gset

-- In which country would the numbers without a country code be complete?
-- Only countries whose numbers have one length are asked.
SELECT coalesce(nullif(:'region', ''), by_number.region, by_text.region, '') AS region,
       CASE WHEN :'region' <> '' THEN 'as you said'
            WHEN by_number.region IS NOT NULL THEN format('%s of %s are complete there', by_number.complete, by_number.numbers)
            WHEN by_text.region IS NOT NULL THEN by_text.reason
            ELSE '' END AS region_reason
FROM (SELECT 1) one
LEFT JOIN (SELECT r.region, count(*) AS numbers, count(crm.try_phone(v.value, r.region)) AS complete
           FROM unnest('{RU,US,GB,FR,ES,UA,BY,KZ}'::text[]) WITH ORDINALITY AS r (region, place)
           CROSS JOIN (SELECT value FROM demo_value WHERE target = 'phone' AND value !~ '^\s*(\+|00)' LIMIT 500) v
           GROUP BY r.region, r.place
           HAVING count(crm.try_phone(v.value, r.region)) * 2 > count(*)
           ORDER BY count(*) FILTER (WHERE crm.is_valid(crm.try_phone(v.value, r.region))) DESC, r.place
           LIMIT 1) by_number ON true
LEFT JOIN (SELECT CASE WHEN russian > 0 THEN 'RU' ELSE 'US' END AS region,
                  CASE WHEN russian > 0 THEN 'by the Russian text' ELSE 'by the ZIP codes' END AS reason
           FROM (SELECT count(*) FILTER (WHERE value ~ '[А-Яа-яЁё]') AS russian,
                        count(*) FILTER (WHERE target = 'postal_code' AND value ~ '^\d{5}(-\d{4})?$') AS zip
                 FROM demo_value) counted
           WHERE russian > 0 OR zip > 0) by_text ON true
\gset
SELECT format('ALTER DATABASE %I SET crm.default_region = %L', current_database(), :'region') WHERE :'region' <> '' \gexec
SELECT CASE WHEN :'region' <> '' THEN set_config('crm.default_region', :'region', false) END AS nothing \gset

SELECT format('%s rows and %s columns, in %s.', to_char(b.rows, 'FM999,999,999'), cardinality(b.columns),
              CASE :'encoding' WHEN 'UTF8' THEN 'UTF-8' ELSE :'encoding' END) AS shape
FROM crm.import_batch b WHERE b.id = :batch \gset
\echo '##' :entities_heading 'of' :name
\echo
\echo 'The file has' :shape
\echo 'What its columns are, guessed from their headers (crm.guess_mapping):'
SELECT u.header AS "column", CASE WHEN p.target IS NULL THEN '' ELSE :'entity' || '.' || p.target END AS "goes to", pg_temp.fold(t.description, 40) AS "meaning",
       (SELECT left(replace(v.value, E'\n', ' '), 26) FROM demo_value v WHERE v.n = u.n ORDER BY v.row_number LIMIT 1) AS "first value"
FROM crm.import_batch b
CROSS JOIN LATERAL unnest(b.columns) WITH ORDINALITY AS u (header, n)
LEFT JOIN crm.import_plan(b.id) p ON p.n = u.n
LEFT JOIN crm.import_targets(:'entity') t ON t.target = p.target
WHERE b.id = :batch AND (p.target IS NOT NULL OR cardinality(b.columns) <= 16)
ORDER BY u.n;
SELECT count(*) AS ignored, count(*) > 0 AND cardinality(b.columns) > 16 AS has_ignored
FROM crm.import_batch b, jsonb_each_text(b.mapping) m WHERE b.id = :batch AND m.value = 'ignore' GROUP BY b.columns
UNION ALL SELECT 0, false LIMIT 1 \gset
\if :has_ignored
    \echo :ignored 'more columns are kept in crm.import_row only.'
\endif
SELECT format(E'%s\nDates are read %s first (%s).',
              pg_temp.fold(CASE :'region' WHEN '' THEN 'Phone numbers need a country code: no country could be guessed (REGION=US says one).'
                                    ELSE format('Phone numbers without country code are of %s (%s).', :'region', :'region_reason') END, 98), CASE :'file_date_order' WHEN 'mdy' THEN 'month' ELSE 'day' END, :'date_reason') AS guesses \gset
\echo :guesses
