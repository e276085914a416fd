CREATE TABLE crm.holiday (
    name text PRIMARY KEY CHECK (name <> ''), -- Name, such as "Accountant's day".
    month integer CHECK (month BETWEEN 1 AND 12), -- Month; null when it goes by Easter.
    day integer CHECK (day BETWEEN 1 AND 31), -- Day of the month; 29 February is the 28th where there is none. Null when it goes by weekday or Easter.
    weekday integer CHECK (weekday BETWEEN 1 AND 7), -- Weekday, 1 Monday to 7 Sunday, of what is the nth such day of a month.
    nth integer CHECK (nth BETWEEN 1 AND 5 OR nth = -1), -- Which one of the month: 1 to 5, -1 for the last.
    easter text CHECK (easter IN ('western', 'orthodox')), -- Whose Easter it goes by: western or orthodox.
    shift_days integer NOT NULL DEFAULT 0 CHECK (shift_days BETWEEN -366 AND 366), -- So many days later, or earlier when negative.
    profession text CHECK (profession <> ''), -- Of whom: a pattern of crm.contact.job_title, such as %accountant%; null for everybody.
    given_name text CHECK (given_name <> ''), -- Of whom: those of that given name, whose name day it is; null for everybody.
    gender text CHECK (gender IN ('m', 'f')), -- Of whom: m or f; null for everybody.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Of whom: contacts of that country, ISO 3166-1 alpha-2; null for everybody.
    greet boolean NOT NULL DEFAULT true, -- Whether it is an occasion to greet, see crm.upcoming_occasions().
    CHECK (CASE WHEN easter IS NOT NULL THEN num_nonnulls(month, day, weekday, nth) = 0
                WHEN day IS NOT NULL THEN month IS NOT NULL AND num_nonnulls(weekday, nth) = 0
                ELSE num_nonnulls(month, weekday, nth) = 3 END),
    CHECK (day <= CASE month WHEN 2 THEN 29 WHEN 4 THEN 30 WHEN 6 THEN 30 WHEN 9 THEN 30 WHEN 11 THEN 30 ELSE 31 END)
);
COMMENT ON TABLE crm.holiday IS 'Days that come every year: public and professional holidays, name days. By date, by weekday of a month, or by Easter; shift_days later, so that the 256th day of the year is 1 January and 255 days. A country''s or a trade''s own are rows of yours.';

CREATE TABLE crm.business_calendar (
    name text PRIMARY KEY CHECK (name <> '' AND length(name) <= 100), -- Name, by which functions take it.
    time_zone text NOT NULL DEFAULT 'UTC' CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone on whose wall its hours are, such as Europe/Moscow.
    description text -- Whose it is, in words.
);
COMMENT ON TABLE crm.business_calendar IS 'Working time: what deadlines count. Its hours are in crm.business_hours, other days in crm.business_exception and crm.business_holiday.';
INSERT INTO crm.business_calendar (name, description) VALUES ('standard', 'Monday to Friday, 9 to 18');

CREATE TABLE crm.business_hours (
    calendar text NOT NULL REFERENCES crm.business_calendar (name) ON UPDATE CASCADE ON DELETE CASCADE, -- The calendar.
    weekday integer NOT NULL CHECK (weekday BETWEEN 1 AND 7), -- Weekday on which the interval begins, 1 Monday to 7 Sunday.
    starts time NOT NULL CHECK (starts < '24:00'), -- From when.
    ends time NOT NULL CHECK (ends <> starts AND ends > '00:00'), -- Until when, up to 24:00; earlier than starts, on the next day.
    PRIMARY KEY (calendar, weekday, starts)
);
COMMENT ON TABLE crm.business_hours IS 'The working week of a calendar, one row an interval: around a lunch break, two; of a split shift, as many as there are. Intervals may not overlap (RM080).';
INSERT INTO crm.business_hours (calendar, weekday, starts, ends) SELECT 'standard', d, '09:00', '18:00' FROM generate_series(1, 5) d;

CREATE SEQUENCE crm.business_exception_id_seq;
CREATE TABLE crm.business_exception (
    id bigint PRIMARY KEY DEFAULT nextval('crm.business_exception_id_seq'), -- Number of the row.
    calendar text NOT NULL REFERENCES crm.business_calendar (name) ON UPDATE CASCADE ON DELETE CASCADE, -- The calendar.
    day date NOT NULL CHECK (day BETWEEN '1900-01-01' AND '2399-12-31'), -- The day.
    starts time CHECK (starts < '24:00'), -- From when it is worked; null on a day without work.
    ends time CHECK (ends <> starts AND ends > '00:00'), -- Until when, as in crm.business_hours.
    name text, -- Why: "New Year", "instead of 9 May".
    CHECK ((starts IS NULL) = (ends IS NULL)),
    UNIQUE NULLS NOT DISTINCT (calendar, day, starts)
);
COMMENT ON TABLE crm.business_exception IS 'Days that differ from the week of their calendar: not worked, with one row without hours, or worked at other hours, one row an interval. They count before holidays.';

CREATE TABLE crm.business_holiday (
    calendar text NOT NULL REFERENCES crm.business_calendar (name) ON UPDATE CASCADE ON DELETE CASCADE, -- The calendar.
    holiday text NOT NULL REFERENCES crm.holiday (name) ON UPDATE CASCADE ON DELETE CASCADE, -- The holiday.
    PRIMARY KEY (calendar, holiday)
);
COMMENT ON TABLE crm.business_holiday IS 'Holidays on which a calendar does not work, every year.';

CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.business_calendar
    FOR EACH ROW EXECUTE FUNCTION crm.time_zone_guard();
CREATE TRIGGER business_hours_guard AFTER INSERT OR UPDATE ON crm.business_hours
    FOR EACH STATEMENT EXECUTE FUNCTION crm.business_hours_guard();
CREATE TRIGGER business_exception_guard AFTER INSERT OR UPDATE ON crm.business_exception
    FOR EACH STATEMENT EXECUTE FUNCTION crm.business_hours_guard();
CREATE TRIGGER business_calendar_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.business_calendar
    FOR EACH STATEMENT EXECUTE FUNCTION crm.business_time_changed();
CREATE TRIGGER business_hours_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.business_hours
    FOR EACH STATEMENT EXECUTE FUNCTION crm.business_time_changed();
CREATE TRIGGER business_exception_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.business_exception
    FOR EACH STATEMENT EXECUTE FUNCTION crm.business_time_changed();
CREATE TRIGGER business_holiday_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.business_holiday
    FOR EACH STATEMENT EXECUTE FUNCTION crm.business_time_changed();
CREATE TRIGGER holiday_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.holiday
    FOR EACH STATEMENT EXECUTE FUNCTION crm.business_time_changed();
