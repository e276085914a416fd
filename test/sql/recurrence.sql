-- Recurrence rules of RFC 5545.  R-189
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- Examples of the RFC, with what it says they mean, in New York from 1997-09-02 09:00 on.
CREATE FUNCTION pg_temp.days(rule text, starts timestamp DEFAULT '1997-09-02 09:00', max integer DEFAULT 8) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(to_char(o AT TIME ZONE 'America/New_York', 'YYYY-MM-DD HH24:MI'), ', ' ORDER BY n)
    FROM crm.recurrence($1, $2, 'America/New_York', '-infinity', 'infinity', $3) WITH ORDINALITY r (o, n)
$$;
\pset format unaligned
\pset tuples_only on
SELECT rule || E'\n    ' || coalesce(pg_temp.days(rule), 'none') FROM (VALUES (1, 'RRULE:FREQ=DAILY;COUNT=3'), (2, 'FREQ=DAILY;UNTIL=19970905T000000Z'), (3, 'FREQ=DAILY;INTERVAL=10;COUNT=5'),
    (4, 'FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO'), (5, 'FREQ=WEEKLY;COUNT=3'), (6, 'FREQ=WEEKLY;INTERVAL=2;WKST=SU'),
    (7, 'FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR'), (8, 'FREQ=MONTHLY;COUNT=4;BYDAY=1FR'), (9, 'FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU'),
    (10, 'FREQ=MONTHLY;COUNT=6;BYDAY=-2MO'), (11, 'FREQ=MONTHLY;BYMONTHDAY=-3'), (12, 'FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1'), (13, 'FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15'),
    (14, 'FREQ=YEARLY;COUNT=4;BYMONTH=6,7'), (15, 'FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200'), (16, 'FREQ=YEARLY;BYDAY=20MO'), (17, 'FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO'),
    (18, 'FREQ=YEARLY;BYMONTH=3;BYDAY=TH'), (19, 'FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13'), (20, 'FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13'),
    (21, 'FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8'), (22, 'FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3'), (23, 'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2'),
    (24, 'FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000'), (25, 'FREQ=MINUTELY;INTERVAL=90;COUNT=4'), (26, 'FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,20,40'), (27, 'FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,16'),
    (28, E'RRULE:FREQ=DAILY;COUNT=5\r\nEXDATE;TZID=America/New_York:19970903T090000,19970905'), (29, 'FREQ=SECONDLY;INTERVAL=45;COUNT=3'), (30, 'FREQ=YEARLY;BYWEEKNO=53;BYDAY=FR'), (31, 'FREQ=YEARLY;BYYEARDAY=-1'),
    (32, 'FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=-1'), (33, 'FREQ=DAILY;BYMONTHDAY=-1;BYMONTH=2'), (34, 'FREQ=MONTHLY;BYMONTHDAY=31'), (35, 'FREQ=DAILY;BYDAY=SA;BYMONTHDAY=1'), (36, 'freq=daily;count=1;')) v (n, rule) ORDER BY n;
-- The week may begin on Sunday; 29 February.
SELECT pg_temp.days('FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO', '1997-08-05 09:00');
SELECT pg_temp.days('FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU', '1997-08-05 09:00');
SELECT pg_temp.days('FREQ=YEARLY', '2024-02-29 09:00', 3);
SELECT pg_temp.days('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1', '2024-02-29 09:00', 3);
SELECT pg_temp.days('FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO', '2025-12-29 09:00', 3);
\pset tuples_only off
\pset format aligned
-- A window in a long series; microseconds are those of the start.
SELECT * FROM crm.recurrence('FREQ=DAILY;INTERVAL=3', '2000-01-01 09:00:00.5', 'UTC', '2026-11-01', '2026-11-10');
SELECT * FROM crm.recurrence('FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1', '2000-01-01 09:00', 'UTC', '2026-11-01', '2027-02-02');
SELECT count(*) FROM crm.recurrence('FREQ=DAILY', '2000-01-01', 'UTC', NULL, '2026-01-01');
-- Clocks: in Berlin they go from 2 to 3 on 2026-03-29, from 3 back to 2 on 2026-10-25.
SELECT o, o AT TIME ZONE 'Europe/Berlin' AS wall FROM crm.recurrence('FREQ=DAILY', '2026-01-01 02:30', 'Europe/Berlin', '2026-03-28', '2026-03-31') o;
SELECT o, o AT TIME ZONE 'Europe/Berlin' AS wall FROM crm.recurrence('FREQ=DAILY', '2026-01-01 02:30', 'Europe/Berlin', '2026-10-24', '2026-10-27') o;
SELECT o FROM crm.recurrence('FREQ=MINUTELY;INTERVAL=30', '2026-03-29 01:00', 'Europe/Berlin', '2026-03-29 00:00+00', '2026-03-29 02:31+00') o;
SELECT o FROM crm.recurrence('FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45', '2026-03-29 00:00', 'Europe/Berlin', '2026-03-29 00:00+00', '2026-03-29 21:00+00') o;
SELECT o FROM crm.recurrence('FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45', '2026-03-29 00:00', 'Europe/Berlin', '2026-03-29 00:00+00', '2026-03-29 21:00+00', 2) o;
SELECT crm.next_occurrence('FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45', '2026-03-29 00:00', 'Europe/Berlin', '2026-03-29 01:15+00') AS between_skipped_and_not,
       crm.next_occurrence('FREQ=WEEKLY;BYDAY=MO', '2026-01-05 09:00', 'Asia/Vladivostok', '2026-11-29 23:00+00') AS same_moment_is_not_after,
       crm.next_occurrence('FREQ=DAILY;COUNT=3', '2026-01-05 09:00', 'UTC', '2026-01-07 09:00+00') AS over,
       crm.next_occurrence('FREQ=DAILY;COUNT=3', '2026-01-05 09:00', 'UTC', '-infinity') AS first,
       crm.next_occurrence('FREQ=DAILY', '2026-01-05 09:00', 'UTC', 'infinity') AS never,
       crm.next_occurrence('FREQ=DAILY', '2026-01-05 09:00', 'UTC', '2450-01-01') AS too_late;
-- UNTIL in UTC, and as a day.
SELECT o FROM crm.recurrence('FREQ=DAILY;UNTIL=20260103T060000Z', '2026-01-01 09:00', 'Europe/Moscow', '-infinity', 'infinity') o;
SELECT o FROM crm.recurrence('FREQ=DAILY;UNTIL=20260102', '2026-01-01 09:00', 'Europe/Moscow', '-infinity', 'infinity') o;
-- What is wrong with a rule.
SELECT rule, ok, code, message, canonical FROM (VALUES (1, 'FREQ=MONTHLY;byday=-1fr,2mo;INTERVAL=1;WKST=MO'), (2, ''), (3, 'FREQ=FORTNIGHTLY'), (4, 'BYDAY=MO'), (5, 'FREQ=DAILY;FREQ=DAILY'), (6, 'FREQ=DAILY;INTERVAL=0'),
    (7, 'FREQ=DAILY;COUNT=-1'), (8, 'FREQ=DAILY;COUNT=3;UNTIL=20260101'), (9, 'FREQ=DAILY;UNTIL=20260230'), (10, 'FREQ=DAILY;UNTIL=tomorrow'), (11, 'FREQ=WEEKLY;BYDAY=1MO'), (12, 'FREQ=WEEKLY;BYDAY=XX'),
    (13, 'FREQ=MONTHLY;BYMONTHDAY=32'), (14, 'FREQ=MONTHLY;BYMONTHDAY=0'), (15, 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'), (16, 'FREQ=MONTHLY;BYWEEKNO=5'), (17, 'FREQ=DAILY;BYYEARDAY=5'), (18, 'FREQ=DAILY;BYSETPOS=1'),
    (19, 'FREQ=DAILY;BYHOUR=24'), (20, 'FREQ=DAILY;COLOR=red'), (21, 'every day'), (22, 'FREQ=MONTHLY;BYDAY=6MO'), (23, E'FREQ=DAILY\nRDATE:20260101'), (24, 'FREQ=DAILY;BYHOUR='), (25, 'FREQ=WEEKLY;BYMONTHDAY=1'),
    (26, 'FREQ=DAILY;INTERVAL=99999999999999999999'), (27, 'FREQ=DAILY;BYHOUR=1,,2'), (28, 'FREQ=SECONDLY;BYSECOND=60,59')) v (n, rule), crm.check_recurrence(rule) ORDER BY n;
SELECT code, left(message, 40) AS message FROM crm.check_recurrence('FREQ=DAILY;BYHOUR=' || repeat('1,', 6000) || '1');
SELECT * FROM crm.recurrence('FREQ=DAILY;BYDAY=Понедельник', '2026-01-01', 'UTC', '2026-01-01', '2027-01-01');
SELECT * FROM crm.recurrence('FREQ=DAILY', '2026-01-01', 'Mars/Olympus', '2026-01-01', '2027-01-01');
SELECT * FROM crm.recurrence('FREQ=DAILY', '2026-01-01', 'XXX100', '2026-01-01', '2027-01-01');
SELECT * FROM crm.recurrence('FREQ=DAILY', '2026-01-01', 'UTC', '2026-01-01', '2027-01-01', 0);
SELECT * FROM crm.recurrence('FREQ=DAILY', '1066-10-14', 'UTC', '2026-01-01', '2027-01-01');
SELECT * FROM crm.recurrence('FREQ=DAILY', 'infinity', 'UTC', '2026-01-01', '2027-01-01');
-- Rules that never come, and such as come too often.
SELECT count(*) FROM crm.recurrence('FREQ=SECONDLY;INTERVAL=2;BYSECOND=1', '2026-01-01', 'UTC', '-infinity', 'infinity');
SELECT count(*) FROM crm.recurrence('FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6', '2026-01-01', 'UTC', '-infinity', 'infinity');
SELECT count(*) FROM crm.recurrence('FREQ=SECONDLY', '2026-01-01', 'UTC', '-infinity', 'infinity');
SELECT crm.next_occurrence('FREQ=SECONDLY;COUNT=1000000', '2026-01-01', 'UTC', '2026-01-12 13:46:38+00') AS last_but_one;
