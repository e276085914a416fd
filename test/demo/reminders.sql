-- Tasks and reminders of the open deals, fired at a given moment.
SELECT count(*) > 0 AS has_open FROM crm.deal WHERE closed_at IS NULL AND deleted_at IS NULL \gset
\if :has_open
\echo
\echo '## Reminders: nothing is forgotten, nothing is told twice'
\echo
-- Somebody has to do it, also when the deals name nobody.
INSERT INTO crm.agent (name) SELECT 'Vera Lind' WHERE NOT EXISTS (SELECT FROM crm.agent);
-- Those of whom the story tells: the most valuable open deals.
CREATE TEMPORARY TABLE demo_open AS
    SELECT row_number() OVER (ORDER BY d.amount DESC NULLS LAST, d.id) AS n, d.id, d.name, d.contact_id, d.company_id, coalesce(d.owner_id, (SELECT min(id) FROM crm.agent)) AS owner_id
    FROM crm.deal d
    WHERE d.closed_at IS NULL AND d.deleted_at IS NULL
    ORDER BY 1 LIMIT 3;
SELECT count(crm.create_task(jsonb_strip_nulls(jsonb_build_object(
           'kind', t.kind, 'title', t.title, 'deal_id', o.id, 'contact_id', o.contact_id, 'company_id', o.company_id,
           'assignee_id', o.owner_id, 'due_on', t.due_on, 'remind_on', t.remind_on)))) AS tasks
FROM demo_open o
JOIN (VALUES (1, 'call', 'Call about the offer', timestamp '2026-04-01 18:00', timestamp '2026-04-01 09:00'),
             (2, 'email', 'Send the draft contract', '2026-03-31 12:00', NULL),
             (2, 'meeting', 'Meet the buyer', '2026-04-03 11:00', '2026-04-02 16:00')) AS t (n, kind, title, due_on, remind_on) USING (n) \gset
SELECT count(crm.remind(o.owner_id, '2026-04-01 08:30', 'Ask for feedback: ' || o.name, deal_id => o.id)) AS nothing FROM demo_open o WHERE o.n = 1 \gset
\echo
\echo 'Tasks and one reminder, in the time of the agent who has them:'
SELECT t.assignee, t.kind, t.title, to_char(t.due_local, 'YYYY-MM-DD HH24:MI') AS "due there", coalesce(t.deal, '') AS deal
FROM crm.v_task t ORDER BY t.due_at;
\echo
\echo 'The job fires what is due, here at' :fire_shown '- and a second run adds nothing:'
:plain
\set ECHO queries
SELECT crm.fire_reminders(:'fire_at');
SELECT crm.fire_reminders(:'fire_at');
\set ECHO none
:table
SELECT to_char(n.created_at AT TIME ZONE a.time_zone, 'YYYY-MM-DD HH24:MI') AS "told at (there)", a.name AS "to", n.kind, pg_temp.fold(n.title, 22) AS title, pg_temp.fold(d.name, 18) AS deal
FROM crm.notification n JOIN crm.agent a ON a.id = n.agent_id LEFT JOIN crm.deal d ON d.id = n.deal_id
WHERE n.kind IN ('reminder', 'task.due', 'task.overdue') ORDER BY n.id;
SELECT pg_temp.insist(count(*) > 0, 'no reminder fired') FROM crm.notification \gset
SELECT count(*) AS idle, count(*) > 0 AS has_idle FROM crm.v_next_action WHERE overdue_task_id IS NULL \gset
\if :has_idle
\echo
\echo 'Open deals for which nobody has planned the next step:' :idle '(crm.v_next_action)'
SELECT name AS deal, stage, owner, to_char(amount, 'FM999,999,990') AS amount, currency, close_date AS "promised for"
FROM crm.v_next_action WHERE overdue_task_id IS NULL LIMIT 5;
\endif
\endif
