-- What the audit log costs: statements over a tenth of :rows contacts, and as
-- many statements of one row, with the audit triggers and without them.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
CREATE TABLE result (n serial, what text, variant text, seconds numeric, per_row_us numeric);
SELECT :rows / 10 AS contacts \gset

-- Processor time of this backend: a busy machine does not disturb it.
CREATE FUNCTION processor_seconds() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    field text[];
BEGIN
    field := string_to_array(regexp_replace(pg_read_file('/proc/self/stat'), '^.*\) ', ''), ' ');
    RETURN (field[12]::numeric + field[13]::numeric) / 100;
EXCEPTION WHEN OTHERS THEN
    RETURN extract(epoch FROM clock_timestamp());
END $$;

CREATE FUNCTION disable(triggers text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_trigger t
                WHERE NOT t.tgisinternal AND t.tgrelid IN ('crm.contact'::regclass, 'crm.contact_point'::regclass)
                  AND (triggers = 'all' OR triggers = 'audit' AND t.tgfoid = 'crm.audit()'::regprocedure)
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', item.relation, item.tgname);
    END LOOP;
END $$;

-- The best of three, each undone.
CREATE PROCEDURE measure(what text, variant text, disabled text, rows bigint, statement text) LANGUAGE plpgsql AS $$
DECLARE
    began numeric;
    best numeric;
    spent numeric;
BEGIN
    FOR round IN 1 .. 3 LOOP
        BEGIN
            PERFORM disable(disabled);
            began := processor_seconds();
            EXECUTE statement;
            spent := processor_seconds() - began;
            best := least(best, spent);
            RAISE EXCEPTION 'undo' USING ERRCODE = 'XX999';
        EXCEPTION WHEN SQLSTATE 'XX999' THEN
        END;
    END LOOP;
    INSERT INTO result (what, variant, seconds, per_row_us) VALUES (what, variant, round(best, 3), round(best * 1e6 / rows, 2));
END $$;

INSERT INTO crm.contact (given_name, family_name, city, country, owner_id)
SELECT 'Anna', 'Ivanova', 'Perm', 'RU', NULL FROM generate_series(1, :contacts) i;
INSERT INTO crm.contact_point (contact_id, kind, raw) SELECT id, 'email', 'anna' || id || '@example.com' FROM crm.contact;

SELECT $$UPDATE crm.contact SET city = 'Omsk ' || id % 100, job_title = 'buyer'$$ AS change,
       format($$DO 'DECLARE i bigint; BEGIN FOR i IN SELECT id FROM crm.contact LIMIT %s LOOP UPDATE crm.contact SET city = ''Omsk'' WHERE id = i; END LOOP; END'$$, :contacts / 10) AS one_by_one,
       format($$DELETE FROM crm.contact WHERE id IN (SELECT id FROM crm.contact LIMIT %s)$$, :contacts / 10) AS removal \gset
\set clean 'VACUUM (FULL, ANALYZE) crm.contact; VACUUM (FULL, ANALYZE) crm.contact_point; VACUUM (FULL, ANALYZE) crm.audit_log; CHECKPOINT'

:clean;
CALL measure('UPDATE of many rows', 'without triggers', 'all', :contacts, :'change');
:clean;
CALL measure('UPDATE of many rows', 'without audit', 'audit', :contacts, :'change');
:clean;
CALL measure('UPDATE of many rows', 'all', '', :contacts, :'change');
:clean;
CALL measure('UPDATE row by row', 'without triggers', 'all', :contacts / 10, :'one_by_one');
:clean;
CALL measure('UPDATE row by row', 'without audit', 'audit', :contacts / 10, :'one_by_one');
:clean;
CALL measure('UPDATE row by row', 'all', '', :contacts / 10, :'one_by_one');
:clean;
CALL measure('DELETE with an address each', 'without audit', 'audit', :contacts / 10, :'removal');
:clean;
CALL measure('DELETE with an address each', 'all', '', :contacts / 10, :'removal');

\echo processor time, the best of three
SELECT what, variant, seconds, per_row_us AS "µs a row",
       round(seconds / first_value(seconds) OVER (PARTITION BY what ORDER BY n), 2) AS ratio
FROM result ORDER BY n;
