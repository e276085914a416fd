-- Applies the staged batch and tells what became of it.
\echo
\if :set_aside
    \echo 'A value that cannot be read is set aside with its reason; the rest of its row is taken.'
\else
    \echo 'A row with a value that cannot be read is set aside whole, with the reason.'
\endif
SELECT jsonb_strip_nulls(jsonb_build_object('bad_values', CASE WHEN :'set_aside'::boolean THEN 'set_aside' ELSE 'reject_row' END,
           'date_order', :'file_date_order', 'region', nullif(:'region', '')))::text AS options \gset
\set ECHO queries
SELECT * FROM crm.import_apply(:batch,
        options => :'options');
\set ECHO none
SELECT round(extract(epoch FROM clock_timestamp() - :'step_began'::timestamptz)::numeric, 1) AS took,
       rows = created + updated + unchanged + rejected AS adds_up, rows > 0 AND created + updated + unchanged > 0 AS took_any
FROM crm.import_batch WHERE id = :batch \gset
SELECT pg_temp.insist(:'adds_up', 'the counts of the import do not add up'),
       pg_temp.insist(:'took_any', 'no row of the file could be taken') \gset
\echo
\echo 'Read, checked, matched and stored in' :took 'seconds.'
SELECT count(*) > 0 AS has_rejects FROM crm.import_reject WHERE batch_id = :batch \gset
\if :has_rejects
\echo
\echo 'What was not taken, and why (crm.import_reject):'
SELECT count(*) AS "count", string_agg(DISTINCT column_name, E'\n') AS "column",
       pg_temp.fold(min(reason) FILTER (WHERE example = 1), 44) || E'\n' || code AS "reason and its code",
       string_agg(left(regexp_replace(value, '\s+', ' ', 'g'), 22), E'\n' ORDER BY example) FILTER (WHERE example <= 2) AS "for example"
FROM (SELECT *, row_number() OVER (PARTITION BY code ORDER BY again, id) AS example
      FROM (SELECT *, row_number() OVER (PARTITION BY code, value ORDER BY id) AS again
            FROM crm.import_reject WHERE batch_id = :batch) numbered) r
GROUP BY code ORDER BY count(*) DESC, code LIMIT 12;
SELECT count(DISTINCT code) - 12 AS more_reasons, count(DISTINCT code) > 12 AS has_more
FROM crm.import_reject WHERE batch_id = :batch \gset
\if :has_more
    \echo '...and' :more_reasons 'more reasons.'
\endif
\endif

SELECT count(*) > 0 AS has_odd FROM (SELECT FROM crm.contact_point p, crm.check_email(p.raw) c WHERE p.kind = 'email' AND c.status = 'odd' LIMIT 1) x \gset
\if :has_odd
\echo
\echo 'Taken, but worth a look: what is probably meant is offered, never put in its place.'
SELECT crm.full_name(NULL, o.given_name, NULL, o.family_name, NULL) AS contact, p.raw || coalesce(E'\n' || c.suggestion || ' ?', '') AS "e-mail, and what is probably meant", pg_temp.fold(c.message, 36) AS "why"
FROM crm.contact_point p JOIN crm.contact o ON o.id = p.contact_id
CROSS JOIN LATERAL crm.check_email(p.raw) c
WHERE p.kind = 'email' AND c.status = 'odd' ORDER BY c.code, p.id LIMIT 8;
\endif

CREATE TEMPORARY TABLE demo_known AS
    SELECT r.entity_id, r.row_number, r.outcome,
           (SELECT string_agg(btrim(regexp_replace(i.fields[p.n], '\s+', ' ', 'g')), ' ' ORDER BY p.n)
            FROM crm.import_plan(:batch) p WHERE p.target IN ('name', 'given_name', 'family_name')) AS name,
           (SELECT string_agg(btrim(regexp_replace(i.fields[p.n], '\s+', ' ', 'g')), ', ' ORDER BY p.n)
            FROM crm.import_plan(:batch) p WHERE p.kind = 'point' AND p.target <> 'address') AS points
    FROM crm.import_result r JOIN crm.import_row i USING (batch_id, row_number)
    WHERE r.batch_id = :batch AND r.entity_id IS NOT NULL;
SELECT count(*) AS known_rows, count(*) > 0 AS has_known FROM demo_known WHERE outcome <> 'created' \gset
\echo
\if :has_known
\echo 'Exact duplicates: in' :known_rows 'rows the import knew somebody again, by name with e-mail address or phone'
\echo 'number, whatever their spelling and alphabet, or by number. They became one record:'
SELECT string_agg(k.name, E'\n' ORDER BY k.row_number) AS "in the file", string_agg(left(k.points, 56), E'\n' ORDER BY k.row_number) AS "with",
       k.entity_id AS "became"
FROM demo_known k
WHERE k.entity_id IN (SELECT entity_id FROM demo_known WHERE outcome <> 'created')
GROUP BY k.entity_id ORDER BY count(*) DESC, count(DISTINCT lower(k.name)) DESC, min(k.row_number) LIMIT 6;
\else
\echo 'Exact duplicates: in no row did the import know somebody again by name with e-mail address or phone'
\echo 'number, or by number.'
\endif

-- Rows that say the same, but for a number of their own.
SELECT sum(n) AS twin_rows, count(*) AS twin_groups, coalesce(sum(n), 0) > 0 AND EXISTS (SELECT FROM crm.import_plan(:batch) WHERE target = 'external_id') AS has_twins
FROM (SELECT count(*) AS n
      FROM crm.import_row i
      CROSS JOIN LATERAL (SELECT string_agg(lower(regexp_replace(btrim(coalesce(u.value, '')), '\s+', ' ', 'g')), '|' ORDER BY u.n) AS said
                          FROM unnest(i.fields) WITH ORDINALITY AS u (value, n)
                          WHERE u.n NOT IN (SELECT p.n FROM crm.import_plan(:batch) p WHERE p.target = 'external_id')) row
      WHERE i.batch_id = :batch
      GROUP BY said HAVING count(*) > 1) twins \gset
\if :has_twins
\echo :twin_rows 'rows differ from another in nothing but their number, letter case and spaces:' :twin_groups 'groups.'
\echo 'The number says that they are different records, so they stay so until a person merges them.'
\endif

\if :is_contact
SELECT count(*) AS pairs, count(*) > 0 AS has_pairs FROM crm.find_duplicates() \gset
\if :has_pairs
\echo
\echo 'Probable duplicates (crm.find_duplicates):' :pairs 'pairs. A person decides, since a number or an'
\echo 'address may be shared; crm.merge_contacts() makes one of two.'
SELECT f.strength, concat_ws(E'\n', crm.full_name(NULL, a.given_name, a.middle_name, a.family_name, NULL), crm.full_name(NULL, b.given_name, b.middle_name, b.family_name, NULL)) AS "contacts",
       f.contact_id || E'\n' || f.duplicate_id AS "no",
       (SELECT string_agg(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.key || ' ' || (SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(e.value) v) ELSE e.key END, E'\n' ORDER BY e.key)
        FROM jsonb_each(f.evidence) e WHERE e.key <> 'differs') AS "have in common",
       (SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(f.evidence -> 'differs') v) AS "differ in"
FROM crm.find_duplicates() f
JOIN crm.contact a ON a.id = f.contact_id JOIN crm.contact b ON b.id = f.duplicate_id
ORDER BY f.strength DESC, f.contact_id, f.duplicate_id LIMIT 6;
\endif
\else
SELECT count(*) AS same_groups, sum(n) AS same_rows, count(*) > 0 AS has_shared
FROM (SELECT count(*) AS n FROM crm.company_key k WHERE k.kind = 'name' GROUP BY k.key HAVING count(*) > 1) x \gset
\if :has_shared
\echo
\echo 'Names that are the same but for spelling:' :same_rows 'records in' :same_groups 'groups. The largest'
\echo '(equal keys in crm.company_key):'
SELECT count(*) AS records, count(DISTINCT lower(btrim(o.address))) AS "addresses",
       array_to_string((array_agg(DISTINCT left(regexp_replace(btrim(o.name), '\s+', ' ', 'g'), 68)))[1:3], E'\n') AS "written"
FROM crm.company_key k JOIN crm.company o ON o.id = k.company_id
WHERE k.kind = 'name' GROUP BY k.key HAVING count(*) > 1 ORDER BY count(*) DESC, k.key LIMIT 8;
\endif
\endif

\if :own_file
\else
\echo
\echo 'A rejected row is corrected and taken in later:'
SELECT row_number AS fix_row FROM crm.import_reject WHERE batch_id = :batch AND code = 'EMAIL_TWO_ATS' \gset
:plain
\set ECHO queries
SELECT crm.import_fix(:batch, :fix_row, '{"E-mail": "v.shchukin@mayak.example"}');
\set ECHO none
:table
\endif
\if :is_contact
SELECT coalesce((SELECT crm.format_phone(p.phone, 'national') FROM demo_known k JOIN crm.contact_point p ON p.contact_id = k.entity_id
                 WHERE p.kind = 'phone' ORDER BY crm.region(p.phone) = :'region' DESC NULLS LAST, k.row_number, p.id LIMIT 1), '') AS number,
       coalesce((SELECT crm.translit(c.family_name) FROM demo_known k JOIN crm.contact c ON c.id = k.entity_id
                 WHERE c.family_name <> '' ORDER BY c.family_name ~ '[А-Яа-я]' DESC, k.row_number LIMIT 1), '') AS family \gset
SELECT :'number' <> '' AS has_number, :'family' <> '' AS has_family \gset
\if :has_number
\echo
\echo 'Somebody calls: who is it?'
\set ECHO queries
SELECT contact_id, name, company, matched_by FROM crm.lookup_contact(:'number');
\set ECHO none
\endif
\if :has_family
\echo
\echo 'A name, as it is heard or written abroad:'
\set ECHO queries
SELECT contact_id, name, company, matched_by FROM crm.lookup_contact(:'family') LIMIT 3;
\set ECHO none
\endif
\endif
