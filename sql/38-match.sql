/* ------------------------------------------------------------------
 * Match models: probabilistic record linkage over any table.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.match_key_version() RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'crm_match_sql_key_version';
COMMENT ON FUNCTION crm.match_key_version() IS 'Version of the rules by which a match model folds values. A model that was trained with another one is refused until it is trained again.';

/*
 * What the columns of a table probably are, by their names and statistics.
 * The first pattern that fits decides; what fits none is compared as text when
 * it has neither too few nor too many different values.
 */
CREATE FUNCTION crm.propose_match_model(relation regclass, OUT spec jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns jsonb;
    fields jsonb := '[]';
    rules jsonb := '[]';
    named text[] := '{}';
    item record;
    person boolean;
    birth text;
    given text;
    family text;
    place text;
BEGIN
    SELECT jsonb_object_agg(c.role, c.names) INTO columns FROM (
        SELECT s.role, jsonb_agg(s.attname ORDER BY s.attnum) AS names
        FROM (
            SELECT a.attname, a.attnum, CASE
                WHEN n ~ '^(.*_)?(id|cluster|label|source|status|created.*|updated.*|deleted.*|modified.*|note.*|comment.*|description|password|token|hash)$'
                     AND n !~ '(tax|soc_sec|national|passport|registration|social)_?id$' THEN NULL
                WHEN n ~ '(^|_)(given|first|fore)_?name$|^(fname|forename|givenname|firstname|имя)$|^(given|first)_name_?1$|^fname_c1$' THEN 'given'
                WHEN n ~ '(^|_)(family|last|sur)_?name$|^(lname|surname|familyname|lastname|фамилия)$|^(family|last)_name_?1$|^lname_c1$' THEN 'family'
                WHEN n ~ '(^|_)(middle|second)_?name$|^(patronymic|отчество)$' THEN 'middle'
                WHEN n ~ '(^|_)(birth_?date|date_of_birth|dob|birthday|born|born_on)$|дата_рождения' THEN 'birth'
                WHEN n ~ '(^|_)(birth_?year|year_of_birth|by)$' THEN 'birth_year'
                WHEN n ~ '(^|_)(birth_?month|month_of_birth|bm)$' THEN 'birth_month'
                WHEN n ~ '(^|_)(birth_?day|day_of_birth|bd)$' THEN 'birth_day'
                WHEN n ~ 'e_?mail|(^|_)mail(_?[0-9]+)?$|почта' THEN 'email'
                WHEN n ~ 'phone|mobile|(^|_)tel$|телефон|(^|_)fax$' THEN 'phone'
                WHEN n ~ '(soc_sec|ssn|snils|снилс|passport|national_id|social)|(^|_)(tax_?id|inn|инн|vat|lei|registration_id|ogrn)$' THEN 'identifier'
                WHEN n ~ '(^|_)(full_?name|person|contact_name|client_name|customer_name|фио)$' THEN 'full_name'
                WHEN n ~ 'company|organi[sz]ation|(^|_)(site|business|firm|legal)_?name$|^(name|title)$|компания|название' THEN 'organisation'
                WHEN n ~ 'post_?code|postal|(^|_)zip|индекс' THEN 'postcode'
                WHEN n ~ 'street_number|house' THEN 'house'
                WHEN n ~ 'address|street|адрес|улица' THEN 'address'
                WHEN n ~ 'city|town|suburb|locality|birth_?place|город' THEN 'city'
                WHEN n ~ '(^|_)(state|region|province|country|gender|sex|пол)$' THEN 'code'
                WHEN n ~ 'website|(^|_)url$|domain' THEN 'website'
                WHEN t.typcategory = 'S' AND coalesce(CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(r.reltuples, 1) ELSE s.n_distinct END, 0) >= 10
                     AND coalesce(s.n_distinct, -1) > -0.9 AND coalesce(s.avg_width, 100) < 60 AND coalesce(s.null_frac, 0) < 0.9 THEN 'other'
                END AS role
            FROM pg_attribute a
            JOIN pg_class r ON r.oid = a.attrelid
            JOIN pg_type t ON t.oid = a.atttypid
            CROSS JOIN LATERAL (SELECT translate(lower(a.attname::text COLLATE "default"), ' -.', '___') AS n) l
            LEFT JOIN pg_stats s ON s.schemaname = (SELECT n.nspname FROM pg_namespace n WHERE n.oid = r.relnamespace) AND s.tablename = r.relname AND s.attname = a.attname
            WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND t.typcategory IN ('S', 'D', 'N', 'A', 'U')
        ) s WHERE s.role IS NOT NULL GROUP BY s.role
    ) c;
    columns := coalesce(columns, '{}');
    given := columns -> 'given' ->> 0;
    family := columns -> 'family' ->> 0;

    IF given IS NOT NULL AND family IS NOT NULL THEN
        fields := fields || jsonb_build_object('name', 'person', 'comparator', 'person', 'decisive', true, 'expression', format('ARRAY[%I::text, %I::text]', given, family));
    ELSIF columns ? 'full_name' OR (columns ? 'organisation' AND (columns ? 'birth' OR columns ? 'middle')) THEN
        fields := fields || jsonb_build_object('name', 'person', 'comparator', 'person', 'decisive', true,
                                               'expression', format('%I::text', coalesce(columns -> 'full_name' ->> 0, columns -> 'organisation' ->> 0)));
    ELSIF given IS NOT NULL OR family IS NOT NULL THEN
        fields := fields || jsonb_build_object('name', 'name', 'comparator', 'name_part', 'expression', format('%I::text', coalesce(family, given)));
    END IF;
    person := fields @> '[{"name": "person"}]';
    IF columns ? 'middle' THEN
        fields := fields || jsonb_build_object('name', 'middle_name', 'comparator', 'name_part', 'expression', format('%I::text', columns -> 'middle' ->> 0));
    END IF;
    -- Further given or family names, as of Spanish or German persons.
    FOR item IN SELECT r.role, n.name, n.nr FROM (VALUES ('given'), ('family')) r (role), jsonb_array_elements_text(columns -> r.role) WITH ORDINALITY AS n (name, nr)
                WHERE n.nr > 1 LOOP
        fields := fields || jsonb_build_object('name', item.role || '_name_' || item.nr, 'comparator', 'name_part', 'expression', format('%I::text', item.name));
    END LOOP;
    IF columns ? 'birth' THEN
        birth := 'birth_date';
        fields := fields || jsonb_build_object('name', birth, 'comparator', 'date', 'expression', format('%I', columns -> 'birth' ->> 0));
    ELSIF columns ?& '{birth_year,birth_month,birth_day}' THEN
        birth := 'birth_date';
        fields := fields || jsonb_build_object('name', birth, 'comparator', 'date',
            'expression', format($e$lpad(%I::text, 4, '0') || '-' || lpad(%I::text, 2, '0') || '-' || lpad(%I::text, 2, '0')$e$,
                                 columns -> 'birth_year' ->> 0, columns -> 'birth_month' ->> 0, columns -> 'birth_day' ->> 0));
    END IF;
    FOR item IN SELECT * FROM (VALUES ('email', 'email'), ('phone', 'phone'), ('identifier', 'identifier')) v (role, comparator) WHERE columns ? role LOOP
        SELECT CASE WHEN count(*) = 1 AND NOT bool_or(t.typcategory = 'A') THEN min(format('%I::text', a.attname))
                    WHEN count(*) = 1 THEN min(format('%I::text[]', a.attname))
                    ELSE format('ARRAY[%s]', string_agg(format('%I::text', a.attname), ', ' ORDER BY a.attnum)) END INTO place
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = relation AND to_jsonb(a.attname) <@ (columns -> item.role)
          -- Different identifiers are different fields; only the first is proposed.
          AND (item.role <> 'identifier' OR a.attname = columns -> item.role ->> 0);
        fields := fields || jsonb_build_object('name', item.role, 'comparator', item.comparator, 'expression', place, 'shared', item.role <> 'identifier',
                                               'max_values', CASE WHEN place LIKE 'ARRAY[%' OR place LIKE '%[]' THEN 3 ELSE 1 END);
    END LOOP;
    IF columns ? 'organisation' AND NOT (person AND NOT columns ?| '{given,full_name}') THEN
        fields := fields || jsonb_build_object('name', 'organisation', 'comparator', 'words', 'decisive', NOT person, 'shared', person, 'expression', format('%I::text', columns -> 'organisation' ->> 0));
    END IF;
    IF columns ? 'address' THEN
        SELECT CASE WHEN count(*) = 1 THEN min(format('%I::text', name))
                    ELSE format('concat_ws('' '', %s)', string_agg(format('%I::text', name), ', ' ORDER BY nr)) END INTO place
        FROM jsonb_array_elements_text(coalesce(columns -> 'house', '[]') || (columns -> 'address')) WITH ORDINALITY AS u (name, nr);
        fields := fields || jsonb_build_object('name', 'address', 'comparator', 'words', 'expression', place, 'shared', true, 'dependent_group', 'place');
    END IF;
    IF columns ? 'postcode' THEN
        fields := fields || jsonb_build_object('name', 'postcode', 'comparator', 'identifier', 'expression', format('%I::text', columns -> 'postcode' ->> 0), 'shared', true, 'dependent_group', 'place');
    END IF;
    IF columns ? 'city' THEN
        fields := fields || jsonb_build_object('name', 'city', 'comparator', 'text', 'expression', format('%I::text', columns -> 'city' ->> 0), 'shared', true, 'dependent_group', 'place');
    END IF;
    FOR item IN SELECT n.name FROM jsonb_array_elements_text(coalesce(columns -> 'code', '[]')) AS n (name) LIMIT 3 LOOP
        fields := fields || (jsonb_build_object('name', regexp_replace(lower(item.name), '[^a-z0-9_]', '_', 'g'), 'comparator', 'exact', 'expression', format('%I::text', item.name))
            || CASE WHEN lower(item.name) ~ 'state|region|province|country' THEN '{"shared": true, "dependent_group": "place"}' ELSE '{}' END::jsonb);
    END LOOP;
    FOR item IN SELECT n.name, n.nr FROM jsonb_array_elements_text(coalesce(columns -> 'other', '[]')) WITH ORDINALITY AS n (name, nr) LIMIT 4 LOOP
        fields := fields || jsonb_build_object('name', 'other_' || item.nr, 'comparator', 'text', 'expression', format('%I::text', item.name));
    END LOOP;
    IF jsonb_array_length(fields) > 16 THEN
        SELECT jsonb_agg(f ORDER BY nr) INTO fields FROM jsonb_array_elements(fields) WITH ORDINALITY AS u (f, nr) WHERE nr <= 16;
    END IF;
    named := ARRAY(SELECT f ->> 'name' FROM jsonb_array_elements(fields) f);

    -- Of these rules those whose fields there are.
    SELECT coalesce(jsonb_agg(r.parts ORDER BY r.nr), '[]') INTO rules
    FROM jsonb_array_elements('[
        ["identifier"], ["email"], ["phone"],
        ["person", "birth_date"], ["person"], ["person:any", "birth_date"], ["person:family4", "person:given3"],
        ["person:skeleton", "person:initial", "birth_date:year"], ["person:skeleton", "person:initial", "city"], ["person:skeleton", "person:initial", "postcode"],
        ["person:family", "birth_date:year"], ["person:any", "birth_date:month_day"], ["person:any", "birth_date:year_month"],
        ["person:skeleton", "birth_date:year_month"],
        ["birth_date", "person:initial"], ["birth_date", "city"], ["birth_date", "postcode"], ["birth_date"],
        ["person:any", "postcode"], ["person:any", "city"],
        ["person:family", "middle_name"], ["person:given", "middle_name", "birth_date:year"],
        ["email:local"], ["phone:tail"], ["identifier:prefix5", "person:any"],
        ["person:any", "address:rare"], ["birth_date:year", "address:rare"], ["person:skeleton", "person:initial"],
        ["organisation"], ["organisation:pairs"], ["organisation:rare", "postcode"], ["organisation:rare", "address:rare"], ["organisation:rare", "city"],
        ["address:pairs"], ["address", "postcode"],
        ["name", "birth_date"], ["name"], ["middle_name", "birth_date"]
    ]') WITH ORDINALITY AS r (parts, nr)
    WHERE NOT EXISTS (SELECT FROM jsonb_array_elements_text(r.parts) p WHERE NOT split_part(p, ':', 1) = ANY (named));
    spec := jsonb_build_object('fields', fields, 'blocking', rules);
END
$$;
COMMENT ON FUNCTION crm.propose_match_model(regclass) IS 'The model that crm.create_match_model() makes of a table when it is given none: which columns are names, birth dates, addresses and so on, by their names and statistics, and which of them must agree for two rows to be compared. Run ANALYZE first, and edit the result as you like.';

CREATE FUNCTION crm.create_match_model(name text, relation regclass, id_column text DEFAULT NULL, spec jsonb DEFAULT NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    ids text[] := ARRAY(SELECT btrim(c) FROM unnest(string_to_array(id_column, ',')) c);
    missing text;
    problem text;
    advice text;
    item record;
BEGIN
    PERFORM crm.require_installed();
    IF name IS NULL OR name = '' OR length(name) > 63 THEN
        RAISE EXCEPTION 'a match model needs a name of 1 to 63 characters, not "%"', coalesce(name, 'null') USING ERRCODE = 'invalid_parameter_value';
    ELSIF relation IS NULL THEN
        RAISE EXCEPTION 'a match model needs a table or view' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF id_column IS NULL THEN
        ids := '{id}';
        IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = 'id' AND a.attnum > 0 AND NOT a.attisdropped) THEN
            SELECT coalesce(array_agg(a.attname::text ORDER BY k.n), ids) INTO ids
            FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE i.indrelid = relation AND i.indisprimary;
        END IF;
    END IF;
    SELECT c INTO missing FROM unnest(ids) c
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped) LIMIT 1;
    IF FOUND OR ids = '{}' THEN
        RAISE EXCEPTION 'table % has no column "%"', relation, coalesce(missing, '')
            USING ERRCODE = 'undefined_column', HINT = 'id_column names the column that tells rows apart; several are separated by commas. Without it that is column id, or the primary key.';
    END IF;
    IF spec IS NULL THEN
        spec := crm.propose_match_model(relation);
        IF spec -> 'fields' = '[]' OR spec -> 'blocking' = '[]' THEN
            RAISE EXCEPTION 'no model can be proposed for table %', relation
                USING ERRCODE = 'invalid_parameter_value', DETAIL = 'The names of its columns do not tell what they hold.',
                      HINT = 'Give spec: {"fields": [{"name": "title", "expression": "title", "comparator": "text"}, ...], "blocking": [["title"], ...]}.';
        END IF;
    END IF;
    IF jsonb_typeof(spec) <> 'object' THEN
        RAISE EXCEPTION 'the spec of a match model must be a JSON object'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'crm.propose_match_model(relation) gives a model to begin with.';
    END IF;
    SELECT k INTO missing FROM jsonb_object_keys(spec) k WHERE NOT k IN ('fields', 'blocking', 'filter', 'threshold', 'review_threshold', 'missing_weight', 'block_limit', 'pairs_per_record', 'entity') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'unknown key "%" of a match model', missing
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Known keys: fields, blocking, filter, threshold, review_threshold, missing_weight, block_limit, pairs_per_record, entity.';
    END IF;
    SELECT format('%s of a match model must be %s, not %s', v.key, v.what, spec -> v.key) INTO problem
    FROM (VALUES ('threshold', 'a number', 'number', '$ >= -1e300'), ('review_threshold', 'a number', 'number', '$ >= -1e300'),
                 ('missing_weight', 'a number below 0', 'number', '$ < 0'), ('pairs_per_record', 'a number above 0', 'number', '$ > 0'),
                 ('block_limit', 'a whole number from 2 to 100000', 'number', '$ >= 2 && $ <= 100000 && $ == $.floor()'),
                 ('filter', 'a text', 'string', '$ != ""'), ('entity', '"contact" or "company"', 'string', '$ == "contact" || $ == "company"')) AS v (key, what, type, test)
    WHERE jsonb_typeof(spec -> v.key) <> 'null'
      AND (jsonb_typeof(spec -> v.key) <> v.type OR NOT coalesce((spec -> v.key) @@ v.test::jsonpath, false)) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value';
    ELSIF jsonb_typeof(spec -> 'fields') IS DISTINCT FROM 'array' OR jsonb_array_length(spec -> 'fields') NOT BETWEEN 1 AND 16
        OR jsonb_typeof(spec -> 'blocking') IS DISTINCT FROM 'array' OR jsonb_array_length(spec -> 'blocking') NOT BETWEEN 1 AND 48 THEN
        RAISE EXCEPTION 'a match model needs 1 to 16 fields and 1 to 48 blocking rules'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'crm.propose_match_model(relation) gives a model to begin with.';
    END IF;
    INSERT INTO crm.match_model AS m (name, relation, entity, id_columns, filter, threshold, review_threshold, missing_weight, block_limit, pairs_per_record)
    VALUES (name, (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation), spec ->> 'entity', ids, spec ->> 'filter',
            coalesce((spec ->> 'threshold')::float8, 0), coalesce((spec ->> 'review_threshold')::float8, -3), coalesce((spec ->> 'missing_weight')::float8, -6),
            coalesce((spec ->> 'block_limit')::integer, 1000), coalesce((spec ->> 'pairs_per_record')::float8, 1))
    ON CONFLICT ON CONSTRAINT match_model_pkey DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is a match model "%" already', name
            USING ERRCODE = 'duplicate_object', HINT = 'crm.drop_match_model() removes it.';
    END IF;
    FOR item IN SELECT f.value AS field, f.ordinality AS nr FROM jsonb_array_elements(spec -> 'fields') WITH ORDINALITY f LOOP
        IF item.field ->> 'name' IS NULL OR item.field ->> 'expression' IS NULL OR item.field ->> 'comparator' IS NULL THEN
            RAISE EXCEPTION 'field % of a match model lacks name, expression or comparator', item.nr
                USING ERRCODE = 'invalid_parameter_value', DETAIL = item.field::text;
        END IF;
        SELECT k INTO missing FROM jsonb_object_keys(item.field) k
        WHERE NOT k IN ('name', 'expression', 'comparator', 'thresholds', 'max_values', 'decisive', 'shared', 'dependent_group') LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'unknown key "%" of field "%" of a match model', missing, item.field ->> 'name'
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Known keys: name, expression, comparator, thresholds, max_values, decisive, shared, dependent_group.';
        ELSIF NOT item.field ->> 'name' ~ '^[a-z_][a-z0-9_]{0,62}$' THEN
            RAISE EXCEPTION '"%" cannot be the name of a field of a match model', item.field ->> 'name'
                USING ERRCODE = 'invalid_parameter_value', HINT = 'It has small Latin letters, digits and _, and begins with no digit.';
        ELSIF NOT item.field ->> 'comparator' IN ('exact', 'text', 'name_part', 'person', 'date', 'number', 'email', 'phone', 'words', 'identifier') THEN
            RAISE EXCEPTION 'unknown comparator "%" of field "%"', item.field ->> 'comparator', item.field ->> 'name'
                USING ERRCODE = 'invalid_parameter_value', HINT = 'There are: exact, text, name_part, person, date, number, email, phone, words, identifier.';
        ELSIF item.field ? 'max_values' AND NOT coalesce(item.field @@ '$.max_values == 1 || $.max_values == 2 || $.max_values == 3', false) THEN
            RAISE EXCEPTION 'field "%" compares 1 to 3 values, not %', item.field ->> 'name', item.field -> 'max_values' USING ERRCODE = 'invalid_parameter_value';
        ELSIF EXISTS (SELECT FROM crm.match_field f WHERE f.model = name AND f.name = item.field ->> 'name') THEN
            RAISE EXCEPTION 'two fields of the match model have the name "%"', item.field ->> 'name' USING ERRCODE = 'invalid_parameter_value';
        END IF;
        SELECT format('%s of field "%s" must be true or false, not %s', k, item.field ->> 'name', item.field -> k) INTO problem
        FROM unnest('{decisive,shared}'::text[]) k WHERE jsonb_typeof(item.field -> k) NOT IN ('boolean', 'null') LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF jsonb_typeof(item.field -> 'thresholds') <> 'null' THEN
            advice := CASE item.field ->> 'comparator' WHEN 'text' THEN 'They are similarities between 0 and 1, the highest first: [0.92, 0.88, 0.7].'
                WHEN 'number' THEN 'They are relative differences above 0, the least first: [0.01, 0.1].' END;
            IF advice IS NULL THEN
                RAISE EXCEPTION 'field "%" takes no thresholds', item.field ->> 'name'
                    USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The levels of comparator %s are fixed.', item.field ->> 'comparator'),
                          HINT = 'Only text and number have thresholds.';
            ELSIF jsonb_typeof(item.field -> 'thresholds') <> 'array' OR jsonb_array_length(item.field -> 'thresholds') > 13
                OR EXISTS (SELECT FROM jsonb_array_elements(item.field -> 'thresholds') t WHERE jsonb_typeof(t) <> 'number') THEN
                RAISE EXCEPTION 'thresholds of field "%" must be a list of at most 13 numbers, not %', item.field ->> 'name', item.field -> 'thresholds'
                    USING ERRCODE = 'invalid_parameter_value', HINT = advice;
            ELSIF EXISTS (SELECT FROM (SELECT t.value::float8 AS bound, lag(t.value::float8) OVER (ORDER BY t.n) AS before
                                       FROM jsonb_array_elements_text(item.field -> 'thresholds') WITH ORDINALITY AS t (value, n)) b
                          WHERE CASE item.field ->> 'comparator' WHEN 'text' THEN b.bound <= 0 OR b.bound >= 1 OR b.bound >= b.before
                                ELSE b.bound <= 0 OR b.bound <= b.before END) THEN
                RAISE EXCEPTION 'thresholds of field "%" are no bounds of levels: %', item.field ->> 'name', item.field -> 'thresholds'
                    USING ERRCODE = 'invalid_parameter_value', HINT = advice;
            END IF;
        END IF;
        INSERT INTO crm.match_field (model, "position", name, expression, comparator, thresholds, max_values, decisive, shared, dependent_group)
        VALUES (name, item.nr, item.field ->> 'name', item.field ->> 'expression', item.field ->> 'comparator',
                CASE WHEN jsonb_typeof(item.field -> 'thresholds') <> 'null' THEN ARRAY(SELECT t::float8 FROM jsonb_array_elements_text(item.field -> 'thresholds') t) END,
                coalesce((item.field ->> 'max_values')::integer, 1), coalesce((item.field ->> 'decisive')::boolean, false),
                coalesce((item.field ->> 'shared')::boolean, false), item.field ->> 'dependent_group');
    END LOOP;
    SELECT r.value::text INTO missing FROM jsonb_array_elements(spec -> 'blocking') r
    WHERE CASE WHEN jsonb_typeof(r.value) = 'array' THEN jsonb_array_length(r.value) NOT BETWEEN 1 AND 4
                    OR EXISTS (SELECT FROM jsonb_array_elements(r.value) e WHERE jsonb_typeof(e) <> 'string') ELSE true END LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a blocking rule is a list of 1 to 4 fields, not %', missing
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example ["email"] or ["person:family", "birth_date:year"].';
    END IF;
    INSERT INTO crm.blocking_rule (model, "position", parts)
    SELECT name, r.ordinality, ARRAY(SELECT jsonb_array_elements_text(r.value)) FROM jsonb_array_elements(spec -> 'blocking') WITH ORDINALITY r;
    PERFORM crm.check_match_model(name);
    RETURN name;
END
$$;
COMMENT ON FUNCTION crm.create_match_model(text, regclass, text, jsonb) IS 'Makes a match model of a table or view: spec is {"fields": [{"name", "expression", "comparator", "thresholds", "max_values"}, ...], "blocking": [["field", "field:property"], ...], "filter", "threshold", "review_threshold", "missing_weight", "block_limit", "pairs_per_record"}; without it crm.propose_match_model() says what the columns are. id_column names the column that tells rows apart, several separated by commas; without it that is column id, or the primary key. Returns the name. Errors: 42710 there is one of that name; 42703 no such column; 22023 something in spec is unknown or out of range.';

CREATE FUNCTION crm.match_parts_changed() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Parameters belong to fields and rules as they were.
    UPDATE crm.match_model m SET version = NULL, updated_at = now()
    WHERE m.version IS NOT NULL AND m.name IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.model END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.model END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.match_parts_changed() IS 'Trigger of crm.match_field and crm.blocking_rule: a model whose fields or rules change must be trained again.';

CREATE FUNCTION crm.match_model_changed() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM crm.match_pair p WHERE p.model = OLD.name;
        DELETE FROM crm.match_cluster c WHERE c.model = OLD.name;
    ELSE
        UPDATE crm.match_pair p SET model = NEW.name WHERE p.model = OLD.name;
        UPDATE crm.match_cluster c SET model = NEW.name WHERE c.model = OLD.name;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.match_model_changed() IS 'Trigger of crm.match_model: its pairs and clusters go, or are renamed, with a model.';

CREATE FUNCTION crm.drop_match_model(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.guard_duplicates(name, 'off');
    DELETE FROM crm.match_model m WHERE m.name = drop_match_model.name;
END
$$;
COMMENT ON FUNCTION crm.drop_match_model(text) IS 'Removes a match model with its versions, labels, pairs and runs, and the triggers of crm.guard_duplicates(). Errors: 42704 no such model; 42501 it watches a table of somebody else.';

CREATE FUNCTION crm.check_match_model(name text) RETURNS void
LANGUAGE c STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS 'MODULE_PATHNAME', 'crm_match_sql_check';
COMMENT ON FUNCTION crm.check_match_model(text) IS 'Raises what is wrong with a match model: an unknown field or property in a blocking rule, an expression that does not fit the table.';

CREATE FUNCTION crm.train_match_model(name text, seed bigint DEFAULT 1) RETURNS integer
LANGUAGE c STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET jit = off
AS 'MODULE_PATHNAME', 'crm_match_sql_train';
COMMENT ON FUNCTION crm.train_match_model(text, bigint) IS 'Learns from the rows of the table how much agreement in each field weighs, without any examples: method of Fellegi and Sunter (1969), u from pairs drawn at random, m by expectation maximisation over the pairs that the blocking rules bring together, frequencies of values; labels of crm.label_pair() count, too. The same rows and seed give the same parameters to the last bit. Makes a new version, puts it to use and returns its number. Errors: 42704 no such model; 55000 the rows do not allow it, with the reason; 53400 crm.match_memory does not suffice.';

CREATE FUNCTION crm.dedup_plan(model text, OUT rule integer, OUT parts text, OUT keys bigint, OUT pairs bigint, OUT large_blocks integer, OUT left_out bigint)
RETURNS SETOF record
LANGUAGE c STRICT ROWS 20
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET jit = off
AS 'MODULE_PATHNAME', 'crm_match_sql_plan';
COMMENT ON FUNCTION crm.dedup_plan(text) IS 'What a run of a match model would do: for each blocking rule how many keys the rows have and how many pairs share one (pairs that share keys of several rules are counted in each, and compared once), how many blocks were larger than block_limit and how many rows they leave out. Compares nothing.';

CREATE FUNCTION crm.match_pairs(model text, min_weight float8 DEFAULT 0, OUT left_id text, OUT right_id text, OUT weight float8, OUT probability float8)
RETURNS SETOF record
LANGUAGE c STRICT ROWS 100000
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET jit = off
AS 'MODULE_PATHNAME', 'crm_match_sql_pairs';
COMMENT ON FUNCTION crm.match_pairs(text, float8) IS 'All pairs of rows whose evidence weighs at least min_weight, in bits; 0 is a probability of one half, each bit doubles the odds. left_id comes before right_id in the order of the table''s numbers. A model that is not trained is trained first. Errors: 42704 no such model; 55000 it cannot be trained.';

CREATE FUNCTION crm.match_clusters(model text, threshold float8 DEFAULT NULL, OUT id text, OUT cluster_id text)
RETURNS SETOF record
LANGUAGE c ROWS 100000
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET jit = off
AS 'MODULE_PATHNAME', 'crm_match_sql_clusters';
COMMENT ON FUNCTION crm.match_clusters(text, float8) IS 'Every row with the first row of its cluster: rows of one cluster are one entity. Clusters are made by average linkage (Sokal and Michener, 1958) of the weights of pairs as long as their mean reaches the threshold, that of the model when null; rows that were not compared count as missing_weight. No rows when model is null. Errors as of crm.match_pairs().';

CREATE FUNCTION crm.match_decisions(model text, OUT left_id text, OUT right_id text, OUT is_match boolean)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.left_id, l.right_id, l.is_match FROM crm.match_label l WHERE l.model = $1
    UNION
    SELECT p.left_id, p.right_id, p.status <> 'rejected' FROM crm.match_pair p WHERE p.model = $1 AND p.status IN ('confirmed', 'rejected')
    UNION
    SELECT d.contact_id::text, d.duplicate_id::text, d.status <> 'rejected' FROM crm.duplicate_pair d, crm.match_model m
    WHERE m.name = $1 AND m.entity = 'contact' AND d.status IN ('confirmed', 'rejected')
    UNION
    SELECT d.company_id::text, d.duplicate_id::text, d.status <> 'rejected' FROM crm.company_duplicate_pair d, crm.match_model m
    WHERE m.name = $1 AND m.entity = 'company' AND d.status IN ('confirmed', 'rejected')
$$;
COMMENT ON FUNCTION crm.match_decisions(text) IS 'What people have said of pairs of a match model: by crm.label_pair() or, of contacts and companies, in their own tables of pairs.';

CREATE FUNCTION crm.dedupe_table(model text, OUT version integer, OUT records bigint, OUT compared bigint, OUT pairs bigint, OUT clusters bigint,
    OUT added bigint, OUT withdrawn bigint)
RETURNS record
LANGUAGE c STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET jit = off
AS 'MODULE_PATHNAME', 'crm_match_sql_dedupe';
COMMENT ON FUNCTION crm.dedupe_table(text) IS 'The part of crm.dedupe() that is the same for all tables: finds pairs and clusters and brings them into crm.match_pair and crm.match_cluster.';

CREATE FUNCTION crm.dedupe(model text, OUT version integer, OUT records bigint, OUT compared bigint, OUT pairs bigint, OUT clusters bigint,
    OUT added bigint, OUT withdrawn bigint)
RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
DECLARE
    entity text;
BEGIN
    PERFORM crm.require_installed();
    -- One run of a model at a time, also of those who may run models and not change them.
    PERFORM pg_advisory_xact_lock(hashtext('crm.dedupe'), hashtext(dedupe.model));
    SELECT m.entity INTO entity FROM crm.match_model m WHERE m.name = dedupe.model;
    SELECT * INTO version, records, compared, pairs, clusters, added, withdrawn FROM crm.dedupe_table(dedupe.model);
    IF entity = 'contact' THEN
        DELETE FROM crm.duplicate_pair d
        WHERE d.status = 'new' AND d.method = dedupe.model
          AND NOT EXISTS (SELECT FROM crm.match_pair p WHERE p.model = dedupe.model AND p.left_id = d.contact_id::text AND p.right_id = d.duplicate_id::text);
        INSERT INTO crm.duplicate_pair AS d (contact_id, duplicate_id, strength, evidence, method)
        SELECT p.left_id::bigint, p.right_id::bigint, p.probability, jsonb_build_object('weight', p.weight), dedupe.model
        FROM crm.match_pair p WHERE p.model = dedupe.model AND p.status = 'new'
        ON CONFLICT ON CONSTRAINT duplicate_pair_pkey DO UPDATE
        SET strength = excluded.strength, evidence = d.evidence || excluded.evidence
        WHERE d.status = 'new' AND (d.strength, d.evidence) IS DISTINCT FROM (excluded.strength, d.evidence || excluded.evidence);
    ELSIF entity = 'company' THEN
        DELETE FROM crm.company_duplicate_pair d
        WHERE d.status = 'new' AND d.method = dedupe.model
          AND NOT EXISTS (SELECT FROM crm.match_pair p WHERE p.model = dedupe.model AND p.left_id = d.company_id::text AND p.right_id = d.duplicate_id::text);
        INSERT INTO crm.company_duplicate_pair AS d (company_id, duplicate_id, strength, evidence, method)
        SELECT p.left_id::bigint, p.right_id::bigint, p.probability, jsonb_build_object('weight', p.weight), dedupe.model
        FROM crm.match_pair p WHERE p.model = dedupe.model AND p.status = 'new'
        ON CONFLICT ON CONSTRAINT company_duplicate_pair_pkey DO UPDATE
        SET strength = excluded.strength, evidence = d.evidence || excluded.evidence
        WHERE d.status = 'new' AND (d.strength, d.evidence) IS DISTINCT FROM (excluded.strength, d.evidence || excluded.evidence);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.dedupe(text) IS 'Finds the duplicates of a table: trains the model if it is not, compares, makes clusters, and brings the pairs into crm.match_pair, the clusters into crm.match_cluster, blocks that were too large into crm.match_block; pairs of contacts and companies also into crm.duplicate_pair and crm.company_duplicate_pair. What people decided stays; new pairs that no longer hold are withdrawn. Run again it continues from there. Watch it in crm.v_match_progress. Gives the version, records read, pairs compared, pairs of the review threshold or more, clusters of two records or more, and how many pairs are new and withdrawn. Errors: 42704 no such model; 55000 it cannot be trained.';

CREATE FUNCTION crm.explain_match(model text, left_id text, right_id text, OUT "position" integer, OUT field text, OUT left_value text, OUT right_value text,
    OUT level integer, OUT label text, OUT m float8, OUT u float8, OUT level_weight float8, OUT frequency_weight float8, OUT contribution float8)
RETURNS SETOF record
LANGUAGE c STRICT ROWS 10
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS 'MODULE_PATHNAME', 'crm_match_sql_explain';
COMMENT ON FUNCTION crm.explain_match(text, text, text) IS 'Why two rows are, or are not, one entity: the prior, each field with both values, the level of agreement, how often it occurs among matches (m) and others (u), its weight in bits and what the frequency of the value adds; last what the possibility of a household takes. The contributions, added in this order, are the weight of crm.match_pairs() to the last bit; where fields depend on each other the lesser one contributes a quarter. Errors: 42704 no such model; 55000 not trained; P0002 no such row.';

CREATE FUNCTION crm.require_match_rows(model text, ids text[]) RETURNS void
LANGUAGE c STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS 'MODULE_PATHNAME', 'crm_match_sql_require_rows';
COMMENT ON FUNCTION crm.require_match_rows(text, text[]) IS 'Raises P0002 when the table of a match model does not have the rows, or hides them; otherwise does nothing.';

CREATE FUNCTION crm.label_pair(model text, left_id text, right_id text, is_match boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    PERFORM crm.require_installed();
    IF NOT EXISTS (SELECT FROM crm.match_model m WHERE m.name = model) THEN
        RAISE EXCEPTION 'there is no match model "%"', model USING ERRCODE = 'undefined_object', HINT = 'crm.match_model lists the models.';
    ELSIF left_id IS NULL OR right_id IS NULL OR left_id = right_id THEN
        RAISE EXCEPTION 'a pair has two rows, not "%" and "%"', left_id, right_id USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF is_match IS NOT NULL THEN
        PERFORM crm.require_match_rows(model, ARRAY[left_id, right_id]);
    END IF;
    DELETE FROM crm.match_label l WHERE l.model = model AND (l.left_id, l.right_id) IN ((left_id, right_id), (right_id, left_id));
    IF is_match IS NOT NULL THEN
        INSERT INTO crm.match_label (model, left_id, right_id, is_match, labelled_by) VALUES (model, left_id, right_id, is_match, crm.current_actor());
    END IF;
    UPDATE crm.match_pair p
    SET status = CASE WHEN is_match IS NULL THEN 'new' WHEN is_match THEN 'confirmed' ELSE 'rejected' END,
        decided_at = CASE WHEN is_match IS NOT NULL THEN now() END, decided_by = CASE WHEN is_match IS NOT NULL THEN crm.current_actor() END
    WHERE p.model = model AND (p.left_id, p.right_id) IN ((left_id, right_id), (right_id, left_id)) AND p.status <> 'merged';
    IF EXISTS (SELECT FROM crm.match_model m WHERE m.name = model AND m.entity = 'contact') THEN
        PERFORM crm.decide_duplicate(left_id::bigint, right_id::bigint, CASE WHEN is_match IS NULL THEN 'new' WHEN is_match THEN 'confirmed' ELSE 'rejected' END);
    ELSIF EXISTS (SELECT FROM crm.match_model m WHERE m.name = model AND m.entity = 'company') THEN
        UPDATE crm.company_duplicate_pair d
        SET status = CASE WHEN is_match IS NULL THEN 'new' WHEN is_match THEN 'confirmed' ELSE 'rejected' END,
            decided_at = CASE WHEN is_match IS NOT NULL THEN now() END, decided_by = CASE WHEN is_match IS NOT NULL THEN crm.current_actor() END
        WHERE d.company_id = least(left_id::bigint, right_id::bigint) AND d.duplicate_id = greatest(left_id::bigint, right_id::bigint) AND d.status <> 'merged';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.label_pair(text, text, text, boolean) IS 'Records that two rows are one entity (true), are not (false: never offered again), or that nothing is known any more (null). Clusters and the next training heed it; the order of the two does not matter. Errors: 42704 no such model; 22023 twice the same row; P0002 no such row.';

CREATE FUNCTION crm.review_pairs(model text, max_results integer DEFAULT 20, min_weight float8 DEFAULT NULL, max_weight float8 DEFAULT NULL,
    OUT left_id text, OUT right_id text, OUT weight float8, OUT probability float8, OUT left_record jsonb, OUT right_record jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex' AS $$
#variable_conflict use_column
DECLARE
    reviewed record;
    number_text text;
    asked text;
BEGIN
    PERFORM crm.require_installed();
    SELECT m.relation, to_regclass(m.relation) AS oid, m.id_columns, m.threshold, m.entity INTO reviewed FROM crm.match_model m WHERE m.name = review_pairs.model;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no match model "%"', model USING ERRCODE = 'undefined_object', HINT = 'crm.match_model lists the models.';
    ELSIF max_results IS NULL OR max_results < 1 THEN
        RAISE EXCEPTION 'max_results must be positive, not %', coalesce(max_results::text, 'null') USING ERRCODE = 'invalid_parameter_value';
    ELSIF reviewed.oid IS NULL THEN
        RAISE EXCEPTION 'table % of match model "%" does not exist', reviewed.relation, model
            USING ERRCODE = 'undefined_table', HINT = 'Was it dropped or renamed? Make the model again, or correct crm.match_model.relation.';
    END IF;
    -- By an index where the number is of one column, of a type whose equality everybody finds.
    SELECT CASE WHEN count(*) = 1 THEN min(format('(t.%I)::text', u.c)) ELSE format('ROW(%s)::text', string_agg(format('t.%I', u.c), ', ' ORDER BY u.n)) END,
           CASE WHEN count(*) = 1 AND bool_and(y.typnamespace = 'pg_catalog'::regnamespace AND y.typelem = 0)
                THEN min(format('t.%I = ANY (ARRAY(SELECT i.id FROM asked i)::%s[])', u.c, format_type(a.atttypid, a.atttypmod))) END
    INTO number_text, asked
    FROM unnest(reviewed.id_columns) WITH ORDINALITY AS u (c, n)
    LEFT JOIN pg_attribute a ON a.attrelid = reviewed.oid AND a.attname = u.c AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_type y ON y.oid = a.atttypid;
    -- Rows that are gone or hidden take their pairs with them, so more are taken than asked for.
    RETURN QUERY EXECUTE format('WITH waiting AS MATERIALIZED (
            SELECT p.left_id, p.right_id, p.weight, p.probability, abs(p.weight - $2) AS doubt FROM crm.v_match_pair p
            WHERE p.model = $1 AND p.status = ''new'' AND p.weight >= coalesce($3, p.weight) AND p.weight <= coalesce($4, p.weight) %4$s
            ORDER BY 5, 1, 2 LIMIT $5::bigint * 2 + 100
        ), asked AS MATERIALIZED (
            SELECT w.left_id AS id FROM waiting w UNION SELECT w.right_id FROM waiting w
        ), shown AS MATERIALIZED (
            SELECT %1$s AS id, to_jsonb(t) AS record FROM %2$s AS t WHERE %3$s
        )
        SELECT w.left_id, w.right_id, w.weight, w.probability, l.record, r.record
        FROM waiting w JOIN shown l ON l.id = w.left_id JOIN shown r ON r.id = w.right_id
        ORDER BY w.doubt, w.left_id, w.right_id LIMIT $5', number_text, reviewed.oid::regclass, coalesce(asked, number_text || ' IN (SELECT i.id FROM asked i)'),
        -- Of contacts and companies it is known which are gone, and after merging there are many.
        (SELECT string_agg(format('AND NOT EXISTS (SELECT FROM crm.%I g WHERE g.id = p.%I::bigint AND g.deleted_at IS NOT NULL)', reviewed.entity, side), ' ')
         FROM unnest('{left_id,right_id}'::text[]) side WHERE reviewed.entity IS NOT NULL))
    USING review_pairs.model, reviewed.threshold, min_weight, max_weight, max_results;
END
$$;
COMMENT ON FUNCTION crm.review_pairs(text, integer, float8, float8) IS 'The pairs of a match model that wait for a decision, with both rows as JSON, those first that are the most doubtful: whose weight is nearest to the threshold of the model. min_weight and max_weight, in bits, choose a part. Decide with crm.label_pair(), of contacts with crm.decide_duplicate(). Reads the rows with the rights of the caller. Errors: 42704 no such model; 42P01 its table is gone; 22023 max_results is not positive.';

CREATE FUNCTION crm.merge_clusters(model text, min_probability float8 DEFAULT 0.99, batch_limit integer DEFAULT 100, ignore_sources text[] DEFAULT '{}',
    OUT cluster_id text, OUT survivor text, OUT merge_id bigint, OUT skipped text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
DECLARE
    kind text;
    item record;
BEGIN
    PERFORM crm.require_installed();
    SELECT m.entity INTO kind FROM crm.match_model m WHERE m.name = merge_clusters.model;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no match model "%"', model USING ERRCODE = 'undefined_object', HINT = 'crm.match_model lists the models.';
    ELSIF kind IS NULL THEN
        RAISE EXCEPTION 'match model "%" is of a table of yours', model
            USING ERRCODE = 'feature_not_supported', DETAIL = 'Only contacts and companies can be merged.', HINT = 'crm.match_cluster has the rows of each cluster.';
    END IF;
    FOR item IN
        -- Clusters all of whose pairs are sure, none undecided or told apart.
        SELECT c.cluster_id, array_agg(DISTINCT c.id::bigint) AS ids
        FROM crm.match_cluster c WHERE c.model = merge_clusters.model
        GROUP BY c.cluster_id
        HAVING (SELECT count(*) FROM crm.match_pair p JOIN crm.match_cluster l ON l.model = p.model AND l.id = p.left_id AND l.cluster_id = c.cluster_id
                WHERE p.model = merge_clusters.model AND p.in_cluster AND p.status IN ('new', 'confirmed')
                  AND (p.probability >= min_probability OR p.status = 'confirmed')) = count(*) * (count(*) - 1) / 2
        ORDER BY min(c.id::bigint) LIMIT batch_limit
    LOOP
        cluster_id := item.cluster_id;
        survivor := NULL;
        merge_id := NULL;
        skipped := NULL;
        IF kind = 'contact' THEN
            SELECT min(format('contacts %s and %s: %s', a, b, r.reason)) INTO skipped
            FROM unnest(item.ids) a CROSS JOIN unnest(item.ids) b CROSS JOIN LATERAL (SELECT crm.may_merge(a, b, ignore_sources) AS reason) r
            WHERE a < b AND r.reason IS NOT NULL;
            IF skipped IS NULL THEN
                -- The most complete one survives, of equals the oldest.
                SELECT i INTO survivor FROM unnest(item.ids) i ORDER BY crm.completeness(i) DESC NULLS LAST, i LIMIT 1;
                merge_id := crm.merge_contacts(survivor::bigint, array_remove(item.ids, survivor::bigint));
            END IF;
        ELSE
            survivor := item.ids[1];
            merge_id := crm.merge_companies(item.ids[1], item.ids[2:]);
        END IF;
        IF merge_id IS NOT NULL THEN
            UPDATE crm.match_pair p SET status = 'merged', decided_at = coalesce(p.decided_at, now()), decided_by = coalesce(p.decided_by, crm.current_actor())
            WHERE p.model = merge_clusters.model AND p.left_id = ANY (item.ids::text[]) AND p.right_id = ANY (item.ids::text[]);
        END IF;
        -- What was merged or cannot be is not looked at again until the next run.
        DELETE FROM crm.match_cluster c WHERE c.model = merge_clusters.model AND c.id = ANY (item.ids::text[]);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.merge_clusters(text, float8, integer, text[]) IS 'Merges clusters of contacts or companies that crm.dedupe() found and whose pairs all have at least min_probability, at most batch_limit a call; call it again for the next ones. Contacts that crm.may_merge() keeps apart are skipped with the reason; ignore_sources are external systems that have one person twice, so that two numbers there keep nobody apart. The most complete contact survives. Each merge can be undone by crm.unmerge(). Errors: 42704 no such model; 0A000 a model of a table of yours.';
