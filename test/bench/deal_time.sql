-- The pipeline of a past moment: from the deals back through the later changes,
-- beside replaying the whole history with a window function, which is what one
-- would write without us.  ROWS deals with ten entries of history each.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE TABLE result (n serial, what text, variant text, seconds numeric);

-- A year of history, in the order of time, as it is written: each deal is
-- made, its amount changes four times, its promise three times, it moves twice.
INSERT INTO crm.agent (id, name) SELECT i, 'Agent ' || i FROM generate_series(1, 50) i;
ALTER TABLE crm.deal DISABLE TRIGGER USER;
ALTER TABLE crm.deal_history DISABLE TRIGGER USER;
INSERT INTO crm.deal (id, name, pipeline_id, stage_id, owner_id, amount, currency, close_date, stage_entered_at, created_at)
SELECT i, 'Deal ' || i, 1, 3, 1 + i % 50, i % 1000 + 4, 'USD', date '2026-04-04', timestamptz '2025-12-31 00:00+00', timestamptz '2025-01-01 00:00+00' + i * interval '1 second'
FROM generate_series(1, :rows) i;
INSERT INTO crm.deal_history (deal_id, field, old_value, new_value, changed_at, effective_at, actor, role)
SELECT e.deal_id, e.field, e.old_value, e.new_value, e.at, e.at, 'bench', 'bench'
FROM (SELECT i AS deal_id, k, CASE WHEN k = 0 THEN '*' ELSE (ARRAY['amount', 'close_date', 'amount', 'stage_id', 'amount', 'close_date', 'stage_id', 'close_date', 'amount'])[k] END AS field,
             CASE WHEN k IN (1, 3, 5, 9) THEN to_jsonb(i % 1000 + v - 1) WHEN k IN (4, 7) THEN to_jsonb(v) WHEN k > 0 THEN to_jsonb(date '2026-04-01' + v - 1) END AS old_value,
             CASE WHEN k = 0 THEN jsonb_build_object('id', i, 'name', 'Deal ' || i, 'pipeline_id', 1, 'stage_id', 1, 'owner_id', 1 + i % 50, 'amount', i % 1000, 'currency', 'USD',
                                                     'close_date', date '2026-04-01', 'attrs', '{}'::jsonb, 'created_by', 'bench', 'created_at', timestamptz '2025-01-01 00:00+00' + i * interval '1 second')
                  WHEN k IN (1, 3, 5, 9) THEN to_jsonb(i % 1000 + v) WHEN k IN (4, 7) THEN to_jsonb(v + 1) ELSE to_jsonb(date '2026-04-01' + v) END AS new_value,
             timestamptz '2025-01-01 00:00+00' + (k * 36 + hashint8(i * 10 + k) % 18 + 18) * interval '1 day' + i % 86400 * interval '1 second' AS at
      FROM generate_series(1, :rows) i, LATERAL (SELECT k, CASE k WHEN 3 THEN 2 WHEN 5 THEN 3 WHEN 9 THEN 4 WHEN 6 THEN 2 WHEN 8 THEN 3 WHEN 7 THEN 2 ELSE 1 END AS v FROM generate_series(0, 9) k) k) e
ORDER BY e.at, e.deal_id;
ALTER TABLE crm.deal ENABLE TRIGGER USER;
ALTER TABLE crm.deal_history ENABLE TRIGGER USER;
VACUUM ANALYZE crm.deal;
VACUUM ANALYZE crm.deal_history;
SELECT (SELECT count(*) FROM crm.deal) AS deals, (SELECT count(*) FROM crm.deal_history) AS entries, max(changed_at) AS latest,
       max(changed_at) - interval '1 day' AS day, max(changed_at) - interval '7 days' AS week, max(changed_at) - interval '1 month' AS month, max(changed_at) - interval '6 months' AS half
FROM crm.deal_history \gset
\echo :deals deals, :entries entries; the latest of :latest

-- The values of a moment from the latest entry of each column.
CREATE FUNCTION replay(at timestamptz) RETURNS TABLE (deal_id bigint, stage_id bigint, owner_id bigint, amount numeric, currency text, close_date date)
LANGUAGE sql STABLE AS $$
    SELECT r.deal_id, coalesce(max(r.value) FILTER (WHERE r.field = 'stage_id'), max(r.whole ->> 'stage_id'))::bigint,
           coalesce(max(r.value) FILTER (WHERE r.field = 'owner_id'), max(r.whole ->> 'owner_id'))::bigint,
           coalesce(max(r.value) FILTER (WHERE r.field = 'amount'), max(r.whole ->> 'amount'))::numeric,
           coalesce(max(r.value) FILTER (WHERE r.field = 'currency'), max(r.whole ->> 'currency')),
           coalesce(max(r.value) FILTER (WHERE r.field = 'close_date'), max(r.whole ->> 'close_date'))::date
    FROM (SELECT h.deal_id, h.field, CASE WHEN h.field <> '*' THEN h.new_value #>> '{}' END AS value, CASE WHEN h.field = '*' THEN h.new_value END AS whole,
                 row_number() OVER (PARTITION BY h.deal_id, h.field ORDER BY h.id DESC) AS place
          FROM crm.deal_history h WHERE h.changed_at <= $1) r
    WHERE r.place = 1 GROUP BY r.deal_id $$;

CREATE PROCEDURE measure(what text, variant text, statement text, rounds integer DEFAULT 3) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
    best numeric;
BEGIN
    FOR round IN 1 .. rounds LOOP
        began := clock_timestamp();
        EXECUTE statement;
        best := least(best, extract(epoch FROM clock_timestamp() - began));
    END LOOP;
    INSERT INTO result (what, variant, seconds) VALUES (what, variant, round(best, 3));
END $$;

SELECT count(*) AS differ FROM (
    (SELECT deal_id, stage_id, owner_id, amount, currency, close_date FROM replay(:'month')
     EXCEPT SELECT deal_id, stage_id, owner_id, amount, currency, close_date FROM crm.pipeline_as_of(:'month'))
    UNION ALL (SELECT deal_id, stage_id, owner_id, amount, currency, close_date FROM crm.pipeline_as_of(:'month')
     EXCEPT SELECT deal_id, stage_id, owner_id, amount, currency, close_date FROM replay(:'month'))) x \gset
\echo deals on which the two disagree: :differ
\set head 'SELECT sum(amount), sum(stage_id), max(close_date), sum(owner_id), max(currency) FROM '
SELECT format('CALL measure(%L, %L, %L, %s)', what, variant, :'head' || format(call, at), CASE WHEN variant LIKE 'pipeline_as_of%' THEN 3 ELSE 1 END)
FROM (VALUES (1, 'a day ago', :'day'), (2, 'a week ago', :'week'), (3, 'a month ago', :'month'), (4, 'half a year ago', :'half')) v (n, what, at),
     (VALUES ('pipeline_as_of', 'crm.pipeline_as_of(%L)'), ('pipeline_as_of, recorded', 'crm.pipeline_as_of(%L, basis => ''recorded'')'), ('replay by window function', 'replay(%L)')) w (variant, call)
ORDER BY n, variant \gexec
SELECT format('CALL measure(%L, %L, %L, 3)', 'the week''s waterfall', 'pipeline_waterfall', format('SELECT count(*) FROM crm.pipeline_waterfall(%L, %L)', :'week', :'latest')) \gexec
SELECT 'CALL measure(''slippage'', ''v_slippage'', ''SELECT sum(pushes) FROM crm.v_slippage'', 3)' \gexec
\echo seconds, the best of three (of the replay one)
SELECT what, variant, seconds, round(seconds / first_value(seconds) OVER (PARTITION BY what ORDER BY n), 1) AS ratio FROM result ORDER BY n;
