-- The verdicts' row type and the module's version.
SELECT crm.code_version() = (SELECT extversion FROM pg_extension WHERE extname = 'crm') AS same_version;
SET crm.default_region = 'RU';
SET crm.default_region = 'rus';
SET crm.default_region = '';
SET crm.no_such_setting = 1;
