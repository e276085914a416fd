-- Dates as files write them.
SELECT v, (crm.check_date(v, o)).* FROM (VALUES
    ('2026-12-31', 'dmy'), ('20261231', 'dmy'), ('2026/1/5', 'dmy'), ('31.12.2026', 'mdy'), ('3/4/2017', 'dmy'), ('3/4/2017', 'mdy'),
    ('12/31/2016', 'dmy'), ('31/12/2016', 'mdy'), ('31 декабря 2026 г.', 'dmy'), ('1 Мая 2020', 'dmy'), ('Dec 31, 2026', 'dmy'),
    ('5-Mar-1999', 'dmy'), ('2026-12-31T23:59:59Z', 'dmy'), ('2026-12-31 00:00:00', 'dmy'), (' 29.02.2024 ', 'dmy'),
    ('29.02.2023', 'dmy'), ('31.04.2020', 'dmy'), ('2020-13-01', 'dmy'), ('12.03.85', 'dmy'), ('', 'dmy'), ('yesterday', 'dmy'),
    ('2026-12', 'dmy'), ('1234567890', 'dmy'), ('00.00.0000', 'dmy'), ('2026-12-31x', 'dmy')) t (v, o);
SET datestyle = ISO;
SELECT crm.try_date('29.02.2024'), crm.try_date('29.02.2023'), crm.try_date(NULL);
SELECT crm.try_date('01/02/2020', 'ymd');
-- every day of 400 years, in four forms, against the server's calendar
SELECT count(*) FILTER (WHERE crm.try_date(to_char(d, 'YYYY-MM-DD')) IS DISTINCT FROM d OR crm.try_date(to_char(d, 'DD.MM.YYYY')) IS DISTINCT FROM d
                           OR crm.try_date(to_char(d, 'MM/DD/YYYY'), 'mdy') IS DISTINCT FROM d
                           OR crm.try_date(to_char(d, 'DD Mon YYYY')) IS DISTINCT FROM d) AS wrong, count(*)
FROM (SELECT date '1800-01-01' + i AS d FROM generate_series(0, 146096) i) days;
