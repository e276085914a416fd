-- Segments of the contacts of the import: by rules, composed of others, refreshed
-- after a change and by the clock, explained.
\if :is_contact
\echo
\echo '## Segments: groups with a name, kept true as data change and time passes'
\echo
-- The largest city of the file, when it has cities.
SELECT coalesce((SELECT format('city = %L', p.city) FROM crm.contact_profile p WHERE p.city <> '' GROUP BY p.city HAVING count(*) > 1 ORDER BY count(*) DESC, p.city LIMIT 1),
                'family_name is not null') AS rule \gset
\echo 'A rule is what could stand in WHERE. What would its segment be?'
\set ECHO queries
SELECT contacts, round(100 * share::numeric, 1) AS "percent of all", sample
FROM crm.preview(:'rule', sample_size => 5);
\set ECHO none
\echo
\echo 'Three by rules, and one of these three:'
\echo
:plain
\set ECHO queries
SELECT crm.create_segment('here', :'rule');
SELECT crm.create_segment('in talks', 'open_deal_count > 0');
SELECT crm.create_segment('new', $$created_at > now() - interval '30 days'$$);
SELECT crm.create_segment('to invite', expression => 'here & new - "in talks"');
\set ECHO none
:table
\echo
SELECT segment, kind, contacts, level, definition FROM crm.v_segment ORDER BY segment_id;
\echo
\echo 'A rule with a mistake is not taken:'
:plain
\set ECHO queries
\set ON_ERROR_STOP off
SELECT crm.create_segment('twins', $$birthdate = date '1980-01-01'$$);
\set ON_ERROR_STOP on
\set ECHO none
:table
\echo 'SQLSTATE:' :LAST_ERROR_SQLSTATE
SELECT pg_temp.insist(:'LAST_ERROR_SQLSTATE' = '42703', 'the unknown field was not refused with 42703') \gset
-- What the import left to be looked at.
SELECT segments AS nothing FROM crm.refresh_segments() \gset
-- Somebody whom a change makes a member.
SELECT coalesce(min(p.contact_id), 0) AS somebody, count(*) > 0 AS has_somebody, :'rule' LIKE 'city = %' AS is_city
FROM crm.contact_profile p WHERE p.city <> '' AND NOT p.contact_id OPERATOR(crm.<@) (crm.segment_set('here') OPERATOR(crm.|) crm.segment_set('in talks')) \gset
SELECT :'has_somebody'::boolean AND :'is_city'::boolean AS can_move \gset
\if :can_move
SELECT crm.full_name(NULL, given_name, NULL, family_name, NULL) AS mover, city AS old_city,
       (SELECT p.city FROM crm.contact_profile p WHERE p.contact_id = (SELECT crm.minimum(crm.segment_set('here')))) AS new_city
FROM crm.contact WHERE id = :somebody \gset
\echo
\echo :mover 'moves from' :old_city 'to' :new_city '- the refresh, a job of every minute, looks at'
\echo 'nobody else, and only for the segments that ask for the city:'
:plain
\set ECHO queries
UPDATE crm.contact SET city = :'new_city' WHERE id = :somebody;
\set ECHO none
:table
\set ECHO queries
SELECT * FROM crm.refresh_segments();
SELECT segment, entered, cause FROM crm.contact_segment_history(:somebody);
\set ECHO none
SELECT pg_temp.insist(count(*) = 2, 'the contact that moved did not enter the two segments')
FROM crm.contact_segments(:somebody) s WHERE s IN ('here', 'to invite') \gset
\echo
\echo 'Why?'
\set ECHO queries
SELECT * FROM crm.explain_segment('to invite', :somebody);
\set ECHO none
\endif
\echo
\echo 'Nothing changes, but the clock: the same in 31 days, tried in a transaction that is taken back:'
SELECT crm.cardinality(crm.segment_set('new')) AS new_now \gset
BEGIN;
\set ECHO queries
SELECT * FROM crm.refresh_segments(now() + interval '31 days');
SELECT segment, contacts FROM crm.v_segment WHERE segment IN ('new', 'to invite') ORDER BY segment_id;
\set ECHO none
SELECT pg_temp.insist(bool_and(s.cardinality = 0), 'the clock was not seen') FROM crm.segment s WHERE s.name IN ('new', 'to invite') \gset
ROLLBACK;
SELECT pg_temp.insist(bool_and(s.error IS NULL), 'a segment failed'), pg_temp.insist(sum(s.cardinality) FILTER (WHERE s.name = 'new') = :new_now, 'what was taken back remained')
FROM crm.segment s \gset
\endif
