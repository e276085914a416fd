-- From the preview 0.0.1 (types, contacts, import) to 0.1.0: data quality, merges,
-- roles, sales, activities, tasks, reminders and jobs.  Code only; crm.upgrade() makes the tables.
-- @functions sql/10-email.sql
-- @functions sql/11-phone.sql
-- @whole sql/19-comment.sql
-- @whole sql/21-time_zone.sql
-- @functions sql/20-history.sql
-- @functions sql/30-install.sql
DROP FUNCTION crm.lookup_contact(text, integer);
-- @functions sql/31-contact.sql
-- @functions sql/32-import.sql
-- @whole sql/33-quality.sql
-- @whole sql/34-sales.sql
-- @whole sql/35-activity.sql
-- @whole sql/36-job.sql
DROP FUNCTION crm.status();
DROP FUNCTION crm.before_uninstall();
-- @functions sql/39-status.sql
-- @schema_source
