-- Merging contacts: nothing is lost, everything is written down.  R-019
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SET LOCAL datestyle = 'ISO, DMY';
SET LOCAL timezone = 'UTC';
-- Tables of the user refer to contacts, too: plain, unique, part of a key, through another table.
CREATE SCHEMA shop;
CREATE TABLE shop.visit (id integer PRIMARY KEY, contact_id bigint REFERENCES crm.contact (id), amount numeric, weight real, body json);
CREATE TABLE shop.card (number text PRIMARY KEY, holder bigint UNIQUE REFERENCES crm.contact (id));
CREATE TABLE shop.size (contact_id bigint REFERENCES crm.contact (id), part text, size text, PRIMARY KEY (contact_id, part));
CREATE TABLE shop.basket (contact_id bigint NOT NULL REFERENCES crm.contact (id), id integer, PRIMARY KEY (contact_id, id));
CREATE TABLE shop.basket_line (contact_id bigint NOT NULL, basket_id integer NOT NULL, line integer, PRIMARY KEY (contact_id, basket_id, line),
    FOREIGN KEY (contact_id, basket_id) REFERENCES shop.basket (contact_id, id) ON DELETE CASCADE);
CREATE TABLE shop.locker (contact_id bigint REFERENCES crm.contact (id), id integer, key_number integer UNIQUE, PRIMARY KEY (contact_id, id));
SELECT relation, column_name, key_columns, is_copied, in_unique, depth FROM crm.contact_references() WHERE relation::text LIKE 'shop.%';
SELECT count(*) > 15 AS ours FROM crm.contact_references() WHERE relation::text LIKE 'crm.%';

SELECT crm.create_contact('{"name": "Иванова Анна", "email": "anna@example.com", "phone": "+79123456789", "birth_date": "1988-02-29", "city": "Москва", "company": "Acme", "tags": ["vip"], "external_ref": {"1C": "1"}}') AS anna \gset
SELECT crm.create_contact('{"name": "Ivanova Anna Sergeevna", "email": ["ANNA@example.com", "a2@example.com"], "phone": "+79160000001", "city": "Moscow", "job_title": "CTO", "lifecycle_stage": "customer", "company": "Acme", "tags": ["vip", "fair"], "external_ref": {"shop": "2"}, "identity": {"vk": "id1"}, "consent": {"purpose": "marketing"}}') AS two \gset
SELECT crm.create_contact('{"given_name": "Anna", "phone": "+79160000002", "locale": "ru", "title": "Dr", "tags": ["new"]}') AS three \gset
INSERT INTO crm.deal (name, contact_id) VALUES ('Deal of two', :two);
INSERT INTO crm.activity (contact_id, kind, subject, occurred_at) VALUES (:two, 'call', 'Hello', '2026-01-01'), (:three, 'email', 'Hi', '2026-01-02');
INSERT INTO crm.task (title, contact_id) VALUES ('Call', :three);
SELECT crm.set_need(:two, 'objection', 'price', 4, 'call', '2026-01-01') IS NOT NULL AS made;
INSERT INTO shop.visit VALUES (1, :anna, 1.50, 0.1, '{"a":  1}'), (2, :two, 2.50, 1.1, '{"b":   2, "b": 3}'), (3, :three, 0.00, 'NaN', NULL);
INSERT INTO shop.card VALUES ('A', :anna), ('B', :two);
INSERT INTO shop.size VALUES (:anna, 'shoe', '38'), (:two, 'shoe', '39'), (:two, 'hat', 'M'), (:three, 'hat', 'L');
INSERT INTO shop.basket VALUES (:anna, 1), (:two, 2), (:three, 2);
INSERT INTO shop.basket_line VALUES (:anna, 1, 1), (:two, 2, 1), (:two, 2, 2), (:three, 2, 1), (:three, 2, 3);
INSERT INTO shop.locker VALUES (:two, 1, 77);
SELECT crm.decide_duplicate(:two, :three, 'confirmed');
SELECT crm.create_contact('{"name": "Ivanova Olga"}') AS other \gset
SELECT crm.decide_duplicate(:two, :other, 'rejected');
CREATE TEMPORARY TABLE before AS SELECT to_jsonb(c) AS row FROM crm.contact c;

-- What is refused.
\set VERBOSITY sqlstate
SELECT crm.merge_contacts(:anna, ARRAY[:anna]);
SELECT crm.merge_contacts(:anna, ARRAY[]::bigint[]);
SELECT crm.merge_contacts(:anna, ARRAY[0]);
SELECT crm.merge_contacts(0, ARRAY[:anna]);
SELECT crm.merge_contacts(:anna, ARRAY[:two], '{"prefer": "newest"}');
SELECT crm.merge_contacts(:anna, ARRAY[:two], '{"fields": {"id": 1}}');
SELECT crm.merge_contacts(:anna, ARRAY[:two], jsonb_build_object('fields', jsonb_build_object('city', :three)));
\set VERBOSITY default
SELECT to_jsonb(c) = row AS unchanged FROM before JOIN crm.contact c ON c.id = (row ->> 'id')::bigint GROUP BY 1;

SELECT crm.merge_contacts(:anna, ARRAY[:three, :two, :two], jsonb_build_object('fields', jsonb_build_object('city', :two))) AS merge \gset

-- The survivor: filled where it was empty, city as asked for, the farthest stage.
SELECT title, given_name, middle_name, family_name, city, job_title, locale, lifecycle_stage, birth_date FROM crm.contact WHERE id = :anna;
SELECT count(*) FILTER (WHERE merged_into = :anna AND deleted_at IS NOT NULL) AS absorbed, count(*) FROM crm.contact WHERE id IN (:two, :three);
SELECT crm.resolve_contact(:two) = :anna AS resolved, crm.contact_card(:two) ->> 'contact_id' = :anna::text AS card;
-- Nothing refers to the absorbed ones any more.
DO $$
DECLARE r record; rows bigint; total bigint := 0;
BEGIN
    FOR r IN SELECT * FROM crm.contact_references() LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE %I IN (SELECT id FROM crm.contact WHERE merged_into IS NOT NULL)', r.relation, r.column_name) INTO rows;
        total := total + rows;
    END LOOP;
    RAISE NOTICE 'rows left behind: %', total;
END $$;
SELECT kind, raw, is_primary FROM crm.contact_point WHERE contact_id = :anna ORDER BY id;
SELECT kind, key FROM crm.contact_key WHERE contact_id = :anna ORDER BY 1, 2;
SELECT count(*) FROM crm.contact_key WHERE contact_id IN (:two, :three);
SELECT array_agg(tag ORDER BY tag) AS tags FROM crm.tag WHERE contact_id = :anna;
SELECT count(*) AS companies FROM crm.company_contact WHERE contact_id = :anna;
SELECT subject FROM crm.activity WHERE contact_id = :anna ORDER BY occurred_at;
SELECT purpose, status FROM crm.v_consent WHERE contact_id = :anna;
SELECT (SELECT count(*) FROM crm.deal WHERE contact_id = :anna) AS deals, (SELECT count(*) FROM crm.task WHERE contact_id = :anna) AS tasks, (SELECT count(*) FROM crm.contact_need WHERE contact_id = :anna) AS needs;
SELECT id, contact_id = :anna AS anna, amount, weight, body FROM shop.visit ORDER BY id;
SELECT number FROM shop.card WHERE holder = :anna;
SELECT part, size FROM shop.size WHERE contact_id = :anna ORDER BY 1;
SELECT contact_id = :anna AS anna, basket_id, line FROM shop.basket_line ORDER BY 2, 3;
SELECT contact_id = :anna AS anna, id, key_number FROM shop.locker;
SELECT status, count(*) FROM crm.duplicate_pair GROUP BY 1 ORDER BY 1;
SELECT status FROM crm.duplicate_pair WHERE contact_id = :anna AND duplicate_id = :other;

-- The journal has every row moved or dropped, and every value overwritten.
SELECT absorbed_id = :two AS two, operation, relation, count(*), min(reason) AS reason FROM crm.merge_journal WHERE merge_id = :merge GROUP BY 1, 2, 3 ORDER BY 1, 3, 2;
SELECT absorbed_id = :two AS two, row_before - 'name_key' AS row_before, row_after - 'name_key' AS row_after FROM crm.merge_journal WHERE merge_id = :merge AND operation = 'fill' ORDER BY entry;
SELECT relation, row_before - 'contact_id' - 'holder' - 'id' - 'created_at' - 'created_by' - 'valid' - 'company_id' AS dropped FROM crm.merge_journal
WHERE merge_id = :merge AND operation = 'drop' AND relation <> 'contact_point' ORDER BY relation, row_before ->> 'tag', entry;
SELECT row_before ->> 'body' AS body, row_before ->> 'amount' AS amount, row_before ->> 'weight' AS weight FROM crm.merge_journal WHERE merge_id = :merge AND relation = 'shop.visit' ORDER BY entry;
SELECT count(*) = max(entry) AND min(entry) = 1 AS numbered FROM crm.merge_journal WHERE merge_id = :merge;
-- From the journal the absorbed contact can be had back, value for value.
SELECT bool_and(to_jsonb(r) = b.row) AS exact
FROM crm.merge_journal j JOIN before b ON (b.row ->> 'id')::bigint = j.absorbed_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::crm.contact, j.row_before || jsonb_build_object('attrs', (j.row_before ->> 'attrs')::jsonb)) r
WHERE j.merge_id = :merge AND j.operation = 'absorb';

-- What comes late is brought after.
INSERT INTO crm.activity (contact_id, kind, subject) VALUES (:two, 'call', 'Late');
SELECT crm.merge_contacts(:anna, ARRAY[:two]) AS again \gset
SELECT operation, relation FROM crm.merge_journal WHERE merge_id = :again;
SELECT count(*) FROM crm.activity WHERE contact_id = :anna;

-- Absorbed is absorbed; who absorbs the survivor gets the absorbed ones, too.
\set VERBOSITY sqlstate
SELECT crm.merge_contacts(:other, ARRAY[:two]);
SELECT crm.restore_contacts(ARRAY[:two]);
\set VERBOSITY default
SELECT crm.merge_contacts(:other, ARRAY[:anna]) IS NOT NULL AS merged;
SELECT count(*) FROM crm.contact WHERE merged_into = :other;
SELECT crm.resolve_contact(:two) = :other AS resolved;
-- The log of consent still cannot be touched otherwise.
\set VERBOSITY sqlstate
DELETE FROM crm.consent WHERE contact_id = :other;
\set VERBOSITY default
ROLLBACK;
