/* ------------------------------------------------------------------
 * Undoing.
 * ------------------------------------------------------------------ */

/*
 * Statements that read the journal of merge $2 of survivor $1, entries $3 to
 * $4, and give a JSON array of what is not as the merge left it:
 * {"entry", "what", "part", "place", "columns"}.
 */
CREATE FUNCTION crm.undo_statement(kind text, relation regclass, name text, operation text, column_name text, changed text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_columns name[];
    columns text;
    entries text;
    found_rows text;
    put text;
    report text;
    -- Contacts and companies go on living: only what the merge changed matters.
    may_differ boolean := EXISTS (SELECT FROM pg_trigger g
        WHERE g.tgrelid IN (SELECT undo_statement.relation UNION SELECT f.relid FROM pg_partition_tree(undo_statement.relation) f)
          AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype::integer & 3 = 3);
    is_partial boolean := operation = 'fill' OR operation = 'move' AND name IN ('contact', 'company');
    ignored text := CASE WHEN operation = 'fill' OR operation = 'move' AND name IN ('contact', 'company') THEN '{updated_at,name_key}' ELSE '{}' END;
BEGIN
    SELECT array_agg(k.attname ORDER BY k.attnum) INTO key_columns
    FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
    WHERE i.indrelid = relation AND i.indisprimary;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
    FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
    changed := ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (changed) AND a.attnum > 0
                     AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a');
    IF kind = 'drop' THEN
        RETURN format('INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM crm.merge_journal j CROSS JOIN LATERAL crm.row_restore(NULL::%1$s, j.row_before) r
            WHERE j.survivor_id = $1 AND j.merge_id = $2 AND j.entry BETWEEN $3 AND $4 AND ($5 IS NULL OR j.operation = ''drop'' AND j.relation = %4$L
              AND j.column_name = %5$L AND j.absorbed_id = $5 AND j.row_before ->> %5$L = $5::text) ORDER BY j.entry DESC', relation, columns,
            (SELECT string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), name, column_name);
    END IF;
    entries := format('entry AS MATERIALIZED (
        SELECT j.entry, %s AS b, %s AS a%s FROM crm.merge_journal j
        WHERE j.survivor_id = $1 AND j.merge_id = $2 AND j.entry BETWEEN $3 AND $4 AND j.operation = %L AND j.relation = %L
          AND j.column_name IS NOT DISTINCT FROM %L)',
        CASE WHEN is_partial THEN '(SELECT jsonb_object_agg(c.key, j.row_before -> c.key) FROM jsonb_each(j.row_after) c)' ELSE 'j.row_before' END,
        CASE WHEN is_partial THEN 'j.row_after' WHEN operation = 'add' THEN 'j.row_after' ELSE 'j.row_before || j.row_after' END,
        CASE WHEN is_partial THEN ', j.row_before || j.row_after AS k' ELSE '' END, operation, name, column_name);
    IF operation = 'fill' THEN
        found_rows := format('SELECT e.entry, e.b, e.a, t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS x FROM entry e JOIN %s t ON t.id = $1', relation);
    ELSIF key_columns IS NOT NULL THEN
        found_rows := format('SELECT e.entry, e.b, e.a, t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS x%s FROM entry e LEFT JOIN %s t ON %s',
            CASE kind WHEN 'copy' THEN ', t AS image' ELSE '' END, relation,
            (SELECT string_agg(format('t.%I = (e.%s ->> %L)::%s', a.attname, CASE WHEN is_partial THEN 'k' ELSE 'a' END, a.attname, format_type(a.atttypid, a.atttypmod)), ' AND ')
             FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (key_columns)));
    ELSE
        -- Without a key a row is known by all that it says.
        found_rows := format('SELECT e.entry, e.b, e.a, t.part, t.place, t.x
            FROM (SELECT e.*, row_number() OVER (PARTITION BY e.a ORDER BY e.entry) AS n FROM entry e) e
            LEFT JOIN (SELECT q.*, row_number() OVER (PARTITION BY q.x ORDER BY q.place) AS n
                       FROM (SELECT t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS x FROM %s t %s) q) t ON t.x = e.a AND t.n = e.n',
            relation, CASE WHEN column_name IS NOT NULL THEN format('WHERE t.%I = $1', column_name) ELSE '' END);
    END IF;
    -- Full joins, although found has every row: they are never nested loops,
    -- which the planner would choose because it expects one row.
    report := format('SELECT jsonb_agg(jsonb_build_object(''entry'', r.entry, ''what'', r.what, ''part'', r.part::bigint, ''place'', r.place::text, ''columns'', r.columns) ORDER BY r.entry)
        FROM (SELECT f.entry, p.part, p.place,
                     CASE WHEN f.entry IS NULL THEN NULL
                          WHEN f.x IS NULL THEN ''removed''
                          WHEN %s THEN ''occupied''
                          WHEN NOT f.x @> (f.a - %L::text[]) THEN ''changed''
                          WHEN %s THEN ''differs'' END AS what,
                     (SELECT jsonb_agg(d.key ORDER BY d.key) FROM jsonb_each(f.a - %L::text[]) d WHERE f.x IS NOT NULL AND f.x -> d.key IS DISTINCT FROM d.value) AS columns
              FROM found f FULL JOIN put p ON p.entry = f.entry) r
        WHERE r.what IS NOT NULL',
        CASE WHEN kind = 'copy' THEN 'p.place IS NULL' ELSE 'false' END, ignored,
        CASE WHEN kind = 'delete' OR NOT may_differ THEN 'false' ELSE format('NOT p.y @> (f.b - %L::text[])', ignored) END, ignored);
    IF kind = 'place' THEN
        put := format('UPDATE %1$s t SET %2$s FROM found f CROSS JOIN LATERAL crm.row_restore(NULL::%1$s, jsonb_build_object(%3$s)) r
            WHERE t.tableoid = f.part AND t.ctid = f.place RETURNING f.entry, t.tableoid AS part, t.ctid AS place, %4$s AS y', relation,
            (SELECT string_agg(format('%1$I = CASE WHEN f.x -> %2$L IS NOT DISTINCT FROM f.a -> %2$L THEN r.%1$I ELSE t.%1$I END', c, c), ', ') FROM unnest(changed) c),
            (SELECT string_agg(format('%1$L, f.b -> %1$L', c), ', ') FROM unnest(changed) c),
            CASE WHEN may_differ THEN 'crm.row_texts(t)' ELSE 'NULL::jsonb' END);
        IF changed = '{}' THEN
            put := 'SELECT f.entry, f.part, f.place, f.x AS y FROM found f';
        END IF;
    ELSIF kind = 'copy' THEN
        -- Written anew for the absorbed one; the survivor's is removed later.
        found_rows := format('SELECT q.*, jsonb_build_object(%s) AS w FROM (%s) q',
            (SELECT string_agg(format('%1$L, CASE WHEN q.x -> %1$L IS NOT DISTINCT FROM q.a -> %1$L THEN q.b -> %1$L ELSE q.x -> %1$L END', c), ', ') FROM unnest(changed) c), found_rows);
        put := format('INSERT INTO %1$s AS t (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM found f CROSS JOIN LATERAL crm.row_restore(f.image, f.w) r
            WHERE f.x IS NOT NULL %4$s RETURNING t.tableoid AS part, t.ctid AS place, t AS image', relation, columns,
            (SELECT string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
            CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND NOT i.indimmediate) THEN '' ELSE 'ON CONFLICT DO NOTHING' END);
        RETURN format('WITH %s, found AS MATERIALIZED (%s), written AS (%s), put AS MATERIALIZED (SELECT f.entry, w.part, w.place, %s AS y FROM found f FULL JOIN written w ON %s) %s',
            entries, found_rows, put, CASE WHEN may_differ THEN 'crm.row_texts(w.image)' ELSE 'NULL::jsonb' END,
            (SELECT string_agg(CASE WHEN a.attname = ANY (changed) THEN format('(w.image).%I = (f.w ->> %L)::%s', a.attname, a.attname, format_type(a.atttypid, a.atttypmod))
                                    ELSE format('(w.image).%1$I = (f.image).%1$I', a.attname) END, ' AND ')
             FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (key_columns)), report);
    ELSE
        put := format('DELETE FROM %s t USING found f WHERE t.tableoid = f.part AND t.ctid = f.place AND f.x @> f.a
            RETURNING f.entry, t.tableoid AS part, t.ctid AS place, NULL::jsonb AS y', relation);
    END IF;
    RETURN format('WITH %s, found AS MATERIALIZED (%s), put AS (%s) %s', entries, found_rows, put, report);
END
$$;
COMMENT ON FUNCTION crm.undo_statement(text, regclass, text, text, text, text[]) IS 'The statement by which crm.unmerge() writes rows back: kind place (columns of the row), copy (the row anew), delete (a row that the merge added) or drop (a row that it dropped).';

CREATE FUNCTION crm.kept_undo_statement(kind text, relation regclass, name text, operation text, column_name text, changed text[]) RETURNS text
LANGUAGE c COST 10 AS 'MODULE_PATHNAME', 'crm_kept_undo_statement';
COMMENT ON FUNCTION crm.kept_undo_statement(text, regclass, text, text, text, text[]) IS 'crm.undo_statement(), kept in the session until a table changes.';

/*
 * Puts back rows that were dropped; gives what could not be put back.  With
 * the absorbed one given, its rows are all that the merge dropped by a column.
 */
CREATE FUNCTION crm.undrop_rows(relation regclass, survivor bigint, merge bigint, entries integer[], gone bigint DEFAULT NULL, column_name text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text := crm.kept_undo_statement('drop', relation, crm.relation_name(relation), 'drop', column_name, '{}');
    report jsonb := '[]';
    item integer;
    problem text;
BEGIN
    BEGIN
        IF gone IS NOT NULL THEN
            PERFORM crm.run_kept(statement, survivor, merge, entries[1], entries[cardinality(entries)], gone);
            RETURN report;
        END IF;
    EXCEPTION WHEN integrity_constraint_violation THEN
        NULL;                   -- one by one
    END;
    FOREACH item IN ARRAY entries LOOP
        BEGIN
            PERFORM crm.run_kept(statement, survivor, merge, item, item, gone);
        EXCEPTION WHEN integrity_constraint_violation THEN
            GET STACKED DIAGNOSTICS problem = CONSTRAINT_NAME;
            report := report || jsonb_build_object('entry', item, 'what', 'occupied', 'constraint', problem);
        END;
    END LOOP;
    RETURN report;
END
$$;
COMMENT ON FUNCTION crm.undrop_rows(regclass, bigint, bigint, integer[], bigint, text) IS 'Puts the rows back that a merge dropped, by entries of its journal; gives those whose place is taken by now.';

/*
 * Always by the indexes, one contact at a time: while there are few merges, when
 * the plan is made and kept, to read them all would seem cheap.
 */
CREATE FUNCTION crm.merges_after(merge_id bigint, entity text, ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN ARRAY(
        WITH found AS MATERIALIZED (
            SELECT l.id FROM crm.merge l WHERE l.absorbed_ids && ids
            UNION ALL
            SELECT l.id FROM unnest(ids) i (id) CROSS JOIN LATERAL (
                SELECT s.id FROM crm.merge s WHERE s.entity = merges_after.entity AND s.survivor_id = i.id OFFSET 0) l
        )
        SELECT f.id FROM found f WHERE f.id > merge_id);
END
$$;
COMMENT ON FUNCTION crm.merges_after(bigint, text, bigint[]) IS 'The merges after this one that one of these contacts or companies survived or was absorbed by.';

CREATE FUNCTION crm.unmerge(merge_id bigint, policy text DEFAULT 'abort', reject boolean DEFAULT true,
    OUT relation text, OUT key jsonb, OUT what text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql ROWS 10
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET xmloption = 'content'
SET lc_monetary = 'C'
SET jit = off
SET crm.merge_mode = 'undo' AS $$
#variable_conflict use_column
DECLARE
    m record;
    later record;
    touched bigint[];
    candidates bigint[];
    refers_to_itself boolean;
    gone bigint;
    plan jsonb;
    part record;
    target regclass;
    made jsonb;
    report jsonb := '[]';
    removals text[] := '{}';
    done text[] := '{}';
    late integer[] := '{}';
    tangled text[];
    untangled text[];
    item record;
    fact jsonb;
    hook text;
    conflicts integer;
    statement text;
BEGIN
    PERFORM crm.require_installed();
    IF policy IS NULL OR NOT policy IN ('abort', 'keep', 'restore') THEN
        RAISE EXCEPTION 'unknown policy "%" of unmerging', policy
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Known ones: abort, keep (what was changed since), restore (overwrite it).';
    END IF;
    SELECT o.* INTO m FROM crm.merge o WHERE o.id = unmerge.merge_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no merge %', unmerge.merge_id USING ERRCODE = 'no_data_found';
    END IF;
    IF m.entity = 'contact' THEN
        PERFORM FROM crm.contact c WHERE c.id = ANY (m.absorbed_ids || m.survivor_id) ORDER BY c.id FOR UPDATE;
    ELSE
        PERFORM FROM crm.company c WHERE c.id = ANY (m.absorbed_ids || m.survivor_id) ORDER BY c.id FOR UPDATE;
    END IF;
    SELECT o.* INTO m FROM crm.merge o WHERE o.id = unmerge.merge_id FOR UPDATE;
    IF m.undone_at IS NOT NULL THEN
        RAISE EXCEPTION 'merge % was undone already', m.id
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('%s undid it at %s.', m.undone_by, m.undone_at);
    END IF;
    plan := crm.merge_plan(m.entity);
    PERFORM crm.require_merge_sight(plan);
    -- A later merge builds upon this one when it moved one of its contacts on,
    -- wrote a contact that this one wrote, or found in the survivor a row that
    -- came from here.
    touched := m.absorbed_ids || ARRAY(
        SELECT CASE a.operation WHEN 'fill' THEN a.survivor_id ELSE (a.row_before ->> 'id')::bigint END FROM crm.merge_journal a
        WHERE a.survivor_id = m.survivor_id AND a.merge_id = m.id AND a.relation = m.entity AND a.operation IN ('fill', 'move'));
    -- Merges are many and those of these contacts few: they are found by index.
    -- Only where contacts refer to contacts can any other be concerned.
    refers_to_itself := EXISTS (SELECT FROM jsonb_array_elements(plan -> 'references') r WHERE r.value ->> 'name' = m.entity);
    IF refers_to_itself THEN
        candidates := ARRAY(SELECT l.id FROM crm.merge l WHERE l.id > m.id);
    ELSE
        candidates := crm.merges_after(m.id, m.entity, touched || m.survivor_id);
    END IF;
    IF candidates <> '{}' THEN
        SELECT l.* INTO later FROM crm.merge l
        WHERE l.id = ANY (candidates) AND l.entity = m.entity AND l.undone_at IS NULL
          AND (l.absorbed_ids && (touched || m.survivor_id) OR l.survivor_id = ANY (m.absorbed_ids)
               OR l.survivor_id = ANY (touched) AND EXISTS (
                   SELECT FROM crm.merge_journal b WHERE b.survivor_id = l.survivor_id AND b.merge_id = l.id AND b.relation = m.entity AND b.operation = 'fill')
               OR refers_to_itself AND EXISTS (
                   SELECT FROM crm.merge_journal b WHERE b.survivor_id = l.survivor_id AND b.merge_id = l.id AND b.relation = m.entity AND b.operation = 'move'
                      AND (b.row_before ->> 'id')::bigint = ANY (touched))
               OR l.survivor_id = m.survivor_id AND EXISTS (
                   SELECT FROM crm.merge_journal a JOIN crm.merge_journal b ON b.survivor_id = l.survivor_id AND b.merge_id = l.id AND b.relation = a.relation
                   WHERE a.survivor_id = m.survivor_id AND a.merge_id = m.id
                     AND a.operation IN ('move', 'drop', 'add') AND b.operation IN ('drop', 'relink', 'add')))
        ORDER BY l.id DESC LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'merge % cannot be undone before merge %', m.id, later.id
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = format('Merge %s of %s %s into %s builds upon it.', later.id, m.entity, array_to_string(later.absorbed_ids, ', '), later.survivor_id),
                      HINT = format('Undo it first: SELECT * FROM crm.unmerge(%s).', later.id);
        END IF;
    END IF;
    UPDATE crm.merge o SET undone_at = now(), undone_by = crm.current_actor(), undo_policy = policy WHERE o.id = m.id;
    FOR hook IN SELECT h.undo_function FROM crm.merge_hook h WHERE h.entity = m.entity AND h.undo_function IS NOT NULL ORDER BY h."position" DESC, h.name DESC LOOP
        EXECUTE format('SELECT %s($1, $2, $3)', (crm.merge_hook_function(hook)::regprocedure)::oid::regproc) USING m.id, m.survivor_id, m.absorbed_ids;
    END LOOP;
    -- Who was absorbed last is parted first.
    FOREACH gone IN ARRAY ARRAY(SELECT u.a FROM unnest(m.absorbed_ids) WITH ORDINALITY AS u (a, n) ORDER BY u.n DESC) LOOP
        removals := '{}';
        late := '{}';
        untangled := '{}';
        tangled := ARRAY(
            SELECT j.relation FROM crm.merge_journal j
            WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.operation IN ('move', 'drop', 'relink') AND j.relation <> m.entity
            GROUP BY j.relation HAVING count(DISTINCT j.column_name) > 1 AND bool_or(j.operation <> 'move'));
        -- Rows that were moved or dropped, parents before children.
        FOR part IN
            WITH known AS MATERIALIZED (
                SELECT r.value, r.ordinality, r.value ->> 'name' AS name, r.value ->> 'column' AS column_name
                FROM jsonb_array_elements(plan -> 'references') WITH ORDINALITY r
            ), piece AS MATERIALIZED (
                SELECT j.relation, j.column_name, j.operation, min(j.entry) AS first_entry, max(j.entry) AS last_entry,
                       array_agg(j.entry ORDER BY j.entry) FILTER (WHERE j.operation = 'drop' AND j.row_before ->> j.column_name = j.absorbed_id::text) AS own_drops,
                       array_agg(j.entry ORDER BY j.entry DESC) FILTER (WHERE j.operation = 'relink' OR j.operation = 'drop' AND j.row_before ->> j.column_name IS DISTINCT FROM j.absorbed_id::text) AS late,
                       (SELECT array_agg(DISTINCT k.key ORDER BY k.key) FROM unnest(array_agg(j.row_before) FILTER (WHERE j.operation = 'move'),
                            array_agg(j.row_after) FILTER (WHERE j.operation = 'move')) i (row_before, row_after), jsonb_each(i.row_after) k
                        WHERE k.value IS DISTINCT FROM i.row_before -> k.key) AS changed
                FROM crm.merge_journal j
                WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.operation IN ('move', 'drop', 'add', 'relink') AND j.relation <> m.entity
                GROUP BY j.relation, j.column_name, j.operation
            )
            SELECT p.*, r.reference FROM piece p
            CROSS JOIN LATERAL (SELECT (array_agg(r.value) FILTER (WHERE r.column_name = p.column_name))[1] AS reference,
                                       min(r.ordinality) AS first_place, max(r.ordinality) FILTER (WHERE r.column_name = p.column_name) AS place
                                FROM known r WHERE r.name = p.relation) r
            -- Of two columns of a table the last that was changed first.
            ORDER BY r.first_place NULLS FIRST, r.place DESC, array_position('{move,drop,add,relink}', p.operation), p.first_entry
        LOOP
            target := crm.relation_of(part.relation);
            IF target IS NULL THEN
                IF NOT part.relation = ANY (done) THEN
                    relation := part.relation; key := NULL; what := 'removed'; detail := 'the table is no longer there';
                    done := done || part.relation;
                    RETURN NEXT;
                    report := report || jsonb_build_array(jsonb_build_object('entry', NULL, 'what', 'removed', 'relation', part.relation));
                END IF;
                CONTINUE;
            END IF;
            IF part.relation = ANY (tangled) THEN
                -- Two columns of one row, and rows that gave way: backwards, one by one.
                CONTINUE WHEN part.relation = ANY (untangled);
                untangled := untangled || part.relation;
                FOR item IN
                    SELECT j.entry, j.operation, j.column_name, r.reference,
                           ARRAY(SELECT k.key FROM jsonb_each(j.row_after) k WHERE k.value IS DISTINCT FROM j.row_before -> k.key ORDER BY k.key) AS changed
                    FROM crm.merge_journal j
                    LEFT JOIN LATERAL (SELECT r AS reference FROM jsonb_array_elements(plan -> 'references') r
                                       WHERE r ->> 'name' = j.relation AND r ->> 'column' = j.column_name) r ON true
                    WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.relation = part.relation
                    ORDER BY j.entry DESC
                LOOP
                    IF item.operation = 'drop' THEN
                        report := report || crm.undrop_rows(target, m.survivor_id, m.id, ARRAY[item.entry]);
                        CONTINUE;
                    END IF;
                    statement := crm.kept_undo_statement(CASE WHEN item.operation = 'move' AND (item.reference ->> 'copied')::boolean THEN 'copy' ELSE 'place' END,
                                                         target, part.relation, item.operation, item.column_name, item.changed);
                    report := report || coalesce(crm.run_kept(statement, m.survivor_id, m.id, item.entry, item.entry), '[]');
                    IF item.operation = 'move' AND (item.reference ->> 'copied')::boolean AND NOT item.reference ->> 'remove' = ANY (removals) THEN
                        removals := (item.reference ->> 'remove') || removals;
                    END IF;
                END LOOP;
                CONTINUE;
            END IF;
            late := late || coalesce(part.late, '{}');
            CASE part.operation
            WHEN 'move' THEN
                IF (part.reference ->> 'copied')::boolean THEN
                    statement := crm.kept_undo_statement('copy', target, part.relation, 'move', part.column_name, part.changed);
                    removals := (part.reference ->> 'remove') || removals;
                ELSE
                    statement := crm.kept_undo_statement('place', target, part.relation, 'move', part.column_name, part.changed);
                END IF;
                report := report || coalesce(crm.run_kept(statement, m.survivor_id, m.id, part.first_entry, part.last_entry), '[]');
            WHEN 'add' THEN
                report := report || coalesce(crm.run_kept(crm.kept_undo_statement('delete', target, part.relation, 'add', part.column_name, '{}'),
                                                          m.survivor_id, m.id, part.first_entry, part.last_entry), '[]');
            WHEN 'drop' THEN
                IF part.own_drops IS NOT NULL THEN
                    report := report || crm.undrop_rows(target, m.survivor_id, m.id, part.own_drops, gone, part.column_name);
                END IF;
            ELSE NULL;
            END CASE;
        END LOOP;
        -- The survivor's copies, children before parents.
        FOREACH statement IN ARRAY removals LOOP
            PERFORM crm.run_kept(statement, m.survivor_id, m.id, gone);
        END LOOP;
        -- Rows of the survivor that were dropped, and what referred to dropped rows.
        IF late <> '{}' THEN
            FOR part IN
                SELECT j.entry, j.relation, j.operation, j.column_name, ARRAY(SELECT k FROM jsonb_object_keys(j.row_after) k ORDER BY k) AS changed
                FROM crm.merge_journal j WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.entry = ANY (late) ORDER BY j.entry DESC
            LOOP
                target := crm.relation_of(part.relation);
                IF part.operation = 'drop' THEN
                    report := report || crm.undrop_rows(target, m.survivor_id, m.id, ARRAY[part.entry]);
                ELSE
                    report := report || coalesce(crm.run_kept(crm.kept_undo_statement('place', target, part.relation, 'relink', part.column_name, part.changed),
                                                              m.survivor_id, m.id, part.entry, part.entry), '[]');
                END IF;
            END LOOP;
        END IF;
        -- The merged ones themselves, backwards; the absorbed live again, and have
        -- their keys again, when nothing of theirs is with the survivor any more.
        FOR part IN
            SELECT j.operation, j.column_name, min(j.entry) AS first_entry, max(j.entry) AS last_entry,
                   array_agg(DISTINCT k.key ORDER BY k.key) FILTER (WHERE k.value IS DISTINCT FROM j.row_before -> k.key) AS changed
            FROM crm.merge_journal j CROSS JOIN jsonb_each(j.row_after) k
            WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.relation = m.entity AND j.operation IN ('absorb', 'fill', 'move')
            GROUP BY j.operation, j.column_name ORDER BY min(j.entry) DESC
        LOOP
            statement := crm.kept_undo_statement('place', format('crm.%I', m.entity)::regclass, m.entity, part.operation, part.column_name, part.changed);
            report := report || coalesce(crm.run_kept(statement, m.survivor_id, m.id, part.first_entry, part.last_entry), '[]');
        END LOOP;
    END LOOP;

    -- What was not as the merge left it.
    conflicts := 0;
    IF report <> '[]' THEN
        -- Another merge may have had the same rows in hand since, from another side.
        SELECT l.* INTO later
        FROM crm.merge l JOIN crm.merge_journal b ON b.survivor_id = l.survivor_id AND b.merge_id = l.id
        WHERE l.id > m.id AND l.undone_at IS NULL AND EXISTS (
            SELECT FROM jsonb_array_elements(report) r
            JOIN crm.merge_journal a ON a.survivor_id = m.survivor_id AND a.merge_id = m.id AND a.entry = (r.value ->> 'entry')::integer
            WHERE r.value ->> 'what' <> 'differs' AND a.relation = b.relation AND b.row_before || CASE b.operation WHEN 'fill' THEN jsonb_build_object('id', b.survivor_id::text) ELSE '{}' END @> (
                SELECT jsonb_object_agg(k.attname, (a.row_before || coalesce(a.row_after, '{}')) -> k.attname)
                FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                WHERE i.indrelid = crm.relation_of(a.relation) AND i.indisprimary))
        ORDER BY l.id DESC LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'merge % cannot be undone before merge %', m.id, later.id
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = format('Merge %s of %s %s into %s changed rows that this one had changed.', later.id, later.entity, array_to_string(later.absorbed_ids, ', '), later.survivor_id),
                      HINT = format('Undo it first: SELECT * FROM crm.unmerge(%s).', later.id);
        END IF;
        FOR item IN
            SELECT r.value AS fact, j.relation, j.operation, j.row_before, j.row_before || coalesce(j.row_after, '{}') AS row_then
            FROM jsonb_array_elements(report) r
            LEFT JOIN crm.merge_journal j ON j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.entry = (r.value ->> 'entry')::integer
            ORDER BY j.entry
        LOOP
            conflicts := conflicts + 1;
            CONTINUE WHEN item.relation IS NULL;
            target := crm.relation_of(item.relation);
            fact := item.fact;
            relation := item.relation;
            what := fact ->> 'what';
            key := CASE WHEN item.operation = 'fill' THEN jsonb_build_object('id', m.survivor_id::text) ELSE coalesce((
                SELECT jsonb_object_agg(k.attname, item.row_before -> k.attname) FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                WHERE i.indrelid = target AND i.indisprimary), item.row_before) END;
            detail := CASE what
                WHEN 'changed' THEN format('changed since the merge: %s', (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(fact -> 'columns') c))
                WHEN 'removed' THEN 'removed since the merge'
                WHEN 'occupied' THEN coalesce('another row is in its place: constraint ' || (fact ->> 'constraint'), 'another row is in its place')
                WHEN 'differs' THEN 'a trigger did not let it be as it was' END;
            IF what = 'differs' THEN
                conflicts := conflicts - 1;
            ELSIF policy = 'restore' AND what IN ('changed', 'removed') THEN
                detail := detail || '; restored';
                IF item.operation = 'add' THEN
                    detail := replace(detail, '; restored', '');
                ELSIF what = 'changed' THEN
                    PERFORM crm.restore_row(target, fact, item.row_before);
                ELSIF crm.undrop_rows(target, m.survivor_id, m.id, ARRAY[(fact ->> 'entry')::integer]) <> '[]' THEN
                    what := 'occupied';
                    detail := 'removed since the merge; another row is in its place';
                END IF;
            ELSIF policy = 'keep' AND what = 'changed' THEN
                detail := detail || '; kept';
            END IF;
            RETURN NEXT;
        END LOOP;
        IF policy = 'abort' AND conflicts > 0 THEN
            RAISE EXCEPTION 'merge % cannot be undone: % rows are not as it left them', m.id, conflicts
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = (SELECT string_agg(format('%s %s: %s%s', coalesce(j.relation, r.value ->> 'relation'),
                                        coalesce((SELECT string_agg(k.attname || ' ' || coalesce((j.row_before || coalesce(j.row_after, '{}')) ->> k.attname, m.survivor_id::text), ', ' ORDER BY k.attnum)
                                         FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                                         WHERE i.indrelid = crm.relation_of(j.relation) AND i.indisprimary), j.row_before::text, ''),
                                        r.value ->> 'what', coalesce(' (' || (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(nullif(r.value -> 'columns', 'null')) c) || ')', '')), '; ' ORDER BY r.ordinality)
                                FROM jsonb_array_elements(report) WITH ORDINALITY r
                                LEFT JOIN crm.merge_journal j ON j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.entry = (r.value ->> 'entry')::integer
                                WHERE r.ordinality <= 20 AND r.value ->> 'what' <> 'differs'),
                      HINT = 'Policy keep leaves what was changed since as it is, restore overwrites it with what it was before the merge.';
        END IF;
    END IF;

    -- Who was parted is not one, and is not offered again.
    IF reject THEN
        EXECUTE format('INSERT INTO %1$s AS d (%2$I, duplicate_id, status, strength, method, decided_at, decided_by)
            SELECT least($1, a), greatest($1, a), ''rejected'', 0, ''person'', now(), crm.current_actor() FROM unnest($2) a
            ON CONFLICT (%2$I, duplicate_id) DO UPDATE SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by',
            CASE m.entity WHEN 'contact' THEN 'crm.duplicate_pair' ELSE 'crm.company_duplicate_pair' END, m.entity || '_id')
        USING m.survivor_id, m.absorbed_ids;
    END IF;
    -- What came to the survivor since stays there.
    made := crm.run_kept(plan ->> 'since', m.survivor_id, m.id);
    IF made IS NOT NULL THEN
        RETURN QUERY SELECT k.value ->> 'name', k.value -> 'key', 'stays', format('came or was written since the merge; stays with %s %s', m.entity, m.survivor_id)
        FROM jsonb_array_elements(made) k;
    END IF;
    RETURN;
END
$$;
COMMENT ON FUNCTION crm.unmerge(bigint, text, boolean) IS 'Undoes a merge of contacts or companies: every row is again as it was before, to the byte, with its updated_at. Gives what is not: what = changed, removed or occupied (since the merge; policy abort raises instead and leaves everything, keep leaves what was changed as it is and puts the rest back, restore overwrites it), differs (a trigger of yours interfered), stays (a row made since, which stays with the survivor). With reject the pair is never offered as duplicates again. Errors: P0002 no such merge; 55000 it was undone already, a later merge builds upon it, or rows were changed; 22023 unknown policy; 23505 an account belongs to another by now; 42501 no right to a table.';

/* Overwrites a row that was changed since the merge, wherever it is now. */
CREATE FUNCTION crm.restore_row(relation regclass, fact jsonb, texts jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %1$s t SET %2$s FROM crm.row_restore(NULL::%1$s, $1) r WHERE t.tableoid = $2 AND t.ctid = $3', relation,
        (SELECT string_agg(format('%1$I = CASE WHEN $1 ? %2$L THEN r.%1$I ELSE t.%1$I END', a.attname, a.attname), ', ')
         FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'))
    USING texts, (fact ->> 'part')::bigint::oid, (fact ->> 'place')::tid;
END
$$;
COMMENT ON FUNCTION crm.restore_row(regclass, jsonb, jsonb) IS 'Overwrites the row at a place with the columns that texts names.';
