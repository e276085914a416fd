-- Duplicates at the door.  -- R-019
SET datestyle = 'Postgres, MDY'; SET default_transaction_isolation = 'read committed';
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

-- Policies.  Nothing is watched yet.
SELECT crm.guard_duplicates('nobody', 'warn');
SELECT crm.guard_duplicates('door', 'shout');
SELECT crm.guard_duplicates('door', 'warn', 'door.person', 'number');
SELECT crm.guard_duplicates('door', 'warn', 'pg_catalog.pg_views');
SELECT crm.guard_duplicates('door', 'warn');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'door.person'::regclass ORDER BY 1;
INSERT INTO door.person SELECT 2001, given_name, family_name, birth_date, email, NULL, NULL FROM door.person WHERE id = 14;
-- Keys are current at once, and go with the row.
SELECT record_id FROM crm.find_duplicates('door', to_jsonb((SELECT p FROM door.person p WHERE p.id = 2001))) ORDER BY 1;
UPDATE door.person SET city = 'Elsewhere' WHERE id = 2001;
UPDATE door.person SET id = 2002 WHERE id = 2001;
SELECT record_id, octet_length(keys) > 0 AS has_keys FROM crm.match_record WHERE record_id IN ('2001', '2002');
DELETE FROM door.person WHERE id = 2002;
SELECT (SELECT count(*) FROM crm.match_record WHERE record_id IN ('2001', '2002')) + (SELECT count(*) FROM crm.match_key WHERE record_id IN ('2001', '2002')) AS left;
INSERT INTO door.person SELECT WHERE false;
INSERT INTO door.person (id) VALUES (2003);
DELETE FROM door.person WHERE id = 2003;

-- A queue: the earlier record is the left one.
SELECT crm.guard_duplicates('door', 'queue');
INSERT INTO door.person SELECT 2, given_name, family_name, birth_date, email, NULL, NULL FROM door.person WHERE id = 14 ON CONFLICT DO NOTHING;
INSERT INTO door.person SELECT 2010, given_name, family_name, birth_date, email, NULL, NULL FROM door.person WHERE id = 11;
SELECT left_id, right_id, status, weight > 3 AS heavy, in_cluster FROM crm.match_pair WHERE model = 'door';
-- What is decided stays.
UPDATE crm.match_pair SET status = 'rejected' WHERE model = 'door';
UPDATE door.person SET city = 'Elsewhere' WHERE id = 2010;
SELECT left_id, right_id, status FROM crm.match_pair WHERE model = 'door';

-- Exact identities only: a number of a document, or e-mail and name.
SELECT crm.guard_duplicates('door', 'block');
\set SHOW_CONTEXT never
SELECT id, passport_id FROM door.person WHERE id = 21;
INSERT INTO door.person (id, passport_id) SELECT 2020, passport_id FROM door.person WHERE id = 21;
\echo :LAST_ERROR_SQLSTATE
-- A client knows it by the name of its constraint.
DO $$
DECLARE
    place text;
BEGIN
    INSERT INTO door.person (id, passport_id) SELECT 2020, passport_id FROM door.person WHERE id = 21;
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS place = CONSTRAINT_NAME;
    RAISE WARNING 'constraint %', place;
END
$$;
INSERT INTO door.person (id, given_name, family_name, email) SELECT 2020, given_name, family_name, email FROM door.person WHERE id = 21;
-- An e-mail address alone, or of somebody of another name, is none; nor is a name.
INSERT INTO door.person (id, email) SELECT 2021, email FROM door.person WHERE id = 22;
INSERT INTO door.person (id, given_name, family_name, email) SELECT 2022, 'Wolfgang', 'Xylander', email FROM door.person WHERE id = 23;
INSERT INTO door.person (id, given_name, family_name, birth_date) SELECT 2023, given_name, family_name, birth_date FROM door.person WHERE id = 26;
-- Both in one statement.
INSERT INTO door.person (id, passport_id) VALUES (2024, 'Q1234567'), (2025, 'Q1234567');
-- What was there twice before may be edited, and not get another's identity.
UPDATE door.person SET city = 'Elsewhere' WHERE id = 4;
UPDATE door.person SET passport_id = (SELECT passport_id FROM door.person WHERE id = 21) WHERE id = 2023;
SELECT id, passport_id IS NULL AS none FROM door.person WHERE id >= 2020 ORDER BY id;

-- Statements of many rows are left to the sweep.
SELECT crm.dedup_tick('door') IS NOT NULL AS swept;
SELECT count(*) AS queued FROM crm.match_queue WHERE model = 'door';
INSERT INTO door.person (id, given_name, family_name, birth_date, city)
SELECT 3000 + i, door.word(2, i * 11 + 3), door.word(4, i * 17 + 5), date '1970-01-01' + i, 'Bulk' FROM generate_series(1, 150) AS i;
SELECT cardinality(record_ids) FROM crm.match_queue WHERE model = 'door';
SELECT count(*) FROM crm.match_record WHERE record_id ~ '^3...$';
SELECT records FROM crm.dedup_tick('door');
SELECT count(*) FROM crm.match_record WHERE record_id ~ '^3...$';
SELECT * FROM crm.dedup_tick('door');
SELECT * FROM crm.dedup_tick('nobody');
SELECT * FROM crm.dedup_tick('door', 0);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM crm.dedup_tick('door');
ROLLBACK;
-- Not of a transaction that still runs, our own.
BEGIN;
DELETE FROM door.person WHERE city = 'Bulk';
SELECT * FROM crm.dedup_tick('door');
COMMIT;
SELECT records FROM crm.dedup_tick('door');
SELECT count(*) FROM crm.match_record WHERE record_id ~ '^3...$';
-- Numbers of transactions of another server.
INSERT INTO crm.match_queue (model, record_ids, xid) VALUES ('door', '{1,2}', '123456789012345');
SELECT records FROM crm.dedup_tick('door');

-- After a training inserts go on; the sweep makes the keys.
SELECT crm.train_match_model('door', 3);
INSERT INTO door.person (id, given_name, family_name) VALUES (4000, 'Some', 'Body');
SELECT records FROM crm.dedup_tick('door');
SELECT d.version = m.version AS current, d.search_path FROM crm.match_door d JOIN crm.match_model m ON m.name = d.model;
INSERT INTO door.person (id, passport_id) SELECT 4001, passport_id FROM door.person WHERE id = 21;

-- Who may only insert neither needs a right to what we keep, nor gets one.
CREATE ROLE door_clerk;
GRANT USAGE ON SCHEMA door TO door_clerk;
GRANT INSERT ON door.person TO door_clerk;
SET ROLE door_clerk;
INSERT INTO door.person (id, given_name, family_name) VALUES (4002, 'Other', 'Body');
INSERT INTO door.person (id, passport_id) VALUES (4003, 'P166299');
SELECT crm.build_match_keys('door');
SELECT crm.guard_duplicates('door', 'off');
SELECT * FROM crm.find_duplicates('door', '{"given_name": "Other", "family_name": "Body"}');
SELECT * FROM crm.find_duplicates('door', '{"given_name": "Who", "family_name": "Isnotthere"}');    -- nor learns that nobody is there
CREATE TEMP TABLE own (id integer);
CREATE TRIGGER stolen AFTER INSERT ON own REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION crm.match_door('door', 'id');
INSERT INTO own VALUES (4002);
RESET ROLE;
DROP TABLE own;
SELECT record_id FROM crm.match_record WHERE record_id = '4002';
GRANT SELECT ON door.person TO door_clerk;
SET ROLE door_clerk;
SELECT record_id FROM crm.find_duplicates('door', '{"given_name": "Other", "family_name": "Body"}', 10, 0) WHERE record_id = '4002';
RESET ROLE;

-- A pair that waits is withdrawn when its records no longer match, or one is gone;
-- one that another rule than those of the door brought stays, and so does what is decided.
SELECT crm.guard_duplicates('door', 'queue');
SELECT crm.dedup_tick('door') IS NOT NULL AS swept;
DELETE FROM crm.match_pair WHERE model = 'door';
INSERT INTO door.person SELECT 6000 + id, given_name, family_name, birth_date, email, NULL, city FROM door.person WHERE id IN (41, 42, 43, 46);
SELECT left_id, right_id, status FROM crm.match_pair WHERE model = 'door' AND right_id LIKE '60__' ORDER BY 1, 2;
UPDATE crm.match_pair SET status = 'confirmed' WHERE model = 'door' AND right_id = '6043';
UPDATE door.person SET given_name = 'Other', family_name = 'Name', birth_date = '1900-01-01', email = NULL, city = NULL WHERE id IN (6041, 6043);
DELETE FROM door.person WHERE id = 6042;
UPDATE door.person SET city = 'Elsewhere' WHERE id = 6046;
SELECT records FROM crm.dedup_tick('door');
SELECT left_id, right_id, status FROM crm.match_pair WHERE model = 'door' AND right_id LIKE '60__' ORDER BY 1, 2;
UPDATE crm.match_pair SET weight = 0 WHERE model = 'door' AND right_id = '6046';
DELETE FROM crm.match_key WHERE record_id = '46';
UPDATE door.person SET city = 'Nowhere' WHERE id = 6046;
SELECT records FROM crm.dedup_tick('door');
SELECT left_id, right_id, weight > 3 AS heavy FROM crm.match_pair WHERE model = 'door' AND right_id = '6046';
DELETE FROM door.person WHERE id BETWEEN 6000 AND 6999;

-- Who sees a part of the table neither makes keys nor sweeps.
GRANT ALL ON ALL TABLES IN SCHEMA crm TO door_clerk;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO door_clerk;
GRANT USAGE ON SCHEMA crm TO door_clerk;
ALTER TABLE door.person ENABLE ROW LEVEL SECURITY;
CREATE POLICY part ON door.person TO door_clerk USING (id < 100);
SET ROLE door_clerk;
SELECT records FROM crm.dedup_tick('door');
SELECT crm.build_match_keys('door');
RESET ROLE;
DROP POLICY part ON door.person;
ALTER TABLE door.person DISABLE ROW LEVEL SECURITY;
SELECT records > 0 AS swept FROM crm.dedup_tick('door');
REVOKE ALL ON ALL TABLES IN SCHEMA crm FROM door_clerk;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA crm FROM door_clerk;
REVOKE ALL ON SCHEMA crm FROM door_clerk;

-- What crm.status() says.
SELECT * FROM crm.match_status(now());
ALTER TABLE door.person DISABLE TRIGGER crm_door_update_door;
DROP TRIGGER crm_door_delete_door ON door.person;
INSERT INTO crm.match_queue (model, record_ids, queued_at) VALUES ('door', '{1}', '2026-01-01 00:00+00');
SELECT item, state, replace(detail, to_char(timestamptz '2026-01-01 00:00+00', 'YYYY-MM-DD HH24:MI:SS TZ'), 'then') AS detail, hint FROM crm.match_status('2026-01-01 02:00+00');
DELETE FROM crm.match_queue;
BEGIN;
DROP TRIGGER crm_door_update_door ON door.person;
DROP TRIGGER crm_door_insert_door ON door.person;
DROP TRIGGER crm_door_truncate_door ON door.person;
UPDATE crm.match_version SET key_version = 0 WHERE model = 'door' AND version = 3;
UPDATE crm.match_door SET version = 1;
SELECT * FROM crm.match_status(now());
UPDATE crm.match_model SET relation = 'door.lost', version = NULL WHERE name = 'door';
SELECT * FROM crm.match_status(now());
ROLLBACK;
SELECT crm.guard_duplicates('door', 'queue');
ALTER TABLE door.person ENABLE TRIGGER crm_door_update_door;
SELECT * FROM crm.match_status(now());

-- An emptied table.
CREATE TABLE door.kept AS SELECT * FROM door.person;
BEGIN;
TRUNCATE door.person;
INSERT INTO door.person (id, given_name, family_name) VALUES (1, 'Some', 'Body');
COMMIT;
SELECT count(*) > 1400 AS stale FROM crm.match_record;
SELECT records > 1400 AS all FROM crm.dedup_tick('door');
SELECT (SELECT count(*) FROM crm.match_record) AS records, (SELECT count(DISTINCT record_id) FROM crm.match_key) AS with_keys, (SELECT count(*) FROM crm.match_pair WHERE model = 'door' AND status = 'new') AS pairs;

-- An owner of a table who is no superuser, and who may write the queue.
CREATE TABLE door.guest AS SELECT id, given_name, family_name, birth_date, email FROM door.kept;
ALTER TABLE door.guest ADD PRIMARY KEY (id);
SELECT crm.create_match_model('door_guest', 'door.guest');
SELECT crm.train_match_model('door_guest');
ALTER TABLE door.guest OWNER TO door_clerk;
SELECT crm.guard_duplicates('door_guest', 'queue');
GRANT INSERT ON crm.match_queue TO door_clerk;
SELECT crm.guard_duplicates('door_guest', 'queue');
GRANT USAGE ON SCHEMA crm TO door_clerk;
SET ROLE door_clerk;
DROP TRIGGER crm_door_delete_door_guest ON door.guest;
CREATE TRIGGER crm_door_delete_door_guest AFTER DELETE ON door.guest REFERENCING OLD TABLE AS crm_old FOR EACH STATEMENT EXECUTE FUNCTION crm.match_door('door_guest', 'id');   -- as pg_restore does
INSERT INTO door.guest SELECT 7031, given_name, family_name, birth_date, email FROM door.guest WHERE id = 31;
RESET ROLE;
SELECT left_id, right_id FROM crm.match_pair WHERE model = 'door_guest' ORDER BY 1, 2;
REVOKE INSERT ON crm.match_queue FROM door_clerk;
INSERT INTO door.guest (id) VALUES (7032);
REVOKE ALL ON SCHEMA crm FROM door_clerk;
SELECT crm.drop_match_model('door_guest');
DROP TABLE door.guest;

-- No longer.
SELECT crm.guard_duplicates('door', 'off');
INSERT INTO door.person SELECT * FROM door.kept WHERE id > 1;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'door.person'::regclass ORDER BY 1;
SELECT at_the_door FROM crm.match_model WHERE name = 'door';

-- A number of two columns.
CREATE TABLE door.pair (a integer, b text, given_name text, family_name text, birth_date date, email text, PRIMARY KEY (a, b));
INSERT INTO door.pair SELECT id, 'x', given_name, family_name, birth_date, email FROM door.person;
SELECT crm.create_match_model('door_pair', 'door.pair', 'a, b');
SELECT crm.train_match_model('door_pair');
SELECT crm.guard_duplicates('door_pair', 'queue');
INSERT INTO door.pair SELECT 14, 'y, "z"', given_name, family_name, birth_date, email FROM door.pair WHERE a = 14;
SELECT left_id, right_id FROM crm.match_pair WHERE model = 'door_pair' ORDER BY 1, 2;
SELECT crm.drop_match_model('door_pair');
INSERT INTO door.pair (a, b) VALUES (1, 'left alone');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'door.pair'::regclass;
-- A model that was deleted leaves them; they can be removed.
SELECT crm.create_match_model('door_pair', 'door.pair');
SELECT crm.train_match_model('door_pair');
SELECT crm.guard_duplicates('door_pair', 'queue');
DELETE FROM crm.match_model WHERE name = 'door_pair';
INSERT INTO door.pair (a, b) VALUES (2, 'left alone');
SELECT crm.guard_duplicates('door_pair', 'off');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'door.pair'::regclass;
SELECT crm.guard_duplicates('door_pair', 'off');

-- Long names that begin alike, of more bytes than a trigger's name may have: each model has its triggers.
SELECT repeat('a', 50) || '1' AS one, repeat('a', 50) || '2' AS other, repeat('я', 63) AS letters, repeat('b', 46) AS fits \gset
SELECT count(crm.create_match_model(m, 'door.pair')) FROM unnest(ARRAY[:'one', :'other', :'letters', :'fits']) m;
SELECT crm.train_match_model(m) FROM unnest(ARRAY[:'one', :'other', :'letters', :'fits']) m;
SELECT count(crm.guard_duplicates(m, 'queue')) FROM unnest(ARRAY[:'one', :'other', :'letters', :'fits']) m;
SELECT tgname, octet_length(tgname) FROM pg_trigger WHERE tgrelid = 'door.pair'::regclass AND tgname LIKE 'crm\_door\_insert%' ORDER BY tgname COLLATE "C";
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'door.pair'::regclass;
INSERT INTO door.pair SELECT 17, 'y', given_name, family_name, birth_date, email FROM door.pair WHERE (a, b) = (17, 'x');
SELECT model, left_id, right_id FROM crm.match_pair WHERE right_id = '(17,y)' ORDER BY 1, 2, 3;
SELECT item, state, detail FROM crm.match_status(now()) WHERE item LIKE 'match model %' AND state = 'error';
SELECT crm.guard_duplicates(:'one', 'off');
SELECT count(*) AS triggers, count(*) FILTER (WHERE tgname LIKE '%aaa%') AS others FROM pg_trigger WHERE tgrelid = 'door.pair'::regclass;
SELECT count(crm.drop_match_model(m)) FROM unnest(ARRAY[:'one', :'other', :'letters', :'fits']) m;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'door.pair'::regclass;

-- A model of a view over two tables: each changes the records.
CREATE TABLE door.mail (person_id bigint, address text);
INSERT INTO door.mail SELECT id, email FROM door.person WHERE email IS NOT NULL;
CREATE VIEW door.card AS
SELECT p.id, p.given_name, p.family_name, p.birth_date, ARRAY(SELECT m.address FROM door.mail m WHERE m.person_id = p.id ORDER BY 1) AS emails FROM door.person p;
SELECT crm.create_match_model('door_card', 'door.card', 'id', '{"fields": [
    {"name": "person", "expression": "ARRAY[given_name, family_name]", "comparator": "person", "decisive": true},
    {"name": "birth_date", "expression": "birth_date", "comparator": "date"},
    {"name": "email", "expression": "card.emails", "comparator": "email", "max_values": 3, "shared": true}],
    "blocking": [["email"], ["person"], ["person:any", "birth_date"]]}');
SELECT crm.train_match_model('door_card');
SELECT crm.guard_duplicates('door_card', 'queue');
SELECT crm.guard_duplicates('door_card', 'queue', 'door.person', 'id');
SELECT crm.guard_duplicates('door_card', 'queue', 'door.mail', 'person_id');
INSERT INTO door.person (id, given_name, family_name) SELECT 5001, left(given_name, 1), family_name FROM door.person WHERE id = 31;
SELECT left_id, right_id FROM crm.match_pair WHERE model = 'door_card' ORDER BY 1, 2;
INSERT INTO door.mail SELECT 5001, email FROM door.person WHERE id = 31;
SELECT left_id, right_id FROM crm.match_pair WHERE model = 'door_card' ORDER BY 1, 2;
SELECT d.record_id FROM door.person p, crm.find_duplicates('door_card', jsonb_build_object('given_name', p.given_name, 'family_name', p.family_name, 'emails', ARRAY[p.email])) d
WHERE p.id = 31 ORDER BY 1;
SELECT crm.drop_match_model('door_card');

-- Contacts: messages name them so, and what merging and its undoing write is no entry.
BEGIN;
SELECT count(crm.create_contact(jsonb_build_object('given_name', given_name, 'family_name', family_name, 'birth_date', birth_date, 'email', email))) FROM door.person WHERE id <= 400 AND given_name IS NOT NULL;
SELECT crm.train_match_model('contacts') IS NOT NULL AS trained;
SELECT crm.create_contact('{"name": "Quirin Zobel", "email": "quirin@zobel.example"}') AS one, crm.create_contact('{"name": "Quirin Zobel", "email": "quirin@zobel.example"}') AS other \gset
SELECT crm.guard_duplicates('contacts', 'block', 'crm.contact', 'id');
SELECT crm.guard_duplicates('contacts', 'block', 'crm.contact_point', 'contact_id');
SELECT crm.merge_contacts(:one, ARRAY[:other]) AS merge \gset
SELECT * FROM crm.unmerge(:merge);
SELECT count(*) FROM crm.contact_point WHERE contact_id IN (:one, :other);
CREATE FUNCTION pg_temp.told(sql text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE sql;
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    message := regexp_replace(message, '\d+', 'N', 'g');
    hint := regexp_replace(hint, '\d+', 'N', 'g');
END
$$;
SELECT * FROM pg_temp.told($$SELECT crm.create_contact('{"name": "Quirin Zobel", "email": "quirin@zobel.example"}')$$);
ROLLBACK;

SELECT crm.drop_match_model('door');
SELECT (SELECT count(*) FROM crm.match_key) + (SELECT count(*) FROM crm.match_record) + (SELECT count(*) FROM crm.match_queue) AS left;
SET client_min_messages = error;
DROP SCHEMA door CASCADE;
DROP ROLE door_clerk;
