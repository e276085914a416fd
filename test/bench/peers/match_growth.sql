-- How time and memory grow with the records: ours alone, train and cluster.
--   psql -v file=contacts.csv
\set QUIET on
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
CREATE TABLE grown (
    id bigint PRIMARY KEY, cluster bigint, locale text, given_name text, middle_name text, family_name text,
    birth_date date, gender text, email text, phone text, city text, postal_code text, address text,
    company text, source text
);
COPY grown FROM :'file' (FORMAT csv, HEADER);
ALTER TABLE grown DROP COLUMN cluster;
ANALYZE grown;
SET crm.match_memory = '4GB';
DO $$ BEGIN PERFORM crm.create_match_model('grown', 'grown'::regclass, 'id'); END $$;
SELECT clock_timestamp() AS began \gset
SELECT version, records, compared, clusters FROM crm.dedupe('grown') \gset
-- Shared buffers that the process has touched count in it, too.
SELECT format('%s records: %s s with writing what was found, %s pairs compared, %s clusters, at most %s MB of memory', :records,
              round(extract(epoch FROM clock_timestamp() - :'began')::numeric, 1), :compared, :clusters,
              round(substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'VmHWM:\s*(\d+)')::numeric / 1024));
SELECT FROM crm.drop_match_model('grown');
DROP TABLE grown;
