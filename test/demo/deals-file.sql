-- The user's own deals: the file named by CRM_DEMO_DEALS.
\echo
\echo '## Deals of' :deals_name
\echo
SELECT clock_timestamp() AS step_began \gset
\set content `base64 -w0 "$CRM_DEMO_DEALS"`
CREATE TEMPORARY TABLE demo_line AS
    SELECT row_number() OVER () AS n, r.fields
    FROM crm.csv_rows(convert_from(decode(:'content', 'base64'), :'deals_encoding'), nullif(:'delimiter', '')) r;
\unset content
-- The columns as a table of texts, under the names of the file.
CREATE TEMPORARY TABLE demo_column AS
    SELECT u.n, CASE WHEN row_number() OVER (PARTITION BY name ORDER BY u.n) = 1 THEN name ELSE name || '_' || u.n END AS name, u.header
    FROM demo_line l CROSS JOIN LATERAL unnest(l.fields) WITH ORDINALITY AS u (header, n)
    CROSS JOIN LATERAL (SELECT left(coalesce(nullif(btrim(regexp_replace(lower(u.header), '[^[:alnum:]]+', '_', 'g'), '_'), ''), 'column_' || u.n), 50)) c (name)
    WHERE l.n = 1;
SELECT pg_temp.insist(count(*) > 0, 'the file of deals is empty') FROM demo_column \gset
SELECT format('CREATE TABLE public.deal_file AS SELECT n - 1 AS row_number, %s FROM demo_line WHERE n > 1 ORDER BY n',
              string_agg(format('fields[%s] AS %I', n, name), ', ' ORDER BY n)) FROM demo_column \gexec

-- Which field each column has: the first column whose name fits.
CREATE TEMPORARY TABLE demo_field AS
    SELECT DISTINCT ON (f.field) f.field, c.n, c.name, c.header
    FROM (VALUES ('external_id', '^(external_id|opportunity_id|deal_id|deal_no|id|number|no|номер(_сделки)?|ид|код)$'),
                 ('name', '^(name|deal_name|deal|title|opportunity(_name)?|subject|название|сделка|тема)$'),
                 ('stage', '^(stage|deal_stage|stage_name|status|этап|стадия|статус)'),
                 ('owner', '^(owner|sales_agent|owner_name|manager|agent|sales_?rep|assigned_to|responsible|ответственный|менеджер)'),
                 ('company', '^(company|account|account_name|company_name|client|customer|organi[sz]ation|компания|клиент|организация)$'),
                 ('product', '^(product|product_name|продукт|товар)$'),
                 ('started', '^(started|engage_date|created(_at|_on|_date)?|open(ed)?_date|start_date|дата_(создания|начала))'),
                 ('closed', '^(closed(_at|_on)?|close_date|close|closing_date|end_date|дата_(закрытия|завершения))'),
                 ('promised', '^(promised|expected_close)'),
                 ('amount', '^(amount|close_value|value|sum|deal_value|revenue|price|total|сумма|бюджет|стоимость)'),
                 ('currency', '^(currency|валюта)')) AS f (field, pattern)
    JOIN demo_column c ON c.name ~ f.pattern
    ORDER BY f.field, c.n;
INSERT INTO demo_field SELECT 'external_id', 0, 'row_number', '(number of the row)'
WHERE NOT EXISTS (SELECT FROM demo_field WHERE field = 'external_id');
SELECT pg_temp.insist(count(*) > 0, 'no column of the file looks like the stage of a deal', 'Name one of the columns stage, deal_stage or status.')
FROM demo_field WHERE field = 'stage' \gset
SELECT replace(pg_temp.fold(jsonb_object_agg(field, name)::text, 86), E'\n', E'\n            ') AS columns FROM demo_field \gset

SELECT coalesce(nullif(:'date_order', ''), CASE WHEN month_first > day_first THEN 'mdy' ELSE 'dmy' END) AS deals_date_order, month_first + day_first AS date_proofs
FROM (SELECT count(*) FILTER (WHERE part[1]::integer BETWEEN 13 AND 31 AND part[2]::integer <= 12) AS day_first,
             count(*) FILTER (WHERE part[2]::integer BETWEEN 13 AND 31 AND part[1]::integer <= 12) AS month_first
      FROM (SELECT regexp_match(l.fields[f.n], '^\s*(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}\M') AS part
            FROM demo_field f CROSS JOIN demo_line l WHERE f.field IN ('started', 'closed') AND l.n > 1) d) x
\gset
-- The file is read as of the end of its last day, and the month of that day is reported.
SELECT least(d.last_day + 1, now()) AS reported_at, daterange(date_trunc('month', d.last_day)::date, d.last_day + 1) AS reported
FROM (SELECT least(max(crm.try_date(l.fields[f.n], :'deals_date_order')), (now() AT TIME ZONE 'UTC')::date) AS last_day
      FROM demo_field f CROSS JOIN demo_line l WHERE f.field IN ('started', 'closed') AND l.n > 1) x
CROSS JOIN LATERAL (SELECT coalesce(x.last_day, (now() AT TIME ZONE 'UTC')::date)) AS d (last_day)
\gset
-- Which stages end a deal.
SELECT coalesce(array_agg(DISTINCT value) FILTER (WHERE value ~* '(\mwon\M|выигр|успеш|оплачен|заключ)'), '{Won}')::text AS won,
       coalesce(array_agg(DISTINCT value) FILTER (WHERE value ~* '(\mlost\M|проигр|потер|отказ|провал|закрыта и не реал)'), '{Lost}')::text AS lost
FROM (SELECT btrim(l.fields[f.n]) AS value FROM demo_field f CROSS JOIN demo_line l WHERE f.field = 'stage' AND l.n > 1) v \gset

\echo
\echo 'What the columns are, guessed from their names:'
SELECT c.header AS "column", coalesce('deal.' || f.field, 'deal.attrs') AS "goes to",
       (SELECT left(l.fields[c.n], 40) FROM demo_line l WHERE l.n > 1 AND l.fields[c.n] <> '' ORDER BY l.n LIMIT 1) AS "first value"
FROM demo_column c LEFT JOIN demo_field f ON f.n = c.n ORDER BY c.n;
\echo
SELECT format('Dates are read %s first (%s of them can be read in one order only). Won means %s, lost %s.',
              CASE :'deals_date_order' WHEN 'mdy' THEN 'month' ELSE 'day' END, :'date_proofs', array_to_string(:'won'::text[], ', '), array_to_string(:'lost'::text[], ', ')) AS guesses \gset
\echo :guesses
\set ECHO queries
SELECT * FROM crm.import_deals('public.deal_file', pipeline => 'Imported', system => 'file',
        columns => :'columns',
        won => :'won', lost => :'lost', date_order => :'deals_date_order', as_of => :'reported_at');
\set ECHO none
SELECT round(extract(epoch FROM clock_timestamp() - :'step_began'::timestamptz)::numeric, 1) AS took,
       to_char(count(*), 'FM999,999,999') AS taken, count(*) > 0 AS has_deals, crm.pipeline_id('Imported') AS pipeline
FROM crm.deal WHERE external_system = 'file' \gset
\echo
\echo 'Read, checked and stored with their history in' :took 'seconds.'
SELECT count(*) > 0 AS has_rejects FROM crm.deal_import_reject WHERE system = 'file' \gset
\if :has_rejects
\echo
\echo 'What was not taken, and why (crm.deal_import_reject):'
SELECT count(*) AS "count", field, min(reason) AS "for example" FROM crm.deal_import_reject WHERE system = 'file' GROUP BY field, regexp_replace(reason, '"[^"]*"|\d+', '', 'g') ORDER BY 1 DESC LIMIT 10;
\endif
SELECT pg_temp.insist(:'has_deals', 'no deal of the file could be taken', 'crm.deal_import_reject says why.') \gset
\echo
\echo 'The funnel (crm.v_pipeline_total):'
SELECT stage, kind, to_char(deals, 'FM999,999,990') AS deals, to_char(amount, 'FM999,999,999,990') AS amount, currency
FROM crm.v_pipeline_total WHERE pipeline_id = :pipeline ORDER BY position;
\echo
\echo 'How far they come, each open from the day it began to the day it was closed (crm.funnel_conversion):'
SELECT stage, entered, advanced, won, lost, open, round(100 * conversion_to_win, 1) AS "won %", median_time FROM crm.funnel_conversion('Imported', as_of => :'reported_at');
\echo
\echo 'Who wins:'
SELECT coalesce(a.name, '(nobody)') AS agent, count(*) AS deals, count(*) FILTER (WHERE s.kind = 'won') AS won, count(*) FILTER (WHERE s.kind = 'lost') AS lost,
       round(100.0 * count(*) FILTER (WHERE s.kind = 'won') / nullif(count(*) FILTER (WHERE s.kind <> 'open'), 0), 1) AS "win rate %",
       to_char(coalesce(sum(d.amount) FILTER (WHERE s.kind = 'won'), 0), 'FM999,999,999,990') AS "won value",
       count(*) FILTER (WHERE s.kind = 'open') AS open
FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id LEFT JOIN crm.agent a ON a.id = d.owner_id
WHERE d.pipeline_id = :pipeline
GROUP BY a.id ORDER BY sum(d.amount) FILTER (WHERE s.kind = 'won') DESC NULLS LAST, a.id LIMIT 10;
SELECT count(*) FILTER (WHERE s.kind = 'won') AS won_deals, count(*) FILTER (WHERE s.kind = 'lost') AS lost_deals,
       to_char(coalesce(sum(d.amount) FILTER (WHERE s.kind = 'won'), 0), 'FM999,999,999,990') AS won_value,
       round(100.0 * count(*) FILTER (WHERE s.kind = 'won') / nullif(count(*) FILTER (WHERE s.kind <> 'open'), 0), 1) AS win_rate
FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id WHERE d.pipeline_id = :pipeline \gset
\echo
\echo 'All together:' :won_deals 'won,' :lost_deals 'lost, win rate' :win_rate '%, won value' :won_value

-- A move that the rules do not allow: from the first open stage to a won one.
SELECT min(j.id) AS jump_deal, min(j.name) AS jump_to, count(*) > 0 AS has_jump
FROM (SELECT d.id, w.name FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id AND s.kind = 'open' JOIN crm.stage w ON w.pipeline_id = s.pipeline_id AND w.kind = 'won'
WHERE d.pipeline_id = :pipeline AND NOT EXISTS (SELECT FROM crm.stage_transition t WHERE t.from_stage_id = s.id AND t.to_stage_id = w.id)
ORDER BY s.position, d.id LIMIT 1) j \gset
\if :has_jump
\echo
\echo 'The pipeline was made from the stages in the file, and its rules hold. A step forward is allowed'
\echo '(tried and taken back here), a jump is not:'
SELECT min(f.name) AS next_stage, count(*) > 0 AS has_next
FROM (SELECT n.name FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id JOIN crm.stage_transition t ON t.from_stage_id = s.id
JOIN crm.stage n ON n.id = t.to_stage_id AND n.kind = 'open' AND n.position > s.position
WHERE d.id = :jump_deal ORDER BY n.position LIMIT 1) f \gset
\if :has_next
BEGIN;
:plain
\set ECHO queries
SELECT crm.move_deal(:jump_deal, :'next_stage');
\set ECHO none
:table
ROLLBACK;
\endif
\set ECHO queries
\set ON_ERROR_STOP off
SELECT crm.move_deal(:jump_deal, :'jump_to');
\set ON_ERROR_STOP on
\set ECHO none
\echo 'SQLSTATE:' :LAST_ERROR_SQLSTATE
SELECT pg_temp.insist(:'LAST_ERROR_SQLSTATE' = 'RM001', 'the jump was not refused with RM001') \gset
\endif
SELECT '2026-04-01 09:00+00' AS fire_at, '1 April 2026, 09:00 UTC' AS fire_shown \gset
