-- Probable duplicates by a match model that learns from what was imported; one
-- explained, one merged and parted again.
\echo
\echo '## Duplicates: the same one, written in another way'
\echo
\if :is_contact
    \set model contacts
    CREATE TEMPORARY VIEW demo_record AS
        SELECT id, crm.full_name(NULL, given_name, middle_name, family_name, NULL) AS name,
               concat_ws(', ', emails[1], phones[1], birth_date, company) AS details FROM crm.v_match_contact;
\else
    \set model companies
    CREATE TEMPORARY VIEW demo_record AS
        SELECT id, name, concat_ws(', ', address, city, postal_code, phones[1], emails[1]) AS details FROM crm.v_match_company;
\endif
-- Why nothing can be learned; empty when it can.
CREATE FUNCTION pg_temp.refusal(model text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM crm.train_match_model(model);
    RETURN '';
EXCEPTION WHEN object_not_in_prerequisite_state OR configuration_limit_exceeded THEN
    RETURN SQLERRM;
END
$$;
SELECT pg_temp.refusal(:'model') AS refusal \gset
SELECT :'refusal' = '' AS is_trained \gset
\if :is_trained
\echo 'What agreement in a name, a number, an address is worth is learned from the records themselves, without'
\echo 'examples; each pair gets a weight in bits (0: as likely as not, 10: a thousand to one):'
\set ECHO queries
SELECT records, compared, pairs, clusters FROM crm.dedupe(:'model');
\set ECHO none
SELECT count(*) > 0 AS has_pairs FROM crm.match_pair WHERE model = :'model' \gset
\if :has_pairs
\echo
\echo 'The surest pairs, and those about which a person should decide (crm.match_pair):'
SELECT p.weight::numeric(6, 1) AS bits, p.probability::numeric(5, 3) AS probability,
       concat_ws(E'\n', left(a.name, 34), left(b.name, 34)) AS "records", concat_ws(E'\n', left(a.details, 38), left(b.details, 38)) AS "with"
FROM ((SELECT * FROM crm.match_pair WHERE model = :'model' AND left_id IN
           (SELECT id FROM (SELECT id, count(*) OVER (PARTITION BY cluster_id) AS n FROM crm.match_cluster WHERE model = :'model') x WHERE n = 2)
       ORDER BY weight DESC, left_id::bigint LIMIT 3)
      UNION (SELECT * FROM crm.match_pair WHERE model = :'model' ORDER BY abs(weight), left_id::bigint LIMIT 3)) p
JOIN demo_record a ON a.id = p.left_id::bigint JOIN demo_record b ON b.id = p.right_id::bigint
ORDER BY p.weight DESC, a.id, b.id;
SELECT left_id, right_id FROM crm.match_pair WHERE model = :'model' ORDER BY abs(weight), left_id::bigint, right_id::bigint LIMIT 1 \gset
\echo
\echo 'Why is the most doubtful one so? These add up to its weight, to the last bit (crm.explain_match):'
SELECT field, left(left_value, 22) AS "the one", left(right_value, 22) AS "the other", label AS "agreement", contribution::numeric(6, 1) AS bits
FROM crm.explain_match(:'model', :'left_id', :'right_id') WHERE level IS NULL OR level > 0 ORDER BY position;
SELECT pg_temp.insist((SELECT weight FROM crm.match_pair WHERE model = :'model' AND left_id = :'left_id' AND right_id = :'right_id')
           = (SELECT sum(contribution ORDER BY position) FROM crm.explain_match(:'model', :'left_id', :'right_id')), 'the explanation does not add up to the weight') \gset
\endif

SELECT count(*) AS living, md5(string_agg(r::text, '' ORDER BY id)) AS before FROM demo_record r \gset
SELECT coalesce(max(merge_id), 0) AS merge FROM crm.merge_clusters(:'model', 0.99, 1) WHERE merge_id IS NOT NULL \gset
SELECT :merge > 0 AS has_merged FROM (SELECT) x \gset
\if :has_merged
\echo
\echo 'What is sure can be merged at once: crm.merge_clusters(). The first one here:'
SELECT m.id AS merge, m.survivor_id AS stays, (SELECT string_agg(x::text, ', ') FROM unnest(m.absorbed_ids) x) AS "goes into it", r.name,
       :living || ' to ' || (SELECT count(*) FROM demo_record) AS records
FROM crm.merge m JOIN demo_record r ON r.id = m.survivor_id WHERE m.id = :merge;
\echo
\echo 'It was a mistake? Everything goes back to where it was:'
:plain
\set ECHO queries
SELECT count(*) || ' conflicts' FROM crm.unmerge(:merge, reject => false);
\set ECHO none
:table
SELECT pg_temp.insist(md5(string_agg(r::text, '' ORDER BY id)) = :'before', 'undoing the merge did not bring everything back') FROM demo_record r \gset
\endif
\else
\echo 'Nothing could be learned from this file:' :refusal'.'
\echo 'A model learns from duplicates; crm.find_duplicates() needs none and goes by equal numbers and addresses.'
\endif
