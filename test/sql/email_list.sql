-- The advisory tables: clear words when they are missing, whole names only,
-- exceptions, tags; never an input error.
SET client_min_messages = warning;
BEGIN;
DROP TABLE IF EXISTS crm.email_domain, crm.email_role CASCADE;
SAVEPOINT here;
SELECT crm.is_disposable('a@mailinator.com');
ROLLBACK TO here;
SELECT crm.is_free_provider('a@gmail.com');
ROLLBACK TO here;
SELECT crm.is_role('info@example.com');
ROLLBACK TO here;
SELECT crm.load_email_domains('disposable', '{a.com}');
ROLLBACK TO here;

-- As crm.install() makes them.
SELECT crm.install() IS NOT NULL AS installed;
SELECT count(*) FILTER (WHERE is_disposable) > 100 AS disposable, count(*) FILTER (WHERE is_free_provider) > 100 AS free FROM crm.email_domain;
SELECT count(*) > 100 AS roles FROM crm.email_role;
-- Seeds are canonical domains, and no domain is both.
SELECT * FROM crm.email_domain WHERE crm.domain(crm.email('a@' || domain)) <> domain OR is_disposable AND is_free_provider;
SELECT * FROM crm.email_role WHERE crm.local_part(crm.email(local_part || '@example.com')) <> local_part;

INSERT INTO crm.email_domain (domain, is_disposable, is_free_provider) VALUES
    ('good.mailinator.com', false, null), ('почта.рф', null, true), ('xn--e1afmkfd.xn--p1ai', true, null);
SELECT e, crm.is_disposable(e), crm.is_free_provider(e), crm.is_role(e)
FROM unnest(ARRAY['info@mailinator.com', 'a@sub.mailinator.com', 'a@good.mailinator.com', 'a@very.good.mailinator.com', 'a@notmailinator.com',
    'a@mailinator.com.ru', 'INFO+x@gmail.com', 'infox@gmail.com', 'sales.team@firma.ru', 'бух@почта.рф', 'a@пример.рф', 'a@xn--e1afmkfd.xn--p1ai']::text[]) AS t, crm.try_email(t) AS e;
-- A row that is withdrawn counts no more.
UPDATE crm.email_domain SET is_disposable = false WHERE domain = 'mailinator.com';
SELECT crm.is_disposable('a@sub.mailinator.com'), crm.is_disposable('a@yopmail.com');

-- Loading a list.
SELECT crm.load_email_domains('disposable', ARRAY['# a comment', '', 'com', 'not a domain', 'One.Example.com', ' two.example.com # why', 'xn--e1afmkfd.xn--p1ai', 'пример.рф', 'mailinator.com', 'gmail.com', 'two.example.com'], 'list of May');
SELECT crm.load_email_domains('disposable', ARRAY['one.example.com', 'mailinator.com']);
SELECT domain, is_disposable, is_free_provider, note FROM crm.email_domain WHERE domain IN ('one.example.com', 'two.example.com', 'пример.рф', 'mailinator.com', 'gmail.com', 'com') ORDER BY domain COLLATE "C";
SAVEPOINT here;
SELECT crm.load_email_domains('good', '{}');
ROLLBACK TO here;
-- What an editor of the tables cannot write.
\set VERBOSITY terse
INSERT INTO crm.email_domain (domain) VALUES ('Example.com');
ROLLBACK TO here;
INSERT INTO crm.email_role (local_part) VALUES ('info+x');
ROLLBACK TO here;
\set VERBOSITY default
-- Tables that were dropped and made anew are found again.
DROP TABLE crm.email_role;
SELECT crm.is_role('info@example.com');
ROLLBACK TO here;
SELECT crm.is_role('info@example.com');
SELECT provolatile, proparallel FROM pg_proc WHERE proname IN ('is_role', 'is_disposable', 'is_free_provider') GROUP BY 1, 2;
ROLLBACK;
