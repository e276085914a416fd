/* ------------------------------------------------------------------
 * The client's card.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.resolve_contact(contact_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    next_id bigint;
BEGIN
    -- Merges keep merged_into resolved; the loop is for two that crossed.
    FOR step IN 1 .. 20 LOOP
        SELECT c.merged_into INTO next_id FROM crm.contact c WHERE c.id = contact_id;
        EXIT WHEN next_id IS NULL;
        contact_id := next_id;
    END LOOP;
    RETURN contact_id;
END
$$;
COMMENT ON FUNCTION crm.resolve_contact(bigint) IS 'The contact that stands for the given one: itself, or the one that absorbed it.';

CREATE FUNCTION crm.contact_salutation(contact_id bigint, style text DEFAULT 'formal', locale text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
    language text;
BEGIN
    SELECT o.title, o.given_name, o.middle_name, o.family_name, o.gender, o.locale INTO c
    FROM crm.contact o WHERE o.id = contact_id AND o.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    language := lower(left(coalesce(locale, c.locale), 2));
    -- A contact may speak a language for which there are no salutations.
    IF locale IS NULL AND (language IS NULL OR NOT language IN ('ru', 'en', 'de', 'fr', 'es')) THEN
        language := CASE WHEN concat(c.given_name, c.family_name) ~ '[А-Яа-яЁё]' THEN 'ru' ELSE 'en' END;
    END IF;
    RETURN crm.salutation(c.given_name, c.middle_name, c.family_name, c.gender, style, language, c.title);
END
$$;
COMMENT ON FUNCTION crm.contact_salutation(bigint, text, text) IS 'How to address a contact, see crm.salutation(): style formal, neutral or informal; in the given language, else the contact''s (contact.locale), else the one that the script of the name suggests. Null when there is no such contact. Errors: 22023 unknown style or language.';

CREATE FUNCTION crm.consent_status(contact_id bigint, purpose text, channel text DEFAULT '*', as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.status FROM crm.consent c
    WHERE c.contact_id = $1 AND c.purpose = $2 AND c.channel IN ($3, '*') AND c.at <= $4
    ORDER BY c.at DESC, c.id DESC LIMIT 1
$$;
COMMENT ON FUNCTION crm.consent_status(bigint, text, text, timestamptz) IS 'What a person last said of a purpose and a channel, as of a moment: granted, denied, withdrawn, or null when nothing was said. What was said of all channels (*) counts for each.';

CREATE FUNCTION crm.contact_card(contact_id bigint, as_of timestamptz DEFAULT now()) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    asked bigint := contact_id;
    known bigint;
    c crm.contact;
    card jsonb;
BEGIN
    SELECT o.* INTO c FROM crm.contact o WHERE o.id = asked;
    IF c.merged_into IS NOT NULL THEN
        known := crm.resolve_contact(asked);
        SELECT o.* INTO c FROM crm.contact o WHERE o.id = known;
    END IF;
    IF c.id IS NULL OR c.deleted_at IS NOT NULL THEN
        RETURN NULL;
    END IF;
    known := c.id;
    -- Before crm.upgrade() some of what it shows is not there.
    IF to_regclass('crm.lead') IS NULL OR to_regclass('crm.payment') IS NULL OR to_regclass('crm.quote_line') IS NULL THEN
        PERFORM crm.require_installed();
    END IF;
    card := jsonb_build_object(
        'contact_id', known,
        'asked_for', nullif(asked, known),
        'as_of', as_of,
        'name', crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix),
        'salutation', crm.contact_salutation(known),
        'title', c.title, 'given_name', c.given_name, 'middle_name', c.middle_name, 'family_name', c.family_name, 'suffix', c.suffix,
        'gender', c.gender, 'birth_date', c.birth_date, 'birth_date_verified_at', c.birth_date_verified_at,
        'age', extract(year FROM age((as_of AT TIME ZONE 'UTC')::date, c.birth_date))::integer,
        'locale', c.locale, 'time_zone', c.time_zone, 'country', c.country, 'city', c.city, 'job_title', c.job_title, 'tax_id', c.tax_id,
        'lifecycle_stage', c.lifecycle_stage, 'kind', c.kind, 'source', c.source, 'est_category_spend', c.est_category_spend)
    || jsonb_build_object(
        'attrs', c.attrs,
        'owner', (SELECT jsonb_build_object('id', a.id, 'name', a.name, 'phone', a.phone, 'email', a.email) FROM crm.agent a WHERE a.id = c.owner_id),
        'branch', (SELECT jsonb_build_object('id', b.id, 'name', b.name, 'time_zone', b.time_zone) FROM crm.branch b WHERE b.id = c.branch_id),
        'territory', (SELECT t.name FROM crm.territory t WHERE t.id = c.territory_id),
        'created_at', c.created_at, 'updated_at', c.updated_at, 'archived_at', c.archived_at,
        'local_time', to_char(as_of AT TIME ZONE coalesce(c.time_zone,
                (SELECT b.time_zone FROM crm.branch b WHERE b.id = c.branch_id), 'UTC'), 'YYYY-MM-DD"T"HH24:MI'),
        'completeness', (SELECT jsonb_build_object('points', v.points, 'of', v.total, 'missing', v.missing)
                         FROM crm.v_completeness v WHERE v.contact_id = known),
        'points', (SELECT coalesce(jsonb_agg(p.j ORDER BY p.kind, p.is_primary DESC, p.id), '[]') FROM (
            SELECT p.kind, p.is_primary, p.id, jsonb_strip_nulls(jsonb_build_object(
                       'id', p.id, 'kind', p.kind, 'label', p.label, 'raw', p.raw,
                       'value', coalesce(p.email::text, crm.format_phone(p.phone)), 'is_primary', p.is_primary,
                       'validity', p.validity, 'verified_at', p.verified_at, 'last_ok_at', p.last_ok_at,
                       'bounces', nullif(p.bounce_count, 0))) AS j
            FROM crm.contact_point p WHERE p.contact_id = known ORDER BY p.is_primary DESC, p.id LIMIT 20) p),
        'companies', (SELECT coalesce(jsonb_agg(l.j ORDER BY l.is_primary DESC, l.company_id), '[]') FROM (
            SELECT l.is_primary, l.company_id, jsonb_strip_nulls(jsonb_build_object(
                       'id', o.id, 'name', o.name, 'role', l.role, 'is_primary', l.is_primary, 'kind', o.kind,
                       'tax_id', o.tax_id, 'since', lower(l.valid))) AS j
            FROM crm.company_contact l JOIN crm.company o ON o.id = l.company_id
            WHERE l.contact_id = known AND l.valid @> as_of AND o.deleted_at IS NULL
            ORDER BY l.is_primary DESC, l.company_id LIMIT 10) l),
        'identities', (SELECT coalesce(jsonb_agg(i.j ORDER BY i.id), '[]') FROM (
            SELECT i.id, jsonb_strip_nulls(jsonb_build_object('id', i.id, 'provider', i.provider, 'external_id', i.external_id,
                       'verified_by', i.verified_by, 'confidence', i.confidence)) AS j
            FROM crm.contact_identity i WHERE i.contact_id = known ORDER BY i.id LIMIT 20) i),
        'external_refs', (SELECT coalesce(jsonb_agg(jsonb_build_object('system', r.system, 'external_id', r.external_id)
                                                    ORDER BY r.system, r.external_id), '[]')
            FROM (SELECT * FROM crm.external_ref r WHERE r.contact_id = known ORDER BY r.system, r.external_id LIMIT 20) r),
        'consent', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('purpose', s.purpose, 'channel', s.channel,
                                                  'status', s.status, 'at', s.at, 'source', s.source)) ORDER BY s.purpose, s.channel), '[]')
            FROM (SELECT DISTINCT ON (s.purpose, s.channel) s.* FROM crm.consent s
                  WHERE s.contact_id = known AND s.at <= as_of ORDER BY s.purpose, s.channel, s.at DESC, s.id DESC LIMIT 30) s),
        'tags', (SELECT coalesce(jsonb_agg(t.tag ORDER BY t.tag), '[]')
            FROM (SELECT t.tag FROM crm.tag t WHERE t.contact_id = known ORDER BY t.tag LIMIT 50) t),
        'needs', (SELECT coalesce(jsonb_agg(n.j ORDER BY n.strength DESC, n.id), '[]') FROM (
            SELECT n.strength, n.id, jsonb_strip_nulls(jsonb_build_object('kind', n.kind, 'subject', left(n.subject, 100),
                       'strength', n.strength, 'source', n.source, 'since', lower(n.valid))) AS j
            FROM crm.contact_need n WHERE n.contact_id = known AND n.valid @> as_of
            ORDER BY n.strength DESC, n.id LIMIT 20) n),
        'dates', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', d.kind, 'date', d.date, 'note', left(d.note, 100)))
                                            ORDER BY d.date, d.id), '[]')
            FROM (SELECT * FROM crm.contact_date d WHERE d.contact_id = known ORDER BY d.date, d.id LIMIT 20) d),
        'products', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('product', left(o.product, 100), 'serial_number', o.serial_number,
                         'purchased_at', o.purchased_at, 'warranty_until', o.warranty_until, 'next_service_at', o.next_service_at))
                         ORDER BY o.purchased_at DESC, o.id), '[]')
            FROM (SELECT * FROM crm.owned_product o WHERE o.contact_id = known ORDER BY o.purchased_at DESC, o.id LIMIT 20) o),
        'duplicates', (SELECT coalesce(jsonb_agg(jsonb_build_object('contact_id', d.other, 'strength', d.strength) ORDER BY d.strength DESC, d.other), '[]')
            FROM (SELECT p.duplicate_id AS other, p.strength FROM crm.duplicate_pair p WHERE p.contact_id = known AND p.status IN ('new', 'confirmed')
                  UNION ALL
                  SELECT p.contact_id, p.strength FROM crm.duplicate_pair p WHERE p.duplicate_id = known AND p.status IN ('new', 'confirmed')
                  LIMIT 10) d),
        'deals', (SELECT coalesce(jsonb_agg(d.j ORDER BY d.id DESC), '[]') FROM (
            SELECT d.id, jsonb_strip_nulls(jsonb_build_object('id', d.id, 'name', left(d.name, 100), 'pipeline', i.name, 'stage', s.name,
                       'amount', d.amount, 'currency', d.currency, 'close_date', d.close_date, 'stage_entered_at', d.stage_entered_at,
                       'role', x.role)) AS j
            FROM (SELECT d.id AS deal_id, NULL::text AS role FROM crm.deal d WHERE d.contact_id = known
                  UNION ALL
                  SELECT m.deal_id, m.role FROM crm.deal_contact m WHERE m.contact_id = known) x
            JOIN crm.deal d ON d.id = x.deal_id
            JOIN crm.stage s ON s.id = d.stage_id
            JOIN crm.pipeline i ON i.id = d.pipeline_id
            WHERE d.closed_at IS NULL AND d.deleted_at IS NULL ORDER BY d.id DESC LIMIT 20) d),
        'orders', (SELECT coalesce(jsonb_agg(o.j ORDER BY o.ordered_at DESC, o.id DESC), '[]') FROM (
            SELECT o.ordered_at, o.id, jsonb_strip_nulls(jsonb_build_object('id', o.id, 'number', left(o.number, 50), 'status', o.status,
                       'amount', o.amount, 'currency', o.currency, 'ordered_at', o.ordered_at, 'deal_id', o.deal_id)) AS j
            FROM crm.sales_order o WHERE o.contact_id = known AND o.deleted_at IS NULL AND o.ordered_at <= as_of
            ORDER BY o.ordered_at DESC, o.id DESC LIMIT 5) o),
        'quotes', (SELECT coalesce(jsonb_agg(q.j ORDER BY q.id DESC), '[]') FROM (
            SELECT q.id, jsonb_strip_nulls(jsonb_build_object('id', q.id, 'number', left(q.number, 50), 'version', q.version, 'status', q.status,
                       'amount', (SELECT sum(l.amount) FROM crm.quote_line l WHERE l.quote_id = q.id), 'currency', q.currency,
                       'valid_until', q.valid_until, 'sent_at', q.sent_at, 'deal_id', q.deal_id)) AS j
            FROM crm.quote q WHERE q.contact_id = known AND q.status <> 'superseded' AND q.created_at <= as_of
            ORDER BY q.id DESC LIMIT 5) q),
        'payments', (SELECT coalesce(jsonb_agg(p.j ORDER BY p.id DESC), '[]') FROM (
            SELECT p.id, jsonb_strip_nulls(jsonb_build_object('id', p.id, 'status', p.status, 'amount', p.amount, 'currency', p.currency,
                       'refunded_amount', nullif(p.refunded_amount, 0), 'method', left(p.method, 50), 'due_at', p.due_at, 'paid_at', p.paid_at, 'order_id', p.order_id)) AS j
            FROM crm.payment p WHERE p.contact_id = known AND p.created_at <= as_of
            ORDER BY p.id DESC LIMIT 5) p),
        'leads', (SELECT coalesce(jsonb_agg(e.j ORDER BY e.id DESC), '[]') FROM (
            SELECT e.id, jsonb_strip_nulls(jsonb_build_object('id', e.id, 'source', left(e.source, 50), 'status', e.status, 'need', left(e.need, 100),
                       'created_at', e.created_at, 'deal_id', e.deal_id)) AS j
            FROM crm.lead e WHERE e.contact_id = known AND e.deleted_at IS NULL AND e.created_at <= as_of
            ORDER BY e.id DESC LIMIT 5) e),
        'tasks', (SELECT coalesce(jsonb_agg(t.j ORDER BY t.due_at, t.id), '[]') FROM (
            SELECT t.due_at, t.id, jsonb_strip_nulls(jsonb_build_object('id', t.id, 'kind', t.kind, 'title', left(t.title, 100),
                       'due_at', t.due_at, 'overdue', t.due_at < as_of, 'priority', t.priority, 'assignee', a.name, 'deal_id', t.deal_id)) AS j
            FROM crm.task t LEFT JOIN crm.agent a ON a.id = t.assignee_id
            WHERE t.contact_id = known AND t.status = 'open' ORDER BY t.due_at, t.id LIMIT 20) t),
        'activities', (SELECT coalesce(jsonb_agg(v.j ORDER BY v.occurred_at DESC, v.id DESC), '[]') FROM (
            SELECT v.occurred_at, v.id, jsonb_strip_nulls(jsonb_build_object('id', v.id, 'kind', v.kind, 'direction', v.direction,
                       'occurred_at', v.occurred_at, 'subject', left(v.subject, 100), 'body', left(v.body, 100), 'outcome', left(v.outcome, 50),
                       'agent', a.name, 'deal_id', v.deal_id)) AS j
            FROM crm.activity v LEFT JOIN crm.agent a ON a.id = v.agent_id
            WHERE v.contact_id = known AND v.occurred_at <= as_of ORDER BY v.occurred_at DESC, v.id DESC LIMIT 20) v),
        'changes', (SELECT coalesce(jsonb_agg(l.j ORDER BY l.id DESC), '[]') FROM (
            SELECT l.id, jsonb_build_object('at', l.at, 'actor', l.actor, 'relation', l.relation, 'operation', l.operation,
                       'fields', (SELECT jsonb_agg(f ORDER BY f) FROM jsonb_object_keys(l.changes) f WHERE f <> 'updated_at')) AS j
            FROM crm.audit_log l
            WHERE l.contact_id = known AND l.operation <> 'insert' AND l.at <= as_of ORDER BY l.id DESC LIMIT 10) l));
    RETURN card;
END
$$;
COMMENT ON FUNCTION crm.contact_card(bigint, timestamptz) IS 'Everything about a client in one call: name, salutation, contact points, companies, identities, numbers in other systems, consent, tags, needs, dates, products, open deals and tasks, the last 5 orders, quotes, payments and inquiries, the last 20 activities and 10 changes, completeness, possible duplicates. Other lists are cut at 10 to 50 entries, long texts at 100 characters. An absorbed contact gives the card of the one that absorbed it, with asked_for. Null for a deleted or unknown contact.';

/* ------------------------------------------------------------------
 * Duplicates: contacts and companies that agree on a canonical key.
 * ------------------------------------------------------------------ */

/*
 * A key that more than max_shared contacts have (a switchboard, an info@
 * address) proves nothing of any two of them and would give n * (n - 1) / 2
 * pairs: it is left out altogether, for one contact and for all alike.
 */
CREATE FUNCTION crm.agreeing_keys(contact bigint DEFAULT NULL, max_shared integer DEFAULT 20,
    OUT contact_id bigint, OUT duplicate_id bigint, OUT kind text, OUT key text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    IF contact IS NULL THEN
        RETURN QUERY
        WITH member AS MATERIALIZED (
            SELECT n.kind, n.key, n.contact_id
            FROM (SELECT k.kind, k.key, k.contact_id, count(*) OVER (PARTITION BY k.kind, k.key) AS holders
                  FROM crm.contact_key k WHERE k.kind IN ('email', 'phone', 'tax_id', 'name_birth')) n
            WHERE n.holders BETWEEN 2 AND max_shared
        )
        SELECT a.contact_id, b.contact_id, a.kind, a.key
        FROM member a JOIN member b USING (kind, key) WHERE a.contact_id < b.contact_id;
    ELSE
        RETURN QUERY
        SELECT contact, o.id, k.kind, k.key
        FROM crm.contact_key k
        CROSS JOIN LATERAL (
            SELECT array_agg(s.contact_id) AS ids FROM (
                SELECT j.contact_id FROM crm.contact_key j
                WHERE j.kind = k.kind AND j.key = k.key LIMIT max_shared + 1) s) g
        CROSS JOIN LATERAL unnest(g.ids) AS o (id)
        WHERE k.contact_id = contact AND k.kind IN ('email', 'phone', 'tax_id', 'name_birth')
          AND cardinality(g.ids) <= max_shared AND o.id <> contact;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.agreeing_keys(bigint, integer) IS 'Pairs of contacts that agree on an e-mail address, phone number, tax number or name with birth date, one row a key; of one contact, or of the whole base with contact_id < duplicate_id. Keys that more than max_shared contacts have are left out.';

CREATE FUNCTION crm.find_duplicates(contact bigint DEFAULT NULL, max_shared integer DEFAULT 20, min_strength real DEFAULT 0, include_rejected boolean DEFAULT false,
    OUT contact_id bigint, OUT duplicate_id bigint, OUT evidence jsonb, OUT strength real)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM crm.require_installed();
    IF contact IS NOT NULL THEN
        contact := crm.resolve_contact(contact);
    END IF;
    RETURN QUERY
    WITH agreement AS (
        -- The keys of one kind do not count twice.
        SELECT k.contact_id, k.duplicate_id, k.kind, jsonb_agg(k.key ORDER BY k.key) AS keys
        FROM crm.agreeing_keys(contact, max_shared) k GROUP BY 1, 2, 3
    ), pair AS (
        SELECT g.contact_id, g.duplicate_id, jsonb_object_agg(g.kind, g.keys) AS evidence,
               max(0.95) FILTER (WHERE g.kind = 'tax_id') AS tax, max(0.95) FILTER (WHERE g.kind = 'name_birth') AS name_birth,
               max(0.8) FILTER (WHERE g.kind = 'email') AS email, max(0.6) FILTER (WHERE g.kind = 'phone') AS phone
        FROM agreement g GROUP BY 1, 2
    ), weighed AS (
        SELECT p.contact_id, p.duplicate_id, n.same_name, d.differs, p.evidence,
               (1 - (1 - coalesce(p.tax, 0)) * (1 - coalesce(p.name_birth, 0)) * (1 - coalesce(p.email, 0)) * (1 - coalesce(p.phone, 0))
                  * CASE WHEN n.same_name AND p.name_birth IS NULL THEN 0.5 ELSE 1 END) * power(0.5, cardinality(d.differs)) AS strength
        FROM pair p
        JOIN crm.contact a ON a.id = p.contact_id
        JOIN crm.contact b ON b.id = p.duplicate_id
        -- Without the patronymic it is the same name.
        CROSS JOIN LATERAL (SELECT coalesce(a.name_key = b.name_key
            OR position(' ' IN b.name_key) > 0 AND starts_with(a.name_key, b.name_key || ' ')
            OR position(' ' IN a.name_key) > 0 AND starts_with(b.name_key, a.name_key || ' '), false) AS same_name) n
        CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
            CASE WHEN a.birth_date <> b.birth_date THEN 'birth_date' END,
            CASE WHEN a.gender <> b.gender THEN 'gender' END,
            CASE WHEN crm.tax_key(a.tax_id) <> crm.tax_key(b.tax_id) THEN 'tax_id' END], NULL) AS differs) d
    )
    SELECT w.contact_id, w.duplicate_id,
           w.evidence || CASE WHEN w.same_name THEN '{"name": true}' ELSE '{}' END::jsonb
               || CASE WHEN w.differs <> '{}' THEN jsonb_build_object('differs', to_jsonb(w.differs)) ELSE '{}' END,
           round(w.strength::numeric, 3)::real
    FROM weighed w
    WHERE w.strength >= min_strength
      AND (include_rejected OR NOT EXISTS (
          SELECT FROM crm.duplicate_pair d WHERE d.status = 'rejected'
             AND d.contact_id = least(w.contact_id, w.duplicate_id) AND d.duplicate_id = greatest(w.contact_id, w.duplicate_id)))
    ORDER BY 4 DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION crm.find_duplicates(bigint, integer, real, boolean) IS 'Contacts that are probably one person, because they agree on a canonical key: of one contact by index, or of the whole base in one set operation. evidence names the keys that agree, by kind, {"name": true} when the names have one key or differ in the patronymic that one lacks, and under "differs" what speaks against it (birth_date, gender, tax_id). strength = 1 - product of (1 - weight) over what agrees: tax_id and name_birth 0.95, email 0.8, phone 0.6, name 0.5; halved for each that differs. Keys that more than max_shared contacts have prove nothing and are left out. Pairs that were rejected come only with include_rejected.';

CREATE FUNCTION crm.find_company_duplicates(company bigint DEFAULT NULL, max_shared integer DEFAULT 20,
    OUT company_id bigint, OUT duplicate_id bigint, OUT evidence jsonb, OUT strength real)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH member AS MATERIALIZED (
        SELECT n.kind, n.key, n.company_id
        FROM (SELECT k.kind, k.key, k.company_id, count(*) OVER (PARTITION BY k.kind, k.key) AS holders
              FROM crm.company_key k
              WHERE k.kind <> 'external'
                AND (company IS NULL OR (k.kind, k.key) IN (SELECT o.kind, o.key FROM crm.company_key o WHERE o.company_id = company))) n
        WHERE n.holders BETWEEN 2 AND max_shared
    ), agreement AS (
        SELECT a.company_id, b.company_id AS duplicate_id, kind, jsonb_agg(key ORDER BY key) AS keys
        FROM member a JOIN member b USING (kind, key)
        WHERE CASE WHEN company IS NULL THEN a.company_id < b.company_id ELSE a.company_id = company AND b.company_id <> company END
        GROUP BY 1, 2, 3
    )
    SELECT g.company_id, g.duplicate_id, jsonb_object_agg(g.kind, g.keys),
           round((1 - exp(sum(ln(1 - w.weight))))::numeric, 3)::real
    FROM agreement g
    JOIN (VALUES ('tax_id', 0.95), ('registration_id', 0.95), ('lei', 0.95), ('name', 0.6), ('email', 0.6), ('phone', 0.5)) AS w (kind, weight) USING (kind)
    GROUP BY 1, 2
    ORDER BY 4 DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION crm.find_company_duplicates(bigint, integer) IS 'Companies that are probably one, because they agree on a tax, registry or LEI number (weight 0.95), a name key or e-mail address (0.6) or a phone number (0.5): of one company, or of the whole base. Keys that more than max_shared companies have are left out. Branches of one company share the INN.';

CREATE FUNCTION crm.scan_duplicates(min_strength real DEFAULT 0.5, max_shared integer DEFAULT 20, as_of timestamptz DEFAULT now(),
    OUT pairs bigint, OUT added bigint, OUT withdrawn bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
SET jit = off AS $$
BEGIN
    PERFORM crm.require_installed();
    PERFORM pg_advisory_xact_lock(hashtext('crm.scan_duplicates'));
    DROP TABLE IF EXISTS pg_temp.crm_scan;
    CREATE TEMPORARY TABLE crm_scan ON COMMIT DROP AS
        SELECT f.contact_id, f.duplicate_id, f.evidence, f.strength
        FROM crm.find_duplicates(NULL, max_shared, min_strength, true) f;
    SELECT count(*) INTO pairs FROM pg_temp.crm_scan;
    ANALYZE pg_temp.crm_scan;
    DELETE FROM crm.duplicate_pair d
    WHERE d.status = 'new' AND d.method = 'exact'
      AND NOT EXISTS (SELECT FROM pg_temp.crm_scan s WHERE s.contact_id = d.contact_id AND s.duplicate_id = d.duplicate_id);
    GET DIAGNOSTICS withdrawn = ROW_COUNT;
    UPDATE crm.duplicate_pair d SET evidence = s.evidence, strength = s.strength
    FROM pg_temp.crm_scan s
    WHERE d.contact_id = s.contact_id AND d.duplicate_id = s.duplicate_id AND d.status = 'new' AND d.method = 'exact'
      AND (d.evidence, d.strength) IS DISTINCT FROM (s.evidence, s.strength);
    INSERT INTO crm.duplicate_pair (contact_id, duplicate_id, evidence, strength, found_at)
    SELECT s.contact_id, s.duplicate_id, s.evidence, s.strength, as_of FROM pg_temp.crm_scan s
    ON CONFLICT (contact_id, duplicate_id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    DROP TABLE pg_temp.crm_scan;
END
$$;
COMMENT ON FUNCTION crm.scan_duplicates(real, integer, timestamptz) IS 'Job: looks through the whole base with crm.find_duplicates() and brings the new pairs into crm.duplicate_pair; pairs that a person decided stay as decided, new ones that no longer agree are withdrawn. Gives how many pairs agree, how many were added and withdrawn.';

CREATE FUNCTION crm.decide_duplicate(contact_id bigint, duplicate_id bigint, verdict text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := least(contact_id, duplicate_id);
    high bigint := greatest(contact_id, duplicate_id);
BEGIN
    PERFORM crm.require_installed();
    IF verdict IS NULL OR NOT verdict IN ('new', 'confirmed', 'rejected') THEN
        RAISE EXCEPTION 'a pair of contacts can be new, confirmed or rejected, not "%"', verdict
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO crm.duplicate_pair AS d (contact_id, duplicate_id, status, strength, method, decided_at, decided_by)
    VALUES (low, high, verdict, 0, 'person', CASE WHEN verdict <> 'new' THEN now() END, CASE WHEN verdict <> 'new' THEN crm.current_actor() END)
    ON CONFLICT ON CONSTRAINT duplicate_pair_pkey DO UPDATE
    SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by
    WHERE d.status <> 'merged';
END
$$;
COMMENT ON FUNCTION crm.decide_duplicate(bigint, bigint, text) IS 'Records that two contacts are one person (confirmed), are not (rejected: never offered again), or are open again (new). The order of the two does not matter. Errors: 22023 unknown verdict.';

CREATE FUNCTION crm.decide_company_duplicate(company_id bigint, duplicate_id bigint, verdict text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := least(company_id, duplicate_id);
    high bigint := greatest(company_id, duplicate_id);
BEGIN
    PERFORM crm.require_installed();
    IF verdict IS NULL OR NOT verdict IN ('new', 'confirmed', 'rejected') THEN
        RAISE EXCEPTION 'a pair of companies can be new, confirmed or rejected, not "%"', verdict
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO crm.company_duplicate_pair AS d (company_id, duplicate_id, status, strength, method, decided_at, decided_by)
    VALUES (low, high, verdict, 0, 'person', CASE WHEN verdict <> 'new' THEN now() END, CASE WHEN verdict <> 'new' THEN crm.current_actor() END)
    ON CONFLICT ON CONSTRAINT company_duplicate_pair_pkey DO UPDATE
    SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by
    WHERE d.status <> 'merged';
END
$$;
COMMENT ON FUNCTION crm.decide_company_duplicate(bigint, bigint, text) IS 'Records that two companies are one (confirmed), are not (rejected: never offered again), or are open again (new). The order of the two does not matter. Errors: 22023 unknown verdict.';

-- Named in full and without settings, so that it is planned with its caller.
CREATE FUNCTION crm.current_actor() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN pg_catalog.length(pg_catalog.current_setting('crm.actor', true)) OPERATOR(pg_catalog.>) 0
                THEN pg_catalog.current_setting('crm.actor', true) ELSE session_user::pg_catalog.text END
$$;
COMMENT ON FUNCTION crm.current_actor() IS 'The person on whose behalf the session acts: setting crm.actor, otherwise the session''s role.';

/* ------------------------------------------------------------------
 * Contact points: what works and what does not.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.record_bounce(contact_id bigint, point_id bigint, hard boolean DEFAULT true, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outcome text;
BEGIN
    PERFORM crm.require_installed();
    -- A delivery that was reported late does not undo a later one.
    UPDATE crm.contact_point p
    SET bounce_count = p.bounce_count + 1,
        validity = CASE WHEN p.bounce_count + 1 >= 2 THEN 'invalid' ELSE p.validity END
    WHERE p.contact_id = record_bounce.contact_id AND p.id = point_id
      AND hard AND (p.last_ok_at IS NULL OR p.last_ok_at <= as_of);
    SELECT p.validity INTO outcome FROM crm.contact_point p WHERE p.contact_id = record_bounce.contact_id AND p.id = point_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'contact % has no contact point %', contact_id, point_id USING ERRCODE = 'no_data_found';
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION crm.record_bounce(bigint, bigint, boolean, timestamptz) IS 'Records that a message could not be delivered. Two hard bounces in a row make the contact point invalid, so that nothing is sent there any more; a soft one (mailbox full) changes nothing. Returns the validity. Errors: P0002 no such contact point.';

CREATE FUNCTION crm.record_delivery(contact_id bigint, point_id bigint, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outcome text;
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.contact_point p
    SET bounce_count = 0, validity = 'valid', last_ok_at = greatest(p.last_ok_at, as_of)
    WHERE p.contact_id = record_delivery.contact_id AND p.id = point_id
    RETURNING p.validity INTO outcome;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'contact % has no contact point %', contact_id, point_id USING ERRCODE = 'no_data_found';
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION crm.record_delivery(bigint, bigint, timestamptz) IS 'Records that a message arrived or a call was answered: the contact point is valid, its bounces are forgotten. Returns the validity. Errors: P0002 no such contact point.';

CREATE FUNCTION crm.usable_point(contact_id bigint, kind text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.id FROM crm.contact_point p
    WHERE p.contact_id = $1 AND p.kind = $2 AND p.validity <> 'invalid'
    ORDER BY p.is_primary DESC, p.validity = 'valid' DESC, p.verified_at DESC NULLS LAST, p.id LIMIT 1
$$;
COMMENT ON FUNCTION crm.usable_point(bigint, text) IS 'The contact point of a kind to use: the primary one, else one that is proved, never an invalid one; null when there is none.';

CREATE FUNCTION crm.expire_contact_points(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000, older_than interval DEFAULT '1 year') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    expired bigint;
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.contact_point p SET validity = 'stale'
    FROM (SELECT o.contact_id, o.id FROM crm.contact_point o
          WHERE o.validity IN ('unknown', 'valid') AND greatest(o.verified_at, o.last_ok_at, o.created_at) < as_of - older_than
          LIMIT batch_limit FOR UPDATE SKIP LOCKED) old
    WHERE p.contact_id = old.contact_id AND p.id = old.id;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;
COMMENT ON FUNCTION crm.expire_contact_points(timestamptz, integer, interval) IS 'Job: marks contact points stale that nobody proved (verified_at, last_ok_at, else created_at) for older_than before as_of, at most batch_limit a call. Returns how many.';

/* ------------------------------------------------------------------
 * Completeness.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.completeness(contact_id bigint) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.points FROM crm.v_completeness v WHERE v.contact_id = $1
$$;
COMMENT ON FUNCTION crm.completeness(bigint) IS 'How complete a contact is: the sum of the weights (crm.completeness_weight) of its filled fields; crm.v_completeness has it beside the sum of all weights. Null for a deleted contact.';

/* ------------------------------------------------------------------
 * What the sources say, and who is believed.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.check_source_value(field text, value text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, DMY' AS $$
DECLARE
    type text;
    result text;
    reason text;
BEGIN
    IF field ~ '^attrs\.[[:alpha:]_][[:alnum:]_]*$' THEN
        IF NOT EXISTS (SELECT FROM crm.custom_field f WHERE f.entity = 'contact' AND f.name = substr(check_source_value.field, 7)) THEN
            RAISE EXCEPTION 'contacts have no custom field "%"', substr(field, 7)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Define it with crm.define_field().';
        END IF;
        RETURN value;
    END IF;
    SELECT format_type(a.atttypid, a.atttypmod) INTO type FROM pg_attribute a
    WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = field AND field = ANY (crm.mergeable_columns()) AND field <> 'attrs';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sources cannot give column "%" of a contact', field
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a column of crm.contact, or attrs.name for a custom field.';
    END IF;
    BEGIN
        EXECUTE format('SELECT ($1::%s)::text', type) INTO result USING value;
    EXCEPTION WHEN data_exception THEN
        GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
        RAISE EXCEPTION 'invalid value of "%": "%"', field, left(value, 100)
            USING ERRCODE = 'invalid_parameter_value', DETAIL = reason, COLUMN = field;
    END;
    RETURN result;
END
$$;
COMMENT ON FUNCTION crm.check_source_value(text, text) IS 'The value as the column prints it. Errors: 22023 no such field, or not a value of its type.';

CREATE FUNCTION crm.record_source_value(contact_id bigint, field text, source text, value text, confidence real DEFAULT 1,
    detail jsonb DEFAULT '{}', seen_at timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.source_value (contact_id, field, source, value, confidence, detail, seen_at)
    VALUES (contact_id, field, source, crm.check_source_value(field, value), confidence, coalesce(detail, '{}'), seen_at)
    RETURNING id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.record_source_value(bigint, text, text, text, real, jsonb, timestamptz) IS 'Records what a source says of a field (a column of crm.contact or attrs.name); crm.apply_survivorship() decides what becomes of it. Returns its number. Errors: 22023 no such field or not a value of its type; 23503 no such contact; 23514 confidence not 0 to 1.';

/*
 * All statements about the fields of the contacts named, the best believed
 * first.  A value that stands in the row and that crm.apply_survivorship()
 * did not write is a statement too: of the user, at the time it was written.
 */
CREATE FUNCTION crm.rank_values(contact_ids bigint[], only_field text DEFAULT NULL, OUT contact_id bigint, OUT field text, OUT place bigint,
    OUT value text, OUT source text, OUT confidence real, OUT seen_at timestamptz, OUT detail jsonb, OUT priority integer,
    OUT considered boolean, OUT is_current boolean, OUT source_value_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, DMY'
SET timezone = 'UTC'
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH concerned AS (
        SELECT DISTINCT s.contact_id, s.field FROM crm.source_value s
        WHERE s.contact_id = ANY (contact_ids) AND (only_field IS NULL OR s.field = only_field)
        UNION
        SELECT i, only_field FROM unnest(contact_ids) i WHERE only_field IS NOT NULL
    ), standing AS (
        SELECT o.contact_id, o.field, v.value,
               f.value IS NOT NULL AND f.value = v.value AS from_source, f.source_value_id AS from_id, c.created_at
        FROM concerned o
        JOIN crm.contact c ON c.id = o.contact_id AND c.deleted_at IS NULL
        CROSS JOIN LATERAL (SELECT nullif(CASE WHEN o.field LIKE 'attrs.%' THEN c.attrs ->> substr(o.field, 7)
                                               ELSE to_jsonb(c) ->> o.field END, '') AS value) v
        LEFT JOIN crm.field_source f ON f.contact_id = o.contact_id AND f.field = o.field
    ), statement AS (
        SELECT s.contact_id, s.field, s.value, s.source, s.confidence, s.seen_at, s.detail, s.id
        FROM crm.source_value s JOIN standing t USING (contact_id, field)
        WHERE s.value IS NOT NULL
        UNION ALL
        SELECT t.contact_id, t.field, t.value, 'user', 1, coalesce(l.at, t.created_at), '{"entered": true}', NULL
        FROM standing t
        LEFT JOIN LATERAL (SELECT a.at FROM crm.audit_log a
                           WHERE a.relation = 'contact' AND a.row_id = t.contact_id AND a.operation = 'update'
                             AND a.changes ? CASE WHEN t.field LIKE 'attrs.%' THEN 'attrs' ELSE t.field END
                           ORDER BY a.id DESC LIMIT 1) l ON true
        WHERE t.value IS NOT NULL AND NOT t.from_source
    ), believed AS (
        SELECT s.*, r.priority, s.confidence >= r.min_confidence AS considered
        FROM statement s
        LEFT JOIN LATERAL (SELECT r.priority, r.min_confidence FROM crm.survivorship_rule r
                           WHERE r.field IN (s.field, '*') AND r.source IN (s.source, '*')
                           ORDER BY r.field = '*', r.source = '*' LIMIT 1) r ON true
    )
    SELECT b.contact_id, b.field,
           row_number() OVER (PARTITION BY b.contact_id, b.field
                              ORDER BY coalesce(b.considered, false) DESC, b.priority, b.seen_at DESC, b.id DESC NULLS FIRST),
           b.value, b.source, b.confidence, b.seen_at, b.detail, b.priority, coalesce(b.considered, false),
           CASE WHEN t.from_source THEN b.id IS NOT DISTINCT FROM t.from_id ELSE b.id IS NULL AND t.value IS NOT NULL END, b.id
    FROM believed b JOIN standing t USING (contact_id, field)
    ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION crm.rank_values(bigint[], text) IS 'What the sources say of the fields of contacts, place 1 the best believed: values of too little confidence last, then by crm.survivorship_rule (a rule for the field before one for the source before *), then the later. A value that a user entered is among them as source user.';

CREATE FUNCTION crm.apply_survivorship(contact_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, DMY'
SET timezone = 'UTC'
SET jit = off AS $$
DECLARE
    changed bigint := 0;
    part bigint;
    item record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM FROM crm.contact c WHERE c.id = ANY (contact_ids) ORDER BY c.id FOR NO KEY UPDATE;
    -- One statement a field: fields are few, contacts may be many.
    FOR item IN
        SELECT r.field, array_agg(r.contact_id ORDER BY r.contact_id) AS ids, array_agg(r.value ORDER BY r.contact_id) AS new_values,
               array_agg(r.source ORDER BY r.contact_id) AS sources, array_agg(r.source_value_id ORDER BY r.contact_id) AS numbers,
               max(CASE WHEN r.field NOT LIKE 'attrs.%' THEN (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                    WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = r.field) END) AS type,
               max(f.type) AS custom_type
        FROM crm.rank_values(contact_ids) r
        LEFT JOIN crm.custom_field f ON f.entity = 'contact' AND f.name = substr(r.field, 7) AND r.field LIKE 'attrs.%'
        WHERE r.place = 1 AND r.considered AND r.source_value_id IS NOT NULL
        GROUP BY r.field ORDER BY r.field
    LOOP
        IF item.field LIKE 'attrs.%' THEN
            UPDATE crm.contact c
            SET attrs = c.attrs || jsonb_build_object(substr(item.field, 7), CASE
                    WHEN item.custom_type IN ('number', 'integer', 'boolean', 'json', 'multichoice') THEN n.value::jsonb ELSE to_jsonb(n.value) END)
            FROM unnest(item.ids, item.new_values) AS n (id, value)
            WHERE c.id = n.id AND c.attrs ->> substr(item.field, 7) IS DISTINCT FROM n.value;
        ELSE
            EXECUTE format('UPDATE crm.contact c SET %1$I = n.value::%2$s FROM unnest($1, $2) AS n (id, value)
                            WHERE c.id = n.id AND c.%1$I IS DISTINCT FROM n.value::%2$s', item.field, item.type)
            USING item.ids, item.new_values;
        END IF;
        GET DIAGNOSTICS part = ROW_COUNT;
        changed := changed + part;
        INSERT INTO crm.field_source AS f (contact_id, field, value, source, source_value_id)
        SELECT n.id, item.field, n.value, n.source, n.number
        FROM unnest(item.ids, item.new_values, item.sources, item.numbers) AS n (id, value, source, number)
        ON CONFLICT (contact_id, field) DO UPDATE
        SET value = excluded.value, source = excluded.source, source_value_id = excluded.source_value_id, applied_at = now()
        WHERE (f.value, f.source_value_id) IS DISTINCT FROM (excluded.value, excluded.source_value_id);
    END LOOP;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION crm.apply_survivorship(bigint[]) IS 'Writes into the contacts named what the best believed source says of each field, see crm.rank_values(). A value that a user entered is overwritten only by a source that crm.survivorship_rule puts before the user. Returns the number of fields changed.';

CREATE FUNCTION crm.explain_value(contact_id bigint, field text, OUT value text, OUT source text, OUT confidence real, OUT seen_at timestamptz,
    OUT priority integer, OUT is_current boolean, OUT reason text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.value, r.source, r.confidence, r.seen_at, r.priority, r.is_current,
           CASE WHEN r.priority IS NULL THEN 'no rule believes this source'
                WHEN NOT r.considered THEN format('confidence %s is below what the rule asks for', r.confidence)
                WHEN r.place = 1 AND r.detail ? 'entered' THEN 'entered by a user'
                WHEN r.place = 1 AND r.is_current THEN 'best believed'
                WHEN r.place = 1 THEN 'best believed; crm.apply_survivorship() will write it'
                WHEN r.priority > first_value(r.priority) OVER w THEN format('%s is believed before %s', first_value(r.source) OVER w, r.source)
                ELSE 'a later value is there' END
    FROM crm.rank_values(ARRAY[$1], $2) r
    WINDOW w AS (ORDER BY r.place)
    ORDER BY r.place
$$;
COMMENT ON FUNCTION crm.explain_value(bigint, text) IS 'Which sources say what of a field, the best believed first, which value stands in the contact, and why each other does not.';

CREATE FUNCTION crm.apply_enrichment(contact_id bigint, facts jsonb, source text DEFAULT 'enrichment', as_of timestamptz DEFAULT now(),
    OUT field text, OUT value text, OUT applied boolean, OUT reason text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    fact jsonb;
    numbers bigint[] := '{}';
BEGIN
    PERFORM crm.require_installed();
    FOR fact IN SELECT f FROM jsonb_array_elements(CASE jsonb_typeof(facts) WHEN 'array' THEN facts ELSE jsonb_build_array(facts) END) f LOOP
        IF jsonb_typeof(fact) <> 'object' OR NOT fact ?& ARRAY['field', 'value'] THEN
            RAISE EXCEPTION 'a fact must be an object with field and value, not %', left(fact::text, 100)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: {"field": "city", "value": "Kazan", "confidence": 0.9}.';
        END IF;
        numbers := numbers || crm.record_source_value(apply_enrichment.contact_id, fact ->> 'field', apply_enrichment.source, fact ->> 'value',
            coalesce((fact ->> 'confidence')::real, 0.5), coalesce(fact -> 'detail', '{}'), as_of);
    END LOOP;
    PERFORM crm.apply_survivorship(ARRAY[apply_enrichment.contact_id]);
    RETURN QUERY
    SELECT s.field, s.value, e.is_current, e.reason
    FROM unnest(numbers) WITH ORDINALITY AS n (id, position)
    JOIN crm.source_value s ON s.contact_id = apply_enrichment.contact_id AND s.id = n.id
    CROSS JOIN LATERAL (SELECT x.is_current, x.reason FROM crm.explain_value(s.contact_id, s.field) x
                        WHERE x.source = s.source AND x.value = s.value ORDER BY x.seen_at = s.seen_at DESC LIMIT 1) e
    ORDER BY n.position;
END
$$;
COMMENT ON FUNCTION crm.apply_enrichment(bigint, jsonb, text, timestamptz) IS 'Takes facts about a contact from outside, [{"field", "value", "confidence", "detail"}] (confidence 0.5 when not given), records them as values of the source and applies survivorship; says of each fact whether it now stands in the contact, and why not. Errors: 22023 malformed fact, unknown field, not a value of its type.';

/* ------------------------------------------------------------------
 * Archive.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.archive_contacts(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
DECLARE
    archived bigint := 0;
    part bigint;
    item crm.archive_rule;
BEGIN
    PERFORM crm.require_installed();
    -- Who has come back since is of interest again.
    UPDATE crm.contact c SET archived_at = NULL
    WHERE c.archived_at IS NOT NULL AND c.deleted_at IS NULL
      AND (EXISTS (SELECT FROM crm.sales_order r WHERE r.contact_id = c.id AND r.is_counted AND r.ordered_at > c.archived_at AND r.ordered_at <= as_of)
           OR EXISTS (SELECT FROM crm.activity a WHERE a.contact_id = c.id AND a.direction = 'in' AND a.occurred_at > c.archived_at AND a.occurred_at <= as_of));
    -- A rule that is not derived is met by nobody; one that fails holds up no other.
    FOR item IN SELECT r.* FROM crm.archive_rule r WHERE r.enabled AND (r.rule IS NULL) = (r.definition IS NULL) ORDER BY r.name LOOP
        BEGIN
            EXECUTE format($query$
            UPDATE crm.contact c SET archived_at = $1
            FROM (
                SELECT o.id FROM crm.contact o %s
                WHERE o.archived_at IS NULL AND o.deleted_at IS NULL AND o.merged_into IS NULL
                  AND ($3 IS NULL OR o.lifecycle_stage = $3) AND o.updated_at < $4
                  AND NOT EXISTS (SELECT FROM crm.activity a WHERE a.contact_id = o.id AND a.occurred_at >= $4)
                  AND NOT EXISTS (SELECT FROM crm.sales_order r WHERE r.contact_id = o.id AND r.ordered_at >= $4)
                  AND NOT ($5 AND EXISTS (
                      SELECT FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
                      WHERE d.contact_id = o.id AND d.deleted_at IS NULL AND s.kind IN ('open', 'won')))
                  -- Who was taken back, or got a new address, is of interest again.
                  AND coalesce((SELECT l.at FROM crm.audit_log l WHERE l.contact_id = o.id AND l.operation <> 'insert'
                                ORDER BY l.id DESC LIMIT 1), '-infinity') < $4 %s
                LIMIT $2 FOR UPDATE OF o SKIP LOCKED) idle
            WHERE c.id = idle.id$query$,
                CASE WHEN item.rule IS NOT NULL THEN 'JOIN crm.contact_profile p ON p.contact_id = o.id' END,
                'AND (' || crm.rule_sql(item.rule, 'crm.contact_profile', as_of, 'p') || ')')
            USING as_of, batch_limit - archived, item.lifecycle_stage, as_of - item.inactive_for, item.without_deals;
            GET DIAGNOSTICS part = ROW_COUNT;
            archived := archived + part;
        EXCEPTION WHEN OTHERS THEN
            IF crm.is_passing(SQLSTATE) THEN RAISE; END IF;
            RAISE WARNING 'archive rule "%" fails: %', item.name, SQLERRM USING ERRCODE = SQLSTATE, HINT = 'SELECT * FROM crm.validate_config()';
        END;
    END LOOP;
    RETURN archived;
END
$$;
COMMENT ON FUNCTION crm.archive_contacts(timestamptz, integer) IS 'Job: takes back who has ordered or come to us since being archived, and sets contacts aside (archived_at) that a row of crm.archive_rule finds of no more interest as of a moment, by stage, rule and silence, at most batch_limit a call. They leave the views and look-ups, keep their keys (so that no duplicate comes to be) and change in no other byte. Returns how many. A rule that fails is passed over with a warning.';

CREATE FUNCTION crm.restore_contacts(contact_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    restored bigint;
    bad record;
BEGIN
    PERFORM crm.require_installed();
    SELECT c.id, c.merged_into INTO bad FROM crm.contact c WHERE c.id = ANY (contact_ids) AND c.merged_into IS NOT NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'contact % was absorbed by contact %', bad.id, bad.merged_into
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'crm.merge_journal has what the merge did.';
    END IF;
    UPDATE crm.contact c SET archived_at = NULL, deleted_at = NULL
    WHERE c.id = ANY (contact_ids) AND (c.archived_at IS NOT NULL OR c.deleted_at IS NOT NULL);
    GET DIAGNOSTICS restored = ROW_COUNT;
    RETURN restored;
END
$$;
COMMENT ON FUNCTION crm.restore_contacts(bigint[]) IS 'Takes archived or softly deleted contacts back and returns how many. An archived one is then as it was before, to the byte. Errors: 23505 an account or external number of a deleted one belongs to another contact by now; 55000 it was absorbed in a merge.';

/* ------------------------------------------------------------------
 * Identities.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.is_portal(role_name name) RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_roles r, pg_roles p
                   WHERE r.rolname = role_name AND p.rolname = 'crm_portal' AND NOT r.rolsuper AND pg_has_role(r.oid, p.oid, 'MEMBER'))
$$;
COMMENT ON FUNCTION crm.is_portal(name) IS 'Whether a role is crm_portal or a member of it, and no superuser.';

CREATE FUNCTION crm.identity_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.verified_by IS DISTINCT FROM 'portal' OR (TG_OP = 'UPDATE' AND OLD.verified_by = 'portal'
        AND (OLD.contact_id, OLD.provider, OLD.external_id) = (NEW.contact_id, NEW.provider, NEW.external_id)) THEN
        RETURN NEW;
    END IF;
    -- crm.link_identity() runs with the owner's rights; a merge brings proofs along.
    IF pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
       OR EXISTS (SELECT FROM crm.contact_identity i JOIN crm.contact c ON c.id = i.contact_id AND c.merged_into = NEW.contact_id
                  WHERE i.provider = NEW.provider AND i.external_id = NEW.external_id AND i.verified_by = 'portal')
       -- ... and its undoing takes them back.
       OR crm.merge_mode() = 'undo' AND EXISTS (
           SELECT FROM crm.merge_journal j
           WHERE j.absorbed_id = NEW.contact_id AND j.relation = 'contact_identity' AND j.row_before ->> 'provider' = NEW.provider
             AND j.row_before ->> 'external_id' = NEW.external_id AND j.row_before ->> 'verified_by' = 'portal') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'only the portal can prove that account "%" at % is that of contact %', NEW.external_id, NEW.provider, NEW.contact_id
        USING ERRCODE = 'insufficient_privilege', HINT = 'Call crm.link_identity() in a session of role crm_portal; a match found otherwise is verified_by agent or document.';
END
$$;
COMMENT ON FUNCTION crm.identity_guard() IS 'Trigger of crm.contact_identity: refuses (42501) verified_by = portal from anybody but crm.link_identity() in a session of role crm_portal and the owner of the table.';

/* ------------------------------------------------------------------
 * Needs.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.set_need(contact_id bigint, kind text, subject text, strength integer DEFAULT 3, source text DEFAULT NULL,
    as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made bigint;
    current record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM FROM crm.contact c WHERE c.id = set_need.contact_id AND c.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', set_need.contact_id USING ERRCODE = 'no_data_found';
    END IF;
    SELECT n.id, n.strength, n.valid INTO current FROM crm.contact_need n
    WHERE n.contact_id = set_need.contact_id AND n.kind = set_need.kind AND n.subject = set_need.subject AND upper_inf(n.valid)
    ORDER BY lower(n.valid) DESC LIMIT 1;
    IF FOUND THEN
        IF current.strength = set_need.strength THEN
            RETURN current.id;
        ELSIF lower(current.valid) > as_of THEN
            RAISE EXCEPTION 'the % "%" of contact % is known since %, after %', set_need.kind, set_need.subject, set_need.contact_id, lower(current.valid), as_of
                USING ERRCODE = 'invalid_parameter_value';
        ELSIF lower(current.valid) = as_of THEN
            -- Changed at the very moment it began: it never held.
            DELETE FROM crm.contact_need n WHERE n.contact_id = set_need.contact_id AND n.id = current.id;
        ELSE
            UPDATE crm.contact_need n SET valid = tstzrange(lower(n.valid), as_of) WHERE n.contact_id = set_need.contact_id AND n.id = current.id;
        END IF;
    END IF;
    IF set_need.strength IS NOT NULL THEN
        INSERT INTO crm.contact_need (contact_id, kind, subject, strength, source, valid)
        VALUES (set_need.contact_id, set_need.kind, set_need.subject, set_need.strength, set_need.source, tstzrange(as_of, NULL))
        RETURNING id INTO made;
    END IF;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.set_need(bigint, text, text, integer, text, timestamptz) IS 'Records a need, desire, objection or preference with its strength, 1 to 5, from as_of on; what was known of the same subject before is closed, not lost. A null strength only closes. Returns the number of the entry. Errors: P0002 no such contact; 23514 unknown kind or strength; 22023 as_of lies before what is known.';

CREATE FUNCTION crm.needs_as_of(as_of timestamptz DEFAULT now(), contact bigint DEFAULT NULL,
    OUT contact_id bigint, OUT kind text, OUT subject text, OUT strength integer, OUT source text, OUT since timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.contact_id, n.kind, n.subject, n.strength, n.source, lower(n.valid)
    FROM crm.contact_need n JOIN crm.contact c ON c.id = n.contact_id
    WHERE n.valid @> $1 AND ($2 IS NULL OR n.contact_id = $2) AND c.deleted_at IS NULL AND c.archived_at IS NULL
    ORDER BY 1, 2, 3
$$;
COMMENT ON FUNCTION crm.needs_as_of(timestamptz, bigint) IS 'The needs, desires, objections and preferences that held at a moment: of one contact, or of all that are not archived.';
