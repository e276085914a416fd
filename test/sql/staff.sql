-- Positions with validity, transfers, the chart of a date; what leads cost and bring.
-- R-123, R-130, R-194, R-202, R-271
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET jit = off;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
\set ON_ERROR_ROLLBACK on
INSERT INTO crm.team (id, name) VALUES (970001, 'Staff north'), (970002, 'Staff south');
INSERT INTO crm.position (name) VALUES ('Staff head'), ('Staff seller'), ('Staff senior');
INSERT INTO crm.agent (id, name, team_id, created_at) VALUES (970001, 'Head', NULL, '2024-01-01'), (970002, 'Anna', 970001, '2024-01-01'), (970003, 'Boris', 970001, '2024-01-01'), (970004, 'Clara', 970002, '2024-01-01');
SELECT * FROM crm.transfer_employee(970001, to_position => 'Staff head', as_of => '2024-02-01');
SELECT * FROM crm.transfer_employee(970002, to_position => 'Staff seller', to_manager_id => 970001, as_of => '2024-02-01');
SELECT * FROM crm.transfer_employee(970003, 'Staff north', 'Staff seller', 970002, as_of => '2024-02-01');
SELECT * FROM crm.transfer_employee(970004, to_position => 'Staff seller', to_manager_id => 970001, as_of => '2024-02-01');
SELECT agent, "position", team, depth, path FROM crm.org_chart('2024-03-01');
SELECT agent, "position", team, depth FROM crm.org_chart('2024-01-15');

-- Boris goes south, under Clara, with all he has going to Anna.  R-202
INSERT INTO crm.contact (id, given_name, owner_id, created_at) SELECT 970000 + i, 'P' || i, 970003, '2024-02-01' FROM generate_series(1, 5) i;
UPDATE crm.contact SET deleted_at = '2024-03-01' WHERE id = 970005;
INSERT INTO crm.company (id, name, owner_id, created_at) VALUES (970001, 'Staff company', 970003, '2024-02-01');
INSERT INTO crm.deal (id, name, owner_id, created_at, stage_id, loss_reason_id, stage_entered_at)
SELECT 970000 + n, 'D' || n, 970003, '2024-02-01', s.id, CASE s.kind WHEN 'lost' THEN 1 END, '2024-02-01'
FROM (VALUES (1, 'New'), (2, 'Proposal'), (3, 'Won'), (4, 'Lost')) AS v (n, stage) JOIN crm.stage s ON s.name = v.stage JOIN crm.pipeline p ON p.id = s.pipeline_id AND p.is_default;
INSERT INTO crm.lead (id, source, owner_id, created_at) VALUES (970001, 'staff', 970003, '2024-02-01');
INSERT INTO crm.lead (id, source, owner_id, created_at, status, disqualify_reason) VALUES (970002, 'staff', 970003, '2024-02-01', 'disqualified', 'no');
INSERT INTO crm.task (id, title, assignee_id, status) VALUES (970001, 'open', 970003, 'open'), (970002, 'done', 970003, 'done');
SELECT * FROM crm.transfer_employee(970003, 'Staff south', 'Staff senior', 970004, portfolio => 'transfer', to_agent_id => 970002, as_of => '2024-06-01');
SELECT 'contact' AS what, owner_id - 970000 AS owner, count(*) FROM crm.contact WHERE id BETWEEN 970001 AND 970005 GROUP BY 2
UNION ALL SELECT 'deal', owner_id - 970000, count(*) FROM crm.deal WHERE id BETWEEN 970001 AND 970004 GROUP BY 2
UNION ALL SELECT 'lead', owner_id - 970000, count(*) FROM crm.lead WHERE id BETWEEN 970001 AND 970002 GROUP BY 2
UNION ALL SELECT 'company', owner_id - 970000, count(*) FROM crm.company WHERE id = 970001 GROUP BY 2
UNION ALL SELECT 'task', assignee_id - 970000, count(*) FROM crm.task WHERE id BETWEEN 970001 AND 970002 GROUP BY 2 ORDER BY 1, 2;
SELECT entity, owner_id - 970000 AS owner, lower(valid)::date AS since, upper(valid)::date AS until FROM crm.ownership_history WHERE record_id = 970001 ORDER BY 1, 3;
SELECT rule, agent, outcome FROM crm.explain_assignment('deal', 970001);
-- Each quarter has the structure that was.  R-271
SELECT agent, "position", team, path FROM crm.org_chart('2024-03-31');
SELECT agent, "position", team, path FROM crm.org_chart('2024-06-30');
SELECT a.name, crm.team_as_of(a.id, '2024-01-15') AS january, crm.team_as_of(a.id, '2024-03-31') AS march, crm.team_as_of(a.id, '2024-06-30') AS june, a.team_id AS now
FROM crm.agent a WHERE a.id BETWEEN 970001 AND 970004 ORDER BY a.id;
-- One who never had a position is in the team that the row says.
INSERT INTO crm.agent (id, name, team_id) VALUES (970005, 'Dora', 970002);
SELECT crm.team_as_of(970005, '2020-01-01') AS team;

-- Who leaves must leave nobody behind.
SELECT * FROM crm.transfer_employee(970002, leaves => true, as_of => '2024-09-01');
SELECT * FROM crm.transfer_employee(970002, leaves => true, portfolio => 'transfer', to_agent_id => 970004, as_of => '2024-09-01');
SELECT active FROM crm.agent WHERE id = 970002;
SELECT agent, path FROM crm.org_chart('2024-10-01');
-- Twice at one moment is once.
SELECT * FROM crm.transfer_employee(970003, to_team => 'Staff north', as_of => '2024-11-01');
SELECT * FROM crm.transfer_employee(970003, to_team => 'Staff south', as_of => '2024-11-01');
SELECT position_id IS NOT NULL AS position, team_id, manager_id, valid FROM crm.employee_position WHERE agent_id = 970003 ORDER BY valid;

-- What is refused: circles, two positions at once, unknown names.
SELECT crm.transfer_employee(970004, to_manager_id => 970003, as_of => '2024-12-01');
UPDATE crm.employee_position SET manager_id = 970003 WHERE agent_id = 970001;
\set VERBOSITY terse
INSERT INTO crm.employee_position (agent_id, team_id, valid) VALUES (970003, 970001, '[2024-07-01, 2024-08-01)');
INSERT INTO crm.employee_position (agent_id, manager_id) VALUES (970005, 970005);
\set VERBOSITY default
SELECT crm.transfer_employee(-1);
SELECT crm.transfer_employee(970004, to_team => 'none');
SELECT crm.transfer_employee(970004, to_position => 'none');
SELECT crm.transfer_employee(970004, to_manager_id => -1);
SELECT crm.transfer_employee(970004, portfolio => 'sell');
SELECT crm.transfer_employee(970004, portfolio => 'transfer');
SELECT crm.transfer_employee(970004, portfolio => 'transfer', to_agent_id => 970002);
ROLLBACK;

-- What leads cost and bring.
BEGIN;
INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 2) ON CONFLICT DO NOTHING;
UPDATE crm.lead SET deleted_at = now() WHERE id < 970000;
UPDATE crm.deal SET deleted_at = now() WHERE id < 970000;
DELETE FROM crm.sales_order WHERE contact_id < 970000;
INSERT INTO crm.contact (id, given_name) SELECT 970000 + i, 'L' || i FROM generate_series(1, 8) i;
-- Ten leads of search/google, four of social/vk, two of nobody knows where; January and February.
INSERT INTO crm.lead (id, source, first_channel, first_source, first_campaign, contact_id, created_at)
SELECT 970000 + i, 'staff', CASE WHEN i <= 10 THEN 'search' WHEN i <= 14 THEN 'social' END, CASE WHEN i <= 10 THEN 'google' WHEN i <= 14 THEN 'vk' END,
       CASE WHEN i <= 5 THEN 'winter' WHEN i <= 10 THEN 'spring' END, CASE WHEN i IN (1, 2, 6, 11, 15) THEN 970000 + CASE i WHEN 1 THEN 1 WHEN 2 THEN 2 WHEN 6 THEN 3 WHEN 11 THEN 4 ELSE 5 END END,
       CASE WHEN i % 2 = 0 THEN '2024-02-10' ELSE '2024-01-10' END::timestamptz
FROM generate_series(1, 16) i;
INSERT INTO crm.deal (id, name, contact_id, amount, currency, created_at, stage_id, stage_entered_at, loss_reason_id)
SELECT 970000 + n, 'E' || n, CASE WHEN n <= 5 THEN 970000 + n ELSE 970006 END, v.amount, v.currency, '2024-01-15', s.id, v.at::timestamptz, CASE s.kind WHEN 'lost' THEN 1 END
FROM (VALUES (1, 'Won', 100, 'USD', '2024-01-20'), (2, 'Won', 50, 'EUR', '2024-02-20'), (3, 'Lost', 70, 'USD', '2024-02-21'), (4, 'New', 30, 'USD', '2024-01-15'), (5, 'Won', 10, 'USD', '2024-01-25'), (6, 'Won', 1000, 'USD', '2024-02-05')) AS v (n, stage, amount, currency, at)
JOIN crm.stage s ON s.name = v.stage JOIN crm.pipeline p ON p.id = s.pipeline_id AND p.is_default;
UPDATE crm.lead l SET status = 'converted', converted_at = '2024-02-11', deal_id = l.contact_id FROM (VALUES (970001), (970002), (970006), (970011), (970015)) AS v (id) WHERE l.id = v.id;
-- Contact 1 bought again; contact 7, of no lead, ordered in February.
INSERT INTO crm.sales_order (contact_id, ordered_at, amount) VALUES (970001, '2024-02-01', 5), (970001, '2024-03-01', 5), (970007, '2024-02-15', 5);
SELECT channel, source, campaign, is_attributed, leads, converted, disqualified, deals, won, revenue, open_amount, conversion, sale_share, currency FROM crm.v_lead_source;
-- The rows add up: 16 leads, 6 deals, 4 won, 100 + 2 * 50 + 10 + 1000.  R-194
SELECT sum(leads) AS leads, sum(converted) AS converted, sum(deals) AS deals, sum(won) AS won, sum(revenue) AS revenue FROM crm.v_lead_source;
-- A rate that is corrected changes nothing of what was closed.
SAVEPOINT corrected;
UPDATE crm.fx_rate SET rate = rate * 3;
SELECT sum(revenue) AS revenue FROM crm.v_lead_source;
ROLLBACK TO corrected;
-- Nobody bought: 0; nothing entered as spent: null, not free; entered as 0: 0; divided by nothing: null.
SAVEPOINT nothing;
INSERT INTO crm.lead (source, first_channel) VALUES ('x', 'nobody bought');
INSERT INTO crm.channel_spend (channel, period, amount, currency) VALUES ('rate not known', '[2024-01-01, 2024-02-01)', 5, 'JPY'), ('free', '[2024-01-01, 2024-02-01)', 0, 'USD');
INSERT INTO crm.lead (source, first_channel, created_at) VALUES ('x', 'free', '2024-01-10 00:00+00');
SELECT channel, leads, buyers, repeaters, spend, cost_per_lead, cost_per_sale, purchase_share, repeat_share FROM crm.v_lead_economics WHERE channel IN ('nobody bought', 'rate not known', 'free') ORDER BY channel;
SELECT channel, leads, new_customers, direct_spend, spend, cac FROM crm.v_cac WHERE channel IN ('nobody bought', 'rate not known', 'free') ORDER BY channel;
ROLLBACK TO nothing;
INSERT INTO crm.channel_spend (channel, source, period, amount, currency, allocation) VALUES
    ('search', 'google', '[2024-01-01, 2024-03-01)', 600, 'USD', 'none'), ('search', NULL, '[2024-02-01, 2024-03-01)', 29, 'USD', 'none'), ('social', 'vk', '[2024-01-01, 2024-02-01)', 20, 'EUR', 'none'),
    (NULL, NULL, '[2024-01-01, 2024-02-01)', 100, 'USD', 'customers'), (NULL, NULL, '[2024-02-01, 2024-03-01)', 80, 'USD', 'leads'), (NULL, NULL, '[2024-03-01, 2024-03-11)', 10, 'USD', 'none');
-- R-130
SELECT * FROM crm.v_lead_economics;
SELECT sum(leads) AS leads, sum(spend) AS spend FROM crm.v_lead_economics;
-- January: two customers, one of search (contact 1), one unknown (contact 5); February: contact 2 of search, 6 and 7 of no lead.  R-123
SELECT * FROM crm.v_cac;
SELECT sum(spend) AS spend, sum(new_customers) AS customers, sum(leads) AS leads FROM crm.v_cac;
-- What is no spend.
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
INSERT INTO crm.channel_spend (source, period, amount, currency) VALUES ('x', '[2024-01-01, 2024-02-01)', 1, 'USD');
INSERT INTO crm.channel_spend (channel, period, amount, currency) VALUES ('x', '[2024-01-01,)', 1, 'USD');
INSERT INTO crm.channel_spend (channel, period, amount, currency) VALUES ('x', '[2024-01-01, 2024-02-01)', -1, 'USD');
ROLLBACK;
