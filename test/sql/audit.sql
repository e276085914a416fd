-- Field-level history written by the audit trigger.
\set SHOW_CONTEXT never
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
CREATE TABLE crm.sample (id bigint, contact_id bigint, n numeric, t text, b boolean, d date, j jsonb, f float8, updated_at timestamptz);
CREATE TRIGGER audit_insert AFTER INSERT ON crm.sample REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.sample FOR EACH ROW EXECUTE FUNCTION crm.audit();
INSERT INTO crm.sample SELECT i, i * 10, i + 0.5, 'text ' || i, i > 1, date '2026-01-01' + i, '{"a": [1, {"b": null}]}', 1.5, now()
FROM generate_series(1, 3) i;
UPDATE crm.sample SET n = NULL, t = 'Ёлка "x"' WHERE id = 1;
UPDATE crm.sample SET j = '"scalar"', b = NOT b, d = 'infinity', f = 'NaN', n = 'NaN' WHERE id = 2;
UPDATE crm.sample SET t = t;                                          -- nothing changed
UPDATE crm.sample SET updated_at = now() + interval '1 hour';         -- bookkeeping only
SET LOCAL crm.actor = 'Анна';
DELETE FROM crm.sample WHERE id = 3;
SELECT relation, row_id, contact_id, operation, changes - 'updated_at' AS changes, actor = session_user AS by_session, role = current_user AS by_role,
       transaction_id = pg_current_xact_id() AS here
FROM crm.audit_log WHERE relation = 'sample' ORDER BY id;
-- A role that may not write the log writes it all the same, through the trigger.
CREATE ROLE regress_crm_clerk;
GRANT SELECT, UPDATE ON crm.sample TO regress_crm_clerk;
SET LOCAL ROLE regress_crm_clerk;
UPDATE crm.sample SET t = 'clerk' WHERE id = 1;
SAVEPOINT s;
INSERT INTO crm.audit_log (relation, row_id, operation, actor, role) VALUES ('sample', 1, 'update', 'x', 'y');
ROLLBACK TO s;
RESET ROLE;
SELECT operation, changes, actor, role FROM crm.audit_log WHERE relation = 'sample' ORDER BY id DESC LIMIT 1;
SELECT crm.audit();
ROLLBACK;
BEGIN;
CREATE TABLE crm.sample (id bigint);
CREATE TRIGGER wrong BEFORE UPDATE ON crm.sample FOR EACH ROW EXECUTE FUNCTION crm.audit();
INSERT INTO crm.sample VALUES (1);
UPDATE crm.sample SET id = 2;
ROLLBACK;
