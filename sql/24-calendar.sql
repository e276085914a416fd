/* ------------------------------------------------------------------
 * Business time: calendars, and what lies between two moments of them.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.business_time_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_business_time_changed';
COMMENT ON FUNCTION crm.business_time_changed() IS 'Trigger on the tables of business calendars: makes every session read them anew once the change is committed.';

CREATE FUNCTION crm.business_hours_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    clash record;
BEGIN
    -- Two that add rows at once wait for each other, and then see them.
    PERFORM pg_advisory_xact_lock(hashtext('crm.' || TG_TABLE_NAME), 0);
    IF TG_TABLE_NAME = 'business_hours' THEN
        -- From Monday's midnight on; what ends on the next day of Sunday, ends on Monday.
        WITH h AS (
            SELECT calendar, weekday, starts, ends, week * 168 * interval '1 hour' + (weekday - 1) * interval '24 hours' + starts::interval AS begin,
                   CASE WHEN ends > starts THEN ends - starts ELSE ends - starts + interval '24 hours' END AS length
            FROM crm.business_hours, generate_series(0, 1) week)
        SELECT a.calendar, to_char(date '2001-01-01' + a.weekday - 1, 'FMDay') AS day,
               to_char(a.starts, 'HH24:MI') || '-' || to_char(a.ends, 'HH24:MI') AS one,
               CASE WHEN b.weekday <> a.weekday THEN to_char(date '2001-01-01' + b.weekday - 1, 'FMDay ') ELSE '' END
               || to_char(b.starts, 'HH24:MI') || '-' || to_char(b.ends, 'HH24:MI') AS other
        INTO clash
        FROM h a JOIN h b ON b.calendar = a.calendar AND b.begin >= a.begin AND b.begin < a.begin + a.length
                         AND (b.weekday, b.starts) <> (a.weekday, a.starts)
        ORDER BY a.calendar, a.begin, b.begin LIMIT 1;
    ELSE
        SELECT a.calendar, to_char(a.day, 'YYYY-MM-DD') AS day,
               coalesce(to_char(a.starts, 'HH24:MI') || '-' || to_char(a.ends, 'HH24:MI'), 'no work') AS one,
               to_char(b.starts, 'HH24:MI') || '-' || to_char(b.ends, 'HH24:MI') AS other
        INTO clash
        FROM crm.business_exception a
        JOIN crm.business_exception b ON b.calendar = a.calendar AND b.day = a.day
             AND (b.starts > a.starts AND (b.starts < a.ends OR a.ends < a.starts) OR a.starts IS NULL AND b.starts IS NOT NULL)
        ORDER BY a.calendar, a.day, a.starts NULLS FIRST, b.starts LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'hours of calendar "%" overlap on %: % and %', clash.calendar, clash.day, clash.one, clash.other
            USING ERRCODE = 'RM080',
                  HINT = 'Make one of them shorter, or one interval of both. An interval that ends before it starts ends on the next day.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.business_hours_guard() IS 'Trigger on crm.business_hours and crm.business_exception: refuses intervals of one calendar that overlap, in the week also those of a night with the morning after (RM080). Exceptional hours that overlap a night before them count once.';

CREATE FUNCTION crm.parse_business_hours(hours text, OUT weekday integer, OUT starts time, OUT ends time) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    days CONSTANT text := '(?:mo(?:n|nday)?|tu(?:e|esday)?|we(?:d|dnesday)?|th(?:u|ursday)?|fr(?:i|iday)?|sa(?:t|turday)?|su(?:n|nday)?)';
    clock CONSTANT text := '(?:[01]?[0-9]|2[0-3]):[0-5][0-9]|24:00';
    part text;
    words text[];
BEGIN
    IF btrim(hours) = '24/7' THEN
        RETURN QUERY SELECT d, time '00:00', time '24:00' FROM generate_series(1, 7) d;
        RETURN;
    END IF;
    FOREACH part IN ARRAY regexp_split_to_array(btrim(hours), '\s*;\s*') LOOP
        CONTINUE WHEN part = '';
        words := regexp_match(part, format('^((?:%1$s(?:\s*-\s*%1$s)?)(?:\s*,\s*%1$s(?:\s*-\s*%1$s)?)*)\s+((?:%2$s)\s*-\s*(?:%2$s)(?:\s*,\s*(?:%2$s)\s*-\s*(?:%2$s))*)$', days, clock), 'i');
        IF words IS NULL THEN
            RAISE EXCEPTION 'business hours cannot be read at "%"', part
                USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Hours: %s.', hours),
                      HINT = 'Days, then intervals, such as: Mo-Fr 09:00-13:00,14:00-18:00; Sa 10:00-14:00. Or 24/7.';
        END IF;
        RETURN QUERY
        SELECT DISTINCT (first + n) % 7 + 1, split_part(i, '-', 1)::time, split_part(i, '-', 2)::time
        FROM regexp_split_to_table(regexp_replace(words[1], '\s', '', 'g'), ',') d,
             LATERAL (SELECT array_position('{mo,tu,we,th,fr,sa,su}', lower(left(split_part(d, '-', 1), 2))) - 1 AS first,
                             array_position('{mo,tu,we,th,fr,sa,su}', lower(left(nullif(split_part(d, '-', 2), ''), 2))) - 1 AS last) r,
             generate_series(0, (coalesce(last, first) - first + 7) % 7) n,
             regexp_split_to_table(regexp_replace(words[2], '\s', '', 'g'), ',') i;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.parse_business_hours(text) IS 'The intervals of a working week written as on a door: "Mo-Fr 09:00-13:00,14:00-18:00; Sa 10:00-14:00", or 24/7. Weekday 1 is Monday; an interval that ends before it starts ends on the next day. Errors: 22023 not understood.';

CREATE FUNCTION crm.create_calendar(name text, hours text, time_zone text DEFAULT 'UTC', description text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.business_calendar AS c (name, time_zone, description) VALUES ($1, $3, $4)
    ON CONFLICT ON CONSTRAINT business_calendar_pkey DO UPDATE
    SET time_zone = excluded.time_zone, description = coalesce(excluded.description, c.description);
    DELETE FROM crm.business_hours h WHERE h.calendar = $1;
    INSERT INTO crm.business_hours (calendar, weekday, starts, ends)
    SELECT $1, p.weekday, p.starts, p.ends FROM crm.parse_business_hours($2) p;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'hours of calendar "%" overlap: two intervals of a day begin at the same time', $1
        USING ERRCODE = 'RM080', DETAIL = format('Hours: %s.', hours);
END
$$;
COMMENT ON FUNCTION crm.create_calendar(text, text, text, text) IS 'Makes a business calendar, or gives the one of that name another week and time zone; its exceptions and holidays stay. hours are as crm.parse_business_hours() reads them. Errors: 22023 hours or time zone not understood; RM080 intervals overlap.';

CREATE FUNCTION crm.set_business_day(calendar text, day date, hours text, name text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    like_day text := substring(hours FROM '(?i)^like (\w+)$');
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.is_business_time(calendar, now());      -- knows it, or names the nearest
    DELETE FROM crm.business_exception e WHERE e.calendar = $1 AND e.day = $2;
    IF hours = 'closed' THEN
        INSERT INTO crm.business_exception (calendar, day, name) VALUES ($1, $2, $4);
    ELSIF like_day IS NOT NULL THEN
        INSERT INTO crm.business_exception (calendar, day, starts, ends, name)
        SELECT $1, $2, h.starts, h.ends, $4
        FROM (SELECT DISTINCT p.weekday FROM crm.parse_business_hours(like_day || ' 00:00-24:00') p) d
        LEFT JOIN crm.business_hours h ON h.calendar = $1 AND h.weekday = d.weekday;
    ELSIF hours !~ '^[0-9: ,-]+$' THEN
        RAISE EXCEPTION 'hours of a day cannot be read: "%"', hours
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Intervals such as 09:00-13:00,14:00-18:00, or closed, or like Monday; null for those of the week.';
    ELSIF hours IS NOT NULL THEN
        INSERT INTO crm.business_exception (calendar, day, starts, ends, name)
        SELECT $1, $2, p.starts, p.ends, $4 FROM crm.parse_business_hours('Mo ' || hours) p;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.set_business_day(text, date, text, text) IS 'Gives a day of a business calendar hours of its own: "closed", intervals such as "09:00-12:00,13:00-15:00", or "like Monday" for a day that was moved; null makes it a day like others again. Errors: RM082 no such calendar; RM080 intervals overlap; 22023 hours not understood.';

CREATE FUNCTION crm.business_add(calendar text, from_at timestamptz, amount interval) RETURNS timestamptz
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_business_add_text';
COMMENT ON FUNCTION crm.business_add(text, timestamptz, interval) IS 'The moment so much working time after from_at: the first one by which it has passed. A negative amount goes back, to the last moment from which it has. Zero gives from_at. Errors: RM082 no such calendar; RM081 it has no working time, or not so much; 22023 the amount has months or days; 22008 beyond the years 1900 to 2399.';

CREATE FUNCTION crm.business_between(calendar text, from_at timestamptz, to_at timestamptz) RETURNS interval
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_business_between_text';
COMMENT ON FUNCTION crm.business_between(text, timestamptz, timestamptz) IS 'The working time from one moment until another in hours, minutes and seconds, never days; negative when to_at is the earlier one. What crm.business_add() would have to add. Errors: RM082 no such calendar; 22008 beyond the years 1900 to 2399.';

CREATE FUNCTION crm.is_business_time(calendar text, at timestamptz) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_is_business_time_text';
COMMENT ON FUNCTION crm.is_business_time(text, timestamptz) IS 'Whether it is working time at that moment; the end of an interval is not. Errors: RM082 no such calendar; 22008 beyond the years 1900 to 2399.';

CREATE FUNCTION crm.next_business_time(calendar text, at timestamptz) RETURNS timestamptz
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_next_business_time';
COMMENT ON FUNCTION crm.next_business_time(text, timestamptz) IS 'That moment when it is working time, otherwise the next at which working time begins. Errors: RM082 no such calendar; RM081 it has no more working time; 22008 beyond the years 1900 to 2399.';

CREATE FUNCTION crm.business_days_between(calendar text, from_day date, to_day date) RETURNS integer
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_business_days_between';
COMMENT ON FUNCTION crm.business_days_between(text, date, date) IS 'How many days on which work begins come after from_day, up to and with to_day; negative, and before from_day, when to_day is the earlier one. What crm.add_business_days() would have to add. Errors: RM082 no such calendar; 22008 beyond the years 1900 to 2399.';

CREATE FUNCTION crm.add_business_days(calendar text, from_day date, days integer) RETURNS date
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_add_business_days_text';
COMMENT ON FUNCTION crm.add_business_days(text, date, integer) IS 'The working day that comes so many after from_day, or before it when negative; zero gives from_day. Errors: RM082 no such calendar; RM081 it has not so many; 22008 beyond the years 1900 to 2399.';

CREATE FUNCTION crm.business_schedule(calendar text, from_day date, to_day date,
    OUT day date, OUT starts timestamptz, OUT ends timestamptz, OUT counted interval, OUT running interval, OUT note text)
RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 ROWS 14 AS 'MODULE_PATHNAME', 'crm_business_schedule';
COMMENT ON FUNCTION crm.business_schedule(text, date, date) IS 'The working time of the days from one to another, a row an interval with its length and the sum so far; a day without work is a row with its reason. Notes name holidays and exceptions, and clocks that are set within an interval. Errors: RM082 no such calendar; 22008 beyond the years 1900 to 2399.';

CREATE FUNCTION crm.explain_deadline(calendar text, from_at timestamptz, amount interval,
    OUT day date, OUT starts timestamptz, OUT ends timestamptz, OUT counted interval, OUT running interval, OUT note text)
RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 ROWS 14 AS 'MODULE_PATHNAME', 'crm_explain_deadline';
COMMENT ON FUNCTION crm.explain_deadline(text, timestamptz, interval) IS 'How crm.business_add() comes to its answer: the pieces of working time it counts, in the order in which it meets them, and the days that have none with the reason. counted adds up to amount, running is the sum so far, and the last piece ends with the answer (starts with it, when amount is negative). Errors: as those of crm.business_add().';

/* Days that come every year. */

CREATE FUNCTION crm.holiday_date(year integer, month integer, day integer, weekday integer DEFAULT NULL, nth integer DEFAULT NULL,
    easter text DEFAULT NULL, shift_days integer DEFAULT 0) RETURNS date
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_holiday_date';
COMMENT ON FUNCTION crm.holiday_date(integer, integer, integer, integer, integer, text, integer) IS 'The day of a holiday in a year, told as in crm.holiday: by month and day, by month, weekday and nth (-1 the last), or by easter (western or orthodox), and shift_days later. 29 February is the 28th in a year that has none; null when the month has no such weekday or the year is null. Errors: 22023 none of the three, or out of range; 22008 beyond the years 1583 to 9999.';

/* Recurrence rules. */

CREATE FUNCTION crm.recurrence(rrule text, starts timestamp, time_zone text, from_at timestamptz, to_at timestamptz, max integer DEFAULT NULL)
RETURNS SETOF timestamptz
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 100 AS 'MODULE_PATHNAME', 'crm_recurrence_set';
COMMENT ON FUNCTION crm.recurrence(text, timestamp, text, timestamptz, timestamptz, integer) IS 'The occurrences of a recurrence rule of RFC 5545 from one moment to before another, in order, the first max of them. starts is the first possible one, a time on the wall of time_zone; the others are too, whatever its clocks do meanwhile: a time that is skipped when clocks are set forward comes later by what is skipped, one that occurs twice the first time. rrule is such as FREQ=MONTHLY;BYDAY=-1FR, or lines RRULE:... and EXDATE:.... Null for any but max gives none. Errors: RM083 the rule is not understood; RM084 followed too far in vain, or more than 1000000; 22023 unknown time zone, max out of range; 22008 starts beyond the years 1900 to 2399, after which nothing comes.';

CREATE FUNCTION crm.next_occurrence(rrule text, starts timestamp, time_zone text, after timestamptz) RETURNS timestamptz
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'crm_next_occurrence';
COMMENT ON FUNCTION crm.next_occurrence(text, timestamp, text, timestamptz) IS 'The first occurrence of a recurrence rule after a moment, as crm.recurrence() has them; null when there is none. Errors: as those of crm.recurrence().';

CREATE FUNCTION crm.check_recurrence(rrule text, OUT ok boolean, OUT code text, OUT message text, OUT hint text, OUT canonical text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_check_recurrence';
COMMENT ON FUNCTION crm.check_recurrence(text) IS 'Whether a recurrence rule is understood: if not, a token RECURRENCE_..., what is wrong and a hint; if so, the rule as RFC 5545 writes it. Raises nothing.';
