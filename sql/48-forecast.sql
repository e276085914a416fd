/* ------------------------------------------------------------------
 * Forecasts: what of the open pipeline will be won in a period, by the
 * judgement of people (weighted, category) or by what deals did before
 * (historical); how right the forecasts were.
 *
 * Days begin in UTC, as those of exchange rates do.  Amounts are in the base
 * currency: of closed deals by the rate kept at the close, of open ones by
 * that of as_of.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.period(period text, as_of timestamptz DEFAULT now()) RETURNS daterange
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text[] := regexp_match(period, '^(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?$');
    today timestamp := as_of AT TIME ZONE 'UTC';
    start date;
    length interval;
BEGIN
    IF period IN ('week', 'month', 'quarter', 'year') THEN
        start := date_trunc(period, today);
        length := CASE period WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || period)::interval END;
    ELSIF part IS NOT NULL AND part[1] <> '0000' THEN
        start := make_date(part[1]::integer, coalesce(part[3]::integer, part[2]::integer * 3 - 2, 1), 1);
        length := CASE WHEN part[3] IS NOT NULL THEN interval '1 month' WHEN part[2] IS NOT NULL THEN interval '3 months' ELSE interval '1 year' END;
    ELSE
        RAISE EXCEPTION '"%" is not a period', period
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A period is 2026, 2026-Q1 or 2026-03, or the week, month, quarter or year of as_of; any other is a daterange.';
    END IF;
    RETURN daterange(start, (start + length)::date);
END
$$;
COMMENT ON FUNCTION crm.period(text, timestamptz) IS 'The days of a period: 2026, 2026-Q1, 2026-03, or week, month, quarter or year for the one of as_of (its day in UTC). Errors: 22023 anything else.';

CREATE FUNCTION crm.deal_base_amount(amount numeric, currency text, at timestamptz DEFAULT now()) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE COST 60
SET search_path = pg_catalog, pg_temp AS $$
    SELECT round(amount * crm.exchange_rate(currency, at), 4)
$$;
COMMENT ON FUNCTION crm.deal_base_amount(numeric, text, timestamptz) IS 'An amount in the base currency by the rate of the day (in UTC) of a moment, to 4 places; null when there is no rate. The rate of a closed deal is kept in crm.deal_rate.';

/* The chain of stages. */

CREATE FUNCTION crm.solve_equations(matrix double precision[], constants double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n CONSTANT integer := cardinality(constants);
    m double precision[] := matrix;             -- by rows
    x double precision[] := constants;
    pivot integer;
    factor double precision;
    swap double precision;
BEGIN
    IF cardinality(matrix) <> n * n THEN
        RAISE EXCEPTION 'a matrix of % numbers does not go with % constants', cardinality(matrix), n
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR c IN 1 .. n LOOP
        pivot := c;
        FOR r IN c + 1 .. n LOOP
            IF abs(m[(r - 1) * n + c]) > abs(m[(pivot - 1) * n + c]) THEN
                pivot := r;
            END IF;
        END LOOP;
        IF abs(m[(pivot - 1) * n + c]) < 1e-12 THEN
            RETURN NULL;
        END IF;
        IF pivot <> c THEN
            FOR k IN 1 .. n LOOP
                swap := m[(c - 1) * n + k];
                m[(c - 1) * n + k] := m[(pivot - 1) * n + k];
                m[(pivot - 1) * n + k] := swap;
            END LOOP;
            swap := x[c];
            x[c] := x[pivot];
            x[pivot] := swap;
        END IF;
        FOR r IN 1 .. n LOOP
            factor := m[(r - 1) * n + c] / m[(c - 1) * n + c];
            CONTINUE WHEN r = c OR factor = 0;
            FOR k IN c .. n LOOP
                m[(r - 1) * n + k] := m[(r - 1) * n + k] - factor * m[(c - 1) * n + k];
            END LOOP;
            x[r] := x[r] - factor * x[c];
        END LOOP;
    END LOOP;
    FOR c IN 1 .. n LOOP
        x[c] := x[c] / m[(c - 1) * n + c];
    END LOOP;
    RETURN x;
END
$$;
COMMENT ON FUNCTION crm.solve_equations(double precision[], double precision[]) IS 'The solution of as many linear equations as there are constants, the matrix given by rows (Gauss and Jordan, with pivots); null when there is no single one. Errors: 22023 the sizes do not match.';

/*
 * Deals wander between open stages until they are won or lost.  In the model
 * the next step depends on the stage alone: a Markov chain in continuous time,
 * whose rate from one stage to another is the number of moves by the days that
 * deals spent at the first, open ones included (the estimate of the greatest
 * likelihood).  The chance ever to win and the days to the close solve linear
 * equations; the chance to win within a time is a row of the matrix
 * exponential, by uniformisation.
 */
CREATE FUNCTION crm.stage_chain(as_of timestamptz DEFAULT now(), within interval[] DEFAULT '{30 days}', since interval DEFAULT NULL,
    OUT stage_id bigint, OUT visits bigint, OUT days double precision, OUT moves jsonb,
    OUT win_probability double precision, OUT days_to_close double precision, OUT win_within double precision[], OUT won_days double precision[])
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
DECLARE
    -- A stay counts for a quarter of a day at least: those who drag a deal through
    -- several stages at once shall not make the steps below infinitely small.
    shortest_stay CONSTANT double precision := 0.25;
    ids bigint[];               -- open stages
    visit_counts bigint[];
    exposures double precision[];
    edge_from integer[];        -- moves: to 0 is won, to null is lost
    edge_to integer[];
    edge_moves bigint[];
    n integer;
    edges integer;
    rates double precision[] := '{}';
    leaving double precision[];
    ending double precision[];  -- rate to won
    system double precision[];
    ever double precision[];
    closing double precision[];
    horizons double precision[];
    longest double precision;
    unit double precision;      -- the greatest rate
    chance double precision[];
    next_chance double precision[];
    log_weights double precision[];
    sums double precision[];
    areas double precision[];   -- integrals of the chances over the time
    tails double precision[];   -- of the Poisson distribution
    weight double precision;
    steps integer;
    row_start integer;
BEGIN
    SELECT array_agg(t.stage_id ORDER BY t.stage_id), array_agg(t.visits ORDER BY t.stage_id),
           array_agg(greatest(t.days, t.visits * shortest_stay) ORDER BY t.stage_id)
    INTO ids, visit_counts, exposures
    FROM (SELECT s.id AS stage_id, count(v.deal_id) AS visits,
                 coalesce(sum(extract(epoch FROM coalesce(v.left_at, stage_chain.as_of) - v.entered_at)::double precision / 86400), 0) AS days
          FROM (SELECT a.stage_id AS id, a.is_made FROM crm.all_stages_as_of(stage_chain.as_of) a WHERE a.kind = 'open' AND a.merged_into_id IS NULL) s
          LEFT JOIN (SELECT w.* FROM crm.stage_visits(stage_chain.as_of) w JOIN crm.deal d ON d.id = w.deal_id AND d.deleted_at IS NULL
                     WHERE since IS NULL OR w.entered_at >= stage_chain.as_of - since) v ON v.stage_id = s.id
          GROUP BY s.id, s.is_made HAVING s.is_made OR count(v.deal_id) > 0) t;
    n := coalesce(cardinality(ids), 0);
    IF n = 0 THEN
        RETURN;
    END IF;
    SELECT array_agg(e.origin), array_agg(e.target), array_agg(e.moves) INTO edge_from, edge_to, edge_moves
    FROM (SELECT array_position(ids, v.stage_id) AS origin, CASE s.kind WHEN 'won' THEN 0 WHEN 'open' THEN array_position(ids, v.next_stage_id) END AS target, count(*) AS moves
          FROM crm.stage_visits(stage_chain.as_of) v
          JOIN crm.deal d ON d.id = v.deal_id AND d.deleted_at IS NULL
          JOIN crm.all_stages_as_of(stage_chain.as_of) s ON s.stage_id = v.next_stage_id
          WHERE v.stage_id = ANY (ids) AND (since IS NULL OR v.entered_at >= stage_chain.as_of - since)
          GROUP BY 1, 2) e;
    edges := coalesce(cardinality(edge_from), 0);
    leaving := array_fill(0.0::double precision, ARRAY[n]);
    ending := leaving;
    FOR e IN 1 .. edges LOOP
        rates[e] := edge_moves[e] / exposures[edge_from[e]];
        leaving[edge_from[e]] := leaving[edge_from[e]] + rates[e];
        IF edge_to[e] = 0 THEN
            ending[edge_from[e]] := ending[edge_from[e]] + rates[e];
        END IF;
    END LOOP;

    -- rate of leaving * x - sum of rate to j * x of j = rate to won, or 1 for days.  Where nobody ever left, deals stay.
    system := array_fill(0.0::double precision, ARRAY[n * n]);
    FOR i IN 1 .. n LOOP
        system[(i - 1) * n + i] := CASE WHEN leaving[i] > 0 THEN leaving[i] ELSE 1 END;
    END LOOP;
    FOR e IN 1 .. edges LOOP
        CONTINUE WHEN edge_to[e] IS NULL OR edge_to[e] = 0;
        row_start := (edge_from[e] - 1) * n;
        system[row_start + edge_to[e]] := system[row_start + edge_to[e]] - rates[e];
    END LOOP;
    ever := crm.solve_equations(system, ending);
    closing := crm.solve_equations(system, ARRAY(SELECT CASE WHEN l > 0 THEN 1.0::double precision ELSE 'Infinity' END FROM unnest(leaving) WITH ORDINALITY AS u (l, k) ORDER BY k));

    horizons := ARRAY(SELECT greatest(extract(epoch FROM w)::double precision / 86400, 0) FROM unnest(within) WITH ORDINALITY AS u (w, k) ORDER BY k);
    longest := (SELECT max(h) FROM unnest(horizons) h);
    unit := greatest((SELECT max(l) FROM unnest(leaving) l), 1e-9);
    steps := ceil(unit * longest + 8 * sqrt(unit * longest) + 20);
    chance := array_fill(0.0::double precision, ARRAY[n]);
    sums := array_fill(0.0::double precision, ARRAY[n * cardinality(within)]);
    areas := sums;
    tails := array_fill(1.0::double precision, ARRAY[cardinality(within)]);
    log_weights := ARRAY(SELECT - unit * h FROM unnest(horizons) WITH ORDINALITY AS u (h, k) ORDER BY k);
    FOR k IN 0 .. steps LOOP
        FOR h IN 1 .. cardinality(within) LOOP
            IF k > 0 THEN
                log_weights[h] := CASE WHEN horizons[h] > 0 THEN log_weights[h] + ln(unit * horizons[h] / k) ELSE -1000 END;
            END IF;
            weight := CASE WHEN log_weights[h] < -700 THEN 0 ELSE exp(log_weights[h]) END;
            tails[h] := greatest(tails[h] - weight, 0);
            FOR i IN 1 .. n LOOP
                sums[(h - 1) * n + i] := sums[(h - 1) * n + i] + weight * chance[i];
                areas[(h - 1) * n + i] := areas[(h - 1) * n + i] + CASE WHEN horizons[h] > 0 THEN tails[h] / unit * chance[i] ELSE 0 END;
            END LOOP;
        END LOOP;
        next_chance := chance;
        FOR i IN 1 .. n LOOP
            next_chance[i] := chance[i] * (1 - leaving[i] / unit) + ending[i] / unit;
        END LOOP;
        FOR e IN 1 .. edges LOOP
            CONTINUE WHEN edge_to[e] IS NULL OR edge_to[e] = 0;
            next_chance[edge_from[e]] := next_chance[edge_from[e]] + rates[e] / unit * chance[edge_to[e]];
        END LOOP;
        chance := next_chance;
    END LOOP;

    FOR i IN 1 .. n LOOP
        stage_id := ids[i];
        visits := visit_counts[i];
        days := exposures[i];
        moves := (SELECT jsonb_object_agg(CASE WHEN edge_to[e] = 0 THEN 'won' WHEN edge_to[e] IS NULL THEN 'lost' ELSE ids[edge_to[e]]::text END, edge_moves[e])
                  FROM generate_series(1, edges) e WHERE edge_from[e] = i);
        win_probability := ever[i];
        days_to_close := nullif(closing[i], 'Infinity');
        win_within := ARRAY(SELECT least(sums[(h - 1) * n + i], 1) FROM generate_series(1, cardinality(within)) h ORDER BY h);
        won_days := ARRAY(SELECT areas[(h - 1) * n + i] FROM generate_series(1, cardinality(within)) h ORDER BY h);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.stage_chain(timestamptz, interval[], interval) IS 'The open stages of all pipelines, as they were configured at as_of, as a Markov chain fitted to the history up to a moment, or to what began within since of it: stays seen, days spent, moves by target (number of the stage, won, lost), the chance of a deal there ever to be won, mean days to its close (null when nobody ever left), its chance to be won within each of the given times, and how many days of that time it will have been won, on average. Where there is no single solution (stages that lead only to each other) the first two are null.';

CREATE FUNCTION crm.forecast_method(method text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF method IS NULL OR method NOT IN ('weighted', 'category', 'historical') THEN
        RAISE EXCEPTION 'unknown method of forecast "%"', method
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'weighted: amount times probability; category: crm.forecast_category; historical: what deals did before.';
    END IF;
    RETURN method;
END
$$;
COMMENT ON FUNCTION crm.forecast_method(text) IS 'The method of forecast, if there is one of that name. Errors: 22023 there is none.';

CREATE FUNCTION crm.bounded_period(period daterange) RETURNS daterange
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF period IS NULL OR isempty(period) OR lower_inf(period) OR upper_inf(period)
       OR NOT isfinite(lower(period)) OR NOT isfinite(upper(period)) THEN
        RAISE EXCEPTION 'a period must begin and end'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Given is %s.', coalesce(period::text, 'null')),
                  HINT = 'crm.period(''2026-03'') gives the days of March.';
    END IF;
    RETURN period;
END
$$;
COMMENT ON FUNCTION crm.bounded_period(daterange) IS 'The period, if it has days, a first and a last. Errors: 22023.';

-- Planned for each call, as crm.pipeline_steps().
CREATE FUNCTION crm.forecast_rows(period daterange, method text, as_of timestamptz, chosen text, basis text,
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT owner text, OUT stage text, OUT kind text, OUT close_date date, OUT category text,
    OUT amount numeric, OUT factor numeric, OUT expected_amount numeric, OUT currency text, OUT pipeline_id bigint, OUT owner_id bigint, OUT stage_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    chosen_method CONSTANT text := crm.forecast_method(method);
    days CONSTANT daterange := crm.bounded_period(period);
    from_at CONSTANT timestamptz := lower(days)::timestamp AT TIME ZONE 'UTC';
    to_at CONSTANT timestamptz := upper(days)::timestamp AT TIME ZONE 'UTC';
    today CONSTANT date := (as_of AT TIME ZONE 'UTC')::date;
    lately CONSTANT numeric := 90;      -- days that tell how often deals begin
    left_days CONSTANT numeric := extract(epoch FROM to_at - as_of) / 86400;
BEGIN
    PERFORM crm.require_installed();
    RETURN QUERY
    WITH chain AS MATERIALIZED (
        -- Won within the period: by its end and not before it.
        SELECT c.stage_id, (c.win_within[2] - c.win_within[1])::numeric AS probability, (c.won_days[2] - c.won_days[1])::numeric AS won_days
        FROM crm.stage_chain(as_of, ARRAY[greatest(from_at - as_of, '0'), greatest(to_at - as_of, '0')]) c
        WHERE chosen_method = 'historical'
    ), rate AS MATERIALIZED (
        SELECT c.code, crm.exchange_rate(c.code, as_of) AS rate FROM crm.currency c
    )
    SELECT d.deal_id, d.name, d.pipeline, d.owner, d.stage, d.kind, d.close_date, g.name, a.amount, f.factor, round(a.amount * f.factor, 4), b.code,
           d.pipeline_id, d.owner_id, d.stage_id
    FROM crm.pipeline_as_of(as_of, chosen, basis) d
    JOIN crm.base_currency b ON b.singleton
    LEFT JOIN rate r ON r.code = d.currency AND d.kind = 'open'
    LEFT JOIN crm.deal_rate k ON k.deal_id = d.deal_id AND k.base = b.code AND k.currency = d.currency AND d.kind = 'won'
    LEFT JOIN LATERAL (SELECT t.name, t.share FROM crm.forecast_category t WHERE t.minimum_probability <= coalesce(d.probability, 0)
                       ORDER BY t.minimum_probability DESC LIMIT 1) g ON d.kind = 'open'
    LEFT JOIN chain c ON c.stage_id = d.stage_id
    CROSS JOIN LATERAL (SELECT round(d.amount * coalesce(r.rate, k.rate, CASE WHEN d.kind = 'won' THEN crm.exchange_rate(d.currency, d.closed_at) END), 4) AS amount) a
    CROSS JOIN LATERAL (SELECT CASE WHEN d.kind = 'won' THEN 1 ELSE round(coalesce(CASE chosen_method
        WHEN 'weighted' THEN d.probability WHEN 'category' THEN g.share ELSE c.probability END, 0), 6) END AS factor) f
    WHERE d.kind = 'won' AND d.closed_at >= from_at AND d.closed_at < to_at
       OR d.kind = 'open' AND to_at > as_of
          AND (chosen_method = 'historical' OR days @> d.close_date OR d.close_date < today AND days @> today)
    UNION ALL
    -- Deals that will begin as often, where and for as much as they lately did.
    SELECT NULL, 'Deals still to come', s.pipeline, o.name, s.name, 'new', NULL, NULL, round(n.amount * left_days, 4), round(c.won_days / left_days, 6),
           round(round(n.amount * left_days, 4) * round(c.won_days / left_days, 6), 4), b.code, s.pipeline_id, n.owner_id, n.stage_id
    FROM (SELECT v.stage_id, d.owner_id, count(*) * avg(nullif(d.amount, 0) * r.rate) / max(v.seen_days) AS amount
          FROM (SELECT w.*, least(lately, greatest(extract(epoch FROM as_of - min(w.entered_at) OVER ()) / 86400, 1)) AS seen_days FROM crm.stage_visits(as_of) w) v
          JOIN crm.pipeline_as_of(as_of, chosen, basis) d ON d.deal_id = v.deal_id
          LEFT JOIN rate r ON r.code = d.currency
          WHERE v.visit = 1 AND v.entered_at > as_of - lately * interval '1 day' GROUP BY v.stage_id, d.owner_id) n
    JOIN chain c ON c.stage_id = n.stage_id
    JOIN crm.all_stages_as_of(as_of) s ON s.stage_id = n.stage_id
    JOIN crm.base_currency b ON b.singleton
    LEFT JOIN crm.agent o ON o.id = n.owner_id
    WHERE chosen_method = 'historical' AND left_days > 0 AND n.amount > 0;
END
$$;
COMMENT ON FUNCTION crm.forecast_rows(daterange, text, timestamptz, text, text) IS 'What crm.forecast_deals() shows; chosen is the name of the pipeline or null. Errors as there.';

CREATE FUNCTION crm.forecast_deals(period daterange, method text DEFAULT 'weighted', as_of timestamptz DEFAULT now(), pipeline text DEFAULT NULL,
    basis text DEFAULT 'effective',
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT owner text, OUT stage text, OUT kind text, OUT close_date date, OUT category text,
    OUT amount numeric, OUT factor numeric, OUT expected_amount numeric, OUT currency text, OUT pipeline_id bigint, OUT owner_id bigint, OUT stage_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.* FROM crm.forecast_rows($1, $2, $3, $4, $5) f
$$;
COMMENT ON FUNCTION crm.forecast_deals(daterange, text, timestamptz, text, text) IS 'The deals that a forecast of a period stands on, each with the factor by which its amount counts: those won in the period by as_of, wholly; of the open ones, weighted and category: those promised for the period, and in the present period those whose promise is past, by their probability or by the share of their category; historical: all, by the chance of their stage to be won in the period (crm.stage_chain()), and, as rows of kind new without a number, the deals that will begin until its end, if they go on to begin as often and for as much as in the last 90 days. amount is in the base currency, null when it or a rate is not known. basis as in crm.deals_as_of(). Errors: 22023 unknown method, a period without an end, unknown basis.';

CREATE FUNCTION crm.forecast(period daterange, method text DEFAULT 'weighted', as_of timestamptz DEFAULT now(), pipeline text DEFAULT NULL,
    basis text DEFAULT 'effective',
    OUT pipeline text, OUT owner text, OUT won_deals bigint, OUT won_amount numeric, OUT open_deals bigint, OUT open_amount numeric,
    OUT expected_amount numeric, OUT new_amount numeric, OUT total_amount numeric, OUT currency text, OUT unpriced_deals bigint, OUT is_total boolean,
    OUT pipeline_id bigint, OUT owner_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.pipeline, f.owner, count(*) FILTER (WHERE f.kind = 'won'), coalesce(sum(f.amount) FILTER (WHERE f.kind = 'won'), 0),
           count(*) FILTER (WHERE f.kind = 'open'), coalesce(sum(f.amount) FILTER (WHERE f.kind = 'open'), 0),
           coalesce(sum(f.expected_amount) FILTER (WHERE f.kind = 'open'), 0), coalesce(sum(f.expected_amount) FILTER (WHERE f.kind = 'new'), 0), coalesce(sum(f.expected_amount), 0),
           (SELECT b.code FROM crm.base_currency b), count(*) FILTER (WHERE f.deal_id IS NOT NULL AND f.amount IS NULL),
           grouping(f.pipeline_id) = 1, f.pipeline_id, f.owner_id
    FROM crm.forecast_rows($1, $2, $3, $4, $5) f
    GROUP BY GROUPING SETS ((f.pipeline_id, f.pipeline, f.owner_id, f.owner), ())
    ORDER BY grouping(f.pipeline_id), f.pipeline, f.owner NULLS LAST, f.owner_id
$$;
COMMENT ON FUNCTION crm.forecast(daterange, text, timestamptz, text, text) IS 'What will be won in a period: a row a pipeline and agent, and a total (is_total). won_amount is won already, expected_amount is what of open_amount is expected, new_amount what deals still to come will bring (historical alone), total_amount the sum of the three; in the base currency. The total is the sum of the rows. unpriced_deals have no known amount or rate and are in no sum. Arguments and errors as of crm.forecast_deals(), which has the single deals.';

CREATE FUNCTION crm.take_forecast_snapshot(as_of timestamptz DEFAULT now(), months integer DEFAULT 3) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_day CONSTANT date := date_trunc('month', as_of AT TIME ZONE 'UTC');
    taken bigint;
BEGIN
    PERFORM crm.require_installed();
    -- Two at once are one after the other.
    PERFORM pg_advisory_xact_lock(hashtext('crm.forecast_snapshot'));
    DELETE FROM crm.forecast_snapshot s WHERE s.taken_on = (take_forecast_snapshot.as_of AT TIME ZONE 'UTC')::date;
    INSERT INTO crm.forecast_snapshot (taken_on, period, method, pipeline_id, owner_id, won_amount, open_amount, expected_amount, new_amount, total_amount, currency, taken_at)
    SELECT (take_forecast_snapshot.as_of AT TIME ZONE 'UTC')::date, m.period, w.method, f.pipeline_id, f.owner_id,
           f.won_amount, f.open_amount, f.expected_amount, f.new_amount, f.total_amount, f.currency, take_forecast_snapshot.as_of
    FROM generate_series(0, months - 1) k
    CROSS JOIN LATERAL (SELECT daterange((first_day + k * interval '1 month')::date, (first_day + (k + 1) * interval '1 month')::date) AS period) m
    CROSS JOIN unnest('{weighted,category,historical}'::text[]) AS w (method)
    CROSS JOIN LATERAL crm.forecast(m.period, w.method, take_forecast_snapshot.as_of) f
    WHERE NOT f.is_total;
    GET DIAGNOSTICS taken = ROW_COUNT;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION crm.take_forecast_snapshot(timestamptz, integer) IS 'Writes the forecasts of this month and the next ones, by each method, to crm.forecast_snapshot, in the place of all that was written on that day (in UTC) before: the last run of a day is that day''s. Gives how many rows it wrote. Safe to run twice at once; under REPEATABLE READ the later of the two fails with 23505. The job "forecast" calls it.';

CREATE FUNCTION crm.backtest_forecast(from_day date, to_day date, method text DEFAULT NULL, pipeline text DEFAULT NULL, ahead interval DEFAULT '0',
    every interval DEFAULT '1 month', basis text DEFAULT 'effective',
    OUT method text, OUT period daterange, OUT as_of timestamptz, OUT forecast numeric, OUT actual numeric, OUT error numeric, OUT error_percent numeric, OUT currency text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 36
SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.method, p.period, t.as_of, f.total_amount, a.actual, f.total_amount - a.actual,
           round(100 * (f.total_amount - a.actual) / nullif(a.actual, 0), 1), f.currency
    FROM generate_series(from_day::timestamp, to_day::timestamp - every, every) s
    CROSS JOIN LATERAL (SELECT crm.bounded_period(daterange(s::date, (s + every)::date)) AS period) p
    CROSS JOIN LATERAL (SELECT s AT TIME ZONE 'UTC' - ahead AS as_of) t
    CROSS JOIN LATERAL (SELECT coalesce(sum(d.amount), 0) AS actual
                        FROM crm.forecast_rows(p.period, 'weighted', upper(p.period)::timestamp AT TIME ZONE 'UTC', $4, basis) d) a
    CROSS JOIN unnest('{weighted,category,historical}'::text[]) WITH ORDINALITY AS w (method, place)
    CROSS JOIN LATERAL crm.forecast(p.period, w.method, t.as_of, $4, basis) f
    WHERE ($3 IS NULL OR w.method = crm.forecast_method($3)) AND f.is_total
    ORDER BY s, w.place
$$;
COMMENT ON FUNCTION crm.backtest_forecast(date, date, text, text, interval, interval, text) IS 'Forecasts as they would have been made from the history, at the beginning of each period or ahead of it, beside what was won in it: a row a period and method. error is forecast minus actual. Periods of every, from from_day on, that end by to_day. basis as in crm.deals_as_of(). Errors: 22023 unknown method, periods of less than a day, unknown basis.';

CREATE FUNCTION crm.forecast_accuracy(from_day date, to_day date, method text DEFAULT NULL, pipeline text DEFAULT NULL, ahead interval DEFAULT '0',
    every interval DEFAULT '1 month', basis text DEFAULT 'effective',
    OUT method text, OUT periods bigint, OUT forecast numeric, OUT actual numeric, OUT mape numeric, OUT bias numeric, OUT currency text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 3
SET search_path = pg_catalog, pg_temp AS $$
    SELECT b.method, count(*), sum(b.forecast), sum(b.actual), round(avg(100 * abs(b.error) / nullif(b.actual, 0)), 1),
           round(100 * sum(b.error) / nullif(sum(b.actual), 0), 1), max(b.currency)
    FROM crm.backtest_forecast($1, $2, $3, $4, $5, $6, $7) b GROUP BY b.method ORDER BY b.method
$$;
COMMENT ON FUNCTION crm.forecast_accuracy(date, date, text, text, interval, interval, text) IS 'How right each method would have been: mape, the mean of |error| by actual, and bias, sum of errors by sum of actuals, in percent, of the periods of crm.backtest_forecast(); periods in which nothing was won are not in mape. Arguments and errors as there.';
