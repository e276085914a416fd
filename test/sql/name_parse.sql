-- Names: parts, checks, gender, salutations, forms.

SELECT name, p.title, p.given, p.middle, p.family, p.suffix, p.nickname AS nick, p.gender AS g, p.confidence AS sure,
       left(p.name_order, 6) AS ord, array_to_string(p.notes, ' ') AS notes
FROM unnest(ARRAY[
    'Иванов Иван Иванович', 'Иван Иванович Иванов', 'Иванов Иван', 'Иван Иванов',
    'Иванов И.И.', 'И. И. Иванов', 'И.И.Иванов', 'Иванов И.П.', 'М.Д. Иванова', 'А. Рабинович',
    'Абрамович Роман Аркадьевич', 'Роман Аркадьевич Абрамович', 'Роман Абрамович', 'Абрамович Роман',
    'Иванов, Иван Петрович', 'Пушкин Александр Сергеевич, мл.',
    'Алиев Гасан Али оглы', 'Мамедова Лейла Рашид кызы',
    'Людвиг ван Бетховен', 'Римский-Корсаков Николай Андреевич', 'Салтыков Щедрин Михаил Евграфович',
    'г-жа Петрова', 'д-р Иванов И. П., к.т.н.', 'ИП Иванов Иван Иванович',
    'Петрова (Сидорова) Анна Ивановна', 'Иван «Грозный» Васильевич',
    'ИВАНОВ ИВАН ПЕТРОВИЧ', 'ИВАНОВ Иван', 'Ивaнов Пётр',
    'Саша', 'Петров', 'Петрович', 'Женя Ким', 'Анна Мария Петрова', 'Никита Ивановна', 'Иванова Александр',
    'John Smith', 'Ivanov Ivan', 'Ivan Petrovich Sidorov', 'Smith, John A.', 'Dr. John F. Kennedy Jr.', 'John Smith, Ph.D.', 'Mr. Smith', 'Гасан-Джалалова Люция',
    'Herr Prof. Dr. Müller', 'Jean-Paul SARTRE', 'Van Morrison', 'Charles de Gaulle', 'Patrick O''Connor',
    E'  Иванов\u00A0Иван\t', E'Андреи\u0306', 'Иванов1 Иван', '', '---', '12', repeat('Иван ', 13)
]) WITH ORDINALITY AS t (name, n), crm.parse_name(name) AS p ORDER BY n;

-- The order may be declared; evidence against it is told.
SELECT name, o, p.given, p.middle, p.family, p.confidence AS sure, p.notes
FROM (VALUES ('Роман Павел', 'given_first'), ('Роман Павел', 'family_first'), ('Роман Павел', 'auto'),
    ('Ли Мин', 'family_first'), ('Ли Мин', 'auto'), ('Иван Иванов', 'family_first'), ('Иванов Иван Иванович', 'given_first'),
    ('Роман Абрамович', 'given_first'), ('Роман Абрамович', 'family_first'), ('Абрамович', 'family_first')) AS t (name, o),
    crm.parse_name(name, o) AS p;
SELECT l, p.given, p.family, p.confidence AS sure, p.notes
FROM unnest(ARRAY['ru', 'en', 'hu', 'zh_CN', NULL, 'xx']) AS l, crm.parse_name('Kovo Sando', 'auto', l) AS p;
SELECT crm.parse_name('Иван', 'backwards');
SELECT crm.parse_name('Иван', 'auto', 'russian');
SELECT crm.parse_name(NULL), (crm.parse_name('Иван', NULL, NULL)).given;
SELECT p.* FROM crm.parse_name(repeat('я', 600)) AS p;

-- Checks: nothing is refused but what cannot be a name.
-- (A dot stands for what has no width: releases of psql disagree on it.)
SELECT translate(quote_literal(name), U&'\FEFF\200B', '··') AS name, c.* FROM unnest(ARRAY[
    'Иванов Иван', '  Иванов  Иван ', E'\uFEFFИван', E'Ив\u200Bан', E'Ив\u0007ан', 'Ивaнов', 'ИвановIvan', 'Иван4', 'Иван & Ко', 'ИВАНОВ ИВАН',
    'иванов иван', 'Ли', 'тест', 'N/A', 'ivan@example.com', 'https://example.com', 'Ааааааа', '', '  ', '???', '王小明', 'O''Brien-Smith Jr.', E'Андреи\u0306'
]) WITH ORDINALITY AS t (name, n), crm.check_name(t.name) AS c ORDER BY n;
SELECT (crm.check_name(repeat('a', 2000))).code, crm.check_name(NULL) IS NULL AS strict;

-- Gender: null rather than wrong.
SELECT given, middle, family, crm.name_gender(given, middle, family)
FROM (VALUES ('Иван', 'Петрович', 'Сидоров'), ('Женя', 'Петровна', NULL), ('Женя', NULL, NULL), ('Женя', NULL, 'Иванова'),
    ('Никита', 'Ивановна', NULL), ('Иван', 'Ивановна', NULL), ('Саша', NULL, 'Шевченко'), (NULL, NULL, 'Толстой'),
    (NULL, NULL, NULL), ('', '', ''), ('Лейла', 'Рашид кызы', 'Мамедова'), ('Гасан', 'Али-оглы', NULL), ('Мария', 'Ильинична', NULL),
    ('Илья', 'Кузьмич', NULL), ('Yuliya', NULL, NULL), ('Iuliia', NULL, NULL), ('John', NULL, NULL), ('Anna-Maria', NULL, NULL),
    ('Юлия', NULL, 'Иванов'), ('Иван', 'Иванович', 'Иванова')) AS t (given, middle, family);

-- R-010: by name and patronymic; the patronymic may be missing; the gender
-- form is right for a fixed list; there is never an empty gap.
SELECT given, translate(middle, U&'\200B', '·') AS middle, family, crm.salutation(given, middle, family) AS formal,
       crm.salutation(given, middle, family, NULL, 'neutral') AS neutral,
       crm.salutation(given, middle, family, NULL, 'informal') AS informal
FROM (VALUES ('Дмитрий', 'Петрович', 'Васильев'), ('Анна', 'Сергеевна', 'Каренина'), ('Анна', NULL, 'Каренина'), ('Иван', '', NULL),
    ('Илья', 'Ильич', NULL), ('Никита', 'Андреевич', NULL), ('Любовь', 'Яковлевна', NULL), ('Лев', 'Николаевич', 'Толстой'),
    ('Женя', NULL, NULL), ('Саша', NULL, 'Шевченко'), ('Женя', 'Игоревна', NULL), (NULL, NULL, 'Васильев'), (NULL, NULL, 'Иванова'),
    (NULL, NULL, 'Шевченко'), (NULL, 'Петрович', NULL), ('Д.', 'П.', 'Васильев'), ('Анна', 'П.', NULL), (NULL, NULL, NULL), ('', ' ', ''),
    ('Лейла', 'Рашид кызы', 'Мамедова'), (E' \u00A0', E'\u200B', '-')) AS t (given, middle, family);
SELECT l, s, crm.salutation('Anna', NULL, 'Schmidt', 'f', s, l) AS woman, crm.salutation('Max', NULL, 'Schmidt', 'm', s, l) AS man,
       crm.salutation('Alex', NULL, 'Schmidt', NULL, s, l) AS unknown, crm.salutation(NULL, NULL, 'Schmidt', NULL, s, l) AS family,
       crm.salutation(NULL, NULL, NULL, NULL, s, l) AS nobody
FROM unnest(ARRAY['ru', 'en', 'de', 'fr', 'es']) WITH ORDINALITY AS a (l, i), unnest(ARRAY['formal', 'neutral', 'informal']) WITH ORDINALITY AS b (s, j)
ORDER BY i, j;
SELECT crm.salutation(NULL, NULL, 'Müller', 'f', 'formal', 'de', 'Prof. Dr.'), crm.salutation('Jane', NULL, 'Smith', 'f', 'formal', 'en-GB', 'Dr.'),
       crm.salutation('Пётр', NULL, 'Иванов', 'муж', 'formal', 'ru_RU', 'д-р'), crm.salutation('Женя', NULL, NULL, 'ж'), crm.salutation('Женя', NULL, NULL, 'divers');
SELECT name, crm.salutation(crm.parse_name(name)) FROM unnest(ARRAY['Васильев Дмитрий Петрович', 'ИВАНОВА АННА ПЕТРОВНА', 'г-жа Шевченко', 'Женя', '', NULL]) WITH ORDINALITY AS t (name, n) ORDER BY n;
SELECT crm.salutation(crm.parse_name('Dr. Jane Smith'), 'formal', 'en');
SELECT crm.salutation('Иван', style => 'rude');
SELECT crm.salutation('Иван', locale => 'tlh');
-- No double space, no space at either end, never empty, whatever is missing.
SELECT count(*) AS cases, count(*) FILTER (WHERE s ~ '  |^\s|\s$|^$' OR s IS NULL) AS gaps
FROM unnest(ARRAY[NULL, '', ' ', 'Анна', 'А.', 'И']) AS g, unnest(ARRAY[NULL, '', 'Петровна', 'П.']) AS m, unnest(ARRAY[NULL, '', 'Иванова', 'И.', 'Ли']) AS f,
     unnest(ARRAY[NULL, 'm', 'f', '']) AS x, unnest(ARRAY['formal', 'neutral', 'informal']) AS st, unnest(ARRAY['ru', 'en', 'de', 'fr', 'es']) AS l,
     LATERAL (SELECT crm.salutation(g, m, f, x, st, l)) AS r (s);

-- Forms.
SELECT form, crm.format_name('Дмитрий', 'Петрович', 'Васильев', form) AS three, crm.format_name('Ирина', NULL, 'Амосова', form) AS two,
       crm.format_name('Сергей', NULL, NULL, form) AS given, crm.format_name(NULL, NULL, 'Иванов', form) AS family,
       crm.format_name('Анна-Мария', NULL, 'Ли', form) AS double
FROM unnest(ARRAY['full', 'short', 'sorting', 'sorting_short', 'official', 'official_short', 'informal', 'monogram']) WITH ORDINALITY AS t (form, n) ORDER BY n;
SELECT crm.format_name(NULL, ' ', '') IS NULL AS nothing, crm.format_name('Иван', NULL, NULL, NULL) IS NULL AS no_form;
SELECT crm.format_name('Иван', NULL, NULL, 'long');
