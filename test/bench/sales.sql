-- What the guard and the history of deals cost, beside the same without them
-- and beside a guard in PL/pgSQL, with and without criteria; single moves of two
-- clients at once; the funnel beside a plain query; reminders beside a loop.
\set QUIET on
\pset format aligned
\pset footer off
SET client_min_messages = warning;
SELECT crm.install() IS NOT NULL AS installed \gset
SET synchronous_commit = off;
CREATE TABLE result (n serial, what text, variant text, seconds numeric, per_row_us numeric);
SELECT least(:rows, 200000) AS deals \gset
INSERT INTO crm.agent (id, name) SELECT i, 'Agent ' || i FROM generate_series(1, 50) i;
INSERT INTO crm.company (id, name) SELECT i, 'Company ' || i FROM generate_series(1, 1000) i;

-- The guard as one would write it by hand.
CREATE FUNCTION plain_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.stage_id = OLD.stage_id THEN
        RETURN NEW;
    END IF;
    PERFORM FROM crm.stage_transition t
    WHERE t.from_stage_id IS NOT DISTINCT FROM (CASE WHEN TG_OP = 'UPDATE' THEN OLD.stage_id END) AND t.to_stage_id = NEW.stage_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'deal % cannot move', NEW.id;
    END IF;
    SELECT s.pipeline_id, CASE WHEN s.kind = 'open' THEN NULL ELSE now() END INTO NEW.pipeline_id, NEW.closed_at
    FROM crm.stage s WHERE s.id = NEW.stage_id;
    IF NEW.amount IS NOT NULL AND NEW.currency IS NULL THEN
        SELECT p.currency INTO NEW.currency FROM crm.pipeline p WHERE p.id = NEW.pipeline_id;
    END IF;
    NEW.stage_entered_at := now();
    NEW.updated_at := now();
    RETURN NEW;
END $$;

-- The same with criteria as data: required fields, roles and a guard, as SQL.
CREATE TABLE plain_criteria (from_stage_id bigint, to_stage_id bigint NOT NULL, guard text, roles text[], required_fields text[]);
CREATE UNIQUE INDEX ON plain_criteria (to_stage_id, from_stage_id);
CREATE FUNCTION plain_judge() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    criteria plain_criteria;
    missing text;
    holds boolean;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.stage_id = OLD.stage_id THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT * INTO criteria FROM plain_criteria c WHERE c.from_stage_id = OLD.stage_id AND c.to_stage_id = NEW.stage_id;
    ELSE
        SELECT * INTO criteria FROM plain_criteria c WHERE c.from_stage_id IS NULL AND c.to_stage_id = NEW.stage_id;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'deal % cannot move', NEW.id;
    END IF;
    IF criteria.roles IS NOT NULL AND NOT EXISTS (SELECT FROM unnest(criteria.roles) r WHERE pg_has_role(r, 'MEMBER')) THEN
        RAISE EXCEPTION 'deal % may be moved by others', NEW.id;
    END IF;
    IF criteria.required_fields IS NOT NULL THEN
        SELECT string_agg(f, ', ') INTO missing FROM unnest(criteria.required_fields) f WHERE to_jsonb(NEW) ->> f IS NULL;
        IF missing IS NOT NULL THEN
            RAISE EXCEPTION 'deal % lacks %', NEW.id, missing;
        END IF;
    END IF;
    IF criteria.guard IS NOT NULL THEN
        EXECUTE format('SELECT (%s) FROM (SELECT ($1).*) d', criteria.guard) INTO holds USING NEW;
        IF holds IS NOT TRUE THEN
            RAISE EXCEPTION 'deal % does not meet %', NEW.id, criteria.guard;
        END IF;
    END IF;
    SELECT s.pipeline_id, CASE WHEN s.kind = 'open' THEN NULL ELSE now() END INTO NEW.pipeline_id, NEW.closed_at
    FROM crm.stage s WHERE s.id = NEW.stage_id;
    NEW.stage_entered_at := now();
    NEW.updated_at := now();
    RETURN NEW;
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
SELECT format($$INSERT INTO crm.deal (name, pipeline_id, stage_id, company_id, owner_id, amount, currency, stage_entered_at)
    SELECT 'Deal ' || i, 1, 1, 1 + i %% 1000, 1 + i %% 50, i, 'USD', now() FROM generate_series(1, %s) i$$, :deals) AS load \gset

\echo load of :deals deals
ALTER TABLE crm.deal DISABLE TRIGGER USER;
CALL measure('load', 'without triggers', :deals, :'load');
ALTER TABLE crm.deal ENABLE TRIGGER stage_guard;
CALL measure('load', 'guard', :deals, :'load');
ALTER TABLE crm.deal ENABLE TRIGGER USER;
CALL measure('load', 'guard and history', :deals, :'load');
ALTER TABLE crm.deal DISABLE TRIGGER USER;
CREATE TRIGGER plain_guard BEFORE INSERT OR UPDATE ON crm.deal FOR EACH ROW EXECUTE FUNCTION plain_guard();
CALL measure('load', 'guard in PL/pgSQL', :deals, :'load');
ALTER TABLE crm.deal DISABLE TRIGGER plain_guard;

\echo load with criteria: a guard, two required fields, a role
CREATE ROLE bench_seller;
GRANT bench_seller TO CURRENT_USER;
SELECT $$amount > 0 and currency in ('USD', 'EUR') and (company_id is not null or contact_id is not null)$$ AS guard \gset
INSERT INTO plain_criteria SELECT from_stage_id, to_stage_id, :'guard', '{bench_seller}', '{owner_id,amount}' FROM crm.stage_transition;
ANALYZE plain_criteria;
UPDATE crm.stage_transition SET guard = :'guard', roles = '{bench_seller}', required_fields = '{owner_id,amount}';
ALTER TABLE crm.deal ENABLE TRIGGER stage_guard;
INSERT INTO result (what, variant, seconds, per_row_us)
SELECT 'load, criteria', variant, seconds, per_row_us FROM result WHERE what = 'load' AND variant = 'without triggers';
CALL measure('load, criteria', 'guard', :deals, :'load');
ALTER TABLE crm.deal DISABLE TRIGGER USER;
CREATE TRIGGER plain_judge BEFORE INSERT OR UPDATE ON crm.deal FOR EACH ROW EXECUTE FUNCTION plain_judge();
CALL measure('load, criteria', 'guard in PL/pgSQL', :deals, :'load');

\echo single moves, two clients at once, 5,000 each
INSERT INTO crm.deal (id, name, pipeline_id, stage_id, company_id, owner_id, amount, currency, stage_entered_at)
SELECT i, 'Deal ' || i, 1, 1 + i % 2, 1 + i % 1000, 1 + i % 50, i, 'USD', now() FROM generate_series(1, 10000) i;
VACUUM ANALYZE crm.deal;
\! printf '%s\n' '\set id 2 * random(1, 5000) - :client_id' 'UPDATE crm.deal SET stage_id = CASE stage_id WHEN 1 THEN 2 ELSE 1 END WHERE id = :id;' >move.sql
\! printf '%s\n' '"$(pg_config --bindir)/pgbench" -n -c 2 -j 2 -t 5000 -f move.sql bench_sales 2>/dev/null | sed -n "s/^tps = \([0-9.]*\).*/\1/p"' >move.sh
CREATE TABLE clients (n integer, variant text, us numeric);
-- In turns, so that what else the machine does hits all alike; the best of three.
SELECT string_agg(format($$ALTER TABLE crm.deal DISABLE TRIGGER USER%s
\set round `sh move.sh`
INSERT INTO clients VALUES (%s, %L, 2e6 / :round);$$, '; ALTER TABLE crm.deal ENABLE TRIGGER ' || v.name || ';', v.n, v.variant), E'\n' ORDER BY r, v.n) AS turns
FROM generate_series(1, 3) r, (VALUES (1, 'attrs_update', 'without guard'), (2, 'stage_guard', 'guard with criteria'), (3, 'plain_judge', 'the same in PL/pgSQL')) v (n, name, variant) \gset
\o turns.sql
\qecho :turns
\o
\i turns.sql
DROP TRIGGER plain_judge ON crm.deal;
SELECT variant, round(us, 1) AS "µs a move", round(us - first_value(us) OVER (ORDER BY n), 1) AS "µs of the check",
       round((us - first_value(us) OVER (ORDER BY n)) / nullif(nth_value(us, 2) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) - first_value(us) OVER (ORDER BY n), 0), 1) AS ratio
FROM (SELECT n, variant, min(us) AS us FROM clients GROUP BY 1, 2) c ORDER BY n;
DELETE FROM crm.deal WHERE id <= 10000;
UPDATE crm.stage_transition SET guard = NULL, roles = NULL, required_fields = NULL;

\echo move of 100,000 deals
INSERT INTO crm.deal (name, pipeline_id, stage_id, company_id, owner_id, amount, currency, stage_entered_at)
SELECT 'Deal ' || i, 1, 1, 1 + i % 1000, 1 + i % 50, i, 'USD', now() FROM generate_series(1, 100000) i;
VACUUM ANALYZE crm.deal;
SELECT 'UPDATE crm.deal SET stage_id = 2, stage_entered_at = now(), updated_at = now()' AS move \gset
CALL measure('move', 'without triggers', 100000, :'move');
VACUUM FULL crm.deal;
ALTER TABLE crm.deal ENABLE TRIGGER stage_guard;
CALL measure('move', 'guard', 100000, :'move');
VACUUM FULL crm.deal;
ALTER TABLE crm.deal ENABLE TRIGGER USER;
ALTER TABLE crm.deal DISABLE TRIGGER plain_guard;
CALL measure('move', 'guard and history', 100000, :'move');
VACUUM FULL crm.deal;
ALTER TABLE crm.deal DISABLE TRIGGER USER;
ALTER TABLE crm.deal ENABLE TRIGGER plain_guard;
CALL measure('move', 'guard in PL/pgSQL', 100000, :'move');
ALTER TABLE crm.deal DISABLE TRIGGER plain_guard;

\echo the funnel: 100,000 deals, one of ten open
UPDATE crm.deal SET closed_at = CASE WHEN id % 10 > 0 THEN now() END, stage_id = CASE WHEN id % 10 > 0 THEN 5 ELSE 1 + id / 10 % 4 END;
VACUUM ANALYZE crm.deal;
CALL measure('funnel', 'crm.v_pipeline', 50, 'SELECT count(v.deals) FROM generate_series(1, 50) g CROSS JOIN LATERAL (SELECT deals FROM crm.v_pipeline WHERE g > 0 OFFSET 0) v');
CALL measure('funnel', 'all deals', 50, 'SELECT count(v.deals) FROM generate_series(1, 50) g CROSS JOIN LATERAL (SELECT deals FROM crm.v_pipeline_total WHERE g > 0 OFFSET 0) v');

\echo 100,000 reminders
INSERT INTO crm.reminder (agent_id, note, remind_at)
SELECT 1 + i % 50, 'reminder ' || i, timestamptz '2026-01-01' + i * interval '1 second' FROM generate_series(1, 100000) i;
VACUUM ANALYZE crm.reminder;
CREATE FUNCTION naive_fire(as_of timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    one record;
    sent integer := 0;
BEGIN
    LOOP
        SELECT * INTO one FROM crm.reminder r WHERE r.fired_at IS NULL AND r.remind_at <= as_of
        ORDER BY r.remind_at LIMIT 1 FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        UPDATE crm.reminder SET fired_at = as_of WHERE id = one.id;
        INSERT INTO crm.notification (agent_id, kind, key, title, created_at)
        VALUES (one.agent_id, 'reminder', 'reminder:' || one.id, one.note, as_of);
        sent := sent + 1;
        EXIT WHEN sent = 10000;
    END LOOP;
    RETURN sent;
END $$;
CALL measure('10,000 reminders', 'fire_reminders', 10000, 'SELECT crm.fire_reminders(''2026-02-01'', 10000)');
CALL measure('10,000 reminders', 'one by one', 10000, 'SELECT naive_fire(''2026-02-01'')');

\echo processor time, the best of three
SELECT what, variant, seconds, per_row_us AS "µs a row",
       round(seconds / nullif(first_value(seconds) OVER (PARTITION BY what ORDER BY n), 0), 2) AS ratio
FROM result ORDER BY n;
