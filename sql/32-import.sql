/* ------------------------------------------------------------------
 * Import: stage rows as they are, map columns, apply.
 *
 * Everything works on sets.  crm.import_apply() takes a chunk of rows at a
 * time through temporary tables: read each value with the checker of its
 * type, set aside what is bad, find who is known already, create, update,
 * write down what became of each row.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.import_targets(entity text, OUT target text, OUT kind text, OUT synonyms text, OUT description text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 30
SET standard_conforming_strings = on
SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.target, t.kind, t.synonyms, t.description FROM (VALUES
        ('contact', 'external_id', 'external', '^(id|(?!(.*_)?(tax|vat|e?mail|phone|mobile|branch|owner|agent|manager|company|account|organi[sz]ation|parent|city|country|region|group|status|type|source|campaign|product|deal|order)_id$).*_id|uuid|guid|(client|customer|contact) ?(id|no|number)|код|номер клиента|ид)$', 'number in the source system; rows with a known number update that contact'),
        ('contact', 'name', 'name', '^(name|full[ _]?name|contact([ _]name)?|client|customer|person|фио|ф\.и\.о\.?|имя и фамилия|клиент|контакт|контактное лицо|director|executive director)$', 'full name, taken apart'),
        ('contact', 'given_name', 'text', '^(given|first|fore)[ _]?name$|^имя$', 'given name'),
        ('contact', 'middle_name', 'text', '^middle[ _]?name$|^отчество$', 'middle name, patronymic'),
        ('contact', 'family_name', 'text', '^(family|last|sur) ?_?name$|^фамилия$', 'family name'),
        ('contact', 'title', 'text', '^(title|salutation|обращение)$', 'title'),
        ('contact', 'suffix', 'text', '^suffix$', 'suffix'),
        ('contact', 'gender', 'gender', '^(gender|sex|пол)$', 'm or f, also male, female, м, ж'),
        ('contact', 'birth_date', 'birth', 'birth|^dob$|рожд', 'date of birth'),
        ('contact', 'email', 'point', 'e-?mail|почта|электронной почты', 'e-mail address'),
        ('contact', 'phone', 'point', 'phone|mobile|^tel|телефон|моб', 'phone number'),
        ('contact', 'address', 'point', '^((street|postal|mailing|home) )?address|^street$|^(почтовый |домашний )?адрес(?! эл)|^улица$', 'postal address'),
        ('contact', 'company', 'company', '^(company|organi[sz]ation|account|employer|компания|организация|фирма)', 'name of the company'),
        ('contact', 'job_title', 'text', '^(job|position|role|должность)', 'position at work'),
        ('contact', 'city', 'text', '^(city|town|suburb|город)', 'city'),
        ('contact', 'country', 'country', '^(country|страна)', 'country, two letters'),
        ('contact', 'locale', 'text', '^(locale|language|язык)', 'language'),
        ('contact', 'time_zone', 'time_zone', '^(time ?_?zone|часовой)', 'IANA time zone'),
        ('contact', 'tax_id', 'tax_id', '^(inn|инн|tax)', 'tax number'),
        ('contact', 'lifecycle_stage', 'choice:lead,customer,repeat,loyal,closed_cycle', '^lifecycle', 'lifecycle stage'),
        ('contact', 'kind', 'text', '^kind$', 'audience'),
        ('contact', 'source', 'text', '^(source|источник|канал)', 'where the contact came from'),
        ('contact', 'tags', 'tags', '^(tags?|labels?|теги|метки)', 'tags, separated by comma or semicolon'),
        ('company', 'external_id', 'external', '^(id|(?!(.*_)?(tax|vat|e?mail|phone|mobile|registration|branch|owner|agent|manager|parent|city|country|region|group|status|type|source|industry|campaign|product|deal|order)_id$).*_id|uuid|guid|код)$', 'number in the source system'),
        ('company', 'name', 'text', '^(name|company( name)?|organi[sz]ation|account( name)?|site name|agency|название|наименование|компания|организация)$', 'name'),
        ('company', 'legal_name', 'text', '^(legal|full) ?_?name|полное наименование|юридическое', 'legal name'),
        ('company', 'kind', 'choice:customer,partner,supplier,dealer,competitor,other', '^kind$', 'customer, partner, supplier, dealer, competitor or other'),
        ('company', 'tax_id', 'tax_id', '^(inn|инн|vat|tax)', 'tax number'),
        ('company', 'registration_id', 'tax_id', '^(ogrn|огрн|registration)', 'registry number'),
        ('company', 'lei', 'tax_id', '^lei$', 'Legal Entity Identifier'),
        ('company', 'industry', 'text', '^(industry|sector|отрасль)', 'industry'),
        ('company', 'website', 'text', '^(web|site$|url|сайт)', 'web address'),
        ('company', 'employees', 'integer', '^(employees|staff|headcount|сотрудник)', 'number of employees'),
        ('company', 'annual_revenue', 'number', '^(annual[ _])?(revenue|turnover|выручка|оборот)', 'revenue a year'),
        ('company', 'currency', 'currency', '^(currency|валюта)', 'currency of the revenue'),
        ('company', 'founded_on', 'date', '^(founded|established|дата основания)', 'when founded'),
        ('company', 'country', 'country', '^(country|(office|hq|headquarters)[ _]?(location|country)|страна)', 'country, two letters'),
        ('company', 'city', 'text', '^(city|town|город)', 'city'),
        ('company', 'postal_code', 'text', '^(zip|post(al)?[ _]?code|plz$|(почтовый )?индекс)', 'postal code'),
        ('company', 'address', 'text', '^((street|postal|mailing|legal) )?address|^street$|^(почтовый |юридический |фактический )?адрес(?! эл)|^улица$', 'street address'),
        ('company', 'email', 'point', 'e-?mail|почта|электронной почты', 'e-mail address'),
        ('company', 'phone', 'point', 'phone|^fax$|^tel|телефон|факс', 'phone number'),
        ('company', 'source', 'text', '^(source|источник)', 'where the company came from')
    ) AS t (entity, target, kind, synonyms, description)
    WHERE t.entity = import_targets.entity
$$;
COMMENT ON FUNCTION crm.import_targets(text) IS 'What a column of an import can be mapped to: target; kind (text, date, birth, number, integer, gender, country, currency, time_zone, tax_id, choice:..., point, company, tags, external, name); the headers by which it is guessed, a regular expression; what it means. Besides these: attrs.<name> for a custom field, ignore for nothing.';

/* A new batch; its rows come by one of the functions below. */
CREATE FUNCTION crm.create_import(name text, columns text[], entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
    headers text[];
BEGIN
    PERFORM crm.require_installed();
    IF entity IS NULL OR NOT entity IN ('contact', 'company') THEN
        RAISE EXCEPTION 'unknown entity "%"', entity
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use contact or company.';
    END IF;
    IF coalesce(cardinality(columns), 0) = 0 THEN
        RAISE EXCEPTION 'import "%" has no columns', name
            USING ERRCODE = 'invalid_parameter_value', HINT = 'The first row must hold the names of the columns.';
    END IF;
    -- A header may be empty or stand twice: give it a name of its own.
    SELECT array_agg(CASE WHEN n = 1 THEN h ELSE h || ' ' || n END ORDER BY ord) INTO headers
    FROM (SELECT h, ord, row_number() OVER (PARTITION BY lower(h) ORDER BY ord) AS n
          FROM (SELECT coalesce(nullif(btrim(c), ''), 'column ' || i) AS h, i AS ord
                FROM unnest(columns) WITH ORDINALITY AS u (c, i)) named) numbered;
    INSERT INTO crm.import_batch (name, entity, source, columns)
    VALUES (create_import.name, create_import.entity, create_import.source, headers)
    RETURNING id INTO new_id;
    UPDATE crm.import_batch b SET mapping = crm.guess_mapping(b.columns, b.entity) WHERE b.id = new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.create_import(text, text[], text, text) IS 'Makes an import batch for rows with the given columns and returns its id; the column mapping is guessed from the headers. Rows are then inserted into crm.import_row, or use crm.import_csv(), crm.import_table(), crm.import_json(). Errors: 22023 unknown entity, no columns.';

CREATE FUNCTION crm.guess_mapping(columns text[], entity text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    WITH guess AS (
        SELECT u.header, u.n, t.target, t.kind,
               row_number() OVER (PARTITION BY u.n ORDER BY t.position) AS first_target
        FROM unnest(columns) WITH ORDINALITY AS u (header, n)
        JOIN (SELECT i.*, row_number() OVER () AS position FROM crm.import_targets(entity) i) t
          ON lower(btrim(u.header) COLLATE "und-x-icu") ~ t.synonyms
         -- The number of something is not its name.
         AND (t.kind IN ('external', 'tax_id', 'point') OR lower(btrim(u.header)) !~ '_id$')
    ), one AS (
        -- Only points and tags may come from several columns.
        SELECT g.header, g.n, g.target,
               g.kind IN ('point', 'tags') OR row_number() OVER (PARTITION BY g.target ORDER BY g.kind = 'external' AND lower(btrim(g.header)) <> 'id', g.n) = 1 AS taken
        FROM guess g WHERE g.first_target = 1
    )
    SELECT coalesce(jsonb_object_agg(u.header, coalesce(o.target, 'ignore')), '{}')
    FROM unnest(columns) WITH ORDINALITY AS u (header, n)
    LEFT JOIN one o ON o.n = u.n AND o.taken
$$;
COMMENT ON FUNCTION crm.guess_mapping(text[], text) IS 'The column mapping that the headers suggest, {"header": "target"}, by the expressions of crm.import_targets(); "ignore" for what is not recognised.';

CREATE FUNCTION crm.import_csv(name text, content text, entity text DEFAULT 'contact', source text DEFAULT 'import', delimiter text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
    header text[];
    broken record;
    staged bigint;
BEGIN
    CREATE TEMPORARY TABLE IF NOT EXISTS crm_csv (n bigint GENERATED ALWAYS AS IDENTITY, line bigint, fields text[]) ON COMMIT DROP;
    TRUNCATE pg_temp.crm_csv RESTART IDENTITY;
    INSERT INTO pg_temp.crm_csv (line, fields) SELECT r.line, r.fields FROM crm.csv_rows(content, delimiter) r;
    SELECT c.fields INTO header FROM pg_temp.crm_csv c ORDER BY c.n LIMIT 1;
    IF header IS NULL THEN
        RAISE EXCEPTION 'import "%" is empty', name
            USING ERRCODE = 'bad_copy_file_format', HINT = 'The first line must hold the names of the columns.';
    END IF;
    SELECT c.line, cardinality(c.fields) AS fields INTO broken
    FROM pg_temp.crm_csv c WHERE array_to_string(c.fields[cardinality(header) + 1:], '') <> '' ORDER BY c.n LIMIT 1;
    -- A few such rows are set aside when the batch is applied; of many the
    -- delimiter is to blame.
    IF FOUND AND (SELECT count(*) FILTER (WHERE array_to_string(c.fields[cardinality(header) + 1:], '') <> '') * 2 > count(*) - 1 FROM pg_temp.crm_csv c) THEN
        RAISE EXCEPTION 'line % of import "%" has % fields, the header has %', broken.line, name, broken.fields, cardinality(header)
            USING ERRCODE = 'bad_copy_file_format', HINT = 'Check the delimiter and the quotes of that line.';
    END IF;
    new_id := crm.create_import(name, header, entity, source);
    INSERT INTO crm.import_row (batch_id, row_number, line, fields)
    SELECT new_id, c.n - 1, c.line,
           CASE WHEN cardinality(c.fields) >= cardinality(header) THEN c.fields
                ELSE c.fields || array_fill(NULL::text, ARRAY[cardinality(header) - cardinality(c.fields)]) END
    FROM pg_temp.crm_csv c WHERE c.n > 1;
    GET DIAGNOSTICS staged = ROW_COUNT;
    UPDATE crm.import_batch SET rows = staged WHERE id = new_id;
    DROP TABLE pg_temp.crm_csv;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.import_csv(text, text, text, text, text) IS 'Stages the rows of a CSV text, the first line being the header; a row with too few fields gets empty ones, one with too many is rejected when the batch is applied (ROW_TOO_LONG). Without a delimiter the likeliest is taken. Returns the id of the batch for crm.import_apply(). Errors: 22P04 empty, more fields than the header in most rows, a quoted field that does not end; 54000 more than 1600 columns or a field over 1 MB.';

CREATE FUNCTION crm.import_csv(name text, content bytea, entity text DEFAULT 'contact', source text DEFAULT 'import', delimiter text DEFAULT NULL, encoding text DEFAULT 'UTF8') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    decoded text;
BEGIN
    BEGIN
        decoded := convert_from(content, encoding);
    EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
        RAISE EXCEPTION 'import "%" is not in encoding %: %', name, encoding, SQLERRM
            USING ERRCODE = 'character_not_in_repertoire',
                  HINT = 'Name the encoding of the file, for example encoding => ''WIN1251''.';
    END;
    RETURN crm.import_csv(name, decoded, entity, source, delimiter);
END
$$;
COMMENT ON FUNCTION crm.import_csv(text, bytea, text, text, text, text) IS 'The same for a file''s bytes, of an encoding that is named. Errors: 22021 the bytes are not of that encoding, and those of the other form.';

CREATE FUNCTION crm.import_json(name text, content jsonb, entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    header text[];
    new_id bigint;
    staged bigint;
BEGIN
    IF content IS NULL OR jsonb_typeof(content) <> 'array' OR EXISTS (SELECT FROM jsonb_array_elements(content) e WHERE jsonb_typeof(e) <> 'object') THEN
        RAISE EXCEPTION 'import "%" must be a JSON array of objects', name USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT array_agg(k ORDER BY first) INTO header
    FROM (SELECT k, min(n) AS first FROM jsonb_array_elements(content) WITH ORDINALITY AS a (e, n), jsonb_object_keys(e) k GROUP BY k) keys;
    new_id := crm.create_import(name, header, entity, source);
    INSERT INTO crm.import_row (batch_id, row_number, fields)
    SELECT new_id, a.n, (SELECT array_agg(a.e ->> h ORDER BY i) FROM unnest(header) WITH ORDINALITY AS u (h, i))
    FROM jsonb_array_elements(content) WITH ORDINALITY AS a (e, n);
    GET DIAGNOSTICS staged = ROW_COUNT;
    UPDATE crm.import_batch SET rows = staged WHERE id = new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.import_json(text, jsonb, text, text) IS 'Stages an array of flat JSON objects; the keys are the columns. Returns the id of the batch. Errors: 22023 not an array of objects.';

CREATE FUNCTION crm.import_table(name text, relation regclass, entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    header text[];
    new_id bigint;
    staged bigint;
BEGIN
    SELECT array_agg(attname::text ORDER BY attnum) INTO header
    FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped;
    new_id := crm.create_import(name, header, entity, source);
    EXECUTE format('INSERT INTO crm.import_row (batch_id, row_number, fields) SELECT $1, row_number() OVER (), ARRAY[%s] FROM %s',
                   (SELECT string_agg(format('nullif(%I::text, '''')', h), ', ' ORDER BY i) FROM unnest(header) WITH ORDINALITY AS u (h, i)), relation)
    USING new_id;
    GET DIAGNOSTICS staged = ROW_COUNT;
    UPDATE crm.import_batch SET rows = staged WHERE id = new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.import_table(text, regclass, text, text) IS 'Stages the rows of a table or view, for example one that COPY filled; its columns are the headers. The fastest way for millions of rows. Returns the id of the batch.';

/*
 * The SQL expression that reads column number n of a row as its target wants
 * it, and the one that gives the verdict when that failed.
 */
CREATE FUNCTION crm.import_reader(kind text, field text, options jsonb, OUT reader text, OUT checker text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET standard_conforming_strings = on
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE split_part(kind, ':', 1)
               WHEN 'birth' THEN format('CASE WHEN crm.try_date(%1$s, %2$L) BETWEEN ''1850-01-02'' AND current_date THEN crm.try_date(%1$s, %2$L) END', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'choice' THEN format('CASE WHEN lower(%1$s) = ANY (string_to_array(%2$L, '','')) THEN lower(%1$s) END', field, split_part(kind, ':', 2))
               WHEN 'currency' THEN format('CASE WHEN upper(%1$s) ~ ''^[A-Z]{3}$'' THEN upper(%1$s) END', field)
               WHEN 'time_zone' THEN format('CASE WHEN crm.is_time_zone(%1$s) THEN %1$s END', field)
               WHEN 'date' THEN format('crm.try_date(%s, %L)', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'number' THEN format('crm.try_number(%s)', field)
               WHEN 'integer' THEN format('CASE WHEN crm.try_number(%1$s) = trunc(crm.try_number(%1$s)) AND abs(crm.try_number(%1$s)) < 2147483648 THEN crm.try_number(%1$s)::integer END', field)
               WHEN 'gender' THEN format('CASE WHEN lower(%1$s) ~ ''^(m|male|man|м|муж|мужской|mr)\.?$'' THEN ''m'' WHEN lower(%1$s) ~ ''^(f|female|woman|w|ж|жен|женский|mrs|ms)\.?$'' THEN ''f'' END', field)
               WHEN 'country' THEN format('coalesce(crm.country_code_by_name(%1$s), CASE WHEN upper(%1$s) ~ ''^[A-Z]{2}$'' THEN upper(%1$s) END)', field)
               WHEN 'tax_id' THEN format('CASE WHEN crm.tax_key(%1$s) IS NOT NULL THEN %1$s END', field)
               ELSE field
           END,
           CASE split_part(kind, ':', 1)
               WHEN 'birth' THEN format('CASE WHEN (crm.check_date(%1$s, %2$L)).ok THEN crm.refused(''DATE_OUT_OF_RANGE'', ''Nobody living was born then.'', ''Check the year.'') ELSE crm.check_date(%1$s, %2$L) END', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'choice' THEN format('crm.refused(''VALUE_NOT_LISTED'', %L, ''Use one of them, or leave it empty.'')', 'The value is none of ' || replace(split_part(kind, ':', 2), ',', ', ') || '.')
               WHEN 'currency' THEN 'crm.refused(''CURRENCY_UNKNOWN'', ''The value is not a currency code.'', ''Write the three letters of ISO 4217.'')'
               WHEN 'time_zone' THEN 'crm.refused(''TIME_ZONE_UNKNOWN'', ''The value is not a time zone.'', ''Use an IANA name such as Europe/Moscow.'')'
               WHEN 'date' THEN format('crm.check_date(%s, %L)', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'number' THEN format('crm.check_number(%s)', field)
               WHEN 'integer' THEN format('crm.refused(''NUMBER_NOT_INTEGER'', ''The value is not a whole number.'', ''Write digits only.'')')
               WHEN 'gender' THEN 'crm.refused(''GENDER_UNKNOWN'', ''The value is neither male nor female.'', ''Write m or f, or leave it empty.'')'
               WHEN 'country' THEN 'crm.refused(''COUNTRY_UNKNOWN'', ''The value is not a country.'', ''Write the two letters of ISO 3166-1.'')'
               WHEN 'tax_id' THEN format('crm.check_tax_id(%s)', field)
           END
$$;
COMMENT ON FUNCTION crm.import_reader(text, text, jsonb) IS 'For a kind of import target: the SQL expression that reads a field, null when it cannot, and the one that tells why.';

CREATE FUNCTION crm.refused(code text, message text, hint text) RETURNS crm.check_result
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT ROW(false, 'bad', NULL, code, message, hint, NULL)::crm.check_result
$$;
COMMENT ON FUNCTION crm.refused(text, text, text) IS 'A verdict that refuses.';

CREATE FUNCTION crm.country_code_by_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.code FROM (VALUES
        ('RU', '{russia,russian federation,россия,рф,российская федерация}'::text[]), ('US', '{united states,united states of america,usa,u.s.a.,сша}'),
        ('GB', '{united kingdom,great britain,uk,england,великобритания,англия}'), ('DE', '{germany,deutschland,германия}'), ('FR', '{france,франция}'),
        ('IT', '{italy,italia,италия}'), ('ES', '{spain,españa,испания}'), ('PT', '{portugal,португалия}'), ('NL', '{netherlands,the netherlands,holland,нидерланды}'),
        ('BE', '{belgium,бельгия}'), ('AT', '{austria,österreich,австрия}'), ('CH', '{switzerland,schweiz,швейцария}'), ('PL', '{poland,polska,polland,польша}'),
        ('CZ', '{czechia,czech republic,чехия}'), ('SK', '{slovakia,словакия}'), ('HU', '{hungary,венгрия}'), ('RO', '{romania,румыния}'), ('BG', '{bulgaria,болгария}'),
        ('GR', '{greece,греция}'), ('TR', '{turkey,türkiye,турция}'), ('UA', '{ukraine,украина}'), ('BY', '{belarus,беларусь,белоруссия}'), ('KZ', '{kazakhstan,казахстан}'),
        ('UZ', '{uzbekistan,узбекистан}'), ('KG', '{kyrgyzstan,киргизия,кыргызстан}'), ('AM', '{armenia,армения}'), ('GE', '{georgia,грузия}'), ('AZ', '{azerbaijan,азербайджан}'),
        ('MD', '{moldova,молдова,молдавия}'), ('LT', '{lithuania,литва}'), ('LV', '{latvia,латвия}'), ('EE', '{estonia,эстония}'), ('FI', '{finland,финляндия}'),
        ('SE', '{sweden,швеция}'), ('NO', '{norway,norge,норвегия}'), ('DK', '{denmark,дания}'), ('IE', '{ireland,eire,ирландия}'), ('CN', '{china,китай}'), ('JP', '{japan,япония}'),
        ('KR', '{korea,south korea,republic of korea,корея}'), ('IN', '{india,индия}'), ('BR', '{brazil,brasil,бразилия}'), ('MX', '{mexico,méxico,мексика}'),
        ('CA', '{canada,канада}'), ('AU', '{australia,австралия}'), ('NZ', '{new zealand,новая зеландия}'), ('KE', '{kenya,кения}'), ('PH', '{philipines,philippines,филиппины}'),
        ('JO', '{jordan,иордания}'), ('IL', '{israel,израиль}'), ('AE', '{united arab emirates,uae,оаэ}'), ('SA', '{saudi arabia,саудовская аравия}'), ('EG', '{egypt,египет}'),
        ('ZA', '{south africa,rsa,юар}'), ('PA', '{panama,панама}'), ('AR', '{argentina,аргентина}'), ('CL', '{chile,чили}'), ('CO', '{colombia,колумбия}'), ('VN', '{vietnam,вьетнам}'),
        ('TH', '{thailand,таиланд}'), ('ID', '{indonesia,индонезия}'), ('SG', '{singapore,сингапур}'), ('MY', '{malaysia,малайзия}'), ('RS', '{serbia,сербия}'),
        ('CY', '{cyprus,кипр}'), ('MT', '{malta,мальта}'), ('IS', '{iceland,исландия}'), ('LU', '{luxembourg,люксембург}'), ('HR', '{croatia,хорватия}'), ('SI', '{slovenia,словения}'),
        ('MC', '{monaco,монако}'), ('LI', '{liechtenstein,лихтенштейн}'), ('AD', '{andorra,андорра}'), ('AL', '{albania,албания}'), ('MK', '{north macedonia,macedonia,северная македония,македония}'),
        ('BA', '{bosnia and herzegovina,bosnia,босния и герцеговина}'), ('ME', '{montenegro,черногория}'), ('BH', '{bahrain,бахрейн}'), ('LB', '{lebanon,ливан}'), ('QA', '{qatar,катар}'),
        ('KW', '{kuwait,кувейт}'), ('OM', '{oman,оман}'), ('IR', '{iran,иран}'), ('IQ', '{iraq,ирак}'), ('SY', '{syria,сирия}'), ('PK', '{pakistan,пакистан}'), ('BD', '{bangladesh,бангладеш}'),
        ('LK', '{sri lanka,шри-ланка}'), ('NP', '{nepal,непал}'), ('MN', '{mongolia,монголия}'), ('TJ', '{tajikistan,таджикистан}'), ('TM', '{turkmenistan,туркменистан,туркмения}'),
        ('HK', '{hong kong,гонконг}'), ('TW', '{taiwan,тайвань}'), ('KH', '{cambodia,камбоджа}'), ('MM', '{myanmar,burma,мьянма}'), ('LA', '{laos,лаос}'), ('MA', '{morocco,марокко}'), ('DZ', '{algeria,алжир}'),
        ('TN', '{tunisia,тунис}'), ('NG', '{nigeria,нигерия}'), ('GH', '{ghana,гана}'), ('ET', '{ethiopia,эфиопия}'), ('TZ', '{tanzania,танзания}'), ('UG', '{uganda,уганда}'), ('ZW', '{zimbabwe,зимбабве}'),
        ('CU', '{cuba,куба}'), ('PE', '{peru,перу}'), ('VE', '{venezuela,венесуэла}'), ('EC', '{ecuador,эквадор}'), ('BO', '{bolivia,боливия}'), ('UY', '{uruguay,уругвай}'), ('PY', '{paraguay,парагвай}'),
        ('CR', '{costa rica,коста-рика}'), ('GT', '{guatemala,гватемала}'), ('DO', '{dominican republic,доминиканская республика}'), ('JM', '{jamaica,ямайка}')
    ) AS c (code, names)
    WHERE lower(btrim(name)) = ANY (c.names)
$$;
COMMENT ON FUNCTION crm.country_code_by_name(text) IS 'The two letters of ISO 3166-1 for a common English or Russian name of a country; null when not known.';

/* Inlined into the queries of an import: everything is named in full. */
CREATE FUNCTION crm.contact_identity_key(given text, family text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5 AS $$
    SELECT coalesce(crm.name_key(coalesce(family OPERATOR(pg_catalog.||) ' ', '') OPERATOR(pg_catalog.||) coalesce(given, '')), '')
$$;
COMMENT ON FUNCTION crm.contact_identity_key(text, text) IS 'The key of family and given name under which an import knows a person again, together with an address, number or birth date.';

CREATE FUNCTION crm.same_name(known text, given text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5
SET search_path = pg_catalog, pg_temp AS $$
    -- In another script or romanisation it says nothing new; in other capitals
    -- it may be a correction.
    SELECT coalesce(crm.name_key(known) = crm.name_key(given) AND (lower(known) <> lower(given) OR known = given), false)
$$;
COMMENT ON FUNCTION crm.same_name(text, text) IS 'Whether a name says nothing that is not known: its key is the same, and it is not the same word in other capitals. An import leaves such a name as it is.';

CREATE FUNCTION crm.lock_companies(many boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF many THEN
        PERFORM pg_advisory_xact_lock(hashtext('crm.company')::bigint);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtext('crm.company')::bigint);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.lock_companies(boolean) IS 'Taken until the end of the transaction by whoever looks for companies by name to make those that are missing: alone by a load (many), together by those that make one and lock its name besides.';

/* What one chunk did. */
CREATE TYPE crm.import_counts AS (
    created bigint,
    updated bigint,
    unchanged bigint,
    rejected bigint,
    values_set_aside bigint
);
COMMENT ON TYPE crm.import_counts IS 'What an import did, in rows: created, updated, unchanged, rejected; and single values set aside of rows that were taken.';
COMMENT ON COLUMN crm.import_counts.created IS 'Rows that made a new contact or company.';
COMMENT ON COLUMN crm.import_counts.updated IS 'Rows that changed one.';
COMMENT ON COLUMN crm.import_counts.unchanged IS 'Rows that said nothing new.';
COMMENT ON COLUMN crm.import_counts.rejected IS 'Rows set aside whole, with reasons in crm.import_reject.';
COMMENT ON COLUMN crm.import_counts.values_set_aside IS 'Single values set aside of rows that were taken.';

/* The mapping of a batch as rows, checked. */
CREATE FUNCTION crm.import_plan(batch_id bigint, OUT header text, OUT n integer, OUT target text, OUT kind text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch crm.import_batch;
    bad record;
BEGIN
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = import_plan.batch_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no import batch %', batch_id USING ERRCODE = 'no_data_found';
    END IF;
    SELECT m.key, m.value INTO bad
    FROM jsonb_each_text(batch.mapping) m
    WHERE NOT m.key = ANY (batch.columns) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'import % has no column "%"', batch_id, bad.key
            USING ERRCODE = 'undefined_column', HINT = format('It has: %s.', array_to_string(batch.columns, ', '));
    END IF;
    SELECT m.key, m.value INTO bad
    FROM jsonb_each_text(batch.mapping) m
    LEFT JOIN crm.import_targets(batch.entity) t ON t.target = m.value
    LEFT JOIN crm.custom_field f ON f.entity = batch.entity AND 'attrs.' || f.name = m.value
    WHERE t.target IS NULL AND f.name IS NULL AND m.value <> 'ignore' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" of import % is mapped to unknown target "%"', bad.key, batch_id, bad.value
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = CASE WHEN bad.value LIKE 'attrs.%'
                      THEN format('Define the field first: SELECT crm.define_field(%L, %L, ''text'').', batch.entity, substr(bad.value, 7))
                      ELSE format('crm.import_targets(%L) lists the targets.', batch.entity) END;
    END IF;
    SELECT m.value INTO bad FROM jsonb_each_text(batch.mapping) m JOIN crm.import_targets(batch.entity) t ON t.target = m.value
    WHERE t.kind NOT IN ('point', 'tags') GROUP BY m.value HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'two columns of import % are mapped to "%"', batch_id, bad.value
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Only email, phone, address and tags may come from several columns; map the other to ignore.';
    END IF;
    RETURN QUERY
    SELECT u.h, u.i::integer, coalesce(t.target, m.value),
           coalesce(t.kind, 'attr:' || CASE WHEN f.type IN ('number', 'integer', 'date') THEN f.type ELSE 'text' END)
    FROM unnest(batch.columns) WITH ORDINALITY AS u (h, i)
    JOIN LATERAL (SELECT batch.mapping ->> u.h AS value) m ON m.value <> 'ignore'
    LEFT JOIN crm.import_targets(batch.entity) t ON t.target = m.value
    LEFT JOIN crm.custom_field f ON f.entity = batch.entity AND 'attrs.' || f.name = m.value
    ORDER BY u.i;
END
$$;
COMMENT ON FUNCTION crm.import_plan(bigint) IS 'Which column of a batch goes where: header, number, target, kind. Errors: P0002 no such batch; 42703 the mapping names a column that is not there; 22023 an unknown target, or two columns for a target that takes one.';

CREATE FUNCTION crm.import_chunk(batch_id bigint, first_row bigint, last_row bigint, OUT counts crm.import_counts)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET default_statistics_target = 10
SET client_min_messages = warning AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    options jsonb;
    e text;                     -- the entity: contact or company
    id_column text;             -- contact_id or company_id
    ref_table text;             -- where external numbers lie
    region_sql text;            -- region of a row's phone numbers
    part record;
    col record;
    column_list text := '';     -- "given_name, ..." that the mapping fills
    chunk_sql text := '';       -- their expressions
    problem_sql text := '';     -- SELECTs of what could not be read
    point_sql text := '';       -- VALUES of addresses and numbers
    tag_sql text := '';
    attr_sql text := '';
    name_field text;            -- expression of a full name
    name_header text;
    external_field text;
    company_field text;
    set_sql text;               -- of an update
    before_sql text;
    changed_sql text;
    reject_all boolean;
    on_match text;
    name_columns CONSTANT text[] := ARRAY['given_name', 'middle_name', 'family_name', 'name'];
    max_rank integer;
    last_audit_id bigint;
    last_point_id bigint;
    noted bigint := 0;
    k integer;
BEGIN
    SELECT * INTO STRICT batch FROM crm.import_batch b WHERE b.id = import_chunk.batch_id;
    options := batch.options;
    e := batch.entity;
    id_column := e || '_id';
    ref_table := CASE e WHEN 'contact' THEN 'external_ref' ELSE 'company_external_ref' END;
    reject_all := coalesce(options ->> 'bad_values', 'reject_row') = 'reject_row';
    on_match := coalesce(options ->> 'on_match', 'update');

    /* 1. Expressions from the mapping. */
    FOR part IN SELECT p.*, format('nullif(btrim(r.fields[%s]), '''')', p.n) AS field FROM crm.import_plan(batch_id) p LOOP
        IF part.kind = 'point' THEN
            point_sql := point_sql || format(', (%L, %L, %s, r.fields[%s])', part.target, part.header, part.n, part.n);
        ELSIF part.kind = 'tags' THEN
            tag_sql := tag_sql || ', ' || part.field;
        ELSIF part.kind = 'name' THEN
            name_field := part.field;
            name_header := part.header;
        ELSIF part.kind = 'external' THEN
            external_field := part.field;
        ELSIF part.kind = 'company' THEN
            company_field := part.field;
        ELSE
            SELECT * INTO col FROM crm.import_reader(replace(part.kind, 'attr:', ''), part.field, options);
            IF part.kind LIKE 'attr:%' THEN
                attr_sql := attr_sql || format(', %L, %s', substr(part.target, 7), col.reader);
            ELSE
                column_list := column_list || ', ' || quote_ident(part.target);
                chunk_sql := chunk_sql || format(', %s AS %I', col.reader, part.target);
            END IF;
            IF col.checker IS NOT NULL THEN
                problem_sql := problem_sql || format(
                    ' UNION ALL SELECT r.row_number, %L, %s, v.code, v.message, v.hint, v.suggestion FROM pg_temp.crm_chunk_row r CROSS JOIN LATERAL %s v WHERE %s IS NOT NULL AND %s IS NULL',
                    part.header, part.field, regexp_replace(col.checker, '^CASE.*$', '(SELECT (x).* FROM (SELECT \& AS x) y)'), part.field, col.reader);
            END IF;
        END IF;
    END LOOP;
    IF name_field IS NOT NULL THEN
        FOR col IN SELECT * FROM (VALUES ('title', 'title'), ('given_name', 'given'), ('middle_name', 'middle'),
                                         ('family_name', 'family'), ('suffix', 'suffix'), ('gender', 'gender')) v (name, part) LOOP
            CONTINUE WHEN column_list ~ format('\m%s\M', col.name);
            column_list := column_list || ', ' || col.name;
            chunk_sql := chunk_sql || format(', parsed.%I AS %I', col.part, col.name);
        END LOOP;
    END IF;
    IF attr_sql <> '' THEN
        column_list := column_list || ', attrs';
        chunk_sql := chunk_sql || format(', jsonb_strip_nulls(jsonb_build_object(%s)) AS attrs', substr(attr_sql, 3));
    END IF;
    IF column_list !~ '\msource\M' THEN
        column_list := column_list || ', source';
        chunk_sql := chunk_sql || format(', %L::text AS source', batch.source);
    END IF;
    -- Columns that later steps read whether the file has them or not.
    FOR col IN SELECT * FROM unnest(CASE e WHEN 'contact' THEN ARRAY['given_name', 'middle_name', 'family_name', 'country', 'birth_date']
                                        ELSE ARRAY['name', 'country', 'address', 'tax_id'] END) AS v (name) LOOP
        IF column_list !~ format('\m%s\M', col.name) THEN
            chunk_sql := chunk_sql || format(', NULL::%s AS %I', CASE col.name WHEN 'birth_date' THEN 'date' ELSE 'text' END, col.name);
        END IF;
    END LOOP;
    column_list := substr(column_list, 3);
    region_sql := format('coalesce(CASE WHEN crm.is_phone_region(c.country) THEN c.country END, %L, nullif(current_setting(''crm.default_region'', true), ''''))', options ->> 'region');

    /* 2. Read the rows. */
    DROP TABLE IF EXISTS pg_temp.crm_chunk_row, pg_temp.crm_chunk, pg_temp.crm_point, pg_temp.crm_problem, pg_temp.crm_match, pg_temp.crm_change;
    CREATE TEMPORARY TABLE crm_chunk_row ON COMMIT DROP AS
        SELECT r.row_number, r.fields FROM crm.import_row r
        WHERE r.batch_id = import_chunk.batch_id AND r.row_number BETWEEN first_row AND last_row;
    -- None has a result yet, but for what crm.import_fix() tries again.  Asked
    -- of the chunk alone: the statistics of these tables lag behind.
    DELETE FROM pg_temp.crm_chunk_row c
    USING (SELECT d.row_number FROM crm.import_result d
           WHERE d.batch_id = import_chunk.batch_id AND d.row_number BETWEEN first_row AND last_row) done
    WHERE done.row_number = c.row_number;
    ANALYZE pg_temp.crm_chunk_row;
    EXECUTE format('CREATE TEMPORARY TABLE crm_chunk ON COMMIT DROP AS SELECT r.row_number, %s::text AS external_id, %s::text AS company%s FROM pg_temp.crm_chunk_row r%s',
        coalesce(external_field, 'NULL'), coalesce(company_field, 'NULL'), chunk_sql,
        CASE WHEN name_field IS NOT NULL THEN format(' LEFT JOIN LATERAL crm.parse_name(%s) parsed ON true', name_field) ELSE '' END);
    EXECUTE format($sql$
        CREATE TEMPORARY TABLE crm_point ON COMMIT DROP AS
        SELECT v.row_number, v.kind, v.header, v.n, v.raw, v.region, v.email, v.phone,
               CASE v.kind WHEN 'email' THEN crm.match_key(v.email) WHEN 'phone' THEN crm.e164(crm.base(v.phone)) ELSE lower(v.raw) END COLLATE "C" AS key
        FROM (
            SELECT c.row_number, u.kind, u.header, u.n, btrim(u.raw) AS raw, CASE u.kind WHEN 'phone' THEN %1$s END AS region,
                   CASE u.kind WHEN 'email' THEN crm.try_email(u.raw) END AS email,
                   CASE WHEN u.kind <> 'phone' THEN NULL WHEN %1$s IS NULL THEN crm.try_phone(u.raw) ELSE crm.try_phone(u.raw, %1$s) END AS phone
            FROM pg_temp.crm_chunk_row r JOIN pg_temp.crm_chunk c USING (row_number)
            CROSS JOIN LATERAL (VALUES %2$s) u (kind, header, n, raw)
            WHERE btrim(u.raw) <> ''
        ) v $sql$, region_sql, coalesce(nullif(substr(point_sql, 3), ''), '(NULL::text, NULL::text, NULL::integer, NULL::text)'));

    /* 3. What could not be read, with the checker's reason. */
    EXECUTE 'CREATE TEMPORARY TABLE crm_problem ON COMMIT DROP AS
        SELECT p.row_number, p.header AS column_name, p.raw AS value, v.code, v.message, v.hint, v.suggestion
        FROM pg_temp.crm_point p CROSS JOIN LATERAL crm.check_email(p.raw) v WHERE p.kind = ''email'' AND p.email IS NULL
        UNION ALL
        SELECT p.row_number, p.header, p.raw, v.code, v.message, v.hint, v.suggestion
        FROM pg_temp.crm_point p CROSS JOIN LATERAL crm.check_phone(p.raw, p.region) v WHERE p.kind = ''phone'' AND p.phone IS NULL' || problem_sql;
    -- More fields than columns: nobody knows which is which.
    INSERT INTO pg_temp.crm_problem
    SELECT r.row_number, NULL, array_to_string(r.fields, ' | ', ''), 'ROW_TOO_LONG',
           format('The row has %s fields, the header has %s.', cardinality(r.fields), cardinality(batch.columns)),
           'Look for a delimiter inside a value that is not quoted.', NULL
    FROM pg_temp.crm_chunk_row r
    WHERE cardinality(r.fields) > cardinality(batch.columns)
      AND array_to_string(r.fields[cardinality(batch.columns) + 1:], '') <> '';
    -- A row that says nothing, or a company without a name, is no row.
    IF e = 'contact' THEN
        INSERT INTO pg_temp.crm_problem
        SELECT c.row_number, NULL, NULL, 'ROW_EMPTY', 'The row has no name, address, number or company to know the contact by.',
               'Fill one of them, or map the column that holds it.', NULL
        FROM pg_temp.crm_chunk c JOIN pg_temp.crm_chunk_row r ON r.row_number = c.row_number
        WHERE coalesce(c.given_name, c.family_name, c.middle_name, c.company) IS NULL
          -- A number of another system is enough when something else is said of it.
          AND NOT (c.external_id IS NOT NULL AND (cardinality(r.fields) = 1 OR (SELECT count(*) FROM unnest(r.fields) f WHERE btrim(f) <> '') > 1))
          AND NOT EXISTS (SELECT FROM pg_temp.crm_point p WHERE p.row_number = c.row_number)
          AND NOT EXISTS (SELECT FROM pg_temp.crm_problem p WHERE p.row_number = c.row_number);
    ELSE
        INSERT INTO pg_temp.crm_problem
        SELECT c.row_number, NULL, NULL, 'COMPANY_NAME_MISSING', 'The row has no name of a company.',
               'Fill it, or map the column that holds it to name.', NULL
        FROM pg_temp.crm_chunk c WHERE c.name IS NULL;
    END IF;

    /* 4. Who is it?  A number in the source system; else the name with an
       address, a phone number or a birth date; else the very same row. */
    ANALYZE pg_temp.crm_chunk, pg_temp.crm_point, pg_temp.crm_problem;
    EXECUTE format($sql$
        CREATE TEMPORARY TABLE crm_match ON COMMIT DROP AS
        WITH rejected AS (
            SELECT DISTINCT row_number FROM pg_temp.crm_problem WHERE %1$L OR code IN ('ROW_EMPTY', 'ROW_TOO_LONG', 'COMPANY_NAME_MISSING')
        ), first_point AS (
            -- The key of the first column that has one: by its number in front, without sorting.
            SELECT row_number, substr(min(chr(256 + n) || key COLLATE "C") FILTER (WHERE kind = 'email'), 2) COLLATE "C" AS email_key,
                   substr(min(chr(256 + n) || key COLLATE "C") FILTER (WHERE kind = 'phone'), 2) COLLATE "C" AS phone_key
            FROM pg_temp.crm_point WHERE key IS NOT NULL AND kind <> 'address'
            GROUP BY row_number
        ), known AS (
            SELECT c.row_number, %2$s AS name_key, c.external_id, p.email_key, p.phone_key, %3$s AS other_kind, %4$s AS other_key
            FROM pg_temp.crm_chunk c LEFT JOIN first_point p USING (row_number)
            WHERE c.row_number NOT IN (SELECT row_number FROM rejected)
        ), wanted AS (
            SELECT k.row_number, k.name_key,
                   CASE WHEN external_id IS NOT NULL THEN 'external' WHEN email_key IS NOT NULL THEN 'email'
                        WHEN phone_key IS NOT NULL THEN 'phone' WHEN other_key IS NOT NULL THEN other_kind ELSE 'row' END AS kind,
                   CASE WHEN external_id IS NOT NULL THEN %5$L || external_id WHEN email_key IS NOT NULL THEN email_key
                        WHEN phone_key IS NOT NULL THEN phone_key WHEN other_key IS NOT NULL THEN other_key
                        ELSE md5(r.fields::text) END AS key
            FROM known k JOIN pg_temp.crm_chunk_row r USING (row_number)
        ), found AS (
            SELECT w.row_number, w.kind, w.key, w.name_key,
                   CASE WHEN w.kind = 'row' THEN (SELECT i.entity_id FROM crm.import_result i JOIN crm.import_batch b ON b.id = i.batch_id
                                                  JOIN crm.%6$I t ON t.id = i.entity_id AND t.deleted_at IS NULL
                                                  WHERE i.fingerprint = w.key::uuid AND b.entity = %6$L AND NOT i.undone ORDER BY i.entity_id LIMIT 1)
                        ELSE (SELECT k.%7$I FROM crm.%8$I k JOIN crm.%6$I t ON t.id = k.%7$I
                              WHERE k.kind = w.kind AND k.key = w.key AND (w.kind IN ('external', 'tax_id', 'name_birth') OR %9$s = w.name_key)
                              ORDER BY 1 LIMIT 1) END AS known_id
            FROM wanted w
        ), ranked AS (
            SELECT f.*, row_number() OVER same AS rank, first_value(f.row_number) OVER same AS leader
            FROM found f
            WINDOW same AS (PARTITION BY known_id, CASE WHEN known_id IS NULL THEN kind END, CASE WHEN known_id IS NULL THEN key END,
                                         CASE WHEN known_id IS NULL AND kind IN ('email', 'phone') THEN name_key END ORDER BY row_number)
        )
        SELECT row_number, leader, rank, known_id IS NULL AND rank = 1 AS is_new,
               CASE WHEN known_id IS NULL AND rank = 1 THEN nextval(%10$L) ELSE known_id END AS id,
               CASE WHEN kind = 'row' THEN key::uuid END AS fingerprint
        FROM ranked $sql$,
        reject_all,
        CASE e WHEN 'contact' THEN 'crm.contact_identity_key(c.given_name, c.family_name)' ELSE 'coalesce(crm.name_key(c.name), '''')' END,
        CASE e WHEN 'contact' THEN '''name_birth''' ELSE 'CASE WHEN crm.tax_key(c.tax_id) IS NOT NULL THEN ''tax_id'' ELSE ''name'' END' END,
        CASE e WHEN 'contact'
             THEN 'CASE WHEN c.birth_date IS NOT NULL THEN nullif(crm.name_key(concat_ws('' '', c.family_name, c.given_name, c.middle_name)), '''') || ''|'' || to_char(c.birth_date, ''YYYYMMDD'') END'
             ELSE 'coalesce(crm.tax_key(c.tax_id), CASE WHEN c.address IS NULL THEN nullif(crm.name_key(c.name), '''') END)' END,
        batch.source || ':', e, id_column, e || '_key',
        CASE e WHEN 'contact' THEN 'crm.contact_identity_key(t.given_name, t.family_name)' ELSE 'coalesce(crm.name_key(t.name), '''')' END,
        format('crm.%I', e || '_id_seq'));
    UPDATE pg_temp.crm_match m SET id = l.id FROM pg_temp.crm_match l WHERE m.id IS NULL AND l.row_number = m.leader;
    ANALYZE pg_temp.crm_match;

    /* 5. Companies of contacts, by name; new ones are made. */
    IF company_field IS NOT NULL THEN
        PERFORM crm.lock_companies(true);
        INSERT INTO crm.company (name, source)
        SELECT DISTINCT ON (crm.name_key(c.company)) c.company, batch.source
        FROM pg_temp.crm_chunk c JOIN pg_temp.crm_match m USING (row_number)
        WHERE crm.name_key(c.company) <> ''
          AND NOT EXISTS (SELECT FROM crm.company_key k WHERE k.kind = 'name' AND k.key = crm.name_key(c.company))
        ORDER BY crm.name_key(c.company), c.row_number;
    END IF;

    /* 6. New ones. */
    EXECUTE format('INSERT INTO crm.%I (id, %s) SELECT m.id, %s FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number) WHERE m.is_new ORDER BY m.id',
        e, column_list,
        (SELECT string_agg(CASE WHEN btrim(c) = 'attrs' THEN 'coalesce(c.attrs, ''{}'')' WHEN btrim(c) = 'lifecycle_stage' THEN 'coalesce(c.lifecycle_stage, ''lead'')'
                                WHEN btrim(c) = 'kind' THEN format('coalesce(c.kind, %L)', CASE e WHEN 'contact' THEN 'person' ELSE 'customer' END)
                                ELSE 'c.' || btrim(c) END, ', ' ORDER BY i) FROM unnest(string_to_array(column_list, ',')) WITH ORDINALITY AS u (c, i)));

    /* 7. Known ones, in the order of the rows: a later row has the last word. */
    CREATE TEMPORARY TABLE crm_change (row_number bigint, id bigint, before jsonb, points bigint[], tags text[], companies bigint[], external_ids text[]) ON COMMIT DROP;
    SELECT string_agg(format(CASE WHEN btrim(c) = 'attrs' THEN '%1$I = t.attrs || coalesce(c.attrs, ''{}'')'
                                  WHEN on_match = 'fill' THEN '%1$I = coalesce(t.%1$I, c.%1$I)'
                                  WHEN btrim(c) = ANY (name_columns) THEN '%1$I = CASE WHEN c.%1$I IS NULL OR crm.same_name(t.%1$I, c.%1$I) THEN t.%1$I ELSE c.%1$I END' ELSE '%1$I = coalesce(c.%1$I, t.%1$I)' END, btrim(c)), ', '),
           string_agg(format(CASE WHEN btrim(c) = 'attrs' THEN 'NOT t.attrs @> coalesce(c.attrs, ''{}'')'
                                  WHEN on_match = 'fill' THEN '(t.%1$I IS NULL AND c.%1$I IS NOT NULL)'
                                  WHEN btrim(c) = ANY (name_columns) THEN '(c.%1$I IS NOT NULL AND NOT crm.same_name(t.%1$I, c.%1$I))' ELSE '(c.%1$I IS NOT NULL AND c.%1$I IS DISTINCT FROM t.%1$I)' END, btrim(c)), ' OR '),
           string_agg(format(CASE WHEN btrim(c) = 'attrs' THEN 'CASE WHEN NOT o.attrs @> coalesce(c.attrs, ''{}'') THEN jsonb_build_object(''attrs'', o.attrs) ELSE ''{}'' END'
                                  ELSE 'CASE WHEN t.%1$I IS DISTINCT FROM o.%1$I THEN jsonb_build_object(%1$L, o.%1$I) ELSE ''{}'' END' END, btrim(c)), ' || ')
    INTO set_sql, changed_sql, before_sql
    FROM unnest(string_to_array(column_list, ',')) c
    WHERE btrim(c) <> 'source' OR column_list ~ '^source$';
    SELECT coalesce(max(rank), 0) INTO max_rank FROM pg_temp.crm_match WHERE NOT is_new;
    IF on_match <> 'skip' AND set_sql IS NOT NULL THEN
        FOR k IN 1 .. max_rank LOOP
            EXECUTE format($sql$
                WITH changed AS (
                    UPDATE crm.%1$I t SET %2$s
                    FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number) JOIN crm.%1$I o ON o.id = m.id
                    WHERE t.id = m.id AND NOT m.is_new AND m.rank = %3$s AND (%4$s)
                    RETURNING m.row_number, t.id, %5$s AS before
                )
                INSERT INTO pg_temp.crm_change (row_number, id, before) SELECT row_number, id, before FROM changed $sql$,
                e, set_sql, k, changed_sql, before_sql);
        END LOOP;
    END IF;

    /* 8. Addresses and numbers: those of new ones, each once ... */
    EXECUTE format($sql$
        INSERT INTO crm.%1$I (%2$I, kind, label, raw, region, is_primary)
        SELECT f.id, f.kind, f.header, f.raw, f.region, f.nth = 1
        FROM (SELECT m.id, p.kind, p.header, p.raw, p.region, p.n, row_number() OVER (PARTITION BY m.id, p.kind ORDER BY p.n) AS nth,
                     row_number() OVER (PARTITION BY m.id, p.kind, p.key ORDER BY p.n) AS again
              FROM pg_temp.crm_point p JOIN pg_temp.crm_match m USING (row_number)
              WHERE m.is_new AND p.key IS NOT NULL) f
        WHERE f.again = 1
        ORDER BY f.id, f.kind, f.n $sql$,
        e || '_point', id_column);
    -- ... and those of known ones that they did not have.
    IF max_rank > 0 AND on_match <> 'skip' THEN
        EXECUTE format($sql$
            WITH fresh AS (
                SELECT DISTINCT ON (m.id, p.kind, p.key) m.id, m.row_number, p.kind, p.header, p.raw, p.region, p.n
                FROM pg_temp.crm_point p JOIN pg_temp.crm_match m USING (row_number)
                WHERE p.key IS NOT NULL AND NOT m.is_new
                  AND NOT EXISTS (SELECT FROM crm.%1$I x WHERE x.%2$I = m.id AND x.kind = p.kind AND coalesce(x.match_key, lower(x.raw)) = p.key)
                ORDER BY m.id, p.kind, p.key, m.row_number, p.n
            ), ranked AS (
                SELECT f.*, row_number() OVER (PARTITION BY f.id, f.kind ORDER BY f.row_number, f.n) = 1
                       AND NOT EXISTS (SELECT FROM crm.%1$I x WHERE x.%2$I = f.id AND x.kind = f.kind AND x.is_primary) AS is_primary
                FROM fresh f
            ), written AS (
                INSERT INTO crm.%1$I (%2$I, kind, label, raw, region, is_primary)
                SELECT id, kind, header, raw, region, is_primary FROM ranked ORDER BY id, kind, n
                RETURNING id AS point_id, %2$I AS entity_id, kind, raw
            )
            INSERT INTO pg_temp.crm_change (row_number, id, points)
            SELECT r.row_number, r.id, array_agg(w.point_id)
            FROM written w JOIN ranked r ON r.id = w.entity_id AND r.kind = w.kind AND r.raw = w.raw
            GROUP BY r.row_number, r.id $sql$,
            e || '_point', id_column);
    END IF;

    IF external_field IS NOT NULL THEN
        EXECUTE format('INSERT INTO crm.%I (%I, system, external_id)
            SELECT m.id, %L, c.external_id FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number)
            WHERE m.is_new AND c.external_id IS NOT NULL ORDER BY m.id', ref_table, id_column, batch.source);
        IF max_rank > 0 THEN
            EXECUTE format('INSERT INTO crm.%I (%I, system, external_id)
                SELECT DISTINCT m.id, %L, c.external_id FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number)
                WHERE NOT m.is_new AND c.external_id IS NOT NULL ON CONFLICT DO NOTHING', ref_table, id_column, batch.source);
        END IF;
    END IF;
    IF tag_sql <> '' AND e = 'contact' THEN
        EXECUTE format('WITH written AS (
                INSERT INTO crm.tag (contact_id, tag)
                SELECT DISTINCT m.id, btrim(v.tag) FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk_row r USING (row_number)
                CROSS JOIN LATERAL unnest(ARRAY[%s]) field CROSS JOIN LATERAL regexp_split_to_table(field, ''[,;]'') v (tag)
                WHERE btrim(v.tag) <> '''' ON CONFLICT DO NOTHING RETURNING contact_id, tag)
            INSERT INTO pg_temp.crm_change (row_number, id, tags)
            SELECT min(m.row_number), m.id, array_agg(DISTINCT w.tag) FROM written w JOIN pg_temp.crm_match m ON m.id = w.contact_id
            WHERE NOT m.is_new GROUP BY m.id', substr(tag_sql, 3));
    END IF;
    IF company_field IS NOT NULL THEN
        WITH link AS (
            SELECT DISTINCT ON (m.id, x.company_id) m.id, m.row_number, m.is_new, x.company_id
            FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number)
            CROSS JOIN LATERAL (SELECT min(k.company_id) AS company_id FROM crm.company_key k
                                WHERE k.kind = 'name' AND k.key = crm.name_key(c.company)) x
            WHERE c.company IS NOT NULL AND x.company_id IS NOT NULL
              AND (m.is_new OR NOT EXISTS (SELECT FROM crm.company_contact l WHERE l.contact_id = m.id AND l.company_id = x.company_id AND upper_inf(l.valid)))
            ORDER BY m.id, x.company_id, m.row_number
        ), written AS (
            INSERT INTO crm.company_contact (contact_id, company_id, is_primary)
            SELECT l.id, l.company_id, row_number() OVER (PARTITION BY l.id ORDER BY l.row_number) = 1
                   AND NOT EXISTS (SELECT FROM crm.company_contact x WHERE x.contact_id = l.id AND x.is_primary AND upper_inf(x.valid))
            FROM link l
            RETURNING contact_id, company_id
        )
        INSERT INTO pg_temp.crm_change (row_number, id, companies)
        SELECT l.row_number, l.id, array_agg(w.company_id)
        FROM written w JOIN link l ON l.id = w.contact_id AND l.company_id = w.company_id
        WHERE NOT l.is_new GROUP BY l.row_number, l.id;
    END IF;

    /* 9. What became of each row. */
    INSERT INTO crm.import_reject (batch_id, row_number, column_name, value, code, reason, hint, suggestion, row_rejected)
    SELECT import_chunk.batch_id, p.row_number, p.column_name, p.value, p.code, p.message, p.hint, p.suggestion,
           m.row_number IS NULL
    FROM pg_temp.crm_problem p LEFT JOIN pg_temp.crm_match m USING (row_number)
    ORDER BY p.row_number;
    -- What of a name is in none of its parts: no reason to set the row aside.
    IF name_field IS NOT NULL AND e = 'contact' THEN
        EXECUTE format($sql$
            INSERT INTO crm.import_reject (batch_id, row_number, column_name, value, code, reason, hint, row_rejected)
            SELECT $1, v.row_number, %L, v.name, CASE WHEN v.is_lost THEN 'NAME_UNREADABLE' ELSE 'NAME_DIGITS' END,
                   CASE WHEN v.is_lost THEN 'It is no name of a person.' ELSE 'A name has no digits: they were left out.' END,
                   'Put what is no part of the name into a column of its own.', false
            FROM (SELECT r.row_number, %s AS name, coalesce(c.given_name, c.middle_name, c.family_name) IS NULL AS is_lost
                  FROM pg_temp.crm_chunk_row r JOIN pg_temp.crm_chunk c USING (row_number) JOIN pg_temp.crm_match m USING (row_number)) v
            WHERE v.name IS NOT NULL
              AND (v.is_lost OR v.name ~ '[0-9]' AND (
                  SELECT length(regexp_replace(v.name, '[^0-9]', '', 'g')) > length(regexp_replace(concat(p.title, p.given, p.middle, p.family, p.suffix, p.nickname), '[^0-9]', '', 'g'))
                  FROM crm.parse_name(v.name) p))
            ORDER BY v.row_number $sql$, name_header, name_field) USING import_chunk.batch_id;
        GET DIAGNOSTICS noted = ROW_COUNT;
    END IF;
    -- What comes later has greater numbers: so crm.undo_import() knows it.
    SELECT last_value INTO last_audit_id FROM crm.audit_log_id_seq;
    EXECUTE format('SELECT last_value FROM crm.%I', e || '_point_id_seq') INTO last_point_id;
    WITH change AS (
        SELECT row_number, jsonb_object_agg(b.key, b.value) FILTER (WHERE b.key IS NOT NULL) AS before,
               jsonb_strip_nulls(jsonb_build_object('points', max(to_jsonb(points)::text)::jsonb, 'tags', max(to_jsonb(tags)::text)::jsonb,
                                                    'companies', max(to_jsonb(companies)::text)::jsonb)) AS added
        FROM pg_temp.crm_change LEFT JOIN LATERAL jsonb_each(before) b ON true
        GROUP BY row_number
    ), written AS (
        INSERT INTO crm.import_result (batch_id, row_number, outcome, entity_id, fingerprint, before, added, last_audit_id, last_point_id)
        SELECT import_chunk.batch_id, c.row_number,
               CASE WHEN m.row_number IS NULL THEN 'rejected' WHEN m.is_new THEN 'created'
                    WHEN h.row_number IS NOT NULL THEN 'updated' ELSE 'unchanged' END,
               m.id, m.fingerprint, h.before, nullif(h.added, '{}'), last_audit_id, last_point_id
        FROM pg_temp.crm_chunk c LEFT JOIN pg_temp.crm_match m USING (row_number) LEFT JOIN change h USING (row_number)
        RETURNING outcome
    )
    SELECT count(*) FILTER (WHERE outcome = 'created'), count(*) FILTER (WHERE outcome = 'updated'),
           count(*) FILTER (WHERE outcome = 'unchanged'), count(*) FILTER (WHERE outcome = 'rejected'), 0
    INTO counts FROM written;
    SELECT count(*) + noted INTO counts.values_set_aside
    FROM pg_temp.crm_problem p JOIN pg_temp.crm_match m USING (row_number);
    DROP TABLE pg_temp.crm_chunk_row, pg_temp.crm_chunk, pg_temp.crm_point, pg_temp.crm_problem, pg_temp.crm_match, pg_temp.crm_change;
END
$$;
COMMENT ON FUNCTION crm.import_chunk(bigint, bigint, bigint) IS 'Applies the rows of a batch from first_row to last_row that have no result yet. Called by crm.import_apply().';

CREATE FUNCTION crm.import_apply(batch_id bigint, mapping jsonb DEFAULT NULL, options jsonb DEFAULT '{}', dry_run boolean DEFAULT false, notice_every integer DEFAULT 50000)
RETURNS crm.import_counts
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    total crm.import_counts := (0, 0, 0, 0, 0);
    chunk crm.import_counts;
    rejects jsonb;
    bad record;
    first_row bigint;
    last_row bigint;
    first_audit_id bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = import_apply.batch_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no import batch %', batch_id
            USING ERRCODE = 'no_data_found', HINT = 'crm.import_batch lists them.';
    END IF;
    IF batch.status <> 'staged' THEN
        RAISE EXCEPTION 'import batch % is % already', batch_id, batch.status
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Stage the file again: rows that are known are recognised.';
    END IF;
    -- Two batches at once would both make what neither sees yet.
    PERFORM pg_advisory_xact_lock(hashtext('crm.import'), hashtext(batch.entity));
    SELECT o.key, o.value INTO bad FROM jsonb_each_text(options) o
    WHERE NOT coalesce(CASE o.key
        WHEN 'bad_values' THEN o.value IN ('reject_row', 'set_aside')
        WHEN 'on_match' THEN o.value IN ('update', 'fill', 'skip')
        WHEN 'date_order' THEN o.value IN ('dmy', 'mdy')
        WHEN 'region' THEN o.value ~ '^[A-Z]{2}$'
    END, false) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'invalid import option "%": "%"', bad.key, bad.value
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Options: bad_values reject_row|set_aside, on_match update|fill|skip, date_order dmy|mdy, region two letters.';
    END IF;
    UPDATE crm.import_batch b
    SET mapping = b.mapping || coalesce(import_apply.mapping, '{}'), options = import_apply.options,
        rows = (SELECT count(*) FROM crm.import_row r WHERE r.batch_id = b.id)
    WHERE b.id = import_apply.batch_id RETURNING * INTO batch;
    IF NOT EXISTS (SELECT FROM crm.import_plan(batch_id)) THEN
        RAISE EXCEPTION 'no column of import % is mapped to anything', batch_id
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Its columns are: %s.', array_to_string(batch.columns, ', ')),
                  HINT = format('Pass mapping => ''{"column": "target"}''; crm.import_targets(%L) lists the targets.', batch.entity);
    END IF;
    DELETE FROM crm.import_reject r WHERE r.batch_id = import_apply.batch_id;
    SELECT last_value INTO first_audit_id FROM crm.audit_log_id_seq;
    SELECT min(r.row_number), max(r.row_number) INTO first_row, last_row FROM crm.import_row r WHERE r.batch_id = import_apply.batch_id;
    BEGIN
        WHILE first_row <= last_row LOOP
            chunk := crm.import_chunk(batch_id, first_row, least(first_row + notice_every - 1, last_row));
            total.created := total.created + chunk.created;
            total.updated := total.updated + chunk.updated;
            total.unchanged := total.unchanged + chunk.unchanged;
            total.rejected := total.rejected + chunk.rejected;
            total.values_set_aside := total.values_set_aside + chunk.values_set_aside;
            first_row := first_row + notice_every;
            IF batch.rows > notice_every THEN
                RAISE NOTICE 'import %: % of % rows', batch_id, least(first_row - 1, batch.rows), batch.rows;
            END IF;
        END LOOP;
        IF dry_run THEN
            SELECT jsonb_agg(to_jsonb(r)) INTO rejects FROM crm.import_reject r WHERE r.batch_id = import_apply.batch_id;
            RAISE EXCEPTION 'dry run' USING ERRCODE = 'RM099';
        END IF;
        UPDATE crm.import_batch b
        SET status = 'applied', applied_at = now(), applied_transaction = pg_current_xact_id(),
            applied_audit = int8range(first_audit_id, (SELECT last_value FROM crm.audit_log_id_seq), '(]'), created = total.created, updated = total.updated, unchanged = total.unchanged,
            rejected = total.rejected, values_set_aside = total.values_set_aside
        WHERE b.id = import_apply.batch_id;
    EXCEPTION WHEN SQLSTATE 'RM099' THEN
        INSERT INTO crm.import_reject SELECT r.* FROM jsonb_populate_recordset(NULL::crm.import_reject, rejects) r;
    END;
    RETURN total;
END
$$;
COMMENT ON FUNCTION crm.import_apply(bigint, jsonb, jsonb, boolean, integer) IS 'Applies a staged batch and says how many rows were created, updated, unchanged or rejected. mapping overrides the guessed one, header by header. Options: bad_values reject_row (default: a row with a bad value is set aside) or set_aside (the row is taken without the value); on_match update (default), fill (only what is empty) or skip; date_order dmy (default) or mdy; region of phone numbers without country code. A row is known again by its number in the source system, or by its name with an e-mail address, phone number or birth date, or as the very same row: applying a file twice changes nothing. With dry_run nothing is written but crm.import_reject. A notice every notice_every rows. Errors: P0002 no such batch; 55000 applied already; 22023 bad option or mapping; 42703 unknown column.';

CREATE FUNCTION crm.import_fix(batch_id bigint, row_number bigint, corrections jsonb) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    outcome text;
    bad text;
    last_reject bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = import_fix.batch_id FOR UPDATE;
    SELECT r.outcome INTO outcome FROM crm.import_result r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    IF outcome IS DISTINCT FROM 'rejected' THEN
        RAISE EXCEPTION 'row % of import % was not rejected', row_number, batch_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT k INTO bad FROM jsonb_object_keys(corrections) k WHERE NOT k = ANY (batch.columns) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'import % has no column "%"', batch_id, bad
            USING ERRCODE = 'undefined_column', HINT = format('It has: %s.', array_to_string(batch.columns, ', '));
    END IF;
    UPDATE crm.import_row r
    SET fields = (SELECT array_agg(CASE WHEN corrections ? u.h THEN nullif(corrections ->> u.h, '') ELSE r.fields[u.i] END ORDER BY u.i)
                  FROM unnest(batch.columns) WITH ORDINALITY AS u (h, i))
    WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    DELETE FROM crm.import_result r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    SELECT max(r.id) INTO last_reject FROM crm.import_reject r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    PERFORM crm.import_chunk(batch_id, row_number, row_number);
    SELECT r.outcome INTO outcome FROM crm.import_result r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    IF outcome = 'rejected' THEN
        DELETE FROM crm.import_reject r
        WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number AND r.id <= last_reject;
    ELSE
        UPDATE crm.import_reject r SET resolved_at = now()
        WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number AND r.resolved_at IS NULL;
        UPDATE crm.import_batch b
        SET rejected = b.rejected - 1, created = b.created + (outcome = 'created')::integer,
            updated = b.updated + (outcome = 'updated')::integer, unchanged = b.unchanged + (outcome = 'unchanged')::integer
        WHERE b.id = import_fix.batch_id;
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION crm.import_fix(bigint, bigint, jsonb) IS 'Corrects a rejected row, {"header": "value"}, and applies it again; returns what became of it. Errors: 55000 the row was not rejected; 42703 unknown column.';

/*
 * Taking a batch back.  What was changed by others since is theirs: it stays
 * and is named.
 */
CREATE FUNCTION crm.undo_import(batch_id bigint, OUT row_number bigint, OUT entity_id bigint, OUT reason text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET client_min_messages = warning AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    e text;
    id_column text;
    referrer record;
    first_audit_id bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = undo_import.batch_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no import batch %', batch_id
            USING ERRCODE = 'no_data_found', HINT = 'crm.import_batch lists them.';
    ELSIF batch.status <> 'applied' THEN
        RAISE EXCEPTION 'import batch % is not applied but %', batch_id, batch.status
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE WHEN batch.status = 'undone' THEN 'Everything of it has been taken back.' ELSE 'Nothing of it is there yet.' END;
    END IF;
    e := batch.entity;
    id_column := e || '_id';
    DROP TABLE IF EXISTS pg_temp.crm_undo;
    CREATE TEMPORARY TABLE crm_undo ON COMMIT DROP AS
        SELECT r.row_number, r.outcome, r.entity_id, r.before, r.added, r.last_audit_id, r.last_point_id, NULL::text AS reason
        FROM crm.import_result r WHERE r.batch_id = undo_import.batch_id AND r.outcome IN ('created', 'updated') AND NOT r.undone;
    ANALYZE pg_temp.crm_undo;

    SELECT last_value INTO first_audit_id FROM crm.audit_log_id_seq;
    -- Changed since: a later entry of the audit log, but not what imports wrote
    -- that have been taken back; for contacts also one of
    -- their tags, companies and the like; or a later point.
    UPDATE pg_temp.crm_undo u SET reason = 'changed since by ' || a.actor
    FROM (SELECT DISTINCT ON (x.entity_id) x.entity_id, l.actor
          FROM pg_temp.crm_undo x JOIN crm.audit_log l ON l.row_id = x.entity_id AND l.relation = e
          WHERE l.operation = 'update' AND l.id > x.last_audit_id AND NOT EXISTS (SELECT FROM crm.import_batch b WHERE (b.status = 'undone' OR b.id = undo_import.batch_id)
                AND ((b.applied_transaction = l.transaction_id AND l.id <@ b.applied_audit) OR (b.undone_transaction = l.transaction_id AND l.id <@ b.undone_audit)))
          ORDER BY x.entity_id, l.id DESC) a
    WHERE a.entity_id = u.entity_id;
    IF e = 'contact' THEN
        UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, format('%s changed since by %s', a.relation, a.actor))
        FROM (SELECT DISTINCT ON (x.entity_id) x.entity_id, l.relation, l.actor
              FROM pg_temp.crm_undo x JOIN crm.audit_log l ON l.contact_id = x.entity_id
              WHERE l.relation <> 'contact' AND l.operation <> 'insert' AND l.id > x.last_audit_id
                AND NOT EXISTS (SELECT FROM crm.import_batch b WHERE (b.status = 'undone' OR b.id = undo_import.batch_id)
                    AND ((b.applied_transaction = l.transaction_id AND l.id <@ b.applied_audit) OR (b.undone_transaction = l.transaction_id AND l.id <@ b.undone_audit)))
              ORDER BY x.entity_id, l.id DESC) a
        WHERE a.entity_id = u.entity_id AND u.outcome = 'created';
    END IF;
    EXECUTE format('UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, ''an address or number was added since by '' || p.created_by)
                    FROM crm.%I p WHERE p.%I = u.entity_id AND u.outcome = ''created'' AND p.id > u.last_point_id', e || '_point', id_column);
    -- Known again by a later batch.
    UPDATE pg_temp.crm_undo u SET reason = format('changed by the later import %s: undo that first', r.batch_id)
    FROM crm.import_result r JOIN crm.import_batch b ON b.id = r.batch_id
    WHERE r.entity_id = u.entity_id AND r.outcome = 'updated' AND NOT r.undone AND r.batch_id > undo_import.batch_id AND b.status = 'applied' AND b.entity = e;
    -- Rows of other tables that refer to what was created, whoever's tables they are.
    FOR referrer IN
        SELECT c.conrelid::regclass AS relation, a.attname, c.conrelid::regclass::text AS shown
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid = format('crm.%I', e)::regclass AND cardinality(c.conkey) = 1
          AND c.confdeltype <> 'c' AND c.conparentid = 0
    LOOP
        EXECUTE format('UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, %L)
                        WHERE u.outcome = ''created'' AND EXISTS (SELECT FROM %s x WHERE x.%I = u.entity_id)',
                       'referred to by ' || referrer.shown, referrer.relation, referrer.attname);
    END LOOP;
    IF e = 'company' THEN
        UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, 'referred to by crm.company_contact')
        WHERE u.outcome = 'created' AND EXISTS (SELECT FROM crm.company_contact x WHERE x.company_id = u.entity_id);
    END IF;

    EXECUTE format('DELETE FROM crm.%I t USING pg_temp.crm_undo u WHERE u.outcome = ''created'' AND u.reason IS NULL AND t.id = u.entity_id', e);
    -- Columns go back only where they still hold what the import wrote.
    EXECUTE format('UPDATE crm.%1$I t SET %2$s FROM pg_temp.crm_undo u CROSS JOIN LATERAL jsonb_populate_record(NULL::crm.%1$I, u.before) o
                    WHERE u.outcome = ''updated'' AND u.reason IS NULL AND u.before IS NOT NULL AND t.id = u.entity_id', e,
        (SELECT string_agg(format('%1$I = CASE WHEN u.before ? %1$L THEN o.%1$I ELSE t.%1$I END', a.attname), ', ')
         FROM pg_attribute a WHERE a.attrelid = format('crm.%I', e)::regclass AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attname NOT IN ('id', 'created_at', 'updated_at', 'created_by', 'name_key') AND a.attgenerated = ''));
    EXECUTE format('DELETE FROM crm.%I p USING pg_temp.crm_undo u CROSS JOIN LATERAL jsonb_array_elements_text(u.added -> ''points'') a (id)
                    WHERE u.outcome = ''updated'' AND u.reason IS NULL AND p.%I = u.entity_id AND p.id = a.id::bigint', e || '_point', id_column);
    IF e = 'contact' THEN
        DELETE FROM crm.tag p USING pg_temp.crm_undo u
        WHERE u.outcome = 'updated' AND u.reason IS NULL AND p.contact_id = u.entity_id AND u.added -> 'tags' ? p.tag;
        DELETE FROM crm.company_contact p USING pg_temp.crm_undo u
        WHERE u.outcome = 'updated' AND u.reason IS NULL AND p.contact_id = u.entity_id AND u.added -> 'companies' @> to_jsonb(p.company_id);
    END IF;
    UPDATE crm.import_result r SET undone = true FROM pg_temp.crm_undo u
    WHERE r.batch_id = undo_import.batch_id AND r.row_number = u.row_number AND u.reason IS NULL;
    -- What is left can be tried again when its reason is gone.
    UPDATE crm.import_batch b
    SET status = CASE WHEN EXISTS (SELECT FROM pg_temp.crm_undo u WHERE u.reason IS NOT NULL) THEN 'applied' ELSE 'undone' END,
        undone_at = now(), undone_transaction = pg_current_xact_id(),
        undone_audit = int8range(first_audit_id, (SELECT last_value FROM crm.audit_log_id_seq), '(]')
    WHERE b.id = undo_import.batch_id;
    RETURN QUERY SELECT u.row_number, u.entity_id, u.reason FROM pg_temp.crm_undo u WHERE u.reason IS NOT NULL ORDER BY u.row_number;
    DROP TABLE pg_temp.crm_undo;
END
$$;
COMMENT ON FUNCTION crm.undo_import(bigint) IS 'Takes an applied batch back: what it created is deleted, what it changed gets its values of before, what it added is removed. Contacts and companies that were changed or referred to since are left as they are and returned, with the reason; called again, it tries them again. Companies that were made from a contact''s company column stay. Errors: P0002 no such batch; 55000 the batch is not applied, or wholly undone.';

CREATE FUNCTION crm.purge_imports(older_than interval DEFAULT '90 days', as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    purged bigint;
BEGIN
    -- Rejected rows stay: nobody has looked at them perhaps.
    DELETE FROM crm.import_row r USING crm.import_batch b
    WHERE b.id = r.batch_id AND b.applied_at < as_of - older_than
      AND NOT EXISTS (SELECT FROM crm.import_reject j WHERE j.batch_id = r.batch_id AND j.row_number = r.row_number AND j.resolved_at IS NULL);
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
COMMENT ON FUNCTION crm.purge_imports(interval, timestamptz) IS 'Removes the staged rows of batches applied longer ago than older_than before as_of, except those with rejects that are open; results stay, so that undo works. Returns the number of rows removed.';

CREATE FUNCTION crm.discard_import(batch_id bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch record;
BEGIN
    PERFORM crm.require_installed();
    SELECT b.status, b.rows INTO batch FROM crm.import_batch b WHERE b.id = discard_import.batch_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no import %', batch_id USING ERRCODE = 'no_data_found';
    ELSIF batch.status <> 'staged' THEN
        RAISE EXCEPTION 'import % is %', batch_id, batch.status USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = CASE batch.status WHEN 'applied' THEN 'crm.undo_import() takes back what it did.' END;
    END IF;
    DELETE FROM crm.import_batch b WHERE b.id = discard_import.batch_id;
    RETURN batch.rows;
END
$$;
COMMENT ON FUNCTION crm.discard_import(bigint) IS 'Removes a staged batch that shall not be applied, with its rows; gives how many there were. Errors: P0002 no such batch; 55000 it is applied already.';

CREATE FUNCTION crm.discard_rejects(batch_id bigint, row_number bigint DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    discarded bigint;
BEGIN
    PERFORM crm.require_installed();
    IF NOT EXISTS (SELECT FROM crm.import_batch b WHERE b.id = discard_rejects.batch_id) THEN
        RAISE EXCEPTION 'there is no import %', batch_id USING ERRCODE = 'no_data_found';
    END IF;
    UPDATE crm.import_reject r SET resolved_at = as_of
    WHERE r.batch_id = discard_rejects.batch_id AND r.resolved_at IS NULL
      AND (discard_rejects.row_number IS NULL OR r.row_number = discard_rejects.row_number);
    GET DIAGNOSTICS discarded = ROW_COUNT;
    RETURN discarded;
END
$$;
COMMENT ON FUNCTION crm.discard_rejects(bigint, bigint, timestamptz) IS 'Marks what an import did not take, of all rows or of one, as looked at: crm.status() speaks of it no more, crm.purge_imports() may remove the rows. Gives how many entries were open. Errors: P0002 no such batch.';
