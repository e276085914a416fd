-- Contacts: what a person enters is kept, what is derived from it stands beside it.
SET datestyle = 'Postgres, MDY'; SET intervalstyle = postgres_verbose;
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SET LOCAL datestyle = 'ISO, DMY';
SET LOCAL crm.default_region = 'RU';
SELECT crm.create_contact('{"name": "Иванова Анна Сергеевна", "email": " Anna.Ivanova+crm@GMail.com", "phone": ["8 (912) 345-67-89", "+7 495 123-45-67 доб. 12"], "birth_date": "29.02.1988", "company": "ООО Ромашка", "tags": ["vip", "fair"], "city": "Москва"}') AS anna \gset
SELECT title, given_name, middle_name, family_name, gender, to_char(birth_date, 'YYYY-MM-DD') AS birth_date, city, lifecycle_stage, name_key FROM crm.contact WHERE id = :anna;
SELECT kind, raw, region, email, phone, match_key, is_primary FROM crm.contact_point WHERE contact_id = :anna ORDER BY id;
SELECT kind, key FROM crm.contact_key WHERE contact_id = :anna ORDER BY 1, 2;
SELECT c.name, l.role, l.is_primary FROM crm.company_contact l JOIN crm.company c ON c.id = l.company_id WHERE contact_id = :anna;
SELECT tag FROM crm.tag WHERE contact_id = :anna ORDER BY 1;
-- One person holds roles in two companies; a second primary one is refused.  R-001
SELECT crm.update_contact(:anna, '{"company": "Acme GmbH", "company_role": "adviser"}') = :anna AS updated;
SELECT c.name, l.role, l.is_primary FROM crm.company_contact l JOIN crm.company c ON c.id = l.company_id WHERE contact_id = :anna ORDER BY 1;
\set VERBOSITY terse
UPDATE crm.company_contact SET is_primary = true WHERE contact_id = :anna;
\set VERBOSITY default
-- Wrong input is refused and named.
SELECT crm.create_contact('{"nmae": "Anna"}');
SELECT crm.create_contact('{"name": "Anna", "email": "anna@mail,ru"}');
SELECT crm.create_contact('{"name": "Anna", "birth_date": "31.02.1988"}');
SELECT crm.create_contact('{"name": "Anna", "time_zone": "Europe/Moskow"}');
SELECT crm.create_contact('{"city": "Moscow"}');
SELECT crm.update_contact(0, '{"city": "Moscow"}');
-- The owner by name, or by the role with which the agent works.
INSERT INTO crm.agent (name, role_name) VALUES ('Olga Petrova', 'regress_olga'), ('Ivan Sidorov', 'regress_ivan'), ('Ivan Sidorov', 'regress_ivan2');
INSERT INTO crm.agent (name, active) VALUES ('Gone', false);
SELECT crm.create_contact('{"name": "Petrov Petr", "owner": "olga petrova"}') AS owned \gset
SELECT a.name, a.role_name FROM crm.contact c JOIN crm.agent a ON a.id = c.owner_id WHERE c.id = :owned;
SELECT crm.update_contact(:owned, '{"owner": "regress_ivan2"}') = :owned AS updated;
SELECT a.name, a.role_name FROM crm.contact c JOIN crm.agent a ON a.id = c.owner_id WHERE c.id = :owned;
SELECT crm.update_contact(:owned, '{"city": "Tver"}') = :owned AS updated;
SELECT owner_id IS NOT NULL AS still_owned FROM crm.contact WHERE id = :owned;
SELECT crm.update_contact(:owned, '{"owner": "Nobody"}');
SELECT crm.update_contact(:owned, '{"owner": "Gone"}');
\set VERBOSITY sqlstate
SELECT crm.update_contact(:owned, '{"owner": "Ivan Sidorov"}');
\set VERBOSITY default
SELECT crm.update_contact(:owned, '{"owner": "Olga Petrova", "owner_id": 1}');
SELECT crm.update_contact(:owned, '{"owner": null}') = :owned AS updated;
SELECT owner_id FROM crm.contact WHERE id = :owned;
-- A thousand custom fields on one contact; a value of the wrong type names its field.  R-002
SELECT count(crm.define_field('contact', 'field_' || n, 'number')) FROM generate_series(1, 1000) n;
SELECT crm.update_contact(:anna, jsonb_build_object('attrs', (SELECT jsonb_object_agg('field_' || n, n) FROM generate_series(1, 1000) n))) = :anna AS updated;
SELECT count(*) FROM crm.contact c, jsonb_object_keys(c.attrs) WHERE c.id = :anna;
\set VERBOSITY sqlstate
SELECT crm.update_contact(:anna, '{"attrs": {"field_7": "seven"}}') = :anna;
SELECT crm.update_contact(:anna, '{"attrs": {"shoe_size": 38}}') = :anna;
\set VERBOSITY default
DO $$
DECLARE field text;
BEGIN
    UPDATE crm.contact SET attrs = '{"field_7": "seven"}' WHERE attrs ? 'field_7';
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS field = COLUMN_NAME;
    RAISE NOTICE 'wrong field: %', field;
END $$;
-- Consent is an append-only log.
SELECT crm.update_contact(:anna, '{"consent": {"purpose": "marketing", "source": "form"}}') = :anna AS updated;
UPDATE crm.consent SET status = 'denied' WHERE contact_id = :anna;
DELETE FROM crm.consent WHERE contact_id = :anna;
ROLLBACK;

-- Looking up.  R-004
BEGIN;
SELECT crm.create_contact('{"name": "Иванова Анна Сергеевна", "phone": "+79123456789", "email": "anna.ivanova@gmail.com", "identity": {"vk": "id77"}, "external_ref": {"1C": "000123"}, "tax_id": "500100732259", "company": "ООО Ромашка"}') AS anna \gset
SELECT crm.create_contact('{"given_name": "Ivan", "family_name": "Ivanov", "phone": "+79123456700"}') AS ivan \gset
SELECT crm.create_contact('{"given_name": "Anna", "family_name": "Schmidt", "country": "DE", "phone": "0151 23456789"}') AS schmidt \gset
CREATE FUNCTION pg_temp.found(query text) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(l.name || ' by ' || l.matched_by, ', ' ORDER BY l.name) FROM crm.lookup_contact(query) l$$;
SELECT q, pg_temp.found(q) FROM unnest(ARRAY['8 (912) 345-67-89', '+7 912 345 67 89', '9123456789', '3456789', '0151 23456789', '00 49 151 23456789',
    'Anna.Ivanova+shop@googlemail.com', '500100732259', '1C:000123', '000123', 'vk:id77', 'id77',
    'Анна Иванова', 'Ivanova Anna', 'Ivanov', 'Anna Sergeevna Ivanova', 'Сергеевна Анна Иванова', 'ivanova a', 'Шмидт', 'Anna Shmidt', 'anna', 'Petrov', '%', '_', '', NULL, 'ivan@', '8 800']) q;
SET LOCAL crm.default_region = 'RU';
SELECT q, pg_temp.found(q) FROM unnest(ARRAY['8 (912) 345-67-89', '+7 912 345 67 89', '9123456789', '8 912 345-67-89 доб. 5']) q;
SELECT contact_id = :anna AS anna, name, company, matched_by, matched_value FROM crm.lookup_caller('8 (912) 345-67-89');
-- A given name alone: whole words before beginnings, family names before given
-- names, the newest of these first; archived and deleted ones do not count.
SELECT crm.create_contact('{"given_name": "Anna Maria", "family_name": "Zelenko"}') AS maria \gset
SELECT crm.create_contact('{"given_name": "Olga", "family_name": "Annaeva"}') AS annaeva \gset
SELECT crm.create_contact('{"given_name": "Wanda", "family_name": "Anna"}') AS wanda \gset
SELECT crm.create_contact('{"given_name": "Аннабель", "family_name": "Ли"}') AS annabel \gset
SELECT crm.create_contact('{"given_name": "Anna", "family_name": "Deleted"}') AS gone \gset
SELECT crm.delete_contact(:gone);
UPDATE crm.contact SET archived_at = now() WHERE id = :schmidt;
SELECT name, matched_by FROM crm.lookup_contact('anna');
SELECT name FROM crm.lookup_contact('Анна', 2);
SELECT name FROM crm.lookup_contact('Анна', include_archived => true) WHERE name LIKE 'Anna Schmidt';
UPDATE crm.contact SET archived_at = NULL WHERE id = :schmidt;
SELECT pg_temp.found('Wanda');
-- Deleted contacts are not found, their numbers are free; restored they are.
SELECT crm.delete_contact(:anna);
SELECT pg_temp.found('9123456789'), pg_temp.found('Ivanova'), pg_temp.found('id77');
SELECT crm.restore_contacts(ARRAY[:anna]);
SELECT pg_temp.found('9123456789'), pg_temp.found('Ivanova'), pg_temp.found('id77');
ROLLBACK;

-- How to address a client.  R-010
BEGIN;
CREATE TEMPORARY TABLE person AS SELECT n, crm.create_contact(c) AS id FROM (VALUES
    (1, '{"given_name": "Анна", "middle_name": "Сергеевна", "family_name": "Иванова"}'::jsonb),
    (2, '{"given_name": "Дмитрий", "family_name": "Васильев"}'), (3, '{"given_name": "Anna", "family_name": "Schmidt", "locale": "de-AT"}'),
    (4, '{"family_name": "Kowalski", "gender": "m", "locale": "pl"}'), (5, '{"email": "x@example.com"}')) AS p (n, c);
SELECT n, crm.contact_salutation(id), crm.contact_salutation(id, 'informal'), crm.contact_salutation(id, 'formal', 'en') FROM person ORDER BY n;
SELECT crm.contact_salutation(id, 'formal', 'xx') FROM person WHERE n = 1;
SELECT crm.contact_salutation(0);
ROLLBACK;

-- The card: everything in one call.  R-003, R-227
BEGIN;
SET LOCAL timezone = 'UTC';
SET LOCAL crm.default_region = 'RU';
INSERT INTO crm.branch (name, time_zone) VALUES ('Vladivostok office', 'Asia/Vladivostok') RETURNING id AS branch \gset
INSERT INTO crm.agent (name, branch_id, time_zone) VALUES ('Olga', :branch, 'Asia/Vladivostok') RETURNING id AS olga \gset
SELECT crm.create_contact(jsonb_build_object('name', 'Иванова Анна Сергеевна', 'email', 'anna@example.com', 'phone', '8 912 345-67-89', 'birth_date', '1988-02-29',
    'company', 'ООО Ромашка', 'tags', '["vip", "fair"]'::jsonb, 'city', 'Владивосток', 'owner_id', :olga, 'branch_id', :branch, 'identity', '{"vk": "id77"}'::jsonb,
    'external_ref', '{"1C": "000123"}'::jsonb)) AS anna \gset
INSERT INTO crm.consent (contact_id, purpose, channel, status, at) VALUES
    (:anna, 'marketing', 'email', 'granted', '2026-01-01'), (:anna, 'marketing', 'email', 'withdrawn', '2026-03-01'), (:anna, 'service', '*', 'granted', '2026-01-01');
SELECT crm.set_need(:anna, 'objection', 'price', 4, 'call', '2026-01-15') IS NOT NULL AS made;
INSERT INTO crm.contact_date (contact_id, kind, date) VALUES (:anna, 'wedding', '2010-06-12');
INSERT INTO crm.owned_product (contact_id, product, purchased_at, warranty_until) VALUES (:anna, 'Lada Vesta', '2025-05-01', '2028-05-01');
INSERT INTO crm.deal (name, contact_id, amount, currency) VALUES ('Service', :anna, 1000, 'RUB');
INSERT INTO crm.task (title, contact_id, due_at) VALUES ('Call back', :anna, '2026-02-01 10:00+00');
INSERT INTO crm.activity (contact_id, kind, direction, subject, occurred_at) SELECT :anna, 'call', 'in', 'Call ' || n, timestamptz '2026-01-01' + n * interval '1 hour' FROM generate_series(1, 30) n;
UPDATE crm.contact SET job_title = 'Director' WHERE id = :anna;
SELECT crm.contact_card(:anna, '2026-02-15 03:00+00') AS card \gset
SELECT key, value FROM jsonb_each(:'card'::jsonb)
WHERE key IN ('name', 'salutation', 'age', 'city', 'tags', 'local_time', 'completeness', 'consent') ORDER BY key;
SELECT d ->> 'name' AS deal, d ->> 'stage' AS stage FROM jsonb_array_elements(:'card'::jsonb -> 'deals') d;
SELECT d ->> 'title' AS task, d ->> 'overdue' AS overdue FROM jsonb_array_elements(:'card'::jsonb -> 'tasks') d;
SELECT jsonb_array_length(:'card'::jsonb -> 'activities') AS activities, :'card'::jsonb #>> '{activities,0,subject}' AS last_one;
SELECT e.key, jsonb_array_length(e.value) FROM jsonb_each(:'card'::jsonb) e WHERE e.key IN ('points', 'companies', 'identities', 'external_refs', 'needs', 'dates', 'products') ORDER BY 1;
SELECT crm.contact_card(:anna) #> '{changes,0,fields}' AS last_change, :'card'::jsonb #>> '{owner,name}' AS owner;
-- Orders, quotes, payments and inquiries, and in the timeline.
INSERT INTO crm.sales_order (contact_id, id, number, amount, currency, ordered_at) VALUES (:anna, 900001, 'A-1', 300, 'RUB', '2026-01-20 10:00+00'), (:anna, 900002, 'A-2', 500, 'RUB', '2026-02-20 10:00+00');
INSERT INTO crm.payment (contact_id, id, order_id, amount, currency, status, paid_at, created_at) VALUES (:anna, 900001, 900001, 300, 'RUB', 'paid', '2026-01-21 10:00+00', '2026-01-21 10:00+00'),
    (:anna, 900002, 900002, 500, 'RUB', 'pending', NULL, '2026-02-21 10:00+00');
INSERT INTO crm.lead (id, source, contact_id, need, created_at) VALUES (900001, 'site', :anna, 'a ride', '2026-01-10 10:00+00');
INSERT INTO crm.quote (id, number, contact_id, currency, created_at) VALUES (900001, 'Q-1', :anna, 'RUB', '2026-01-18 10:00+00');
INSERT INTO crm.quote_line (quote_id, description, quantity, unit_price, tax_rate, tax_included) VALUES (900001, 'Ride', 3, 100, 0, true);
UPDATE crm.quote SET status = 'sent', sent_at = '2026-01-19 10:00+00' WHERE id = 900001;
SELECT e.key, r.value - 'id' AS value FROM jsonb_each(crm.contact_card(:anna, '2026-02-15 03:00+00')) e, jsonb_array_elements(e.value) r (value)
WHERE e.key IN ('orders', 'quotes', 'payments', 'leads') ORDER BY 1;
SELECT at, kind, title, detail FROM crm.timeline(:anna) WHERE kind IN ('order', 'quote', 'payment', 'lead') ORDER BY at;
SELECT count(*), count(DISTINCT (t.source, t.source_id)) FROM crm.timeline(:anna) t;
WITH RECURSIVE page AS (
    SELECT 1 AS n, t.* FROM (SELECT * FROM crm.timeline(:anna, count => 1)) t
    UNION ALL
    SELECT p.n + 1, t.* FROM page p CROSS JOIN LATERAL crm.timeline(:anna, p.cursor, 1) t)
SELECT count(*) AS pages FROM page;
-- As of an earlier day the consent still held.
SELECT c ->> 'status' AS status FROM jsonb_array_elements(crm.contact_card(:anna, '2026-02-15') -> 'consent') c WHERE c ->> 'purpose' = 'marketing';
SELECT c ->> 'status' AS status FROM jsonb_array_elements(crm.contact_card(:anna, '2026-04-01') -> 'consent') c WHERE c ->> 'purpose' = 'marketing';
SELECT purpose, channel, status FROM crm.v_consent WHERE contact_id = :anna ORDER BY 1, 2;
SELECT crm.consent_status(:anna, 'marketing', 'email', '2026-02-15'), crm.consent_status(:anna, 'marketing', 'email'), crm.consent_status(:anna, 'service', 'sms'), crm.consent_status(:anna, 'profiling');
SELECT name, email, phone, company, city, owner, branch, time_zone, tags, completeness_percent FROM crm.v_contact WHERE contact_id = :anna;
SELECT identities, external_refs, consent, open_deals, open_amount, open_tasks, last_activity FROM crm.v_contact_360 WHERE contact_id = :anna;
SELECT name, kind, contacts, open_deals FROM crm.v_company WHERE name = 'ООО Ромашка';
SELECT crm.contact_card(0), crm.contact_card(NULL);
-- With every list full it stays below 16 kB.
INSERT INTO crm.contact_point (contact_id, kind, raw) SELECT :anna, 'email', 'mailbox' || n || '@mail.example.org' FROM generate_series(1, 30) n;
INSERT INTO crm.activity (contact_id, kind, subject, body) SELECT :anna, 'call', repeat('s', 200), repeat('b', 2000) FROM generate_series(1, 30) n;
INSERT INTO crm.sales_order (contact_id, number, amount, currency, ordered_at) SELECT :anna, repeat('n', 100) || n, 1000000, 'RUB', '2026-03-01' FROM generate_series(1, 10) n;
INSERT INTO crm.payment (contact_id, amount, currency, method, due_at) SELECT :anna, 1000000, 'RUB', repeat('m', 100), '2026-03-01' FROM generate_series(1, 10) n;
INSERT INTO crm.quote (number, contact_id, currency, valid_until) SELECT repeat('q', 100) || n, :anna, 'RUB', '2099-03-01' FROM generate_series(1, 10) n;
INSERT INTO crm.lead (source, contact_id, need) SELECT repeat('s', 100), :anna, repeat('d', 200) FROM generate_series(1, 10) n;
SELECT octet_length(crm.contact_card(:anna)::text) < 16384 AS small_enough, jsonb_array_length(crm.contact_card(:anna) -> 'quotes') AS quotes, jsonb_array_length(crm.contact_card(:anna) -> 'points') AS points;
ROLLBACK;

-- No table is read from end to end for a card or a look-up.  R-003
BEGIN;
CREATE TEMPORARY TABLE many AS SELECT crm.create_contact(jsonb_build_object('given_name', 'Name' || n, 'family_name', 'Family' || n, 'email', 'e' || n || '@example.com', 'phone', '+7912' || 1000000 + n, 'tags', '["a"]'::jsonb)) AS id FROM generate_series(1, 1000) n;
ANALYZE crm.contact, crm.contact_point, crm.contact_key, crm.tag;
CREATE TEMPORARY TABLE scans AS SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE schemaname = 'crm';
SELECT count(crm.contact_card(id)) FROM many;
SELECT count(*) FROM many, crm.lookup_contact('+7912' || 1000000 + many.id % 1000);
SELECT count(*) > 0 AS found FROM crm.lookup_contact('Name17 Family17');
SELECT count(*) FROM crm.lookup_contact('Name17');
SELECT count(*) FROM crm.lookup_contact('Name');
SELECT t.relname AS read_from_end_to_end FROM pg_stat_xact_user_tables t JOIN scans s USING (relname)
WHERE t.schemaname = 'crm' AND t.relname IN ('contact', 'contact_point', 'contact_key', 'audit_log') AND t.seq_scan > s.seq_scan;
-- Given names are read in the order of their index, no more of them than asked for: as the planner does for a large table.
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS OFF)
SELECT c.id FROM crm.contact c
WHERE crm.name_key(c.given_name) COLLATE "C" >= 'nami' AND crm.name_key(c.given_name) COLLATE "C" < 'namj' AND c.given_name IS NOT NULL
  AND c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL
ORDER BY crm.name_key(c.given_name) COLLATE "C", c.id DESC LIMIT 20;
ROLLBACK;

-- A competitor is a company as others are.  R-005
BEGIN;
SELECT crm.create_contact('{"name": "Anna Ivanova"}') AS anna \gset
INSERT INTO crm.company (name, kind) VALUES ('Rival', 'competitor') RETURNING id AS rival \gset
INSERT INTO crm.company (name) VALUES ('Acme') RETURNING id AS acme \gset
INSERT INTO crm.party_relation (company_id, related_company_id, kind) VALUES (:rival, :acme, 'competes_with');
INSERT INTO crm.deal (name, contact_id) VALUES ('Lost one', :anna) RETURNING id AS deal \gset
UPDATE crm.deal SET lost_to_company_id = :rival WHERE id = :deal;
SELECT kind, contacts FROM crm.v_company WHERE company_id = :rival;
-- A new channel is a row.  R-025
INSERT INTO crm.channel (name, kind, direction, cost_per_contact) VALUES ('kiosk', 'other', 'in', 0.5);
SELECT kind, direction, cost_per_contact, active FROM crm.channel WHERE name = 'kiosk';
-- The same instant is another day in Moscow and Vladivostok.  R-013
INSERT INTO crm.branch (name, time_zone) VALUES ('Moscow office', 'Europe/Moscow'), ('Vladivostok office', 'Asia/Vladivostok');
SELECT crm.create_contact(jsonb_build_object('given_name', 'In', 'family_name', b.name, 'branch_id', b.id)) IS NOT NULL AS made FROM crm.branch b ORDER BY b.name;
SELECT v.name, timestamptz '2026-05-01 20:00+00' AT TIME ZONE v.time_zone AS local, (crm.contact_card(v.contact_id, '2026-05-01 20:00+00') ->> 'local_time') AS card
FROM crm.v_contact v WHERE v.branch IS NOT NULL ORDER BY 1;
ROLLBACK;
