/* ------------------------------------------------------------------
 * Dates as files write them.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.try_date(text, date_order text DEFAULT 'dmy') RETURNS date
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_date_try';
COMMENT ON FUNCTION crm.try_date(text, text) IS 'Reads a date as people and programs write it: 2026-12-31, 20261231, 31.12.2026, 31/12/2026 (date_order dmy) or 12/31/2026 (mdy), 31 декабря 2026, Dec 31, 2026; null when it is none. Unlike the server''s own input it does not depend on DateStyle. Errors: 22023 unknown date_order.';

CREATE FUNCTION crm.check_date(text, date_order text DEFAULT 'dmy') RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_date_check';
COMMENT ON FUNCTION crm.check_date(text, text) IS 'The verdict on a date; value is the ISO form. Tokens: DATE_EMPTY, DATE_SYNTAX, DATE_MONTH, DATE_DAY, DATE_TWO_DIGIT_YEAR, DATE_TIME_DROPPED. Errors: 22023 unknown date_order.';
