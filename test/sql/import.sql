\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
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
SELECT * FROM crm.import_apply(:batch, options => '{"region": "RU"}', dry_run => true);
SELECT count(*) FROM crm.contact;
SELECT * FROM crm.import_apply(:batch, options => '{"region": "RU"}');
SELECT row_number, column_name, value, code, reason, hint, suggestion, row_rejected FROM crm.import_reject WHERE batch_id = :batch ORDER BY id;
SELECT row_number, outcome, entity_id - min(entity_id) OVER () AS entity, before, added - 'points' AS added FROM crm.import_result WHERE batch_id = :batch ORDER BY row_number;
SELECT crm.import_fix(:batch, 3, '{"E-mail": "sidorov@example.com", "Телефон": "8 916 123 45 60", "Дата рождения": ""}');
SELECT status, rows, created, updated, unchanged, rejected FROM crm.import_batch WHERE id = :batch;
SELECT * FROM crm.undo_import(:batch);
SELECT count(*) FROM crm.contact; SELECT count(*) from crm.contact_key;
ROLLBACK;
