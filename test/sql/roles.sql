-- Roles: who may do what.  R-027
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;                      -- roles go with ROLLBACK, too
SET LOCAL client_min_messages = warning;
-- One who may not create roles is told what there is to do; once they are there it is not asked.
CREATE ROLE regress_owner;
GRANT CREATE, USAGE ON SCHEMA crm TO regress_owner;
SET LOCAL ROLE regress_owner;
SELECT crm.create_roles();
RESET ROLE;
SELECT crm.create_roles();
SELECT crm.create_roles();
SELECT rolname, rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname LIKE 'crm\_%' ORDER BY 1;
SELECT crm.create_contact('{"name": "Иванова Анна Сергеевна", "email": "anna.ivanova@example.com", "phone": "+79123456789", "birth_date": "1988-02-29", "city": "Москва"}') AS anna \gset
SELECT crm.create_contact('{"name": "Petrov Ivan"}') AS ivan \gset
-- May each role read and write?
SELECT r, has_table_privilege(r, 'crm.contact', 'SELECT') AS reads, has_table_privilege(r, 'crm.contact', 'INSERT') AS inserts, has_table_privilege(r, 'crm.contact', 'DELETE') AS deletes,
       has_table_privilege(r, 'crm.stage', 'UPDATE') AS stages, has_table_privilege(r, 'crm.audit_log', 'UPDATE') AS log, has_table_privilege(r, 'crm.contact_key', 'INSERT') AS keys,
       has_table_privilege(r, 'crm.outbox', 'UPDATE') AS outbox, has_function_privilege(r, 'crm.link_identity(bigint, text, text, jsonb)', 'EXECUTE') AS links
FROM unnest(ARRAY['crm_admin', 'crm_manager', 'crm_agent', 'crm_marketer', 'crm_analyst', 'crm_gateway', 'crm_portal']) r;
-- Nobody may write the log, the keys or the history, and the public nothing.
SELECT g.grantee, g.table_name, g.privilege_type FROM information_schema.role_table_grants g
WHERE g.table_schema = 'crm' AND g.table_name IN ('audit_log', 'contact_key', 'company_key', 'deal_history') AND g.grantee LIKE 'crm\_%' AND g.privilege_type <> 'SELECT';
SELECT count(*) FROM information_schema.role_table_grants WHERE table_schema = 'crm' AND grantee = 'PUBLIC';
-- An agent does the day's work.
SET LOCAL ROLE crm_agent;
SELECT crm.create_contact('{"name": "Sidorova Olga", "email": "olga@example.com", "phone": "+79160000001", "company": "Acme", "tags": ["new"], "consent": {"purpose": "service"}}') AS olga \gset
SELECT crm.update_contact(:olga, '{"city": "Tver"}') = :olga AS updated;
SELECT name, city FROM crm.v_contact WHERE contact_id = :olga;
SELECT crm.contact_card(:olga) ->> 'name' AS card;
SELECT name FROM crm.lookup_caller('+79160000001');
INSERT INTO crm.deal (name, contact_id) VALUES ('New', :olga);
INSERT INTO crm.task (title, contact_id) VALUES ('Call', :olga);
INSERT INTO crm.activity (contact_id, kind) VALUES (:olga, 'call');
SELECT crm.record_bounce(:olga, (SELECT id FROM crm.contact_point WHERE contact_id = :olga AND kind = 'email'));
SELECT crm.link_identity(:olga, 'vk', 'id1') IS NOT NULL AS linked;
SELECT verified_by FROM crm.contact_identity WHERE contact_id = :olga;
\set VERBOSITY sqlstate
DELETE FROM crm.contact WHERE id = :olga;
UPDATE crm.stage SET name = 'x';
DELETE FROM crm.audit_log;
-- An agent cannot pretend that the portal proved a match.
SET LOCAL crm.portal_contact = 1;
INSERT INTO crm.contact_identity (contact_id, provider, external_id, verified_by) VALUES (:olga, 'bank', '1', 'portal');
UPDATE crm.contact_identity SET verified_by = 'portal' WHERE contact_id = :olga;
\set VERBOSITY default
SELECT crm.link_identity(:olga, 'bank', '1') IS NOT NULL AS linked;
SELECT provider, verified_by FROM crm.contact_identity WHERE contact_id = :olga ORDER BY 1;
RESET ROLE;
-- The portal links accounts of the client who is logged in, and does nothing else.
SET LOCAL ROLE crm_portal;
SET LOCAL crm.portal_contact = '';
\set VERBOSITY sqlstate
SELECT crm.link_identity(:anna, 'bank', 'A-1') IS NULL AS x;
SELECT set_config('crm.portal_contact', :ivan::text, true) IS NOT NULL AS logged_in;
SELECT crm.link_identity(0, 'bank', 'A-1');
\set VERBOSITY default
SELECT set_config('crm.portal_contact', :anna::text, true) IS NOT NULL AS logged_in;
SELECT crm.link_identity(:anna, 'bank', 'A-1', '{"session": "s1"}') IS NOT NULL AS linked;
\set VERBOSITY sqlstate
SELECT * FROM crm.contact;
SELECT * FROM crm.v_contact;
SELECT * FROM crm.v_contact_masked;
SELECT crm.contact_card(:anna);
INSERT INTO crm.contact_identity (contact_id, provider, external_id, verified_by) VALUES (:anna, 'bank', 'A-2', 'portal');
SET crm.portal_contact = '1 OR true';
\set VERBOSITY default
-- What another client has is refused, and nothing is told of whose it is.
SELECT set_config('crm.portal_contact', :ivan::text, true) IS NOT NULL AS logged_in;
SELECT crm.link_identity(:ivan, 'bank', 'A-1');
RESET ROLE;
SELECT provider, external_id, verified_by, evidence FROM crm.contact_identity WHERE contact_id = :anna;
-- A proof stays a proof when a manager merges, or an agent links again.
SET LOCAL ROLE crm_manager;
SELECT crm.link_identity(:anna, 'bank', 'A-1') IS NOT NULL AS linked;
SELECT crm.merge_contacts(:ivan, ARRAY[:anna]) IS NOT NULL AS merged;
SELECT provider, external_id, verified_by FROM crm.contact_identity WHERE contact_id = :ivan;
SELECT count(*) > 2 AS journal FROM crm.merge_journal WHERE survivor_id = :ivan;
\set VERBOSITY sqlstate
UPDATE crm.merge_journal SET reason = 'x';
DELETE FROM crm.merge_journal;
\set VERBOSITY default
RESET ROLE;
-- The analyst sees who clients are like, not who they are.
SET LOCAL ROLE crm_analyst;
SELECT monogram, email, phone, birth_year, city FROM crm.v_contact_masked WHERE city IS NOT NULL ORDER BY city;
SELECT count(*) >= 0 AS deals FROM crm.deal;
\set VERBOSITY sqlstate
SELECT * FROM crm.contact;
SELECT * FROM crm.contact_point;
SELECT * FROM crm.v_contact;
SELECT * FROM crm.audit_log;
SELECT subject, body FROM crm.activity;
SELECT title FROM crm.task;
SELECT email FROM crm.lead;
\set VERBOSITY default
RESET ROLE;
-- Who may read all the columns that a view reads may read the view.
SELECT r AS role, v.oid::regclass AS view
FROM unnest('{crm_admin,crm_manager,crm_agent,crm_marketer,crm_analyst}'::text[]) r
CROSS JOIN pg_class v
WHERE v.relnamespace = 'crm'::regnamespace AND v.relkind = 'v' AND v.relname LIKE 'v\_%' AND v.reloptions @> '{security_invoker=true}'
  AND NOT has_table_privilege(r, v.oid, 'SELECT')
  AND EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.objid = w.oid AND d.refclassid = 'pg_class'::regclass JOIN pg_class t ON t.oid = d.refobjid
              WHERE w.ev_class = v.oid AND t.oid <> v.oid AND t.relnamespace = 'crm'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.objid = w.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 JOIN pg_class t ON t.oid = d.refobjid
                  WHERE w.ev_class = v.oid AND t.oid <> v.oid AND t.relnamespace = 'crm'::regnamespace AND NOT has_column_privilege(r, t.oid, d.refobjsubid::smallint, 'SELECT'))
ORDER BY 1, 2;
-- Reports are read to the end by those who have them: views that a role may read ask for no more than it has.
CREATE FUNCTION public.regress_readable(refused boolean) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    view regclass;
    reads bigint;
BEGIN
    FOR view IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'v' AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.relname LOOP
        BEGIN
            EXECUTE format('SELECT count(x::text) FROM %s x', view) INTO reads;
            IF NOT refused THEN
                RETURN NEXT view::text;
            END IF;
        EXCEPTION WHEN insufficient_privilege THEN
            IF refused THEN
                RETURN NEXT view::text || ': ' || SQLERRM;
            END IF;
        END;
    END LOOP;
END $$;
SET LOCAL ROLE crm_analyst;
SELECT public.regress_readable(false) AS analyst;
SELECT public.regress_readable(true) AS refused;
RESET ROLE;
SET LOCAL ROLE crm_manager;
SELECT public.regress_readable(true) AS refused;
RESET ROLE;
SET LOCAL ROLE crm_agent;
SELECT public.regress_readable(true) AS refused;
RESET ROLE;
SET LOCAL ROLE crm_marketer;
SELECT public.regress_readable(true) AS refused;
RESET ROLE;
-- The gateway claims messages and sees no client.
SET LOCAL ROLE crm_gateway;
\set VERBOSITY sqlstate
SELECT count(*) >= 0 AS outbox FROM crm.outbox;
SELECT * FROM crm.contact;
INSERT INTO crm.contact (given_name) VALUES ('x');
RESET ROLE;
-- The marketer tags and reads, and leaves contacts alone.
SET LOCAL ROLE crm_marketer;
INSERT INTO crm.tag (contact_id, tag) VALUES (:ivan, 'spring');
SELECT count(*) > 0 AS sees FROM crm.v_contact;
UPDATE crm.contact SET city = 'x';
RESET ROLE;
\set VERBOSITY default
-- Settings are the administrator's.
SET LOCAL ROLE crm_admin;
INSERT INTO crm.channel (name, kind) VALUES ('kiosk', 'other');
UPDATE crm.stage SET description = 'x' WHERE false;
\set VERBOSITY sqlstate
UPDATE crm.audit_log SET actor = 'x';
\set VERBOSITY default
ROLLBACK;
SELECT count(*) FROM pg_roles WHERE rolname LIKE 'crm\_%';
