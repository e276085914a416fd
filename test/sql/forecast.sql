-- Forecasts: the chain of stages against its formulas, the three methods by
-- hand, snapshots, back-tests.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET datestyle = ISO;
SET timezone = 'UTC';
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SELECT crm.period('2026'), crm.period('2026-Q2'), crm.period('2026-12'), crm.period('quarter', '2026-05-05 00:00+00'), crm.period('week', '2026-05-05 00:00+00');
SELECT crm.period('2026-13');
SELECT crm.solve_equations('{2,1,1,2}', '{3,3}'), crm.solve_equations('{0,1,1,0}', '{2,3}'), crm.solve_equations('{1,1,1,1}', '{1,1}');
SELECT crm.solve_equations('{1,2,3}', '{1,1}');

INSERT INTO crm.agent (id, name) VALUES (900001, 'Anna'), (900002, 'Boris');
UPDATE crm.base_currency SET code = 'USD';
SELECT crm.create_pipeline('Course', '{A,B}', flow => 'free') > 0 AS made;
INSERT INTO crm.deal (id, name, stage_id, amount, owner_id, created_at, close_date, probability)
SELECT 900000 + n, name, crm.stage_id(crm.pipeline_id('Course'), stage), amount, owner, began, promise, probability
FROM (VALUES (1, 'was won', 'A', 100, 900001, '2026-01-01 00:00+00'::timestamptz, '2026-01-20'::date, NULL::numeric), (2, 'was lost', 'A', 100, 900001, '2026-01-01 00:00+00', NULL, NULL),
             (3, 'x', 'A', 1000, 900001, '2026-02-19 00:00+00', '2026-03-15', NULL), (4, 'y', 'B', 2000, 900002, '2026-02-09 00:00+00', '2026-04-10', NULL),
             (5, 'z', 'B', 500, 900002, '2026-02-19 00:00+00', '2026-02-20', 0.8), (6, 'no amount', 'A', NULL, 900002, '2026-03-01 00:00+00', '2026-03-31', NULL)) v (n, name, stage, amount, owner, began, promise, probability);
SELECT crm.move_deal(900001, 'B', as_of => '2026-01-11 00:00+00'), crm.move_deal(900001, 'Won', as_of => '2026-01-21 00:00+00'),
       crm.move_deal(900002, 'Lost', 'Price', '2026-01-11 00:00+00'), crm.move_deal(900004, 'Won', as_of => '2026-03-20 00:00+00');

-- On 1 March deals had been at A for 30 days, from which one went to B and one
-- was lost, and at B for 40, from which one was won.  R-064
SELECT s.name, c.visits, round(c.days::numeric, 6) AS days, round(c.win_probability::numeric, 9) AS win, round(c.days_to_close::numeric, 9) AS to_close
FROM crm.stage_chain('2026-03-01 00:00+00') c JOIN crm.stage s ON s.id = c.stage_id WHERE s.pipeline_id = crm.pipeline_id('Course') ORDER BY s.position;
-- Within t days: from B 1 - exp(-t / 40); from A by way of B.
SELECT s.name, t, round(c.win_within[k]::numeric, 9) AS win_within,
       abs(c.win_within[k] - CASE s.name WHEN 'B' THEN 1 - exp(-t / 40.0)
           ELSE ((1 - exp(-t / 15.0)) * 15 - exp(-t / 40.0) * (1 - exp(-t * (1 / 15.0 - 1 / 40.0))) / (1 / 15.0 - 1 / 40.0)) / 30 END::double precision) < 1e-9 AS right
FROM crm.stage_chain('2026-03-01 00:00+00', '{0,7 days,31 days,365 days}') c JOIN crm.stage s ON s.id = c.stage_id
CROSS JOIN unnest('{0,7,31,365}'::integer[]) WITH ORDINALITY AS u (t, k) WHERE s.pipeline_id = crm.pipeline_id('Course') ORDER BY s.position, t;
-- What began within two weeks has moved nowhere.
SELECT s.name, c.visits, c.win_probability, c.days_to_close FROM crm.stage_chain('2026-03-01 00:00+00', since => '14 days') c JOIN crm.stage s ON s.id = c.stage_id
WHERE s.pipeline_id = crm.pipeline_id('Course') ORDER BY s.position;

-- March, as it looked on its first day: x is promised for it, the promise of z is past, y is promised for April.
SELECT name, kind, close_date, category, amount, factor, expected_amount FROM crm.forecast_deals('[2026-03-01,2026-04-01)', 'weighted', '2026-03-01 00:00+00', 'Course', 'effective') ORDER BY deal_id;
SELECT name, category, factor, expected_amount FROM crm.forecast_deals('[2026-03-01,2026-04-01)', 'category', '2026-03-01 00:00+00', 'Course', 'effective') ORDER BY deal_id;
SELECT name, owner, stage, kind, amount, factor, expected_amount FROM crm.forecast_deals('[2026-03-01,2026-04-01)', 'historical', '2026-03-01 00:00+00', 'Course', 'effective') ORDER BY deal_id, owner, stage;
-- Three deals began at A and two at B in the 59 days since the first; one at B will have been won for 31 - 40 * (1 - exp(-31 / 40)) of 31 days.
SELECT round((31 - 40 * (1 - exp(-31 / 40.0))) / 31, 6) AS by_hand, round(1250 * 2 / 59.0 * 31, 4) AS amount;
SELECT pipeline, owner, won_amount, open_deals, open_amount, expected_amount, total_amount, currency, unpriced_deals, is_total
FROM crm.forecast('[2026-03-01,2026-04-01)', 'weighted', '2026-03-01 00:00+00', 'Course', 'effective');
-- A later month gets what is not won before.
SELECT name, factor FROM crm.forecast_deals('[2026-04-01,2026-05-01)', 'historical', '2026-03-01 00:00+00', 'Course', 'effective') WHERE name = 'z';
SELECT round((exp(-31 / 40.0) - exp(-61 / 40.0))::numeric, 6) AS by_hand;
-- In the middle of the month some is won already; afterwards all that will be.
SELECT owner, won_deals, won_amount, expected_amount, total_amount FROM crm.forecast('[2026-03-01,2026-04-01)', 'weighted', '2026-03-25 00:00+00', 'Course', 'effective');
SELECT owner, won_deals, won_amount, open_deals, total_amount FROM crm.forecast('[2026-03-01,2026-04-01)', 'historical', '2026-04-01 00:00+00', 'Course', 'effective');
-- Totals are the sums of the rows, and of the deals.
SELECT m, sum(total_amount) FILTER (WHERE is_total) = sum(total_amount) FILTER (WHERE NOT is_total) AS rows_add_up,
       sum(total_amount) FILTER (WHERE is_total) = (SELECT sum(expected_amount) FROM crm.forecast_deals('[2026-03-01,2026-06-01)', m, '2026-03-01 00:00+00', basis => 'effective')) AS deals_add_up
FROM unnest('{weighted,category,historical}'::text[]) m, crm.forecast('[2026-03-01,2026-06-01)', m, '2026-03-01 00:00+00', basis => 'effective') GROUP BY m ORDER BY m;

-- Back-tests.
SELECT method, period, as_of, forecast, actual, error, error_percent FROM crm.backtest_forecast('2026-03-01', '2026-04-01', pipeline => 'Course');
SELECT method, periods, actual, mape, bias FROM crm.forecast_accuracy('2026-01-01', '2026-04-01', 'weighted', 'Course');
SELECT period, as_of, forecast, actual, error, error_percent FROM crm.backtest_forecast('2026-01-01', '2026-04-01', 'weighted', 'Course', ahead => '5 days');

-- Snapshots: the last of a day is that day's; a deal that was handed over meanwhile is there once.
SELECT crm.take_forecast_snapshot('2099-01-15 12:00+00', 1) > 0 AS taken, crm.take_forecast_snapshot('2099-01-15 18:00+00', 1) > 0 AS again;
SAVEPOINT handed;
UPDATE crm.deal SET owner_id = 900001 WHERE id = 900006;
UPDATE crm.deal SET owner_id = 900001 WHERE id = 900005;
SELECT crm.take_forecast_snapshot('2099-01-15 20:00+00', 1) > 0 AS taken;
SELECT s.method, sum(s.open_amount) = min(f.open_amount) AS once, count(DISTINCT s.owner_id) AS owners, count(DISTINCT s.taken_at) AS runs FROM crm.forecast_snapshot s
JOIN LATERAL (SELECT x.open_amount FROM crm.forecast(s.period, s.method, '2099-01-15 20:00+00', 'Course') x WHERE x.is_total) f ON true
WHERE s.pipeline_id = crm.pipeline_id('Course') AND s.taken_on = '2099-01-15' GROUP BY s.method ORDER BY s.method;
ROLLBACK TO handed;
SELECT s.method, s.period, a.name AS owner, s.open_amount, s.expected_amount, s.total_amount FROM crm.forecast_snapshot s LEFT JOIN crm.agent a ON a.id = s.owner_id
WHERE s.pipeline_id = crm.pipeline_id('Course') AND s.method <> 'historical' ORDER BY s.method, owner;
SELECT function, daily_at FROM crm.job WHERE name = 'forecast';
INSERT INTO crm.forecast_snapshot (taken_on, period, method, pipeline_id, owner_id, won_amount, open_amount, expected_amount, new_amount, total_amount, currency, taken_at)
SELECT day, crm.period('2026-03'), m, f.pipeline_id, f.owner_id, f.won_amount, f.open_amount, f.expected_amount, f.new_amount, f.total_amount, f.currency, day
FROM unnest('{weighted,category}'::text[]) m, unnest('{2026-02-22,2026-03-01}'::date[]) day, crm.forecast(crm.period('2026-03'), m, day, 'Course', 'effective') f WHERE NOT f.is_total;
SELECT taken_on, method, days_ahead, forecast, actual, error, error_percent FROM crm.v_forecast_error WHERE pipeline = 'Course' ORDER BY taken_on, method;
SELECT method, weeks_ahead, forecasts, mape, bias FROM crm.v_forecast_accuracy WHERE pipeline = 'Course';

-- Refused.
SELECT crm.forecast('[2026-03-01,2026-04-01)', 'wishful');
SELECT crm.forecast('[2026-03-01,)');
SELECT crm.forecast('empty');
SELECT crm.forecast(NULL);
SELECT crm.forecast('[2026-03-01,2026-04-01)', pipeline => 'Nothing');
SELECT crm.forecast('[2026-03-01,2026-04-01)', basis => 'guessed');
SELECT crm.backtest_forecast('2026-01-01', '2026-04-01', 'wishful');
SELECT crm.backtest_forecast('2026-01-01', '2026-01-02', every => '1 hour');
ROLLBACK;
