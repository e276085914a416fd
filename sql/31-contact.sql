/* ------------------------------------------------------------------
 * Contacts and companies: triggers.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.derive() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_derive';
COMMENT ON FUNCTION crm.derive() IS 'Trigger of contact, company and their points: reads what was entered and fills the derived columns (canonical e-mail and phone, match keys, name keys) and updated_at. Errors: 22P02 when an e-mail address or phone number is none.';

CREATE FUNCTION crm.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The log of a contact goes with the contact itself, never alone ...
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM crm.contact WHERE id = OLD.contact_id) THEN
        RETURN OLD;
    END IF;
    -- ... or moves, entry by entry and unchanged, to the contact that absorbed it.
    IF TG_OP = 'DELETE' AND TG_RELID = 'crm.consent'::regclass THEN
        IF EXISTS (SELECT FROM crm.contact c JOIN crm.consent n ON n.contact_id = c.merged_into AND n.id = OLD.id
                   WHERE c.id = OLD.contact_id AND to_jsonb(n) - 'contact_id' = to_jsonb(OLD) - 'contact_id') THEN
            RETURN OLD;
        END IF;
        -- ... and back, or goes with the merge that wrote it, when that is undone.
        IF crm.merge_mode() = 'undo' AND EXISTS (
            SELECT FROM crm.merge_journal j
            WHERE j.survivor_id = OLD.contact_id AND j.relation = 'consent' AND (j.row_before || j.row_after) ->> 'id' = OLD.id::text
              AND (j.operation = 'add' OR j.operation = 'move' AND EXISTS (
                  SELECT FROM crm.consent n WHERE n.contact_id = j.absorbed_id AND n.id = OLD.id AND to_jsonb(n) - 'contact_id' = to_jsonb(OLD) - 'contact_id'))) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'entries of crm.% cannot be changed or removed', TG_TABLE_NAME
        USING ERRCODE = 'RM020', HINT = 'Add a new entry: the latest one counts.';
END
$$;
COMMENT ON FUNCTION crm.refuse_change() IS 'Trigger: keeps an append-only table so. Raises RM020.';

/* ------------------------------------------------------------------
 * Custom fields.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.attr_problem(type text, choices text[], minimum numeric, maximum numeric, value jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE COST 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN type IS NULL THEN 'is not a defined field'
        WHEN jsonb_typeof(value) = 'null' THEN NULL
        WHEN type IN ('text', 'email', 'phone', 'date', 'timestamp', 'choice') AND jsonb_typeof(value) <> 'string'
            THEN format('must be a string, not %s', jsonb_typeof(value))
        WHEN type IN ('number', 'integer') AND jsonb_typeof(value) <> 'number'
            THEN format('must be a number, not %s', jsonb_typeof(value))
        WHEN type = 'boolean' AND jsonb_typeof(value) <> 'boolean'
            THEN format('must be true or false, not %s', jsonb_typeof(value))
        WHEN type = 'integer' AND trunc((value #>> '{}')::numeric) <> (value #>> '{}')::numeric
            THEN format('must be a whole number, not %s', value)
        WHEN type IN ('number', 'integer') AND (value #>> '{}')::numeric < minimum
            THEN format('must be at least %s, not %s', minimum, value)
        WHEN type IN ('number', 'integer') AND (value #>> '{}')::numeric > maximum
            THEN format('must be at most %s, not %s', maximum, value)
        WHEN type = 'date' AND NOT (crm.check_date(value #>> '{}')).ok
            THEN format('must be a date such as 2026-12-31, not %s', value)
        WHEN type = 'timestamp' AND (value #>> '{}') !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?$'
            THEN format('must be a time such as 2026-12-31T23:59:59Z, not %s', value)
        WHEN type = 'email' AND crm.try_email(value #>> '{}') IS NULL
            THEN format('must be an e-mail address, not %s', value)
        WHEN type = 'phone' AND crm.try_phone(value #>> '{}') IS NULL
            THEN format('must be a phone number with country code, not %s', value)
        WHEN type = 'choice' AND NOT (value #>> '{}') = ANY (choices)
            THEN format('must be one of %s, not %s', array_to_string(choices, ', '), value)
        WHEN type = 'multichoice' AND (jsonb_typeof(value) <> 'array'
             OR EXISTS (SELECT FROM jsonb_array_elements(value) e
                        WHERE jsonb_typeof(e) <> 'string' OR NOT (e #>> '{}') = ANY (choices)))
            THEN format('must be an array of %s, not %s', array_to_string(choices, ', '), value)
    END
$$;
COMMENT ON FUNCTION crm.attr_problem(text, text[], numeric, numeric, jsonb) IS 'What is wrong with a value of a custom field of the given type, or null when nothing is.';

CREATE FUNCTION crm.check_attrs() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad record;
    changed bigint[];           -- of an update: the rows whose attrs are new
BEGIN
    -- Triggers of 0.0.1, there until crm.upgrade(), do not keep the old rows.
    IF TG_OP = 'UPDATE' AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME AND t.tgoldtable IS NOT NULL) THEN
        -- What was written under older definitions stays until it is written again.
        EXECUTE 'SELECT array_agg(n.id) FROM new_rows n JOIN old_rows o USING (id) WHERE n.attrs IS DISTINCT FROM o.attrs' INTO changed;
        IF changed IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    SELECT n.id, a.key AS field, crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) AS problem,
           f.name IS NULL AS unknown INTO bad
    FROM new_rows n
    CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(n.attrs) = 'object' THEN n.attrs ELSE jsonb_build_object('attrs', n.attrs) END) a
    LEFT JOIN crm.custom_field f ON f.entity = TG_TABLE_NAME AND f.name = a.key
    WHERE n.attrs <> '{}' AND (changed IS NULL OR n.id = ANY (changed)) AND crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) IS NOT NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'custom field "%" of % % %', bad.field, TG_TABLE_NAME, bad.id, bad.problem
            USING ERRCODE = 'invalid_parameter_value', COLUMN = bad.field,
                  HINT = CASE WHEN bad.unknown
                      THEN format('Define it first: SELECT crm.define_field(%L, %L, ''text'').', TG_TABLE_NAME, bad.field)
                      ELSE 'crm.custom_field holds what each field may be.' END;
    END IF;
    SELECT n.id, f.name AS field INTO bad
    FROM crm.custom_field f JOIN new_rows n ON NOT n.attrs ? f.name
    WHERE f.entity = TG_TABLE_NAME AND f.is_required AND (changed IS NULL OR n.id = ANY (changed))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'custom field "%" of % % is required', bad.field, TG_TABLE_NAME, bad.id
            USING ERRCODE = 'RM003', COLUMN = bad.field, HINT = format('Give attrs a key %s.', bad.field);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.check_attrs() IS 'Trigger, once a statement: checks attrs against crm.custom_field. Raises 22023 naming the field when it is unknown or its value is of the wrong type, RM003 when a required field is missing.';

CREATE FUNCTION crm.define_field(entity text, name text, type text, label text DEFAULT NULL, choices text[] DEFAULT NULL,
    is_required boolean DEFAULT false, minimum numeric DEFAULT NULL, maximum numeric DEFAULT NULL, description text DEFAULT NULL) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO crm.custom_field (entity, name, type, label, choices, is_required, minimum, maximum, description)
    VALUES (entity, name, type, label, choices, is_required, minimum, maximum, description)
    ON CONFLICT (entity, name) DO UPDATE
    SET type = excluded.type, label = excluded.label, choices = excluded.choices, is_required = excluded.is_required,
        minimum = excluded.minimum, maximum = excluded.maximum, description = excluded.description
$$;
COMMENT ON FUNCTION crm.define_field(text, text, text, text, text[], boolean, numeric, numeric, text) IS 'Defines or redefines a custom field of contact, company or deal: type text, number, integer, boolean, date, timestamp, email, phone, choice, multichoice or json. Rows written before keep what they have until attrs is written again. Errors: 23514 for an unknown entity or type.';

/* ------------------------------------------------------------------
 * Contacts from and to JSON.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.json_texts(value jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT btrim(e #>> '{}')
    FROM jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value WHEN 'null' THEN '[]' ELSE jsonb_build_array(value) END)
         WITH ORDINALITY AS a (e, n)
    WHERE btrim(e #>> '{}') <> ''
    ORDER BY n
$$;
COMMENT ON FUNCTION crm.json_texts(jsonb) IS 'The texts of a JSON array, or of one value; without empty ones.';

CREATE FUNCTION crm.contact_keys() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['name', 'title', 'given_name', 'middle_name', 'family_name', 'suffix', 'gender', 'birth_date', 'locale', 'time_zone',
                 'country', 'city', 'job_title', 'tax_id', 'lifecycle_stage', 'kind', 'owner', 'owner_id', 'branch_id', 'territory_id', 'source',
                 'est_category_spend', 'email', 'phone', 'address', 'company', 'company_id', 'company_role', 'tags', 'attrs',
                 'consent', 'external_ref', 'identity']
$$;
COMMENT ON FUNCTION crm.contact_keys() IS 'The keys that crm.create_contact() and crm.update_contact() read.';

CREATE FUNCTION crm.check_contact_json(contact jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    IF contact IS NULL OR jsonb_typeof(contact) <> 'object' THEN
        RAISE EXCEPTION 'a contact must be a JSON object, not %', coalesce(jsonb_typeof(contact), 'null')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: {"given_name": "Anna", "email": "anna@example.com"}.';
    END IF;
    SELECT k AS key INTO bad FROM jsonb_object_keys(contact) k WHERE NOT k = ANY (crm.contact_keys()) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'unknown key "%" of a contact', bad.key
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('Known keys: %s. Your own fields go under "attrs".', array_to_string(crm.contact_keys(), ', '));
    END IF;
    SELECT e.key, e.value, c.message, c.hint INTO bad
    FROM jsonb_each_text(contact) e CROSS JOIN LATERAL (
        SELECT r.message, r.hint FROM crm.check_date(e.value) r
        WHERE e.key = 'birth_date' AND e.value IS NOT NULL AND NOT r.ok
        UNION ALL
        SELECT format('It must be a whole number.'), 'Give the id of a row.'
        WHERE e.key IN ('owner_id', 'branch_id', 'territory_id', 'company_id') AND e.value !~ '^\d{1,18}$'
        UNION ALL
        SELECT 'It must be a number.', 'Write it as 1234.50.'
        WHERE e.key = 'est_category_spend' AND e.value !~ '^\d+(\.\d+)?$'
        UNION ALL
        SELECT 'There is no such time zone.', 'Use an IANA name such as Europe/Moscow.'
        WHERE e.key = 'time_zone' AND e.value IS NOT NULL AND NOT crm.is_time_zone(e.value)
        UNION ALL
        SELECT 'The owner is given twice.', 'Give owner, a name, or owner_id, a number.'
        WHERE e.key = 'owner' AND contact ? 'owner_id'
        UNION ALL
        SELECT 'It must be a JSON object.', 'For example: {"name": "value"}.'
        WHERE e.key IN ('attrs', 'external_ref', 'identity') AND jsonb_typeof(contact -> e.key) NOT IN ('object', 'null')
    ) c
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'invalid value of "%": "%"', bad.key, left(bad.value, 100)
            USING ERRCODE = 'invalid_parameter_value', DETAIL = bad.message, HINT = bad.hint, COLUMN = bad.key;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.check_contact_json(jsonb) IS 'Raises 22023, naming the key, when a JSON object is not one that crm.create_contact() reads.';

-- Not parallel safe: an exception block is a subtransaction.
CREATE FUNCTION crm.is_time_zone(name text) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM timestamptz 'epoch' AT TIME ZONE name;
    RETURN name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$';
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION crm.is_time_zone(text) IS 'Whether the server knows a time zone of this name.';

CREATE FUNCTION crm.find_or_create_company(name text, source text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found bigint;
    wanted_key text := crm.name_key(name);
BEGIN
    IF btrim(name) = '' OR name IS NULL THEN
        RETURN NULL;
    END IF;
    -- Two sessions naming the same new company get one row.
    PERFORM crm.lock_companies(false);
    PERFORM pg_advisory_xact_lock(hashtext('crm.company'), hashtext(coalesce(nullif(wanted_key, ''), name)));
    SELECT k.company_id INTO found FROM crm.company_key k
    WHERE k.kind = 'name' AND k.key = wanted_key ORDER BY k.company_id LIMIT 1;
    IF found IS NULL THEN
        INSERT INTO crm.company (name, source) VALUES (btrim(find_or_create_company.name), find_or_create_company.source)
        RETURNING id INTO found;
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION crm.find_or_create_company(text, text) IS 'The company whose name has the same key, the oldest if several, or a new one; null for an empty name.';

/* Everything of a contact's JSON that lies in other tables. */
CREATE FUNCTION crm.write_contact_parts(contact_id bigint, contact jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    id bigint := write_contact_parts.contact_id;
    company bigint;
    region text;
BEGIN
    SELECT country INTO region FROM crm.contact c WHERE c.id = write_contact_parts.contact_id;
    -- The first of each kind becomes the primary one; what is known already is not doubled.
    IF contact ?| ARRAY['email', 'phone', 'address'] THEN
        UPDATE crm.contact_point p SET is_primary = false
        FROM (SELECT k.kind, (SELECT t FROM crm.json_texts(contact -> k.kind) t LIMIT 1) AS raw
              FROM unnest(ARRAY['email', 'phone', 'address']) AS k (kind)) f
        WHERE p.contact_id = write_contact_parts.contact_id AND p.kind = f.kind AND p.is_primary
          AND f.raw IS NOT NULL AND p.raw <> f.raw;
        INSERT INTO crm.contact_point (contact_id, kind, raw, region, is_primary)
        SELECT write_contact_parts.contact_id, k.kind, v.raw, CASE WHEN k.kind = 'phone' THEN region END, false
        FROM unnest(ARRAY['email', 'phone', 'address']) AS k (kind)
        CROSS JOIN LATERAL crm.json_texts(contact -> k.kind) WITH ORDINALITY AS v (raw, n)
        WHERE NOT EXISTS (SELECT FROM crm.contact_point p
                          WHERE p.contact_id = write_contact_parts.contact_id AND p.kind = k.kind AND p.raw = v.raw)
        ORDER BY k.kind, v.n;
        UPDATE crm.contact_point p SET is_primary = true
        FROM (SELECT k.kind, (SELECT t FROM crm.json_texts(contact -> k.kind) t LIMIT 1) AS raw
              FROM unnest(ARRAY['email', 'phone', 'address']) AS k (kind)) f
        WHERE p.contact_id = write_contact_parts.contact_id AND p.kind = f.kind AND p.raw = f.raw AND NOT p.is_primary
          AND p.id = (SELECT min(o.id) FROM crm.contact_point o
                      WHERE o.contact_id = p.contact_id AND o.kind = p.kind AND o.raw = p.raw);
    END IF;
    company := coalesce((contact ->> 'company_id')::bigint,
                        crm.find_or_create_company(contact ->> 'company', contact ->> 'source'));
    IF company IS NOT NULL THEN
        UPDATE crm.company_contact l SET is_primary = false
        WHERE l.contact_id = write_contact_parts.contact_id AND l.is_primary AND upper_inf(l.valid) AND l.company_id <> company;
        UPDATE crm.company_contact l SET is_primary = true
        WHERE l.contact_id = write_contact_parts.contact_id AND l.company_id = company AND upper_inf(l.valid)
          AND l.role = coalesce(contact ->> 'company_role', l.role) AND NOT l.is_primary;
        INSERT INTO crm.company_contact (contact_id, company_id, role, is_primary)
        SELECT write_contact_parts.contact_id, company, coalesce(contact ->> 'company_role', 'employee'),
               NOT EXISTS (SELECT FROM crm.company_contact l WHERE l.contact_id = write_contact_parts.contact_id
                           AND l.is_primary AND upper_inf(l.valid))
        WHERE NOT EXISTS (SELECT FROM crm.company_contact l
                          WHERE l.contact_id = write_contact_parts.contact_id AND l.company_id = company AND upper_inf(l.valid)
                            AND l.role = coalesce(contact ->> 'company_role', l.role));
    END IF;
    IF contact ? 'tags' THEN
        DELETE FROM crm.tag t WHERE t.contact_id = write_contact_parts.contact_id
            AND NOT t.tag IN (SELECT n FROM crm.json_texts(contact -> 'tags') n);
        INSERT INTO crm.tag (contact_id, tag)
        SELECT DISTINCT write_contact_parts.contact_id, n FROM crm.json_texts(contact -> 'tags') n
        ON CONFLICT (contact_id, tag) DO NOTHING;
    END IF;
    INSERT INTO crm.consent (contact_id, purpose, channel, status, source, legal_basis, evidence)
    SELECT write_contact_parts.contact_id, c ->> 'purpose', coalesce(c ->> 'channel', '*'), coalesce(c ->> 'status', 'granted'),
           c ->> 'source', c ->> 'legal_basis', coalesce(c -> 'evidence', '{}')
    FROM jsonb_array_elements(CASE jsonb_typeof(contact -> 'consent') WHEN 'array' THEN contact -> 'consent'
                                   WHEN 'object' THEN jsonb_build_array(contact -> 'consent') ELSE '[]' END) c;
    INSERT INTO crm.external_ref (contact_id, system, external_id)
    SELECT write_contact_parts.contact_id, e.key, e.value FROM jsonb_each_text(coalesce(nullif(contact -> 'external_ref', 'null'), '{}')) e
    ON CONFLICT (contact_id, system, external_id) DO UPDATE SET synced_at = now();
    INSERT INTO crm.contact_identity (contact_id, provider, external_id)
    SELECT write_contact_parts.contact_id, e.key, e.value FROM jsonb_each_text(coalesce(nullif(contact -> 'identity', 'null'), '{}')) e
    ON CONFLICT (contact_id, provider, external_id) DO NOTHING;
END
$$;
COMMENT ON FUNCTION crm.write_contact_parts(bigint, jsonb) IS 'Writes the contact points, company, tags, consent, external numbers and identities of a JSON object that crm.create_contact() or crm.update_contact() was given.';

/* The columns of crm.contact as the JSON gives them, a full name taken apart. */
CREATE FUNCTION crm.contact_columns(contact jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result jsonb := contact - ARRAY['name', 'owner', 'email', 'phone', 'address', 'company', 'company_id', 'company_role', 'tags', 'consent', 'external_ref', 'identity'];
    parsed crm.person_name;
BEGIN
    IF contact ? 'name' THEN
        parsed := crm.parse_name(contact ->> 'name');
        result := jsonb_strip_nulls(jsonb_build_object(
            'title', parsed.title, 'given_name', parsed.given, 'middle_name', parsed.middle, 'family_name', parsed.family,
            'suffix', parsed.suffix, 'gender', parsed.gender)) || result;
    END IF;
    IF result ? 'birth_date' THEN
        result := result || jsonb_build_object('birth_date', (crm.check_date(result ->> 'birth_date')).value);
    END IF;
    IF contact ? 'owner' THEN
        result := result || jsonb_build_object('owner_id', crm.agent_id(contact ->> 'owner'));
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION crm.contact_columns(jsonb) IS 'The part of a contact''s JSON that goes into crm.contact, with the full name under "name" taken apart, the birth date in ISO form and the number of the owner. Errors: RM004 no agent of that name, or several.';

/*
 * Functions for one contact plan for a large base, not for the size that the
 * base had when a session first called them: plans are kept.
 */
CREATE FUNCTION crm.create_contact(contact jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    given jsonb;
    new_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.check_contact_json(contact);
    given := crm.contact_columns(contact);
    IF NOT contact ?| ARRAY['name', 'given_name', 'family_name', 'middle_name', 'email', 'phone', 'identity', 'external_ref', 'company', 'company_id'] THEN
        RAISE EXCEPTION 'a contact needs at least a name, an e-mail address, a phone number, an account or a company'
            USING ERRCODE = 'RM003', HINT = 'Give one of the keys name, given_name, family_name, email, phone, identity, external_ref, company.';
    END IF;
    INSERT INTO crm.contact (title, given_name, middle_name, family_name, suffix, gender, birth_date, locale, time_zone, country, city,
                             job_title, tax_id, lifecycle_stage, kind, owner_id, branch_id, territory_id, source, est_category_spend, attrs)
    SELECT r.title, r.given_name, r.middle_name, r.family_name, r.suffix, r.gender, r.birth_date, r.locale, r.time_zone, r.country, r.city,
           r.job_title, r.tax_id, coalesce(r.lifecycle_stage, 'lead'), coalesce(r.kind, 'person'), r.owner_id, r.branch_id, r.territory_id,
           r.source, r.est_category_spend, coalesce(r.attrs, '{}')
    FROM jsonb_populate_record(NULL::crm.contact, given) r
    RETURNING id INTO new_id;
    PERFORM crm.write_contact_parts(new_id, contact);
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.create_contact(jsonb) IS 'Creates a contact and returns its id. Keys: those of crm.contact_keys(); name is a full name that is taken apart, email, phone, address and tags take one text or an array, company a name (found by its key or created), owner the name or database role of an agent, external_ref and identity objects {"system": "number"}, consent {"purpose", "channel", "status"} or an array. Errors: 22023 unknown key or malformed value, naming it; 22P02 not an e-mail address or phone number; 23505 account or external number taken; RM003 nothing to know the contact by; RM004 no agent named as the owner, or several; RM010, RM011 tables missing or older.';

CREATE FUNCTION crm.update_contact(contact_id bigint, changes jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    given jsonb;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.check_contact_json(changes);
    PERFORM FROM crm.contact c WHERE c.id = contact_id AND c.deleted_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', contact_id
            USING ERRCODE = 'no_data_found', HINT = 'Look it up with crm.lookup_contact(); deleted contacts are brought back by crm.restore_contacts().';
    END IF;
    given := crm.contact_columns(changes);
    UPDATE crm.contact c
    SET title = r.title, given_name = r.given_name, middle_name = r.middle_name, family_name = r.family_name, suffix = r.suffix,
        gender = r.gender, birth_date = r.birth_date, locale = r.locale, time_zone = r.time_zone, country = r.country, city = r.city,
        job_title = r.job_title, tax_id = r.tax_id, lifecycle_stage = r.lifecycle_stage, kind = r.kind, owner_id = r.owner_id,
        branch_id = r.branch_id, territory_id = r.territory_id, source = r.source, est_category_spend = r.est_category_spend,
        attrs = CASE WHEN changes ? 'attrs'
                     THEN (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}')
                           FROM jsonb_each(c.attrs || coalesce(nullif(changes -> 'attrs', 'null'), '{}')) e WHERE e.value <> 'null')
                     ELSE c.attrs END
    FROM crm.contact o CROSS JOIN LATERAL jsonb_populate_record(o, given - 'attrs') r
    WHERE c.id = contact_id AND o.id = c.id AND given <> '{}';
    PERFORM crm.write_contact_parts(contact_id, changes);
    RETURN contact_id;
END
$$;
COMMENT ON FUNCTION crm.update_contact(bigint, jsonb) IS 'Changes what the JSON names and leaves the rest: null empties a column; attrs is merged, null removes a key; an e-mail address or phone number is added and becomes the primary one; tags replaces all tags. Returns the id. Errors: P0002 no such contact, and those of crm.create_contact().';

CREATE FUNCTION crm.delete_contact(contact_id bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.contact SET deleted_at = now() WHERE id = contact_id AND deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', contact_id USING ERRCODE = 'no_data_found';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.delete_contact(bigint) IS 'Deletes a contact softly: it disappears from look-ups and views and its numbers and accounts become free; crm.restore_contacts() brings it back. Errors: P0002 no such contact.';

CREATE FUNCTION crm.full_name(title text, given text, middle text, family text, suffix text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 2
SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(concat_ws(' ', nullif(title, ''), nullif(given, ''), nullif(middle, ''), nullif(family, ''), nullif(suffix, '')), '')
$$;
COMMENT ON FUNCTION crm.full_name(text, text, text, text, text) IS 'The parts of a name in one line, without gaps; null when there is none.';

CREATE FUNCTION crm.tax_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.tax_id(value), (crm.split_inn_kpp(value)).inn::text)
$$;
COMMENT ON FUNCTION crm.tax_key(text) IS 'The key of a tax or registry number as entered: its canonical form, of "INN/KPP" the INN; null when it is none.';

/* ------------------------------------------------------------------
 * Finding contacts.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.name_orders(name text, OUT low text, OUT high text) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 4
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last text := CASE WHEN getdatabaseencoding() = 'UTF8' THEN chr(1114111) ELSE chr(255) END;
    key text;
    w text[];
BEGIN
    FOREACH key IN ARRAY crm.name_keys(name) LOOP
        w := string_to_array(key, ' ');
        low := key;
        high := low || last;
        RETURN NEXT;
        IF cardinality(w) = 2 THEN
            low := w[2] || ' ' || w[1];
            high := low || last;
            RETURN NEXT;
        ELSIF cardinality(w) = 3 THEN
            -- given middle family, the family name in the middle, and the rest.
            FOREACH low IN ARRAY ARRAY[concat_ws(' ', w[3], w[1], w[2]), concat_ws(' ', w[2], w[1], w[3]), concat_ws(' ', w[1], w[3], w[2]),
                                       concat_ws(' ', w[2], w[3], w[1]), concat_ws(' ', w[3], w[2], w[1])] LOOP
                high := low || last;
                RETURN NEXT;
            END LOOP;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.name_orders(text) IS 'The ranges of contact.name_key (low <= name_key < high) in which contacts of this name lie, whichever way its two or three words were ordered and its letters read.';

CREATE FUNCTION crm.lookup_contact(query text, max_rows integer DEFAULT 20, include_archived boolean DEFAULT false,
    OUT contact_id bigint, OUT name text, OUT company text, OUT matched_by text, OUT matched_value text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    wanted text := btrim(query);
    digits text := regexp_replace(query, '\D', '', 'g');
    wanted_key text;
    keys text[];
    phone crm.phone;
    ids bigint[];
    how text;
BEGIN
    IF wanted IS NULL OR wanted = '' THEN
        RETURN;
    END IF;
    -- From the surest to the vaguest; the first that finds anything answers.
    IF wanted ~ '@' THEN
        how := 'email';
        wanted_key := crm.match_key(crm.try_email(wanted));
    ELSIF length(digits) >= 5 AND (wanted !~ '[[:alpha:]]{3}' OR crm.try_phone(wanted) IS NOT NULL) THEN
        how := 'phone';
        phone := crm.try_phone(wanted);
        wanted_key := crm.e164(crm.base(phone));
    END IF;
    IF wanted_key IS NOT NULL THEN
        SELECT array_agg(k.contact_id) INTO ids FROM (
            SELECT k.contact_id FROM crm.contact_key k JOIN crm.contact c ON c.id = k.contact_id
            WHERE k.kind = how AND k.key = wanted_key AND (c.archived_at IS NULL OR include_archived)
            ORDER BY k.contact_id LIMIT max_rows) k;
    END IF;
    IF ids IS NULL AND how = 'phone' AND length(digits) >= 7 THEN
        -- As shown by a telephone: without country code, with a trunk digit, with 00.
        SELECT array_agg(DISTINCT p.contact_id) INTO ids FROM (
            SELECT p.contact_id FROM crm.contact_point p JOIN crm.contact c ON c.id = p.contact_id
            WHERE p.phone OPERATOR(crm.%^) right(digits, CASE WHEN length(digits) > 10 THEN 10 ELSE length(digits) - (length(digits) >= 10 AND left(digits, 1) = '0')::integer END)
              AND c.deleted_at IS NULL AND c.merged_into IS NULL AND (c.archived_at IS NULL OR include_archived)
            LIMIT max_rows) p;
    END IF;
    IF ids IS NULL AND wanted !~ '@' THEN
        wanted_key := crm.tax_id(wanted);
        SELECT k.kind, array_agg(k.contact_id) INTO how, ids FROM (
            SELECT k.kind, k.contact_id
            FROM (VALUES ('tax_id', wanted_key), ('card', wanted), ('external', wanted), ('identity', wanted)) AS w (kind, key)
            JOIN crm.contact_key k ON k.kind = w.kind AND k.key = w.key
            JOIN crm.contact c ON c.id = k.contact_id
            WHERE c.archived_at IS NULL OR include_archived
            ORDER BY 1, 2 LIMIT max_rows) k
        GROUP BY k.kind ORDER BY k.kind LIMIT 1;
    END IF;
    IF ids IS NULL AND wanted ~ '[[:alpha:]]{2}' AND wanted !~ '[@:]' THEN
        how := 'name';
        -- A whole word goes before the beginning of one, a family name before
        -- a given name that is asked for alone; of these the newest come first.
        WITH o AS MATERIALIZED (
            SELECT n.low COLLATE "C" AS low, n.high COLLATE "C" AS high FROM crm.name_orders(wanted) n
        ), found AS (
            SELECT c.id, c.name_key, CASE WHEN c.name_key = o.low OR c.name_key LIKE o.low || ' %' THEN 1 ELSE 3 END AS rank, 0 AS place
            FROM o CROSS JOIN LATERAL (SELECT c.id, c.name_key FROM crm.contact c
                                       WHERE c.name_key >= o.low AND c.name_key < o.high
                                         AND c.deleted_at IS NULL AND c.merged_into IS NULL AND (c.archived_at IS NULL OR include_archived)
                                       ORDER BY c.name_key LIMIT max_rows) c
            UNION ALL
            SELECT c.id, c.name_key, CASE WHEN c.given_key = o.low OR c.given_key LIKE o.low || ' %' THEN 2 ELSE 4 END, -c.id
            FROM o CROSS JOIN LATERAL (SELECT c.id, c.name_key, crm.name_key(c.given_name) COLLATE "C" AS given_key FROM crm.contact c
                                       WHERE crm.name_key(c.given_name) COLLATE "C" >= o.low AND crm.name_key(c.given_name) COLLATE "C" < o.high
                                         AND c.given_name IS NOT NULL
                                         AND c.deleted_at IS NULL AND c.merged_into IS NULL AND (c.archived_at IS NULL OR include_archived)
                                       ORDER BY crm.name_key(c.given_name) COLLATE "C", c.id DESC LIMIT max_rows) c
            WHERE o.low !~ ' '
        )
        SELECT array_agg(f.id ORDER BY f.rank, f.place, f.name_key, f.id) INTO ids FROM (
            SELECT b.* FROM (SELECT DISTINCT ON (a.id) a.* FROM found a ORDER BY a.id, a.rank) b
            ORDER BY b.rank, b.place, b.name_key, b.id LIMIT max_rows) f;
    END IF;
    IF ids IS NULL AND wanted !~ '@' THEN
        -- The number of a card or an account without the name of its system.
        keys := ARRAY(SELECT s || ':' || wanted FROM crm.key_systems() s);
        SELECT min(i.kind), array_agg(i.contact_id) INTO how, ids FROM (
            SELECT i.kind, i.contact_id
            FROM crm.contact_key i JOIN crm.contact c ON c.id = i.contact_id AND (c.archived_at IS NULL OR include_archived)
            WHERE i.kind IN ('external', 'identity') AND i.key = ANY (keys)
            ORDER BY 1, 2 LIMIT max_rows) i;
    END IF;
    RETURN QUERY
    SELECT c.id, crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix),
           (SELECT o.name FROM crm.company_contact l JOIN crm.company o ON o.id = l.company_id
            WHERE l.contact_id = c.id AND upper_inf(l.valid) ORDER BY l.is_primary DESC, l.company_id LIMIT 1),
           how, wanted
    FROM unnest(ids) WITH ORDINALITY AS f (id, place) JOIN crm.contact c ON c.id = f.id AND c.deleted_at IS NULL
    ORDER BY f.place;
END
$$;
COMMENT ON FUNCTION crm.lookup_contact(text, integer, boolean) IS 'Finds contacts by anything that a call-centre agent has: a phone number as dialled or shown, an e-mail address, a tax number, a card or account number (with its system, "vk:id1", or without), a surname or a given name or its beginning, or a full name in any order of words, in any script; of a given name alone the newest contacts. Each kind is an index look-up; the surest that finds anything answers and matched_by says which (email, phone, tax_id, card, external, identity, name). Numbers without country code are read by setting crm.default_region, else by their last digits. Archived contacts come only with include_archived.';

CREATE FUNCTION crm.lookup_caller(phone text, max_rows integer DEFAULT 20,
    OUT contact_id bigint, OUT name text, OUT company text, OUT matched_by text, OUT matched_value text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.contact_id, l.name, l.company, l.matched_by, l.matched_value FROM crm.lookup_contact($1, $2, true) l
$$;
COMMENT ON FUNCTION crm.lookup_caller(text, integer) IS 'Who is calling: crm.lookup_contact() with archived contacts, because who calls is of interest again.';

CREATE FUNCTION crm.key_systems() RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_kind text;
    system text;
    after text;
BEGIN
    -- The distinct prefixes of an index, each by one descent; ";" follows ":".
    FOREACH key_kind IN ARRAY ARRAY['external', 'identity'] LOOP
        after := '';
        LOOP
            SELECT split_part(k.key, ':', 1) INTO system FROM crm.contact_key k
            WHERE k.kind = key_kind AND k.key > after ORDER BY k.key LIMIT 1;
            EXIT WHEN NOT FOUND;
            RETURN NEXT system;
            after := system || ';';
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.key_systems() IS 'The systems and providers whose numbers contacts have.';
