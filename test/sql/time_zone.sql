-- Time zones are names that the server knows.  R-013
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SELECT crm.install() IS NOT NULL AS installed;
BEGIN;
INSERT INTO crm.branch (name, time_zone) VALUES ('Vladivostok', 'Asia/Vladivostok');
INSERT INTO crm.branch (name, time_zone) VALUES ('Nowhere', 'Asia/Nowhere');
INSERT INTO crm.agent (name, time_zone) VALUES ('Anna', 'MSK+3');
UPDATE crm.branch SET time_zone = 'Europe/Kiyv' WHERE name = 'Vladivostok';
INSERT INTO crm.contact (family_name, time_zone) VALUES ('Good', 'Europe/Moscow'), ('Good', NULL);
INSERT INTO crm.contact (family_name, time_zone) VALUES ('Bad', 'Moscow');
INSERT INTO crm.company (name, time_zone) VALUES ('Bad', 'x');
ROLLBACK;
