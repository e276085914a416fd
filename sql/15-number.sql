/* ------------------------------------------------------------------
 * Amounts as people and spreadsheets write them.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.try_number(text) RETURNS numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_number_try';
COMMENT ON FUNCTION crm.try_number(text) IS 'Reads a number as people and spreadsheets write it: 1234.56, 1 234,56, 1.234,56, $1,234, (500), 12%; null when it is none. A comma before exactly three digits groups thousands.';

CREATE FUNCTION crm.check_number(text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_number_check';
COMMENT ON FUNCTION crm.check_number(text) IS 'The verdict on a number; value is its plain form. Tokens: NUMBER_EMPTY, NUMBER_SYNTAX, NUMBER_TOO_LONG, NUMBER_AMBIGUOUS (1,234 or 1.234), NUMBER_PERCENT, NUMBER_PLAIN.';
