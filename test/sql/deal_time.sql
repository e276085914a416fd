-- Deals and time: past states by effect, what changed, stays, conversion,
-- promises, rates kept.  What was recorded when is in test/t/096_deal_time_property.pl.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET datestyle = ISO;
SET timezone = 'UTC';
SET intervalstyle = postgres;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
INSERT INTO crm.agent (id, name) VALUES (900001, 'Anna'), (900002, 'Boris');
SELECT crm.create_pipeline('Course', '{A,B,C}', flow => 'free') > 0 AS made;
INSERT INTO crm.deal (id, name, pipeline_id, amount, created_at, close_date, owner_id)
SELECT 900000 + n, 'Deal ' || n, crm.pipeline_id('Course'), n * 100, began, promise, 900001
FROM (VALUES (1, '2026-01-01 00:00+00'::timestamptz, '2026-01-30'::date), (2, '2026-01-01 00:00+00', '2026-01-20'), (3, '2026-01-05 00:00+00', '2026-01-31'),
             (4, '2026-02-01 00:00+00', NULL), (5, '2026-02-10 00:00+00', NULL), (6, '2025-12-01 00:00+00', NULL), (7, '2026-01-02 00:00+00', NULL)) v (n, began, promise);
SELECT n, string_agg(crm.move_deal(900000 + n, stage, CASE stage WHEN 'Lost' THEN 'Price' END, at), ' ' ORDER BY at) AS course
FROM (VALUES (1, 'B', '2026-01-11 00:00+00'::timestamptz), (1, 'C', '2026-01-21 00:00+00'), (1, 'Won', '2026-01-31 00:00+00'),
             (2, 'B', '2026-01-06 00:00+00'), (2, 'Lost', '2026-01-16 00:00+00'),
             (4, 'C', '2026-02-11 00:00+00'), (4, 'Won', '2026-02-21 00:00+00'),
             (6, 'B', '2025-12-11 00:00+00'), (6, 'C', '2026-01-10 00:00+00'), (6, 'Won', '2026-01-20 00:00+00'),
             (7, 'Lost', '2026-01-12 00:00+00'), (7, 'A', '2026-01-22 00:00+00')) v (n, stage, at) GROUP BY n;
UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'B'), stage_entered_at = '2026-02-04 00:00+00', close_date = '2026-03-31' WHERE id = 900003;
-- Entered when it was won already: what it was before is not known.
INSERT INTO crm.deal (id, name, stage_id, amount, created_at, closed_at) VALUES (900008, 'Late', crm.stage_id(crm.pipeline_id('Course'), 'Won'), 800, '2026-01-03 00:00+00', '2026-01-25 00:00+00');

-- The pipeline of a day, by effect.  R-072
SELECT deal_id, stage, kind, amount, close_date, stage_entered_at, closed_at FROM crm.pipeline_as_of('2026-01-15 00:00+00', 'Course', 'effective') ORDER BY deal_id;
SELECT deal_id, stage, kind, close_date, closed_at FROM crm.pipeline_as_of('2026-02-15 00:00+00', 'Course', 'effective') ORDER BY deal_id;
-- ... which is the basis unless told.  Nothing was recorded then.
SELECT count(*) FROM crm.pipeline_as_of('2026-01-15 00:00+00', 'Course');
SELECT count(*) FROM crm.pipeline_as_of('2026-01-15 00:00+00', 'Course', 'recorded');
SELECT count(*) AS differ FROM crm.deals_as_of('2026-01-15 00:00+00') a FULL JOIN crm.deals_as_of('2026-01-15 00:00+00', 'effective') b ON a = b WHERE a IS NULL OR b IS NULL;
SELECT proname AS other FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND pg_get_function_arguments(oid) LIKE '%basis text DEFAULT%'
    AND pg_get_function_arguments(oid) NOT LIKE '%basis text DEFAULT ''effective''%';
SELECT count(*) AS differ FROM crm.deal d FULL JOIN crm.pipeline_as_of(now()) p ON p.deal_id = d.id
WHERE (d.name, d.stage_id, d.amount, d.currency, d.closed_at) IS DISTINCT FROM (p.name, p.stage_id, p.amount, p.currency, p.closed_at);

-- What changed.
SELECT deal_id, change, amount, currency FROM crm.pipeline_changes('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', basis => 'effective') ORDER BY deal_id, change;
SELECT position, change, deals, amount, currency FROM crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', basis => 'effective');
-- A period has its first moment and not its last: lost on the 12th, won on the 20th.
SELECT deal_id, change, amount FROM crm.pipeline_changes('2026-01-12 00:00+00', '2026-01-20 00:00+00', 'Course', basis => 'effective') ORDER BY deal_id, change;
SELECT deal_id, change, amount FROM crm.pipeline_changes('2026-01-20 00:00+00', '2026-01-22 00:00+00', 'Course', basis => 'effective') ORDER BY deal_id, change;
SELECT change, deals, amount FROM crm.pipeline_waterfall('2026-01-12 00:00+00', '2026-01-20 00:00+00', 'Course', basis => 'effective');
SELECT change, deals, amount FROM crm.pipeline_waterfall('2026-01-20 00:00+00', '2026-01-22 00:00+00', 'Course', basis => 'effective');
-- ... of what was promised for January, and for March.
SELECT change, deals, amount FROM crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', '[2026-01-01,2026-02-01)', 'effective');
SELECT change, deals, amount FROM crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', '[2026-03-01,2026-04-01)', 'effective');
SELECT sum(amount) FILTER (WHERE change <> 'closing') = sum(amount) FILTER (WHERE change = 'closing') AS adds_up FROM crm.v_pipeline_waterfall;
-- ... of one agent or a team: what is handed over comes in and goes out.
SAVEPOINT owners;
INSERT INTO crm.team (id, name) VALUES (900001, 'Regress north');
UPDATE crm.agent SET team_id = 900001 WHERE id = 900002;
SET LOCAL crm.effective_at = '2026-02-01 00:00+00';
UPDATE crm.deal SET owner_id = 900002, amount = 350 WHERE id = 900003;
UPDATE crm.deal SET owner_id = 900002 WHERE id = 900005;
SELECT deal_id, owner, change, amount FROM crm.pipeline_changes('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', owner => 'boris') ORDER BY deal_id, change;
SELECT change, deals, amount FROM crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', team => 'Regress north');
SELECT change, deals, amount FROM crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', owner => 'Anna');
SELECT count(*) FROM crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', owner => 'Anna', team => 'Regress north');
-- Each by itself, and nobody, make up all.
SELECT count(*) AS differ
FROM (SELECT sum(amount) AS amount, sum(deals) AS deals FROM crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course') WHERE change = 'closing') a,
     (SELECT sum(w.amount) AS amount, sum(w.deals) AS deals FROM unnest('{Anna,Boris}'::text[]) o, crm.pipeline_waterfall('2026-01-15 00:00+00', '2026-02-15 00:00+00', 'Course', owner => o) w WHERE w.change = 'closing') b,
     (SELECT coalesce(sum(d.amount), 0) AS amount, count(*) AS deals FROM crm.pipeline_as_of(timestamptz '2026-02-15 00:00+00' - interval '1 microsecond', 'Course') d WHERE d.kind = 'open' AND d.owner_id IS NULL) c
WHERE (a.amount, a.deals) <> (b.amount + c.amount, b.deals + c.deals);
SELECT crm.pipeline_waterfall('2026-01-15 00:00+00', owner => 'Nobody at all');
SELECT crm.pipeline_waterfall('2026-01-15 00:00+00', team => 'No team at all');
ROLLBACK TO owners;

-- The two answers of conversion.  R-063
SELECT stage, entered, advanced, won, lost, open, moved, conversion_to_next AS next, conversion_to_win AS win, median_time
FROM crm.funnel_conversion('Course', 'cohort', '2026-01-01 00:00+00', '2026-02-01 00:00+00', '2026-03-01 00:00+00');
SELECT stage, entered, advanced, won, lost, open, moved, conversion_to_next AS next, conversion_to_win AS win, median_time
FROM crm.funnel_conversion('Course', 'snapshot', '2026-01-01 00:00+00', '2026-02-01 00:00+00', '2026-03-01 00:00+00');
SELECT stage, entered, won FROM crm.funnel_conversion('Course', owner => 'Boris');
SELECT crm.funnel_conversion('Course', 'slice');
SELECT crm.funnel_conversion('Nothing');

-- How long deals stay.
SELECT visit, stage, kind, entered_at, left_at, is_current, justify_hours(duration) AS duration, business_duration FROM crm.stage_durations(900007, as_of => '2026-02-01 00:00+00');
SELECT visit, stage, entered_at, left_at, is_current, next_stage, owner FROM crm.v_stage_duration WHERE deal_id = 900001 ORDER BY visit;
SELECT justify_hours(sum(duration)) = '30 days' AS whole FROM crm.v_stage_duration WHERE deal_id = 900001 AND kind = 'open';
-- ... in working time: five days of nine hours a week, and a holiday.
SELECT crm.create_calendar('office', 'Mo-Fr 09:00-18:00', 'UTC', 'The office');
SELECT crm.set_business_day('office', '2026-01-13', 'closed');
SELECT visit, stage, business_duration FROM crm.stage_durations(900001, 'office', '2026-02-01 00:00+00');

-- "Tomorrow": three promises put off, one by another owner, one kept early.  R-061
INSERT INTO crm.deal (id, name, close_date, owner_id, created_at) VALUES (900011, 'Tomorrow', '2026-02-01', 900001, '2026-01-01 00:00+00'), (900012, 'Handed over', NULL, 900002, '2026-01-01 00:00+00'),
    (900013, 'Punctual', '2026-02-20', 900002, '2026-01-01 00:00+00');
UPDATE crm.deal SET close_date = '2026-02-11' WHERE id = 900011;
UPDATE crm.deal SET close_date = '2026-03-01' WHERE id = 900011;
UPDATE crm.deal SET close_date = '2026-02-25' WHERE id = 900011;
UPDATE crm.deal SET close_date = '2026-03-10' WHERE id = 900011;
UPDATE crm.deal SET close_date = '2026-02-01' WHERE id = 900012;
UPDATE crm.deal SET close_date = '2026-02-08' WHERE id = 900012;
UPDATE crm.deal SET close_date = '2026-02-09', owner_id = 900001 WHERE id = 900012;
UPDATE crm.deal SET close_date = '2026-02-19' WHERE id = 900012;
SELECT crm.allow_transition('Sales', 'New', 'Won') > 0 AS allowed;
SELECT crm.win_deal(900011, 10, '2026-03-12 00:00+00'), crm.win_deal(900013, 10, '2026-02-10 00:00+00');
SELECT deal_id, owner_id, old_date, new_date, days FROM crm.deal_pushes() WHERE deal_id > 900010 ORDER BY deal_id, new_date;
SELECT deal_id, first_promise, promise, pushes, days_slipped, is_won_late FROM crm.v_deal_slippage WHERE deal_id > 900000 ORDER BY deal_id;
SELECT owner, deals, pushes, deals_pushed, pushes_per_deal, days_slipped, average_days_slipped, wins, wins_late FROM crm.v_slippage WHERE owner_id IN (900001, 900002) ORDER BY owner;
SELECT (SELECT sum(pushes) FROM crm.v_slippage) = (SELECT sum(pushes) FROM crm.v_deal_slippage) AS pushes_add_up, (SELECT sum(days_slipped) FROM crm.v_slippage) = (SELECT sum(days_slipped) FROM crm.v_deal_slippage) AS days_add_up;

-- The rate of the close stays.
UPDATE crm.base_currency SET code = 'USD';
DELETE FROM crm.fx_rate;
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2026-01-01', 1.10), ('EUR', 'USD', '2026-03-01', 1.20);
INSERT INTO crm.deal (id, name, stage_id, amount, currency, created_at, closed_at) SELECT id, 'Foreign', crm.stage_id(crm.pipeline_id('Course'), 'Won'), 100, currency, closed_at, closed_at
FROM (VALUES (900021, 'EUR', '2026-02-01 00:00+00'::timestamptz), (900022, 'EUR', '2026-03-05 00:00+00'), (900023, 'GBP', '2026-02-01 00:00+00'), (900024, 'USD', '2026-02-01 00:00+00')) v (id, currency, closed_at);
INSERT INTO crm.deal (id, name, pipeline_id, amount, currency, created_at) VALUES (900025, 'Foreign', crm.pipeline_id('Course'), 100, 'EUR', '2026-01-01 00:00+00');
SELECT crm.win_deal(900025, as_of => '2026-02-20 00:00+00');
SELECT deal_id, currency, base, closed_at, rate FROM crm.deal_rate WHERE deal_id > 900020 ORDER BY deal_id;
UPDATE crm.fx_rate SET rate = 1.50 WHERE currency = 'EUR';
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('GBP', 'USD', '2026-01-15', 1.30);
SELECT deal_id, rate FROM crm.deal_rate WHERE deal_id > 900020 ORDER BY deal_id;
SELECT crm.deal_base_amount(100, 'EUR', '2026-02-01 00:00+00'), crm.deal_base_amount(100, 'JPY');
-- Another currency, reopened, closed anew, another base.
UPDATE crm.deal SET currency = 'GBP' WHERE id = 900021;
SELECT crm.move_deal(900025, 'A') AS reopened;
SELECT deal_id, currency, rate FROM crm.deal_rate WHERE deal_id IN (900021, 900025) ORDER BY deal_id;
SELECT crm.win_deal(900025) AS won_again;
SELECT deal_id, rate FROM crm.deal_rate WHERE deal_id = 900025;
UPDATE crm.base_currency SET code = 'EUR';
SELECT deal_id, base, rate FROM crm.deal_rate WHERE deal_id IN (900022, 900024) ORDER BY deal_id;
-- Nobody but the triggers writes it, whoever moves the deal.
CREATE ROLE regress_crm_mover;
GRANT SELECT, UPDATE ON crm.deal TO regress_crm_mover;
SET LOCAL ROLE regress_crm_mover;
UPDATE crm.deal SET closed_at = '2026-02-02 00:00+00' WHERE id = 900024;
UPDATE crm.deal_rate SET rate = 1;
RESET ROLE;
SELECT closed_at FROM crm.deal_rate WHERE deal_id = 900024;

-- Refused.
SELECT * FROM crm.pipeline_as_of(now(), 'Nothing');
SELECT * FROM crm.pipeline_as_of(now(), basis => 'guessed');
SELECT * FROM crm.pipeline_changes(now(), now(), basis => 'guessed');
SELECT * FROM crm.pipeline_waterfall(now(), now(), 'Nothing');
ROLLBACK;

-- A report about March uses March's stages: configuration of a past moment needs transactions of their own.  R-271
SELECT crm.create_pipeline('Regress', '{A,B,C}', flow => 'free') AS pipeline \gset
SELECT crm.stage_id(:pipeline, 'A') AS a, crm.stage_id(:pipeline, 'B') AS b, crm.stage_id(:pipeline, 'C') AS c \gset
UPDATE crm.stage SET probability = CASE id WHEN :a THEN 0.1 WHEN :b THEN 0.2 ELSE 0.3 END WHERE id IN (:a, :b, :c);
INSERT INTO crm.deal (id, name, stage_id, amount, probability, close_date) VALUES (900101, 'In A', :a, 100, NULL, '2099-01-15'), (900102, 'In B', :b, 200, NULL, '2099-01-15'),
    (900103, 'In C', :c, 400, NULL, '2099-01-15'), (900104, 'Sure', :c, 800, 0.9, '2099-01-15');
SELECT crm.move_deal(900101, 'B'), crm.move_deal(900101, 'A');
CREATE FUNCTION pg_temp.report(as_of timestamptz) RETURNS TABLE (report text, line text) LANGUAGE sql AS $$
    SELECT 'pipeline', concat_ws(' ', d.deal_id, d.pipeline, d.stage, d.probability) FROM crm.pipeline_as_of(as_of) d WHERE d.deal_id BETWEEN 900101 AND 900104
    UNION ALL SELECT 'effective', concat_ws(' ', d.deal_id, d.pipeline, d.stage, d.probability) FROM crm.pipeline_as_of(as_of, basis => 'effective') d WHERE d.deal_id BETWEEN 900101 AND 900104
    UNION ALL SELECT 'changes', concat_ws(' ', c.deal_id, c.pipeline, c.change, c.amount) FROM crm.pipeline_changes('-infinity', as_of) c WHERE c.deal_id BETWEEN 900101 AND 900104
    UNION ALL SELECT 'funnel', concat_ws(' ', f.position, f.stage, f.entered, f.advanced, f.open) FROM crm.funnel_conversion((SELECT p.name FROM crm.pipeline p WHERE p.name LIKE 'Regress%'), as_of => as_of) f
    UNION ALL SELECT 'chart', b.place || ' ' || b.stage FROM crm.funnel_bars((SELECT p.name FROM crm.pipeline p WHERE p.name LIKE 'Regress%'), as_of, 'recorded') b
    UNION ALL SELECT 'forecast', concat_ws(' ', f.pipeline, f.stage, f.factor, f.expected_amount) FROM crm.forecast_deals('[2099-01-01,2099-02-01)', 'weighted', as_of) f WHERE f.deal_id BETWEEN 900101 AND 900104
    UNION ALL SELECT 'visits', concat_ws(' ', 900102, v.stage) FROM crm.stage_durations(900102, as_of => as_of) v
$$;
SELECT clock_timestamp() AS march \gset
SELECT * FROM pg_temp.report(:'march') ORDER BY report, line;
CREATE TEMPORARY TABLE earlier AS SELECT * FROM pg_temp.report(:'march');
-- Renamed, in another order, of other probability, two merged into one, one more.
UPDATE crm.pipeline SET name = 'Regress new' WHERE id = :pipeline;
UPDATE crm.stage s SET name = CASE s.id WHEN :a THEN 'Alpha' ELSE s.name END, probability = 0.5, position = 3 - o.place
FROM (VALUES (:a, 1), (:b, 2)) o (id, place) WHERE s.id = o.id;
SELECT crm.merge_stages('Regress new', 'C', 'B') AS moved;
INSERT INTO crm.stage (pipeline_id, name, position, probability) VALUES (:pipeline, 'D', 20, 0.9);
SELECT count(*) AS differ FROM ((TABLE earlier EXCEPT SELECT * FROM pg_temp.report(:'march')) UNION ALL (SELECT * FROM pg_temp.report(:'march') EXCEPT TABLE earlier)) x;
SELECT * FROM pg_temp.report(clock_timestamp()) ORDER BY report, line;
-- A merged stage counts as its successor: who was ever at either entered that one.
SELECT f.entered = (SELECT count(DISTINCT h.deal_id) FROM crm.deal_history h
                    WHERE coalesce(CASE h.field WHEN '*' THEN h.new_value -> 'stage_id' WHEN 'stage_id' THEN h.new_value END, '0')::bigint IN (:b, :c)) AS entered
FROM crm.funnel_conversion('Regress new') f WHERE f.stage_id = :b;
-- ... from history: of the moment before the refresh as it was then, since then as it was refreshed.
UPDATE crm.pipeline SET probability_from = 'history', probability_sample = 1 WHERE id = :pipeline;
INSERT INTO crm.deal (id, name, stage_id) VALUES (900105, 'Gone', :b), (900106, 'Got', :b);
SELECT crm.lose_deal(900105, 'Price'), crm.win_deal(900106);
SELECT clock_timestamp() AS april \gset
INSERT INTO crm.deal (id, name, stage_id) VALUES (900107, 'Got', :b);
SELECT crm.win_deal(900107);
SELECT crm.refresh_stage_win_rates() > 0 AS refreshed;
SELECT deal_id, stage, probability FROM crm.pipeline_as_of(:'april') WHERE deal_id BETWEEN 900101 AND 900104 ORDER BY deal_id;
SELECT count(*) AS differ FROM crm.pipeline_as_of(clock_timestamp()) d JOIN crm.v_deal v ON v.deal_id = d.deal_id AND (v.stage, v.pipeline, v.kind, v.probability) IS DISTINCT FROM (d.stage, d.pipeline, d.kind, d.probability);
SELECT deal_id, stage, probability FROM crm.pipeline_as_of(clock_timestamp()) WHERE deal_id BETWEEN 900101 AND 900104 ORDER BY deal_id;
-- One probability of a deal, whoever tells it.
SELECT v.deal_id, v.probability, f.probability = v.probability AS fact, p.probability = v.probability AS priority, a.probability = v.probability AS pipeline, c.factor = v.probability AS forecast,
       (SELECT e.value FROM crm.explain_deal_priority(v.deal_id) e WHERE e.part = 'probability') = v.probability AS explained
FROM crm.v_deal v JOIN crm.fact_deal f ON f.deal_id = v.deal_id JOIN crm.v_deal_priority p ON p.deal_id = v.deal_id
JOIN crm.pipeline_as_of(clock_timestamp()) a ON a.deal_id = v.deal_id JOIN crm.forecast_deals('[2099-01-01,2099-02-01)', 'weighted', clock_timestamp()) c ON c.deal_id = v.deal_id
WHERE v.deal_id BETWEEN 900101 AND 900104 ORDER BY v.deal_id;
SELECT t.weighted_amount = p.weighted_amount AS total, p.weighted_amount = (SELECT sum(v.weighted_amount) FROM crm.v_deal v WHERE v.stage_id = p.stage_id) AS deals
FROM crm.v_pipeline p JOIN crm.v_pipeline_total t USING (stage_id, currency) WHERE p.stage_id = :b;
-- Nothing stays.
SET session_replication_role = replica;
DELETE FROM crm.deal WHERE id > 900000;
DELETE FROM crm.deal_history WHERE deal_id > 900000;
DELETE FROM crm.deal_rate WHERE deal_id > 900000;
DELETE FROM crm.stage_win_rate;
DELETE FROM crm.stage_transition t USING crm.stage s WHERE s.id = t.to_stage_id AND s.pipeline_id = :pipeline;
DELETE FROM crm.stage WHERE pipeline_id = :pipeline;
DELETE FROM crm.pipeline WHERE id = :pipeline;
DELETE FROM crm.stage_history WHERE pipeline_id = :pipeline;
RESET session_replication_role;
