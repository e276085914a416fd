-- Reading phone numbers in the server, beside the input function of text, which
-- does nothing but copy, and their indexes beside those of text.
\set QUIET on
\pset tuples_only on
\pset format unaligned
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET search_path = public, crm;
CREATE TABLE raw AS
SELECT format('8 (9%s) %s-%s-%s', lpad((i * 7919::bigint % 90 + 10)::text, 2, '0'), lpad((i * 104729::bigint % 900 + 100)::text, 3, '0'),
              lpad((i / 100 % 100)::text, 2, '0'), lpad((i % 100)::text, 2, '0')) AS value,
       '+79' || lpad((i * 7919::bigint % 90 + 10)::text, 2, '0') || lpad((i * 104729::bigint % 9000000 + 1000000)::text, 7, '0') AS canonical
FROM generate_series(1, :rows) i;
VACUUM ANALYZE raw;
SELECT format('%s rows, %s accepted, %s valid', count(*), count(p), count(*) FILTER (WHERE is_valid(p))) FROM (SELECT try_phone(value, 'RU') AS p FROM raw) s;

CREATE TABLE timing (what text, ms numeric);
SET crm.default_region = 'RU';
-- the best of five runs, each statement in turn
DO $$
DECLARE
    statement text[];
    started timestamptz;
BEGIN
    FOR run IN 1..5 LOOP
        FOREACH statement SLICE 1 IN ARRAY array[
            ['octet_length(text)', 'SELECT count(octet_length(value)) FROM raw'],
            ['textin(textout(text))', 'SELECT count(textin(textout(value))) FROM raw'],
            ['crm.try_phone(text)', 'SELECT count(crm.try_phone(value)) FROM raw'],
            ['crm.try_phone(text, ''RU'')', 'SELECT count(crm.try_phone(value, ''RU'')) FROM raw'],
            ['text::crm.phone', 'SELECT count(value::crm.phone) FROM raw'],
            ['canonical::crm.phone', 'SELECT count(canonical::crm.phone) FROM raw'],
            ['a regular expression', $re$SELECT count(regexp_replace(value, '[^0-9+]', '', 'g')) FROM raw$re$]]
        LOOP
            started := clock_timestamp();
            EXECUTE statement[2];
            INSERT INTO timing VALUES (statement[1], extract(epoch FROM clock_timestamp() - started) * 1000);
        END LOOP;
    END LOOP;
END
$$;
SELECT format('%-28s %8s ms  ratio %s', what, round(min(ms), 1),
    round(min(ms) / (SELECT min(ms) FROM timing WHERE what LIKE 'textin%'), 2))
FROM timing GROUP BY what ORDER BY min(ms);
TRUNCATE timing;

-- in and out of a file, beside text
CREATE TABLE as_text AS SELECT canonical COLLATE "C" AS value FROM raw ORDER BY md5(canonical);
CREATE TABLE as_phone AS SELECT value::phone AS value FROM as_text;
SELECT format('table of text %s, of crm.phone %s', pg_size_pretty(pg_table_size('as_text')), pg_size_pretty(pg_table_size('as_phone')));
DO $$
DECLARE
    statement text[];
    started timestamptz;
BEGIN
    FOR run IN 1..3 LOOP
        SET LOCAL client_min_messages = warning;
        DROP INDEX IF EXISTS text_index, phone_index, suffix_index, reverse_index;
        FOREACH statement SLICE 1 IN ARRAY array[
            ['sort text, C', 'SELECT count(*) FROM (SELECT value FROM as_text ORDER BY 1 OFFSET 0) s'],
            ['sort crm.phone', 'SELECT count(*) FROM (SELECT value FROM as_phone ORDER BY 1 OFFSET 0) s'],
            ['index of text, C', 'CREATE INDEX text_index ON as_text (value)'],
            ['index of crm.phone', 'CREATE INDEX phone_index ON as_phone (value)'],
            ['index of reverse(text)', 'CREATE INDEX reverse_index ON as_text (reverse(value))'],
            ['index, phone_suffix_ops', 'CREATE INDEX suffix_index ON as_phone (value phone_suffix_ops)'],
            ['hash join of text', 'SELECT count(*) FROM as_text a JOIN as_text b USING (value)'],
            ['hash join of crm.phone', 'SELECT count(*) FROM as_phone a JOIN as_phone b USING (value)']]
        LOOP
            started := clock_timestamp();
            EXECUTE statement[2];
            INSERT INTO timing VALUES (statement[1], extract(epoch FROM clock_timestamp() - started) * 1000);
        END LOOP;
    END LOOP;
END
$$;
SELECT format('%-28s %8s ms', what, round(min(ms), 1)) FROM timing GROUP BY what ORDER BY min(ms);
SELECT format('%-16s %s', indexrelid::regclass, pg_size_pretty(pg_relation_size(indexrelid)))
FROM pg_index WHERE indrelid IN ('as_text'::regclass, 'as_phone'::regclass) ORDER BY 1;

-- one caller looked up a thousand times
ANALYZE as_phone;
TRUNCATE timing;
DO $$
DECLARE started timestamptz; n bigint := 0; k bigint;
BEGIN
    started := clock_timestamp();
    FOR i IN 1..1000 LOOP
        SELECT count(*) INTO k FROM as_phone WHERE value %^ lpad((i * 7919)::text, 7, '1');
        n := n + k;
    END LOOP;
    INSERT INTO timing VALUES ('us a look-up by last digits', extract(epoch FROM clock_timestamp() - started) * 1000);
END $$;
SELECT format('%s us for a caller by the last seven digits', round(min(ms), 0)) FROM timing;
