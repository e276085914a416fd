-- Match models under odd use: decisions given twice, labels of rows that are not
-- there, parts changed after training, names that need quotes, settings and
-- rights of the caller.  R-019
\set VERBOSITY terse
SET client_min_messages = warning;
SET search_path = public, crm;
SELECT FROM crm.install();
RESET client_min_messages;
BEGIN;
CREATE SCHEMA "My Schema";
CREATE TABLE "My Schema"."The People" AS
SELECT (p * 3 + c)::bigint AS id,
       (ARRAY['Anna', 'Boris', 'Clara', 'Dmitri', 'Elena', 'Fedor', 'Galina', 'Hugo', 'Irina', 'Jakob'])[1 + p % 10] AS given_name,
       (ARRAY['Abramov', 'Becker', 'Chavez', 'Dorn', 'Egorov', 'Fischer', 'Gromov', 'Harris', 'Ilin', 'Jensen', 'Kozlov'])[1 + p * 7 % 11]
           || (ARRAY['', 'sky', 'mann', 'son', 'ov'])[1 + p / 10 % 5] || CASE WHEN c = 1 AND p % 4 = 0 THEN 'n' ELSE '' END AS family_name,
       date '1950-01-01' + (p * 97 % 18000) + CASE WHEN c = 1 AND p % 5 = 0 THEN 1 ELSE 0 END AS birth_date,
       'u' || p || CASE WHEN c = 1 AND p % 3 = 0 THEN 'x' ELSE '' END || '@example.com' AS email,
       ARRAY['street ' || p % 50, 'house ' || p / 3, 'flat ' || p] AS address
FROM generate_series(1, 300) p, generate_series(0, 1) c WHERE c = 0 OR p % 2 = 0;
ALTER TABLE "My Schema"."The People" ADD PRIMARY KEY (id);
ANALYZE "My Schema"."The People";
SELECT crm.create_match_model('people', '"My Schema"."The People"', 'id', '{"fields": [
    {"name": "person", "comparator": "person", "expression": "ARRAY[given_name, family_name]", "decisive": true},
    {"name": "birth_date", "comparator": "date", "expression": "birth_date"},
    {"name": "email", "comparator": "email", "expression": "email", "shared": true},
    {"name": "address", "comparator": "words", "expression": "address", "shared": true}],
    "blocking": [["email"], ["person", "birth_date"], ["person:family4", "person:given3"], ["birth_date"], ["address"]]}');
SELECT relation FROM crm.match_model WHERE name = 'people';
SELECT crm.train_match_model('people');
SELECT count(*) AS rows, count(DISTINCT cluster_id) AS clusters FROM crm.match_clusters('people');

-- Nothing asked, nothing answered.
SELECT count(*) FROM crm.match_clusters(NULL);
SELECT count(*) FROM crm.match_clusters(NULL, 3);

-- A pair that is labelled in one order and decided in the other is one decision;
-- that two rows are two outweighs that they are one.
SELECT records, clusters FROM crm.dedupe('people');
SELECT count(crm.label_pair('people', right_id, left_id, true)) FROM (SELECT * FROM crm.match_pair WHERE model = 'people' AND in_cluster ORDER BY left_id LIMIT 40) p;
SELECT count(DISTINCT cluster_id) AS clusters FROM crm.match_clusters('people');
UPDATE crm.match_pair p SET status = 'rejected' FROM (SELECT left_id, right_id FROM crm.match_pair WHERE model = 'people' AND status = 'confirmed' ORDER BY left_id LIMIT 10) r
WHERE p.model = 'people' AND (p.left_id, p.right_id) = (r.left_id, r.right_id);
SELECT count(DISTINCT cluster_id) AS clusters FROM crm.match_clusters('people');
-- Any pairs at all may be said to be one.
INSERT INTO crm.match_label (model, left_id, right_id, is_match, labelled_by)
SELECT 'people', (3 * (i * 7 % 300 + 1))::text, (3 * (i * 11 % 299 + 1))::text, i % 3 > 0, 'test' FROM generate_series(1, 200) i
WHERE i * 7 % 300 <> i * 11 % 299 ON CONFLICT DO NOTHING;
SELECT count(*) AS rows FROM crm.match_clusters('people');
DELETE FROM crm.match_label WHERE model = 'people';
DELETE FROM crm.match_pair WHERE model = 'people';

-- Labels that say what the model says change nothing much: the rarity of words
-- counts in them as in all pairs.
SELECT count(crm.label_pair('people', left_id, right_id, true)) FROM (SELECT * FROM crm.match_pairs('people', 10) ORDER BY left_id LIMIT 60) p;
SAVEPOINT unknown;
SELECT crm.label_pair('people', 'no such row', '3', true);
ROLLBACK TO unknown;
SELECT crm.label_pair('people', '99999999', '3', true);
ROLLBACK TO unknown;
-- Of a row that is not there any more.
SELECT crm.label_pair('people', '99999999', '3', NULL);
INSERT INTO crm.match_label (model, left_id, right_id, is_match, labelled_by) VALUES ('people', 'row that was', '3', true, 'somebody');
SELECT crm.train_match_model('people');
SELECT round(abs(a.m - b.m)::numeric, 1) AS apart FROM crm.match_level a JOIN crm.match_level b USING (model, field, level)
WHERE model = 'people' AND a.version = 1 AND b.version = 2 AND field = 4 AND level IN (1, 7) ORDER BY level;

-- The words of all elements of an array make the set.
CREATE TABLE "My Schema".bag (id integer PRIMARY KEY, words text[]);
INSERT INTO "My Schema".bag VALUES (1, '{alpha beta,gamma}'), (2, '{delta omega,gamma}'), (3, '{gamma,beta alpha}'), (4, '{gamma}');
SELECT crm.create_match_model('bag', '"My Schema".bag', 'id', '{"fields": [{"name": "words", "comparator": "words", "expression": "words"}], "blocking": [["words"]]}');
SELECT keys, pairs FROM crm.dedup_plan('bag');

-- Another field or rule: the parameters are for what was.
UPDATE crm.match_field SET comparator = 'identifier' WHERE model = 'people' AND name = 'email';
SELECT version FROM crm.match_model WHERE name = 'people';
SAVEPOINT untrained;
SELECT count(*) > 0 AS explained FROM crm.explain_match('people', '3', '6');
ROLLBACK TO untrained;
UPDATE crm.match_field SET comparator = 'email' WHERE model = 'people' AND name = 'email';
SELECT crm.train_match_model('people');
DELETE FROM crm.blocking_rule WHERE model = 'people' AND "position" = 5;
SELECT version FROM crm.match_model WHERE name = 'people';
SELECT crm.train_match_model('people');
-- A divider that is none.
UPDATE crm.match_rule_yield SET divided_by = 100000000 WHERE model = 'people';
SELECT count(*) > 100 AS matched FROM crm.match_pairs('people');

-- Numbers that are written in other ways under other settings are the same.
CREATE TABLE "My Schema".timed AS SELECT timestamptz '2024-01-01 00:00+00' + id * interval '1 hour' AS at, given_name, family_name, birth_date, email FROM "My Schema"."The People";
ANALYZE "My Schema".timed;
SELECT crm.create_match_model('timed', '"My Schema".timed', 'at');
SET LOCAL timezone = 'Asia/Kathmandu';
SET LOCAL datestyle = 'German';
SELECT records > 400 AS some, added > 100 AS added, withdrawn FROM crm.dedupe('timed');
SET LOCAL timezone = 'America/New_York';
SET LOCAL datestyle = 'SQL, MDY';
SELECT added, withdrawn FROM crm.dedupe('timed');
RESET timezone;
RESET datestyle;

-- Who sees some rows only does not take back what others found.
CREATE ROLE regress_some;
GRANT USAGE ON SCHEMA "My Schema" TO regress_some;
GRANT USAGE ON SCHEMA crm TO regress_some;
GRANT SELECT ON ALL TABLES IN SCHEMA "My Schema", crm TO regress_some;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA crm TO regress_some;
ALTER TABLE "My Schema"."The People" ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON "My Schema"."The People" TO regress_some USING (id < 300);
SET LOCAL ROLE regress_some;
SELECT count(*) BETWEEN 1 AND 100 AS few FROM crm.match_pairs('people');
SAVEPOINT hidden;
SELECT * FROM crm.dedupe('people');
ROLLBACK TO hidden;
RESET ROLE;

-- Expressions of a model run with the rights of who asks, so that few may write
-- them.
SELECT crm.create_roles();
SELECT has_table_privilege('crm_admin', t, 'UPDATE') AS may FROM unnest(ARRAY['crm.match_model', 'crm.match_field', 'crm.blocking_rule', 'crm.match_level']) t;
SELECT has_table_privilege('crm_admin', 'crm.match_pair', 'UPDATE') AS may;
-- Agents ask who is there already.
SELECT has_table_privilege('crm_agent', t, 'SELECT') AS may FROM unnest(ARRAY['crm.v_match_contact', 'crm.v_match_company']) t;
-- Managers decide and merge.
SELECT has_table_privilege('crm_manager', t, 'INSERT, UPDATE, DELETE') AS may FROM unnest(ARRAY['crm.match_label', 'crm.match_pair', 'crm.match_cluster', 'crm.duplicate_pair', 'crm.match_model']) t;
ROLLBACK;
