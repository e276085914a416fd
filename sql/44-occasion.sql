/* ------------------------------------------------------------------
 * Occasions: birthdays, days that matter to a person, holidays.
 * ------------------------------------------------------------------ */

/*
 * The expression is that of the indexes contact_birthday and contact_date_day:
 * who has a day in the span is found by them, and only these are looked at.
 */
CREATE FUNCTION crm.occasion_days(from_day date, to_day date,
    OUT contact_id bigint, OUT day date, OUT kind text, OUT name text, OUT years integer, OUT note text, OUT time_zone text, OUT key text)
RETURNS SETOF record
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
    WITH year AS (
        SELECT generate_series(extract(year FROM $1)::integer, extract(year FROM $2)::integer) AS number
    ), span AS MATERIALIZED (
        -- Month and day of each; who was born on 29 February has the 28th, too.
        SELECT array_agg(DISTINCT k.key) AS keys
        FROM generate_series(0, least($2 - $1, 366)) n
        CROSS JOIN LATERAL (SELECT (extract(month FROM $1 + n) * 100 + extract(day FROM $1 + n))::integer AS key) d
        CROSS JOIN LATERAL (VALUES (d.key), (CASE d.key WHEN 228 THEN 229 END)) AS k (key)
        WHERE k.key IS NOT NULL
    ), anniversary AS (
        SELECT c.id AS contact_id, 'birthday' AS kind, c.birth_date AS date, NULL::text AS note, 'birthday' AS key
        FROM crm.contact c
        WHERE c.birth_date IS NOT NULL
          AND (extract(month FROM c.birth_date) * 100 + extract(day FROM c.birth_date))::integer = ANY ((SELECT s.keys FROM span s)::integer[])
        UNION ALL
        SELECT d.contact_id, d.kind, d.date, d.note, 'date:' || d.id
        FROM crm.contact_date d
        WHERE (extract(month FROM d.date) * 100 + extract(day FROM d.date))::integer = ANY ((SELECT s.keys FROM span s)::integer[])
    ), holiday AS MATERIALIZED (
        SELECT h.name, d.day, h.profession, lower(h.given_name) AS given_name, h.gender, h.country
        FROM crm.holiday h, generate_series(extract(year FROM $1)::integer - 1, extract(year FROM $2)::integer + 1) y,
             LATERAL (SELECT crm.holiday_date(y, h.month, h.day, h.weekday, h.nth, h.easter, h.shift_days) AS day) d
        WHERE h.greet AND d.day BETWEEN $1 AND $2
    ), occasion AS (
        SELECT a.contact_id, d.day, a.kind, a.kind AS name, y.number - extract(year FROM a.date)::integer AS years, a.note, a.key
        FROM anniversary a, year y,
             LATERAL (SELECT crm.holiday_date(y.number, extract(month FROM a.date)::integer, extract(day FROM a.date)::integer) AS day) d
        WHERE d.day BETWEEN $1 AND $2 AND d.day >= a.date AND (a.key <> 'birthday' OR d.day > a.date)
        UNION ALL
        -- Where there is no holiday, nobody is looked at.
        SELECT p.id, h.day, 'holiday', h.name, NULL, NULL, 'holiday:' || h.name
        FROM holiday h
        CROSS JOIN LATERAL (SELECT c.id FROM crm.contact c
                            WHERE (h.profession IS NULL OR c.job_title ILIKE h.profession)
                              AND (h.given_name IS NULL OR lower(c.given_name) = h.given_name)
                              AND (h.gender IS NULL OR c.gender = h.gender)
                              AND (h.country IS NULL OR c.country = h.country) OFFSET 0) p
    )
    SELECT o.contact_id, o.day, o.kind, o.name, o.years, o.note, coalesce(c.time_zone, b.time_zone, a.time_zone, 'UTC'), o.key
    FROM occasion o
    -- Also where nothing is known of the tables contacts are looked up by occasion.
    CROSS JOIN LATERAL (SELECT p.time_zone, p.branch_id, p.owner_id FROM crm.contact p
                        WHERE p.id = o.contact_id AND p.deleted_at IS NULL AND p.archived_at IS NULL AND p.merged_into IS NULL OFFSET 0) c
    LEFT JOIN crm.branch b ON b.id = c.branch_id
    LEFT JOIN crm.agent a ON a.id = c.owner_id
$$;
COMMENT ON FUNCTION crm.occasion_days(date, date) IS 'What crm.upcoming_occasions() shows, in no order, with the part of the key that names the occasion of the contact. Errors as there.';

CREATE FUNCTION crm.upcoming_occasions(from_day date, to_day date,
    OUT contact_id bigint, OUT day date, OUT kind text, OUT name text, OUT years integer, OUT note text,
    OUT time_zone text, OUT begins_at timestamptz, OUT key text)
RETURNS SETOF record
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp AS $$
    WITH occasion AS MATERIALIZED (
        SELECT * FROM crm.occasion_days($1, $2)
    ), beginning AS MATERIALIZED (
        -- Once for each day and zone, of which there are few.
        SELECT d.day, d.time_zone, crm.local_instant(d.day::timestamp, d.time_zone) AS at FROM (SELECT DISTINCT o.day, o.time_zone FROM occasion o) d
    )
    SELECT o.contact_id, o.day, o.kind, o.name, o.years, o.note, o.time_zone, b.at, format('occasion:%s:%s:%s', o.contact_id, o.key, to_char(o.day, 'YYYY-MM-DD'))
    FROM occasion o JOIN beginning b ON b.day = o.day AND b.time_zone = o.time_zone
    ORDER BY o.day, o.contact_id, o.name, o.key
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
    SELECT 'greeting', o.name || coalesce(' (' || nullif(o.years, 0) || ')', ''), o.note, o.contact_id, o.owner_id,
           crm.local_instant(o.day + time '18:00', o.time_zone), crm.local_instant(o.day + time '09:00', o.time_zone), o.time_zone, o.origin_key
    FROM (SELECT d.*, c.owner_id, format('occasion:%s:%s:%s', d.contact_id, d.key, to_char(d.day, 'YYYY-MM-DD')) AS origin_key
          FROM crm.occasion_days(((as_of - interval '12 hours') AT TIME ZONE 'UTC')::date, ((as_of + ahead + interval '14 hours') AT TIME ZONE 'UTC')::date) d
          JOIN crm.contact c ON c.id = d.contact_id AND c.owner_id IS NOT NULL
          WHERE d.day BETWEEN (as_of AT TIME ZONE d.time_zone)::date AND ((as_of + ahead) AT TIME ZONE d.time_zone)::date) o
    WHERE NOT EXISTS (SELECT FROM crm.task t WHERE t.origin_key = o.origin_key)
    ORDER BY o.day, o.contact_id, o.origin_key LIMIT batch_limit
    ON CONFLICT (origin_key) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.make_greeting_tasks(timestamptz, integer, interval) IS 'Makes a task of kind greeting for every occasion (crm.upcoming_occasions()) of contacts with a responsible agent that falls on a day from today to ahead, as days are in the contact''s time zone; once an occasion, however often it runs. It reminds at 9:00 and is due at 18:00 there. Gives how many were made, at most batch_limit.';
