/* ------------------------------------------------------------------
 * How alike two strings are.
 *
 * The measures of letters compare characters as they are: fold case,
 * look-alikes or script first (lower, crm.name_key) when these should
 * not count.  Pairs of up to 32 characters take tens of nanoseconds,
 * hence the low costs.
 * ------------------------------------------------------------------ */

/* Letters ---------------------------------------------------------- */

CREATE FUNCTION crm.jaro(a text, b text) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_compare_jaro';
COMMENT ON FUNCTION crm.jaro(text, text) IS 'The Jaro similarity, from 0 (no letter in common) to 1 (equal), by characters. Two empty texts are equal. Raises 54000 for texts of more than 65,535 characters. Source: M. Jaro, Journal of the American Statistical Association 84 (1989).';

CREATE FUNCTION crm.jaro_winkler(a text, b text) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_compare_jaro_winkler';
COMMENT ON FUNCTION crm.jaro_winkler(text, text) IS 'The Jaro-Winkler similarity, from 0 to 1: that of crm.jaro(), and when it is above 0.7 a tenth of what is missing to 1 more for each equal letter at the beginning, up to four. For names. Raises 54000 for texts of more than 65,535 characters. Source: W. Winkler, String comparator metrics (1990).';

CREATE FUNCTION crm.levenshtein(a text, b text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_compare_levenshtein';
COMMENT ON FUNCTION crm.levenshtein(text, text) IS 'The Levenshtein distance: how many characters must be put in, taken out or replaced to make one text of the other. Raises 54000 for texts of more than 65,535 characters.';

CREATE FUNCTION crm.levenshtein(a text, b text, max integer) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_compare_levenshtein_max';
COMMENT ON FUNCTION crm.levenshtein(text, text, integer) IS 'The Levenshtein distance when it is max or less, otherwise max + 1, which is known sooner. Raises 22023 for a negative max, 54000 for texts of more than 65,535 characters.';

CREATE FUNCTION crm.osa_distance(a text, b text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_compare_osa';
COMMENT ON FUNCTION crm.osa_distance(text, text) IS 'The distance of optimal string alignment: that of crm.levenshtein() where two neighbours that have changed places count as one error (Ivnaov is 1 from Ivanov, not 2). No character is edited twice: ca is 3 from abc, where the unrestricted distance of Damerau is 2. Raises 54000 for texts of more than 65,535 characters.';

CREATE FUNCTION crm.osa_distance(a text, b text, max integer) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_compare_osa_max';
COMMENT ON FUNCTION crm.osa_distance(text, text, integer) IS 'The distance of optimal string alignment when it is max or less, otherwise max + 1, which is known sooner. Raises 22023 for a negative max, 54000 for texts of more than 65,535 characters.';

/* Words ------------------------------------------------------------ */

CREATE FUNCTION crm.token_set_similarity(a text, b text) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 8 AS 'MODULE_PATHNAME', 'crm_compare_token_set';
COMMENT ON FUNCTION crm.token_set_similarity(text, text) IS 'The Jaccard similarity of the words of the texts: how many different words both have, divided by how many there are in all. Words are runs of letters and digits; case, order, repetition, apostrophes and all other signs do not count. Null when neither text has a word. Raises 54000 for texts of more than 65,535 characters.';

CREATE FUNCTION crm.token_containment(a text, b text) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 8 AS 'MODULE_PATHNAME', 'crm_compare_token_containment';
COMMENT ON FUNCTION crm.token_containment(text, text) IS 'The overlap of the words of the texts: how many different words both have, divided by how many the text with fewer of them has. 1 when all words of one are in the other. Words as in crm.token_set_similarity(). Null when one text has no word. Raises 54000 for texts of more than 65,535 characters.';
