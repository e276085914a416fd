-- COPY of :rows rows into columns of our types, beside COPY of the same file
-- into text columns; the best of three each, in turn.
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE TABLE source AS
SELECT 'User' || i AS name, 'user' || i || '@' || (ARRAY['mail.ru', 'gmail.com', 'yandex.ru', 'example.com'])[1 + i % 4] AS email,
       '+79' || lpad((i::bigint * 7919 % 1000000000)::text, 9, '0') AS phone
FROM generate_series(1, :rows) i;
\copy source TO 'bench_copy.csv' (FORMAT csv)
CREATE TABLE as_text (name text, email text, phone text);
CREATE TABLE as_types (name text, email crm.email, phone crm.phone);
CREATE TEMPORARY TABLE timing (kind text, started timestamptz, ended timestamptz);
BEGIN; TRUNCATE as_text; INSERT INTO timing VALUES ('text', clock_timestamp());
\copy as_text FROM 'bench_copy.csv' (FORMAT csv)
UPDATE timing SET ended = clock_timestamp() WHERE ended IS NULL; COMMIT;
BEGIN; TRUNCATE as_types; INSERT INTO timing VALUES ('types', clock_timestamp());
\copy as_types FROM 'bench_copy.csv' (FORMAT csv)
UPDATE timing SET ended = clock_timestamp() WHERE ended IS NULL; COMMIT;
BEGIN; TRUNCATE as_text; INSERT INTO timing VALUES ('text', clock_timestamp());
\copy as_text FROM 'bench_copy.csv' (FORMAT csv)
UPDATE timing SET ended = clock_timestamp() WHERE ended IS NULL; COMMIT;
BEGIN; TRUNCATE as_types; INSERT INTO timing VALUES ('types', clock_timestamp());
\copy as_types FROM 'bench_copy.csv' (FORMAT csv)
UPDATE timing SET ended = clock_timestamp() WHERE ended IS NULL; COMMIT;
BEGIN; TRUNCATE as_text; INSERT INTO timing VALUES ('text', clock_timestamp());
\copy as_text FROM 'bench_copy.csv' (FORMAT csv)
UPDATE timing SET ended = clock_timestamp() WHERE ended IS NULL; COMMIT;
BEGIN; TRUNCATE as_types; INSERT INTO timing VALUES ('types', clock_timestamp());
\copy as_types FROM 'bench_copy.csv' (FORMAT csv)
UPDATE timing SET ended = clock_timestamp() WHERE ended IS NULL; COMMIT;
\! rm -f bench_copy.csv
SELECT format('COPY into %-5s columns  %s s', kind, round(min(extract(epoch FROM ended - started))::numeric, 3)) FROM timing GROUP BY kind ORDER BY kind;
SELECT format('ratio of types to text: %s (target at most 1.2)',
    round(min(extract(epoch FROM ended - started)) FILTER (WHERE kind = 'types') / min(extract(epoch FROM ended - started)) FILTER (WHERE kind = 'text'), 2)) FROM timing;
SELECT format('table of types %s, of text %s', pg_size_pretty(pg_table_size('as_types')), pg_size_pretty(pg_table_size('as_text')));
