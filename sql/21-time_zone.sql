/* ------------------------------------------------------------------
 * Time zones by name.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.time_zone_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT crm.is_time_zone(NEW.time_zone) THEN
        RAISE EXCEPTION 'unknown time zone "%" of %', NEW.time_zone, TG_TABLE_NAME
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'time_zone',
                  HINT = 'Use an IANA name such as Europe/Moscow; pg_timezone_names lists them.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.time_zone_guard() IS 'Trigger: refuses a time zone that the server does not know (22023), before a reminder or a day''s work depends on it.';
