-- Names in a server: each function beside one that gives its argument back.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE TABLE name AS
SELECT (ARRAY['Иванов','Щербаков','Цветкова','Юсупов','Чайковский','Жуковская','Ельцин','Шевченко',
    'Ivanov','Shcherbakov','Tsvetkova','Yusupov','Tchaikovsky','Zhukovskaya','Müller','Žukov'])[n % 16 + 1] AS surname,
    (ARRAY['Иванов Иван Иванович','Мария Сергеевна Щербакова','Цветкова Анна','Юсупов А.П.','John Smith','Ivanov Ivan','Dr. Jane Smith','Smith, John A.'])[n % 8 + 1] AS full_name
FROM generate_series(1, :rows) AS n;
VACUUM ANALYZE name;
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
        EXECUTE format('SELECT count(*) FROM (SELECT %s AS x FROM name OFFSET 0) AS q WHERE x IS NOT NULL', expression);
        ms := extract(epoch FROM clock_timestamp() - started) * 1000;
        best := least(best, ms);
    END LOOP;
    INSERT INTO result (what, ms) VALUES (what, best);
END
$$;
SELECT measure('(the scan alone)', 'surname');
SELECT measure('replace(surname, '''', ''''): gives its argument back', 'replace(surname, '''', '''')');
SELECT measure('surname || '''': copies it', 'surname || ''''');
SELECT measure('lower(surname)', 'lower(surname)');
SELECT measure('crm.name_key(surname)', 'crm.name_key(surname)');
SELECT measure('crm.name_key(full_name)', 'crm.name_key(full_name)');
SELECT measure('crm.name_full_key(full_name)', 'crm.name_full_key(full_name)');
SELECT measure('crm.name_keys(surname)', 'crm.name_keys(surname)');
SELECT measure('crm.translit(full_name)', 'crm.translit(full_name)');
SELECT measure('(crm.parse_name(full_name)).family', '(crm.parse_name(full_name)).family');
SELECT what, round(ms, 1) AS ms, round(ms / (SELECT ms FROM result WHERE what LIKE 'replace%'), 2) AS "times a no-op",
       round(:rows / ms / 1000, 2) AS "million rows a second"
FROM result ORDER BY position;
