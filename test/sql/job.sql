-- Jobs: when they run, what they may call, errors, pg_cron.
\set SHOW_CONTEXT never
SET datestyle = ISO;
SET timezone = 'UTC';
SELECT crm.install() IS NOT NULL AS installed;
SELECT name, function, extract(epoch FROM every)::int AS every, daily_at, weekdays, time_zone, enabled FROM crm.job ORDER BY name;

-- The next run: a multiple of the interval; a time on the wall, also over the change of clocks.
SELECT crm.next_run('1 minute', NULL, NULL, 'UTC', '2026-03-01 12:00:00.5+00'), crm.next_run('1 minute', NULL, NULL, 'UTC', '2026-03-01 12:00+00'),
       crm.next_run('6 hours', NULL, NULL, 'UTC', '2026-03-01 13:00+00');
SELECT after, crm.next_run(NULL, time '02:30', NULL, 'Europe/Berlin', after) AS next, crm.next_run(NULL, time '02:30', NULL, 'Europe/Berlin', after) AT TIME ZONE 'Europe/Berlin' AS local
FROM (VALUES (timestamptz '2026-03-27 12:00+00'), ('2026-03-28 12:00+00'), ('2026-03-29 01:30+00'), ('2026-10-24 12:00+00'), ('2026-10-25 00:30+00'), ('2026-10-25 01:30+00')) t (after);
SELECT crm.next_run(NULL, time '09:00', '{1,5}', 'Asia/Vladivostok', '2026-03-05 23:00+00') AS monday;
SELECT crm.next_run(NULL, time '09:00', NULL, 'Mars/Olympus', now());
-- In a year every local day has its run, and only one.
WITH RECURSIVE run (at) AS (
    SELECT crm.next_run(NULL, time '02:30', NULL, 'Europe/Berlin', '2025-12-31 12:00+00')
    UNION ALL SELECT crm.next_run(NULL, time '02:30', NULL, 'Europe/Berlin', at) FROM run WHERE at < '2026-12-31 00:00+00')
SELECT count(*), count(DISTINCT (at AT TIME ZONE 'Europe/Berlin')::date) FROM run;

-- Only trusted functions of schema crm that take a moment.
SELECT crm.job_function('fire_reminders'), crm.job_function('purge_job_runs');
SELECT crm.job_function('pg_sleep');
SELECT crm.job_function('uninstall');
SELECT crm.schedule_job('x', 'fire_reminders; DROP TABLE crm.job', every => '1 day');
\set VERBOSITY terse
SELECT crm.schedule_job('x', 'fire_reminders');
\set VERBOSITY default
SELECT crm.schedule_job('x', 'fire_reminders', every => '0');
SELECT crm.schedule_job('x', 'fire_reminders', every => '1 month');
SELECT crm.schedule_job('x', 'fire_reminders', daily_at => '09:00', time_zone => 'Mars/Olympus');
CREATE ROLE regress_crm_stranger;
CREATE FUNCTION crm.regress_stranger(timestamptz) RETURNS void LANGUAGE sql AS 'SELECT';
ALTER FUNCTION crm.regress_stranger(timestamptz) OWNER TO regress_crm_stranger;
SELECT crm.job_function('regress_stranger');
DROP FUNCTION crm.regress_stranger(timestamptz);
-- nor is a trusted name called that a stranger has overloaded
CREATE FUNCTION crm.fire_reminders(timestamptz) RETURNS void LANGUAGE sql AS 'SELECT';
ALTER FUNCTION crm.fire_reminders(timestamptz) OWNER TO regress_crm_stranger;
SELECT crm.job_function('fire_reminders');
DROP FUNCTION crm.fire_reminders(timestamptz);
DROP ROLE regress_crm_stranger;

-- Runs: what is due, each by itself; an error is kept and stops nothing.
CREATE TABLE regress_job_kept AS SELECT * FROM crm.job;
UPDATE crm.job SET enabled = false;
CREATE FUNCTION crm.regress_good(as_of timestamptz, n integer DEFAULT 7) RETURNS integer LANGUAGE sql AS 'SELECT n';
CREATE FUNCTION crm.regress_bad(as_of timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO crm.job_run (job, as_of, started_at, finished_at, status) VALUES ('half done', now(), now(), now(), 'ok');
    RETURN 1 / 0;
END $$;
SELECT crm.schedule_job('regress bad', 'regress_bad', daily_at => '00:00', as_of => '2026-01-01 00:00+00'),
       crm.schedule_job('regress good', 'regress_good', every => '1 minute', as_of => '2026-01-02 00:00+00'),
       crm.schedule_job('regress later', 'regress_good', every => '1 day', as_of => '2026-01-03 00:00+00'),
       crm.schedule_job('regress off', 'regress_good', every => '1 minute', enabled => false, as_of => '2026-01-02 00:00+00');
INSERT INTO crm.job (name, function, every, next_run_at) VALUES ('regress gone', 'regress_missing', '1 minute', '2026-01-02 00:05+00');
INSERT INTO crm.job (name, function, daily_at, time_zone, next_run_at) VALUES ('regress nowhere', 'regress_good', '09:00', 'Mars/Olympus', '2026-01-02 00:06+00');
CALL crm.run_due_jobs('2026-01-02 00:10:30+00');
SELECT job, as_of, status, result, error_code FROM crm.job_run WHERE job LIKE 'regress%' OR job = 'half done' ORDER BY id;
SELECT name, next_run_at, failures, last_status, last_result FROM crm.job WHERE name LIKE 'regress%' ORDER BY name;
CALL crm.run_due_jobs('2026-01-02 00:10:59+00');                      -- nothing is due
CALL crm.run_due_jobs('2026-01-02 00:12:00+00');                      -- missed minutes are one run; the failed ones are tried again
CALL crm.run_due_jobs('2026-01-01 00:00:00+00');                      -- a clock set back runs nothing
SELECT job, as_of, status FROM crm.job_run WHERE job LIKE 'regress%' ORDER BY id OFFSET 4;
SELECT name, next_run_at, failures FROM crm.job WHERE name LIKE 'regress%' ORDER BY name;
-- The wait doubles up to an hour; success ends it.
UPDATE crm.job SET failures = 20, next_run_at = '2026-01-03 00:00+00' WHERE name = 'regress bad';
CALL crm.run_due_jobs('2026-01-03 00:00:00+00', budget => '1 hour');
SELECT name, next_run_at, failures FROM crm.job WHERE name LIKE 'regress%' ORDER BY name;
CREATE OR REPLACE FUNCTION crm.regress_bad(as_of timestamptz) RETURNS integer LANGUAGE sql AS 'SELECT 42';
CALL crm.run_due_jobs('2026-01-03 01:00:00+00');
SELECT name, next_run_at, failures, last_result FROM crm.job WHERE name = 'regress bad';
-- A spent budget leaves the rest to the next call.
UPDATE crm.job SET next_run_at = '2026-01-04 00:00+00' WHERE name IN ('regress good', 'regress later', 'regress bad');
CALL crm.run_due_jobs('2026-01-04 00:00:00+00', budget => '0');
SELECT count(*) FROM crm.job_run WHERE as_of = '2026-01-04 00:00+00';
CALL crm.run_due_jobs('2026-01-04 00:00:00+00');
SELECT job FROM crm.job_run WHERE as_of = '2026-01-04 00:00+00' ORDER BY job;
SELECT crm.purge_job_runs(now() + interval '29 days'), crm.purge_job_runs(now() + interval '31 days') > 0 AS purged;
SELECT count(*) FROM crm.job_run;
DELETE FROM crm.job;
INSERT INTO crm.job SELECT * FROM regress_job_kept;
DROP TABLE regress_job_kept;
DROP FUNCTION crm.regress_good(timestamptz, integer);
DROP FUNCTION crm.regress_bad(timestamptz);

-- pg_cron: absent, then present.
SELECT crm.schedule_jobs();
SELECT crm.unschedule_jobs();
CREATE ROLE regress_crm_nologin;
GRANT SELECT ON crm.installation TO regress_crm_nologin;
SET ROLE regress_crm_nologin;
SELECT crm.schedule_jobs();
RESET ROLE;
ALTER ROLE regress_crm_nologin LOGIN;
SET ROLE regress_crm_nologin;
SELECT crm.schedule_jobs();
SELECT crm.unschedule_jobs();
RESET ROLE;
REVOKE SELECT ON crm.installation FROM regress_crm_nologin;
DROP ROLE regress_crm_nologin;
SET client_min_messages = warning;
CREATE EXTENSION pg_cron;
SELECT regexp_replace(crm.schedule_jobs(), 'entry \d+', 'entry N');
SELECT crm.schedule_jobs() IS NOT NULL AS again;
SELECT schedule, command, database = current_database() AS here, active FROM cron.job WHERE jobname = crm.tick_name();
SELECT crm.unschedule_jobs();
SELECT crm.unschedule_jobs();
DROP EXTENSION pg_cron;
