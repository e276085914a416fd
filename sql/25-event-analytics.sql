/* ------------------------------------------------------------------
 * Aggregates over the events of a contact: funnels, patterns, retention,
 * journeys, attribution.
 * ------------------------------------------------------------------ */

-- Conditions are declared VARIADIC "any", of which each must be boolean: for
-- VARIADIC boolean[] the executor would make an array of every row.

-- Final functions may put the events of a state in order, which changes nothing
-- of what it says and lets rows be added: so they modify nothing (READ_ONLY), as
-- window functions and aggregates that share a state need it.

-- ---------------- what all share ----------------

CREATE FUNCTION crm.event_list_combine(internal, internal) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_event_list_combine';
COMMENT ON FUNCTION crm.event_list_combine(internal, internal) IS 'Of the aggregates over events: two states as one.';
CREATE FUNCTION crm.event_list_serial(internal) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_event_list_serial';
COMMENT ON FUNCTION crm.event_list_serial(internal) IS 'Of the aggregates over events: a state as bytes, for the leader of parallel workers.';
CREATE FUNCTION crm.event_list_deserial(bytea, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_event_list_deserial';
COMMENT ON FUNCTION crm.event_list_deserial(bytea, internal) IS 'Of the aggregates over events: a state from the bytes of a worker. Raises 22P03 when they are damaged.';

-- ---------------- funnels ----------------

CREATE FUNCTION crm.window_funnel_add(internal, "window" interval, mode text, at timestamptz, VARIADIC steps "any") RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_window_funnel_add';
COMMENT ON FUNCTION crm.window_funnel_add(internal, interval, text, timestamptz, "any") IS 'Of crm.window_funnel() and crm.window_funnel_times(): takes a row.';
CREATE FUNCTION crm.window_funnel_level(internal) RETURNS integer
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_window_funnel_level';
COMMENT ON FUNCTION crm.window_funnel_level(internal) IS 'Of crm.window_funnel(): the result.';
CREATE FUNCTION crm.window_funnel_times_of(internal) RETURNS timestamptz[]
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_window_funnel_times';
COMMENT ON FUNCTION crm.window_funnel_times_of(internal) IS 'Of crm.window_funnel_times(): the result.';

CREATE AGGREGATE crm.window_funnel("window" interval, mode text, at timestamptz, VARIADIC steps "any") (
    SFUNC = crm.window_funnel_add, STYPE = internal, SSPACE = 160,
    FINALFUNC = crm.window_funnel_level,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.window_funnel(interval, text, timestamptz, "any") IS 'How many steps of a funnel were reached, one after the other, within the window counted from the first step: 0 for none. Each step is a boolean, true for rows that are this step (null is false), 1 to 64 of them; rows without a moment are left out. A day of the window has 24 hours. The mode is '''' or some of strict_order, strict_deduplication, strict_increase, strict_once, allow_reentry with commas between them, see doc/event_analytics.md. Errors: 22004 window, mode or array of steps null; 22008 window out of range; 22023 negative window or one with months, unknown mode, window, mode or number of steps not the same in all rows of a group; 42804 a step that is not boolean; 54000 more than 64 steps, or too many events of one group.';

CREATE AGGREGATE crm.window_funnel_times("window" interval, mode text, at timestamptz, VARIADIC steps "any") (
    SFUNC = crm.window_funnel_add, STYPE = internal, SSPACE = 160,
    FINALFUNC = crm.window_funnel_times_of,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.window_funnel_times(interval, text, timestamptz, "any") IS 'The moments of the steps that crm.window_funnel() counts, as many as it returns, ascending. Of the chains of steps that reach the highest one, the one that did so first; of these the one that began last; each step as early as it was. Called with the same arguments as crm.window_funnel() in one query, both share the work. Errors: see there.';

-- ---------------- patterns ----------------

CREATE FUNCTION crm.sequence_add(internal, pattern text, at timestamptz, VARIADIC conditions "any") RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_sequence_add';
COMMENT ON FUNCTION crm.sequence_add(internal, text, timestamptz, "any") IS 'Of crm.sequence_match() and crm.sequence_count(): takes a row.';
CREATE FUNCTION crm.sequence_matches(internal) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_sequence_matches';
COMMENT ON FUNCTION crm.sequence_matches(internal) IS 'Of crm.sequence_match(): the result.';
CREATE FUNCTION crm.sequence_matches_count(internal) RETURNS bigint
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_sequence_matches_count';
COMMENT ON FUNCTION crm.sequence_matches_count(internal) IS 'Of crm.sequence_count(): the result.';

CREATE AGGREGATE crm.sequence_match(pattern text, at timestamptz, VARIADIC conditions "any") (
    SFUNC = crm.sequence_add, STYPE = internal, SSPACE = 160,
    FINALFUNC = crm.sequence_matches,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.sequence_match(text, timestamptz, "any") IS 'Whether events occur in the order of a pattern, such as (?1)(?t<=3600).*(?2): (?N) is an event for which condition N is true, . any event, .* any number of them, (?t<=3600) the seconds between two events. Rows for which no condition is true, or without a moment, are not there for it. Errors: 22004 pattern or array of conditions null; 22023 pattern or number of conditions not the same in all rows of a group; 42601 malformed pattern, with the character; 42804 a condition that is not boolean; 54000 more than 64 conditions, or too many events of one group.';

CREATE AGGREGATE crm.sequence_count(pattern text, at timestamptz, VARIADIC conditions "any") (
    SFUNC = crm.sequence_add, STYPE = internal, SSPACE = 160,
    FINALFUNC = crm.sequence_matches_count,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.sequence_count(text, timestamptz, "any") IS 'How often events occur in the order of a pattern: the greatest number of matches that do not overlap. Pattern and errors: see crm.sequence_match().';

-- ---------------- retention ----------------

CREATE FUNCTION crm.retention_add(bigint, VARIADIC conditions "any") RETURNS bigint
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_retention_add';
COMMENT ON FUNCTION crm.retention_add(bigint, "any") IS 'Of crm.retention(): takes a row.';
CREATE FUNCTION crm.retention_combine(bigint, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_retention_combine';
COMMENT ON FUNCTION crm.retention_combine(bigint, bigint) IS 'Of crm.retention(): two states as one.';
CREATE FUNCTION crm.retention_final(bigint) RETURNS boolean[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_retention_final';
COMMENT ON FUNCTION crm.retention_final(bigint) IS 'Of crm.retention(): the result.';

CREATE AGGREGATE crm.retention(VARIADIC conditions "any") (
    SFUNC = crm.retention_add, STYPE = bigint,
    FINALFUNC = crm.retention_final,
    COMBINEFUNC = crm.retention_combine,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.retention("any") IS 'Who came and who came again: the first element is whether the first condition was true for any row, each other one whether both the first and this one were, be it for different rows. 1 to 32 booleans, null is false; null when there are no rows. Errors: 22004 array of conditions null; 22023 number of conditions not the same in all rows of a group; 42804 a condition that is not boolean; 54000 more than 32.';

-- ---------------- journeys ----------------

CREATE FUNCTION crm.journey_add(internal, event text, at timestamptz) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_journey_add';
COMMENT ON FUNCTION crm.journey_add(internal, text, timestamptz) IS 'Of crm.journey_path(): takes a row.';
CREATE FUNCTION crm.journey_add(internal, event text, at timestamptz, max_steps integer, gap interval) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_journey_add';
COMMENT ON FUNCTION crm.journey_add(internal, text, timestamptz, integer, interval) IS 'Of crm.journey_path(): takes a row.';
CREATE FUNCTION crm.journey_path_of(internal) RETURNS text[]
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_journey_path';
COMMENT ON FUNCTION crm.journey_path_of(internal) IS 'Of crm.journey_path(): the result.';

CREATE AGGREGATE crm.journey_path(event text, at timestamptz) (
    SFUNC = crm.journey_add, STYPE = internal, SSPACE = 256,
    FINALFUNC = crm.journey_path_of,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.journey_path(text, timestamptz) IS 'The names of events in the order of time, one that follows itself given once; events of one moment by the bytes of their names. Rows with a null are left out. Errors: 54000 too many events of one group.';
CREATE AGGREGATE crm.journey_path(event text, at timestamptz, max_steps integer, gap interval) (
    SFUNC = crm.journey_add, STYPE = internal, SSPACE = 256,
    FINALFUNC = crm.journey_path_of,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.journey_path(text, timestamptz, integer, interval) IS 'As crm.journey_path(event, at), but at most so many steps, and only until the first pause between events that is longer than the gap; null for no bound. Errors: 22023 less than one step, a negative gap or one with months, steps or gap not the same in all rows of a group; 54000 too many events of one group.';

CREATE FUNCTION crm.journey_edges(path text[], OUT step integer, OUT event text, OUT next_event text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT i::integer, e, lead(e) OVER (ORDER BY i) FROM unnest(path) WITH ORDINALITY AS u (e, i) ORDER BY i
$$;
COMMENT ON FUNCTION crm.journey_edges(text[]) IS 'The steps of a path as edges, for a flow (Sankey) chart: number of the step from 1, its event, and the event that came next, null after the last one.';

CREATE FUNCTION crm.require_columns(relation regclass, columns name[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing name := (SELECT c FROM unnest(columns) WITH ORDINALITY AS u (c, n)
                     WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped) ORDER BY n LIMIT 1);
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'relation % has no column "%"', relation, missing
            USING ERRCODE = 'undefined_column',
                  HINT = (SELECT format('It has: %s.', string_agg(a.attname, ', ' ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_columns(regclass, name[]) IS 'Raises 42703, naming it and those that there are, when a relation has no such column.';

CREATE FUNCTION crm.journey_paths(source regclass, event_column name DEFAULT 'kind', at_column name DEFAULT 'occurred_at', contact_column name DEFAULT 'contact_id',
    max_steps integer DEFAULT 10, gap interval DEFAULT NULL, starts_with text DEFAULT NULL, ends_with text DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    OUT path text[], OUT journeys bigint, OUT contacts bigint, OUT share numeric) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    event text := format('SELECT %1$I AS contact, %2$I::text AS event, %3$I::timestamptz AS at FROM %4$s
        WHERE %1$I IS NOT NULL AND %2$I IS NOT NULL AND %3$I IS NOT NULL%5$s%6$s', contact_column, event_column, at_column, source,
        CASE WHEN since IS NOT NULL THEN format(' AND %I >= $5', at_column) END, CASE WHEN until IS NOT NULL THEN format(' AND %I < $6', at_column) END);
BEGIN
    IF max_steps < 1 OR gap < '0' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN gap < '0' THEN 'the longest gap within a journey cannot be negative' ELSE 'a journey must have at least one step' END;
    END IF;
    PERFORM crm.require_columns(source, ARRAY[contact_column, event_column, at_column]);
    IF gap IS NULL THEN
        event := format('SELECT contact, 0 AS journey, event, at FROM (%s) e', event);
    ELSE
        event := format('SELECT contact, count(*) FILTER (WHERE begins) OVER (PARTITION BY contact ORDER BY at) AS journey, event, at
            FROM (SELECT *, at - lag(at) OVER (PARTITION BY contact ORDER BY at) > $4 AS begins FROM (%s) e) b', event);
    END IF;
    RETURN QUERY EXECUTE format('
        WITH whole AS (SELECT contact, crm.journey_path(event, at) AS path FROM (%s) j GROUP BY contact, journey),
        cut AS (
            SELECT contact, CASE WHEN $2 IS NULL THEN path[first:least(first::bigint + $3 - 1, 2147483647)] ELSE path[greatest(first, last - $3 + 1):last] END AS path
            FROM whole
            CROSS JOIN LATERAL (SELECT CASE WHEN $1 IS NULL THEN 1 ELSE array_position(path, $1) END AS first) f
            CROSS JOIN LATERAL (SELECT array_position(path, $2, first) AS last) l
            WHERE first IS NOT NULL AND ($2 IS NULL OR last IS NOT NULL))
        SELECT path, count(*), count(DISTINCT contact), round(count(*) / sum(count(*)) OVER (), 6) FROM cut GROUP BY path ORDER BY count(*) DESC, path COLLATE "C"', event)
    USING starts_with, ends_with, coalesce(max_steps, 2147483647), gap, since, until;
END
$$;
COMMENT ON FUNCTION crm.journey_paths(regclass, name, name, name, integer, interval, text, text, timestamptz, timestamptz) IS 'The paths that contacts take through the events of a table or view, the most frequent first: how many journeys took it, of how many contacts, and its share of all journeys (0 to 1). A contact has one journey, or, with a gap, a new one after every longer pause. starts_with cuts journeys before the first such event, ends_with behind it (then the last max_steps count), and leaves out those without; since and until (exclusive) bound the moments. Repeats count once. Defaults fit crm.activity. Errors: 22023 less than one step, negative gap; 42703 no such column; 42501 no right to read it.';

-- ---------------- attribution ----------------

CREATE TYPE crm.channel_credit AS (channel text, credit numeric);
COMMENT ON TYPE crm.channel_credit IS 'What a channel has of the credit for one conversion.';
COMMENT ON COLUMN crm.channel_credit.channel IS 'The channel, as in the touches.';
COMMENT ON COLUMN crm.channel_credit.credit IS 'Its share, 0 to 1, to fifteen places; those of a conversion add up to 1 exactly.';

CREATE TYPE crm.channel_attribution AS (channel text, credit numeric, value numeric, removal_effect double precision);
COMMENT ON TYPE crm.channel_attribution IS 'What a channel has of the credit for all conversions.';
COMMENT ON COLUMN crm.channel_attribution.channel IS 'The channel, as in the paths.';
COMMENT ON COLUMN crm.channel_attribution.credit IS 'Its conversions; those of all channels add up to the conversions of the paths exactly.';
COMMENT ON COLUMN crm.channel_attribution.value IS 'Its value, in the unit of the paths'' value; those of all channels add up to the value of the paths exactly.';
COMMENT ON COLUMN crm.channel_attribution.removal_effect IS 'Of the model markov: the share of conversions that would be lost without the channel, 0 to 1; null of others.';

CREATE FUNCTION crm.attribution_add(internal, model text, channel text, at timestamptz, converted_at timestamptz) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_touch_add';
COMMENT ON FUNCTION crm.attribution_add(internal, text, text, timestamptz, timestamptz) IS 'Of crm.attribution(): takes a touch.';
CREATE FUNCTION crm.attribution_add(internal, model text, channel text, at timestamptz, converted_at timestamptz, half_life interval) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_touch_add';
COMMENT ON FUNCTION crm.attribution_add(internal, text, text, timestamptz, timestamptz, interval) IS 'Of crm.attribution(): takes a touch.';
CREATE FUNCTION crm.attribution_credits(internal) RETURNS crm.channel_credit[]
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_touch_credits';
COMMENT ON FUNCTION crm.attribution_credits(internal) IS 'Of crm.attribution(): the result.';

CREATE AGGREGATE crm.attribution(model text, channel text, at timestamptz, converted_at timestamptz) (
    SFUNC = crm.attribution_add, STYPE = internal, SSPACE = 256,
    FINALFUNC = crm.attribution_credits,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(text, text, timestamptz, timestamptz) IS 'How the touches before one conversion share its credit, by the model first, last, linear, position (first 40 %, last 40 %, the others between them 20 %; of two half each), time_decay (half for every 7 days before the conversion) or shapley (equal parts for each channel): a row for each channel, in the order of their first touches. Group by the conversion; touches after it, or with a null, are left out; {} when none is left. Errors: 22004 model or converted_at null; 22023 unknown model, or model or converted_at not the same in all rows of a group; 54000 too many touches.';
CREATE AGGREGATE crm.attribution(model text, channel text, at timestamptz, converted_at timestamptz, half_life interval) (
    SFUNC = crm.attribution_add, STYPE = internal, SSPACE = 256,
    FINALFUNC = crm.attribution_credits,
    COMBINEFUNC = crm.event_list_combine,
    SERIALFUNC = crm.event_list_serial, DESERIALFUNC = crm.event_list_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(text, text, timestamptz, timestamptz, interval) IS 'As crm.attribution(model, channel, at, converted_at), with the half-life of the model time_decay, in days of 24 hours and less. Errors: as there; 22004 half-life null; 22023 one that is not longer than zero or has months.';

CREATE FUNCTION crm.path_attribution_add(internal, model text, path text[], conversions numeric, value numeric, nulls numeric) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_path_add';
COMMENT ON FUNCTION crm.path_attribution_add(internal, text, text[], numeric, numeric, numeric) IS 'Of crm.attribution() over paths: takes a path.';
CREATE FUNCTION crm.path_attribution_combine(internal, internal) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_path_combine';
COMMENT ON FUNCTION crm.path_attribution_combine(internal, internal) IS 'Of crm.attribution() over paths: two states as one.';
CREATE FUNCTION crm.path_attribution_serial(internal) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_path_serial';
COMMENT ON FUNCTION crm.path_attribution_serial(internal) IS 'Of crm.attribution() over paths: a state as bytes, for the leader of parallel workers.';
CREATE FUNCTION crm.path_attribution_deserial(bytea, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_path_deserial';
COMMENT ON FUNCTION crm.path_attribution_deserial(bytea, internal) IS 'Of crm.attribution() over paths: a state from the bytes of a worker. Raises 22P03 when they are damaged.';
CREATE FUNCTION crm.path_attribution_credits(internal) RETURNS crm.channel_attribution[]
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_attribution_path_credits';
COMMENT ON FUNCTION crm.path_attribution_credits(internal) IS 'Of crm.attribution() over paths: the result.';

CREATE AGGREGATE crm.attribution(model text, path text[], conversions numeric, value numeric, nulls numeric) (
    SFUNC = crm.path_attribution_add, STYPE = internal, SSPACE = 8192,
    FINALFUNC = crm.path_attribution_credits,
    COMBINEFUNC = crm.path_attribution_combine,
    SERIALFUNC = crm.path_attribution_serial, DESERIALFUNC = crm.path_attribution_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(text, text[], numeric, numeric, numeric) IS 'How channels share the credit for all conversions, from paths: the channels touched in order, how often such a path ended in a conversion, the value of those together, and how often it ended in nothing (null for zero). The model is first, last, linear, position, shapley, or markov: in proportion to the share of conversions that would be lost without the channel, in the Markov chain of order 1, computed exactly. A row for each channel, by name. Paths without channels are left out. Errors: 22004 model null; 22023 unknown model, time_decay, a negative or infinite number, model not the same in all rows of a group; 54000 markov with more than 2000 channels.';

CREATE FUNCTION crm.attribute_orders(model text DEFAULT 'last', look_back interval DEFAULT '30 days', half_life interval DEFAULT '7 days',
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    touches regclass DEFAULT NULL, channel_column name DEFAULT 'kind', at_column name DEFAULT 'occurred_at', contact_column name DEFAULT 'contact_id',
    OUT channel text, OUT orders numeric, OUT amount numeric, OUT currency text) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base CONSTANT text := (SELECT b.code FROM crm.base_currency b);
    digits CONSTANT integer := (SELECT c.digits FROM crm.currency c WHERE c.code = base);
    touch CONSTANT text := format('SELECT %I AS contact_id, %I::text AS channel, %I::timestamptz AS at FROM %s', contact_column, channel_column, at_column,
                                  coalesce(touches, 'crm.activity'::regclass));
BEGIN
    IF look_back IS NULL OR look_back < '0' THEN
        RAISE EXCEPTION 'the time to look back must be zero or longer' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM crm.require_columns(coalesce(touches, 'crm.activity'), ARRAY[contact_column, channel_column, at_column]);
    RETURN QUERY EXECUTE format('
        WITH touch AS (SELECT * FROM (%s) t WHERE contact_id IS NOT NULL AND channel IS NOT NULL),
        bought AS (
            SELECT o.contact_id, o.id, o.ordered_at, o.base_amount AS amount FROM crm.sales_order o
            WHERE o.is_counted AND ($4 IS NULL OR o.ordered_at >= $4) AND ($5 IS NULL OR o.ordered_at < $5)),
        touched AS (SELECT o.*, t.channel, t.at FROM bought o LEFT JOIN touch t ON t.contact_id = o.contact_id AND t.at <= o.ordered_at AND t.at >= o.ordered_at - $2),
        credited AS (%s),
        share AS (
            SELECT channel, round(sum(credit), 6) AS orders, round(sum(amount), $7) AS amount, row_number() OVER (ORDER BY channel IS NULL, sum(amount) IS NULL, sum(credit) DESC, channel) AS place
            FROM (SELECT channel, credit, amount FROM credited
                  UNION ALL SELECT NULL, count(*), sum(amount) FROM (SELECT amount FROM touched GROUP BY contact_id, id, amount HAVING count(channel) = 0) u HAVING count(*) > 0) c
            GROUP BY channel)
        -- What rounding takes or adds, the largest has.
        SELECT s.channel, trim_scale(s.orders + CASE WHEN s.place = 1 THEN t.orders - sum(s.orders) OVER () ELSE 0 END),
               trim_scale(s.amount + CASE WHEN s.place = 1 THEN t.amount - sum(s.amount) OVER () ELSE 0 END), $6
        FROM share s CROSS JOIN (SELECT count(*) AS orders, sum(amount) AS amount FROM bought) t
        ORDER BY 2 DESC, 1', touch,
        CASE WHEN model = 'markov' THEN '
            SELECT c.channel, c.credit, CASE WHEN EXISTS (SELECT FROM bought WHERE amount IS NOT NULL) THEN c.value END AS amount
            FROM (SELECT crm.attribution($1, path, conversions, value, nulls) AS credits FROM (
                SELECT array_agg(channel ORDER BY at, channel COLLATE "C") AS path, 1 AS conversions, coalesce(amount, 0) AS value, 0 AS nulls
                FROM touched WHERE channel IS NOT NULL GROUP BY contact_id, id, amount
                UNION ALL
                SELECT array_agg(t.channel ORDER BY t.at, t.channel COLLATE "C"), 0, 0, 1
                FROM touch t LEFT JOIN (SELECT contact_id, max(ordered_at) AS last_at FROM bought GROUP BY 1) b ON b.contact_id = t.contact_id
                WHERE (b.last_at IS NULL OR t.at > b.last_at) AND ($4 IS NULL OR t.at >= $4) AND ($5 IS NULL OR t.at < $5)
                GROUP BY t.contact_id) p) x, unnest(x.credits) c'
        ELSE '
            SELECT c.channel, c.credit, c.credit * x.amount AS amount
            FROM (SELECT amount, crm.attribution($1, channel, at, ordered_at, $3) AS credits FROM touched GROUP BY contact_id, id, amount) x, unnest(x.credits) c'
        END)
    USING model, look_back, half_life, since, until, base, digits;
END
$$;
COMMENT ON FUNCTION crm.attribute_orders(text, interval, interval, timestamptz, timestamptz, regclass, name, name, name) IS 'What channels have of the orders that count (crm.sales_order.is_counted) in a period, until excluded: the number of orders and their amount in the base currency, each order shared among the touches of its contact in the time before it by a model of crm.attribution(). Touches are rows of crm.activity with their kind as the channel, or those of another table or view. The row with a null channel has the orders without a touch, so that totals are those of the orders, exactly: orders are rounded to six digits, amounts to those of the currency, and the largest channel has the remainder; an order whose amount in the base currency is not known is in the number of orders and in no amount, which is null where none is known. The model markov also takes the touches of the period after a contact''s last order in it as a path that led to nothing. Errors: 22004 model or half-life null; 22023 unknown model, half-life or time to look back that is too short or has months (half-life); 42703 no such column; 42501 no right to read.';
