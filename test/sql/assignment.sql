-- Assignment by rules: fairness, absences, skills, territories, calendars, explanations; rotation of clients.  R-054, R-055, R-191
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET jit = off;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
\set ON_ERROR_ROLLBACK on
SET LOCAL crm.actor = 'olga';
DELETE FROM crm.assignment_rule;
INSERT INTO crm.team (id, name) VALUES (960001, 'Assign team');
INSERT INTO crm.territory (id, parent_id, name) VALUES (960001, NULL, 'Assign world'), (960002, 960001, 'Assign east'), (960003, 960002, 'Assign far east'), (960004, 960001, 'Assign west');
INSERT INTO crm.agent (id, name, team_id, territory_id) VALUES
    (960001, 'A', 960001, 960001), (960002, 'B', 960001, 960002), (960003, 'C', 960001, 960004), (960004, 'D', NULL, NULL), (960005, 'E', NULL, NULL);
INSERT INTO crm.lead (id, source, name, country, territory_id, created_at) SELECT 960000 + i, 'assign', 'Lead ' || i, CASE WHEN i % 2 = 0 THEN 'DE' ELSE 'RU' END, NULL, '2024-01-01' FROM generate_series(1, 4000) i;
CREATE TEMPORARY VIEW share AS SELECT a.name, count(l.id) AS leads FROM crm.agent a LEFT JOIN crm.lead l ON l.owner_id = a.id WHERE a.id BETWEEN 960001 AND 960005 GROUP BY a.id ORDER BY a.id;
CREATE FUNCTION pg_temp.lead_ids(first integer, last integer) RETURNS bigint[] LANGUAGE sql AS $$ SELECT array_agg(960000 + i::bigint ORDER BY i) FROM generate_series(first, last) i $$;

-- Nothing without a rule; an unknown one is told.
SELECT crm.assign('lead', 960001) IS NULL AS nobody;
SELECT crm.assign('lead', 960001, 'none');
SELECT crm.assign('horse', 1);
SELECT crm.assign('lead', -1);
SELECT count(*) FROM crm.assign_all('lead', '{}');

-- Round robin: one after the other, over calls and in one.
INSERT INTO crm.assignment_rule (id, name, what, method, team_id, priority) VALUES (960001, 'turn', 'lead', 'round_robin', 960001, 50);
SELECT string_agg(a.name, '' ORDER BY i) FROM generate_series(1, 7) i, LATERAL (SELECT crm.assign('lead', 960000 + i, as_of => '2024-02-01') AS agent_id) s JOIN crm.agent a ON a.id = s.agent_id;
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(8, 17), as_of => '2024-02-02') s JOIN crm.agent a ON a.id = s.agent_id;
TABLE share;
-- Who has it keeps it, and a copy in the list is no second.
SELECT a.name, s.by_rule, s.was_assigned FROM crm.assign_all('lead', ARRAY[960001, 960001, 960018], as_of => '2024-02-02') s JOIN crm.agent a ON a.id = s.agent_id;
SELECT crm.owner_as_of('lead', 960001, '2024-01-31') AS before, crm.owner_as_of('lead', 960001, '2024-02-01') AS since;
-- Absent ones are skipped, or somebody stands in; who comes back does not get what was missed.
INSERT INTO crm.agent_absence (agent_id, during, substitute_id) VALUES (960002, '[2024-03-01, 2024-03-10)', NULL), (960003, '[2024-03-01, 2024-03-10)', 960004);
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(19, 38), as_of => '2024-03-05') s JOIN crm.agent a ON a.id = s.agent_id;
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(39, 50), as_of => '2024-03-11') s JOIN crm.agent a ON a.id = s.agent_id;
-- One who is new begins where the others are; one who left is skipped.
INSERT INTO crm.assignment_member (rule_id, agent_id) VALUES (960001, 960005);
UPDATE crm.agent SET active = false WHERE id = 960003;
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(51, 62), as_of => '2024-03-12') s JOIN crm.agent a ON a.id = s.agent_id;
UPDATE crm.agent SET active = true WHERE id = 960003;
-- Why.
SELECT rule, method, agent, outcome, reason, turn FROM crm.explain_assignment('lead', 960019);
SELECT rule, agent, outcome, reason, turn FROM crm.explain_assignment('lead', 960051);
SELECT count(*) FROM crm.explain_assignment('lead', 963999);

-- Weighted: by share, evenly spread, never off by more than stated.
DELETE FROM crm.assignment_rule;
INSERT INTO crm.assignment_rule (id, name, what, method) VALUES (960002, 'weights', 'lead', 'weighted');
INSERT INTO crm.assignment_member (rule_id, agent_id, weight) VALUES (960002, 960001, 5), (960002, 960002, 1), (960002, 960003, 1);
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(100, 113)) s JOIN crm.agent a ON a.id = s.agent_id;
SELECT string_agg(a.name, '' ORDER BY i) FROM generate_series(114, 127) i, LATERAL (SELECT crm.assign('lead', 960000 + i) AS agent_id) s JOIN crm.agent a ON a.id = s.agent_id;
SELECT max(abs(d.off)) <= max(d.allowed) AS bounded, round(max(abs(d.off)), 3) AS worst
FROM (SELECT count(*) FILTER (WHERE l.agent_id = m.agent_id) OVER (PARTITION BY m.agent_id ORDER BY l.id) - row_number() OVER (PARTITION BY m.agent_id ORDER BY l.id) * m.weight / 7 AS off, 0.5 + m.weight / 7 / 2 AS allowed
      FROM crm.assignment_log l CROSS JOIN crm.assignment_member m WHERE l.what = 'lead' AND l.record_id BETWEEN 960100 AND 960127) d;
-- ... in pieces as in one.
SELECT place, member, round(turn::numeric, 4) AS turn FROM crm.allot('{0,0,0}', '{3,2,1}', '{NULL,NULL,NULL}', 6);
SELECT crm.allot('{0,0}', '{1,1}', '{1,0}', 5);
SELECT count(*), count(DISTINCT place), max(count) - min(count) AS spread FROM (SELECT a.place, count(*) OVER (PARTITION BY a.member) FROM crm.allot(array_fill(0::float8, '{70}'), array_fill(1::float8, '{70}'), array_fill(NULL::bigint, '{70}'), 10000) a) x;
SELECT count(*) FROM crm.allot('{0}', '{1}', '{NULL}', 0);

-- Least loaded, with capacities.
DELETE FROM crm.assignment_rule;
UPDATE crm.lead SET owner_id = NULL WHERE id > 960000;
UPDATE crm.lead SET owner_id = 960001 WHERE id BETWEEN 960001 AND 960010;
UPDATE crm.lead SET owner_id = 960002 WHERE id BETWEEN 960011 AND 960014;
INSERT INTO crm.assignment_rule (id, name, what, method, team_id, priority) VALUES (960003, 'least', 'lead', 'least_loaded', 960001, 1), (960004, 'rest', 'lead', 'round_robin', NULL, 2);
INSERT INTO crm.assignment_member (rule_id, agent_id, weight, capacity) VALUES (960003, 960003, 1, 5), (960003, 960002, 2, NULL), (960004, 960004, 1, 2);
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(20, 39)) s JOIN crm.agent a ON a.id = s.agent_id;
TABLE share;
UPDATE crm.assignment_member SET capacity = 3 WHERE rule_id = 960003;
INSERT INTO crm.assignment_member (rule_id, agent_id, capacity) VALUES (960003, 960001, 0);
-- Both rules have room for three more altogether: the rest waits.
SELECT s.record_id - 960000 AS lead, a.name, s.by_rule, s.was_assigned FROM crm.assign_all('lead', pg_temp.lead_ids(40, 44)) s LEFT JOIN crm.agent a ON a.id = s.agent_id ORDER BY 1;
SELECT rule, agent, outcome, reason FROM crm.explain_assignment('lead', 960044);
-- A large number at once.
DELETE FROM crm.assignment_rule;
INSERT INTO crm.assignment_rule (id, name, what, method, team_id) VALUES (960005, 'many', 'lead', 'least_loaded', 960001);
SELECT count(*), count(*) FILTER (WHERE s.was_assigned) AS assigned FROM crm.assign_all('lead', pg_temp.lead_ids(1, 4000)) s;
TABLE share;

-- Skills: named by the rule, or by the row.
DELETE FROM crm.assignment_rule;
UPDATE crm.lead SET owner_id = NULL WHERE id > 960000;
INSERT INTO crm.agent_skill (agent_id, skill, level) VALUES (960001, 'DE', 5), (960002, 'DE', 1), (960002, 'RU', 4), (960003, 'RU', 2), (960004, 'RU', 3);
INSERT INTO crm.assignment_rule (id, name, what, method, team_id, skill_field, skill_level) VALUES (960006, 'language', 'lead', 'skill', 960001, 'country', 2);
SELECT l.country, string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(1, 12), as_of => '2024-04-01') s JOIN crm.agent a ON a.id = s.agent_id JOIN crm.lead l ON l.id = s.record_id GROUP BY 1 ORDER BY 1;
SELECT wanted, agent, outcome, reason FROM crm.explain_assignment('lead', 960002);
-- Territories: the nearest, or the one above.
DELETE FROM crm.assignment_rule;
INSERT INTO crm.assignment_rule (id, name, what, method, team_id) VALUES (960007, 'territory', 'lead', 'territory', 960001);
UPDATE crm.lead SET territory_id = CASE WHEN id % 4 = 0 THEN 960003 WHEN id % 4 = 1 THEN 960004 WHEN id % 4 = 2 THEN 960001 END WHERE id BETWEEN 960013 AND 960024;
SELECT t.name AS territory, string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(13, 24), as_of => '2024-04-02') s LEFT JOIN crm.agent a ON a.id = s.agent_id
JOIN crm.lead l ON l.id = s.record_id LEFT JOIN crm.territory t ON t.id = l.territory_id GROUP BY t.id, t.name ORDER BY t.id;
SELECT agent, outcome, reason FROM crm.explain_assignment('lead', 960016);
SELECT agent, outcome, reason FROM crm.explain_assignment('lead', 960015);
-- Only those for whom the rule holds; deals, contacts, tasks and calls as well.
DELETE FROM crm.assignment_rule;
INSERT INTO crm.assignment_rule (id, name, what, definition, method, priority) VALUES
    (960010, 'german', 'lead', $$country = 'DE'$$, 'round_robin', 1), (960011, 'others', 'lead', $$created_at < now() - interval '1 day' and source = 'assign'$$, 'round_robin', 2),
    (960012, 'big deals', 'deal', 'amount >= 100', 'round_robin', 1), (960013, 'deals', 'deal', NULL, 'least_loaded', 2),
    (960014, 'contacts', 'contact', $$lifecycle_stage = 'lead' and not has_tag('vip')$$, 'round_robin', 1),
    (960015, 'tasks', 'task', $$kind <> 'call'$$, 'round_robin', 1), (960016, 'calls', 'call', NULL, 'least_loaded', 1), (960017, 'off', 'lead', NULL, 'round_robin', 0);
UPDATE crm.assignment_rule SET enabled = false WHERE name = 'off';
INSERT INTO crm.assignment_member (rule_id, agent_id) SELECT 960010 + r, 960001 + a FROM generate_series(0, 7) r, generate_series(0, 4) a WHERE a <> r;
SELECT l.country, s.by_rule, count(*) FROM crm.assign_all('lead', pg_temp.lead_ids(201, 210)) s JOIN crm.lead l ON l.id = s.record_id GROUP BY 1, 2 ORDER BY 1;
SELECT by_rule FROM crm.assign_all('lead', ARRAY[960211], 'off');
INSERT INTO crm.contact (id, given_name) VALUES (960001, 'X'), (960002, 'Y'), (960003, 'Z');
INSERT INTO crm.tag (contact_id, tag) VALUES (960002, 'vip');
INSERT INTO crm.deal (id, name, amount) VALUES (960001, 'small', 5), (960002, 'big', 500), (960003, 'unknown', NULL);
INSERT INTO crm.task (id, kind, title) VALUES (960001, 'call', 'call 1'), (960002, 'todo', 'do'), (960003, 'call', 'call 2');
SELECT record_id - 960000 AS deal, by_rule, was_assigned FROM crm.assign_all('deal', ARRAY[960001, 960002, 960003]);
SELECT record_id - 960000 AS contact, agent_id IS NOT NULL AS assigned, by_rule FROM crm.assign_all('contact', ARRAY[960001, 960002, 960003]);
SELECT record_id - 960000 AS task, by_rule FROM crm.assign_all('task', ARRAY[960001, 960002]);
SELECT record_id - 960000 AS call, by_rule FROM crm.assign_all('call', ARRAY[960001, 960003]);
SELECT crm.assign('call', 960002);
SELECT count(*) FILTER (WHERE owner_id IS NOT NULL) FROM crm.contact WHERE id BETWEEN 960001 AND 960003;
-- A lead that is captured is given out at once.
SELECT crm.capture_lead('assign', '{"name": "New", "country": "de"}', as_of => '2024-04-03') AS new \gset
SELECT l.owner_id IS NOT NULL AS owned, e.rule, e.assigned_at FROM crm.lead l, crm.explain_assignment('lead', l.id) e WHERE l.id = :new AND e.outcome = 'assigned';
-- Business hours.
SELECT crm.create_calendar('day', 'Mo-Su 09:00-18:00', 'UTC', 'By day');
SELECT crm.create_calendar('always', '24/7', 'UTC', 'Round the clock');
DELETE FROM crm.assignment_rule;
INSERT INTO crm.assignment_rule (id, name, what, method, team_id, calendar) VALUES (960020, 'hours', 'lead', 'calendar', 960001, 'day');
INSERT INTO crm.assignment_member (rule_id, agent_id, calendar) VALUES (960020, 960002, 'always');
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(301, 304), as_of => '2024-05-06 12:00+00') s JOIN crm.agent a ON a.id = s.agent_id;
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(305, 306), as_of => '2024-05-06 22:00+00') s JOIN crm.agent a ON a.id = s.agent_id;
SELECT agent, outcome, reason FROM crm.explain_assignment('lead', 960306);
-- The hours of a holiday; a calendar that there is not.
SELECT crm.set_business_day('day', '2024-05-09', 'closed', 'Victory Day');
SELECT string_agg(a.name, '' ORDER BY s.record_id) FROM crm.assign_all('lead', pg_temp.lead_ids(307, 308), as_of => '2024-05-09 12:00+00') s JOIN crm.agent a ON a.id = s.agent_id;
UPDATE crm.assignment_member SET calendar = 'moon' WHERE rule_id = 960020;
SELECT crm.assign('lead', 960309, as_of => '2024-05-06 12:00+00');
UPDATE crm.assignment_member SET calendar = 'always' WHERE rule_id = 960020;
-- What is refused.
INSERT INTO crm.assignment_rule (name, what, definition, method) VALUES ('bad', 'lead', 'colour = 1', 'weighted');
INSERT INTO crm.assignment_rule (name, what, definition, method) VALUES ('bad', 'lead', 'country = ', 'weighted');
INSERT INTO crm.assignment_rule (name, what, method, skill_field) VALUES ('bad', 'lead', 'skill', 'colour');
\set VERBOSITY terse
INSERT INTO crm.assignment_rule (name, what, method) VALUES ('bad', 'lead', 'skill');
INSERT INTO crm.assignment_rule (name, what, method) VALUES ('bad', 'lead', 'dice');
INSERT INTO crm.assignment_member (rule_id, agent_id, weight) VALUES (960020, 960001, 0);
\set VERBOSITY default
UPDATE crm.assignment_log SET agent_id = 1;
DELETE FROM crm.assignment_decision;

-- Rotation: what it tells is what it does.
DELETE FROM crm.assignment_rule;
INSERT INTO crm.company (id, name, owner_id) VALUES (960001, 'Rotate company', 960001);
INSERT INTO crm.contact (id, given_name, owner_id, created_at) SELECT 961000 + i, 'R' || i, CASE WHEN i <= 8 THEN 960001 WHEN i <= 10 THEN 960002 END, '2024-01-01' FROM generate_series(1, 12) i;
INSERT INTO crm.company_contact (contact_id, company_id, is_primary) SELECT 961000 + i, 960001, true FROM unnest('{1,2,9}'::integer[]) i;
INSERT INTO crm.deal (id, name, contact_id, owner_id) VALUES (961001, 'open', 961003, 960001), (961002, 'of another', 961004, 960004);
INSERT INTO crm.task (id, title, contact_id, assignee_id) VALUES (961001, 'mine', 961003, 960001);
CREATE TEMPORARY TABLE plan AS SELECT * FROM crm.rotate_clients(ARRAY(SELECT 961000::bigint + i FROM generate_series(1, 12) i WHERE i <> 9), '{"team": "Assign team"}', as_of => '2024-06-01');
SELECT contact_id - 961000 AS contact, old_owner_id - 960000 AS old, new_owner_id - 960000 AS new, company_id, reason FROM plan ORDER BY 1;
SELECT count(*) FROM crm.ownership_history WHERE record_id > 961000 AND lower(valid) = '2024-06-01';
CREATE TEMPORARY TABLE done AS SELECT * FROM crm.rotate_clients(ARRAY(SELECT 961000::bigint + i FROM generate_series(1, 12) i WHERE i <> 9), '{"team": "Assign team"}', false, '2024-06-01');
SELECT count(*) AS differences FROM ((TABLE plan EXCEPT TABLE done) UNION ALL (TABLE done EXCEPT TABLE plan)) d;
SELECT count(*) AS wrong FROM done d JOIN crm.contact c ON c.id = d.contact_id WHERE c.owner_id IS DISTINCT FROM d.new_owner_id;
SELECT count(DISTINCT owner_id) AS owners FROM crm.contact c WHERE id IN (961001, 961002, 961009);
SELECT (SELECT owner_id FROM crm.company WHERE id = 960001) = (SELECT owner_id FROM crm.contact WHERE id = 961001) AS company_goes,
       (SELECT owner_id FROM crm.deal WHERE id = 961001) = (SELECT owner_id FROM crm.contact WHERE id = 961003) AS deal_goes, (SELECT owner_id FROM crm.deal WHERE id = 961002) AS other_deal,
       (SELECT assignee_id FROM crm.task WHERE id = 961001) = (SELECT owner_id FROM crm.contact WHERE id = 961003) AS task_goes;
SELECT owner_id - 960000 AS owner, lower(valid)::date AS since, upper(valid)::date AS until FROM crm.ownership_history WHERE entity = 'contact' AND record_id = 961003 ORDER BY valid;
-- Not back within the time; after it yes.
SELECT count(*) AS back FROM crm.rotate_clients(ARRAY[961003, 961004, 961005], '{"agents": [960001, 960002, 960003]}', as_of => '2024-07-01') r WHERE r.new_owner_id = 960001;
SELECT new_owner_id - 960000 AS new, reason FROM crm.rotate_clients(ARRAY[961003], jsonb_build_object('agents', jsonb_build_array(960001, (SELECT owner_id FROM crm.contact WHERE id = 961003))), as_of => '2024-07-01');
SELECT new_owner_id - 960000 AS new, reason FROM crm.rotate_clients(ARRAY[961003], jsonb_build_object('not_back', '10 days', 'agents', jsonb_build_array(960001, (SELECT owner_id FROM crm.contact WHERE id = 961003))), as_of => '2024-07-01');
-- Members of a segment, to who has least; absent ones get nobody.
SELECT crm.create_segment('assign rotate', members => '{961001,961002,961003,961004,961005,961006}') IS NOT NULL AS made;
INSERT INTO crm.agent_absence (agent_id, during) VALUES (960004, '[2024-07-01, 2024-08-01)');
SELECT new_owner_id - 960000 AS new, count(*) FROM crm.rotate_clients('assign rotate', '{"agents": [960004, 960005], "method": "least_loaded", "keep_company": false}', as_of => '2024-07-15') GROUP BY 1 ORDER BY 1;
SELECT * FROM crm.rotate_clients('assign rotate', '{"agents": [960004]}', as_of => '2024-07-15');
SELECT * FROM crm.rotate_clients('assign rotate', '{"colour": 1}');
SELECT * FROM crm.rotate_clients('assign rotate', '{"team": "none"}');
SELECT * FROM crm.rotate_clients('assign rotate', '{"agents": ["x"]}');
SELECT * FROM crm.rotate_clients('assign rotate', '{"method": "dice"}');
SELECT count(*) FROM crm.rotate_clients('{}'::bigint[]);
SELECT agent, outcome FROM crm.explain_assignment('contact', 961003) WHERE outcome = 'assigned';
ROLLBACK;
