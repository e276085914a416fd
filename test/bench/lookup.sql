-- What an agent waits for: looking a client up, and the client's card.  Beside
-- each stands what one would write by hand against plain columns with plain
-- indexes.  Times in microseconds, of single statements that are planned each
-- time, as clients mostly send them, in one session.  R-003, R-004
\set ON_ERROR_STOP 1
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() \gset
SET synchronous_commit = off;
\echo loading :rows contacts
INSERT INTO crm.contact (given_name, middle_name, family_name, birth_date, city, lifecycle_stage)
SELECT (ARRAY['Анна', 'Иван', 'Мария', 'Сергей', 'Olga', 'Peter', 'Елена', 'Дмитрий', 'Kate', 'Павел'])[1 + n % 10],
       (ARRAY['Сергеевна', 'Петрович', NULL, 'Иванович', NULL, NULL, 'Олеговна', 'Павлович', NULL, 'Ильич'])[1 + n % 10],
       (ARRAY['Иванов', 'Петров', 'Сидоров', 'Смирнов', 'Kuznetsov', 'Popov', 'Васильев', 'Новиков', 'Fedorov', 'Морозов'])[1 + n / 10 % 10] || (ARRAY['', 'ский', 'ко', 'чук'])[1 + n % 4] || n / 1000,
       date '1950-01-01' + n % 20000, 'City ' || n % 500, (ARRAY['lead', 'customer', 'repeat'])[1 + n % 3]
FROM generate_series(1, :rows) n;
INSERT INTO crm.contact_point (contact_id, kind, raw, is_primary) SELECT id, 'phone', '+79' || lpad((id * 7919 % 1000000000)::text, 9, '0'), true FROM crm.contact;
INSERT INTO crm.contact_point (contact_id, kind, raw, is_primary) SELECT id, 'email', 'client' || id || '@example.com', true FROM crm.contact;
INSERT INTO crm.company (name) SELECT 'Company ' || n FROM generate_series(1, greatest(:rows / 100, 1)) n;
INSERT INTO crm.company_contact (contact_id, company_id, is_primary) SELECT c.id, (SELECT min(id) FROM crm.company) + c.id % greatest(:rows / 100, 1), true FROM crm.contact c WHERE c.id % 2 = 0;
INSERT INTO crm.activity (contact_id, kind, subject, occurred_at) SELECT c.id, 'call', 'Call', now() - n * interval '3 days' FROM crm.contact c, generate_series(1, 4) n;
INSERT INTO crm.task (title, contact_id) SELECT 'Call', id FROM crm.contact WHERE id % 10 = 0;
-- By hand: everything of the look-up in one table.
CREATE TABLE by_hand AS
SELECT c.id, concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS name, p.raw AS phone, lower(e.raw) AS email, o.name AS company, lower(c.family_name || ' ' || c.given_name) AS search_name
FROM crm.contact c JOIN crm.contact_point p ON p.contact_id = c.id AND p.kind = 'phone' JOIN crm.contact_point e ON e.contact_id = c.id AND e.kind = 'email'
LEFT JOIN crm.company_contact l ON l.contact_id = c.id LEFT JOIN crm.company o ON o.id = l.company_id;
CREATE INDEX ON by_hand (phone);
CREATE INDEX ON by_hand (email);
CREATE INDEX ON by_hand (search_name text_pattern_ops);
VACUUM ANALYZE;

CREATE TABLE asked AS SELECT row_number() OVER () AS n, b.* FROM (SELECT * FROM by_hand ORDER BY hashint8(id) LIMIT 3000) b;
CREATE TABLE took (what text, n bigint, us double precision);
CREATE FUNCTION measure(what text, call text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    a asked;
    started timestamptz;
    found bigint;
    missed bigint := 0;
BEGIN
    -- The first 500 only warm up: caches and plans.
    FOR a IN SELECT * FROM asked ORDER BY n LOOP
        started := clock_timestamp();
        EXECUTE call USING a INTO found;
        INSERT INTO took VALUES (what, a.n, extract(epoch FROM clock_timestamp() - started) * 1e6);
        IF found IS NULL OR found = 0 THEN
            missed := missed + 1;
        END IF;
    END LOOP;
    IF missed > 0 THEN
        RAISE EXCEPTION '% found nothing % times', what, missed;
    END IF;
END
$$;
\o /dev/null
SELECT measure('phone, by hand', 'SELECT count(name) FROM (SELECT id, name, company FROM by_hand WHERE phone = $1.phone ORDER BY id LIMIT 20) x');
SELECT measure('phone', 'SELECT count(name) FROM crm.lookup_contact($1.phone)');
SELECT measure('phone as shown', 'SELECT count(name) FROM crm.lookup_contact(''8 ('' || substr($1.phone, 3, 3) || '') '' || substr($1.phone, 6))');
SELECT measure('e-mail, by hand', 'SELECT count(name) FROM (SELECT id, name, company FROM by_hand WHERE email = $1.email ORDER BY id LIMIT 20) x');
SELECT measure('e-mail', 'SELECT count(name) FROM crm.lookup_contact($1.email)');
SELECT measure('name, by hand', 'SELECT count(name) FROM (SELECT id, name, company FROM by_hand WHERE search_name LIKE $1.search_name || ''%'' ORDER BY id LIMIT 20) x');
SELECT measure('name', 'SELECT count(name) FROM crm.lookup_contact($1.search_name)');
SELECT measure('name, other order and script', 'SELECT count(name) FROM crm.lookup_contact(crm.translit(split_part($1.search_name, '' '', 2) || '' '' || split_part($1.search_name, '' '', 1)))');
SELECT measure('card', 'SELECT count(*) FROM crm.contact_card($1.id)');
SELECT measure('duplicates of one', 'SELECT 1 + count(*) FROM crm.find_duplicates($1.id)');
\o
SELECT what, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY us)) AS p50_us, round(percentile_cont(0.99) WITHIN GROUP (ORDER BY us)) AS p99_us,
       round((percentile_cont(0.99) WITHIN GROUP (ORDER BY us) / max(h.p99))::numeric, 2) AS p99_to_by_hand
FROM took t LEFT JOIN (SELECT split_part(what, ',', 1) AS kind, percentile_cont(0.99) WITHIN GROUP (ORDER BY us) AS p99 FROM took WHERE n > 500 AND what LIKE '%by hand' GROUP BY 1) h
  ON split_part(t.what, ',', 1) = h.kind OR (t.what = 'phone as shown' AND h.kind = 'phone')
WHERE n > 500 GROUP BY what ORDER BY min(t.ctid);
SELECT round(avg(octet_length(crm.contact_card(id)::text))) AS card_bytes FROM (SELECT id FROM asked LIMIT 500) a;
\timing on
SELECT pairs, added FROM crm.scan_duplicates();
SELECT count(*) FROM crm.v_data_quality;
SELECT count(*) FROM (SELECT * FROM crm.v_contact OFFSET 0) v;
