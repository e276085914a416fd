-- Finding duplicates among :rows / 5 contacts, of whom a third are duplicates:
-- training and a whole run of the proposed model; then pairs compared a second
-- beside what one would do without us on the same three blocks, a UNION of three
-- joins and levenshtein() of fuzzystrmatch.
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET crm.match_memory = '4GB';
SELECT FROM crm.install();
CREATE EXTENSION fuzzystrmatch;
CREATE TABLE list AS SELECT
    ARRAY['Александр','Сергей','Дмитрий','Андрей','Алексей','Максим','Евгений','Иван','Михаил','Николай','Павел','Роман','Виктор','Игорь','Олег','Анна','Мария','Елена','Ольга','Наталья',
          'Robert','William','James','Elizabeth','Margaret','Thomas','Richard','Michael','Katherine','Edward','Susan','Andrew','Daniel','Laura','Helen','Peter','Paul','Emma','Grace','Alice'] AS given,
    ARRAY['Иван','Петр','Сидор','Кузнец','Смирн','Поп','Василь','Сокол','Михайл','Нов','Федор','Мороз','Волк','Алексе','Лебед','Семен','Егор','Павл','Козл','Степан',
          'Hart','Wood','Brad','Clif','Dun','East','Fair','Green','Hill','Kings','Lang','Mid','North','Oak','Pen','Red','Stan','Thorn','Wal','West'] AS stem,
    ARRAY['ов','ев','ин','цов','ский','енко','овский','ников','чук','ян','ford','ton','ley','well','worth','man','field','wood','burn','by'] AS ending;
CREATE TABLE person AS
WITH p AS (
    SELECT i, hashint4(i) & 2147483647 AS r, hashint4(i + 1000000007) & 2147483647 AS q FROM generate_series(1, (:rows / 5 * 3 / 4)::integer) i
), named AS (
    SELECT i, given[1 + r % 20 + CASE WHEN q % 2 = 0 THEN 0 ELSE 20 END] AS given_name,
           stem[1 + r / 20 % 20 + CASE WHEN q % 2 = 0 THEN 0 ELSE 20 END] || chr(CASE WHEN q % 2 = 0 THEN 1072 + r / 400 % 32 ELSE 97 + r / 400 % 26 END) || ending[1 + r / 12800 % 10 + CASE WHEN q % 2 = 0 THEN 0 ELSE 10 END] AS family_name,
           date '1940-01-01' + (hashint4(i + 77) & 2147483647) % 25000 AS birth_date, '+7916' || lpad((i::bigint * 7877 % 10000000)::text, 7, '0') AS phone, 'c' || q % 97 AS city, r, q
    FROM p, list
)
SELECT i * 2::bigint + copy AS id, CASE WHEN copy = 1 AND q % 5 = 0 THEN left(given_name, 1) || '.' ELSE given_name END AS given_name,
       CASE WHEN copy = 1 AND q % 5 = 1 THEN overlay(family_name placing '' from 3 for 1) ELSE family_name END AS family_name,
       CASE WHEN copy = 1 AND q % 5 = 2 THEN birth_date + 1 ELSE birth_date END AS birth_date,
       CASE WHEN copy = 0 OR q % 3 = 0 THEN lower(crm.translit(family_name)) || i || '@example.com' END AS email,
       CASE WHEN copy = 0 OR q % 3 <> 1 THEN phone END AS phone, city
FROM named, generate_series(0, CASE WHEN i % 3 = 0 THEN 1 ELSE 0 END) copy;
ALTER TABLE person ADD PRIMARY KEY (id);
ANALYZE person;
SELECT count(*) || ' records' FROM person;

SELECT FROM crm.create_match_model('proposed', 'person');
SELECT clock_timestamp() AS began \gset
SELECT FROM crm.train_match_model('proposed');
SELECT 'train: ' || round(extract(epoch FROM clock_timestamp() - :'began')::numeric, 2) || ' s';
SELECT clock_timestamp() AS began \gset
SELECT compared, pairs, clusters FROM crm.dedupe('proposed') \gset
SELECT extract(epoch FROM clock_timestamp() - :'began') AS s \gset
SELECT format('dedupe: %s s, %s pairs compared, %s a second with reading and writing; %s pairs and %s clusters stored',
              round(:s::numeric, 2), :compared, round(:compared / :s::numeric), :pairs, :clusters);

-- The same three blocks by both.
SELECT FROM crm.create_match_model('three', 'person', spec => jsonb_set(crm.propose_match_model('person'), '{blocking}', '[["email"], ["phone"], ["person:family"]]') || '{"pairs_per_record": 1000, "block_limit": 100000}');
SELECT FROM crm.train_match_model('three');
SELECT clock_timestamp() AS began \gset
SELECT count(*) AS ours FROM crm.match_pairs('three', 0) \gset
SELECT extract(epoch FROM clock_timestamp() - :'began') AS our_s \gset
SELECT sum(pairs) AS our_pairs FROM crm.dedup_plan('three') \gset
SET work_mem = '1GB';
SELECT clock_timestamp() AS began \gset
SELECT count(*) AS their_pairs,
       count(*) FILTER (WHERE (levenshtein(lower(a.given_name), lower(b.given_name)) <= 2)::int + (levenshtein(lower(a.family_name), lower(b.family_name)) <= 2)::int
                              + (a.birth_date = b.birth_date)::int + coalesce((a.phone = b.phone)::int, 0) + coalesce((a.email = b.email)::int, 0) + (a.city = b.city)::int >= 4) AS theirs
FROM (SELECT a.id AS l, b.id AS r FROM person a JOIN person b ON b.email = a.email AND b.id > a.id
      UNION SELECT a.id, b.id FROM person a JOIN person b ON b.phone = a.phone AND b.id > a.id
      UNION SELECT a.id, b.id FROM person a JOIN person b ON lower(b.family_name) = lower(a.family_name) AND b.id > a.id) p
JOIN person a ON a.id = l JOIN person b ON b.id = r \gset
SELECT extract(epoch FROM clock_timestamp() - :'began') AS their_s \gset
SELECT format('three blocks: ours %s s for %s pairs (those of several blocks counted in each); joins and levenshtein %s s for %s pairs (one rule of thumb, no weights); joins / ours %s',
              round(:our_s::numeric, 2), :our_pairs, round(:their_s::numeric, 2), :their_pairs, round((:their_s / :our_s)::numeric, 1));
