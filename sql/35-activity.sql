/* ------------------------------------------------------------------
 * Activity: touches with clients, tasks, reminders, messages to other
 * systems.
 * ------------------------------------------------------------------ */

/* Local time. */

CREATE FUNCTION crm.local_instant(local timestamp, time_zone text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    /*
     * The server reads a time that occurs twice as the later one.  With the
     * offset in force some hours before, it is the earlier, if that is a
     * reading of the same wall clock.
     */
    SELECT CASE
        WHEN earlier.at AT TIME ZONE $2 = $1 THEN least(earlier.at, server.at)
        ELSE server.at
    END
    FROM (SELECT $1 AT TIME ZONE $2 AS at) server,
         LATERAL (SELECT (server.at - interval '6 hours') AT TIME ZONE $2
                         - (server.at - interval '6 hours') AT TIME ZONE 'UTC' AS shift) before,
         LATERAL (SELECT ($1 - before.shift) AT TIME ZONE 'UTC' AS at) earlier
$$;
COMMENT ON FUNCTION crm.local_instant(timestamp, text) IS 'The instant at which the clocks of a time zone show that time. A time that occurs twice, when clocks are set back, is the first of the two; one that is skipped, when they are set forward, is later by what was skipped, as RFC 5545 has it. Errors: 22023 unknown time zone.';

/* Triggers. */

CREATE FUNCTION crm.task_state() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM now() AT TIME ZONE NEW.time_zone;     -- an unknown one is refused here, not where it is read
    IF NEW.status = 'open' THEN
        NEW.done_at := NULL;
    ELSIF NEW.done_at IS NULL OR TG_OP = 'UPDATE' AND NEW.status <> OLD.status AND NEW.done_at = OLD.done_at THEN
        NEW.done_at := now();
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF crm.merge_mode() <> 'undo' THEN
            NEW.updated_at := now();
        END IF;
        IF NEW.remind_at IS DISTINCT FROM OLD.remind_at THEN
            NEW.reminded_at := NULL;
        END IF;
        IF NEW.due_at IS DISTINCT FROM OLD.due_at THEN
            NEW.overdue_at := NULL;
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.task_state() IS 'Trigger on crm.task: keeps done_at and updated_at; a new date makes the task remind and fall due anew. Errors: 22023 unknown time zone.';

CREATE FUNCTION crm.task_done() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recipient bigint := coalesce(NEW.author_id, NEW.assignee_id);
BEGIN
    INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id)
    VALUES (recipient, 'task.done', format('task.done:%s:%s', NEW.id, extract(epoch FROM NEW.done_at)),
            NEW.title, NEW.id, NEW.deal_id, NEW.contact_id)
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        PERFORM pg_notify('crm', json_build_object('event', 'task.done', 'agent_id', recipient, 'task_id', NEW.id)::text);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.task_done() IS 'Trigger on crm.task: notifies the author, or else the assignee, once when a task is done.';

CREATE FUNCTION crm.reminder_time() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.remind_on IS NOT NULL THEN
        NEW.time_zone := coalesce(NEW.time_zone, (SELECT a.time_zone FROM crm.agent a WHERE a.id = NEW.agent_id));
        NEW.remind_at := crm.local_instant(NEW.remind_on, NEW.time_zone);
    END IF;
    -- Put off, it is to fire again.
    IF TG_OP = 'UPDATE' AND NEW.remind_at IS DISTINCT FROM OLD.remind_at AND NEW.fired_at IS NOT DISTINCT FROM OLD.fired_at THEN
        NEW.fired_at := NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.reminder_time() IS 'Trigger on crm.reminder: computes remind_at from remind_on and the time zone, which is the agent''s when not given. Errors: 22023 unknown time zone.';

/* What the functions below are given by number. */

CREATE FUNCTION crm.require_known(contact_id bigint DEFAULT NULL, agent_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL,
    task_id bigint DEFAULT NULL, company_id bigint DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF contact_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = $1) THEN
        RAISE EXCEPTION 'there is no contact %', $1
            USING ERRCODE = 'no_data_found', HINT = 'Look it up with crm.lookup_contact(), or make it with crm.create_contact().';
    ELSIF agent_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.agent a WHERE a.id = $2) THEN
        RAISE EXCEPTION 'there is no agent %', $2 USING ERRCODE = 'RM004', HINT = 'crm.agent lists them.';
    ELSIF deal_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.deal d WHERE d.id = $3) THEN
        RAISE EXCEPTION 'there is no deal %', $3 USING ERRCODE = 'RM004';
    ELSIF task_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.task t WHERE t.id = $4) THEN
        RAISE EXCEPTION 'there is no task %', $4 USING ERRCODE = 'RM004';
    ELSIF company_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.company c WHERE c.id = $5) THEN
        RAISE EXCEPTION 'there is no company %', $5 USING ERRCODE = 'RM004';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_known(bigint, bigint, bigint, bigint, bigint) IS 'Does nothing when the contact, agent, deal, task and company of these numbers are there; null is not asked for. Errors: P0002 no such contact; RM004 no such agent, deal, task or company.';

/* Tasks. */

CREATE FUNCTION crm.create_task(task jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields jsonb := task - '{assignee,author,due_on,remind_on}'::text[];
    zone text;
    columns text[];
    unknown text;
    new_task_id bigint;
BEGIN
    PERFORM crm.require_installed();
    IF task ->> 'assignee' IS NOT NULL THEN
        fields := fields || jsonb_build_object('assignee_id', crm.agent_id(task ->> 'assignee'));
    END IF;
    IF task ->> 'author' IS NOT NULL THEN
        fields := fields || jsonb_build_object('author_id', crm.agent_id(task ->> 'author'));
    END IF;
    IF task ->> 'due_on' IS NOT NULL OR task ->> 'remind_on' IS NOT NULL THEN
        PERFORM crm.require_readable('crm.task', fields || jsonb_strip_nulls(jsonb_build_object('due_at', task -> 'due_on', 'remind_at', task -> 'remind_on')));
        zone := coalesce(task ->> 'time_zone',
                         (SELECT a.time_zone FROM crm.agent a WHERE a.id = (fields ->> 'assignee_id')::bigint), 'UTC');
        fields := fields || jsonb_strip_nulls(jsonb_build_object(
            'time_zone', zone,
            'due_at', crm.local_instant((task ->> 'due_on')::timestamp, zone),
            'remind_at', crm.local_instant((task ->> 'remind_on')::timestamp, zone)));
    END IF;
    SELECT array_agg(k) FILTER (WHERE a.attname IS NOT NULL), string_agg(k, ', ') FILTER (WHERE a.attname IS NULL)
    INTO columns, unknown
    FROM jsonb_object_keys(fields) k
    LEFT JOIN pg_attribute a ON a.attrelid = 'crm.task'::regclass AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped
                            AND a.attname <> ALL ('{id,updated_at,reminded_at,overdue_at}');
    IF unknown IS NOT NULL OR columns IS NULL THEN
        RAISE EXCEPTION 'unknown field of a task: %', coalesce(unknown, 'none is given')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are the columns of crm.task, assignee and author by name, due_on and remind_on as local times. Your own go into attrs.';
    END IF;
    PERFORM crm.require_readable('crm.task', fields);
    PERFORM crm.require_known((fields ->> 'contact_id')::bigint, (fields ->> 'assignee_id')::bigint, (fields ->> 'deal_id')::bigint,
                              company_id => (fields ->> 'company_id')::bigint);
    PERFORM crm.require_known(agent_id => (fields ->> 'author_id')::bigint);
    EXECUTE format('INSERT INTO crm.task (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::crm.task, $1) RETURNING id',
                   (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c))
    INTO new_task_id USING fields;
    RETURN new_task_id;
END
$$;
COMMENT ON FUNCTION crm.create_task(jsonb) IS 'Makes a task from its fields and gives its number. Fields are the columns of crm.task; assignee and author may be given by name; due_on and remind_on are times on the wall in time_zone, otherwise in the assignee''s time zone. Errors: 22023 unknown field or time zone; RM004 unknown agent, deal or company; P0002 no such contact.';

CREATE FUNCTION crm.complete_task(task_id bigint, result text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.task t SET status = 'done', done_at = as_of, result = coalesce($2, t.result)
    WHERE t.id = $1 AND t.status = 'open';
    IF FOUND THEN
        RETURN true;
    ELSIF NOT EXISTS (SELECT FROM crm.task t WHERE t.id = $1) THEN
        RAISE EXCEPTION 'there is no task %', $1 USING ERRCODE = 'RM004';
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION crm.complete_task(bigint, text, timestamptz) IS 'Marks a task as done, with its result; false when it was not open. Errors: RM004 no such task.';

CREATE FUNCTION crm.tasks_due(agent_id bigint, as_of timestamptz DEFAULT now(),
    OUT task_id bigint, OUT kind text, OUT title text, OUT priority integer, OUT due_at timestamptz, OUT due_local timestamp,
    OUT is_overdue boolean, OUT contact_id bigint, OUT deal_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.id, t.kind, t.title, t.priority, t.due_at, t.due_at AT TIME ZONE a.time_zone, t.due_at < $2, t.contact_id, t.deal_id
    FROM crm.agent a
    JOIN crm.task t ON t.assignee_id = a.id AND t.status = 'open'
    WHERE a.id = $1
      AND t.due_at < crm.local_instant(date_trunc('day', $2 AT TIME ZONE a.time_zone) + interval '1 day', a.time_zone)
    ORDER BY t.due_at, t.priority, t.id
$$;
COMMENT ON FUNCTION crm.tasks_due(bigint, timestamptz) IS 'Open tasks of an agent that fall due by the end of the day, or have already: the day is that of the agent''s time zone at as_of.';

/* Calls. */

CREATE FUNCTION crm.log_call(contact_id bigint DEFAULT NULL, outcome text DEFAULT NULL, direction text DEFAULT 'out',
    duration interval DEFAULT NULL, agent_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL, task_id bigint DEFAULT NULL,
    recording_url text DEFAULT NULL, external_system text DEFAULT NULL, external_id text DEFAULT NULL,
    closes_task boolean DEFAULT true, as_of timestamptz DEFAULT now())
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    task crm.task;
    deal crm.deal;
    person bigint := contact_id;
    new_activity_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known(contact_id, agent_id, deal_id, task_id);
    IF task_id IS NOT NULL THEN
        SELECT * INTO task FROM crm.task t WHERE t.id = task_id;
    END IF;
    IF coalesce(deal_id, task.deal_id) IS NOT NULL THEN
        SELECT * INTO deal FROM crm.deal d WHERE d.id = coalesce(log_call.deal_id, task.deal_id);
    END IF;
    -- Whom was spoken to: as given, otherwise the person of the task, the deal or the company.
    person := coalesce(person, task.contact_id, deal.contact_id,
        (SELECT c.contact_id FROM crm.deal_contact c WHERE c.deal_id = deal.id ORDER BY c.created_at, c.contact_id LIMIT 1),
        (SELECT c.contact_id FROM crm.company_contact c
         WHERE c.company_id = coalesce(task.company_id, deal.company_id) AND upper_inf(c.valid)
         ORDER BY c.is_primary DESC, c.contact_id LIMIT 1));
    IF person IS NULL THEN
        RAISE EXCEPTION 'it is not known with whom the call was'
            USING ERRCODE = 'RM003',
                  DETAIL = 'No contact_id is given, and neither the task nor the deal nor its company has a person.',
                  HINT = 'Give contact_id, or add a person to the company in crm.company_contact.';
    END IF;
    -- The same call told twice by the telephone exchange is one call.
    SELECT a.id INTO new_activity_id FROM crm.activity a
    WHERE a.contact_id = person AND a.external_system = log_call.external_system AND a.external_id = log_call.external_id;
    IF NOT FOUND THEN
        IF task.id IS NULL AND closes_task THEN
            SELECT * INTO task FROM crm.task t
            WHERE t.contact_id = person AND t.kind = 'call' AND t.status = 'open'
              AND (t.assignee_id = log_call.agent_id OR t.assignee_id IS NULL OR log_call.agent_id IS NULL)
              AND (t.deal_id = deal.id OR t.deal_id IS NULL OR deal.id IS NULL)
            ORDER BY t.due_at NULLS LAST, t.id LIMIT 1;
        END IF;
        INSERT INTO crm.activity (contact_id, kind, direction, agent_id, company_id, deal_id, task_id, occurred_at, duration, outcome,
                                  recording_url, external_system, external_id)
        VALUES (person, 'call', direction, agent_id, coalesce(deal.company_id, task.company_id), coalesce(deal.id, task.deal_id), task.id,
                as_of, duration, outcome, recording_url, external_system, external_id)
        RETURNING id INTO new_activity_id;
    END IF;
    IF closes_task AND task.id IS NOT NULL THEN
        PERFORM crm.complete_task(task.id, outcome, as_of);
    END IF;
    RETURN new_activity_id;
END
$$;
COMMENT ON FUNCTION crm.log_call(bigint, text, text, interval, bigint, bigint, bigint, text, text, text, boolean, timestamptz) IS 'Enters a call and gives the number of the activity. The person may be left to the task or the deal. Closes the task given, or else the person''s open task of kind call that falls due first, with the outcome as its result; not with closes_task => false, as when nobody answered. Told again with the same external_system and external_id it enters nothing. Errors: RM003 nobody was spoken to; RM004 no such agent, task or deal; P0002 no such contact.';

/* Messages to other systems. */

CREATE FUNCTION crm.enqueue(topic text, payload jsonb, key text DEFAULT NULL, available_at timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    message_id bigint;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.outbox (topic, key, payload, available_at) VALUES ($1, $3, $2, $4)
    ON CONFLICT ON CONSTRAINT outbox_topic_key_key DO NOTHING
    RETURNING id INTO message_id;
    IF FOUND THEN
        PERFORM pg_notify('crm', json_build_object('event', 'outbox', 'topic', topic)::text);
        RETURN message_id;
    END IF;
    RETURN (SELECT o.id FROM crm.outbox o WHERE o.topic = $1 AND o.key = $3);
END
$$;
COMMENT ON FUNCTION crm.enqueue(text, jsonb, text, timestamptz) IS 'Writes a message to another system into crm.outbox and gives its number; with a key that the topic has already, the number of that one. It is sent when the transaction commits, or never.';

CREATE FUNCTION crm.claim_outbox(topic text, batch_limit integer DEFAULT 100, worker text DEFAULT NULL,
    lease interval DEFAULT '5 minutes', as_of timestamptz DEFAULT now(),
    OUT id bigint, OUT key text, OUT payload jsonb, OUT attempts integer)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    RETURN QUERY
    WITH free AS (
        SELECT o.id FROM crm.outbox o
        WHERE o.topic = $1 AND o.status = 'pending' AND o.available_at <= as_of AND o.attempts < o.max_attempts
        ORDER BY o.id LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE crm.outbox o
        SET attempts = o.attempts + 1, available_at = as_of + lease, claimed_by = coalesce(worker, session_user)
        FROM free WHERE o.id = free.id
        RETURNING o.id, o.key, o.payload, o.attempts
    )
    SELECT * FROM claimed c ORDER BY c.id;
END
$$;
COMMENT ON FUNCTION crm.claim_outbox(text, integer, text, interval, timestamptz) IS 'Takes waiting messages of a topic for the caller, oldest first; no other worker gets them until the lease ends. What a worker that died had taken comes back then, until max_attempts. Confirm each with crm.complete_outbox().';

CREATE FUNCTION crm.complete_outbox(id bigint, error text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_status text;
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.outbox o SET
        status = CASE WHEN error IS NULL THEN 'done' WHEN o.attempts >= o.max_attempts THEN 'failed' ELSE 'pending' END,
        available_at = CASE WHEN error IS NULL THEN o.available_at
                            ELSE as_of + least(interval '1 minute' * power(2, least(o.attempts, 12) - 1), interval '1 day') END,
        last_error = coalesce(error, o.last_error),
        done_at = CASE WHEN error IS NULL OR o.attempts >= o.max_attempts THEN as_of END
    WHERE o.id = $1 AND o.status = 'pending'
    RETURNING status INTO new_status;
    IF NOT FOUND THEN
        SELECT o.status INTO new_status FROM crm.outbox o WHERE o.id = $1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no message %', $1 USING ERRCODE = 'RM004';
        END IF;
    END IF;
    RETURN new_status;
END
$$;
COMMENT ON FUNCTION crm.complete_outbox(bigint, text, timestamptz) IS 'Says that a claimed message was delivered, or why it was not: then it waits 1, 2, 4 ... minutes, at most a day, and has failed for good after max_attempts. Gives the status it has now. Errors: RM004 no such message.';

CREATE FUNCTION crm.click_to_call(agent_id bigint, contact_id bigint, phone text DEFAULT NULL, deal_id bigint DEFAULT NULL,
    task_id bigint DEFAULT NULL, key text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number text := phone;
    caller record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known($2, $1, $4, $5);
    SELECT a.name, a.phone INTO caller FROM crm.agent a WHERE a.id = $1;
    IF number IS NULL THEN
        SELECT p.raw INTO number FROM crm.contact_point p
        WHERE p.contact_id = $2 AND p.kind = 'phone' AND p.validity <> 'invalid'
        ORDER BY p.is_primary DESC, p.validity = 'valid' DESC, p.id LIMIT 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'contact % has no phone number', $2
                USING ERRCODE = 'RM003', HINT = 'Add one to crm.contact_point, or give the number.';
        END IF;
    END IF;
    RETURN crm.enqueue('telephony.call', jsonb_strip_nulls(jsonb_build_object('agent_id', $1, 'agent', caller.name, 'agent_phone', caller.phone,
        'contact_id', $2, 'phone', number, 'deal_id', deal_id, 'task_id', task_id)), key);
END
$$;
COMMENT ON FUNCTION crm.click_to_call(bigint, bigint, text, bigint, bigint, text) IS 'Asks the telephone exchange to connect an agent with a person: writes a message of topic telephony.call into crm.outbox and gives its number. The phone is the person''s first one that is not invalid, unless given. Errors: RM003 no phone number; RM004 no such agent, deal or task; P0002 no such contact.';

/* Reminders. */

CREATE FUNCTION crm.remind(agent_id bigint, remind_on timestamp, note text, time_zone text DEFAULT NULL,
    task_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL, contact_id bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reminder_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known($7, $1, $6, $5);
    INSERT INTO crm.reminder (agent_id, remind_on, note, time_zone, task_id, deal_id, contact_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id INTO reminder_id;
    RETURN reminder_id;
END
$$;
COMMENT ON FUNCTION crm.remind(bigint, timestamp, text, text, bigint, bigint, bigint) IS 'Sets a reminder for an agent at a time on the wall of time_zone, otherwise of the agent''s own; gives its number. Errors: 22023 unknown time zone; RM004 no such agent, deal or task; P0002 no such contact.';

/*
 * Each part takes rows that nobody else has locked, marks them and writes the
 * notifications in one statement: a row is either marked and told of, or
 * neither.
 */
CREATE FUNCTION crm.fire_reminders(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told bigint[] := '{}';
    part bigint[];
BEGIN
    PERFORM crm.require_installed();

    WITH due AS (
        SELECT r.id FROM crm.reminder r
        WHERE r.fired_at IS NULL AND r.remind_at <= as_of
        ORDER BY r.remind_at LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE crm.reminder r SET fired_at = as_of FROM due WHERE r.id = due.id
        RETURNING r.id, r.agent_id, r.note, r.task_id, r.deal_id, r.contact_id, r.remind_at
    ), sent AS (
        INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id, created_at)
        SELECT f.agent_id, 'reminder', 'reminder:' || f.id || ':' || extract(epoch FROM f.remind_at), f.note, f.task_id, f.deal_id, f.contact_id, as_of
        FROM fired f LEFT JOIN crm.task t ON t.id = f.task_id
        WHERE t.status = 'open' OR f.task_id IS NULL
        ORDER BY f.remind_at, f.id
        ON CONFLICT (key) DO NOTHING
        RETURNING agent_id
    )
    SELECT coalesce(array_agg(agent_id), '{}') INTO part FROM sent;
    told := told || part;

    WITH due AS (
        SELECT t.id FROM crm.task t
        WHERE t.status = 'open' AND t.reminded_at IS NULL AND t.remind_at <= as_of
        ORDER BY t.remind_at LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE crm.task t SET reminded_at = as_of FROM due WHERE t.id = due.id
        RETURNING t.id, t.assignee_id, t.title, t.deal_id, t.contact_id, t.remind_at
    ), sent AS (
        INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id, created_at)
        SELECT f.assignee_id, 'task.due', format('task.due:%s:%s', f.id, extract(epoch FROM f.remind_at)), f.title, f.id, f.deal_id, f.contact_id, as_of
        FROM fired f ORDER BY f.remind_at, f.id
        ON CONFLICT (key) DO NOTHING
        RETURNING agent_id
    )
    SELECT coalesce(array_agg(agent_id), '{}') INTO part FROM sent;
    told := told || part;

    WITH due AS (
        SELECT t.id FROM crm.task t
        WHERE t.status = 'open' AND t.overdue_at IS NULL AND t.due_at < as_of
        ORDER BY t.due_at LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE crm.task t SET overdue_at = as_of FROM due WHERE t.id = due.id
        RETURNING t.id, t.assignee_id, t.title, t.deal_id, t.contact_id, t.due_at
    ), sent AS (
        INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id, created_at)
        SELECT f.assignee_id, 'task.overdue', format('task.overdue:%s:%s', f.id, extract(epoch FROM f.due_at)), f.title, f.id, f.deal_id, f.contact_id, as_of
        FROM fired f ORDER BY f.due_at, f.id
        ON CONFLICT (key) DO NOTHING
        RETURNING agent_id
    )
    SELECT coalesce(array_agg(agent_id), '{}') INTO part FROM sent;
    told := told || part;

    -- One word to each agent, not one a notification.
    PERFORM pg_notify('crm', json_build_object('event', 'notification', 'agent_id', t.agent_id, 'count', count(*))::text)
    FROM unnest(told) AS t (agent_id) GROUP BY t.agent_id;
    RETURN cardinality(told);
END
$$;
COMMENT ON FUNCTION crm.fire_reminders(timestamptz, integer) IS 'Puts into crm.notification what fell due by as_of: reminders, tasks to be reminded of (task.due) and overdue tasks (task.overdue), each once however many workers run it; at most batch_limit of each. Gives the number of notifications, and tells NOTIFY crm how many each agent got.';

CREATE FUNCTION crm.remind_service(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000, ahead interval DEFAULT '14 days') RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made integer;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.task (kind, title, contact_id, assignee_id, due_at, remind_at, time_zone, origin_key)
    SELECT 'service', 'Service: ' || s.product, s.contact_id, s.owner_id,
           crm.local_instant(s.next_service_at + time '18:00', s.time_zone),
           crm.local_instant(s.next_service_at + time '09:00', s.time_zone), s.time_zone, s.origin_key
    FROM (SELECT p.product, p.contact_id, c.owner_id, p.next_service_at,
                 coalesce(c.time_zone, a.time_zone, 'UTC') AS time_zone,
                 format('service:%s:%s', p.id, p.next_service_at) AS origin_key
          FROM crm.owned_product p
          JOIN crm.contact c ON c.id = p.contact_id
          LEFT JOIN crm.agent a ON a.id = c.owner_id
          WHERE p.next_service_at <= ((as_of + ahead) AT TIME ZONE 'UTC')::date
            AND c.deleted_at IS NULL AND c.archived_at IS NULL AND c.merged_into IS NULL
            AND NOT EXISTS (SELECT FROM crm.task t WHERE t.origin_key = format('service:%s:%s', p.id, p.next_service_at))
          ORDER BY p.next_service_at, p.id LIMIT batch_limit) s
    ON CONFLICT (origin_key) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.remind_service(timestamptz, integer, interval) IS 'Makes a task for every product of a client whose service falls due within ahead (crm.owned_product.next_service_at), once per due date; gives how many. It is due at 18:00 of that day in the client''s time zone, and reminds at 9:00.';

/* Touch. */

CREATE FUNCTION crm.activity_gap(as_of timestamptz DEFAULT now(), longer_than interval DEFAULT NULL,
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT stage text, OUT owner_id bigint,
    OUT last_touch_at timestamptz, OUT gap interval, OUT allowed interval)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.id, d.name, p.name, s.name, d.owner_id, touch.at, $1 - coalesce(touch.at, d.created_at), coalesce($2, p.touch_every)
    FROM crm.deal d
    JOIN crm.stage s ON s.id = d.stage_id
    JOIN crm.pipeline p ON p.id = d.pipeline_id
    LEFT JOIN LATERAL (
        SELECT a.occurred_at AS at FROM crm.activity a JOIN crm.interaction_type i ON i.name = a.kind
        WHERE a.deal_id = d.id AND i.is_touch AND a.occurred_at <= $1
        ORDER BY a.occurred_at DESC LIMIT 1) touch ON true
    WHERE d.closed_at IS NULL AND d.deleted_at IS NULL
      AND coalesce(touch.at, d.created_at) + coalesce($2, p.touch_every) < $1
    ORDER BY coalesce(touch.at, d.created_at), d.id
$$;
COMMENT ON FUNCTION crm.activity_gap(timestamptz, interval) IS 'Open deals without a logged touch for longer than their pipeline allows (crm.pipeline.touch_every), or than longer_than; a deal without any counts from its beginning. Longest first.';

CREATE FUNCTION crm.adoption(from_at timestamptz, to_at timestamptz,
    OUT agent_id bigint, OUT agent text, OUT entries bigint, OUT automatic bigint, OUT by_hand bigint, OUT deals bigint,
    OUT entries_per_deal double precision, OUT median_lag interval, OUT p90_lag interval, OUT late_share double precision, OUT last_entry_at timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
    WITH entry AS (
        SELECT y.agent_id, count(*) AS entries, count(*) FILTER (WHERE y.external_system IS NOT NULL) AS automatic,
               count(DISTINCT y.deal_id) AS touched,
               count(*) FILTER (WHERE y.deal_id IS NOT NULL) AS on_deals,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY y.lag) FILTER (WHERE y.external_system IS NULL) AS median_lag,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY y.lag) FILTER (WHERE y.external_system IS NULL) AS p90_lag,
               avg((y.lag > interval '1 day')::integer::double precision) FILTER (WHERE y.external_system IS NULL) AS late_share,
               max(y.created_at) AS last_entry_at
        FROM (SELECT a.agent_id, a.deal_id, a.external_system, a.created_at, greatest(a.created_at - a.occurred_at, '0') AS lag
              FROM crm.activity a WHERE a.agent_id IS NOT NULL AND a.occurred_at >= $1 AND a.occurred_at < $2) y
        GROUP BY y.agent_id
    ), deal AS (
        SELECT d.owner_id, count(*) AS deals FROM crm.deal d
        WHERE d.owner_id IS NOT NULL AND d.deleted_at IS NULL AND d.created_at < $2 AND (d.closed_at IS NULL OR d.closed_at >= $1)
        GROUP BY d.owner_id
    )
    SELECT a.id, a.name, coalesce(e.entries, 0), coalesce(e.automatic, 0), coalesce(e.entries - e.automatic, 0), coalesce(d.deals, 0),
           coalesce(e.on_deals, 0) / nullif(d.deals, 0)::double precision, e.median_lag, e.p90_lag, e.late_share, e.last_entry_at
    FROM crm.agent a LEFT JOIN entry e ON e.agent_id = a.id LEFT JOIN deal d ON d.owner_id = a.id
    WHERE a.active OR e.entries > 0
    ORDER BY a.name, a.id
$$;
COMMENT ON FUNCTION crm.adoption(timestamptz, timestamptz) IS 'How willingly agents keep the records, of what took place from from_at to before to_at: activities entered, those that telephony, mail and the like entered by themselves and those by hand; deals of the agent that were open in that time and how many of the entries there are for each; how long after the event those by hand were entered (median and 90th percentile) and which share later than a day (0 to 1). An agent without any has a row, too.';
