-- Aliases of given names: table crm.name_alias as crm.install() fills it.
BEGIN;
SELECT crm.install() IS NOT NULL AS installed;
SELECT count(DISTINCT name) >= 220 AS groups, count(*) >= 1900 AS rows, count(*) FILTER (WHERE alias = name AND kind <> 'name') AS misplaced,
       count(*) FILTER (WHERE alias ~ '\s|^$') AS malformed
FROM crm.name_alias;
-- Every group has its own name in it, and finds itself.
SELECT name FROM crm.name_alias GROUP BY name HAVING count(*) FILTER (WHERE kind = 'name') <> 1;
SELECT name, alias FROM crm.name_alias WHERE NOT name = ANY (crm.name_full_names(alias));
-- The index serves.
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT name FROM crm.name_alias WHERE crm.name_key(alias) = ANY (crm.name_keys('Sasha'));
RESET enable_seqscan;

SELECT crm.name_aliases('Вадик');
SELECT crm.name_aliases('Vova') @> '{Владимир,Володя,Volodymyr,Вовка}' AS cross_script;
SELECT crm.name_aliases('Саша') @> '{Александр,Александра,Alexander,Sandra}' AS both_sexes;
SELECT n, crm.name_full_names(n) FROM unnest(ARRAY['Саша', 'Sasha', 'саша', 'Sacha', 'Aleksandr', 'Alexandre', 'Женя', 'Слава', 'Bill', 'Анна', 'Яна', 'Anna', 'Yana',
    'Mike', 'Mischa', 'Зигизмунд', '', '-']) AS n;
SELECT a, b, crm.name_full_names(a) && crm.name_full_names(b) AS related
FROM (VALUES ('Александр', 'Alexander'), ('Sasha', 'Александр'), ('Юлия', 'Julia'), ('Михаил', 'Michael'), ('Bill', 'William'),
    ('Peggy', 'Margaret'), ('Hans', 'Johann'), ('Женя', 'Eugene'), ('Дима', 'Dmytro'), ('Bob', 'Rupert'),
    ('Иван', 'Пётр'), ('Anna', 'Ivan'), ('Анна', 'Яна'), ('Maria', 'Mark')) AS t (a, b);
SELECT crm.name_aliases('Зигизмунд'), crm.name_aliases(''), crm.name_aliases(NULL);
-- Rows of one's own count.
INSERT INTO crm.name_alias (name, alias) VALUES ('Зигизмунд', 'Зигизмунд'), ('Зигизмунд', 'Зига');
SELECT crm.name_aliases('Ziga');
-- Without the table.
DROP TABLE crm.name_alias;
SELECT crm.name_aliases('Саша');
ROLLBACK;
