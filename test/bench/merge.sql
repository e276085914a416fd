-- Merges of two contacts with 50 rows that refer to the absorbed one, each in
-- its own transaction, and undoing them; beside UPDATE statements written by
-- hand for these tables, which keep no journal.  A merge per 100 of :rows.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
SELECT greatest(:rows / 100, 10) AS merges \gset
CREATE TABLE result (n serial, what text, merges bigint, seconds numeric);

CREATE TABLE visit (id bigserial PRIMARY KEY, contact_id bigint NOT NULL REFERENCES crm.contact (id), page text, at timestamptz DEFAULT now());
CREATE INDEX ON visit (contact_id);
CREATE TABLE membership (id bigserial PRIMARY KEY, contact_id bigint NOT NULL REFERENCES crm.contact (id), club integer, UNIQUE (contact_id, club));
-- Contacts 2n - 1 and 2n are one person; the second has the 50 rows.
INSERT INTO crm.contact (id, given_name, family_name, city, birth_date)
SELECT i, 'Given' || i % 1000, 'Family' || (i + 1) / 2, CASE i % 2 WHEN 0 THEN 'Kazan' END, date '1960-01-01' + i % 15000 FROM generate_series(1, 2 * :merges) i;
INSERT INTO crm.tag (contact_id, tag) SELECT 2 * i - 1, 'tag' || t FROM generate_series(1, :merges) i, generate_series(1, 2) t;
INSERT INTO visit (contact_id, page) SELECT 2 * i, '/page/' || p FROM generate_series(1, 20) p, generate_series(1, :merges) i;
INSERT INTO membership (contact_id, club) SELECT 2 * i, p FROM generate_series(1, 2) p, generate_series(1, :merges) i;
INSERT INTO crm.activity (contact_id, kind, subject) SELECT 2 * i, 'call', 'Subject ' || p FROM generate_series(1, 13) p, generate_series(1, :merges) i;
INSERT INTO crm.contact_point (contact_id, kind, raw) SELECT 2 * i, 'email', 'a' || i || '.' || p || '@example.com' FROM generate_series(1, 3) p, generate_series(1, :merges) i;
INSERT INTO crm.tag (contact_id, tag) SELECT 2 * i, 'tag' || t FROM generate_series(1, :merges) i, generate_series(2, 5) t;
INSERT INTO crm.consent (contact_id, purpose, channel, status) SELECT 2 * i, 'marketing', c, 'granted' FROM unnest(ARRAY['email', 'sms']) c, generate_series(1, :merges) i;
INSERT INTO crm.task (title, contact_id) SELECT 'Task ' || p, 2 * i FROM generate_series(1, 4) p, generate_series(1, :merges) i;
INSERT INTO crm.deal (name, contact_id) SELECT 'Deal ' || p, 2 * i FROM generate_series(1, 2) p, generate_series(1, :merges) i;
VACUUM ANALYZE;

-- By hand: the tables and the keys are known, nothing is kept of what was.
CREATE PROCEDURE by_hand(survivor bigint, absorbed bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM crm.contact WHERE id IN (survivor, absorbed) ORDER BY id FOR UPDATE;
    UPDATE crm.contact SET merged_into = survivor, deleted_at = now() WHERE id = absorbed;
    UPDATE visit SET contact_id = survivor WHERE contact_id = absorbed;
    UPDATE membership m SET contact_id = survivor WHERE contact_id = absorbed
        AND NOT EXISTS (SELECT FROM membership o WHERE o.contact_id = survivor AND o.club = m.club);
    UPDATE crm.activity SET contact_id = survivor WHERE contact_id = absorbed;
    UPDATE crm.contact_point p SET contact_id = survivor WHERE contact_id = absorbed
        AND NOT EXISTS (SELECT FROM crm.contact_point o WHERE o.contact_id = survivor AND o.match_key = p.match_key);
    UPDATE crm.tag t SET contact_id = survivor WHERE contact_id = absorbed AND NOT EXISTS (SELECT FROM crm.tag o WHERE o.contact_id = survivor AND o.tag = t.tag);
    DELETE FROM crm.tag WHERE contact_id = absorbed;
    INSERT INTO crm.consent (contact_id, purpose, channel, status, at) SELECT survivor, purpose, channel, status, at FROM crm.consent WHERE contact_id = absorbed;
    UPDATE crm.task SET contact_id = survivor WHERE contact_id = absorbed;
    UPDATE crm.deal SET contact_id = survivor WHERE contact_id = absorbed;
    UPDATE crm.contact s SET city = coalesce(s.city, a.city), job_title = coalesce(s.job_title, a.job_title), birth_date = coalesce(s.birth_date, a.birth_date)
    FROM crm.contact a WHERE s.id = survivor AND a.id = absorbed;
END $$;

-- Processor time of this backend: a busy machine does not disturb it.
CREATE FUNCTION processor_seconds() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    field text[];
BEGIN
    field := string_to_array(regexp_replace(pg_read_file('/proc/self/stat'), '^.*\) ', ''), ' ');
    RETURN (field[12]::numeric + field[13]::numeric) / 100;
EXCEPTION WHEN OTHERS THEN
    RETURN extract(epoch FROM clock_timestamp());
END $$;

CREATE PROCEDURE measure(what text, first_merge bigint, last_merge bigint) LANGUAGE plpgsql AS $$
DECLARE
    began numeric := processor_seconds();
BEGIN
    FOR i IN first_merge .. last_merge LOOP
        CASE what
        WHEN 'by hand' THEN CALL by_hand(2 * i - 1, 2 * i);
        WHEN 'merge_contacts' THEN PERFORM crm.merge_contacts(2 * i - 1, ARRAY[2 * i]);
        WHEN 'unmerge' THEN PERFORM crm.unmerge((SELECT m.id FROM crm.merge m WHERE m.entity = 'contact' AND m.survivor_id = 2 * i - 1), reject => false);
        END CASE;
        COMMIT;
    END LOOP;
    INSERT INTO result (what, merges, seconds) VALUES (what, last_merge - first_merge + 1, processor_seconds() - began);
END $$;
CREATE FUNCTION sums() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t record;
    line text;
    result text := '';
BEGIN
    FOR t IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND n.nspname IN ('crm', 'public') AND NOT c.relname IN ('audit_log', 'deal_history', 'merge', 'merge_journal', 'segment_queue', 'result') ORDER BY 1 LOOP
        EXECUTE format('SELECT coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM %s t', t.name) INTO line;
        result := result || line || ' ';
    END LOOP;
    RETURN md5(result);
END $$;

\echo :merges merges of contacts with 50 referring rows, processor time
SELECT sums() AS before \gset
-- The last tenth is merged by hand, and stays so.
SELECT :merges - :merges / 10 AS ours \gset
CALL measure('merge_contacts', 1, :ours);
CALL measure('unmerge', 1, :ours);
SELECT CASE WHEN sums() = :'before' THEN 'every table is as it was before' ELSE 'THE TABLES DIFFER' END AS "after undoing";
CALL measure('by hand', :ours + 1, :merges);
SELECT what, merges, round(seconds, 2) AS seconds, round(seconds * 1e3 / merges, 2) AS "ms each", round(50 * merges / seconds) AS "rows/s",
       round(seconds / merges / (SELECT r.seconds / r.merges FROM result r WHERE r.what = 'by hand'), 2) AS "ratio to by hand"
FROM result ORDER BY n;
