-- Phone numbers: what is read, what is refused and why, orders, indexes.
SET search_path = crm, public;
SET crm.default_region = '';

-- Reading (R-017). The caller '8 (912) 345-67-89' is stored as +79123456789 (R-004).
SELECT phone('8 (912) 345-67-89', 'RU');
SELECT '+7 916 123-45-67'::phone, '+79161234567;ext=105'::phone, 'tel:+7-916-123-45-67;ext=5'::phone;
SELECT '9161234567'::phone;
SET crm.default_region = 'RU';
SELECT '9161234567'::phone;
SET crm.default_region = '';
SELECT phone('030 123456', 'XX');
SELECT try_phone('030 123456', 'ru');
SELECT phone('8 (916) 123-45-6', 'RU');
SELECT phone('8 (347) 123-45-6', 'RU'), phone('(834) 712-34-56', 'RU');
SELECT phone('(834) 712-34-56', 'RU'), phone('8347123456', 'RU');

CREATE TEMP TABLE vector (raw text, region text);
INSERT INTO vector VALUES
    ('8(916)1234567 доб.12', 'RU'), ('8 916 123 45 67 #12', 'RU'), ('89161234567;доб. 105', 'RU'),
    ('8 (495) 123-45-67 (вн. 7)', 'RU'), ('+7.916.123.45.67 x 3', NULL), ('(650) 253-0000 - 503#', 'US'),
    ('+442079460000,,1234#', NULL), ('+79161234567;ext=12345678901', NULL), ('+79161234567;ext=0012345678', NULL),
    ('т. 8-495-123-45-67', 'RU'), ('Тел.: +7 (495) 123-45-67', NULL), ('<+7 495 123-45-67>', NULL),
    ('8-10-7-916-123-45-67', 'RU'), ('8 10 380 44 123 45 67', 'RU'), ('810 49 30 123456', 'RU'),
    ('011 49 30 123456', 'US'), ('+0049 30 123456', 'DE'), ('+49 (0)30 123456', NULL), ('0049 30 123456', 'DE'),
    ('+4402079460000', NULL), ('+39 06 1234 5678', NULL), ('06 1234 5678', 'IT'),
    ('８９１６１２３４５６７', 'RU'), ('٠٥٠ ١٢٣ ٤٥٦٧', 'AE'), (U&'\202A+7 916 123-45-67\202C', NULL), (U&'8\00A0916\2011123\201345\221267', 'RU'),
    ('268 464 1234', 'AG'), ('464-1234', 'AG'), ('011 15 2345-6789', 'AR'), ('0 11 15 2345 6789', 'AR'),
    ('+7 727 250 1234', NULL), ('8 707 123 45 67', 'RU'), ('+800 1234 5678', NULL),
    -- refused
    ('8 (916) 123-45-6', 'RU'), ('+7 (916) 123-45-6', NULL), ('+7 916 123 45 67 8', NULL), ('7 916 123 45 6', 'RU'),
    ('1 650 253 000', 'US'), ('123-45-67', 'RU'), ('2530000', 'US'), ('112', 'RU'), ('8 916 123 45 67 89 10', 'RU'),
    ('9161234567', NULL), ('79161234567', NULL), ('0049 30 123456', NULL), ('00 49 30 123456', 'RU'),
    ('+8 916 123-45-67', 'RU'), ('+8 916 123-45-67', NULL), ('+999 1234567', NULL),
    ('8 916 l23 45 67', 'RU'), ('8 9I6 123 45 67', 'RU'), ('8 9l6 l23 45 O7', 'RU'), ('1-800-FLOWERS', 'US'), ('call me at 216x94 pls', 'RU'),
    ('8 916 123 45 67 Иван', 'RU'), ('+79161234567 (WhatsApp)', NULL), ('моб. 8 916 123 45 67', 'RU'),
    ('+7 (916) 123-45-67, +7 495 111 22 33', 'RU'), ('8 916 123 45 67 / 8 495 111 22 33', 'RU'), ('89161234567 84951112233', 'RU'),
    ('8 916 123 45 67, 1234567', 'RU'), (E'8 916 123\n45 67', 'RU'), (E'+7 916\r\n1234567', NULL), (E'8 916 123\n45 67 8', 'RU'), (E'8 916 123 45 67\n8 495 111 22 33', 'RU'), ('+7 916 123*45*67', NULL), ('+7 916_123_45_67', NULL), ('7 916 + 1234567', 'RU'),
    ('N/A', 'RU'), ('-', 'RU'), ('нет', 'RU'), ('0', 'RU'), ('', 'RU'), ('   ', NULL), ('+', NULL), ('+7', NULL),
    (repeat('1', 1025), NULL),
    -- accepted, but worth a look
    ('+7 (999) 999-99-99', NULL), ('+7 000 000 00 00', NULL), ('+1 234 567 8901', NULL), ('098765 43210', 'IN'),
    ('+79161234', NULL), ('+791612345678901', NULL), ('+99912345', NULL), ('+89161234567', NULL), ('+12345', NULL),
    -- canonical only in the looks
    ('+1234', NULL), ('+7916123456789012', NULL), ('+09161234567', NULL), ('+79161234567;ext=', NULL);
-- (A dot stands for what has no width: releases of psql disagree on it.)
SELECT translate(left(raw, 40), U&'\202A\202C', '··') AS raw, region, c.status, c.value, c.code, c.suggestion
FROM vector, check_phone(raw, region) c;
SELECT left(raw, 40) AS raw, c.message, c.hint FROM vector, check_phone(raw, region) c WHERE c.status IN ('bad', 'odd');

-- check, try and the constructor agree.
SELECT count(*) AS disagreements
FROM vector, check_phone(raw, region) c
WHERE c.ok IS DISTINCT FROM (try_phone(raw, coalesce(region, 'ZZ1')) IS NOT NULL) AND region IS NOT NULL;
SELECT count(*) AS disagreements
FROM vector, check_phone(raw, region) c
WHERE region IS NOT NULL AND c.value IS DISTINCT FROM try_phone(raw, region)::text;
SELECT try_phone('+7 916 123-45-67'), try_phone('9161234567') IS NULL AS null_without_region, try_phone(NULL) IS NULL AS null_in, (check_phone(NULL)) IS NULL AS null_check;

-- Text that the type writes comes back, whatever the numbering plans say.
SELECT '+4402079460000'::phone AS verbatim, phone('+4402079460000', 'GB') AS read, '+99912345'::phone AS no_such_country;
SELECT count(*) AS changed
FROM generate_series(1, 20000) i,
     LATERAL (SELECT ('+' || 1 + (i * 7919) % 9 || lpad((i::bigint * 982451653 % 100000000000000)::text, 4 + i % 11, '0')
                      || CASE i % 3 WHEN 0 THEN ';ext=' || left(lpad((i * 37)::text, 10, '0'), 1 + i % 10) ELSE '' END) AS t) s
WHERE t::phone::text <> t;
