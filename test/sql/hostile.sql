-- Triggers and readers of statements on tables and texts they were not made for.
SET datestyle = 'Postgres, MDY'; SET intervalstyle = postgres_verbose;
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
CREATE TEMPORARY TABLE contact (id bigint, family_name bigint, name_key text, updated_at text);
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION crm.derive();
INSERT INTO contact VALUES (1, 94000000000000, 'x', 'y');
SELECT * FROM contact;
UPDATE contact SET family_name = 5;
UPDATE contact SET id = 2;
CREATE TEMPORARY TABLE point (id bigint, kind text, raw text, region text, email bigint, phone bigint, match_key bigint);
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON point FOR EACH ROW EXECUTE FUNCTION crm.derive();
INSERT INTO point VALUES (1, 'email', 'a@example.com');
INSERT INTO point VALUES (1, 'phone', '+79161234567');
INSERT INTO point VALUES (1, 'web', 'x');
CREATE TEMPORARY TABLE raw_number (kind text, raw bigint);
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON raw_number FOR EACH ROW EXECUTE FUNCTION crm.derive();
INSERT INTO raw_number VALUES ('email', 12345);
CREATE TEMPORARY TABLE late (id bigint);
CREATE TRIGGER derive AFTER INSERT ON late FOR EACH ROW EXECUTE FUNCTION crm.derive();
INSERT INTO late VALUES (1);
SELECT kind, name, relation FROM crm.schema_statements('COMMENT ON COLUMN a IS ''x''; COMMENT ON TRIGGER t ON a IS ''x''; CREATE TABLE t (a int, b text)');
SELECT count(*) FROM crm.schema_statements(repeat('COMMENT ON COLUMN a IS ''x''; CREATE TABLE t (a int, b text); ', 2000)) WHERE relation IS NOT NULL;
-- Logs and keyed tables.
INSERT INTO crm.contact (id, given_name) VALUES (900000000000000001, 'Anna') RETURNING id AS anna \gset
UPDATE crm.audit_log SET actor = 'x';
DELETE FROM crm.audit_log;
TRUNCATE crm.audit_log;
TRUNCATE crm.contact_point;
SET LOCAL client_min_messages = error;
TRUNCATE crm.contact CASCADE;
RESET client_min_messages;
SELECT crm.purge_audit('1 hour');
SELECT crm.purge_audit('1 day', now() + interval '2 days') > 0 AS purged;
UPDATE crm.contact SET id = -1 WHERE id = :anna;
-- Other columns of a point that today's rules would refuse can be changed.
ALTER TABLE crm.contact_point DISABLE TRIGGER derive;
INSERT INTO crm.contact_point (contact_id, kind, raw, phone, match_key) VALUES (:anna, 'phone', '8 (999) 1', '+79991', '+79991');
ALTER TABLE crm.contact_point ENABLE TRIGGER derive;
SET LOCAL crm.default_region = 'US';
UPDATE crm.contact_point SET validity = 'invalid', bounce_count = 1, phone = NULL WHERE contact_id = :anna AND kind = 'phone';
SELECT raw, region, phone, match_key, validity FROM crm.contact_point WHERE contact_id = :anna AND kind = 'phone';
UPDATE crm.contact_point SET raw = '8 (999) 2' WHERE contact_id = :anna AND kind = 'phone';
-- A stricter custom field leaves older rows alone until they are written.
SELECT crm.define_field('contact', 'badge', 'integer', is_required => true);
UPDATE crm.contact SET city = 'Omsk' WHERE id = :anna;
UPDATE crm.contact SET attrs = '{"badge": "x"}' WHERE id = :anna;
UPDATE crm.contact SET attrs = '{"badge": 7}' WHERE id = :anna;
-- History does not depend on the session's settings.
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL timezone = 'Asia/Tokyo';
SET LOCAL extra_float_digits = 0;
INSERT INTO crm.contact_identity (contact_id, provider, external_id, confidence) VALUES (:anna, 'vk', '1', 0.123456789);
UPDATE crm.contact_identity SET confidence = 0.5 WHERE contact_id = :anna;
INSERT INTO crm.contact_need (contact_id, kind, subject, valid) VALUES (:anna, 'need', 'chairs', '[2026-01-02 00:00+00,)');
UPDATE crm.contact_need SET valid = '[2026-01-02 00:00+00,2026-02-03 00:00+00)' WHERE contact_id = :anna;
SELECT changes FROM crm.audit_log WHERE contact_id = :anna AND relation IN ('contact_identity', 'contact_need') AND operation = 'update' ORDER BY id;
ROLLBACK;
