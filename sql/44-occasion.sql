/* ------------------------------------------------------------------
 * Occasions: birthdays, days that matter to a person, holidays.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.upcoming_occasions(from_day date, to_day date,
    OUT contact_id bigint, OUT day date, OUT kind text, OUT name text, OUT years integer, OUT note text,
    OUT time_zone text, OUT begins_at timestamptz, OUT key text)
RETURNS SETOF record
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp AS $$
    WITH year AS (
        SELECT generate_series(extract(year FROM $1)::integer, extract(year FROM $2)::integer) AS number
    ), person AS (
        SELECT c.id, c.birth_date, c.job_title, c.given_name, c.gender, c.country,
               coalesce(c.time_zone, b.time_zone, a.time_zone, 'UTC') AS time_zone
        FROM crm.contact c
        LEFT JOIN crm.branch b ON b.id = c.branch_id
        LEFT JOIN crm.agent a ON a.id = c.owner_id
        WHERE c.deleted_at IS NULL AND c.archived_at IS NULL AND c.merged_into IS NULL
    ), anniversary AS (
        SELECT p.id AS contact_id, p.time_zone, 'birthday' AS kind, p.birth_date AS date, NULL::text AS note, 'birthday' AS key
        FROM person p WHERE p.birth_date IS NOT NULL
        UNION ALL
        SELECT p.id, p.time_zone, d.kind, d.date, d.note, 'date:' || d.id
        FROM crm.contact_date d JOIN person p ON p.id = d.contact_id
    ), holiday AS (
        SELECT h.name, d.day, h.profession, h.given_name, h.gender, h.country
        FROM crm.holiday h, generate_series(extract(year FROM $1)::integer - 1, extract(year FROM $2)::integer + 1) y,
             LATERAL (SELECT crm.holiday_date(y, h.month, h.day, h.weekday, h.nth, h.easter, h.shift_days) AS day) d
        WHERE h.greet AND d.day BETWEEN $1 AND $2
    ), occasion AS (
        SELECT a.contact_id, d.day, a.kind, a.kind AS name, y.number - extract(year FROM a.date)::integer AS years, a.note, a.time_zone, a.key
        FROM anniversary a, year y,
             LATERAL (SELECT crm.holiday_date(y.number, extract(month FROM a.date)::integer, extract(day FROM a.date)::integer) AS day) d
        WHERE d.day BETWEEN $1 AND $2 AND d.day >= a.date AND (a.key <> 'birthday' OR d.day > a.date)
        UNION ALL
        SELECT p.id, h.day, 'holiday', h.name, NULL, NULL, p.time_zone, 'holiday:' || h.name
        FROM holiday h
        JOIN person p ON (h.profession IS NULL OR p.job_title ILIKE h.profession)
                     AND (h.given_name IS NULL OR lower(p.given_name) = lower(h.given_name))
                     AND (h.gender IS NULL OR p.gender = h.gender)
                     AND (h.country IS NULL OR p.country = h.country)
    )
    SELECT o.contact_id, o.day, o.kind, o.name, o.years, o.note, o.time_zone, crm.local_instant(o.day::timestamp, o.time_zone),
           format('occasion:%s:%s:%s', o.contact_id, o.key, to_char(o.day, 'YYYY-MM-DD'))
    FROM occasion o ORDER BY o.day, o.contact_id, o.name, o.key
$$;
COMMENT ON FUNCTION crm.upcoming_occasions(date, date) IS 'Occasions to greet living contacts, from one day to another, both included: birthdays, the dates of crm.contact_date and the rows of crm.holiday that are theirs by profession, given name, gender and country. Each once a year, 29 February on the 28th where there is none. The day is one of the contact''s time zone, or else that of the branch, the responsible agent, UTC; begins_at is its midnight there; years since the first, null of a holiday; key names the occasion for good. Errors: 22008 beyond the years 1584 to 9998.';

CREATE FUNCTION crm.make_greeting_tasks(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000, ahead interval DEFAULT '1 day') RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made integer;
BEGIN
    PERFORM crm.require_installed();
    -- Days begin up to 14 hours before and end 12 hours after those of UTC.
    INSERT INTO crm.task (kind, title, description, contact_id, assignee_id, due_at, remind_at, time_zone, origin_key)
    SELECT 'greeting', o.name || coalesce(' (' || nullif(o.years, 0) || ')', ''), o.note, o.contact_id, c.owner_id,
           crm.local_instant(o.day + time '18:00', o.time_zone), crm.local_instant(o.day + time '09:00', o.time_zone), o.time_zone, o.key
    FROM crm.upcoming_occasions((as_of AT TIME ZONE 'UTC')::date - 1, ((as_of + ahead) AT TIME ZONE 'UTC')::date + 1) o
    JOIN crm.contact c ON c.id = o.contact_id
    WHERE c.owner_id IS NOT NULL
      AND o.day BETWEEN (as_of AT TIME ZONE o.time_zone)::date AND ((as_of + ahead) AT TIME ZONE o.time_zone)::date
      AND NOT EXISTS (SELECT FROM crm.task t WHERE t.origin_key = o.key)
    ORDER BY o.day, o.contact_id, o.key LIMIT batch_limit
    ON CONFLICT (origin_key) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.make_greeting_tasks(timestamptz, integer, interval) IS 'Makes a task of kind greeting for every occasion (crm.upcoming_occasions()) of contacts with a responsible agent that falls on a day from today to ahead, as days are in the contact''s time zone; once an occasion, however often it runs. It reminds at 9:00 and is due at 18:00 there. Gives how many were made, at most batch_limit.';
