/* ------------------------------------------------------------------
 * Merging contacts or companies, and undoing it.
 *
 * Everything that refers to the absorbed one follows; what each row was like
 * before stands in crm.merge_journal, to the byte, and crm.unmerge() writes it
 * back.
 * ------------------------------------------------------------------ */

/* ------------------------------------------------------------------
 * Rows as texts, statements that are kept.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.row_texts(record) RETURNS jsonb
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_row_texts';
COMMENT ON FUNCTION crm.row_texts(record) IS 'A row as JSON of column to text, as the output functions of the types print it: exact for every type, unlike numbers and times in JSON. Without generated columns. Depends on DateStyle and the like.';

CREATE FUNCTION crm.row_changes(record, record) RETURNS jsonb
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_row_changes';
COMMENT ON FUNCTION crm.row_changes(record, record) IS 'The columns in which the second row differs from the first, as crm.row_texts() has them in the second. Errors: 42804 the rows are not of one type.';

CREATE FUNCTION crm.row_restore(anyelement, jsonb) RETURNS anyelement
LANGUAGE c STABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'crm_row_restore';
COMMENT ON FUNCTION crm.row_restore(anyelement, jsonb) IS 'The row with the columns that the object names replaced by what its texts say; a null row has nulls. The inverse of crm.row_texts(). Errors: 42804 not a row of a table; 22023 a value that is neither string nor null; what the types'' input functions raise.';

CREATE FUNCTION crm.run_kept(statement text, VARIADIC arguments bigint[]) RETURNS jsonb
LANGUAGE c STRICT COST 100 AS 'MODULE_PATHNAME', 'crm_run_kept';
COMMENT ON FUNCTION crm.run_kept(text, bigint[]) IS 'Runs an SQL statement with the caller''s rights and gives its first value when that is a jsonb. The plan is kept for the session. Errors: 54000 more than 8 arguments; what the statement raises.';

CREATE FUNCTION crm.merge_plan(entity text) RETURNS jsonb
LANGUAGE c STRICT COST 100 AS 'MODULE_PATHNAME', 'crm_merge_plan';
COMMENT ON FUNCTION crm.merge_plan(text) IS 'crm.make_merge_plan(), kept in the session until a table changes. Errors: 22023 neither contact nor company.';

CREATE FUNCTION crm.merge_plan_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_merge_plan_changed';
COMMENT ON FUNCTION crm.merge_plan_changed() IS 'Trigger: tells every session that merges have to be planned anew.';

-- Both in PL/pgSQL, which keeps their plans.
CREATE FUNCTION crm.relation_name(relation regclass) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT CASE WHEN relnamespace = 'crm'::regnamespace THEN quote_ident(relname) ELSE relnamespace::regnamespace || '.' || quote_ident(relname) END
            FROM pg_class WHERE oid = relation);
END
$$;
COMMENT ON FUNCTION crm.relation_name(regclass) IS 'Name of a table for the journals: without schema when it is in crm.';

CREATE FUNCTION crm.relation_of(name text) RETURNS regclass
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN to_regclass(CASE WHEN cardinality(parse_ident(name)) = 1 THEN 'crm.' || name ELSE name END);
END
$$;
COMMENT ON FUNCTION crm.relation_of(text) IS 'The table that crm.relation_name() names so; null when there is none.';

/* ------------------------------------------------------------------
 * What refers to a contact or a company.
 * ------------------------------------------------------------------ */

/*
 * Foreign keys to crm.contact (id), alone or with other columns; columns that
 * refer to such a column of another table, alone or with others; and the
 * columns that were registered.  A parent has a lower depth than a child.
 */
CREATE FUNCTION crm.merge_references(entity text, OUT relation regclass, OUT column_name name, OUT key_columns name[], OUT is_copied boolean,
    OUT in_unique boolean, OUT depth integer, OUT is_soft boolean, OUT is_guarded boolean, OUT is_deferred boolean, OUT has_children boolean,
    OUT has_triggers boolean)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 30
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE target AS (
        SELECT a.attrelid AS relid, a.attnum FROM pg_attribute a
        WHERE a.attrelid = ('crm.' || quote_ident(entity))::regclass AND a.attname = 'id'
    ), reference AS (
        SELECT b.relid, b.attnum, 1 AS depth, b.is_soft
        FROM (
            SELECT c.conrelid AS relid, c.conkey[array_position(c.confkey, t.attnum)] AS attnum, false AS is_soft
            FROM target t JOIN pg_constraint c ON c.contype = 'f' AND c.confrelid = t.relid AND t.attnum = ANY (c.confkey) AND c.conparentid = 0
            UNION ALL
            SELECT a.attrelid, a.attnum, true
            FROM crm.soft_reference s JOIN pg_attribute a ON a.attrelid = to_regclass(s.relation) AND a.attname = s.column_name AND NOT a.attisdropped
            WHERE s.entity = $1) b
        UNION
        SELECT c.conrelid, c.conkey[array_position(c.confkey, r.attnum)], r.depth + 1, false
        FROM reference r
        JOIN pg_constraint c ON c.contype = 'f' AND c.confrelid = r.relid AND c.conparentid = 0 AND r.attnum = ANY (c.confkey)
        WHERE r.depth < 10 AND c.conrelid <> c.confrelid AND r.relid NOT IN (SELECT t.relid FROM target t)
    ), place AS (
        SELECT r.relid, r.attnum, a.attname, max(r.depth) AS depth, bool_and(r.is_soft) AS is_soft, r.relid = t.relid AS is_self
        FROM reference r CROSS JOIN target t JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum = r.attnum
        GROUP BY r.relid, r.attnum, a.attname, t.relid
    ), placed AS (
        -- Of two columns in one key neither can be written anew alone.
        SELECT p.relid, p.attnum, p.attname, p.depth, p.is_soft, p.is_self, max(p.depth) OVER (PARTITION BY p.relid) AS table_depth,
               count(*) FILTER (WHERE x.in_key) OVER (PARTITION BY p.relid) = 1 AND x.in_key AS in_key
        FROM place p CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p.relid AND i.indisprimary AND p.attnum = ANY (i.indkey)) AS in_key) x
    )
    SELECT p.relid::regclass, p.attname, k.key_columns,
           p.in_key AND NOT p.is_self AND NOT u.elsewhere,
           u.here, p.depth, p.is_soft, u.anywhere OR e.checked, u.deferred,
           EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = p.relid),
           e.triggered
    FROM placed p
    CROSS JOIN LATERAL (
        SELECT array_agg(k.attname ORDER BY k.attnum) AS key_columns
        FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
        WHERE i.indrelid = p.relid AND i.indisprimary) k
    CROSS JOIN LATERAL (
        SELECT array_agg(s.relid::oid) AS relids FROM (SELECT p.relid::oid AS relid UNION SELECT f.relid FROM pg_partition_tree(p.relid) f) s) part
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(i.has_it AND i.indrelid = p.relid), false) AS here,
               coalesce(bool_or(i.has_it OR i.indexprs IS NOT NULL), false) AS anywhere,
               coalesce(bool_or(NOT i.has_it), false) AS elsewhere,
               coalesce(bool_or(NOT i.indimmediate), false) AS deferred
        FROM (SELECT i.*, EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = i.indrelid AND x.attname = p.attname AND x.attnum = ANY (i.indkey)) AS has_it
              FROM pg_index i WHERE i.indrelid = ANY (part.relids) AND (i.indisunique OR i.indisexclusion)) i) u
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM pg_constraint c JOIN pg_attribute x ON x.attrelid = c.conrelid AND x.attnum = ANY (c.conkey)
                       WHERE c.conrelid = ANY (part.relids) AND c.contype = 'c' AND x.attname = p.attname) AS checked,
               -- Row triggers before an update may change other columns as well.
               EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = ANY (part.relids) AND NOT g.tgisinternal AND g.tgenabled <> 'D'
                       AND g.tgtype::integer & 19 = 19) AS triggered) e
    ORDER BY p.table_depth, p.relid::regclass::text, p.in_key, p.attnum
$$;
COMMENT ON FUNCTION crm.merge_references(text) IS 'Every column of every table, yours included, that holds the number of a contact or of a company, with what a merge has to know of it: key_columns is the table''s primary key; is_copied says that the number is part of every key, so that rows are written anew instead of updated; is_guarded that a constraint may refuse the new number.';

CREATE FUNCTION crm.contact_references(OUT relation regclass, OUT column_name name, OUT key_columns name[], OUT is_copied boolean,
    OUT in_unique boolean, OUT depth integer)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.require_installed();
    SELECT r.relation, r.column_name, r.key_columns, r.is_copied, r.in_unique, r.depth FROM crm.merge_references('contact') r
$$;
COMMENT ON FUNCTION crm.contact_references() IS 'Every column of every table, yours included, that holds the number of a contact by foreign key or was registered with crm.register_soft_reference(): what crm.merge_contacts() re-points. key_columns is the table''s primary key; is_copied says that the number is part of every key, so that rows are written anew instead of updated.';

CREATE FUNCTION crm.company_references(OUT relation regclass, OUT column_name name, OUT key_columns name[], OUT is_copied boolean,
    OUT in_unique boolean, OUT depth integer)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.require_installed();
    SELECT r.relation, r.column_name, r.key_columns, r.is_copied, r.in_unique, r.depth FROM crm.merge_references('company') r
$$;
COMMENT ON FUNCTION crm.company_references() IS 'Every column of every table, yours included, that holds the number of a company: what crm.merge_companies() re-points. As crm.contact_references().';

CREATE FUNCTION crm.soft_reference_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_class record;
BEGIN
    SELECT c.oid, c.relkind, c.relowner, c.relnamespace, c.relpersistence INTO found_class FROM pg_class c WHERE c.oid = to_regclass(NEW.relation);
    IF NOT FOUND OR NOT found_class.relkind IN ('r', 'p') THEN
        RAISE EXCEPTION 'there is no table "%"', NEW.relation USING ERRCODE = 'undefined_table';
    ELSIF NOT pg_has_role(found_class.relowner, 'USAGE') OR found_class.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) THEN
        -- Who merges writes to the table: only its owner may ask for that.
        RAISE EXCEPTION 'only the owner of table "%" can register a column of it', NEW.relation USING ERRCODE = 'insufficient_privilege';
    ELSIF found_class.relpersistence = 't' OR EXISTS (
        SELECT FROM crm.schema_object o JOIN pg_class c ON c.relname = o.name AND c.relnamespace = 'crm'::regnamespace
        WHERE o.kind = 'table' AND c.oid = found_class.oid) THEN
        RAISE EXCEPTION 'columns of table "%" cannot be registered', NEW.relation
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It is one of crm''s own tables, or a temporary one.';
    ELSIF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = found_class.oid AND a.attname = NEW.column_name AND a.attnum > 0
                      AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid IN ('bigint'::regtype, 'integer'::regtype)) THEN
        RAISE EXCEPTION 'table "%" has no column "%" of type bigint or integer', NEW.relation, NEW.column_name USING ERRCODE = 'undefined_column';
    END IF;
    NEW.relation := (SELECT c.relnamespace::regnamespace || '.' || quote_ident(c.relname) FROM pg_class c WHERE c.oid = found_class.oid);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.soft_reference_guard() IS 'Trigger of crm.soft_reference: refuses what is no column of a table of the caller''s. Errors: 42P01, 42703, 42501, 22023.';

CREATE FUNCTION crm.register_soft_reference(relation regclass, column_name name, entity text DEFAULT 'contact', note text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.soft_reference AS s (relation, column_name, entity, note)
    SELECT c.relnamespace::regnamespace || '.' || quote_ident(c.relname), $2, $3, $4 FROM pg_class c WHERE c.oid = $1
    ON CONFLICT ON CONSTRAINT soft_reference_pkey DO UPDATE SET entity = excluded.entity, note = excluded.note;
END
$$;
COMMENT ON FUNCTION crm.register_soft_reference(regclass, name, text, text) IS 'From now on merges of contacts (or companies) re-point this column, although it has no foreign key. Errors: 42501 the table is not the caller''s; 42703 no such column of type bigint or integer; 22023 a table of crm, or a temporary one; 23514 entity is neither contact nor company.';

CREATE FUNCTION crm.unregister_soft_reference(relation regclass, column_name name) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    DELETE FROM crm.soft_reference s
    WHERE s.relation = (SELECT c.relnamespace::regnamespace || '.' || quote_ident(c.relname) FROM pg_class c WHERE c.oid = $1) AND s.column_name = $2;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION crm.unregister_soft_reference(regclass, name) IS 'Takes crm.register_soft_reference() back; says whether there was anything to take back.';

/* ------------------------------------------------------------------
 * Hooks.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.merge_hook_function(function text) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    candidate record;
BEGIN
    SELECT p.oid, p.proowner, p.prokind, oidvectortypes(p.proargtypes) AS types, n.nspname, p.proname INTO candidate
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = to_regprocedure(function);
    IF NOT FOUND OR candidate.prokind <> 'f' OR candidate.types <> 'bigint, bigint, bigint[]' THEN
        RAISE EXCEPTION 'there is no function % (bigint, bigint, bigint[])', split_part(function, '(', 1)
            USING ERRCODE = 'undefined_function', HINT = 'A hook takes the number of the merge, the survivor and the absorbed ones.';
    ELSIF NOT (candidate.proowner = (SELECT c.relowner FROM pg_class c WHERE c.oid = 'crm.merge_hook'::regclass)
               OR (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = candidate.proowner)) THEN
        -- It runs with the rights of whoever merges.
        RAISE EXCEPTION 'function % may not be a merge hook', candidate.oid::regprocedure
            USING ERRCODE = 'insufficient_privilege', DETAIL = 'It belongs neither to the owner of crm.merge_hook nor to a superuser.';
    END IF;
    RETURN format('%I.%I(bigint,bigint,bigint[])', candidate.nspname, candidate.proname);
END
$$;
COMMENT ON FUNCTION crm.merge_hook_function(text) IS 'The function of a merge hook with its schema and argument types. Errors: 42883 no such function; 42501 it belongs to a stranger.';

CREATE FUNCTION crm.merge_hook_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.merge_function := crm.merge_hook_function(NEW.merge_function);
    NEW.undo_function := crm.merge_hook_function(NEW.undo_function);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.merge_hook_guard() IS 'Trigger of crm.merge_hook: see crm.merge_hook_function().';

CREATE FUNCTION crm.register_merge_hook(name text, merge_function regproc, undo_function regproc DEFAULT NULL, entity text DEFAULT 'contact',
    "position" integer DEFAULT 100) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.merge_hook AS h (name, entity, merge_function, undo_function, "position")
    VALUES ($1, $4, $2::text || '(bigint,bigint,bigint[])', $3::text || '(bigint,bigint,bigint[])', $5)
    ON CONFLICT ON CONSTRAINT merge_hook_pkey DO UPDATE
    SET merge_function = excluded.merge_function, undo_function = excluded.undo_function, "position" = excluded."position";
END
$$;
COMMENT ON FUNCTION crm.register_merge_hook(text, regproc, regproc, text, integer) IS 'Makes merges call a function (merge_id bigint, survivor bigint, absorbed bigint[]) at their end, and crm.unmerge() the other one at its beginning; with the rights of whoever merges, in the order of position. Replaces the hook of that name. Errors: 42883 no such function; 42501 it belongs neither to the owner of the tables nor to a superuser.';

CREATE FUNCTION crm.unregister_merge_hook(name text, entity text DEFAULT 'contact') RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    DELETE FROM crm.merge_hook h WHERE h.name = $1 AND h.entity = $2;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION crm.unregister_merge_hook(text, text) IS 'Takes crm.register_merge_hook() back; says whether there was such a hook.';

/* ------------------------------------------------------------------
 * The statements of a merge.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.mergeable_columns(entity text) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = ('crm.' || quote_ident(entity))::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = ''
      AND NOT a.attname IN ('id', 'created_at', 'updated_at', 'created_by', 'merged_into', 'archived_at', 'deleted_at', 'name_key')
      -- The absorbed one keeps its values: what must be unique cannot be had twice.
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey) AND i.indpred IS NULL)
$$;
COMMENT ON FUNCTION crm.mergeable_columns(text) IS 'The columns of crm.contact or crm.company, yours included, that a merge fills: not those that must be unique.';

CREATE FUNCTION crm.mergeable_columns() RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.mergeable_columns('contact')
$$;
COMMENT ON FUNCTION crm.mergeable_columns() IS 'The columns of crm.contact, yours included, that a merge fills.';

/* The one INSERT into the journal; $1 survivor, $2 absorbed, $3 merge, $4 last entry. */
CREATE FUNCTION crm.journal_statement(operation text, relation text, column_name text, row_before text, row_after text, reason text, source text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('INSERT INTO crm.merge_journal (actor, survivor_id, merge_id, entry, absorbed_id, operation, relation, column_name, row_before, row_after, reason)
        SELECT (SELECT crm.current_actor()), $1, $3, $4 + row_number() OVER (), $2, %s, %L, %L, %s, %s, %s FROM %s',
        operation, relation, column_name, row_before, row_after, reason, source)
$$;
COMMENT ON FUNCTION crm.journal_statement(text, text, text, text, text, text, text) IS 'The statement by which a merge writes its journal; an expression each, but relation and column.';

/*
 * A row of the absorbed one that makes the survivor have two primary ones:
 * an expression over t, with $1 the survivor.
 */
CREATE FUNCTION crm.demotion(relation regclass, column_name name) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(format('EXISTS (SELECT FROM (SELECT * FROM (SELECT t.*) q WHERE %1$s) q JOIN (SELECT * FROM %2$s WHERE %3$I = $1 AND %1$s) s ON true %4$s)',
        pg_get_expr(i.indpred, i.indrelid), relation, column_name,
        (SELECT string_agg(format('AND s.%1$I = q.%1$I', k.attname), ' ') FROM pg_attribute k
         WHERE k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey) AND k.attname <> column_name)), ' OR '), 'false')
    FROM pg_index i
    WHERE i.indrelid = relation AND i.indisunique AND i.indpred IS NOT NULL AND i.indexprs IS NULL
      AND pg_get_expr(i.indpred, i.indrelid) ~ '\mis_primary\M'
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = 'is_primary' AND a.atttypid = 'boolean'::regtype AND NOT a.attisdropped)
$$;
COMMENT ON FUNCTION crm.demotion(regclass, name) IS 'An SQL expression: whether a row that is marked as primary has to give that up in a merge, because the survivor has a primary one.';

CREATE FUNCTION crm.fill_statement(entity text, choice jsonb, gone bigint, reason text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH own AS (
        SELECT c AS name, quote_ident(c) AS quoted, EXISTS (
            SELECT FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
            WHERE f.contype = 'f' AND f.conrelid = f.confrelid AND f.conrelid = ('crm.' || quote_ident(entity))::regclass AND a.attname = c) AS is_self
        FROM unnest(crm.mergeable_columns(entity)) c
    ), value AS (
        SELECT o.name, o.quoted, CASE
            WHEN choice ? o.name THEN format('%s.%s', CASE WHEN (choice ->> o.name)::bigint = gone THEN 'a' ELSE 'n' END, o.quoted)
            WHEN o.name = 'attrs' THEN 'a.attrs || n.attrs'
            WHEN o.name = 'lifecycle_stage' THEN $e$CASE WHEN array_position('{lead,customer,repeat,loyal,closed_cycle}', a.lifecycle_stage)
                > array_position('{lead,customer,repeat,loyal,closed_cycle}', n.lifecycle_stage) THEN a.lifecycle_stage ELSE n.lifecycle_stage END$e$
            WHEN o.is_self THEN format('coalesce(n.%1$s, nullif(a.%1$s, n.id))', o.quoted)
            ELSE format('coalesce(n.%1$s, a.%1$s)', o.quoted) END AS expression
        FROM own o
    ), assignment AS (
        -- The proof goes with the date that it proves.
        SELECT v.quoted, CASE WHEN v.name = 'birth_date_verified_at' AND entity = 'contact' THEN
            (SELECT format('CASE WHEN %1$s = n.birth_date THEN coalesce(n.birth_date_verified_at, CASE WHEN %1$s = a.birth_date THEN a.birth_date_verified_at END)
                WHEN %1$s = a.birth_date THEN a.birth_date_verified_at END', b.expression) FROM value b WHERE b.name = 'birth_date')
            ELSE v.expression END AS expression
        FROM value v
    )
    SELECT format('WITH old_row AS MATERIALIZED (SELECT n.ctid AS place, n AS image FROM crm.%1$I n WHERE n.id = $1),
        new_row AS (UPDATE crm.%1$I n SET %2$s FROM crm.%1$I a, old_row o WHERE n.id = $1 AND n.ctid = o.place AND a.id = $2
                    RETURNING o.image AS old_image, n AS new_image),
        changed AS (SELECT crm.row_changes(n.new_image, n.old_image) AS row_before, crm.row_changes(n.old_image, n.new_image) AS row_after FROM new_row n),
        logged AS (%3$s WHERE n.row_after <> ''{}'' RETURNING 1)
        SELECT jsonb_build_array((SELECT count(*) FROM logged), 0)',
        entity, string_agg(a.quoted || ' = ' || a.expression, ', '),
        crm.journal_statement($q$'fill'$q$, entity, NULL, 'n.row_before', 'n.row_after', quote_nullable(reason) || '::text', 'changed n'))
    FROM assignment a
$$;
COMMENT ON FUNCTION crm.fill_statement(text, jsonb, bigint, text) IS 'The statement that fills the survivor $1 from the absorbed $2: empty columns, those that choice {"column": id} takes from gone, the farthest lifecycle_stage, both attrs.';

CREATE FUNCTION crm.make_merge_plan(entity text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target text := format('crm.%I', entity);
    owner_column text := entity || '_id';
    pairs text := CASE entity WHEN 'contact' THEN 'crm.duplicate_pair' ELSE 'crm.company_duplicate_pair' END;
    references_found jsonb := '[]';
    reference record;
    columns text;
    key_join text;
    same text;
    demoted text;
    statement text;
    since text;
    name text;
    -- Two versions of a row that a statement changed, with the journal of it.
    changing text := 'WITH old_row AS MATERIALIZED (SELECT t.tableoid AS crm_part, t.ctid AS crm_place, t AS crm_image FROM %1$s t WHERE %2$s),
        new_row AS (UPDATE %1$s t SET %3$s FROM old_row o WHERE t.tableoid = o.crm_part AND t.ctid = o.crm_place
                    RETURNING o.crm_image AS old_image, t AS new_image),
        logged AS (%4$s RETURNING 1)
        SELECT jsonb_build_array((SELECT count(*) FROM logged), (SELECT count(*) FROM old_row))';
BEGIN
    FOR reference IN SELECT r.* FROM crm.merge_references(entity) r LOOP
        name := crm.relation_name(reference.relation);
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
        FROM pg_attribute a WHERE a.attrelid = reference.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        IF reference.is_copied THEN
            /*
             * The number is part of the row's key: the row is written anew and
             * removed later, when nothing refers to it any more.  What says the
             * same in other words is not wanted twice.
             */
            same := CASE reference.relation::text
                WHEN 'crm.contact_point' THEN 's.kind = t.kind AND (s.match_key = t.match_key OR s.raw = t.raw)'
                WHEN 'crm.company_point' THEN 's.kind = t.kind AND (s.match_key = t.match_key OR s.raw = t.raw)'
                WHEN 'crm.company_contact' THEN 's.company_id = t.company_id AND s.role = t.role AND s.valid && t.valid'
                WHEN 'crm.contact_date' THEN 's.kind = t.kind AND s.date = t.date' END;
            same := CASE WHEN same IS NULL THEN 'false' ELSE format('EXISTS (SELECT FROM %s s WHERE s.%I = $1 AND %s)', reference.relation, reference.column_name, same) END;
            demoted := crm.demotion(reference.relation, reference.column_name);
            SELECT coalesce(string_agg(format('(n.crm_image).%1$I = (o.crm_image).%1$I', k), ' AND '), 'true') INTO key_join
            FROM unnest(reference.key_columns) k WHERE k <> reference.column_name;
            SELECT format('WITH old_row AS MATERIALIZED (SELECT t AS crm_image, %1$s AS crm_same, %2$s AS crm_demoted FROM %3$s t WHERE t.%4$I = $2),
                new_row AS (INSERT INTO %3$s AS t (%5$s) OVERRIDING SYSTEM VALUE SELECT %6$s FROM old_row o WHERE NOT o.crm_same
                            ON CONFLICT DO NOTHING RETURNING t AS crm_image, true AS crm_there),
                logged AS (%7$s RETURNING 1)
                SELECT jsonb_build_array((SELECT count(*) FROM logged), (SELECT count(*) FROM old_row))',
                same, demoted, reference.relation, reference.column_name, columns,
                string_agg(CASE WHEN a.attname = reference.column_name THEN '$1'
                                WHEN a.attname = 'is_primary' AND demoted <> 'false' THEN '(o.crm_image).is_primary AND NOT o.crm_demoted'
                                ELSE format('(o.crm_image).%I', a.attname) END, ', ' ORDER BY a.attnum),
                crm.journal_statement($q$CASE WHEN n.crm_there THEN 'move' ELSE 'drop' END$q$, name, reference.column_name,
                    'crm.row_texts(o.crm_image)', 'CASE WHEN n.crm_there THEN crm.row_changes(o.crm_image, n.crm_image) END',
                    $q$CASE WHEN n.crm_there IS NULL THEN 'the survivor has it' WHEN o.crm_demoted THEN 'the survivor has another primary one' END$q$,
                    format('old_row o %s JOIN new_row n ON %s', CASE WHEN reference.has_children THEN '' ELSE 'LEFT' END, key_join)))
            INTO statement
            FROM pg_attribute a WHERE a.attrelid = reference.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        ELSIF reference.relation = target::regclass THEN
            statement := format(changing, target, format('t.%I = $2 AND t.id <> $2', reference.column_name),
                format('%1$I = CASE WHEN t.id = $1 THEN (SELECT nullif(a.%1$I, $1) FROM %2$s a WHERE a.id = $2) ELSE $1 END', reference.column_name, target),
                crm.journal_statement($q$'move'$q$, name, reference.column_name, 'crm.row_texts(n.old_image)',
                    'crm.row_changes(n.old_image, n.new_image)', 'NULL', 'new_row n'));
        ELSIF reference.has_triggers THEN
            statement := format(changing, reference.relation, format('t.%I = $2', reference.column_name), format('%I = $1', reference.column_name),
                crm.journal_statement($q$'move'$q$, name, reference.column_name, 'crm.row_texts(n.old_image)',
                    'crm.row_changes(n.old_image, n.new_image)', 'NULL', 'new_row n'));
        ELSE
            -- Nothing but the number changes: one pass is enough.
            statement := format('WITH new_row AS (UPDATE %1$s t SET %2$I = $1 WHERE t.%2$I = $2 RETURNING t AS image),
                logged AS (%3$s RETURNING 1)
                SELECT jsonb_build_array((SELECT count(*) FROM logged), (SELECT count(*) FROM new_row))',
                reference.relation, reference.column_name,
                crm.journal_statement($q$'move'$q$, name, reference.column_name,
                    format('crm.row_texts(n.image) || jsonb_build_object(%L, $2::text)', reference.column_name),
                    format('jsonb_build_object(%L, $1::text)', reference.column_name), 'NULL', 'new_row n'));
        END IF;
        -- Rows of the survivor that are younger than merge $2, by their time or transaction.
        since := concat_ws(' UNION ALL ', since, format('SELECT %5$L::text AS name, %3$s AS key FROM %1$s t, m WHERE t.%2$I = $1 AND %4$s',
            reference.relation, reference.column_name,
            coalesce((SELECT format('jsonb_build_object(%s)', string_agg(format('%1$L, t.%2$I::text', k, k), ', ')) FROM unnest(reference.key_columns) k), 'crm.row_texts(t)'),
            CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = reference.relation AND a.attname = 'created_at' AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped)
                 THEN 't.created_at > m.at'
                 ELSE 'age(t.xmin) <= age(m.next_transaction_id::xid) AND age(t.xmin) > age(pg_current_xact_id()::xid)' END, name));
        references_found := references_found || jsonb_build_object('relation', reference.relation::text, 'name', name, 'column', reference.column_name,
            'keys', to_jsonb(reference.key_columns), 'columns', columns, 'copied', reference.is_copied, 'guarded', reference.is_guarded,
            'deferred', reference.is_deferred, 'same', CASE WHEN reference.is_copied AND same <> 'false' THEN same END, 'move', statement,
            'remove', CASE WHEN reference.is_copied THEN format('DELETE FROM %1$s t USING crm.merge_journal j
                WHERE j.survivor_id = $1 AND j.merge_id = $2 AND j.operation = ''move'' AND j.relation = %2$L AND j.column_name = %3$L AND j.absorbed_id = $3 AND %4$s
                  AND EXISTS (SELECT FROM %1$s s WHERE %5$s)', reference.relation, name, reference.column_name,
                (SELECT string_agg(format('t.%1$I = coalesce(j.row_after ->> %2$L, j.row_before ->> %2$L)::%3$s', a.attname, a.attname, format_type(a.atttypid, a.atttypmod)), ' AND ')
                 FROM pg_attribute a WHERE a.attrelid = reference.relation AND a.attname = ANY (reference.key_columns)),
                (SELECT string_agg(CASE WHEN a.attname = reference.column_name THEN format('s.%I = j.absorbed_id', a.attname) ELSE format('s.%1$I = t.%1$I', a.attname) END, ' AND ')
                 FROM pg_attribute a WHERE a.attrelid = reference.relation AND a.attname = ANY (reference.key_columns))) END, 'delete', CASE WHEN reference.is_copied THEN format('DELETE FROM %s t WHERE t.%I = $1', reference.relation, reference.column_name) END);
    END LOOP;
    RETURN jsonb_build_object(
        'references', references_found,
        'absorb', format(changing, target, 't.id = $2 AND t.merged_into IS NULL', 'merged_into = $1, deleted_at = now()',
            crm.journal_statement($q$'absorb'$q$, entity, NULL, 'crm.row_texts(n.old_image)', 'crm.row_changes(n.old_image, n.new_image)', 'NULL', 'new_row n')),
        'earlier', format(changing, target, 't.merged_into = $2', 'merged_into = $1',
            crm.journal_statement($q$'move'$q$, entity, 'merged_into', 'crm.row_texts(n.old_image)', 'crm.row_changes(n.old_image, n.new_image)',
                quote_literal('absorbed earlier'), 'new_row n')),
        'since', format('WITH m AS MATERIALIZED (SELECT o.at, o.next_transaction_id FROM crm.merge o WHERE o.id = $2)
            SELECT jsonb_agg(jsonb_build_object(''name'', r.name, ''key'', r.key)) FROM (%s) r', since),
        'fill', crm.fill_statement(entity, '{}', NULL, NULL),
        -- Of what both said of a purpose and a channel the stricter counts: where
        -- the one's later grant would override the other's refusal, the refusal
        -- is said again at the moment of that grant.
        'consent', CASE entity WHEN 'contact' THEN 'WITH log AS MATERIALIZED (
                SELECT c.contact_id, c.purpose, c.channel, c.status, c.at, c.id FROM crm.consent c WHERE c.contact_id IN ($1, $2)
            ), latest AS (
                SELECT DISTINCT ON (l.contact_id, a.purpose, a.channel) a.purpose, a.channel, l.contact_id, l.status, l.at, l.id
                FROM (SELECT DISTINCT l.purpose, l.channel FROM log l) a
                JOIN log l ON l.purpose = a.purpose AND l.channel IN (a.channel, ''*'')
                ORDER BY l.contact_id, a.purpose, a.channel, l.at DESC, l.id DESC
            ), new_row AS (
                INSERT INTO crm.consent AS t (contact_id, purpose, channel, status, at, source, evidence)
                SELECT $1, strict.purpose, strict.channel, strict.status, free.at, ''merge'',
                       jsonb_build_object(''merge_id'', $3, ''contact_id'', strict.contact_id, ''consent_id'', strict.id, ''instead_of'', free.id)
                FROM latest strict JOIN latest free USING (purpose, channel)
                WHERE strict.contact_id <> free.contact_id AND strict.status <> ''granted'' AND free.status = ''granted''
                  AND (free.at, free.id) > (strict.at, strict.id)
                ORDER BY strict.purpose, strict.channel
                RETURNING t AS image
            ), logged AS (' || crm.journal_statement($q$'add'$q$, 'consent', 'contact_id', $q$'{}'$q$, 'crm.row_texts(n.image)',
                quote_literal('the stricter consent counts'), 'new_row n') || ' RETURNING 1)
            SELECT jsonb_build_array((SELECT count(*) FROM logged), 0)' END,
        -- Who is not the absorbed one is not the survivor either.
        'rejected', format('WITH other AS MATERIALIZED (
                SELECT DISTINCT ON (1, 2) least($1, p.other) AS low, greatest($1, p.other) AS high, p.strength, p.evidence, p.method, p.decided_at, p.decided_by
                FROM (SELECT CASE WHEN r.%1$I = $2 THEN r.duplicate_id ELSE r.%1$I END AS other, r.* FROM %2$s r
                      WHERE (r.%1$I = $2 OR r.duplicate_id = $2) AND r.status = ''rejected'') p
                WHERE p.other <> $1 ORDER BY 1, 2
            ), new_row AS (
                INSERT INTO %2$s AS t (%1$I, duplicate_id, status, strength, evidence, method, decided_at, decided_by)
                SELECT o.low, o.high, ''rejected'', o.strength, o.evidence, o.method, o.decided_at, o.decided_by FROM other o
                ON CONFLICT DO NOTHING RETURNING t AS image
            ), old_row AS MATERIALIZED (
                SELECT t.ctid AS place, t AS image, o.decided_at, o.decided_by FROM %2$s t JOIN other o ON t.%1$I = o.low AND t.duplicate_id = o.high WHERE t.status = ''new''
            ), changed_row AS (
                UPDATE %2$s t SET status = ''rejected'', decided_at = o.decided_at, decided_by = o.decided_by FROM old_row o WHERE t.ctid = o.place
                RETURNING o.image AS old_image, t AS new_image
            ), change AS (
                SELECT ''add'' AS operation, ''{}''::jsonb AS row_before, crm.row_texts(n.image) AS row_after FROM new_row n
                UNION ALL
                SELECT ''move'', crm.row_texts(c.old_image), crm.row_changes(c.old_image, c.new_image) FROM changed_row c
            ), logged AS (%3$s RETURNING 1)
            SELECT jsonb_build_array((SELECT count(*) FROM logged), 0)', owner_column, pairs,
            crm.journal_statement('n.operation', crm.relation_name(pairs::regclass), NULL, 'n.row_before', 'n.row_after', 'NULL', 'change n')),
        'pairs', format(changing, pairs, format('(t.%I = $2 OR t.duplicate_id = $2) AND t.status <> ''merged''', owner_column),
            'status = ''merged'', decided_at = coalesce(t.decided_at, now()), decided_by = coalesce(t.decided_by, (SELECT crm.current_actor()))',
            crm.journal_statement($q$'move'$q$, crm.relation_name(pairs::regclass), NULL, 'crm.row_texts(n.old_image)',
                'crm.row_changes(n.old_image, n.new_image)', 'NULL', 'new_row n')),
        'hooks', coalesce((SELECT jsonb_agg(h.merge_function ORDER BY h."position", h.name) FROM crm.merge_hook h WHERE h.entity = $1), '[]'));
END
$$;
COMMENT ON FUNCTION crm.make_merge_plan(text) IS 'The statements of a merge of contacts or companies, for the tables as they are. Each takes survivor, absorbed, merge and last entry of the journal, writes its journal and gives [entries, rows].';

/* ------------------------------------------------------------------
 * Rows in the place of which another stands.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.journal_row(merge bigint, entry integer, survivor bigint, gone bigint, operation text, relation text, column_name text,
    row_before jsonb, row_after jsonb, reason text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO crm.merge_journal (actor, survivor_id, merge_id, entry, absorbed_id, operation, relation, column_name, row_before, row_after, reason)
    VALUES (crm.current_actor(), survivor, merge, entry, gone, operation, relation, column_name, row_before, row_after, reason)
$$;
COMMENT ON FUNCTION crm.journal_row(bigint, integer, bigint, bigint, text, text, text, jsonb, jsonb, text) IS 'Writes one entry of the merge journal.';

/*
 * The rows that keep a row out: those that a unique index or an exclusion
 * constraint would compare equal to it.
 */
CREATE FUNCTION crm.rows_in_the_way(relation regclass, constraint_name text, texts jsonb, OUT part oid, OUT place tid, OUT row_texts jsonb)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    index record;
    condition text;
BEGIN
    SELECT i.*, c.conexclop INTO index
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'x'
    WHERE x.relname = constraint_name AND (i.indrelid = relation OR i.indrelid IN (SELECT f.relid FROM pg_partition_tree(relation) f))
    LIMIT 1;
    IF NOT FOUND OR index.indexprs IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT string_agg(CASE WHEN index.conexclop IS NULL THEN format('t.%1$I IS NOT DISTINCT FROM r.%1$I', a.attname)
                           ELSE format('t.%1$I OPERATOR(%2$s.%3$s) r.%1$I', a.attname, o.oprnamespace::regnamespace, o.oprname) END, ' AND ')
    INTO condition
    FROM generate_series(0, index.indnkeyatts - 1) n
    JOIN pg_attribute a ON a.attrelid = index.indrelid AND a.attnum = index.indkey[n]
    LEFT JOIN pg_operator o ON o.oid = index.conexclop[n + 1];
    RETURN QUERY EXECUTE format('SELECT t.part, t.place, crm.row_texts(t.image) FROM
        (SELECT q.*, q.tableoid AS part, q.ctid AS place, q AS image FROM %1$s q %2$s) t, crm.row_restore(NULL::%1$s, $1) r WHERE %3$s',
        relation, 'WHERE ' || pg_get_expr(index.indpred, index.indrelid), condition) USING texts;
END
$$;
COMMENT ON FUNCTION crm.rows_in_the_way(regclass, text, jsonb) IS 'The rows that a unique index or exclusion constraint holds to be in the place of the given one; none when its expressions cannot be compared.';

/*
 * Removes a row and writes it down.  What refers to it refers to the row that
 * stands in its place from now on; if that is not known, it goes as the
 * foreign key says, but not unseen.  Returns the last entry of the journal.
 */
CREATE FUNCTION crm.displace_row(relation regclass, part oid, place tid, instead jsonb, column_name text, merge bigint, survivor bigint, gone bigint,
    entry integer, reason text, depth integer DEFAULT 0) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    texts jsonb;
    child record;
    item record;
    after jsonb;
    problem text;
    other record;
BEGIN
    EXECUTE format('SELECT crm.row_texts(t) FROM %s t WHERE t.tableoid = $1 AND t.ctid = $2', relation) USING part, place INTO texts;
    IF texts IS NULL THEN
        RETURN entry;           -- gone with another one
    END IF;
    IF depth > 20 THEN
        RAISE EXCEPTION 'rows that refer to rows in a circle cannot be merged' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    FOR child IN
        SELECT c.conrelid::regclass AS relation, c.confdeltype,
               string_agg(format('t.%I = r.%I', k.attname, p.attname), ' AND ') AS matches,
               string_agg(format('%I = r.%I', k.attname, p.attname), ', ') AS replaced, jsonb_object_agg(k.attname, p.attname) AS mapping,
               string_agg(format('%I = %s', k.attname, CASE c.confdeltype WHEN 'd' THEN 'DEFAULT' ELSE 'NULL' END), ', ')
                   FILTER (WHERE u.n = ANY (coalesce(s.positions, ARRAY[u.n]))) AS detached
        FROM pg_constraint c
        CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS u (child_number, parent_number, n)
        JOIN pg_attribute k ON k.attrelid = c.conrelid AND k.attnum = u.child_number
        JOIN pg_attribute p ON p.attrelid = c.confrelid AND p.attnum = u.parent_number
        CROSS JOIN LATERAL (SELECT array_agg(array_position(c.conkey, d)::bigint) AS positions FROM unnest(nullif(c.confdelsetcols, '{}')) d) s
        WHERE c.contype = 'f' AND c.conparentid = 0
          AND c.confrelid IN (relation, (SELECT a.relid FROM pg_partition_ancestors(relation) a WHERE a.relid <> relation LIMIT 1))
        GROUP BY c.oid, c.conrelid, c.confdeltype
    LOOP
        FOR item IN EXECUTE format('SELECT t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS row_texts FROM %s t, crm.row_restore(NULL::%s, $1) r WHERE %s
                                    AND NOT (t.tableoid = $2 AND t.ctid = $3)', child.relation, relation, child.matches) USING texts, part, place
        LOOP
            IF instead IS NULL AND child.confdeltype = 'c' THEN
                entry := crm.displace_row(child.relation, item.part, item.place, NULL, NULL, merge, survivor, gone, entry,
                                          format('belongs to a dropped row of %s', crm.relation_name(relation)), depth + 1);
                CONTINUE;
            ELSIF instead IS NULL AND NOT child.confdeltype IN ('n', 'd') THEN
                CONTINUE;       -- the foreign key will say so
            END IF;
            BEGIN
                EXECUTE format('UPDATE %s t SET %s FROM crm.row_restore(NULL::%s, $1) r WHERE t.tableoid = $2 AND t.ctid = $3 RETURNING crm.row_texts(t)',
                               child.relation, CASE WHEN instead IS NULL THEN child.detached ELSE child.replaced END, relation)
                USING coalesce(instead, '{}'), item.part, item.place INTO after;
                problem := NULL;
            EXCEPTION WHEN unique_violation OR exclusion_violation THEN
                GET STACKED DIAGNOSTICS problem = CONSTRAINT_NAME;
            END;
            IF problem IS NULL THEN
                CONTINUE WHEN after IS NULL;
                entry := entry + 1;
                PERFORM crm.journal_row(merge, entry, survivor, gone, 'relink', crm.relation_name(child.relation), NULL, item.row_texts,
                    (SELECT jsonb_object_agg(a.key, a.value) FROM jsonb_each(after) a WHERE a.value IS DISTINCT FROM item.row_texts -> a.key),
                    format('refers to the row in the place of a dropped one of %s', crm.relation_name(relation)));
            ELSE
                SELECT w.part, w.place, w.row_texts INTO other
                FROM crm.rows_in_the_way(child.relation, problem,
                    item.row_texts || (SELECT jsonb_object_agg(m.key, instead -> m.value) FROM jsonb_each_text(child.mapping) m)) w
                WHERE (w.part, w.place) <> (item.part, item.place) LIMIT 1;
                entry := crm.displace_row(child.relation, item.part, item.place, other.row_texts, NULL, merge, survivor, gone, entry,
                                          format('another row is in its place: constraint %s', problem), depth + 1);
            END IF;
        END LOOP;
    END LOOP;
    EXECUTE format('DELETE FROM %s t WHERE t.tableoid = $1 AND t.ctid = $2', relation) USING part, place;
    entry := entry + 1;
    PERFORM crm.journal_row(merge, entry, survivor, gone, 'drop', crm.relation_name(relation), column_name, texts, NULL, reason);
    RETURN entry;
END
$$;
COMMENT ON FUNCTION crm.displace_row(regclass, oid, tid, jsonb, text, bigint, bigint, bigint, integer, text, integer) IS 'Removes a row in a merge, with its entries in the journal: what refers to it is made to refer to the row that stands instead of it (given as texts), or goes as its foreign key says. Returns the number of the last entry. Errors: 23503 a foreign key forbids it; 54000 rows refer to each other in a circle.';

/*
 * Rows of one table, one by one: where a constraint refuses the survivor's
 * number, the policy says which of the two rows stays.
 */
CREATE FUNCTION crm.merge_slowly(reference jsonb, survivor bigint, gone bigint, merge bigint, entry integer, conflicts jsonb) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass := (reference ->> 'relation')::regclass;
    name text := reference ->> 'name';
    column_name text := reference ->> 'column';
    columns text := reference ->> 'columns';
    is_copied boolean := (reference ->> 'copied')::boolean;
    item record;
    other record;
    after jsonb;
    wanted jsonb;
    problem text;
    action text;
    others integer;
BEGIN
    FOR item IN EXECUTE format('SELECT t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS row_texts, %s AS is_same FROM %s t
        WHERE t.%I = $2 AND NOT EXISTS (
            SELECT FROM crm.merge_journal j WHERE j.survivor_id = $1 AND j.merge_id = $3 AND j.absorbed_id = $2 AND j.relation = %L
               AND j.column_name = %L AND j.operation = ''move'' AND j.row_before = crm.row_texts(t))',
        coalesce(reference ->> 'same', 'false'), relation, column_name, name, column_name) USING survivor, gone, merge
    LOOP
        wanted := item.row_texts || jsonb_build_object(column_name, survivor::text);
        others := 0;
        LOOP
            problem := CASE WHEN item.is_same THEN '' END;
            IF problem IS NULL THEN
                BEGIN
                    IF is_copied THEN
                        EXECUTE format('INSERT INTO %1$s AS t (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM crm.row_restore(NULL::%1$s, $1) r
                                        RETURNING crm.row_texts(t)', relation, columns) USING wanted INTO after;
                    ELSE
                        EXECUTE format('UPDATE %s t SET %I = $1 WHERE t.tableoid = $2 AND t.ctid = $3 RETURNING crm.row_texts(t)', relation, column_name)
                        USING survivor, item.part, item.place INTO after;
                    END IF;
                EXCEPTION WHEN unique_violation OR exclusion_violation OR check_violation THEN
                    GET STACKED DIAGNOSTICS problem = CONSTRAINT_NAME;
                END;
            END IF;
            EXIT WHEN problem IS NULL;
            action := coalesce(conflicts ->> (name || '.' || problem), conflicts ->> name, conflicts ->> '*', 'keep_survivor');
            other := NULL;
            IF problem = '' THEN
                EXECUTE format('SELECT s.tableoid AS part, s.ctid AS place, crm.row_texts(s) AS row_texts FROM %1$s s, crm.row_restore(NULL::%1$s, $2) t WHERE s.%2$I = $1 AND %3$s
                    AND NOT EXISTS (SELECT FROM crm.merge_journal j WHERE j.survivor_id = $1 AND j.merge_id = $3 AND j.absorbed_id = $4 AND j.relation = %4$L
                                    AND j.operation = ''move'' AND j.row_before || j.row_after = crm.row_texts(s)) LIMIT 1',
                    relation, column_name, substring(reference ->> 'same' FROM ' = \$1 AND (.*)\)$'), name)
                USING survivor, item.row_texts, merge, gone INTO other;
                IF other.place IS NULL AND action = 'keep_absorbed' THEN
                    item.is_same := false;      -- it gave way to another of the absorbed one
                    CONTINUE;
                END IF;
            ELSE
                SELECT w.part, w.place, w.row_texts INTO other FROM crm.rows_in_the_way(relation, problem, wanted) w LIMIT 1;
            END IF;
            IF action = 'abort' THEN
                RAISE EXCEPTION 'the survivor has a row of "%" that keeps one of the absorbed out', name
                    USING ERRCODE = 'unique_violation', CONSTRAINT = problem,
                          DETAIL = format('%s; the row of the absorbed: %s', CASE problem WHEN '' THEN 'They say the same' ELSE format('Constraint %s', problem) END, left(item.row_texts::text, 500)),
                          HINT = 'The policy says "abort" for it; keep_survivor and keep_absorbed choose one of the two.';
            ELSIF action = 'keep_absorbed' AND other.place IS NOT NULL AND others < 100 THEN
                others := others + 1;
                item.is_same := false;
                entry := crm.displace_row(relation, other.part, other.place, item.row_texts, column_name, merge, survivor, gone, entry,
                                          'the one of the absorbed stays' || coalesce(': constraint ' || nullif(problem, ''), ''));
                CONTINUE;
            END IF;
            entry := crm.displace_row(relation, item.part, item.place, other.row_texts, column_name, merge, survivor, gone, entry,
                CASE WHEN problem = '' THEN 'the survivor has it' WHEN other.place IS NULL THEN 'cannot be the survivor''s: constraint ' || problem
                     ELSE 'the survivor has it: constraint ' || problem END);
            after := NULL;
            EXIT;
        END LOOP;
        IF problem IS NULL AND after IS NOT NULL THEN
            entry := entry + 1;
            PERFORM crm.journal_row(merge, entry, survivor, gone, 'move', name, column_name, item.row_texts,
                (SELECT jsonb_object_agg(a.key, a.value) FROM jsonb_each(after) a WHERE a.value IS DISTINCT FROM item.row_texts -> a.key), NULL);
        END IF;
    END LOOP;
    RETURN entry;
END
$$;
COMMENT ON FUNCTION crm.merge_slowly(jsonb, bigint, bigint, bigint, integer, jsonb) IS 'Re-points the rows of one column of crm.merge_plan() that constraints may refuse, by the policy''s conflicts. Returns the number of the last entry of the journal. Errors: 23505 the policy says abort.';

/* ------------------------------------------------------------------
 * Survivorship.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.check_merge_policy(entity text, survivor bigint, absorbed bigint[], policy jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
    bad text;
BEGIN
    IF jsonb_typeof(policy) <> 'object' THEN
        RAISE EXCEPTION 'a merge policy must be a JSON object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT k INTO bad FROM jsonb_object_keys(policy) k WHERE NOT k IN ('fields', 'survivorship', 'conflicts') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'unknown key "%" of a merge policy', bad
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Known keys: fields {"column": id whose value to take}, survivorship {"column": rule}, conflicts {"table": which row stays}.';
    END IF;
    SELECT p.key INTO bad FROM jsonb_each(policy) p WHERE jsonb_typeof(p.value) <> 'object' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '"%" of a merge policy must be a JSON object', bad USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR item IN SELECT e.key, e.value FROM jsonb_each_text(policy -> 'fields') e LOOP
        IF NOT item.key = ANY (crm.mergeable_columns(entity)) THEN
            RAISE EXCEPTION 'column "%" of a % cannot be chosen in a merge', item.key, entity USING ERRCODE = 'invalid_parameter_value';
        ELSIF item.value IS NULL OR item.value !~ '^-?\d{1,18}$' OR NOT item.value::bigint = ANY (absorbed || survivor) THEN
            RAISE EXCEPTION '% % takes no part in this merge', entity, item.value
                USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is named as the source of column "%s".', item.key);
        END IF;
    END LOOP;
    FOR item IN SELECT e.key, e.value FROM jsonb_each_text(policy -> 'survivorship') e LOOP
        IF item.key <> '*' AND NOT item.key = ANY (crm.mergeable_columns(entity)) THEN
            RAISE EXCEPTION 'column "%" of a % cannot be chosen in a merge', item.key, entity USING ERRCODE = 'invalid_parameter_value';
        ELSIF item.value IS NULL OR NOT item.value IN ('survivor', 'non_null', 'most_recent', 'most_frequent', 'longest', 'source_priority')
           OR item.value = 'source_priority' AND entity <> 'contact' THEN
            RAISE EXCEPTION 'unknown rule of survivorship "%"', item.value
                USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is given for column "%s" of a %s.', item.key, entity),
                      HINT = 'Known rules: survivor, non_null, most_recent, most_frequent, longest, and for contacts source_priority.';
        END IF;
    END LOOP;
    FOR item IN SELECT e.key, e.value FROM jsonb_each_text(policy -> 'conflicts') e LOOP
        IF item.value IS NULL OR NOT item.value IN ('keep_survivor', 'keep_absorbed', 'abort') THEN
            RAISE EXCEPTION 'unknown way "%" to settle a conflict', item.value
                USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is given for "%s".', item.key),
                      HINT = 'Known ones: keep_survivor, keep_absorbed, abort.';
        ELSIF item.key <> '*' AND NOT EXISTS (
            SELECT FROM crm.merge_references(entity) r
            WHERE item.key = crm.relation_name(r.relation) OR starts_with(item.key, crm.relation_name(r.relation) || '.')) THEN
            RAISE EXCEPTION 'no table "%" refers to a %', item.key, entity
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = format('crm.%s_references() lists the tables; one of schema crm is named without its schema. "table.constraint" and "*" are understood, too.', entity);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.check_merge_policy(text, bigint, bigint[], jsonb) IS 'Raises 22023 when a merge policy names what there is not.';

CREATE FUNCTION crm.survivorship_choice(entity text, survivor bigint, absorbed bigint[], rules jsonb, OUT field text, OUT chosen_id bigint, OUT rule text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY EXECUTE format($sql$
        WITH party AS MATERIALIZED (
            SELECT u.n, c.id, crm.row_texts(c) AS texts, c.created_at
            FROM unnest($1 || $2) WITH ORDINALITY AS u (id, n) JOIN crm.%1$I c ON c.id = u.id
        ), asked AS (
            -- attrs are united and the stage is the farthest, unless they are named.
            SELECT m AS field, coalesce($3 ->> m, CASE WHEN NOT m IN ('attrs', 'lifecycle_stage', 'birth_date_verified_at') THEN $3 ->> '*' END) AS rule
            FROM unnest(crm.mergeable_columns(%1$L)) m
        ), candidate AS (
            SELECT a.field, a.rule, p.n, p.id, p.texts ->> a.field AS value, count(*) OVER (PARTITION BY a.field, p.texts ->> a.field) AS holders,
                   CASE WHEN a.rule = 'most_recent' THEN coalesce((
                       SELECT l.at FROM crm.audit_log l
                       WHERE l.relation = %1$L AND l.row_id = p.id AND l.operation = 'update' AND l.changes ? a.field
                       ORDER BY l.id DESC LIMIT 1), p.created_at) END AS changed_at,
                   r.priority, r.seen_at
            FROM asked a CROSS JOIN party p
            LEFT JOIN LATERAL (SELECT v.priority, v.seen_at FROM crm.rank_values(ARRAY[p.id], a.field) v
                               WHERE a.rule = 'source_priority' AND v.is_current AND v.considered ORDER BY v.place LIMIT 1) r ON a.rule = 'source_priority'
            WHERE a.rule IS NOT NULL
        )
        SELECT DISTINCT ON (c.field) c.field, c.id, c.rule FROM candidate c
        WHERE c.value IS NOT NULL OR c.rule = 'survivor' AND c.n = 1
        ORDER BY c.field, CASE WHEN c.rule = 'survivor' THEN c.n END, c.changed_at DESC NULLS LAST,
                 CASE WHEN c.rule = 'longest' THEN length(c.value) END DESC NULLS LAST,
                 CASE WHEN c.rule = 'most_frequent' THEN c.holders END DESC NULLS LAST,
                 CASE WHEN c.rule = 'source_priority' THEN c.priority END NULLS LAST, CASE WHEN c.rule = 'source_priority' THEN c.seen_at END DESC NULLS LAST, c.n
        $sql$, entity) USING survivor, absorbed, rules;
END
$$;
COMMENT ON FUNCTION crm.survivorship_choice(text, bigint, bigint[], jsonb) IS 'Whose value of which column a merge takes by rules {"column" or "*": rule}: survivor (also when it is empty), non_null (the first in the order of the call), most_recent (changed last), most_frequent, longest, source_priority (the best believed by crm.survivorship_rule). Among equals the first.';

/* ------------------------------------------------------------------
 * Merging.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.require_merge_sight(plan jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hidden text;
BEGIN
    SELECT string_agg(DISTINCT r ->> 'relation', ', ') INTO hidden FROM jsonb_array_elements(plan -> 'references') r
    WHERE row_security_active((r ->> 'relation')::regclass::oid) AND crm.rows_are_hidden((r ->> 'relation')::regclass);
    IF hidden IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" must not merge: row-level security hides rows of % from it', current_user, hidden
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'What it does not see would stay with the absorbed.',
                  HINT = 'Let the owner of the tables do it, a role with BYPASSRLS, or one that sees all (crm.enable_deal_security()).';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_merge_sight(jsonb) IS 'Internal: refuses (42501) to merge or undo a merge as a role from which row-level security hides rows of a table that merges write.';

CREATE FUNCTION crm.run_merge(entity text, survivor bigint, absorbed bigint[], policy jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET xmloption = 'content'
SET lc_monetary = 'C'
SET jit = off
SET crm.merge_mode = 'merge' AS $$
DECLARE
    plan jsonb;
    merge bigint;
    entry integer := 0;
    made jsonb;
    gone bigint;
    reference jsonb;
    copied text[];
    choice jsonb := '{}';
    rules jsonb := '{}';
    conflicts jsonb := coalesce(policy -> 'conflicts', '{}');
    reason text;
    problem text;
    hook text;
    copies text;
BEGIN
    PERFORM crm.require_installed();
    policy := coalesce(policy, '{}');
    absorbed := ARRAY(SELECT a FROM unnest(absorbed) WITH ORDINALITY AS u (a, n) WHERE a IS NOT NULL GROUP BY a ORDER BY min(n));
    IF survivor = ANY (absorbed) THEN
        RAISE EXCEPTION '% % cannot absorb itself', entity, survivor USING ERRCODE = 'invalid_parameter_value';
    ELSIF coalesce(cardinality(absorbed), 0) = 0 THEN
        RAISE EXCEPTION 'no % to absorb was named', entity USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF policy <> '{}' THEN
        PERFORM crm.check_merge_policy(entity, survivor, absorbed, policy);
    END IF;
    -- Always in the order of id, so that two merges never wait for each other;
    -- and so strongly that nobody can add a row that refers to them meanwhile.
    IF entity = 'contact' THEN
        PERFORM FROM crm.contact c WHERE c.id = ANY (absorbed || survivor) ORDER BY c.id FOR UPDATE;
        SELECT CASE WHEN c.id IS NULL THEN format('there is no contact %s', p.id)
                    WHEN c.merged_into IS NOT NULL THEN format('contact %s was absorbed by contact %s', p.id, c.merged_into)
                    ELSE format('contact %s is deleted', p.id) END INTO problem
        FROM unnest(absorbed || survivor) AS p (id) LEFT JOIN crm.contact c ON c.id = p.id
        WHERE (c.id IS NULL OR c.merged_into IS NOT NULL OR c.deleted_at IS NOT NULL)
          -- Rows that others added since: a second run brings them after.
          AND (c.merged_into IS NULL OR c.merged_into <> survivor)
        ORDER BY p.id LIMIT 1;
    ELSE
        PERFORM FROM crm.company c WHERE c.id = ANY (absorbed || survivor) ORDER BY c.id FOR UPDATE;
        SELECT CASE WHEN c.id IS NULL THEN format('there is no company %s', p.id)
                    WHEN c.merged_into IS NOT NULL THEN format('company %s was absorbed by company %s', p.id, c.merged_into)
                    ELSE format('company %s is deleted', p.id) END INTO problem
        FROM unnest(absorbed || survivor) AS p (id) LEFT JOIN crm.company c ON c.id = p.id
        WHERE (c.id IS NULL OR c.merged_into IS NOT NULL OR c.deleted_at IS NOT NULL)
          AND (c.merged_into IS NULL OR c.merged_into <> survivor)
        ORDER BY p.id LIMIT 1;
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'no_data_found', HINT = format('Merge what lives: merged_into tells which one stands for another%s.',
            CASE entity WHEN 'contact' THEN ', and so does crm.resolve_contact()' ELSE '' END);
    END IF;
    IF policy ? 'survivorship' THEN
        SELECT coalesce(jsonb_object_agg(s.field, s.chosen_id), '{}'), coalesce(jsonb_object_agg(s.field, s.rule), '{}') INTO choice, rules
        FROM crm.survivorship_choice(entity, survivor, absorbed, policy -> 'survivorship') s WHERE NOT coalesce(policy -> 'fields', '{}') ? s.field;
    END IF;
    choice := choice || coalesce(policy -> 'fields', '{}');
    plan := crm.merge_plan(entity);
    PERFORM crm.require_merge_sight(plan);
    merge := nextval('crm.merge_id_seq');

    FOREACH gone IN ARRAY absorbed LOOP
        -- First of all its keys become free for the survivor.
        made := crm.run_kept(plan ->> 'absorb', survivor, gone, merge, entry);
        entry := entry + (made ->> 0)::integer;
        made := crm.run_kept(plan ->> 'earlier', survivor, gone, merge, entry);
        entry := entry + (made ->> 0)::integer;
        IF entity = 'contact' THEN
            made := crm.run_kept(plan ->> 'consent', survivor, gone, merge, entry);
            entry := entry + (made ->> 0)::integer;
        END IF;
        copied := '{}';
        FOR reference IN SELECT r FROM jsonb_array_elements(plan -> 'references') r LOOP
            made := NULL;
            IF NOT (reference ->> 'deferred')::boolean
               AND (conflicts = '{}' OR NOT EXISTS (SELECT FROM jsonb_object_keys(conflicts) k WHERE k = '*' OR k = reference ->> 'name' OR starts_with(k, (reference ->> 'name') || '.'))) THEN
                IF (reference ->> 'guarded')::boolean THEN
                    BEGIN
                        made := crm.run_kept(reference ->> 'move', survivor, gone, merge, entry);
                    EXCEPTION WHEN unique_violation OR exclusion_violation OR check_violation THEN
                        made := NULL;   -- one by one tells which rows the survivor has already
                    END;
                ELSE
                    made := crm.run_kept(reference ->> 'move', survivor, gone, merge, entry);
                END IF;
            END IF;
            IF made IS NOT NULL THEN
                entry := entry + (made ->> 0)::integer;
            END IF;
            IF made IS NULL OR (made ->> 1)::integer > (made ->> 0)::integer THEN
                entry := crm.merge_slowly(reference, survivor, gone, merge, entry, conflicts);
            END IF;
            IF (reference ->> 'copied')::boolean AND (made IS NULL OR (made ->> 1)::integer > 0) THEN
                copied := (reference ->> 'delete') || copied;
            END IF;
        END LOOP;
        FOREACH copies IN ARRAY copied LOOP
            PERFORM crm.run_kept(copies, gone);
        END LOOP;

        -- What the survivor does not know the absorbed one tells.
        IF choice = '{}' THEN
            made := crm.run_kept(plan ->> 'fill', survivor, gone, merge, entry);
        ELSE
            SELECT string_agg(format('%s: %s', c.key, coalesce(rules ->> c.key, 'asked for')), '; ' ORDER BY c.key) INTO reason
            FROM jsonb_each_text(choice) c WHERE c.value = gone::text;
            EXECUTE crm.fill_statement(entity, choice, gone, reason) USING survivor, gone, merge, entry INTO made;
        END IF;
        entry := entry + (made ->> 0)::integer;
        made := crm.run_kept(plan ->> 'rejected', survivor, gone, merge, entry);
        entry := entry + (made ->> 0)::integer;
        made := crm.run_kept(plan ->> 'pairs', survivor, gone, merge, entry);
        entry := entry + (made ->> 0)::integer;
    END LOOP;
    FOR hook IN SELECT h FROM jsonb_array_elements_text(plan -> 'hooks') h LOOP
        EXECUTE format('SELECT %s($1, $2, $3)', (crm.merge_hook_function(hook)::regprocedure)::oid::regproc) USING merge, survivor, absorbed;
    END LOOP;
    INSERT INTO crm.merge (id, entity, survivor_id, absorbed_ids, policy, actor)
    VALUES (merge, entity, survivor, absorbed, policy || CASE WHEN rules = '{}' THEN '{}' ELSE jsonb_build_object('chosen', choice) END, crm.current_actor());
    RETURN merge;
END
$$;
COMMENT ON FUNCTION crm.run_merge(text, bigint, bigint[], jsonb) IS 'What crm.merge_contacts() and crm.merge_companies() have in common.';

CREATE FUNCTION crm.merge_contacts(survivor bigint, absorbed bigint[], policy jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.run_merge('contact', survivor, absorbed, policy)
$$;
COMMENT ON FUNCTION crm.merge_contacts(bigint, bigint[], jsonb) IS 'Merges contacts into the survivor in one transaction and returns the number of the merge. Every row of every table that refers to an absorbed contact by foreign key or registered column, yours included, is re-pointed; where the survivor has the same (a constraint says so, or the same address, number or date) policy {"conflicts": {"table": "keep_survivor" | "keep_absorbed" | "abort"}} says which row stays, by default the survivor''s. Empty columns of the survivor are filled in the order of absorbed, lifecycle_stage becomes the farthest; {"fields": {"city": 17}} takes a column from contact 17, {"survivorship": {"city": "most_recent", "*": "longest"}} by a rule. Of what both said of a consent the stricter counts. Absorbed contacts are deleted softly with merged_into set. crm.merge_journal keeps every overwritten value and every moved or dropped row; crm.unmerge() writes them back. Repeated, it brings after what others have added to an absorbed contact since. Errors: P0002 a contact is missing, deleted or absorbed by another; 22023 bad arguments; 23505 a conflict that the policy does not allow; 42501 no right to a table that refers to them.';

CREATE FUNCTION crm.merge_companies(survivor bigint, absorbed bigint[], policy jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.run_merge('company', survivor, absorbed, policy)
$$;
COMMENT ON FUNCTION crm.merge_companies(bigint, bigint[], jsonb) IS 'Merges companies into the survivor, as crm.merge_contacts() does with contacts: same policy, same journal, same errors. Companies whose parent is absorbed come under the survivor; relations between the merged ones are dropped, with their entry in the journal.';

/* ------------------------------------------------------------------
 * What may be merged without asking.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.may_merge(a bigint, b bigint, ignore_sources text[] DEFAULT '{}') RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    RETURN (SELECT CASE
            WHEN a = b THEN 'it is one contact'
            WHEN x.id IS NULL OR y.id IS NULL THEN format('there is no contact %s', CASE WHEN x.id IS NULL THEN a ELSE b END)
            WHEN x.merged_into IS NOT NULL OR y.merged_into IS NOT NULL OR x.deleted_at IS NOT NULL OR y.deleted_at IS NOT NULL
                THEN format('contact %s was absorbed or deleted', CASE WHEN x.deleted_at IS NOT NULL OR x.merged_into IS NOT NULL THEN a ELSE b END)
            -- Who was told apart stays so, also through those whom they absorbed.
            WHEN EXISTS (SELECT FROM crm.duplicate_pair p WHERE p.status = 'rejected' AND p.contact_id = least(a, b) AND p.duplicate_id = greatest(a, b))
                THEN 'the pair was rejected'
            WHEN crm.tax_key(x.tax_id) <> crm.tax_key(y.tax_id) THEN 'their tax numbers differ'
            WHEN x.birth_date_verified_at IS NOT NULL AND y.birth_date_verified_at IS NOT NULL AND x.birth_date <> y.birth_date
                THEN 'their proved birth dates differ'
            -- Two accounts of one service, each proved: two people at one device.
            WHEN i.provider IS NOT NULL THEN format('each has an account of its own at %s', i.provider)
            WHEN r.system IS NOT NULL THEN format('each has a number of its own in %s', r.system)
            WHEN x.gender <> y.gender THEN 'their genders differ'
            WHEN x.birth_date <> y.birth_date THEN 'their birth dates differ'
        END
        FROM (SELECT) one
        LEFT JOIN crm.contact x ON x.id = a
        LEFT JOIN crm.contact y ON y.id = b
        LEFT JOIN LATERAL (
            SELECT v.provider FROM crm.contact_identity v JOIN crm.contact_identity w ON w.contact_id = b AND w.provider = v.provider
            WHERE v.contact_id = a AND v.verified_by IS NOT NULL AND w.verified_by IS NOT NULL AND v.external_id <> w.external_id
            ORDER BY v.provider LIMIT 1) i ON true
        LEFT JOIN LATERAL (
            SELECT v.system FROM crm.external_ref v JOIN crm.external_ref w ON w.contact_id = b AND w.system = v.system
            WHERE v.contact_id = a AND (v.system = ANY (ignore_sources)) IS NOT TRUE ORDER BY v.system LIMIT 1) r ON true);
END
$$;
COMMENT ON FUNCTION crm.may_merge(bigint, bigint, text[]) IS 'Null when nothing forbids that two contacts are merged without a person looking at them; otherwise the reason: one of them is gone; the pair was rejected; their tax numbers, birth dates or genders differ; each has a proved account of its own at one provider, or a number of its own in one other system, unless ignore_sources names it. A person may merge them all the same.';
