-- Occasions: birthdays, dates, holidays; greeting tasks.  R-011 R-075
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
INSERT INTO crm.agent (id, name, time_zone) VALUES (1, 'Anna', 'Europe/Moscow');
INSERT INTO crm.branch (id, name, time_zone) VALUES (1, 'Vladivostok', 'Asia/Vladivostok');
INSERT INTO crm.contact (id, given_name, birth_date, job_title, gender, country, time_zone, branch_id, owner_id, deleted_at) VALUES
    (1, 'Leap', '1996-02-29', NULL, NULL, NULL, 'America/New_York', NULL, 1, NULL),
    (2, 'Tatiana', '1990-01-25', 'Chief Accountant', 'f', 'RU', NULL, 1, 1, NULL),
    (3, 'Ivan', '1980-12-31', 'programmer', 'm', 'RU', NULL, NULL, 1, NULL),
    (4, 'Nobody''s', '1985-11-21', 'accountant', 'm', 'US', NULL, NULL, NULL, NULL),
    (5, 'Gone', '1985-11-21', 'accountant', 'm', 'RU', NULL, NULL, 1, now());
INSERT INTO crm.contact_date (contact_id, id, kind, date, note) VALUES
    (3, 1, 'wedding', '2020-02-29', 'with Maria'), (3, 2, 'first purchase', '2026-11-21', NULL), (3, 3, 'wedding of a child', '2027-05-05', NULL);
INSERT INTO crm.holiday (name, month, day, weekday, nth, easter, shift_days, profession, given_name, gender, country, greet) VALUES
    ('Accountant''s day', 11, 21, NULL, NULL, NULL, 0, '%accountant%', NULL, NULL, 'RU', true),
    ('Programmer''s day', 1, 1, NULL, NULL, NULL, 255, 'programmer', NULL, NULL, NULL, true),
    ('Tatiana''s day', 1, 25, NULL, NULL, NULL, 0, NULL, 'tatiana', NULL, NULL, true),
    ('Women''s day', 3, 8, NULL, NULL, NULL, 0, NULL, NULL, 'f', 'RU', true),
    ('Mother''s day', 11, NULL, 7, -1, NULL, 0, NULL, NULL, 'f', 'RU', true),
    ('Easter', NULL, NULL, NULL, NULL, 'orthodox', 0, NULL, NULL, NULL, 'RU', true),
    ('New Year''s Eve', 1, 1, NULL, NULL, NULL, -1, NULL, NULL, NULL, NULL, true),
    ('Tax day', 4, 15, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, false);
-- A year, each once, in order.
SELECT contact_id, day, kind, name, years, note, time_zone, begins_at, key FROM crm.upcoming_occasions('2026-01-01', '2026-12-31');
-- 29 February in every year, once; nothing before the first.
SELECT contact_id, name, array_agg(day ORDER BY day) AS days FROM crm.upcoming_occasions('1996-01-01', '2029-12-31') WHERE contact_id = 1 AND day > '2020-01-01' AND kind <> 'holiday' OR name LIKE 'wedding%' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT min(day) FROM crm.upcoming_occasions('1990-01-01', '2000-12-31') WHERE contact_id = 1 AND kind = 'birthday';
SELECT count(*) FROM crm.upcoming_occasions('2026-12-31', '2026-01-01');
SELECT count(*) FROM crm.upcoming_occasions(NULL, '2026-01-01');

-- The next 30 days, for people.
UPDATE crm.contact SET birth_date = make_date(1990, extract(month FROM current_date + 10)::integer, least(extract(day FROM current_date + 10), 28)::integer), family_name = 'Next' WHERE id = 4;
SELECT contact, occasion, owner, day BETWEEN current_date AND current_date + 30 AS soon FROM crm.v_upcoming_occasion WHERE contact_id = 4 AND occasion = 'birthday';

-- Tasks: in Vladivostok the 25th begins at 14:00 UTC of the 24th.
SELECT crm.make_greeting_tasks('2026-01-24 13:30+00', ahead => '0') AS before, crm.make_greeting_tasks('2026-01-24 14:30+00', ahead => '0') AS day_began;
SELECT kind, title, contact_id, assignee_id, due_at, remind_at, due_at AT TIME ZONE time_zone AS due_on, origin_key FROM crm.task ORDER BY origin_key;
SELECT crm.make_greeting_tasks('2026-01-24 14:30+00') AS again, crm.make_greeting_tasks('2026-01-25 09:00+00') AS later;
SELECT crm.make_greeting_tasks('2026-02-27 12:00+00') AS leap_day;
SELECT crm.make_greeting_tasks('2026-11-20 12:00+00', 1) AS one, crm.make_greeting_tasks('2026-11-20 12:00+00') AS the_others, crm.make_greeting_tasks('2026-11-20 12:00+00') AS none;
SELECT title, contact_id, due_at AT TIME ZONE time_zone AS due_on, description FROM crm.task ORDER BY due_at, title;
-- Done, it is not made again.
UPDATE crm.task SET status = 'done';
SELECT crm.make_greeting_tasks('2026-11-21 05:00+00') AS none;
ROLLBACK;

-- Tasks that recur.  R-189
BEGIN;
INSERT INTO crm.agent (id, name, time_zone) VALUES (1, 'Anna', 'Europe/Berlin'), (2, 'Boris', 'UTC');
INSERT INTO crm.contact (id, given_name) VALUES (1, 'Ivan');
SELECT crm.create_task_series('{"title": "Call Ivan", "kind": "call", "rrule": "FREQ=WEEKLY;BYDAY=MO,FR", "starts": "2026-03-02 09:30", "assignee": "Anna",
    "contact_id": 1, "remind_before": "30 minutes", "priority": 2, "attrs": {"from": "series"}}', '2026-03-01 00:00+00') AS series \gset
SELECT next_at, time_zone FROM crm.task_series WHERE id = :series;
SELECT crm.make_due_tasks('2026-03-02 08:29:59+00') AS before, crm.make_due_tasks('2026-03-02 08:30+00') AS due, crm.make_due_tasks('2026-03-02 08:30+00') AS again;
-- What was missed is made up for; the clocks were set on 29 March.
SELECT crm.make_due_tasks('2026-03-30 12:00+00') AS missed;
SELECT title, kind, priority, due_at, remind_at, due_at AT TIME ZONE time_zone AS due_on, attrs, regexp_replace(origin_key, ':[0-9]+:', ':N:') AS origin_key FROM crm.task ORDER BY due_at;
-- Ahead of time; then another day: what is done stays, what lies ahead is made anew.
SELECT crm.change_task_series(:series, '{"ahead": "8 days"}', '2026-03-30 12:00+00');
SELECT crm.make_due_tasks('2026-03-30 12:00+00') AS ahead;
UPDATE crm.task SET status = 'done', done_at = '2026-03-31' WHERE due_at < '2026-03-28' OR due_at::date = '2026-04-03';
SELECT crm.change_task_series(:series, '{"rrule": "FREQ=WEEKLY;BYDAY=TU,FR", "title": "Call Ivan again", "assignee": "Boris"}', '2026-03-31 12:00+00') AS removed;
SELECT crm.make_due_tasks('2026-03-31 12:00+00') AS made;
SELECT title, status, assignee_id, due_at AT TIME ZONE time_zone AS due_on FROM crm.task WHERE due_at > '2026-03-20' ORDER BY due_at;
-- Paused, and taken up again without what lay between; at its end.
SELECT crm.change_task_series(:series, '{"active": false}', '2026-04-01 12:00+00') AS removed;
SELECT crm.make_due_tasks('2026-05-01 12:00+00') AS paused;
SELECT crm.change_task_series(:series, '{"active": true, "ahead": "0", "rrule": "FREQ=WEEKLY;UNTIL=20260512"}', '2026-05-01 12:00+00') AS removed;
SELECT next_at FROM crm.task_series;
SELECT crm.make_due_tasks('2026-06-01 12:00+00') AS made;
SELECT next_at IS NULL AS ended FROM crm.task_series;
-- At most a hundred at once.
SELECT crm.create_task_series('{"title": "Look", "rrule": "FREQ=HOURLY", "starts": "2026-01-01 00:00"}', '2026-01-01 00:00+00') > 0 AS created;
SELECT crm.make_due_tasks('2026-01-06 00:00+00') AS first, crm.make_due_tasks('2026-01-06 00:00+00') AS rest, crm.make_due_tasks('2026-01-06 00:00+00') AS none;
-- Nothing about a contact who is gone.
SELECT crm.create_task_series('{"title": "Visit", "rrule": "FREQ=DAILY", "starts": "2026-01-01 00:00", "contact_id": 1}', '2026-07-01 00:00+00') > 0 AS created;
UPDATE crm.contact SET deleted_at = now() WHERE id = 1;
SELECT crm.make_due_tasks('2026-07-02 00:00+00') AS looks;
SELECT count(*) FILTER (WHERE title = 'Visit') AS visits, count(*) FILTER (WHERE title = 'Look') > 121 AS looks FROM crm.task;
-- Written by hand, the trigger checks it.
INSERT INTO crm.task_series (title, rrule, starts, assignee_id) VALUES ('By hand', 'FREQ=DAILY', '2026-01-01 10:00', 1);
SELECT time_zone, next_at > now() AND next_at <= now() + interval '25 hours' AS is_next FROM crm.task_series WHERE title = 'By hand';
UPDATE crm.task_series SET rrule = 'FREQ=DAYLY' WHERE title = 'By hand';
INSERT INTO crm.task_series (title, rrule, starts, time_zone) VALUES ('Bad', 'FREQ=DAILY', '2026-01-01 10:00', 'Mars/Olympus');
SELECT crm.create_task_series('{"title": "x", "rrule": "FREQ=DAILY"}');
SELECT crm.create_task_series('{"title": "x", "rrule": "FREQ=SOMETIMES", "starts": "2026-01-01"}');
SELECT crm.create_task_series('{"title": "x", "rrule": "FREQ=DAILY", "starts": "2026-01-01", "next_at": "2026-01-01", "color": "red"}');
SELECT crm.create_task_series('{"title": "x", "rrule": "FREQ=DAILY", "starts": "2026-01-01", "contact_id": 99}');
SELECT crm.change_task_series(9999, '{}');
ROLLBACK;

-- Of contacts that were never analyzed, too, there is an end: each is looked up
-- once for its occasion.
BEGIN;
INSERT INTO crm.contact (id, given_name, birth_date) SELECT 980000 + i, 'Anna', date '1960-01-01' + i % 15000 FROM generate_series(1, 30000) i;
SET LOCAL statement_timeout = '60s';
SELECT count(*) AS birthdays FROM crm.upcoming_occasions('2026-03-01', '2026-03-31') WHERE contact_id > 980000 AND kind = 'birthday';
SELECT count(*) AS birthdays FROM crm.contact WHERE id > 980000 AND extract(month FROM birth_date) = 3;
ROLLBACK;
