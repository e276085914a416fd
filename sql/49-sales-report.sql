/* ------------------------------------------------------------------
 * Reports: indicators of employees, goals, priorities, what to expect of a
 * change, losses, the path of a contact, the funnel as a picture.
 *
 * Days begin in UTC; amounts are in the base currency, of closed deals by the
 * rate kept at the close.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.sales_measures(OUT measure text, OUT description text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 25
SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('new_deals', 'Deals that began'), ('won_deals', 'Deals won'), ('lost_deals', 'Deals lost'), ('closed_deals', 'Deals won or lost'),
           ('won_amount', 'Sum of the deals won, in the base currency'), ('won_priced_deals', 'Deals won of known amount and rate'),
           ('lost_amount', 'Sum of the deals lost, in the base currency'), ('cycle_days', 'Days from beginning to close of the deals won, together'),
           ('pushes', 'Times a promised date was put off'),
           ('activities', 'Activities that count as a touch'), ('calls', 'Calls'), ('call_minutes', 'Minutes of the calls, together'), ('meetings', 'Meetings'),
           ('tasks_due', 'Tasks that fell due, cancelled ones left out'), ('tasks_in_time', '... and were done by then'), ('tasks_done', 'Tasks done'),
           ('orders', 'Orders that count'), ('order_amount', 'Their sum, in the base currency'),
           ('csat_points', 'Points of the answers on satisfaction, together'), ('csat_answers', 'Answers on satisfaction'),
           ('nps_points', 'Answers of 9 and 10 less those of 6 and below'), ('nps_answers', 'Answers on recommending us'),
           ('working_days', 'Days from Monday to Friday, by crm.agent_capacity')
$$;
COMMENT ON FUNCTION crm.sales_measures() IS 'The measures of which indicators (crm.kpi) are made, with what they count.';

CREATE FUNCTION crm.kpi_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text := (SELECT m FROM unnest(ARRAY[NEW.numerator, NEW.denominator]) m
                     WHERE m IS NOT NULL AND m NOT IN (SELECT s.measure FROM crm.sales_measures() s) LIMIT 1);
BEGIN
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'there is no measure "%"', unknown
            USING ERRCODE = 'RM061', HINT = 'SELECT * FROM crm.sales_measures() lists them.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.kpi_check() IS 'Trigger on crm.kpi: refuses measures that there are not (RM061).';

CREATE FUNCTION crm.goal_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM crm.kpi k WHERE k.name = NEW.kpi) THEN
        RAISE EXCEPTION 'there is no indicator "%"', NEW.kpi
            USING ERRCODE = 'RM062', COLUMN = 'kpi',
                  HINT = (SELECT format('Indicators: %s. A row of crm.kpi makes one.', string_agg(k.name, ', ' ORDER BY k.name)) FROM crm.kpi k);
    END IF;
    IF NEW.parent_id IS NOT NULL AND EXISTS (
        WITH RECURSIVE above AS (
            SELECT NEW.parent_id AS id
            UNION SELECT g.parent_id FROM above a JOIN crm.sales_goal g ON g.id = a.id WHERE g.parent_id IS NOT NULL)
        SELECT FROM above WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'goal % would be part of itself', NEW.id
            USING ERRCODE = 'RM060', DETAIL = format('Its parent would be %s.', NEW.parent_id), HINT = 'Choose another parent_id.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.goal_check() IS 'Trigger on crm.sales_goal: refuses a goal that would be part of itself (RM060) or of an indicator that there is not (RM062).';

/* Indicators. */

CREATE FUNCTION crm.team_measures(period daterange, pipeline_id bigint DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT agent_id bigint, OUT team_id bigint, OUT measure text, OUT value numeric)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 500
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
    WITH span AS MATERIALIZED (
        SELECT lower(p.days)::timestamp AT TIME ZONE 'UTC' AS from_at, least(upper(p.days)::timestamp AT TIME ZONE 'UTC', as_of) AS to_at
        FROM (SELECT crm.bounded_period($1) AS days) p
    ), own AS (
        SELECT d.owner_id, d.closed_at AS at, m.measure, m.value
        FROM span CROSS JOIN crm.fact_deal d
        CROSS JOIN LATERAL (VALUES ('won_deals', CASE WHEN d.kind = 'won' THEN 1 END), ('lost_deals', CASE WHEN d.kind = 'lost' THEN 1 END), ('closed_deals', 1),
            ('won_amount', CASE WHEN d.kind = 'won' THEN d.base_amount END), ('won_priced_deals', CASE WHEN d.kind = 'won' AND d.base_amount IS NOT NULL THEN 1 END),
            ('lost_amount', CASE WHEN d.kind = 'lost' THEN d.base_amount END), ('cycle_days', CASE WHEN d.kind = 'won' THEN d.cycle_days END)) AS m (measure, value)
        WHERE d.closed_at >= span.from_at AND d.closed_at < span.to_at AND ($2 IS NULL OR d.pipeline_id = $2)
        UNION ALL
        SELECT d.owner_id, d.created_at, 'new_deals', 1 FROM span CROSS JOIN crm.deal d
        WHERE d.deleted_at IS NULL AND d.created_at >= span.from_at AND d.created_at < span.to_at AND ($2 IS NULL OR d.pipeline_id = $2)
        UNION ALL
        SELECT u.owner_id, u.pushed_at, 'pushes', 1 FROM span CROSS JOIN LATERAL crm.deal_pushes(span.from_at, span.to_at) u
        WHERE $2 IS NULL OR EXISTS (SELECT FROM crm.deal d WHERE d.id = u.deal_id AND d.pipeline_id = $2)
        UNION ALL
        SELECT a.agent_id, a.occurred_at, m.measure, m.value
        FROM span CROSS JOIN crm.activity a
        JOIN crm.interaction_type t ON t.name = a.kind
        CROSS JOIN LATERAL (VALUES ('activities', CASE WHEN t.is_touch THEN 1 END), ('calls', CASE WHEN a.kind = 'call' THEN 1 END),
            ('call_minutes', CASE WHEN a.kind = 'call' THEN round(extract(epoch FROM a.duration) / 60, 2) END), ('meetings', CASE WHEN a.kind = 'meeting' THEN 1 END)) AS m (measure, value)
        WHERE a.occurred_at >= span.from_at AND a.occurred_at < span.to_at
          AND ($2 IS NULL OR EXISTS (SELECT FROM crm.deal d WHERE d.id = a.deal_id AND d.pipeline_id = $2))
        UNION ALL
        SELECT k.assignee_id, m.at, m.measure, m.value
        FROM span CROSS JOIN crm.task k
        CROSS JOIN LATERAL (VALUES (k.due_at, 'tasks_due', CASE WHEN k.status <> 'cancelled' AND k.due_at >= span.from_at AND k.due_at < span.to_at THEN 1 END),
            (k.due_at, 'tasks_in_time', CASE WHEN k.status = 'done' AND k.done_at <= k.due_at AND k.due_at >= span.from_at AND k.due_at < span.to_at THEN 1 END),
            (k.done_at, 'tasks_done', CASE WHEN k.status = 'done' AND k.done_at >= span.from_at AND k.done_at < span.to_at THEN 1 END)) AS m (at, measure, value)
        WHERE (k.due_at >= span.from_at AND k.due_at < span.to_at OR k.done_at >= span.from_at AND k.done_at < span.to_at)
          AND ($2 IS NULL OR EXISTS (SELECT FROM crm.deal d WHERE d.id = k.deal_id AND d.pipeline_id = $2))
        UNION ALL
        SELECT o.agent_id, o.ordered_at, m.measure, m.value
        FROM span CROSS JOIN crm.sales_order o
        CROSS JOIN LATERAL (VALUES ('orders', 1), ('order_amount', o.base_amount)) AS m (measure, value)
        WHERE o.is_counted AND o.ordered_at >= span.from_at AND o.ordered_at < span.to_at
          AND ($2 IS NULL OR EXISTS (SELECT FROM crm.deal d WHERE d.id = o.deal_id AND d.pipeline_id = $2))
        UNION ALL
        SELECT s.agent_id, s.answered_at, m.measure, m.value
        FROM span CROSS JOIN crm.satisfaction s
        CROSS JOIN LATERAL (VALUES ('csat_points', CASE s.kind WHEN 'csat' THEN s.score END), ('csat_answers', CASE s.kind WHEN 'csat' THEN 1 END),
            ('nps_points', CASE WHEN s.kind = 'nps' THEN CASE WHEN s.score >= 9 THEN 1 WHEN s.score <= 6 THEN -1 ELSE 0 END END), ('nps_answers', CASE s.kind WHEN 'nps' THEN 1 END)) AS m (measure, value)
        WHERE s.answered_at >= span.from_at AND s.answered_at < span.to_at
          AND ($2 IS NULL OR EXISTS (SELECT FROM crm.deal d WHERE d.id = s.deal_id AND d.pipeline_id = $2))
        UNION ALL
        SELECT a.id, day AT TIME ZONE 'UTC', 'working_days', c.share
        FROM span CROSS JOIN crm.agent a
        CROSS JOIN LATERAL generate_series(span.from_at AT TIME ZONE 'UTC', span.to_at AT TIME ZONE 'UTC' - interval '1 microsecond', '1 day') AS day
        CROSS JOIN LATERAL (SELECT coalesce(min(w.share), 1) AS share FROM crm.agent_capacity w WHERE w.agent_id = a.id AND w.valid @> day::date) c
        WHERE extract(isodow FROM day) <= 5
          AND CASE WHEN EXISTS (SELECT FROM crm.employee_position p WHERE p.agent_id = a.id)
                   THEN EXISTS (SELECT FROM crm.employee_position p WHERE p.agent_id = a.id AND p.valid && tstzrange(day AT TIME ZONE 'UTC', (day + interval '1 day') AT TIME ZONE 'UTC'))
                   ELSE a.active END
    ), placed AS (
        -- As crm.team_as_of(): who has no position is in the team of today.
        SELECT a.id AS agent_id, a.team_id, tstzrange(NULL, NULL) AS valid FROM crm.agent a WHERE NOT EXISTS (SELECT FROM crm.employee_position p WHERE p.agent_id = a.id)
        UNION ALL
        SELECT p.agent_id, p.team_id, p.valid FROM crm.employee_position p
    )
    SELECT own.owner_id, t.team_id, own.measure, sum(own.value)
    FROM own LEFT JOIN placed t ON t.agent_id = own.owner_id AND t.valid @> own.at
    WHERE own.value IS NOT NULL GROUP BY 1, 2, 3
$$;
COMMENT ON FUNCTION crm.team_measures(daterange, bigint, timestamptz) IS 'The measures of crm.sales_measures() of a period, by agent (null: nobody''s) and the team in which the agent was when it happened, by crm.employee_position, as far as they lie before as_of, a row where there is something to count; of what belongs to one pipeline, or of all. Deals count for their owner, activities, tasks and orders for who did them. working_days are counted while an agent has a position; of one who has no entry there, while crm.agent.active. Errors: 22023 a period without an end.';

CREATE FUNCTION crm.agent_measures(period daterange, pipeline_id bigint DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT agent_id bigint, OUT measure text, OUT value numeric)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 500
SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.agent_id, m.measure, sum(m.value) FROM crm.team_measures($1, $2, $3) m GROUP BY 1, 2
$$;
COMMENT ON FUNCTION crm.agent_measures(daterange, bigint, timestamptz) IS 'What crm.team_measures() gives, by agent alone. Errors as there.';

CREATE FUNCTION crm.kpi_values(period daterange, as_of timestamptz DEFAULT now(), pipeline text DEFAULT NULL,
    OUT agent_id bigint, OUT agent text, OUT kpi text, OUT title text, OUT formula text, OUT value numeric, OUT unit text, OUT is_higher_better boolean, OUT weight numeric)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 500
SET search_path = pg_catalog, pg_temp AS $$
    WITH m AS MATERIALIZED (
        SELECT * FROM crm.agent_measures($1, CASE WHEN $3 IS NOT NULL THEN crm.pipeline_id($3) END, $2)
    )
    SELECT a.id, a.name, k.name, k.title,
           k.numerator || coalesce(' / ' || k.denominator, '') || CASE WHEN k.scale <> 1 THEN ' * ' || k.scale ELSE '' END,
           CASE WHEN k.denominator IS NULL THEN k.scale * coalesce(n.value, 0) ELSE round(k.scale * coalesce(n.value, 0) / nullif(d.value, 0), 4) END,
           k.unit, k.is_higher_better, k.weight
    FROM crm.agent a CROSS JOIN crm.kpi k
    LEFT JOIN m n ON n.agent_id = a.id AND n.measure = k.numerator
    LEFT JOIN m d ON d.agent_id = a.id AND d.measure = k.denominator
    -- Who was there then, whatever became of them.
    WHERE CASE WHEN EXISTS (SELECT FROM crm.employee_position p WHERE p.agent_id = a.id)
               THEN EXISTS (SELECT FROM crm.employee_position p WHERE p.agent_id = a.id AND p.valid && tstzrange(lower($1)::timestamp AT TIME ZONE 'UTC', upper($1)::timestamp AT TIME ZONE 'UTC'))
               ELSE a.active AND a.created_at < upper($1)::timestamp AT TIME ZONE 'UTC' END
       OR EXISTS (SELECT FROM m WHERE m.agent_id = a.id AND m.measure <> 'working_days')
$$;
COMMENT ON FUNCTION crm.kpi_values(daterange, timestamptz, text) IS 'Every indicator in a period of every agent who had a position then (crm.employee_position; who has no entry there: who is active, and was known by then) or did something that counts, with the formula it is counted by; value is null where there is nothing to divide by. Errors: RM004 unknown pipeline; 22023 a period without an end.';

CREATE FUNCTION crm.rating_points(period daterange, as_of timestamptz DEFAULT now(),
    OUT agent_id bigint, OUT agent text, OUT kpi text, OUT title text, OUT formula text, OUT value numeric, OUT best numeric, OUT weight numeric, OUT points numeric)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 500
SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.agent_id, v.agent, v.kpi, v.title, v.formula, v.value, v.best, v.weight,
           round(coalesce(v.weight * CASE WHEN v.is_higher_better THEN greatest(v.value, 0) / nullif(v.best, 0)
                                          WHEN v.value = v.best THEN 1 ELSE v.best / nullif(v.value, 0) END, 0) * 100, 2)
    FROM (SELECT k.*, CASE WHEN k.is_higher_better THEN greatest(max(k.value) OVER (PARTITION BY k.kpi), 0) ELSE min(k.value) OVER (PARTITION BY k.kpi) END AS best
          FROM crm.kpi_values($1, $2) k WHERE k.weight > 0) v
$$;
COMMENT ON FUNCTION crm.rating_points(daterange, timestamptz) IS 'Where the rating of employees comes from: of each indicator with a weight, 100 times the weight times the value as a share of the best one''s (where less is better, the best one''s as a share of the value); 0 where there is no value. Errors: 22023 a period without an end.';

CREATE FUNCTION crm.team_of_period(agent_id bigint, period daterange, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.name FROM crm.team t WHERE t.id = crm.team_as_of($1, least(upper($2)::timestamp AT TIME ZONE 'UTC' - interval '1 microsecond', $3))
$$;
COMMENT ON FUNCTION crm.team_of_period(bigint, daterange, timestamptz) IS 'The name of the team in which an agent was at the end of a period, or at as_of when that is earlier; null for none.';

CREATE FUNCTION crm.manager_kpi(period daterange, as_of timestamptz DEFAULT now(),
    OUT agent_id bigint, OUT agent text, OUT team text, OUT won_amount numeric, OUT won_deals numeric, OUT lost_deals numeric, OUT new_deals numeric, OUT win_rate numeric,
    OUT average_check numeric, OUT cycle numeric, OUT pushes numeric, OUT activities numeric, OUT calls numeric, OUT meetings numeric, OUT punctuality numeric,
    OUT csat numeric, OUT nps numeric, OUT points numeric, OUT rank bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
    WITH v AS (
        SELECT k.agent_id, jsonb_object_agg(k.kpi, k.value) AS of FROM crm.kpi_values($1, $2) k GROUP BY k.agent_id
    ), p AS (
        SELECT r.agent_id, sum(r.points) AS points FROM crm.rating_points($1, $2) r GROUP BY r.agent_id
    )
    SELECT a.id, a.name, crm.team_of_period(a.id, $1, $2), (v.of ->> 'won_amount')::numeric, (v.of ->> 'won_deals')::numeric, (v.of ->> 'lost_deals')::numeric, (v.of ->> 'new_deals')::numeric,
           (v.of ->> 'win_rate')::numeric, (v.of ->> 'average_check')::numeric, (v.of ->> 'cycle')::numeric, (v.of ->> 'pushes')::numeric, (v.of ->> 'activities')::numeric,
           (v.of ->> 'calls')::numeric, (v.of ->> 'meetings')::numeric, (v.of ->> 'punctuality')::numeric, (v.of ->> 'csat')::numeric, (v.of ->> 'nps')::numeric,
           coalesce(p.points, 0), rank() OVER (ORDER BY coalesce(p.points, 0) DESC)
    FROM v JOIN crm.agent a ON a.id = v.agent_id
    LEFT JOIN p ON p.agent_id = v.agent_id
    ORDER BY coalesce(p.points, 0) DESC, a.name, a.id
$$;
COMMENT ON FUNCTION crm.manager_kpi(daterange, timestamptz) IS 'The employees in a period, with the team of then (crm.team_of_period()): their indicators side by side (null for one that was removed from crm.kpi), points by the weights of crm.kpi, and rank; those of equal points share a rank. crm.rating_points() has the single points. Errors: 22023 a period without an end.';

CREATE FUNCTION crm.my_agent_id() RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.id FROM crm.agent a WHERE a.role_name = current_user
$$;
COMMENT ON FUNCTION crm.my_agent_id() IS 'The agent who works with the current role; null when there is none.';

CREATE FUNCTION crm.leaderboards(kpis text[], period daterange, as_of timestamptz,
    OUT kpi text, OUT rank bigint, OUT agent text, OUT team text, OUT value numeric, OUT working_days numeric, OUT fair_value numeric, OUT agent_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 200
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
    WITH v AS MATERIALIZED (
        SELECT * FROM crm.kpi_values($2, $3)
    ), w AS MATERIALIZED (
        SELECT m.agent_id, m.value AS days, max(m.value) OVER () AS most FROM crm.agent_measures($2, NULL, $3) m WHERE m.measure = 'working_days'
    ), fair AS (
        SELECT v.kpi, v.agent_id, v.agent, v.value, coalesce(w.days, 0) AS days, v.is_higher_better,
               CASE WHEN k.denominator IS NOT NULL THEN v.value ELSE round(v.value * w.most / nullif(w.days, 0), 4) END AS fair
        FROM v JOIN crm.kpi k ON k.name = v.kpi LEFT JOIN w ON w.agent_id = v.agent_id WHERE v.kpi = ANY ($1)
    ), team AS MATERIALIZED (
        SELECT DISTINCT f.agent_id, crm.team_of_period(f.agent_id, $2, $3) AS name FROM fair f WHERE f.fair IS NOT NULL
    )
    SELECT f.kpi, rank() OVER (PARTITION BY f.kpi ORDER BY CASE WHEN f.is_higher_better THEN - f.fair ELSE f.fair END), f.agent, t.name, f.value, f.days, f.fair, f.agent_id
    FROM fair f JOIN team t ON t.agent_id = f.agent_id
    WHERE f.fair IS NOT NULL
    ORDER BY 1, 2, f.agent, f.agent_id
$$;
COMMENT ON FUNCTION crm.leaderboards(text[], daterange, timestamptz) IS 'What crm.leaderboard() shows, of several indicators at once. Errors: 22023 a period without an end.';

CREATE FUNCTION crm.leaderboard(kpi text, period daterange DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT rank bigint, OUT agent text, OUT team text, OUT value numeric, OUT working_days numeric, OUT fair_value numeric, OUT agent_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM crm.kpi k WHERE k.name = $1) THEN
        RAISE EXCEPTION 'there is no indicator "%"', $1
            USING ERRCODE = 'RM062', HINT = (SELECT 'Indicators: ' || string_agg(k.name, ', ' ORDER BY k.name) || '.' FROM crm.kpi k);
    END IF;
    RETURN QUERY
    SELECT l.rank, l.agent, l.team, l.value, l.working_days, l.fair_value, l.agent_id
    FROM crm.leaderboards(ARRAY[$1], coalesce($2, crm.period('month', $3)), $3) l ORDER BY l.rank, l.agent, l.agent_id;
END
$$;
COMMENT ON FUNCTION crm.leaderboard(text, daterange, timestamptz) IS 'Agents by an indicator in a period (this month unless told), the best first; equal ones share a rank. Sums are made comparable: fair_value is what the agent would have reached in as many working days as who worked most, so that part time and leave do not count against anybody; quotients are compared as they are. Who did not work is not listed; team is that of the end of the period. Errors: RM062 unknown indicator; 22023 a period without an end.';

CREATE FUNCTION crm.kpi_anomalies(as_of timestamptz DEFAULT now(), months integer DEFAULT 12, deviations numeric DEFAULT 3,
    OUT agent_id bigint, OUT agent text, OUT kpi text, OUT title text, OUT value numeric, OUT mean numeric, OUT deviation numeric, OUT distance numeric, OUT months_seen bigint, OUT is_anomaly boolean)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 500
SET search_path = pg_catalog, pg_temp AS $$
    WITH month AS (
        SELECT n, daterange((m.first - make_interval(months => n))::date, (m.first - make_interval(months => n - 1))::date) AS days
        FROM (SELECT date_trunc('month', as_of AT TIME ZONE 'UTC') AS first) m, generate_series(1, $2 + 1) n
    ), v AS (
        SELECT month.n, k.* FROM month CROSS JOIN LATERAL crm.kpi_values(month.days, as_of) k WHERE k.value IS NOT NULL
    ), began AS (
        -- Months before an agent did anything are none to compare with.
        SELECT v.agent_id, max(v.n) AS n FROM v WHERE v.value > 0 GROUP BY v.agent_id
    ), past AS (
        SELECT v.agent_id, v.kpi, avg(v.value) AS mean, stddev_samp(v.value) AS deviation, count(*) AS seen
        FROM v JOIN began b ON b.agent_id = v.agent_id AND v.n <= b.n WHERE v.n > 1 GROUP BY 1, 2
    )
    SELECT v.agent_id, v.agent, v.kpi, v.title, v.value, round(p.mean, 4), round(p.deviation, 4),
           round((v.value - p.mean) / nullif(p.deviation, 0), 2), p.seen,
           p.seen >= 6 AND coalesce(abs(v.value - p.mean) > $3 * p.deviation, false)
    FROM v JOIN past p ON p.agent_id = v.agent_id AND p.kpi = v.kpi
    WHERE v.n = 1
    ORDER BY abs((v.value - p.mean) / nullif(p.deviation, 0)) DESC NULLS LAST, v.agent_id, v.kpi
$$;
COMMENT ON FUNCTION crm.kpi_anomalies(timestamptz, integer, numeric) IS 'Each indicator of each agent in the last whole month before as_of beside the agent''s own months before it, from the first in which there was anything: mean, standard deviation, distance in deviations. is_anomaly: farther off than deviations, and at least six months to compare with. The farthest first.';

/* Goals. */

CREATE FUNCTION crm.goal_progress(as_of timestamptz DEFAULT now(),
    OUT goal_id bigint, OUT parent_id bigint, OUT name text, OUT agent text, OUT team text, OUT pipeline text, OUT period daterange, OUT kpi text, OUT title text,
    OUT target numeric, OUT actual numeric, OUT gap numeric, OUT percent numeric, OUT expected_percent numeric, OUT is_on_track boolean, OUT unit text, OUT currency text,
    OUT agent_id bigint, OUT team_id bigint, OUT pipeline_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
    WITH measured AS MATERIALIZED (
        SELECT s.period, s.pipeline_id, m.* FROM (SELECT DISTINCT g.period, g.pipeline_id FROM crm.sales_goal g) s
        CROSS JOIN LATERAL crm.team_measures(s.period, s.pipeline_id, as_of) m
    ), counted AS (
        SELECT g.id, k.scale * CASE WHEN k.denominator IS NULL THEN coalesce(sum(m.value) FILTER (WHERE m.measure = k.numerator), 0)
                   ELSE sum(m.value) FILTER (WHERE m.measure = k.numerator) / nullif(sum(m.value) FILTER (WHERE m.measure = k.denominator), 0) END AS base_value
        FROM crm.sales_goal g JOIN crm.kpi k ON k.name = g.kpi
        LEFT JOIN measured m
            ON m.period = g.period AND m.pipeline_id IS NOT DISTINCT FROM g.pipeline_id
           AND (g.agent_id IS NULL OR m.agent_id = g.agent_id) AND (g.team_id IS NULL OR m.team_id = g.team_id)
        GROUP BY g.id, k.name
    )
    SELECT g.id, g.parent_id, g.name, a.name, t.name, p.name, g.period, g.kpi, k.title, g.target, v.actual, g.target - v.actual,
           round(100 * v.actual / g.target, 1), w.due, CASE WHEN k.is_higher_better THEN round(100 * v.actual / g.target, 1) >= w.due ELSE v.actual <= g.target END,
           k.unit, CASE WHEN k.unit = 'amount' THEN coalesce(g.currency, b.code) END, g.agent_id, g.team_id, g.pipeline_id
    FROM crm.sales_goal g
    JOIN crm.kpi k ON k.name = g.kpi
    JOIN counted c ON c.id = g.id
    JOIN crm.base_currency b ON b.singleton
    LEFT JOIN crm.agent a ON a.id = g.agent_id
    LEFT JOIN crm.team t ON t.id = g.team_id
    LEFT JOIN crm.pipeline p ON p.id = g.pipeline_id
    -- What was reached, in the currency of the target by the rate of the first day.
    CROSS JOIN LATERAL (SELECT round(c.base_value / CASE WHEN k.unit = 'amount' AND g.currency <> b.code
        THEN crm.exchange_rate(g.currency, lower(g.period)::timestamp AT TIME ZONE 'UTC') ELSE 1 END, 4) AS actual) v
    CROSS JOIN LATERAL (SELECT CASE WHEN k.denominator IS NOT NULL THEN 100.0 ELSE round(100 * least(greatest(
        extract(epoch FROM as_of - lower(g.period)::timestamp AT TIME ZONE 'UTC') / (86400 * (upper(g.period) - lower(g.period))), 0), 1), 1) END AS due) w
    ORDER BY lower(g.period) DESC, g.id
$$;
COMMENT ON FUNCTION crm.goal_progress(timestamptz) IS 'How far each goal is reached: actual of target, gap (target minus actual), percent, and expected_percent, the share of the period that is over (of a quotient 100). For a team counts what its members did while they were in it (crm.team_measures()). is_on_track: percent is not less, or, where less is better, actual is not above target. Amounts in another currency than the base one are compared by the rate of the first day of the period; actual is null when there is none.';

CREATE FUNCTION crm.plan_gap(owner text DEFAULT NULL, period daterange DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT owner text, OUT plan numeric, OUT won numeric, OUT weighted numeric, OUT gap numeric, OUT currency text, OUT is_total boolean, OUT owner_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
    WITH asked AS MATERIALIZED (
        SELECT coalesce($2, crm.period('month', $3)) AS days, crm.agent_id($1) AS agent_id
    ), plan AS (
        -- What is part of a goal of the same is in it.
        SELECT g.agent_id, sum(round(g.target * CASE WHEN g.currency IS NULL THEN 1 ELSE crm.exchange_rate(g.currency, lower(g.period)::timestamp AT TIME ZONE 'UTC') END, 4)) AS plan
        FROM asked q JOIN crm.sales_goal g ON g.period = q.days
        WHERE g.kpi = 'won_amount' AND g.team_id IS NULL AND g.pipeline_id IS NULL
          AND NOT EXISTS (SELECT FROM crm.sales_goal u WHERE u.id = g.parent_id AND u.period = g.period AND u.kpi = g.kpi
                          AND u.agent_id IS NOT DISTINCT FROM g.agent_id AND u.team_id IS NULL AND u.pipeline_id IS NULL)
        GROUP BY g.agent_id
    ), outlook AS (
        SELECT f.owner_id, sum(f.won_amount) AS won, sum(f.expected_amount) AS expected
        FROM asked q CROSS JOIN LATERAL crm.forecast(q.days, 'weighted', $3) f WHERE NOT f.is_total GROUP BY f.owner_id
    ), line AS (
        SELECT coalesce(p.agent_id, o.owner_id) AS id, coalesce(p.plan, 0) AS plan, coalesce(o.won, 0) AS won, coalesce(o.expected, 0) AS expected
        FROM (SELECT * FROM plan WHERE plan.agent_id IS NOT NULL) p FULL JOIN outlook o ON o.owner_id = p.agent_id
    ), answer AS (
        SELECT l.*, false AS is_total FROM asked q CROSS JOIN line l WHERE q.agent_id IS NULL OR l.id = q.agent_id
        UNION ALL
        SELECT NULL, coalesce((SELECT p.plan FROM plan p WHERE p.agent_id IS NULL), sum(l.plan), 0), coalesce(sum(l.won), 0), coalesce(sum(l.expected), 0), true
        FROM line l HAVING (SELECT q.agent_id IS NULL FROM asked q)
    )
    SELECT a.name, n.plan, n.won, n.expected, n.plan - n.won - n.expected, b.code, n.is_total, n.id
    FROM answer n
    JOIN crm.base_currency b ON b.singleton
    LEFT JOIN crm.agent a ON a.id = n.id
    ORDER BY n.is_total, 5 DESC, n.id
$$;
COMMENT ON FUNCTION crm.plan_gap(text, daterange, timestamptz) IS 'What is missing to the plan of a period (this month unless told), by agent, or of one: gap = plan (goals of won_amount of exactly that period over all pipelines) - won - weighted (what of the open deals is expected, crm.forecast(period, ''weighted'')), in the base currency. Less than 0: more than the plan. Of all there is a row without an owner for the deals that nobody has, and a total (is_total): its plan is the goal of everybody, where there is none that of the rows together; won and weighted are those of the rows. Goals of teams are in crm.goal_progress(). Errors: RM004 unknown agent; 22023 a period without an end.';

CREATE FUNCTION crm.what_if(period daterange, leads numeric DEFAULT NULL, conversion numeric DEFAULT NULL, average_check numeric DEFAULT NULL,
    pipeline text DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT scenario text, OUT leads numeric, OUT conversion numeric, OUT average_check numeric, OUT revenue numeric, OUT difference numeric, OUT currency text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    WITH m AS (
        SELECT coalesce(sum(value) FILTER (WHERE measure = 'new_deals'), 0) AS leads, sum(value) FILTER (WHERE measure = 'won_priced_deals') AS won, sum(value) FILTER (WHERE measure = 'won_amount') AS amount
        FROM crm.agent_measures($1, CASE WHEN $5 IS NOT NULL THEN crm.pipeline_id($5) END, $6)
    ), now AS (
        SELECT m.leads, coalesce(m.won / nullif(m.leads, 0), 0) AS conversion, coalesce(m.amount / nullif(m.won, 0), 0) AS average_check FROM m
    ), scenario AS (
        SELECT 1 AS place, 'as it was' AS scenario, n.leads, n.conversion, n.average_check FROM now n
        UNION ALL SELECT 2, 'leads', $2, n.conversion, n.average_check FROM now n WHERE $2 IS NOT NULL
        UNION ALL SELECT 3, 'conversion', n.leads, $3, n.average_check FROM now n WHERE $3 IS NOT NULL
        UNION ALL SELECT 4, 'average check', n.leads, n.conversion, $4 FROM now n WHERE $4 IS NOT NULL
        UNION ALL SELECT 5, 'all together', coalesce($2, n.leads), coalesce($3, n.conversion), coalesce($4, n.average_check) FROM now n
    )
    SELECT s.scenario, s.leads, round(s.conversion, 4), round(s.average_check, 2), round(s.leads * s.conversion * s.average_check, 2),
           round(s.leads * s.conversion * s.average_check, 2) - round(n.leads * n.conversion * n.average_check, 2), b.code
    FROM scenario s CROSS JOIN now n JOIN crm.base_currency b ON b.singleton ORDER BY s.place
$$;
COMMENT ON FUNCTION crm.what_if(daterange, numeric, numeric, numeric, text, timestamptz) IS 'What a period would have brought with so many leads (deals that began), such a conversion (deals won by leads, 0 to 1) or such an average check, each alone and all together: revenue = leads * conversion * average_check. Errors: RM004 unknown pipeline; 22023 a period without an end.';

/* Priorities. */

-- Inlined, so that of one deal one is computed; hence everything is named in full.
CREATE FUNCTION crm.deal_priorities(as_of timestamptz DEFAULT now(), half_life interval DEFAULT '30 days',
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT stage text, OUT owner text, OUT base_amount numeric, OUT probability numeric,
    OUT last_touch_at timestamptz, OUT recency numeric, OUT score numeric, OUT close_date date, OUT currency text, OUT owner_id bigint, OUT contact_id bigint, OUT company_id bigint, OUT rank bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1000 AS $$
    SELECT d.deal_id, d.name, d.pipeline, d.stage, d.owner, d.base_amount, d.probability, t.at, r.recency, p.score,
           d.close_date, d.base_currency, d.owner_id, d.contact_id, d.company_id, pg_catalog.rank() OVER (ORDER BY p.score DESC NULLS LAST)
    FROM crm.fact_deal d
    JOIN crm.currency c ON c.code OPERATOR(pg_catalog.=) d.base_currency
    CROSS JOIN LATERAL (
        SELECT GREATEST(d.stage_entered_at, (SELECT pg_catalog.max(y.occurred_at) FROM crm.activity y
                                             WHERE y.deal_id OPERATOR(pg_catalog.=) d.deal_id AND y.occurred_at OPERATOR(pg_catalog.<=) $1)) AS at OFFSET 0) t
    -- Half by half_life; what is older than a thousand of them counts for nothing.
    CROSS JOIN LATERAL (
        SELECT pg_catalog.round(pg_catalog.power(0.5::double precision, LEAST(
            GREATEST(EXTRACT(epoch FROM $1 OPERATOR(pg_catalog.-) t.at)::double precision, 0::double precision)
                OPERATOR(pg_catalog./) EXTRACT(epoch FROM $2)::double precision, 1000::double precision))::numeric, 4) AS recency OFFSET 0) r
    CROSS JOIN LATERAL (SELECT pg_catalog.round(d.base_amount OPERATOR(pg_catalog.*) d.probability OPERATOR(pg_catalog.*) r.recency, c.digits) AS score) p
    WHERE d.kind OPERATOR(pg_catalog.=) 'open' AND d.closed_at IS NULL
    ORDER BY p.score DESC NULLS LAST, d.deal_id
$$;
COMMENT ON FUNCTION crm.deal_priorities(timestamptz, interval) IS 'How promising each open deal is, the most promising first, with rank: score = amount in the base currency * probability * recency, rounded to the digits of that currency, where recency is 1 at the moment of the latest move or activity and halves with every half_life; null without an amount or rate. crm.explain_deal_priority() shows the parts.';

CREATE FUNCTION crm.explain_deal_priority(deal bigint, as_of timestamptz DEFAULT now(), half_life interval DEFAULT '30 days',
    OUT part text, OUT value numeric, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 4
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
BEGIN
    SELECT * INTO p FROM crm.deal_priorities(as_of, half_life) d WHERE d.deal_id = deal;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no open deal %', deal USING ERRCODE = 'RM004';
    END IF;
    RETURN QUERY VALUES
        ('amount', p.base_amount, format('in %s', p.currency)),
        ('probability', p.probability, format('stage "%s" or the owner''s estimate', p.stage)),
        ('recency', p.recency, format('latest touch %s, halves every %s', to_char(p.last_touch_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), half_life)),
        ('score', p.score, 'amount * probability * recency');
END
$$;
COMMENT ON FUNCTION crm.explain_deal_priority(bigint, timestamptz, interval) IS 'Why an open deal has its score in crm.v_deal_priority: amount, probability and recency, whose product it is, rounded to the digits of the currency. Errors: RM004 no such open deal.';

/* Reports. */

CREATE FUNCTION crm.sales_summary(period daterange, previous daterange, as_of timestamptz DEFAULT now(),
    OUT kpi text, OUT title text, OUT unit text, OUT value numeric, OUT previous_value numeric, OUT change numeric, OUT change_percent numeric, OUT is_better boolean)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    WITH m AS (
        SELECT 1 AS n, x.measure, sum(x.value) AS value FROM crm.agent_measures($1, NULL, $3) x GROUP BY x.measure
        UNION ALL
        SELECT 2, x.measure, sum(x.value) FROM crm.agent_measures($2, NULL, $3) x GROUP BY x.measure
    ), v AS (
        SELECT k.*, s.n, CASE WHEN k.denominator IS NULL THEN k.scale * coalesce(a.value, 0) ELSE round(k.scale * coalesce(a.value, 0) / nullif(b.value, 0), 4) END AS value
        FROM crm.kpi k CROSS JOIN (VALUES (1), (2)) s (n)
        LEFT JOIN m a ON a.n = s.n AND a.measure = k.numerator
        LEFT JOIN m b ON b.n = s.n AND b.measure = k.denominator
    )
    SELECT v.name, v.title, v.unit, v.value, w.value, v.value - w.value, round(100 * (v.value - w.value) / nullif(w.value, 0), 1),
           CASE WHEN v.value = w.value THEN NULL ELSE (v.value > w.value) = v.is_higher_better END
    FROM v JOIN v w ON w.name = v.name AND w.n = 2 WHERE v.n = 1 ORDER BY v.weight DESC, v.name
$$;
COMMENT ON FUNCTION crm.sales_summary(daterange, daterange, timestamptz) IS 'Every indicator of the whole company in a period beside another period: both values, their difference, in percent of the other one, and whether it is for the better. Errors: 22023 a period without an end.';

CREATE FUNCTION crm.churn_zones(alarm_share numeric DEFAULT 0.25, from_at timestamptz DEFAULT '-infinity', to_at timestamptz DEFAULT 'infinity',
    OUT pipeline text, OUT stage text, OUT reason text, OUT kind text, OUT deals bigint, OUT base_amount numeric, OUT share numeric, OUT alarm_share numeric,
    OUT is_alarm boolean, OUT pipeline_id bigint, OUT stage_id bigint, OUT loss_reason_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
    SELECT z.pipeline, s.name, r.name, r.kind, z.deals, z.base_amount, round(z.deals::numeric / z.all_deals, 4),
           CASE WHEN r.kind IS DISTINCT FROM 'natural' THEN round(z.deals::numeric / z.alarm_deals, 4) END,
           r.kind IS DISTINCT FROM 'natural' AND z.deals::numeric / z.alarm_deals >= $1, z.pipeline_id, z.lost_at_stage_id, z.loss_reason_id
    FROM (SELECT d.pipeline, d.pipeline_id, d.lost_at_stage_id, d.loss_reason_id, count(*) AS deals, coalesce(sum(d.base_amount), 0) AS base_amount,
                 sum(count(*)) OVER (PARTITION BY d.pipeline_id) AS all_deals,
                 nullif(sum(count(*) FILTER (WHERE d.loss_kind IS DISTINCT FROM 'natural')) OVER (PARTITION BY d.pipeline_id), 0) AS alarm_deals
          FROM crm.fact_deal d WHERE d.kind = 'lost' AND d.closed_at >= $2 AND d.closed_at < $3 GROUP BY 1, 2, 3, 4) z
    LEFT JOIN crm.stage s ON s.id = z.lost_at_stage_id
    LEFT JOIN crm.loss_reason r ON r.id = z.loss_reason_id
    ORDER BY z.pipeline, z.deals DESC, s."position", r.name
$$;
COMMENT ON FUNCTION crm.churn_zones(numeric, timestamptz, timestamptz) IS 'Where and why deals are lost: by pipeline, stage from which and reason, deals lost in a time, what they would have been worth, and their share in the losses of the pipeline. Natural losses, which nobody could have prevented, are shown and raise no alarm: is_alarm says that a zone has at least alarm_share of the other losses.';

CREATE FUNCTION crm.timeline(contact bigint, before text DEFAULT NULL, count integer DEFAULT 50,
    OUT at timestamptz, OUT kind text, OUT title text, OUT detail text, OUT actor text, OUT deal_id bigint, OUT source text, OUT source_id bigint, OUT cursor text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    part text[] := regexp_match(before, '^(\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)/([a-z_]+)/(\d{1,18})$');
    chosen CONSTANT bigint := contact;
    at_most CONSTANT integer := count;
    last_at timestamptz := 'infinity';
    last_source text := '';
    last_id bigint := 0;
BEGIN
    IF before IS NOT NULL THEN
        IF part IS NULL THEN
            RAISE EXCEPTION '"%" is not a place in a timeline', before
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the cursor of the last row of the page before.';
        END IF;
        last_at := part[1]::timestamptz;
        last_source := part[2];
        last_id := part[3]::bigint;
    END IF;
    RETURN QUERY
    WITH own_deal AS MATERIALIZED (
        SELECT d.id, d.name FROM crm.deal d WHERE d.contact_id = chosen AND d.deleted_at IS NULL
        UNION
        SELECT d.id, d.name FROM crm.deal_contact c JOIN crm.deal d ON d.id = c.deal_id WHERE c.contact_id = chosen AND d.deleted_at IS NULL
    )
    SELECT e.at, e.kind, e.title, e.detail, e.actor, e.deal_id, e.source, e.source_id,
           to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '/' || e.source || '/' || e.source_id
    FROM ((SELECT y.occurred_at AS at, y.kind, coalesce(y.subject, y.kind) AS title, coalesce(y.outcome, y.body) AS detail, a.name AS actor, y.deal_id, 'activity' AS source, y.id AS source_id
           FROM crm.activity y LEFT JOIN crm.agent a ON a.id = y.agent_id
           WHERE y.contact_id = chosen AND y.occurred_at <= last_at AND (y.occurred_at, 'activity', y.id) < (last_at, last_source, last_id)
           ORDER BY y.occurred_at DESC, y.id DESC LIMIT at_most)
          UNION ALL
          (SELECT h.effective_at, CASE h.field WHEN '*' THEN 'deal' ELSE 'stage' END, d.name, s.name, h.actor, d.id, 'deal_history', h.id
           FROM own_deal d JOIN crm.deal_history h ON h.deal_id = d.id AND h.field IN ('*', 'stage_id') AND h.new_value IS NOT NULL
           JOIN crm.stage s ON s.id = CASE h.field WHEN '*' THEN (h.new_value ->> 'stage_id')::bigint ELSE (h.new_value #>> '{}')::bigint END
           WHERE (h.effective_at, 'deal_history', h.id) < (last_at, last_source, last_id))
          UNION ALL
          (SELECT o.ordered_at, 'order', coalesce('Order ' || o.number, 'Order'), concat_ws(' ', o.amount, o.currency, o.status), a.name, o.deal_id, 'sales_order', o.id
           FROM crm.sales_order o LEFT JOIN crm.agent a ON a.id = o.agent_id
           WHERE o.contact_id = chosen AND o.deleted_at IS NULL AND o.ordered_at <= last_at AND (o.ordered_at, 'sales_order', o.id) < (last_at, last_source, last_id)
           ORDER BY o.ordered_at DESC, o.id DESC LIMIT at_most)
          UNION ALL
          (SELECT q.sent_at, 'quote', concat_ws(' ', 'Quote', q.number, CASE WHEN q.version > 1 THEN '(version ' || q.version || ')' END),
                  concat_ws(' ', (SELECT sum(l.amount) FROM crm.quote_line l WHERE l.quote_id = q.id), q.currency, q.status), a.name, q.deal_id, 'quote', q.id
           FROM crm.quote q LEFT JOIN crm.agent a ON a.id = q.owner_id
           WHERE q.contact_id = chosen AND (q.sent_at, 'quote', q.id) < (last_at, last_source, last_id))
          UNION ALL
          (SELECT p.paid_at, 'payment', coalesce(p.description, 'Payment'), concat_ws(' ', p.amount, p.currency, p.status), NULL, p.deal_id, 'payment', p.id
           FROM crm.payment p
           WHERE p.contact_id = chosen AND (p.paid_at, 'payment', p.id) < (last_at, last_source, last_id))
          UNION ALL
          (SELECT l.created_at, 'lead', 'Inquiry: ' || l.source, coalesce(l.need, l.interest_reason), a.name, l.deal_id, 'lead', l.id
           FROM crm.lead l LEFT JOIN crm.agent a ON a.id = l.owner_id
           WHERE l.contact_id = chosen AND l.deleted_at IS NULL AND (l.created_at, 'lead', l.id) < (last_at, last_source, last_id))
          UNION ALL
          (SELECT k.created_at, 'task', k.title, k.status, a.name, k.deal_id, 'task', k.id
           FROM crm.task k LEFT JOIN crm.agent a ON a.id = k.assignee_id
           WHERE k.contact_id = chosen AND (k.created_at, 'task', k.id) < (last_at, last_source, last_id))) e
    ORDER BY e.at DESC, e.source DESC, e.source_id DESC LIMIT at_most;
END
$$;
COMMENT ON FUNCTION crm.timeline(bigint, text, integer) IS 'The path of a contact, the latest first: activities, beginnings and moves of deals, orders, quotes sent, payments that came, inquiries, tasks. Strictly ordered by at, source and source_id; for the next page give the cursor of the last row as before: no row is left out or shown twice, whatever is added meanwhile. Errors: 22023 not a cursor.';

/* The funnel as a picture. */

CREATE FUNCTION crm.escape_xml(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT regexp_replace(replace(replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]', '', 'g')
$$;
COMMENT ON FUNCTION crm.escape_xml(text) IS 'A text as it may stand in XML, between tags or in quotation marks; characters that XML cannot hold are left out.';

CREATE FUNCTION crm.short_number(value numeric) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN abs(value) >= 999950000 THEN round(value / 1000000000, 1) || 'G'
                WHEN abs(value) >= 999950 THEN round(value / 1000000, 1) || 'M'
                WHEN abs(value) >= 10000 THEN round(value / 1000, 1) || 'k'
                ELSE round(value)::text END
$$;
COMMENT ON FUNCTION crm.short_number(numeric) IS 'A number for a picture: 950, 12.3k, 4.0M, 1.2G.';

CREATE FUNCTION crm.funnel_bars(pipeline text, as_of timestamptz, basis text,
    OUT place bigint, OUT stage text, OUT kind text, OUT deals bigint, OUT base_amount numeric, OUT reached bigint, OUT conversion numeric)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    WITH rate AS MATERIALIZED (
        SELECT c.code, crm.exchange_rate(c.code, $2) AS rate FROM crm.currency c
    ), standing AS (
        SELECT d.stage_id, count(*) AS deals, coalesce(sum(round(d.amount * coalesce(k.rate, r.rate), 4)), 0) AS amount
        FROM crm.pipeline_as_of($2, $1, $3) d
        LEFT JOIN rate r ON r.code = d.currency
        LEFT JOIN crm.deal_rate k ON k.deal_id = d.deal_id AND k.currency = d.currency AND k.base = (SELECT b.code FROM crm.base_currency b) AND d.closed_at IS NOT NULL
        GROUP BY d.stage_id
    ), funnel AS (
        SELECT f.* FROM crm.funnel_conversion($1, 'cohort', as_of => $2) f
    )
    SELECT row_number() OVER (ORDER BY s.kind = 'lost', s.kind = 'won', s."position"), s.name, s.kind, coalesce(g.deals, 0), coalesce(g.amount, 0),
           CASE s.kind WHEN 'open' THEN f.entered ELSE coalesce(g.deals, 0) END, f.conversion_to_next
    FROM crm.all_stages_as_of($2) s
    LEFT JOIN standing g ON g.stage_id = s.stage_id
    LEFT JOIN funnel f ON f.stage_id = s.stage_id
    WHERE s.pipeline_id = crm.pipeline_id($1) AND s.merged_into_id IS NULL AND (s.is_made OR g.deals > 0 OR f.entered > 0)
    ORDER BY 1
$$;
COMMENT ON FUNCTION crm.funnel_bars(text, timestamptz, text) IS 'What crm.funnel_chart() draws: by stage the deals that stand there and their sum in the base currency, how many ever came that far (of won and lost stages, stand there), and what share of these went on; by the stages of as_of.';

CREATE FUNCTION crm.funnel_chart(pipeline text, format text DEFAULT 'text', width integer DEFAULT NULL, as_of timestamptz DEFAULT now(), basis text DEFAULT 'effective')
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wide CONSTANT integer := coalesce(width, CASE format WHEN 'svg' THEN 720 ELSE 80 END);
    money CONSTANT text := (SELECT b.code FROM crm.base_currency b);
    drawn text;
    words text;
    label_width integer;
    room integer;
    height integer;
BEGIN
    PERFORM crm.pipeline_id(pipeline);
    IF format IS NULL OR format NOT IN ('text', 'svg') THEN
        RAISE EXCEPTION 'unknown format "%"', format USING ERRCODE = 'invalid_parameter_value', HINT = 'text or svg.';
    ELSIF wide NOT BETWEEN 60 AND 10000 OR format = 'svg' AND wide < 400 THEN
        RAISE EXCEPTION 'a chart cannot be % wide', wide
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Text has 60 to 10000 characters, svg 400 to 10000 pixels.';
    END IF;
    IF format = 'text' THEN
        SELECT least(greatest(max(length(b.stage)), 5), 20) INTO label_width FROM crm.funnel_bars(pipeline, as_of, basis) b;
        room := wide - label_width - 36;
        -- Eighths of a character; a bar is as long as deals came that far.
        SELECT string_agg(rtrim(rpad(CASE WHEN length(b.stage) > label_width THEN left(b.stage, label_width - 1) || '…' ELSE b.stage END, label_width) || ' '
                   || rpad(repeat('█', b.eighths / 8) || CASE b.eighths % 8 WHEN 0 THEN '' ELSE substr('▏▎▍▌▋▊▉', b.eighths % 8, 1) END, room)
                   || lpad(b.reached::text, 8) || lpad(coalesce(round(100 * b.conversion) || '%', ''), 6) || lpad(b.deals::text, 9)
                   || lpad(crm.short_number(b.base_amount), 11)), E'\n' ORDER BY b.place)
        INTO drawn
        FROM (SELECT f.*, CASE WHEN f.reached = 0 THEN 0 ELSE greatest(round(8.0 * room * f.reached / max(f.reached) OVER ()), 1)::integer END AS eighths
              FROM crm.funnel_bars(pipeline, as_of, basis) f) b;
        RETURN concat_ws(E'\n', pipeline, rpad('', label_width + 1 + room) || lpad('reached', 8) || lpad('next', 6) || lpad('there', 9) || lpad(money, 11), drawn);
    END IF;
    SELECT string_agg(format('%s: %s deals reached, %s there, %s %s', b.stage, b.reached, b.deals, round(b.base_amount, 2), money)
                      || CASE WHEN b.conversion IS NULL THEN '' ELSE format(', %s%% went on', round(100 * b.conversion)) END, '; ' ORDER BY b.place),
           96 + 44 * count(*)
    INTO words, height FROM crm.funnel_bars(pipeline, as_of, basis) b;
    -- Names at the left, the funnel around a middle line, numbers at the right.
    SELECT string_agg(format(E'<text x="16" y="%s" class="name">%s</text>\n<rect x="%s" y="%s" width="%s" height="32" rx="4" class="%s"/>\n<text x="%s" y="%s" class="in">%s</text>\n<text x="%s" y="%s" class="number">%s</text>\n',
                   b.y + 21, crm.escape_xml(CASE WHEN length(b.stage) > 18 THEN left(b.stage, 17) || '…' ELSE b.stage END),
                   round(b.middle - b.size / 2, 1), b.y, round(b.size, 1), b.kind, round(b.middle, 1), b.y + 21, b.reached,
                   wide - 16, b.y + 21, format('%s · %s %s', b.deals, crm.short_number(b.base_amount), money))
               || CASE WHEN b.conversion IS NULL THEN '' ELSE format(E'<text x="%s" y="%s" class="share">▼ %s%%</text>\n', round(b.middle, 1), b.y + 42, round(100 * b.conversion)) END,
               '' ORDER BY b.place)
    INTO drawn
    FROM (SELECT f.*, 72 + 44 * (f.place - 1) AS y, 160 + (wide - 340) / 2.0 AS middle,
                 CASE WHEN f.reached = 0 THEN 2 ELSE greatest((wide - 340)::numeric * f.reached / max(f.reached) OVER (), 2) END AS size
          FROM crm.funnel_bars(pipeline, as_of, basis) f) b;
    RETURN format(E'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %1$s %2$s" width="%1$s" height="%2$s" role="img" aria-labelledby="crm-funnel-title crm-funnel-desc">\n'
        '<title id="crm-funnel-title">%3$s</title>\n<desc id="crm-funnel-desc">%4$s</desc>\n'
        '<style>text{font-family:system-ui,sans-serif;font-size:14px;fill:#1f2933}.head{font-size:18px;font-weight:600}.note,.share{font-size:11px;fill:#52606d}'
        '.in,.share{text-anchor:middle}.in{fill:#fff;font-weight:600;paint-order:stroke;stroke:#1f2933;stroke-width:2px}.number,.note{text-anchor:end}'
        '.open{fill:#2f6fb3}.won{fill:#2e7d4f}.lost{fill:#9aa5b1}</style>\n'
        '<rect width="100%%" height="100%%" fill="#fff"/>\n<text x="16" y="32" class="head">%3$s</text>\n<text x="%5$s" y="56" class="note">%6$s</text>\n%7$s</svg>',
        wide, height, crm.escape_xml('Funnel: ' || pipeline), crm.escape_xml(coalesce(words, '')), wide - 16,
        'in the bar: deals that came this far; at the right: deals there and their sum', coalesce(drawn, ''));
END
$$;
COMMENT ON FUNCTION crm.funnel_chart(text, text, integer, timestamptz, text) IS 'The funnel of a pipeline as a picture: text for a terminal (width in characters, 80 unless told), or svg for a page (width in pixels, 720 unless told; self-contained, with title and description for those who cannot see it). A bar is as long as many deals ever came that far; behind it the share that went on to the next stage, the deals that stand there, and their sum in the base currency. Errors: RM004 unknown pipeline; 22023 unknown format, basis or width.';
