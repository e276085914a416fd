-- Stages as they were on any day, stages that are merged, probability from history, the funnel, who sees which deals.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET datestyle = ISO;
SET timezone = 'UTC';
SELECT crm.install() IS NOT NULL AS installed;

-- Configuration of a past day needs transactions of their own.  R-049, R-271
SELECT crm.create_pipeline('Regress', '{Lead,Offer,Talk}') AS pipeline \gset
SELECT crm.stage_id(:pipeline, 'Lead') AS lead, crm.stage_id(:pipeline, 'Offer') AS offer, crm.stage_id(:pipeline, 'Talk') AS talk,
       crm.stage_id(:pipeline, 'Won') AS won, crm.stage_id(:pipeline, 'Lost') AS lost \gset
INSERT INTO crm.deal (id, name, stage_id, amount) VALUES (900001, 'First', :offer, 100), (900002, 'Second', :talk, 200);
SELECT clock_timestamp() AS march \gset
BEGIN;
UPDATE crm.stage SET name = 'Proposal', probability = 0.4 WHERE id = :offer;
UPDATE crm.stage SET name = 'Quote' WHERE id = :offer;
INSERT INTO crm.stage (pipeline_id, name, position, probability) VALUES (:pipeline, 'Contract', 10, 0.9);
UPDATE crm.pipeline SET name = 'Regress new' WHERE id = :pipeline;
COMMIT;
SELECT crm.allow_transition('Regress new', 'Talk', 'Contract', guard => 'amount > 5') > 0 AS allowed;
SELECT name, position, kind, probability, pipeline_name FROM crm.stages_as_of(:pipeline, :'march');
SELECT name, position, kind, probability, pipeline_name FROM crm.stages_as_of('Regress new');
-- A report about March uses March's stages.
CREATE FUNCTION pg_temp.report(as_of timestamptz) RETURNS TABLE (stage text, deals bigint, weighted numeric) LANGUAGE sql AS $$
    SELECT s.name, count(d.id), sum(d.amount * s.probability) FROM crm.stages_as_of(crm.pipeline_id('Regress new'), as_of) s
    LEFT JOIN LATERAL (SELECT r.* FROM crm.deal e, jsonb_populate_record(NULL::crm.deal, crm.deal_as_of(e.id, as_of)) r WHERE e.id > 900000) d ON d.stage_id = s.stage_id
    WHERE s.kind = 'open' GROUP BY s.stage_id, s.name, s.position ORDER BY s.position $$;
SELECT * FROM pg_temp.report(:'march');
SELECT * FROM pg_temp.report(now());
-- Versions follow each other without gaps; what a transaction overwrote itself was never there.
SELECT h."values" ->> 'name' AS name, lower(h.valid) = lag(upper(h.valid)) OVER (ORDER BY h.id) AS follows, upper_inf(h.valid) AS holds, h.actor = session_user AS mine
FROM crm.stage_history h WHERE h.source = 'stage' AND h.source_id = :offer ORDER BY h.id;
SELECT count(*) FILTER (WHERE guard IS NOT NULL) AS guarded, count(*) AS moves FROM crm.transitions_as_of(:pipeline);
SELECT count(*) FILTER (WHERE guard IS NOT NULL) AS guarded, count(*) AS moves FROM crm.transitions_as_of(:pipeline, :'march');
SELECT count(*) = (SELECT count(*) FROM crm.stage_transition t JOIN crm.stage s ON s.id = t.to_stage_id WHERE s.pipeline_id = :pipeline) AS same FROM crm.transitions_as_of(:pipeline);
SELECT count(*) = (SELECT count(*) FROM crm.transitions_as_of(:pipeline, :'march')) AS same FROM crm.transitions_as_of((SELECT p.name FROM crm.pipeline p WHERE p.id = :pipeline), :'march');
\set VERBOSITY terse
SELECT * FROM crm.transitions_as_of('Nothing');
\set VERBOSITY default
-- Before the pipeline was: as it was made.
SELECT string_agg(name, ', ') FROM crm.stages_as_of(:pipeline, '2010-01-01');
SELECT count(*) FROM crm.stages_as_of(99999999);

-- Two stages become one: deals, moves and playbook go along, the past stays readable.
SELECT clock_timestamp() AS april \gset
INSERT INTO crm.stage_playbook (stage_id, title) VALUES (:talk, 'Ring');
INSERT INTO crm.stage_prerequisite VALUES (:won, :talk);
SELECT stage_entered_at AS entered FROM crm.deal WHERE id = 900002 \gset
SELECT crm.merge_stages('Regress new', 'Talk', 'Talk');
SELECT crm.merge_stages(:talk, :won);
SELECT crm.merge_stages(:talk, (SELECT id FROM crm.stage WHERE name = 'New' AND pipeline_id = crm.pipeline_id('Sales')));
SELECT crm.merge_stages(:talk, 99999999);
UPDATE crm.stage SET entry_guard = 'amount > 1000' WHERE id = :offer;
SELECT crm.merge_stages('Regress new', 'Talk', 'Quote') AS moved;
SELECT crm.merge_stages(:talk, :lead);
SELECT s.name, d.stage_entered_at = :'entered' AS same_time, (SELECT count(*) FROM crm.task t WHERE t.deal_id = d.id) AS tasks FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE d.id = 900002;
SELECT old_value, new_value, effective_at = changed_at AS now FROM crm.v_deal_history WHERE deal_id = 900002 AND field = 'stage_id';
SELECT coalesce(f.name, '-') AS "from", t.name AS "to", r.guard FROM crm.stage_transition r LEFT JOIN crm.stage f ON f.id = r.from_stage_id JOIN crm.stage t ON t.id = r.to_stage_id
WHERE t.pipeline_id = :pipeline ORDER BY f.position NULLS FIRST, t.position;
SELECT s.name FROM crm.stage_playbook p JOIN crm.stage s ON s.id = p.stage_id WHERE s.pipeline_id = :pipeline;
SELECT s.name, q.name AS requires FROM crm.stage_prerequisite p JOIN crm.stage s ON s.id = p.stage_id JOIN crm.stage q ON q.id = p.required_stage_id WHERE s.pipeline_id = :pipeline;
SELECT crm.move_deal(900002, 'Lead'), crm.move_deal(900001, 'Talk');
UPDATE crm.deal SET amount = 2000 WHERE id = 900002;
SELECT crm.move_deal(900002, 'talk');
UPDATE crm.deal SET stage_id = :talk WHERE id = 900001;
SELECT * FROM pg_temp.report(:'april');
SELECT * FROM pg_temp.report(now());
SELECT stage, deals FROM crm.v_pipeline WHERE pipeline_id = :pipeline;
DELETE FROM crm.stage WHERE id = :talk;

-- Probability by history: of the finished deals that had been at a stage, those won.
SELECT crm.create_pipeline('Regress odds', '{A,B,C}', flow => 'free') AS odds \gset
INSERT INTO crm.deal (id, name, stage_id, created_at) SELECT 900100 + i, 'Odds ' || i, crm.stage_id(:odds, CASE WHEN i <= 8 THEN 'A' ELSE 'B' END), '2026-01-01 00:00+00'
FROM generate_series(1, 12) i;
-- 1 to 8 begin at A; 1 to 6 go to B, 1 to 3 of them are won, 4 to 5 lost, 6 stays; 7 is lost from A; 8 stays at A.
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'B'), stage_entered_at = '2026-01-10 00:00+00' WHERE id BETWEEN 900101 AND 900106;
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'Won'), stage_entered_at = '2026-02-01 00:00+00' WHERE id BETWEEN 900101 AND 900103;
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'Lost'), stage_entered_at = '2026-02-02 00:00+00', loss_reason_id = 1 WHERE id IN (900104, 900105, 900107);
-- 9 and 10 begin at B and are won in January and June; 11 is won and reopened; 12 is lost and deleted.
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'Won'), stage_entered_at = '2026-01-15 00:00+00' WHERE id = 900109;
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'Won'), stage_entered_at = '2026-06-01 00:00+00' WHERE id = 900110;
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'Won'), stage_entered_at = '2026-02-01 00:00+00' WHERE id = 900111;
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'C'), stage_entered_at = '2026-03-01 00:00+00' WHERE id = 900111;
UPDATE crm.deal SET stage_id = crm.stage_id(:odds, 'Lost'), stage_entered_at = '2026-02-01 00:00+00', loss_reason_id = 1 WHERE id = 900112;
UPDATE crm.deal SET deleted_at = '2026-02-15 00:00+00' WHERE id = 900112;
-- On 1 July: 1 to 5 and 7 entered A, 3 won; B: 1 to 5, 9 and 10 entered, 5 won; C: 11 is open again.
SELECT stage, entered, won, probability FROM crm.stage_probability(:odds, '2026-07-01 00:00+00');
-- On 20 February: 10 is not won yet, 11 still is; the window of 20 days begins on 31 January.
SELECT stage, entered, won, probability FROM crm.stage_probability(:odds, '2026-02-20 00:00+00', '20 days');
UPDATE crm.pipeline SET probability_from = 'history', probability_sample = 7 WHERE id = :odds;
UPDATE crm.deal SET amount = 100 WHERE id IN (900106, 900108);
UPDATE crm.deal SET amount = 1000, probability = 0.5 WHERE id = 900111;
SELECT crm.refresh_stage_win_rates('2026-07-01 00:00+00') AS stages, crm.refresh_stage_win_rates('2026-07-01 00:00+00') AS again;
-- A has too few; B's share is 5 of 7; C has deals with estimates of their own.
SELECT stage, deals, amount, round(weighted_amount, 2) AS weighted FROM crm.v_pipeline WHERE pipeline_id = :odds;
SELECT name, probability, round(weighted_amount, 2) AS weighted FROM crm.v_deal WHERE deal_id IN (900106, 900108, 900111) ORDER BY deal_id;
-- Totals equal the sums of rows.  R-057
SELECT p.stage, p.deals = count(d.deal_id) AS deals, p.amount = coalesce(sum(d.amount), 0) AS amount, p.weighted_amount = coalesce(sum(d.weighted_amount), 0) AS weighted
FROM crm.v_pipeline p LEFT JOIN crm.v_deal d ON d.stage_id = p.stage_id WHERE p.pipeline_id IN (:odds, :pipeline) GROUP BY p.pipeline_id, p.stage, p.position, p.deals, p.amount, p.weighted_amount ORDER BY p.pipeline_id, p.position;
SELECT stage, kind, deals, amount, round(weighted_amount, 2) AS weighted FROM crm.v_pipeline_total WHERE pipeline_id = :odds ORDER BY position;
UPDATE crm.pipeline SET probability_from = 'stage' WHERE id = :odds;
SELECT crm.refresh_stage_win_rates() AS stages;
SELECT count(*) FROM crm.stage_win_rate;
\set VERBOSITY terse
UPDATE crm.pipeline SET probability_from = 'luck' WHERE id = :odds;
UPDATE crm.stage SET probability = 1.2 WHERE id = :lead;
UPDATE crm.stage SET probability = 'NaN' WHERE id = :lead;
UPDATE crm.deal SET amount = -1 WHERE id = 900001;
UPDATE crm.deal SET currency = 'XXX' WHERE id = 900001;
INSERT INTO crm.stage_playbook (stage_id, title, assignee) VALUES (:lead, 'Ring', 'agent');
INSERT INTO crm.stage_requirement (stage_id, subject, kind) VALUES (:lead, 'money', 'all');
INSERT INTO crm.document (deal_id, kind, status) VALUES (900001, 'contract', 'lost');
\set VERBOSITY default
-- The funnel reads open deals only, from their index.
SET enable_seqscan = off;
DO $$
DECLARE
    line text;
    by_index integer := 0;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT * FROM crm.v_pipeline' LOOP
        IF line ~ ' deal_open ' THEN by_index := by_index + 1; END IF;
        IF line ~ ' on deal ' AND line !~ ' deal_open ' THEN RAISE NOTICE '%', line; END IF;
    END LOOP;
    RAISE NOTICE 'by the index: %', by_index > 0;
END
$$;
RESET enable_seqscan;

-- Roles: an agent does the day's work, an admin configures, nobody writes what was.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT crm.create_roles();
INSERT INTO crm.deal (id, name) VALUES (900301, 'Regress role');
SET LOCAL ROLE crm_agent;
SELECT crm.qualify_deal(900301, '{"budget": true}') AS met;
INSERT INTO crm.document (deal_id, kind) VALUES (900301, 'contract');
INSERT INTO crm.deal_milestone (deal_id, kind) VALUES (900301, 'delivery');
INSERT INTO crm.deal_member (deal_id, agent_id) SELECT 900301, id FROM crm.agent WHERE false;
SELECT bant_score, open_documents, open_milestones FROM crm.deal_profile WHERE deal_id = 900301;
SELECT code FROM crm.check_move(900301, 'Won');
SELECT count(*) AS none FROM crm.check_move(900301, 'Qualified');
\set VERBOSITY sqlstate
UPDATE crm.stage SET entry_guard = 'amount > 1';
INSERT INTO crm.stage_playbook (stage_id, title) SELECT id, 'x' FROM crm.stage LIMIT 1;
DELETE FROM crm.stage_history;
RESET ROLE;
SET LOCAL ROLE crm_admin;
UPDATE crm.stage SET entry_guard = 'bant_score > 1' WHERE name = 'Proposal';
INSERT INTO crm.stage_playbook (stage_id, title) SELECT id, 'x' FROM crm.stage WHERE name = 'Proposal' LIMIT 1;
DELETE FROM crm.stage_history;
\set VERBOSITY default
RESET ROLE;
SET LOCAL ROLE crm_agent;
SELECT crm.move_deal(900301, 'Qualified');
SELECT crm.move_deal(900301, 'Proposal');
SELECT crm.qualify_deal(900301, '{"need": true}') AS met;
SELECT crm.move_deal(900301, 'Proposal');
SELECT count(*) AS tasks FROM crm.task WHERE deal_id = 900301;
RESET ROLE;
SET LOCAL ROLE crm_analyst;
SELECT count(*) > 0 AS funnel FROM crm.v_pipeline;
RESET ROLE;
SET LOCAL ROLE crm_marketer;
SELECT count(*) > 0 AS funnel FROM crm.v_pipeline;
RESET ROLE;
ROLLBACK;

-- Who sees which deals: the owner, the members, managers; all see those without an owner.  R-012
BEGIN;
CREATE ROLE regress_crm_ann;
CREATE ROLE regress_crm_bob;
CREATE ROLE regress_crm_boss;
INSERT INTO crm.agent (id, name, role_name) VALUES (900001, 'Regress Ann', 'regress_crm_ann'), (900002, 'Regress Bob', 'regress_crm_bob');
GRANT USAGE ON SCHEMA crm TO regress_crm_ann, regress_crm_bob, regress_crm_boss;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO regress_crm_ann, regress_crm_bob, regress_crm_boss;
GRANT INSERT, UPDATE ON crm.deal, crm.deal_milestone TO regress_crm_ann, regress_crm_bob, regress_crm_boss;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO regress_crm_ann, regress_crm_bob, regress_crm_boss;
INSERT INTO crm.deal (id, name, owner_id) VALUES (900201, 'Ann''s', 900001), (900202, 'Bob''s', 900002), (900203, 'Nobody''s', NULL), (900204, 'Ann''s too', 900001);
INSERT INTO crm.deal_member (deal_id, agent_id, role) VALUES (900201, 900002, 'designer');
INSERT INTO crm.deal_milestone (deal_id, kind) SELECT id, 'delivery' FROM crm.deal WHERE id BETWEEN 900201 AND 900204;
GRANT INSERT ON crm.deal_member TO regress_crm_bob;
SAVEPOINT refused;
SELECT crm.enable_deal_security('{regress_crm_boss,regress_crm_nobody}');
ROLLBACK TO refused;
SELECT crm.enable_deal_security('{crm_admin}') IS NOT NULL AS one_of_ours_may_be_missing;
-- Policies of the user are nobody's business.
CREATE POLICY deal_read ON crm.deal TO regress_crm_boss USING (false);
CREATE POLICY crm_deal_mine ON crm.loss_reason TO regress_crm_boss USING (false);
SELECT crm.enable_deal_security('{regress_crm_boss}');
SELECT polname, polroles::regrole[], polcmd FROM pg_policy WHERE polrelid = 'crm.deal'::regclass ORDER BY 1;
DROP POLICY deal_read ON crm.deal;
DROP POLICY crm_deal_mine ON crm.loss_reason;
SET LOCAL ROLE regress_crm_bob;
SELECT id, name FROM crm.deal WHERE id BETWEEN 900201 AND 900204 ORDER BY id;
SELECT deal_id FROM crm.deal_milestone WHERE deal_id BETWEEN 900201 AND 900204 ORDER BY 1;
SELECT DISTINCT deal_id FROM crm.deal_history WHERE deal_id BETWEEN 900201 AND 900204 ORDER BY 1;
SELECT deal_id FROM crm.v_deal WHERE deal_id BETWEEN 900201 AND 900204 ORDER BY 1;
-- A member reads; the owner changes, and who takes an unowned deal.
UPDATE crm.deal SET description = 'by Bob' WHERE id BETWEEN 900201 AND 900204 RETURNING id;
SELECT crm.move_deal(900204, 'Qualified');
UPDATE crm.deal SET owner_id = 900002 WHERE id = 900203 RETURNING name;
INSERT INTO crm.deal (name, owner_id) VALUES ('For Ann', 900001);
INSERT INTO crm.deal_milestone (deal_id, kind) VALUES (900204, 'spy');
-- Nobody makes himself a member.
INSERT INTO crm.deal_member (deal_id, agent_id) SELECT d, 900002 FROM unnest('{900201,900202,900203,900204}'::bigint[]) d ON CONFLICT DO NOTHING;
RESET ROLE;
SET LOCAL ROLE regress_crm_boss;
SELECT count(*) FROM crm.deal WHERE id BETWEEN 900201 AND 900204;
UPDATE crm.deal SET owner_id = 900001 WHERE id = 900203 RETURNING name;
SELECT crm.disable_deal_security();
RESET ROLE;
SELECT crm.disable_deal_security();
SET LOCAL ROLE regress_crm_bob;
SELECT count(*) FROM crm.deal WHERE id BETWEEN 900201 AND 900204;
RESET ROLE;
ROLLBACK;

-- What hangs on a deal follows it; one's own tasks, calls and quotes are seen in
-- any case, and what is of no deal. Orders and payments are the client's.  R-012
BEGIN;
CREATE ROLE regress_crm_bob;
CREATE ROLE regress_crm_boss;
INSERT INTO crm.agent (id, name, role_name) VALUES (900001, 'Regress Ann', 'regress_crm_ann'), (900002, 'Regress Bob', 'regress_crm_bob');
GRANT USAGE ON SCHEMA crm TO regress_crm_bob, regress_crm_boss;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO regress_crm_bob, regress_crm_boss;
GRANT INSERT, UPDATE, DELETE ON crm.task, crm.notification, crm.quote, crm.quote_line, crm.activity TO regress_crm_bob;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO regress_crm_bob;
INSERT INTO crm.contact (id, family_name) VALUES (900301, 'Client');
INSERT INTO crm.deal (id, name, owner_id) VALUES (900201, 'Ann''s', 900001), (900202, 'Bob''s', 900002);
INSERT INTO crm.quote (id, deal_id, owner_id, currency) VALUES (900401, 900201, 900001, 'USD'), (900402, 900202, 900002, 'USD'), (900403, NULL, 900001, 'USD'), (900404, 900201, 900002, 'USD');
INSERT INTO crm.quote_line (quote_id, description, unit_price, tax_rate, tax_included) SELECT id, 'thing', 5, 0, false FROM crm.quote WHERE id BETWEEN 900401 AND 900404;
UPDATE crm.quote SET description = 'noted' WHERE id BETWEEN 900401 AND 900404;
INSERT INTO crm.task (id, title, deal_id, assignee_id, author_id) VALUES (900501, 'Ann''s of hers', 900201, 900001, NULL), (900502, 'Bob''s of Ann''s', 900201, 900002, 900001), (900503, 'asked for by Bob', 900201, 900001, 900002),
    (900504, 'of no deal', NULL, 900001, NULL), (900505, 'Bob''s', 900202, NULL, NULL);
INSERT INTO crm.activity (contact_id, id, kind, direction, deal_id, agent_id) VALUES (900301, 900601, 'call', 'out', 900201, 900001), (900301, 900602, 'call', 'out', 900201, 900002), (900301, 900603, 'call', 'out', NULL, 900001);
INSERT INTO crm.reminder (id, agent_id, note, remind_at, deal_id) VALUES (900701, 900001, 'x', now(), 900201), (900702, 900002, 'x', now(), 900201);
INSERT INTO crm.notification (id, agent_id, kind, key, title, deal_id) VALUES (900801, 900001, 'x', 'regress 1', 'x', 900201), (900802, 900002, 'x', 'regress 2', 'x', 900201);
INSERT INTO crm.satisfaction (contact_id, id, kind, score, deal_id) VALUES (900301, 900901, 'nps', 9, 900201), (900301, 900902, 'nps', 9, 900202);
INSERT INTO crm.payment (contact_id, id, deal_id, amount, currency) VALUES (900301, 901001, 900201, 5, 'USD');
CREATE TEMPORARY VIEW hanging AS
SELECT 'quote' AS relation, q.id FROM crm.quote q UNION ALL SELECT 'quote_line', l.quote_id FROM crm.quote_line l
UNION ALL SELECT 'audit_log', a.row_id FROM crm.audit_log a WHERE a.relation = 'quote' UNION ALL SELECT 'task', t.id FROM crm.task t UNION ALL SELECT 'activity', a.id FROM crm.activity a
UNION ALL SELECT 'reminder', r.id FROM crm.reminder r UNION ALL SELECT 'notification', n.id FROM crm.notification n UNION ALL SELECT 'satisfaction', s.id FROM crm.satisfaction s
UNION ALL SELECT 'deal_history', h.deal_id FROM crm.deal_history h UNION ALL SELECT 'ownership_history', o.record_id FROM crm.ownership_history o WHERE o.entity = 'deal'
UNION ALL SELECT 'payment', p.id FROM crm.payment p;
ALTER VIEW hanging SET (security_invoker = true);
GRANT SELECT ON hanging TO regress_crm_bob, regress_crm_boss;
SELECT relation, string_agg(DISTINCT id::text, ' ' ORDER BY id::text) FROM hanging WHERE id BETWEEN 900200 AND 901099 GROUP BY relation ORDER BY relation;
SELECT crm.enable_deal_security('{regress_crm_boss}');
SET LOCAL ROLE regress_crm_bob;
SELECT relation, string_agg(DISTINCT id::text, ' ' ORDER BY id::text) FROM hanging WHERE id BETWEEN 900200 AND 901099 GROUP BY relation ORDER BY relation;
-- Whose task it is finishes it, and the author hears of it.
SELECT crm.complete_task(900502, 'done');
RESET ROLE;
SELECT agent_id, kind FROM crm.notification WHERE task_id = 900502;
SET LOCAL ROLE regress_crm_bob;
SAVEPOINT refused;
INSERT INTO crm.task (title, deal_id, assignee_id) VALUES ('spy', 900201, 900001);
ROLLBACK TO refused;
INSERT INTO crm.task (title, deal_id, assignee_id) VALUES ('spy', 900201, 900002);
ROLLBACK TO refused;
INSERT INTO crm.quote (deal_id, owner_id, currency) VALUES (900201, 900002, 'USD');
ROLLBACK TO refused;
INSERT INTO crm.activity (contact_id, kind, direction, deal_id, agent_id) VALUES (900301, 'call', 'out', 900201, 900002);
ROLLBACK TO refused;
-- The call of a task of one's own is entered, and what is of no deal or of one's own.
SELECT crm.log_call(900301, 'reached', task_id => 900502, agent_id => 900002) IS NOT NULL AS logged;
INSERT INTO crm.task (title, deal_id, assignee_id) VALUES ('own', 900202, 900002), ('of no deal', NULL, 900001);
INSERT INTO crm.quote (deal_id, owner_id, currency) VALUES (900202, 900002, 'USD');
ROLLBACK TO refused;
UPDATE crm.quote SET description = 'spy' WHERE id BETWEEN 900401 AND 900404 RETURNING id;
DELETE FROM crm.task WHERE id BETWEEN 900501 AND 900504 RETURNING id;
RESET ROLE;
SET LOCAL ROLE regress_crm_boss;
SELECT count(*) FROM hanging WHERE id BETWEEN 900200 AND 901099 AND relation = 'quote';
RESET ROLE;
-- From whom rows are hidden neither merges nor has segments refreshed.
INSERT INTO crm.contact (id, family_name) VALUES (900302, 'Client');
GRANT UPDATE ON crm.contact TO regress_crm_bob;
SET LOCAL ROLE regress_crm_boss;
SELECT crm.rows_are_hidden('crm.activity'), crm.rows_are_hidden('crm.contact');
SET LOCAL ROLE regress_crm_bob;
SELECT crm.rows_are_hidden('crm.activity'), crm.rows_are_hidden('crm.contact');
SAVEPOINT refused;
SELECT crm.merge_contacts(900301, '{900302}');
ROLLBACK TO refused;
RESET ROLE;
CREATE POLICY narrow ON crm.activity AS RESTRICTIVE USING (contact_id > 0);
SET LOCAL ROLE regress_crm_boss;
SELECT crm.rows_are_hidden('crm.activity');
RESET ROLE;
DROP POLICY narrow ON crm.activity;
-- Who sees all needs no rights on what the policies look at.
CREATE ROLE regress_crm_reader;
GRANT USAGE ON SCHEMA crm TO regress_crm_reader;
GRANT SELECT ON crm.deal, crm.deal_history, crm.quote_line TO regress_crm_reader;
SELECT crm.enable_deal_security('{regress_crm_boss,regress_crm_reader}');
SET LOCAL ROLE regress_crm_reader;
SELECT count(*) FROM crm.deal d WHERE d.id BETWEEN 900201 AND 900202 UNION ALL SELECT count(*) FROM crm.quote_line WHERE quote_id BETWEEN 900401 AND 900404;
RESET ROLE;
-- Policies that are lost are named, and come back with the roles that see all.
SELECT * FROM crm.status() WHERE item = 'deal security';
DROP POLICY crm_deal_read ON crm.deal;
DROP POLICY crm_deal_write ON crm.task;
DROP POLICY crm_deal_see_all ON crm.reminder;
ALTER POLICY crm_deal_write ON crm.document USING (true);
ALTER POLICY crm_deal_write ON crm.activity WITH CHECK (true);
ALTER POLICY crm_deal_see_all ON crm.satisfaction TO public;
ALTER POLICY crm_deal_see_all ON crm.deal TO public;
ALTER TABLE crm.quote DISABLE ROW LEVEL SECURITY;
SELECT detail, hint FROM crm.status() WHERE item = 'deal security';
SELECT oid AS kept FROM pg_policy WHERE polname = 'crm_deal_read' AND polrelid = 'crm.deal_history'::regclass \gset
SELECT replace(crm.install(), crm.code_version(), $$N$$) AS install;
SELECT * FROM crm.status() WHERE item = 'deal security';
SELECT count(*) AS those_that_are_right_are_not_made_again FROM pg_policy WHERE oid = :kept;
-- Row level security that is off on deals alone is no security.
ALTER TABLE crm.deal DISABLE ROW LEVEL SECURITY;
SELECT detail FROM crm.status() WHERE item = 'deal security';
SELECT crm.install() IS NOT NULL AS installed;
SELECT relrowsecurity FROM pg_class WHERE oid = 'crm.deal'::regclass;
SELECT polname, polroles::regrole[] FROM pg_policy WHERE polrelid IN ('crm.deal'::regclass, 'crm.task'::regclass) ORDER BY polrelid::regclass::text, polname;
SELECT relrowsecurity FROM pg_class WHERE oid = 'crm.quote'::regclass;
-- What the user made stays.
CREATE POLICY mine ON crm.task USING (true);
SELECT crm.disable_deal_security();
SELECT polname, polrelid::regclass FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'crm'::regnamespace;
SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relrowsecurity;
DROP POLICY mine ON crm.task;
SELECT item, state, detail FROM crm.status() WHERE item = 'table task';
ROLLBACK;

-- Nothing stays.
SET session_replication_role = replica;
DELETE FROM crm.deal WHERE id > 900000;
DELETE FROM crm.deal_history WHERE deal_id > 900000;
DELETE FROM crm.stage_transition t USING crm.stage s WHERE s.id = t.to_stage_id AND s.pipeline_id IN (:pipeline, :odds);
DELETE FROM crm.stage_playbook;
DELETE FROM crm.stage_prerequisite;
DELETE FROM crm.stage WHERE pipeline_id IN (:pipeline, :odds);
DELETE FROM crm.pipeline WHERE id IN (:pipeline, :odds);
DELETE FROM crm.stage_history WHERE pipeline_id IN (:pipeline, :odds);
RESET session_replication_role;
