-- Contacts: what a person enters is kept, what is derived from it stands beside it.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
SET LOCAL crm.default_region = 'RU';
SELECT crm.create_contact('{"name": "Иванова Анна Сергеевна", "email": " Anna.Ivanova+crm@GMail.com", "phone": ["8 (912) 345-67-89", "+7 495 123-45-67 доб. 12"], "birth_date": "29.02.1988", "company": "ООО Ромашка", "tags": ["vip", "fair"], "city": "Москва"}') AS anna \gset
SELECT title, given_name, middle_name, family_name, gender, to_char(birth_date, 'YYYY-MM-DD') AS birth_date, city, lifecycle_stage, name_key FROM crm.contact WHERE id = :anna;
SELECT kind, raw, region, email, phone, match_key, is_primary FROM crm.contact_point WHERE contact_id = :anna ORDER BY id;
SELECT kind, key FROM crm.contact_key WHERE contact_id = :anna ORDER BY 1, 2;
SELECT c.name, l.role, l.is_primary FROM crm.company_contact l JOIN crm.company c ON c.id = l.company_id WHERE contact_id = :anna;
SELECT tag FROM crm.tag WHERE contact_id = :anna ORDER BY 1;
