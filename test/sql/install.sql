-- Life cycle: install, repair, uninstall.  R-046
\set SHOW_CONTEXT never
-- Whatever ran before in this database.
SELECT crm.uninstall(current_database()) IS NOT NULL AS uninstalled;
SELECT crm.installed_version();
SELECT crm.require_installed();
SELECT crm.install() ~ '^crm [0-9.]+ installed: [0-9]+ objects$' AS installed;
SELECT replace(crm.install(), crm.code_version(), 'N') AS install;
SELECT crm.uninstall();
SELECT crm.uninstall('other');
DROP EXTENSION crm;
-- The reader of statements: what they make, columns, comments behind them.
SELECT * FROM crm.schema_statements($$CREATE TABLE crm.a (id bigint DEFAULT nextval('crm.a, b'), -- first,
 -- second
  n numeric(10, 2) -- a number
  , CHECK (n > 0)); COMMENT ON COLUMN crm.a.n IS 'x'; CREATE INDEX i ON crm.a (n);
  CREATE VIEW crm.v AS SELECT a.id, -- the id
     a.n + 1 AS m -- one more
  FROM crm.a$$);
SELECT * FROM crm.schema_statements('CREATE TABEL x');

-- Whatever is missing or off is named, each trigger, view and index, of the newest tables, too; install() brings it back.
SET client_min_messages = warning;
BEGIN;
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT format('DROP TRIGGER %I ON crm.%I', name, relation) AS statement FROM crm.schema_object WHERE kind = 'trigger' LOOP
        EXECUTE item.statement;
    END LOOP;
    FOR item IN SELECT format('DROP VIEW IF EXISTS crm.%I CASCADE', name) AS statement FROM crm.schema_object WHERE kind = 'view' LOOP
        EXECUTE item.statement;
    END LOOP;
    FOR item IN SELECT format('DROP INDEX crm.%I', name) AS statement FROM crm.schema_object WHERE kind = 'index' LOOP
        EXECUTE item.statement;
    END LOOP;
END
$$;
SELECT o.kind, o.relation, o.name FROM crm.schema_object o
WHERE o.kind IN ('trigger', 'view', 'index')
  AND NOT EXISTS (SELECT FROM crm.status() s WHERE s.item = o.kind || ' ' || o.name AND s.state = 'error' AND s.detail LIKE 'missing%' AND (o.kind = 'view' OR s.detail = 'missing on crm.' || o.relation));
SELECT crm.install() LIKE '% repaired: %' AS repaired;
SELECT count(*) FROM crm.status() WHERE state = 'error';
ROLLBACK;
BEGIN;
ALTER TABLE crm.quote DISABLE TRIGGER keep_quote;
ALTER TABLE crm.payment ENABLE REPLICA TRIGGER keep;
UPDATE crm.job SET failures = 2, last_result = 'no luck' WHERE name = 'quotes';
UPDATE crm.job SET function = 'nope' WHERE name = 'shipments';
ALTER TABLE crm.lead DROP COLUMN need CASCADE;
DROP TABLE crm.kpi CASCADE;
SELECT item, state, detail FROM crm.status() WHERE state IN ('error', 'warning') AND item <> 'jobs' ORDER BY 1, 3;
DROP TABLE crm.contact_key CASCADE;
SELECT item, detail FROM crm.status() WHERE item = 'table contact_key';
ROLLBACK;

-- What of the user's has the name of something of ours is named, not taken over.  (As after an update: what is new is not recorded.)
CREATE SCHEMA regress_install;
CREATE FUNCTION regress_install.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
BEGIN;
-- A column that the recorded table lacks, of another type; of the same type it is taken.
UPDATE crm.schema_object SET statement = regexp_replace(statement, '\n +(roles|required_fields) [^\n]*', '', 'g') WHERE name = 'stage_transition' AND kind = 'table';
SELECT crm.install() LIKE '% is complete' AS complete;
UPDATE crm.schema_object SET statement = regexp_replace(statement, '\n +(roles|required_fields) [^\n]*', '', 'g') WHERE name = 'stage_transition' AND kind = 'table';
ALTER TABLE crm.stage_transition DROP COLUMN roles CASCADE;
ALTER TABLE crm.stage_transition ADD COLUMN roles text DEFAULT 'x';
SAVEPOINT refused;
SELECT crm.install();
ROLLBACK TO refused;
INSERT INTO crm.deal (name) VALUES ('x');
ROLLBACK TO refused;
ALTER TABLE crm.stage_transition RENAME COLUMN roles TO my_roles;
SELECT crm.install() LIKE '% repaired: %' AS repaired;
SELECT crm.install() LIKE '% is complete' AS complete;
ROLLBACK;
BEGIN;
DELETE FROM crm.schema_object WHERE kind = 'trigger' AND relation = 'contact' AND name = 'audit_update';
SELECT crm.install() LIKE '% repaired: 1 objects' AS ours_is_known_by_its_function;
DELETE FROM crm.schema_object WHERE kind = 'trigger' AND relation = 'contact' AND name = 'audit_update';
DROP TRIGGER audit_update ON crm.contact;
CREATE TRIGGER audit_update BEFORE UPDATE ON crm.contact FOR EACH ROW EXECUTE FUNCTION regress_install.mine();
SELECT crm.install();
ROLLBACK;
BEGIN;
SELECT name AS function FROM crm.schema_object WHERE kind = 'function' ORDER BY name LIMIT 1 \gset
DELETE FROM crm.schema_object WHERE kind = 'function' AND name = :'function';
SELECT crm.install();
ROLLBACK;
BEGIN;
DROP TABLE crm.satisfaction CASCADE;
CREATE VIEW crm.satisfaction AS SELECT 1 AS one;
SELECT crm.install();
ROLLBACK;
BEGIN;
DROP VIEW crm.v_lifecycle CASCADE;
CREATE TABLE crm.v_lifecycle (one integer);
SELECT crm.install();
ROLLBACK;
BEGIN;
DROP TABLE crm.sales_goal CASCADE;
DELETE FROM crm.schema_object WHERE name = 'sales_goal';
CREATE TABLE crm.sales_goal (one integer);
SELECT crm.install();
ROLLBACK;
-- Without the record of what was made, it is what the version has.
BEGIN;
DELETE FROM crm.loss_reason;
DROP TABLE crm.schema_object;
SELECT regexp_replace(crm.install(), '^crm [0-9.]+ ', '') AS install;
SELECT regexp_replace(crm.install(), '^crm [0-9.]+ ', '') AS install;
SELECT count(*) FROM crm.loss_reason;
SELECT count(*) FROM crm.status() WHERE state = 'error';
ROLLBACK;
DROP SCHEMA regress_install CASCADE;

-- Whose tables they are; views that run with other rights.
BEGIN;
CREATE ROLE regress_install_owner;
ALTER TABLE crm.referral OWNER TO regress_install_owner;
ALTER VIEW crm.v_lifecycle OWNER TO regress_install_owner;
ALTER VIEW crm.v_deal SET (security_invoker = false);
SELECT item, detail ~ '^belongs to regress_install_owner, the tables to' AS belongs, hint ~ ' OWNER TO ' AS hint FROM crm.status() WHERE state = 'error';
SELECT item, detail, hint FROM crm.status() WHERE item = 'view v_deal';
ROLLBACK;
BEGIN;
CREATE ROLE regress_install_owner;
ALTER TABLE crm.installation OWNER TO regress_install_owner;
DO $$
DECLARE
    call text;
    state text;
    message text;
    hint text;
BEGIN
    FOREACH call IN ARRAY '{SELECT crm.install(),SELECT crm.upgrade(),SELECT crm.uninstall(current_database())}'::text[] LOOP
        BEGIN
            EXECUTE call;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
            RAISE INFO '%: % % %', call, state, replace(message, current_user, 'me'), hint;
        END;
    END LOOP;
END
$$;
ROLLBACK;
