CREATE VIEW crm.v_activity_gap WITH (security_invoker = true) AS
SELECT
    g.deal_id, -- Number of the deal.
    g.name, -- Its name.
    g.pipeline, -- Its pipeline.
    g.stage, -- Its stage.
    a.name AS owner, -- The agent who is responsible.
    g.last_touch_at, -- The latest logged touch; null when there was none.
    g.gap, -- How long ago that was, or the deal began.
    g.allowed, -- How long the pipeline allows.
    g.owner_id -- Number of the agent.
FROM crm.activity_gap(now()) g
LEFT JOIN crm.agent a ON a.id = g.owner_id
ORDER BY g.gap DESC, g.deal_id;
COMMENT ON VIEW crm.v_activity_gap IS 'Open deals without a logged touch for longer than their pipeline allows: either they were forgotten, or what was done was not entered. crm.activity_gap(as_of, longer_than) asks the same of another moment and span.';

CREATE VIEW crm.v_task WITH (security_invoker = true) AS
SELECT
    t.id AS task_id, -- Number of the task.
    t.kind, -- call, email, meeting, service, todo ...
    t.title, -- The task in a line.
    t.status, -- open, done or cancelled.
    t.priority, -- 1 is the most urgent, 5 the least.
    a.name AS assignee, -- Who does it.
    w.name AS author, -- Who wants it done.
    t.due_at, -- By when.
    t.due_at AT TIME ZONE coalesce(t.time_zone, a.time_zone, 'UTC') AS due_local, -- The same on the wall of its time zone, otherwise the assignee's.
    t.status = 'open' AND t.due_at < now() AS is_overdue, -- Whether it should be done by now.
    t.done_at, -- When it was done or cancelled.
    t.result, -- What came of it.
    d.name AS deal, -- The deal it belongs to.
    o.name AS company, -- The company it concerns.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person it concerns.
    t.deal_id, -- Number of the deal.
    t.company_id, -- Number of the company.
    t.contact_id, -- Number of the person.
    t.assignee_id -- Number of the agent.
FROM crm.task t
LEFT JOIN crm.agent a ON a.id = t.assignee_id
LEFT JOIN crm.agent w ON w.id = t.author_id
LEFT JOIN crm.deal d ON d.id = t.deal_id
LEFT JOIN crm.company o ON o.id = t.company_id
LEFT JOIN crm.contact c ON c.id = t.contact_id;
COMMENT ON VIEW crm.v_task IS 'Tasks with names instead of numbers.';

CREATE VIEW crm.v_adoption WITH (security_invoker = true) AS
SELECT
    d.agent_id, -- Number of the agent.
    d.agent, -- Name.
    d.entries, -- Activities of the last 30 days.
    d.automatic, -- Those of them that another system entered by itself: telephony, mail.
    d.by_hand, -- Those that the agent entered.
    d.deals, -- Deals of the agent that were open in that time.
    d.entries_per_deal, -- Activities about deals for each of these.
    d.median_lag, -- Half of those entered by hand were there so soon after the event.
    d.p90_lag, -- Nine tenths of them were.
    d.late_share, -- Share of them that was entered later than a day after the event, 0 to 1.
    d.last_entry_at -- When the latest was entered.
FROM crm.adoption(now() - interval '30 days', now()) d;
COMMENT ON VIEW crm.v_adoption IS 'How willingly agents keep the records, over the last 30 days. crm.adoption(from, to) asks the same of another time.';
