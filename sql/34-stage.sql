/* ------------------------------------------------------------------
 * Stages: what they ask for and make to be done; the configuration of any
 * past day; qualification, milestones, documents; who sees which deals.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.stage_judge() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_stage_judge';
COMMENT ON FUNCTION crm.stage_judge() IS 'Constraint trigger AFTER INSERT OR UPDATE FOR EACH ROW on crm.deal, deferred: judges moves made with crm.stage_check = deferred by the deal as it is at the end of the transaction. Errors: RM002, RM003.';

/* Qualification. */

CREATE FUNCTION crm.qualification_score(deal_id bigint, framework text DEFAULT NULL,
    OUT name text, OUT version integer, OUT met integer, OUT criteria integer)
RETURNS record
LANGUAGE sql STABLE PARALLEL SAFE COST 500
SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.name, f.version, (count(*) FILTER (WHERE q.is_met))::integer, count(*)::integer
    FROM (SELECT c.framework_id
          FROM crm.deal_qualification q
          JOIN crm.qualification_criterion c ON c.id = q.criterion_id
          JOIN crm.qualification_framework f ON f.id = c.framework_id
          WHERE q.deal_id = $1 AND ($2 IS NULL OR f.name = $2)
          ORDER BY CASE WHEN $2 IS NULL THEN q.answered_at END DESC, f.version DESC, f.id DESC LIMIT 1) asked
    JOIN crm.qualification_framework f ON f.id = asked.framework_id
    JOIN crm.qualification_criterion c ON c.framework_id = f.id
    LEFT JOIN crm.deal_qualification q ON q.criterion_id = c.id AND q.deal_id = $1
    GROUP BY f.id
$$;
COMMENT ON FUNCTION crm.qualification_score(bigint, text) IS 'How many criteria of a framework a deal meets, and of how many, by the version by which it was asked last: later versions do not change it. Without a framework, that of the latest answer. Null when it was never asked.';

CREATE FUNCTION crm.bant_score(deal_id bigint) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE COST 500
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT s.met FROM crm.qualification_score($1, 'BANT') s), 0)
$$;
COMMENT ON FUNCTION crm.bant_score(bigint) IS 'How many of budget, authority, need and timeline a deal meets: 0 to 4.';

CREATE FUNCTION crm.qualify_deal(deal_id bigint, answers jsonb, framework text DEFAULT 'BANT', note text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    version_id bigint;
    unknown text;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known(deal_id => $1);
    SELECT f.id INTO version_id FROM crm.qualification_framework f WHERE f.name = $3 ORDER BY f.version DESC LIMIT 1;
    IF version_id IS NULL THEN
        RAISE EXCEPTION 'there is no framework "%"', $3 USING ERRCODE = 'RM004',
            DETAIL = (SELECT 'Frameworks: ' || coalesce(string_agg(DISTINCT quote_ident(f.name), ', '), 'none') || '.' FROM crm.qualification_framework f),
            HINT = 'Make it with crm.revise_framework().';
    END IF;
    SELECT string_agg(a.key, ', ' ORDER BY a.key) INTO unknown FROM jsonb_each(answers) a
    WHERE NOT EXISTS (SELECT FROM crm.qualification_criterion c WHERE c.framework_id = version_id AND c.key = a.key)
       OR jsonb_typeof(a.value) NOT IN ('boolean', 'null', 'object')
       OR jsonb_typeof(a.value) = 'object' AND (jsonb_typeof(a.value -> 'met') NOT IN ('boolean', 'null')
                                                OR a.value - '{met,value,note}'::text[] <> '{}');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'wrong answer of framework "%": %', $3, unknown USING ERRCODE = 'invalid_parameter_value',
            DETAIL = (SELECT 'Its criteria: ' || string_agg(c.key, ', ' ORDER BY c."position") || '.' FROM crm.qualification_criterion c WHERE c.framework_id = version_id),
            HINT = 'An answer is true, false, null or {"met": true, "value": "...", "note": "..."}.';
    END IF;
    INSERT INTO crm.deal_qualification AS q (deal_id, criterion_id, is_met, value, note, answered_at, answered_by)
    SELECT $1, c.id, CASE WHEN jsonb_typeof(a.value) = 'object' THEN (a.value ->> 'met')::boolean ELSE (a.value #>> '{}')::boolean END,
           CASE WHEN jsonb_typeof(a.value) = 'object' THEN a.value ->> 'value' END,
           coalesce(CASE WHEN jsonb_typeof(a.value) = 'object' THEN a.value ->> 'note' END, $4), as_of,
           coalesce(nullif(current_setting('crm.actor', true), ''), session_user)
    FROM jsonb_each(answers) a JOIN crm.qualification_criterion c ON c.framework_id = version_id AND c.key = a.key
    ORDER BY c.id
    ON CONFLICT ON CONSTRAINT deal_qualification_pkey DO UPDATE
    SET is_met = excluded.is_met, value = coalesce(excluded.value, q.value), note = coalesce(excluded.note, q.note),
        answered_at = excluded.answered_at, answered_by = excluded.answered_by;
    RETURN coalesce((SELECT s.met FROM crm.qualification_score($1, $3) s), 0);
END
$$;
COMMENT ON FUNCTION crm.qualify_deal(bigint, jsonb, text, text, timestamptz) IS 'Notes answers to the criteria of the latest version of a framework, such as {"budget": true, "need": {"met": true, "value": "20 seats"}}, and gives how many are met. Others stay as they were. Errors: RM004 no such deal or framework; 22023 an unknown criterion, or an answer of another form.';

CREATE FUNCTION crm.revise_framework(framework text, criteria jsonb, description text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    latest record;
    new_id bigint;
BEGIN
    PERFORM crm.require_installed();
    IF jsonb_typeof(criteria) IS DISTINCT FROM 'object' OR criteria = '{}' OR EXISTS (SELECT FROM jsonb_each(criteria) c WHERE jsonb_typeof(c.value) NOT IN ('string', 'null')) THEN
        RAISE EXCEPTION 'a framework needs criteria with their questions' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'For example {"budget": "Is there money for it?", "need": null}.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('crm.revise_framework'), hashtext(framework));
    SELECT f.version, f.description INTO latest FROM crm.qualification_framework f WHERE f.name = framework ORDER BY f.version DESC LIMIT 1;
    INSERT INTO crm.qualification_framework (name, version, description)
    VALUES (framework, coalesce(latest.version, 0) + 1, coalesce(revise_framework.description, latest.description)) RETURNING id INTO new_id;
    INSERT INTO crm.qualification_criterion (framework_id, key, question, "position")
    SELECT new_id, c.key, c.value #>> '{}', row_number() OVER (ORDER BY c.place)
    FROM (SELECT e.key, e.value, e.ordinality AS place FROM jsonb_each(criteria) WITH ORDINALITY AS e (key, value, ordinality)) c;
    RETURN coalesce(latest.version, 0) + 1;
END
$$;
COMMENT ON FUNCTION crm.revise_framework(text, jsonb, text) IS 'Makes the next version of a framework, or the first of a new one, from its criteria and their questions, and gives its number. What deals were found to be by older versions stays. Errors: 22023 no criteria.';

CREATE FUNCTION crm.criterion_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    framework crm.qualification_framework;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.framework_id, NEW.key) = (OLD.framework_id, OLD.key) THEN
        RETURN NEW;
    END IF;
    SELECT f.* INTO framework FROM crm.qualification_framework f
    WHERE (TG_OP <> 'DELETE' AND f.id = NEW.framework_id OR TG_OP <> 'INSERT' AND f.id = OLD.framework_id)
      AND EXISTS (SELECT FROM crm.qualification_criterion c JOIN crm.deal_qualification q ON q.criterion_id = c.id WHERE c.framework_id = f.id)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the criteria of version % of framework "%" cannot change: deals have been asked by them', framework.version, framework.name
            USING ERRCODE = 'RM008', HINT = format('Make the next version: SELECT crm.revise_framework(%L, ''{...}'').', framework.name);
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION crm.criterion_check() IS 'Trigger on crm.qualification_criterion: keeps the criteria of a version as they are once a deal has been asked by it; questions may be put in other words. Errors: RM008.';

/* What guards are asked of. */

-- Inlined, so that what a query does not name is not computed; hence everything
-- is named in full.
CREATE FUNCTION crm.deal_facts(deal_number bigint, stage_number bigint, contact_number bigint, company_number bigint, owner_number bigint,
    OUT deal_id bigint, OUT pipeline text, OUT stage text, OUT stage_kind text,
    OUT contact_lifecycle_stage text, OUT contact_country text, OUT contact_city text, OUT contact_attrs jsonb,
    OUT company text, OUT company_kind text, OUT company_industry text, OUT company_country text, OUT company_employees integer,
    OUT company_annual_revenue numeric, OUT company_attrs jsonb, OUT owner text, OUT owner_team text,
    OUT bant_score integer, OUT qualification text, OUT qualified_criteria integer, OUT qualification_criteria integer,
    OUT open_milestones integer, OUT open_documents integer, OUT open_tasks integer, OUT contact_count integer,
    OUT activity_count integer, OUT last_activity_at timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 COST 1000 AS $$
    SELECT $1, p.name, s.name, s.kind,
           c.lifecycle_stage, c.country, c.city, c.attrs,
           o.name, o.kind, o.industry, o.country, o.employees, o.annual_revenue, o.attrs, a.name, t.name,
           crm.bant_score($1), (crm.qualification_score($1)).name,
           coalesce((crm.qualification_score($1)).met, 0), (crm.qualification_score($1)).criteria,
           (SELECT pg_catalog.count(*)::pg_catalog.int4 FROM crm.deal_milestone m WHERE m.deal_id OPERATOR(pg_catalog.=) $1 AND m.done_at IS NULL),
           (SELECT pg_catalog.count(*)::pg_catalog.int4 FROM crm.document m
            WHERE m.deal_id OPERATOR(pg_catalog.=) $1 AND m.status OPERATOR(pg_catalog.<>) ALL ('{done,void}'::pg_catalog.text[])),
           (SELECT pg_catalog.count(*)::pg_catalog.int4 FROM crm.task k WHERE k.deal_id OPERATOR(pg_catalog.=) $1 AND k.status OPERATOR(pg_catalog.=) 'open'),
           (SELECT pg_catalog.count(*)::pg_catalog.int4
            FROM (SELECT k.contact_id FROM crm.deal_contact k WHERE k.deal_id OPERATOR(pg_catalog.=) $1
                  UNION SELECT $3 WHERE $3 IS NOT NULL) u),
           (SELECT pg_catalog.count(*)::pg_catalog.int4 FROM crm.activity y WHERE y.deal_id OPERATOR(pg_catalog.=) $1),
           (SELECT pg_catalog.max(y.occurred_at) FROM crm.activity y WHERE y.deal_id OPERATOR(pg_catalog.=) $1)
    FROM crm.stage s
    JOIN crm.pipeline p ON p.id OPERATOR(pg_catalog.=) s.pipeline_id
    LEFT JOIN crm.contact c ON c.id OPERATOR(pg_catalog.=) $3
    LEFT JOIN crm.company o ON o.id OPERATOR(pg_catalog.=) $4
    LEFT JOIN crm.agent a ON a.id OPERATOR(pg_catalog.=) $5
    LEFT JOIN crm.team t ON t.id OPERATOR(pg_catalog.=) a.team_id
    WHERE s.id OPERATOR(pg_catalog.=) $2
$$;
COMMENT ON FUNCTION crm.deal_facts(bigint, bigint, bigint, bigint, bigint) IS 'What other tables know of a deal of that number, stage, contact, company and owner, which need not be those that are stored: the columns of crm.deal_profile that are none of crm.deal.';

CREATE FUNCTION crm.deal_missing(deal_id bigint, from_stage_id bigint, to_stage_id bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(m.what, ', ' ORDER BY m.place, m.what)
    FROM (SELECT 1 AS place, format('stage "%s"', s.name) AS what
          FROM crm.stage_prerequisite r JOIN crm.stage s ON s.id = r.required_stage_id
          WHERE r.stage_id = $3 AND s.id IS DISTINCT FROM $2 AND NOT EXISTS (
              SELECT FROM crm.deal_history h JOIN crm.stage w ON w.id = s.id OR w.merged_into_id = s.id
              WHERE h.deal_id = $1 AND (h.field = 'stage_id' AND h.new_value = to_jsonb(w.id)
                                        OR h.field = '*' AND h.new_value -> 'stage_id' = to_jsonb(w.id)))
          UNION
          SELECT CASE r.subject WHEN 'milestone' THEN 2 ELSE 3 END, format('%s "%s"', r.subject, r.kind)
          FROM crm.stage_requirement r
          LEFT JOIN LATERAL (
              SELECT bool_and(x.is_done) AS is_done
              FROM (SELECT m.done_at IS NOT NULL AS is_done FROM crm.deal_milestone m
                    WHERE r.subject = 'milestone' AND m.deal_id = $1 AND m.kind = r.kind
                    UNION ALL
                    SELECT d.status = 'done' FROM crm.document d
                    WHERE r.subject = 'document' AND d.deal_id = $1 AND d.kind = r.kind AND d.status <> 'void') x) has ON true
          WHERE r.stage_id = $3 AND has.is_done IS NOT TRUE
          UNION
          SELECT 2, format('milestone "%s"', m.kind) FROM crm.deal_milestone m
          WHERE m.deal_id = $1 AND m.is_required AND m.done_at IS NULL
            AND EXISTS (SELECT FROM crm.stage s WHERE s.id = $3 AND s.kind = 'won')
          UNION
          SELECT 3, format('document "%s"', d.kind) FROM crm.document d
          WHERE d.deal_id = $1 AND d.is_required AND d.status NOT IN ('done', 'void')
            AND EXISTS (SELECT FROM crm.stage s WHERE s.id = $3 AND s.kind = 'won')) m
$$;
COMMENT ON FUNCTION crm.deal_missing(bigint, bigint, bigint) IS 'What a deal lacks to go from one stage (null: to begin) to another of the stages, milestones and documents that are required, in words; null when nothing.';

CREATE FUNCTION crm.move_problems(deal record, from_stage_id bigint, OUT code text, OUT message text, OUT detail text) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1 AS 'MODULE_PATHNAME', 'crm_move_problems';
COMMENT ON FUNCTION crm.move_problems(record, bigint) IS 'What keeps a deal, given as the row of crm.deal that the move would leave, from coming there from a stage, or, from null, from beginning there: rows with the SQLSTATE that the move would raise. No rows: nothing does. Reads what is needed with the rights of the caller. Errors: 22004 no deal; 42804 not a row of crm.deal; RM004 no such stage.';

CREATE FUNCTION crm.check_move(deal_id bigint, stage text, OUT code text, OUT message text, OUT detail text) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deal crm.deal;
    from_id bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT d.* INTO deal FROM crm.deal d WHERE d.id = $1 AND d.deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no deal %', $1 USING ERRCODE = 'RM004';
    END IF;
    from_id := deal.stage_id;
    deal.stage_id := crm.stage_id(deal.pipeline_id, stage);
    RETURN QUERY SELECT p.code, p.message, p.detail FROM crm.move_problems(deal, from_id) p;
END
$$;
COMMENT ON FUNCTION crm.check_move(bigint, text) IS 'What keeps a deal from moving to a stage of its pipeline now, all of it at once: rows with the SQLSTATE that the move would raise (RM001 not allowed, 42501 others may, RM003 missing, RM002 guard). No rows: nothing does, but for the reason that a loss needs. Errors: RM004 no such deal or stage.';

/* What is entered about stages. */

CREATE FUNCTION crm.guard_rule(guard text) RETURNS crm.rule
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rule crm.rule := guard::crm.rule;
    problem record;
BEGIN
    IF rule IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT c.code, c.condition, c.message, c.hint INTO problem FROM crm.rule_check(rule, 'crm.deal_profile') c
    -- A column that you added to crm.deal is no column of the view.
    WHERE c.condition IN (SELECT o.condition FROM crm.rule_check(rule, 'crm.deal') o) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%', problem.message USING ERRCODE = problem.code,
            DETAIL = format('In the guard: %s', problem.condition), HINT = coalesce(problem.hint, 'Guards are rules on crm.deal_profile.');
    END IF;
    -- It is computed after the guard has judged.
    IF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.deal'::regclass AND a.attname = ANY (crm.rule_fields(rule)) AND a.attgenerated <> '') THEN
        RAISE EXCEPTION 'a guard cannot ask for a generated column' USING ERRCODE = 'feature_not_supported',
            DETAIL = format('In the guard: %s', guard), HINT = 'Write what it is generated from.';
    END IF;
    RETURN rule;
END
$$;
COMMENT ON FUNCTION crm.guard_rule(text) IS 'A guard as entered as a rule, once it fits crm.deal_profile. Errors: 42601 and others of crm.rule; 42703 an unknown field, with the nearest name; 42804 types that do not fit; RM030, RM031 an unknown event or segment; 0A000 a generated column.';

CREATE FUNCTION crm.require_deal_fields(fields text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text := (SELECT string_agg(coalesce(f, 'null'), ', ') FROM unnest(fields) f
                     WHERE f IS NULL OR CASE WHEN f LIKE 'attrs.%'
                         THEN NOT EXISTS (SELECT FROM crm.custom_field c WHERE c.entity = 'deal' AND c.name = substr(f, 7))
                         ELSE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.deal'::regclass AND a.attname = f AND a.attnum > 0 AND NOT a.attisdropped) END);
BEGIN
    IF cardinality(fields) = 0 THEN
        RAISE EXCEPTION 'required_fields is empty' USING ERRCODE = 'check_violation', COLUMN = 'required_fields', HINT = 'Where nothing is required, it is null.';
    ELSIF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown required field of a deal: %', unknown USING ERRCODE = 'undefined_column',
            HINT = 'Fields are the columns of crm.deal, and attrs.name for what crm.define_field(''deal'', ...) has defined.';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_deal_fields(text[]) IS 'Does nothing when all are columns of crm.deal, or attrs.key of a custom field. Errors: 23514 none at all; 42703.';

CREATE FUNCTION crm.stage_transition_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    NEW.guard_rule := crm.guard_rule(NEW.guard);
    IF NEW.required_fields IS NOT NULL THEN
        PERFORM crm.require_deal_fields(NEW.required_fields);
    END IF;
    IF NEW.roles IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.roles IS DISTINCT FROM OLD.roles) THEN
        SELECT string_agg(coalesce(r, 'null'), ', ') INTO unknown FROM unnest(NEW.roles) r WHERE NOT EXISTS (SELECT FROM pg_roles p WHERE p.rolname = r);
        IF unknown IS NOT NULL THEN
            RAISE EXCEPTION 'there is no role %', unknown USING ERRCODE = 'undefined_object', HINT = 'CREATE ROLE makes one.';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.stage_transition_check() IS 'Trigger on crm.stage_transition: derives guard_rule; refuses a guard that does not fit deals, fields (42703) and roles (42704) that there are not. Errors: those of crm.guard_rule().';

CREATE FUNCTION crm.stage_playbook_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kinds text[];
BEGIN
    IF NEW.makes = 'task' THEN
        kinds := ARRAY(SELECT i.name FROM crm.interaction_type i) || '{todo,service}'::text[];
        IF NEW.kind <> ALL (kinds) THEN
            RAISE EXCEPTION 'unknown kind "%" of a task', NEW.kind
                USING ERRCODE = 'check_violation', COLUMN = 'kind',
                      DETAIL = (SELECT format('Kinds: %s.', string_agg(k, ', ' ORDER BY k)) FROM unnest(kinds) k),
                      HINT = (SELECT CASE WHEN crm.osa_distance(lower(NEW.kind), k) <= 2 THEN format('Do you mean "%s"? ', k) ELSE '' END
                              FROM unnest(kinds) k ORDER BY crm.osa_distance(lower(NEW.kind), k), k LIMIT 1) || 'A new kind is a row of crm.interaction_type.';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.stage_playbook_check() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.stage_playbook: refuses a kind of task that is neither in crm.interaction_type nor todo or service, naming the nearest (23514). Kinds of milestones and documents are free.';

CREATE FUNCTION crm.stage_prerequisite_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    circle bigint[];
BEGIN
    -- Of two sessions that would close a circle together, the second waits and sees it.
    PERFORM pg_advisory_xact_lock(hashtext('crm.stage_prerequisite'));
    WITH RECURSIVE before (stage_id, path) AS (
        SELECT NEW.required_stage_id, ARRAY[NEW.stage_id, NEW.required_stage_id]
        UNION ALL
        SELECT r.required_stage_id, b.path || r.required_stage_id
        FROM before b JOIN crm.stage_prerequisite r ON r.stage_id = b.stage_id
        WHERE b.stage_id <> NEW.stage_id AND r.required_stage_id <> ALL (b.path[2:])
    )
    SELECT b.path INTO circle FROM before b WHERE b.stage_id = NEW.stage_id ORDER BY cardinality(b.path) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stage "%" would require itself', (SELECT s.name FROM crm.stage s WHERE s.id = NEW.stage_id)
            USING ERRCODE = 'RM007',
                  DETAIL = (SELECT 'The circle: ' || string_agg(format('"%s"', s.name), ' requires ' ORDER BY c.place) || '.'
                            FROM unnest(circle) WITH ORDINALITY AS c (id, place) JOIN crm.stage s ON s.id = c.id),
                  HINT = 'No deal could ever enter these stages: take out one of the rows of crm.stage_prerequisite.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.stage_prerequisite_check() IS 'Trigger on crm.stage_prerequisite: refuses stages that would require themselves, through whatever others (RM007).';

CREATE FUNCTION crm.term_state() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.due_at IS DISTINCT FROM OLD.due_at THEN
        NEW.late_at := NULL;
    END IF;
    IF TG_TABLE_NAME = 'document' THEN
        IF TG_OP = 'INSERT' OR NEW.status <> OLD.status THEN
            NEW.status_at := now();
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.term_state() IS 'Trigger on crm.deal_milestone and crm.document: with another date they may be late anew; keeps status_at.';

/* Stages of any day. */

CREATE FUNCTION crm.stages_as_of(pipeline bigint, as_of timestamptz DEFAULT now(),
    OUT stage_id bigint, OUT name text, OUT "position" integer, OUT kind text, OUT probability numeric, OUT rotting_after interval,
    OUT entry_guard text, OUT exit_guard text, OUT merged_into_id bigint, OUT pipeline_name text)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.source_id, h."values" ->> 'name', (h."values" ->> 'position')::integer, h."values" ->> 'kind', (h."values" ->> 'probability')::numeric,
           (h."values" ->> 'rotting_after')::interval, h."values" ->> 'entry_guard', h."values" ->> 'exit_guard',
           (h."values" ->> 'merged_into_id')::bigint, p."values" ->> 'name'
    FROM (SELECT greatest($2, (SELECT min(lower(b.valid)) FROM crm.stage_history b WHERE b.source = 'pipeline' AND b.source_id = $1)) AS at) moment
    JOIN crm.stage_history p ON p.source = 'pipeline' AND p.source_id = $1 AND p.valid @> moment.at
    JOIN crm.stage_history h ON h.source = 'stage' AND h.pipeline_id = $1 AND h.valid @> moment.at
    ORDER BY 3, 1
$$;
COMMENT ON FUNCTION crm.stages_as_of(bigint, timestamptz) IS 'The stages of a pipeline as they were configured at a moment, in order. For a moment before the pipeline was made, as it was made first: deals may be older than it.';

CREATE FUNCTION crm.stages_as_of(pipeline text, as_of timestamptz DEFAULT now(),
    OUT stage_id bigint, OUT name text, OUT "position" integer, OUT kind text, OUT probability numeric, OUT rotting_after interval,
    OUT entry_guard text, OUT exit_guard text, OUT merged_into_id bigint, OUT pipeline_name text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM crm.stages_as_of(crm.pipeline_id($1), $2)
$$;
COMMENT ON FUNCTION crm.stages_as_of(text, timestamptz) IS 'The same of a pipeline by its present name. Errors: RM004 no such pipeline.';

CREATE FUNCTION crm.pipelines_as_of(as_of timestamptz DEFAULT now(),
    OUT pipeline_id bigint, OUT name text, OUT probability_from text, OUT probability_window interval, OUT probability_sample integer, OUT moment timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT ON (h.source_id) h.source_id, h."values" ->> 'name', h."values" ->> 'probability_from', (h."values" ->> 'probability_window')::interval,
           (h."values" ->> 'probability_sample')::integer, greatest($1, lower(h.valid))
    FROM crm.stage_history h
    WHERE h.source = 'pipeline' AND (upper_inf(h.valid) OR upper(h.valid) > $1)
    ORDER BY h.source_id, lower(h.valid)
$$;
COMMENT ON FUNCTION crm.pipelines_as_of(timestamptz) IS 'All pipelines as they were configured at a moment; one that was made later, as it was made first, at moment, which otherwise is the one given.';

CREATE FUNCTION crm.all_stages_as_of(as_of timestamptz DEFAULT now(),
    OUT stage_id bigint, OUT pipeline_id bigint, OUT pipeline text, OUT name text, OUT "position" integer, OUT kind text, OUT probability numeric,
    OUT merged_into_id bigint, OUT is_made boolean)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT ON (h.source_id) h.source_id, h.pipeline_id, p.name, h."values" ->> 'name', (h."values" ->> 'position')::integer, h."values" ->> 'kind',
           (h."values" ->> 'probability')::numeric, (h."values" ->> 'merged_into_id')::bigint, lower(h.valid) <= p.moment
    FROM crm.pipelines_as_of($1) p
    JOIN crm.stage_history h ON h.source = 'stage' AND h.pipeline_id = p.pipeline_id AND (upper_inf(h.valid) OR upper(h.valid) > p.moment)
    ORDER BY h.source_id, lower(h.valid)
$$;
COMMENT ON FUNCTION crm.all_stages_as_of(timestamptz) IS 'The stages of all pipelines as they were configured at a moment, and those that were made later, as they were made first (is_made is false): a deal may have been entered there with an earlier time. Of a moment before a pipeline was made, as of when it was.';

CREATE FUNCTION crm.stage_odds_as_of(as_of timestamptz DEFAULT now(), OUT stage_id bigint, OUT probability numeric) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    WITH own AS (
        SELECT p.*, $1 >= coalesce((SELECT max(r.until) FROM crm.stage_win_rate r JOIN crm.stage s ON s.id = r.stage_id WHERE s.pipeline_id = p.pipeline_id), now()) AS is_kept
        FROM crm.pipelines_as_of($1) p WHERE p.probability_from = 'history'
    )
    SELECT r.stage_id, r.probability
    FROM own o JOIN crm.stage s ON s.pipeline_id = o.pipeline_id AND s.kind = 'open' JOIN crm.stage_win_rate r ON r.stage_id = s.id
    WHERE o.is_kept AND r.entered >= o.probability_sample
    UNION ALL
    SELECT x.stage_id, x.probability
    FROM own o CROSS JOIN LATERAL crm.stage_probability(o.pipeline_id, $1, o.probability_window) x JOIN crm.stage s ON s.id = x.stage_id AND s.kind = 'open'
    WHERE NOT o.is_kept AND x.entered >= o.probability_sample
$$;
COMMENT ON FUNCTION crm.stage_odds_as_of(timestamptz) IS 'The probability of open stages by history, where a pipeline took it from there at a moment and enough deals were finished: since the latest refresh that of crm.stage_win_rate, as crm.v_deal shows it; of an earlier moment as crm.stage_probability() counts it. All other stages have their own.';

CREATE FUNCTION crm.transitions_as_of(pipeline bigint, as_of timestamptz DEFAULT now(),
    OUT from_stage_id bigint, OUT to_stage_id bigint, OUT guard text, OUT roles text[], OUT required_fields text[])
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.from_stage_id, v.to_stage_id, v.guard, v.roles, v.required_fields
    FROM (SELECT greatest($2, (SELECT min(lower(b.valid)) FROM crm.stage_history b WHERE b.source = 'pipeline' AND b.source_id = $1)) AS at) moment
    JOIN crm.stage_history h ON h.source = 'stage_transition' AND h.pipeline_id = $1 AND h.valid @> moment.at
    CROSS JOIN LATERAL jsonb_to_record(h."values") AS v (from_stage_id bigint, to_stage_id bigint, guard text, roles text[], required_fields text[])
    ORDER BY 1 NULLS FIRST, 2
$$;
COMMENT ON FUNCTION crm.transitions_as_of(bigint, timestamptz) IS 'The moves into stages of a pipeline that were allowed at a moment, and what they asked for; from_stage_id is null where a deal could begin. For a moment before the pipeline was made, as it was made first.';

CREATE FUNCTION crm.transitions_as_of(pipeline text, as_of timestamptz DEFAULT now(),
    OUT from_stage_id bigint, OUT to_stage_id bigint, OUT guard text, OUT roles text[], OUT required_fields text[])
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM crm.transitions_as_of(crm.pipeline_id($1), $2)
$$;
COMMENT ON FUNCTION crm.transitions_as_of(text, timestamptz) IS 'The same of a pipeline by its present name. Errors: RM004 no such pipeline.';

CREATE FUNCTION crm.merge_stages(from_stage_id bigint, into_stage_id bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source crm.stage;
    target crm.stage;
    moved bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM pg_advisory_xact_lock(hashtext('crm.merge_stages'));
    SELECT * INTO source FROM crm.stage s WHERE s.id = $1 FOR UPDATE;
    SELECT * INTO target FROM crm.stage s WHERE s.id = $2 FOR UPDATE;
    IF source.id IS NULL OR target.id IS NULL THEN
        RAISE EXCEPTION 'there is no stage %', CASE WHEN source.id IS NULL THEN $1 ELSE $2 END USING ERRCODE = 'RM004', HINT = 'crm.stage lists the stages.';
    ELSIF $1 = $2 OR source.pipeline_id <> target.pipeline_id OR source.kind <> target.kind OR source.merged_into_id IS NOT NULL OR target.merged_into_id IS NOT NULL THEN
        RAISE EXCEPTION 'stage "%" cannot be merged into stage "%"', source.name, target.name USING ERRCODE = 'RM009',
            DETAIL = CASE WHEN $1 = $2 THEN 'They are one.'
                          WHEN source.pipeline_id <> target.pipeline_id THEN 'They are of two pipelines.'
                          WHEN source.kind <> target.kind THEN format('One is %s, the other %s.', source.kind, target.kind)
                          ELSE 'One of them was merged already.' END,
            HINT = 'Two stages of one pipeline and one kind can be merged.';
    END IF;
    -- What led to the one leads to the other, unless that is told apart already.
    DELETE FROM crm.stage_transition t
    WHERE t.from_stage_id = $1 AND (t.to_stage_id = $2 OR EXISTS (
              SELECT FROM crm.stage_transition o WHERE o.from_stage_id = $2 AND o.to_stage_id = t.to_stage_id))
       OR t.to_stage_id = $1 AND (t.from_stage_id = $2 OR EXISTS (
              SELECT FROM crm.stage_transition o WHERE o.from_stage_id IS NOT DISTINCT FROM t.from_stage_id AND o.to_stage_id = $2));
    UPDATE crm.stage_transition t
    SET from_stage_id = CASE WHEN t.from_stage_id = $1 THEN $2 ELSE t.from_stage_id END,
        to_stage_id = CASE WHEN t.to_stage_id = $1 THEN $2 ELSE t.to_stage_id END
    WHERE $1 IN (t.from_stage_id, t.to_stage_id);
    UPDATE crm.stage_playbook p
    SET stage_id = CASE WHEN p.stage_id = $1 THEN $2 ELSE p.stage_id END,
        from_stage_id = CASE WHEN p.from_stage_id = $1 THEN $2 ELSE p.from_stage_id END
    WHERE $1 IN (p.stage_id, p.from_stage_id);
    INSERT INTO crm.stage_prerequisite (stage_id, required_stage_id)
    SELECT r.stage_id, $2 FROM crm.stage_prerequisite r WHERE r.required_stage_id = $1 AND r.stage_id <> $2 ON CONFLICT DO NOTHING;
    DELETE FROM crm.stage_prerequisite r WHERE $1 IN (r.stage_id, r.required_stage_id);
    DELETE FROM crm.stage_requirement r WHERE r.stage_id = $1;
    UPDATE crm.stage s SET merged_into_id = $2 WHERE s.id = $1 OR s.merged_into_id = $1;
    UPDATE crm.deal d SET stage_id = $2 WHERE d.stage_id = $1;
    GET DIAGNOSTICS moved = ROW_COUNT;
    UPDATE crm.deal d SET lost_at_stage_id = $2 WHERE d.lost_at_stage_id = $1;
    RETURN moved;
END
$$;
COMMENT ON FUNCTION crm.merge_stages(bigint, bigint) IS 'Merges a stage into another of the same pipeline and kind, and gives the number of deals that went there: unjudged, without tasks, with the time at which they entered. Moves and playbook lines go along; what the first stage required is dropped. Its row stays, with merged_into_id, for reports about the past, and its name still leads to the other. Errors: RM004 no such stage; RM009 they are of two pipelines or kinds, or merged already.';

CREATE FUNCTION crm.merge_stages(pipeline text, from_stage text, into_stage text) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.merge_stages((SELECT s.id FROM crm.stage s WHERE s.id = crm.stage_id(crm.pipeline_id($1), $2)), crm.stage_id(crm.pipeline_id($1), $3))
$$;
COMMENT ON FUNCTION crm.merge_stages(text, text, text) IS 'The same of stages by name. Errors: RM004 no such pipeline or stage; RM009 they cannot be merged.';

/* Probability from history. */

-- Inlined, in views that have deals with their stages and pipelines.
CREATE FUNCTION crm.deal_probability(own numeric, kind text, stage_probability numeric, probability_from text, probability_sample integer, entered bigint, win_rate numeric)
RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE($1, CASE WHEN $2 OPERATOR(pg_catalog.=) 'open' AND $4 OPERATOR(pg_catalog.=) 'history' AND $6 OPERATOR(pg_catalog.>=) $5 THEN $7 END, $3)
$$;
COMMENT ON FUNCTION crm.deal_probability(numeric, text, numeric, text, integer, bigint, numeric) IS 'How likely a deal is won, the same in every view and report: the owner''s own estimate; otherwise, at an open stage of a pipeline that takes it from history, the share of deals won from there (crm.stage_win_rate), if at least probability_sample deals had entered; otherwise that of the stage.';

CREATE FUNCTION crm.stage_probability(pipeline bigint, as_of timestamptz DEFAULT now(), span interval DEFAULT NULL,
    OUT stage_id bigint, OUT stage text, OUT entered bigint, OUT won bigint, OUT probability numeric)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    WITH own AS (
        SELECT s.stage_id AS id, coalesce(s.merged_into_id, s.stage_id) AS stage_id, s.name, s.kind, s."position" FROM crm.stages_as_of($1, $2) s
    ), entry AS (
        SELECT h.deal_id, h.id, h.effective_at, o.stage_id, o.kind
        FROM crm.deal_history h
        JOIN own o ON o.id = (CASE h.field WHEN 'stage_id' THEN h.new_value ELSE h.new_value -> 'stage_id' END)::bigint
        WHERE h.field IN ('stage_id', '*') AND h.new_value IS NOT NULL AND h.effective_at <= $2
    ), finished AS (
        SELECT l.deal_id, l.kind = 'won' AS is_won
        FROM (SELECT DISTINCT ON (e.deal_id) e.deal_id, e.kind, e.effective_at FROM entry e ORDER BY e.deal_id, e.effective_at DESC, e.id DESC) l
        JOIN crm.deal d ON d.id = l.deal_id AND (d.deleted_at IS NULL OR d.deleted_at > $2)
        WHERE l.kind <> 'open'
          AND l.effective_at > $2 - coalesce($3, (SELECT p.probability_window FROM crm.pipeline p WHERE p.id = $1))
    ), share AS (
        SELECT e.stage_id, count(*) AS entered, count(*) FILTER (WHERE f.is_won) AS won
        FROM (SELECT DISTINCT x.deal_id, x.stage_id FROM entry x) e JOIN finished f ON f.deal_id = e.deal_id
        GROUP BY e.stage_id
    )
    SELECT o.id, o.name, coalesce(h.entered, 0), coalesce(h.won, 0), round(h.won::numeric / h.entered, 4)
    FROM own o LEFT JOIN share h ON h.stage_id = o.id
    WHERE o.id = o.stage_id
    ORDER BY o."position"
$$;
COMMENT ON FUNCTION crm.stage_probability(bigint, timestamptz, interval) IS 'How likely deals were won from each stage of a pipeline, from the history of moves: of the deals that at that moment were won or lost and had become so within the span before it (otherwise the pipeline''s probability_window), those that had ever been at the stage, how many were won, and the share, rounded to four digits; null without any. A deal counts once a stage; stages are those of that moment, and what was merged by then counts where it went.';

CREATE FUNCTION crm.refresh_stage_win_rates(as_of timestamptz DEFAULT now()) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stages integer;
BEGIN
    PERFORM crm.require_installed();
    PERFORM pg_advisory_xact_lock(hashtext('crm.refresh_stage_win_rates'));
    DELETE FROM crm.stage_win_rate r
    WHERE NOT EXISTS (SELECT FROM crm.stage s JOIN crm.pipeline p ON p.id = s.pipeline_id
                      WHERE s.id = r.stage_id AND p.probability_from = 'history' AND s.merged_into_id IS NULL);
    INSERT INTO crm.stage_win_rate AS r (stage_id, entered, won, probability, since, until)
    SELECT x.stage_id, x.entered, x.won, coalesce(x.probability, 0), as_of - p.probability_window, as_of
    FROM crm.pipeline p CROSS JOIN LATERAL crm.stage_probability(p.id, as_of) x
    WHERE p.probability_from = 'history'
    ON CONFLICT (stage_id) DO UPDATE
    SET entered = excluded.entered, won = excluded.won, probability = excluded.probability, since = excluded.since, until = excluded.until;
    GET DIAGNOSTICS stages = ROW_COUNT;
    RETURN stages;
END
$$;
COMMENT ON FUNCTION crm.refresh_stage_win_rates(timestamptz) IS 'Computes crm.stage_win_rate anew for the pipelines that take probabilities from history (crm.pipeline.probability_from), and gives the number of their stages. The job "stage win rates" runs it every night.';

/* Milestones and documents. */

CREATE FUNCTION crm.overdue_milestones(as_of timestamptz DEFAULT now(),
    OUT subject text, OUT id bigint, OUT deal_id bigint, OUT deal text, OUT kind text, OUT status text, OUT due_at timestamptz,
    OUT overdue interval, OUT is_required boolean, OUT owner_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT x.subject, x.id, d.id, d.name, x.kind, x.status, x.due_at, $1 - x.due_at, x.is_required, d.owner_id
    FROM (SELECT 'milestone' AS subject, m.id, m.deal_id, m.kind, 'open' AS status, m.due_at, m.is_required
          FROM crm.deal_milestone m WHERE m.done_at IS NULL AND m.due_at < $1
          UNION ALL
          SELECT 'document', m.id, m.deal_id, m.kind, m.status, m.due_at, m.is_required
          FROM crm.document m WHERE m.status NOT IN ('done', 'void') AND m.due_at < $1) x
    JOIN crm.deal d ON d.id = x.deal_id AND d.deleted_at IS NULL
    JOIN crm.stage s ON s.id = d.stage_id AND s.kind <> 'lost'
    ORDER BY x.due_at, x.subject, x.id
$$;
COMMENT ON FUNCTION crm.overdue_milestones(timestamptz) IS 'Milestones and documents that were to be done by a moment before the given one and are not, of deals that are not lost, the longest overdue first.';

CREATE FUNCTION crm.tell_late_milestones(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told integer;
BEGIN
    PERFORM crm.require_installed();
    WITH milestone AS (
        UPDATE crm.deal_milestone m SET late_at = as_of
        WHERE m.id IN (SELECT x.id FROM crm.deal_milestone x
                       WHERE x.done_at IS NULL AND x.due_at < as_of AND x.late_at IS NULL
                         AND x.deal_id IN (SELECT d.id FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE s.kind <> 'lost' AND d.deleted_at IS NULL)
                       ORDER BY x.due_at, x.id LIMIT batch_limit FOR UPDATE SKIP LOCKED)
        RETURNING 'milestone' AS subject, m.id, m.deal_id, m.kind, m.due_at, m.is_required
    ), document AS (
        UPDATE crm.document m SET late_at = as_of
        WHERE m.id IN (SELECT x.id FROM crm.document x
                       WHERE x.status NOT IN ('done', 'void') AND x.due_at < as_of AND x.late_at IS NULL
                         AND x.deal_id IN (SELECT d.id FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE s.kind <> 'lost' AND d.deleted_at IS NULL)
                       ORDER BY x.due_at, x.id LIMIT batch_limit FOR UPDATE SKIP LOCKED)
        RETURNING 'document' AS subject, m.id, m.deal_id, m.kind, m.due_at, m.is_required
    ), late AS (
        SELECT x.*, format('%s:%s:%s', x.subject, x.id, extract(epoch FROM x.due_at)) AS key, d.name AS deal, d.owner_id, d.contact_id
        FROM (SELECT * FROM milestone UNION ALL SELECT * FROM document) x JOIN crm.deal d ON d.id = x.deal_id
    ), event AS (
        INSERT INTO crm.outbox (topic, key, payload, available_at)
        SELECT l.subject || '.late', l.key,
               jsonb_build_object('deal_id', l.deal_id, 'id', l.id, 'kind', l.kind, 'due_at', l.due_at, 'is_required', l.is_required), as_of
        FROM late l ORDER BY l.due_at, l.id
        ON CONFLICT (topic, key) DO NOTHING
        RETURNING topic, key
    ), notice AS (
        INSERT INTO crm.notification (agent_id, kind, key, title, deal_id, contact_id, created_at)
        SELECT l.owner_id, l.subject || '.late', l.subject || '.late:' || l.key, format('%s: %s is late', l.deal, l.kind), l.deal_id, l.contact_id, as_of
        FROM late l JOIN event e ON e.key = l.key AND e.topic = l.subject || '.late'
        ORDER BY l.due_at, l.id
        ON CONFLICT (key) DO NOTHING
    )
    SELECT count(*) INTO told FROM event;
    IF told > 0 THEN
        PERFORM pg_notify('crm', json_build_object('event', 'milestone.late', 'count', told)::text);
    END IF;
    RETURN told;
END
$$;
COMMENT ON FUNCTION crm.tell_late_milestones(timestamptz, integer) IS 'Tells of milestones and documents that have become late: a message milestone.late or document.late in crm.outbox and a notification to the owner of the deal, once for each date by which they were to be done. At most batch_limit of each kind; gives how many. Safe to run twice at once. The job "milestones" runs it.';

/* Who sees which deals.  The policies name tables alone: they outlive the extension. */

CREATE FUNCTION crm.deal_policies(OUT relation text, OUT name text, OUT command text, OUT condition text, OUT check_condition text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 30
SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.relation, 'crm_' || p.name, p.command, max(e.condition) FILTER (WHERE e.n = 1), max(e.condition) FILTER (WHERE e.n = 2)
    FROM (VALUES
        ('deal', 'deal_read', 'SELECT', 'owner_id IS NULL OR owner_id IN {me} OR id IN (SELECT m.deal_id FROM crm.deal_member m WHERE m.agent_id IN {me})', NULL),
        ('deal', 'deal_make', 'INSERT', NULL, 'owner_id IS NULL OR owner_id IN {me}'),
        ('deal', 'deal_change', 'UPDATE', 'owner_id IS NULL OR owner_id IN {me}', NULL),
        -- Who takes part is said by the owner of the deal; reading that asks for
        -- nothing, as the policy of deals itself reads it.
        ('deal_member', 'deal_read', 'SELECT', 'true', NULL),
        ('deal_member', 'deal_make', 'INSERT', NULL, '{owned}'),
        ('deal_member', 'deal_change', 'UPDATE', '{owned}', NULL),
        ('deal_member', 'deal_write', 'DELETE', '{owned}', NULL),
        ('deal_history', 'deal_read', 'SELECT', '{seen}', NULL),
        ('deal_rate', 'deal_read', 'SELECT', '{seen}', NULL),
        ('deal_contact', 'deal_write', 'ALL', '{seen}', NULL),
        ('deal_milestone', 'deal_write', 'ALL', '{seen}', NULL),
        ('document', 'deal_write', 'ALL', '{seen}', NULL),
        ('deal_qualification', 'deal_write', 'ALL', '{seen}', NULL),
        -- One's own is seen and changed, of whatever deal; made is what is of none
        -- or of one that is seen.
        ('quote', 'deal_write', 'ALL', 'deal_id IS NULL OR owner_id IN {me} OR {seen}', 'deal_id IS NULL OR {seen}'),
        ('quote', 'deal_change', 'UPDATE', 'deal_id IS NULL OR owner_id IN {me} OR {seen}', NULL),
        ('quote_line', 'deal_write', 'ALL', 'EXISTS (SELECT FROM crm.quote q WHERE q.id = {row}.quote_id)', NULL),
        ('task', 'deal_write', 'ALL', 'deal_id IS NULL OR assignee_id IN {me} OR author_id IN {me} OR {seen}', 'deal_id IS NULL OR {seen}'),
        ('task', 'deal_change', 'UPDATE', 'deal_id IS NULL OR assignee_id IN {me} OR author_id IN {me} OR {seen}', NULL),
        ('task_series', 'deal_write', 'ALL', 'deal_id IS NULL OR assignee_id IN {me} OR author_id IN {me} OR {seen}', 'deal_id IS NULL OR {seen}'),
        ('task_series', 'deal_change', 'UPDATE', 'deal_id IS NULL OR assignee_id IN {me} OR author_id IN {me} OR {seen}', NULL),
        -- The call of a task, too, is of its deal.
        ('activity', 'deal_write', 'ALL', 'deal_id IS NULL OR agent_id IN {me} OR {seen}',
         'deal_id IS NULL OR {seen} OR EXISTS (SELECT FROM crm.task t WHERE t.id = {row}.task_id AND t.deal_id = {row}.deal_id)'),
        ('activity', 'deal_change', 'UPDATE', 'deal_id IS NULL OR agent_id IN {me} OR {seen}', NULL),
        ('satisfaction', 'deal_write', 'ALL', 'deal_id IS NULL OR agent_id IN {me} OR {seen}', 'deal_id IS NULL OR {seen}'),
        ('satisfaction', 'deal_change', 'UPDATE', 'deal_id IS NULL OR agent_id IN {me} OR {seen}', NULL),
        ('reminder', 'deal_write', 'ALL', 'deal_id IS NULL OR agent_id IN {me} OR {seen}', 'deal_id IS NULL OR {seen}'),
        ('reminder', 'deal_change', 'UPDATE', 'deal_id IS NULL OR agent_id IN {me} OR {seen}', NULL),
        -- Who finishes a task tells its author, of whatever deal.
        ('notification', 'deal_write', 'ALL', 'deal_id IS NULL OR agent_id IN {me} OR {seen} OR EXISTS (SELECT FROM crm.task t WHERE t.id = {row}.task_id)', NULL),
        ('ownership_history', 'deal_read', 'SELECT', 'entity <> ''deal'' OR EXISTS (SELECT FROM crm.deal d WHERE d.id = {row}.record_id)', NULL),
        ('assignment_log', 'deal_read', 'SELECT', 'what <> ''deal'' OR agent_id IN {me} OR EXISTS (SELECT FROM crm.deal d WHERE d.id = {row}.record_id)', NULL),
        ('assignment_log', 'deal_make', 'INSERT', NULL, 'true'),
        ('audit_log', 'deal_read', 'SELECT', 'relation <> ''quote'' OR EXISTS (SELECT FROM crm.quote q WHERE q.id = {row}.row_id)', NULL)
    ) AS p (relation, name, command, condition, check_condition)
    -- Within sub-selects columns are those of the table of the policy, whatever columns others get.
    CROSS JOIN LATERAL (
        SELECT u.n, replace(replace(replace(replace(u.condition, '{seen}', 'EXISTS (SELECT FROM crm.deal d WHERE d.id = {row}.deal_id)'),
                                            '{owned}', 'EXISTS (SELECT FROM crm.deal d WHERE d.id = {row}.deal_id AND (d.owner_id IS NULL OR d.owner_id IN {me}))'),
                                    '{me}', '(SELECT a.id FROM crm.agent a WHERE a.role_name = CURRENT_USER)'), '{row}', p.relation) AS condition
        FROM unnest(ARRAY[p.condition, p.check_condition]) WITH ORDINALITY AS u (condition, n)) AS e
    GROUP BY p.relation, p.name, p.command
$$;
COMMENT ON FUNCTION crm.deal_policies() IS 'Internal: the row level security policies of crm.enable_deal_security(), without those of who sees all. All names begin with crm_deal_, which are those of crm alone.';

CREATE FUNCTION crm.present_deal_policies(OUT relation text, OUT name text, OUT command text, OUT roles text[], OUT is_permissive boolean, OUT condition text, OUT check_condition text) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relname, p.polname, CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           ARRAY(SELECT CASE WHEN r = 0 THEN '' ELSE pg_get_userbyid(r)::text END FROM unnest(p.polroles) r ORDER BY 1), p.polpermissive,
           pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
    WHERE c.relnamespace = 'crm'::regnamespace AND p.polname ~ '^crm_deal_(read|make|change|write|see_all)$'
      AND c.relname IN (SELECT d.relation FROM crm.deal_policies() d)
$$;
COMMENT ON FUNCTION crm.present_deal_policies() IS 'Internal: the policies of crm.enable_deal_security() that are there; of roles, the empty name is everybody.';

CREATE FUNCTION crm.deal_overseers() RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT p.roles FROM crm.present_deal_policies() p WHERE p.relation = 'deal' AND p.name = 'crm_deal_see_all' AND p.roles <> '{""}'),
                    ARRAY(SELECT DISTINCT r FROM crm.present_deal_policies() p CROSS JOIN unnest(p.roles) r WHERE p.name = 'crm_deal_see_all' AND r <> '' ORDER BY 1))
$$;
COMMENT ON FUNCTION crm.deal_overseers() IS 'Internal: the roles that see all deals, as the policy of crm.deal says, or those of the other tables where it is missing.';

CREATE FUNCTION crm.wrong_deal_policies(see_all text[], OUT relation text, OUT name text, OUT statement text) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH expected AS (
        SELECT d.*, '{""}'::text[] AS roles FROM crm.deal_policies() d
        UNION ALL
        SELECT DISTINCT d.relation, 'crm_deal_see_all', 'ALL', 'true', NULL, ARRAY(SELECT DISTINCT r FROM unnest(see_all) r ORDER BY 1)
        FROM crm.deal_policies() d WHERE see_all <> '{}'
    )
    SELECT relation, name,
           CASE WHEN p.command IS NOT NULL THEN format('DROP POLICY %I ON crm.%I;', name, relation) ELSE '' END
           || CASE WHEN e.command IS NOT NULL
                   THEN format('CREATE POLICY %I ON crm.%I FOR %s', name, relation, e.command)
                        || CASE WHEN e.roles <> '{""}' THEN ' TO ' || (SELECT string_agg(quote_ident(r), ', ') FROM unnest(e.roles) r) ELSE '' END
                        || coalesce(' USING (' || e.condition || ')', '') || coalesce(' WITH CHECK (' || e.check_condition || ')', '')
                   ELSE '' END
    FROM expected e FULL JOIN crm.present_deal_policies() p USING (relation, name)
    WHERE EXISTS (SELECT FROM pg_class c WHERE c.relname = relation AND c.relnamespace = 'crm'::regnamespace)
      -- Of what a policy says, that it lets all pass is seen in any case.
      AND (e.command, e.roles, true, e.condition IS NULL, e.condition = 'true', e.check_condition IS NULL, e.check_condition = 'true')
          IS DISTINCT FROM
          (p.command, p.roles, p.is_permissive, p.condition IS NULL, p.condition = 'true', p.check_condition IS NULL, p.check_condition = 'true')
$$;
COMMENT ON FUNCTION crm.wrong_deal_policies(text[]) IS 'Internal: the policies of crm.enable_deal_security() that are missing, there though they should not be, or changed so that they are of another command or other roles or let all rows pass, each with the statement that mends it.';

CREATE FUNCTION crm.make_deal_policies(see_all text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT w.statement FROM crm.wrong_deal_policies(see_all) w ORDER BY w.relation, w.name LOOP
        EXECUTE item.statement;
    END LOOP;
    FOR item IN SELECT c.relname FROM pg_class c
                WHERE c.relnamespace = 'crm'::regnamespace AND c.relname IN (SELECT d.relation FROM crm.deal_policies() d) AND NOT c.relrowsecurity ORDER BY 1 LOOP
        EXECUTE format('ALTER TABLE crm.%I ENABLE ROW LEVEL SECURITY', item.relname);
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.make_deal_policies(text[]) IS 'Internal: makes the policies of crm.enable_deal_security() that are missing, with the roles that see all; those that are right stay. Errors: 42501 not the owner.';

CREATE FUNCTION crm.drop_deal_policies() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT p.relation, string_agg(format('DROP POLICY %I ON crm.%I', p.name, p.relation), ';' ORDER BY p.name) AS statement
        FROM crm.present_deal_policies() p GROUP BY p.relation ORDER BY p.relation
    LOOP
        EXECUTE item.statement;
        -- Policies of the user's hold on.
        IF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = format('crm.%I', item.relation)::regclass) THEN
            EXECUTE format('ALTER TABLE crm.%I DISABLE ROW LEVEL SECURITY', item.relation);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.drop_deal_policies() IS 'Internal: removes the policies of crm.enable_deal_security(), and turns row level security off where there are no others. Errors: 42501 not the owner.';

CREATE FUNCTION crm.wrong_deal_tables() RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(DISTINCT 'crm.' || t.relation ORDER BY 'crm.' || t.relation)
    FROM (SELECT w.relation FROM crm.wrong_deal_policies(crm.deal_overseers()) w
          UNION
          SELECT c.relname FROM pg_class c
          WHERE c.relnamespace = 'crm'::regnamespace AND c.relname IN (SELECT d.relation FROM crm.deal_policies() d) AND NOT c.relrowsecurity) t
    WHERE EXISTS (SELECT FROM crm.present_deal_policies())
$$;
COMMENT ON FUNCTION crm.wrong_deal_tables() IS 'Internal: the tables of which, though crm.enable_deal_security() is on, policies are missing or changed or row level security is off; null when there are none or it is off. It is on while any of its policies is there.';

CREATE FUNCTION crm.restore_deal_policies() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF crm.wrong_deal_tables() IS NOT NULL THEN
        PERFORM crm.make_deal_policies(crm.deal_overseers());
    END IF;
END
$$;
COMMENT ON FUNCTION crm.restore_deal_policies() IS 'Internal: completes the policies of crm.enable_deal_security() where it is on and some are missing; the same roles see all.';

CREATE FUNCTION crm.enable_deal_security(see_all text[] DEFAULT '{crm_admin,crm_manager,crm_marketer,crm_analyst}') RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text[] := ARRAY(SELECT DISTINCT r FROM unnest(see_all) r WHERE EXISTS (SELECT FROM pg_roles p WHERE p.rolname = r) ORDER BY r);
    stranger text;
BEGIN
    PERFORM crm.require_installed();
    SELECT r INTO stranger FROM unnest(see_all) r
    WHERE r IS NULL OR NOT r = ANY (known || '{crm_admin,crm_manager,crm_marketer,crm_analyst}'::text[]) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" does not exist', coalesce(stranger, 'null') USING ERRCODE = 'undefined_object', HINT = 'SELECT rolname FROM pg_roles lists them.';
    END IF;
    PERFORM crm.make_deal_policies(known);
    RETURN format('deals are seen by their owners and members, unowned ones by all, and all deals by: %s',
                  coalesce(nullif(array_to_string(known, ', '), ''), 'the owner of the tables alone'));
END
$$;
COMMENT ON FUNCTION crm.enable_deal_security(text[]) IS 'Turns on row level security for deals and what belongs to them: an agent, known by the database role, reads the deals that he owns, is a member of (crm.deal_member) or that have no owner, and changes the first and last, and who is a member of these; what hangs on a deal follows it, and own tasks, calls and quotes are seen in any case. Members of the roles given see and change all. To be called by the owner of the tables, who is not bound by it. Takes ACCESS EXCLUSIVE on the tables, until the end of the transaction. Errors: 42501 another called it; 42704 a role that there is not, but for those of crm.create_roles().';

CREATE FUNCTION crm.disable_deal_security() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.drop_deal_policies();
END
$$;
COMMENT ON FUNCTION crm.disable_deal_security() IS 'Takes back crm.enable_deal_security(): who may read deals at all sees all of them. Policies of yours stay. Errors: 42501 the caller does not own the tables.';
