CREATE TABLE crm.job (
    name text PRIMARY KEY CHECK (name <> ''), -- Name of the job.
    function text NOT NULL CHECK (function ~ '^[a-z_][a-z0-9_]*$'), -- Function of schema crm to call with the moment as its first argument.
    every interval CHECK (every >= '1 second' AND every < '28 days'), -- How often, counted from midnight UTC; null for a job of the day.
    daily_at time, -- At which time of the day on the wall of time_zone; null for a job that runs every so often.
    weekdays integer[] CHECK (weekdays <@ '{1,2,3,4,5,6,7}' AND cardinality(weekdays) > 0), -- On which days of the week, 1 Monday to 7 Sunday; null for all.
    time_zone text NOT NULL DEFAULT 'UTC' CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone of daily_at.
    next_run_at timestamptz NOT NULL DEFAULT now(), -- When it is to run next.
    enabled boolean NOT NULL DEFAULT true, -- Whether it runs at all.
    failures integer NOT NULL DEFAULT 0, -- Failed runs in a row; each doubles the wait for the next try.
    last_run_at timestamptz, -- When it last ran.
    last_status text CHECK (last_status IN ('ok', 'error')), -- How that went: ok or error.
    last_result text, -- What the function gave, or the error.
    CHECK ((every IS NULL) <> (daily_at IS NULL)),
    CHECK (weekdays IS NULL OR daily_at IS NOT NULL)
);
COMMENT ON TABLE crm.job IS 'What is done by the clock. crm.run_due_jobs() runs what is due; crm.schedule_jobs() has it called every minute.';
INSERT INTO crm.job (name, function, every, daily_at, weekdays, enabled, next_run_at) VALUES
    ('reminders', 'fire_reminders', '1 minute', NULL, NULL, true, now()),
    ('match', 'match_tick', '1 minute', NULL, NULL, true, now()),
    ('recurring tasks', 'make_due_tasks', '1 minute', NULL, NULL, true, now()),
    ('greetings', 'make_greeting_tasks', '1 hour', NULL, NULL, false, now()),
    ('segments', 'segment_tick', '1 minute', NULL, NULL, true, now()),
    ('segment history', 'compact_segment_history', NULL, '01:30', NULL, false, now()),
    ('service', 'remind_service', NULL, '04:00', NULL, true, now()),
    ('contact points', 'expire_contact_points', NULL, '03:00', NULL, true, date_trunc('day', now(), 'UTC') + '1 day 3 hours'),
    ('milestones', 'tell_late_milestones', '5 minutes', NULL, NULL, true, now()),
    ('stage win rates', 'refresh_stage_win_rates', NULL, '02:30', NULL, true, now()),
    ('archive', 'archive_contacts', NULL, '02:00', '{7}', false, now()),
    ('job log', 'purge_job_runs', NULL, '01:00', NULL, true, now());

CREATE SEQUENCE crm.job_run_id_seq;

CREATE TABLE crm.job_run (
    id bigint PRIMARY KEY DEFAULT nextval('crm.job_run_id_seq'), -- Number of the run.
    job text NOT NULL, -- Name of the job.
    as_of timestamptz NOT NULL, -- The moment it was run for.
    started_at timestamptz NOT NULL, -- When it began.
    finished_at timestamptz NOT NULL, -- When it ended.
    status text NOT NULL CHECK (status IN ('ok', 'error')), -- ok or error.
    result text, -- What the function gave, or the error.
    error_code text, -- SQLSTATE of the error; null when ok.
    role text NOT NULL DEFAULT current_user -- The database role that ran it.
);
COMMENT ON TABLE crm.job_run IS 'The runs of the jobs; purged after 30 days by the job "job log".';
CREATE INDEX job_run_job ON crm.job_run (job, id);
CREATE INDEX job_run_finished_at ON crm.job_run (finished_at);
