-- crm.email: what it accepts, says and does. R-017
\pset null '~'
\getenv folder PG_ABS_SRCDIR
\set file :folder '/data/email.tsv'
BEGIN;
CREATE TEMP TABLE vector (input text, status text, value text, code text, suggestion text);
COPY vector FROM :'file' (HEADER true);
SELECT status, count(*) FROM vector GROUP BY status ORDER BY status;
-- Every vector, as the checker says it; no row is right.
SELECT v.input, v.status AS expected, v.value AS expected_value, v.code AS expected_code, v.suggestion AS expected_suggestion, r.status, r.value, r.code, r.suggestion
FROM vector v, crm.check_email(v.input) AS r
WHERE (v.status, v.value, v.code, v.suggestion) IS DISTINCT FROM (r.status, r.value, r.code, r.suggestion);
-- The other readers agree with the checker, and what is accepted is stable.
SELECT count(*) FILTER (WHERE (crm.try_email(input) IS NULL) <> (status = 'bad')) AS try_differs,
       count(*) FILTER (WHERE crm.try_email(input)::text <> value) AS value_differs,
       count(*) FILTER (WHERE value IS NOT NULL AND crm.try_email(value)::text IS DISTINCT FROM value) AS unstable,
       count(*) FILTER (WHERE suggestion IS NOT NULL AND (crm.check_email(suggestion)).status <> 'ok') AS bad_suggestion
FROM vector;
ROLLBACK;

-- The parts.
SELECT e, crm.local_part(e) AS local_part, crm.domain(e) AS domain, crm.ascii(e) AS ascii, crm.domain_ascii(e) AS domain_ascii,
       crm.tag(e) AS tag, crm.is_idn(e) AS idn, crm.is_smtputf8(e) AS utf8, crm.is_special_use(e) AS special, crm.mask(e) AS mask
FROM unnest(ARRAY['Ivan.Petrov+news@Example.COM', 'info@faß.de', 'коля@пример.рф', '"a b+c"@firma.ru', 'a+@b.test',
    '+x@mail.example', 'x@thing.local', 'x@notlocal.com', 'x@локальный.internal', 'q@testing']::text[] || NULL) AS t,
    crm.try_email(t) AS e;
-- The domains in Punycode; the expected forms were computed with another encoder.
SELECT crm.domain_ascii(crm.email('a@' || d)) = a AS same, d
FROM (VALUES ('bücher.example', 'xn--bcher-kva.example'), ('пример.рф', 'xn--e1afmkfd.xn--p1ai'), ('例子.广告', 'xn--fsqu00a.xn--4rr70v'),
             ('παράδειγμα.ελ', 'xn--hxajbheg2az3al.xn--qxam'), ('डाटा.भारत', 'xn--c2bd1gb.xn--h2brj9c'),
             ('臺網中心.tw', 'xn--fiqq24b10vi0d.tw'), ('faß.de', 'xn--fa-hia.de'), ('ليهمابتكلموشعربي.com', 'xn--mgbcah9ar9a4efegftvvn.com')) AS v (d, a);

-- Errors of the input function.
SELECT 'ivan'::crm.email;
SELECT 'ivan@mail,ru'::crm.email;
SELECT 'ivan'::text::crm.email;
SELECT E'iv\u202ean@mail.ru'::crm.email;
SELECT crm.email(repeat('x', 2000));
SELECT * FROM crm.check_email('ivan@gmial.com');
SELECT * FROM crm.check_email('Ivan Petrov <ivan@example.com>');
SELECT crm.try_email(NULL), crm.check_email(NULL), crm.try_email('no');

-- Casts: to text by assignment, from text when asked for.
BEGIN;
CREATE TEMP TABLE t (plain text, short varchar(40), e crm.email);
INSERT INTO t (plain, short, e) VALUES ('A@b.com'::crm.email, 'A@b.com'::crm.email, 'A@B.com');
SELECT * FROM t;
SAVEPOINT here;
INSERT INTO t (e) SELECT plain FROM t;
ROLLBACK TO here;
INSERT INTO t (e) SELECT plain::crm.email FROM t;
SELECT lower(e) FROM t;
ROLLBACK;

-- Equality: the domain in any form, A-Z of the local part; nothing else.
SELECT a, b, crm.email(a) OPERATOR(crm.=) crm.email(b) AS equal, crm.identical(crm.email(a), crm.email(b)) AS identical
FROM (VALUES ('ivan@example.com', 'IVAN@Example.Com'), ('ivan@пример.рф', 'ivan@xn--e1afmkfd.xn--p1ai'),
             ('Ivan@example.com', 'Ivan@EXAMPLE.com'), ('Коля@example.com', 'коля@example.com'), ('i.van@gmail.com', 'ivan@gmail.com'),
             ('ivan+a@gmail.com', 'ivan@gmail.com'), ('do' || U&'\0308' || 'rte@example.com', 'dörte@example.com'), ('"ivan"@example.com', 'ivan@example.com')) AS v (a, b);

-- Binary form: a version, then the text; hostile bytes are refused.
SELECT crm.email_send('Ivan@пример.рф');
-- (recv is tried with hostile bytes in t/011_email_io.)

-- The match key.
SELECT e, crm.match_key(e) FROM unnest(ARRAY['I.Van+news@GoogleMail.com', 'ivan@gmail.com', 'i.van+x@firma.ru', 'Ivan-Petrov@ya.ru', 'ivan.petrov+1@yandex.kz',
    'ivan@mail.ru', 'ivan@bk.ru', 'a.b-c_d@pm.me', 'abcd+x@protonmail.com', 'x@me.com', 'x@icloud.com', 'a+b@outlook.com', 'a+b@hotmail.com',
    'КОЛЯ@Пример.рф', 'ΚΩΣΤΑΣ@example.gr', 'Šuma@example.com', '"A.b+c"@gmail.com', '+tag@gmail.com', '...@gmail.com', 'Ёж@ПРИМЕР.рф', 'Ÿ@example.com']::text[]) AS t,
    crm.try_email(t) AS e WHERE e IS NOT NULL;
SELECT crm.email_match_key_version();
