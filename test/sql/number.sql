-- Amounts as people and spreadsheets write them.
SELECT v, (crm.check_number(v)).*, crm.try_number(v) FROM (VALUES
    ('1234.56'), ('1 234,56'), ('1.234,56'), ('1,234.56'), ('$1,234'), ('1,234'), ('1.234'), ('0.125'), ('0,125'), ('(500)'), ('-7'), ('+7'), ('12%'),
    ('1''000''000'), ('1.000.000'), ('1,000,000'), ('10 000 руб.'), ('5 ₽'), ('.5'), ('5.'), (''), ('-'), ('1,23,456'), ('1.2.3'), ('abc'), ('12a'),
    ('1e5'), ('NaN'), (repeat('9', 130))) t (v);
-- The longest, with and without a sign and a zero of ours; what is one longer is refused.
SELECT length(crm.try_number('-.' || repeat('1', 123))::text), length(crm.try_number(repeat('1', 125))::text),
       (crm.check_number('-.' || repeat('1', 124))).code, (crm.check_number('(.' || repeat('1', 125) || ')')).code, (crm.check_number(repeat('1', 126))).code;
