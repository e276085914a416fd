/* ------------------------------------------------------------------
 * Segments: sets of contacts with a name, by rule, by list or by other
 * segments, kept true as data and time move.
 *
 * A refresh takes what changed from the queue, asks the rules concerned of
 * these contacts only, and writes who entered and left.  It never waits for
 * writers, nor they for it; one refresh runs at a time.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.set_chunks(members crm.contact_set, OUT chunk bigint, OUT members_of_chunk crm.contact_set) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 ROWS 16 AS 'MODULE_PATHNAME', 'crm_segment_set_chunks';
COMMENT ON FUNCTION crm.set_chunks(crm.contact_set) IS 'A set cut into those of 65,536 numbers each: the number divided by 65,536, and the members of it.';

CREATE FUNCTION crm.rule_crossing_sql(rule crm.rule, relation regclass, since timestamptz, until timestamptz, alias text DEFAULT NULL) RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_rule_crossing_sql';
COMMENT ON FUNCTION crm.rule_crossing_sql(crm.rule, regclass, timestamptz, timestamptz, text) IS 'Which rows the rule may judge otherwise at the one moment than at the other merely because time passed, as a condition in SQL; ranges of columns wherever a column is compared with the clock. Others it judges alike; some that are named it judges alike, too. Null when the rule has no clock. Errors: as row @@ rule.';

CREATE FUNCTION crm.queue_for_segments() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_segment_queue';
COMMENT ON FUNCTION crm.queue_for_segments() IS 'Trigger AFTER INSERT, UPDATE or DELETE FOR EACH STATEMENT with its transition tables: notes in crm.segment_queue which contacts a statement changed, for the next refresh of segments. Arguments: what changed; the column with the number; "*" when the columns that differ are the names, a column whose values are, or "table.column" where the contacts with that number are found. Writes with the rights of the table''s owner. Errors: 42703 no such column; 42501 the owner may not write the queue.';

-- ---- members ----

CREATE FUNCTION crm.segment_number(segment text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found bigint := (SELECT s.id FROM crm.segment s WHERE s.name = segment);
BEGIN
    IF found IS NULL THEN
        RAISE EXCEPTION 'there is no segment "%"', segment USING ERRCODE = 'RM031',
            HINT = coalesce((SELECT format('Perhaps you meant "%s".', s.name) FROM crm.segment s
                             WHERE crm.levenshtein(lower(s.name), lower(segment)) <= 2 ORDER BY crm.levenshtein(lower(s.name), lower(segment)), s.name LIMIT 1),
                            'crm.v_segment lists the segments.');
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION crm.segment_number(text) IS 'Number of the segment of that name. Errors: RM031 there is none.';

CREATE FUNCTION crm.segment_set(segment text) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.union_agg(k.members), '{}'::crm.contact_set) FROM crm.segment_chunk k WHERE k.segment_id = crm.segment_number(segment)
$$;
COMMENT ON FUNCTION crm.segment_set(text) IS 'The members of a segment as a set, as of its last refresh. Errors: RM031 no such segment.';

CREATE FUNCTION crm.segment_part(segment_id bigint, contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.union_agg(k.members OPERATOR(crm.&) contacts), '{}'::crm.contact_set)
    FROM crm.segment_chunk k
    WHERE k.segment_id = $1 AND k.chunk = ANY (ARRAY(SELECT c.chunk FROM crm.set_chunks(contacts) c))
$$;
COMMENT ON FUNCTION crm.segment_part(bigint, crm.contact_set) IS 'Those of the given contacts who are members; reads only the chunks that they are in.';

CREATE FUNCTION crm.segment_members(segment text) RETURNS SETOF bigint
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 10000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.id FROM crm.segment_chunk k, crm.members(k.members) AS m (id) WHERE k.segment_id = crm.segment_number(segment)
$$;
COMMENT ON FUNCTION crm.segment_members(text) IS 'The numbers of the members of a segment, as of its last refresh. Errors: RM031 no such segment.';

CREATE FUNCTION crm.in_segment(contact_id bigint, segment text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_in_segment';
COMMENT ON FUNCTION crm.in_segment(bigint, text) IS 'Whether a contact is in a segment, as of its last refresh; false when contact_id is null. A query that asks of many contacts reads the segment once. Errors: RM031 no such segment.';

CREATE FUNCTION crm.contact_segments(contact_id bigint) RETURNS SETOF text
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name FROM crm.segment_chunk k JOIN crm.segment s ON s.id = k.segment_id
    WHERE k.chunk = contact_id >> 16 AND k.members OPERATOR(crm.@>) contact_id ORDER BY s.name
$$;
COMMENT ON FUNCTION crm.contact_segments(bigint) IS 'Names of the segments that hold a contact.';

-- ---- definitions ----

CREATE FUNCTION crm.base_tables(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE used (oid) AS (
        SELECT relation::oid
        UNION
        SELECT d.refobjid FROM used u JOIN pg_rewrite w ON w.ev_class = u.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    )
    SELECT c.oid::regclass FROM used u JOIN pg_class c ON c.oid = u.oid WHERE c.relkind <> 'v'
$$;
COMMENT ON FUNCTION crm.base_tables(regclass) IS 'The tables that a view reads, also through other views; of a table itself.';

CREATE FUNCTION crm.rule_sources(rule crm.rule, OUT source text, OUT name text) RETURNS SETOF record
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    WITH asked AS (
        SELECT d.kind, d.name,
               CASE
                   WHEN d.kind <> 'field' THEN d.kind
                   WHEN d.name IN ('email', 'email_validity', 'phone', 'phone_validity') THEN 'contact_point'
                   WHEN d.name LIKE 'company%' THEN 'company'
                   WHEN d.name = 'branch' THEN 'branch'
                   WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact_metric'::regclass AND a.attname = d.name AND a.attnum > 0
                                AND a.attname NOT IN ('contact_id', 'updated_at')) THEN 'metric'
                   WHEN d.name = 'contact_id' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = d.name AND a.attnum > 0) THEN 'contact'
               END AS source
        FROM crm.rule_dependencies(rule) d
    )
    SELECT d.source, d.name FROM asked d WHERE d.source IN ('tag', 'segment') OR (d.kind = 'field' AND d.source IS NOT NULL)
    -- The time zone may be that of the branch.
    UNION SELECT 'branch', d.name FROM asked d WHERE d.kind = 'field' AND d.name = 'time_zone'
    -- A contact may get another branch.
    UNION SELECT 'contact', 'branch_id' FROM asked d WHERE d.kind = 'field' AND d.name IN ('branch', 'time_zone')
    UNION SELECT t::text, d.name FROM asked d, crm.base_tables(coalesce((SELECT e.relation FROM crm.event_kind e WHERE e.event = d.name), 'crm.activity')::regclass) t
    WHERE d.kind = 'event'
    -- A column that somebody added to the view may come from anywhere.
    UNION SELECT coalesce(k.source, t::text), '*'
    FROM crm.base_tables('crm.contact_profile') t
    LEFT JOIN (VALUES ('crm.contact', 'contact'), ('crm.contact_point', 'contact_point'), ('crm.company', 'company'), ('crm.company_contact', 'company'),
                      ('crm.branch', 'branch'), ('crm.contact_metric', 'metric'), ('crm.tag', 'tag')) k (relation, source) ON k.relation::regclass = t
    WHERE EXISTS (SELECT FROM asked d WHERE d.kind = 'field' AND d.source IS NULL)
$$;
COMMENT ON FUNCTION crm.rule_sources(crm.rule) IS 'Which tables a rule on crm.contact_profile looks at, and which of their columns, tags or segments; * for any.';

CREATE FUNCTION crm.expression_rule(expression text) RETURNS crm.rule
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    token record;
    words text[] := '{}';       -- of the rule that it becomes
    wants_name boolean := true;
    depth integer := 0;
BEGIN
    -- Names are words or quoted; & binds closer than | and -, as it reads.
    FOR token IN
        SELECT m[1] AS space, m[2] AS text, sum(length(m[1] || m[2])) OVER (ORDER BY n) - length(m[2]) + 1 AS at
        FROM regexp_matches(expression, '(\s*)("(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_$]*|\S)', 'g') WITH ORDINALITY r (m, n)
    LOOP
        IF token.text = '(' AND wants_name THEN
            words := words || '('::text;
            depth := depth + 1;
        ELSIF token.text = ')' AND NOT wants_name AND depth > 0 THEN
            words := words || ')'::text;
            depth := depth - 1;
        ELSIF token.text IN ('&', '|', '-') AND NOT wants_name THEN
            words := words || CASE token.text WHEN '&' THEN 'and' WHEN '|' THEN 'or' ELSE 'and not' END;
            wants_name := true;
        ELSIF token.text ~ '^("|[[:alpha:]_])' AND wants_name THEN
            words := words || format('in_segment(%L)', CASE WHEN token.text LIKE '"%' THEN replace(substr(token.text, 2, length(token.text) - 2), '""', '"') ELSE token.text END);
            wants_name := false;
        ELSE
            RAISE EXCEPTION 'syntax error in the expression over segments, at "%", character %', token.text, token.at
                USING ERRCODE = 'syntax_error', DETAIL = format('Expression: %s', expression),
                      HINT = 'Names of segments with & (and), | (or), - (without) and parentheses; a name with other characters in double quotes.';
        END IF;
    END LOOP;
    IF wants_name OR depth > 0 THEN
        RAISE EXCEPTION 'the expression over segments ends too early' USING ERRCODE = 'syntax_error',
            DETAIL = format('Expression: %s', expression),
            HINT = 'Names of segments with & (and), | (or), - (without) and parentheses.';
    END IF;
    RETURN array_to_string(words, ' ')::crm.rule;
END
$$;
COMMENT ON FUNCTION crm.expression_rule(text) IS 'An expression over segments, such as loyal & big - blocked, as a rule. & and - bind closer than |, from left to right. Errors: 42601 with the place.';

-- Level, dependencies and kind of a segment after its rule was written.
CREATE FUNCTION crm.derive_segment(segment_id bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed crm.segment := (SELECT s FROM crm.segment s WHERE s.id = segment_id);
    problem record;
    cycle text;
BEGIN
    DELETE FROM crm.segment_dependency d WHERE d.segment_id = changed.id;
    IF changed.kind = 'static' THEN
        RETURN;
    END IF;
    FOR problem IN SELECT * FROM crm.rule_check(changed.rule, 'crm.contact_profile') LOOP
        RAISE EXCEPTION 'the rule of segment "%" does not fit: %', changed.name, problem.message
            USING ERRCODE = problem.code, DETAIL = format('Condition: %s', problem.condition), HINT = coalesce(problem.hint, 'Fields are the columns of crm.contact_profile; texts stand in single quotes, intervals as interval ''90 days''.');
    END LOOP;
    INSERT INTO crm.segment_dependency (segment_id, source, name)
    SELECT changed.id, r.source, r.name FROM crm.rule_sources(changed.rule) r;
    -- None that it asks for may ask for it.
    WITH RECURSIVE asked (id, path) AS (
        SELECT s.id, ARRAY[changed.name, s.name]
        FROM crm.segment_dependency d JOIN crm.segment s ON s.name = d.name WHERE d.segment_id = changed.id AND d.source = 'segment'
        UNION ALL
        SELECT s.id, a.path || s.name
        FROM asked a JOIN crm.segment_dependency d ON d.segment_id = a.id AND d.source = 'segment' JOIN crm.segment s ON s.name = d.name
        WHERE a.id <> changed.id
    )
    SELECT array_to_string(a.path, ' -> ') INTO cycle FROM asked a WHERE a.id = changed.id LIMIT 1;
    IF cycle IS NOT NULL THEN
        RAISE EXCEPTION 'segment "%" would ask for itself', changed.name USING ERRCODE = 'RM033',
            DETAIL = format('%s.', cycle), HINT = 'Segments may ask for each other, but not in a circle.';
    END IF;
    UPDATE crm.segment s SET has_clock = crm.rule_crossing_sql(s.rule, 'crm.contact_profile', 'epoch', 'epoch') IS NOT NULL
    WHERE s.id = changed.id;
    -- It and those above it.
    WITH RECURSIVE below (top, id, depth) AS (
        SELECT s.id, s.id, 0 FROM crm.segment s
        UNION
        SELECT b.top, s.id, b.depth + 1
        FROM below b JOIN crm.segment_dependency d ON d.segment_id = b.id AND d.source = 'segment' JOIN crm.segment s ON s.name = d.name
    ), level AS (SELECT b.top AS id, max(b.depth) AS level FROM below b GROUP BY b.top)
    UPDATE crm.segment s SET level = l.level FROM level l WHERE l.id = s.id AND s.level <> l.level;
END
$$;
COMMENT ON FUNCTION crm.derive_segment(bigint) IS 'Derives what a segment depends on after its rule was written. Errors: 42703 the rule has a field that contacts lack; RM031 it asks for a segment that is not there; RM033 it would ask for itself.';

CREATE FUNCTION crm.segment_rule(kind text, definition text) RETURNS crm.rule
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    -- One that asks for segments alone may have been written either way.
    SELECT CASE WHEN kind = 'composed' AND definition !~ '\min_segment\s*\(' THEN crm.expression_rule(definition)
                WHEN kind <> 'static' THEN definition::crm.rule END
$$;
COMMENT ON FUNCTION crm.segment_rule(text, text) IS 'The rule that the definition of a segment says; null of a list. Errors: 42601.';

CREATE FUNCTION crm.derive_segment_rule() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    secret text;                -- what it asks for that the writer may not read
BEGIN
    NEW.rule := crm.segment_rule(NEW.kind, NEW.definition);
    -- The job refreshes with rights of its own: the writer must have them, too.
    IF TG_OP = 'INSERT' OR NEW.definition IS DISTINCT FROM OLD.definition THEN
        SELECT string_agg(DISTINCT r.relation, ', ') INTO secret
        FROM (SELECT coalesce((SELECT e.relation FROM crm.event_kind e WHERE e.event = d.name), 'crm.activity') AS relation
              FROM crm.rule_dependencies(NEW.rule) d WHERE d.kind = 'event'
              UNION ALL SELECT 'crm.contact_profile' WHERE NEW.kind = 'dynamic') r
        WHERE NOT coalesce(has_table_privilege(to_regclass(r.relation), 'SELECT'), true);
        IF secret IS NOT NULL THEN
            RAISE EXCEPTION 'permission denied for %', secret USING ERRCODE = 'insufficient_privilege',
                DETAIL = format('The rule of segment "%s" asks for it.', NEW.name);
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.kind, NEW.definition) IS DISTINCT FROM (OLD.kind, OLD.definition) THEN
        NEW.needs_full := true;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.derive_segment_rule() IS 'Trigger of crm.segment: reads the definition into column rule, whatever was written there. Errors: 42601; 42501 it asks for what the writer may not read.';

CREATE FUNCTION crm.events_changed() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    concerned bigint[] := ARRAY(
        SELECT s.id FROM crm.segment s
        WHERE EXISTS (SELECT FROM crm.rule_dependencies(s.rule) d
                      WHERE d.kind = 'event' AND d.name IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.event END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.event END)));
BEGIN
    IF concerned <> '{}' THEN
        DELETE FROM crm.segment_dependency d WHERE d.segment_id = ANY (concerned) AND strpos(d.source, '.') > 0;
        INSERT INTO crm.segment_dependency (segment_id, source, name)
        SELECT s.id, r.source, r.name FROM crm.segment s CROSS JOIN LATERAL crm.rule_sources(s.rule) r
        WHERE s.id = ANY (concerned) AND strpos(r.source, '.') > 0
        ON CONFLICT DO NOTHING;
        UPDATE crm.segment s SET needs_full = true WHERE s.id = ANY (concerned);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.events_changed() IS 'Trigger of crm.event_kind: segments that count the event look at its new table, and are refreshed from all contacts.';

-- What the caller said a segment is, as columns of it.
CREATE FUNCTION crm.segment_definition(rule crm.rule, members crm.contact_set, expression text,
    OUT kind text, OUT definition text, OUT derived crm.rule)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF num_nonnulls(rule, members, expression) <> 1 THEN
        RAISE EXCEPTION 'a segment is made by a rule, by members or by an expression over segments' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('%s of them were given.', num_nonnulls(rule, members, expression)), HINT = 'Give one of rule, members and expression.';
    END IF;
    IF members IS NOT NULL THEN
        kind := 'static';
    ELSIF expression IS NOT NULL THEN
        kind := 'composed';
        definition := expression;
        derived := crm.expression_rule(expression);
    ELSE
        definition := rule::text;
        derived := rule;
        kind := CASE WHEN EXISTS (SELECT FROM crm.rule_dependencies(rule) d WHERE d.kind <> 'segment') OR NOT EXISTS (SELECT FROM crm.rule_dependencies(rule))
                     THEN 'dynamic' ELSE 'composed' END;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.segment_definition(crm.rule, crm.contact_set, text) IS 'What kind of segment a rule, a list of members or an expression makes. Errors: 22023 not one of them; 42601 the expression.';

CREATE FUNCTION crm.create_segment(name text, rule crm.rule DEFAULT NULL, members crm.contact_set DEFAULT NULL, expression text DEFAULT NULL,
    description text DEFAULT NULL, emits_events boolean DEFAULT false, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made record;
    said record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    SELECT * INTO said FROM crm.segment_definition(rule, members, expression);
    INSERT INTO crm.segment AS s (name, kind, definition, rule, description, emits_events)
    VALUES (btrim($1), said.kind, said.definition, said.derived, $5, $6)
    ON CONFLICT ON CONSTRAINT segment_name_key DO NOTHING
    RETURNING s.* INTO made;
    IF made.id IS NULL THEN
        RAISE EXCEPTION 'there is a segment "%" already', btrim(name) USING ERRCODE = 'duplicate_object',
            HINT = 'crm.change_segment() changes it.';
    END IF;
    PERFORM crm.derive_segment(made.id);
    IF said.kind = 'static' THEN
        PERFORM crm.change_list(made.id, members, '{}');
    END IF;
    PERFORM crm.refresh_whole_segment(made.id, as_of, CASE said.kind WHEN 'static' THEN 'members' ELSE 'definition' END);
    RETURN made.id;
END
$$;
COMMENT ON FUNCTION crm.create_segment(text, crm.rule, crm.contact_set, text, text, boolean, timestamptz) IS 'Makes a segment: of the contacts for which a rule on crm.contact_profile holds, of members given, or by an expression over other segments (loyal & big - blocked). Its members are there at once. With emits_events who enters and leaves later is told to the outbox. Returns its number. Errors: 42710 the name is taken; 22023 not one of rule, members and expression; 42601 syntax; 42703 unknown field; RM031 unknown segment; RM033 a circle.';

CREATE FUNCTION crm.change_segment(segment text, rule crm.rule DEFAULT NULL, members crm.contact_set DEFAULT NULL, expression text DEFAULT NULL,
    as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
    said record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.segment_number(segment);
    SELECT * INTO said FROM crm.segment_definition(rule, members, expression);
    UPDATE crm.segment s SET kind = said.kind, definition = said.definition, rule = said.derived, error = NULL WHERE s.id = target;
    PERFORM crm.derive_segment(target);
    DELETE FROM crm.segment_list l WHERE l.segment_id = target;
    IF said.kind = 'static' THEN
        PERFORM crm.change_list(target, members, '{}');
    END IF;
    PERFORM crm.refresh_whole_segment(target, as_of, CASE said.kind WHEN 'static' THEN 'members' ELSE 'definition' END);
    -- Those that ask for it are brought up to date by the next refresh.
    UPDATE crm.segment s SET needs_full = true
    WHERE s.id IN (SELECT d.segment_id FROM crm.segment_dependency d WHERE d.source = 'segment' AND d.name = segment);
    RETURN target;
END
$$;
COMMENT ON FUNCTION crm.change_segment(text, crm.rule, crm.contact_set, text, timestamptz) IS 'Gives a segment another rule, other members or another expression; who enters and leaves by that goes to its history. Errors: RM031 no such segment; and those of crm.create_segment().';

-- Who is on a list, and who stands for whom.

CREATE FUNCTION crm.change_list(segment_id bigint, added crm.contact_set, removed crm.contact_set) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    WITH part AS (
        SELECT a.chunk, a.members_of_chunk AS added, NULL::crm.contact_set AS removed FROM crm.set_chunks(added) a
        UNION ALL
        SELECT r.chunk, NULL, r.members_of_chunk FROM crm.set_chunks(removed) r
    ), changed AS (
        SELECT p.chunk, (coalesce(crm.from_roaring(l.contacts), '{}'::crm.contact_set) OPERATOR(crm.|) coalesce(p.added, '{}'::crm.contact_set))
                        OPERATOR(crm.-) coalesce(p.removed, '{}'::crm.contact_set) AS contacts
        FROM (SELECT p.chunk, crm.union_agg(p.added) AS added, crm.union_agg(p.removed) AS removed FROM part p GROUP BY p.chunk) p
        LEFT JOIN crm.segment_list l ON l.segment_id = $1 AND l.chunk = p.chunk
    ), emptied AS (
        DELETE FROM crm.segment_list l USING changed c WHERE l.segment_id = $1 AND l.chunk = c.chunk AND crm.is_empty(c.contacts)
    )
    INSERT INTO crm.segment_list (segment_id, chunk, contacts)
    SELECT $1, c.chunk, crm.to_roaring(c.contacts) FROM changed c WHERE NOT crm.is_empty(c.contacts)
    ON CONFLICT ON CONSTRAINT segment_list_pkey DO UPDATE SET contacts = excluded.contacts
$$;
COMMENT ON FUNCTION crm.change_list(bigint, crm.contact_set, crm.contact_set) IS 'Adds contacts to the list of a static segment and removes others; who is a member by that is another question, see crm.evaluate_list().';

CREATE FUNCTION crm.evaluate_list(segment_id bigint, contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids CONSTANT bigint[] := crm.member_array(contacts);
    listed crm.contact_set;
BEGIN
    IF contacts IS NULL THEN
        RETURN coalesce((SELECT crm.contact_set_agg(p.contact_id)
                         FROM crm.segment_list l CROSS JOIN LATERAL crm.members(crm.from_roaring(l.contacts)) AS m (id)
                         JOIN crm.contact c ON c.id = m.id
                         JOIN crm.contact_profile p ON p.contact_id = coalesce(c.merged_into, c.id)
                         WHERE l.segment_id = $1), '{}');
    END IF;
    SELECT crm.union_agg(crm.from_roaring(l.contacts)) INTO listed
    FROM crm.segment_list l
    WHERE l.segment_id = $1 AND l.chunk IN (
        SELECT i >> 16 FROM unnest(ids) i
        UNION SELECT a.id >> 16 FROM crm.contact a WHERE a.merged_into = ANY (ids));
    IF listed IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN coalesce((SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p
                     WHERE p.contact_id = ANY (ids)
                       AND (listed OPERATOR(crm.@>) p.contact_id
                            OR EXISTS (SELECT FROM crm.contact a WHERE a.merged_into = p.contact_id AND listed OPERATOR(crm.@>) a.id))), '{}');
END
$$;
COMMENT ON FUNCTION crm.evaluate_list(bigint, crm.contact_set) IS 'The members of a static segment, of some contacts only unless these are null: those of its list who live, and for an absorbed one the contact that stands for it.';

CREATE FUNCTION crm.apply_list(segment text, segment_id bigint, contacts crm.contact_set, as_of timestamptz,
    OUT entered crm.contact_set, OUT departed crm.contact_set)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    members crm.contact_set;
    before crm.contact_set;
BEGIN
    contacts := contacts OPERATOR(crm.|) coalesce((SELECT crm.contact_set_agg(c.merged_into) FROM crm.contact c
                                                   WHERE c.id = ANY (crm.member_array(contacts)) AND c.merged_into IS NOT NULL), '{}');
    members := crm.evaluate_list(segment_id, contacts);
    before := crm.segment_part(segment_id, contacts);
    entered := members OPERATOR(crm.-) before;
    departed := before OPERATOR(crm.-) members;
    PERFORM crm.apply_segment_changes(ARRAY[segment_id], ARRAY[entered], ARRAY[departed], ARRAY['members'], as_of);
    PERFORM crm.queue_segment_change(segment, entered OPERATOR(crm.|) departed);
    UPDATE crm.segment s SET needs_full = true WHERE s.id = segment_id AND crm.is_behind();
END
$$;
COMMENT ON FUNCTION crm.apply_list(text, bigint, crm.contact_set, timestamptz) IS 'Makes some contacts members of a static segment, or no more, as its list says; part of crm.add_members() and crm.remove_members().';

CREATE FUNCTION crm.add_members(segment text, contacts crm.contact_set, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.static_segment(segment);
    PERFORM crm.require_whole_sight();
    PERFORM crm.change_list(target, contacts, '{}');
    RETURN (SELECT crm.cardinality(c.entered) FROM crm.apply_list(segment, target, contacts, as_of) c);
END
$$;
COMMENT ON FUNCTION crm.add_members(text, crm.contact_set, timestamptz) IS 'Adds contacts to a static segment; returns how many became members: not those who were, and those who are deleted or archived only when they come back. For an absorbed contact the one that stands for it becomes a member. Errors: RM031 no such segment; 42809 it is not static.';

CREATE FUNCTION crm.remove_members(segment text, contacts crm.contact_set, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.static_segment(segment);
    PERFORM crm.require_whole_sight();
    -- With those for whom they stand.
    PERFORM crm.change_list(target, '{}', contacts OPERATOR(crm.|) coalesce(
        (SELECT crm.contact_set_agg(c.id) FROM crm.contact c WHERE c.merged_into = ANY (crm.member_array(contacts))), '{}'));
    RETURN (SELECT crm.cardinality(c.departed) FROM crm.apply_list(segment, target, contacts, as_of) c);
END
$$;
COMMENT ON FUNCTION crm.remove_members(text, crm.contact_set, timestamptz) IS 'Takes contacts out of a static segment, with those absorbed by them; returns how many were members. Errors: RM031 no such segment; 42809 it is not static.';

CREATE FUNCTION crm.static_segment(segment text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint := crm.segment_number(segment);
BEGIN
    IF (SELECT s.kind FROM crm.segment s WHERE s.id = target) <> 'static' THEN
        RAISE EXCEPTION 'segment "%" has no list of members', segment USING ERRCODE = 'wrong_object_type',
            DETAIL = format('Its members are those for whom %s.', (SELECT s.definition FROM crm.segment s WHERE s.id = target)),
            HINT = 'Change its rule, or make a static segment and combine the two: crm.create_segment(name, expression => ''a | b'').';
    END IF;
    RETURN target;
END
$$;
COMMENT ON FUNCTION crm.static_segment(text) IS 'Number of the static segment of that name. Errors: RM031 none; 42809 it is not static.';

CREATE FUNCTION crm.require_unused_segment(segment text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target CONSTANT bigint := crm.segment_number(segment);
    users text;
BEGIN
    SELECT string_agg(u.what || format(' "%s"', u.name), ', ' ORDER BY u.what, u.name) INTO users
    FROM (SELECT 'segment' AS what, s.name FROM crm.segment_dependency d JOIN crm.segment s ON s.id = d.segment_id WHERE d.source = 'segment' AND d.name = segment
          UNION ALL SELECT 'incentive', i.name FROM crm.incentive i WHERE EXISTS (SELECT FROM crm.rule_dependencies(i.rule) d WHERE d.kind = 'segment' AND d.name = segment)
          UNION ALL SELECT 'archive rule', a.name FROM crm.archive_rule a WHERE EXISTS (SELECT FROM crm.rule_dependencies(a.rule) d WHERE d.kind = 'segment' AND d.name = segment)) u;
    IF users IS NOT NULL THEN
        RAISE EXCEPTION 'segment "%" is asked for by others', segment USING ERRCODE = 'dependent_objects_still_exist',
            DETAIL = format('By its name: %s.', users), HINT = 'Change or drop these first.';
    END IF;
    RETURN target;
END
$$;
COMMENT ON FUNCTION crm.require_unused_segment(text) IS 'Number of the segment of that name. Errors: RM031 there is none; 2BP01 the rule of a segment, incentive or archive rule asks for it.';

CREATE FUNCTION crm.drop_segment(segment text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.lock_segments();
    DELETE FROM crm.segment s WHERE s.id = crm.require_unused_segment(segment);
END
$$;
COMMENT ON FUNCTION crm.drop_segment(text) IS 'Removes a segment with its history. Errors: RM031 no such segment; 2BP01 others ask for it by its name.';

CREATE FUNCTION crm.rename_segment(segment text, new_name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
BEGIN
    PERFORM crm.lock_segments();
    target := crm.require_unused_segment(segment);
    IF EXISTS (SELECT FROM crm.segment s WHERE s.name = btrim(new_name)) THEN
        RAISE EXCEPTION 'there is a segment "%" already', btrim(new_name) USING ERRCODE = 'duplicate_object', HINT = 'Choose another name.';
    END IF;
    UPDATE crm.segment s SET name = btrim(new_name) WHERE s.id = target;
END
$$;
COMMENT ON FUNCTION crm.rename_segment(text, text) IS 'Gives a segment another name. Errors: RM031 no such segment; 42710 the name is taken; 2BP01 others ask for it by its name.';

-- ---- refreshing ----

CREATE FUNCTION crm.table_tree(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tree (oid) AS (
        SELECT relation::oid
        UNION SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
    )
    SELECT t.oid::regclass FROM tree t
$$;
COMMENT ON FUNCTION crm.table_tree(regclass) IS 'A table with its partitions or children.';

CREATE FUNCTION crm.is_watched(relation text) RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    -- A statement that names a partition fires its triggers, not those of the whole.
    SELECT bool_and((SELECT count(*) >= 3 FROM pg_trigger t
                     WHERE t.tgrelid = r AND t.tgfoid = 'crm.queue_for_segments()'::regprocedure AND t.tgenabled IN ('O', 'A')))
    FROM crm.table_tree(to_regclass(relation)) r
$$;
COMMENT ON FUNCTION crm.is_watched(text) IS 'Whether a table, with all its partitions, has the triggers by which segments learn of changed contacts. Segments whose rules look at one without are refreshed from all contacts each time.';

CREATE FUNCTION crm.lock_segments(wait boolean DEFAULT true) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF wait THEN
        PERFORM pg_advisory_xact_lock(hashtext('crm.segment'), 0);
        RETURN true;
    END IF;
    RETURN pg_try_advisory_xact_lock(hashtext('crm.segment'), 0);
END
$$;
COMMENT ON FUNCTION crm.lock_segments(boolean) IS 'Takes the lock under which segments are changed and refreshed, until the end of the transaction; without waiting it says whether it got it. Nothing else takes this lock.';

CREATE FUNCTION crm.is_behind() RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
    -- A sequence tells what has happened, a table what this transaction sees of it.
    SELECT current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted')
       AND coalesce(pg_sequence_last_value('crm.segment_refresh_id_seq'), 0) > (SELECT coalesce(max(r.id), 0) FROM crm.segment_refresh r)
$$;
COMMENT ON FUNCTION crm.is_behind() IS 'Whether segments were refreshed, or it was tried, since this transaction of isolation repeatable read or serializable took its snapshot: it does not see what the refresh took from the queue.';

CREATE FUNCTION crm.queue_segment_change(segment text, contacts crm.contact_set) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO crm.segment_queue (source, names, contacts)
    SELECT 'segment', ARRAY[segment], crm.to_roaring(contacts) WHERE NOT crm.is_empty(contacts)
$$;
COMMENT ON FUNCTION crm.queue_segment_change(text, crm.contact_set) IS 'Notes that contacts entered or left a segment, for those that ask for it.';

-- Writes who entered and left segments; the caller has the lock.  Sets of one
-- place belong together; those who already are what they become may be among them.
CREATE FUNCTION crm.apply_segment_changes(segment_ids bigint[], entered crm.contact_set[], departed crm.contact_set[], causes text[], as_of timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this_refresh bigint;
    most CONSTANT bigint := 10000;
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(entered, departed) AS c (entered, departed) WHERE NOT crm.is_empty(c.entered) OR NOT crm.is_empty(c.departed)) THEN
        RETURN;
    END IF;
    this_refresh := nextval('crm.segment_refresh_seq');
    -- A subscriber that took over may have a sequence that is behind.
    SELECT greatest(this_refresh, max(n.number)) INTO this_refresh
    FROM crm.segment s CROSS JOIN LATERAL (SELECT nextval('crm.segment_refresh_seq') AS number FROM generate_series(this_refresh, s.version)) n
    WHERE s.version = (SELECT max(m.version) FROM crm.segment m);
    WITH change AS (
        SELECT * FROM unnest(segment_ids, entered, departed) AS c (segment_id, entered, departed)
    ), part AS (
        SELECT c.segment_id, e.chunk, e.members_of_chunk AS entered, NULL::crm.contact_set AS departed FROM change c, crm.set_chunks(c.entered) e
        UNION ALL
        SELECT c.segment_id, d.chunk, NULL, d.members_of_chunk FROM change c, crm.set_chunks(c.departed) d
    ), chunk AS (
        SELECT p.segment_id, p.chunk, coalesce(crm.union_agg(p.entered), '{}'::crm.contact_set) AS entered,
               coalesce(crm.union_agg(p.departed), '{}'::crm.contact_set) AS departed
        FROM part p GROUP BY p.segment_id, p.chunk
    ), changed AS (
        UPDATE crm.segment_chunk k SET members = (coalesce(k.members, '{}'::crm.contact_set) OPERATOR(crm.|) c.entered) OPERATOR(crm.-) c.departed
        FROM chunk c WHERE k.segment_id = c.segment_id AND k.chunk = c.chunk
        RETURNING k.segment_id, k.chunk
    )
    INSERT INTO crm.segment_chunk (segment_id, chunk, members)
    SELECT c.segment_id, c.chunk, c.entered FROM chunk c
    WHERE NOT crm.is_empty(c.entered) AND NOT EXISTS (SELECT FROM changed k WHERE k.segment_id = c.segment_id AND k.chunk = c.chunk);

    DELETE FROM crm.segment_chunk k WHERE k.segment_id = ANY (segment_ids) AND crm.is_empty(k.members);

    INSERT INTO crm.segment_history (contact_id, segment_id, refresh, at, entered, cause)
    SELECT m.id, c.segment_id, this_refresh, as_of, m.entered, c.cause
    FROM unnest(segment_ids, entered, departed, causes) AS c (segment_id, entered, departed, cause),
         LATERAL (SELECT e.id, true FROM crm.members(c.entered) AS e (id)
                  UNION ALL SELECT d.id, false FROM crm.members(c.departed) AS d (id)) AS m (id, entered)
    WHERE crm.cardinality(c.entered) + crm.cardinality(c.departed) <= most
    ORDER BY m.id;
    INSERT INTO crm.segment_fill (segment_id, refresh, at, entered, departed, cause)
    SELECT c.segment_id, this_refresh, as_of, crm.to_roaring(c.entered), crm.to_roaring(c.departed), c.cause
    FROM unnest(segment_ids, entered, departed, causes) AS c (segment_id, entered, departed, cause)
    WHERE crm.cardinality(c.entered) + crm.cardinality(c.departed) > most;

    INSERT INTO crm.outbox (topic, payload)
    SELECT CASE WHEN m.entered THEN 'segment.entered' ELSE 'segment.left' END,
           jsonb_build_object('segment', s.name, 'contact_id', m.id, 'at', as_of, 'cause', c.cause)
    FROM unnest(segment_ids, entered, departed, causes) AS c (segment_id, entered, departed, cause)
    JOIN crm.segment s ON s.id = c.segment_id AND s.emits_events AND c.cause <> 'definition',
         LATERAL (SELECT e.id, true FROM crm.members(c.entered) AS e (id)
                  UNION ALL SELECT d.id, false FROM crm.members(c.departed) AS d (id)) AS m (id, entered);

    UPDATE crm.segment s
    SET version = this_refresh, cardinality = s.cardinality + c.entered - c.departed
    FROM (SELECT u.segment_id, sum(crm.cardinality(u.entered)) AS entered, sum(crm.cardinality(u.departed)) AS departed
          FROM unnest(segment_ids, entered, departed) AS u (segment_id, entered, departed) GROUP BY u.segment_id) c
    WHERE s.id = c.segment_id AND c.entered + c.departed > 0;
END
$$;
COMMENT ON FUNCTION crm.apply_segment_changes(bigint[], crm.contact_set[], crm.contact_set[], text[], timestamptz) IS 'Writes who entered and left segments: members, history, numbers and events. Who enters must not be a member yet, who leaves must be one. Part of crm.refresh_segments().';

CREATE FUNCTION crm.living_contacts(contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(CASE WHEN contacts IS NULL THEN (SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p)
                         ELSE (SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p
                               WHERE p.contact_id = ANY (crm.member_array(contacts))) END, '{}');
END
$$;
COMMENT ON FUNCTION crm.living_contacts(crm.contact_set) IS 'Those of the given contacts, of all when null, that are neither deleted, absorbed nor archived.';

-- A segment whose rule asks for other segments alone, as sets; only among the
-- contacts given, unless that is null.
CREATE FUNCTION crm.evaluate_composed(tree jsonb, contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part jsonb;
    result crm.contact_set;
    without crm.contact_set;
    one crm.contact_set;
BEGIN
    IF tree ? 'in_segment' THEN
        RETURN CASE WHEN contacts IS NULL THEN crm.segment_set(tree ->> 'in_segment')
                    ELSE crm.segment_part(crm.segment_number(tree ->> 'in_segment'), contacts) END;
    ELSIF tree ? 'or' THEN
        FOR part IN SELECT jsonb_array_elements(tree -> 'or') LOOP
            one := crm.evaluate_composed(part, contacts);
            result := CASE WHEN result IS NULL THEN one ELSE result OPERATOR(crm.|) one END;
        END LOOP;
        RETURN result;
    ELSIF tree ? 'and' THEN
        FOR part IN SELECT jsonb_array_elements(tree -> 'and') LOOP
            IF part ? 'not' THEN
                one := crm.evaluate_composed(part -> 'not', contacts);
                without := CASE WHEN without IS NULL THEN one ELSE without OPERATOR(crm.|) one END;
            ELSE
                one := crm.evaluate_composed(part, contacts);
                result := CASE WHEN result IS NULL THEN one ELSE result OPERATOR(crm.&) one END;
            END IF;
        END LOOP;
        result := coalesce(result, crm.living_contacts(contacts));
        RETURN CASE WHEN without IS NULL THEN result ELSE result OPERATOR(crm.-) without END;
    ELSIF tree ? 'not' THEN
        RETURN crm.living_contacts(contacts) OPERATOR(crm.-) crm.evaluate_composed(tree -> 'not', contacts);
    END IF;
    RAISE EXCEPTION 'no expression over segments: %', tree USING ERRCODE = 'internal_error';
END
$$;
COMMENT ON FUNCTION crm.evaluate_composed(jsonb, crm.contact_set) IS 'The members of an expression over segments, from the sets of these; part of crm.refresh_segments().';

-- Everybody for whom a rule holds: the same query that a person would write.
CREATE FUNCTION crm.evaluate_rule(rule crm.rule, as_of timestamptz DEFAULT now()) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found crm.contact_set;
BEGIN
    EXECUTE format('SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p WHERE %s',
                   crm.rule_sql(rule, 'crm.contact_profile', as_of, 'p')) INTO found;
    RETURN coalesce(found, '{}');
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION '%', SQLERRM USING ERRCODE = SQLSTATE, DETAIL = format('Of some contact the rule cannot be computed: %s', rule),
        HINT = 'crm.explain_rule() of a contact tells which condition it is.';
END
$$;
COMMENT ON FUNCTION crm.evaluate_rule(crm.rule, timestamptz) IS 'The contacts for whom a rule holds at that moment, as a set. Errors: 42703 a field that contacts lack; what the rule''s operators raise.';

-- One segment anew, from all contacts.
CREATE FUNCTION crm.refresh_whole_segment(segment_id bigint, as_of timestamptz, cause text,
    OUT entered crm.contact_set, OUT departed crm.contact_set)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target crm.segment := (SELECT s FROM crm.segment s WHERE s.id = segment_id);
    members crm.contact_set;
    before crm.contact_set := crm.segment_set(target.name);
    began timestamptz := clock_timestamp();
BEGIN
    PERFORM crm.require_whole_sight(target.id);
    members := CASE target.kind WHEN 'composed' THEN crm.evaluate_composed(target.rule::jsonb, NULL)
                                WHEN 'static' THEN crm.evaluate_list(target.id, NULL)
                                ELSE crm.evaluate_rule(target.rule, as_of) END;
    entered := members OPERATOR(crm.-) before;
    departed := before OPERATOR(crm.-) members;
    PERFORM crm.apply_segment_changes(ARRAY[target.id], ARRAY[entered], ARRAY[departed], ARRAY[cause], as_of);
    -- What this transaction is too old to see the next refresh looks at.
    UPDATE crm.segment s
    SET refreshed_at = as_of, needs_full = crm.is_behind(), error = NULL, hindrance = NULL,
        full_refresh_ms = extract(epoch FROM clock_timestamp() - began) * 1000
    WHERE s.id = target.id;
END
$$;
COMMENT ON FUNCTION crm.refresh_whole_segment(bigint, timestamptz, text) IS 'Refreshes one segment from all contacts and gives who entered and left; part of crm.refresh_segments().';

CREATE FUNCTION crm.refresh_segment(segment text, as_of timestamptz DEFAULT now(), OUT entered bigint, OUT departed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
    change record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.segment_number(segment);
    SELECT * INTO change FROM crm.refresh_whole_segment(target, as_of, 'change');
    PERFORM crm.queue_segment_change(segment, change.entered OPERATOR(crm.|) change.departed);
    entered := crm.cardinality(change.entered);
    departed := crm.cardinality(change.departed);
END
$$;
COMMENT ON FUNCTION crm.refresh_segment(text, timestamptz) IS 'Brings one segment to what is true at a moment, from all contacts, and gives how many entered and left; those that ask for it follow with the next crm.refresh_segments(). Errors: RM031 no such segment; what its rule raises.';

CREATE FUNCTION crm.is_passing(code text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT left(code, 2) IN ('40', '53', '55', '57', '58')
$$;
COMMENT ON FUNCTION crm.is_passing(text) IS 'Whether an error is of the moment, not of what was asked: a deadlock or serialization failure (class 40), lack of resources (53), a lock or state that is in the way (55), an intervention (57), the system (58).';

CREATE FUNCTION crm.note_segment_error(segment_id bigint, code text, message text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- What this role may not read another may: the segment is not to blame.
    IF code = '42501' THEN
        -- Told when looking at all contacts has failed, too, and when it is new.
        UPDATE crm.segment s SET needs_full = true WHERE s.id = segment_id AND NOT s.needs_full;
        IF FOUND THEN
            RETURN;
        END IF;
        UPDATE crm.segment s SET hindrance = format('role "%s": %s', current_user, message)
        WHERE s.id = segment_id AND s.hindrance IS DISTINCT FROM format('role "%s": %s', current_user, message);
        IF FOUND THEN
            RAISE WARNING 'segment "%" was not refreshed: %', (SELECT s.name FROM crm.segment s WHERE s.id = segment_id), message
                USING ERRCODE = 'insufficient_privilege', HINT = 'The next refresh by a role that may read all that its rule asks for brings it up to date.';
        END IF;
        RETURN;
    END IF;
    UPDATE crm.segment s SET error = format('%s: %s', code, message), needs_full = true WHERE s.id = segment_id;
END
$$;
COMMENT ON FUNCTION crm.note_segment_error(bigint, text, text) IS 'Keeps why a segment could not be refreshed; the next refresh tries again. A lack of rights (42501) is no error of the segment: it becomes a warning.';

CREATE FUNCTION crm.blind_segments() RETURNS bigint[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT d.segment_id), '{}')
    FROM (SELECT DISTINCT x.source FROM crm.segment_dependency x WHERE strpos(x.source, '.') > 0) t
    JOIN crm.segment_dependency d ON d.source = t.source
    WHERE crm.rows_are_hidden(to_regclass(t.source))
$$;
COMMENT ON FUNCTION crm.blind_segments() IS 'Segments whose rules count events of tables of which row-level security hides rows from this role, so that it must not refresh them.';

CREATE FUNCTION crm.require_whole_sight(segment_id bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hidden text;
BEGIN
    SELECT string_agg(DISTINCT t.relation::text, ', ') INTO hidden
    FROM (SELECT crm.base_tables('crm.contact_profile') AS relation
          UNION ALL
          SELECT to_regclass(d.source) FROM crm.segment_dependency d WHERE d.segment_id = $1 AND strpos(d.source, '.') > 0) t
    WHERE crm.rows_are_hidden(t.relation);
    IF hidden IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" must not refresh segments: row-level security hides rows of % from it', current_user, hidden
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'Contacts that it does not see would leave the segments.',
                  HINT = 'Let the owner of the tables or a role with BYPASSRLS do it; the job "segments" runs as the role that scheduled it.';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_whole_sight(bigint) IS 'Raises 42501 when row-level security hides from this role rows of the tables behind crm.contact_profile, or of those whose events the segment counts.';

-- ---- what has to be looked at ----

-- Of some contacts of each segment: those for whom it holds now, and those who
-- were members.  Each contact is read once, however many segments ask.
CREATE FUNCTION crm.evaluate_candidates(ids bigint[], candidates crm.contact_set[], as_of timestamptz,
    OUT members crm.contact_set[], OUT before crm.contact_set[])
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH asked AS MATERIALIZED (
        SELECT a.n, a.id, a.contacts, s.kind, s.rule
        FROM unnest(ids, candidates) WITH ORDINALITY AS a (id, contacts, n) JOIN crm.segment s ON s.id = a.id
    ), profile AS MATERIALIZED (
        SELECT p.contact_id, p AS profile FROM crm.contact_profile p
        WHERE p.contact_id = ANY (crm.member_array((SELECT crm.union_agg(a.contacts) FROM asked a WHERE a.kind = 'dynamic')))
    ), judged AS (
        -- First who, then what the rule says of them.
        SELECT x.n, crm.contact_set_agg(x.contact_id) AS members
        FROM (SELECT a.n, a.rule, p.contact_id, p.profile
              FROM asked a CROSS JOIN LATERAL crm.members(a.contacts) AS m (id) JOIN profile p ON p.contact_id = m.id
              WHERE a.kind = 'dynamic' OFFSET 0) x
        WHERE crm.rule_eval(x.profile, x.rule, as_of)
        GROUP BY x.n
    ), stored AS (
        SELECT a.n, crm.union_agg(k.members OPERATOR(crm.&) a.contacts) AS members
        FROM asked a CROSS JOIN LATERAL crm.set_chunks(a.contacts) c
        JOIN crm.segment_chunk k ON k.segment_id = a.id AND k.chunk = c.chunk
        GROUP BY a.n
    )
    SELECT array_agg(CASE a.kind WHEN 'composed' THEN crm.evaluate_composed(a.rule::jsonb, a.contacts)
                                 WHEN 'static' THEN crm.evaluate_list(a.id, a.contacts)
                                 ELSE coalesce(j.members, '{}'::crm.contact_set) END ORDER BY a.n),
           array_agg(coalesce(b.members, '{}'::crm.contact_set) ORDER BY a.n)
    FROM asked a LEFT JOIN judged j ON j.n = a.n LEFT JOIN stored b ON b.n = a.n
$$;
COMMENT ON FUNCTION crm.evaluate_candidates(bigint[], crm.contact_set[], timestamptz) IS 'Asks the rules of segments of some contacts each; part of crm.refresh_segments().';

-- The rest of a refresh: all that concerns many segments is one statement.
CREATE FUNCTION crm.refresh_segments(as_of timestamptz DEFAULT now(), wait boolean DEFAULT true, OUT segments integer, OUT entered bigint, OUT departed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- What was queued, put together: three arrays of one length.
    sources text[];
    names text[];               -- one name, or null for any
    changed crm.contact_set[];
    -- Segments to be looked at, and at which contacts.
    ids bigint[];
    candidates crm.contact_set[];
    by_change crm.contact_set[];
    timed bigint[];
    by_time crm.contact_set[];
    crossed crm.contact_set;
    members crm.contact_set[];
    before crm.contact_set[];
    everybody bigint;
    blind bigint[];             -- segments that this role must leave alone
    one record;
    whole record;
    this_level integer;
    began CONSTANT timestamptz := clock_timestamp();
    n integer;
BEGIN
    segments := 0;
    entered := 0;
    departed := 0;
    PERFORM crm.require_installed();
    IF NOT crm.lock_segments(wait) THEN
        RETURN;
    END IF;

    IF crm.is_behind() THEN
        RAISE EXCEPTION 'could not refresh segments: another refresh ended since this transaction began' USING ERRCODE = 'serialization_failure',
            DETAIL = 'It does not see what that refresh looked at.', HINT = 'Run the transaction again.';
    END IF;
    PERFORM crm.require_whole_sight();
    blind := crm.blind_segments();
    IF EXISTS (SELECT FROM crm.segment s WHERE s.id = ANY (blind) AND s.hindrance IS NULL) THEN
        RAISE WARNING 'segments were not refreshed, as row-level security hides from role "%" events that they count: %', current_user,
            (SELECT string_agg(format('"%s"', s.name), ', ' ORDER BY s.name) FROM crm.segment s WHERE s.id = ANY (blind))
            USING ERRCODE = 'insufficient_privilege', HINT = 'Let the owner of the tables or a role with BYPASSRLS refresh them.';
        UPDATE crm.segment s SET needs_full = true, hindrance = format('role "%s": row-level security hides events from it', current_user)
        WHERE s.id = ANY (blind) AND (NOT s.needs_full OR s.hindrance IS NULL);
    END IF;

    -- A table that nobody watches: a view, or one that lost its triggers.
    UPDATE crm.segment s SET needs_full = true
    WHERE NOT s.needs_full AND s.id IN (
        SELECT d.segment_id
        FROM (SELECT DISTINCT x.source FROM crm.segment_dependency x WHERE strpos(x.source, '.') > 0) t
        JOIN crm.segment_dependency d ON d.source = t.source
        WHERE NOT crm.is_watched(t.source));

    -- Rows of transactions that are not over yet stay for the next time.
    BEGIN
        WITH taken AS (
            DELETE FROM crm.segment_queue q RETURNING q.source, q.names, crm.from_roaring(q.contacts) AS contacts
        ), named AS (
            SELECT t.source, u.name, t.contacts FROM taken t, unnest(t.names) AS u (name)
            UNION ALL SELECT t.source, NULL, t.contacts FROM taken t WHERE t.names IS NULL
        ), grouped AS (
            SELECT g.source, g.name, crm.union_agg(g.contacts) AS contacts FROM named g GROUP BY g.source, g.name
        )
        SELECT coalesce(array_agg(g.source), '{}'), coalesce(array_agg(g.name), '{}'), coalesce(array_agg(g.contacts), '{}')
        INTO sources, names, changed FROM grouped g;
    EXCEPTION WHEN data_exception OR data_corrupted THEN
        -- Somebody wrote to it by hand: whatever it was, all is looked at.
        DELETE FROM crm.segment_queue q;
        UPDATE crm.segment s SET needs_full = true;
        sources := '{}';
        names := '{}';
        changed := '{}';
    END;
    SELECT greatest(c.reltuples, 0)::bigint INTO everybody FROM pg_class c WHERE c.oid = 'crm.contact'::regclass;

    FOR this_level IN SELECT DISTINCT s.level FROM crm.segment s ORDER BY s.level LOOP
        -- Whom time alone may have moved.
        timed := '{}';
        by_time := '{}';
        FOR one IN
            SELECT s.id, s.rule, s.refreshed_at FROM crm.segment s
            WHERE s.level = this_level AND s.kind = 'dynamic' AND NOT s.needs_full AND s.refreshed_at <> as_of AND s.has_clock AND NOT s.id = ANY (blind)
        LOOP
            BEGIN
                EXECUTE format('SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p WHERE %s',
                               crm.rule_crossing_sql(one.rule, 'crm.contact_profile', one.refreshed_at, as_of, 'p')) INTO crossed;
                IF NOT crm.is_empty(crossed) THEN
                    timed := timed || one.id;
                    by_time := by_time || crossed;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                IF crm.is_passing(SQLSTATE) THEN RAISE; END IF;
                PERFORM crm.note_segment_error(one.id, SQLSTATE, SQLERRM);
            END;
        END LOOP;

        -- Who changed in what a rule looks at, or anyhow for a reason that
        -- brings contacts into sight or takes them away.
        SELECT array_agg(x.id), array_agg(x.contacts), array_agg(x.by_change) INTO ids, candidates, by_change
        FROM (
            SELECT c.id, crm.union_agg(c.contacts) AS contacts, coalesce(crm.union_agg(c.contacts) FILTER (WHERE NOT c.is_time), '{}') AS by_change
            FROM (
                SELECT d.segment_id AS id, q.contacts, false AS is_time
                FROM unnest(sources, names, changed) AS q (source, name, contacts)
                JOIN crm.segment_dependency d ON d.source = q.source AND (q.name IS NULL OR d.name IN (q.name, '*'))
                UNION ALL
                SELECT s.id, q.contacts, false
                FROM unnest(sources, names, changed) AS q (source, name, contacts) CROSS JOIN crm.segment s
                WHERE q.source = 'contact' AND q.name IS NULL
                UNION ALL
                SELECT t.id, t.contacts, true FROM unnest(timed, by_time) AS t (id, contacts)
            ) c JOIN crm.segment s ON s.id = c.id
            WHERE s.level = this_level AND NOT s.needs_full
            GROUP BY c.id
        ) x
        WHERE NOT crm.is_empty(x.contacts);

        -- So many that looking at all is cheaper.
        UPDATE crm.segment s SET needs_full = true
        FROM unnest(ids, candidates) AS c (id, contacts)
        WHERE s.id = c.id AND s.kind = 'dynamic' AND crm.cardinality(c.contacts) > greatest(everybody / 5, 1000);
        SELECT array_agg(c.id), array_agg(c.contacts), array_agg(c.by_change) INTO ids, candidates, by_change
        FROM unnest(ids, candidates, by_change) AS c (id, contacts, by_change) JOIN crm.segment s ON s.id = c.id AND NOT s.needs_full;

        IF ids IS NOT NULL THEN
            BEGIN
                SELECT * INTO members, before FROM crm.evaluate_candidates(ids, candidates, as_of);
            EXCEPTION WHEN OTHERS THEN
                IF crm.is_passing(SQLSTATE) THEN RAISE; END IF;
                -- One of them fails: find out which.
                members := NULL;
                FOR n IN 1 .. cardinality(ids) LOOP
                    BEGIN
                        SELECT e.members[1], e.before[1] INTO members[n], before[n] FROM crm.evaluate_candidates(ids[n:n], candidates[n:n], as_of) e;
                    EXCEPTION WHEN OTHERS THEN
                        IF crm.is_passing(SQLSTATE) THEN RAISE; END IF;
                        PERFORM crm.note_segment_error(ids[n], SQLSTATE, SQLERRM);
                        members[n] := '{}';
                        before[n] := '{}';
                    END;
                END LOOP;
            END;
            SELECT array_agg(d.entered), array_agg(d.departed), coalesce(sum(crm.cardinality(d.entered)), 0) AS came, coalesce(sum(crm.cardinality(d.departed)), 0) AS went
            INTO one
            FROM (SELECT m.members OPERATOR(crm.-) m.before AS entered, m.before OPERATOR(crm.-) m.members AS departed
                  FROM unnest(members, before) AS m (members, before)) d;
            entered := entered + one.came;
            departed := departed + one.went;
            segments := segments + cardinality(ids);
            PERFORM crm.apply_segment_changes(array_agg(c.id), array_agg(c.entered), array_agg(c.departed), array_agg(c.cause), as_of)
            FROM (SELECT d.id, d.entered OPERATOR(crm.&) d.by_change AS entered, d.departed OPERATOR(crm.&) d.by_change AS departed, 'change' AS cause
                  FROM (SELECT m.id, m.members OPERATOR(crm.-) m.before AS entered, m.before OPERATOR(crm.-) m.members AS departed, m.by_change
                        FROM unnest(ids, members, before, by_change) AS m (id, members, before, by_change)) d
                  UNION ALL
                  SELECT d.id, d.entered OPERATOR(crm.-) d.by_change, d.departed OPERATOR(crm.-) d.by_change, 'time'
                  FROM (SELECT m.id, m.members OPERATOR(crm.-) m.before AS entered, m.before OPERATOR(crm.-) m.members AS departed, m.by_change
                        FROM unnest(ids, members, before, by_change) AS m (id, members, before, by_change)) d) c
            WHERE NOT crm.is_empty(c.entered) OR NOT crm.is_empty(c.departed)
            HAVING count(*) > 0;
            -- What entered and left concerns those above.
            SELECT sources || coalesce(array_agg('segment'::text), '{}'), names || coalesce(array_agg(s.name), '{}'), changed || coalesce(array_agg(d.delta), '{}')
            INTO sources, names, changed
            FROM (SELECT m.id, m.members OPERATOR(crm.#) m.before AS delta FROM unnest(ids, members, before) AS m (id, members, before)) d
            JOIN crm.segment s ON s.id = d.id
            WHERE NOT crm.is_empty(d.delta);
        END IF;

        FOR one IN SELECT s.id, s.name FROM crm.segment s WHERE s.level = this_level AND s.needs_full AND NOT s.id = ANY (blind) LOOP
            BEGIN
                SELECT * INTO whole FROM crm.refresh_whole_segment(one.id, as_of, 'change');
            EXCEPTION WHEN OTHERS THEN
                IF crm.is_passing(SQLSTATE) THEN RAISE; END IF;
                PERFORM crm.note_segment_error(one.id, SQLSTATE, SQLERRM);
                CONTINUE;
            END;
            segments := segments + 1;
            entered := entered + crm.cardinality(whole.entered);
            departed := departed + crm.cardinality(whole.departed);
            sources := sources || 'segment'::text;
            names := names || one.name;
            changed := changed || (whole.entered OPERATOR(crm.|) whole.departed);
        END LOOP;
    END LOOP;
    UPDATE crm.segment s SET refreshed_at = as_of
    WHERE s.kind <> 'static' AND s.has_clock AND NOT s.needs_full AND s.refreshed_at IS DISTINCT FROM as_of;
    INSERT INTO crm.segment_refresh (as_of, seconds, segments, entered, departed)
    VALUES (as_of, extract(epoch FROM clock_timestamp() - began), segments, entered, departed);
    DELETE FROM crm.segment_refresh r WHERE r.id <= (SELECT max(m.id) FROM crm.segment_refresh m) - 10000;
END
$$;
COMMENT ON FUNCTION crm.refresh_segments(timestamptz, boolean) IS 'Brings all segments to what is true at a moment: looks at the contacts that changed since the last refresh and at those whom time alone may have moved, and at nobody else. Does not wait for writers, nor they for it; with wait => false it does nothing when another refresh runs. Gives the number of segments looked at, and of contacts that entered and left. What fails of one segment is told in its column error; what this role may not read, by a warning. Errors: 42501 row-level security hides contacts from this role.';

CREATE FUNCTION crm.segment_tick(as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
BEGIN
    -- The clock of segments never goes back by a job that comes late.
    IF NOT crm.lock_segments(wait => false) THEN
        RETURN 'skipped: another refresh or change of segments runs';
    END IF;
    SELECT * INTO done FROM crm.refresh_segments(greatest(as_of, (SELECT max(r.as_of) FROM crm.segment_refresh r WHERE r.as_of <= now())));
    RETURN format('%s segments, %s entered, %s left', done.segments, done.entered, done.departed);
END
$$;
COMMENT ON FUNCTION crm.segment_tick(timestamptz) IS 'The job "segments": refreshes what changed, unless another refresh runs.';

CREATE FUNCTION crm.may_read(relations text[]) RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    SELECT bool_and(coalesce(has_table_privilege(to_regclass(r), 'SELECT'), false)) FROM unnest(relations) r
$$;
COMMENT ON FUNCTION crm.may_read(text[]) IS 'Whether all these relations are there and this role may read them.';

CREATE FUNCTION crm.segment_status(as_of timestamptz, OUT item text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Columns of our types go with DROP EXTENSION ... CASCADE.
    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass('crm.segment') AND a.attname = 'rule' AND NOT a.attisdropped)
       OR NOT crm.may_read('{crm.segment,crm.segment_dependency,crm.segment_refresh,crm.segment_queue}') THEN
        RETURN;                 -- named as missing elsewhere
    END IF;
    RETURN QUERY SELECT 'segments', 'warning', format('segment "%s" is not refreshed: %s', s.name, s.hindrance),
                        'GRANT SELECT on it, or let a role refresh that may read it: SELECT crm.refresh_segment(name).'
    FROM crm.segment s WHERE s.hindrance IS NOT NULL ORDER BY s.name;
    RETURN QUERY SELECT 'segments', 'warning', format('the last refresh of segment "%s" failed: %s', s.name, s.error),
                        format('Mend its rule: SELECT crm.change_segment(%L, ...)', s.name)
    FROM crm.segment s WHERE s.error IS NOT NULL ORDER BY s.name;
    RETURN QUERY SELECT 'segments', 'warning', 'segments have no rules or members of this version: ' || string_agg(format('"%s"', s.name), ', ' ORDER BY s.name),
                        'SELECT crm.rebuild_segment_chunks()'
    FROM crm.segment s WHERE s.kind <> 'static' AND s.rule IS NULL HAVING count(*) > 0;
    RETURN QUERY SELECT 'segments', 'info', format('segments that count events of %s are refreshed from all contacts each time', t.source),
                        format('SELECT crm.watch_for_segments(%L)', t.source)
    FROM (SELECT DISTINCT d.source FROM crm.segment_dependency d WHERE strpos(d.source, '.') > 0) t WHERE NOT crm.is_watched(t.source);
    RETURN QUERY SELECT 'segments', 'warning', format('nothing was refreshed since %s; %s statements wait in crm.segment_queue', x.since, (SELECT count(*) FROM crm.segment_queue)),
                        'SELECT * FROM crm.refresh_segments(); see crm.job for why "segments" does not run.'
    FROM (SELECT greatest(coalesce((SELECT max(r.as_of) FROM crm.segment_refresh r), '-infinity'), min(s.created_at)) AS since
          FROM crm.segment s WHERE s.kind <> 'static' HAVING count(*) > 0) x
    WHERE x.since < segment_status.as_of - interval '1 hour';
END
$$;
COMMENT ON FUNCTION crm.segment_status(timestamptz) IS 'What crm.status() says of segments: refreshes that failed, rules that are to be derived again, tables of events without triggers, and when nothing was refreshed for an hour.';
