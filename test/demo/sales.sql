-- From a move to the money, with the deals of the story: what a stage asks for, a
-- quote, an order, payments; then leads, who gets them, and by when to answer.
\if :has_deals
\echo
\echo '## Selling: what a move asks for, is asked of every client'
\echo
UPDATE crm.base_currency SET code = (SELECT p.currency FROM crm.pipeline p WHERE p.id = :pipeline);
SELECT p.name AS pipeline_name, p.currency AS money FROM crm.pipeline p WHERE p.id = :pipeline \gset
\echo 'Whoever goes on to negotiate has a budget and a description; then a task is waiting:'
:plain
\set ECHO queries
SELECT crm.allow_transition(:'pipeline_name', 'Proposal', 'Negotiation',
        guard => 'bant_score >= 2 or amount < 100000', required_fields => '{description}') > 0;
\set ECHO none
:table
INSERT INTO crm.stage_playbook (stage_id, title, kind, due_after)
VALUES (crm.stage_id(:pipeline, 'Negotiation'), 'Agree on the delivery', 'call', '1 day');
\set ECHO queries
SELECT code, message, detail FROM crm.check_move(:first_deal, 'Negotiation');
\set ECHO none
:plain
\set ECHO queries
\set ON_ERROR_STOP off
UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Negotiation'), description = 'For a year' WHERE id = :first_deal;
\set ON_ERROR_STOP on
\set ECHO none
\echo 'SQLSTATE:' :LAST_ERROR_SQLSTATE
SELECT pg_temp.insist(:'LAST_ERROR_SQLSTATE' = 'RM002', 'the guard did not refuse with RM002') \gset
\echo
\set ECHO queries
SELECT crm.qualify_deal(:first_deal, '{"budget": true, "need": true}');
UPDATE crm.deal SET description = 'For a year' WHERE id = :first_deal;
SELECT crm.move_deal(:first_deal, 'Negotiation', as_of => '2026-03-20 11:00+03');
\set ECHO none
:table
SELECT t.kind, t.title, t.assignee, to_char(t.due_local, 'YYYY-MM-DD HH24:MI') AS "due there", pg_temp.fold(t.deal, 30) AS deal
FROM crm.v_task t WHERE t.title = 'Agree on the delivery';
SELECT pg_temp.insist(count(*) = 1, 'the playbook made no task') FROM crm.task WHERE title = 'Agree on the delivery' \gset

\if :is_contact
\echo
\echo '## From a quote to the money'
\echo
SELECT contact_id AS buyer FROM crm.deal WHERE id = :first_deal \gset
INSERT INTO crm.product (sku, name, kind, price, cost, currency, tax_rate)
VALUES ('CARE', 'Care, a month', 'service', 35000, 22000, :'money', 20), ('START', 'Setting up', 'service', 22000, 9000, :'money', 20);
:plain
\set ECHO queries
SELECT crm.create_quote(jsonb_build_object('deal_id', :first_deal, 'created_at', '2026-03-20 12:00+03',
        'lines', '[{"sku": "CARE", "quantity": 12, "discount_percent": 10}, {"sku": "START", "quantity": 1}]'::jsonb)) AS quote \gset
SELECT crm.send_quote(:quote, '2026-03-20 12:30+03');
SELECT crm.accept_quote(:quote, '2026-03-23 15:00+03');
SELECT crm.accept_quote(:quote, '2026-03-23 15:00+03');     -- a second click: the same order
\set ECHO none
:table
SELECT contact_id AS payer, id AS placed_order FROM crm.sales_order WHERE deal_id = :first_deal \gset
SELECT l.sku, l.quantity, l.unit_price AS price, l.discount_percent AS "less %", l.net_amount AS net, l.tax_amount AS tax, l.margin, l.margin_percent AS "margin %", l.currency
FROM crm.v_order_line l WHERE l.order_id = :placed_order ORDER BY l.sku;
SELECT pg_temp.insist(count(*) = 1 AND sum(amount) = 480000, 'the quote did not become one order of 480000') FROM crm.sales_order WHERE deal_id = :first_deal \gset
\echo 'The payment system tells "paid" first, and what came before it afterwards. What it was last, stands:'
:plain
SELECT crm.create_payment(jsonb_build_object('contact_id', :payer, 'order_id', :placed_order, 'provider', 'bank', 'provider_payment_id', 'p-1')) AS payment \gset
\set ECHO queries
SELECT crm.record_payment_status('bank', 'p-1', 'paid', '2026-03-24 10:02+03', 'message-3');
SELECT crm.record_payment_status('bank', 'p-1', 'authorized', '2026-03-24 10:01+03', 'message-2');
\set ECHO none
:table
SELECT number, status, due_amount, paid_amount, open_amount, currency FROM crm.v_order_balance WHERE order_id = :placed_order;
SELECT pg_temp.insist(status = 'paid' AND open_amount = 0, 'the order is not paid') FROM crm.v_order_balance WHERE order_id = :placed_order \gset
SELECT crm.win_deal(:first_deal, as_of => '2026-03-24 10:05+03') AS nothing \gset

\echo
\echo '## Leads: what a form sends is kept, once, with what is wrong with it'
\echo
INSERT INTO crm.assignment_rule (name, what, method) VALUES ('In turn', 'lead', 'round_robin');
INSERT INTO crm.assignment_member (rule_id, agent_id) SELECT r.id, a.id FROM crm.assignment_rule r, crm.agent a WHERE r.name = 'In turn' AND a.id IN (:vera, :oleg);
INSERT INTO crm.agent_absence (agent_id, during, reason) VALUES (:vera, '[2026-03-06 00:00+03, 2026-03-16 00:00+03)', 'leave');
:plain
\set ECHO queries
SELECT crm.capture_lead('site', '{"name": "Nora Field", "email": "nora.field@gmial.com", "phone": "12",
        "need": "delivery in a week", "amount": "1 200,50", "channel": "search"}',
        'form-17', '2026-03-06 17:30+03') AS lead \gset
\set ECHO none
SELECT crm.capture_lead('site', payload, 'form-17', '2026-03-06 17:31+03') AS again FROM crm.lead WHERE id = :lead \gset
:table
\echo 'Sent again, it is lead' :again 'as before. What cannot be read is kept beside what can:'
SELECT l.name, l.amount, l.currency, p ->> 'field' AS field, p ->> 'value' AS value, p ->> 'code' AS code, pg_temp.fold(p ->> 'reason', 26) AS reason
FROM crm.lead l LEFT JOIN jsonb_array_elements(l.problems) p ON true WHERE l.id = :lead;
SELECT pg_temp.insist(:again = :lead AND count(*) = 1, 'the form came twice') FROM crm.lead \gset
\echo 'Why does it go to whom it goes?'
\set ECHO queries
SELECT rule, agent, outcome, reason FROM crm.explain_assignment('lead', :lead);
\set ECHO none
SELECT pg_temp.insist(count(*) FILTER (WHERE outcome = 'assigned' AND agent = 'Oleg Hart') = 1, 'the lead did not go to who is there') FROM crm.explain_assignment('lead', :lead) \gset
\echo 'Two clicks on "convert":'
:plain
\set ECHO queries
SELECT contact_id, deal_id, was_converted FROM crm.convert_lead(:lead, as_of => '2026-03-10 09:00+03');
SELECT contact_id, deal_id, was_converted FROM crm.convert_lead(:lead, as_of => '2026-03-10 09:00+03');
\set ECHO none
:table
SELECT pg_temp.insist(count(*) = 1, 'the lead became more than one deal') FROM crm.deal d JOIN crm.lead l ON l.deal_id = d.id WHERE l.id = :lead \gset
\endif

\echo
\echo 'An answer within eight working hours of Friday, 17:30. Why is that Tuesday?'
SELECT crm.create_calendar('office', 'Mo-Fr 09:00-13:00,14:00-18:00', 'Europe/Moscow') AS nothing,
       crm.set_business_day('office', '2026-03-09', 'closed', 'instead of 8 March') AS neither \gset
\set ECHO queries
SELECT day, to_char(starts AT TIME ZONE 'Europe/Moscow', 'HH24:MI') AS starts, to_char(ends AT TIME ZONE 'Europe/Moscow', 'HH24:MI') AS ends, counted, running, note
FROM crm.explain_deadline('office', '2026-03-06 17:30+03', '8 hours');
\set ECHO none
SELECT pg_temp.insist(crm.business_add('office', '2026-03-06 17:30+03', '8 hours') = '2026-03-10 17:30+03', 'the deadline is wrong') \gset

\if :is_contact
\echo
\echo '## Events: how far people come, and what brought them to buy'
\echo
INSERT INTO crm.activity (contact_id, kind, direction, occurred_at, subject)
SELECT p.contact_id, e.kind, 'out', e.at, 'demo'
FROM (VALUES (1, 'email', timestamptz '2026-03-02 12:00+03'), (1, 'call', '2026-03-09 12:00+03'), (1, 'meeting', '2026-03-16 12:00+03'),
             (2, 'email', '2026-03-03 12:00+03'), (2, 'call', '2026-03-04 12:00+03'), (3, 'call', '2026-03-05 12:00+03'), (3, 'email', '2026-03-06 12:00+03'),
             (4, 'email', '2026-03-06 12:00+03'), (4, 'meeting', '2026-03-10 12:00+03'), (5, 'email', '2026-03-09 12:00+03'), (5, 'call', '2026-03-25 12:00+03')) e (n, kind, at)
JOIN demo_party p USING (n);
\echo 'From a letter to a call to a meeting, each after the other, all within two weeks:'
\set ECHO queries
WITH reached AS (
    SELECT contact_id, crm.window_funnel('14 days', '', occurred_at, kind = 'email', kind = 'call', kind = 'meeting') AS level
    FROM crm.activity WHERE subject = 'demo' GROUP BY contact_id)
SELECT step, count(*) FILTER (WHERE level >= step) AS contacts FROM reached, generate_series(1, 3) step GROUP BY step ORDER BY step;
\set ECHO none
\echo 'Whose is the order? The first and the last touch have 40 % each, those between them the rest:'
\set ECHO queries
SELECT channel, orders, amount, currency FROM crm.attribute_orders('position', since => '2026-03-01') ORDER BY amount DESC, channel;
\set ECHO none
SELECT pg_temp.insist(sum(amount) = 480000 AND sum(orders) = 1, 'the credits do not add up to the order') FROM crm.attribute_orders('position', since => '2026-03-01') \gset
\endif
SELECT '2026-04-01 00:00+00' AS reported_at, '[2026-03-01,2026-04-01)' AS reported \gset
\endif
