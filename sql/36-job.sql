/* ------------------------------------------------------------------
 * Jobs: what is done by the clock.
 *
 * One entry in a scheduler calls crm.run_due_jobs() every minute; the rest is
 * in crm.job.  Any scheduler will do: pg_cron, cron with psql, Kubernetes.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.next_run(every interval, daily_at time, weekdays integer[], time_zone text, after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN every IS NOT NULL
            THEN date_bin(every, after, timestamptz '2000-01-01 00:00:00+00') + every
        ELSE (SELECT min(run.at)
              FROM generate_series(0, 8) AS ahead,
                   LATERAL (SELECT (after AT TIME ZONE time_zone)::date + ahead AS day) local,
                   LATERAL (SELECT crm.local_instant(local.day + daily_at, time_zone) AS at) run
              WHERE run.at > after
                AND (weekdays IS NULL OR extract(isodow FROM local.day)::integer = ANY (weekdays)))
    END
$$;
COMMENT ON FUNCTION crm.next_run(interval, time, integer[], text, timestamptz) IS 'The first moment after the given one at which a job of that schedule is to run: a multiple of every, or daily_at on the wall of time_zone, on those weekdays. Runs once on the days on which clocks are set. Errors: 22023 unknown time zone.';

CREATE FUNCTION crm.job_function(function text) RETURNS regprocedure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    candidate record;
BEGIN
    -- A call is resolved by name: an overloaded stranger would be called as well.
    SELECT p.oid::regprocedure AS signature,
           EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'crm'
                   WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                     AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
           OR p.proowner = (SELECT c.relowner FROM pg_class c WHERE c.oid = 'crm.job'::regclass) AS is_trusted,
           p.prokind = 'f' AND p.pronargs > 0 AND p.proargtypes[0] = 'timestamptz'::regtype
           AND p.pronargs - p.pronargdefaults <= 1 AS is_suitable
    INTO candidate
    FROM pg_proc p
    WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = $1
    ORDER BY is_trusted, is_suitable DESC LIMIT 1;
    IF candidate.is_trusted IS NULL OR candidate.is_trusted AND NOT candidate.is_suitable THEN
        RAISE EXCEPTION 'schema "crm" has no function "%" that takes a moment', $1
            USING ERRCODE = 'RM021',
                  HINT = 'A job calls a function of schema crm whose first argument is a timestamptz and whose others have defaults.';
    ELSIF NOT candidate.is_trusted THEN
        RAISE EXCEPTION 'function % may not be a job', candidate.signature
            USING ERRCODE = 'RM021',
                  DETAIL = 'It belongs neither to the extension nor to the owner of crm.job.',
                  HINT = format('Drop it, or ALTER FUNCTION %s OWNER TO %I.', candidate.signature,
                                (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = 'crm.job'::regclass));
    END IF;
    RETURN candidate.signature;
END
$$;
COMMENT ON FUNCTION crm.job_function(text) IS 'The function that a job of that name calls. Errors: RM021 there is none in schema crm that takes a timestamptz, or one of that name belongs to a stranger.';

CREATE FUNCTION crm.schedule_job(name text, function text, every interval DEFAULT NULL, daily_at time DEFAULT NULL,
    weekdays integer[] DEFAULT NULL, time_zone text DEFAULT 'UTC', enabled boolean DEFAULT true, as_of timestamptz DEFAULT now())
RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_run_at timestamptz;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.job_function(function);
    first_run_at := crm.next_run(every, daily_at, weekdays, time_zone, as_of);
    INSERT INTO crm.job AS j (name, function, every, daily_at, weekdays, time_zone, enabled, next_run_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce(first_run_at, as_of))
    ON CONFLICT ON CONSTRAINT job_pkey DO UPDATE
    SET function = excluded.function, every = excluded.every, daily_at = excluded.daily_at, weekdays = excluded.weekdays,
        time_zone = excluded.time_zone, enabled = excluded.enabled, next_run_at = excluded.next_run_at, failures = 0;
    RETURN first_run_at;
END
$$;
COMMENT ON FUNCTION crm.schedule_job(text, text, interval, time, integer[], text, boolean, timestamptz) IS 'Adds a job, or changes the one of that name: a function of schema crm, either every so often or daily_at a time on the wall of time_zone. Gives the time of its first run. Errors: RM021 no such function; 22023 unknown time zone; 23514 both or neither of every and daily_at.';

CREATE FUNCTION crm.purge_job_runs(as_of timestamptz DEFAULT now(), keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    PERFORM crm.require_installed();
    DELETE FROM crm.job_run r WHERE r.finished_at < purge_job_runs.as_of - keep;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION crm.purge_job_runs(timestamptz, interval) IS 'Removes the log of runs that ended longer ago than keep; gives how many.';

/*
 * A job's row stays locked while it runs and is committed with its result: a
 * second tick skips it, and when the server or the session dies nothing of
 * the run remains and the job is still due.
 *
 * A procedure that commits can have no SET clause: everything is qualified.
 */
CREATE PROCEDURE crm.run_due_jobs(as_of timestamptz DEFAULT now(), budget interval DEFAULT '20 seconds')
LANGUAGE plpgsql AS $$
DECLARE
    began_at CONSTANT timestamptz := pg_catalog.clock_timestamp();
    tried text[] := '{}';
    job record;
    started_at timestamptz;
    next_at timestamptz;
    outcome text;
    code text;
BEGIN
    PERFORM crm.require_installed();
    LOOP
        SELECT j.name, j.function, j.every, j.daily_at, j.weekdays, j.time_zone, j.failures INTO job
        FROM crm.job j
        WHERE j.enabled AND j.next_run_at OPERATOR(pg_catalog.<=) as_of
          AND j.name OPERATOR(pg_catalog.<>) ALL (tried)
        ORDER BY j.next_run_at, j.name
        LIMIT 1 FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        tried := pg_catalog.array_append(tried, job.name);
        -- The lock of a session: it outlives the COMMIT below and goes with the
        -- session, however that ends.  The row stays free to be edited.
        CONTINUE WHEN NOT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('crm.job'), pg_catalog.hashtext(job.name));
        started_at := pg_catalog.clock_timestamp();
        -- Written before the run: one that never ends, because the session is
        -- killed or the server dies, counts as failed and comes again later,
        -- after the others.
        UPDATE crm.job j SET
            last_run_at = started_at,
            last_status = 'error',
            last_result = 'began and did not end',
            failures = job.failures OPERATOR(pg_catalog.+) 1,
            -- After an error sooner than a daily job would, and later and later.
            next_run_at = as_of OPERATOR(pg_catalog.+) pg_catalog.make_interval(
                mins => LEAST(60, (1 OPERATOR(pg_catalog.<<) LEAST(job.failures, 6))))
        WHERE j.name OPERATOR(pg_catalog.=) job.name;
        COMMIT;
        code := NULL;
        BEGIN
            PERFORM pg_catalog.set_config('lock_timeout', '10s', true);
            next_at := crm.next_run(job.every, job.daily_at, job.weekdays, job.time_zone, as_of);
            PERFORM crm.job_function(job.function);
            EXECUTE pg_catalog.format('SELECT (crm.%I($1))::text', job.function) INTO outcome USING as_of;
        EXCEPTION WHEN query_canceled OR OTHERS THEN
            code := SQLSTATE;
            outcome := SQLERRM;
        END;
        INSERT INTO crm.job_run (job, as_of, started_at, finished_at, status, result, error_code)
        VALUES (job.name, run_due_jobs.as_of, started_at, pg_catalog.clock_timestamp(),
                CASE WHEN code IS NULL THEN 'ok' ELSE 'error' END, outcome, code);
        UPDATE crm.job j SET
            last_status = CASE WHEN code IS NULL THEN 'ok' ELSE 'error' END,
            last_result = outcome,
            failures = CASE WHEN code IS NULL THEN 0 ELSE j.failures END,
            next_run_at = CASE WHEN code IS NULL THEN next_at ELSE j.next_run_at END
        WHERE j.name OPERATOR(pg_catalog.=) job.name;
        COMMIT;
        PERFORM pg_catalog.pg_advisory_unlock(pg_catalog.hashtext('crm.job'), pg_catalog.hashtext(job.name));
        -- Who cancels, or a statement_timeout, means the whole call.
        EXIT WHEN code OPERATOR(pg_catalog.=) '57014';
        EXIT WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began_at OPERATOR(pg_catalog.>) budget;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE crm.run_due_jobs(timestamptz, interval) IS 'Runs the jobs of crm.job that are due at as_of, each in a transaction of its own, until none is left or the budget is spent; what is left waits for the next call. Several calls at once share the jobs; a job that runs is skipped, never queued. An error is recorded, does not stop the others, a run that never ended counts as one, and the job is tried again after 1, 2, 4 ... minutes, at most an hour. To be called outside of a transaction block.';

CREATE FUNCTION crm.tick_name() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'crm:' || current_database() || ':tick'
$$;
COMMENT ON FUNCTION crm.tick_name() IS 'The name of the entry that crm.schedule_jobs() makes in pg_cron.';

CREATE FUNCTION crm.cron_database() RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN current_setting('cron.database_name', true);
EXCEPTION WHEN insufficient_privilege THEN
    RETURN '';
END
$$;
COMMENT ON FUNCTION crm.cron_database() IS 'The database in which pg_cron lives; null when it is not loaded, empty when the caller may not know (pg_read_all_settings).';

CREATE FUNCTION crm.cron_is_here() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
$$;
COMMENT ON FUNCTION crm.cron_is_here() IS 'Whether pg_cron is created in this database.';

CREATE FUNCTION crm.schedule_jobs() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    command CONSTANT text := 'CALL crm.run_due_jobs()';
    cron_database text;
    entry bigint;
BEGIN
    PERFORM crm.require_installed();
    IF NOT (SELECT rolcanlogin FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'role "%" cannot log in, and so cannot run jobs', current_user
            USING ERRCODE = 'RM022', HINT = 'Call crm.schedule_jobs() as a role with LOGIN that may write the tables of crm and is no superuser.';
    END IF;
    cron_database := crm.cron_database();
    -- pg_cron is no requirement: it is reached through dynamic SQL only.
    IF crm.cron_is_here() AND NOT has_schema_privilege('cron', 'USAGE') THEN
        RETURN format('pg_cron is in this database, but role %1$I may not use it. As a superuser: GRANT USAGE ON SCHEMA cron TO %1$I; '
                      'then call crm.schedule_jobs() again', current_user);
    ELSIF crm.cron_is_here() THEN
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO entry USING crm.tick_name(), '* * * * *', command;
        RETURN format('pg_cron calls crm.run_due_jobs() every minute as role %I: entry %s, "%s"', current_user, entry, crm.tick_name())
            || CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                    THEN '. A role that is no superuser would be safer' ELSE '' END;
    ELSIF cron_database IS NULL THEN
        RETURN format('pg_cron is not loaded on this server. Either install it and set shared_preload_libraries = ''pg_cron'' and '
                      'cron.database_name = %L, or have another scheduler run every minute: psql -d %s -c %L',
                      current_database(), current_database(), command);
    ELSIF cron_database = current_database() THEN
        RETURN 'pg_cron is loaded but not created in this database. As a superuser: CREATE EXTENSION pg_cron; '
            || format('GRANT USAGE ON SCHEMA cron TO %I; then call crm.schedule_jobs() again', current_user);
    END IF;
    RETURN format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L); -- to be run by a superuser in database %s, where pg_cron lives',
                  crm.tick_name(), '* * * * *', command, current_database(), current_user,
                  coalesce(nullif(quote_ident(cron_database), '""'), 'that SHOW cron.database_name names'));
END
$$;
COMMENT ON FUNCTION crm.schedule_jobs() IS 'Has crm.run_due_jobs() called every minute, by one entry in pg_cron under the name crm.tick_name() and with the rights of the caller; calling it again changes nothing. Where pg_cron lives in another database it gives the SQL to run there, where it is missing what to do. Errors: RM022 the role cannot log in.';

CREATE FUNCTION crm.unschedule_jobs() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer := 0;
    cron_database text := crm.cron_database();
BEGIN
    IF crm.cron_is_here() AND NOT has_schema_privilege('cron', 'USAGE') THEN
        RETURN format('pg_cron has no entry of role %I, who may not use it', current_user);
    ELSIF crm.cron_is_here() THEN
        EXECUTE 'SELECT count(cron.unschedule(j.jobid)) FROM cron.job j WHERE j.jobname = $1 AND j.database = $2'
        INTO removed USING crm.tick_name(), current_database();
        RETURN format('%s entries removed from pg_cron', removed);
    ELSIF cron_database IS NULL OR cron_database = current_database() THEN
        RETURN 'pg_cron has no entry of this database';
    END IF;
    RETURN format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L; -- to be run in database %s, where pg_cron lives',
                  crm.tick_name(), coalesce(nullif(quote_ident(cron_database), '""'), 'that SHOW cron.database_name names'));
END
$$;
COMMENT ON FUNCTION crm.unschedule_jobs() IS 'Removes the entry that crm.schedule_jobs() made from pg_cron; where that lives in another database, gives the SQL to run there.';
