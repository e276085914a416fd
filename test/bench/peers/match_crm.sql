-- Ours over the same generated contacts: load, model, train, cluster. What was
-- right is counted apart from every time.
--   psql -v file=contacts.csv -v seconds=FILE -f score.sql -f match_crm.sql

\if :{?memory} \else
\set memory '1GB'
\endif
SET client_min_messages = warning;
CREATE EXTENSION crm;
DO 'BEGIN PERFORM crm.install(); END';
SET crm.match_memory = :'memory';
CREATE TEMP TABLE spent (at serial, phase text, s float8);
CREATE TABLE person (
    id bigint PRIMARY KEY, cluster bigint, locale text, given_name text, middle_name text, family_name text,
    birth_date date, gender text, email text, phone text, city text, postal_code text, address text,
    company text, source text
);

SELECT clock_timestamp() AS began \gset
COPY person FROM :'file' (FORMAT csv, HEADER);
INSERT INTO spent (phase, s) VALUES ('load into a table', extract(epoch FROM clock_timestamp() - :'began'));

-- The truth is kept apart from what is matched.
CREATE TABLE truth AS SELECT id, cluster FROM person;
ALTER TABLE person DROP COLUMN cluster;

SELECT clock_timestamp() AS began \gset
DO $$ BEGIN PERFORM crm.create_match_model('person', 'person'::regclass, 'id'); END $$;
CREATE TEMP TABLE answer AS SELECT id, cluster_id FROM crm.match_clusters('person');
INSERT INTO spent (phase, s) VALUES ('train, block, score, cluster', extract(epoch FROM clock_timestamp() - :'began'));

\pset format unaligned
\pset tuples_only on
\pset footer off
SELECT format('crm %s, PostgreSQL %s, %s rows', (SELECT extversion FROM pg_extension WHERE extname = 'crm'),
              current_setting('server_version'), (SELECT count(*) FROM person));
SELECT format('  %s%s s', rpad(phase, 30), lpad(to_char(s, 'FM99990.00'), 8)) FROM spent ORDER BY at;
SELECT format('  %s%s s', rpad('in all', 30), lpad(to_char(sum(s), 'FM99990.00'), 8)) FROM spent;
\o :seconds
SELECT round(sum(s)::numeric, 3) FROM spent;
\o

-- Not part of the times: the pairs by themselves.
CREATE TEMP TABLE edge AS SELECT left_id, right_id, weight FROM crm.match_pairs('person', -10);
SELECT format('  pairs of p >= .5        precision %s, recall %s, F1 %s', prec, recall, f1) FROM score_edges('edge', 'truth', 0);
SELECT format('  pairs of p >= .95       precision %s, recall %s, F1 %s', prec, recall, f1) FROM score_edges('edge', 'truth', 4.247928);
SELECT format('  pairs of weight >= %s precision %s, recall %s, F1 %s (the best there is, chosen by the truth)',
              rpad(to_char(weight, 'FM990.0'), 4), prec, recall, f1) FROM best_edges('edge', 'truth');
SELECT format('  clusters                precision %s, recall %s, F1 %s', prec, recall, f1) FROM score('answer', 'truth');
