CREATE VIEW crm.v_stage_duration WITH (security_invoker = true) AS
SELECT
    v.deal_id, -- Number of the deal.
    d.name, -- Its name.
    v.visit, -- Which stay of the deal it is, counted from 1; a stage that the deal came back to has several.
    p.name AS pipeline, -- Pipeline of the stage.
    s.name AS stage, -- Stage.
    s.kind, -- open, won or lost.
    v.entered_at, -- When the deal came.
    v.left_at, -- When it went on; null where it is.
    v.left_at IS NULL AS is_current, -- Whether the deal is there.
    coalesce(v.left_at, now()) - v.entered_at AS duration, -- How long it stayed, or has been there.
    n.name AS next_stage, -- Where it went; null where it is.
    a.name AS owner, -- The agent who is responsible.
    s.pipeline_id, -- Number of the pipeline.
    v.stage_id, -- Number of the stage.
    d.owner_id -- Number of the agent.
FROM crm.stage_visits(now()) v
JOIN crm.deal d ON d.id = v.deal_id AND d.deleted_at IS NULL
JOIN crm.stage s ON s.id = v.stage_id
JOIN crm.pipeline p ON p.id = s.pipeline_id
LEFT JOIN crm.stage n ON n.id = v.next_stage_id
LEFT JOIN crm.agent a ON a.id = d.owner_id;
COMMENT ON VIEW crm.v_stage_duration IS 'How long deals stay at stages, a row a stay, by the times at which moves took effect. crm.stage_durations(deal, calendar) adds working time.';

CREATE VIEW crm.v_deal_slippage WITH (security_invoker = true) AS
SELECT
    d.id AS deal_id, -- Number of the deal.
    d.name, -- Its name.
    p.name AS pipeline, -- Its pipeline.
    s.kind, -- open, won or lost.
    a.name AS owner, -- The agent who is responsible.
    d.amount, -- Amount.
    d.currency, -- Currency of amount.
    coalesce(h.first_promise, d.close_date) AS first_promise, -- The day that was promised first.
    d.close_date AS promise, -- The day that is promised now, or was at the end.
    coalesce(h.pushes, 0) AS pushes, -- How often the promise was put off.
    coalesce((d.closed_at AT TIME ZONE 'UTC')::date, d.close_date) - coalesce(h.first_promise, d.close_date) AS days_slipped, -- Days from the first promise to the close (its day in UTC), of an open deal to the present promise; less than 0 when earlier.
    s.kind = 'won' AND (d.closed_at AT TIME ZONE 'UTC')::date > coalesce(h.first_promise, d.close_date) AS is_won_late, -- Whether it was won after the first promise.
    d.closed_at, -- When it was won or lost.
    d.pipeline_id, -- Number of the pipeline.
    d.owner_id -- Number of the agent.
FROM crm.deal d
JOIN crm.pipeline p ON p.id = d.pipeline_id
JOIN crm.stage s ON s.id = d.stage_id
LEFT JOIN crm.agent a ON a.id = d.owner_id
LEFT JOIN (
    SELECT c.deal_id, count(*) FILTER (WHERE c.new_date > c.old_date) AS pushes,
           (array_agg(coalesce(c.old_date, c.new_date) ORDER BY c.id) FILTER (WHERE coalesce(c.old_date, c.new_date) IS NOT NULL))[1] AS first_promise
    FROM (SELECT e.deal_id, e.id, (e.old_value #>> '{}')::date AS old_date, (e.new_value #>> '{}')::date AS new_date
          FROM crm.deal_history e WHERE e.field = 'close_date') c
    GROUP BY c.deal_id) h ON h.deal_id = d.id
WHERE d.deleted_at IS NULL AND coalesce(h.first_promise, d.close_date) IS NOT NULL;
COMMENT ON VIEW crm.v_deal_slippage IS 'What became of the first promise of each deal for which a close was ever promised.';

CREATE VIEW crm.v_slippage WITH (security_invoker = true) AS
SELECT
    k.owner_id, -- Number of the agent; null for deals without one.
    a.name AS owner, -- The agent.
    coalesce(s.deals, 0) AS deals, -- The agent's deals for which a close was ever promised.
    coalesce(u.pushes, 0) AS pushes, -- How often the agent's promises were put off, while the deal was the agent's.
    coalesce(u.deals_pushed, 0) AS deals_pushed, -- Deals to which that happened.
    round(coalesce(u.pushes, 0)::numeric / nullif(s.deals, 0), 2) AS pushes_per_deal, -- pushes by deals.
    coalesce(s.days_slipped, 0) AS days_slipped, -- Sum of days_slipped of crm.v_deal_slippage.
    round(s.days_slipped::numeric / nullif(s.deals, 0), 1) AS average_days_slipped, -- days_slipped by deals.
    coalesce(s.wins, 0) AS wins, -- Deals of these that were won.
    coalesce(s.wins_late, 0) AS wins_late -- ... after the day that was promised first.
FROM (SELECT owner_id, count(*) AS deals, sum(days_slipped) AS days_slipped, count(*) FILTER (WHERE kind = 'won') AS wins,
             count(*) FILTER (WHERE is_won_late) AS wins_late FROM crm.v_deal_slippage GROUP BY owner_id) s
FULL JOIN (SELECT owner_id, count(*) AS pushes, count(DISTINCT deal_id) AS deals_pushed FROM crm.deal_pushes() GROUP BY owner_id) u
    ON coalesce(u.owner_id, 0) = coalesce(s.owner_id, 0)
CROSS JOIN LATERAL (SELECT coalesce(s.owner_id, u.owner_id) AS owner_id) k
LEFT JOIN crm.agent a ON a.id = k.owner_id
ORDER BY pushes DESC, k.owner_id;
COMMENT ON VIEW crm.v_slippage IS 'How each agent keeps promised days: who says "tomorrow" and how often. crm.deal_pushes(from, to) has every single one.';

CREATE VIEW crm.v_pipeline_waterfall WITH (security_invoker = true) AS
SELECT
    w.pipeline, -- Pipeline.
    w.currency, -- Currency of amount.
    w.position, -- Place in the chart.
    w.change, -- opening, what changed it (see crm.pipeline_changes()), closing.
    w.deals, -- Deals.
    w.amount -- Sum of their amounts; of changes signed. Opening plus the changes is closing.
FROM crm.pipeline_waterfall(date_trunc('month', now(), 'UTC')) w;
COMMENT ON VIEW crm.v_pipeline_waterfall IS 'What changed the open pipeline since the month began (in UTC). crm.pipeline_waterfall(from, to) asks it of other times.';

CREATE VIEW crm.v_forecast_error WITH (security_invoker = true) AS
SELECT
    f.taken_on, -- The day on which the forecast was made.
    f.period, -- The days that it is for; they are over.
    f.method, -- weighted, category or historical.
    p.name AS pipeline, -- Pipeline.
    upper(f.period) - f.taken_on AS days_ahead, -- Days from the forecast to the end of the period.
    f.forecast, -- What was to be won.
    coalesce(a.actual, 0) AS actual, -- What was won, in the base currency, by the rates kept.
    f.forecast - coalesce(a.actual, 0) AS error, -- forecast minus actual.
    round(100 * (f.forecast - coalesce(a.actual, 0)) / nullif(a.actual, 0), 1) AS error_percent, -- error by actual, in percent; null when nothing was won.
    f.currency, -- The base currency of the forecast.
    f.pipeline_id -- Number of the pipeline.
FROM (SELECT s.taken_on, s.period, s.method, s.pipeline_id, s.currency, sum(s.total_amount) AS forecast
      FROM crm.forecast_snapshot s WHERE upper(s.period) <= (now() AT TIME ZONE 'UTC')::date
      GROUP BY s.taken_on, s.period, s.method, s.pipeline_id, s.currency) f
JOIN crm.pipeline p ON p.id = f.pipeline_id
LEFT JOIN LATERAL (
    SELECT sum(round(d.amount * k.rate, 4)) AS actual
    FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id AND s.kind = 'won'
    JOIN crm.deal_rate k ON k.deal_id = d.id AND k.base = f.currency
    WHERE d.pipeline_id = f.pipeline_id AND d.deleted_at IS NULL
      AND d.closed_at >= lower(f.period)::timestamp AT TIME ZONE 'UTC' AND d.closed_at < upper(f.period)::timestamp AT TIME ZONE 'UTC') a ON true;
COMMENT ON VIEW crm.v_forecast_error IS 'Each forecast that was kept in crm.forecast_snapshot and whose period is over, beside what was won.';

CREATE VIEW crm.v_forecast_accuracy WITH (security_invoker = true) AS
SELECT
    e.method, -- weighted, category or historical.
    e.pipeline, -- Pipeline.
    (e.days_ahead + 6) / 7 AS weeks_ahead, -- Weeks, begun ones counted, from the forecast to the end of the period.
    count(*) AS forecasts, -- Forecasts compared.
    sum(e.forecast) AS forecast, -- Sum of what was to be won.
    sum(e.actual) AS actual, -- Sum of what was won.
    round(avg(100 * abs(e.error) / nullif(e.actual, 0)), 1) AS mape, -- Mean of |error| by actual, in percent; forecasts of periods in which nothing was won are left out.
    round(100 * sum(e.error) / nullif(sum(e.actual), 0), 1) AS bias, -- Sum of errors by sum of actuals, in percent: more than 0 is too hopeful.
    e.currency, -- The base currency of the forecasts.
    e.pipeline_id -- Number of the pipeline.
FROM crm.v_forecast_error e
GROUP BY e.method, e.pipeline_id, e.pipeline, (e.days_ahead + 6) / 7, e.currency
ORDER BY e.pipeline, weeks_ahead, e.method;
COMMENT ON VIEW crm.v_forecast_accuracy IS 'How right the forecasts were, by method, pipeline and how far ahead they were made.';

CREATE VIEW crm.fact_deal WITH (security_invoker = true) AS
WITH rate AS MATERIALIZED (
    SELECT c.code, crm.exchange_rate(c.code, now()) AS rate FROM crm.currency c
)
SELECT
    d.id AS deal_id, -- Number of the deal; the grain: a row a deal that is not deleted.
    d.name, -- Its name.
    p.name AS pipeline, -- Its pipeline.
    s.name AS stage, -- Its stage.
    s.kind, -- open, won or lost.
    a.name AS owner, -- The agent who is responsible.
    d.amount, -- Amount as it was given.
    d.currency, -- Its currency.
    round(d.amount * CASE WHEN d.closed_at IS NULL THEN r.rate ELSE k.rate END, 4) AS base_amount, -- Amount in the base currency: of a closed deal by the rate kept at the close, of an open one by that of today; null when amount or rate is not known.
    b.code AS base_currency, -- The base currency.
    crm.deal_probability(d.probability, s.kind, s.probability, p.probability_from, p.probability_sample, v.entered, v.probability) AS probability, -- The owner's estimate, otherwise that of the stage: its share of deals won, when the pipeline takes it from history.
    d.close_date, -- The day for which the close is promised.
    d.created_at, -- When it began.
    d.stage_entered_at, -- When it came to its stage.
    d.closed_at, -- When it was won or lost; null while open.
    round(extract(epoch FROM d.closed_at - d.created_at) / 86400, 4) AS cycle_days, -- Days from beginning to close; null while open.
    (d.created_at AT TIME ZONE 'UTC')::date AS created_on, -- Day (in UTC) of created_at: crm.dim_date.
    (d.closed_at AT TIME ZONE 'UTC')::date AS closed_on, -- Day (in UTC) of closed_at.
    l.kind AS loss_kind, -- natural or forced, of a lost deal whose reason has one.
    d.source, -- Where it came from.
    d.attrs ->> 'product' AS product, -- What is being sold: the custom field product, as crm.import_deals() fills it; null without.
    d.pipeline_id, -- Number of the pipeline.
    d.stage_id, -- Number of the stage: crm.dim_stage.
    d.owner_id, -- Number of the agent: crm.dim_agent.
    d.contact_id, -- Number of the person.
    d.company_id, -- Number of the company: crm.dim_company.
    d.loss_reason_id, -- Number of the reason of a lost deal.
    d.lost_at_stage_id -- Stage from which it was lost.
FROM crm.deal d
JOIN crm.pipeline p ON p.id = d.pipeline_id
JOIN crm.stage s ON s.id = d.stage_id
JOIN crm.base_currency b ON b.singleton
LEFT JOIN crm.agent a ON a.id = d.owner_id
LEFT JOIN crm.loss_reason l ON l.id = d.loss_reason_id AND s.kind = 'lost'
LEFT JOIN crm.deal_rate k ON k.deal_id = d.id AND k.base = b.code
LEFT JOIN crm.stage_win_rate v ON v.stage_id = d.stage_id
LEFT JOIN rate r ON r.code = d.currency
WHERE d.deleted_at IS NULL;
COMMENT ON VIEW crm.fact_deal IS 'Deals for analysis: what, whose, how much in one currency, and the numbers of what they hang on. A row a deal.';

CREATE VIEW crm.fact_stage_move WITH (security_invoker = true) AS
SELECT
    v.deal_id, -- Number of the deal; with visit the grain: a row a stay of a deal at a stage.
    v.visit, -- Which stay of the deal it is.
    v.stage_id, -- The stage: crm.dim_stage.
    v.next_stage_id, -- Where the deal went; null where it is.
    v.entered_at, -- When it came.
    v.left_at, -- When it went on; null where it is.
    (v.entered_at AT TIME ZONE 'UTC')::date AS entered_on, -- Day (in UTC) of entered_at: crm.dim_date.
    round(extract(epoch FROM coalesce(v.left_at, now()) - v.entered_at) / 86400, 4) AS days, -- How long it stayed, or has been there.
    d.owner_id, -- The agent: crm.dim_agent.
    d.company_id -- The company: crm.dim_company.
FROM crm.stage_visits(now()) v
JOIN crm.deal d ON d.id = v.deal_id AND d.deleted_at IS NULL;
COMMENT ON VIEW crm.fact_stage_move IS 'Stays at stages for analysis. A row a stay.';

CREATE VIEW crm.fact_activity WITH (security_invoker = true) AS
SELECT
    y.id AS activity_id, -- Number of the activity; the grain: a row an activity.
    y.kind, -- call, email, meeting ...
    y.direction, -- in, out or null.
    t.mode, -- active or passive.
    t.is_touch, -- Whether it counts as being in touch.
    y.outcome, -- What came of it.
    round(extract(epoch FROM y.duration) / 60, 2) AS minutes, -- How long it took.
    y.occurred_at, -- When.
    (y.occurred_at AT TIME ZONE 'UTC')::date AS occurred_on, -- Day (in UTC): crm.dim_date.
    y.agent_id, -- Who of us: crm.dim_agent.
    y.deal_id, -- The deal it was about.
    y.company_id, -- The company it was about: crm.dim_company.
    y.contact_id -- The person.
FROM crm.activity y
JOIN crm.interaction_type t ON t.name = y.kind;
COMMENT ON VIEW crm.fact_activity IS 'Activities for analysis, without their text. A row an activity.';

CREATE VIEW crm.fact_order WITH (security_invoker = true) AS
SELECT
    o.id AS order_id, -- Number of the order; the grain: a row an order that is not deleted.
    o.status, -- Its status.
    o.is_counted, -- Whether it counts.
    o.amount, -- Amount as it was given.
    o.currency, -- Its currency.
    o.base_amount, -- Amount in the base currency.
    o.ordered_at, -- When it was placed.
    (o.ordered_at AT TIME ZONE 'UTC')::date AS ordered_on, -- Day (in UTC): crm.dim_date.
    o.channel, -- How it came.
    o.source, -- Where it came from.
    o.agent_id, -- Who of us took it: crm.dim_agent.
    o.deal_id, -- The deal it came of.
    o.company_id, -- The company it is for: crm.dim_company.
    o.contact_id -- The person.
FROM crm.sales_order o WHERE o.deleted_at IS NULL;
COMMENT ON VIEW crm.fact_order IS 'Orders for analysis. A row an order.';

CREATE VIEW crm.dim_date WITH (security_invoker = true) AS
SELECT
    g::date AS day, -- The day; the key.
    extract(year FROM g)::integer AS year, -- Year.
    extract(quarter FROM g)::integer AS quarter, -- Quarter, 1 to 4.
    extract(month FROM g)::integer AS month, -- Month, 1 to 12.
    to_char(g, 'YYYY-MM') AS year_month, -- Such as 2026-03.
    to_char(g, 'YYYY"-Q"Q') AS year_quarter, -- Such as 2026-Q1.
    to_char(g, 'IYYY"-W"IW') AS year_week, -- Week of ISO 8601, such as 2026-W09.
    extract(isodow FROM g)::integer AS weekday, -- 1 Monday to 7 Sunday.
    extract(isodow FROM g) <= 5 AS is_weekday -- Whether it is one from Monday to Friday.
FROM generate_series(timestamp '2000-01-01', timestamp '2049-12-31', interval '1 day') g;
COMMENT ON VIEW crm.dim_date IS 'The days from 2000 to 2049. A row a day.';

CREATE VIEW crm.dim_agent WITH (security_invoker = true) AS
SELECT
    a.id AS agent_id, -- Number of the agent; the key.
    a.name AS agent, -- Name.
    t.name AS team, -- Team of today.
    b.name AS branch, -- Branch of today.
    y.name AS territory, -- Territory of today.
    a.active -- Whether the agent works.
FROM crm.agent a
LEFT JOIN crm.team t ON t.id = a.team_id
LEFT JOIN crm.branch b ON b.id = a.branch_id
LEFT JOIN crm.territory y ON y.id = a.territory_id;
COMMENT ON VIEW crm.dim_agent IS 'Agents. A row an agent.';

CREATE VIEW crm.dim_stage WITH (security_invoker = true) AS
SELECT
    s.id AS stage_id, -- Number of the stage; the key.
    p.name AS pipeline, -- Its pipeline.
    s.name AS stage, -- Its name.
    s.position, -- Place in the pipeline.
    s.kind, -- open, won or lost.
    s.probability, -- How likely a deal there is won.
    s.pipeline_id -- Number of the pipeline.
FROM crm.stage s JOIN crm.pipeline p ON p.id = s.pipeline_id;
COMMENT ON VIEW crm.dim_stage IS 'Stages with their pipelines. A row a stage.';

CREATE VIEW crm.dim_company WITH (security_invoker = true) AS
SELECT
    c.id AS company_id, -- Number of the company; the key.
    c.name AS company, -- Name.
    c.kind, -- customer, partner ...
    c.industry, -- Industry.
    c.country, -- Country.
    c.city, -- City.
    y.name AS territory, -- Territory.
    c.employees -- Number of employees.
FROM crm.company c LEFT JOIN crm.territory y ON y.id = c.territory_id;
COMMENT ON VIEW crm.dim_company IS 'Companies, also deleted ones, to which older facts refer. A row a company.';

CREATE VIEW crm.v_deal_priority WITH (security_invoker = true) AS
SELECT
    p.deal_id, -- Number of the deal.
    p.name, -- Its name.
    p.pipeline, -- Its pipeline.
    p.stage, -- Its stage.
    p.owner, -- The agent who is responsible.
    p.score, -- base_amount * probability * recency, rounded to the digits of the currency; null when the amount or a rate is not known.
    p.rank, -- Place by score.
    p.base_amount, -- Amount in the base currency.
    p.probability, -- As in crm.v_deal.
    p.last_touch_at, -- The latest move or activity.
    p.recency, -- 1 at the latest touch, half of it for every 30 days since.
    p.close_date, -- The day for which the close is promised.
    p.currency, -- The base currency.
    p.owner_id, -- Number of the agent.
    p.contact_id, -- Number of the person.
    p.company_id -- Number of the company.
FROM crm.deal_priorities(now()) p
ORDER BY p.score DESC NULLS LAST, p.deal_id;
COMMENT ON VIEW crm.v_deal_priority IS 'Open deals, the most promising first. crm.explain_deal_priority(deal) says why.';

CREATE VIEW crm.v_goal_progress WITH (security_invoker = true) AS
SELECT
    g.goal_id, -- Number of the goal.
    g.name, -- What it is called.
    g.agent, -- Whose it is.
    g.team, -- The team whose it is.
    g.pipeline, -- The pipeline that counts; null for all.
    g.period, -- The days that it is for.
    g.title, -- What is to be reached.
    g.target, -- How much.
    g.actual, -- How much is reached.
    g.gap, -- target minus actual.
    g.percent, -- actual by target, in percent.
    g.expected_percent, -- Percent of the period that is over; of a quotient 100.
    g.is_on_track, -- Whether percent is not less than that (where less is better: actual not above target).
    g.unit, -- amount, number, percent, days, minutes or points.
    g.currency, -- Currency of target and actual, of an amount.
    g.kpi, -- Indicator: crm.kpi.
    g.parent_id, -- The goal it is part of.
    g.agent_id, -- Number of the agent.
    g.team_id, -- Number of the team.
    g.pipeline_id -- Number of the pipeline.
FROM crm.goal_progress(now()) g;
COMMENT ON VIEW crm.v_goal_progress IS 'The goals and how far they are reached. crm.goal_progress(as_of) asks it of another moment.';

CREATE VIEW crm.v_goal_tree WITH (security_invoker = true) AS
WITH RECURSIVE tree AS (
    SELECT g.id, g.parent_id, 0 AS depth, ARRAY[g.id] AS path FROM crm.sales_goal g WHERE g.parent_id IS NULL
    UNION ALL
    SELECT g.id, g.parent_id, t.depth + 1, t.path || g.id FROM tree t JOIN crm.sales_goal g ON g.parent_id = t.id
)
SELECT
    t.path, -- Numbers of the goals from the top down to this one: the order of the tree.
    t.depth, -- 0 at the top.
    repeat('  ', t.depth) || coalesce(p.name, p.agent, p.team, p.pipeline, p.title) AS goal, -- The goal, indented.
    p.title, -- What is to be reached.
    p.period, -- The days that it is for.
    p.target, -- How much.
    c.target AS parts_target, -- Sum of the targets of its parts of the same indicator and currency; null without parts.
    p.target - c.target AS not_allotted, -- What of the target no part has.
    p.actual, -- How much is reached.
    p.percent, -- actual by target, in percent.
    p.is_on_track, -- As in crm.v_goal_progress.
    p.currency, -- Currency of amounts.
    t.id AS goal_id, -- Number of the goal.
    t.parent_id -- The goal it is part of.
FROM tree t
JOIN crm.v_goal_progress p ON p.goal_id = t.id
LEFT JOIN LATERAL (SELECT sum(s.target) AS target FROM crm.sales_goal s JOIN crm.base_currency b ON b.singleton JOIN crm.sales_goal o ON o.id = t.id
                   WHERE s.parent_id = t.id AND s.kpi = o.kpi AND coalesce(s.currency, b.code) = coalesce(o.currency, b.code)) c ON true
ORDER BY t.path;
COMMENT ON VIEW crm.v_goal_tree IS 'The goals as a tree, and whether their parts add up to them.';

CREATE VIEW crm.v_sales_analysis WITH (security_invoker = true) AS
SELECT
    to_char(e.day, 'YYYY-MM') AS month, -- Month (in UTC): of the beginning for new deals, of the close for won and lost ones.
    e.pipeline, -- Pipeline.
    e.owner, -- The agent who is responsible.
    count(*) FILTER (WHERE e.what = 'new') AS new_deals, -- Deals that began.
    count(*) FILTER (WHERE e.what = 'won') AS won_deals, -- Deals won.
    count(*) FILTER (WHERE e.what = 'lost') AS lost_deals, -- Deals lost.
    coalesce(sum(e.base_amount) FILTER (WHERE e.what = 'won'), 0) AS won_amount, -- Sum of the deals won.
    coalesce(sum(e.base_amount) FILTER (WHERE e.what = 'lost'), 0) AS lost_amount, -- Sum of the deals lost.
    round(avg(e.base_amount) FILTER (WHERE e.what = 'won'), 2) AS average_check, -- Average of the deals won whose amount is known.
    round(count(*) FILTER (WHERE e.what = 'won')::numeric / nullif(count(*) FILTER (WHERE e.what IN ('won', 'lost')), 0), 4) AS win_rate, -- Deals won by deals won and lost.
    round(avg(e.cycle_days) FILTER (WHERE e.what = 'won'), 1) AS cycle_days, -- Average days from beginning to close of the deals won.
    e.base_currency AS currency, -- The base currency, in which amounts are.
    e.pipeline_id, -- Number of the pipeline.
    e.owner_id -- Number of the agent.
FROM (SELECT d.*, v.what, v.day FROM crm.fact_deal d
      CROSS JOIN LATERAL (VALUES ('new', d.created_on), (d.kind, d.closed_on)) AS v (what, day)
      WHERE v.day IS NOT NULL) e
GROUP BY to_char(e.day, 'YYYY-MM'), e.pipeline_id, e.pipeline, e.owner_id, e.owner, e.base_currency
ORDER BY month DESC, e.pipeline, e.owner, e.owner_id;
COMMENT ON VIEW crm.v_sales_analysis IS 'The report "Sales analysis": month by month what began, was won and was lost, by pipeline and agent.';

CREATE VIEW crm.v_summary WITH (security_invoker = true) AS
SELECT
    s.kpi, -- Indicator: crm.kpi.
    s.title, -- What it is called.
    s.unit, -- amount, number, percent, days, minutes or points.
    s.value AS this_month, -- Of this month (in UTC) so far.
    s.previous_value AS last_month, -- Of the month before.
    s.change, -- Difference.
    s.change_percent, -- Difference by last_month, in percent.
    s.is_better -- Whether it changed for the better; null when it did not change.
FROM crm.sales_summary(crm.period('month'), crm.period('month', date_trunc('month', now(), 'UTC') - interval '1 day')) s;
COMMENT ON VIEW crm.v_summary IS 'The report "Summary": every indicator of the whole company, this month and the last. crm.sales_summary(period, previous) compares any two periods.';

CREATE VIEW crm.v_manager_kpi WITH (security_invoker = true) AS
SELECT
    m.rank, -- Place by points; equal ones share it.
    m.agent, -- The employee.
    m.team, -- Team of now, by crm.employee_position.
    m.points, -- Sum of crm.rating_points(): by the weights in crm.kpi, 100 at most where the weights add up to 1.
    m.won_amount, -- Sum of the deals won, in the base currency.
    m.won_deals, -- Deals won.
    m.lost_deals, -- Deals lost.
    m.new_deals, -- Deals that began.
    m.win_rate, -- Percent of the closed deals that were won.
    m.average_check, -- Average deal won.
    m.cycle, -- Average days to win a deal.
    m.pushes, -- Promises put off.
    m.activities, -- Activities that count as a touch.
    m.calls, -- Calls.
    m.meetings, -- Meetings.
    m.punctuality, -- Percent of the tasks that fell due which were done in time.
    m.csat, -- Average satisfaction, 1 to 5.
    m.nps, -- Net promoter score, -100 to 100.
    m.agent_id -- Number of the agent.
FROM crm.manager_kpi(crm.period('month')) m;
COMMENT ON VIEW crm.v_manager_kpi IS 'The report "Employees" of this month (in UTC). crm.manager_kpi(period) asks it of another period.';

CREATE VIEW crm.v_my_kpi WITH (security_invoker = true) AS
SELECT
    k.kpi, -- Indicator: crm.kpi.
    k.title, -- What it is called.
    k.formula, -- How it is counted, of the measures that crm.sales_measures() explains.
    k.value, -- Its value this month (in UTC).
    k.unit, -- amount, number, percent, days, minutes or points.
    k.weight, -- Its weight in the rating.
    r.points, -- Points in the rating.
    k.agent_id -- Number of the agent.
FROM crm.kpi_values(crm.period('month')) k
LEFT JOIN crm.rating_points(crm.period('month')) r ON r.agent_id = k.agent_id AND r.kpi = k.kpi
WHERE k.agent_id = crm.my_agent_id()
ORDER BY k.weight DESC, k.kpi;
COMMENT ON VIEW crm.v_my_kpi IS 'The indicators of whoever asks (the agent of the current role) and how they are counted.';

CREATE VIEW crm.v_leaderboard WITH (security_invoker = true) AS
SELECT
    k.name AS kpi, -- Indicator: those that have a weight.
    k.title, -- What it is called.
    l.rank, -- Place; equal ones share it.
    l.agent, -- The agent.
    l.team, -- Team of now, by crm.employee_position.
    l.value, -- Value this month (in UTC).
    l.working_days, -- Working days of the agent so far.
    l.fair_value, -- Value as if the agent had worked as many days as who worked most; of a quotient the value itself.
    l.agent_id -- Number of the agent.
FROM crm.leaderboards(ARRAY(SELECT w.name FROM crm.kpi w WHERE w.weight > 0), crm.period('month'), now()) l
JOIN crm.kpi k ON k.name = l.kpi
ORDER BY k.weight DESC, k.name, l.rank, l.agent, l.agent_id;
COMMENT ON VIEW crm.v_leaderboard IS 'Who is best this month. crm.leaderboard(kpi, period) asks it of any indicator and period.';

CREATE VIEW crm.v_event_log WITH (security_invoker = true) AS
SELECT
    l.at, -- When it was recorded.
    l.actor, -- Who.
    l.relation AS object, -- Kind of object: a table.
    l.row_id AS object_id, -- Its number.
    l.operation AS event, -- insert, update, delete; of a deal the column that changed; of an activity its kind.
    l.changes AS details, -- What changed.
    l.contact_id, -- The contact it concerns; null when none.
    'audit_log' AS source, -- Where the entry is from: audit_log, deal_history or activity.
    l.id AS entry_id -- Number of the entry there.
FROM crm.audit_log l
UNION ALL
SELECT h.changed_at, h.actor, 'deal', h.deal_id,
       CASE WHEN h.field <> '*' THEN h.field WHEN h.old_value IS NULL THEN 'insert' ELSE 'delete' END,
       CASE WHEN h.field <> '*' THEN jsonb_build_object('old', h.old_value, 'new', h.new_value) ELSE coalesce(h.new_value, h.old_value) END,
       d.contact_id, 'deal_history', h.id
FROM crm.deal_history h LEFT JOIN crm.deal d ON d.id = h.deal_id
UNION ALL
SELECT y.occurred_at, coalesce(a.name, y.created_by), 'activity', y.id, y.kind,
       jsonb_strip_nulls(jsonb_build_object('direction', y.direction, 'outcome', y.outcome, 'subject', y.subject, 'deal_id', y.deal_id)), y.contact_id, 'activity', y.id
FROM crm.activity y LEFT JOIN crm.agent a ON a.id = y.agent_id;
COMMENT ON VIEW crm.v_event_log IS 'The report "List of events": who did what to what, and when, in any table. Filter it by object, actor, contact or time.';

CREATE VIEW crm.v_call_report WITH (security_invoker = true) AS
SELECT
    (y.occurred_at AT TIME ZONE coalesce(a.time_zone, 'UTC'))::date AS day, -- The day on the agent's calendar.
    a.name AS agent, -- Who called or was called.
    y.direction, -- in, out or null.
    coalesce(y.outcome, '') AS outcome, -- What came of it; empty when not noted.
    count(*) AS calls, -- Calls.
    count(*) FILTER (WHERE y.duration > '0') AS talked, -- Calls of some length.
    round(coalesce(sum(extract(epoch FROM y.duration)), 0) / 60, 1) AS minutes, -- Their length together.
    round(avg(extract(epoch FROM y.duration)) FILTER (WHERE y.duration > '0') / 60, 1) AS average_minutes, -- By calls of some length.
    count(DISTINCT y.contact_id) AS contacts, -- Persons.
    y.agent_id -- Number of the agent.
FROM crm.activity y LEFT JOIN crm.agent a ON a.id = y.agent_id
WHERE y.kind = 'call'
GROUP BY 1, y.agent_id, a.name, y.direction, coalesce(y.outcome, '')
ORDER BY day DESC, agent, y.agent_id, y.direction, outcome;
COMMENT ON VIEW crm.v_call_report IS 'The report "Calls": by day, agent, direction and outcome.';

CREATE VIEW crm.v_churn_zone WITH (security_invoker = true) AS
SELECT
    z.pipeline, -- Pipeline.
    z.stage, -- Stage from which the deals were lost; null when not known.
    z.reason, -- Why.
    z.kind, -- natural, forced, or null when not known.
    z.deals, -- Deals lost.
    z.base_amount, -- What they would have been worth, in the base currency.
    z.share, -- Their share in the deals lost of the pipeline.
    z.alarm_share, -- Their share in those not lost naturally; null for a natural reason.
    z.is_alarm, -- Whether that is a quarter at least.
    z.pipeline_id, -- Number of the pipeline.
    z.stage_id, -- Number of the stage.
    z.loss_reason_id -- Number of the reason.
FROM crm.churn_zones() z;
COMMENT ON VIEW crm.v_churn_zone IS 'Where and why deals are lost, of all time. crm.churn_zones(alarm_share, from, to) asks it of a time.';

CREATE VIEW crm.v_kpi_anomaly WITH (security_invoker = true) AS
SELECT
    x.agent, -- The employee.
    x.title, -- What is odd.
    x.value, -- Its value in the last whole month (in UTC).
    x.mean, -- Mean of the employee's twelve months before.
    x.deviation, -- Their standard deviation.
    x.distance, -- value minus mean, in deviations; null when the months were all alike.
    x.months_seen, -- Months that there were to compare with.
    x.kpi, -- Indicator: crm.kpi.
    x.agent_id -- Number of the agent.
FROM crm.kpi_anomalies(now()) x WHERE x.is_anomaly;
COMMENT ON VIEW crm.v_kpi_anomaly IS 'Who did something quite unlike their own months before: farther off than three standard deviations.';

CREATE VIEW crm.v_market WITH (security_invoker = true) AS
SELECT
    y.name AS territory, -- Territory of the companies.
    c.industry, -- Industry of the companies.
    count(DISTINCT c.id) AS companies, -- Companies that are not deleted.
    count(DISTINCT c.id) FILTER (WHERE d.kind = 'won') AS customers, -- Those with a deal won, ever.
    coalesce(sum(d.base_amount) FILTER (WHERE d.kind = 'won' AND d.closed_at > now() - interval '1 year'), 0) AS revenue, -- Deals won in the last year, in the base currency.
    coalesce(sum(d.base_amount) FILTER (WHERE d.kind = 'won' AND d.closed_at > now() - interval '2 years' AND d.closed_at <= now() - interval '1 year'), 0) AS revenue_before, -- Deals won in the year before.
    round(100 * sum(d.base_amount) FILTER (WHERE d.kind = 'won' AND d.closed_at > now() - interval '1 year')
          / nullif(sum(d.base_amount) FILTER (WHERE d.kind = 'won' AND d.closed_at > now() - interval '2 years' AND d.closed_at <= now() - interval '1 year'), 0) - 100, 1) AS growth_percent, -- revenue against revenue_before, in percent; null without the latter.
    round(count(d.deal_id) FILTER (WHERE d.kind = 'won')::numeric / nullif(count(d.deal_id) FILTER (WHERE d.kind <> 'open'), 0), 4) AS win_rate, -- Deals won by deals closed, ever.
    c.territory_id -- Number of the territory.
FROM crm.company c
LEFT JOIN crm.territory y ON y.id = c.territory_id
LEFT JOIN crm.fact_deal d ON d.company_id = c.id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL
GROUP BY c.territory_id, y.name, c.industry
ORDER BY revenue DESC, territory, c.industry;
COMMENT ON VIEW crm.v_market IS 'Markets: companies by territory and industry, how many buy, for how much, with what growth and share of deals won.';
