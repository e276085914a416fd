-- Field-level history written by the audit trigger.
\set SHOW_CONTEXT never
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
CREATE TABLE crm.sample (id bigint, contact_id bigint, n numeric, t text, b boolean, d date, j jsonb, f float8, updated_at timestamptz);
CREATE TRIGGER audit_insert AFTER INSERT ON crm.sample REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.sample REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.sample REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
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

-- Statements over many rows: each has its entry, with its own changes.
BEGIN;
CREATE TABLE crm.sample (contact_id bigint, gone text, id bigint PRIMARY KEY, t text, n integer, match_key text, email text);
ALTER TABLE crm.sample DROP COLUMN gone;
CREATE TRIGGER audit_insert AFTER INSERT ON crm.sample REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.sample REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.sample REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TEMPORARY TABLE mark AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.entries(OUT row_id bigint, OUT contact_id bigint, OUT operation text, OUT changes jsonb) RETURNS SETOF record
LANGUAGE sql AS $$
    WITH entry AS (SELECT l.* FROM crm.audit_log l, mark WHERE l.relation = 'sample' AND l.id > mark.id),
    moved AS (UPDATE mark SET id = coalesce((SELECT max(id) FROM entry), id))
    SELECT row_id, contact_id, operation, changes FROM entry ORDER BY id
$$;
INSERT INTO crm.sample SELECT nullif(i, 3) * 10, i, 'text ' || i, i FROM generate_series(1, 5) i;
SELECT * FROM pg_temp.entries();
UPDATE crm.sample SET t = CASE WHEN id IN (1, 3) THEN upper(t) ELSE t END, n = CASE WHEN id = 1 THEN NULL WHEN id = 2 THEN 20 ELSE n END;
SELECT * FROM pg_temp.entries();
UPDATE crm.sample SET t = t;                                          -- nothing changed
UPDATE crm.sample SET t = t || '!' WHERE id > 100;                    -- no row
UPDATE crm.sample SET match_key = 'k', email = 'e';                   -- bookkeeping only
DELETE FROM crm.sample WHERE id > 100;
SELECT * FROM pg_temp.entries();
UPDATE crm.sample SET id = id + 100, contact_id = 7 WHERE id = 5;     -- the entry is that of the row as it was
DELETE FROM crm.sample WHERE id IN (3, 4);
SELECT * FROM pg_temp.entries();
INSERT INTO crm.sample (id, contact_id, t) VALUES (1, 10, 'again'), (6, 60, 'new'), (2, 20, 'again')
ON CONFLICT (id) DO UPDATE SET t = excluded.t;
SELECT * FROM pg_temp.entries();
MERGE INTO crm.sample s USING (VALUES (1, 'delete'), (2, 'update'), (6, 'update'), (8, 'insert')) v (id, what) ON s.id = v.id
WHEN MATCHED AND what = 'delete' THEN DELETE
WHEN MATCHED THEN UPDATE SET t = 'merged'
WHEN NOT MATCHED THEN INSERT (id, contact_id) VALUES (v.id, 80);
SELECT * FROM pg_temp.entries() ORDER BY operation, row_id;

-- More rows than one batch has, and than memory holds: old and new stay together, and in order.
SET LOCAL work_mem = '64kB';
DELETE FROM crm.sample;
INSERT INTO crm.sample SELECT 10 * i, i, repeat('x', 100), i FROM generate_series(1, 3500) i;
SELECT count(*) FROM pg_temp.entries();
UPDATE crm.sample SET n = n + 1, t = CASE WHEN id % 2 = 0 THEN t || id ELSE t END WHERE id % 7 <> 0;
SELECT count(*), count(*) FILTER (WHERE contact_id = 10 * row_id) AS contacts, count(*) FILTER (WHERE changes ? 't') AS texts,
       count(*) FILTER (WHERE changes -> 'n' = jsonb_build_object('old', row_id, 'new', row_id + 1)
                          AND (row_id % 2 = 1 OR changes -> 't' = jsonb_build_object('old', repeat('x', 100), 'new', repeat('x', 100) || row_id))) AS right
FROM pg_temp.entries();
UPDATE crm.sample SET n = n;
SELECT count(*) FROM pg_temp.entries();
DELETE FROM crm.sample WHERE id <= 2500;
SELECT count(*), count(*) FILTER (WHERE changes -> 'id' = jsonb_build_object('old', row_id)) AS right FROM pg_temp.entries();
-- Long values end a batch early.
UPDATE crm.sample SET t = repeat(id::text, 10000) WHERE id <= 2900;
SELECT count(*), count(*) FILTER (WHERE changes -> 't' ->> 'new' = repeat(row_id::text, 10000)) AS right FROM pg_temp.entries();
ROLLBACK;

-- A delete that cascades: one entry for each row of each table.
BEGIN;
INSERT INTO crm.contact (id, family_name) SELECT 900000 + i, 'Cascade' FROM generate_series(1, 3) i;
INSERT INTO crm.contact_point (contact_id, kind, raw) SELECT 900000 + i, 'email', 'cascade' || i || j || '@example.com'
FROM generate_series(1, 3) i, generate_series(1, 2) j;
DELETE FROM crm.contact WHERE id BETWEEN 900001 AND 900002;
SELECT contact_id, relation, operation, count(*), count(DISTINCT row_id) AS rows FROM crm.audit_log
WHERE contact_id BETWEEN 900001 AND 900003 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
ROLLBACK;

-- Attached FOR EACH ROW, as tables of 0.0.1 have it until crm.upgrade().
BEGIN;
CREATE TABLE crm.sample (id bigint, t text);
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.sample FOR EACH ROW EXECUTE FUNCTION crm.audit();
INSERT INTO crm.sample VALUES (1, 'a'), (2, 'b'), (3, 'c');
UPDATE crm.sample SET t = CASE WHEN id < 3 THEN t || '!' ELSE t END;
DELETE FROM crm.sample WHERE id > 1;
SELECT row_id, contact_id, operation, changes FROM crm.audit_log WHERE relation = 'sample' ORDER BY id;
ROLLBACK;

-- Other ways to attach it are refused.
BEGIN;
CREATE TABLE crm.sample (id bigint);
SAVEPOINT s;
CREATE TRIGGER wrong BEFORE UPDATE ON crm.sample FOR EACH ROW EXECUTE FUNCTION crm.audit();
INSERT INTO crm.sample VALUES (1);
UPDATE crm.sample SET id = 2;
ROLLBACK TO s;
CREATE TRIGGER wrong AFTER INSERT ON crm.sample FOR EACH ROW EXECUTE FUNCTION crm.audit();
INSERT INTO crm.sample VALUES (1);
ROLLBACK TO s;
CREATE TRIGGER wrong AFTER INSERT OR DELETE ON crm.sample FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
INSERT INTO crm.sample VALUES (1);
ROLLBACK TO s;
CREATE TRIGGER wrong AFTER UPDATE ON crm.sample REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
UPDATE crm.sample SET id = 2;
ROLLBACK TO s;
CREATE TRIGGER wrong AFTER TRUNCATE ON crm.sample FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
TRUNCATE crm.sample;
ROLLBACK;
