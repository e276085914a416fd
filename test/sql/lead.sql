-- Leads: capturing and converting.
-- R-019, R-050, R-051, R-052, R-053, R-120, R-191, R-192
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET jit = off;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
\set ON_ERROR_ROLLBACK on
SET LOCAL crm.actor = 'olga';
ALTER SEQUENCE crm.lead_id_seq RESTART 930000;
ALTER SEQUENCE crm.contact_id_seq RESTART 930000;
ALTER SEQUENCE crm.deal_id_seq RESTART 930000;
INSERT INTO crm.agent (id, name, active) VALUES (930001, 'Lead Olga', true), (930002, 'Lead Petr', true), (930003, 'Lead Gone', false);
SELECT crm.create_contact('{"name": "Anna Ivanova", "email": "anna@lead.example", "phone": "+7 916 100-00-01", "company": "Lead Acme", "owner": "Lead Olga"}') AS anna \gset

-- A form: lead, touch and consent at once; each source.  R-050
SELECT s.source, crm.capture_lead(s.source, jsonb_build_object('name', 'Boris Sidorov', 'email', s.email, 'phone', '8 (916) 200-00-02', 'country', 'ru', 'company', 'Lead Beta',
           'interest_reason', 'saw the new line', 'need', 'delivery in a week', 'amount', '1 200,50', 'currency', 'eur', 'message', 'Call me', 'channel', 'search',
           'utm_source', 'yandex', 'utm_medium', 'cpc', 'utm_campaign', 'spring', 'utm_term', 'tyres', 'cost', 1.5,
           'consent', '{"purpose": "marketing", "channel": "email", "evidence": {"text": "I agree"}}'::jsonb, 'shoe_size', 43), 'K-1', '2024-03-01 10:00+00') IS NOT NULL AS captured
FROM (VALUES ('questionnaire', 'boris1@lead.example'), ('loyalty card', 'boris2@lead.example'), ('site form', 'boris3@lead.example')) AS s (source, email);
SELECT source, submission_key, status, name, email, phone, company, country, interest_reason, need, amount, currency, first_channel, first_source, first_medium, first_campaign, first_touch_at,
       last_channel, owner_id, contact_id, problems, consent, payload ->> 'shoe_size' AS size, created_at
FROM crm.lead WHERE submission_key = 'K-1' ORDER BY id;
SELECT l.source, a.kind, a.direction, a.occurred_at, a.channel, a.source, a.medium, a.campaign, a.term, a.cost, a.currency, a.subject, a.body, a.activity_id
FROM crm.lead_activity a JOIN crm.lead l ON l.id = a.lead_id WHERE l.submission_key = 'K-1' ORDER BY a.id;
SELECT id AS lead1 FROM crm.lead WHERE source = 'questionnaire' AND submission_key = 'K-1' \gset
SELECT id AS lead2 FROM crm.lead WHERE source = 'loyalty card' AND submission_key = 'K-1' \gset

-- The same again is the same lead; the same number of another shop is another.  R-051
SELECT crm.capture_lead('questionnaire', payload, 'K-1', '2024-03-02') = id AS same, (SELECT count(*) FROM crm.lead_activity a WHERE a.lead_id = l.id) AS touches,
       (SELECT count(*) FROM crm.audit_log g WHERE g.relation = 'lead' AND g.row_id = l.id) AS changes
FROM crm.lead l WHERE id = :lead1;
SELECT crm.capture_lead('shop A', '{"email": "x@lead.example"}', '77') <> crm.capture_lead('shop B', '{"email": "x@lead.example"}', '77') AS two;
-- It has more to say now: what is new is taken, the first touch and the owner stay.
SELECT crm.capture_lead('questionnaire', '{"name": "Boris B. Sidorov", "phone": "+7 916 200-00-02", "city": "Tver", "channel": "social", "amount": "900"}', 'K-1', '2024-03-02') = :lead1 AS same;
SELECT name, email, phone, city, amount, currency, need, first_channel, last_channel, payload ->> 'city' AS payload FROM crm.lead WHERE id = :lead1;
-- Many at once, of which one is twice there; without a key each is a lead.
SELECT "position", was_created, lead_id = first_value(lead_id) OVER (ORDER BY "position") AS as_first
FROM crm.capture_leads('fair', ARRAY['{"name": "A B"}', '{"name": "C D"}', '{"name": "A B"}', '{"name": "E F"}', '{"name": "E F"}']::jsonb[], ARRAY['1', '2', '1', NULL, NULL]) ORDER BY 1;
SELECT count(*) FROM crm.capture_leads('fair', '{}');

-- What cannot be read is kept with the reason, and nothing is refused.
SELECT crm.capture_lead('site form', '{"name": {"first": "x"}, "email": ["nobody@", "good@lead.example"], "phone": "12", "country": "Russia", "amount": "much", "currency": "ZZZ",
    "owner": "Lead Gone", "territory": "Mars", "consent": [{"status": "granted"}, {"purpose": "service"}], "touches": [{"at": "yesterday", "channel": "radio", "cost": "free"}, 7]}', 'bad', '2024-03-03') AS bad \gset
SELECT name, email, phone, country, amount, currency, owner_id, first_channel, first_touch_at, consent FROM crm.lead WHERE id = :bad;
SELECT p ->> 'field' AS field, p -> 'value' AS value, p ->> 'code' AS code, p ->> 'reason' AS reason FROM crm.lead l, jsonb_array_elements(l.problems) p WHERE l.id = :bad;
SELECT crm.capture_lead('no object', '[1, 2]') < crm.capture_lead('no object', NULL) AS kept;
SELECT problems, payload FROM crm.lead WHERE source = 'no object' ORDER BY id;
SELECT crm.capture_lead(' ', '{}');
SELECT crm.capture_leads('x', '{"{}","{}"}', '{a}');

-- Several touches before the form: first and last are kept, the first for good.  R-120
SELECT crm.capture_lead('site form', '{"email": "touched@lead.example", "touches": [{"at": "2024-02-03T10:00:00+03:00", "channel": "social", "source": "vk"},
    {"at": "2024-02-01", "channel": "search", "source": "google", "campaign": "winter"}, {"at": "2024-02-05T08:00", "channel": "e-mail", "campaign": "news"}]}', 't', '2024-03-04') AS touched \gset
SELECT first_touch_at, first_channel, first_source, first_campaign, last_touch_at, last_channel, last_source, last_campaign FROM crm.lead WHERE id = :touched;
INSERT INTO crm.lead_activity (lead_id, kind, direction, occurred_at, channel, source) VALUES (:touched, 'site_visit', 'in', '2024-03-05', 'fair', 'stand'), (:touched, 'site_visit', 'in', '2024-02-02', 'radio', NULL);
INSERT INTO crm.lead_activity (lead_id, kind, direction, occurred_at, agent_id, outcome) VALUES (:touched, 'call', 'out', '2024-03-06', 930001, 'no answer');
SELECT first_channel, last_touch_at, last_channel, last_source FROM crm.lead WHERE id = :touched;
UPDATE crm.lead SET first_channel = 'fair' WHERE id = :touched;
UPDATE crm.lead SET first_campaign = NULL WHERE id = :touched;

-- Who is known is attached: activity and consent are there at once, and the owner is that of the contact.
SELECT crm.capture_lead('site form', '{"name": "Ivanova Anna", "email": "ANNA@lead.example", "consent": {"purpose": "marketing"}, "channel": "e-mail", "need": "more"}', 'known', '2024-03-07') AS known \gset
SELECT contact_id = :anna AS attached, owner_id FROM crm.lead WHERE id = :known;
SELECT kind, direction, occurred_at, subject, attrs - 'lead_id' AS attrs FROM crm.activity WHERE contact_id = :anna;
SELECT purpose, channel, status, at, source, evidence ->> 'lead_id' = :'known' AS of_lead FROM crm.consent WHERE contact_id = :anna;
SELECT crm.capture_lead('site form', payload, 'known') = id AS same, (SELECT count(*) FROM crm.consent WHERE contact_id = :anna) AS consents, (SELECT count(*) FROM crm.activity WHERE contact_id = :anna) AS activities
FROM crm.lead WHERE id = :known;
-- A number that several have, and a relative at it, prove nothing.
SELECT crm.create_contact('{"name": "Family One", "phone": "+79165550000"}') IS NOT NULL AND crm.create_contact('{"name": "Family Two", "phone": "+79165550000"}') IS NOT NULL AS made;
SELECT c."position", c.was_created FROM crm.capture_leads('vague', '{"{\"phone\": \"+79165550000\"}", "{\"name\": \"Oleg Ivanov\", \"phone\": \"+79161000001\"}"}') c;
SELECT payload, contact_id FROM crm.lead WHERE source = 'vague' ORDER BY id;
SELECT k."position", k.contact_id = :anna AS anna, k.evidence, k.strength
FROM crm.known_contacts(ARRAY['Anna', 'Oleg', NULL, 'Anna Ivanova'], ARRAY[NULL, 'anna@lead.example', NULL, 'anna@lead.example'], ARRAY['+79161000001', '89161000001', '89161000001', '8 916 1000001'], ARRAY[NULL, 'RU', 'RU', 'RU']) k ORDER BY 1;

-- Converting: contact, company, deal; need and reason stay.  R-052, R-053
SELECT contact_id AS c1, company_id AS o1, deal_id AS d1, was_converted FROM crm.convert_lead(:lead1, as_of => '2024-03-10') \gset
SELECT :'was_converted' AS was_converted;
SELECT crm.full_name(title, given_name, middle_name, family_name, suffix) AS name, lifecycle_stage, city, country, source FROM crm.contact WHERE id = :c1;
SELECT kind, raw, is_primary, match_key FROM crm.contact_point WHERE contact_id = :c1 ORDER BY kind;
SELECT o.name, k.is_primary FROM crm.company_contact k JOIN crm.company o ON o.id = k.company_id WHERE k.contact_id = :c1;
SELECT name, contact_id = :c1 AS contact, company_id = :o1 AS company, amount, currency, source, description, created_at, stage_entered_at FROM crm.deal WHERE id = :d1;
SELECT kind, subject, source, lower(valid) AS since FROM crm.contact_need WHERE contact_id = :c1;
SELECT kind, occurred_at, body, deal_id = :d1 AS deal, attrs - 'lead_id' AS attrs FROM crm.activity WHERE contact_id = :c1;
SELECT purpose, channel, status, at, evidence - 'lead_id' AS evidence FROM crm.consent WHERE contact_id = :c1;
SELECT status, converted_at, converted_by, contact_id = :c1 AND company_id = :o1 AND deal_id = :d1 AS numbers, interest_reason, need FROM crm.lead WHERE id = :lead1;
-- A second click.
SELECT contact_id = :c1 AND company_id = :o1 AND deal_id = :d1 AS same, was_converted FROM crm.convert_lead(:lead1);
SELECT count(*) FROM crm.deal WHERE contact_id = :c1;
-- What is sent again after that changes nothing.
SELECT crm.capture_lead('questionnaire', '{"name": "Other"}', 'K-1') = :lead1 AS same, (SELECT name FROM crm.lead WHERE id = :lead1) AS name;
-- The next lead of the same person: the same number, another address.
SELECT contact_id = :c1 AS same FROM crm.lead_duplicates(:lead2);
SELECT crm.convert_lead(:lead2, 'refuse');
SELECT crm.convert_lead(:lead2, 'perhaps');
SELECT contact_id = :c1 AS attached, deal_id <> :d1 AS new_deal, was_converted FROM crm.convert_lead(:lead2, deal => '{"name": "Second", "amount": 5, "owner": "Lead Petr"}');
SELECT raw, is_primary FROM crm.contact_point WHERE contact_id = :c1 AND kind = 'email' ORDER BY id;
SELECT name, amount, owner_id FROM crm.deal WHERE contact_id = :c1 AND id <> :d1;
-- ... as another contact all the same; without a deal.
SELECT contact_id <> :c1 AS another, deal_id FROM crm.convert_lead((SELECT id FROM crm.lead WHERE source = 'site form' AND submission_key = 'K-1'), 'new', deal => NULL);
-- An attached one keeps what is known of it.
SELECT contact_id = :anna AS anna, company_id = (SELECT company_id FROM crm.company_contact WHERE contact_id = :anna) AS at_company FROM crm.convert_lead(:known);
SELECT owner_id, name FROM crm.deal WHERE contact_id = :anna;
-- Calls to a lead become activities of the contact.
SELECT contact_id AS t FROM crm.convert_lead(:touched, as_of => '2024-03-11') \gset
SELECT kind, direction, agent_id, occurred_at, outcome FROM crm.activity WHERE contact_id = :t ORDER BY occurred_at;
INSERT INTO crm.lead_activity (lead_id, kind, occurred_at) VALUES (:touched, 'note', '2024-03-12');
SELECT kind, deal_id IS NOT NULL AS deal FROM crm.activity WHERE contact_id = :t ORDER BY occurred_at DESC LIMIT 1;
-- One who has had all there is, archived, comes again.
UPDATE crm.contact SET lifecycle_stage = 'closed_cycle', archived_at = now() WHERE id = :anna;
INSERT INTO crm.sales_order (contact_id, ordered_at, amount) VALUES (:anna, '2024-01-01', 10), (:anna, '2024-01-02', 10);
SELECT lifecycle_stage FROM crm.contact WHERE id = :anna;
SELECT contact_id = :anna AS anna FROM crm.convert_lead(crm.capture_lead('site form', '{"email": "anna@lead.example"}'));
SELECT lifecycle_stage, archived_at FROM crm.contact WHERE id = :anna;

-- What comes to nothing.
UPDATE crm.lead SET status = 'foo' WHERE id = :bad;
UPDATE crm.lead SET status = 'disqualified' WHERE id = :bad;
UPDATE crm.lead SET status = 'disqualified', disqualify_reason = 'no money' WHERE id = :bad;
SELECT crm.convert_lead(:bad);
UPDATE crm.lead SET status = 'working' WHERE id = :bad RETURNING disqualify_reason;
UPDATE crm.lead SET status = 'working' WHERE id = :lead1;
SELECT crm.convert_lead(-1);
SELECT crm.convert_lead(crm.capture_lead('site form', '{"need": "x"}'));
\set VERBOSITY terse
UPDATE crm.lead SET status = 'converted' WHERE id = :bad;
\set VERBOSITY default
INSERT INTO crm.lead (source, amount) VALUES ('hand', 3) RETURNING currency, first_touch_at = created_at AS touched;

-- The order form of a shop: everything once for each key.  R-192
SELECT contact_id AS oc, deal_id AS od, order_id AS oo, was_created FROM crm.capture_order('shop A', '{"name": "Vera Order", "email": "vera@lead.example", "channel": "search", "consent": {"purpose": "service"},
    "order": {"number": "A-1", "amount": "250.00", "currency": "USD"}}', 'order-1', '2024-04-01') \gset
SELECT :'was_created' AS was_created;
SELECT contact_id = :oc AND deal_id = :od AND order_id = :oo AS same, was_created FROM crm.capture_order('shop A', '{"name": "Vera Order", "email": "vera@lead.example"}', 'order-1');
SELECT contact_id = :oc AS same_person, deal_id <> :od AS another, order_id <> :oo AS order_, was_created FROM crm.capture_order('shop B', '{"email": "vera@lead.example", "order": {"amount": 3, "currency": "USD"}}', 'order-1');
SELECT (SELECT count(*) FROM crm.sales_order WHERE contact_id = :oc) AS orders, (SELECT count(*) FROM crm.deal WHERE contact_id = :oc) AS deals, (SELECT count(*) FROM crm.activity WHERE contact_id = :oc) AS touches,
       (SELECT count(*) FROM crm.consent WHERE contact_id = :oc) AS consents, (SELECT lifecycle_stage FROM crm.contact WHERE id = :oc) AS stage;
SELECT number, amount, currency, external_system, external_id FROM crm.sales_order WHERE contact_id = :oc ORDER BY external_system;
SELECT crm.capture_order('shop A', '{}', ' ');

SELECT status, name, owner, first_channel, last_channel, touches, touch_cost, problems FROM crm.v_lead WHERE lead_id IN (:lead1, :touched, :bad) ORDER BY lead_id;

-- After a merge the leads follow.
SELECT crm.merge_contacts(:anna, ARRAY[:c1]) IS NOT NULL AS merged;
SELECT id = :lead1 AS first, contact_id = :anna AS anna, updated_at > created_at AS updated FROM crm.lead WHERE id IN (:lead1, :lead2) ORDER BY id;
SELECT contact_id = :anna AS same, was_converted FROM crm.convert_lead(:lead1);
-- ... also one that still says who was absorbed; to one who was deleted since, nothing is attached.
SELECT crm.capture_lead('site form', '{"need": "a", "name": "Follower"}', 'follow') AS follow, crm.capture_lead('site form', '{"need": "b", "name": "Deleted Person", "email": "deleted@lead.example"}', 'deleted') AS deleted \gset
UPDATE crm.lead SET contact_id = :c1 WHERE id = :follow;
SELECT contact_id = :anna AS survivor FROM crm.convert_lead(:follow);
SELECT crm.create_contact('{"name": "Deleted Person", "email": "other@lead.example"}') AS person \gset
UPDATE crm.lead SET contact_id = :person WHERE id = :deleted;
UPDATE crm.contact SET deleted_at = now() WHERE id = :person;
\set VERBOSITY terse
SELECT crm.convert_lead(:deleted);
\set VERBOSITY default
SELECT contact_id <> :person AS another, was_converted FROM crm.convert_lead(:deleted, 'new');

-- What an agent may: capture, convert, assign; not the rules, nor the histories.
SET LOCAL client_min_messages = warning;
SELECT crm.create_roles();
INSERT INTO crm.assignment_rule (id, name, what, definition, method) VALUES (930001, 'lead agent', 'lead', $$source = 'agent'$$, 'round_robin');
INSERT INTO crm.assignment_member (rule_id, agent_id) VALUES (930001, 930002);
SET LOCAL ROLE crm_agent;
SELECT crm.capture_lead('agent', '{"name": "Of Agent", "email": "of.agent@lead.example", "company": "Lead Gamma", "need": "x", "consent": {"purpose": "service"}}', as_of => '2024-05-01') AS theirs \gset
SELECT was_converted FROM crm.convert_lead(:theirs, as_of => '2024-05-02');
SELECT l.owner_id, c.owner_id AS contact_owner, d.owner_id AS deal_owner, o.owner_id AS company_owner, crm.owner_as_of('contact', c.id, '2024-05-02') AS since
FROM crm.lead l JOIN crm.contact c ON c.id = l.contact_id JOIN crm.deal d ON d.id = l.deal_id JOIN crm.company o ON o.id = l.company_id WHERE l.id = :theirs;
\set VERBOSITY sqlstate
DELETE FROM crm.lead;
UPDATE crm.assignment_rule SET enabled = false;
UPDATE crm.ownership_history SET owner_id = 930001;
UPDATE crm.lifecycle_history SET stage = 'loyal';
SELECT crm.refresh_lifecycle();
\set VERBOSITY default
RESET ROLE;

-- Where a match model is trained, it finds who has no key in common.  R-019
CREATE FUNCTION pg_temp.word(syllables integer, seed bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT initcap(string_agg((ARRAY['ba','ke','li','mo','nu','ra','se','ti','vo','zu','dar','fen','gor','han','jin','kol','lem','mar','nor','pet'])[1 + (seed * 7919 + i * 104729 + seed / (3 + i) * 31) % 20], ''))
    FROM generate_series(1, syllables) AS i
$$;
INSERT INTO crm.contact (id, given_name, family_name, city)
SELECT 940000 + i, pg_temp.word(2, e * 7 % 101), pg_temp.word(3, e * 13 % 997), pg_temp.word(2, e % 37)
FROM (SELECT i, CASE WHEN i % 5 = 0 THEN i - 1 ELSE i END AS e FROM generate_series(1, 600) AS i) s;
INSERT INTO crm.contact_point (contact_id, kind, raw, is_primary)
SELECT 940000 + i, 'email', 'p' || e || CASE WHEN i % 5 = 0 THEN '@b.example' ELSE '@a.example' END, true
FROM (SELECT i, CASE WHEN i % 5 = 0 THEN i - 1 ELSE i END AS e FROM generate_series(1, 600) AS i) s;
SELECT crm.capture_lead('model', jsonb_build_object('name', c.given_name || ' ' || c.family_name, 'city', c.city)) AS modelled FROM crm.contact c WHERE c.id = 940007 \gset
SELECT count(*) FROM crm.lead_duplicates(:modelled);
SELECT crm.create_match_model('regress leads', 'crm.v_match_contact');
SELECT crm.train_match_model('regress leads');
SELECT crm.build_match_keys('regress leads') >= 600 AS built;
SELECT contact_id, strength > 0.9 AS strong, evidence ? 'model' AS by_model FROM crm.lead_duplicates(:modelled);
SELECT contact_id, was_converted FROM crm.convert_lead(:modelled);
ROLLBACK;
