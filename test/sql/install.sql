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
