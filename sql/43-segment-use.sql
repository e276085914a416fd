/* ------------------------------------------------------------------
 * Segments in use: previews, histories, portraits, goals, offers, actions.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.unwatch_for_segments(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT t.tgname, t.tgrelid::regclass AS part FROM crm.table_tree(relation) r JOIN pg_trigger t ON t.tgrelid = r
                WHERE t.tgfoid IN ('crm.queue_for_segments()'::regprocedure, to_regprocedure('crm.refresh_all_segments()')) AND NOT t.tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', item.tgname, item.part);
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.unwatch_for_segments(regclass) IS 'Takes the triggers of crm.watch_for_segments() off a table and its partitions; segments that count its events are refreshed from all contacts from then on. Errors: 42501 the table belongs to another.';

CREATE FUNCTION crm.derive_rule() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    problem record;
BEGIN
    NEW.rule := NEW.definition::crm.rule;
    FOR problem IN SELECT * FROM crm.rule_check(NEW.rule, TG_ARGV[0]::regclass) LOOP
        RAISE EXCEPTION 'the rule does not fit %: %', TG_ARGV[0], problem.message
            USING ERRCODE = problem.code, DETAIL = format('Condition: %s', problem.condition), HINT = coalesce(problem.hint, 'Fields are the columns of crm.contact_profile; texts stand in single quotes, intervals as interval ''90 days''.');
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.derive_rule() IS 'Trigger: reads the rule of column definition into column rule; its argument is the relation that the rule is about. Errors: 42601 no rule; 42703 a field that the relation lacks.';

CREATE FUNCTION crm.check_segment_goal() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.metric <> '*' AND NOT EXISTS (
        SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = 'crm.contact_profile'::regclass AND a.attname = NEW.metric AND a.attnum > 0 AND (t.typcategory = 'N' OR NEW.aggregate = 'count')) THEN
        RAISE EXCEPTION 'crm.contact_profile has no column "%" of numbers', NEW.metric USING ERRCODE = 'undefined_column',
            HINT = 'A metric is one of its columns of numbers; with count any of them, or *.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.check_segment_goal() IS 'Trigger of crm.segment_goal. Errors: 42703 a metric that contacts lack or that is no number.';

CREATE FUNCTION crm.preview(rule crm.rule, sample_size integer DEFAULT 10, seed bigint DEFAULT 1, as_of timestamptz DEFAULT now(),
    OUT contacts bigint, OUT sample bigint[], OUT share double precision, OUT estimated_cost double precision, OUT seconds double precision)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    members crm.contact_set;
    began CONSTANT timestamptz := clock_timestamp();
    plan json;
BEGIN
    PERFORM crm.require_installed();
    EXECUTE format('EXPLAIN (FORMAT json) SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p WHERE %s',
                   crm.rule_sql(rule, 'crm.contact_profile', as_of, 'p')) INTO plan;
    estimated_cost := (plan -> 0 -> 'Plan' ->> 'Total Cost')::double precision;
    members := crm.evaluate_rule(rule, as_of);
    contacts := crm.cardinality(members);
    sample := crm.member_array(crm.sample(members, sample_size, seed));
    SELECT contacts / nullif(count(*), 0)::double precision INTO share FROM crm.contact_profile;
    seconds := extract(epoch FROM clock_timestamp() - began);
END
$$;
COMMENT ON FUNCTION crm.preview(crm.rule, integer, bigint, timestamptz) IS 'What a segment of that rule would be: number of contacts, a sample of their numbers (the same for the same seed), their share of all, the planner''s cost and how long it took, seconds. Errors: 42703 a field that contacts lack; what the rule''s operators raise.';

CREATE FUNCTION crm.explain_segment(segment text, contact_id bigint, as_of timestamptz DEFAULT now(),
    OUT depth integer, OUT condition text, OUT field_values jsonb, OUT truth boolean) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target crm.segment := (SELECT s FROM crm.segment s WHERE s.id = crm.segment_number(segment));
BEGIN
    depth := 0;
    IF target.kind = 'static' THEN
        condition := 'on the list, alive and not archived';
        field_values := jsonb_build_object('given', (SELECT crm.from_roaring(l.contacts) OPERATOR(crm.@>) contact_id FROM crm.segment_list l
                                                     WHERE l.segment_id = target.id AND l.chunk = contact_id >> 16));
        truth := crm.segment_set(segment) OPERATOR(crm.@>) contact_id;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT x.depth, x.condition, x.field_values, x.truth
    FROM crm.contact_profile p CROSS JOIN LATERAL (
        SELECT 0 AS number, 0 AS depth, target.rule::text AS condition, '{}'::jsonb AS field_values, crm.rule_eval(p, target.rule, as_of) AS truth
        UNION ALL
        SELECT e.number, e.depth + 1, e.condition,
               e.field_values || coalesce((SELECT jsonb_build_object('events', v.events, 'latest', v.latest) FROM crm.condition_events(p.contact_id, e.condition, as_of) v), '{}'), e.truth
        FROM crm.explain_rule(p, target.rule, as_of) e) x
    WHERE p.contact_id = $2 ORDER BY x.number;
    IF NOT FOUND THEN
        condition := 'a living contact that is not archived';
        truth := false;
        RETURN NEXT;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.explain_segment(text, bigint, timestamptz) IS 'Why a contact is in a segment or not: first its whole rule (depth 0), then each condition with how deep it stands within and, or and not, the values that it meets (of did() how many events there are in its span, and when the latest was) and whether it is true by itself. Errors: RM031 no such segment.';

CREATE FUNCTION crm.condition_events(contact_id bigint, condition text, as_of timestamptz, OUT events bigint, OUT latest timestamptz) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    did CONSTANT jsonb := CASE WHEN condition LIKE 'did(%' THEN condition::crm.rule::jsonb END;
    source crm.event_kind;
BEGIN
    IF did IS NULL THEN
        RETURN;
    END IF;
    SELECT * INTO source FROM crm.event_kind e WHERE e.event = did ->> 'did';
    IF NOT FOUND THEN
        source := ROW(did ->> 'did', 'crm.activity', 'contact_id', 'occurred_at', format('kind = %L', did ->> 'did'), NULL);
    END IF;
    RETURN QUERY EXECUTE format('SELECT count(*), max(e.%1$I) FROM %2$s e WHERE e.%3$I = $1 AND e.%1$I <= $2 AND ($3 IS NULL OR e.%1$I > $2 - $3) AND (%4$s)',
                                source.at_column, source.relation::regclass, source.contact_column,
                                coalesce(crm.rule_sql(source.filter::crm.rule, source.relation::regclass, as_of, 'e'), 'true'))
    USING contact_id, as_of, (did ->> 'within')::interval;
END
$$;
COMMENT ON FUNCTION crm.condition_events(bigint, text, timestamptz) IS 'Of a condition did(...): how many of its events the contact has in its span up to as_of, and when the latest of them was. No row for other conditions.';

CREATE FUNCTION crm.segment_changes(segment_id bigint) RETURNS TABLE (refresh bigint, at timestamptz, contact_id bigint, entered boolean, cause text)
LANGUAGE sql STABLE ROWS 10000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.refresh, h.at, h.contact_id, h.entered, h.cause FROM crm.segment_history h WHERE h.segment_id = $1
    UNION ALL
    SELECT f.refresh, f.at, m.id, true, f.cause FROM crm.segment_fill f, crm.members(crm.from_roaring(f.entered)) AS m (id) WHERE f.segment_id = $1
    UNION ALL
    SELECT f.refresh, f.at, m.id, false, f.cause FROM crm.segment_fill f, crm.members(crm.from_roaring(f.departed)) AS m (id) WHERE f.segment_id = $1
$$;
COMMENT ON FUNCTION crm.segment_changes(bigint) IS 'All who ever entered and left a segment, small changes and large ones together.';

CREATE FUNCTION crm.contact_segment_history(contact_id bigint)
RETURNS TABLE (segment text, at timestamptz, entered boolean, cause text)
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name, c.at, c.entered, c.cause
    FROM (SELECT h.segment_id, h.refresh, h.at, h.entered, h.cause FROM crm.segment_history h WHERE h.contact_id = $1
          UNION ALL
          SELECT f.segment_id, f.refresh, f.at, true, f.cause FROM crm.segment_fill f WHERE crm.from_roaring(f.entered) OPERATOR(crm.@>) $1
          UNION ALL
          SELECT f.segment_id, f.refresh, f.at, false, f.cause FROM crm.segment_fill f WHERE crm.from_roaring(f.departed) OPERATOR(crm.@>) $1) c
    JOIN crm.segment s ON s.id = c.segment_id
    ORDER BY c.refresh, s.name
$$;
COMMENT ON FUNCTION crm.contact_segment_history(bigint) IS 'Which segments a contact entered and left, when and why, in that order.';

CREATE FUNCTION crm.segment_as_of(segment text, at timestamptz) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    -- The first change after the moment tells what was before it.
    WITH later AS (
        SELECT DISTINCT ON (c.contact_id) c.contact_id, c.entered
        FROM crm.segment_changes(crm.segment_number(segment)) c WHERE c.at > segment_as_of.at
        ORDER BY c.contact_id, c.refresh
    )
    SELECT (crm.segment_set(segment) OPERATOR(crm.-) coalesce((SELECT crm.contact_set_agg(l.contact_id) FROM later l WHERE l.entered), '{}'))
           OPERATOR(crm.|) coalesce((SELECT crm.contact_set_agg(l.contact_id) FROM later l WHERE NOT l.entered), '{}')
$$;
COMMENT ON FUNCTION crm.segment_as_of(text, timestamptz) IS 'Who was in a segment at a moment of the past, by its history. Errors: RM031 no such segment.';

CREATE FUNCTION crm.compact_segment_history(as_of timestamptz DEFAULT now(), keep interval DEFAULT '2 years') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    horizon CONSTANT timestamptz := as_of - keep;
    one record;
    members crm.contact_set;
    removed bigint := 0;
    n bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    FOR one IN
        SELECT s.id, s.name,
               coalesce((SELECT min(c.refresh) FROM crm.segment_changes(s.id) c WHERE c.at > horizon),
                        (SELECT max(c.refresh) + 1 FROM crm.segment_changes(s.id) c)) - 1 AS refresh
        FROM crm.segment s
        WHERE EXISTS (SELECT FROM crm.segment_history h WHERE h.segment_id = s.id AND h.at <= horizon)
           OR (SELECT count(*) FROM crm.segment_fill f WHERE f.segment_id = s.id AND f.at <= horizon) > 1
    LOOP
        members := crm.segment_as_of(one.name, horizon);
        DELETE FROM crm.segment_history h WHERE h.segment_id = one.id AND h.at <= horizon;
        GET DIAGNOSTICS n = ROW_COUNT;
        removed := removed + n;
        DELETE FROM crm.segment_fill f WHERE f.segment_id = one.id AND f.at <= horizon;
        GET DIAGNOSTICS n = ROW_COUNT;
        removed := removed + n;
        INSERT INTO crm.segment_fill (segment_id, refresh, at, entered, departed, cause)
        VALUES (one.id, one.refresh, horizon, crm.to_roaring(members), crm.to_roaring('{}'), 'kept');
    END LOOP;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION crm.compact_segment_history(timestamptz, interval) IS 'Job: gives up the history of segments that is older than keep, but for who was a member then (cause kept), so that later moments can still be asked for; returns the number of entries removed. Off unless it is enabled in crm.job.';

CREATE FUNCTION crm.rebuild_segment_chunks() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written bigint;
BEGIN
    PERFORM crm.lock_segments();
    UPDATE crm.segment s SET needs_full = true WHERE s.rule IS NULL AND s.kind <> 'static';     -- the rule by its trigger
    UPDATE crm.incentive i SET definition = i.definition WHERE i.rule IS NULL;      -- by its trigger
    DELETE FROM crm.segment_chunk;
    INSERT INTO crm.segment_chunk (segment_id, chunk, members)
    SELECT l.segment_id, l.contact_id >> 16, crm.contact_set_agg(l.contact_id)
    FROM (SELECT DISTINCT ON (s.id, c.contact_id) s.id AS segment_id, c.contact_id, c.entered
          FROM crm.segment s, crm.segment_changes(s.id) c ORDER BY s.id, c.contact_id, c.refresh DESC) l
    WHERE l.entered
    GROUP BY l.segment_id, l.contact_id >> 16;
    GET DIAGNOSTICS written = ROW_COUNT;
    UPDATE crm.segment s
    SET cardinality = coalesce((SELECT sum(crm.cardinality(k.members)) FROM crm.segment_chunk k WHERE k.segment_id = s.id), 0);
    RETURN written;
END
$$;
COMMENT ON FUNCTION crm.rebuild_segment_chunks() IS 'Makes the members of all segments again from their history, as after DROP EXTENSION ... CASCADE; returns the number of chunks.';

CREATE FUNCTION crm.segment_overlap(segments text[] DEFAULT NULL)
RETURNS TABLE (segment_a text, segment_b text, members_a bigint, members_b bigint, in_both bigint, jaccard double precision, lift double precision)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
    WITH s AS MATERIALIZED (
        SELECT g.name, g.cardinality, crm.segment_set(g.name) AS members FROM crm.segment g WHERE segments IS NULL OR g.id IN (SELECT crm.segment_number(n) FROM unnest(segments) n)
    ), base AS (SELECT count(*)::double precision AS contacts FROM crm.contact_profile)
    SELECT a.name, b.name, a.cardinality, b.cardinality, i.in_both, i.in_both / nullif(a.cardinality + b.cardinality - i.in_both, 0)::double precision,
           i.in_both * base.contacts / nullif(a.cardinality::double precision * b.cardinality, 0)
    FROM base, s a JOIN s b ON a.name < b.name, LATERAL (SELECT crm.intersect_count(a.members, b.members) AS in_both) i
    ORDER BY i.in_both DESC, a.name, b.name
$$;
COMMENT ON FUNCTION crm.segment_overlap(text[]) IS 'How much segments overlap, each pair once: number in both, share of those in either (Jaccard index), and lift: how much more often they meet than by chance. Of all segments unless some are named; those that share most come first. Errors: RM031 no such segment.';

CREATE FUNCTION crm.segment_profile(segment text, most integer DEFAULT 10, as_of timestamptz DEFAULT now())
RETURNS TABLE (attribute text, value text, contacts bigint, share double precision)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
    WITH member AS MATERIALIZED (
        SELECT p.* FROM crm.segment_members(segment) AS m (id) JOIN crm.contact_profile p ON p.contact_id = m.id
    ), described AS (
        SELECT v.attribute, v.value, count(*) AS contacts
        FROM member p, LATERAL (VALUES
            ('age', CASE WHEN p.birth_date IS NULL THEN NULL
                         ELSE (SELECT CASE WHEN a.years < 18 THEN 'below 18' WHEN a.years < 25 THEN '18-24' WHEN a.years < 35 THEN '25-34' WHEN a.years < 45 THEN '35-44'
                                           WHEN a.years < 55 THEN '45-54' WHEN a.years < 65 THEN '55-64' ELSE '65 and above' END
                               FROM (SELECT extract(year FROM age(as_of AT TIME ZONE 'UTC', p.birth_date)) AS years) a) END),
            ('gender', p.gender), ('country', p.country), ('city', p.city), ('lifecycle_stage', p.lifecycle_stage), ('source', p.source),
            ('company_industry', p.company_industry),
            ('channel', CASE WHEN p.email IS NOT NULL AND p.phone IS NOT NULL THEN 'email and phone' WHEN p.email IS NOT NULL THEN 'email'
                             WHEN p.phone IS NOT NULL THEN 'phone' END),
            ('orders', CASE WHEN p.order_count = 0 THEN 'none' WHEN p.order_count = 1 THEN 'one' WHEN p.order_count <= 5 THEN '2-5' ELSE 'more than 5' END)
        ) AS v (attribute, value)
        GROUP BY v.attribute, v.value
    ), ranked AS (
        SELECT d.*, row_number() OVER (PARTITION BY d.attribute ORDER BY d.contacts DESC, d.value) AS place FROM described d
    ), total AS (SELECT count(*) AS contacts FROM member)
    SELECT r.attribute, CASE WHEN r.place <= most THEN coalesce(r.value, 'unknown') ELSE 'other' END, sum(r.contacts)::bigint,
           sum(r.contacts)::double precision / nullif((SELECT t.contacts FROM total t), 0)
    FROM ranked r
    GROUP BY r.attribute, CASE WHEN r.place <= most THEN coalesce(r.value, 'unknown') ELSE 'other' END, CASE WHEN r.place <= most THEN r.place ELSE most + 1 END
    ORDER BY r.attribute, CASE WHEN min(r.place) <= most THEN min(r.place) ELSE most + 1 END
$$;
COMMENT ON FUNCTION crm.segment_profile(text, integer, timestamptz) IS 'The portrait of a segment: how its members are distributed over age, gender, country, city, life cycle, source, industry, channels and orders; of each the most frequent values, the rest as other. The numbers of each attribute add up to the living members. Errors: RM031 no such segment.';

CREATE FUNCTION crm.segment_metric(segment text, metric text, aggregate text) RETURNS numeric
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result numeric;
    members bigint;
BEGIN
    IF aggregate NOT IN ('count', 'sum', 'avg', 'min', 'max') THEN
        RAISE EXCEPTION '"%" is no aggregate of a metric', aggregate USING ERRCODE = 'invalid_parameter_value',
            HINT = 'count, sum, avg, min or max.';
    END IF;
    IF metric <> '*' AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact_profile'::regclass AND a.attname = metric AND a.attnum > 0) THEN
        RAISE EXCEPTION 'crm.contact_profile has no column "%"', metric USING ERRCODE = 'undefined_column',
            HINT = 'A metric is one of its columns of numbers, or * with count.';
    END IF;
    EXECUTE format('SELECT count(*), %s(%s)::numeric FROM crm.segment_members($1) AS m (id) JOIN crm.contact_profile p ON p.contact_id = m.id',
                   aggregate, CASE metric WHEN '*' THEN '*' ELSE format('p.%I', metric) END) INTO members, result USING segment;
    RETURN CASE WHEN members > 0 THEN result END;
END
$$;
COMMENT ON FUNCTION crm.segment_metric(text, text, text) IS 'A column of crm.contact_profile put together over the members of a segment; null when it has none. Errors: 22023 no such aggregate; 42703 no such column; 42883 a column that it cannot be made of; RM031 no such segment.';

CREATE FUNCTION crm.offer_for(contact_id bigint, as_of timestamptz DEFAULT now(), OUT offer text, OUT segment text, OUT priority integer)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.offer, s.name, o.priority
    FROM crm.segment_offer o JOIN crm.segment s ON s.id = o.segment_id
    JOIN crm.segment_chunk k ON k.segment_id = s.id AND k.chunk = contact_id >> 16 AND k.members OPERATOR(crm.@>) contact_id
    WHERE o.valid @> as_of
    ORDER BY o.priority, o.id LIMIT 1
$$;
COMMENT ON FUNCTION crm.offer_for(bigint, timestamptz) IS 'The offer for a contact: of those for its segments the one with the lowest priority, then the oldest; null when there is none.';

CREATE FUNCTION crm.choose_incentive(contact_id bigint, budget numeric DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT incentive text, OUT kind text, OUT amount numeric, OUT cost numeric)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
    holds boolean;
BEGIN
    -- One that fails is passed over.
    FOR item IN SELECT i.* FROM crm.incentive i WHERE i.enabled AND (budget IS NULL OR i.cost <= budget) ORDER BY i.priority, i.cost, i.name LOOP
        BEGIN
            SELECT crm.rule_eval(p, item.rule, as_of) INTO holds FROM crm.contact_profile p WHERE p.contact_id = $1;
        EXCEPTION WHEN OTHERS THEN
            IF crm.is_passing(SQLSTATE) THEN RAISE; END IF;
            RAISE WARNING 'the rule of incentive "%" fails: %', item.name, SQLERRM USING ERRCODE = SQLSTATE, HINT = 'SELECT * FROM crm.validate_config()';
            CONTINUE;
        END;
        IF holds THEN
            incentive := item.name;
            kind := item.kind;
            amount := item.amount;
            cost := item.cost;
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.choose_incentive(bigint, numeric, timestamptz) IS 'How to motivate a contact: of the incentives whose rule holds and that cost no more than the budget the one with the lowest priority, then the cheapest; null when there is none. One whose rule fails is passed over with a warning.';

CREATE FUNCTION crm.standing_for(contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    SELECT (contacts OPERATOR(crm.-) coalesce(crm.contact_set_agg(c.id), '{}')) OPERATOR(crm.|) coalesce(crm.contact_set_agg(c.merged_into), '{}')
    FROM crm.contact c WHERE c.merged_into IS NOT NULL AND c.id OPERATOR(crm.<@) contacts
$$;
COMMENT ON FUNCTION crm.standing_for(crm.contact_set) IS 'The same contacts, those that merges absorbed replaced by the ones that stand for them.';

CREATE FUNCTION crm.start_action(name text, segment text, control_share double precision DEFAULT 0.1, lasts interval DEFAULT '30 days',
    seed bigint DEFAULT 1, as_of timestamptz DEFAULT now(), OUT targets crm.contact_set, OUT control crm.contact_set)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint := crm.segment_number(segment);
BEGIN
    IF control_share IS NULL OR NOT control_share BETWEEN 0 AND 0.9 THEN
        RAISE EXCEPTION 'a control group of share % cannot be drawn', control_share USING ERRCODE = 'invalid_parameter_value', HINT = 'From 0 to 0.9.';
    END IF;
    IF EXISTS (SELECT FROM crm.segment_action a WHERE a.name = $1) THEN
        RAISE EXCEPTION 'there is an action "%" already', name USING ERRCODE = 'duplicate_object', HINT = 'Choose another name.';
    END IF;
    SELECT (array_agg(x.members ORDER BY x.arm))[1], (array_agg(x.members ORDER BY x.arm))[2] INTO targets, control
    FROM crm.split(crm.segment_set(segment), ARRAY[1 - control_share, control_share], seed) x;
    INSERT INTO crm.segment_action (segment_id, name, started_at, lasts, targets, control)
    VALUES (target, $1, as_of, $4, crm.to_roaring(targets), crm.to_roaring(control));
END
$$;
COMMENT ON FUNCTION crm.start_action(text, text, double precision, interval, bigint, timestamptz) IS 'Begins an action aimed at the members of a segment: holds a share of them back for comparison, the same ones for the same seed, keeps both groups and returns them. Errors: RM031 no such segment; 42710 the name is taken; 22023 the share.';

CREATE FUNCTION crm.action_contacts(name text) RETURNS TABLE (contact_id bigint, arm text)
LANGUAGE sql STABLE STRICT ROWS 10000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.id, 'target' FROM crm.segment_action a, crm.members(crm.from_roaring(a.targets)) AS m (id) WHERE a.name = $1
    UNION ALL
    SELECT m.id, 'control' FROM crm.segment_action a, crm.members(crm.from_roaring(a.control)) AS m (id) WHERE a.name = $1
$$;
COMMENT ON FUNCTION crm.action_contacts(text) IS 'The contacts of an action as it was started: those who got it (target) and those held back (control). No rows when there is no action of that name.';

CREATE FUNCTION crm.contacts_of(system text, external_ids text[], OUT contacts crm.contact_set, OUT unknown text[])
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.contact_set_agg(r.contact_id), '{}'),
           coalesce(array_agg(DISTINCT n.id ORDER BY n.id) FILTER (WHERE r.contact_id IS NULL), '{}')
    FROM unnest(external_ids) AS n (id)
    LEFT JOIN crm.external_ref r ON r.system = contacts_of.system AND r.external_id = n.id
$$;
COMMENT ON FUNCTION crm.contacts_of(text, text[]) IS 'The contacts that have these numbers in another system, as a set for a list, and the numbers that nobody has.';
