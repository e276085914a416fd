-- Reading identifiers in the server, beside a function of text that does next
-- to nothing (octet_length), and storing them beside text.
\set QUIET on
\pset tuples_only on
\pset format unaligned
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET search_path = public, crm;
CREATE TABLE raw AS
SELECT '77' || lpad((i % 10000000)::text, 7, '0') || ((2 * 7 + 4 * 7 + 10 * (i / 1000000 % 10) + 3 * (i / 100000 % 10)
    + 5 * (i / 10000 % 10) + 9 * (i / 1000 % 10) + 4 * (i / 100 % 10) + 6 * (i / 10 % 10) + 8 * (i % 10)) % 11 % 10)::text AS value
FROM generate_series(1, :rows) i;
VACUUM ANALYZE raw;
SELECT format('%s rows, %s accepted', count(*), count(crm.try_inn(value))) FROM raw;

CREATE TABLE timing (what text, ms numeric);
-- the best of five runs, each statement in turn
DO $$
DECLARE
    statement text[];
    started timestamptz;
BEGIN
    FOR run IN 1..5 LOOP
        FOREACH statement SLICE 1 IN ARRAY array[
            ['octet_length(text)', 'SELECT count(octet_length(value)) FROM raw'],
            ['crm.try_inn(text)', 'SELECT count(crm.try_inn(value)) FROM raw'],
            ['text::crm.inn::text', 'SELECT count(value::crm.inn::text) FROM raw'],
            ['crm.tax_id(text)', 'SELECT count(crm.tax_id(value)) FROM raw'],
            ['a regular expression', $re$SELECT count(value ~ '^([0-9]{10}|[0-9]{12})$') FROM raw$re$]]
        LOOP
            started := clock_timestamp();
            EXECUTE statement[2];
            INSERT INTO timing VALUES (statement[1], extract(epoch FROM clock_timestamp() - started) * 1000);
        END LOOP;
    END LOOP;
END
$$;
SELECT format('%-22s %7s ms  ratio %s', what, round(min(ms), 1),
    round(min(ms) / (SELECT min(ms) FROM timing WHERE what LIKE 'octet%'), 2))
FROM timing GROUP BY what ORDER BY min(ms);
TRUNCATE timing;

CREATE TABLE as_text AS SELECT value COLLATE "C" AS value FROM raw ORDER BY md5(value);
CREATE TABLE as_inn AS SELECT value::crm.inn AS value FROM as_text;
DO $$
DECLARE
    statement text[];
    started timestamptz;
BEGIN
    FOR run IN 1..3 LOOP
        FOREACH statement SLICE 1 IN ARRAY array[
            ['index of text, C', 'CREATE INDEX text_index ON as_text (value)'],
            ['index of crm.inn', 'CREATE INDEX inn_index ON as_inn (value)'],
            ['hash join of text', 'SELECT count(*) FROM as_text a JOIN as_text b USING (value)'],
            ['hash join of crm.inn', 'SELECT count(*) FROM as_inn a JOIN as_inn b USING (value)']]
        LOOP
            started := clock_timestamp();
            EXECUTE statement[2];
            INSERT INTO timing VALUES (statement[1], extract(epoch FROM clock_timestamp() - started) * 1000);
        END LOOP;
        IF run < 3 THEN
            DROP INDEX text_index, inn_index;
        END IF;
    END LOOP;
END
$$;
SELECT format('%-22s %7s ms', what, round(min(ms), 1)) FROM timing GROUP BY what ORDER BY what;
SELECT format('table %s / %s, index %s / %s (text / crm.inn)',
    pg_size_pretty(pg_table_size('as_text')), pg_size_pretty(pg_table_size('as_inn')),
    pg_size_pretty(pg_relation_size('text_index')), pg_size_pretty(pg_relation_size('inn_index')));
