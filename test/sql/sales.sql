-- Pipelines, the rule of moving deals, history.
SET intervalstyle = postgres_verbose;
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET datestyle = ISO;
SET timezone = 'UTC';
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
-- The ready-made pipeline.  R-048
SELECT pipeline, stage, position, kind, deals, amount, weighted_amount, currency FROM crm.v_pipeline WHERE pipeline = 'Sales';
SELECT f.name AS "from", t.name AS "to" FROM crm.stage_transition r
LEFT JOIN crm.stage f ON f.id = r.from_stage_id JOIN crm.stage t ON t.id = r.to_stage_id
WHERE t.pipeline_id = crm.pipeline_id('Sales') ORDER BY f.position NULLS FIRST, t.position;
SELECT crm.seed_pipeline('default') = crm.pipeline_id('Sales') AS same, crm.seed_pipeline('simple') > 0 AS simple;
SELECT crm.seed_pipeline('other');

-- A pipeline of one's own; the code knows kinds, not names.
SELECT crm.create_pipeline('{"name": "Tender", "currency": "RUB", "entry": "first", "stages":
    [{"name": "Заявка", "rotting_after": "10 days"}, "Торги", {"name": "Договор", "kind": "won"}, {"name": "Отказ", "kind": "lost"}]}') > 0 AS made;
SELECT name, position, kind, probability, extract(day FROM rotting_after) AS rotting_days FROM crm.stage WHERE pipeline_id = crm.pipeline_id('Tender') ORDER BY position;
SELECT crm.create_pipeline('Service', '{New,Working}', flow => 'free', entry => 'open') > 0 AS made;
SELECT crm.create_pipeline('Service', '{New}');
SELECT crm.create_pipeline('{"name": "x", "stages": ["a"], "is_default": true}');
SELECT crm.create_pipeline('{"name": "x", "stages": []}');
SELECT crm.create_pipeline('{"name": "x", "stages": ["a"], "flow": "round"}');
SELECT crm.create_pipeline('{"name": "x", "stages": ["a"], "colour": 1}');
\set VERBOSITY terse
SELECT crm.create_pipeline('{"name": "x", "stages": [{"name": "a", "probability": 1.5}]}');
SELECT crm.create_pipeline('{"name": "x", "stages": [{"name": "a", "kind": "lost", "probability": 0.5}]}');
\set VERBOSITY default

-- A plain INSERT needs a name only.
INSERT INTO crm.agent (id, name, time_zone) VALUES (900001, 'Regress Agent', 'UTC');
INSERT INTO crm.company (id, name) VALUES (900001, 'Regress Company'), (900002, 'Regress Rival');
INSERT INTO crm.deal (id, name, amount) VALUES (900001, 'Valves', 1000);
SELECT p.name, s.name, d.currency, d.stage_entered_at = now() AS entered, d.closed_at FROM crm.deal d
JOIN crm.pipeline p ON p.id = d.pipeline_id JOIN crm.stage s ON s.id = d.stage_id WHERE d.id = 900001;

-- A jump is refused for UPDATE by anybody, as by the function.  R-049
UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Won') WHERE id = 900001;
SELECT crm.move_deal(900001, 'Won');
SELECT crm.win_deal(900001);
SELECT crm.move_deal(900001, 'proposal');
SELECT crm.move_deal(900001, 'Qualified'), crm.move_deal(900001, 'Qualified'), crm.move_deal(900001, 'Proposal'),
       crm.move_deal(900001, 'New');
SELECT crm.move_deal(900001, 'Nowhere');
SELECT crm.move_deal(999999, 'Won');
SELECT crm.move_deal(900001, 99999999);
UPDATE crm.deal SET stage_id = 99999999 WHERE id = 900001;
-- A role that may update deals but not read the rules is bound by them all the same.
CREATE ROLE regress_crm_seller;
GRANT SELECT, UPDATE ON crm.deal TO regress_crm_seller;
SET LOCAL ROLE regress_crm_seller;
UPDATE crm.deal SET stage_id = stage_id + 1 WHERE id = 900001;
UPDATE crm.deal SET stage_id = stage_id + 2 WHERE id = 900001;
DELETE FROM crm.deal_history WHERE deal_id = 900001;
RESET ROLE;
-- A trigger that fires after the guard is no way around it.
CREATE FUNCTION pg_temp.jump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.stage_id := crm.stage_id(NEW.pipeline_id, 'Won'); RETURN NEW; END $$;
CREATE TRIGGER zz_jump BEFORE UPDATE ON crm.deal FOR EACH ROW EXECUTE FUNCTION pg_temp.jump();
UPDATE crm.deal SET amount = 1 WHERE id = 900001;
DROP TRIGGER zz_jump ON crm.deal;
-- Rules are data: allowed and forbidden at once, and taken back with the change.
SAVEPOINT rule;
SELECT crm.allow_transition('Sales', 'Qualified', 'Won') > 0 AS allowed;
SELECT crm.win_deal(900001, 1200);
ROLLBACK TO rule;
SELECT crm.win_deal(900001);
SELECT crm.forbid_transition('Sales', 'Qualified', 'Proposal'), crm.forbid_transition('Sales', 'Qualified', 'Proposal');
SELECT crm.move_deal(900001, 'Proposal');
SELECT crm.allow_transition('Sales', 'Qualified', 'Proposal') > 0 AS allowed;
SELECT crm.move_deal(900001, 'Proposal'), crm.move_deal(900001, 'Negotiation');

-- Lost needs a reason.  R-067
SELECT crm.move_deal(900001, 'Lost');
SELECT crm.move_deal(900001, 'Lost', 'whim');
SELECT crm.lose_deal(900001, 'competitor', 900002), crm.lose_deal(900001, 'competitor', 900002);
UPDATE crm.deal SET loss_reason_id = NULL WHERE id = 900001;
SELECT r.name, r.kind, c.name, s.name AS lost_at, d.closed_at = now() AS closed FROM crm.deal d
JOIN crm.loss_reason r ON r.id = d.loss_reason_id JOIN crm.company c ON c.id = d.lost_to_company_id
JOIN crm.stage s ON s.id = d.lost_at_stage_id WHERE d.id = 900001;
-- Reopened: a move like any other.
SELECT crm.move_deal(900001, 'Negotiation');
SELECT loss_reason_id, lost_to_company_id, lost_at_stage_id, closed_at FROM crm.deal WHERE id = 900001;
SELECT crm.win_deal(900001, 1200), crm.win_deal(900001, 1200);
SELECT crm.move_deal(900001, 'New');

-- Where a deal may begin.
SELECT crm.define_field('deal', 'lot', 'number'), crm.define_field('deal', 'x', 'text'), crm.define_field('deal', 'a', 'json');
INSERT INTO crm.deal (name, stage_id) SELECT 'Straight in', id FROM crm.stage WHERE name = 'Торги';
SELECT crm.create_deal('{"name": "Bridge", "pipeline": "Tender", "amount": 5000000.50, "owner": "regress agent",
    "company": "Regress Company", "close_date": "2026-12-31", "attrs": {"lot": 7, "x": null}}') > 0 AS made;
INSERT INTO crm.deal (name, stage_id, closed_at, amount) SELECT 'Old', id, '2017-03-01 00:00+00', 10 FROM crm.stage
WHERE name = 'Won' AND pipeline_id = crm.pipeline_id('Sales') RETURNING stage_entered_at, closed_at, currency;
INSERT INTO crm.deal (name, stage_id) SELECT 'Old', id FROM crm.stage WHERE name = 'Lost' AND pipeline_id = crm.pipeline_id('Sales');
SELECT crm.create_deal('{"name": "x", "colour": "red"}');
SELECT crm.create_deal('{"name": "x", "pipeline": "Nothing"}');
\set VERBOSITY sqlstate
SELECT crm.create_deal('{"name": "x", "attrs": {"colour": "red"}}');
UPDATE crm.deal SET attrs = '{"lot": "seven"}' WHERE id = 900001;
\set VERBOSITY default
SELECT crm.create_deal('{"name": "x", "owner": "Nobody"}');
SELECT crm.create_deal('{"name": "x", "company": "Nobody"}');
\set VERBOSITY terse
\set VERBOSITY default
SELECT crm.create_deal('{"name": "x", "amount": "12,50"}');
SELECT crm.create_deal('{"name": "x", "created_at": "soon"}');
SELECT crm.create_deal('{"name": "x", "owner_id": "Anna", "stage": "New"}');
SELECT crm.create_deal('{"name": "x", "probability": 50}');
UPDATE crm.deal SET probability = 50 WHERE id = (SELECT min(id) FROM crm.deal);
INSERT INTO crm.deal (name, amount) VALUES ('x', -5);
INSERT INTO crm.loss_reason (name, kind) VALUES ('x', 'bad');
SELECT crm.create_deal('{"amount": 5}');
SELECT crm.create_deal('[]');
\set VERBOSITY terse
SELECT crm.create_task('{"title": "x", "priority": "high"}');
SELECT crm.create_task('{"title": "x", "due_on": "soon"}');
SELECT crm.create_payment('{"contact_id": "Anna", "amount": 5}');
SELECT crm.document_lines('[{"sku": "x", "quantity": "many"}]');
DO $$ BEGIN
    PERFORM crm.create_deal('{"name": "x", "amount": "12,50"}');
EXCEPTION WHEN invalid_parameter_value THEN
    DECLARE field text; BEGIN GET STACKED DIAGNOSTICS field = COLUMN_NAME; RAISE NOTICE 'column: %', field; END;
END $$;
SELECT crm.create_deal('{"name": "x", "amount": -1}');
SELECT crm.create_deal('{"name": "x", "amount": 1, "currency": "XXX"}');
SELECT crm.create_deal('{"name": "x", "probability": 2}');
\set VERBOSITY default
SELECT crm.create_deal('{}');

-- The codes that programs look at.
\set VERBOSITY sqlstate
UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Lost') WHERE id = 900001;
SELECT crm.create_deal('{"name": "x", "stage": "Lost"}');
SELECT crm.create_deal('{"name": "x", "stage": "Lots"}');
SELECT crm.create_pipeline('{"name": "x", "stages": []}');
SELECT crm.create_deal('{"name": "x", "colour": "red"}');
\set VERBOSITY default

-- Another pipeline: the stage decides; a contradiction is refused; the move must be allowed.
INSERT INTO crm.deal (id, name, pipeline_id, amount) VALUES (900004, 'Pipe', crm.pipeline_id('Tender'), 100);
UPDATE crm.deal SET pipeline_id = crm.pipeline_id('Service') WHERE id = 900004;
UPDATE crm.deal SET stage_id = crm.stage_id(crm.pipeline_id('Service'), 'New') WHERE id = 900004;
INSERT INTO crm.stage_transition (from_stage_id, to_stage_id)
VALUES (crm.stage_id(crm.pipeline_id('Tender'), 'Заявка'), crm.stage_id(crm.pipeline_id('Service'), 'New'));
UPDATE crm.deal SET stage_id = crm.stage_id(crm.pipeline_id('Service'), 'New') WHERE id = 900004;
SELECT p.name, d.currency FROM crm.deal d JOIN crm.pipeline p ON p.id = d.pipeline_id WHERE d.id = 900004;

-- A stage in use stays.  R-048
DELETE FROM crm.stage WHERE name = 'Won' AND pipeline_id = crm.pipeline_id('Sales'); -- has deals
UPDATE crm.stage SET kind = 'open' WHERE name = 'Won' AND pipeline_id = crm.pipeline_id('Sales');
DELETE FROM crm.stage WHERE name = 'Proposal' AND pipeline_id = crm.pipeline_id('Sales'); -- had one
DELETE FROM crm.stage WHERE name = 'Working' AND pipeline_id = crm.pipeline_id('Service');
UPDATE crm.stage SET name = 'Signed', position = 50 WHERE name = 'Won' AND pipeline_id = crm.pipeline_id('Sales') RETURNING name, kind;
UPDATE crm.stage SET position = position + 1 WHERE pipeline_id = crm.pipeline_id('Sales');

-- Time: a move may be dated, not before the one before it.
INSERT INTO crm.deal (id, name, created_at) VALUES (900002, 'Dated', '2026-01-01 00:00+00');
SELECT crm.move_deal(900002, 'Qualified', as_of => '2026-01-11 00:00+00');
SELECT crm.move_deal(900002, 'Proposal', as_of => '2026-01-10 00:00+00');
SELECT deal_id, stage, rotting_since FROM crm.rotting_deals('2026-01-25 00:00+00') WHERE deal_id = 900002;
SELECT deal_id, stage, stage_entered_at, rotting_since FROM crm.rotting_deals('2026-01-25 00:00:01+00') WHERE deal_id = 900002;
-- as the history says.  R-060
SELECT max(effective_at) = (SELECT stage_entered_at FROM crm.deal WHERE id = 900002) AS same FROM crm.deal_history
WHERE deal_id = 900002 AND field IN ('*', 'stage_id');
SELECT count(*) FROM crm.v_rotting_deal WHERE deal_id = 900002;

-- Replaying the history gives the row.  R-072, R-161
UPDATE crm.deal SET owner_id = 900001, probability = 0.3, close_date = '2026-02-01', description = 'a "quoted" тест' WHERE id = 900002;
UPDATE crm.deal SET close_date = '2026-03-01', probability = NULL, attrs = '{"a": [1, {"b": null}]}' WHERE id = 900002;
UPDATE crm.deal SET close_date = close_date WHERE id = 900002;
UPDATE crm.deal SET updated_at = 'infinity' WHERE id = 900002;
SELECT field, old_value, new_value, effective_at = changed_at AS at_once, actor = session_user AS actor, role = current_user AS role,
       transaction_id = pg_current_xact_id() AS here
FROM crm.deal_history WHERE deal_id = 900002 AND field <> '*' ORDER BY id;
DO $$
DECLARE
    deal crm.deal;
    entry record;
    replayed jsonb;
    deals integer := 0;
BEGIN
    FOR deal IN SELECT * FROM crm.deal LOOP
        FOR entry IN SELECT * FROM crm.deal_history h WHERE h.deal_id = deal.id ORDER BY id LOOP
            replayed := CASE
                WHEN entry.field = '*' THEN entry.new_value
                WHEN entry.new_value IS NULL THEN replayed - entry.field
                ELSE replayed || jsonb_build_object(entry.field, entry.new_value)
            END;
        END LOOP;
        IF jsonb_populate_record(NULL::crm.deal, replayed || jsonb_build_object('updated_at',
               (SELECT max(changed_at) FROM crm.deal_history h WHERE h.deal_id = deal.id))) IS DISTINCT FROM deal THEN
            RAISE EXCEPTION 'deal % is %, replayed %', deal.id, to_jsonb(deal), replayed;
        END IF;
        deals := deals + 1;
    END LOOP;
    RAISE NOTICE '% deals replayed', deals;
END
$$;
SELECT field, old_value, new_value FROM crm.v_deal_history WHERE deal_id = 900001 AND field IN ('stage_id', 'loss_reason_id') ORDER BY id;

-- A removed deal keeps its history.
DELETE FROM crm.deal WHERE id = 900002;
UPDATE crm.deal_history SET actor = 'somebody else' WHERE deal_id = 900002;
DELETE FROM crm.deal_history WHERE deal_id = 900002;
TRUNCATE crm.deal_history;
SELECT old_value ->> 'name' AS name, old_value ->> 'close_date' AS close_date FROM crm.deal_history WHERE deal_id = 900002 AND field = '*' AND new_value IS NULL;
SELECT crm.stage_guard();
SELECT crm.deal_history();
ROLLBACK;

-- The state of a past moment needs transactions of their own.
INSERT INTO crm.deal (id, name, amount) VALUES (900003, 'Past', 1);
SELECT clock_timestamp() AS t1 \gset
SELECT crm.move_deal(900003, 'Qualified');
UPDATE crm.deal SET amount = 2, description = 'x' WHERE id = 900003;
SELECT clock_timestamp() AS t2 \gset
UPDATE crm.deal SET amount = NULL, description = NULL WHERE id = 900003;
SELECT clock_timestamp() AS t3 \gset
DELETE FROM crm.deal WHERE id = 900003;
SELECT d.amount, s.name, d.description FROM (VALUES (1, :'t1'::timestamptz), (2, :'t2'), (3, :'t3')) t (n, at),
    jsonb_populate_record(NULL::crm.deal, crm.deal_as_of(900003, t.at)) d LEFT JOIN crm.stage s ON s.id = d.stage_id ORDER BY n;
SELECT crm.deal_as_of(900003, '2000-01-01'), crm.deal_as_of(900003, now());
SET session_replication_role = replica;
DELETE FROM crm.deal_history WHERE deal_id = 900003;
RESET session_replication_role;

-- More deals than memory holds: their history is read from disk.
BEGIN;
SET LOCAL work_mem = '64kB';
INSERT INTO crm.deal (id, name, pipeline_id, stage_id, amount, currency) SELECT 900100 + i, 'Deal ' || i, 1, 1, i, 'USD' FROM generate_series(1, 1500) i;
UPDATE crm.deal SET amount = amount + 1, name = name || '!' WHERE id > 900100;
UPDATE crm.deal SET amount = amount WHERE id > 900100;
DELETE FROM crm.deal WHERE id > 900100;
SELECT field, count(*), count(*) FILTER (WHERE field <> 'amount' OR (old_value = to_jsonb(deal_id - 900100) AND new_value = to_jsonb(deal_id - 900099))) AS right
FROM crm.deal_history WHERE deal_id > 900100 GROUP BY 1 ORDER BY 1;
ROLLBACK;

-- Import: sets, twice the same is nothing new, bad rows are kept aside.  R-047
BEGIN;
CREATE TABLE staging (opportunity_id text, sales_agent text, product text, account text, deal_stage text, engage_date text,
    close_date text, close_value text, region text);
INSERT INTO staging VALUES
    ('A1', 'Regress  Ann', 'Saw', 'Regress Mill', 'Won', '10/20/2016', '3/1/2017', '1054', 'East'),
    ('A2', 'regress ann', 'Saw', 'regress mill', 'Lost', '10/21/2016', '3/2/2017', '0', NULL),
    ('A3', 'Regress Bob', 'Axe', '', 'Engaging', '11/01/2016', '', '', NULL),
    ('A4', 'Regress Bob', 'Axe', 'Regress Mill', 'Prospecting', '', '', '', NULL),
    ('A4', 'Regress Bob', 'Axe', 'Regress Mill', 'Prospecting', '', '', '', NULL),
    ('', 'Regress Bob', 'Axe', 'Regress Mill', 'Won', '', '', '', NULL),
    ('A7', 'Regress Bob', 'Axe', 'Regress Mill', '', '', '', '', NULL),
    ('A8', 'Regress Bob', 'Axe', 'Regress Mill', 'Won', '13/45/2016', '', '', NULL),
    ('A9', 'Regress Bob', 'Axe', 'Regress Mill', 'Won', '12/31/2016', '12/30/2016', '', NULL),
    ('B1', 'Regress Bob', 'Axe', 'Regress Mill', 'Won', '12/31/2016', '', 'much', NULL),
    ('B2', 'Regress Bob', 'Axe', 'Regress Mill', 'Won', '12/31/2016', '', '-5', NULL);
SELECT * FROM crm.import_deals('staging', 'Regress', 'regress', as_of => '2020-01-01 00:00+00');
SELECT external_id, field, reason FROM crm.deal_import_reject WHERE system = 'regress' ORDER BY id;
SELECT s.name, s.position, s.kind FROM crm.stage s WHERE s.pipeline_id = crm.pipeline_id('Regress') ORDER BY position;
SELECT d.external_id, d.name, s.name AS stage, a.name AS owner, c.name AS company, d.amount, d.created_at, d.stage_entered_at, d.closed_at, d.close_date, r.name AS reason, d.attrs
FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id LEFT JOIN crm.agent a ON a.id = d.owner_id LEFT JOIN crm.company c ON c.id = d.company_id
LEFT JOIN crm.loss_reason r ON r.id = d.loss_reason_id WHERE d.external_system = 'regress' ORDER BY 1;
SELECT * FROM crm.import_deals('staging', 'Regress', 'regress', as_of => '2020-01-01 00:00+00');
DELETE FROM staging WHERE opportunity_id NOT IN ('A1', 'A3', 'A4');
DELETE FROM staging WHERE ctid IN (SELECT max(ctid) FROM staging WHERE opportunity_id = 'A4');
UPDATE staging SET deal_stage = 'Won', close_date = '2/1/2017', close_value = '77' WHERE opportunity_id = 'A3';   -- allowed
UPDATE staging SET deal_stage = 'Won' WHERE opportunity_id = 'A4';                                                -- a jump
UPDATE staging SET deal_stage = 'Engaging' WHERE opportunity_id = 'A1';                                           -- back from won
INSERT INTO staging (opportunity_id, deal_stage) VALUES ('C1', 'Dreaming');
SELECT * FROM crm.import_deals('staging', 'Regress', 'regress', as_of => '2020-01-01 00:00+00');
SELECT external_id, field, reason FROM crm.deal_import_reject WHERE system = 'regress' ORDER BY id;
SELECT d.external_id, s.name, d.stage_entered_at, d.closed_at, d.amount FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE d.external_id = 'A3';
-- A field that is defined already binds the import too.
SELECT crm.define_field('deal', 'region', 'choice', choices => '{East,West}');
UPDATE staging SET region = 'North' WHERE opportunity_id = 'A3';
UPDATE staging SET region = 'West', deal_stage = 'Won' WHERE opportunity_id = 'A1';
SELECT * FROM crm.import_deals('staging', 'Regress', 'regress', as_of => '2020-01-01 00:00+00');
SELECT external_id, field, reason FROM crm.deal_import_reject WHERE system = 'regress' AND field = 'region' ORDER BY id;
SELECT attrs FROM crm.deal WHERE external_id = 'A1';
-- Closed deals stood open, where and for what the file says; a promise is what was promised, and of an open deal its close.
CREATE TABLE course (id text, stage text, started text, closed text, promised text, began_stage text, began_amount text, amount text);
INSERT INTO course VALUES ('1', 'Won', '01/05/2020', '02/05/2020', NULL, NULL, NULL, '100'), ('2', 'Won', '01/05/2020', '02/05/2020', '01/31/2020', 'Early', '80', '100'),
    ('3', 'Lost', '01/05/2020', '02/05/2020', NULL, 'early', '80', NULL), ('4', 'Late', '01/05/2020', '03/31/2020', NULL, NULL, NULL, '50'), ('5', 'Won', NULL, '02/05/2020', NULL, NULL, NULL, '7'),
    ('6', 'Lost', '01/05/2020', '01/05/2020', NULL, NULL, NULL, NULL), ('7', 'Won', '01/05/2020', '02/05/2020', 'soon', NULL, NULL, NULL), ('8', 'Won', '01/05/2020', '02/05/2020', NULL, 'Nowhere', NULL, NULL),
    ('9', 'Won', '01/05/2020', '02/05/2020', NULL, NULL, '-1', NULL);
SELECT * FROM crm.import_deals('course', 'Regress course', 'regress course', stages => '{Early,Late}', as_of => '2020-03-01 00:00+00');
SELECT external_id, field, reason FROM crm.deal_import_reject WHERE system = 'regress course' ORDER BY id;
UPDATE course SET began_stage = NULL WHERE id = '2';
SELECT * FROM crm.import_deals('course', 'Regress course', 'regress course', as_of => '2020-03-01 00:00+00');
SELECT d.external_id, (SELECT string_agg(s.name || ' ' || v.entered_at::date, ', ' ORDER BY v.visit) FROM crm.stage_visits() v JOIN crm.stage s ON s.id = v.stage_id WHERE v.deal_id = d.id) AS course,
       d.created_at::date AS began, d.closed_at::date AS closed, d.close_date, (SELECT h.new_value ->> 'amount' FROM crm.deal_history h WHERE h.deal_id = d.id AND h.field = '*') AS at_first, d.amount, r.name AS reason
FROM crm.deal d LEFT JOIN crm.loss_reason r ON r.id = d.loss_reason_id WHERE d.external_system = 'regress course' ORDER BY 1;
-- A deal that was open is closed by the next file, and its promise stays.
UPDATE course SET stage = 'Won', closed = '04/02/2020' WHERE id = '4';
SELECT * FROM crm.import_deals('course', 'Regress course', 'regress course', as_of => '2020-05-01 00:00+00');
SELECT closed_at, close_date FROM crm.deal WHERE external_system = 'regress course' AND external_id = '4';
-- Of closed deals alone the pipeline has a stage for what they were before.
CREATE VIEW ended AS SELECT id, stage, started, closed, amount FROM course WHERE id IN ('1', '3');
SELECT * FROM crm.import_deals('ended', 'Regress ended', 'regress ended', as_of => '2020-03-01 00:00+00');
SELECT stage, entered, won, lost, median_time FROM crm.funnel_conversion('Regress ended', as_of => '2020-03-01 00:00+00');
-- A deal that is lost for 0, or for nothing, is worth what was at stake; where that is not known, 0.
CREATE TABLE again (id text, stage text, started text, closed text, promised text, owner text, began_amount text, amount text, note text);
INSERT INTO again VALUES ('1', 'Lost', '01/05/2020', '02/05/2020', NULL, 'Regress Ann', '80', '0', 'a'), ('2', 'Late', '01/05/2020', NULL, '03/31/2020', 'Regress Ann', NULL, '50', 'b'),
    ('3', 'Early', '01/05/2020', NULL, '03/31/2020', 'Regress Ann', NULL, '60', NULL), ('4', 'Lost', NULL, '02/05/2020', NULL, NULL, NULL, '0', NULL), ('5', 'Lost', '01/05/2020', '02/05/2020', NULL, NULL, '90', NULL, NULL),
    ('6', 'Lost', NULL, '02/05/2020', NULL, NULL, '70', '0', NULL), ('7', 'Lost', '01/05/2020', '02/05/2020', NULL, NULL, '90', '15', NULL);
SELECT * FROM crm.import_deals('again', 'Regress again', 'regress again', stages => '{Early,Late}', as_of => '2020-03-01 00:00+00');
SELECT external_id, amount FROM crm.deal WHERE external_system = 'regress again' AND stage_id = crm.stage_id(pipeline_id, 'Lost') ORDER BY 1;
-- What was done here since stays, whatever the file still says.
CREATE TABLE regress_deal AS SELECT d.external_id AS key, d.id FROM crm.deal d WHERE d.external_system = 'regress again';
CREATE FUNCTION pg_temp.number(key text) RETURNS bigint LANGUAGE sql AS 'SELECT id FROM regress_deal WHERE key = $1';
SELECT crm.move_deal(pg_temp.number('1'), 'Late'), crm.lose_deal(pg_temp.number('2'), 'Price'), crm.move_deal(pg_temp.number('3'), 'Late');
UPDATE crm.deal SET amount = 55, close_date = '2020-04-30', attrs = attrs || '{"note": "c"}', name = 'Renamed' WHERE id IN (pg_temp.number('2'), pg_temp.number('3'));
UPDATE crm.agent SET name = 'Regress Anna' WHERE name = 'Regress Ann';
CREATE VIEW kept AS SELECT d.external_id, d.name, s.name AS stage, a.name AS owner, d.amount, d.close_date, r.name AS reason, d.attrs FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
    LEFT JOIN crm.agent a ON a.id = d.owner_id LEFT JOIN crm.loss_reason r ON r.id = d.loss_reason_id WHERE d.external_system = 'regress again' AND d.external_id <= '3';
CREATE TABLE before AS SELECT * FROM kept;
SELECT * FROM crm.import_deals('again', 'Regress again', 'regress again', as_of => '2020-03-02 00:00+00');
SELECT count(*) AS differ FROM (TABLE kept EXCEPT TABLE before) d;
SELECT * FROM kept ORDER BY 1;
-- ... only what it says otherwise is taken.
UPDATE again SET owner = 'Regress Bob' WHERE id = '1';
UPDATE again SET amount = '70' WHERE id = '2';
UPDATE again SET stage = 'Lost', amount = '0', note = 'd' WHERE id = '3';
SELECT * FROM crm.import_deals('again', 'Regress again', 'regress again', as_of => '2020-03-03 00:00+00');
SELECT * FROM kept ORDER BY 1;
-- A stage that has another name here is asked for by those rows alone that go there.
SAVEPOINT renamed;
UPDATE crm.stage SET name = 'Gone' WHERE pipeline_id = crm.pipeline_id('Regress again') AND name = 'Lost';
UPDATE again SET stage = 'Lost' WHERE id = '2';
SELECT * FROM crm.import_deals('again', 'Regress again', 'regress again', as_of => '2020-03-04 00:00+00');
SELECT external_id, field, reason FROM crm.deal_import_reject WHERE system = 'regress again';
ROLLBACK TO renamed;
-- Of deals that were imported before the rows were kept, it is what the deal was made with.
DELETE FROM crm.imported_deal;
SELECT crm.move_deal(pg_temp.number('4'), 'Late'), crm.move_deal(pg_temp.number('2'), 'Late');
UPDATE again SET amount = '75' WHERE id = '2';
SELECT * FROM crm.import_deals('again', 'Regress again', 'regress again', as_of => '2020-03-05 00:00+00');
SELECT external_id, (SELECT s.name FROM crm.stage s WHERE s.id = stage_id) AS stage, amount FROM crm.deal WHERE id IN (pg_temp.number('4'), pg_temp.number('2')) ORDER BY 1;
SELECT * FROM crm.import_deals('again', 'Regress again', 'regress again', as_of => '2020-03-05 00:00+00');
-- Stages by name in the history.
SELECT field, old_value, new_value FROM crm.v_deal_history WHERE deal_id = pg_temp.number('2') AND field IN ('stage_id', 'lost_at_stage_id') ORDER BY id;
SELECT * FROM crm.import_deals('staging', columns => '{"external_id": "nothing"}');
SELECT * FROM crm.import_deals('staging', columns => '{"number": "opportunity_id"}');
ROLLBACK;
