/* ------------------------------------------------------------------
 * Sales: pipelines, stages and the rule of moving deals between them,
 * deals and their history, the import of deals.
 * ------------------------------------------------------------------ */

/* Triggers. */

CREATE FUNCTION crm.stage_guard() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_stage_guard';
COMMENT ON FUNCTION crm.stage_guard() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.deal: refuses a move that crm.stage_transition does not allow (RM001) or that is for other roles (42501), a deal that lacks what the move requires (RM003) or does not meet a guard (RM002), an unknown stage (RM004), a loss without a reason (RM003), a move dated before the one before it (RM006); completes pipeline_id, stage_entered_at, closed_at, lost_at_stage_id, currency and updated_at.';

CREATE FUNCTION crm.stages_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_stages_changed';
COMMENT ON FUNCTION crm.stages_changed() IS 'Trigger on crm.pipeline, crm.stage, crm.stage_transition and what stages require: makes every session read the stages and moves anew once the change is committed.';

CREATE FUNCTION crm.deal_history() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_deal_history';
COMMENT ON FUNCTION crm.deal_history() IS 'Trigger: writes crm.deal_history. Attached AFTER INSERT, UPDATE and DELETE FOR EACH STATEMENT with their transition tables: one entry for a deal that is made or removed, one for each column that changed. Writes with the rights of the table''s owner. Errors: what crm.stage_guard() raises of a row that was stored otherwise than it was judged, because a trigger fired after it; 27000 closed_at or id such a trigger may not change.';

CREATE FUNCTION crm.row_values(record) RETURNS jsonb
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'crm_row_values';
COMMENT ON FUNCTION crm.row_values(record) IS 'The columns of a row that are not null as a JSON object, without updated_at: how crm.deal_history holds a whole deal.';

CREATE FUNCTION crm.stage_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deals bigint;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        IF NOT to_jsonb(NEW) ? 'entry_rule' THEN
            PERFORM crm.require_installed();    -- the tables are of an older version
        END IF;
        NEW.probability := coalesce(NEW.probability, CASE NEW.kind WHEN 'won' THEN 1 WHEN 'lost' THEN 0 ELSE 0.5 END);
        NEW.entry_rule := crm.guard_rule(NEW.entry_guard);
        NEW.exit_rule := crm.guard_rule(NEW.exit_guard);
        IF NEW.required_fields IS NOT NULL THEN
            PERFORM crm.require_deal_fields(NEW.required_fields);
        END IF;
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.kind = OLD.kind) THEN
        RETURN NEW;
    END IF;
    SELECT count(*) INTO deals FROM crm.deal WHERE stage_id = OLD.id;
    IF TG_OP = 'UPDATE' THEN
        IF deals > 0 THEN
            RAISE EXCEPTION 'stage "%" cannot change its kind from % to %: it has % deals', OLD.name, OLD.kind, NEW.kind, deals
                USING ERRCODE = 'RM005',
                      HINT = 'Make a new stage of that kind and move the deals to it.';
        END IF;
        RETURN NEW;
    END IF;
    IF deals > 0 OR EXISTS (
        SELECT FROM crm.deal_history h
        WHERE h.field = 'stage_id' AND (h.old_value = to_jsonb(OLD.id) OR h.new_value = to_jsonb(OLD.id))
           OR h.field = '*' AND (h.old_value -> 'stage_id' = to_jsonb(OLD.id) OR h.new_value -> 'stage_id' = to_jsonb(OLD.id))) THEN
        RAISE EXCEPTION 'stage "%" cannot be deleted: %', OLD.name,
            CASE WHEN deals > 0 THEN format('it has %s deals', deals) ELSE 'deals have been there' END
            USING ERRCODE = 'foreign_key_violation',
                  DETAIL = 'Reports about the past need it.',
                  HINT = 'To close the stage for new deals, delete the rows of crm.stage_transition that lead to it; to be rid of it, call crm.merge_stages().';
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION crm.stage_check() IS 'Trigger on crm.stage: fills probability, derives the rules of guards, refuses guards and fields that do not fit deals (as crm.guard_rule(); 42703), refuses to delete a stage that has or had deals (23503) and to change the kind of one that has (RM005).';

CREATE FUNCTION crm.keep_deal_history() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the history of deals cannot be changed or removed'
        USING ERRCODE = 'RM020',
              HINT = 'To shorten it all the same, the owner of the table disables its trigger: ALTER TABLE crm.deal_history DISABLE TRIGGER append_only.';
END
$$;
COMMENT ON FUNCTION crm.keep_deal_history() IS 'Trigger: keeps crm.deal_history append-only. Raises RM020.';

/* For rows whose attrs changed, so that other updates of many deals cost nothing. */
CREATE FUNCTION crm.check_deal_attrs() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT a.key AS field, crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) AS problem, f.name IS NULL AS unknown
    INTO bad
    FROM jsonb_each(CASE WHEN jsonb_typeof(NEW.attrs) = 'object' THEN NEW.attrs ELSE jsonb_build_object('attrs', NEW.attrs) END) a
    LEFT JOIN crm.custom_field f ON f.entity = 'deal' AND f.name = a.key
    WHERE crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) IS NOT NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'custom field "%" of deal % %', bad.field, NEW.id, bad.problem
            USING ERRCODE = 'invalid_parameter_value', COLUMN = bad.field,
                  HINT = CASE WHEN bad.unknown
                      THEN format('Define it first: SELECT crm.define_field(''deal'', %L, ''text'').', bad.field)
                      ELSE 'crm.custom_field holds what each field may be.' END;
    END IF;
    SELECT f.name AS field INTO bad FROM crm.custom_field f
    WHERE f.entity = 'deal' AND f.is_required AND NOT NEW.attrs ? f.name LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'custom field "%" of deal % is required', bad.field, NEW.id
            USING ERRCODE = 'RM003', COLUMN = bad.field, HINT = format('Give attrs a key %s.', bad.field);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.check_deal_attrs() IS 'Trigger AFTER UPDATE FOR EACH ROW on crm.deal: checks attrs as crm.check_attrs() does. Errors: 22023 a field is unknown or has a wrong value; RM003 a required one is missing.';

CREATE FUNCTION crm.deal_range_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.probability NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION 'a probability of % is none', NEW.probability
            USING ERRCODE = 'check_violation', COLUMN = 'probability', HINT = 'It is a number from 0 to 1: 0.5 is 50 percent.';
    END IF;
    RAISE EXCEPTION 'the amount of a deal cannot be %', NEW.amount
        USING ERRCODE = 'check_violation', COLUMN = 'amount', HINT = 'It is 0 or more, or null when it is not known.';
END
$$;
COMMENT ON FUNCTION crm.deal_range_check() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.deal, of rows that the constraints of the table would refuse: says what is wrong with probability or amount (23514).';

CREATE FUNCTION crm.loss_reason_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_choice('kind', NEW.kind, '{natural,forced}');
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.loss_reason_check() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.loss_reason: refuses an unknown kind, naming those that there are (23514).';

/* Pipelines. */

CREATE FUNCTION crm.pipeline_template(template text,
    OUT name text, OUT "position" integer, OUT kind text, OUT probability numeric, OUT rotting_after interval)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 6
SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name, s."position", s.kind, s.probability, s.rotting_after
    FROM (VALUES
        ('default', 'New', 1, 'open', 0.10, interval '14 days'),
        ('default', 'Qualified', 2, 'open', 0.25, interval '14 days'),
        ('default', 'Proposal', 3, 'open', 0.50, interval '21 days'),
        ('default', 'Negotiation', 4, 'open', 0.75, interval '14 days'),
        ('default', 'Won', 5, 'won', 1, NULL),
        ('default', 'Lost', 6, 'lost', 0, NULL),
        ('simple', 'In work', 1, 'open', 0.50, interval '30 days'),
        ('simple', 'Won', 2, 'won', 1, NULL),
        ('simple', 'Lost', 3, 'lost', 0, NULL)
    ) AS s (template, name, "position", kind, probability, rotting_after)
    WHERE s.template = $1 ORDER BY s."position"
$$;
COMMENT ON FUNCTION crm.pipeline_template(text) IS 'The stages of a ready-made pipeline: default or simple; no rows for another word.';

CREATE FUNCTION crm.default_transitions(pipeline_id bigint, flow text DEFAULT 'linear', entry text DEFAULT 'any',
    OUT from_stage_id bigint, OUT to_stage_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    WITH s AS (
        SELECT id, kind, "position", row_number() OVER same_kind AS place,
               count(*) OVER (PARTITION BY kind) AS places
        FROM crm.stage WHERE stage.pipeline_id = $1 AND merged_into_id IS NULL
        WINDOW same_kind AS (PARTITION BY kind ORDER BY "position")
    )
    (SELECT a.id, b.id
     FROM s a JOIN s b ON b.id <> a.id
     WHERE CASE flow
         WHEN 'free' THEN true
         WHEN 'linear' THEN
             a.kind = 'open' AND b.kind = 'open' AND b.place <= a.place + 1
             OR a.kind = 'open' AND b.kind = 'won' AND a.place = a.places
             OR a.kind = 'open' AND b.kind = 'lost'
             OR a.kind = 'lost' AND b.kind = 'open'
         ELSE false
     END
     ORDER BY a."position", b."position")
    UNION ALL
    (SELECT NULL, s.id FROM s
     WHERE CASE entry
         WHEN 'any' THEN true
         WHEN 'open' THEN s.kind = 'open'
         WHEN 'first' THEN s.kind = 'open' AND s.place = 1
         ELSE false
     END
     ORDER BY s."position")
$$;
COMMENT ON FUNCTION crm.default_transitions(bigint, text, text) IS 'The moves of a flow over the stages of a pipeline. flow linear: from an open stage to the next, back to any earlier one, to lost; from the last open stage to won; from lost to any open one. free: from each to each. none: none. entry, where a new deal may begin: any stage, any open one, the first open one, or none.';

CREATE FUNCTION crm.create_pipeline(definition jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stages jsonb := definition -> 'stages';
    flow text := coalesce(definition ->> 'flow', 'linear');
    entry text := coalesce(definition ->> 'entry', 'any');
    unknown text;
    new_pipeline_id bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT string_agg(k, ', ') INTO unknown FROM jsonb_object_keys(definition) k
    WHERE k <> ALL ('{name,description,currency,is_default,stages,flow,entry}');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown field of a pipeline: %', unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are name, description, currency, is_default, stages, flow and entry.';
    END IF;
    IF flow <> ALL ('{linear,free,none}') OR entry <> ALL ('{any,open,first,none}') THEN
        RAISE EXCEPTION 'unknown flow "%" or entry "%"', flow, entry
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'flow is linear, free or none; entry is any, open, first or none.';
    END IF;
    IF jsonb_typeof(stages) IS DISTINCT FROM 'array' OR jsonb_array_length(stages) = 0 THEN
        RAISE EXCEPTION 'pipeline "%" has no stages', definition ->> 'name'
            USING ERRCODE = 'RM003', HINT = 'Give at least one stage, for example {"name": "New"}.';
    END IF;
    IF (definition ->> 'is_default')::boolean AND EXISTS (SELECT FROM crm.pipeline p WHERE p.is_default AND p.name <> definition ->> 'name') THEN
        RAISE EXCEPTION 'pipeline "%" is the default already', (SELECT p.name FROM crm.pipeline p WHERE p.is_default)
            USING ERRCODE = 'unique_violation',
                  HINT = 'Make this one without is_default, or first set is_default of the other to false.';
    END IF;
    INSERT INTO crm.pipeline (name, description, currency, is_default)
    VALUES (definition ->> 'name', definition ->> 'description', coalesce(definition ->> 'currency', 'USD'),
            coalesce((definition ->> 'is_default')::boolean, false))
    ON CONFLICT (name) DO NOTHING
    RETURNING id INTO new_pipeline_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is already a pipeline "%"', definition ->> 'name'
            USING ERRCODE = 'unique_violation',
                  HINT = 'Choose another name. To change the one that is there, write to crm.stage, and use crm.allow_transition() and crm.forbid_transition().';
    END IF;
    WITH given AS (
        SELECT g.place, coalesce(g.stage ->> 'name', g.stage #>> '{}') AS name,
               coalesce(g.stage ->> 'kind', 'open') AS kind,
               (g.stage ->> 'probability')::numeric AS probability,
               (g.stage ->> 'rotting_after')::interval AS rotting_after,
               g.stage ->> 'description' AS description, g.stage ->> 'entry_guard' AS entry_guard, g.stage ->> 'exit_guard' AS exit_guard,
               CASE WHEN jsonb_typeof(g.stage -> 'required_fields') = 'array'
                    THEN ARRAY(SELECT jsonb_array_elements_text(g.stage -> 'required_fields')) END AS required_fields
        FROM jsonb_array_elements(stages) WITH ORDINALITY AS g (stage, place)
    )
    INSERT INTO crm.stage (pipeline_id, name, "position", kind, probability, rotting_after, description, entry_guard, exit_guard, required_fields)
    SELECT new_pipeline_id, given.name, given.place, given.kind,
           coalesce(given.probability, CASE WHEN given.kind = 'open' THEN round(
               row_number() OVER (PARTITION BY given.kind ORDER BY given.place)::numeric
               / (count(*) OVER (PARTITION BY given.kind) + 1), 2) END),
           given.rotting_after, given.description, given.entry_guard, given.exit_guard, given.required_fields
    FROM given ORDER BY given.place;
    INSERT INTO crm.stage_transition (from_stage_id, to_stage_id)
    SELECT t.from_stage_id, t.to_stage_id FROM crm.default_transitions(new_pipeline_id, flow, entry) t;
    RETURN new_pipeline_id;
END
$$;
COMMENT ON FUNCTION crm.create_pipeline(jsonb) IS 'Makes a pipeline with its stages and moves and gives its number. Fields: name, description, currency, is_default, stages (array of names or of {name, kind, probability, rotting_after, description, entry_guard, exit_guard, required_fields}), flow and entry as in crm.default_transitions(). Errors: 22023 unknown field or flow; RM003 no stages; 23505 the name is taken, or another pipeline is the default.';

CREATE FUNCTION crm.create_pipeline(name text, stages text[], won text[] DEFAULT '{Won}', lost text[] DEFAULT '{Lost}',
    flow text DEFAULT 'linear', entry text DEFAULT 'any', currency text DEFAULT 'USD')
RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.create_pipeline(jsonb_build_object('name', name, 'flow', flow, 'entry', entry, 'currency', currency, 'stages',
        (SELECT jsonb_agg(jsonb_build_object('name', s.name, 'kind', s.kind) ORDER BY s.kind_place, s.place)
         FROM (SELECT o.name, 'open' AS kind, 1 AS kind_place, o.place
               FROM unnest(stages) WITH ORDINALITY AS o (name, place)
               WHERE o.name <> ALL (won) AND o.name <> ALL (lost)
               UNION ALL
               SELECT w.name, 'won', 2, w.place FROM unnest(won) WITH ORDINALITY AS w (name, place)
               UNION ALL
               SELECT l.name, 'lost', 3, l.place FROM unnest(lost) WITH ORDINALITY AS l (name, place)) s)))
$$;
COMMENT ON FUNCTION crm.create_pipeline(text, text[], text[], text[], text, text, text) IS 'Makes a pipeline from the names of its open stages in order, and those of its won and lost ones; gives its number. flow and entry as in crm.default_transitions().';

CREATE FUNCTION crm.seed_pipeline(template text DEFAULT 'default', name text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pipeline_name text := coalesce(name, CASE template WHEN 'default' THEN 'Sales' ELSE initcap(template) END);
    stages jsonb;
    existing bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT jsonb_agg(to_jsonb(t) - 'position' ORDER BY t."position") INTO stages
    FROM crm.pipeline_template(template) t;
    IF stages IS NULL THEN
        RAISE EXCEPTION 'there is no ready-made pipeline "%"', template
            USING ERRCODE = 'RM004', HINT = 'Ready-made pipelines are default and simple; crm.create_pipeline() makes your own.';
    END IF;
    SELECT p.id INTO existing FROM crm.pipeline p WHERE p.name = pipeline_name;
    RETURN coalesce(existing, crm.create_pipeline(jsonb_build_object('name', pipeline_name, 'stages', stages,
        'is_default', NOT EXISTS (SELECT FROM crm.pipeline WHERE is_default))));
END
$$;
COMMENT ON FUNCTION crm.seed_pipeline(text, text) IS 'Makes a ready-made pipeline (default or simple) under a name, unless one of that name is there, and gives its number. It becomes the default pipeline when there is none. Errors: RM004 unknown template.';

CREATE FUNCTION crm.pipeline_id(pipeline text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id bigint := (SELECT p.id FROM crm.pipeline p WHERE p.name = pipeline);
BEGIN
    IF found_id IS NULL THEN
        RAISE EXCEPTION 'there is no pipeline "%"', pipeline
            USING ERRCODE = 'RM004',
                  DETAIL = (SELECT 'Pipelines: ' || coalesce(string_agg(quote_ident(p.name), ', ' ORDER BY p.id), 'none') || '.' FROM crm.pipeline p),
                  HINT = 'Make it with crm.create_pipeline() or crm.seed_pipeline().';
    END IF;
    RETURN found_id;
END
$$;
COMMENT ON FUNCTION crm.pipeline_id(text) IS 'The number of the pipeline of that name. Errors: RM004 there is none.';

CREATE FUNCTION crm.stage_id(pipeline_id bigint, stage text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id bigint;
BEGIN
    SELECT coalesce(s.merged_into_id, s.id) INTO found_id FROM crm.stage s
    WHERE s.pipeline_id = $1 AND lower(s.name) = lower(stage)
    ORDER BY s.name = stage DESC LIMIT 1;
    IF found_id IS NULL THEN
        RAISE EXCEPTION 'there is no stage "%" in pipeline "%"', stage, (SELECT p.name FROM crm.pipeline p WHERE p.id = $1)
            USING ERRCODE = 'RM004',
                  DETAIL = (SELECT 'Its stages: ' || coalesce(string_agg(quote_ident(s.name), ', ' ORDER BY s."position"), 'none') || '.'
                            FROM crm.stage s WHERE s.pipeline_id = $1 AND s.merged_into_id IS NULL),
                  HINT = 'To move a deal to another pipeline, give the number of the stage.';
    END IF;
    RETURN found_id;
END
$$;
COMMENT ON FUNCTION crm.stage_id(bigint, text) IS 'The number of the stage of that name in a pipeline; letter case matters only where two names differ in nothing else. The name of a merged stage gives the one it went to. Errors: RM004 there is none.';

CREATE FUNCTION crm.allow_transition(pipeline text, from_stage text, to_stage text, guard text DEFAULT NULL, roles text[] DEFAULT NULL,
    required_fields text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pipeline_number bigint;
    from_id bigint;
    to_id bigint;
    rule_id bigint;
BEGIN
    PERFORM crm.require_installed();
    pipeline_number := crm.pipeline_id(pipeline);
    IF from_stage IS NOT NULL THEN
        from_id := crm.stage_id(pipeline_number, from_stage);
    END IF;
    to_id := crm.stage_id(pipeline_number, to_stage);
    INSERT INTO crm.stage_transition AS t (from_stage_id, to_stage_id, guard, roles, required_fields) VALUES (from_id, to_id, nullif($4, ''), $5, $6)
    ON CONFLICT (from_stage_id, to_stage_id) DO UPDATE
    SET guard = CASE WHEN $4 = '' THEN NULL ELSE coalesce(excluded.guard, t.guard) END, roles = coalesce(excluded.roles, t.roles),
        required_fields = coalesce(excluded.required_fields, t.required_fields)
    WHERE $4 IS NOT NULL OR excluded.roles IS NOT NULL OR excluded.required_fields IS NOT NULL
    RETURNING id INTO rule_id;
    IF NOT FOUND THEN
        SELECT t.id INTO rule_id FROM crm.stage_transition t
        WHERE t.from_stage_id IS NOT DISTINCT FROM from_id AND t.to_stage_id = to_id;
    END IF;
    RETURN rule_id;
END
$$;
COMMENT ON FUNCTION crm.allow_transition(text, text, text, text, text[], text[]) IS 'Allows the move between two stages of a pipeline, or, from null, that a deal begins at to_stage; gives the number of the row in crm.stage_transition. guard, roles and required_fields say what the move asks for; of a move that is allowed already those that are given replace its own, those that are null leave them as they are; an empty guard ('''') takes the guard away. Errors: RM004 unknown pipeline or stage; those of crm.guard_rule(); 42703 unknown field; 42704 unknown role.';

CREATE FUNCTION crm.forbid_transition(pipeline text, from_stage text, to_stage text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pipeline_number bigint;
    from_id bigint;
BEGIN
    PERFORM crm.require_installed();
    pipeline_number := crm.pipeline_id(pipeline);
    IF from_stage IS NOT NULL THEN
        from_id := crm.stage_id(pipeline_number, from_stage);
    END IF;
    DELETE FROM crm.stage_transition t
    WHERE t.from_stage_id IS NOT DISTINCT FROM from_id AND t.to_stage_id = crm.stage_id(pipeline_number, to_stage);
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION crm.forbid_transition(text, text, text) IS 'Forbids a move that was allowed; says whether it was. Errors: RM004 unknown pipeline or stage.';

/* Deals. */

CREATE FUNCTION crm.loss_reason_id(reason text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id bigint;
BEGIN
    IF reason IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT r.id INTO found_id FROM crm.loss_reason r
    WHERE lower(r.name) = lower(reason) ORDER BY r.name = reason DESC LIMIT 1;
    IF found_id IS NULL THEN
        RAISE EXCEPTION 'there is no loss reason "%"', reason
            USING ERRCODE = 'RM004',
                  DETAIL = (SELECT 'Reasons: ' || coalesce(string_agg(quote_ident(r.name), ', ' ORDER BY r.id), 'none') || '.'
                            FROM crm.loss_reason r WHERE r.active),
                  HINT = 'Choose one of these, or add a row to crm.loss_reason.';
    END IF;
    RETURN found_id;
END
$$;
COMMENT ON FUNCTION crm.loss_reason_id(text) IS 'The number of the loss reason of that name; null for null. Errors: RM004 there is none.';

CREATE FUNCTION crm.agent_id(agent text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_ids bigint[];
BEGIN
    IF agent IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(a.id ORDER BY a.id) INTO found_ids FROM crm.agent a WHERE lower(a.name) = lower(agent) AND a.active;
    IF found_ids IS NULL THEN
        SELECT array_agg(a.id) INTO found_ids FROM crm.agent a WHERE a.role_name = agent AND a.active;
    END IF;
    IF found_ids IS NULL AND agent ~ '^[0-9]{1,18}$' THEN
        SELECT array_agg(a.id) INTO found_ids FROM crm.agent a WHERE a.id = agent::bigint AND a.active;
    END IF;
    IF cardinality(found_ids) = 1 THEN
        RETURN found_ids[1];
    ELSIF found_ids IS NULL THEN
        RAISE EXCEPTION 'there is no agent named "%"', agent
            USING ERRCODE = 'RM004', HINT = 'Give the number of the agent, or add a row to crm.agent.';
    END IF;
    RAISE EXCEPTION 'there are several agents named "%"', agent
        USING ERRCODE = 'RM004', DETAIL = format('Their numbers: %s.', array_to_string(found_ids, ', ')),
              HINT = 'Give the number of the agent, or the database role with which the agent works.';
END
$$;
COMMENT ON FUNCTION crm.agent_id(text) IS 'The number of the agent of that name, in any letter case, else of the one who works with the database role of that name, else the number itself, as text; of those who are active. Null for null. Errors: RM004 there is none, or several.';

/* Not parallel safe: an exception block is a subtransaction. */
CREATE FUNCTION crm.require_readable(relation regclass, fields jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    field record;
    reason text;
BEGIN
    IF jsonb_typeof(fields) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'the fields of % must be a JSON object, not %', relation, coalesce(jsonb_typeof(fields), 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: {"name": "value"}.';
    END IF;
    BEGIN
        EXECUTE format('SELECT jsonb_populate_record(NULL::%s, $1)', relation) USING fields;
        RETURN;
    EXCEPTION WHEN data_exception OR datatype_mismatch THEN
        NULL;
    END;
    -- One of them: which?
    FOR field IN SELECT e.key, e.value, e.value #>> '{}' AS text, format_type(a.atttypid, NULL) AS type
                 FROM jsonb_each(fields) e JOIN pg_attribute a ON a.attrelid = relation AND a.attname = e.key AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LOOP
        BEGIN
            EXECUTE format('SELECT jsonb_populate_record(NULL::%s, $1)', relation) USING jsonb_build_object(field.key, field.value);
        EXCEPTION WHEN data_exception OR datatype_mismatch THEN
            GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
            RAISE EXCEPTION 'invalid value of "%": "%"', field.key, left(field.text, 100)
                USING ERRCODE = 'invalid_parameter_value', COLUMN = field.key, DETAIL = upper(left(reason, 1)) || substr(reason, 2) || '.',
                      HINT = CASE WHEN field.type IN ('numeric', 'double precision') THEN 'Write it as 1234.50.'
                                  WHEN field.type IN ('integer', 'bigint', 'smallint') THEN 'Write a whole number.'
                                  WHEN field.type = 'boolean' THEN 'Write true or false.'
                                  WHEN field.type = 'date' THEN 'Write it as 2026-12-31.'
                                  WHEN field.type LIKE 'timestamp%' THEN 'Write it as 2026-12-31 17:00.'
                                  WHEN field.type = 'interval' THEN 'Write it as 3 days.'
                                  ELSE format('It is of type %s.', field.type) END;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.require_readable(regclass, jsonb) IS 'Raises 22023 when a JSON object has a value that the column of its name cannot be, naming field and value, with the field in the error''s column field; keys that are no columns are left to others. Called by the functions that make a row from JSON.';

CREATE FUNCTION crm.require_choice(field text, value text, choices text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF value <> ALL (choices) THEN
        RAISE EXCEPTION 'unknown % "%"', field, value
            USING ERRCODE = 'check_violation', COLUMN = field, HINT = format('It is one of: %s.', array_to_string(choices, ', '));
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_choice(text, text, text[]) IS 'Raises 23514, naming what may be written, when a value is none of a list; null passes. Called by triggers, before the constraint of the table would.';

CREATE FUNCTION crm.create_deal(deal jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields jsonb := deal - '{pipeline,stage,owner,company,loss_reason}'::text[];
    columns text[];
    unknown text;
    company_ids bigint[];
    new_deal_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_readable('crm.deal', fields);
    IF deal ->> 'pipeline' IS NOT NULL THEN
        fields := fields || jsonb_build_object('pipeline_id', crm.pipeline_id(deal ->> 'pipeline'));
    END IF;
    IF deal ->> 'stage' IS NOT NULL THEN
        fields := fields || jsonb_build_object('stage_id', crm.stage_id(
            coalesce((fields ->> 'pipeline_id')::bigint, (SELECT p.id FROM crm.pipeline p WHERE p.is_default)), deal ->> 'stage'));
    END IF;
    IF deal ->> 'owner' IS NOT NULL THEN
        fields := fields || jsonb_build_object('owner_id', crm.agent_id(deal ->> 'owner'));
    END IF;
    IF deal ->> 'loss_reason' IS NOT NULL THEN
        fields := fields || jsonb_build_object('loss_reason_id', crm.loss_reason_id(deal ->> 'loss_reason'));
    END IF;
    IF deal ->> 'company' IS NOT NULL THEN
        SELECT array_agg(c.id) INTO company_ids FROM crm.company c
        WHERE lower(c.name) = lower(deal ->> 'company') AND c.deleted_at IS NULL;
        IF cardinality(company_ids) IS DISTINCT FROM 1 THEN
            RAISE EXCEPTION '% named "%"', CASE WHEN company_ids IS NULL THEN 'there is no company' ELSE 'there are several companies' END, deal ->> 'company'
                USING ERRCODE = 'RM004', HINT = 'Give company_id, or add a row to crm.company.';
        END IF;
        fields := fields || jsonb_build_object('company_id', company_ids[1]);
    END IF;
    SELECT array_agg(k) FILTER (WHERE a.attname IS NOT NULL), string_agg(k, ', ') FILTER (WHERE a.attname IS NULL)
    INTO columns, unknown
    FROM jsonb_object_keys(fields) k
    LEFT JOIN pg_attribute a ON a.attrelid = 'crm.deal'::regclass AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped
                            AND a.attname <> ALL ('{id,updated_at}');
    IF unknown IS NOT NULL OR columns IS NULL THEN
        RAISE EXCEPTION 'unknown field of a deal: %', coalesce(unknown, 'none is given')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are the columns of crm.deal, and pipeline, stage, owner, company and loss_reason by name. Your own go into attrs.';
    END IF;
    IF coalesce(fields ->> 'name', '') = '' THEN
        RAISE EXCEPTION 'a deal needs a name' USING ERRCODE = 'RM003', COLUMN = 'name', HINT = 'For example: {"name": "Chairs for the office", "amount": 1200}.';
    END IF;
    PERFORM crm.require_known((fields ->> 'contact_id')::bigint, (fields ->> 'owner_id')::bigint, company_id => (fields ->> 'company_id')::bigint);
    EXECUTE format('INSERT INTO crm.deal (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::crm.deal, $1) RETURNING id',
                   (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c))
    INTO new_deal_id USING fields;
    RETURN new_deal_id;
END
$$;
COMMENT ON FUNCTION crm.create_deal(jsonb) IS 'Makes a deal from its fields and gives its number. Fields are the columns of crm.deal; pipeline, stage, owner, company and loss_reason may be given by name. Without a pipeline the default one, without a stage the first at which a deal may begin. Errors: 22023 unknown field, or a value that cannot be, named in the column field; RM001 the deal may not begin there; RM002 a guard is not met; RM003 no name, lost without a reason, or something else that is required is missing; RM004 unknown name, agent or company; P0002 no such contact.';

CREATE FUNCTION crm.move_deal(deal_id bigint, stage_id bigint, loss_reason text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reason_id bigint;
BEGIN
    PERFORM crm.require_installed();
    reason_id := crm.loss_reason_id(loss_reason);
    -- Twice the same move is one move, also when two sessions make it at once.
    UPDATE crm.deal d
    SET stage_id = $2, stage_entered_at = as_of, loss_reason_id = coalesce(reason_id, d.loss_reason_id)
    WHERE d.id = $1 AND d.stage_id <> $2 AND d.deleted_at IS NULL;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM crm.deal d WHERE d.id = $1 AND d.deleted_at IS NULL) THEN
        RAISE EXCEPTION 'there is no deal %', $1 USING ERRCODE = 'RM004';
    END IF;
    RETURN (SELECT s.name FROM crm.stage s WHERE s.id = $2);
END
$$;
COMMENT ON FUNCTION crm.move_deal(bigint, bigint, text, timestamptz) IS 'Moves a deal to a stage given by number, also of another pipeline, and gives the name of the stage. Does nothing when the deal is there. Errors: RM001 the move is not allowed; RM002 a guard is not met; RM003 something required is missing, such as the reason of a loss; 42501 the move is for others; RM004 unknown deal, stage or reason; RM006 as_of is before the deal entered its present stage.';

CREATE FUNCTION crm.move_deal(deal_id bigint, stage text, loss_reason text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pipeline bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT d.pipeline_id INTO pipeline FROM crm.deal d WHERE d.id = $1 AND d.deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no deal %', $1 USING ERRCODE = 'RM004';
    END IF;
    RETURN crm.move_deal($1, crm.stage_id(pipeline, stage), loss_reason, as_of);
END
$$;
COMMENT ON FUNCTION crm.move_deal(bigint, text, text, timestamptz) IS 'Moves a deal to the stage of that name in its pipeline and gives the name. Does nothing when the deal is there. Errors as of crm.move_deal(bigint, bigint, text, timestamptz).';

CREATE FUNCTION crm.closing_stage(deal_id bigint, kind text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deal record;
    closing bigint;
BEGIN
    SELECT d.pipeline_id, d.stage_id, p.name AS pipeline, s.kind INTO deal
    FROM crm.deal d JOIN crm.pipeline p ON p.id = d.pipeline_id JOIN crm.stage s ON s.id = d.stage_id
    WHERE d.id = $1 AND d.deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no deal %', $1 USING ERRCODE = 'RM004';
    ELSIF deal.kind = $2 THEN
        RETURN deal.stage_id;
    END IF;
    SELECT s.id INTO closing
    FROM crm.stage s
    LEFT JOIN crm.stage_transition t ON t.from_stage_id = deal.stage_id AND t.to_stage_id = s.id
    WHERE s.pipeline_id = deal.pipeline_id AND s.kind = $2 AND s.merged_into_id IS NULL
    ORDER BY t.id IS NULL, s."position" LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'pipeline "%" has no stage of kind %', deal.pipeline, $2
            USING ERRCODE = 'RM004', HINT = 'Add one to crm.stage.';
    END IF;
    RETURN closing;
END
$$;
COMMENT ON FUNCTION crm.closing_stage(bigint, text) IS 'The stage of a kind (won or lost) to which the deal would be closed: its own when it is of that kind, otherwise the first that is allowed from its stage, otherwise the first. Errors: RM004 no such deal or no such stage.';

CREATE FUNCTION crm.win_deal(deal_id bigint, amount numeric DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    won_stage_id bigint;
BEGIN
    PERFORM crm.require_installed();
    won_stage_id := crm.closing_stage($1, 'won');
    UPDATE crm.deal d
    SET stage_id = won_stage_id, stage_entered_at = as_of, amount = coalesce($2, d.amount)
    WHERE d.id = $1 AND d.stage_id <> won_stage_id;
    RETURN (SELECT s.name FROM crm.stage s WHERE s.id = won_stage_id);
END
$$;
COMMENT ON FUNCTION crm.win_deal(bigint, numeric, timestamptz) IS 'Moves a deal to the won stage of its pipeline, with the amount it was won for if given; gives the name of the stage. Does nothing when it is won already. Errors: RM001 not allowed from its stage; RM002 a guard is not met; RM003 something required is missing, such as a document; 42501 the move is for others; RM004 no such deal, no won stage.';

CREATE FUNCTION crm.lose_deal(deal_id bigint, loss_reason text, lost_to_company_id bigint DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lost_stage_id bigint;
    reason_id bigint;
BEGIN
    PERFORM crm.require_installed();
    lost_stage_id := crm.closing_stage($1, 'lost');
    reason_id := crm.loss_reason_id(loss_reason);
    UPDATE crm.deal d
    SET stage_id = lost_stage_id, stage_entered_at = as_of, loss_reason_id = reason_id, lost_to_company_id = $3
    WHERE d.id = $1 AND d.stage_id <> lost_stage_id;
    RETURN (SELECT s.name FROM crm.stage s WHERE s.id = lost_stage_id);
END
$$;
COMMENT ON FUNCTION crm.lose_deal(bigint, text, bigint, timestamptz) IS 'Moves a deal to the lost stage of its pipeline with the reason, and the competitor who won if known; gives the name of the stage. Does nothing when it is lost already. Errors: RM001 not allowed from its stage; RM002 a guard is not met; RM003 without a reason or something else that is required; 42501 the move is for others; RM004 no such deal, reason or lost stage.';

CREATE FUNCTION crm.deal_as_of(deal_id bigint, as_of timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    boundary record;
    base jsonb;
    undone jsonb;
    emptied text[];
BEGIN
    -- From the row, or what was removed, back through the later changes.
    SELECT h.id, h.old_value INTO boundary FROM crm.deal_history h
    WHERE h.deal_id = $1 AND h.field = '*' AND h.changed_at > as_of ORDER BY h.id LIMIT 1;
    IF FOUND THEN
        base := boundary.old_value;
    ELSE
        SELECT crm.row_values(d) INTO base FROM crm.deal d WHERE d.id = $1;
    END IF;
    IF base IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(jsonb_object_agg(c.field, c.old_value) FILTER (WHERE c.old_value IS NOT NULL), '{}'),
           coalesce(array_agg(c.field) FILTER (WHERE c.old_value IS NULL), '{}')
    INTO undone, emptied
    FROM (SELECT DISTINCT ON (h.field) h.field, h.old_value FROM crm.deal_history h
          WHERE h.deal_id = $1 AND h.changed_at > as_of AND h.field <> '*' AND h.id < coalesce(boundary.id, h.id + 1)
          ORDER BY h.field, h.id) c;
    RETURN (base || undone) - emptied;
END
$$;
COMMENT ON FUNCTION crm.deal_as_of(bigint, timestamptz) IS 'The deal as the database held it at that moment, its columns that were not null as a JSON object; null when it was not there. As a row: SELECT * FROM jsonb_populate_record(NULL::crm.deal, crm.deal_as_of(1, ''2026-03-01'')).';

CREATE FUNCTION crm.rotting_deals(as_of timestamptz DEFAULT now(),
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT stage text, OUT owner_id bigint, OUT amount numeric, OUT currency text,
    OUT stage_entered_at timestamptz, OUT rotting_after interval, OUT rotting_since timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.id, d.name, p.name, s.name, d.owner_id, d.amount, d.currency,
           d.stage_entered_at, s.rotting_after, d.stage_entered_at + s.rotting_after
    FROM crm.deal d
    JOIN crm.stage s ON s.id = d.stage_id
    JOIN crm.pipeline p ON p.id = d.pipeline_id
    WHERE d.closed_at IS NULL AND d.deleted_at IS NULL AND s.rotting_after IS NOT NULL
      AND d.stage_entered_at + s.rotting_after < $1
    ORDER BY d.stage_entered_at + s.rotting_after, d.id
$$;
COMMENT ON FUNCTION crm.rotting_deals(timestamptz) IS 'Open deals that have been at their stage for longer than it allows (crm.stage.rotting_after), the longest rotting first.';

/* Import. */

CREATE FUNCTION crm.import_deals(source regclass, pipeline text DEFAULT 'Imported', system text DEFAULT 'import',
    columns jsonb DEFAULT NULL, stages text[] DEFAULT NULL, won text[] DEFAULT '{Won}', lost text[] DEFAULT '{Lost}',
    loss_reason text DEFAULT 'Not stated', date_order text DEFAULT 'mdy', time_zone text DEFAULT 'UTC',
    as_of timestamptz DEFAULT now(),
    OUT read bigint, OUT created bigint, OUT updated bigint, OUT unchanged bigint, OUT rejected bigint)
RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning AS $$
DECLARE
    -- Names under which a field is looked for when columns does not say.
    usual CONSTANT jsonb := '{
        "external_id": ["external_id", "opportunity_id", "deal_id", "id"],
        "name": ["name", "deal_name", "title"],
        "stage": ["stage", "deal_stage", "status"],
        "owner": ["owner", "sales_agent", "owner_name", "manager", "agent"],
        "company": ["company", "account", "account_name", "company_name", "client"],
        "product": ["product", "product_name"],
        "started": ["started", "engage_date", "created_at", "created", "open_date"],
        "closed": ["closed", "close_date", "closed_at", "close"],
        "promised": ["promised", "promised_date", "expected_close", "expected_close_date"],
        "amount": ["amount", "close_value", "value", "sum"],
        "began_stage": ["began_stage"],
        "began_amount": ["began_amount"],
        "currency": ["currency"]}';
    found jsonb := '{}';
    unknown text;
    target_pipeline_id bigint;
    reason_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM pg_advisory_xact_lock(hashtext('crm.import_deals'), hashtext(system));
    SELECT string_agg(k, ', ') INTO unknown FROM jsonb_object_keys(columns) k WHERE NOT usual ? k;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown field in columns: %', unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are ' || (SELECT string_agg(k, ', ') FROM jsonb_object_keys(usual) k) || '.';
    END IF;
    -- Which column has which field.
    SELECT coalesce(jsonb_object_agg(f.field, f.attname), '{}') INTO found
    FROM (SELECT DISTINCT ON (u.key) u.key AS field, a.attname
          FROM jsonb_each(usual) u
          CROSS JOIN LATERAL jsonb_array_elements_text(
              CASE WHEN columns ? u.key THEN jsonb_build_array(columns -> u.key) ELSE u.value END) WITH ORDINALITY AS n (name, place)
          JOIN pg_attribute a ON a.attrelid = source AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
          ORDER BY u.key, n.place) f;
    SELECT string_agg(c.value, ', ') INTO unknown
    FROM (SELECT c.value FROM jsonb_each_text(columns) c WHERE found ->> c.key IS NULL
          UNION ALL SELECT needed FROM unnest('{external_id,stage}'::text[]) needed WHERE NOT found ? needed AND NOT coalesce(columns ? needed, false)) c;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'relation % has no column for: %', source, unknown
            USING ERRCODE = 'undefined_column',
                  HINT = 'Say where the fields are: columns => ''{"external_id": "...", "stage": "..."}''.';
    END IF;
    reason_id := crm.loss_reason_id(loss_reason);

    DROP TABLE IF EXISTS pg_temp.crm_deal_import;
    CREATE TEMPORARY TABLE crm_deal_import (
        place bigint, source_row jsonb, external_id text, name text, stage text, owner text, company text, product text,
        started_text text, closed_text text, promised_text text, amount_text text, currency text, began_stage text, began_amount_text text,
        started date, closed date, promised date, amount numeric, began_stage_id bigint, began_amount numeric,
        attrs jsonb, stage_id bigint, kind text, owner_id bigint, company_id bigint,
        given jsonb, news jsonb, deal_id bigint, new_id bigint, is_changed boolean, field text, reason text
    ) ON COMMIT DROP;
    EXECUTE format($query$
        INSERT INTO pg_temp.crm_deal_import (place, source_row, external_id, name, stage, owner, company, product,
                                             started_text, closed_text, promised_text, amount_text, currency, began_stage, began_amount_text)
        SELECT place, j, nullif(btrim(j ->> %L), ''), nullif(btrim(j ->> %L), ''), nullif(btrim(j ->> %L), ''),
               nullif(regexp_replace(btrim(j ->> %L), '\s+', ' ', 'g'), ''),
               nullif(regexp_replace(btrim(j ->> %L), '\s+', ' ', 'g'), ''),
               nullif(btrim(j ->> %L), ''), nullif(btrim(j ->> %L), ''), nullif(btrim(j ->> %L), ''), nullif(btrim(j ->> %L), ''),
               nullif(btrim(j ->> %L), ''), upper(nullif(btrim(j ->> %L), '')), nullif(btrim(j ->> %L), ''), nullif(btrim(j ->> %L), '')
        FROM (SELECT row_number() OVER () AS place, to_jsonb(s) AS j FROM %s AS s) numbered$query$,
        found ->> 'external_id', found ->> 'name', found ->> 'stage', found ->> 'owner', found ->> 'company', found ->> 'product',
        found ->> 'started', found ->> 'closed', found ->> 'promised', found ->> 'amount', found ->> 'currency', found ->> 'began_stage', found ->> 'began_amount', source);
    GET DIAGNOSTICS read = ROW_COUNT;
    ANALYZE pg_temp.crm_deal_import;

    UPDATE pg_temp.crm_deal_import i
    SET started = crm.try_date(i.started_text, date_order), closed = crm.try_date(i.closed_text, date_order), promised = crm.try_date(i.promised_text, date_order),
        amount = crm.try_number(i.amount_text), began_amount = crm.try_number(i.began_amount_text);
    UPDATE pg_temp.crm_deal_import i SET field = bad.field, reason = bad.reason
    FROM (SELECT c.place,
                 CASE WHEN c.external_id IS NULL OR c.copies > 1 THEN 'external_id'
                      WHEN c.stage IS NULL THEN 'stage'
                      WHEN c.started IS NULL AND c.started_text IS NOT NULL THEN 'started'
                      WHEN c.closed IS NULL AND c.closed_text IS NOT NULL OR c.closed < c.started THEN 'closed'
                      WHEN c.promised IS NULL AND c.promised_text IS NOT NULL THEN 'promised'
                      WHEN c.amount IS NULL AND c.amount_text IS NOT NULL OR c.amount < 0 THEN 'amount'
                      WHEN c.began_amount IS NULL AND c.began_amount_text IS NOT NULL OR c.began_amount < 0 THEN 'began_amount'
                      WHEN c.currency IS NOT NULL AND NOT EXISTS (SELECT FROM crm.currency k WHERE k.code = c.currency) THEN 'currency'
                 END AS field,
                 CASE WHEN c.external_id IS NULL THEN 'has no number'
                      WHEN c.copies > 1 THEN format('the number %s is in an earlier row', c.external_id)
                      WHEN c.stage IS NULL THEN 'has no stage'
                      WHEN c.started IS NULL AND c.started_text IS NOT NULL THEN format('"%s" is not a date in the order %s', c.started_text, date_order)
                      WHEN c.closed IS NULL AND c.closed_text IS NOT NULL THEN format('"%s" is not a date in the order %s', c.closed_text, date_order)
                      WHEN c.closed < c.started THEN format('closed on %s, before it began on %s', c.closed, c.started)
                      WHEN c.promised IS NULL AND c.promised_text IS NOT NULL THEN format('"%s" is not a date in the order %s', c.promised_text, date_order)
                      WHEN c.amount IS NULL AND c.amount_text IS NOT NULL THEN format('"%s" is not a number', c.amount_text)
                      WHEN c.amount < 0 THEN format('%s is negative', c.amount_text)
                      WHEN c.began_amount IS NULL AND c.began_amount_text IS NOT NULL THEN format('"%s" is not a number', c.began_amount_text)
                      WHEN c.began_amount < 0 THEN format('%s is negative', c.began_amount_text)
                      WHEN c.currency IS NOT NULL THEN format('there is no currency "%s"', c.currency)
                 END AS reason
          FROM (SELECT *, row_number() OVER (PARTITION BY external_id ORDER BY place) AS copies FROM pg_temp.crm_deal_import) c) bad
    WHERE bad.place = i.place AND bad.field IS NOT NULL;

    -- The other columns become custom fields; those that are missing are defined.
    UPDATE pg_temp.crm_deal_import i
    SET attrs = (SELECT coalesce(jsonb_object_agg(regexp_replace(regexp_replace(a.key, '[^[:alnum:]_]', '_', 'g'), '^(\d)', '_\1'), a.value), '{}')
                 FROM jsonb_each(i.source_row - ARRAY(SELECT f.value FROM jsonb_each_text(found) f)
                                 || jsonb_build_object('product', i.product)) a
                 WHERE btrim(a.value #>> '{}') <> '')
    WHERE i.reason IS NULL;
    INSERT INTO crm.custom_field (entity, name, type, description)
    SELECT 'deal', a.key,
           CASE WHEN bool_and(jsonb_typeof(a.value) = 'string') THEN 'text'
                WHEN bool_and(jsonb_typeof(a.value) = 'number') THEN 'number'
                WHEN bool_and(jsonb_typeof(a.value) = 'boolean') THEN 'boolean' ELSE 'json' END,
           format('Column of %s', source)
    FROM pg_temp.crm_deal_import i, jsonb_each(i.attrs) a
    GROUP BY a.key
    ON CONFLICT (entity, name) DO NOTHING;
    IF EXISTS (SELECT FROM crm.custom_field f WHERE f.entity = 'deal' AND f.type IN ('number', 'integer')) THEN
        UPDATE pg_temp.crm_deal_import i
        SET attrs = i.attrs || (SELECT coalesce(jsonb_object_agg(a.key, crm.try_number(a.value #>> '{}')), '{}')
                                FROM jsonb_each(i.attrs) a
                                JOIN crm.custom_field f ON f.entity = 'deal' AND f.name = a.key AND f.type IN ('number', 'integer')
                                WHERE crm.try_number(a.value #>> '{}') IS NOT NULL)
        WHERE i.reason IS NULL;
    END IF;
    UPDATE pg_temp.crm_deal_import i SET field = bad.field, reason = bad.reason
    FROM (SELECT DISTINCT ON (c.place) c.place, a.key AS field, crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) AS reason
          FROM pg_temp.crm_deal_import c, jsonb_each(c.attrs) a JOIN crm.custom_field f ON f.entity = 'deal' AND f.name = a.key
          WHERE c.reason IS NULL AND crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) IS NOT NULL) bad
    WHERE bad.place = i.place;
    UPDATE pg_temp.crm_deal_import i SET field = f.name, reason = 'is required'
    FROM crm.custom_field f
    WHERE i.reason IS NULL AND f.entity = 'deal' AND f.is_required AND NOT i.attrs ? f.name;

    -- The pipeline: made from the stages that occur unless it is there.
    SELECT p.id INTO target_pipeline_id FROM crm.pipeline p WHERE p.name = pipeline;
    IF target_pipeline_id IS NULL THEN
        target_pipeline_id := crm.create_pipeline(pipeline,
            -- Of a file of closed deals it is known that they were open.
            coalesce(nullif(coalesce(stages, ARRAY(
                -- Work begins at some stage: the later ones have a start date.
                SELECT s.name
                FROM (SELECT i.stage AS name, i.started, i.place FROM pg_temp.crm_deal_import i WHERE i.reason IS NULL
                      UNION ALL
                      SELECT i.began_stage, i.started, i.place FROM pg_temp.crm_deal_import i WHERE i.reason IS NULL AND i.began_stage IS NOT NULL) s
                WHERE s.name <> ALL (won) AND s.name <> ALL (lost)
                GROUP BY s.name ORDER BY round(avg((s.started IS NOT NULL)::integer), 1), min(s.place))), '{}'), '{Open}'),
            won, lost);
    END IF;
    UPDATE pg_temp.crm_deal_import i SET stage_id = coalesce(s.merged_into_id, s.id), kind = s.kind
    FROM crm.stage s WHERE s.pipeline_id = target_pipeline_id AND lower(s.name) = lower(i.stage);
    -- The close of an open deal is a promise.
    UPDATE pg_temp.crm_deal_import i SET promised = coalesce(i.promised, i.closed), closed = NULL WHERE i.kind = 'open';
    UPDATE pg_temp.crm_deal_import i SET name = coalesce(i.name, nullif(concat_ws(', ', i.product, i.company), ''), i.external_id) WHERE i.reason IS NULL;
    UPDATE pg_temp.crm_deal_import i
    SET given = jsonb_strip_nulls(jsonb_build_object('name', i.name, 'pipeline_id', target_pipeline_id, 'stage', lower(i.stage), 'owner', lower(i.owner),
                                                     'company', lower(i.company), 'amount', i.amount, 'currency', i.currency, 'close_date', i.promised)) || jsonb_build_object('attrs', i.attrs)
    WHERE i.reason IS NULL;

    -- Of a deal that is there only what its row said otherwise the last time is news. Of
    -- one whose last row is not known, it is what the deal was made with.
    UPDATE pg_temp.crm_deal_import i
    SET deal_id = d.id,
        news = (SELECT coalesce(jsonb_object_agg(g.key, g.value), '{}') FROM jsonb_each(i.given - 'attrs') g WHERE l.given -> g.key IS DISTINCT FROM g.value)
               || jsonb_build_object('attrs', (SELECT coalesce(jsonb_object_agg(g.key, g.value), '{}') FROM jsonb_each(i.attrs) g
                                               WHERE l.given -> 'attrs' -> g.key IS DISTINCT FROM g.value))
    FROM crm.deal d
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT m.given FROM crm.imported_deal m WHERE m.deal_id = d.id),
            (SELECT h.new_value || jsonb_build_object(
                        'stage', (SELECT lower(s.name) FROM crm.stage s WHERE s.id = (h.new_value ->> 'stage_id')::bigint),
                        'owner', (SELECT lower(a.name) FROM crm.agent a WHERE a.id = (h.new_value ->> 'owner_id')::bigint),
                        'company', (SELECT lower(c.name) FROM crm.company c WHERE c.id = (h.new_value ->> 'company_id')::bigint))
             FROM crm.deal_history h WHERE h.deal_id = d.id AND h.field = '*' AND h.old_value IS NULL)) AS given OFFSET 0) l
    WHERE d.external_system = system AND d.external_id = i.external_id AND i.reason IS NULL;
    UPDATE pg_temp.crm_deal_import i
    SET name = CASE WHEN i.news ? 'name' THEN i.name ELSE d.name END,
        owner = CASE WHEN i.news ? 'owner' THEN i.owner END, company = CASE WHEN i.news ? 'company' THEN i.company END,
        amount = CASE WHEN i.news ? 'amount' THEN i.amount END, currency = CASE WHEN i.news ? 'currency' THEN i.currency END,
        promised = CASE WHEN i.news ? 'close_date' THEN i.promised END, attrs = i.news -> 'attrs',
        stage_id = CASE WHEN i.news ?| '{stage,pipeline_id}' THEN i.stage_id ELSE d.stage_id END,
        kind = CASE WHEN i.news ?| '{stage,pipeline_id}' THEN i.kind ELSE s.kind END
    FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
    WHERE d.id = i.deal_id;
    UPDATE pg_temp.crm_deal_import i
    SET field = 'stage', reason = format('pipeline "%s" has no stage "%s"', pipeline, i.stage)
    WHERE i.reason IS NULL AND i.stage_id IS NULL;
    -- Sources write 0 where a deal was lost; it is worth what was at stake.
    UPDATE pg_temp.crm_deal_import i
    SET amount = CASE WHEN i.deal_id IS NULL THEN coalesce(i.began_amount, i.amount) END
    WHERE i.reason IS NULL AND i.kind = 'lost' AND i.amount = 0;

    -- Agents and companies by name; the missing ones are made.
    INSERT INTO crm.agent (name)
    SELECT min(i.owner) FROM pg_temp.crm_deal_import i
    WHERE i.reason IS NULL AND i.owner IS NOT NULL
      AND NOT EXISTS (SELECT FROM crm.agent a WHERE lower(a.name) = lower(i.owner))
    GROUP BY lower(i.owner) ORDER BY lower(i.owner);
    PERFORM crm.lock_companies(true);
    INSERT INTO crm.company (name, source)
    SELECT min(i.company), system FROM pg_temp.crm_deal_import i
    WHERE i.reason IS NULL AND i.company IS NOT NULL
      AND NOT EXISTS (SELECT FROM crm.company c WHERE lower(c.name) = lower(i.company) AND c.deleted_at IS NULL)
    GROUP BY lower(i.company) ORDER BY lower(i.company);
    UPDATE pg_temp.crm_deal_import i
    SET owner_id = a.id, company_id = c.id
    FROM pg_temp.crm_deal_import j
    LEFT JOIN (SELECT lower(name) AS key, min(id) AS id FROM crm.agent GROUP BY 1) a ON a.key = lower(j.owner)
    LEFT JOIN (SELECT lower(name) AS key, min(id) AS id FROM crm.company WHERE deleted_at IS NULL GROUP BY 1) c
        ON c.key = lower(j.company)
    WHERE j.place = i.place;

    -- Deals that are there: what the source says wins, within the rules.
    UPDATE pg_temp.crm_deal_import i
    SET is_changed = (d.name, d.stage_id, d.company_id, d.owner_id, d.amount, d.currency, d.close_date, d.attrs)
            IS DISTINCT FROM (i.name, i.stage_id, coalesce(i.company_id, d.company_id), coalesce(i.owner_id, d.owner_id),
                              coalesce(i.amount, d.amount), coalesce(i.currency, d.currency), coalesce(i.promised, d.close_date),
                              d.attrs || i.attrs),
        field = CASE WHEN d.deleted_at IS NOT NULL THEN 'external_id' WHEN d.stage_id <> i.stage_id THEN 'stage' END,
        reason = CASE
            WHEN d.deleted_at IS NOT NULL THEN 'the deal has been deleted here'
            WHEN d.stage_id = i.stage_id OR EXISTS (
                SELECT FROM crm.stage_transition t WHERE t.from_stage_id = d.stage_id AND t.to_stage_id = i.stage_id)
                THEN NULL
            ELSE format('the deal may not move from "%s" to "%s"', (SELECT s.name FROM crm.stage s WHERE s.id = d.stage_id), i.stage)
        END
    FROM crm.deal d
    WHERE d.id = i.deal_id AND i.reason IS NULL;

    -- New ones that are closed stood open since they began: where the file says, or
    -- at the first stage from which deals may come there, if possible be won.
    UPDATE pg_temp.crm_deal_import i SET began_stage_id = b.from_stage_id
    FROM (SELECT t.to_stage_id, lower(s.name) AS name, s.id AS from_stage_id,
                 row_number() OVER (PARTITION BY t.to_stage_id ORDER BY NOT EXISTS (
                     SELECT FROM crm.stage_transition w JOIN crm.stage o ON o.id = w.to_stage_id AND o.kind = 'won' WHERE w.from_stage_id = s.id), s."position") AS place
          FROM crm.stage s
          JOIN crm.stage_transition e ON e.from_stage_id IS NULL AND e.to_stage_id = s.id
          JOIN crm.stage_transition t ON t.from_stage_id = s.id
          WHERE s.pipeline_id = target_pipeline_id AND s.kind = 'open') b
    WHERE i.reason IS NULL AND i.deal_id IS NULL AND i.kind <> 'open' AND i.started IS NOT NULL AND i.closed IS NOT NULL
      AND b.to_stage_id = i.stage_id AND CASE WHEN i.began_stage IS NULL THEN b.place = 1 ELSE b.name = lower(i.began_stage) END;
    UPDATE pg_temp.crm_deal_import i
    SET field = 'began_stage', reason = format('a deal may not begin at "%s" and go to "%s"', i.began_stage, i.stage)
    WHERE i.reason IS NULL AND i.deal_id IS NULL AND i.kind <> 'open' AND i.started IS NOT NULL AND i.closed IS NOT NULL
      AND i.began_stage IS NOT NULL AND i.began_stage_id IS NULL;
    UPDATE pg_temp.crm_deal_import i
    SET field = 'stage', reason = format('a deal may not begin at "%s"', i.stage)
    WHERE i.reason IS NULL AND i.deal_id IS NULL AND i.began_stage_id IS NULL
      AND NOT EXISTS (SELECT FROM crm.stage_transition t WHERE t.from_stage_id IS NULL AND t.to_stage_id = i.stage_id);

    -- What a move asks for, of the deals that make one that asks for anything.
    UPDATE pg_temp.crm_deal_import i SET field = 'stage', reason = bad.reason
    FROM (SELECT c.place, string_agg(concat_ws(' ', p.message, p.detail), ' ' ORDER BY p.code) AS reason
          FROM pg_temp.crm_deal_import c
          LEFT JOIN crm.deal d ON d.id = c.deal_id
          CROSS JOIN LATERAL (VALUES (d.stage_id, coalesce(c.began_stage_id, c.stage_id)), (c.began_stage_id, CASE WHEN c.began_stage_id IS NOT NULL THEN c.stage_id END)) AS m (from_id, to_id)
          JOIN crm.stage s ON s.id = m.to_id
          LEFT JOIN crm.stage f ON f.id = m.from_id
          LEFT JOIN crm.stage_transition t ON t.from_stage_id IS NOT DISTINCT FROM m.from_id AND t.to_stage_id = m.to_id
          CROSS JOIN LATERAL crm.move_problems(jsonb_populate_record(d, jsonb_strip_nulls(jsonb_build_object(
              'name', c.name, 'pipeline_id', target_pipeline_id, 'stage_id', m.to_id, 'company_id', c.company_id, 'owner_id', c.owner_id,
              'amount', CASE WHEN m.to_id = c.began_stage_id THEN coalesce(c.began_amount, c.amount) ELSE coalesce(c.amount, d.amount, c.began_amount) END,
              'currency', c.currency, 'close_date', c.promised, 'external_system', system, 'external_id', c.external_id,
              'loss_reason_id', CASE WHEN s.kind = 'lost' THEN coalesce(d.loss_reason_id, reason_id) END,
              'attrs', coalesce(d.attrs, '{}') || c.attrs))), m.from_id) p
          WHERE c.reason IS NULL AND m.to_id IS DISTINCT FROM m.from_id
            AND (t.guard IS NOT NULL OR t.roles IS NOT NULL OR t.required_fields IS NOT NULL OR s.entry_guard IS NOT NULL
                 OR s.required_fields IS NOT NULL OR f.exit_guard IS NOT NULL OR s.kind = 'won' AND d.id IS NOT NULL
                 OR EXISTS (SELECT FROM crm.stage_prerequisite r WHERE r.stage_id = s.id)
                 OR EXISTS (SELECT FROM crm.stage_requirement r WHERE r.stage_id = s.id))
          GROUP BY c.place) bad
    WHERE bad.place = i.place;

    UPDATE crm.deal d
    SET name = i.name, stage_id = i.stage_id,
        stage_entered_at = CASE WHEN d.stage_id = i.stage_id THEN d.stage_entered_at
                                -- Later than it came, also where it went on the same day: otherwise the move would be of now.
                                ELSE greatest(d.stage_entered_at + interval '1 microsecond', coalesce(i.closed::timestamp AT TIME ZONE time_zone, as_of)) END,
        company_id = coalesce(i.company_id, d.company_id), owner_id = coalesce(i.owner_id, d.owner_id),
        amount = coalesce(i.amount, d.amount), currency = coalesce(i.currency, d.currency),
        close_date = coalesce(i.promised, d.close_date), attrs = d.attrs || i.attrs,
        loss_reason_id = CASE WHEN i.kind = 'lost' THEN coalesce(d.loss_reason_id, reason_id) ELSE d.loss_reason_id END
    FROM pg_temp.crm_deal_import i
    WHERE d.id = i.deal_id AND i.is_changed AND i.reason IS NULL;
    GET DIAGNOSTICS updated = ROW_COUNT;

    UPDATE pg_temp.crm_deal_import i SET new_id = n.id
    FROM (SELECT c.place, nextval('crm.deal_id_seq') AS id
          FROM (SELECT p.place FROM pg_temp.crm_deal_import p WHERE p.deal_id IS NULL AND p.reason IS NULL ORDER BY p.place) c) n
    WHERE n.place = i.place;
    INSERT INTO crm.deal (id, name, pipeline_id, stage_id, company_id, owner_id, amount, currency, close_date, stage_entered_at,
                          closed_at, loss_reason_id, attrs, external_system, external_id, created_at)
    SELECT i.new_id, i.name, target_pipeline_id, coalesce(i.began_stage_id, i.stage_id), i.company_id, i.owner_id,
           CASE WHEN i.began_stage_id IS NULL THEN coalesce(i.amount, i.began_amount) ELSE coalesce(i.began_amount, i.amount) END, i.currency, i.promised,
           CASE WHEN i.kind = 'open' OR i.began_stage_id IS NOT NULL THEN begun.at ELSE ended.at END,
           CASE WHEN i.kind <> 'open' AND i.began_stage_id IS NULL THEN ended.at END,
           CASE WHEN i.kind = 'lost' AND i.began_stage_id IS NULL THEN reason_id END, i.attrs, system, i.external_id, begun.at
    FROM pg_temp.crm_deal_import i
    CROSS JOIN LATERAL (SELECT coalesce(coalesce(i.started, i.closed)::timestamp AT TIME ZONE time_zone, as_of) AS at) begun
    CROSS JOIN LATERAL (SELECT greatest(coalesce(i.closed::timestamp AT TIME ZONE time_zone, as_of), begun.at) AS at) ended
    WHERE i.new_id IS NOT NULL
    ORDER BY i.place;
    GET DIAGNOSTICS created = ROW_COUNT;
    -- Those that stood open are closed.
    UPDATE crm.deal d
    SET stage_id = i.stage_id, stage_entered_at = greatest(d.stage_entered_at + interval '1 microsecond', i.closed::timestamp AT TIME ZONE time_zone), amount = coalesce(i.amount, d.amount),
        loss_reason_id = CASE WHEN i.kind = 'lost' THEN reason_id END
    FROM pg_temp.crm_deal_import i
    WHERE d.id = i.new_id AND i.began_stage_id IS NOT NULL;

    INSERT INTO crm.imported_deal AS m (deal_id, given, imported_at)
    SELECT coalesce(i.deal_id, i.new_id), i.given, as_of FROM pg_temp.crm_deal_import i WHERE i.reason IS NULL ORDER BY 1
    ON CONFLICT (deal_id) DO UPDATE SET given = excluded.given, imported_at = excluded.imported_at WHERE m.given <> excluded.given;

    DELETE FROM crm.deal_import_reject r WHERE r.system = import_deals.system;
    INSERT INTO crm.deal_import_reject (system, external_id, field, reason, source_row)
    SELECT import_deals.system, i.external_id, i.field, i.reason, i.source_row
    FROM pg_temp.crm_deal_import i WHERE i.reason IS NOT NULL ORDER BY i.place;
    GET DIAGNOSTICS rejected = ROW_COUNT;
    unchanged := read - created - updated - rejected;
    DROP TABLE pg_temp.crm_deal_import;
END
$$;
COMMENT ON FUNCTION crm.import_deals(regclass, text, text, jsonb, text[], text[], text[], text, text, text, timestamptz) IS 'Takes deals from a relation (a staging table of texts will do), set by set. columns says which column has which field (external_id, name, stage, owner, company, product, started, closed, promised, amount, currency, began_stage, began_amount); without it they are found under their usual names, such as opportunity_id or deal_stage; other columns become custom fields in attrs. A pipeline that is missing is made from the stages that occur, or from stages in that order, with won and lost; agents and companies are found by name or made. A new deal that is won or lost and has started and closed was open in between: at began_stage, otherwise at the first stage at which it may begin and from which it may come where it is, if possible be won; for began_amount, otherwise amount. promised is crm.deal.close_date; without it that is null, but for open deals closed. Run again it updates what the source changed since the last import (crm.imported_deal), and leaves alone what was changed here: deals are known by system and external_id. A deal that is lost for 0 keeps the amount that it had. Rows that cannot be taken stand in crm.deal_import_reject with the reason. Gives the numbers of rows read, deals created, updated, unchanged, and rows rejected. Errors: 42703 no column for external_id or stage; RM004 unknown loss reason.';
