-- Numbers of any types, of one column or several: records of given numbers are found by the index of the key.  -- R-019
SET default_transaction_isolation = 'read committed';
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
DO 'BEGIN PERFORM crm.install(); END';
CREATE SCHEMA door_id;
CREATE TYPE door_id.kind AS ENUM ('first', 'other, "kind"');
CREATE DOMAIN door_id.code AS varchar(40) CHECK (VALUE <> 'nobody');
CREATE FUNCTION door_id.word(syllables integer, seed bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT initcap(string_agg((ARRAY['ba','ke','li','mo','nu','ra','se','ti','vo','zu','dar','fen','gor','han','jin','kol','lem','mar','nor','pet'])[1 + (seed * 7919 + i * 104729 + seed / (3 + i) * 31) % 20], ''))
    FROM generate_series(1, syllables) AS i
$$;
CREATE TABLE door_id.person AS
SELECT i, door_id.word(2, e * 7 % 101) AS given_name, door_id.word(3, e * 13 % 997) AS family_name, date '1950-01-01' + (e * 7907 % 18000)::integer AS birth_date,
       lower(door_id.word(3, e * 13 % 997)) || e || '@example.com' AS email
FROM (SELECT i, CASE WHEN i % 5 = 0 THEN i - 1 ELSE i END AS e FROM generate_series(1, 2000) AS i) s;

-- A table with such a key; what is found at its door, and how often its rows were read by scan and by index.
CREATE FUNCTION door_id.try(definition text, key text, expressions text, OUT pair text, OUT asked text, OUT explained bigint, OUT reviewed bigint, OUT swept bigint, OUT scans bigint, OUT by_index boolean)
LANGUAGE plpgsql SET extra_float_digits = 1 AS $$
DECLARE
    before record;
    entered record;
BEGIN
    EXECUTE format('CREATE TABLE door_id.keyed (%s, given_name text, family_name text, birth_date date, email text, PRIMARY KEY (%s))', definition,
                   (SELECT string_agg(quote_ident(c), ', ' ORDER BY n) FROM unnest(string_to_array(key, ', ')) WITH ORDINALITY AS u (c, n)));
    EXECUTE format('INSERT INTO door_id.keyed SELECT %s, given_name, family_name, birth_date, email FROM door_id.person', expressions);
    ANALYZE door_id.keyed;
    PERFORM crm.create_match_model('door_id', 'door_id.keyed', key);
    PERFORM crm.train_match_model('door_id');
    PERFORM crm.guard_duplicates('door_id', 'queue');
    SELECT s.seq_scan, s.idx_scan INTO before FROM pg_stat_xact_user_tables s WHERE s.relid = 'door_id.keyed'::regclass;
    EXECUTE format('INSERT INTO door_id.keyed SELECT %s, given_name, family_name, birth_date, email FROM (SELECT i + 3000 AS i, given_name, family_name, birth_date, email FROM door_id.person WHERE i = 14) p', expressions);
    SELECT * INTO entered FROM crm.match_pair p WHERE p.model = 'door_id' ORDER BY p.weight DESC, p.left_id, p.right_id LIMIT 1;
    pair := concat_ws(' ', entered.left_id, entered.right_id);
    SELECT count(*) INTO explained FROM crm.explain_match('door_id', entered.left_id, entered.right_id);
    SELECT string_agg(d.record_id, ' ' ORDER BY d.record_id COLLATE "C") INTO asked
    FROM door_id.person p, crm.find_duplicates('door_id', to_jsonb(p) - 'i', 2) d WHERE p.i = 14;
    -- Of our transaction the sweep takes nothing; these are numbers of another server.
    UPDATE crm.match_queue q SET xid = '123456789012345' WHERE q.model = 'door_id';
    DELETE FROM crm.match_pair p WHERE p.model = 'door_id';
    SELECT t.pairs INTO swept FROM crm.dedup_tick('door_id') t;
    SELECT s.seq_scan - before.seq_scan, s.idx_scan > before.idx_scan INTO scans, by_index FROM pg_stat_xact_user_tables s WHERE s.relid = 'door_id.keyed'::regclass;
    SELECT count(*) INTO reviewed FROM crm.review_pairs('door_id') r WHERE r.right_id = entered.right_id;
    PERFORM crm.drop_match_model('door_id');
    DROP TABLE door_id.keyed;
END
$$;
SELECT * FROM door_id.try('id bigint', 'id', 'i');
SELECT * FROM door_id.try('id uuid', 'id', 'md5(i::text)::uuid');
SELECT * FROM door_id.try('id text', 'id', $$i || '\",(' || i || ')'$$);
SELECT * FROM door_id.try('id text COLLATE "C"', 'id', $$'{' || i || '}'$$);
SELECT * FROM door_id.try('id varchar(9)', 'id', $$i::text$$);
SELECT * FROM door_id.try('id char(9)', 'id', $$i::text$$);
SELECT * FROM door_id.try('id bit(16)', 'id', $$i::integer::bit(16)$$);
SELECT * FROM door_id.try('id door_id.code', 'id', $$i::text$$);
SELECT * FROM door_id.try('id crm.email', 'id', $$(i || '@example.com')::crm.email$$);
SELECT * FROM door_id.try('id integer[]', 'id', $$ARRAY[i, 7]$$);
SELECT * FROM door_id.try('branch integer, number integer', 'branch, number', 'i % 7, i');
SELECT * FROM door_id.try('number integer, code text', 'number, code', $$i, CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN ' a, "b"' WHEN 2 THEN '\"x\\,' ELSE '(null)' END$$);
SELECT * FROM door_id.try('code text, number integer', 'code, number', $$'\' || i || ',"', 0$$);
SELECT * FROM door_id.try('id uuid, day date', 'id, day', $$md5(i::text)::uuid, date '2026-01-01' + i::integer$$);
SELECT * FROM door_id.try('code char(9), amount numeric(10, 2)', 'code, amount', $$i::text, i / 4.0$$);
SELECT * FROM door_id.try('bytes bytea, kind door_id.kind', 'bytes, kind', $$convert_to(i::text, 'UTF8'), CASE WHEN i % 2 = 0 THEN 'other, "kind"' ELSE 'first' END::door_id.kind$$);
SELECT * FROM door_id.try('at timestamptz, several integer[]', 'at, several', $$timestamptz '2026-01-01 00:00Z' + i * interval '1 hour', ARRAY[i, NULL]$$);
SELECT * FROM door_id.try('mail crm.email, address inet, half float8', 'mail, address, half', $$(i || '@example.com')::crm.email, inet '10.0.0.0' + i, i / 3.0::float8$$);
SELECT * FROM door_id.try('code door_id.code, name text COLLATE "C", flag boolean, letter "char"', 'code, name, flag, letter', $$i::text, i::text, i % 2 = 0, 'x'$$);
SELECT * FROM door_id.try('"Odd ""name""" integer, "select" text', 'Odd "name", select', $$i, ''$$);

-- A number that is none.
CREATE TABLE door_id.keyed (branch integer, code text, given_name text, family_name text, birth_date date, email text, PRIMARY KEY (branch, code));
INSERT INTO door_id.keyed SELECT i, 'x', given_name, family_name, birth_date, email FROM door_id.person;
SELECT crm.create_match_model('door_id', 'door_id.keyed');
SELECT crm.train_match_model('door_id');
SELECT count(*) FROM crm.explain_match('door_id', '(4,x)', '(5,x)');
SELECT crm.explain_match('door_id', '(4,x)', '4');
SELECT crm.explain_match('door_id', '(4,x)', '(4,x,y)');
SELECT crm.explain_match('door_id', '(4,x)', '(5,x');
SELECT crm.explain_match('door_id', '(4,x)', '(5,)');
SELECT crm.explain_match('door_id', '(4,x)', '(5,"x');
SELECT crm.explain_match('door_id', '(4,x)', '');
SELECT crm.explain_match('door_id', '(4,x)', '(5,"x")');
\set SHOW_CONTEXT never
SELECT crm.explain_match('door_id', '(4,x)', '(five,x)');
SELECT crm.drop_match_model('door_id');
SET client_min_messages = error;
DROP SCHEMA door_id CASCADE;
