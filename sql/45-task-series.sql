/* ------------------------------------------------------------------
 * Tasks that recur.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.task_series_next() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.time_zone := coalesce(NEW.time_zone, (SELECT a.time_zone FROM crm.agent a WHERE a.id = NEW.assignee_id), 'UTC');
    IF NEW.next_at IS NULL OR TG_OP = 'UPDATE' AND NEW.next_at IS NOT DISTINCT FROM OLD.next_at THEN
        NEW.next_at := crm.next_occurrence(NEW.rrule, NEW.starts, NEW.time_zone, now());
    ELSE
        PERFORM crm.next_occurrence(NEW.rrule, NEW.starts, NEW.time_zone, NEW.next_at);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.task_series_next() IS 'Trigger on crm.task_series: fills time_zone, checks the rule, and sets next_at to the next occurrence from now on when the rule, its start or its zone change. Errors: RM083 the rule is not understood; RM084 followed too far in vain; 22023 unknown time zone.';

CREATE FUNCTION crm.task_series_fields(series jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields jsonb := series - '{assignee,author}'::text[];
    unknown text;
BEGIN
    IF series ->> 'assignee' IS NOT NULL THEN
        fields := fields || jsonb_build_object('assignee_id', crm.agent_id(series ->> 'assignee'));
    END IF;
    IF series ->> 'author' IS NOT NULL THEN
        fields := fields || jsonb_build_object('author_id', crm.agent_id(series ->> 'author'));
    END IF;
    SELECT string_agg(k, ', ' ORDER BY k) INTO unknown FROM jsonb_object_keys(fields) k
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.task_series'::regclass AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped
                        AND a.attname <> ALL ('{id,next_at,created_at,created_by}'));
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown field of a series of tasks: %', unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are the columns of crm.task_series, and assignee and author by name.';
    END IF;
    PERFORM crm.require_readable('crm.task_series', fields);
    PERFORM crm.require_known((fields ->> 'contact_id')::bigint, (fields ->> 'assignee_id')::bigint, (fields ->> 'deal_id')::bigint,
                              company_id => (fields ->> 'company_id')::bigint);
    PERFORM crm.require_known(agent_id => (fields ->> 'author_id')::bigint);
    RETURN fields;
END
$$;
COMMENT ON FUNCTION crm.task_series_fields(jsonb) IS 'The fields of crm.task_series that a JSON object gives, names of agents as numbers. Errors: 22023 unknown field; RM004 no such agent, deal or company; P0002 no such contact.';

CREATE FUNCTION crm.create_task_series(series jsonb, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields jsonb;
    columns text;
    new_series_id bigint;
BEGIN
    PERFORM crm.require_installed();
    fields := crm.task_series_fields(series);
    IF fields ->> 'title' IS NULL OR fields ->> 'rrule' IS NULL OR fields ->> 'starts' IS NULL THEN
        RAISE EXCEPTION 'a series of tasks needs title, rrule and starts'
            USING ERRCODE = 'RM003',
                  HINT = 'Such as {"title": "Call Anna", "rrule": "FREQ=WEEKLY;BYDAY=MO", "starts": "2026-12-07 10:00"}.';
    END IF;
    IF fields ->> 'time_zone' IS NULL THEN
        fields := fields || jsonb_build_object('time_zone',
            coalesce((SELECT a.time_zone FROM crm.agent a WHERE a.id = (fields ->> 'assignee_id')::bigint), 'UTC'));
    END IF;
    fields := fields || jsonb_build_object('next_at',
        crm.next_occurrence(fields ->> 'rrule', (fields ->> 'starts')::timestamp, fields ->> 'time_zone', as_of - interval '1 microsecond'));
    SELECT string_agg(quote_ident(k), ', ') INTO columns FROM jsonb_object_keys(fields) k;
    EXECUTE format('INSERT INTO crm.task_series (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::crm.task_series, $1) RETURNING id', columns)
    INTO new_series_id USING fields;
    RETURN new_series_id;
END
$$;
COMMENT ON FUNCTION crm.create_task_series(jsonb, timestamptz) IS 'Has tasks made by a recurrence rule, from as_of on, and gives the number of the series. Fields are the columns of crm.task_series: title, rrule and starts, a time on the wall of time_zone (otherwise the assignee''s), and what each task is to have; assignee and author may be given by name. Errors: RM003 title, rrule or starts is missing; RM083 the rule is not understood; 22023 unknown field or time zone; RM004 no such agent, deal or company; P0002 no such contact.';

CREATE FUNCTION crm.change_task_series(series_id bigint, changes jsonb, as_of timestamptz DEFAULT now()) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    series crm.task_series;
    columns text;
    removed integer;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO series FROM crm.task_series s WHERE s.id = $1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no series of tasks %', $1 USING ERRCODE = 'RM004', HINT = 'crm.task_series lists them.';
    END IF;
    series := jsonb_populate_record(series, crm.task_series_fields(changes));
    series.next_at := crm.next_occurrence(series.rrule, series.starts, series.time_zone, as_of);
    SELECT string_agg(quote_ident(k), ', ') INTO columns
    FROM (SELECT jsonb_object_keys(crm.task_series_fields(changes)) AS k UNION SELECT 'next_at') x;
    UPDATE crm.task_series s SET next_at = NULL WHERE s.id = $1;        -- so that the trigger sees it set
    EXECUTE format('UPDATE crm.task_series SET (%1$s) = (SELECT %1$s FROM (SELECT ($1).*) x) WHERE id = $2', columns) USING series, series_id;
    -- What lies ahead is made anew; what is done, or was due, stays as it is.
    DELETE FROM crm.task t WHERE t.series_id = $1 AND t.status = 'open' AND t.due_at > as_of;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION crm.change_task_series(bigint, jsonb, timestamptz) IS 'Changes a series of tasks from as_of on: its open tasks that are due later are removed, to be made anew by crm.make_due_tasks(); those that are done, cancelled or were due before stay as they are. Gives how many were removed. {"active": false} ends it. Errors: RM004 no such series, agent, deal or company; RM083 the rule is not understood; 22023 unknown field or time zone; P0002 no such contact.';

CREATE FUNCTION crm.make_due_tasks(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made integer;
BEGIN
    PERFORM crm.require_installed();
    WITH due AS (
        SELECT s.* FROM crm.task_series s
        WHERE s.active AND s.next_at <= as_of + s.ahead
          AND NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = s.contact_id AND (c.deleted_at IS NOT NULL OR c.archived_at IS NOT NULL))
          AND NOT EXISTS (SELECT FROM crm.deal d WHERE d.id = s.deal_id AND (d.deleted_at IS NOT NULL OR d.closed_at IS NOT NULL))
        ORDER BY s.next_at, s.id LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), occurrence AS (
        SELECT d.id, o.at FROM due d, LATERAL crm.recurrence(d.rrule, d.starts, d.time_zone, d.next_at, as_of + d.ahead + interval '1 microsecond', 100) o (at)
    ), moved AS (
        UPDATE crm.task_series s SET next_at = crm.next_occurrence(s.rrule, s.starts, s.time_zone, o.last)
        FROM (SELECT id, max(at) AS last FROM occurrence GROUP BY id) o WHERE s.id = o.id
    ), task AS (
        INSERT INTO crm.task (kind, title, description, contact_id, company_id, deal_id, assignee_id, author_id, priority, due_at, remind_at,
                              time_zone, origin_key, series_id, attrs)
        SELECT d.kind, d.title, d.description, d.contact_id, d.company_id, d.deal_id, d.assignee_id, d.author_id, d.priority, o.at, o.at - d.remind_before,
               d.time_zone, format('series:%s:%s', d.id, to_char(o.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')), d.id, d.attrs
        FROM occurrence o JOIN due d ON d.id = o.id
        ORDER BY o.at, d.id
        ON CONFLICT (origin_key) DO NOTHING
        RETURNING 1
    )
    SELECT count(*) INTO made FROM task;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.make_due_tasks(timestamptz, integer) IS 'Makes the tasks of series (crm.task_series) that fall due by as_of and what their series makes ahead: each occurrence once, however many run it; what was missed is made up for, at most 100 tasks a series and run, of batch_limit series. None about a contact who is deleted or archived, or a deal that is closed. Gives how many.';
