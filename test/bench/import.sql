-- Import of :rows contacts: what it costs beside set-based SQL that writes the
-- same rows into the same tables without validation or audit.
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SELECT crm.install();
SET crm.default_region = 'RU';
CREATE TABLE source_rows AS
SELECT i AS id,
       (ARRAY['Анна','Иван','Пётр','Мария','Ольга','Сергей','Елена','Дмитрий','Наталья','Алексей'])[1 + i % 10] AS given_name,
       (ARRAY['Иванов','Петров','Сидоров','Кузнецов','Смирнов','Попов','Васильев','Соколов','Михайлов','Новиков'])[1 + (i / 10) % 10] || chr(1072 + i % 32) || chr(1072 + (i / 32) % 32) || chr(1072 + (i / 1024) % 32) AS family_name,
       'user' || i || '@' || (ARRAY['mail.ru','gmail.com','yandex.ru','example.com'])[1 + i % 4] AS email,
       '8 (9' || lpad((i % 90 + 10)::text, 2, '0') || ') ' || lpad((i / 90 % 1000)::text, 3, '0') || '-' || lpad((i % 100)::text, 2, '0') || '-' || lpad((i * 7 % 100)::text, 2, '0') AS phone,
       to_char(date '1950-01-01' + (i * 17 % 20000), 'DD.MM.YYYY') AS birth_date,
       (ARRAY['Москва','Казань','Пермь','Омск'])[1 + i % 4] AS city
FROM generate_series(1, :rows) i;
VACUUM ANALYZE source_rows;
-- Wall time, and the processor time of this session, which other work on the
-- machine does not change.
CREATE FUNCTION cpu() RETURNS numeric LANGUAGE sql VOLATILE AS $$
    SELECT (f[14]::numeric + f[15]::numeric) / 100
    FROM (SELECT string_to_array(pg_read_file('/proc/' || pg_backend_pid() || '/stat'), ' ') AS f) stat
$$;
CREATE TEMPORARY TABLE timing (step text, started timestamptz, ended timestamptz, cpu_started numeric DEFAULT cpu(), cpu_ended numeric);

\copy source_rows TO 'bench_rows.csv' (FORMAT csv)
CREATE TABLE plain (LIKE source_rows);
CHECKPOINT;
INSERT INTO timing (step, started) VALUES ('COPY of the file into one unvalidated table', clock_timestamp());
\copy plain FROM 'bench_rows.csv' (FORMAT csv)
UPDATE timing SET ended = clock_timestamp(), cpu_ended = cpu() WHERE ended IS NULL;
\! rm -f bench_rows.csv
DROP TABLE plain;

INSERT INTO timing (step, started) VALUES ('crm.import_table(): staging', clock_timestamp());
SELECT crm.import_table('bench', 'source_rows', source => 'bench') AS batch \gset
UPDATE timing SET ended = clock_timestamp(), cpu_ended = cpu() WHERE ended IS NULL;
ANALYZE crm.import_row;
CHECKPOINT;
INSERT INTO timing (step, started) VALUES ('crm.import_apply(): validation, keys, contact points, audit', clock_timestamp());
SELECT 'import: ' || crm.import_apply(:batch, options => '{"bad_values": "set_aside"}', notice_every => 50000)::text;
UPDATE timing SET ended = clock_timestamp(), cpu_ended = cpu() WHERE ended IS NULL;

-- The same rows by hand: triggers off, no audit, no book-keeping of the import.
CREATE TABLE saved_contact AS TABLE crm.contact;
CREATE TABLE saved_point AS TABLE crm.contact_point;
CREATE TABLE saved_key AS TABLE crm.contact_key;
CREATE TABLE saved_ref AS TABLE crm.external_ref;
SELECT format('rows: %s contacts, %s points, %s keys, %s audit entries', (SELECT count(*) FROM crm.contact), (SELECT count(*) FROM crm.contact_point),
              (SELECT count(*) FROM crm.contact_key), (SELECT count(*) FROM crm.audit_log));
SET client_min_messages = error;
SET session_replication_role = replica;
TRUNCATE crm.contact_key, crm.audit_log, crm.contact CASCADE;
RESET session_replication_role;
ALTER TABLE crm.contact DISABLE TRIGGER USER;
ALTER TABLE crm.contact_point DISABLE TRIGGER USER;
ALTER TABLE crm.external_ref DISABLE TRIGGER USER;
CHECKPOINT;
INSERT INTO timing (step, started) VALUES ('the same rows by hand-written SQL, triggers off', clock_timestamp());
BEGIN;
INSERT INTO crm.contact SELECT * FROM saved_contact;
INSERT INTO crm.contact_point SELECT * FROM saved_point;
INSERT INTO crm.external_ref SELECT * FROM saved_ref;
INSERT INTO crm.contact_key SELECT * FROM saved_key;
COMMIT;
UPDATE timing SET ended = clock_timestamp(), cpu_ended = cpu() WHERE ended IS NULL;
SELECT format('%-62s %8s s, of the processor %8s s', step, round(extract(epoch FROM ended - started)::numeric, 2), round(cpu_ended - cpu_started, 2)) FROM timing;
SELECT format('ratio of import_apply() to the same rows by hand: %s, of processor time %s (target at most 2)',
    round(extract(epoch FROM a.ended - a.started) / extract(epoch FROM h.ended - h.started), 2), round((a.cpu_ended - a.cpu_started) / (h.cpu_ended - h.cpu_started), 2))
FROM timing a, timing h WHERE a.step LIKE 'crm.import_apply%' AND h.step LIKE 'the same rows%';
