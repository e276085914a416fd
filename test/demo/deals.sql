-- Deals with people or companies of the import, in the default pipeline. Times
-- are given, so that the story is the same on every day.
\echo
\echo '## Deals: a pipeline whose rules hold for every client'
\echo
SELECT crm.seed_pipeline() AS pipeline \gset
UPDATE crm.pipeline SET currency = CASE :'region' WHEN 'US' THEN 'USD' WHEN 'GB' THEN 'GBP' WHEN 'RU' THEN 'RUB' ELSE 'EUR' END WHERE id = :pipeline;
\echo
\echo 'The stages, and to which a deal may go from each (rows of crm.stage_transition, yours to change):'
SELECT s.position AS "no", s.name AS stage, s.kind, s.probability, s.rotting_after AS "rots after",
       (SELECT string_agg(n.name, ', ' ORDER BY n.position) FROM crm.stage_transition t JOIN crm.stage n ON n.id = t.to_stage_id WHERE t.from_stage_id = s.id) AS "may go to"
FROM crm.stage s WHERE s.pipeline_id = :pipeline ORDER BY s.position;

INSERT INTO crm.agent (name, time_zone) VALUES ('Vera Lind', 'Europe/Moscow'), ('Oleg Hart', 'Asia/Vladivostok');
SELECT min(id) AS vera, max(id) AS oleg FROM crm.agent WHERE name IN ('Vera Lind', 'Oleg Hart') \gset
CREATE TEMPORARY TABLE demo_party AS
    SELECT row_number() OVER (ORDER BY k.row_number) AS n, party.*
    FROM demo_known k
    JOIN (SELECT coalesce(c.family_name, c.given_name) AS name, c.id AS contact_id, NULL::bigint AS company_id
          FROM crm.contact c WHERE :'is_contact' AND coalesce(c.family_name, c.given_name) <> ''
          UNION ALL
          SELECT left(btrim(o.name), 40), NULL, o.id FROM crm.company o WHERE NOT :'is_contact') party
        ON k.entity_id = coalesce(party.contact_id, party.company_id)
    WHERE k.outcome = 'created'
    ORDER BY 1 LIMIT 5;
SELECT count(crm.create_deal(jsonb_strip_nulls(jsonb_build_object(
           'name', d.what || ', ' || p.name, 'contact_id', p.contact_id, 'company_id', p.company_id, 'stage', d.stage,
           'owner', d.owner, 'amount', d.amount, 'close_date', d.close_date, 'source', 'demo',
           'created_at', d.began, 'stage_entered_at', d.began)))) AS made
FROM demo_party p
JOIN (VALUES (1, 'Annual contract', 'New', 'Vera Lind', 480000, date '2026-04-30', timestamptz '2026-03-02 10:00+03'),
             (2, 'Trial order', 'Qualified', 'Vera Lind', 35000, '2026-04-10', '2026-03-03 11:30+03'),
             (3, 'Equipment', 'Proposal', 'Oleg Hart', 1250000, '2026-05-15', '2026-03-05 09:15+10'),
             (4, 'Spare parts', 'Negotiation', 'Oleg Hart', 90000, '2026-04-03', '2026-03-06 15:40+10'),
             (5, 'Renewal', 'Negotiation', 'Vera Lind', 210000, '2026-04-05', '2026-03-09 12:00+03'))
     AS d (n, what, stage, owner, amount, close_date, began) ON d.n = 1 + (p.n - 1) % 5
\gset
SELECT min(id) AS first_deal, coalesce(min(id) FILTER (WHERE stage_id = crm.stage_id(:pipeline, 'Negotiation')), min(id)) AS late_deal,
       max(id) AS last_deal, count(*) >= 4 AS has_deals FROM crm.deal WHERE source = 'demo' \gset
\if :has_deals
\echo
\echo 'A new deal goes forward step by step:'
:plain
\set ECHO queries
SELECT crm.move_deal(:first_deal, 'Qualified', as_of => '2026-03-10 10:00+03');
SELECT crm.move_deal(:first_deal, 'Proposal', as_of => '2026-03-17 16:30+03');
\set ECHO none
:table
\echo
\echo 'It cannot jump over a stage:'
:plain
\set ECHO queries
\set ON_ERROR_STOP off
SELECT crm.move_deal(:first_deal, 'Won', as_of => '2026-03-18 09:00+03');
\set ON_ERROR_STOP on
\set ECHO none
:table
\echo 'SQLSTATE:' :LAST_ERROR_SQLSTATE
SELECT pg_temp.insist(:'LAST_ERROR_SQLSTATE' = 'RM001', 'the jump was not refused with RM001') \gset
\echo
\echo 'Nor does it help to go round the function: the rule is a trigger of the table.'
SELECT crm.stage_id(:pipeline, 'Won') AS won_stage, crm.stage_id(:pipeline, 'Lost') AS lost_stage \gset
:plain
\set ECHO queries
\set ON_ERROR_STOP off
UPDATE crm.deal SET stage_id = :won_stage WHERE id = :first_deal;
\set ON_ERROR_STOP on
\set ECHO none
:table
\echo 'SQLSTATE:' :LAST_ERROR_SQLSTATE
SELECT pg_temp.insist(:'LAST_ERROR_SQLSTATE' = 'RM001', 'the UPDATE was not refused with RM001') \gset
\echo
\echo 'A lost deal needs a reason; with one it is lost, another one is won:'
:plain
\set ECHO queries
\set ON_ERROR_STOP off
SELECT crm.move_deal(:last_deal, 'Lost', as_of => '2026-03-19 12:00+03');
\set ON_ERROR_STOP on
\set ECHO none
:table
\echo 'SQLSTATE:' :LAST_ERROR_SQLSTATE
SELECT pg_temp.insist(:'LAST_ERROR_SQLSTATE' = 'RM003', 'the loss without a reason was not refused with RM003') \gset
\echo
:plain
\set ECHO queries
SELECT crm.lose_deal(:last_deal, 'Price', as_of => '2026-03-19 12:00+03');
SELECT crm.win_deal(:late_deal, amount => 88000, as_of => '2026-03-20 17:00+03');
\set ECHO none
:table
\echo
\echo 'Every change is history, written by the statement that made it (crm.v_deal_history):'
SELECT to_char(h.effective_at AT TIME ZONE 'Europe/Moscow', 'YYYY-MM-DD HH24:MI') AS "when", pg_temp.fold(d.name, 18) AS deal, h.field, h.old_value AS "from", h.new_value AS "to", h.actor
FROM crm.v_deal_history h JOIN crm.deal d ON d.id = h.deal_id
WHERE h.deal_id IN (:first_deal, :late_deal, :last_deal) AND h.field IN ('stage_id', 'amount', 'loss_reason_id')
ORDER BY h.deal_id, h.effective_at, h.id;
\echo
\echo 'The funnel (crm.v_pipeline_total):'
SELECT stage, kind, deals, to_char(amount, 'FM999,999,990') AS amount, to_char(weighted_amount, 'FM999,999,990') AS weighted, currency
FROM crm.v_pipeline_total WHERE pipeline_id = :pipeline ORDER BY position;
\else
\echo
\echo 'The import gave fewer than four records: too few to make deals with.'
\endif
SELECT '2026-04-01 09:00+03' AS fire_at, '1 April 2026, 09:00 in Moscow' AS fire_shown \gset
