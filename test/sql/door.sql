-- Duplicates at the door.  -- R-019
SET client_min_messages = warning;
DO 'BEGIN PERFORM crm.install(); END';

-- Persons; each fifth is the one before it again, some fields written otherwise.
CREATE SCHEMA door;
CREATE TABLE door.person (id bigint PRIMARY KEY, given_name text, family_name text, birth_date date, email text, passport_id text, city text);
CREATE FUNCTION door.word(syllables integer, seed bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT initcap(string_agg((ARRAY['ba','ke','li','mo','nu','ra','se','ti','vo','zu','dar','fen','gor','han','jin','kol','lem','mar','nor','pet'])[1 + (seed * 7919 + i * 104729 + seed / (3 + i) * 31) % 20], ''))
    FROM generate_series(1, syllables) AS i
$$;
INSERT INTO door.person
SELECT i, door.word(2, e * 7 % 101), door.word(3, e * 13 % 997), date '1950-01-01' + (e * 7907 % 18000)::integer,
       lower(door.word(3, e * 13 % 997)) || e || '@example.com', CASE WHEN i % 3 = 0 THEN 'P' || lpad((e * 7919 % 1000000)::text, 6, '0') END, door.word(2, e % 37)
FROM (SELECT i, CASE WHEN i % 5 = 0 THEN i - 1 ELSE i END AS e FROM generate_series(1, 1500) AS i) s;
UPDATE door.person SET email = CASE WHEN id % 2 = 0 THEN NULL ELSE email END, given_name = CASE WHEN id % 3 = 0 THEN left(given_name, -1) ELSE given_name END WHERE id % 5 = 0;
ANALYZE door.person;

SELECT crm.create_match_model('door', 'door.person');
-- Not trained, no keys.
SELECT * FROM crm.find_duplicates('door', '{}');
SELECT crm.build_match_keys('door');
SELECT crm.train_match_model('door');
SELECT * FROM crm.find_duplicates('door', '{}');
SELECT crm.build_match_keys('door');

-- A form: the person is there twice, and what is missing or written otherwise does not matter.
SELECT given_name, family_name, birth_date, email, city FROM door.person WHERE id IN (4, 5) ORDER BY id;
CREATE FUNCTION door.form(id bigint, without text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT to_jsonb(p) - 'id' - without FROM door.person p WHERE p.id = form.id
$$;
SELECT record_id, probability > 0.99 AS sure FROM crm.find_duplicates('door', door.form(4)) ORDER BY record_id;
SELECT record_id, probability > 0.9 AS sure FROM crm.find_duplicates('door', door.form(4, '{email,passport_id,city}')) ORDER BY record_id;
SELECT record_id FROM crm.find_duplicates('door', door.form(4), 1);
-- The weights of the explanation add up.
SELECT abs(weight - (SELECT sum((e ->> 'weight')::float8) FROM jsonb_array_elements(explanation) e)) < 0.1 AS adds_up,
       jsonb_path_query_array(explanation, '$[*].field') AS fields
FROM crm.find_duplicates('door', door.form(4), 1);
-- With its number a record is not its own duplicate.
SELECT record_id FROM crm.find_duplicates('door', door.form(4) || '{"id": 4}');
-- Of all doubles, how many are found?
SELECT count(*) AS doubles, count(*) FILTER (WHERE EXISTS (SELECT FROM crm.find_duplicates('door', to_jsonb(p)) d WHERE d.record_id = (p.id - 1)::text)) > 290 AS nearly_all
FROM door.person p WHERE p.id % 5 = 0;

-- What is not a record.
SELECT * FROM crm.find_duplicates('nobody', '{}');
SELECT * FROM crm.find_duplicates('door', '{"given_name": "A", "surname": "B"}');
SELECT * FROM crm.find_duplicates('door', '[1]');
SELECT * FROM crm.find_duplicates('door', '"text"');
SELECT * FROM crm.find_duplicates('door', '{"birth_date": "no date"}');
SELECT * FROM crm.find_duplicates('door', '{}', 0);
SELECT * FROM crm.find_duplicates('door', '{}', 1, 1.5);
SELECT * FROM crm.find_duplicates('door', '{}', 1, 'NaN');
SELECT count(*) FROM crm.find_duplicates('door', '{}');
SELECT count(*) FROM crm.find_duplicates('door', '{"given_name": null, "email": null}');
SELECT count(*) FROM crm.find_duplicates('door', NULL);
SELECT count(*) FROM crm.find_duplicates('door', jsonb_build_object('family_name', repeat('Long ', 2000000)));
SELECT count(*) FROM crm.find_duplicates('door', '{"given_name": "\u200b", "family_name": "''; DROP TABLE door.person; --"}');

-- Trained again: keys of another version are not used.
SELECT crm.train_match_model('door', 2);
SELECT * FROM crm.find_duplicates('door', '{}');
SELECT crm.build_match_keys('door');
SELECT record_id FROM crm.find_duplicates('door', door.form(4) || '{"id": 4}');
SELECT count(*) AS buildings FROM (SELECT DISTINCT door FROM crm.match_key) k;

-- Changed models are read anew.
UPDATE crm.match_model SET filter = 'id <> 5' WHERE name = 'door';
SELECT record_id FROM crm.find_duplicates('door', door.form(4) || '{"id": 4}');
UPDATE crm.match_model SET filter = NULL WHERE name = 'door';

SELECT crm.drop_match_model('door');
DROP SCHEMA door CASCADE;
