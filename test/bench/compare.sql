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
CREATE TABLE result (position serial, what text, expression text, ms numeric);
INSERT INTO result (what, expression) VALUES
('(the scan alone)', 'a'),
('a = b', 'a = b'),
('fuzzystrmatch levenshtein(a, b)', 'levenshtein(a, b)'),
('fuzzystrmatch levenshtein_less_equal(a, b, 2)', 'levenshtein_less_equal(a, b, 2)'),
('fuzzystrmatch levenshtein(c, d), Cyrillic', 'levenshtein(c, d)'),
('pg_trgm similarity(a, b)', 'similarity(a, b)'),
('pg_trgm similarity(c, d), Cyrillic', 'similarity(c, d)'),
('crm.levenshtein(a, b)', 'crm.levenshtein(a, b)'),
('crm.levenshtein(a, b, 2)', 'crm.levenshtein(a, b, 2)'),
('crm.levenshtein(c, d), Cyrillic', 'crm.levenshtein(c, d)'),
('crm.osa_distance(a, b)', 'crm.osa_distance(a, b)'),
('crm.jaro_winkler(a, b)', 'crm.jaro_winkler(a, b)'),
('crm.jaro_winkler(c, d), Cyrillic', 'crm.jaro_winkler(c, d)'),
('crm.token_set_similarity(a || '' '' || b, b)', 'crm.token_set_similarity(a || '' '' || b, b)');
-- Rounds over all of them, so that what else the machine does falls on all alike.
DO $$
DECLARE
    this result;
    started timestamptz;
    took numeric;
BEGIN
    FOR round IN 1 .. 9 LOOP
        FOR this IN SELECT * FROM result ORDER BY position LOOP
            started := clock_timestamp();
            -- Counts the rows: what the expression gives is thrown away.
            EXECUTE format('SELECT count(*) FROM (SELECT %s AS x FROM pair OFFSET 0) AS q WHERE x IS NOT NULL', this.expression);
            took := extract(epoch FROM clock_timestamp() - started) * 1000;
            UPDATE result SET ms = least(ms, took) WHERE position = this.position;
        END LOOP;
    END LOOP;
END
$$;
\pset footer off
SELECT what, round(ms, 1) AS ms, round((ms - (SELECT ms FROM result WHERE what LIKE '(%')) / :rows * 1e6) AS "ns a pair, scan deducted",
       round((SELECT ms FROM result WHERE what = 'fuzzystrmatch levenshtein(a, b)') / ms, 1) AS "times as fast as its levenshtein(), scan included"
FROM result ORDER BY position;
