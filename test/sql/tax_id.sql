-- Tax and registry identifiers: what is read and how, what is refused and why.
-- R-017

-- every kind of verdict of every type
CREATE TEMP TABLE sample (kind text, input text);
INSERT INTO sample VALUES
    -- organisations, a person, the region that does not exist
    ('inn', '7707083893'), ('inn', '500100732259'), ('inn', '0201017011'), ('inn', '005826107187'),
    -- white space, separators, labels
    ('inn', E' 7707083893\n'), ('inn', '77 0708 3893'), ('inn', E'7707\u00A0083893'), ('inn', '77-07-083893'),
    ('inn', 'ИНН 7707083893'), ('inn', 'инн:7707083893'), ('inn', 'INN № 7707083893'), ('inn', E'\uFEFF7707083893'),
    -- refused
    ('inn', ''), ('inn', '  '), ('inn', '7707083894'), ('inn', '500100732250'), ('inn', '500100732159'),
    ('inn', '0000000000'), ('inn', '000000000000'), ('inn', '77070838931'), ('inn', '1027700132195'),
    ('inn', 'КПП 773601001'), ('inn', E'7707\u200B083893'), ('inn', '7707083893 и 7736050003'),
    -- refused with a repair on offer
    ('inn', '77О7О83893'), ('inn', '77o7o83893'), ('inn', '7707О83894'), ('inn', '７７０７０８３８９３'),
    ('inn', '201017011'), ('inn', '7707083893.0'), ('inn', '«7707083893»'), ('inn', '7707083893;'),
    ('inn', '7707083893/773601001'),
    -- two repairs: 7700000023 and 077000000230; none is offered
    ('inn', '7700000023.0'),
    ('kpp', '773601001'), ('kpp', '7736AB001'), ('kpp', 'КПП: 7736 01 001'), ('kpp', '003601001'),
    ('kpp', 'dddd01001'), ('kpp', 'ddddxxddd'), ('kpp', '77360100'), ('kpp', '77360100A'), ('kpp', '7736ab001'), ('kpp', '7736АВ001'), ('kpp', '000000000'),
    ('kpp', '7707083893/773601001'),
    ('ogrn', '1027700132195'), ('ogrn', '304500116000050'), ('ogrn', '304500116000061'), ('ogrn', '304500116000072'),
    ('ogrn', 'ОГРНИП 304500116000180'), ('ogrn', 'ОГРН 1 02 77 00 13219 5'), ('ogrn', '404500116000057'),
    ('ogrn', '1027700132196'), ('ogrn', '0027700132195'), ('ogrn', '3027700132193'), ('ogrn', '104500116000059'),
    ('ogrn', '102770013219'), ('ogrn', '304500116000051'), ('ogrn', '7707083893'), ('ogrn', '1О277ОО132195'),
    ('snils', '112-233-445 95'), ('snils', '11223344595'), ('snils', '112 233 445 95'), ('snils', 'СНИЛС 112-233-445 95'),
    ('snils', '087-654-303 00'), ('snils', '11290003900'), ('snils', '112-900-039 01'), ('snils', '001-001-998 00'), ('snils', '001-001-999 00'),
    ('snils', '112-233-445 96'), ('snils', '000-000-000 00'), ('snils', '112-233-445'), ('snils', '8765430300'),
    ('snils', '112-2ЗЗ-445 95'),
    ('vat', 'DE143454214'), ('vat', 'de 143 454 214'), ('vat', 'VAT No. BE 0202.239.951'), ('vat', 'USt-IdNr.: DE143454214'),
    ('vat', 'IE1+12345U'), ('vat', 'IE2*54321T'), ('vat', 'SE556703748502'),
    ('vat', 'DE143454215'), ('vat', 'DE14345421O'), ('vat', 'DE1434542140'), ('vat', 'GR094019245'), ('vat', 'EL94019245'),
    ('vat', 'ЕL094019245'), ('vat', 'ATU3З864707'), ('vat', 'DE12345678+'), ('vat', 'EU372022452'), ('vat', 'CHE109322551'),
    ('vat', '143454214'), ('vat', 'IT00000000000'), ('vat', 'NL810433941B00'), ('vat', 'B'),
    ('lei', '7LTWFZYICNSX8D621K86'), ('lei', '253400m18u5tb02tw421'), ('lei', 'LEI: 5493 00EX JV1R PGZN H608'),
    ('lei', '253400M18U5TB02TW422'), ('lei', '253400M18U5TB02TW42'), ('lei', '253400M18U5TBO2TW421'),
    ('lei', '253400М18U5ТВ02ТW421'), ('lei', '253400M18U5TB02TWO21'), ('lei', '7LTWFZYICNSX8D621K8A'),
    ('lei', '00000000000000000001'), ('lei', 'ИНН 7707083893'),
    -- letters of its own that could be a label
    ('lei', 'INN1 2345 6789 0123 4513'), ('lei', 'LEI0 0000 0000 0000 0045');
-- (A dot stands for what has no width: releases of psql disagree on it.)
SELECT s.kind, translate(s.input, U&'\FEFF\200B', '··') AS input, r.status, r.value, r.code, r.suggestion
FROM sample s, LATERAL (
    SELECT (CASE s.kind
        WHEN 'inn' THEN crm.check_inn(s.input) WHEN 'kpp' THEN crm.check_kpp(s.input)
        WHEN 'ogrn' THEN crm.check_ogrn(s.input) WHEN 'snils' THEN crm.check_snils(s.input)
        WHEN 'vat' THEN crm.check_vat(s.input) WHEN 'lei' THEN crm.check_lei(s.input) END).*) r;

-- the words: one sentence a code
SELECT DISTINCT ON (r.code) r.code, r.message, r.hint
FROM sample s, LATERAL (
    SELECT (CASE s.kind
        WHEN 'inn' THEN crm.check_inn(s.input) WHEN 'kpp' THEN crm.check_kpp(s.input)
        WHEN 'ogrn' THEN crm.check_ogrn(s.input) WHEN 'snils' THEN crm.check_snils(s.input)
        WHEN 'vat' THEN crm.check_vat(s.input) WHEN 'lei' THEN crm.check_lei(s.input) END).*) r
WHERE r.code IS NOT NULL
ORDER BY r.code, s.input COLLATE "C";

-- a repair on offer is always acceptable, and never the value
SELECT count(*) AS offered, count(*) FILTER (WHERE crm.tax_id(r.suggestion) = r.suggestion) AS acceptable,
       count(*) FILTER (WHERE r.value IS NOT NULL) AS applied
FROM sample s, LATERAL (
    SELECT (CASE s.kind
        WHEN 'inn' THEN crm.check_inn(s.input) WHEN 'kpp' THEN crm.check_kpp(s.input)
        WHEN 'ogrn' THEN crm.check_ogrn(s.input) WHEN 'snils' THEN crm.check_snils(s.input)
        WHEN 'vat' THEN crm.check_vat(s.input) WHEN 'lei' THEN crm.check_lei(s.input) END).*) r
WHERE r.suggestion IS NOT NULL;

-- input, try and check agree; the dispatcher finds the kind
SELECT count(*) AS samples, count(coalesce(crm.text(crm.try_inn(input)), crm.text(crm.try_kpp(input)),
    crm.text(crm.try_ogrn(input)), crm.text(crm.try_snils(input)), crm.text(crm.try_vat(input)),
    crm.text(crm.try_lei(input)))) AS accepted, count(crm.tax_id(input)) AS by_dispatcher
FROM sample;
SELECT input, crm.tax_id_kind(input), crm.tax_id(input), (crm.check_tax_id(input)).code
FROM (VALUES ('7707083893'), ('ИНН 500100732259'), ('КПП 773601001'), ('1027700132195'), ('304500116000050'),
    ('112-233-445 95'), ('de143454214'), ('253400M18U5TB02TW421'), ('7707083894'), ('112-233-445 96'),
    ('DE143454215'), ('253400M18U5TB02TW422'), ('ОГРН 1027700132196'), ('77360100Z'), ('x'), ('')) v (input);

-- errors
SELECT '7707083894'::crm.inn;
SELECT '77О7О83893'::crm.inn;
SELECT crm.inn('7707083893/773601001'::text);
SELECT 'DE14345421'::crm.vat;
SELECT E'DE1434\u202E54214'::crm.vat;
SELECT repeat('7', 2000)::crm.inn;
SELECT crm.try_inn(repeat('7', 2000)) IS NULL AS refused, (crm.check_lei(repeat('7', 2000))).code,
       (crm.check_inn('7707083893' || repeat(' ', 200) || 'x')).code AS not_overlooked,
       (crm.check_inn('7707083893' || repeat(' ', 200))).code AS blanks;
SELECT crm.try_inn(NULL) IS NULL AS strict;

-- in and out, casts, the binary form
SELECT '7707083893'::crm.inn, '7736AB001'::crm.kpp, '304500116000050'::crm.ogrn, '112-233-445 95'::crm.snils,
       'IE2*54321T'::crm.vat, '253400m18u5tb02tw421'::crm.lei;
SELECT '7707083893'::text::crm.inn::text, crm.inn('7707083893'), concat('7707083893'::crm.inn, '');
SELECT castcontext, castsource::regtype::text, casttarget::regtype::text
FROM pg_cast WHERE 'crm.inn'::regtype IN (castsource, casttarget) ORDER BY 1, 2, 3;
SELECT crm.inn_send('7707083893'), crm.lei_send('253400M18U5TB02TW421');
SELECT pg_column_size('7707083893'::crm.inn) AS inn, pg_column_size('7736AB001'::crm.kpp) AS kpp,
       pg_column_size('304500116000050'::crm.ogrn) AS ogrn, pg_column_size('DE143454214'::crm.vat) AS vat,
       pg_column_size('253400M18U5TB02TW421'::crm.lei) AS lei;
SELECT to_jsonb('7707083893'::crm.inn), array['7707083893', '500100732259']::crm.inn[];

-- numbers that lost their zeros
SELECT crm.inn(201017011), crm.inn(7707083893), crm.inn(500100732259), crm.ogrn(1027700132195), crm.snils(8765430300);
SELECT crm.inn(77070838933);
SELECT crm.inn(-1);
SELECT crm.ogrn(9223372036854775807);

-- VAT numbers without prefix
SELECT input, country, (crm.check_vat(input, country)).status, crm.try_vat(input, country), (crm.check_vat(input, country)).code
FROM (VALUES ('143454214', 'DE'), ('143 454 214', 'de'), ('DE143454214', 'DE'), ('094019245', 'GR'), ('094019245', 'EL'),
    ('GB220430231', 'DE'), ('143454215', 'DE'), ('DE143454215', 'DE'), ('40303265045', 'FR'), ('VAT: 40303265045', 'FR'),
    ('220430231', 'XI'), ('143454214', 'CH'), ('143454214', 'DEU'), ('', 'DE'), ('x', '')) v (input, country);
SELECT crm.vat('143454215', 'DE');

-- INN and KPP in one field
SELECT input, inn, kpp, code
FROM (VALUES ('7707083893/773601001'), ('7707083893 / 773601001'), ('ИНН/КПП: 7707083893/773601001'),
    ('ИНН 7707083893 КПП 7736AB001'), ('7707083893,773601001'), (E'7707083893\\773601001'), (E'7707083893\n773601001'),
    (E'7707083893\u00A0773601001'), ('773601001/7707083893'), ('7707083893'), ('7707083893/-'), ('500100732259/'),
    ('500100732259/773601001'), ('7707083893773601001'), ('7707083894/773601001'), ('7707083893/77360100A'),
    ('7707083893/773601001/1'), ('ООО Ромашка 7707083893'), ('')) v (input), crm.split_inn_kpp(input);

-- parts
SELECT crm.is_person(i), crm.is_company(i), crm.is_foreign(i), crm.region_code(i), crm.tax_office(i), crm.format(i)
FROM (VALUES ('7707083893'::crm.inn), ('500100732259'), ('9909125356')) v (i);
SELECT crm.region_code(k), crm.tax_office(k), crm.reason_code(k), crm.format(k) FROM (VALUES ('7736AB001'::crm.kpp)) v (k);
SELECT crm.is_person(o), crm.is_company(o), crm.region_code(o), crm.record_year(o), crm.format(o)
FROM (VALUES ('1027700132195'::crm.ogrn), ('304500116000050')) v (o);
SELECT crm.format('11223344595'::crm.snils), crm.format('253400M18U5TB02TW421'::crm.lei), crm.issuer('253400M18U5TB02TW421'::crm.lei);
SELECT v, crm.country(v), crm.prefix(v), crm.national_number(v), crm.is_eu(v), crm.format(v)
FROM (VALUES ('DE143454214'::crm.vat), ('EL094019245'), ('XI220430231'), ('GB220430231'), ('RO19')) t (v);
