-- Comparing strings in a server: each function beside the scan alone, and beside
-- those of the server's own modules fuzzystrmatch and pg_trgm.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION pg_trgm;
CREATE TABLE pair AS
SELECT surname[1 + n % 24] || ending[1 + n / 7 % 6] AS a, surname[1 + (n / 3 + n % 5) % 24] || ending[1 + n / 11 % 6] AS b,
       cyrillic[1 + n % 12] || tail[1 + n / 7 % 6] AS c, cyrillic[1 + (n / 3 + n % 5) % 12] || tail[1 + n / 11 % 6] AS d
FROM generate_series(1, :rows) AS n,
     (SELECT '{Ivan,Petr,Smirn,Kuznets,Pop,Vasil,Sokol,Mikhayl,Fedor,Moroz,Volk,Alekse,Lebed,Semen,Egor,Pavl,Kozl,Stepan,Nikola,Orl,Andre,Makar,Zakhar,Shcherbak}'::text[] AS surname,
             '{ov,ova,ev,eva,in,enko}'::text[] AS ending,
             '{Иван,Петр,Смирн,Кузнец,Поп,Васил,Сокол,Михайл,Фёдор,Мороз,Волк,Щербак}'::text[] AS cyrillic, '{ов,ова,ев,ева,ин,енко}'::text[] AS tail) AS parts;
VACUUM ANALYZE pair;
CREATE TABLE result (what text, ms numeric, position serial);
CREATE FUNCTION measure(what text, expression text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    best numeric;
    started timestamptz;
    ms numeric;
BEGIN
    FOR run IN 1 .. 5 LOOP
        started := clock_timestamp();
        -- Counts the rows: what the expression gives is thrown away.
        EXECUTE format('SELECT count(*) FROM (SELECT %s AS x FROM pair OFFSET 0) AS q WHERE x IS NOT NULL', expression);
        ms := extract(epoch FROM clock_timestamp() - started) * 1000;
        best := least(best, ms);
    END LOOP;
    INSERT INTO result (what, ms) VALUES (what, best);
END
$$;
SELECT measure('(the scan alone)', 'a');
SELECT measure('a = b', 'a = b');
SELECT measure('fuzzystrmatch levenshtein(a, b)', 'levenshtein(a, b)');
SELECT measure('fuzzystrmatch levenshtein_less_equal(a, b, 2)', 'levenshtein_less_equal(a, b, 2)');
SELECT measure('fuzzystrmatch levenshtein(c, d), Cyrillic', 'levenshtein(c, d)');
SELECT measure('pg_trgm similarity(a, b)', 'similarity(a, b)');
SELECT measure('pg_trgm similarity(c, d), Cyrillic', 'similarity(c, d)');
SELECT measure('crm.levenshtein(a, b)', 'crm.levenshtein(a, b)');
SELECT measure('crm.levenshtein(a, b, 2)', 'crm.levenshtein(a, b, 2)');
SELECT measure('crm.levenshtein(c, d), Cyrillic', 'crm.levenshtein(c, d)');
SELECT measure('crm.osa_distance(a, b)', 'crm.osa_distance(a, b)');
SELECT measure('crm.jaro_winkler(a, b)', 'crm.jaro_winkler(a, b)');
SELECT measure('crm.jaro_winkler(c, d), Cyrillic', 'crm.jaro_winkler(c, d)');
SELECT measure('crm.token_set_similarity(a || '' '' || b, b)', 'crm.token_set_similarity(a || '' '' || b, b)');
SELECT what, round(ms, 1) AS ms, round((ms - (SELECT ms FROM result WHERE what LIKE '(%')) / :rows * 1e6) AS "ns a pair, scan deducted",
       round((SELECT ms FROM result WHERE what = 'fuzzystrmatch levenshtein(a, b)') / nullif(ms, 0), 1) AS "times as fast as fuzzystrmatch, scan and all"
FROM result ORDER BY position;
