-- The verdicts' row type and the module's version.
SELECT crm.library_version() = crm.code_version() AS same_version;
SET crm.default_region = 'RU';
SET crm.default_region = 'rus';
SET crm.default_region = '';
SET crm.no_such_setting = 1;
