-- Touches, tasks, reminders, messages to other systems.
SET extra_float_digits = 1;
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET datestyle = ISO;
SET timezone = 'UTC';
SET intervalstyle = postgres;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
INSERT INTO crm.agent (id, name, time_zone) VALUES
    (900001, 'Regress Moscow', 'Europe/Moscow'), (900002, 'Regress Vladivostok', 'Asia/Vladivostok'), (900003, 'Regress Berlin', 'Europe/Berlin');
INSERT INTO crm.contact (id, given_name, family_name, owner_id) VALUES (900001, 'Regress', 'Client', 900001), (900002, 'Regress', 'Mute', NULL);
INSERT INTO crm.company (id, name) VALUES (900001, 'Regress Works');
INSERT INTO crm.deal (id, name, company_id, contact_id, created_at) VALUES
    (900001, 'With a person', 900001, 900001, '2026-03-01 00:00+00'), (900002, 'Without', 900001, NULL, '2026-03-01 00:00+00');

-- The wall clock: an ordinary day; 02:30 does not exist on 29 March and exists twice on 25 October.
SELECT local, zone, crm.local_instant(local, zone) AS instant, crm.local_instant(local, zone) AT TIME ZONE zone AS shows
FROM (VALUES (timestamp '2026-01-15 09:00', 'Europe/Berlin'), ('2026-07-15 09:00', 'Europe/Berlin'),
    ('2026-03-29 01:59:59', 'Europe/Berlin'), ('2026-03-29 02:30', 'Europe/Berlin'), ('2026-03-29 03:00', 'Europe/Berlin'),
    ('2026-10-25 01:59:59', 'Europe/Berlin'), ('2026-10-25 02:00', 'Europe/Berlin'), ('2026-10-25 02:30', 'Europe/Berlin'), ('2026-10-25 03:00', 'Europe/Berlin'),
    ('2026-11-01 01:30', 'America/New_York'), ('2026-04-05 01:45', 'Australia/Lord_Howe'), ('2026-10-04 02:15', 'Australia/Lord_Howe'),
    ('2011-12-30 12:00', 'Pacific/Apia'), ('2014-10-26 01:30', 'Europe/Moscow'), ('2026-03-10 09:00', 'Asia/Vladivostok')) t (local, zone);
SELECT crm.local_instant('2026-01-01', 'Mars/Olympus');
-- Every quarter of an hour of a year: shown as asked, except in the gap; never later than the server's reading.
SELECT count(*) FILTER (WHERE at AT TIME ZONE 'Europe/Berlin' <> l) AS skipped,
       count(*) FILTER (WHERE at < l AT TIME ZONE 'Europe/Berlin') AS twice,
       count(*) FILTER (WHERE at > l AT TIME ZONE 'Europe/Berlin') AS late
FROM (SELECT l, crm.local_instant(l, 'Europe/Berlin') AS at
      FROM generate_series(timestamp '2026-01-01', '2026-12-31 23:45', '15 minutes') l OFFSET 0) resolved;

-- Due today differs for Moscow and Vladivostok at the same instant.  R-013
SELECT crm.create_task('{"title": "Call the plant", "assignee": "Regress Moscow", "due_at": "2026-03-10 20:00+00"}') > 0
   AND crm.create_task('{"title": "Call the port", "assignee": "regress vladivostok", "due_at": "2026-03-10 20:00+00"}') > 0 AS made;
SELECT a.name, t.title, t.due_local, t.is_overdue
FROM crm.agent a, crm.tasks_due(a.id, '2026-03-10 12:00+00') t WHERE a.id IN (900001, 900002) ORDER BY 1;
SELECT a.name, t.title, t.due_local, t.is_overdue
FROM crm.agent a, crm.tasks_due(a.id, '2026-03-10 14:00+00') t WHERE a.id IN (900001, 900002) ORDER BY 1;
SELECT a.name, t.is_overdue FROM crm.agent a, crm.tasks_due(a.id, '2026-03-10 20:00:01+00') t WHERE a.id IN (900001, 900002) ORDER BY 1;
DELETE FROM crm.task WHERE assignee_id IN (900001, 900002);

-- Tasks: refused fields; local times; done once, told once.  R-163
SELECT crm.create_task('{"title": "x", "colour": 1}');
SELECT crm.create_task('{"title": "x", "assignee": "Nobody"}');
SELECT crm.create_task('{"title": "x", "due_on": "2026-05-01 10:00", "time_zone": "Mars/Olympus"}');
INSERT INTO crm.task (title, time_zone) VALUES ('x', 'Mars/Olympus');
SELECT crm.complete_task(999999999);
INSERT INTO crm.task (id, title, assignee_id, author_id, due_at, remind_at)
VALUES (900001, 'Send the offer', 900001, 900002, '2026-03-11 12:00+00', '2026-03-11 09:00+00'),
       (900002, 'Nobody''s', NULL, NULL, '2026-03-11 12:00+00', NULL);
SELECT crm.create_task('{"title": "local", "assignee": "Regress Vladivostok", "due_on": "2026-03-12 18:00", "remind_on": "2026-03-12 09:00"}') > 0 AS made;
SELECT due_at, remind_at, time_zone FROM crm.task t WHERE title = 'local';
SELECT due_at, due_local, is_overdue, status, assignee FROM crm.v_task WHERE title = 'local';
DELETE FROM crm.task WHERE title = 'local';
SELECT crm.fire_reminders('2026-03-11 08:59:59+00') AS before, crm.fire_reminders('2026-03-11 09:00+00') AS due,
       crm.fire_reminders('2026-03-11 12:00+00') AS at, crm.fire_reminders('2026-03-11 12:00:01+00') AS overdue, crm.fire_reminders('2026-03-11 23:00+00') AS again;
SELECT agent_id, kind, key, title, task_id, created_at FROM crm.notification WHERE task_id IN (900001, 900002) ORDER BY id;
-- A new date is a new deadline; the same date is not.
UPDATE crm.task SET due_at = due_at, remind_at = remind_at WHERE id = 900001;
SELECT crm.fire_reminders('2026-03-12 00:00+00');
UPDATE crm.task SET due_at = '2026-03-13 12:00+00' WHERE id = 900001;
SELECT crm.fire_reminders('2026-03-14 00:00+00'), crm.fire_reminders('2026-03-14 00:00+00');
SELECT crm.complete_task(900001, 'sent', '2026-03-15 00:00+00'), crm.complete_task(900001, 'again');
UPDATE crm.task SET status = 'done' WHERE id = 900001;
UPDATE crm.task SET status = 'done' WHERE id = 900002;
SELECT agent_id, kind, key LIKE 'task.done:%' AS keyed FROM crm.notification WHERE kind = 'task.done' AND task_id IN (900001, 900002) ORDER BY id;
SELECT status, done_at, result FROM crm.task WHERE id = 900001;
UPDATE crm.task SET status = 'open' WHERE id = 900001;
SELECT status, done_at FROM crm.task WHERE id = 900001;
SELECT crm.complete_task(900001, as_of => '2026-03-16 00:00+00');
SELECT count(*) FROM crm.notification WHERE kind = 'task.done' AND task_id = 900001;
SELECT crm.fire_reminders('2027-01-01 00:00+00');                     -- what is done is not overdue

-- Reminders by the wall clock of the agent; the batch is a limit of each kind.
SELECT crm.remind(900003, '2026-03-29 02:30', 'in the gap') > 0, crm.remind(900003, '2026-10-25 02:30', 'in the overlap') > 0,
       crm.remind(900003, '2026-03-29 09:00', 'elsewhere', 'Asia/Vladivostok') > 0;
SELECT note, remind_on, time_zone, remind_at FROM crm.reminder WHERE agent_id = 900003 ORDER BY id;
SELECT crm.remind(900003, '2026-01-01', 'x', 'Mars/Olympus');
INSERT INTO crm.reminder (agent_id, note, remind_at, task_id) VALUES (900003, 'of a task that is done', '2026-01-01 00:00+00', 900001);
SELECT crm.fire_reminders('2026-12-01 00:00+00', 1), crm.fire_reminders('2026-12-01 00:00+00', 1), crm.fire_reminders('2026-12-01 00:00+00', 1),
       crm.fire_reminders('2026-12-01 00:00+00', 1), crm.fire_reminders('2026-12-01 00:00+00', 1);
SELECT kind, title FROM crm.notification WHERE agent_id = 900003 ORDER BY id;
UPDATE crm.reminder SET remind_on = '2026-12-24 18:00' WHERE note = 'in the gap' RETURNING remind_at;

-- Service of what a client bought: one task a due date.  R-016
INSERT INTO crm.owned_product (contact_id, id, product, purchased_at, next_service_at) VALUES (900001, 900001, 'Lada', '2025-01-01', '2026-04-10');
UPDATE crm.contact SET time_zone = 'Asia/Vladivostok' WHERE id = 900001;
SELECT crm.remind_service('2026-03-20 00:00+00'), crm.remind_service('2026-03-27 00:00+00'), crm.remind_service('2026-03-28 00:00+00'), crm.remind_service('2026-04-28 00:00+00');
UPDATE crm.owned_product SET next_service_at = '2027-04-10' WHERE id = 900001;
SELECT crm.remind_service('2027-04-01 00:00+00'), crm.remind_service('2027-04-01 00:00+00');
SELECT title, kind, assignee_id, due_at, remind_at, origin_key FROM crm.task WHERE kind = 'service' AND contact_id = 900001 ORDER BY due_at;

-- A call's result closes the task.  R-162
INSERT INTO crm.task (id, kind, title, contact_id, deal_id, assignee_id, due_at) VALUES
    (900003, 'call', 'Ask about the offer', 900001, 900001, 900001, '2026-03-20 12:00+00'), (900004, 'call', 'Later', 900001, NULL, 900001, '2026-03-25 12:00+00');
SELECT crm.log_call(900001, 'no answer', agent_id => 900001, closes_task => false, as_of => '2026-03-20 11:00+00') > 0 AS logged;
SELECT id, status FROM crm.task WHERE id IN (900003, 900004) ORDER BY id;
SELECT crm.log_call(900001, 'agreed', duration => '3 minutes', agent_id => 900001, external_system => 'pbx', external_id => '77', as_of => '2026-03-20 11:30+00') > 0 AS logged;
SELECT crm.log_call(900001, 'agreed', agent_id => 900001, external_system => 'pbx', external_id => '77', as_of => '2026-03-20 11:30+00') > 0 AS same_call;
SELECT id, status, result, done_at FROM crm.task WHERE id IN (900003, 900004) ORDER BY id;
SELECT crm.log_call(task_id => 900004, outcome => 'left word', as_of => '2026-03-21 00:00+00') > 0 AS logged;
SELECT kind, direction, agent_id, deal_id, task_id, occurred_at, duration, outcome FROM crm.activity WHERE contact_id = 900001 ORDER BY id;
SELECT crm.log_call(deal_id => 900002);
INSERT INTO crm.company_contact (contact_id, company_id) VALUES (900002, 900001);
SELECT crm.log_call(deal_id => 900002, as_of => '2026-03-22 00:00+00') > 0 AS logged;
SELECT contact_id, company_id, deal_id FROM crm.activity WHERE deal_id = 900002;
SELECT crm.log_call(deal_id => 999999999);
SELECT crm.log_call(999999999);
SELECT crm.log_call(900001, agent_id => 999999999);
SELECT crm.remind(900003, '2026-01-01', 'x', contact_id => 999999999);
SELECT crm.create_task('{"title": "x", "contact_id": 999999999}');
SELECT crm.create_deal('{"name": "x", "company_id": 999999999}');
\set VERBOSITY terse
SELECT crm.log_call(900001, direction => 'sideways');
INSERT INTO crm.activity (contact_id, kind) VALUES (900001, 'telepathy');
\set VERBOSITY default

-- Deals out of touch.  R-021
SELECT deal_id, last_touch_at, gap, allowed FROM crm.activity_gap('2026-03-27 12:00+00') WHERE deal_id IN (900001, 900002);
SELECT deal_id, last_touch_at, gap, allowed FROM crm.activity_gap('2026-03-29 12:00+00') WHERE deal_id IN (900001, 900002) ORDER BY 1;
SELECT deal_id FROM crm.activity_gap('2026-03-29 12:00+00', '30 days') WHERE deal_id IN (900001, 900002);
INSERT INTO crm.activity (contact_id, kind, deal_id, occurred_at) VALUES (900001, 'note', 900001, '2026-03-29 00:00+00'), (900001, 'meeting', 900002, '2026-03-29 00:00+00');
SELECT deal_id FROM crm.activity_gap('2026-03-29 12:00+00') WHERE deal_id IN (900001, 900002);    -- a note is no touch
SELECT deal_id, owner FROM crm.v_activity_gap WHERE deal_id IN (900001, 900002) ORDER BY 1;

-- Who enters what, and how soon after the event.  R-077
INSERT INTO crm.activity (contact_id, kind, agent_id, deal_id, occurred_at, created_at, external_system, external_id) VALUES
    (900001, 'call', 900001, 900001, '2025-05-01 10:00+00', '2025-05-01 10:00:05+00', 'pbx', 'a1'),
    (900001, 'meeting', 900001, 900001, '2025-05-02 10:00+00', '2025-05-02 11:00+00', NULL, NULL),
    (900001, 'call', 900001, NULL, '2025-05-03 10:00+00', '2025-05-03 13:00+00', NULL, NULL),
    (900001, 'call', 900001, NULL, '2025-05-04 10:00+00', '2025-05-06 10:00+00', NULL, NULL),
    (900001, 'call', 900001, NULL, '2025-06-01 00:00+00', '2025-06-01 10:00+00', NULL, NULL);
INSERT INTO crm.deal (name, owner_id, created_at) VALUES ('Adopted', 900001, '2025-04-01 00:00+00'), ('Adopted too', 900001, '2025-05-31 00:00+00'), ('Later', 900001, '2025-06-01 00:00+00');
SELECT * FROM crm.adoption('2025-05-01 00:00+00', '2025-06-01 00:00+00') WHERE agent_id BETWEEN 900001 AND 900002;
SELECT agent, entries FROM crm.v_adoption WHERE agent_id = 900003;

-- The next action of a deal.  R-056
SELECT deal_id, overdue_task FROM crm.v_next_action WHERE deal_id IN (900001, 900002) ORDER BY 1;
INSERT INTO crm.task (title, deal_id, due_at) VALUES ('Long ago', 900001, '2026-01-01'), ('Some day', 900002, now() + interval '1 day');
SELECT deal_id, overdue_task FROM crm.v_next_action WHERE deal_id IN (900001, 900002) ORDER BY 1;
UPDATE crm.deal SET close_date = '2026-05-01' WHERE id = 900002;
UPDATE crm.deal SET close_date = '2026-06-01' WHERE id = 900002;
UPDATE crm.deal SET close_date = '2026-05-15' WHERE id = 900002;
SELECT deal_id, stage, kind, contact, company, pushes, next_task, last_activity_at FROM crm.v_deal WHERE deal_id IN (900001, 900002) ORDER BY 1;

-- Messages to other systems.  R-047
SELECT crm.click_to_call(900001, 900001);
INSERT INTO crm.contact_point (contact_id, id, kind, raw, validity) VALUES (900001, 900001, 'phone', '+7 495 000-00-00', 'invalid'), (900001, 900002, 'phone', '+7 495 123-45-67', 'valid');
SELECT crm.click_to_call(900001, 900001, deal_id => 900001, key => 'k1') = crm.click_to_call(900001, 900001, deal_id => 900001, key => 'k1') AS once;
SELECT crm.click_to_call(999999999, 900001);
SELECT crm.click_to_call(900001, 999999999, '+79160000000');
SELECT count(crm.enqueue('regress', jsonb_build_object('n', n), available_at => '2026-01-01 00:00+00')) FROM generate_series(1, 5) n;
SELECT topic, key, payload FROM crm.outbox WHERE topic = 'telephony.call' AND key = 'k1';
SELECT payload, attempts FROM crm.claim_outbox('regress', 2, 'w1', as_of => '2026-01-01 00:00+00');
SELECT payload, attempts FROM crm.claim_outbox('regress', 2, 'w2', as_of => '2026-01-01 00:01+00');
SELECT payload, attempts FROM crm.claim_outbox('regress', 9, 'w3', as_of => '2026-01-01 00:02+00');
-- w1 delivers one and dies with the other; w2 fails.
SELECT crm.complete_outbox((SELECT min(id) FROM crm.outbox WHERE topic = 'regress'));
SELECT crm.complete_outbox(id, 'timeout', '2026-01-01 00:02+00') FROM crm.outbox WHERE claimed_by = 'w2' ORDER BY id;
SELECT payload, attempts FROM crm.claim_outbox('regress', 9, 'w4', as_of => '2026-01-01 00:04+00');
SELECT payload, attempts FROM crm.claim_outbox('regress', 9, 'w5', as_of => '2026-01-01 00:05+00');
UPDATE crm.outbox SET max_attempts = attempts WHERE topic = 'regress' AND payload ->> 'n' = '2';
SELECT crm.complete_outbox(id, 'gone', '2026-01-01 00:06+00') FROM crm.outbox WHERE topic = 'regress' AND payload ->> 'n' = '2';
SELECT payload, status, attempts, claimed_by, last_error, done_at IS NULL AS waits FROM crm.outbox WHERE topic = 'regress' ORDER BY id;
SELECT crm.complete_outbox(999999999);
ROLLBACK;
