-- Merges by policies, of companies, with hooks; and undoing them.  R-019 R-026
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
SELECT setval('crm.merge_id_seq', 1000000) > 0 AS numbered;
BEGIN;
SET LOCAL datestyle = 'ISO, DMY';
SET LOCAL timezone = 'UTC';
CREATE SCHEMA club;
CREATE TABLE club.membership (id integer PRIMARY KEY, contact_id bigint REFERENCES crm.contact (id), club text, level integer, UNIQUE (contact_id, club));
CREATE TABLE club.payment (id integer PRIMARY KEY, membership_id integer REFERENCES club.membership (id), month integer, UNIQUE (membership_id, month));
CREATE TABLE club.badge (id integer PRIMARY KEY, membership_id integer REFERENCES club.membership (id) ON DELETE CASCADE, UNIQUE (membership_id));
CREATE TABLE club.visit (id integer PRIMARY KEY, who bigint, at date);
CREATE TABLE club.pair (id integer PRIMARY KEY, one bigint REFERENCES crm.contact (id), two bigint REFERENCES crm.contact (id), CHECK (one <> two));
-- What a table says, in one line.
CREATE FUNCTION club.state() RETURNS TABLE (name text, rows text) LANGUAGE sql AS $$
    SELECT 'membership', string_agg(t::text, ' ' ORDER BY t.id) FROM club.membership t
    UNION ALL SELECT 'payment', string_agg(t::text, ' ' ORDER BY t.id) FROM club.payment t
    UNION ALL SELECT 'badge', string_agg(t::text, ' ' ORDER BY t.id) FROM club.badge t
    UNION ALL SELECT 'visit', string_agg(t::text, ' ' ORDER BY t.id) FROM club.visit t
    UNION ALL SELECT 'pair', string_agg(t::text, ' ' ORDER BY t.id) FROM club.pair t
$$;

-- Columns without foreign key.
SELECT crm.register_soft_reference('club.visit', 'who', note => 'loaded from the gate');
SELECT relation, column_name, in_unique FROM crm.contact_references() WHERE relation::text LIKE 'club.%';
\set VERBOSITY terse
SELECT crm.register_soft_reference('club.visit', 'at');
SELECT crm.register_soft_reference('club.visit', 'what');
SELECT crm.register_soft_reference('crm.audit_log', 'contact_id');
SELECT crm.register_soft_reference('pg_catalog.pg_class', 'relpages');
SELECT crm.register_soft_reference('club.visit', 'id', 'deal');
\set VERBOSITY default
SELECT crm.unregister_soft_reference('club.visit', 'id') AS was_there;

INSERT INTO crm.contact (id, given_name, family_name, city, job_title, created_at) VALUES
    (-1, 'Anna', 'Ivanova', 'Kazan', NULL, '2020-01-01'), (-2, 'Anya', 'Ivanova', 'Naberezhnye Chelny', 'CTO', '2021-01-01'), (-3, 'Anna', 'Petrova', 'Kazan', 'Head of the sales', '2022-01-01');
INSERT INTO club.membership VALUES (1, -1, 'chess', 1), (2, -2, 'chess', 2), (3, -2, 'golf', 1), (4, -3, 'golf', 3);
INSERT INTO club.payment VALUES (1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 1);
INSERT INTO club.badge VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO club.visit VALUES (1, -1, '2026-01-01'), (2, -2, '2026-01-02');
INSERT INTO club.pair VALUES (1, -1, -2), (2, -2, -3);
CREATE TEMPORARY TABLE before AS SELECT * FROM club.state();

-- What is refused.
\set VERBOSITY terse
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"conflict": {}}');
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"conflicts": {"club.member": "abort"}}');
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"conflicts": {"club.membership": "keep"}}');
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"survivorship": {"town": "longest"}}');
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"survivorship": {"city": "newest"}}');
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"survivorship": ["longest"]}');
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"conflicts": {"club.membership": "abort"}}');
SELECT crm.merge_contacts(-1, ARRAY[-2], '{"conflicts": {"club.membership.membership_contact_id_club_key": "abort"}}');
SELECT crm.unmerge(0);
SELECT crm.unmerge(0, 'force');
\set VERBOSITY default
SELECT count(*) AS differ FROM (TABLE before EXCEPT SELECT * FROM club.state()) d;

-- What refers to a row that gives way refers to the one in its place.
SELECT crm.merge_contacts(-1, ARRAY[-2]) AS merge \gset
SELECT * FROM club.state();
SELECT operation, relation, row_before ->> 'id' AS id, reason FROM crm.merge_journal WHERE merge_id = :merge AND relation LIKE 'club.%' ORDER BY entry;
SELECT * FROM crm.unmerge(:merge, reject => false);
SELECT count(*) AS differ FROM (TABLE before EXCEPT SELECT * FROM club.state()) d;
SELECT id, city, job_title, merged_into, deleted_at FROM crm.contact WHERE id < 0 ORDER BY id DESC;

-- The absorbed one's rows instead; and a constraint by its name.
SELECT crm.merge_contacts(-1, ARRAY[-2, -3], '{"conflicts": {"club.membership.membership_contact_id_club_key": "keep_absorbed"}}') AS merge \gset
SELECT * FROM club.state();
SELECT * FROM crm.unmerge(:merge, reject => false);
SELECT count(*) AS differ FROM (TABLE before EXCEPT SELECT * FROM club.state()) d;

-- Survivorship: whose value, by which rule.
SELECT * FROM crm.survivorship_choice('contact', -1, ARRAY[-2, -3], '{"given_name": "most_frequent", "family_name": "most_recent", "city": "longest", "*": "survivor"}')
WHERE field IN ('given_name', 'family_name', 'city', 'job_title');
SELECT crm.merge_contacts(-1, ARRAY[-2, -3], '{"survivorship": {"given_name": "most_frequent", "city": "longest", "family_name": "most_recent"}, "fields": {"job_title": -3}}') AS merge \gset
SELECT given_name, family_name, city, job_title FROM crm.contact WHERE id = -1;
SELECT absorbed_id, row_before - 'name_key' AS row_before, row_after - 'name_key' AS row_after, reason FROM crm.merge_journal WHERE merge_id = :merge AND operation = 'fill' ORDER BY entry;
SELECT * FROM crm.unmerge(:merge, reject => false);
SELECT given_name, family_name, city, job_title FROM crm.contact WHERE id = -1;
-- A source that is believed more.
SELECT crm.record_source_value(-3, 'city', 'portal', 'Moscow', seen_at => '2024-01-01') > 0 AS made;
SELECT crm.record_source_value(-2, 'city', 'import', 'Ufa', seen_at => '2025-01-01') > 0 AS made;
UPDATE crm.contact SET city = NULL WHERE id IN (-2, -3);
SELECT crm.apply_survivorship(ARRAY[-2, -3]);
UPDATE crm.contact SET city = NULL WHERE id = -1;
SELECT crm.merge_contacts(-1, ARRAY[-2, -3], '{"survivorship": {"city": "source_priority"}}') AS merge \gset
SELECT city FROM crm.contact WHERE id = -1;
SELECT * FROM crm.unmerge(:merge, reject => false);

-- Consent: the stricter counts, and goes when the merge is undone.
INSERT INTO crm.consent (contact_id, purpose, channel, status, at) VALUES
    (-1, 'marketing', 'email', 'granted', '2026-01-02'), (-2, 'marketing', 'email', 'withdrawn', '2026-01-01'),
    (-1, 'marketing', 'sms', 'denied', '2026-01-02'), (-2, 'marketing', 'sms', 'granted', '2026-01-01'),
    (-1, 'service', '*', 'granted', '2026-01-05'), (-2, 'service', '*', 'denied', '2026-01-01'), (-1, 'service', 'app', 'granted', '2026-01-06'), (-2, 'service', 'app', 'granted', '2026-01-02'),
    (-2, 'profiling', '*', 'granted', '2026-01-01');
SELECT crm.merge_contacts(-1, ARRAY[-2]) AS merge \gset
SELECT purpose, channel, status, at, source FROM crm.v_consent WHERE contact_id = -1 ORDER BY 1, 2;
SELECT crm.consent_status(-1, 'service', 'app') AS app, crm.consent_status(-1, 'service', 'call') AS call;
SELECT * FROM crm.unmerge(:merge, reject => false);
SELECT contact_id, purpose, channel, status FROM crm.v_consent WHERE contact_id < 0 ORDER BY 1, 2, 3;
-- The log cannot be changed otherwise, whatever a session sets.
SET LOCAL crm.merge_mode = 'undo';
\set VERBOSITY terse
DELETE FROM crm.consent WHERE contact_id = -1;
\set VERBOSITY default
RESET crm.merge_mode;

-- Hooks.
CREATE TABLE club.log (line text);
CREATE FUNCTION club.merged(merge_id bigint, survivor bigint, absorbed bigint[]) RETURNS void LANGUAGE sql AS $$INSERT INTO club.log VALUES (format('merged %s into %s', absorbed, survivor))$$;
CREATE FUNCTION club.parted(merge_id bigint, survivor bigint, absorbed bigint[]) RETURNS void LANGUAGE sql AS $$INSERT INTO club.log VALUES (format('parted %s from %s', absorbed, survivor))$$;
CREATE FUNCTION club.other(bigint) RETURNS void LANGUAGE sql AS $$SELECT NULL::void$$;
SELECT crm.register_merge_hook('club', 'club.merged', 'club.parted');
\set VERBOSITY terse
SELECT crm.register_merge_hook('club', 'club.other');
\set VERBOSITY default
SELECT crm.merge_contacts(-1, ARRAY[-2]) AS merge \gset
SELECT * FROM crm.unmerge(:merge);
TABLE club.log;
SELECT crm.unregister_merge_hook('club') AS was_there;

-- Who was parted is not offered again; a reason why it may not be done by itself.
SELECT status, method FROM crm.duplicate_pair WHERE contact_id = -2 AND duplicate_id = -1;
SELECT crm.may_merge(-1, -2), crm.may_merge(-1, -3), crm.may_merge(-1, -1), crm.may_merge(-1, 0);
UPDATE crm.contact SET tax_id = '500100732259' WHERE id = -1;
UPDATE crm.contact SET tax_id = '7830002293' WHERE id = -3;
SELECT crm.may_merge(-1, -3);
UPDATE crm.contact SET tax_id = NULL WHERE id = -3;
INSERT INTO crm.contact_identity (contact_id, provider, external_id, verified_by) VALUES (-1, 'site', 'anna', 'agent'), (-3, 'site', 'anya', 'agent');
SELECT crm.may_merge(-1, -3);
UPDATE crm.contact_identity SET verified_by = NULL WHERE contact_id = -3;
SELECT crm.may_merge(-1, -3);
UPDATE crm.contact SET birth_date = '1980-01-01' WHERE id = -1;
UPDATE crm.contact SET birth_date = '1981-02-02' WHERE id = -3;
SELECT crm.may_merge(-1, -3);
UPDATE crm.contact SET birth_date = NULL, gender = 'm' WHERE id = -3;
UPDATE crm.contact SET gender = 'f' WHERE id = -1;
SELECT crm.may_merge(-1, -3);
UPDATE crm.contact SET gender = NULL WHERE id = -3;
SELECT crm.merge_contacts(-1, ARRAY[-3]) AS merge \gset
SELECT crm.may_merge(-1, -3), crm.may_merge(-3, -2);

-- Edits since: named, kept or overwritten.
UPDATE club.membership SET level = 9 WHERE id = 4;
UPDATE crm.contact SET city = 'Samara' WHERE id = -3;
INSERT INTO crm.tag (contact_id, tag, created_at) VALUES (-1, 'since', now() + interval '1 second');
INSERT INTO crm.activity (contact_id, kind, subject, created_at) VALUES (-1, 'call', 'since', now() + interval '1 second');
SELECT * FROM crm.unmerge(:merge);
SELECT undone_at IS NULL AS stands FROM crm.merge WHERE id = :merge;
SAVEPOINT edited;
SELECT relation, key - 'id' AS key, what, detail FROM crm.unmerge(:merge, 'keep');
SELECT contact_id, level FROM club.membership WHERE id = 4;
SELECT city, merged_into FROM crm.contact WHERE id = -3;
\set VERBOSITY terse
SELECT * FROM crm.unmerge(:merge);
\set VERBOSITY default
ROLLBACK TO edited;
SELECT relation, what, detail FROM crm.unmerge(:merge, 'restore');
SELECT contact_id, level FROM club.membership WHERE id = 4;
SELECT city, merged_into FROM crm.contact WHERE id = -3;

-- Chains: what came later goes first, unless it has nothing to do with it.
SELECT crm.merge_contacts(-1, ARRAY[-2]) AS one \gset
SELECT crm.merge_contacts(-3, ARRAY[-1]) AS two \gset
\set VERBOSITY terse
SELECT crm.unmerge(:one);
\set VERBOSITY default
SELECT id, merged_into FROM crm.contact WHERE id < 0 ORDER BY id DESC;
SELECT count(*) AS conflicts FROM crm.unmerge(:two) WHERE what <> 'stays';
SELECT id, merged_into FROM crm.contact WHERE id < 0 ORDER BY id DESC;
SELECT count(*) AS conflicts FROM crm.unmerge(:one) WHERE what <> 'stays';
SELECT id, merged_into FROM crm.contact WHERE id < 0 ORDER BY id DESC;

-- Companies.
INSERT INTO crm.company (id, name, city, parent_id, tax_id) VALUES (-1, 'Acme', NULL, NULL, NULL), (-2, 'ACME Ltd', 'Ufa', -1, '7707083893'), (-3, 'Acme West', NULL, -2, NULL), (-4, 'Other', NULL, NULL, NULL);
INSERT INTO crm.party_relation (id, company_id, related_company_id, kind, valid) VALUES (-1, -1, -2, 'owns', '[2020-01-01,)'), (-2, -2, -4, 'supplies', '[2020-01-01,)'), (-3, -1, -4, 'supplies', '[2020-01-01,)');
INSERT INTO crm.company_point (company_id, kind, raw, is_primary) VALUES (-1, 'email', 'info@example.com', true), (-2, 'email', 'INFO@example.com', true), (-2, 'email', 'sales@example.com', false), (-2, 'phone', '+79123456789', true);
INSERT INTO crm.company_contact (contact_id, company_id, role, is_primary, valid) VALUES (-1, -2, 'buyer', true, '[2020-01-01,)'), (-3, -2, 'director', false, '[2020-01-01,)'), (-3, -1, 'director', true, '[2020-01-01,)');
INSERT INTO crm.deal (id, name, company_id) VALUES (-1, 'Deal', -2);
CREATE TEMPORARY TABLE companies_before AS SELECT to_jsonb(c) AS row FROM crm.company c WHERE id < 0
    UNION ALL SELECT to_jsonb(c) FROM crm.party_relation c UNION ALL SELECT to_jsonb(c) FROM crm.company_point c UNION ALL SELECT to_jsonb(c) FROM crm.company_contact c
    UNION ALL SELECT to_jsonb(c) FROM crm.deal c WHERE id < 0 UNION ALL SELECT to_jsonb(c) FROM crm.company_key c WHERE company_id < 0;
SELECT relation, column_name, is_copied FROM crm.company_references() ORDER BY relation::text, column_name;
\set VERBOSITY terse
SELECT crm.merge_companies(-1, ARRAY[-1]);
SELECT crm.merge_companies(-1, ARRAY[0]);
SELECT crm.merge_companies(-1, ARRAY[-2], '{"survivorship": {"city": "source_priority"}}');
\set VERBOSITY default
SELECT crm.merge_companies(-1, ARRAY[-2]) AS merge \gset
SELECT id, name, city, tax_id, parent_id, merged_into, deleted_at IS NOT NULL AS deleted FROM crm.company WHERE id < 0 ORDER BY id DESC;
SELECT id, company_id, related_company_id, kind FROM crm.party_relation ORDER BY id DESC;
SELECT kind, raw, is_primary FROM crm.company_point WHERE company_id = -1 ORDER BY id;
SELECT kind, key FROM crm.company_key WHERE company_id = -1 ORDER BY 1, 2;
SELECT contact_id, company_id, role FROM crm.company_contact WHERE contact_id < 0 ORDER BY 1, 3;
SELECT operation, relation, column_name, reason FROM crm.merge_journal WHERE merge_id = :merge ORDER BY relation, operation, column_name, entry;
SELECT company_id FROM crm.deal WHERE id = -1;
SELECT * FROM crm.unmerge(:merge);
SELECT count(*) AS differ FROM (TABLE companies_before EXCEPT (SELECT to_jsonb(c) AS row FROM crm.company c WHERE id < 0
    UNION ALL SELECT to_jsonb(c) FROM crm.party_relation c UNION ALL SELECT to_jsonb(c) FROM crm.company_point c UNION ALL SELECT to_jsonb(c) FROM crm.company_contact c
    UNION ALL SELECT to_jsonb(c) FROM crm.deal c WHERE id < 0 UNION ALL SELECT to_jsonb(c) FROM crm.company_key c WHERE company_id < 0)) d;
SELECT company_id, duplicate_id, status FROM crm.company_duplicate_pair;

-- Rows as texts and back.
SELECT crm.row_texts(m) FROM club.membership m WHERE id = 1;
SELECT r.* FROM crm.row_restore(NULL::club.membership, '{"id": "7", "club": "x"}') r;
SELECT r.* FROM club.membership m, crm.row_restore(m, '{"club": null}') r WHERE m.id = 1;
SELECT crm.row_changes(a, b) FROM club.membership a, club.membership b WHERE a.id = 1 AND b.id = 2;
\set VERBOSITY terse
SELECT crm.row_restore(NULL::club.membership, '{"id": 7}');
SELECT crm.row_restore(NULL::club.membership, '{"id": "x"}');
SELECT crm.row_restore(NULL::club.membership, '[]');
SELECT crm.row_restore(1, '{}');
SELECT crm.row_changes(a, b) FROM club.membership a, club.payment b LIMIT 1;
SELECT crm.run_kept('SELECT to_jsonb($1 + $2)', 1, 2);
SELECT crm.run_kept('SELECT 1', 1, 2, 3, 4, 5, 6, 7, 8, 9);
SELECT crm.merge_plan('deal');
ROLLBACK;
