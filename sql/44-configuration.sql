/* ------------------------------------------------------------------
 * What is configured as rows, looked at as a whole.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.validate_config(OUT item text, OUT name text, OUT problem text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM crm.require_installed();
    RETURN QUERY
    WITH rule (item, name, definition, rule, relation) AS (
        SELECT 'segment', s.name, s.definition, s.rule, 'crm.contact_profile'::regclass FROM crm.segment s WHERE s.kind <> 'static'
        UNION ALL SELECT 'incentive', i.name, i.definition, i.rule, 'crm.contact_profile' FROM crm.incentive i
        UNION ALL SELECT 'archive rule', a.name, a.definition, a.rule, 'crm.contact_profile' FROM crm.archive_rule a WHERE a.definition IS NOT NULL
        UNION ALL SELECT 'stage', format('%s: %s', p.name, s.name), g.definition, g.rule, 'crm.deal_profile'
        FROM crm.pipeline p JOIN crm.stage s ON s.pipeline_id = p.id
        CROSS JOIN LATERAL (VALUES (s.entry_guard, s.entry_rule), (s.exit_guard, s.exit_rule)) g (definition, rule) WHERE g.definition IS NOT NULL
        UNION ALL SELECT 'transition', format('%s: %s -> %s', p.name, coalesce(f.name, 'begin'), s.name), t.guard, t.guard_rule, 'crm.deal_profile'
        FROM crm.stage_transition t JOIN crm.stage s ON s.id = t.to_stage_id JOIN crm.pipeline p ON p.id = s.pipeline_id LEFT JOIN crm.stage f ON f.id = t.from_stage_id
        WHERE t.guard IS NOT NULL
    ), event AS (
        SELECT e.*, to_regclass(e.relation) AS target FROM crm.event_kind e
    ), stage AS (
        SELECT p.name AS pipeline, s.id, s.name, s.kind, t.begins, t.leads_here, t.leaves
        FROM crm.pipeline p JOIN crm.stage s ON s.pipeline_id = p.id
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(x.from_stage_id IS NULL AND x.to_stage_id = s.id), false) AS begins,
                   coalesce(bool_or(x.to_stage_id = s.id), false) AS leads_here, coalesce(bool_or(x.from_stage_id = s.id), false) AS leaves
            FROM crm.stage_transition x WHERE s.id IN (x.from_stage_id, x.to_stage_id)) t
        WHERE p.active
    )
    SELECT x.item, x.name, x.problem, x.hint FROM (
        SELECT r.item, r.name, c.message AS problem, coalesce(c.hint, 'Give it a rule that fits, or bring back what it asks for.') AS hint FROM rule r CROSS JOIN LATERAL crm.rule_check(r.rule, r.relation) c
        -- A guard may name a column of the deal that the profile lacks.
        WHERE r.relation <> 'crm.deal_profile'::regclass OR c.condition IN (SELECT o.condition FROM crm.rule_check(r.rule, 'crm.deal') o)
        UNION ALL
        SELECT r.item, r.name, format('its rule is not derived: %s', r.definition), 'SELECT crm.rebuild_segment_chunks(), or write its definition again.'
        FROM rule r WHERE r.rule IS NULL
        UNION ALL
        SELECT 'event', e.event, CASE WHEN e.target IS NULL THEN format('there is no relation %s', e.relation) ELSE format('relation %s has no column "%s"', e.relation, c.name) END,
               'Mend its row in crm.event_kind, or remove it.'
        FROM event e CROSS JOIN unnest(ARRAY[e.contact_column, e.at_column]) WITH ORDINALITY AS c (name, n)
        WHERE CASE WHEN e.target IS NULL THEN c.n = 1
                   ELSE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = e.target AND a.attname = c.name AND a.attnum > 0) END
        UNION ALL
        SELECT 'event', e.event, c.message, coalesce(c.hint, 'Give it a filter that fits, or bring back what it asks for.') FROM event e CROSS JOIN LATERAL crm.rule_check(e.filter::crm.rule, e.target) c WHERE e.target IS NOT NULL
        UNION ALL
        SELECT 'goal of segment', s.name, format('crm.contact_profile has no column "%s"', g.metric), 'Mend its row in crm.segment_goal.'
        FROM crm.segment_goal g JOIN crm.segment s ON s.id = g.segment_id
        WHERE g.metric <> '*' AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact_profile'::regclass AND a.attname = g.metric AND a.attnum > 0)
        UNION ALL
        SELECT 'pipeline', s.pipeline, 'no deal can begin in it', 'SELECT crm.allow_transition(pipeline, NULL, stage)'
        FROM stage s GROUP BY s.pipeline HAVING NOT bool_or(s.begins)
        UNION ALL
        SELECT 'pipeline', s.pipeline, format('it has no stage of kind %s', k.kind), 'Add one to crm.stage.'
        FROM stage s CROSS JOIN (VALUES ('open'), ('won'), ('lost')) k (kind) GROUP BY s.pipeline, k.kind HAVING NOT bool_or(s.kind = k.kind)
        UNION ALL
        SELECT 'stage', format('%s: %s', s.pipeline, s.name), CASE WHEN NOT s.leads_here THEN 'no move leads to it' ELSE 'no move leads away from it' END,
               'crm.allow_transition(), or delete the stage.'
        FROM stage s WHERE NOT s.leads_here OR (NOT s.leaves AND s.kind = 'open')
        UNION ALL
        SELECT 'pipelines', NULL, 'none is the default: a deal must name its pipeline', 'UPDATE crm.pipeline SET is_default = true WHERE name = ...'
        WHERE NOT EXISTS (SELECT FROM crm.pipeline p WHERE p.is_default)
        UNION ALL
        SELECT 'job', j.name, format('schema "crm" has no function "%s"', j.function), 'crm.schedule_job() gives it another one.'
        FROM crm.job j WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = j.function)
        UNION ALL
        SELECT z.item, z.name, format('there is no time zone "%s"', z.time_zone), 'pg_timezone_names lists them.'
        FROM (SELECT 'branch', b.name, b.time_zone FROM crm.branch b UNION ALL SELECT 'agent', a.name, a.time_zone FROM crm.agent a
              UNION ALL SELECT 'job', j.name, j.time_zone FROM crm.job j WHERE j.daily_at IS NOT NULL) z (item, name, time_zone)
        WHERE z.time_zone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names n WHERE lower(n.name) = lower(z.time_zone))
        UNION ALL
        SELECT f.item, f.field, CASE WHEN f.field LIKE 'attrs.%' THEN format('there is no custom field "%s"', substr(f.field, 7)) ELSE format('contacts have no field "%s"', f.field) END,
               'Mend or remove the row; crm.define_field() makes a custom field.'
        FROM (SELECT 'survivorship rule', s.field FROM crm.survivorship_rule s WHERE s.field <> '*'
              UNION SELECT 'completeness weight', w.field FROM crm.completeness_weight w WHERE w.field NOT IN ('email', 'phone', 'company', 'consent')) f (item, field)
        WHERE CASE WHEN f.field LIKE 'attrs.%' THEN NOT EXISTS (SELECT FROM crm.custom_field c WHERE c.entity = 'contact' AND c.name = substr(f.field, 7))
                   ELSE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = f.field AND a.attnum > 0) END
    ) x
    ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION crm.validate_config() IS 'What is wrong with the rows by which crm is configured: rules of segments, incentives, archive rules and events that no longer fit their relation, goals of columns that are gone, pipelines in which no deal can begin or end, stages that no move leads to, jobs without function, unknown time zones and fields; with what to do. No rows: all is well. What is wrong when it is written is refused then.';
