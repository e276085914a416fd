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
