-- Segments over :rows contacts: a refresh over all of them beside the same SQL
-- written by hand, a refresh after 1,000 changes beside one over all, and what
-- 10,000 segments cost for each contact that changes.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET search_path = public, crm;
SELECT crm.install() IS NOT NULL AS installed \gset
UPDATE crm.base_currency SET code = 'USD';
SET session_replication_role = replica;
INSERT INTO crm.contact (id, given_name, family_name, city, birth_date, lifecycle_stage, source)
SELECT i, 'Given' || i % 1000, 'Family' || i % 50000, 'City ' || (hashint4(i) & 255), date '1950-01-01' + (hashint4(i + 7) & 2147483647) % 20000,
       (ARRAY['lead', 'customer', 'repeat', 'loyal'])[1 + (hashint4(i + 9) & 3)], 'source ' || (hashint4(i + 11) & 15)
FROM generate_series(1, :rows) i;
UPDATE crm.contact SET city = 'City ' || (hashint4(id::integer) & 255);
INSERT INTO crm.contact_metric (contact_id, order_count, priced_order_count, order_total, largest_order, first_order_at, last_order_at)
SELECT i, 1 + i % 9, 1 + i % 9, (hashint4(i + 13) & 2147483647) % 20000, 500, '2024-01-01', now() - ((hashint4(i + 15) & 2147483647) % 400) * interval '1 day'
FROM generate_series(1, :rows) i WHERE i % 10 < 7;
INSERT INTO crm.tag (contact_id, tag) SELECT i, 'vip' FROM generate_series(1, :rows, 20) i;
SET session_replication_role = origin;
VACUUM ANALYZE;
SET jit = off;

CREATE TABLE result (n serial, what text, ms float8);
CREATE PROCEDURE timed(what text, statement text) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
BEGIN
    began := clock_timestamp();
    EXECUTE statement;
    INSERT INTO result (what, ms) VALUES (what, extract(epoch FROM clock_timestamp() - began) * 1000);
END $$;
CREATE FUNCTION best(wanted text) RETURNS float8 LANGUAGE sql AS 'SELECT min(ms) FROM result WHERE what = wanted';
CREATE FUNCTION show(wanted text) RETURNS text LANGUAGE sql AS 'SELECT round(best(wanted)::numeric, CASE WHEN best(wanted) < 100 THEN 2 ELSE 0 END)::text';

-- By hand: the members by the same condition, kept in a table with its key.
CREATE TABLE member (segment_id integer, contact_id bigint, PRIMARY KEY (segment_id, contact_id));
SELECT crm.create_segment('lapsed', $r$order_total >= 1000 and last_order_at < now() - interval '90 days'$r$) AS made \gset
SELECT crm.create_segment('there', $r$lifecycle_stage in ('loyal', 'repeat') and city <> 'City 7'$r$) AS made \gset
\set lapsed 'SELECT 1, c.id FROM crm.contact c LEFT JOIN crm.contact_metric m ON m.contact_id = c.id WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL AND coalesce(m.order_total, 0) >= 1000 AND m.last_order_at < now() - interval ''90 days'''
\set there 'SELECT 2, c.id FROM crm.contact c WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL AND c.lifecycle_stage IN (''loyal'', ''repeat'') AND c.city <> ''City 7'''
SELECT format($f$
    CALL timed('hand 1', 'TRUNCATE member'); CALL timed('hand lapsed', 'INSERT INTO member ' || %L); CALL timed('count lapsed', 'SELECT count(*) FROM (' || %L || ') x');
    CALL timed('ours lapsed', 'SELECT crm.refresh_segment(''lapsed'')');
    CALL timed('hand there', 'INSERT INTO member ' || %L); CALL timed('count there', 'SELECT count(*) FROM (' || %L || ') x');
    CALL timed('ours there', 'SELECT crm.refresh_segment(''there'')')$f$, :'lapsed', :'lapsed', :'there', :'there') AS round FROM generate_series(1, 3) \gexec
SELECT format('refresh over all, %s of %s contacts: ours %s ms; by hand, counted only %s ms, into a table %s ms; ours / by hand %s and %s',
              (SELECT cardinality FROM crm.segment WHERE name = s), :rows, show('ours ' || s), show('count ' || s), show('hand ' || s),
              round((best('ours ' || s) / best('count ' || s))::numeric, 2), round((best('ours ' || s) / best('hand ' || s))::numeric, 2))
FROM unnest(ARRAY['lapsed', 'there']) s;

-- A hundred segments, a thousand changes.
SELECT count(crm.create_segment('hundred ' || i, format($r$city = 'City %s' and order_total >= %s$r$, i, i * 50)::crm.rule)) AS made FROM generate_series(1, 98) i \gset
CREATE PROCEDURE change(n integer, seed integer) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.contact SET city = 'City ' || (hashint4(id::integer + seed) & 255)
    WHERE id = ANY (ARRAY(SELECT 1 + (hashint4(i * 17 + seed) & 2147483647) % (SELECT max(id) FROM crm.contact) FROM generate_series(1, n) i));
END $$;
SELECT crm.refresh_segments() \gset
SELECT format($f$CALL change(1000, %s); CALL timed('after 1000', 'SELECT crm.refresh_segments()')$f$, i) FROM generate_series(1, 3) i \gexec
UPDATE crm.segment SET needs_full = true;
CALL timed('all anew', 'SELECT crm.refresh_segments()');
SELECT format('100 segments after 1,000 changed contacts: %s ms; over all contacts %s ms; %s times as fast', show('after 1000'), show('all anew'),
              round((best('all anew') / best('after 1000'))::numeric, 1));
SELECT format('a refresh with nothing to do: %s ms', (SELECT round(extract(epoch FROM clock_timestamp() - b)::numeric * 1000, 2) FROM (SELECT clock_timestamp() AS b, crm.refresh_segments()) x));

-- Ten thousand segments; they are made without looking, then filled by hand.
INSERT INTO crm.segment (name, kind, definition, rule)
SELECT 'many ' || i, 'dynamic', r, r::crm.rule
FROM (SELECT i, format($r$city = 'City %s' and lifecycle_stage = '%s' and order_total >= %s$r$, i & 255, (ARRAY['lead', 'customer', 'repeat', 'loyal'])[1 + i / 256 % 4], i) AS r
      FROM generate_series(1, 10000 - 100) i) x;
SELECT count(crm.derive_segment(id)) FROM (SELECT id FROM crm.segment WHERE name = 'many 1') x \gset
INSERT INTO crm.segment_dependency (segment_id, source, name)
SELECT s.id, d.source, d.name FROM crm.segment s, crm.segment_dependency d WHERE s.name LIKE 'many%' AND s.name <> 'many 1' AND d.segment_id = crm.segment_number('many 1');
UPDATE crm.segment SET needs_full = false, refreshed_at = now() WHERE name LIKE 'many%';
VACUUM ANALYZE crm.segment, crm.segment_dependency;
SELECT format($f$CALL change(%s, %s); CALL timed('many %s', 'SELECT crm.refresh_segments()')$f$, n, n + 100, n) FROM unnest(ARRAY[10, 100, 1000]) n \gexec
SELECT format('10,000 segments, %s contacts changed: %s ms, %s ms for each', n, show('many ' || n), round((best('many ' || n) / n)::numeric, 2)) FROM unnest(ARRAY[10, 100, 1000]) n;

-- What noting the changes costs those who write: single rows, and many at once.
CREATE PROCEDURE write_singly(n integer, seed integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. n LOOP
        UPDATE crm.contact SET city = 'City ' || (hashint4(i + seed) & 255) WHERE id = 1 + (hashint4(i * 31 + seed) & 2147483647) % 1000;
    END LOOP;
END $$;
SELECT format($f$ALTER TABLE crm.contact DISABLE TRIGGER segment_update; CALL timed('single off', 'CALL write_singly(2000, %1$s)'); CALL timed('bulk off', 'CALL change(20000, %1$s)');
    ALTER TABLE crm.contact ENABLE TRIGGER segment_update; CALL timed('single on', 'CALL write_singly(2000, %1$s)'); CALL timed('bulk on', 'CALL change(20000, %1$s)')$f$, i) FROM generate_series(201, 203) i \gexec
SELECT format('updates of single contacts: %s ms each, %s without noting the change, ratio %s; 20,000 at once %s ms, %s without, ratio %s',
              round((best('single on') / 2000)::numeric, 3), round((best('single off') / 2000)::numeric, 3), round((best('single on') / best('single off'))::numeric, 2),
              show('bulk on'), show('bulk off'), round((best('bulk on') / best('bulk off'))::numeric, 2));

-- Which segments hold a contact: by the chunks of its numbers.
SELECT format($f$CALL timed('held by', 'SELECT crm.contact_segments(%s)')$f$, 1 + i * 7919 % :rows) FROM generate_series(1, 20) i \gexec
SELECT format('which of 10,000 segments hold a contact: %s ms', show('held by'));
