-- Names: keys, other letters, look-alikes.

-- One name in many spellings has one key.
SELECT spelling, crm.name_key(spelling) AS key
FROM unnest(ARRAY[
    'Щукин', 'Shchukin', 'Schukin', 'Ščukin', 'ЩУКИН', ' щукин ', 'Шукин',
    'Алексей', 'Alexey', 'Aleksei', 'Alexei', 'Aleksej',
    'Юлия', 'Yuliya', 'Iuliia', 'Julija', 'Juliâ',
    'Фёдор', 'Федор', 'Fyodor', 'Fedor', E'Фе\u0308дор',
    'Цветков', 'Tsvetkov', 'Cvetkov', 'Tcvetkov', 'Czvetkov',
    'Романофф', 'Romanoff', 'Романов',
    'Пушкин', 'Pouchkine', 'Pushkin',
    'O’Brien', 'O''Brien', 'OBrien',
    'Римский-Корсаков', 'Rimsky Korsakov',
    'Гиоргадзе', 'გიორგაძე', 'Giorgadze',
    '王小明', 'Αλέξανδρος', 'Müller', 'Muller', 'Мюллер', 'Žižek', E'Z\u030Ciz\u030Cek'
]) WITH ORDINALITY AS t (spelling, n) ORDER BY n;

-- Nothing to make a key of.
SELECT crm.name_key(''), crm.name_key(' - '), crm.name_key('«»') IS NULL AS no_key, crm.name_key('№ 5');
SELECT crm.name_keys(''), crm.name_full_key('...'), crm.name_household_key(''), crm.name_key(NULL);

-- Other readings.
SELECT spelling, crm.name_keys(spelling) AS keys
FROM unnest(ARRAY['Жуков', 'Jukov', 'Joukov', 'Zhukov', 'John', 'Джон', 'Schmidt', 'Григорій', 'Hryhorii',
    'Victor', 'Виктор', 'Mueller', 'Чайковский', 'Tchaïkovski', 'Christopher']) WITH ORDINALITY AS t (spelling, n) ORDER BY n;
SELECT crm.name_keys('Жуков') && crm.name_keys('Joukov') AS french,
       crm.name_keys('Джон Смит') && crm.name_keys('John Smith') AS english,
       crm.name_keys('Иванов') && crm.name_keys('Petrov') AS other;

-- The order of words, and the household.
SELECT crm.name_key('Иванов Иван') = crm.name_key('Иван Иванов') AS ordered,
       crm.name_full_key('Иванов Иван') = crm.name_full_key('Ivan Ivanov') AS unordered,
       crm.name_full_key('б аб а ба');
SELECT man, woman, crm.name_household_key(man) AS key, crm.name_household_key(man) = crm.name_household_key(woman) AS same
FROM (VALUES ('Иванов', 'Иванова'), ('Ivanov', 'Ivanova'), ('Пушкин', 'Пушкина'), ('Троцкий', 'Троцкая'),
    ('Trotsky', 'Trotskaya'), ('Толстой', 'Толстая'), ('Tolstoy', 'Tolstaia'), ('Белый', 'Белая'),
    ('Синицын', 'Sinitsyna'), ('Римский-Корсаков', 'Римская-Корсакова'), ('Шевченко', 'Шевченко'),
    ('Ли', 'Ли'), ('Иванов', 'Петрова')) AS t (man, woman);

-- A long text is keyed by its first 1024 bytes, at the bound of a character.
SELECT length(crm.name_key(repeat('аб', 1000))), crm.name_key(repeat('аб', 1000)) = crm.name_key(repeat('аб', 256)) AS same,
       length(crm.name_key('x' || repeat('аб', 1000)));
SELECT crm.name_key_version();

-- In an index.
BEGIN;
CREATE TABLE name_test (id int, name text);
INSERT INTO name_test SELECT n, 'Имя ' || n FROM generate_series(1, 1000) AS n;
INSERT INTO name_test VALUES (2001, 'Жуков'), (2002, 'Joukov'), (2003, 'Zhukov'), (2004, 'Žukov');
CREATE INDEX name_test_key ON name_test (crm.name_key(name));
CREATE INDEX name_test_keys ON name_test USING gin (crm.name_keys(name));
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM name_test WHERE crm.name_key(name) = crm.name_key('Jukov');
SELECT id FROM name_test WHERE crm.name_key(name) = crm.name_key('Zhukov') ORDER BY id;
EXPLAIN (COSTS OFF) SELECT id FROM name_test WHERE crm.name_keys(name) && crm.name_keys('Zhukov');
SELECT id FROM name_test WHERE crm.name_keys(name) && crm.name_keys('Zhukov') ORDER BY id;
ROLLBACK;

-- Look-alikes; the first column is the word without its Latin letters.
SELECT translate(word, 'abcehijkmnoprstuvxyzABCEHKMOPTXYIN', '') AS not_latin,
       crm.fold_lookalikes(word) AS folded, crm.fold_lookalikes(word) = word AS unchanged
FROM unnest(ARRAY['Ивaнoв', 'Cмирнов', 'Pетров', 'Smіth', 'Sсhmidt', 'ИвановIvanov', 'Иванов Ivanov', 'Орa', 'Жук Opа',
    'Лёва', 'Лëва', '', '123']) WITH ORDINALITY AS t (word, n) ORDER BY n;
SELECT crm.name_key('Ивaнoв') = crm.name_key('Иванов') AS folded_in_key;

-- Case.
SELECT crm.name_case(name) FROM unnest(ARRAY['ПЕТРОВ-ВОДКИН кузьма', 'o''brien', 'ІВАН ЇЖАК', 'ÉMILE zola', 'straße',
    'д''артаньян', 'ИВАНОВ И.И.', 'ŽIŽEK', '']) WITH ORDINALITY AS t (name, n) ORDER BY n;

-- Transliteration. More in test/t.
SELECT scheme, crm.translit('Юрий Щёкин, съезд, Объедков', scheme) FROM crm.translit_schemes() ORDER BY scheme COLLATE "C";
SELECT scheme, aliases, description FROM crm.translit_schemes() WHERE aliases <> '{}' ORDER BY scheme COLLATE "C";
SELECT crm.translit('Щука ЩУКА Щ. Я Я-Я') AS icao, crm.translit('Євген Згурський', 'uk_2010') AS uk,
       crm.translit('В''ячеслав Їжакевич', 'UK-2010') AS uk2, crm.translit('Vasya 123 – ok') AS latin, crm.translit('', 'bgn') AS empty;
SELECT crm.translit('Їжак Ўладзімір Қасым', 'icao') AS beyond_russian;
SELECT crm.translit('Иван', 'klingon');
SELECT crm.translit('Иван', '');
SELECT crm.translit('Иван', NULL), crm.translit(NULL, 'icao');
