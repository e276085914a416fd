/* ------------------------------------------------------------------
 * At the door: the duplicates of a record that is entered.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.build_match_keys(model text) RETURNS bigint
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'crm_door_sql_build';
COMMENT ON FUNCTION crm.build_match_keys(text) IS 'Makes the keys of all rows of a match model by which crm.find_duplicates() looks for duplicates, and returns how many rows there are. To be run after each training; crm.dedup_tick() does it for models at the door. Errors: 42704 no such model; 55000 not trained; 53400 crm.match_memory does not suffice; 42501 row security hides rows from the caller.';

CREATE FUNCTION crm.find_duplicates(model text, record jsonb, max_results integer DEFAULT 10, min_probability float8 DEFAULT 0.1,
    OUT record_id text, OUT weight float8, OUT probability float8, OUT explanation jsonb)
RETURNS SETOF record
LANGUAGE c STABLE STRICT ROWS 5
AS 'MODULE_PATHNAME', 'crm_door_sql_find';
COMMENT ON FUNCTION crm.find_duplicates(text, jsonb, integer, float8) IS 'The rows that are probably one thing with a record that is not in the table yet: keys of record are columns of the model''s table. The most probable come first. explanation has the level and weight, in bits, of each field that both have, then what a household and the prior add; they sum up to weight. When record has the row''s number, that row is left out. Reads the rows with the rights of the caller. Errors: 42704 no such model; 55000 not trained, or crm.build_match_keys() is to be run; 22023 a key is no column.';

/* Of two literals without a type the server can tell only texts. */
CREATE FUNCTION crm.find_duplicates(model text, record text, max_results integer DEFAULT 10, min_probability float8 DEFAULT 0.1,
    OUT record_id text, OUT weight float8, OUT probability float8, OUT explanation jsonb)
RETURNS SETOF record
LANGUAGE c STABLE STRICT ROWS 5
AS 'MODULE_PATHNAME', 'crm_door_sql_find_text';
COMMENT ON FUNCTION crm.find_duplicates(text, text, integer, float8) IS 'crm.find_duplicates(text, jsonb, integer, float8) of a record written as text. Errors as there; 22P02 the text is not JSON.';

CREATE FUNCTION crm.note_match_pairs(model text, left_ids text[], right_ids text[], weights float8[], looked_at text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added bigint;
BEGIN
    WITH pair AS (
        SELECT m.name, m.entity, m.version, m.threshold, f.left_id, f.right_id, max(f.weight) AS weight,
               1 / (1 + power(2, -greatest(max(f.weight), -100))) AS probability
        FROM crm.match_model m, ROWS FROM (unnest(left_ids), unnest(right_ids), unnest(weights)) AS f (left_id, right_id, weight)
        WHERE m.name = note_match_pairs.model
          AND NOT EXISTS (SELECT FROM crm.match_label l WHERE l.model = m.name AND NOT l.is_match
                          AND (l.left_id, l.right_id) IN ((f.left_id, f.right_id), (f.right_id, f.left_id)))
        GROUP BY 1, 2, 3, 4, 5, 6
    ), ours AS (
        INSERT INTO crm.duplicate_pair AS d (contact_id, duplicate_id, strength, evidence, method)
        SELECT least(p.left_id::bigint, p.right_id::bigint), greatest(p.left_id::bigint, p.right_id::bigint), p.probability, jsonb_build_object('weight', p.weight), p.name
        FROM pair p WHERE p.entity = 'contact'
        ON CONFLICT ON CONSTRAINT duplicate_pair_pkey DO UPDATE
        SET strength = excluded.strength, evidence = d.evidence || excluded.evidence
        WHERE d.status = 'new' AND (d.strength, d.evidence) IS DISTINCT FROM (excluded.strength, d.evidence || excluded.evidence)
    ), companies AS (
        INSERT INTO crm.company_duplicate_pair AS d (company_id, duplicate_id, strength, evidence, method)
        SELECT least(p.left_id::bigint, p.right_id::bigint), greatest(p.left_id::bigint, p.right_id::bigint), p.probability, jsonb_build_object('weight', p.weight), p.name
        FROM pair p WHERE p.entity = 'company'
        ON CONFLICT ON CONSTRAINT company_duplicate_pair_pkey DO UPDATE
        SET strength = excluded.strength, evidence = d.evidence || excluded.evidence
        WHERE d.status = 'new' AND (d.strength, d.evidence) IS DISTINCT FROM (excluded.strength, d.evidence || excluded.evidence)
    ), stored AS (
        INSERT INTO crm.match_pair AS d (model, left_id, right_id, weight, probability, in_cluster, version)
        SELECT p.name, p.left_id, p.right_id, p.weight, p.probability, p.weight >= p.threshold, p.version
        FROM pair p
        ON CONFLICT ON CONSTRAINT match_pair_pkey DO UPDATE SET weight = excluded.weight, probability = excluded.probability, version = excluded.version
        WHERE d.status = 'new' AND (d.weight, d.version) IS DISTINCT FROM (excluded.weight, excluded.version)
        RETURNING xmax = 0 AS is_new
    )
    SELECT count(*) FILTER (WHERE s.is_new) INTO added FROM stored s;
    IF looked_at IS NOT NULL THEN
        WITH gone AS (
            DELETE FROM crm.match_pair p
            WHERE p.model = note_match_pairs.model AND p.status = 'new' AND (p.left_id = ANY (looked_at) OR p.right_id = ANY (looked_at))
              AND NOT EXISTS (SELECT FROM ROWS FROM (unnest(left_ids), unnest(right_ids)) AS f (left_id, right_id)
                              WHERE f.left_id = p.left_id AND f.right_id = p.right_id)
            RETURNING p.left_id, p.right_id, (SELECT m.entity FROM crm.match_model m WHERE m.name = p.model) AS entity
        ), ours AS (
            DELETE FROM crm.duplicate_pair d USING gone g
            WHERE g.entity = 'contact' AND d.status = 'new' AND d.method = note_match_pairs.model
              AND d.contact_id = least(g.left_id::bigint, g.right_id::bigint) AND d.duplicate_id = greatest(g.left_id::bigint, g.right_id::bigint)
        )
        DELETE FROM crm.company_duplicate_pair d USING gone g
        WHERE g.entity = 'company' AND d.status = 'new' AND d.method = note_match_pairs.model
          AND d.company_id = least(g.left_id::bigint, g.right_id::bigint) AND d.duplicate_id = greatest(g.left_id::bigint, g.right_id::bigint);
    END IF;
    RETURN added;
END
$$;
COMMENT ON FUNCTION crm.note_match_pairs(text, text[], text[], float8[], text[]) IS 'Brings pairs that were found at the door into crm.match_pair, those of contacts and companies also into crm.duplicate_pair and crm.company_duplicate_pair; gives how many are new. Other new pairs of the records looked at, unless null, are withdrawn. What people decided stays.';

CREATE FUNCTION crm.match_door() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'crm_door_sql_trigger';
COMMENT ON FUNCTION crm.match_door() IS 'Trigger that crm.guard_duplicates() attaches: keeps the keys of changed rows and acts by the policy of the match model, its first argument; the others name the columns of the number. Errors: 23505 an identity is there already and the policy is block; 42501 the owner of the table may not write crm.match_queue.';

CREATE FUNCTION crm.match_door_gone() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM crm.match_key k WHERE k.door = OLD.number;
    DELETE FROM crm.match_record r WHERE r.door = OLD.number;
    DELETE FROM crm.match_queue q WHERE q.model = OLD.model;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.match_door_gone() IS 'Trigger of crm.match_door: kept keys go with their model.';

CREATE FUNCTION crm.guard_duplicates(model text, policy text, on_table regclass DEFAULT NULL, id_column text DEFAULT NULL,
    schemas name[] DEFAULT pg_catalog.current_schemas(false)) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    guarded record;
    columns text[];
    missing text;
    item record;
    trigger_name text;
    path text := (SELECT string_agg(quote_ident(s), ', ' ORDER BY n) FROM unnest(schemas) WITH ORDINALITY AS u (s, n) WHERE NOT starts_with(s, 'pg_temp'));
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO guarded FROM crm.match_model m WHERE m.name = guard_duplicates.model FOR UPDATE;
    -- Triggers that a model left behind can be removed.
    IF NOT FOUND AND NOT (policy = 'off' AND EXISTS (
        SELECT FROM pg_trigger t WHERE t.tgfoid = 'crm.match_door()'::regprocedure
          AND starts_with(encode(t.tgargs, 'escape'), encode(convert_to(model, getdatabaseencoding()), 'escape') || '\000'))) IS TRUE THEN
        RAISE EXCEPTION 'there is no match model "%"', model USING ERRCODE = 'undefined_object', HINT = 'crm.match_model lists the models.';
    ELSIF policy IS NULL OR policy <> ALL ('{off,warn,queue,block}'::text[]) THEN
        RAISE EXCEPTION 'unknown policy "%"', coalesce(policy, 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Policies are off, warn, queue and block.';
    END IF;
    IF policy = 'off' THEN
        FOR item IN SELECT t.tgname, t.tgrelid::regclass AS relation FROM pg_trigger t
                    WHERE t.tgfoid = 'crm.match_door()'::regprocedure
                      AND NOT t.tgisinternal AND t.tgparentid = 0
                      AND (on_table IS NULL OR t.tgrelid = on_table)
                      AND starts_with(encode(t.tgargs, 'escape'), encode(convert_to(model, getdatabaseencoding()), 'escape') || '\000') LOOP
            EXECUTE format('DROP TRIGGER %I ON %s', item.tgname, item.relation);
        END LOOP;
        UPDATE crm.match_model m SET at_the_door = 'off', updated_at = now() WHERE m.name = model;
        RETURN;
    END IF;
    on_table := coalesce(on_table, guarded.relation::regclass);
    columns := CASE WHEN id_column IS NULL THEN guarded.id_columns
                    ELSE ARRAY(SELECT btrim(c) FROM unnest(string_to_array(id_column, ',')) c) END;
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = on_table AND c.relkind = ANY ('{r,p}'::"char"[])) THEN
        RAISE EXCEPTION '% is no table', on_table
            USING ERRCODE = 'wrong_object_type', HINT = 'Name the table whose rows make it up, on_table, and its column that has the number, id_column; call once for each such table.';
    ELSIF NOT (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = on_table) THEN
        RAISE EXCEPTION 'must be owner of table %', on_table
            USING ERRCODE = 'insufficient_privilege', DETAIL = 'The expressions of the model run with the rights of the owner.';
    ELSIF NOT (SELECT has_table_privilege(c.relowner, 'crm.match_queue', 'INSERT') FROM pg_class c WHERE c.oid = on_table) THEN
        RAISE EXCEPTION 'the owner of table % may not write crm.match_queue', on_table
            USING ERRCODE = 'insufficient_privilege', DETAIL = 'Triggers on a table of anybody else could make keys of what is not there.',
                  HINT = format('GRANT INSERT ON crm.match_queue TO %I', (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = on_table));
    END IF;
    SELECT c INTO missing FROM unnest(columns) c
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = on_table
                      AND a.attname = c::name AND a.attnum > 0 AND NOT a.attisdropped) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'table % has no column "%"', on_table, missing
            USING ERRCODE = 'undefined_column', HINT = 'id_column names the column with the number of the record.';
    END IF;
    IF NOT EXISTS (SELECT FROM crm.match_door d WHERE d.model = guarded.name AND d.version = guarded.version) THEN
        -- The expressions look for names where the caller's do.
        PERFORM set_config('search_path', concat_ws(', ', path, 'pg_temp'), true);
        PERFORM crm.build_match_keys(model);
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    UPDATE crm.match_door d SET search_path = concat_ws(', ', path, 'pg_temp') WHERE d.model = guarded.name;
    FOR item IN SELECT * FROM (VALUES ('insert', 'REFERENCING NEW TABLE AS crm_new'), ('update', 'REFERENCING OLD TABLE AS crm_old NEW TABLE AS crm_new'),
                               ('delete', 'REFERENCING OLD TABLE AS crm_old'), ('truncate', '')) AS v (event, tables) LOOP
        trigger_name := 'crm_door_' || item.event || '_' || model;
        IF octet_length(trigger_name) > 63 THEN
            -- Cut, the names of two models could be one.
            WHILE octet_length(trigger_name) > 54 LOOP
                trigger_name := left(trigger_name, -1);
            END LOOP;
            trigger_name := trigger_name || '_' || left(encode(sha256(convert_to(model, 'UTF8')), 'hex'), 8);
        END IF;
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION crm.match_door(%s)',
            trigger_name, item.event, on_table, item.tables,
            (SELECT string_agg(quote_literal(a), ', ' ORDER BY n) FROM unnest(array_prepend(model, columns)) WITH ORDINALITY AS u (a, n)));
    END LOOP;
    UPDATE crm.match_model m SET at_the_door = policy, updated_at = now() WHERE m.name = guarded.name;
END
$$;
COMMENT ON FUNCTION crm.guard_duplicates(text, text, regclass, text, name[]) IS 'Watches a table for duplicates that come in, by statement-level triggers, and makes the keys for it. policy: off removes the triggers; warn raises a warning that names the record and the probability; queue brings pairs into crm.match_pair; block refuses a record whose exact identity is there, a document or tax number or an e-mail address and a compatible name, and nothing else. For a model of a view name the table and its column that has the number, once for each table; schemas are those in which expressions of the model look for names. Statements of more than 100 rows, and pairs of transactions that ran at once, are left to crm.dedup_tick(). Errors: 42704 no such model; 22023 no such policy; 42809 not a table; 42703 no such column; 42501 not the owner; 55000 the model is not trained.';

CREATE FUNCTION crm.sweep_match_queue(model text, batch_limit integer, OUT records bigint, OUT pairs bigint)
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'crm_door_sql_tick';
COMMENT ON FUNCTION crm.sweep_match_queue(text, integer) IS 'crm.dedup_tick() of one model. Errors: 22023 batch_limit is not positive; 25000 not at READ COMMITTED.';

CREATE FUNCTION crm.dedup_tick(model text DEFAULT NULL, batch_limit integer DEFAULT 10000, OUT records bigint, OUT pairs bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
    swept record;
BEGIN
    PERFORM crm.require_installed();
    IF model IS NOT NULL AND NOT EXISTS (SELECT FROM crm.match_model m WHERE m.name = dedup_tick.model) THEN
        RAISE EXCEPTION 'there is no match model "%"', model USING ERRCODE = 'undefined_object', HINT = 'crm.match_model lists the models.';
    END IF;
    records := 0;
    pairs := 0;
    FOR item IN SELECT d.model FROM crm.match_door d JOIN crm.match_model m ON m.name = d.model
                WHERE d.model = coalesce(dedup_tick.model, d.model) AND (m.at_the_door <> 'off' OR EXISTS (SELECT FROM crm.match_queue q WHERE q.model = d.model))
                ORDER BY 1 LOOP
        SELECT * INTO swept FROM crm.sweep_match_queue(item.model, batch_limit);
        records := records + swept.records;
        pairs := pairs + swept.pairs;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.dedup_tick(text, integer) IS 'Looks at the records that statements have changed since, in the order of their commits, of one match model or all: brings their keys up to date and pairs of the review threshold into crm.match_pair, withdraws new ones of these records that no longer hold, also such as two transactions made at once without seeing each other. Makes the keys anew after a training. Takes about batch_limit records a model; a model that another session sweeps is left to it. The job "match" calls it every minute. Gives how many records were looked at and how many pairs are new. Errors: 42704 no such model; 22023 batch_limit is not positive; 25000 not at READ COMMITTED; 42501 row security hides rows from the caller.';

CREATE FUNCTION crm.match_tick(as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT records FROM crm.dedup_tick()
$$;
COMMENT ON FUNCTION crm.match_tick(timestamptz) IS 'crm.dedup_tick() of all models, as a job.';
