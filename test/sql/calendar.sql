-- Business time.  R-137 R-013
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
-- The calendar that is there: Monday to Friday, 9 to 18.
SELECT crm.business_add('standard', '2026-11-27 17:00+00', '2 hours') AS over_the_weekend,
       crm.business_add('standard', '2026-11-27 17:00+00', '1 hour') AS to_the_end,
       crm.business_add('standard', '2026-11-28 12:00+00', '0') AS nothing,
       crm.business_add('standard', '2026-11-30 10:00+00', '-1 hour') AS back_to_the_beginning,
       crm.business_add('standard', '2026-11-30 10:00+00', '-2 hours') AS back_over_the_weekend;
SELECT crm.business_between('standard', '2026-11-27 17:00+00', '2026-11-30 10:00+00') AS there,
       crm.business_between('standard', '2026-11-30 10:00+00', '2026-11-27 17:00+00') AS back,
       crm.business_between('standard', '2000-01-01 00:00+00', '2026-01-01 00:00+00') AS long;
SELECT at, crm.is_business_time('standard', at), crm.next_business_time('standard', at)
FROM unnest('{2026-11-27 08:59:59.999999+00,2026-11-27 09:00+00,2026-11-27 18:00+00,2026-11-28 12:00+00}'::timestamptz[]) at;
SELECT crm.add_business_days('standard', '2026-11-27', 1) AS next, crm.add_business_days('standard', '2026-11-28', -1) AS previous,
       crm.business_days_between('standard', '2026-11-27', '2026-12-04') AS week,
       crm.business_days_between('standard', '2026-12-04', '2026-11-27') AS week_back,
       crm.business_days_between('standard', '2000-01-01', '2026-01-01') AS long;

-- Lunch breaks, a split Saturday, holidays, a moved day, half a day.
SELECT crm.create_calendar('office', 'Mo-Fr 09:00-13:00, 14:00-18:00; sat 10:00-12:00,13:00-15:00', 'Europe/Moscow', 'The office in Moscow');
INSERT INTO crm.holiday (name, month, day) VALUES ('New Year', 1, 1), ('Christmas', 1, 7), ('Defender of the Fatherland Day', 2, 23);
INSERT INTO crm.business_holiday SELECT 'office', name FROM crm.holiday;
SELECT crm.set_business_day('office', '2026-01-02', 'closed', 'instead of 4 January');
SELECT crm.set_business_day('office', '2026-01-03', 'like Monday', 'instead of 2 January');
SELECT crm.set_business_day('office', '2025-12-31', '09:00-13:00', 'short day');
SELECT * FROM crm.business_schedule('office', '2025-12-30', '2026-01-07');
SELECT crm.business_add('office', '2025-12-31 11:00+03', '8 hours');
SELECT * FROM crm.explain_deadline('office', '2025-12-31 11:00+03', '8 hours');
SELECT * FROM crm.explain_deadline('office', '2026-01-03 10:00+03', '-4 hours');
SELECT * FROM crm.explain_deadline('office', '2026-01-03 19:00+03', '0');
-- The same every year, and gone when the row is.
SELECT crm.business_days_between('office', '2037-12-31', '2038-01-01') AS new_year,
       crm.business_days_between('standard', '2037-12-31', '2038-01-01') AS elsewhere;
DELETE FROM crm.business_holiday WHERE holiday = 'New Year';
SELECT crm.business_days_between('office', '2037-12-31', '2038-01-01') AS new_year;
SELECT crm.set_business_day('office', '2026-01-02', NULL);
SELECT count(*) FROM crm.business_schedule('office', '2026-01-02', '2026-01-02') WHERE note IS NULL;

-- Clocks: in Berlin they go from 2 to 3 on 2026-03-29, from 3 back to 2 on 2026-10-25.
SELECT crm.create_calendar('always', '24/7', 'Europe/Berlin');
SELECT crm.create_calendar('night', 'Mo-Su 22:00-06:00', 'Europe/Berlin');
SELECT crm.create_calendar('early', 'Mo-Su 02:30-02:45,02:50-04:00', 'Europe/Berlin');
SELECT c, d, sum(s.counted), string_agg(s.note, ', ' ORDER BY s.starts) AS note
FROM unnest('{always,night,early}'::text[]) c, unnest('{2026-03-28,2026-03-29,2026-10-24,2026-10-25}'::date[]) d, crm.business_schedule(c, d, d) s
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM crm.business_schedule('early', '2026-03-29', '2026-03-29');
SELECT * FROM crm.business_schedule('early', '2026-10-25', '2026-10-25');
SELECT * FROM crm.explain_deadline('night', '2026-10-24 23:30+02', '8 hours');
SELECT crm.is_business_time('night', '2026-10-25 00:30+02') AS night, crm.is_business_time('night', '2026-10-25 05:00+00') AS morning;
-- A night over the end of the year, and an exceptional day after a night.
SELECT crm.business_add('night', '2026-01-01 00:00+01', '3 hours'), crm.business_add('night', '2026-01-01 02:00+01', '-3 hours');
SELECT crm.set_business_day('night', '2026-06-02', '05:00-08:00', 'early');
SELECT * FROM crm.business_schedule('night', '2026-06-01', '2026-06-02');
-- A zone that skipped a day.
SELECT crm.create_calendar('samoa', 'Mo-Su 09:00-17:00', 'Pacific/Apia');
SELECT * FROM crm.business_schedule('samoa', '2011-12-29', '2011-12-31');
SELECT crm.business_between('samoa', '2011-12-29 09:00-10', '2011-12-31 17:00+14');

-- What holidays can be.
SELECT crm.holiday_date(2026, 11, NULL, 4, 4) AS thanksgiving, crm.holiday_date(2026, 5, NULL, 1, -1) AS memorial_day,
       crm.holiday_date(2026, NULL, NULL, easter => 'western', shift_days => -2) AS good_friday,
       crm.holiday_date(2026, NULL, NULL, easter => 'orthodox') AS orthodox_easter,
       crm.holiday_date(2026, 1, 1, shift_days => 255) AS programmer, crm.holiday_date(2024, 1, 1, shift_days => 255) AS programmer_leap;
SELECT y, crm.holiday_date(y, 2, 29) AS leap_day, crm.holiday_date(y, 2, NULL, 4, 5) AS fifth_thursday FROM generate_series(2023, 2024) y;
SELECT crm.holiday_date(NULL, 1, 1) IS NULL AS unknown;
SELECT crm.holiday_date(2026, 13, 1);
SELECT crm.holiday_date(2026, 1, 1, 1, 1);
SELECT crm.holiday_date(2026, NULL, NULL, easter => 'southern');
SELECT crm.holiday_date(2026, 1, 1, shift_days => 400);
SELECT crm.holiday_date(2026, 1, 0, 1, 1);
SELECT crm.holiday_date(1500, 1, 1);
INSERT INTO crm.holiday (name, month, day) VALUES ('Never', 2, 30);
INSERT INTO crm.holiday (name, month) VALUES ('Whenever', 2);

-- Refused.
SELECT crm.business_add('standart', now(), '1 hour');
SELECT crm.business_add('standard', now(), '1 month 1 hour');
SELECT crm.business_add('standard', now(), '2 days');
SELECT crm.business_add('standard', 'infinity', '1 hour');
SELECT crm.business_between('standard', '-infinity', now());
SELECT crm.business_between('standard', '1492-10-12', now());
SELECT crm.business_days_between('standard', '1492-10-12', '2026-01-01');
SELECT crm.business_add('standard', '2026-01-01', '10000000 hours');
SELECT crm.business_add('standard', '2026-01-01', '-2562047788 hours');
SELECT crm.add_business_days('standard', '2026-01-01', 1000000);
INSERT INTO crm.business_calendar (name) VALUES ('empty');
SELECT crm.business_add('empty', now(), '1 hour');
SELECT crm.next_business_time('empty', now());
SELECT * FROM crm.explain_deadline('empty', now(), '1 hour');
SELECT crm.business_between('empty', '2026-01-01', '2027-01-01');
SELECT crm.set_business_day('empty', '2026-05-05', '10:00-11:00', 'once');
SELECT crm.business_add('empty', '2026-01-01', '1 hour') AS once;
SELECT crm.business_add('empty', '2026-01-01', '61 minutes');
SELECT crm.next_business_time('empty', '2026-05-05 11:00+00');
SELECT crm.create_calendar('bad', 'Mo-Fr 9-18');
SELECT crm.create_calendar('bad', 'Mo-Fr 09:00-25:00');
SELECT crm.create_calendar('bad', 'Mo-Fr 09:00-13:00,12:00-18:00');
SELECT crm.create_calendar('bad', 'Mo-Fr 09:00-13:00; Fr 09:00-12:00');
SELECT crm.create_calendar('bad', 'Su 22:00-06:00; Mo 05:00-12:00');
SELECT crm.create_calendar('bad', 'Mo-Fr 09:00-18:00', 'Mars/Olympus');
SELECT crm.set_business_day('standart', '2026-05-05', 'closed');
SELECT crm.set_business_day('standard', '2026-05-05', 'perhaps');
SELECT crm.set_business_day('standard', '2026-05-05', '09:00-12:00,11:00-13:00');
INSERT INTO crm.business_exception (calendar, day, starts, ends) VALUES ('standard', '2026-05-05', NULL, NULL), ('standard', '2026-05-05', '09:00', '10:00');
INSERT INTO crm.business_hours VALUES ('standard', 8, '09:00', '10:00');
INSERT INTO crm.business_hours VALUES ('standard', 6, '09:00', '09:00');
UPDATE crm.business_calendar SET time_zone = 'MSK+3' WHERE name = 'standard';
-- What is changed counts at once, and is taken back.
SAVEPOINT before;
UPDATE crm.business_hours SET ends = '17:00' WHERE calendar = 'standard';
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01') AS changed;
ROLLBACK TO before;
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01') AS as_before;
UPDATE crm.business_calendar SET name = 'usual' WHERE name = 'standard';
SELECT crm.business_between('usual', '2026-11-30', '2026-12-01') AS renamed;
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01');
ROLLBACK;
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01') AS as_before;
-- Tables whose triggers and constraints the owner took away are not believed.
BEGIN;
ALTER TABLE crm.business_calendar DISABLE TRIGGER time_zone_guard;
UPDATE crm.business_calendar SET time_zone = 'XXX167' WHERE name = 'standard';
SAVEPOINT here;
SELECT crm.business_between('standard', '1900-01-04 00:00+00', '2399-12-28 00:00+00');
ROLLBACK TO here;
SELECT crm.business_add('standard', '1900-01-04 00:00+00', '-1 hour');
ROLLBACK TO here;
UPDATE crm.business_calendar SET time_zone = 'XXX-167YYY-166,M3.2.0,M11.1.0' WHERE name = 'standard';
SELECT crm.business_add('standard', '2399-12-28 00:00+00', '1 hour');
ROLLBACK TO here;
ALTER TABLE crm.business_calendar ALTER COLUMN time_zone DROP NOT NULL;
UPDATE crm.business_calendar SET time_zone = NULL WHERE name = 'standard';
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01');
ROLLBACK;
BEGIN;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT conname FROM pg_constraint WHERE conrelid = 'crm.holiday'::regclass AND contype = 'c' LOOP
        EXECUTE format('ALTER TABLE crm.holiday DROP CONSTRAINT %I', one.conname);
    END LOOP;
END
$$;
INSERT INTO crm.holiday (name, month, day) VALUES ('Regress never', 4000000, 1);
INSERT INTO crm.business_holiday VALUES ('standard', 'Regress never');
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01');
ROLLBACK;
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01') AS as_before;
-- Read with the rights of the caller.
CREATE ROLE calendar_stranger;
GRANT USAGE ON SCHEMA crm TO calendar_stranger;
SET ROLE calendar_stranger;
SELECT crm.business_between('standard', '2026-11-30', '2026-12-01');
RESET ROLE;
REVOKE USAGE ON SCHEMA crm FROM calendar_stranger;
DROP ROLE calendar_stranger;
