-- Data quality: duplicates, bounces, completeness, sources, archive, identities, needs.
SET datestyle = 'Postgres, MDY'; SET intervalstyle = postgres_verbose;
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SET LOCAL datestyle = 'ISO, DMY';
SET LOCAL timezone = 'UTC';
CREATE TEMPORARY TABLE who (n text PRIMARY KEY, id bigint);
CREATE FUNCTION pg_temp.id(n text) RETURNS bigint LANGUAGE sql STABLE AS $$SELECT id FROM pg_temp.who w WHERE w.n = $1$$;
CREATE FUNCTION pg_temp.n(id bigint) RETURNS text LANGUAGE sql STABLE AS $$SELECT n FROM pg_temp.who w WHERE w.id = $1$$;

-- Duplicates agree on canonical keys, whatever the spelling.  R-019
INSERT INTO who SELECT n, crm.create_contact(c) FROM (VALUES
    ('anna', '{"name": "Иванова Анна Сергеевна", "email": "Anna.Ivanova@gmail.com", "phone": "+7 912 345-67-89", "birth_date": "1988-02-29", "tax_id": "500100732259"}'::jsonb),
    ('anna mail', '{"name": "Anna Ivanova", "email": "annaivanova+crm@googlemail.com"}'),
    ('anna phone', '{"given_name": "Анна", "phone": "+7 (912) 345-67-89 доб. 3"}'),
    ('anna birth', '{"given_name": "Anna", "middle_name": "Sergeevna", "family_name": "Ivanova", "birth_date": "1988-02-29"}'),
    ('anna tax', '{"email": "other@example.com", "tax_id": "5001 0073 2259"}'),
    ('father', '{"name": "Иванов Сергей Петрович", "phone": "+79123456789", "birth_date": "1960-01-01"}'),
    ('stranger', '{"name": "Anna Ivanova", "email": "ivanova@example.com"}')) AS v (n, c);
SELECT pg_temp.n(contact_id) AS contact, pg_temp.n(duplicate_id) AS duplicate, evidence, strength
FROM crm.find_duplicates(pg_temp.id('anna')) ORDER BY strength DESC, 2;
-- One contact and the whole base agree; the order of ids does not matter.
SELECT count(*) FROM crm.find_duplicates() WHERE pg_temp.id('anna') IN (contact_id, duplicate_id);
SELECT pg_temp.n(duplicate_id) AS duplicate FROM crm.find_duplicates(pg_temp.id('anna tax'));
-- The scan never offers a rejected pair again.
SELECT * FROM crm.scan_duplicates();
SELECT * FROM crm.scan_duplicates();
SELECT pg_temp.n(contact_id) AS contact, name, pg_temp.n(duplicate_id) AS duplicate, duplicate_name, strength FROM crm.v_duplicate WHERE contact_id = pg_temp.id('anna') ORDER BY strength DESC, 3;
SELECT crm.decide_duplicate(pg_temp.id('father'), pg_temp.id('anna'), 'rejected');
SELECT crm.decide_duplicate(pg_temp.id('anna phone'), pg_temp.id('anna'), 'confirmed');
SELECT added, withdrawn FROM crm.scan_duplicates(min_strength => 0);
SELECT pg_temp.n(contact_id) AS contact, pg_temp.n(duplicate_id) AS duplicate, status, decided_by IS NOT NULL AS decided FROM crm.duplicate_pair WHERE contact_id = pg_temp.id('anna') ORDER BY 2;
SELECT count(*) FROM crm.find_duplicates(pg_temp.id('father'));
SELECT count(*) FROM crm.find_duplicates(pg_temp.id('father'), include_rejected => true);
SELECT crm.decide_duplicate(1, 2, 'perhaps');
-- What no longer agrees is withdrawn.
DELETE FROM crm.contact_point WHERE contact_id = pg_temp.id('anna mail');
SELECT added, withdrawn FROM crm.scan_duplicates();
-- A switchboard of 5 000 contacts gives no pairs, alone or for all, and takes no time.
INSERT INTO crm.contact (given_name, family_name) SELECT 'Clerk', 'Number' || n FROM generate_series(1, 5000) n;
INSERT INTO crm.contact_point (contact_id, kind, raw) SELECT id, 'phone', '+74951234567' FROM crm.contact WHERE given_name = 'Clerk';
SELECT count(*) FROM crm.find_duplicates((SELECT max(id) FROM crm.contact WHERE given_name = 'Clerk'));
SELECT count(*) FROM crm.find_duplicates() d JOIN crm.contact c ON c.id = d.contact_id WHERE c.given_name = 'Clerk';
SELECT count(*) FROM crm.find_duplicates((SELECT max(id) FROM crm.contact WHERE given_name = 'Clerk'), max_shared => 5000);
DELETE FROM crm.contact WHERE given_name = 'Clerk';
-- Companies.
INSERT INTO crm.company (name, tax_id) VALUES ('ООО Ромашка', '7707083893'), ('Romashka', '7707083893/773601001'), ('Ромашка', NULL), ('Василёк', NULL);
SELECT a.name, b.name AS duplicate, evidence ? 'tax_id' AS tax_id, evidence ? 'name' AS by_name, strength
FROM crm.find_company_duplicates() d JOIN crm.company a ON a.id = d.company_id JOIN crm.company b ON b.id = d.duplicate_id ORDER BY 1, 2;
SELECT count(*) FROM crm.find_company_duplicates((SELECT id FROM crm.company WHERE name = 'Romashka'));
ROLLBACK;

-- Two hard bounces make an address invalid and stop what is sent.  R-018
BEGIN;
SET LOCAL timezone = 'UTC';
SELECT crm.create_contact('{"name": "Anna Ivanova", "email": ["anna@example.com", "a2@example.com"], "phone": "+79123456789"}') AS anna \gset
SELECT id AS mail FROM crm.contact_point WHERE contact_id = :anna AND raw = 'anna@example.com' \gset
SELECT id AS mail2 FROM crm.contact_point WHERE contact_id = :anna AND raw = 'a2@example.com' \gset
SELECT crm.usable_point(:anna, 'email') = :mail AS primary_used, crm.completeness(:anna) AS points;
SELECT crm.record_bounce(:anna, :mail, false);
SELECT crm.record_bounce(:anna, :mail);
SELECT crm.record_delivery(:anna, :mail, '2026-05-01');
SELECT bounce_count, validity, last_ok_at FROM crm.contact_point WHERE contact_id = :anna AND id = :mail;
-- A bounce that is older than the last delivery counts no more.
SELECT crm.record_bounce(:anna, :mail, as_of => '2026-04-01');
SELECT crm.record_bounce(:anna, :mail, as_of => '2026-05-02');
SELECT crm.record_bounce(:anna, :mail, as_of => '2026-05-03');
SELECT crm.usable_point(:anna, 'email') = :mail2 AS other_used;
SELECT crm.record_bounce(:anna, :mail2), crm.record_bounce(:anna, :mail2);
SELECT crm.usable_point(:anna, 'email'), crm.completeness(:anna) AS points;
\set VERBOSITY sqlstate
SELECT crm.record_bounce(:anna, 0);
\set VERBOSITY default
-- What nobody proved for a year is stale; the job is safe to repeat.
UPDATE crm.contact_point SET created_at = '2025-01-01' WHERE contact_id = :anna;
SELECT crm.expire_contact_points('2026-06-01'), crm.expire_contact_points('2026-06-01');
SELECT kind, validity FROM crm.contact_point WHERE contact_id = :anna ORDER BY id;
SELECT name, reason, last_ok_at FROM crm.v_stale_contact;
UPDATE crm.contact_point SET verified_at = '2026-05-30', validity = 'valid' WHERE contact_id = :anna AND kind = 'phone';
SELECT crm.expire_contact_points('2026-06-01');
SELECT count(*) FROM crm.v_stale_contact;
ROLLBACK;

-- Filling a weighted field changes the score by its weight exactly.  R-020
BEGIN;
INSERT INTO crm.agent (name) VALUES ('Olga') RETURNING id AS olga \gset
SELECT crm.create_contact(jsonb_build_object('given_name', 'Anna', 'owner_id', :olga, 'locale', 'ru')) AS anna \gset
SELECT crm.define_field('contact', 'size', 'text');
INSERT INTO crm.completeness_weight (field, weight) VALUES ('attrs.size', 0.07), ('job_title', 1.3);
CREATE TEMPORARY TABLE step (n integer, field text, change jsonb, score numeric);
INSERT INTO step VALUES (1, 'family_name', '{"family_name": "Ivanova"}'), (2, 'gender', '{"gender": "f"}'), (3, 'birth_date', '{"birth_date": "1988-02-29"}'), (4, 'city', '{"city": "Moscow"}'),
    (5, 'email', '{"email": "anna@example.com"}'), (6, 'phone', '{"phone": "+79123456789"}'), (7, 'company', '{"company": "Acme"}'), (8, 'consent', '{"consent": {"purpose": "marketing"}}'),
    (9, 'attrs.size', '{"attrs": {"size": "L"}}'), (10, 'job_title', '{"job_title": "CTO"}'), (11, NULL, '{"city": "Kazan", "email": "other@example.com"}'), (12, NULL, '{"country": "RU"}');
SELECT crm.completeness(:anna) AS before \gset
DO $$
DECLARE s record; anna bigint := (SELECT max(id) FROM crm.contact);
BEGIN
    FOR s IN SELECT * FROM pg_temp.step ORDER BY n LOOP
        PERFORM crm.update_contact(anna, s.change);
        UPDATE pg_temp.step SET score = crm.completeness(anna) WHERE n = s.n;
    END LOOP;
END $$;
SELECT s.n, s.field, s.score - lag(s.score, 1, :before) OVER (ORDER BY s.n) AS change, w.weight FROM step s LEFT JOIN crm.completeness_weight w USING (field) ORDER BY s.n;
SELECT points, total, missing FROM crm.v_completeness WHERE contact_id = :anna;
SELECT crm.create_contact(jsonb_build_object('given_name', 'Ivan', 'owner_id', :olga)) IS NOT NULL AS made;
SELECT owner, contacts, completeness_percent, without_email, without_phone, invalid_points, stale_contacts FROM crm.v_data_quality WHERE owner_id = :olga;
ROLLBACK;

-- What the sources say, and who wins.  R-022
BEGIN;
SET LOCAL timezone = 'UTC';
SELECT crm.create_contact('{"given_name": "Anna"}') AS anna \gset
SELECT crm.record_source_value(:anna, 'city', 'survey', 'Kazan', seen_at => '2026-01-02') IS NOT NULL AS made;
SELECT crm.record_source_value(:anna, 'city', 'import', 'Moscow', seen_at => '2026-01-01') IS NOT NULL AS made;
SELECT crm.record_source_value(:anna, 'city', 'enrichment', 'Paris', 0.5, seen_at => '2026-01-03') IS NOT NULL AS made;
SELECT crm.record_source_value(:anna, 'birth_date', 'import', '29.02.1988', seen_at => '2026-01-01') IS NOT NULL AS made;
SELECT crm.apply_survivorship(ARRAY[:anna]);
SELECT city, birth_date = '1988-02-29' AS birth_date FROM crm.contact WHERE id = :anna;
SELECT value, source, confidence, priority, is_current, reason FROM crm.explain_value(:anna, 'city');
SELECT crm.apply_survivorship(ARRAY[:anna]) AS again;
-- The later of equals; then a rule of the field itself.
SELECT crm.record_source_value(:anna, 'city', 'import', 'Tver', seen_at => '2026-02-01') IS NOT NULL AS made;
SELECT crm.apply_survivorship(ARRAY[:anna]);
SELECT city FROM crm.contact WHERE id = :anna;
INSERT INTO crm.survivorship_rule (field, source, priority) VALUES ('city', 'survey', 5);
SELECT crm.apply_survivorship(ARRAY[:anna]);
SELECT city FROM crm.contact WHERE id = :anna;
-- What a user enters stands, until a source that is believed before the user says otherwise.  R-024
SELECT crm.update_contact(:anna, '{"family_name": "Ivanova"}') = :anna AS updated;
SELECT * FROM crm.apply_enrichment(:anna, '[{"field": "family_name", "value": "Petrova", "confidence": 0.3}, {"field": "family_name", "value": "Sidorova", "confidence": 0.99}, {"field": "job_title", "value": "CTO", "confidence": 0.9, "detail": {"page": "https://example.com"}}, {"field": "gender", "value": "m"}]');
SELECT family_name, job_title, gender FROM crm.contact WHERE id = :anna;
SELECT value, source, is_current, reason FROM crm.explain_value(:anna, 'family_name');
SELECT crm.update_contact(:anna, '{"job_title": "CEO"}') = :anna AS updated;
SELECT crm.apply_survivorship(ARRAY[:anna]);
SELECT job_title FROM crm.contact WHERE id = :anna;
SELECT value, source, is_current, reason FROM crm.explain_value(:anna, 'job_title');
-- Custom fields, and what is refused.
SELECT crm.define_field('contact', 'size', 'number');
SELECT * FROM crm.apply_enrichment(:anna, '{"field": "attrs.size", "value": "38", "confidence": 0.9}', 'import');
SELECT attrs FROM crm.contact WHERE id = :anna;
SELECT crm.record_source_value(:anna, 'birth_date', 'import', 'yesterday or so');
SELECT crm.record_source_value(:anna, 'shoe', 'import', '38');
SELECT crm.record_source_value(:anna, 'attrs.shoe', 'import', '38');
SELECT crm.record_source_value(:anna, 'deleted_at', 'import', 'now');
SELECT * FROM crm.apply_enrichment(:anna, '["x"]');
ROLLBACK;

-- Archive and back: the same to the byte.  R-023
BEGIN;
SET LOCAL timezone = 'UTC';
SELECT crm.create_contact('{"name": "Иванова Анна", "email": "anna@example.com", "phone": "+79123456789", "tags": ["vip"], "identity": {"vk": "id1"}}') AS anna \gset
SELECT crm.create_contact('{"name": "Petrov Ivan", "lifecycle_stage": "customer"}') AS ivan \gset
SELECT crm.create_contact('{"name": "Sidorova Olga"}') AS olga \gset
SELECT crm.create_contact('{"name": "Orlov Oleg"}') AS oleg \gset
INSERT INTO crm.deal (name, contact_id) VALUES ('Open one', :olga);
INSERT INTO crm.activity (contact_id, kind, occurred_at) VALUES (:oleg, 'call', now() + interval '300 days');
INSERT INTO crm.archive_rule (name, lifecycle_stage, inactive_for) VALUES ('cold leads', 'lead', '180 days');
CREATE TEMPORARY TABLE copy AS SELECT c.*::text AS row FROM crm.contact c;
CREATE TEMPORARY TABLE key_copy AS SELECT * FROM crm.contact_key;
SELECT crm.archive_contacts(now() + interval '100 days') AS too_early, crm.archive_contacts(now() + interval '200 days') AS in_time, crm.archive_contacts(now() + interval '200 days') AS again;
SELECT id = :anna AS anna, archived_at > now() AS archived FROM crm.contact WHERE archived_at IS NOT NULL;
SELECT count(*) FROM crm.v_contact WHERE contact_id = :anna;
SELECT (SELECT count(*) FROM crm.lookup_contact('+79123456789')) AS by_phone, (SELECT count(*) FROM crm.lookup_contact('Ivanova')) AS by_name;
SELECT name FROM crm.lookup_contact('Ivanova', include_archived => true);
SELECT name FROM crm.lookup_caller('+79123456789');
SELECT crm.restore_contacts(ARRAY[:anna, :ivan]);
SELECT c.*::text FROM crm.contact c EXCEPT SELECT row FROM copy;
SELECT count(*) FROM (TABLE crm.contact_key EXCEPT TABLE key_copy) d;
-- The log has both, so the job does not take it away again at once.
SELECT operation, changes -> 'archived_at' ->> 'new' IS NULL AS restored FROM crm.audit_log WHERE contact_id = :anna AND changes ? 'archived_at' ORDER BY id;
-- By a rule on the profile: buyers of cheap goods, whatever their stage.
UPDATE crm.archive_rule SET enabled = false;
INSERT INTO crm.archive_rule (name, inactive_for, definition) VALUES
    ('cheap buyers', '180 days', 'order_count > 0 and order_total < 100'), ('not yet', '180 days', 'last_order_at < now() - interval ''10 years''');
UPDATE crm.base_currency SET code = 'USD';
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency) VALUES (:anna, now(), 20, 'USD'), (:ivan, now(), 200, 'USD'), (:olga, now(), 20, 'USD');
SELECT crm.archive_contacts(now() + interval '200 days');
SELECT id = :anna AS anna, id = :olga AS olga FROM crm.contact WHERE archived_at IS NOT NULL;
SELECT crm.archive_contacts(now() + interval '11 years');
SELECT id = :ivan AS ivan FROM crm.contact WHERE archived_at > now() + interval '1 year';
-- Who orders again, or comes to us, is taken back, by the job.
INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency) VALUES (:ivan, now() + interval '11 years 1 day', 5, 'USD');
UPDATE crm.archive_rule SET enabled = false;
SELECT crm.archive_contacts(now() + interval '11 years'), crm.archive_contacts(now() + interval '11 years 2 days');
SELECT id = :anna AS anna, id = :ivan AS ivan FROM crm.contact WHERE archived_at IS NOT NULL ORDER BY 1;
UPDATE crm.archive_rule SET enabled = name <> 'cold leads';
SELECT crm.archive_contacts(now() + interval '11 years 100 days') AS ordered_lately;
SELECT crm.restore_contacts(ARRAY[:anna, :ivan]);
-- Without its rule, as after DROP EXTENSION, nobody.
ALTER TABLE crm.archive_rule DISABLE TRIGGER archive_rule_rule;
UPDATE crm.archive_rule SET rule = NULL;
SELECT crm.archive_contacts(now() + interval '12 years');
ROLLBACK;

-- One account, one living contact.  R-026
BEGIN;
SELECT crm.create_contact('{"name": "Anna Ivanova"}') AS anna \gset
SELECT crm.create_contact('{"name": "Ivan Petrov"}') AS ivan \gset
SELECT crm.link_identity(:anna, 'vk', 'id1', '{"photo": "same"}') IS NOT NULL AS linked;
SELECT crm.link_identity(:anna, 'vk', 'id1', '{"call": "confirmed"}') IS NOT NULL AS again;
SELECT provider, external_id, verified_by, confidence, evidence FROM crm.contact_identity WHERE contact_id = :anna;
\set VERBOSITY terse
SELECT crm.link_identity(:ivan, 'vk', 'id1');
\set VERBOSITY default
DO $$
DECLARE detail text; hint text;
BEGIN
    PERFORM crm.link_identity((SELECT max(id) FROM crm.contact), 'vk', 'id1');
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE '% %', regexp_replace(detail, '\d+', 'N'), hint;
END $$;
\set VERBOSITY sqlstate
INSERT INTO crm.contact_identity (contact_id, provider, external_id) VALUES (:ivan, 'vk', 'id1');
SELECT crm.link_identity(0, 'vk', 'id2');
\set VERBOSITY default
-- A deleted contact frees the account.
SELECT crm.delete_contact(:anna);
SELECT crm.link_identity(:ivan, 'vk', 'id1') IS NOT NULL AS linked;
\set VERBOSITY sqlstate
SELECT crm.restore_contacts(ARRAY[:anna]);
\set VERBOSITY default
ROLLBACK;

-- Needs, and how they change.  R-007, R-008
BEGIN;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, DMY';
SELECT crm.create_contact('{"name": "Anna Ivanova"}') AS anna \gset
SELECT crm.create_contact('{"name": "Ivan Petrov"}') AS ivan \gset
SELECT crm.set_need(:anna, 'objection', 'price', 4, 'call', '2026-01-10') IS NOT NULL AS made;
SELECT crm.set_need(:ivan, 'objection', 'price', 2, 'survey', '2026-01-20') IS NOT NULL AS made;
SELECT crm.set_need(:anna, 'objection', 'price', 1, 'call', '2026-02-10') IS NOT NULL AS changed;
SELECT crm.set_need(:anna, 'objection', 'price', 1, 'call', '2026-02-20') = crm.set_need(:anna, 'objection', 'price', 1, 'call', '2026-02-21') AS unchanged;
SELECT crm.set_need(:ivan, 'objection', 'price', NULL, as_of => '2026-03-05') IS NULL AS closed;
SELECT crm.set_need(:anna, 'need', 'delivery', 5, 'call', '2026-02-10') IS NOT NULL AS made;
SELECT contact_id = :anna AS anna, kind, subject, strength, since FROM crm.needs_as_of('2026-02-01') ORDER BY 1 DESC, 2, 3;
SELECT contact_id = :anna AS anna, kind, subject, strength, since FROM crm.needs_as_of('2026-04-01') ORDER BY 1 DESC, 2, 3;
SELECT month, kind, subject, opened, closed, holding, strength FROM crm.v_need_trend WHERE month < '2026-04-01' ORDER BY 1, 2, 3;
SELECT count(*) FROM crm.needs_as_of('2026-02-01') WHERE kind = 'objection' AND subject = 'price';
\set VERBOSITY sqlstate
SELECT crm.set_need(:anna, 'wish', 'x');
SELECT crm.set_need(:anna, 'need', 'x', 6);
SELECT crm.set_need(:anna, 'need', 'delivery', 1, as_of => '2025-01-01');
SELECT crm.set_need(0, 'need', 'x');
\set VERBOSITY default
ROLLBACK;
