-- Import: staging, mapping, what is set aside and why, knowing rows again,
-- undo.  R-017, R-224, R-047, R-186
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
\pset null '-'
SET datestyle = ISO;
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SELECT crm.import_csv('clients.csv', $csv$ID;ФИО;E-mail;Телефон;Дата рождения;Компания;Теги
1;Петров Пётр Петрович;petrov@example.com;8 (916) 123-45-67;12.03.1985;ООО Ромашка;vip, fair
2;Anna Ivanova;anna@gmial.com;+7 912 345-67-89;1990-05-01;Acme;
3;Сидоров Иван;sidorov@@example.com;8 (916) 123-45-6;31.02.1980;;
4;;;;;;
5;Петров Пётр Петрович;petrov@example.com;;;;
1;Петров Пётр Петрович;petrov@example.com;+7 (495) 123-45-67;12.03.1985;ООО "Ромашка";new
$csv$, source => '1C') AS batch \gset
SELECT columns, mapping FROM crm.import_batch WHERE id = :batch;

-- A dry run says what would happen and writes nothing but the rejects.
SELECT * FROM crm.import_apply(:batch, options => '{"region": "RU"}', dry_run => true);
SELECT (SELECT count(*) FROM crm.contact WHERE source = '1C') AS contacts, (SELECT count(*) FROM crm.import_reject WHERE batch_id = :batch) AS rejects;
SELECT * FROM crm.import_apply(:batch, options => '{"region": "RU"}');
SELECT * FROM crm.import_apply(:batch);
SELECT row_number, column_name, value, code, reason, hint, suggestion, row_rejected FROM crm.import_reject WHERE batch_id = :batch ORDER BY id;
SELECT row_number, outcome, entity_id - min(entity_id) OVER () AS entity, before, added - 'points' AS added FROM crm.import_result WHERE batch_id = :batch ORDER BY row_number;
SELECT c.given_name, c.middle_name, c.family_name, c.gender, c.birth_date, c.source,
       (SELECT string_agg(p.label || ' ' || p.raw || CASE WHEN p.is_primary THEN ' *' ELSE '' END, ', ' ORDER BY p.kind, p.id) FROM crm.contact_point p WHERE p.contact_id = c.id) AS points,
       (SELECT string_agg(o.name, ', ') FROM crm.company_contact l JOIN crm.company o ON o.id = l.company_id WHERE l.contact_id = c.id) AS companies,
       (SELECT string_agg(r.external_id, ', ') FROM crm.external_ref r WHERE r.contact_id = c.id) AS external_ids
FROM crm.contact c WHERE c.source = '1C' ORDER BY c.id;

-- A corrected row goes in; counts always add up.
SELECT crm.import_fix(:batch, 3, '{"E-mail": "sidorov@example.com", "Телефон": "8 916 123 45 60", "Дата рождения": ""}');
SELECT crm.import_fix(:batch, 4, '{"E-mail": "nobody"}');
SELECT crm.import_fix(:batch, 3, '{}');
SELECT crm.import_fix(:batch, 4, '{"Fax": "1"}');
SELECT status, rows, created, updated, unchanged, rejected FROM crm.import_batch WHERE id = :batch;
SELECT row_number, code, resolved_at IS NOT NULL AS resolved FROM crm.import_reject WHERE batch_id = :batch ORDER BY id;

-- The same file again changes nothing.
SELECT crm.import_csv('clients.csv', $csv$ID;ФИО;E-mail;Телефон;Дата рождения;Компания;Теги
1;Петров Пётр Петрович;petrov@example.com;8 (916) 123-45-67;12.03.1985;ООО Ромашка;vip, fair
2;Anna Ivanova;anna@gmial.com;+7 912 345-67-89;1990-05-01;Acme;
5;Петров Пётр Петрович;petrov@example.com;;;;
$csv$, source => '1C') AS again \gset
SELECT * FROM crm.import_apply(:again, options => '{"region": "RU"}');
-- The same number of another system is another client.
SELECT crm.import_csv('shop.csv', E'id,name,email\n1,Olga Smirnova,olga@example.com\n', source => 'shop') AS shop \gset
SELECT * FROM crm.import_apply(:shop);

-- Without a number: known by name with an address, a phone number, a birth date,
-- or as the very same row.
SELECT crm.import_csv('fair.csv', E'Name,Email,Phone,Birth date,City\nPyotr Petrov,PETROV@example.com,,,Kazan\nIvan Nobody,,+7 916 000-11-22,,\nIvan Nobody,,8 916 000-11-22,,Perm\nMaria Orlova,,,1977-07-07,\nJust A Name,,,,\nJust A Name,,,,\n', source => 'fair') AS fair \gset
SELECT * FROM crm.import_apply(:fair, options => '{"region": "RU"}');
SELECT row_number, outcome, before FROM crm.import_result WHERE batch_id = :fair ORDER BY row_number;
SELECT crm.import_csv('fair.csv', E'Name,Email,Phone,Birth date,City\nIvan Nobody,,+7 916 000-11-22,,\nMaria Orlova,,,07.07.1977,\nJust A Name,,,,\n', source => 'fair2') AS fair2 \gset
SELECT * FROM crm.import_apply(:fair2, options => '{"region": "RU"}');

-- on_match: fill only what is empty, or leave alone.
SELECT crm.import_csv('more.csv', E'id,given_name,family_name,city,job_title\n1,Peter,Petrov,Omsk,director\n', source => '1C') AS more \gset
SELECT * FROM crm.import_apply(:more, options => '{"on_match": "fill"}');
SELECT c.given_name, c.city, c.job_title FROM crm.contact c JOIN crm.external_ref r ON r.contact_id = c.id WHERE r.system = '1C' AND r.external_id = '1';
SELECT crm.import_csv('more.csv', E'id,given_name,family_name,city\n1,Peter,Petrov,Omsk\n', source => '1C') AS more2 \gset
SELECT * FROM crm.import_apply(:more2, options => '{"on_match": "skip"}');
SELECT crm.import_csv('more.csv', E'id,given_name,family_name,city\n1,Peter,Petrov,Omsk\n', source => '1C') AS more3 \gset
SELECT * FROM crm.import_apply(:more3);
SELECT before FROM crm.import_result WHERE batch_id = :more3;

-- bad_values set_aside: the row is taken without the value.
SELECT crm.import_csv('loose.csv', E'name,email,phone,inn,gender,country\nVera Good,vera@@example.com,12,7707083894,x,Atlantis\n', source => 'loose') AS loose \gset
SELECT * FROM crm.import_apply(:loose, options => '{"bad_values": "set_aside", "region": "US"}');
SELECT column_name, value, code, row_rejected FROM crm.import_reject WHERE batch_id = :loose ORDER BY code;

-- Custom fields.
SELECT crm.define_field('contact', 'shoe_size', 'number');
SELECT crm.import_csv('shoes.csv', E'name,email,size\nAnna Shoe,shoe@example.com,"38,5"\nBad Shoe,bad@example.com,huge\n', source => 'shoes') AS shoes \gset
SELECT * FROM crm.import_apply(:shoes, mapping => '{"size": "attrs.shoe_size"}');
SELECT c.attrs, r.code, r.value FROM crm.import_result i LEFT JOIN crm.contact c ON c.id = i.entity_id LEFT JOIN crm.import_reject r USING (batch_id, row_number) WHERE batch_id = :shoes ORDER BY i.row_number;

-- Companies.
SELECT crm.import_csv('companies.csv', E'Company,INN,Website,Employees,Revenue,Phone,Country,Kind\nРомашка-Сервис,7707083893,example.com,12,"1 000,50",+7 495 000-11-22,Россия,Partner\nAcme Ltd,,,many,,,GB,\n,,,,,,,\n', entity => 'company', source => '1C') AS companies \gset
SELECT * FROM crm.import_apply(:companies);
SELECT name, tax_id, employees, annual_revenue, country, kind FROM crm.company WHERE id IN (SELECT entity_id FROM crm.import_result WHERE batch_id = :companies);
SELECT row_number, column_name, code FROM crm.import_reject WHERE batch_id = :companies ORDER BY id;

-- From JSON and from a table.
SELECT crm.import_json('app', '[{"name": "Jane Json", "email": "jane@example.com"}, {"name": "Joe Json", "phone": "+1 650 253 0000"}]', source => 'app') AS json \gset
SELECT * FROM crm.import_apply(:json);
CREATE TEMPORARY TABLE staging (id integer, full_name text, email text);
INSERT INTO staging VALUES (1, 'Tom Table', 'tom@example.com'), (2, 'Tim Table', NULL);
SELECT crm.import_table('staging', 'staging', source => 'staging') AS tab \gset
SELECT mapping FROM crm.import_batch WHERE id = :tab;
SELECT * FROM crm.import_apply(:tab, mapping => '{"full_name": "name"}', notice_every => 1);

-- Undo gives everything back, but for what was touched since, which it names.
SELECT crm.update_contact(c.id, '{"city": "Tver"}') IS NOT NULL AS touched FROM crm.contact c JOIN crm.external_ref r ON r.contact_id = c.id WHERE r.system = 'staging' AND r.external_id = '1';
SELECT * FROM crm.undo_import(:json);
SELECT count(*) FROM crm.contact WHERE source = 'app';
SELECT row_number, reason LIKE 'changed since by %' AS kept FROM crm.undo_import(:tab);
SELECT family_name, city FROM crm.contact WHERE source = 'staging';
INSERT INTO crm.contact_point (contact_id, kind, raw) SELECT entity_id, 'email', 'second@example.com' FROM crm.import_result WHERE batch_id = :shop;
SELECT row_number, reason LIKE 'an address or number was added since by %' AS kept FROM crm.undo_import(:shop);
SELECT * FROM crm.undo_import(:more3);
SELECT c.given_name, c.city FROM crm.contact c JOIN crm.external_ref r ON r.contact_id = c.id WHERE r.system = '1C' AND r.external_id = '1';
SELECT * FROM crm.undo_import(:json);

-- A row with too many fields is set aside, trailing empty ones are nothing; a
-- region without numbering plan is no obstacle.
SELECT crm.import_csv('long.csv', E'name,email,country\nAnna One,one@example.com,ZZ,x\nAnna Two,two@example.com,AQ,,\nAnna Three,three@example.com,DE\n', source => 'long') AS long \gset
SELECT * FROM crm.import_apply(:long);
SELECT row_number, value, code, reason FROM crm.import_reject WHERE batch_id = :long;

-- A batch that a later one changed waits for that one; what is left is tried again.
SELECT crm.import_csv('u1', E'id,name\n1,Uno First\n2,Due First\n', source => 'undo') AS u1 \gset
SELECT * FROM crm.import_apply(:u1);
SELECT crm.import_csv('u2', E'id,name\n1,Uno Second\n2,Due First\n', source => 'undo') AS u2 \gset
SELECT * FROM crm.import_apply(:u2);
SELECT row_number, regexp_replace(reason, '\d+', 'N') FROM crm.undo_import(:u1);
SELECT * FROM crm.undo_import(:u2);
SELECT count(*) FROM crm.undo_import(:u1);
SELECT count(*) FROM crm.contact WHERE source = 'undo';
SELECT * FROM crm.undo_import(:u1);
SELECT crm.undo_import(-1);
SELECT crm.import_csv('n', E'Kontakt,Notiz\nx,y\n') AS n \gset
SELECT crm.import_apply(:n);

-- What cannot be staged or applied says why.
SELECT crm.import_csv('x', '');
SELECT crm.import_csv('x', E'a,b\n1,2,3\n');
SELECT crm.import_csv('x', E'a,b\n"1,2\n');
SELECT crm.import_csv('x', repeat('c,', 10000));
SELECT crm.import_csv('x', E'name\n' || repeat('x', 2000000));
SELECT crm.import_csv('x', '\x6e616d650ac8e2e0ed'::bytea);
SELECT crm.import_csv('x', '\x6e616d650ac8e2e0ed0a'::bytea, encoding => 'WIN1251') IS NOT NULL AS decoded;
SELECT crm.import_csv('x', 'a', entity => 'deal');
SELECT crm.import_json('x', '{"a": 1}');
SELECT crm.import_apply(-1);
SELECT crm.import_csv('x', E'name,email\nA B,a@example.com\n') AS x \gset
SELECT crm.import_apply(:x, mapping => '{"mail": "email"}');
SELECT crm.import_apply(:x, mapping => '{"email": "e-mail"}');
SELECT crm.import_apply(:x, mapping => '{"email": "attrs.unknown"}');
SELECT crm.import_apply(:x, mapping => '{"email": "name"}');
SELECT crm.import_apply(:x, options => '{"on_match": "maybe"}');
SELECT crm.import_apply(:x, options => '{"speed": "fast"}');
-- Every batch adds up.
SELECT count(*) FROM crm.import_batch WHERE status = 'applied' AND rows <> created + updated + unchanged + rejected;
ROLLBACK;

-- Headers of addresses.  A contact's is one text beside city and country; a company has a column for the code.
SELECT entity, crm.guess_mapping(ARRAY['Адрес электронной почты', 'Почтовый адрес', 'Street', 'ZIP', 'State', 'Город', 'Country'], entity) FROM unnest(ARRAY['contact', 'company']) entity;
-- A number of something else is not the number of the row.
SELECT h, crm.guess_mapping(ARRAY[h], 'contact') ->> h AS contact, crm.guess_mapping(ARRAY[h], 'company') ->> h AS company
FROM unnest(ARRAY['id', 'ID', 'rec_id', 'customer_id', 'tax_id', 'vat_id', 'registration_id', 'branch_id', 'owner_id', 'company_id', 'account_id', 'city_id', 'source_id', 'email_id', 'home_phone_id']) WITH ORDINALITY AS u (h, n) ORDER BY n;
SELECT crm.guess_mapping(ARRAY['import_id', 'name', 'ID'], 'contact');
SELECT crm.guess_mapping(ARRAY['account', 'sector', 'year_established', 'revenue', 'employees', 'office_location', 'subsidiary_of'], 'company');
SELECT h, crm.guess_mapping(ARRAY[h], 'company') ->> h AS target FROM unnest(ARRAY['zip', 'ZIP code', 'Postcode', 'postal_code', 'Почтовый индекс', 'индекс', 'PLZ', 'Юридический адрес', 'Mailing address']) h;
-- What has no column becomes a field of one's own.
BEGIN;
SELECT crm.define_field('contact', 'postal_code', 'text'), crm.define_field('contact', 'region', 'text');
SELECT crm.import_csv('addresses.csv', E'Name,Street,Postcode,State\nAnna Ivanova,1 High Street,SW1A 1AA,London\n') AS batch \gset
SELECT * FROM crm.import_apply(:batch, mapping => '{"Postcode": "attrs.postal_code", "State": "attrs.region"}');
SELECT c.attrs, p.raw FROM crm.contact c JOIN crm.contact_point p ON p.contact_id = c.id JOIN crm.import_result r ON r.entity_id = c.id WHERE r.batch_id = :batch;
ROLLBACK;
-- Customers known by a number alone.
BEGIN;
SELECT h, crm.guess_mapping(ARRAY[h], 'contact') ->> h AS contact FROM unnest(ARRAY['CustomerID', 'ClientId', 'customerNumber', 'Customer No']) h;
SELECT crm.import_csv('shop.csv', E'CustomerID,Country\n12346,United Kingdom\n12347,Iceland\n12348,\n,Malta\n', source => 'shop2') AS batch \gset
SELECT * FROM crm.import_apply(:batch);
SELECT row_number, code FROM crm.import_reject WHERE batch_id = :batch ORDER BY 1;
SELECT r.external_id, c.country FROM crm.external_ref r JOIN crm.contact c ON c.id = r.contact_id WHERE r.system = 'shop2' ORDER BY 1;
ROLLBACK;
-- What of a name is in none of its parts is told; digits that stand in it stay.
BEGIN;
SELECT crm.import_csv('names.csv', E'Name,Email\nИван Петров 123,a1@example.com\nAnna2 Smith,a2@example.com\n12345,a3@example.com\nPetra Long,a4@example.com\n') AS batch \gset
SELECT * FROM crm.import_apply(:batch);
SELECT i.row_number, c.given_name, c.family_name, r.column_name, r.value, r.code, r.reason, r.row_rejected
FROM crm.import_result i JOIN crm.contact c ON c.id = i.entity_id LEFT JOIN crm.import_reject r USING (batch_id, row_number) WHERE i.batch_id = :batch ORDER BY 1;
-- Looked at; and a batch that shall not be applied goes.
SELECT count(*) FROM crm.status() WHERE item = 'imports';
SELECT crm.discard_rejects(:batch, 1), crm.discard_rejects(:batch), crm.discard_rejects(:batch);
SELECT count(*) FROM crm.import_reject WHERE batch_id = :batch AND resolved_at IS NULL;
SELECT crm.import_csv('wrong.csv', E'Name,Email\nx,y\n,z\n') AS wrong \gset
SELECT crm.discard_import(:wrong);
SELECT count(*) FROM crm.import_row WHERE batch_id = :wrong;
SAVEPOINT s;
SELECT crm.discard_import(:batch);
ROLLBACK TO s;
SELECT crm.discard_import(-1);
ROLLBACK TO s;
SELECT crm.discard_rejects(-1);
ROLLBACK;
