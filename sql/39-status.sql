/* ------------------------------------------------------------------
 * What the life cycle calls in the other domains, and crm.status().
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.key_versions(OUT kind text, OUT version integer) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('name_key', crm.name_key_version()), ('email_match_key', crm.email_match_key_version())
$$;
COMMENT ON FUNCTION crm.key_versions() IS 'The versions of the rules by which this code makes match keys.';

CREATE FUNCTION crm.after_install() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO crm.key_version (kind, version)
    SELECT k.kind, k.version FROM crm.key_versions() k ON CONFLICT (kind) DO NOTHING;
    -- DROP EXTENSION ... CASCADE takes columns of our types with it; what was
    -- entered is still there, and writing it again derives them anew.
    UPDATE crm.contact_point SET raw = raw WHERE (kind = 'email' AND email IS NULL) OR (kind = 'phone' AND phone IS NULL);
    UPDATE crm.company_point SET raw = raw WHERE (kind = 'email' AND email IS NULL) OR (kind = 'phone' AND phone IS NULL);
    UPDATE crm.archive_rule SET definition = definition WHERE rule IS NULL AND definition IS NOT NULL;
    UPDATE crm.stage SET entry_guard = entry_guard WHERE (entry_guard IS NOT NULL AND entry_rule IS NULL) OR (exit_guard IS NOT NULL AND exit_rule IS NULL);
    UPDATE crm.stage_transition SET guard = guard WHERE guard IS NOT NULL AND guard_rule IS NULL;
    -- Merges of 0.1.0 have a journal only.
    INSERT INTO crm.merge (id, entity, survivor_id, absorbed_ids, at, actor, next_transaction_id)
    SELECT j.merge_id, 'contact', j.survivor_id, array_agg(DISTINCT j.absorbed_id ORDER BY j.absorbed_id), min(j.at), min(j.actor), NULL
    FROM crm.merge_journal j
    WHERE NOT EXISTS (SELECT FROM crm.merge m WHERE m.id = j.merge_id)
    GROUP BY j.merge_id, j.survivor_id ON CONFLICT (id) DO NOTHING;
    PERFORM crm.restore_deal_policies();
END
$$;
COMMENT ON FUNCTION crm.after_install() IS 'Completes crm.install() and crm.upgrade(): records key versions, fills derived columns that a dropped extension took with it, lists the merges of which there is only a journal, and completes the policies of crm.enable_deal_security() where it is on.';

CREATE FUNCTION crm.rebuild_keys() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched bigint := 0;
    n bigint;
BEGIN
    PERFORM crm.require_installed();
    -- Writing a row as it is makes the trigger derive its keys; nothing else changes.
    UPDATE crm.contact SET id = id;
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    UPDATE crm.company SET id = id;
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    UPDATE crm.contact_point SET raw = raw WHERE kind IN ('email', 'phone');
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    UPDATE crm.company_point SET raw = raw WHERE kind IN ('email', 'phone');
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    PERFORM crm.refresh_contact_keys((SELECT array_agg(id) FROM crm.contact));
    PERFORM crm.refresh_company_keys((SELECT array_agg(id) FROM crm.company));
    INSERT INTO crm.key_version (kind, version) SELECT k.kind, k.version FROM crm.key_versions() k
    ON CONFLICT (kind) DO UPDATE SET version = excluded.version, built_at = now();
    RETURN touched;
END
$$;
COMMENT ON FUNCTION crm.rebuild_keys() IS 'Derives all match keys and canonical forms again, after an update of the package that changed their rules (crm.status() says when). Rewrites every contact, company and point without changing what was entered; returns the number of rows. Takes row locks on all of them.';

CREATE FUNCTION crm.job_is_running(job text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_locks l
                   WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
                     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                     AND l.classid = (hashtext('crm.job')::bigint & 4294967295)::oid
                     AND l.objid = (hashtext(job)::bigint & 4294967295)::oid)
$$;
COMMENT ON FUNCTION crm.job_is_running(text) IS 'Whether a session is running the job of this name now.';

CREATE FUNCTION crm.before_uninstall() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    -- They would refuse every row when there are no keys to write.
    FOR item IN SELECT t.tgname, t.tgrelid::regclass AS relation FROM pg_trigger t
                JOIN pg_class c ON c.oid = t.tgrelid
                WHERE (t.tgfoid = 'crm.match_door()'::regprocedure
                       OR c.relnamespace <> 'crm'::regnamespace AND t.tgfoid IN ('crm.queue_for_segments()'::regprocedure, to_regprocedure('crm.refresh_all_segments()')))
                  AND NOT t.tgisinternal AND t.tgparentid = 0 LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', item.tgname, item.relation);
    END LOOP;
    RETURN crm.unschedule_jobs();
END
$$;
COMMENT ON FUNCTION crm.before_uninstall() IS 'Undoes what crm keeps outside its schema: triggers of match models and segments on tables of yours, and scheduled jobs, or says what there is to undo. Errors: 42501 such a table belongs to another.';

CREATE FUNCTION crm.create_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning AS $$
DECLARE
    roles CONSTANT text[] := ARRAY['crm_admin', 'crm_manager', 'crm_agent', 'crm_marketer', 'crm_analyst', 'crm_gateway', 'crm_portal'];
    missing text[] := ARRAY(SELECT r FROM unnest(roles) WITH ORDINALITY AS u (r, n) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) ORDER BY n);
    role text;
    grants record;
    item record;
    is_granted boolean;
BEGIN
    IF missing <> '{}' AND NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'role "%" may not create roles', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = format('Missing are: %s.', array_to_string(missing, ', ')),
                  HINT = format('Have someone who may run "%s", and call the function again; or make the tables without roles.',
                                (SELECT string_agg(format('CREATE ROLE %I;', m), ' ' ORDER BY n) FROM unnest(missing) WITH ORDINALITY AS u (m, n)));
    END IF;
    FOREACH role IN ARRAY roles LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA crm TO %I', role);
    END LOOP;
    -- A line says what a role may do with relations whose name matches; what
    -- a table is called that a later version adds decides who may use it.
    FOR grants IN
        SELECT * FROM (VALUES
            ('crm_admin', 'SELECT, INSERT, UPDATE, DELETE', '.*', 'installation|schema_object|key_version|audit_log|deal_history|stage_history|.*_key|receipt|merge|merge_journal|match_(model|field|version|level|frequency|rule_yield|door)|blocking_rule|contact_metric|payment_event|stock_(move|balance)|lifecycle_history|ownership_history|assignment_(log|decision)|deal_rate'),
            ('crm_admin', 'SELECT', '.*', NULL),
            ('crm_admin', 'INSERT', 'merge_journal|payment_event|stock_move|receipt|assignment_(log|decision)', NULL),
            ('crm_admin', 'INSERT, UPDATE', 'merge', NULL),
            ('crm_manager', 'SELECT', '.*', 'schema_object'),
            ('crm_manager', 'INSERT, UPDATE, DELETE', '(contact|company|deal|task|reminder|activity|touchpoint|quote|sales_order|payment|shipment|document|order|product|proposal)(_.*)?|imported_deal|party_relation|owned_product|external_ref|tag|consent|source_value|field_source|duplicate_pair|match_(label|pair|cluster)|import_.*|sales_goal|team|territory|branch|notification|holiday|business_.*|warehouse|agent(_.*)?|lead(_.*)?|assignment_.*|position|employee_position|channel_spend|lifecycle_rule|forecast_snapshot|agent_capacity|satisfaction|referral',
             'contact_key|company_key|contact_metric|deal_history|payment_(key|event)|assignment_(log|decision)|deal_rate'),
            ('crm_manager', 'INSERT', 'merge_journal|outbox|payment_event|stock_move|receipt|assignment_(log|decision)', NULL),
            ('crm_manager', 'INSERT, UPDATE', 'merge', NULL),
            -- What a merge has to write; the rest of these tables triggers write.
            ('crm_admin', 'UPDATE (contact_id)', 'payment_key|receipt', NULL),
            ('crm_manager', 'UPDATE (contact_id)', 'payment_key|receipt', NULL),
            ('crm_agent', 'SELECT', '(contact|company|deal|task|reminder|activity|stage|pipeline|agent|team|branch|territory|quote|sales_order|payment|shipment|document|qualification|order|product|proposal|stock|lead|assignment)(_.*)?|party_relation|owned_product|external_ref|tag|consent|channel|custom_field|source_value|field_source|duplicate_pair|survivorship_rule|completeness_weight|loss_reason|currency|base_currency|fx_rate|interaction_type|event_kind|notification|email_domain|email_role|name_alias|installation|audit_log|v_(deal_priority|my_kpi|lifecycle|goal_progress)|segment|segment_(chunk|offer|history|fill)|incentive|holiday|business_(calendar|hours|exception|holiday)|receipt|warehouse|status_transition|position|employee_position|lifecycle_(rule|history)|ownership_history|fact_deal|kpi|sales_goal|agent_capacity|satisfaction|forecast_category|referral|v_whitespace', '(deal|order)_import_reject'),
            ('crm_agent', 'INSERT, UPDATE', '(contact|company|deal|task|reminder|activity|document|quote|shipment|lead)(_.*)?|sales_order|owned_product|external_ref|tag|consent|source_value|field_source|notification|order_line|payment|assignment_(counter|turn)|referral',
             'contact_key|company_key|contact_metric|deal_history|deal_rate|(deal|order)_import_reject'),
            ('crm_agent', 'DELETE', 'contact_(point|date|need|identity)|company_(point|contact)|external_ref|tag|owned_product|reminder|task_series|deal_(contact|member)|(quote|order|shipment)_line|referral', NULL),
            ('crm_agent', 'INSERT', 'outbox|payment_event|receipt|assignment_(log|decision)', NULL),
            ('crm_marketer', 'SELECT', 'archive_rule|contact|contact_(point|need|date|identity|metric|profile)|event_kind|company|company_point|duplicate_pair|company_contact|party_relation|owned_product|tag|consent|channel|custom_field|completeness_weight|activity|interaction_type|deal|sales_order|currency|base_currency|fx_rate|stage|pipeline|loss_reason|agent|branch|territory|email_domain|email_role|name_alias|installation|external_ref|task|segment(_.*)?|incentive|campaign(_.*)?|holiday|business_(calendar|hours|exception|holiday)|stage_win_rate|deal_rate|order_line|payment|quote|shipment|product(_.*)?|lead(_.*)?|channel_spend|v_lifecycle|lifecycle_(rule|history)|referral|v_channel_roi|v_whitespace|quote_line|deal_(history|milestone|member)|document|stage_history|v_segment_overlap', NULL),
            ('crm_marketer', 'INSERT, DELETE', 'tag', NULL),
            ('crm_marketer', 'INSERT', 'consent|contact_need|outbox|segment_(history|fill)', NULL),
            ('crm_marketer', 'INSERT, UPDATE, DELETE', '(segment|campaign)(_.*)?|incentive|channel_spend', 'segment_(history|fill)'),
            ('crm_analyst', 'SELECT', 'deal_member|v_contact_masked|deal|deal_history|sales_order|contact_metric|base_currency|stage|stage_transition|pipeline|loss_reason|company|agent|team|branch|territory|currency|fx_rate|channel|interaction_type|sales_goal|installation|holiday|business_(calendar|hours|exception|holiday)|deal_(milestone|qualification)|document|qualification_.*|stage_(history|win_rate|prerequisite|requirement|playbook)|v_(pipeline_waterfall|deal_priority|goal_progress|summary|manager_kpi|kpi_anomaly|churn_zone|lifecycle|adoption)|order_line|payment|shipment_line|stock_.*|warehouse|quote_line|product(_.*)?|position|employee_position|channel_spend|lifecycle_(rule|history)|ownership_history|kpi|agent_capacity|satisfaction|deal_rate|forecast_(snapshot|category)|dim_.*|fact_.*', NULL),
            -- Without the words of people, and who they are.
            ('crm_analyst', 'SELECT (id, lifecycle_stage, created_at, archived_at, deleted_at, merged_into)', 'contact', NULL),
            ('crm_analyst', 'SELECT (contact_id, id, kind, direction, agent_id, company_id, deal_id, task_id, occurred_at, duration, outcome, external_system, created_at, created_by)', 'activity', NULL),
            ('crm_analyst', 'SELECT (id, kind, contact_id, company_id, deal_id, assignee_id, author_id, status, priority, due_at, remind_at, done_at, reminded_at, overdue_at, series_id, created_at, updated_at, created_by)', 'task', NULL),
            ('crm_analyst', 'SELECT (id, source, status, disqualify_reason, country, amount, currency, first_touch_at, first_channel, first_source, first_medium, first_campaign, last_touch_at, last_channel, last_source, last_medium, last_campaign, owner_id, territory_id, contact_id, company_id, deal_id, created_at, updated_at, created_by, converted_at, converted_by, deleted_at)', 'lead', NULL),
            -- Without the address.
            ('crm_analyst', 'SELECT (contact_id, id, order_id, status, warehouse, carrier, promised_at, shipped_at, delivered_at, late_at, created_at)', 'shipment', NULL),
            ('crm_gateway', 'SELECT, UPDATE', 'outbox', NULL),
            ('crm_gateway', 'SELECT', 'installation|base_currency|currency', NULL),
            ('crm_gateway', 'SELECT, INSERT', 'payment_event', NULL),
            -- Without who bought what.
            ('crm_gateway', 'INSERT', 'receipt', NULL),
            ('crm_gateway', 'SELECT (fiscal_id, store, issued_at, amount, currency, order_id, received_at)', 'receipt', NULL),
            ('crm_portal', 'SELECT', 'installation', NULL)
        ) AS g (role, rights, matching, except_matching)
    LOOP
        FOR item IN
            SELECT o.name, o.kind FROM crm.schema_object o
            WHERE o.kind IN ('table', 'view') AND crm.object_exists(o.kind, o.relation, o.name)
              AND o.name ~ ('^(' || grants.matching || ')$')
              AND (grants.except_matching IS NULL OR NOT o.name ~ ('^(' || grants.except_matching || ')$'))
              AND (o.kind = 'table' OR grants.rights = 'SELECT')
            ORDER BY o.name
        LOOP
            EXECUTE format('GRANT %s ON crm.%I TO %I', grants.rights, item.name, grants.role);
        END LOOP;
    END LOOP;
    -- A view runs with the rights of whoever asks: who may read all the columns
    -- that it reads may read it. Those upon others follow in the next round.
    LOOP
        is_granted := false;
        FOR item IN
            SELECT v.relname AS name, r.role
            FROM crm.schema_object o
            JOIN pg_class v ON v.relname = o.name AND v.relnamespace = 'crm'::regnamespace AND v.relkind = 'v' AND v.reloptions @> '{security_invoker=true}'
            JOIN pg_rewrite w ON w.ev_class = v.oid
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
            JOIN pg_class t ON t.oid = d.refobjid AND t.relnamespace = v.relnamespace
            CROSS JOIN unnest('{crm_agent,crm_marketer,crm_analyst}'::text[]) AS r (role)
            WHERE o.kind = 'view' AND starts_with(o.name, 'v_') AND NOT has_table_privilege(r.role, v.oid, 'SELECT')
            GROUP BY v.relname, r.role
            HAVING bool_and(CASE d.refobjsubid WHEN 0 THEN has_any_column_privilege(r.role, t.oid, 'SELECT')
                                 ELSE has_column_privilege(r.role, t.oid, d.refobjsubid::smallint, 'SELECT') END)
        LOOP
            EXECUTE format('GRANT SELECT ON crm.%I TO %I', item.name, item.role);
            is_granted := true;
        END LOOP;
        EXIT WHEN NOT is_granted;
    END LOOP;
    -- Numbers of new rows.
    FOR item IN
        SELECT c.relname AS name FROM pg_class c
        WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'S' AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE crm.%I TO crm_admin, crm_manager, crm_agent, crm_marketer', item.name);
    END LOOP;
    GRANT EXECUTE ON FUNCTION crm.link_identity(bigint, text, text, jsonb) TO crm_admin, crm_manager, crm_agent, crm_portal;
    GRANT EXECUTE ON FUNCTION crm.rebuild_contact_metric(bigint[]) TO crm_admin;
    GRANT EXECUTE ON FUNCTION crm.book_receipts(text[], bigint[], timestamptz) TO crm_admin, crm_manager, crm_agent;
    GRANT EXECUTE ON FUNCTION crm.refresh_lifecycle(bigint[]) TO crm_admin, crm_manager;
END
$$;
COMMENT ON FUNCTION crm.create_roles() IS 'Creates the roles of crm that are missing and grants them their rights on what is installed; run again, it completes the rights. Takes nothing away. Errors: 42501 when the caller may not create roles.';

CREATE FUNCTION crm.match_status(as_of timestamptz, OUT item text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('crm.match_model') IS NULL OR to_regclass('crm.match_version') IS NULL OR to_regclass('crm.match_door') IS NULL OR to_regclass('crm.match_queue') IS NULL THEN
        RETURN;                 -- named by crm.status() as missing
    END IF;
    RETURN QUERY SELECT 'match model ' || m.name, 'warning', format('table %s is not there', m.relation),
                        format('SELECT crm.drop_match_model(%L), or correct crm.match_model.relation', m.name)
    FROM crm.match_model m WHERE to_regclass(m.relation) IS NULL ORDER BY m.name;
    RETURN QUERY SELECT 'match model ' || m.name, 'warning', format('trained by rules of folding %s, the code has %s', v.key_version, crm.match_key_version()),
                        format('SELECT crm.train_match_model(%L)', m.name)
    FROM crm.match_model m JOIN crm.match_version v ON v.model = m.name AND v.version = m.version
    WHERE v.key_version <> crm.match_key_version() ORDER BY m.name;
    RETURN QUERY SELECT 'match model ' || m.name, 'warning',
                        CASE WHEN m.version IS NULL THEN 'not trained since its fields or rules changed: the door does not look'
                             ELSE format('keys at the door are of version %s, the model is of version %s', coalesce(d.version::text, 'none'), m.version) END,
                        CASE WHEN m.version IS NULL THEN format('SELECT crm.train_match_model(%L)', m.name) ELSE format('SELECT crm.build_match_keys(%L)', m.name) END
    FROM crm.match_model m LEFT JOIN crm.match_door d ON d.model = m.name
    WHERE m.at_the_door <> 'off' AND m.version IS DISTINCT FROM d.version ORDER BY m.name;
    -- The triggers of a model by table: insert, delete, update and truncate.
    RETURN QUERY
    WITH present AS (
        SELECT m.name, t.tgrelid::regclass AS relation, t.tgname, t.tgenabled, t.tgtype::integer & 60 AS event
        FROM crm.match_model m
        JOIN pg_trigger t ON t.tgfoid = 'crm.match_door()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
             AND starts_with(encode(t.tgargs, 'escape'), encode(convert_to(m.name, getdatabaseencoding()), 'escape') || '\000')
        WHERE m.at_the_door <> 'off')
    SELECT 'match model ' || p.name, 'error', format('trigger %s on %s is disabled', p.tgname, p.relation),
           format('ALTER TABLE %s ENABLE TRIGGER %I', p.relation, p.tgname)
    FROM present p WHERE p.tgenabled = 'D'
    UNION ALL
    SELECT 'match model ' || p.name, 'error', format('of the triggers on %s some are missing', p.relation), 'Call crm.guard_duplicates() again.'
    FROM present p GROUP BY p.name, p.relation HAVING bit_or(p.event) <> 60
    UNION ALL
    SELECT 'match model ' || m.name, 'error', format('policy %s, but no table has its triggers', m.at_the_door),
           CASE WHEN m.relation = 'crm.v_match_contact' THEN format('SELECT crm.guard_duplicates(%1$L, %2$L, t, c) FROM (VALUES (''crm.contact''::regclass, ''id''), (''crm.contact_point'', ''contact_id'')) v (t, c)', m.name, m.at_the_door)
                WHEN m.relation = 'crm.v_match_company' THEN format('SELECT crm.guard_duplicates(%1$L, %2$L, t, c) FROM (VALUES (''crm.company''::regclass, ''id''), (''crm.company_point'', ''company_id'')) v (t, c)', m.name, m.at_the_door)
                WHEN EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass(m.relation) AND c.relkind IN ('r', 'p')) THEN format('SELECT crm.guard_duplicates(%L, %L)', m.name, m.at_the_door)
                ELSE 'Call crm.guard_duplicates() again, for each table of the view.' END
    FROM crm.match_model m WHERE m.at_the_door <> 'off' AND NOT EXISTS (SELECT FROM present p WHERE p.name = m.name)
    ORDER BY 1, 3;
    RETURN QUERY SELECT 'match model ' || q.model, 'warning', format('records wait for the sweep since %s', to_char(min(q.queued_at), 'YYYY-MM-DD HH24:MI:SS TZ')),
                        'Does job "match" run? A transaction that stays open holds it up: SELECT * FROM pg_stat_activity ORDER BY xact_start.'
    FROM crm.match_queue q GROUP BY q.model HAVING min(q.queued_at) < as_of - interval '1 hour' ORDER BY q.model;
END
$$;
COMMENT ON FUNCTION crm.match_status(timestamptz) IS 'What crm.status() says of match models: tables that are gone, rules of folding and keys of older versions, missing or disabled triggers, records that wait long for crm.dedup_tick().';

CREATE FUNCTION crm.status(as_of timestamptz DEFAULT now(), OUT item text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    installed text := crm.installed_version();
    object record;
BEGIN
    RETURN QUERY SELECT 'code', CASE WHEN crm.library_version() = crm.code_version() THEN 'ok' ELSE 'error' END,
        format('library %s, functions %s', crm.library_version(), crm.code_version()),
        CASE WHEN crm.library_version() <> crm.code_version() THEN 'Run ALTER EXTENSION crm UPDATE, or end sessions that loaded the old library.' END;
    IF installed IS NULL THEN
        RETURN QUERY SELECT 'tables', 'error', 'not installed in this database', 'Run SELECT crm.install().';
        RETURN;
    END IF;
    RETURN QUERY SELECT 'tables', CASE WHEN installed = crm.code_version() THEN 'ok' ELSE 'error' END,
        format('version %s, owned by %s', installed, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'crm.installation'::regclass)),
        CASE WHEN installed <> crm.code_version() THEN 'Run SELECT crm.upgrade().' END;
    IF installed <> crm.code_version() THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT 'schema', 'warning', format('schema crm belongs to %s, who may drop what is in it', pg_get_userbyid(n.nspowner)),
                        'ALTER SCHEMA crm OWNER TO the owner of the tables.'
    FROM pg_namespace n JOIN pg_class c ON c.oid = 'crm.installation'::regclass
    WHERE n.nspname = 'crm' AND n.nspowner <> c.relowner AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = n.nspowner);
    RETURN QUERY SELECT 'encoding', 'warning', format('the database is in %s: names and addresses beyond ASCII are not understood', pg_encoding_to_char(encoding)),
                        'Use a database in UTF8.'
    FROM pg_database WHERE datname = current_database() AND pg_encoding_to_char(encoding) <> 'UTF8';
    RETURN QUERY
    WITH ours AS (SELECT s.kind, s.name FROM crm.schema_source() f, crm.schema_statements(f.source) s
                  WHERE f.kind <> 'migration' AND s.kind IN ('table', 'view', 'sequence', 'function')),
    present AS (
        SELECT o.kind, o.name, c.oid::regclass::text AS identity, c.relowner AS owner
        FROM ours o JOIN pg_class c ON c.relname = o.name AND c.relnamespace = 'crm'::regnamespace WHERE o.kind <> 'function'
        UNION ALL
        SELECT o.kind, o.name, p.oid::regprocedure::text, p.proowner
        FROM ours o JOIN pg_proc p ON p.proname = o.name AND p.pronamespace = 'crm'::regnamespace
        WHERE o.kind = 'function' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
    SELECT p.kind || ' ' || p.name, 'error', format('belongs to %s, the tables to %s', pg_get_userbyid(p.owner), pg_get_userbyid(i.relowner)),
           format('ALTER %s %s OWNER TO %I', upper(p.kind), p.identity, pg_get_userbyid(i.relowner))
    FROM present p JOIN pg_class i ON i.oid = 'crm.installation'::regclass WHERE p.owner <> i.relowner ORDER BY 1, 4;
    FOR object IN
        SELECT s.kind, s.relation, s.name, s.columns, s.statement FROM crm.schema_source() f, crm.schema_statements(f.source) s
        WHERE f.kind <> 'migration' AND crm.object_exists(s.kind, s.relation, s.name) IS NOT NULL
    LOOP
        IF NOT crm.object_exists(object.kind, object.relation, object.name) THEN
            RETURN QUERY SELECT object.kind || ' ' || object.name, 'error',
                'missing' || CASE WHEN object.kind IN ('trigger', 'index') THEN ' on crm.' || object.relation ELSE '' END, 'Run SELECT crm.install().';
        ELSIF object.kind = 'table' THEN
            RETURN QUERY SELECT 'table ' || object.name, 'error', format('column %s is missing', c), 'Run SELECT crm.install().'
            FROM unnest(object.columns) c
            WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('crm.%I', object.name)::regclass AND a.attname = c AND NOT a.attisdropped);
        ELSIF object.kind = 'view' THEN
            RETURN QUERY SELECT 'view ' || object.name, 'error', 'runs with the rights of its owner: whoever may read it sees rows that are hidden from him',
                format('ALTER VIEW crm.%I SET (security_invoker = true)', object.name)
            FROM pg_class c WHERE c.relname = object.name AND c.relnamespace = 'crm'::regnamespace AND c.relkind = 'v'
              AND object.statement ~ '^[^(]*\(security_invoker = true' AND NOT EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_invoker' AND o.option_value::boolean);
        ELSIF object.kind = 'trigger' THEN
            RETURN QUERY SELECT 'trigger ' || object.name, 'error', format('disabled on crm.%s', object.relation),
                format('ALTER TABLE crm.%I ENABLE TRIGGER %I', object.relation, object.name)
            FROM pg_trigger t WHERE t.tgrelid = format('crm.%I', object.relation)::regclass AND t.tgname = object.name AND t.tgenabled IN ('D', 'R');
        END IF;
    END LOOP;
    RETURN QUERY SELECT 'index ' || c.relname, 'error', 'invalid', format('REINDEX INDEX CONCURRENTLY crm.%I', c.relname)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'crm'::regnamespace AND NOT i.indisvalid;
    IF EXISTS (SELECT FROM unnest('{key_version,job,job_run,import_reject,contact,contact_key,contact_point,deal,deal_profile}'::text[]) t WHERE to_regclass('crm.' || t) IS NULL) THEN
        RETURN;                 -- named above as missing
    END IF;
    RETURN QUERY SELECT 'keys', CASE WHEN v.version = k.version THEN 'ok' ELSE 'warning' END,
        format('%s: stored by rules %s, the code has %s', k.kind, coalesce(v.version::text, 'unknown'), k.version),
        CASE WHEN v.version IS DISTINCT FROM k.version THEN 'Run SELECT crm.rebuild_keys() when the load allows it.' END
    FROM crm.key_versions() k LEFT JOIN crm.key_version v USING (kind);
    RETURN QUERY SELECT 'jobs',
        CASE WHEN r.last IS NULL THEN 'info' WHEN r.last < as_of - interval '5 minutes' THEN 'warning' ELSE 'ok' END,
        format('%s enabled, last run %s', j.enabled, coalesce(to_char(r.last, 'YYYY-MM-DD HH24:MI:SS TZ'), 'never')),
        CASE WHEN r.last IS NULL OR r.last < as_of - interval '5 minutes'
             THEN 'SELECT crm.schedule_jobs() has pg_cron call them, or call crm.run_due_jobs() every minute from another scheduler.' END
    FROM (SELECT count(*) AS enabled FROM crm.job WHERE enabled) j, (SELECT max(finished_at) AS last FROM crm.job_run) r;
    RETURN QUERY SELECT 'job ' || j.name, 'warning', format('%s failed runs in a row, the last with: %s', j.failures, j.last_result),
                        'SELECT * FROM crm.job_run WHERE status = ''error'' ORDER BY id DESC'
    FROM crm.job j WHERE j.failures > 0 AND NOT crm.job_is_running(j.name);
    RETURN QUERY SELECT 'job ' || j.name, 'info', format('running since %s', to_char(j.last_run_at, 'YYYY-MM-DD HH24:MI:SS TZ')), NULL::text
    FROM crm.job j WHERE crm.job_is_running(j.name);
    -- pg_cron runs a job with the rights of the role that scheduled it.
    IF to_regclass('cron.job') IS NOT NULL AND has_table_privilege('cron.job', 'SELECT') THEN
        RETURN QUERY EXECUTE $cron$
            SELECT 'pg_cron',
                   CASE WHEN count(*) = 1 AND bool_and(j.active AND coalesce(r.rolcanlogin, false) AND NOT r.rolsuper) THEN 'ok' ELSE 'warning' END,
                   coalesce(string_agg(format('entry %s runs as %s%s%s', j.jobid, j.username,
                       CASE WHEN j.active THEN '' ELSE ', not active' END,
                       CASE WHEN r.oid IS NULL THEN ', a role that does not exist' WHEN NOT r.rolcanlogin THEN ', which cannot log in'
                            WHEN r.rolsuper THEN ', a superuser' ELSE '' END), '; '), 'no entry'),
                   CASE count(*) WHEN 0 THEN 'SELECT crm.schedule_jobs()' END
            FROM cron.job j LEFT JOIN pg_catalog.pg_roles r ON r.rolname = j.username
            WHERE j.jobname = $1 AND j.database = current_database() $cron$ USING crm.tick_name();
    END IF;
    RETURN QUERY SELECT 'keys', 'error', 'living contacts with an e-mail address or phone number have no key: look-ups miss them', 'Run SELECT crm.rebuild_keys().'
    WHERE EXISTS (SELECT FROM crm.contact_point p JOIN crm.contact c ON c.id = p.contact_id
                  WHERE p.match_key IS NOT NULL AND c.deleted_at IS NULL AND c.merged_into IS NULL
                    AND NOT EXISTS (SELECT FROM crm.contact_key k WHERE k.kind = p.kind AND k.key = p.match_key AND k.contact_id = p.contact_id));
    IF to_regclass('crm.sales_order') IS NOT NULL THEN
        RETURN QUERY SELECT 'orders', 'warning', format('%s orders in %s have no exchange rate: their amounts are in no sum', count(*), string_agg(DISTINCT o.currency, ', ')),
                            'INSERT INTO crm.fx_rate (currency, base, valid_from, rate) ...: they take it at once. Where all is in one currency: UPDATE crm.base_currency SET code = ...'
        FROM crm.sales_order o WHERE o.exchange_rate IS NULL HAVING count(*) > 0;
    END IF;
    IF to_regclass('crm.payment_key') IS NOT NULL THEN
        RETURN QUERY SELECT 'payments', 'warning', format('%s payments of which %s told are not known here', count(*), string_agg(DISTINCT k.provider, ', ')),
                            'SELECT * FROM crm.payment_key WHERE payment_id IS NULL: a row of crm.payment with provider and provider_payment_id takes over what was told.'
        FROM crm.payment_key k WHERE k.payment_id IS NULL HAVING count(*) > 0;
    END IF;
    RETURN QUERY SELECT 'deal security', 'error', format('policies are missing or changed, or row level security is off, on %s: deals or what hangs on them are not seen by those who should, or by others', array_to_string(m, ', ')), 'Run SELECT crm.install().'
    FROM crm.wrong_deal_tables() m WHERE m IS NOT NULL;
    RETURN QUERY SELECT 'table ' || c.relname, 'warning', 'row level security is on, but no policy lets anybody but its owner see a row',
                        format('CREATE POLICY ... ON crm.%1$I, or ALTER TABLE crm.%1$I DISABLE ROW LEVEL SECURITY', c.relname)
    FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') AND c.relrowsecurity
      AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AND crm.wrong_deal_tables() IS NULL;
    RETURN QUERY SELECT * FROM crm.match_status(as_of);
    RETURN QUERY SELECT * FROM crm.segment_status(as_of);
    IF crm.may_read('{crm.segment,crm.incentive,crm.archive_rule,crm.event_kind,crm.segment_goal,crm.pipeline,crm.stage,crm.stage_transition,crm.job,
                      crm.branch,crm.agent,crm.survivorship_rule,crm.completeness_weight,crm.custom_field,crm.contact_profile,crm.contact_metric}')
       AND 3 = (SELECT count(*) FROM unnest('{crm.segment,crm.incentive,crm.archive_rule}'::text[]) t JOIN pg_attribute a ON a.attrelid = to_regclass(t) AND a.attname = 'rule' AND NOT a.attisdropped) THEN
        RETURN QUERY SELECT concat_ws(' ', c.item, c.name), 'warning', c.problem, c.hint FROM crm.validate_config() c;
    END IF;
    RETURN QUERY SELECT 'phone numbering plans', 'info', crm.phone_metadata_version(), NULL::text;
    RETURN QUERY SELECT 'imports', 'info', format('%s rows set aside and not looked at', count(*)), 'SELECT * FROM crm.import_reject WHERE resolved_at IS NULL'
    FROM crm.import_reject WHERE resolved_at IS NULL HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION crm.status(timestamptz) IS 'The state of the installation, a row a finding: item, state (ok, info, warning, error), detail and what to do about it. Looks at versions, owners, missing or disabled objects, views that run with other rights, key versions, encoding, who sees which deals, jobs, match models, segments, and at what is configured (crm.validate_config()).';
