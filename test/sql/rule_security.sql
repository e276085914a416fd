-- Rules of others: what they cannot read, call or tell.  R-078
\set SHOW_CONTEXT never
SELECT crm.install() IS NOT NULL AS installed;
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE regress_reader;
CREATE ROLE regress_evil;
CREATE SCHEMA evil AUTHORIZATION regress_evil;
CREATE TABLE public.secret (id integer, owner text, value text, amount numeric);
INSERT INTO public.secret VALUES (1, 'regress_reader', 'mine', 1), (2, 'other', 'hidden', 0);
ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.secret USING (owner = current_user);
GRANT SELECT ON public.secret TO regress_reader;
CREATE TABLE public.rules (rule crm.rule);
INSERT INTO public.rules VALUES ('10 / amount > 1');
GRANT SELECT ON public.rules TO regress_reader;
-- Division by zero would tell of the row that the policy hides.
SET LOCAL ROLE regress_reader;
SELECT id FROM public.secret s WHERE s OPERATOR(crm.@@) '10 / amount > 1';
SELECT id FROM public.secret s, public.rules r WHERE s OPERATOR(crm.@@) r.rule;
EXPLAIN (COSTS OFF) SELECT id FROM public.secret s, public.rules r WHERE s OPERATOR(crm.@@) r.rule;
SELECT count(*) FROM public.secret s WHERE s OPERATOR(crm.@@) 'value = ''hidden''';
RESET ROLE;
-- The same behind a view that is a barrier.
CREATE VIEW public.open_secret WITH (security_barrier) AS SELECT * FROM public.secret WHERE owner = 'regress_reader';
GRANT SELECT ON public.open_secret TO regress_reader;
SET LOCAL ROLE regress_reader;
SELECT id FROM public.open_secret s WHERE s OPERATOR(crm.@@) '10 / amount > 1';
SELECT id FROM public.open_secret s, public.rules r WHERE s OPERATOR(crm.@@) r.rule;
RESET ROLE;
-- A rule is about the whole row: it takes the right to read all of it.
CREATE TABLE public.half (id integer, hidden text);
INSERT INTO public.half VALUES (1, 'x');
GRANT SELECT (id) ON public.half TO regress_reader;
SET LOCAL ROLE regress_reader;
SELECT id FROM public.half h WHERE h OPERATOR(crm.@@) 'id = 1';
-- Tags, events and segments are read as the caller.
SELECT crm.contact_has_tag(1, 'vip');
SELECT crm.contact_did(1, 'call');
RESET ROLE;
-- Operators and types of others have no part in it.
GRANT CREATE ON SCHEMA public TO regress_evil;
SET LOCAL ROLE regress_evil;
CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught by %', current_user; END $$;
CREATE FUNCTION evil.yes(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught by %', current_user; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);
CREATE OPERATOR evil.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.yes);
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught by %', current_user; END $$;
CREATE TYPE evil.pair AS (a integer);
CREATE FUNCTION evil.yes(evil.pair, evil.pair) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught by %', current_user; END $$;
CREATE OPERATOR evil.= (LEFTARG = evil.pair, RIGHTARG = evil.pair, FUNCTION = evil.yes);
CREATE DOMAIN evil.word AS text;
CREATE FUNCTION evil.yes(evil.word, evil.word) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught by %', current_user; END $$;
CREATE OPERATOR public.= (LEFTARG = evil.word, RIGHTARG = evil.word, FUNCTION = evil.yes);
CREATE TYPE evil.span AS RANGE (SUBTYPE = integer);
CREATE TABLE evil.trap (id integer, name text, p evil.pair, w evil.word, at timestamptz, s evil.span, ps evil.pair[]);
INSERT INTO evil.trap VALUES (1, 'x', ROW(1), 'w', now(), '[1,2)', '{}');
GRANT USAGE ON SCHEMA evil TO PUBLIC;
GRANT SELECT ON evil.trap TO PUBLIC;
RESET ROLE;
SET LOCAL search_path = evil, public, crm, pg_catalog;
SELECT t.id FROM trap t WHERE t @@ 'id = 1 and name = ''x'' and w = ''w'' and at <= now() and id in (1, 2)';
SELECT t.id FROM trap t, (SELECT 'id = 1 and name = ''x'' and w = ''w'' and at <= now() and id in (1, 2)'::rule AS rule OFFSET 0) r WHERE t @@ r.rule;
SELECT t.id FROM trap t WHERE t @@ 'p is not null';
SELECT t.id FROM trap t WHERE t @@ 'p = p';
SELECT t.id FROM trap t WHERE t @@ 's = s';
SELECT t.id FROM trap t WHERE t @@ 'ps = ps';
SET LOCAL search_path = pg_catalog;
-- An operator that somebody put into schema crm is not ours.
CREATE FUNCTION crm.yes(crm.email, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR crm.> (LEFTARG = crm.email, RIGHTARG = text, FUNCTION = crm.yes);
CREATE TABLE public.mail (email crm.email, other text);
SELECT m.email FROM public.mail m WHERE m OPERATOR(crm.@@) 'email > other';
-- A view of a stranger is no source of events: its functions would run as whoever asks.
SET LOCAL ROLE regress_evil;
CREATE VIEW evil.event AS SELECT 1::bigint AS contact_id, evil.now() AS at;
GRANT SELECT ON evil.event TO PUBLIC;
RESET ROLE;
INSERT INTO crm.event_kind (event, relation, at_column) VALUES ('evil', 'evil.event', 'at');
SELECT has_table_privilege('regress_evil', 'crm.event_kind', 'INSERT') AS may_add_events;
-- The filter of an event is read where nobody else has operators.
CREATE TABLE public.visit (contact_id bigint, at timestamptz, kind varchar(20));
INSERT INTO public.visit VALUES (1, now(), 'buy');
INSERT INTO crm.event_kind (event, relation, at_column, filter) VALUES ('buy', 'public.visit', 'at', 'kind = ''buy''');
SET LOCAL ROLE regress_evil;
CREATE FUNCTION evil.yes(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught by %', current_user; END $$;
CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = evil.yes);
RESET ROLE;
SET LOCAL search_path = pg_catalog, public;
SELECT crm.contact_did(1, 'buy'), crm.contact_did(1, 'buy', within => '1 day');
SELECT c OPERATOR(crm.@@) 'did(''buy'')' FROM (SELECT 1::bigint AS contact_id) c;
SELECT current_setting('search_path') AS kept;
SET LOCAL search_path = pg_catalog;
-- Nothing off the list can be called, whatever the quotes.
SELECT crm.check_rule(t) FROM unnest(ARRAY['pg_read_file(''/etc/passwd'') = a', 'a = (table secret)', 'a = any(array[1])', '"pg_sleep"(1) is null', 'a operator(pg_catalog.=) 1', 'a = 1; select 1', 'attrs #>> ''{a}'' = ''x''', 'a = array[1]', 'x is document', 'a at time zone ''UTC'' = b', 'row(1) = a', 'a is distinct from b']) t;
ROLLBACK;
