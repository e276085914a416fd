-- Reports of sales against a month counted by hand.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET datestyle = ISO;
SET timezone = 'UTC';
SET intervalstyle = postgres;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT crm.create_roles();
CREATE ROLE regress_crm_anna IN ROLE crm_agent;
UPDATE crm.base_currency SET code = 'USD';
DELETE FROM crm.fx_rate;
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2020-01-01', 1.10);
INSERT INTO crm.team (id, name) VALUES (900001, 'South'), (900002, 'North');
INSERT INTO crm.agent (id, name, role_name, team_id, created_at) VALUES (900001, 'Anna', 'regress_crm_anna', 900001, '2020-01-01 00:00+00'), (900002, 'Boris', NULL, 900002, '2020-01-01 00:00+00'), (900003, 'Clara', NULL, 900002, '2020-01-01 00:00+00');
INSERT INTO crm.agent_capacity (agent_id, valid, share, reason) VALUES (900003, '[2020-01-01,)', 0.5, 'half time');
INSERT INTO crm.territory (id, name) VALUES (900001, 'East');
INSERT INTO crm.company (id, name, industry, territory_id) VALUES (900001, 'Shop', 'retail', 900001), (900002, 'Store', 'retail', 900001), (900003, 'Mine', 'mining', 900001);
INSERT INTO crm.contact (id, given_name) VALUES (900001, 'Olga'), (900002, 'Pavel');
SELECT crm.create_pipeline('Course', '{A,B}', flow => 'free') > 0 AS made;
INSERT INTO crm.deal (id, name, pipeline_id, stage_id, amount, currency, owner_id, contact_id, created_at, close_date)
SELECT 900000 + n, 'Deal ' || n, crm.pipeline_id('Course'), crm.stage_id(crm.pipeline_id('Course'), stage), amount, currency, 900000 + owner, CASE WHEN n = 1 THEN 900001 END, began, promise
FROM (VALUES (1, 'A', 1000, 'USD', 1, '2020-03-02 00:00+00'::timestamptz, NULL::date), (2, 'A', 500, 'EUR', 1, '2020-02-10 00:00+00', NULL), (3, 'B', 700, 'USD', 1, '2020-03-05 00:00+00', NULL),
             (4, 'A', 300, 'USD', 2, '2020-03-01 00:00+00', NULL), (5, 'A', 400, 'USD', 2, '2020-03-03 00:00+00', NULL), (6, 'A', 800, 'USD', 2, '2020-03-03 00:00+00', NULL), (7, 'A', 800, 'USD', 3, '2020-03-04 00:00+00', NULL),
             (8, 'B', 2000, 'USD', 2, '2020-03-10 00:00+00', '2099-03-25'), (9, 'A', NULL, NULL, 1, '2020-03-20 00:00+00', NULL)) v (n, stage, amount, currency, owner, began, promise);
SELECT crm.win_deal(900001, as_of => '2020-03-12 00:00+00'), crm.win_deal(900002, as_of => '2020-03-11 00:00+00'), crm.win_deal(900006, as_of => '2020-03-13 00:00+00'), crm.win_deal(900007, as_of => '2020-03-14 00:00+00'),
       crm.lose_deal(900003, 'Price', as_of => '2020-03-20 00:00+00'), crm.lose_deal(900004, 'No longer needed', as_of => '2020-03-09 00:00+00'), crm.lose_deal(900005, 'Competitor', as_of => '2020-03-10 00:00+00');
INSERT INTO crm.activity (contact_id, kind, direction, agent_id, deal_id, occurred_at, duration, outcome, subject) VALUES
    (900001, 'call', 'out', 900001, 900001, '2020-03-02 10:00+00', '10 minutes', 'reached', 'First call'), (900001, 'call', 'out', 900001, 900001, '2020-03-03 10:00+00', '20 minutes', 'reached', NULL),
    (900001, 'call', 'out', 900001, NULL, '2020-03-03 11:00+00', NULL, 'no answer', NULL), (900001, 'meeting', NULL, 900001, 900001, '2020-03-10 10:00+00', '1 hour', NULL, 'Contract'),
    (900002, 'call', 'in', 900002, NULL, '2020-03-04 10:00+00', '5 minutes', NULL, NULL), (900002, 'call', 'in', 900002, NULL, '2020-03-04 12:00+00', '1 minute', NULL, NULL), (900002, 'note', NULL, 900002, NULL, '2020-03-04 12:05+00', NULL, NULL, 'x');
INSERT INTO crm.task (title, assignee_id, contact_id, due_at, status, done_at, created_at) VALUES ('Offer', 900001, 900001, '2020-03-05 12:00+00', 'done', '2020-03-05 11:00+00', '2020-03-04 09:00+00'),
    ('Call', 900002, NULL, '2020-03-06 12:00+00', 'done', '2020-03-06 11:00+00', '2020-03-04 09:00+00'), ('Call', 900002, NULL, '2020-03-07 12:00+00', 'done', '2020-03-08 11:00+00', '2020-03-04 09:00+00'), ('Drop', 900002, NULL, '2020-03-07 12:00+00', 'cancelled', NULL, '2020-03-04 09:00+00');
INSERT INTO crm.satisfaction (contact_id, kind, score, agent_id, answered_at) VALUES (900001, 'csat', 5, 900001, '2020-03-20 00:00+00'), (900001, 'csat', 4, 900001, '2020-03-21 00:00+00'), (900002, 'csat', 3, 900002, '2020-03-21 00:00+00'),
    (900001, 'nps', 10, 900001, '2020-03-20 00:00+00'), (900002, 'nps', 6, 900001, '2020-03-20 00:00+00'), (900002, 'nps', 9, 900002, '2020-03-20 00:00+00');
INSERT INTO crm.sales_order (contact_id, number, amount, currency, agent_id, ordered_at) VALUES (900001, 'A-1', 100, 'EUR', 900001, '2020-03-15 00:00+00');

-- Measures.  R-166, R-041
SELECT a.name, string_agg(m.measure || ' ' || trim_scale(m.value), ', ' ORDER BY m.measure) AS measures FROM crm.agent_measures('[2020-03-01,2020-04-01)') m JOIN crm.agent a ON a.id = m.agent_id GROUP BY a.name ORDER BY a.name;
SELECT agent, team, won_amount, won_deals AS won, lost_deals AS lost, new_deals AS new, win_rate, average_check, cycle, activities, calls, meetings, punctuality, csat, nps, points, rank
FROM crm.manager_kpi('[2020-03-01,2020-04-01)') WHERE agent_id > 900000;
SELECT agent, kpi, formula, value, best, weight, points FROM crm.rating_points('[2020-03-01,2020-04-01)') WHERE agent_id = 900002 ORDER BY kpi;
SELECT count(*) AS differ FROM crm.manager_kpi('[2020-03-01,2020-04-01)') m WHERE m.points <> (SELECT sum(r.points) FROM crm.rating_points('[2020-03-01,2020-04-01)') r WHERE r.agent_id = m.agent_id);
-- Other weights, other ranks.
SAVEPOINT weights;
UPDATE crm.kpi SET weight = CASE name WHEN 'won_amount' THEN 0.1 WHEN 'win_rate' THEN 0.8 ELSE 0 END;
SELECT rank, agent, points FROM crm.manager_kpi('[2020-03-01,2020-04-01)') WHERE agent_id > 900000;
-- Where less is better.
UPDATE crm.kpi SET weight = CASE name WHEN 'cycle' THEN 1 ELSE 0 END;
SELECT agent, value, best, points FROM crm.rating_points('[2020-03-01,2020-04-01)') WHERE agent_id > 900000 ORDER BY agent;
ROLLBACK TO weights;
-- The state of an earlier day.
SELECT agent, won_deals, won_amount FROM crm.manager_kpi('[2020-03-01,2020-04-01)', '2020-03-12 12:00+00') WHERE agent_id > 900000 ORDER BY agent;
SELECT count(*) FROM crm.v_manager_kpi WHERE agent_id > 900000;
INSERT INTO crm.kpi (name, title, numerator, unit) VALUES ('x', 'x', 'nonsense', 'number');

-- Everybody sees their own, and how it is counted.  R-268
SET LOCAL ROLE regress_crm_anna;
SELECT count(DISTINCT agent_id), min(agent_id) FROM crm.v_my_kpi;
SELECT kpi, formula, weight FROM crm.v_my_kpi WHERE weight > 0;
RESET ROLE;
SELECT count(*) AS differ FROM crm.kpi_values('[2020-03-01,2020-04-01)') v JOIN crm.kpi k ON k.name = v.kpi
WHERE split_part(v.formula, ' ', 1) <> k.numerator OR (k.denominator IS NOT NULL AND split_part(v.formula, ' ', 3) <> k.denominator);

-- Half time is no disadvantage; equal ones share a rank.  R-269
SELECT rank, agent, value, trim_scale(working_days) AS days, fair_value FROM crm.leaderboard('won_amount', '[2020-03-01,2020-04-01)') WHERE agent_id > 900000;
SELECT rank, agent, fair_value FROM crm.leaderboard('won_deals', '[2020-03-01,2020-04-01)') WHERE agent_id > 900000;
SELECT rank, agent, value, fair_value FROM crm.leaderboard('win_rate', '[2020-03-01,2020-04-01)') WHERE agent_id > 900000;
SELECT rank, agent, value FROM crm.leaderboard('cycle', '[2020-03-01,2020-04-01)') WHERE agent_id > 900000;
SELECT count(*) > 0 AS listed FROM crm.v_leaderboard WHERE agent_id > 900000;
SELECT crm.leaderboard('luck');

-- Unlike the months before: Dan, not Eva; Flora has too few months.  R-270
INSERT INTO crm.agent (id, name) VALUES (900011, 'Dan'), (900012, 'Eva'), (900013, 'Flora');
INSERT INTO crm.activity (contact_id, kind, agent_id, occurred_at)
SELECT 900002, 'call', 900011 + who, timestamptz '2023-03-15 00:00+00' - ago * interval '1 month' + n * interval '1 minute'
FROM generate_series(0, 2) who, generate_series(0, 12) ago, generate_series(1, CASE WHEN ago = 0 THEN 12 + CASE who WHEN 1 THEN 0 ELSE 20 END ELSE 9 + ago % 3 END) n WHERE who < 2 OR ago < 4;
SELECT agent, kpi, value, mean, deviation, distance, months_seen AS seen, is_anomaly FROM crm.kpi_anomalies('2023-04-05 00:00+00') WHERE kpi = 'calls' AND agent_id > 900010 ORDER BY agent;
SELECT agent, is_anomaly FROM crm.kpi_anomalies('2023-04-05 00:00+00', deviations => 2) WHERE kpi = 'calls' AND agent_id = 900012;
SELECT count(*) FROM crm.v_kpi_anomaly WHERE agent_id > 900010;

-- Goals.  R-169, R-277
INSERT INTO crm.sales_goal (id, parent_id, name, agent_id, team_id, pipeline_id, period, kpi, target, currency) VALUES
    (900001, NULL, 'March', NULL, NULL, NULL, '[2020-03-01,2020-04-01)', 'won_amount', 10000, NULL), (900002, 900001, NULL, 900001, NULL, NULL, '[2020-03-01,2020-04-01)', 'won_amount', 2000, 'USD'),
    (900003, 900001, NULL, NULL, 900002, NULL, '[2020-03-01,2020-04-01)', 'won_amount', 1000, 'EUR'), (900004, NULL, 'Rate', NULL, NULL, NULL, '[2020-03-01,2020-04-01)', 'win_rate', 50, NULL),
    (900005, NULL, 'Losses', NULL, NULL, crm.pipeline_id('Course'), '[2020-03-01,2020-04-01)', 'lost_deals', 2, NULL), (900006, NULL, NULL, 900002, NULL, NULL, '[2099-03-01,2099-04-01)', 'won_amount', 5000, NULL);
SELECT goal_id, name, agent, team, pipeline, title, target, actual, gap, percent, expected_percent AS due, is_on_track AS ok, unit, currency FROM crm.goal_progress('2020-03-16 12:00+00') WHERE lower(period) = '2020-03-01';
SELECT goal_id, actual, percent, expected_percent, is_on_track FROM crm.v_goal_progress WHERE goal_id BETWEEN 900001 AND 900005 ORDER BY goal_id;
SELECT path, goal, target, parts_target, not_allotted, actual FROM crm.v_goal_tree WHERE path[1] = 900001;
UPDATE crm.sales_goal SET parent_id = 900003 WHERE id = 900001;
\set VERBOSITY sqlstate
INSERT INTO crm.sales_goal (agent_id, team_id, period, target) VALUES (900001, 900001, '[2020-03-01,2020-04-01)', 1);
INSERT INTO crm.sales_goal (period, kpi, target) VALUES ('[2020-03-01,2020-04-01)', 'luck', 1);
INSERT INTO crm.sales_goal (period, target) VALUES ('[2020-03-01,)', 1);
INSERT INTO crm.sales_goal (period, target) VALUES ('[2020-03-01,2020-04-01)', 0);
\set VERBOSITY default
SELECT * FROM crm.what_if('[2020-03-01,2020-04-01)', 10, 0.6, 1000, 'Course');

-- The plan: 5000, of which 700 are won and 0.67 of 2000 may be expected.  R-062
INSERT INTO crm.deal (id, name, stage_id, amount, owner_id, created_at, closed_at) VALUES (900010, 'Won', crm.stage_id(crm.pipeline_id('Course'), 'Won'), 700, 900002, '2099-03-01 00:00+00', '2099-03-02 00:00+00');
SELECT owner, plan, won, weighted, gap, currency FROM crm.plan_gap('Boris', '[2099-03-01,2099-04-01)', '2099-03-05 00:00+00');
SELECT owner, plan, gap FROM crm.plan_gap('900002', '[2099-03-01,2099-04-01)', '2099-03-05 00:00+00');
SELECT count(*) AS differ FROM crm.plan_gap(period => '[2099-03-01,2099-04-01)', as_of => '2099-03-05 00:00+00') WHERE gap <> plan - won - weighted;
-- Of all: those of nobody, and a total, whose plan is that of the agents until everybody has a goal; parts of a goal are in it.
INSERT INTO crm.deal (id, name, stage_id, amount, created_at, closed_at) VALUES (900011, 'Nobody''s', crm.stage_id(crm.pipeline_id('Course'), 'Won'), 30, '2099-03-01 00:00+00', '2099-03-02 00:00+00');
SELECT owner, plan, won, weighted, gap, is_total FROM crm.plan_gap(period => '[2099-03-01,2099-04-01)', as_of => '2099-03-05 00:00+00');
INSERT INTO crm.sales_goal (id, parent_id, name, agent_id, period, target) VALUES (900011, NULL, 'All', NULL, '[2099-03-01,2099-04-01)', 9000), (900012, 900011, 'New clients', NULL, '[2099-03-01,2099-04-01)', 4000),
    (900013, 900006, 'New clients', 900002, '[2099-03-01,2099-04-01)', 1000);
SELECT owner, plan, won, weighted, gap, is_total FROM crm.plan_gap(period => '[2099-03-01,2099-04-01)', as_of => '2099-03-05 00:00+00');
SELECT owner, plan, is_total FROM crm.plan_gap('Boris', '[2099-03-01,2099-04-01)', '2099-03-05 00:00+00');
DELETE FROM crm.sales_goal WHERE id BETWEEN 900011 AND 900013;
DELETE FROM crm.deal WHERE id = 900011;
DELETE FROM crm.deal WHERE id = 900010;
SELECT name, stage, base_amount, probability, recency, score FROM crm.deal_priorities('2020-04-09 00:00+00') WHERE deal_id > 900000 ORDER BY deal_id;
SELECT * FROM crm.explain_deal_priority(900008, '2020-04-09 00:00+00');
SELECT count(*) AS differ FROM crm.v_deal_priority p WHERE score IS DISTINCT FROM round(base_amount * probability * recency, 2);
-- In order, with the place; a deal of long ago has a score of 0.00.
SELECT count(*) AS differ FROM (SELECT p.score, p.deal_id, p.rank, lag(p.score) OVER given AS before, lag(p.deal_id) OVER given AS deal_before, rank() OVER (ORDER BY p.score DESC NULLS LAST) AS place
    FROM crm.deal_priorities('2020-04-09 00:00+00') WITH ORDINALITY p WINDOW given AS (ORDER BY p.ordinality)) p
WHERE rank <> place OR before < score OR before = score AND deal_before > deal_id OR before IS NULL AND score IS NOT NULL AND deal_before IS NOT NULL;
SELECT score FROM crm.deal_priorities('2029-04-09 00:00+00') WHERE deal_id = 900008;
-- What is sold, as imports keep it.
SAVEPOINT sold;
SELECT crm.define_field('deal', 'product', 'text');
UPDATE crm.deal SET attrs = attrs || '{"product": "Regress saw"}' WHERE id IN (900008, 900009);
SELECT product, count(*), sum(base_amount) FROM crm.fact_deal WHERE product = 'Regress saw' GROUP BY product;
ROLLBACK TO sold;
SELECT crm.explain_deal_priority(900001);

-- One of long ago counts for nothing.
SELECT recency FROM crm.deal_priorities('2020-04-09 00:00+00', '1 second') WHERE deal_id = 900008;

-- Sales analysis, summary.  R-164, R-165
SELECT month, owner, new_deals, won_deals, lost_deals, won_amount, lost_amount, average_check, win_rate, cycle_days, currency FROM crm.v_sales_analysis WHERE pipeline = 'Course' AND month < '2021';
SELECT (SELECT sum(won_amount) FROM crm.v_sales_analysis) = (SELECT sum(base_amount) FROM crm.fact_deal WHERE kind = 'won') AS won_adds_up,
       (SELECT sum(new_deals) FROM crm.v_sales_analysis) = (SELECT count(*) FROM crm.deal WHERE deleted_at IS NULL) AS new_adds_up;
SELECT kpi, value, previous_value, change, change_percent, is_better FROM crm.sales_summary('[2020-03-01,2020-04-01)', '[2020-02-01,2020-03-01)') WHERE kpi IN ('won_amount', 'new_deals', 'lost_deals', 'win_rate');
SELECT count(*) = (SELECT count(*) FROM crm.kpi) AS whole FROM crm.v_summary;

-- Where deals are lost; natural losses alarm nobody.  R-149
SELECT stage, reason, kind, deals, base_amount, share, alarm_share, is_alarm FROM crm.v_churn_zone WHERE pipeline = 'Course';
SELECT reason, alarm_share, is_alarm FROM crm.churn_zones(0.6, '2020-03-01 00:00+00', '2020-03-11 00:00+00') WHERE pipeline = 'Course';
SELECT (SELECT sum(deals) FROM crm.v_churn_zone) = (SELECT count(*) FROM crm.fact_deal WHERE kind = 'lost') AS adds_up;

-- Who did what.  R-167
SELECT actor = session_user AS ours, object, event, details, source FROM crm.v_event_log WHERE object = 'deal' AND object_id = 900001 AND event NOT IN ('insert', 'stage_id') ORDER BY entry_id;
SELECT actor, event, at FROM crm.v_event_log WHERE object = 'activity' AND contact_id = 900001 AND at < '2020-03-03 12:00+00' ORDER BY at;
SELECT (SELECT count(*) FROM crm.v_event_log) = (SELECT count(*) FROM crm.audit_log) + (SELECT count(*) FROM crm.deal_history) + (SELECT count(*) FROM crm.activity) AS whole;
-- Calls.  R-168
SELECT day, agent, direction, outcome, calls, talked, minutes, average_minutes, contacts FROM crm.v_call_report WHERE agent_id IN (900001, 900002);
SELECT (SELECT sum(calls) FROM crm.v_call_report) = (SELECT count(*) FROM crm.activity WHERE kind = 'call') AS adds_up;

-- Markets.  R-069
INSERT INTO crm.deal (name, stage_id, amount, company_id, created_at, closed_at, loss_reason_id)
SELECT 'Market', crm.stage_id(crm.pipeline_id('Course'), stage), amount, company, now() - ago, now() - ago, CASE stage WHEN 'Lost' THEN 1 END
FROM (VALUES ('Won', 300, 900001, interval '1 month'), ('Won', 200, 900001, '14 months'), ('Lost', 50, 900002, '2 months'), ('Won', 900, 900003, '3 years')) v (stage, amount, company, ago);
SELECT territory, industry, companies, customers, revenue, revenue_before, growth_percent, win_rate FROM crm.v_market WHERE territory_id = 900001;

-- The path of a contact, whole and page by page.  R-070
SELECT at, kind, title, detail, source FROM crm.timeline(900001) WHERE source <> 'x';
WITH RECURSIVE page AS (
    SELECT 1 AS n, array_agg(t.cursor) AS cursors FROM (SELECT * FROM crm.timeline(900001, NULL, 2)) t
    UNION ALL
    SELECT p.n + 1, (SELECT array_agg(t.cursor) FROM crm.timeline(900001, p.cursors[cardinality(p.cursors)], 2) t) FROM page p WHERE p.cursors IS NOT NULL)
SELECT max(n) AS pages, array_agg(c ORDER BY n, k) = (SELECT array_agg(t.cursor) FROM crm.timeline(900001) t) AS same FROM page CROSS JOIN unnest(cursors) WITH ORDINALITY AS u (c, k);
SELECT (SELECT count(*) FROM crm.timeline(900001, count => 1000)) = (SELECT count(*) FROM crm.activity WHERE contact_id = 900001) + (SELECT count(*) FROM crm.sales_order WHERE contact_id = 900001) + (SELECT count(*) FROM crm.task WHERE contact_id = 900001)
    + (SELECT count(*) FROM crm.deal_history h WHERE h.deal_id = 900001 AND h.field IN ('*', 'stage_id')) AS no_gaps;
SELECT crm.timeline(900001, 'page 2');

-- The star: keys are unique, facts find their dimensions.  R-273
SELECT * FROM (VALUES ('dim_date', (SELECT count(*) - count(DISTINCT day) FROM crm.dim_date)), ('dim_agent', (SELECT count(*) - count(DISTINCT agent_id) FROM crm.dim_agent)), ('dim_stage', (SELECT count(*) - count(DISTINCT stage_id) FROM crm.dim_stage)),
    ('dim_company', (SELECT count(*) - count(DISTINCT company_id) FROM crm.dim_company)), ('fact_deal', (SELECT count(*) - count(DISTINCT deal_id) FROM crm.fact_deal)), ('fact_activity', (SELECT count(*) - count(DISTINCT activity_id) FROM crm.fact_activity)),
    ('fact_order', (SELECT count(*) - count(DISTINCT order_id) FROM crm.fact_order)), ('fact_stage_move', (SELECT count(*) - count(DISTINCT (deal_id, visit)) FROM crm.fact_stage_move))) v (relation, doubled);
SELECT (SELECT count(*) FROM crm.fact_deal f JOIN crm.dim_stage USING (stage_id) JOIN crm.dim_date ON day = created_on) = (SELECT count(*) FROM crm.deal WHERE deleted_at IS NULL) AS deals,
       (SELECT count(*) FROM crm.fact_stage_move f JOIN crm.dim_stage USING (stage_id)) = (SELECT count(*) FROM crm.stage_visits() v JOIN crm.deal d ON d.id = v.deal_id WHERE d.deleted_at IS NULL) AS moves,
       (SELECT count(*) FROM crm.fact_activity) = (SELECT count(*) FROM crm.activity) AS activities, (SELECT count(*) FROM crm.fact_order) = (SELECT count(*) FROM crm.sales_order WHERE deleted_at IS NULL) AS orders;
SELECT * FROM crm.dim_date WHERE day = '2021-01-03';

-- The funnel as a picture.
UPDATE crm.stage SET name = 'Заявка <b>"1"</b> & more, much longer' WHERE name = 'A' AND pipeline_id = crm.pipeline_id('Course');
\pset format unaligned
\pset tuples_only on
SELECT crm.funnel_chart('Course');
SELECT crm.funnel_chart('Course', width => 60);
SELECT crm.funnel_chart('Course', 'svg');
SELECT xml_is_well_formed_document(crm.funnel_chart('Course', 'svg', 1000)), xml_is_well_formed_document(crm.funnel_chart('Sales', 'svg'));
\pset format aligned
\pset tuples_only off
SELECT crm.short_number(n) FROM unnest('{0,9999.4,12345,999950,3999999,2500000000}'::numeric[]) n;
SELECT crm.funnel_chart('Nothing');
SELECT crm.funnel_chart('Course', 'png');
SELECT crm.funnel_chart('Course', width => 10);

-- The quarter is counted again after a reorganisation: nothing of it is different.  R-271
INSERT INTO crm.employee_position (agent_id, team_id, valid) SELECT a.id, a.team_id, '[2019-01-01,)' FROM crm.agent a WHERE a.id BETWEEN 900001 AND 900003;
CREATE FUNCTION pg_temp.quarter() RETURNS TABLE (report text, line text) LANGUAGE sql AS $$
    SELECT 'kpi', concat_ws(' ', m.agent, m.team, m.won_amount, m.win_rate, m.points, m.rank) FROM crm.manager_kpi('[2020-01-01,2020-04-01)') m
    UNION ALL SELECT 'leaderboard', concat_ws(' ', l.rank, l.agent, l.team, l.fair_value) FROM crm.leaderboard('won_amount', '[2020-01-01,2020-04-01)') l
    UNION ALL SELECT 'goal', concat_ws(' ', g.goal_id, g.team, g.actual) FROM crm.goal_progress() g WHERE g.period <@ '[2020-01-01,2020-04-01)'::daterange
$$;
SELECT report, line FROM pg_temp.quarter() WHERE report <> 'goal' AND line ~ 'Anna|Boris|Clara' OR report = 'goal' ORDER BY 1, 2;
CREATE TEMPORARY TABLE quarter AS SELECT * FROM pg_temp.quarter();
-- Anna and Clara change teams, Boris leaves, Gleb comes.
UPDATE crm.employee_position SET valid = '[2019-01-01,2020-05-01)' WHERE agent_id BETWEEN 900001 AND 900003;
INSERT INTO crm.employee_position (agent_id, team_id, valid) VALUES (900001, 900002, '[2020-05-01,)'), (900003, 900001, '[2020-05-01,)');
UPDATE crm.agent SET team_id = CASE id WHEN 900001 THEN 900002 ELSE 900001 END WHERE id IN (900001, 900003);
UPDATE crm.agent SET active = false WHERE id = 900002;
INSERT INTO crm.agent (id, name, team_id) VALUES (900021, 'Gleb', 900001);
SELECT count(*) AS differ FROM ((TABLE quarter EXCEPT SELECT * FROM pg_temp.quarter()) UNION ALL (SELECT * FROM pg_temp.quarter() EXCEPT TABLE quarter)) x;
SELECT agent, team FROM crm.manager_kpi('[2020-07-01,2020-08-01)') WHERE agent_id BETWEEN 900001 AND 900003 ORDER BY agent;
-- Who changes within a period brings to each team what was done there: Anna won 550 until the 12th, 1000 since then.
UPDATE crm.employee_position SET valid = '[2019-01-01,2020-03-12)' WHERE agent_id = 900001 AND team_id = 900001;
UPDATE crm.employee_position SET valid = '[2020-03-12,)' WHERE agent_id = 900001 AND team_id = 900002;
SELECT a.name, t.name AS team, m.value FROM crm.team_measures('[2020-03-01,2020-04-01)') m JOIN crm.agent a ON a.id = m.agent_id LEFT JOIN crm.team t ON t.id = m.team_id
WHERE m.measure = 'won_amount' AND m.agent_id BETWEEN 900001 AND 900003 ORDER BY 1, 2;
ROLLBACK;
