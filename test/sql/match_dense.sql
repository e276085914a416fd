-- One group of many records that are all alike, each in a pair with each.  R-019
SET client_min_messages = warning;
SELECT FROM crm.install();
RESET client_min_messages;
BEGIN;
CREATE TABLE crowd AS
SELECT p * 3 + c AS id,
       (ARRAY['Anna', 'Boris', 'Clara', 'Dmitri', 'Elena', 'Fedor', 'Galina', 'Hugo', 'Irina', 'Jakob'])[1 + p % 10] AS given_name,
       (ARRAY['Abramov', 'Becker', 'Chavez', 'Dorn', 'Egorov', 'Fischer', 'Gromov', 'Harris', 'Ilin', 'Jensen', 'Kozlov'])[1 + p * 7 % 11]
           || (ARRAY['', 'sky', 'mann', 'son', 'ov'])[1 + p / 10 % 5] || CASE WHEN c = 1 AND p % 4 = 0 THEN 'n' ELSE '' END AS family_name,
       date '1950-01-01' + (p * 97 % 18000) + CASE WHEN c = 1 AND p % 5 = 0 THEN 1 ELSE 0 END AS birth_date,
       'u' || p || CASE WHEN c = 1 AND p % 3 = 0 THEN 'x' ELSE '' END || '@example.com' AS email
FROM generate_series(1, 300) p, generate_series(0, 1) c WHERE c = 0 OR p % 2 = 0;
ALTER TABLE crowd ADD PRIMARY KEY (id);
ANALYZE crowd;
SELECT crm.create_match_model('crowd', 'crowd', 'id', '{"fields": [
    {"name": "person", "comparator": "person", "expression": "ARRAY[given_name, family_name]", "decisive": true},
    {"name": "birth_date", "comparator": "date", "expression": "birth_date"},
    {"name": "email", "comparator": "email", "expression": "email", "shared": true}],
    "blocking": [["email"], ["person", "birth_date"], ["birth_date"]], "block_limit": 10000, "pairs_per_record": 10000}');
SELECT crm.train_match_model('crowd');
SELECT count(DISTINCT cluster_id) AS before FROM crm.match_clusters('crowd') \gset
-- Two thousand of one person, some with a slip of the pen.
INSERT INTO crowd SELECT 10000 + i, 'Zinaida', CASE WHEN i % 7 = 0 THEN 'Quillfeder' ELSE 'Quillfeather' END, '1971-03-05', 'zinaida@example.com'
FROM generate_series(1, 2000) i;
CREATE TEMPORARY TABLE found ON COMMIT DROP AS SELECT id::integer, cluster_id::integer FROM crm.match_clusters('crowd');
SELECT count(*) FILTER (WHERE id > 10000) AS members, count(DISTINCT cluster_id) FILTER (WHERE id > 10000) AS clusters,
       min(cluster_id) FILTER (WHERE id > 10000) AS smallest, count(DISTINCT cluster_id) FILTER (WHERE id <= 10000) - :before AS others_changed FROM found;
ROLLBACK;
