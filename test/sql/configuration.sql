-- What is configured, looked at as a whole.  R-045
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT crm.install() IS NOT NULL AS installed;
SELECT * FROM crm.validate_config();
-- What was right when it was written, and no longer fits.
CREATE TABLE visit (contact_id bigint, at timestamptz, kind text);
INSERT INTO crm.event_kind (event, relation, at_column, filter) VALUES ('visit', 'public.visit', 'at', 'kind = ''shop''');
SELECT crm.create_segment('visitors', $$did('visit')$$) > 0 AS made;
ALTER TABLE visit DROP COLUMN kind;
SELECT * FROM crm.validate_config();
DROP TABLE visit;
INSERT INTO crm.incentive (name, kind, amount, cost, definition, priority) VALUES ('gift', 'gift', 1, 1, 'order_total > 10', 1);
INSERT INTO crm.archive_rule (name, inactive_for, definition) VALUES ('cheap', '1 year', 'order_total < 10');
SAVEPOINT s;
INSERT INTO crm.archive_rule (name, inactive_for, definition) VALUES ('wrong', '1 year', 'order_totl < 10');
ROLLBACK TO s;
INSERT INTO crm.segment_goal (segment_id, metric, aggregate, target) VALUES (crm.segment_number('visitors'), 'order_total', 'sum', 10);
ALTER TABLE crm.deal ADD COLUMN mine integer;
UPDATE crm.stage SET entry_guard = 'mine > 1' WHERE name = 'Won';
SELECT crm.allow_transition('Sales', 'New', 'Qualified', guard => 'mine > 0 and amount > 5') > 0 AS allowed;
SELECT * FROM crm.validate_config() WHERE item IN ('stage', 'transition');
ALTER TABLE crm.deal DROP COLUMN mine CASCADE;
-- A view of one's own in place of the profile, that lacks what they ask for.
DROP VIEW crm.contact_profile;
CREATE VIEW crm.contact_profile AS SELECT id AS contact_id, city FROM crm.contact;
-- Pipelines in which nothing can begin or end.
INSERT INTO crm.pipeline (name) VALUES ('Bare');
INSERT INTO crm.stage (pipeline_id, name, position) SELECT id, 'Only', 1 FROM crm.pipeline WHERE name = 'Bare';
UPDATE crm.pipeline SET is_default = false;
UPDATE crm.job SET function = 'nothing' WHERE name = 'match';
INSERT INTO crm.branch (name) VALUES ('Moon');
ALTER TABLE crm.branch DISABLE TRIGGER USER;
UPDATE crm.branch SET time_zone = 'Moon/Crater' WHERE name = 'Moon';
INSERT INTO crm.survivorship_rule (field, source, priority) VALUES ('shoe', '*', 1);
INSERT INTO crm.completeness_weight (field, weight) VALUES ('attrs.shoe', 1);
SELECT * FROM crm.validate_config();
SELECT item, state, detail FROM crm.status() WHERE item IN ('incentive gift', 'pipelines', 'archive rule cheap');
ROLLBACK;
