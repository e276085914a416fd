/* ------------------------------------------------------------------
 * Comma-separated values.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.csv_rows(content text, delimiter text DEFAULT NULL, OUT line bigint, OUT fields text[])
RETURNS SETOF record
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 ROWS 1000 AS 'MODULE_PATHNAME', 'crm_csv_rows';
COMMENT ON FUNCTION crm.csv_rows(text, text) IS 'The rows of a CSV text (RFC 4180), with the number of the line where each begins; an empty field is null, an empty line is no row, a byte order mark is skipped. Without a delimiter the likeliest of comma, semicolon, tab and | is taken. Errors: 22P04 a quoted field does not end; 54000 more than 1600 columns or a field longer than 1 MB.';
