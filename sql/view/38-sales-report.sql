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
FROM crm.pipeline_waterfall(date_trunc('month', now(), 'UTC'), now()) w;
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
