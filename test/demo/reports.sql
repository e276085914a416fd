-- What a manager asks: the funnel, what changed it, who sells, what comes next. Of
-- the deals of the story or of the user's own, in the days :reported that end at
-- :reported_at.
\if :has_deals
SELECT p.name AS pipeline_name FROM crm.pipeline p WHERE p.id = :pipeline \gset
\echo
\echo '## Reports: the funnel, who sells, what changed, what will be won'
\echo
:plain
\set ECHO queries
SELECT crm.funnel_chart(:'pipeline_name');
\set ECHO none
:table
SELECT count(*) FILTER (WHERE k.won_deals > 0) > 0 AS has_sellers FROM crm.manager_kpi(:'reported') k \gset
\if :has_sellers
\echo
\echo 'Who sells most, and what a rating of several indicators says (rows of crm.kpi, yours to change):'
\set ECHO queries
SELECT rank, agent, points, won_amount, won_deals, lost_deals, win_rate, round(cycle, 1) AS days_to_win
FROM crm.manager_kpi(:'reported') LIMIT 5;
\set ECHO none
\endif
\echo
\echo 'What changed the open deals; the first line and the changes add up to the last:'
\set ECHO queries
SELECT change, deals, amount, currency
FROM crm.pipeline_waterfall(lower(:'reported'::daterange), :'reported_at', :'pipeline_name', basis => 'effective');
\set ECHO none
SELECT pg_temp.insist(coalesce(sum(w.amount) FILTER (WHERE w.change <> 'closing') = sum(w.amount) FILTER (WHERE w.change = 'closing'), true), 'the waterfall does not add up')
FROM crm.pipeline_waterfall(lower(:'reported'::daterange), :'reported_at', :'pipeline_name', basis => 'effective') w \gset
SELECT coalesce(bool_or(f.total_amount > 0), false) AS has_forecast
FROM unnest('{weighted,category,historical}'::text[]) method, crm.forecast(crm.period('month', :'reported_at'), method, :'reported_at', :'pipeline_name', 'effective') f WHERE f.is_total \gset
\if :has_forecast
\echo 'What the month after that will bring: by promises and stages, by categories, by what deals did before:'
\set ECHO queries
SELECT method, open_deals, round(expected_amount) AS expected, round(new_amount) AS new, round(total_amount) AS total, currency
FROM unnest('{weighted,category,historical}'::text[]) method,
     crm.forecast(crm.period('month', :'reported_at'), method, :'reported_at', :'pipeline_name', 'effective')
WHERE is_total;
\set ECHO none
\else
\echo 'There is nothing to make a forecast of: no promised days, no moves from stage to stage.'
\endif
\endif
