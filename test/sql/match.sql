-- Match models: duplicates in any table, learned from the table itself.  R-019 R-257
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SET LOCAL datestyle = 'ISO, DMY';
SET LOCAL client_min_messages = warning;
SET LOCAL crm.default_region = 'RU';
CREATE SCHEMA hall;
SET LOCAL search_path = hall, public;

-- ---- 420 persons, of whom 180 occur twice or three times, each time spoilt in another way
CREATE TABLE made AS
WITH list AS (
    SELECT ARRAY['Александр','Сергей','Дмитрий','Андрей','Алексей','Максим','Евгений','Иван','Михаил','Николай','Павел','Роман','Виктор','Игорь','Олег'] AS ru_given,
           ARRAY['Саша','Серёжа','Дима','Андрюша','Лёша','Макс','Женя','Ваня','Миша','Коля','Паша','Рома','Витя','Гоша','Олежек'] AS ru_short,
           ARRAY['Иванов','Петров','Сидоров','Кузнецов','Смирнов','Попов','Васильев','Соколов','Михайлов','Новиков','Фёдоров','Морозов','Волков','Алексеев','Лебедев','Семёнов',
                 'Егоров','Павлов','Козлов','Степанов','Николаев','Орлов','Андреев','Макаров','Никитин','Захаров','Зайцев','Соловьёв','Борисов','Яковлев','Щербаков'] AS ru_family,
           ARRAY['Robert','William','James','Elizabeth','Margaret','Thomas','Richard','Michael','Katherine','Edward','Susan','Andrew','Daniel','Laura','Helen'] AS en_given,
           ARRAY['Bob','Bill','Jim','Liz','Peggy','Tom','Dick','Mike','Kate','Ted','Sue','Andy','Dan','Laurie','Nell'] AS en_short,
           ARRAY['Smith','Johnson','Williams','Brown','Jones','Garcia','Miller','Davis','Wilson','Anderson','Taylor','Moore','Jackson','Martin','Lee','Thompson',
                 'White','Harris','Clark','Lewis','Robinson','Walker','Young','Allen','King','Wright','Scott','Torres','Nguyen','Hill','Flores'] AS en_family,
           ARRAY['Москва','Казань','Тула','London','Leeds','York'] AS city
), person AS (
    -- Every tenth person shares surname, address and phone with the one before of that language.
    SELECT p, p % 2 = 0 AS ru, p / 2 AS i, CASE WHEN p % 20 IN (12, 13) THEN p - 2 ELSE p END AS home FROM generate_series(0, 419) p
), named AS (
    SELECT p.*, (CASE WHEN ru THEN ru_given ELSE en_given END)[1 + i % 15] AS given,
           (CASE WHEN ru THEN ru_short ELSE en_short END)[1 + i % 15] AS short,
           (CASE WHEN ru THEN ru_family ELSE en_family END)[1 + (home / 2 + home / 30) % 31] AS family,
           date '1950-02-02' + p * 7919 % 18250 AS born,
           CASE WHEN ru THEN l.city[1 + home % 3] ELSE l.city[4 + home % 3] END AS city,
           '+7916' || lpad((home * 787717 % 10000000)::text, 7, '0') AS phone,
           CASE WHEN ru THEN 'ул. ' || ru_family[1 + home % 31] || 'а, ' ELSE en_family[1 + home % 31] || ' Street ' END || 1 + home % 97 AS address
    FROM person p, list l
), copied AS (
    SELECT n.*, copy, CASE WHEN copy = 0 THEN 0 ELSE 1 + (p / 3 + copy) % 8 END AS fault
    FROM named n, generate_series(0, CASE WHEN p % 7 = 0 THEN 2 WHEN p % 7 IN (2, 4) THEN 1 ELSE 0 END) copy
), spoilt AS (
    SELECT p, copy, fault,
           CASE fault WHEN 1 THEN CASE WHEN ru THEN crm.translit(given) ELSE given END WHEN 2 THEN short WHEN 3 THEN family WHEN 5 THEN left(given, 1) || '.' WHEN 6 THEN upper(given) ELSE given END AS given_name,
           CASE fault WHEN 1 THEN CASE WHEN ru THEN crm.translit(family) ELSE family END WHEN 3 THEN given WHEN 4 THEN overlay(family placing substr(family, 3, 1) || substr(family, 2, 1) from 2 for 2) ELSE family END AS family_name,
           CASE fault WHEN 4 THEN NULL WHEN 5 THEN NULL WHEN 7 THEN born + 1 ELSE born END AS birth_date,
           CASE WHEN p % 5 = 4 AND fault <> 4 OR fault IN (1, 8) THEN NULL
                ELSE lower(crm.translit(given)) || '.' || lower(crm.translit(family)) || p || CASE fault WHEN 6 THEN '+shop@gmail.com' ELSE '@gmail.com' END END AS email,
           CASE WHEN fault = 2 THEN NULL WHEN fault = 7 THEN '8' || substr(phone, 3) WHEN fault = 8 THEN '+7495' || lpad((p * 7877 % 10000000)::text, 7, '0') ELSE phone END AS phone,
           city, CASE WHEN fault IN (3, 8) THEN NULL ELSE address END AS address
    FROM copied
)
SELECT (row_number() OVER (ORDER BY md5(p || '/' || copy)))::bigint AS id, p AS person, fault, given_name, family_name, birth_date, email, phone, city, address FROM spoilt;
CREATE TABLE person AS SELECT id, given_name, family_name, birth_date, email, phone, city, address FROM made ORDER BY id;
ALTER TABLE person ADD PRIMARY KEY (id);
ANALYZE person;
CREATE VIEW truth AS
    SELECT least(a.id, b.id)::text AS left_id, greatest(a.id, b.id)::text AS right_id, greatest(a.fault, b.fault) AS fault FROM made a JOIN made b ON b.person = a.person AND b.id > a.id;
SELECT count(*) AS records, count(DISTINCT person) AS persons, (SELECT count(*) FROM truth) AS true_pairs FROM made;

-- ---- a model by the names of the columns
SELECT jsonb_pretty(crm.propose_match_model('person') -> 'fields' -> 0) AS first_field;
SELECT f ->> 'name' AS field, f ->> 'comparator' AS comparator, f ->> 'expression' AS expression, f ->> 'shared' AS shared FROM jsonb_array_elements(crm.propose_match_model('person') -> 'fields') f;
SELECT jsonb_array_length(crm.propose_match_model('person') -> 'blocking') > 10 AS has_rules;
SELECT crm.create_match_model('persons', 'person');
SELECT name, relation, entity, id_columns, version, threshold, review_threshold FROM crm.match_model WHERE name = 'persons';
-- What people call their columns.
CREATE TABLE odd (number integer PRIMARY KEY, "Фамилия" text, "Имя" text, "Дата_рождения" date, "E-mail" text, "Телефон" text, "ИНН" text, note text);
SELECT f ->> 'name' AS field, f ->> 'comparator' AS comparator, f ->> 'expression' AS expression FROM jsonb_array_elements(crm.propose_match_model('odd') -> 'fields') f;
CREATE TABLE dates (id integer, person text, by integer, bm integer, bd integer, mail_1 text, email_2 text, tel text[]);
SELECT f ->> 'name' AS field, f ->> 'comparator' AS comparator, f ->> 'expression' AS expression, f ->> 'max_values' AS "values" FROM jsonb_array_elements(crm.propose_match_model('dates') -> 'fields') f;
CREATE TABLE firm (id integer, legal_name text, street text, house text, zip text, city text, country text, website text);
SELECT f ->> 'name' AS field, f ->> 'comparator' AS comparator, f ->> 'expression' AS expression, f ->> 'dependent_group' AS grp FROM jsonb_array_elements(crm.propose_match_model('firm') -> 'fields') f;
CREATE TABLE nothing (id integer, a boolean, b bytea);
SELECT crm.propose_match_model('nothing');
SELECT crm.create_match_model('nothing', 'nothing');

-- ---- training
SELECT crm.explain_match('persons', '1', '2');  -- not yet
SELECT crm.train_match_model('persons', seed => 7), crm.train_match_model('persons', seed => 7);
SELECT version, seed, records, sampled_pairs, blocked_pairs > 1000 AS blocked, expected_matches BETWEEN 150 AND 350 AS expected, lambda BETWEEN 0.0005 AND 0.002 AS lambda,
       lambda_household > 0 AS households, labels, key_version = crm.match_key_version() AS current, trained_by = current_user AS by FROM crm.match_version WHERE model = 'persons' ORDER BY version;
-- The same rows and seed give the same parameters to the last bit ...
CREATE VIEW parameters AS
    SELECT model, version, 'level' AS kind, field, level, label, float8send(m) AS a, float8send(u) AS b, float8send(weight) AS c, float8send(h) AS d, float8send(household_weight) AS e FROM crm.match_level
    UNION ALL SELECT model, version, 'frequency', field, part, NULL, packed, float8send(agreement), int8send(total), NULL, NULL FROM crm.match_frequency
    UNION ALL SELECT model, version, 'yield', rule, NULL, is_used::text, float8send(pairs), float8send(expected_matches), float8send(expected_alone), NULL, NULL FROM crm.match_rule_yield
    UNION ALL SELECT model, version, 'version', NULL, NULL, NULL, float8send(lambda), float8send(lambda_household), float8send(expected_matches), int8send(blocked_pairs), NULL FROM crm.match_version;
CREATE FUNCTION differing(model_1 text, version_1 integer, model_2 text, version_2 integer, OUT parameters bigint, OUT different bigint) LANGUAGE sql AS $$
    WITH x AS (SELECT to_jsonb(p) - 'model' - 'version' AS p FROM parameters p WHERE model = $1 AND version = $2), y AS (SELECT to_jsonb(p) - 'model' - 'version' AS p FROM parameters p WHERE model = $3 AND version = $4)
    SELECT (SELECT count(*) FROM x), (SELECT count(*) FROM ((TABLE x EXCEPT TABLE y) UNION ALL (TABLE y EXCEPT TABLE x)) z)
$$;
SELECT parameters > 50 AS parameters, different FROM differing('persons', 1, 'persons', 2);
-- ... in whatever order the rows lie on disk.
CREATE TABLE shuffled AS SELECT * FROM person ORDER BY random();
SELECT crm.create_match_model('shuffled', 'shuffled');
SELECT crm.train_match_model('shuffled', 7) AS version;
SELECT different FROM differing('persons', 2, 'shuffled', 1);
-- Weights never rise from a level to a lesser one where levels are ordered; both shares add up to one.
SELECT count(*) AS fields, count(*) FILTER (WHERE abs(m - 1) > 1e-9) AS m_not_1, count(*) FILTER (WHERE abs(u - 1) > 1e-2) AS u_not_1
FROM (SELECT sum(m) AS m, sum(u) AS u FROM crm.match_level WHERE model = 'persons' AND version = 2 GROUP BY field) x;
SELECT count(*) FROM crm.match_level a JOIN crm.match_level b USING (model, version, field) JOIN crm.match_field f ON f.model = a.model AND f.position = a.field
WHERE a.model = 'persons' AND b.level = a.level + 1 AND b.weight > a.weight AND f.comparator NOT IN ('person', 'date');
SELECT l.level, l.label, round(l.weight) > 0 AS speaks_for FROM crm.match_level l WHERE l.model = 'persons' AND l.version = 2 AND l.field = 1 ORDER BY l.level;

-- ---- pairs and clusters
CREATE TABLE pair AS SELECT * FROM crm.match_pairs('persons', -10);
SELECT count(*) > 200 AS enough, count(*) FILTER (WHERE left_id::bigint >= right_id::bigint) AS out_of_order, count(*) - count(DISTINCT (left_id, right_id)) AS twice,
       count(*) FILTER (WHERE abs(probability - 1 / (1 + 2 ^ -weight)) > 1e-12) AS wrong_probability FROM pair;
SELECT count(*) = (SELECT count(*) FROM pair WHERE weight >= 3) AS bounded FROM crm.match_pairs('persons', 3);
-- Each kind of fault is found, households are not.
SELECT t.fault, (ARRAY['transliterated', 'short name', 'names swapped', 'surname misspelt', 'initial', 'small and capital', 'a day apart', 'other phone'])[t.fault] AS spoilt, count(*) AS pairs, count(*) FILTER (WHERE p.weight >= 0) >= 0.8 * count(*) AS found
FROM truth t LEFT JOIN pair p USING (left_id, right_id) GROUP BY 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE t.left_id IS NOT NULL) >= 0.9 * (SELECT count(*) FROM truth) AS recall, count(*) FILTER (WHERE t.left_id IS NULL) <= 0.05 * count(*) AS precision
FROM pair p LEFT JOIN truth t USING (left_id, right_id) WHERE weight >= 0;
CREATE TABLE member AS SELECT * FROM crm.match_clusters('persons');
SELECT count(*) AS members, count(DISTINCT id) AS ids, count(*) FILTER (WHERE cluster_id::bigint > id::bigint) AS not_the_first, count(DISTINCT cluster_id) BETWEEN 410 AND 440 AS clusters FROM member;
SELECT count(*) FILTER (WHERE a.person = b.person) >= 0.92 * (SELECT count(*) FROM truth) AS recall, count(*) FILTER (WHERE a.person <> b.person) <= 0.03 * count(*) AS precision
FROM member x JOIN member y ON y.cluster_id = x.cluster_id AND y.id::bigint > x.id::bigint JOIN made a ON a.id = x.id::bigint JOIN made b ON b.id = y.id::bigint;
-- A threshold that nothing reaches.
SELECT count(DISTINCT cluster_id) = count(*) AS all_alone FROM crm.match_clusters('persons', 500);

-- ---- explanations: what is added up is the weight, bit for bit, for all pairs
SELECT position, field, left_value, right_value, level, label, m > u AS for, round(level_weight + frequency_weight) IS NOT NULL AS weighed
FROM crm.explain_match('persons', (SELECT left_id FROM truth WHERE fault = 1 ORDER BY left_id::bigint, right_id::bigint LIMIT 1), (SELECT right_id FROM truth WHERE fault = 1 ORDER BY left_id::bigint, right_id::bigint LIMIT 1));
SELECT count(*) > 200 AS pairs, count(*) FILTER (WHERE float8send(e.total) <> float8send(p.weight)) AS different
FROM pair p CROSS JOIN LATERAL (SELECT sum(contribution ORDER BY position) AS total FROM crm.explain_match('persons', p.left_id, p.right_id)) e;
SELECT crm.explain_match('persons', '1', '100000');
SELECT crm.explain_match('persons', 'one', '2');

-- ---- the whole of it, again and again
CREATE TABLE run AS SELECT * FROM crm.dedupe('persons');
SELECT version, records, compared > 1000 AS compared, pairs = added AS all_new, clusters BETWEEN 140 AND 190 AS clusters, withdrawn FROM run;
SELECT count(*) = (SELECT pairs FROM run) AS stored, bool_and(p.weight = q.weight AND p.probability = q.probability AND p.version = 2 AND p.status = 'new') AS same
FROM crm.match_pair p JOIN pair q USING (left_id, right_id) WHERE p.model = 'persons';
SELECT count(*) = (SELECT count(*) FROM (SELECT count(*) OVER (PARTITION BY cluster_id) AS n FROM member) x WHERE n > 1) AS stored FROM crm.match_cluster WHERE model = 'persons';
SELECT records, added, withdrawn FROM crm.dedupe('persons');
SELECT count(*) AS runs, count(DISTINCT found) AS found, max(id) > min(id) AS numbered FROM crm.match_run WHERE model = 'persons';
-- A row that goes takes its new pairs along.
SELECT left_id AS victim FROM crm.match_pair WHERE model = 'persons' AND in_cluster ORDER BY weight DESC, left_id LIMIT 1 \gset
DELETE FROM person WHERE id = :victim;
SELECT withdrawn > 0 AS withdrawn, added FROM crm.dedupe('persons');
SELECT count(*) FROM crm.match_pair WHERE model = 'persons' AND :'victim' IN (left_id, right_id);
INSERT INTO person SELECT id, given_name, family_name, birth_date, email, phone, city, address FROM made WHERE id = :victim;
SELECT withdrawn, added > 0 AS added FROM crm.dedupe('persons');
-- The plan: rules, keys, pairs.
SELECT count(*) = (SELECT count(*) FROM crm.blocking_rule WHERE model = 'persons') AS rules, sum(pairs) >= (SELECT compared FROM run) AS at_least, max(large_blocks) AS large, max(left_out) AS left_out FROM crm.dedup_plan('persons');
SELECT parts, keys = (SELECT count(email) FROM person) AS keys FROM crm.dedup_plan('persons') WHERE parts = 'email';
SELECT parts, pairs = (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM person GROUP BY birth_date HAVING birth_date IS NOT NULL) x) AS pairs FROM crm.dedup_plan('persons') WHERE parts = 'birth_date';

-- ---- what people say
SELECT left_id AS no_1, right_id AS no_2 FROM crm.match_pair JOIN truth USING (left_id, right_id) WHERE model = 'persons' AND in_cluster ORDER BY weight DESC, left_id LIMIT 1 \gset
SELECT crm.label_pair('persons', :'no_2', :'no_1', false);          -- in whatever order
SELECT status, decided_by = session_user AS by FROM crm.match_pair WHERE model = 'persons' AND left_id = :'no_1' AND right_id = :'no_2';
SELECT added, withdrawn FROM crm.dedupe('persons');
SELECT status FROM crm.match_pair WHERE model = 'persons' AND left_id = :'no_1' AND right_id = :'no_2';
SELECT count(DISTINCT cluster_id) AS clusters FROM crm.match_clusters('persons') WHERE id IN (:'no_1', :'no_2');
SELECT min(id)::text AS yes_1, max(id)::text AS yes_2 FROM made WHERE fault = 0 AND person IN (1, 11) \gset
SELECT count(*) AS before FROM crm.match_pairs('persons') WHERE left_id = :'yes_1' AND right_id = :'yes_2';
SELECT crm.label_pair('persons', :'yes_1', :'yes_2', true);
SELECT count(DISTINCT cluster_id) AS clusters FROM crm.match_clusters('persons') WHERE id IN (:'yes_1', :'yes_2');
SELECT crm.dedupe('persons') IS NOT NULL AS run;
SELECT count(DISTINCT cluster_id) AS clusters FROM crm.match_cluster WHERE model = 'persons' AND id IN (:'yes_1', :'yes_2');
SELECT * FROM crm.match_decisions('persons') ORDER BY is_match;
SELECT crm.train_match_model('persons', 7) AS version;
SELECT labels FROM crm.match_version WHERE model = 'persons' AND version = 3;
SELECT different > 0 AS learned FROM differing('persons', 2, 'persons', 3);
SELECT crm.label_pair('persons', :'yes_1', :'yes_2', NULL), crm.label_pair('persons', :'no_1', :'no_2', NULL);
SELECT count(*) FROM crm.match_decisions('persons');
SELECT status, decided_at, decided_by FROM crm.match_pair WHERE model = 'persons' AND left_id = :'no_1' AND right_id = :'no_2';
SELECT crm.train_match_model('persons', 7) AS version;
SELECT different FROM differing('persons', 2, 'persons', 4);
SELECT crm.label_pair('persons', '1', '1', true);
SELECT crm.label_pair('persons', '1', NULL, true);
SELECT crm.label_pair('nobody', '1', '2', true);

-- ---- numbers of any type name the same rows
CREATE TABLE by_text AS SELECT 'p-' || id AS id, given_name, family_name, birth_date, email, phone, city, address FROM person;
CREATE TABLE by_uuid AS SELECT md5(id::text)::uuid AS id, given_name, family_name, birth_date, email, phone, city, address FROM person;
CREATE TABLE by_two AS SELECT (id / 100)::integer AS a, 'x,' || id % 100 AS b, given_name, family_name, birth_date, email, phone, city, address FROM person;
SELECT crm.create_match_model('by_text', 'by_text', spec => crm.propose_match_model('person')), crm.create_match_model('by_uuid', 'by_uuid', spec => crm.propose_match_model('person')),
       crm.create_match_model('by_two', 'by_two', 'a, b', crm.propose_match_model('person'));
SELECT crm.train_match_model('by_text', 7), crm.train_match_model('by_uuid', 7), crm.train_match_model('by_two', 7);
SELECT m, different FROM unnest(ARRAY['by_text', 'by_uuid', 'by_two']) m, differing('persons', 4, m, 1);
CREATE FUNCTION same_pairs(model text, name_of text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    same boolean;
BEGIN
    EXECUTE format('WITH x AS (SELECT least(a, b) AS a, greatest(a, b) AS b, weight FROM (SELECT (SELECT %1$s FROM person WHERE id = left_id::bigint) AS a, (SELECT %1$s FROM person WHERE id = right_id::bigint) AS b, weight FROM pair WHERE weight >= 0) p),
        y AS (SELECT least(left_id, right_id), greatest(left_id, right_id), weight FROM crm.match_pairs(%2$L))
        SELECT NOT EXISTS ((TABLE x EXCEPT TABLE y) UNION ALL (TABLE y EXCEPT TABLE x)) AND EXISTS (TABLE x)', name_of, model) INTO same;
    RETURN same;
END
$$;
SELECT same_pairs('by_text', $$'p-' || id$$) AS by_text, same_pairs('by_uuid', 'md5(id::text)::uuid::text') AS by_uuid, same_pairs('by_two', $$ROW((id / 100)::integer, 'x,' || id % 100)::text$$) AS by_two;
SELECT id, cluster_id FROM crm.match_clusters('by_two') WHERE id <> cluster_id ORDER BY id LIMIT 1;
SELECT left_id, right_id FROM crm.match_pairs('by_two') ORDER BY weight DESC, left_id LIMIT 1 \gset
SELECT count(*) > 5 AS explained FROM crm.explain_match('by_two', :'left_id', :'right_id');

-- ---- several addresses and numbers a row
CREATE TABLE many AS
SELECT p.id, p.given_name, p.family_name, p.birth_date, ARRAY['shared' || p.id % 3 || '@example.com', p.email] AS emails,
       CASE WHEN p.phone IS NOT NULL THEN ARRAY[p.phone, '+7800' || lpad((p.id * 7919 % 10000000)::text, 7, '0')]::crm.phone[] END AS phones FROM person p;
SELECT crm.create_match_model('many', 'many');
SELECT name, expression, max_values FROM crm.match_field WHERE model = 'many' ORDER BY position;
SELECT records, clusters BETWEEN 130 AND 190 AS clusters FROM crm.dedupe('many');
SELECT field, left_value, right_value, label FROM crm.explain_match('many', (SELECT left_id FROM truth WHERE fault = 6 ORDER BY left_id::bigint LIMIT 1), (SELECT right_id FROM truth WHERE fault = 6 ORDER BY left_id::bigint LIMIT 1)) WHERE field IN ('email', 'phone');

-- ---- other processes help, and what they find is the same
CREATE TABLE wide AS SELECT n AS id, 'k' || n % 4 AS k, md5((n / 2)::text) AS code, 'w' || n / 2 % 300 || ' v' || n / 2 % 7 AS words FROM generate_series(1, 3000) n;
SELECT crm.create_match_model('wide', 'wide', spec => '{"fields": [{"name": "k", "expression": "k", "comparator": "exact"}, {"name": "code", "expression": "code", "comparator": "text"}, {"name": "words", "expression": "words", "comparator": "words"}],
    "blocking": [["k"], ["words:rare"], ["code:prefix3"]], "pairs_per_record": 1000, "block_limit": 5000}');
SELECT sum(pairs) > 1000000 AS enough FROM crm.dedup_plan('wide');
SET LOCAL crm.match_workers = 0;
SELECT crm.train_match_model('wide') AS version;
CREATE TABLE alone AS SELECT * FROM crm.match_pairs('wide', -5);
CREATE TABLE run_alone AS SELECT compared, pairs, clusters FROM crm.dedupe('wide');
SET LOCAL crm.match_workers = 2;
SELECT crm.train_match_model('wide') AS version;
SELECT different FROM differing('wide', 1, 'wide', 2);
CREATE TABLE helped AS SELECT * FROM crm.match_pairs('wide', -5);
SELECT count(*) > 1000 AS pairs, (SELECT count(*) FROM ((TABLE alone EXCEPT TABLE helped) UNION ALL (TABLE helped EXCEPT TABLE alone)) x) AS different FROM helped;
SELECT d.compared = a.compared AND d.pairs = a.pairs AND d.clusters = a.clusters AS same FROM crm.dedupe('wide') d, run_alone a;

-- ---- a run can be cancelled at any time
CREATE TABLE vast AS SELECT n AS id, 'k' || n / 2 % 120 AS k, md5((n / 2)::text) AS code FROM generate_series(1, 60000) n;
SELECT crm.create_match_model('vast', 'vast', spec => '{"fields": [{"name": "k", "expression": "k", "comparator": "exact"}, {"name": "code", "expression": "code", "comparator": "text"}], "blocking": [["k"]], "pairs_per_record": 100000, "block_limit": 100000}');
SET LOCAL statement_timeout = '50ms';
SELECT crm.dedupe('vast');
SET LOCAL crm.match_workers = 0;
SELECT crm.train_match_model('vast');
RESET statement_timeout;
SELECT count(*) FROM crm.v_match_progress WHERE pid = pg_backend_pid();

-- ---- a block that is too large is divided and told
CREATE TABLE desk AS SELECT id, given_name, family_name, birth_date, '+74950000000' AS phone FROM person WHERE birth_date IS NOT NULL;
SELECT crm.create_match_model('desk', 'desk', spec => '{"fields": [{"name": "person", "expression": "ARRAY[given_name, family_name]", "comparator": "person", "decisive": true}, {"name": "birth", "expression": "birth_date", "comparator": "date"}, {"name": "phone", "expression": "phone", "comparator": "phone", "shared": true}],
    "blocking": [["phone"], ["person"], ["birth"]], "block_limit": 50}');
SELECT rule, parts, keys, large_blocks FROM crm.dedup_plan('desk');
SELECT records > 400 AS records, clusters > 30 AS clusters FROM crm.dedupe('desk');
SELECT rule, records = (SELECT count(*) FROM desk) AS all_of_them, example_id IN (SELECT id::text FROM desk) AS example, divided_by, left_out BETWEEN 0 AND records AS left_out FROM crm.match_block WHERE model = 'desk';

-- ---- what cannot be
CREATE FUNCTION told(sql text, OUT code text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE sql;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END
$$;
SELECT crm.train_match_model('nobody');
SELECT crm.dedupe('nobody');
SELECT crm.match_clusters('nobody');
SELECT crm.dedup_plan('nobody');
SELECT crm.drop_match_model('nobody');
SELECT crm.merge_clusters('nobody');
SELECT crm.merge_clusters('persons');
SELECT crm.create_match_model('persons', 'person');
SELECT crm.create_match_model('', 'person');
SELECT crm.create_match_model('x', 'person', 'number');
SELECT crm.create_match_model('x', 'person', 'id,');
SELECT crm.create_match_model('x', 'person', spec => '{"field": []}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [], "blocking": []}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city"}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "sound"}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "weight": 1}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "City!", "expression": "city", "comparator": "text"}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "max_values": 4}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}, {"name": "a", "expression": "city", "comparator": "exact"}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["b"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["a:year"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [[]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": ["a"]}');
SELECT crm.create_match_model('x', NULL);
SELECT crm.create_match_model('x', 'person', spec => '[]');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "max_values": "many"}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "decisive": "maybe"}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "thresholds": 0.9}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "thresholds": ["high"]}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "thresholds": [0.7, 0.9]}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "thresholds": [5]}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "id", "comparator": "number", "thresholds": [0.2, 0.1]}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "words", "thresholds": [0.9]}], "blocking": [["a"]]}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["a"]], "threshold": "high"}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["a"]], "block_limit": 2.5}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["a"]], "missing_weight": 6}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["a"]], "filter": 1}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["a"]], "entity": "person"}');
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [[{"a": 1}]]}');
SELECT * FROM told($$SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "town", "comparator": "text"}], "blocking": [["a"]]}')$$);
SELECT * FROM told($$SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city) FROM (", "comparator": "text"}], "blocking": [["a"]]}')$$);
SELECT count(*) AS left_over FROM crm.match_model WHERE name = 'x';
-- Null is as good as nothing; without id_column it is id, or the primary key.
SELECT crm.create_match_model('x', 'person', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text", "thresholds": null}, {"name": "b", "expression": "id", "comparator": "number", "thresholds": [0.1, 0.2]}], "blocking": [["a"]], "block_limit": null, "threshold": 1.5}');
SELECT name, thresholds FROM crm.match_field WHERE model = 'x' ORDER BY "position";
SELECT crm.drop_match_model('x');
CREATE TABLE keyed (b integer, "a,1" text, city text, PRIMARY KEY ("a,1", b));
SELECT crm.create_match_model('x', 'keyed', spec => '{"fields": [{"name": "a", "expression": "city", "comparator": "text"}], "blocking": [["a"]]}');
SELECT id_columns FROM crm.match_model WHERE name = 'x';
SELECT crm.drop_match_model('x');
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;
SELECT crm.create_match_model('x', 'keyed');
-- A column is renamed, a table dropped, between training and use.
ALTER TABLE shuffled RENAME city TO town;
SELECT * FROM told($$SELECT crm.match_pairs('shuffled')$$);
SELECT * FROM told($$SELECT crm.check_match_model('shuffled')$$);
ALTER TABLE shuffled RENAME town TO city;
SELECT * FROM told($$SELECT crm.check_match_model('shuffled')$$);
DROP TABLE shuffled;
SELECT * FROM told($$SELECT crm.match_pairs('shuffled')$$);
-- Trained by other rules of folding.
UPDATE crm.match_version SET key_version = key_version + 1 WHERE model = 'by_text';
SELECT crm.match_pairs('by_text');
SELECT crm.dedupe('by_text');
SELECT crm.train_match_model('by_text') AS version;
SELECT count(*) > 200 AS works_again FROM crm.match_pairs('by_text');
-- Frequencies that are not ours.
SAVEPOINT spoilt;
UPDATE crm.match_frequency SET packed = '\x0201' WHERE model = 'by_text' AND version = 2 AND field = 1 AND part = 0;
SELECT crm.match_pairs('by_text');
ROLLBACK TO spoilt;
-- Hardly a row, no duplicates, nothing but nulls.
CREATE TABLE few (LIKE person);
SELECT crm.create_match_model('few', 'few');
SELECT crm.train_match_model('few');
SELECT sum(keys) AS keys, sum(pairs) AS pairs FROM crm.dedup_plan('few');
INSERT INTO few VALUES (1, 'Anna', 'Field', '1990-05-06', 'anna@example.com', '+79160000001', 'Leeds', 'Low Street 1');
SELECT crm.train_match_model('few');
INSERT INTO few VALUES (2, 'Boris', 'Stone', '1970-07-08', 'boris@example.com', '+79160000002', 'York', 'High Street 2');
SELECT crm.train_match_model('few');
DELETE FROM few;
INSERT INTO few SELECT n, 'Anna', 'Field', '1990-05-06', 'anna@example.com', '+79160000001', 'Leeds', 'Low Street 1' FROM generate_series(1, 2) n;
SELECT crm.train_match_model('few');
INSERT INTO few SELECT n FROM generate_series(3, 40) n;
DELETE FROM few WHERE id < 3;
SELECT crm.dedupe('few');
-- Rows of nulls among others match nothing.
INSERT INTO by_uuid (id) SELECT md5('null' || n)::uuid FROM generate_series(1, 50) n;
SELECT count(*) FROM crm.match_pairs('by_uuid', -100) p JOIN by_uuid b ON b.id::text IN (p.left_id, p.right_id) WHERE b.family_name IS NULL;
SELECT count(*) AS alone FROM crm.match_clusters('by_uuid') c JOIN by_uuid b ON b.id::text = c.id WHERE b.family_name IS NULL AND c.id = c.cluster_id;
-- Ten megabytes of name, texts of anything.
INSERT INTO by_uuid (id, given_name, family_name, email, phone, birth_date) VALUES
    (md5('long')::uuid, repeat('Анна', 2500000), repeat('x', 1000000), repeat('@', 1000), repeat('9', 10000), NULL),
    (md5('odd')::uuid, E'\u200b\u202e', E'\t', '@', 'phone', '-infinity'), (md5('empty')::uuid, '', '', '', '', 'infinity');
SELECT count(*) FROM crm.match_clusters('by_uuid') WHERE id IN (md5('long')::uuid::text, md5('odd')::uuid::text, md5('empty')::uuid::text) AND id = cluster_id;
-- A row without a number, and numbers that occur twice.
INSERT INTO by_uuid (id) VALUES (NULL);
SELECT crm.match_pairs('by_uuid');
DELETE FROM by_uuid WHERE id IS NULL;
INSERT INTO by_text SELECT * FROM by_text WHERE id = 'p-1';
SELECT crm.match_pairs('by_text');
SELECT crm.dedupe('by_text');
-- Too little memory.
SET LOCAL crm.match_memory = '1MB';
SELECT crm.match_pairs('persons');
RESET crm.match_memory;
DO $$ BEGIN SET LOCAL crm.match_memory = '1kB'; EXCEPTION WHEN invalid_parameter_value THEN RAISE WARNING 'refused'; END $$;

-- ---- a role finds duplicates among the rows it may see
CREATE ROLE regress_match_clerk;
GRANT USAGE ON SCHEMA crm, hall TO regress_match_clerk;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO regress_match_clerk;
GRANT SELECT ON person TO regress_match_clerk;
-- Who may write what was found runs a model without a right to change it.
SAVEPOINT clerk;
GRANT INSERT, UPDATE, DELETE ON crm.match_pair, crm.match_cluster, crm.match_block, crm.match_run TO regress_match_clerk;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO regress_match_clerk;
SET LOCAL ROLE regress_match_clerk;
SELECT records > 400 AS records FROM crm.dedupe('persons');
UPDATE crm.match_model SET threshold = 0 WHERE name = 'persons';
ROLLBACK TO clerk;
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
CREATE POLICY russian ON person TO regress_match_clerk USING (city !~ '[A-Z]');
SET LOCAL ROLE regress_match_clerk;
CREATE TEMPORARY TABLE seen AS SELECT * FROM crm.match_pairs('persons');
SELECT crm.explain_match('persons', (SELECT min(id)::text FROM pg_temp.seen, LATERAL (SELECT 1 AS id) x), '99999');
RESET ROLE;
SELECT count(*) > 80 AS pairs, count(*) FILTER (WHERE a.city ~ '[A-Z]' OR b.city ~ '[A-Z]') AS of_others, count(*) < (SELECT count(*) FROM pair WHERE weight >= 0) AS fewer
FROM pg_temp.seen s JOIN made a ON a.id = s.left_id::bigint JOIN made b ON b.id = s.right_id::bigint;
SELECT id AS foreign_1 FROM made WHERE city = 'London' ORDER BY id LIMIT 1 \gset
SET LOCAL ROLE regress_match_clerk;
SELECT crm.explain_match('persons', :'foreign_1', '1');
SELECT crm.train_match_model('persons');
RESET ROLE;
REVOKE SELECT ON person FROM regress_match_clerk;
SET LOCAL ROLE regress_match_clerk;
SELECT crm.match_pairs('persons');
RESET ROLE;

-- What is used now, by the names of the fields.
SELECT DISTINCT field, comparator, field_position FROM crm.v_match_level WHERE model = 'persons' ORDER BY field_position;
SELECT count(*) = (SELECT count(*) FROM crm.match_level l JOIN crm.match_model m ON m.name = l.model AND m.version = l.version WHERE m.name = 'persons') AS all_of_them FROM crm.v_match_level WHERE model = 'persons';

-- ---- the queue of a reviewer: the most doubtful first, with both rows
SELECT records > 400 AS records FROM crm.dedupe('persons');
SELECT count(*) FROM crm.review_pairs('persons', 5);
SELECT bool_and(abs(weight) >= before) AS in_order, bool_and(left_record ->> 'id' = left_id AND right_record ->> 'id' = right_id AND left_record ? 'family_name') AS rows
FROM (SELECT *, coalesce(lag(abs(weight)) OVER (ROWS UNBOUNDED PRECEDING), 0) AS before FROM crm.review_pairs('persons', 50)) r;
SELECT count(*) > 0 AS some, min(weight) >= 1 AND max(weight) <= 20 AS between FROM crm.review_pairs('persons', 50, 1, 20);
SELECT left_id AS review_l, right_id AS review_r FROM crm.review_pairs('persons', 1) \gset
SELECT crm.label_pair('persons', :'review_r', :'review_l', true);
SELECT count(*) FROM crm.review_pairs('persons', 1000) WHERE (left_id, right_id) = (:'review_l', :'review_r');
SELECT status, decided_by IS NOT NULL AS decided FROM crm.v_match_pair WHERE model = 'persons' AND (left_id, right_id) = (:'review_l', :'review_r');
SELECT crm.dedupe('persons') IS NOT NULL AS run;
SELECT in_cluster, status FROM crm.v_match_pair WHERE model = 'persons' AND (left_id, right_id) = (:'review_l', :'review_r');
SELECT crm.label_pair('persons', :'review_l', :'review_r', NULL);
SELECT count(*) FROM crm.v_match_pair v JOIN crm.match_cluster a ON a.model = v.model AND a.id = v.right_id WHERE v.model = 'persons' AND v.cluster_id <> a.cluster_id;
-- Of a number of two columns.
CREATE TABLE two_part AS SELECT id % 7 AS part, id, given_name, family_name, birth_date, email, city FROM person;
ALTER TABLE two_part ADD PRIMARY KEY (part, id);
ANALYZE two_part;
SELECT crm.create_match_model('two_part', 'two_part', 'part, id');
SELECT pairs > 100 AS pairs FROM crm.dedupe('two_part');
SELECT count(*) AS rows, bool_and(left_id = format('(%s,%s)', left_record ->> 'part', left_record ->> 'id')) AS left_one, bool_and(right_id = format('(%s,%s)', right_record ->> 'part', right_record ->> 'id')) AS right_one FROM crm.review_pairs('two_part', 10);
-- Rows that are gone are not shown.
DELETE FROM two_part;
SELECT count(*) FROM crm.review_pairs('two_part');
DROP TABLE two_part;
SELECT crm.review_pairs('two_part');
SELECT crm.review_pairs('nobody');
SELECT crm.review_pairs('persons', 0);

-- ---- contacts: the ready-made model, clusters merged, refusals, undoing
SELECT count(*) AS contacts_before FROM crm.v_match_contact \gset
SELECT count(crm.create_contact(jsonb_strip_nulls(jsonb_build_object('given_name', given_name, 'family_name', family_name, 'birth_date', birth_date, 'email', email, 'phone', phone, 'city', city,
    'external_ref', jsonb_build_object('hall', id::text))))) AS made FROM (SELECT * FROM made WHERE person < 200 ORDER BY id) m;
CREATE TABLE contact_of AS SELECT r.contact_id, m.id, m.person FROM crm.external_ref r JOIN made m ON m.id::text = r.external_id WHERE r.system = 'hall';
DELETE FROM crm.external_ref WHERE system = 'hall';
SELECT records - :contacts_before = (SELECT count(*) FROM contact_of) AS records, clusters > 40 AS clusters, pairs = added AS all_new FROM crm.dedupe('contacts');
SELECT count(*) = (SELECT count(*) FROM crm.match_pair WHERE model = 'contacts') AS pairs_are_there, min(method) AS method, bool_and(contact_id < duplicate_id) AS in_order, bool_and(evidence ? 'weight') AS evidence FROM crm.duplicate_pair WHERE method = 'contacts';
-- One is told apart in the contacts' own table, and one has a proved account that differs.
SELECT contact_id AS apart_1, duplicate_id AS apart_2 FROM crm.duplicate_pair WHERE method = 'contacts' AND strength > 0.999 ORDER BY contact_id, duplicate_id LIMIT 1 \gset
SELECT crm.decide_duplicate(:apart_2, :apart_1, 'rejected');
SELECT p.status AS stored, v.status FROM crm.v_match_pair v JOIN crm.match_pair p USING (model, left_id, right_id) WHERE v.model = 'contacts' AND v.left_id = :'apart_1' AND v.right_id = :'apart_2';
SELECT contact_id AS proved_1, duplicate_id AS proved_2 FROM crm.duplicate_pair d JOIN crm.match_cluster c ON c.model = 'contacts' AND c.id = d.contact_id::text
WHERE method = 'contacts' AND strength > 0.999 AND status = 'new' AND (SELECT count(*) FROM crm.match_cluster x WHERE x.model = 'contacts' AND x.cluster_id = c.cluster_id) = 2 ORDER BY contact_id, duplicate_id LIMIT 1 \gset
INSERT INTO crm.contact_identity (contact_id, provider, external_id, verified_by) VALUES (:proved_1, 'vk', '1', 'agent'), (:proved_2, 'vk', '2', 'agent');
SELECT added, withdrawn FROM crm.dedupe('contacts');
SELECT count(DISTINCT cluster_id) + 2 - count(*) AS clusters FROM crm.match_cluster WHERE model = 'contacts' AND id IN (:'apart_1', :'apart_2');
-- A file that has a person twice gives two numbers: nothing is merged, unless said that they mean nothing.
SAVEPOINT numbered;
INSERT INTO crm.external_ref (contact_id, system, external_id) SELECT contact_id, 'hall', id::text FROM contact_of;
SELECT count(merge_id) AS merged, bool_and(skipped IS NOT NULL) AS skipped FROM crm.merge_clusters('contacts', 0.99, 20);
ROLLBACK TO numbered;
INSERT INTO crm.external_ref (contact_id, system, external_id) SELECT contact_id, 'hall', id::text FROM contact_of;
SELECT count(merge_id) > 15 AS merged FROM crm.merge_clusters('contacts', 0.99, 1000, ignore_sources => '{hall}');
ROLLBACK TO numbered;
CREATE TABLE merged AS SELECT * FROM crm.merge_clusters('contacts', 0.99, 1000);
SELECT count(*) > 20 AS done, count(merge_id) > 15 AS merged, count(*) FILTER (WHERE merge_id IS NULL AND skipped IS NULL) AS neither FROM merged;
SELECT regexp_replace(skipped, '\d+', 'N', 'g') AS skipped FROM merged WHERE skipped LIKE '%account%';
SELECT count(*) AS of_two_persons FROM merged m JOIN crm.contact c ON c.merged_into = m.survivor::bigint JOIN contact_of a ON a.contact_id = c.id JOIN contact_of b ON b.contact_id = m.survivor::bigint WHERE a.person <> b.person;
SELECT count(*) AS still_there FROM crm.contact WHERE id IN (:apart_1, :apart_2) AND merged_into IS NULL;
SELECT count(*) > 0 AS merged FROM crm.match_pair WHERE model = 'contacts' AND status = 'merged';
SELECT count(*) AS again FROM crm.merge_clusters('contacts', 0.99, 1000) WHERE merge_id IS NOT NULL;
-- Who was absorbed is not reviewed, and keeps no place in the queue.
SELECT count(*) = (SELECT count(*) FROM crm.v_match_pair v JOIN crm.contact l ON l.id::text = v.left_id AND l.deleted_at IS NULL
                   JOIN crm.contact r ON r.id::text = v.right_id AND r.deleted_at IS NULL WHERE v.model = 'contacts' AND v.status = 'new') AS all_living FROM crm.review_pairs('contacts', 100000);
-- Undone as a mistake the pair is not offered again; undone for another reason it is.
SELECT merge_id AS undone_1, survivor AS survivor_1, (SELECT min(id) FROM crm.contact WHERE merged_into = survivor::bigint) AS absorbed_1 FROM merged WHERE merge_id IS NOT NULL ORDER BY merge_id LIMIT 1 \gset
SELECT merge_id AS undone_2, survivor AS survivor_2, (SELECT min(id) FROM crm.contact WHERE merged_into = survivor::bigint) AS absorbed_2 FROM merged WHERE merge_id IS NOT NULL ORDER BY merge_id DESC LIMIT 1 \gset
SELECT count(*) AS conflicts FROM crm.unmerge(:undone_1, reject => true);
SELECT count(*) AS conflicts FROM crm.unmerge(:undone_2, reject => false);
SELECT crm.dedupe('contacts') IS NOT NULL AS run;
SELECT count(*) FROM crm.match_pair WHERE model = 'contacts' AND status = 'new' AND left_id::bigint IN (:survivor_1, :absorbed_1) AND right_id::bigint IN (:survivor_1, :absorbed_1);
SELECT status FROM crm.match_pair WHERE model = 'contacts' AND left_id::bigint IN (:survivor_2, :absorbed_2) AND right_id::bigint IN (:survivor_2, :absorbed_2);
SELECT count(*) FROM crm.match_cluster a JOIN crm.match_cluster b USING (model, cluster_id) WHERE model = 'contacts' AND a.id = :'survivor_1' AND b.id = :'absorbed_1';
SELECT crm.label_pair('contacts', :'proved_1', :'proved_2', false);
SELECT status FROM crm.duplicate_pair WHERE contact_id = :proved_1 AND duplicate_id = :proved_2;

-- ---- companies
INSERT INTO crm.company (name, city, address, tax_id)
SELECT w[1 + n % 15] || ' ' || v[1 + n / 15 % 8] || ' ' || n % 4, 'Leeds', w[1 + n % 13] || ' Street ' || n, NULL
FROM generate_series(1, 120) n, (SELECT ARRAY['North','South','Golden','Silver','Quick','Old','New','Royal','Urban','Green','Alpine','Coastal','Prime','Union','First'] AS w, ARRAY['Bakery','Foundry','Motors','Press','Textiles','Optics','Timber','Dairy'] AS v) x;
INSERT INTO crm.company (name, city, address) SELECT upper(name) || ' Ltd', city, address FROM crm.company WHERE address LIKE '% Street %' ORDER BY id LIMIT 40;
SELECT records >= 160 AS records, clusters >= 35 AS clusters FROM crm.dedupe('companies');
SELECT count(*) = (SELECT count(*) FROM crm.match_pair WHERE model = 'companies') AS same FROM crm.company_duplicate_pair WHERE method = 'companies';
SELECT company_id AS c_1, duplicate_id AS c_2 FROM crm.company_duplicate_pair ORDER BY strength DESC, company_id LIMIT 1 \gset
SELECT crm.label_pair('companies', :'c_1', :'c_2', false);
SELECT d.status, p.status FROM crm.company_duplicate_pair d JOIN crm.match_pair p ON p.model = 'companies' AND (p.left_id, p.right_id) = (d.company_id::text, d.duplicate_id::text) WHERE d.company_id = :c_1 AND d.duplicate_id = :c_2;
SELECT v.name = c.name AS name, v.duplicate_name = d.name AS duplicate_name, v.status, v.method FROM crm.v_company_duplicate v JOIN crm.company c ON c.id = v.company_id JOIN crm.company d ON d.id = v.duplicate_id ORDER BY v.strength DESC, v.company_id LIMIT 1;
SELECT count(*) FROM crm.v_company_duplicate WHERE company_id = :c_1 AND duplicate_id = :c_2;
SELECT crm.decide_company_duplicate(:c_2, :c_1, 'new');
SELECT count(*) FROM crm.v_company_duplicate WHERE company_id = :c_1 AND duplicate_id = :c_2;
SELECT crm.decide_company_duplicate(:c_2, :c_1, 'rejected');
SELECT crm.decide_company_duplicate(:c_2, :c_1, 'perhaps');
SELECT status FROM crm.v_match_pair WHERE model = 'companies' AND (left_id, right_id) = (:'c_1', :'c_2');
SELECT count(*) = 2 AS merged, count(merge_id) AS with_number FROM crm.merge_clusters('companies', 0.9, 2);

-- ---- the rest
SELECT attname FROM pg_attribute WHERE attrelid = 'crm.v_match_progress'::regclass AND attnum > 0 ORDER BY attnum;
SELECT count(*) FROM crm.v_match_progress WHERE pid = pg_backend_pid();
SELECT crm.drop_match_model('persons');
SELECT (SELECT count(*) FROM crm.match_pair WHERE model = 'persons') + (SELECT count(*) FROM crm.match_level WHERE model = 'persons') + (SELECT count(*) FROM crm.match_run WHERE model = 'persons') AS left_over;
ROLLBACK;
