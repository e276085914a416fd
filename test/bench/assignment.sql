-- Giving out leads at once and one by one, beside the loop that one would write;
-- converting leads, beside the same by hand without looking for duplicates;
-- what the histories of life cycle and ownership cost a load of contacts.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
SET jit = off;
CREATE TABLE result (n serial, what text, variant text, seconds numeric, per_row_us numeric);
SELECT least(:rows / 10, 10000) AS leads, least(:rows / 100, 1000) AS conversions, least(:rows, 200000) AS contacts \gset
INSERT INTO crm.agent (id, name) SELECT i, 'Agent ' || i FROM generate_series(1, 20) i;
INSERT INTO crm.lead (id, source, name, email, phone, company, country, need)
SELECT i, 'bench', 'Given' || i % 997 || ' Family' || i, 'p' || i || '@example.com', '+7916' || lpad(i::text, 7, '0'), 'Company ' || i % 500, 'RU', 'need ' || i % 10
FROM generate_series(1, :leads) i;
INSERT INTO crm.assignment_rule (id, name, what, definition, method) VALUES (1, 'turn', 'lead', $$country = 'RU'$$, 'round_robin');
INSERT INTO crm.assignment_member (rule_id, agent_id) SELECT 1, i FROM generate_series(1, 20) i;
SELECT crm.create_contact(jsonb_build_object('name', 'Known Person' || i, 'email', 'k' || i || '@example.com', 'phone', '+7917' || lpad(i::text, 7, '0'))) IS NULL AS x FROM generate_series(1, 2000) i \g /dev/null
ANALYZE;

-- As one would write it: the one who had none for the longest time, one by one.
CREATE TABLE queue_place (agent_id bigint PRIMARY KEY, last_at timestamptz NOT NULL DEFAULT '-infinity');
CREATE TABLE queue_log (lead_id bigint, agent_id bigint, at timestamptz DEFAULT clock_timestamp());
INSERT INTO queue_place (agent_id) SELECT id FROM crm.agent;
CREATE FUNCTION plain_assign(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    lead record;
    chosen bigint;
BEGIN
    FOR lead IN SELECT l.id FROM crm.lead l WHERE l.id = ANY (ids) AND l.owner_id IS NULL AND l.country = 'RU' ORDER BY l.id FOR UPDATE LOOP
        SELECT q.agent_id INTO chosen FROM queue_place q JOIN crm.agent a ON a.id = q.agent_id AND a.active
        WHERE NOT EXISTS (SELECT FROM crm.agent_absence b WHERE b.agent_id = a.id AND b.during @> now())
        ORDER BY q.last_at, q.agent_id LIMIT 1 FOR UPDATE OF q;
        UPDATE queue_place q SET last_at = clock_timestamp() WHERE q.agent_id = chosen;
        UPDATE crm.lead l SET owner_id = chosen WHERE l.id = lead.id;
        INSERT INTO queue_log (lead_id, agent_id) VALUES (lead.id, chosen);
    END LOOP;
END $$;
-- By hand, and nobody looks whether the person is there already.
CREATE FUNCTION plain_convert(wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    l crm.lead;
    person bigint;
    firm bigint;
    made bigint;
BEGIN
    SELECT * INTO l FROM crm.lead o WHERE o.id = wanted FOR UPDATE;
    INSERT INTO crm.contact (given_name, family_name, source) VALUES (split_part(l.name, ' ', 1), split_part(l.name, ' ', 2), l.source) RETURNING id INTO person;
    INSERT INTO crm.contact_point (contact_id, kind, raw, is_primary) VALUES (person, 'email', l.email, true), (person, 'phone', l.phone, true);
    SELECT c.id INTO firm FROM crm.company c WHERE c.name_key = crm.name_key(l.company) AND c.deleted_at IS NULL LIMIT 1;
    IF firm IS NULL THEN
        INSERT INTO crm.company (name) VALUES (l.company) RETURNING id INTO firm;
    END IF;
    INSERT INTO crm.company_contact (contact_id, company_id, is_primary) VALUES (person, firm, true);
    INSERT INTO crm.deal (name, contact_id, company_id) VALUES (l.need, person, firm) RETURNING id INTO made;
    INSERT INTO crm.contact_need (contact_id, kind, subject) VALUES (person, 'need', l.need);
    UPDATE crm.lead o SET status = 'converted', converted_at = now(), contact_id = person, company_id = firm, deal_id = made WHERE o.id = wanted;
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

CREATE PROCEDURE measure(what text, variant text, rows bigint, statement text) LANGUAGE plpgsql AS $$
DECLARE
    began numeric;
    best numeric;
    spent numeric;
BEGIN
    FOR round IN 1 .. 3 LOOP
        BEGIN
            began := processor_seconds();
            EXECUTE statement;
            spent := processor_seconds() - began;
            best := least(best, spent);
            RAISE EXCEPTION 'undo' USING ERRCODE = 'XX999';
        EXCEPTION WHEN SQLSTATE 'XX999' THEN
        END;
    END LOOP;
    INSERT INTO result (what, variant, seconds, per_row_us) VALUES (what, variant, round(best, 3), round(best * 1e6 / rows, 2));
END $$;

CALL measure('leads given out at once', 'crm.assign_all()', :leads, format('SELECT count(*) FROM crm.assign_all(''lead'', ARRAY(SELECT id FROM crm.lead WHERE id <= %s))', :leads));
CALL measure('leads given out at once', 'loop in PL/pgSQL', :leads, format('SELECT plain_assign(ARRAY(SELECT id FROM crm.lead WHERE id <= %s))', :leads));
CALL measure('leads given out one by one', 'crm.assign()', :leads / 10, format('SELECT count(crm.assign(''lead'', i)) FROM generate_series(1, %s) i', :leads / 10));
CALL measure('leads given out one by one', 'loop in PL/pgSQL', :leads / 10, format('SELECT count(plain_assign(ARRAY[i::bigint])) FROM generate_series(1, %s) i', :leads / 10));
CALL measure('leads converted', 'crm.convert_lead()', :conversions, format('SELECT count((crm.convert_lead(i)).deal_id) FROM generate_series(1, %s) i', :conversions));
CALL measure('leads converted', 'by hand, no duplicates', :conversions, format('SELECT count(plain_convert(i)) FROM generate_series(1, %s) i', :conversions));
CALL measure('contacts loaded', 'with histories', :contacts, format('INSERT INTO crm.contact (given_name, family_name, owner_id) SELECT ''G'' || i %% 1000, ''F'' || i, 1 + i %% 20 FROM generate_series(1, %s) i', :contacts));
ALTER TABLE crm.contact DISABLE TRIGGER party_insert;
CALL measure('contacts loaded', 'without', :contacts, format('INSERT INTO crm.contact (given_name, family_name, owner_id) SELECT ''G'' || i %% 1000, ''F'' || i, 1 + i %% 20 FROM generate_series(1, %s) i', :contacts));
ALTER TABLE crm.contact ENABLE TRIGGER party_insert;

SELECT what, variant, seconds, per_row_us FROM result ORDER BY n;
SELECT r.what, r.variant AS ours, s.variant AS beside, round(s.seconds / nullif(r.seconds, 0), 2) AS times_as_fast
FROM result r JOIN result s ON s.what = r.what AND s.n > r.n ORDER BY r.n;
