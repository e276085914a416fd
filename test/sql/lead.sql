-- Leads: capturing and converting.  R-050, R-051, R-052, R-053, R-120, R-191, R-192
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT crm.install() IS NOT NULL AS installed;
