/* ------------------------------------------------------------------
 * Leads: what people send before they are clients, and what becomes of it;
 * the life cycle of contacts.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.effective_at() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(nullif(current_setting('crm.effective_at', true), '')::timestamptz, now())
$$;
COMMENT ON FUNCTION crm.effective_at() IS 'The moment from which a change holds in crm.lifecycle_history, crm.ownership_history and, but for moves of stages, crm.deal_history: setting crm.effective_at, otherwise now(). A moment before the latest change of the same field orders the history, but does not undo that change. Errors: 22007 the setting is no moment.';

CREATE FUNCTION crm.set_effective_at(at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = ISO AS $$
DECLARE
    before CONSTANT timestamptz := nullif(current_setting('crm.effective_at', true), '')::timestamptz;
BEGIN
    PERFORM set_config('crm.effective_at', coalesce(at::text, ''), true);
    RETURN before;
END
$$;
COMMENT ON FUNCTION crm.set_effective_at(timestamptz) IS 'Internal: has crm.effective_at() give this moment until the end of the transaction, or now() again for null; gives what was set before, null for nothing. Errors: 22007 that is no moment.';

/* Triggers. */

CREATE FUNCTION crm.lead_state() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF crm.merge_mode() <> 'off' THEN
        RETURN NEW;             -- as it was, to the byte
    END IF;
    PERFORM crm.require_choice('status', NEW.status, '{new,working,qualified,converted,disqualified}');
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
        IF (NEW.first_touch_at, NEW.first_channel, NEW.first_source, NEW.first_medium, NEW.first_campaign)
           IS DISTINCT FROM (OLD.first_touch_at, OLD.first_channel, OLD.first_source, OLD.first_medium, OLD.first_campaign) THEN
            RAISE EXCEPTION 'where lead % first came from cannot be changed', OLD.id
                USING ERRCODE = 'RM071', DETAIL = format('It came by channel "%s", source "%s", campaign "%s".', OLD.first_channel, OLD.first_source, OLD.first_campaign),
                      HINT = 'Later touches are rows of crm.lead_activity: the last one stands in the columns last_....';
        ELSIF OLD.status = 'converted' AND NEW.status <> 'converted' THEN
            RAISE EXCEPTION 'lead % has been converted and stays so', OLD.id
                USING ERRCODE = 'RM070', DETAIL = format('It became contact %s and deal %s.', OLD.contact_id, coalesce(OLD.deal_id::text, '(none)')),
                      HINT = 'Go on with the deal, or capture a new lead.';
        END IF;
    ELSE
        NEW.first_touch_at := coalesce(NEW.first_touch_at, NEW.created_at);
        IF NEW.last_touch_at IS NULL THEN
            NEW.last_touch_at := NEW.first_touch_at;
            NEW.last_channel := NEW.first_channel;
            NEW.last_source := NEW.first_source;
            NEW.last_medium := NEW.first_medium;
            NEW.last_campaign := NEW.first_campaign;
        END IF;
    END IF;
    IF NEW.amount IS NOT NULL AND NEW.currency IS NULL THEN
        NEW.currency := (SELECT b.code FROM crm.base_currency b);
    END IF;
    IF NEW.status <> 'disqualified' THEN
        NEW.disqualify_reason := NULL;
    ELSIF NEW.disqualify_reason IS NULL THEN
        RAISE EXCEPTION 'lead % cannot be disqualified without a reason', NEW.id
            USING ERRCODE = 'RM003', COLUMN = 'disqualify_reason', HINT = 'Set disqualify_reason along with status.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.lead_state() IS 'Trigger of crm.lead: keeps updated_at, the currency of an amount, the last touch of a new lead. Errors: RM071 the first touch would change; RM070 a converted lead would no longer be; RM003 disqualified without a reason.';

CREATE FUNCTION crm.copy_lead_activities(lead_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    copied bigint;
BEGIN
    WITH known AS MATERIALIZED (
        SELECT a.*, l.contact_id, l.company_id, l.deal_id, nextval('crm.activity_id_seq') AS new_id
        FROM crm.lead l JOIN crm.lead_activity a ON a.lead_id = l.id
        WHERE l.id = ANY (lead_ids) AND l.contact_id IS NOT NULL AND a.activity_id IS NULL
    ), written AS (
        INSERT INTO crm.activity (contact_id, id, kind, direction, agent_id, company_id, deal_id, occurred_at, outcome, subject, body, attrs, created_at, created_by)
        SELECT k.contact_id, k.new_id, k.kind, k.direction, k.agent_id, k.company_id, k.deal_id, k.occurred_at, k.outcome, k.subject, k.body,
               jsonb_strip_nulls(jsonb_build_object('lead_id', k.lead_id, 'channel', k.channel, 'source', k.source, 'medium', k.medium,
                                                    'campaign', k.campaign, 'term', k.term, 'content', k.content)), k.created_at, k.created_by
        FROM known k ORDER BY k.contact_id, k.new_id
    )
    UPDATE crm.lead_activity a SET activity_id = k.new_id FROM known k WHERE a.lead_id = k.lead_id AND a.id = k.id;
    GET DIAGNOSTICS copied = ROW_COUNT;
    RETURN copied;
END
$$;
COMMENT ON FUNCTION crm.copy_lead_activities(bigint[]) IS 'Writes what happened with leads whose person is known to crm.activity, once; gives how many. Used when a lead is captured, touched and converted.';

CREATE FUNCTION crm.lead_touched() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE crm.lead l
    SET last_touch_at = t.occurred_at, last_channel = t.channel, last_source = t.source, last_medium = t.medium, last_campaign = t.campaign
    FROM (SELECT DISTINCT ON (n.lead_id) n.lead_id, n.occurred_at, n.channel, n.source, n.medium, n.campaign
          FROM new_rows n WHERE num_nonnulls(n.channel, n.source, n.campaign) > 0
          ORDER BY n.lead_id, n.occurred_at DESC, n.id DESC) t
    WHERE l.id = t.lead_id AND t.occurred_at >= l.last_touch_at
      AND (l.last_touch_at, l.last_channel, l.last_source, l.last_medium, l.last_campaign)
          IS DISTINCT FROM (t.occurred_at, t.channel, t.source, t.medium, t.campaign);
    PERFORM crm.copy_lead_activities(ARRAY(SELECT DISTINCT n.lead_id FROM new_rows n WHERE n.activity_id IS NULL));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.lead_touched() IS 'Trigger of crm.lead_activity: keeps the last touch of the lead, and writes the activity of a known person to crm.activity.';

/* Reading what came. */

CREATE FUNCTION crm.try_moment(value text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF value !~ '^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$' THEN
        RETURN NULL;
    END IF;
    RETURN CASE WHEN value ~ '(Z|[T ].*[+-]\d\d(:?\d\d)?)$' THEN value::timestamptz ELSE value::timestamp AT TIME ZONE 'UTC' END;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format OR invalid_time_zone_displacement_value THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.try_moment(text) IS 'A moment in the form of ISO 8601, in UTC when it names no offset; null when it is none.';

CREATE FUNCTION crm.lead_fields(payload jsonb, OUT fields jsonb, OUT touches jsonb, OUT problems jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    simple CONSTANT text[] := '{name,company,job_title,city,interest_reason,need}';
    traffic CONSTANT text[] := '{channel,source,medium,campaign,term,content}';
    item record;
    verdict crm.check_result;
    region text;
    number numeric;
    found bigint;
    moment timestamptz;
    given jsonb;
BEGIN
    touches := '[]';
    IF jsonb_typeof(payload) IS DISTINCT FROM 'object' THEN
        fields := '{"consent": []}';
        problems := jsonb_build_array(jsonb_build_object('field', '*', 'value', payload, 'code', 'LEAD_NO_OBJECT', 'reason', 'It is no JSON object.'));
        RETURN;
    END IF;
    SELECT coalesce(jsonb_object_agg(e.key, btrim(e.value #>> '{}')) FILTER (WHERE jsonb_typeof(e.value) IN ('string', 'number') AND btrim(e.value #>> '{}') <> ''), '{}'),
           coalesce(jsonb_agg(jsonb_build_object('field', e.key, 'value', e.value, 'code', 'LEAD_NO_TEXT', 'reason', 'It is no text.') ORDER BY e.key)
                        FILTER (WHERE jsonb_typeof(e.value) NOT IN ('string', 'number', 'null')), '[]')
    INTO fields, problems
    FROM jsonb_each(payload) e WHERE e.key = ANY (simple);
    IF NOT fields ? 'name' AND payload ?| '{given_name,middle_name,family_name}' THEN
        fields := fields || jsonb_strip_nulls(jsonb_build_object('name',
            nullif(btrim(concat_ws(' ', payload ->> 'given_name', payload ->> 'middle_name', payload ->> 'family_name')), '')));
    END IF;
    region := upper(btrim(payload ->> 'country'));
    IF region ~ '^[A-Z]{2}$' THEN
        fields := fields || jsonb_build_object('country', region);
    ELSIF region <> '' THEN
        problems := problems || jsonb_build_object('field', 'country', 'value', payload -> 'country', 'code', 'LEAD_COUNTRY', 'reason', 'It is no code of ISO 3166-1 alpha-2.');
    END IF;
    FOR item IN SELECT k.kind, t FROM (VALUES ('email'), ('phone')) AS k (kind), crm.json_texts(payload -> k.kind) t LOOP
        verdict := CASE item.kind WHEN 'email' THEN crm.check_email(item.t) ELSE crm.check_phone(item.t, fields ->> 'country') END;
        IF NOT verdict.ok THEN
            problems := problems || jsonb_build_object('field', item.kind, 'value', item.t, 'code', verdict.code, 'reason', verdict.message);
        ELSIF NOT fields ? item.kind THEN
            fields := fields || jsonb_build_object(item.kind, item.t);
        END IF;
    END LOOP;
    IF payload ->> 'amount' IS NOT NULL THEN
        number := crm.try_number(payload ->> 'amount');
        IF number >= 0 THEN
            fields := fields || jsonb_build_object('amount', number);
        ELSE
            verdict := crm.check_number(payload ->> 'amount');
            problems := problems || jsonb_build_object('field', 'amount', 'value', payload -> 'amount', 'code', coalesce(verdict.code, 'LEAD_NEGATIVE'),
                                                       'reason', coalesce(verdict.message, 'It is negative.'));
        END IF;
    END IF;
    IF payload ->> 'currency' IS NOT NULL THEN
        IF EXISTS (SELECT FROM crm.currency c WHERE c.code = upper(btrim(payload ->> 'currency'))) THEN
            fields := fields || jsonb_build_object('currency', upper(btrim(payload ->> 'currency')));
        ELSE
            -- An amount of an unknown currency is none of another.
            fields := fields - 'amount';
            problems := problems || jsonb_build_object('field', 'currency', 'value', payload -> 'currency', 'code', 'LEAD_CURRENCY', 'reason', 'It is not in crm.currency.');
        END IF;
    END IF;
    IF payload ->> 'owner' IS NOT NULL THEN
        SELECT CASE WHEN count(*) = 1 THEN min(a.id) END INTO found FROM crm.agent a
        WHERE a.active AND (lower(a.name) = lower(btrim(payload ->> 'owner')) OR a.role_name = payload ->> 'owner');
        IF found IS NULL THEN
            problems := problems || jsonb_build_object('field', 'owner', 'value', payload -> 'owner', 'code', 'LEAD_OWNER', 'reason', 'No active agent has this name, or several have.');
        ELSE
            fields := fields || jsonb_build_object('owner_id', found);
        END IF;
    END IF;
    IF payload ->> 'territory' IS NOT NULL THEN
        SELECT CASE WHEN count(*) = 1 THEN min(t.id) END INTO found FROM crm.territory t WHERE lower(t.name) = lower(btrim(payload ->> 'territory'));
        IF found IS NULL THEN
            problems := problems || jsonb_build_object('field', 'territory', 'value', payload -> 'territory', 'code', 'LEAD_TERRITORY', 'reason', 'No territory has this name, or several have.');
        ELSE
            fields := fields || jsonb_build_object('territory_id', found);
        END IF;
    END IF;
    IF payload ->> 'referral_code' IS NOT NULL AND crm.referrer(payload ->> 'referral_code') IS NULL THEN
        problems := problems || jsonb_build_object('field', 'referral_code', 'value', payload -> 'referral_code', 'code', 'LEAD_REFERRAL', 'reason', 'It is no contact''s code.');
    END IF;
    -- Several consents, each by itself.
    SELECT fields || jsonb_build_object('consent', coalesce(jsonb_agg(c.e ORDER BY c.n) FILTER (WHERE c.good), '[]')),
           problems || coalesce(jsonb_agg(jsonb_build_object('field', 'consent', 'value', c.e, 'code', 'LEAD_CONSENT', 'reason', 'It has no purpose, or a status other than granted, denied and withdrawn.') ORDER BY c.n)
                                    FILTER (WHERE NOT c.good), '[]')
    INTO fields, problems
    FROM (SELECT a.e, a.n, jsonb_typeof(a.e) = 'object' AND coalesce(a.e ->> 'purpose', '') <> '' AND coalesce(a.e ->> 'status', 'granted') IN ('granted', 'denied', 'withdrawn') AS good
          FROM jsonb_array_elements(CASE jsonb_typeof(payload -> 'consent') WHEN 'array' THEN payload -> 'consent' WHEN 'null' THEN '[]'
                                         ELSE coalesce(jsonb_build_array(payload -> 'consent') - 'null', '[]') END) WITH ORDINALITY AS a (e, n)
          WHERE payload ? 'consent') c;
    -- How the person came: of several times each, otherwise as the form says.
    given := CASE WHEN jsonb_typeof(payload -> 'touches') = 'array' THEN payload -> 'touches'
                  ELSE jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
                      'channel', payload -> 'channel', 'source', payload -> 'utm_source', 'medium', payload -> 'utm_medium', 'cost', payload -> 'cost',
                      'campaign', coalesce(payload -> 'utm_campaign', payload -> 'campaign'), 'term', payload -> 'utm_term', 'content', payload -> 'utm_content'))) END;
    FOR item IN SELECT a.e, a.n FROM jsonb_array_elements(given) WITH ORDINALITY AS a (e, n) ORDER BY a.n LOOP
        IF jsonb_typeof(item.e) <> 'object' THEN
            problems := problems || jsonb_build_object('field', 'touches', 'value', item.e, 'code', 'LEAD_TOUCH', 'reason', 'It is no JSON object.');
            CONTINUE;
        END IF;
        moment := crm.try_moment(item.e ->> 'at');
        IF moment IS NULL AND item.e ->> 'at' IS NOT NULL THEN
            problems := problems || jsonb_build_object('field', 'touches', 'value', item.e -> 'at', 'code', 'LEAD_MOMENT', 'reason', 'It is no moment such as 2026-12-31T23:59:59Z.');
        END IF;
        number := crm.try_number(item.e ->> 'cost');
        IF item.e ->> 'cost' IS NOT NULL AND (number >= 0) IS NOT TRUE THEN
            problems := problems || jsonb_build_object('field', 'touches', 'value', item.e -> 'cost', 'code', 'LEAD_COST', 'reason', 'It is no cost.');
            number := NULL;
        END IF;
        touches := touches || (SELECT coalesce(jsonb_object_agg(e.key, btrim(e.value)), '{}') || jsonb_strip_nulls(jsonb_build_object('at', moment, 'cost', number))
                               FROM jsonb_each_text(item.e) e WHERE e.key = ANY (traffic) AND btrim(e.value) <> '');
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.lead_fields(jsonb) IS 'What a form sent, read: the columns of crm.lead that it gives; the touches, each {at, channel, source, medium, campaign, term, content, cost}; and the problems, each {field, value, code, reason}, of what could not be taken. Never refuses.';

CREATE FUNCTION crm.known_contacts(names text[], emails text[], phones text[], regions text[],
    OUT "position" bigint, OUT contact_id bigint, OUT evidence jsonb, OUT strength numeric) RETURNS SETOF record
LANGUAGE sql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
    WITH asked AS MATERIALIZED (
        SELECT u.n, string_to_array(nullif(crm.name_key(u.name), ''), ' ') AS words, k.kind, k.key
        FROM unnest(names, emails, phones, regions) WITH ORDINALITY AS u (name, email, phone, region, n)
        CROSS JOIN LATERAL (VALUES ('email', crm.match_key(crm.try_email(u.email))),
                                   ('phone', crm.e164(crm.base(CASE WHEN u.region IS NULL THEN crm.try_phone(u.phone) ELSE crm.try_phone(u.phone, u.region) END)))) AS k (kind, key)
        WHERE k.key IS NOT NULL
    ), found AS (
        -- What more than twenty have in common proves nothing.
        SELECT a.n, k.contact_id, a.kind, a.key, a.words
        FROM asked a CROSS JOIN LATERAL (
            SELECT c.contact_id, count(*) OVER () AS shared FROM (SELECT k.contact_id FROM crm.contact_key k WHERE k.kind = a.kind AND k.key = a.key LIMIT 21) c) k
        WHERE k.shared <= 20
    ), compared AS (
        SELECT f.n, f.contact_id, f.kind, f.key,
               CASE WHEN f.words IS NULL OR coalesce(c.name_key, '') = '' THEN NULL
                    ELSE f.words <@ string_to_array(c.name_key, ' ') OR f.words @> string_to_array(c.name_key, ' ') END AS same_name
        FROM found f JOIN crm.contact c ON c.id = f.contact_id AND c.deleted_at IS NULL AND c.merged_into IS NULL
    )
    SELECT p.n, p.contact_id,
           jsonb_object_agg(p.kind, p.key) || CASE WHEN p.same_name IS NULL THEN '{}' ELSE jsonb_build_object('name', p.same_name) END,
           round(1 - (1 - coalesce(max(0.8) FILTER (WHERE p.kind = 'email'), 0))
                   -- Another name at the same number is a colleague or a relative.
                   * (1 - coalesce(max(0.6) FILTER (WHERE p.kind = 'phone'), 0) * CASE WHEN p.same_name IS FALSE THEN 0.5 ELSE 1 END)
                   * CASE WHEN p.same_name THEN 0.5 ELSE 1 END, 3)
    FROM compared p GROUP BY p.n, p.contact_id, p.same_name
$$;
COMMENT ON FUNCTION crm.known_contacts(text[], text[], text[], text[]) IS 'Which contacts have the e-mail address or the phone number of persons that came, place by place: what agrees, and how strong that is: 1 - product of (1 - weight), e-mail 0.8, phone 0.6 (0.3 when the names differ), a name that fits 0.5.';

CREATE FUNCTION crm.lead_duplicates(lead_id bigint, OUT contact_id bigint, OUT evidence jsonb, OUT strength numeric) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    l crm.lead;
    parsed crm.person_name;
    model text;
BEGIN
    SELECT * INTO l FROM crm.lead o WHERE o.id = lead_duplicates.lead_id;
    -- Who may not read the models goes by the keys alone.
    IF has_table_privilege('crm.match_model', 'SELECT') AND has_table_privilege('crm.match_door', 'SELECT') THEN
        SELECT m.name INTO model FROM crm.match_model m JOIN crm.match_door d ON d.model = m.name AND d.version = m.version
        WHERE m.relation = 'crm.v_match_contact' ORDER BY m.name LIMIT 1;
    END IF;
    parsed := crm.parse_name(l.name);
    RETURN QUERY
    SELECT DISTINCT ON (f.strength, f.contact_id) f.contact_id, f.evidence, f.strength
    FROM (SELECT e.contact_id, jsonb_object_agg(e.kind, e.evidence) AS evidence, max(e.strength) AS strength
          FROM (SELECT k.contact_id, 'keys' AS kind, k.evidence, k.strength
                FROM crm.known_contacts(ARRAY[l.name], ARRAY[l.email], ARRAY[l.phone], ARRAY[l.country]) k
                UNION ALL
                -- As the door sees a record that is not there yet.
                SELECT d.record_id::bigint, 'model', d.explanation, round(d.probability::numeric, 3)
                FROM crm.find_duplicates(model, jsonb_strip_nulls(jsonb_build_object(
                         'given_name', parsed.given, 'middle_name', parsed.middle, 'family_name', parsed.family, 'city', l.city, 'company', l.company,
                         'emails', CASE WHEN l.email IS NOT NULL THEN jsonb_build_array(l.email) END,
                         'phones', CASE WHEN l.phone IS NOT NULL THEN jsonb_build_array(l.phone) END)), 5, 0.1) d) e
          GROUP BY e.contact_id) f
    ORDER BY f.strength DESC, f.contact_id;
END
$$;
COMMENT ON FUNCTION crm.lead_duplicates(bigint) IS 'Contacts who are probably the person of a lead, the most probable first: by crm.known_contacts() and, where a match model of crm.v_match_contact is trained and has its keys, by crm.find_duplicates(). strength is the greater of the two, 0 to 1; from 0.5 on crm.convert_lead() takes it for the same person.';

/*
 * Capturing.  What follows plans for a large base, not for the size that it had
 * when a session first called it: plans are kept.
 */

CREATE FUNCTION crm.capture_leads(source text, payloads jsonb[], submission_keys text[] DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT "position" bigint, OUT lead_id bigint, OUT was_created boolean) RETURNS SETOF record
LANGUAGE plpgsql ROWS 100
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = auto AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
    keys text[];
    fields jsonb[];
    touches jsonb[];
    problems jsonb[];
    contacts bigint[];
    made bigint[];
    changed bigint[];
BEGIN
    PERFORM crm.require_installed();
    IF coalesce(btrim(capture_leads.source), '') = '' THEN
        RAISE EXCEPTION 'a lead needs a source' USING ERRCODE = 'invalid_parameter_value', HINT = 'Name what took it: "site form", "fair 2026", the shop.';
    ELSIF submission_keys IS NOT NULL AND cardinality(submission_keys) <> cardinality(payloads) THEN
        RAISE EXCEPTION '% leads, but % keys', cardinality(payloads), cardinality(submission_keys)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a key for each lead, null for one that has none.';
    END IF;
    -- Plans that are kept are good for a few.
    IF cardinality(payloads) > 20 THEN
        SET LOCAL plan_cache_mode = force_custom_plan;
    END IF;
    -- Places of all arrays are those of payloads.
    SELECT array_agg(nextval('crm.lead_id_seq') ORDER BY u.n), array_agg(nullif(btrim(u.key), '') ORDER BY u.n),
           array_agg(f.fields ORDER BY u.n), array_agg(f.touches ORDER BY u.n), array_agg(f.problems ORDER BY u.n)
    INTO ids, keys, fields, touches, problems
    FROM unnest(payloads, submission_keys) WITH ORDINALITY AS u (payload, key, n) CROSS JOIN LATERAL crm.lead_fields(u.payload) f;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    -- A person who is known for sure, and whom no other equals.
    SELECT array_agg(k.contact_id ORDER BY u.n) INTO contacts
    FROM unnest(ids) WITH ORDINALITY AS u (id, n)
    LEFT JOIN (
        SELECT r."position", min(r.contact_id) AS contact_id
        FROM (SELECT c."position", c.contact_id, rank() OVER (PARTITION BY c."position" ORDER BY c.strength DESC) AS place
              FROM crm.known_contacts(ARRAY(SELECT f ->> 'name' FROM unnest(fields) WITH ORDINALITY AS x (f, n) ORDER BY n),
                                      ARRAY(SELECT f ->> 'email' FROM unnest(fields) WITH ORDINALITY AS x (f, n) ORDER BY n),
                                      ARRAY(SELECT f ->> 'phone' FROM unnest(fields) WITH ORDINALITY AS x (f, n) ORDER BY n),
                                      ARRAY(SELECT f ->> 'country' FROM unnest(fields) WITH ORDINALITY AS x (f, n) ORDER BY n)) c
              WHERE c.strength >= 0.5) r
        WHERE r.place = 1 GROUP BY r."position" HAVING count(*) = 1) k ON k."position" = u.n;

    WITH given AS (
        SELECT DISTINCT ON (coalesce(u.key, u.n::text || ' '), u.key IS NULL) u.*, r.name, r.email, r.phone, r.company, r.job_title, r.city, r.country,
               r.interest_reason, r.need, r.amount, r.currency, r.consent, r.territory_id, coalesce(r.owner_id, c.owner_id) AS owner_id
        FROM unnest(ids, keys, fields, touches, problems, contacts, payloads) WITH ORDINALITY AS u (id, key, fields, touches, problems, contact_id, payload, n)
        CROSS JOIN LATERAL jsonb_populate_record(NULL::crm.lead, u.fields) r
        LEFT JOIN LATERAL (SELECT o.owner_id FROM crm.contact o JOIN crm.agent a ON a.id = o.owner_id AND a.active WHERE o.id = u.contact_id) c ON true
        ORDER BY coalesce(u.key, u.n::text || ' '), u.key IS NULL, u.n
    ), inserted AS (
        INSERT INTO crm.lead (id, source, submission_key, name, email, phone, company, job_title, city, country, interest_reason, need, amount, currency,
                              consent, owner_id, territory_id, contact_id, payload, problems, created_at,
                              first_touch_at, first_channel, first_source, first_medium, first_campaign)
        SELECT g.id, btrim(capture_leads.source), g.key, g.name, g.email, g.phone, g.company, g.job_title, g.city, g.country, g.interest_reason, g.need,
               g.amount, g.currency, g.consent, g.owner_id, g.territory_id, g.contact_id, coalesce(g.payload, 'null'), g.problems, as_of,
               coalesce(t.at, as_of), t.channel, t.source, t.medium, t.campaign
        FROM given g
        LEFT JOIN LATERAL (
            SELECT (e ->> 'at')::timestamptz AS at, e ->> 'channel' AS channel, e ->> 'source' AS source, e ->> 'medium' AS medium, e ->> 'campaign' AS campaign
            FROM jsonb_array_elements(g.touches) WITH ORDINALITY AS a (e, n) ORDER BY coalesce((e ->> 'at')::timestamptz, as_of), n LIMIT 1) t ON true
        ORDER BY g.key, g.n
        ON CONFLICT (source, submission_key) WHERE submission_key IS NOT NULL DO NOTHING
        RETURNING id
    )
    SELECT array_agg(i.id) INTO made FROM inserted i;

    -- What was sent before, and has more to say now.
    WITH again AS (
        UPDATE crm.lead l SET
            name = coalesce(r.name, l.name), email = coalesce(r.email, l.email), phone = coalesce(r.phone, l.phone), company = coalesce(r.company, l.company),
            job_title = coalesce(r.job_title, l.job_title), city = coalesce(r.city, l.city), country = coalesce(r.country, l.country),
            interest_reason = coalesce(r.interest_reason, l.interest_reason), need = coalesce(r.need, l.need),
            amount = coalesce(r.amount, l.amount), currency = coalesce(CASE WHEN r.amount IS NOT NULL THEN r.currency END, l.currency),
            consent = CASE WHEN r.consent = '[]' THEN l.consent ELSE r.consent END,
            contact_id = coalesce(l.contact_id, u.contact_id), payload = u.payload, problems = u.problems
        FROM (SELECT DISTINCT ON (u.key) u.* FROM unnest(ids, keys, fields, problems, contacts, payloads) WITH ORDINALITY AS u (id, key, fields, problems, contact_id, payload, n)
              WHERE u.key IS NOT NULL ORDER BY u.key, u.n DESC) u
        CROSS JOIN LATERAL jsonb_populate_record(NULL::crm.lead, u.fields) r
        WHERE l.source = btrim(capture_leads.source) AND l.submission_key = u.key AND l.payload <> u.payload
          AND l.status IN ('new', 'working', 'qualified') AND l.deleted_at IS NULL
        RETURNING l.id
    )
    SELECT array_agg(a.id) INTO changed FROM again a;

    INSERT INTO crm.lead_activity (lead_id, kind, direction, occurred_at, channel, source, medium, campaign, term, content, cost, currency, subject, body)
    SELECT u.id, 'form', 'in', coalesce((e ->> 'at')::timestamptz, as_of), e ->> 'channel', e ->> 'source', e ->> 'medium', e ->> 'campaign', e ->> 'term', e ->> 'content',
           (e ->> 'cost')::numeric, CASE WHEN e ->> 'cost' IS NOT NULL THEN (SELECT b.code FROM crm.base_currency b) END,
           btrim(capture_leads.source), CASE WHEN a.n = 1 THEN u.payload ->> 'message' END
    FROM unnest(ids, touches, payloads) WITH ORDINALITY AS u (id, touches, payload, place)
    -- Of a form that says nothing of how the person came it is known that it came.
    CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN u.touches = '[]' THEN '[{}]' ELSE u.touches END) WITH ORDINALITY AS a (e, n)
    WHERE u.id = ANY (made)
    ORDER BY u.place, a.n;

    PERFORM crm.write_lead_consent(made || changed);
    IF changed IS NOT NULL THEN
        PERFORM crm.copy_lead_activities(changed);
    END IF;
    IF EXISTS (SELECT FROM crm.assignment_rule r WHERE r.what = 'lead' AND r.enabled) THEN
        PERFORM crm.assign_all('lead', ARRAY(SELECT l.id FROM crm.lead l WHERE l.id = ANY (made) AND l.owner_id IS NULL ORDER BY l.id), as_of => as_of);
    END IF;

    RETURN QUERY
    SELECT u.n, coalesce(m.id, l.id), m.id IS NOT NULL
    FROM unnest(ids, keys) WITH ORDINALITY AS u (id, key, n)
    LEFT JOIN unnest(made) AS m (id) ON m.id = u.id
    LEFT JOIN crm.lead l ON m.id IS NULL AND l.source = btrim(capture_leads.source) AND l.submission_key = u.key
    ORDER BY u.n;
END
$$;
COMMENT ON FUNCTION crm.capture_leads(text, jsonb[], text[], timestamptz) IS 'Takes what people sent as leads, place by place; see crm.capture_lead(). Gives the number of each, and whether it is new.';

CREATE FUNCTION crm.write_lead_consent(lead_ids bigint[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
    -- Once: evidence names the lead and the place.
    INSERT INTO crm.consent (contact_id, purpose, channel, status, at, source, legal_basis, evidence)
    SELECT n.* FROM (
        SELECT l.contact_id, c.e ->> 'purpose', coalesce(c.e ->> 'channel', '*'), coalesce(c.e ->> 'status', 'granted'), l.created_at, coalesce(c.e ->> 'source', l.source), c.e ->> 'legal_basis',
               CASE WHEN jsonb_typeof(c.e -> 'evidence') = 'object' THEN c.e -> 'evidence' WHEN c.e ? 'evidence' THEN jsonb_build_object('text', c.e -> 'evidence') ELSE '{}' END
                   || jsonb_build_object('lead_id', l.id) AS evidence
        FROM crm.lead l CROSS JOIN LATERAL jsonb_array_elements(l.consent) WITH ORDINALITY AS c (e, n)
        WHERE l.id = ANY (lead_ids) AND l.contact_id IS NOT NULL ORDER BY l.id, c.n) AS n (contact_id, purpose, channel, status, at, source, legal_basis, evidence)
    WHERE NOT EXISTS (SELECT FROM crm.consent o WHERE o.contact_id = n.contact_id AND o.purpose = n.purpose AND o.channel = n.channel
                      AND o.status = n.status AND o.evidence = n.evidence)
$$;
COMMENT ON FUNCTION crm.write_lead_consent(bigint[]) IS 'Writes what was agreed to along with leads whose person is known to crm.consent, once, as of when the lead was captured.';

CREATE FUNCTION crm.capture_lead(source text, payload jsonb, submission_key text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.lead_id FROM crm.capture_leads(source, ARRAY[payload], ARRAY[submission_key], as_of) c
$$;
COMMENT ON FUNCTION crm.capture_lead(text, jsonb, text, timestamptz) IS 'Takes what a person sent as a lead and gives its number: the lead, its touches and consents, in one transaction. Keys of payload: name (or given_name, middle_name, family_name), email, phone, company, job_title, city, country, interest_reason, need, message, amount, currency, owner, territory, consent, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content, cost, referral_code (crm.referral_code() of who referred the person, see crm.referral), or touches, an array of {at, channel, source, medium, campaign, term, content, cost}; all is kept in crm.lead.payload, and what cannot be read in crm.lead.problems with the reason. Sent again with the same source and submission_key it is the same lead: an open one takes what has changed. A person who is known by address or number is attached, and the owner is that of the contact; otherwise crm.assignment_rule says whose it is. Errors: 22023 no source.';

/* Converting. */

CREATE FUNCTION crm.convert_lead(lead_id bigint, duplicates text DEFAULT 'attach', deal jsonb DEFAULT '{}', as_of timestamptz DEFAULT now(),
    OUT contact_id bigint, OUT company_id bigint, OUT deal_id bigint, OUT was_converted boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    l crm.lead;
    wanted CONSTANT text := duplicates;
    person bigint;
    firm bigint;
    owner bigint;
    before timestamptz;
BEGIN
    PERFORM crm.require_installed();
    IF wanted IS NULL OR wanted <> ALL ('{attach,new,refuse}'::text[]) THEN
        RAISE EXCEPTION 'unknown way with duplicates "%"', coalesce(wanted, 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'It is attach (to the most probable), new (another contact all the same) or refuse.';
    END IF;
    -- Who comes second waits here, and finds it done.
    SELECT * INTO l FROM crm.lead o WHERE o.id = convert_lead.lead_id FOR UPDATE;
    IF l.id IS NULL OR l.deleted_at IS NOT NULL THEN
        RAISE EXCEPTION 'there is no lead %', convert_lead.lead_id USING ERRCODE = 'RM004', HINT = 'crm.v_lead lists them.';
    ELSIF l.status = 'converted' THEN
        contact_id := l.contact_id;
        company_id := l.company_id;
        deal_id := l.deal_id;
        was_converted := false;
        RETURN;
    ELSIF l.status = 'disqualified' THEN
        RAISE EXCEPTION 'lead % is disqualified', l.id
            USING ERRCODE = 'RM070', DETAIL = format('Reason: %s.', l.disqualify_reason), HINT = 'Take it up again first: set its status to working.';
    END IF;
    -- Two leads of one person converted at once are one contact.
    PERFORM pg_advisory_xact_lock(hashtext('crm.lead'), k.hash)
    FROM (SELECT DISTINCT hashtext(v) AS hash FROM unnest(ARRAY[crm.match_key(crm.try_email(l.email)), crm.e164(crm.base(crm.try_phone(l.phone, l.country))), crm.e164(crm.base(crm.try_phone(l.phone)))]) v
          WHERE v IS NOT NULL ORDER BY 1) k;
    person := crm.resolve_contact(l.contact_id);
    IF EXISTS (SELECT FROM crm.contact c WHERE c.id = person AND c.deleted_at IS NOT NULL) THEN
        IF wanted <> 'new' THEN
            RAISE EXCEPTION 'contact % of lead % has been deleted', person, l.id
                USING ERRCODE = 'RM070', HINT = 'Empty deleted_at of the contact, or convert with duplicates => ''new''.';
        END IF;
        person := NULL;
    END IF;
    IF person IS NULL AND wanted <> 'new' THEN
        SELECT d.contact_id INTO person FROM crm.lead_duplicates(l.id) d WHERE d.strength >= 0.5 LIMIT 1;
        IF FOUND AND wanted = 'refuse' THEN
            RAISE EXCEPTION 'the person of lead % is a contact already', l.id
                USING ERRCODE = 'RM072',
                      DETAIL = (SELECT 'Contacts: ' || string_agg(format('%s (%s)', d.contact_id, d.strength), ', ' ORDER BY d.strength DESC, d.contact_id) || '.'
                                FROM crm.lead_duplicates(l.id) d WHERE d.strength >= 0.5),
                      HINT = 'Look at crm.lead_duplicates(), then convert with duplicates => ''attach'' or ''new''.';
        END IF;
    END IF;
    before := crm.set_effective_at(as_of);
    IF person IS NULL THEN
        IF num_nonnulls(l.name, l.email, l.phone, l.company) = 0 THEN
            RAISE EXCEPTION 'lead % has no name, address, number or company to know the person by', l.id
                USING ERRCODE = 'RM003', HINT = 'Fill one of name, email, phone and company.';
        END IF;
        person := crm.create_contact(jsonb_strip_nulls(jsonb_build_object('name', l.name, 'email', l.email, 'phone', l.phone, 'company', l.company,
            'job_title', l.job_title, 'city', l.city, 'country', l.country, 'owner_id', l.owner_id, 'territory_id', l.territory_id, 'source', l.source)));
    ELSE
        -- What is not known of the contact yet; what is, stays.
        UPDATE crm.contact c SET job_title = coalesce(c.job_title, l.job_title), city = coalesce(c.city, l.city), country = coalesce(c.country, l.country),
            owner_id = coalesce(c.owner_id, l.owner_id), territory_id = coalesce(c.territory_id, l.territory_id), archived_at = NULL
        WHERE c.id = person
          AND (c.archived_at IS NOT NULL OR c.job_title IS NULL AND l.job_title IS NOT NULL OR c.city IS NULL AND l.city IS NOT NULL
               OR c.country IS NULL AND l.country IS NOT NULL OR c.owner_id IS NULL AND l.owner_id IS NOT NULL OR c.territory_id IS NULL AND l.territory_id IS NOT NULL);
        INSERT INTO crm.contact_point (contact_id, kind, raw, region, is_primary)
        SELECT person, v.kind, v.raw, CASE v.kind WHEN 'phone' THEN l.country END,
               NOT EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = person AND p.kind = v.kind AND p.is_primary)
        FROM (VALUES ('email', l.email, crm.match_key(crm.try_email(l.email))),
                     ('phone', l.phone, crm.e164(crm.base(CASE WHEN l.country IS NULL THEN crm.try_phone(l.phone) ELSE crm.try_phone(l.phone, l.country) END)))) AS v (kind, raw, key)
        WHERE v.raw IS NOT NULL AND NOT EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = person AND p.kind = v.kind AND (p.raw = v.raw OR p.match_key = v.key));
    END IF;
    -- The company as entered, otherwise the one where the person works.
    firm := coalesce(l.company_id, crm.find_or_create_company(l.company, l.source));
    IF firm IS NULL THEN
        SELECT c.company_id INTO firm FROM crm.company_contact c WHERE c.contact_id = person AND upper_inf(c.valid) ORDER BY c.is_primary DESC, c.company_id LIMIT 1;
    ELSE
        INSERT INTO crm.company_contact (contact_id, company_id, is_primary)
        SELECT person, firm, NOT EXISTS (SELECT FROM crm.company_contact c WHERE c.contact_id = person AND c.is_primary AND upper_inf(c.valid))
        WHERE NOT EXISTS (SELECT FROM crm.company_contact c WHERE c.contact_id = person AND c.company_id = firm AND upper_inf(c.valid));
    END IF;
    IF l.need IS NOT NULL AND NOT EXISTS (SELECT FROM crm.contact_need n WHERE n.contact_id = person AND n.kind = 'need' AND n.subject = l.need AND upper_inf(n.valid)) THEN
        INSERT INTO crm.contact_need (contact_id, kind, subject, source, valid) VALUES (person, 'need', l.need, l.source, tstzrange(least(l.created_at, as_of), NULL));
    END IF;
    -- Who has had all there is, and comes again, begins anew where the orders say.
    UPDATE crm.contact c SET lifecycle_stage = coalesce((
        SELECT r.stage FROM crm.lifecycle_rule r
        WHERE r.order_count <= (SELECT m.order_count FROM crm.contact_metric m WHERE m.contact_id = person) ORDER BY r.order_count DESC LIMIT 1), 'lead')
    WHERE c.id = person AND c.lifecycle_stage = 'closed_cycle';
    SELECT coalesce(l.owner_id, c.owner_id) INTO owner FROM crm.contact c WHERE c.id = person;
    UPDATE crm.company c SET owner_id = owner WHERE c.id = firm AND c.owner_id IS NULL AND owner IS NOT NULL;
    IF deal IS NOT NULL THEN
        deal_id := crm.create_deal(jsonb_strip_nulls(jsonb_build_object(
            'name', coalesce(l.need, l.interest_reason, l.company, l.name, l.email, l.phone, format('Lead %s', l.id)), 'contact_id', person, 'company_id', firm, 'owner_id', owner,
            'amount', l.amount, 'currency', CASE WHEN l.amount IS NOT NULL THEN l.currency END, 'source', l.source, 'description', l.interest_reason,
            'created_at', as_of, 'stage_entered_at', as_of)) || deal);
    END IF;
    UPDATE crm.lead o SET status = 'converted', converted_at = as_of, converted_by = crm.current_actor(), contact_id = person, company_id = firm, deal_id = convert_lead.deal_id
    WHERE o.id = l.id;
    PERFORM crm.write_lead_consent(ARRAY[l.id]);
    PERFORM crm.copy_lead_activities(ARRAY[l.id]);
    PERFORM crm.set_effective_at(before);
    contact_id := person;
    company_id := firm;
    was_converted := true;
END
$$;
COMMENT ON FUNCTION crm.convert_lead(bigint, text, jsonb, timestamptz) IS 'Makes contact, company and deal of a lead, with its activities, consents and need, and gives their numbers. A person who is probably a contact already (crm.lead_duplicates()) is attached to it and gets what was not known of him, unless duplicates is new or refuse. A contact that was merged since the lead was captured stands for itself in the one that absorbed it. deal has fields of crm.create_deal() that are to be other than those of the lead; null makes none. Converted already, also by a session at the same time, it gives the same numbers and was_converted is false. Errors: RM070 it is disqualified, or its contact has been deleted (unless duplicates is new); RM072 refused as a duplicate; RM003 nothing to know the person by; RM004 no such lead; 22023 unknown way with duplicates; those of crm.create_deal().';

CREATE FUNCTION crm.capture_order(source text, payload jsonb, submission_key text, as_of timestamptz DEFAULT now(),
    OUT lead_id bigint, OUT contact_id bigint, OUT company_id bigint, OUT deal_id bigint, OUT order_id bigint, OUT was_created boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    converted record;
    placed jsonb := CASE jsonb_typeof(payload -> 'order') WHEN 'object' THEN payload -> 'order' END;
    owner bigint;
BEGIN
    PERFORM crm.require_installed();
    IF coalesce(btrim(submission_key), '') = '' THEN
        RAISE EXCEPTION 'an order of a form needs its key' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the number of the order at the source: by it what is sent twice is known.';
    END IF;
    lead_id := crm.capture_lead(source, payload, submission_key, as_of);
    SELECT * INTO converted FROM crm.convert_lead(lead_id, deal => jsonb_strip_nulls(jsonb_build_object(
        'name', format('%s %s', source, submission_key), 'amount', crm.try_number(placed ->> 'amount'), 'currency', placed ->> 'currency')), as_of => as_of);
    contact_id := converted.contact_id;
    company_id := converted.company_id;
    deal_id := converted.deal_id;
    was_created := converted.was_converted;
    IF placed IS NOT NULL AND was_created THEN
        SELECT d.owner_id INTO owner FROM crm.deal d WHERE d.id = capture_order.deal_id;
        INSERT INTO crm.sales_order (contact_id, number, ordered_at, amount, currency, company_id, agent_id, deal_id, source, description, external_system, external_id)
        VALUES (contact_id, coalesce(placed ->> 'number', submission_key), as_of, crm.try_number(placed ->> 'amount'), placed ->> 'currency', company_id, owner, deal_id,
                source, placed ->> 'description', source, submission_key);
    END IF;
    order_id := (SELECT o.id FROM crm.sales_order o WHERE o.contact_id = capture_order.contact_id AND o.external_system = capture_order.source AND o.external_id = capture_order.submission_key);
END
$$;
COMMENT ON FUNCTION crm.capture_order(text, jsonb, text, timestamptz) IS 'Takes the order form of a site or shop: lead, contact, company, deal, touch and consent at once, and with key order of payload, {number, amount, currency, description}, the order; once for each source and submission_key. Sent again it gives the same numbers and was_created is false. Errors: 22023 no key; 23503 unknown currency; those of crm.capture_lead() and crm.convert_lead().';

/* Life cycle. */

CREATE FUNCTION crm.lifecycle_as_of(contact_id bigint, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.stage FROM crm.lifecycle_history h WHERE h.contact_id = $1 AND h.valid @> $2
$$;
COMMENT ON FUNCTION crm.lifecycle_as_of(bigint, timestamptz) IS 'The stage of its life cycle at which a contact was at a moment; null before it began.';

CREATE FUNCTION crm.owner_as_of(entity text, record_id bigint, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.owner_id FROM crm.ownership_history h WHERE h.record_id = $2 AND h.entity = $1 AND h.valid @> $3
$$;
COMMENT ON FUNCTION crm.owner_as_of(text, bigint, timestamptz) IS 'The agent who was responsible for a contact, company, deal or lead at a moment; null for nobody.';

CREATE FUNCTION crm.lifecycle_shares(as_of timestamptz DEFAULT now(), OUT stage text, OUT "position" integer, OUT contacts bigint, OUT share numeric,
    OUT reached bigint, OUT conversion numeric) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    WITH step AS (
        SELECT u.stage, u.n::integer AS place FROM unnest('{lead,customer,repeat,loyal,closed_cycle}'::text[]) WITH ORDINALITY AS u (stage, n)
    ), person AS (
        SELECT h.contact_id, max(s.place) FILTER (WHERE h.valid @> $1) AS now_at,
               -- Who has had all there is bought once at least.
               greatest(max(s.place) FILTER (WHERE s.place < 5), CASE WHEN bool_or(s.place = 5) THEN 2 END) AS furthest, bool_or(s.place = 5) AS closed
        FROM crm.lifecycle_history h JOIN step s ON s.stage = h.stage
        WHERE lower(h.valid) <= $1
        GROUP BY h.contact_id
    ), living AS (
        SELECT p.now_at, p.furthest, p.closed, count(*) AS n
        FROM person p JOIN crm.contact c ON c.id = p.contact_id
        WHERE (c.deleted_at IS NULL OR c.deleted_at > $1) AND c.merged_into IS NULL AND p.now_at IS NOT NULL
        GROUP BY p.now_at, p.furthest, p.closed
    ), counted AS (
        SELECT s.stage, s.place, coalesce(sum(l.n) FILTER (WHERE l.now_at = s.place), 0)::bigint AS contacts,
               coalesce(sum(l.n) FILTER (WHERE CASE WHEN s.place = 5 THEN l.closed ELSE l.furthest >= s.place END), 0)::bigint AS reached,
               coalesce(sum(l.n), 0) AS total
        FROM step s LEFT JOIN living l ON true GROUP BY s.stage, s.place
    )
    SELECT c.stage, c.place, c.contacts, round(c.contacts / nullif(c.total, 0), 4), c.reached,
           round(c.reached::numeric / nullif((SELECT b.reached FROM counted b WHERE b.place = CASE c.place WHEN 5 THEN 2 ELSE c.place - 1 END), 0), 4)
    FROM counted c ORDER BY c.place
$$;
COMMENT ON FUNCTION crm.lifecycle_shares(timestamptz) IS 'The life cycle as it stood at a moment: how many contacts were at each stage and their share of all; how many had reached it, there or further on, by then, and what share that is of those who had reached the one before (of closed_cycle: of the customers). Without deleted and absorbed contacts.';
