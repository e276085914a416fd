-- crm.email in the server beside text: reading, storing, indexing, searching.
-- The input function is measured against a C function that does nothing with a
-- text of the same length, both called through a cast of a column.
\set ON_ERROR_STOP 1
\pset footer off
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET search_path = crm, public;
CREATE UNLOGGED TABLE raw AS
SELECT g AS id, (ARRAY['Ivan.Petrov', 'anna', 'o.sidorova', 'info', 'K.Ivanova-Smirnova'])[1 + g % 5] || g || '@' ||
       (ARRAY['gmail.com', 'Mail.ru', 'yandex.ru', 'firma-vostok.ru', 'sales.company.co.uk', 'example.com'])[1 + g % 6] AS t
FROM generate_series(1, :rows) AS g;
VACUUM ANALYZE raw;
CREATE TABLE timing (what text, run int, seconds numeric);

-- Each round runs every statement once; the best of the rounds counts.
CREATE PROCEDURE measure(rounds int, VARIADIC what_and_statement text[]) LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz;
BEGIN
    FOR round IN 1 .. rounds LOOP
        FOR i IN 1 .. cardinality(what_and_statement) BY 2 LOOP
            started := clock_timestamp();
            EXECUTE what_and_statement[i + 1];
            INSERT INTO timing VALUES (what_and_statement[i], round, extract(epoch FROM clock_timestamp() - started));
        END LOOP;
    END LOOP;
END
$$;
-- Warm up, then measure.
SELECT count(crm.email(t)) FROM raw \g /dev/null
CALL measure(9,
    'scan only', 'SELECT count(t) FROM raw',
    'textin of textout (text <- cstring)', 'SELECT count(textin(textout(t))) FROM raw',
    'email_in of textout (email <- cstring)', 'SELECT count(email_in(textout(t))) FROM raw',
    'substr(text, 1), which copies', 'SELECT count(substr(t, 1)) FROM raw',
    'crm.email(text)', 'SELECT count(crm.email(t)) FROM raw',
    'crm.try_email(text)', 'SELECT count(crm.try_email(t)) FROM raw');
CALL measure(2, 'a regular expression instead', $$SELECT count(*) FROM raw WHERE t ~ '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$'$$);

CREATE UNLOGGED TABLE as_text AS SELECT id, lower(t) AS e FROM raw;
CREATE UNLOGGED TABLE as_email AS SELECT id, crm.email(t) AS e FROM raw;
VACUUM ANALYZE as_text; VACUUM ANALYZE as_email;
CALL measure(3,
    'sort text (C)', 'SELECT count(*) FROM (SELECT e COLLATE "C" FROM as_text ORDER BY e COLLATE "C" OFFSET 0) s',
    'sort email', 'SELECT count(*) FROM (SELECT e FROM as_email ORDER BY e OFFSET 0) s',
    'sort email by domain', 'SELECT count(*) FROM (SELECT e FROM as_email ORDER BY e USING ~<~ OFFSET 0) s',
    'hash text', 'SELECT count(*) FROM (SELECT e FROM as_text GROUP BY e) s',
    'hash email', 'SELECT count(*) FROM (SELECT e FROM as_email GROUP BY e) s');
CREATE INDEX as_text_e ON as_text (e COLLATE "C");
CREATE INDEX as_email_e ON as_email (e);
CREATE INDEX as_email_domain ON as_email (e email_domain_ops);
CALL measure(5,
    '1000 lookups, text index', $$SELECT count(a.id) FROM as_text s JOIN LATERAL (SELECT id FROM as_text WHERE e COLLATE "C" = s.e COLLATE "C" OFFSET 0) a ON true WHERE s.id <= 1000$$,
    '1000 lookups, email index', $$SELECT count(a.id) FROM as_email s JOIN LATERAL (SELECT id FROM as_email WHERE e = s.e OFFSET 0) a ON true WHERE s.id <= 1000$$);

SELECT what, min(seconds) AS seconds, round(:rows / min(seconds) / 1e6, 2) AS million_rows_a_second FROM timing GROUP BY what ORDER BY min(ctid);
SELECT 'email_in : textin' AS ratio, round(a.s / b.s, 2) AS of_the_whole_statement
FROM (SELECT min(seconds) AS s FROM timing WHERE what LIKE 'email_in%') a, (SELECT min(seconds) AS s FROM timing WHERE what LIKE 'textin%') b
UNION ALL SELECT 'email(text) : substr(text, 1)', round(a.s / b.s, 2)
FROM (SELECT min(seconds) AS s FROM timing WHERE what = 'crm.email(text)') a, (SELECT min(seconds) AS s FROM timing WHERE what LIKE 'substr%') b;
SELECT pg_size_pretty(pg_table_size('as_text')) AS text_table, pg_size_pretty(pg_table_size('as_email')) AS email_table,
       pg_size_pretty(pg_relation_size('as_text_e')) AS text_index, pg_size_pretty(pg_relation_size('as_email_e')) AS email_index;
