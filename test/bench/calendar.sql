-- Business time beside what one would write in SQL: the days between two
-- moments by generate_series(), with their hours, exceptions and time zone.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT crm.install() IS NOT NULL AS installed \gset
SELECT crm.create_calendar('office', 'Mo-Fr 09:00-13:00,14:00-18:00; Sa 10:00-14:00', 'Europe/Berlin') IS NULL AS made \gset
INSERT INTO crm.business_exception (calendar, day)
SELECT 'office', date '2020-01-01' + n * 29 FROM generate_series(0, 100) n;

CREATE FUNCTION plain_between(from_at timestamptz, to_at timestamptz) RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(least(p.ends, to_at) - greatest(p.starts, from_at)), '0')
    FROM generate_series((from_at AT TIME ZONE 'Europe/Berlin')::date, (to_at AT TIME ZONE 'Europe/Berlin')::date, '1 day') d
    JOIN crm.business_hours h ON h.calendar = 'office' AND h.weekday = extract(isodow FROM d)
    CROSS JOIN LATERAL (SELECT (d::date + h.starts) AT TIME ZONE 'Europe/Berlin' AS starts, (d::date + h.ends) AT TIME ZONE 'Europe/Berlin' AS ends) p
    WHERE NOT EXISTS (SELECT FROM crm.business_exception e WHERE e.calendar = 'office' AND e.day = d::date)
      AND p.starts < to_at AND p.ends > from_at
$$;
CREATE FUNCTION plpgsql_between(from_at timestamptz, to_at timestamptz) RETURNS interval LANGUAGE plpgsql STABLE AS $$
DECLARE
    total interval := '0';
    d date := (from_at AT TIME ZONE 'Europe/Berlin')::date;
    h record;
BEGIN
    WHILE d <= (to_at AT TIME ZONE 'Europe/Berlin')::date LOOP
        IF NOT EXISTS (SELECT FROM crm.business_exception e WHERE e.calendar = 'office' AND e.day = d) THEN
            FOR h IN SELECT (d + b.starts) AT TIME ZONE 'Europe/Berlin' AS starts, (d + b.ends) AT TIME ZONE 'Europe/Berlin' AS ends
                     FROM crm.business_hours b WHERE b.calendar = 'office' AND b.weekday = extract(isodow FROM d) LOOP
                IF h.starts < to_at AND h.ends > from_at THEN
                    total := total + (least(h.ends, to_at) - greatest(h.starts, from_at));
                END IF;
            END LOOP;
        END IF;
        d := d + 1;
    END LOOP;
    RETURN total;
END $$;

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
CREATE TABLE result (n serial, what text, variant text, pairs bigint, seconds numeric);
CREATE PROCEDURE measure(what text, variant text, statement text) LANGUAGE plpgsql AS $$
DECLARE
    began numeric := processor_seconds();
    counted bigint;
BEGIN
    EXECUTE statement INTO counted;
    INSERT INTO result (what, variant, pairs, seconds) VALUES (what, variant, counted, processor_seconds() - began);
END $$;

-- Spans of up to two weeks, and of up to three years. The slow ones get fewer.
SELECT setseed(0.5) IS NOT NULL AS seeded \gset
SELECT least(:rows, 100000) AS pairs \gset
CREATE TABLE pair AS
SELECT n, a, a + random() * interval '336 hours' AS soon, a + random() * interval '26280 hours' AS late
FROM (SELECT n, timestamptz '2020-01-01' + random() * interval '40000 hours' AS a FROM generate_series(1, :pairs) n) x;
ANALYZE pair;
SELECT count(*) AS "answers that differ, of 1,000"
FROM pair WHERE n <= 1000 AND (extract(epoch FROM crm.business_between('office', a, late)) <> extract(epoch FROM plain_between(a, late))
    OR crm.business_between('office', a, soon) <> plpgsql_between(a, soon));

CALL measure('two weeks', 'crm.business_between()', 'SELECT count(crm.business_between(''office'', a, soon)) FROM pair');
CALL measure('two weeks', 'generate_series()', 'SELECT count(plain_between(a, soon)) FROM pair WHERE n <= 10000');
CALL measure('two weeks', 'loop in PL/pgSQL', 'SELECT count(plpgsql_between(a, soon)) FROM pair WHERE n <= 10000');
CALL measure('three years', 'crm.business_between()', 'SELECT count(crm.business_between(''office'', a, late)) FROM pair');
CALL measure('three years', 'generate_series()', 'SELECT count(plain_between(a, late)) FROM pair WHERE n <= 500');
CALL measure('three years', 'loop in PL/pgSQL', 'SELECT count(plpgsql_between(a, late)) FROM pair WHERE n <= 500');
CALL measure('40 hours of work', 'crm.business_add()', 'SELECT count(crm.business_add(''office'', a, ''40 hours'')) FROM pair');

\echo processor time
SELECT what, variant, pairs, round(seconds, 2) AS seconds, round(seconds * 1e6 / pairs, 2) AS "µs each",
       round((seconds / pairs) / nullif(first_value(seconds / pairs) OVER (PARTITION BY what ORDER BY n), 0), 1) AS ratio
FROM result ORDER BY n;
