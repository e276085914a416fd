-- The labelled public sets, as tables with the names of columns that people
-- give: id, cluster (the truth), and attributes. Run by psql in the folder
-- that holds the sets.

\set ON_ERROR_STOP on
SET client_min_messages = warning;

-- FEBRL: rec-17-org, rec-17-dup-0: the number is the person. Some dates have a
-- month 13 or a day 49, so they stay text (YYYYMMDD).
CREATE TEMP TABLE febrl_file (
    rec_id text, given_name text, surname text, street_number text, address_1 text, address_2 text,
    suburb text, postcode text, state text, date_of_birth text, soc_sec_id text
);
CREATE TABLE febrl1 (
    id text PRIMARY KEY, cluster text NOT NULL, given_name text, surname text, street_number text,
    address_1 text, address_2 text, suburb text, postcode text, state text, date_of_birth text, soc_sec_id text
);
CREATE TABLE febrl2 (LIKE febrl1 INCLUDING ALL);
CREATE TABLE febrl3 (LIKE febrl1 INCLUDING ALL);
CREATE TEMP VIEW febrl_clean (id, cluster, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id) AS
SELECT btrim(rec_id), split_part(rec_id, '-', 2), nullif(btrim(given_name), ''), nullif(btrim(surname), ''),
       nullif(btrim(street_number), ''), nullif(btrim(address_1), ''), nullif(btrim(address_2), ''),
       nullif(btrim(suburb), ''), nullif(btrim(postcode), ''), nullif(btrim(state), ''),
       nullif(btrim(date_of_birth), ''), nullif(btrim(soc_sec_id), '')
FROM febrl_file;
\copy febrl_file FROM 'febrl/dataset1.csv' (FORMAT csv, HEADER)
INSERT INTO febrl1 SELECT * FROM febrl_clean;
TRUNCATE febrl_file;
\copy febrl_file FROM 'febrl/dataset2.csv' (FORMAT csv, HEADER)
INSERT INTO febrl2 SELECT * FROM febrl_clean;
TRUNCATE febrl_file;
\copy febrl_file FROM 'febrl/dataset3.csv' (FORMAT csv, HEADER)
INSERT INTO febrl3 SELECT * FROM febrl_clean;

-- RLdata10000: German names and the parts of a birth date; there is a month 0,
-- so the date stays text.
CREATE TEMP TABLE rldata_file (
    fname_c1 text, fname_c2 text, lname_c1 text, lname_c2 text, by int, bm int, bd int, rec_id text, ent_id text
);
\copy rldata_file FROM 'rldata/RLdata10000.csv' (FORMAT csv, HEADER, NULL 'NA')
CREATE TABLE rldata (
    id text PRIMARY KEY, cluster text NOT NULL, first_name text, middle_name text, last_name text, birth_date text
);
INSERT INTO rldata
SELECT rec_id, ent_id, fname_c1, fname_c2, concat_ws(' ', lname_c1, lname_c2), format('%s-%s-%s', by, lpad(bm::text, 2, '0'), lpad(bd::text, 2, '0')) FROM rldata_file;

CREATE TEMP TABLE fake_file (
    unique_id text, first_name text, surname text, dob date, city text, email text, cluster text
);
\copy fake_file FROM 'splink/fake_1000.csv' (FORMAT csv, HEADER)
CREATE TABLE fake_1000 (
    id text PRIMARY KEY, cluster text NOT NULL, first_name text, surname text, dob date, city text, email text
);
INSERT INTO fake_1000 SELECT unique_id, cluster, first_name, surname, dob, city, email FROM fake_file;

-- Organisations: sites of early childhood education in Chicago.
CREATE TEMP TABLE site_file (
    true_id text, id text, source text, site_name text, address text, zip text, phone text, fax text,
    program_name text, length_of_day text, provider_id text, agency text, neighborhood text,
    funded_enrollment text, program_option text, number_ehs text, number_hs text, director text,
    head_start_fund text, early_head_start_fund text, cc_fund text, progmod text, website text,
    executive_director text, center_director text, programs text, naeyc_valid_until text,
    naeyc_program_id text, email_address text, description text, service_type text, column_1 text, column_2 text
);
\copy site_file FROM 'dedupe_csv_example/csv_example_input_with_true_ids.csv' (FORMAT csv, HEADER)
CREATE TABLE organisation (
    id text PRIMARY KEY, cluster text NOT NULL, name text, address text, zip text, phone text, fax text,
    program_name text, agency text, neighborhood text, director text, website text, email_address text
);
INSERT INTO organisation
SELECT id, true_id, nullif(btrim(regexp_replace(site_name, '\s+', ' ', 'g')), ''), nullif(btrim(regexp_replace(address, '\s+', ' ', 'g')), ''),
       nullif(btrim(zip), ''), nullif(btrim(phone), ''), nullif(btrim(fax), ''), nullif(btrim(program_name), ''),
       nullif(btrim(agency), ''), nullif(btrim(neighborhood), ''),
       nullif(btrim(coalesce(director, executive_director, center_director)), ''),
       nullif(btrim(website), ''), nullif(btrim(email_address), '')
FROM site_file;
ANALYZE febrl1, febrl2, febrl3, rldata, fake_1000, organisation;
