/* ------------------------------------------------------------------
 * The import of orders with their lines, set by set.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.import_orders(source regclass, system text, columns jsonb DEFAULT '{}', currency text DEFAULT NULL,
    status text DEFAULT 'completed', date_order text DEFAULT 'mdy', time_zone text DEFAULT 'UTC',
    OUT read bigint, OUT orders bigint, OUT lines bigint, OUT returns bigint, OUT products bigint, OUT contacts bigint, OUT unchanged bigint, OUT rejected bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
DECLARE
    -- The names under which each field is looked for, unless columns says.
    usual CONSTANT jsonb := '{
        "number": ["number", "invoiceno", "invoice", "order_id", "order_number", "order"],
        "customer": ["customer", "customerid", "customer_id", "client_id", "client"],
        "ordered_at": ["ordered_at", "invoicedate", "order_date", "date", "created_at"],
        "sku": ["sku", "stockcode", "article", "product_id", "item"],
        "description": ["description", "product", "product_name", "name"],
        "quantity": ["quantity", "qty", "count"],
        "price": ["price", "unitprice", "unit_price"],
        "cost": ["cost", "unit_cost"],
        "currency": ["currency"],
        "name": ["customer_name", "client_name", "contact_name", "full_name", "buyer"],
        "email": ["email", "e_mail", "e-mail", "customer_email"],
        "phone": ["phone", "customer_phone", "mobile", "telephone"],
        "country": ["country", "customer_country"],
        "city": ["city", "customer_city"]}';
    base text := coalesce(currency, (SELECT b.code FROM crm.base_currency b));
    found jsonb;
    unknown text;
    unpriced record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM pg_advisory_xact_lock(hashtext('crm.import_orders'), hashtext(system));
    SELECT string_agg(k, ', ') INTO unknown FROM jsonb_object_keys(columns) k WHERE NOT usual ? k;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown field in columns: %', unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are ' || (SELECT string_agg(k, ', ') FROM jsonb_object_keys(usual) k) || '.';
    END IF;
    SELECT coalesce(jsonb_object_agg(f.field, f.attname), '{}') INTO found
    FROM (SELECT DISTINCT ON (u.key) u.key AS field, a.attname
          FROM jsonb_each(usual) u
          CROSS JOIN LATERAL jsonb_array_elements_text(
              CASE WHEN columns ? u.key THEN jsonb_build_array(columns -> u.key) ELSE u.value END) WITH ORDINALITY AS n (name, place)
          JOIN pg_attribute a ON a.attrelid = source AND (a.attname = n.name OR NOT columns ? u.key AND lower(a.attname) = n.name) AND a.attnum > 0 AND NOT a.attisdropped
          ORDER BY u.key, n.place) f;
    SELECT string_agg(c.value, ', ') INTO unknown
    FROM (SELECT c.value FROM jsonb_each_text(columns) c WHERE found ->> c.key IS NULL
          UNION ALL SELECT needed FROM unnest('{number,customer,ordered_at,sku,quantity,price}'::text[]) needed WHERE NOT found ? needed AND NOT coalesce(columns ? needed, false)) c;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'relation % has no column for: %', source, unknown
            USING ERRCODE = 'undefined_column', HINT = 'Say where the fields are: columns => ''{"number": "...", "customer": "..."}''.';
    END IF;

    IF to_regclass('pg_temp.crm_order_import') IS NOT NULL THEN
        DROP TABLE pg_temp.crm_order_import;
    END IF;
    CREATE TEMPORARY TABLE crm_order_import (
        place bigint, number text, customer text, ordered_text text, sku text, description text, quantity_text text, price_text text, cost_text text, currency text,
        name text, email text, phone text, country text, city text,
        ordered_at timestamptz, quantity numeric, price numeric, cost numeric, contact_id bigint, product_id bigint, order_id bigint, field text, code text, reason text
    ) ON COMMIT DROP;
    -- In one pass; times are few and texts are many.
    EXECUTE (SELECT format($query$
        WITH raw AS MATERIALIZED (
            SELECT row_number() OVER () AS place, %s FROM %s AS s
        ), clock AS MATERIALIZED (
            SELECT d.ordered_at AS ordered_text,
                   CASE WHEN c.clock IS NOT NULL OR d.ordered_at !~ '\d:\d\d'
                        THEN (crm.try_date(d.ordered_at, $1) + coalesce(make_interval(hours => c.clock[1]::integer, mins => c.clock[2]::integer,
                              secs => coalesce(c.clock[3], '0')::double precision), '0'))::timestamp AT TIME ZONE $2 END AS at
            FROM (SELECT DISTINCT r.ordered_at FROM raw r) d
            LEFT JOIN LATERAL regexp_match(d.ordered_at, '[ T]([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?$') AS c (clock) ON true
        ), parsed AS (
            SELECT r.*, c.at, crm.try_number(r.quantity) AS quantity_value, crm.try_number(r.price) AS price_value, crm.try_number(r.cost) AS cost_value,
                   coalesce(r.currency, $3) AS currency_code, k.code IS NOT NULL AS is_currency
            FROM raw r LEFT JOIN clock c ON c.ordered_text = r.ordered_at LEFT JOIN crm.currency k ON k.code = coalesce(r.currency, $3)
        )
        INSERT INTO pg_temp.crm_order_import (place, number, customer, ordered_text, sku, description, quantity_text, price_text, cost_text, currency,
                                              name, email, phone, country, city, ordered_at, quantity, price, cost, field, code, reason)
        SELECT p.place, p.number, p.customer, p.ordered_at, p.sku, p.description, p.quantity, p.price, p.cost, p.currency_code,
               p.name, p.email, p.phone, p.country, p.city, p.at, p.quantity_value, p.price_value, p.cost_value, bad[1], bad[2], bad[3]
        FROM parsed p
        CROSS JOIN LATERAL (SELECT CASE
            WHEN p.number IS NULL THEN ARRAY['number', 'ORDER_NUMBER_MISSING', 'has no number']
            WHEN p.customer IS NULL THEN ARRAY['customer', 'ORDER_CUSTOMER_MISSING', 'has no customer']
            WHEN p.at IS NULL THEN ARRAY['ordered_at', 'ORDER_DATE_INVALID', format('"%%s" is not a date in the order %%s', p.ordered_at, $1)]
            WHEN p.sku IS NULL THEN ARRAY['sku', 'ORDER_SKU_MISSING', 'has no article number']
            WHEN coalesce(p.quantity_value, 0) = 0 THEN ARRAY['quantity', 'ORDER_QUANTITY_INVALID', format('"%%s" is not a quantity', p.quantity)]
            WHEN p.price_value IS NULL OR p.price_value < 0 THEN ARRAY['price', 'ORDER_PRICE_INVALID', format('"%%s" is not a price', p.price)]
            WHEN p.cost_value < 0 OR p.cost_value IS NULL AND p.cost IS NOT NULL THEN ARRAY['cost', 'ORDER_COST_INVALID', format('"%%s" is not a cost', p.cost)]
            WHEN NOT p.is_currency THEN ARRAY['currency', 'ORDER_CURRENCY_UNKNOWN', format('there is no currency "%%s"', p.currency_code)] END AS bad) b$query$,
                 string_agg(format(CASE WHEN found ->> f IS NULL THEN 'NULL::text AS %2$I' WHEN f = 'currency' THEN 'upper(nullif(btrim(s.%1$I::text), '''')) AS %2$I'
                                        ELSE 'nullif(btrim(s.%1$I::text), '''') AS %2$I' END, found ->> f, f), ', ' ORDER BY n), source)
             FROM unnest('{number,customer,ordered_at,sku,description,quantity,price,cost,currency,name,email,phone,country,city}'::text[]) WITH ORDINALITY AS u (f, n))
    USING date_order, time_zone, base;
    GET DIAGNOSTICS read = ROW_COUNT;
    ANALYZE pg_temp.crm_order_import;

    -- Products by their article number, persons by their number in that system; the missing ones are made.
    INSERT INTO crm.product (sku, name)
    SELECT i.sku, coalesce(min(i.description), i.sku) FROM pg_temp.crm_order_import i WHERE i.reason IS NULL
    GROUP BY i.sku ORDER BY i.sku ON CONFLICT (sku) DO NOTHING;
    GET DIAGNOSTICS products = ROW_COUNT;
    -- Of what is said of a customer the first counts.
    CREATE TEMPORARY TABLE crm_order_customer ON COMMIT DROP AS
    SELECT c.customer, c.number, c.name, c.email, c.phone, c.country, c.city,
           CASE WHEN NOT EXISTS (SELECT FROM crm.contact_key k WHERE k.kind = 'external' AND k.key = system || ':' || c.customer) THEN nextval('crm.contact_id_seq') END AS id,
           coalesce(crm.country_code_by_name(c.country), CASE WHEN upper(c.country) ~ '^[A-Z]{2}$' THEN upper(c.country) END) AS country_code
    FROM (SELECT i.customer, (array_agg(i.number ORDER BY i.place))[1] AS number, (array_agg(i.name ORDER BY i.place) FILTER (WHERE i.name IS NOT NULL))[1] AS name,
                 (array_agg(i.email ORDER BY i.place) FILTER (WHERE i.email IS NOT NULL))[1] AS email, (array_agg(i.phone ORDER BY i.place) FILTER (WHERE i.phone IS NOT NULL))[1] AS phone,
                 (array_agg(i.country ORDER BY i.place) FILTER (WHERE i.country IS NOT NULL))[1] AS country, (array_agg(i.city ORDER BY i.place) FILTER (WHERE i.city IS NOT NULL))[1] AS city
          FROM pg_temp.crm_order_import i WHERE i.reason IS NULL GROUP BY i.customer ORDER BY i.customer) c;
    ANALYZE pg_temp.crm_order_customer;
    WITH missing AS (
        SELECT c.id, c.customer FROM pg_temp.crm_order_customer c WHERE c.id IS NOT NULL
    ), made AS (
        INSERT INTO crm.contact (id, source, title, given_name, middle_name, family_name, suffix, gender, country, city)
        SELECT c.id, system, p.title, p.given, p.middle, p.family, p.suffix, p.gender, c.country_code, c.city
        FROM pg_temp.crm_order_customer c LEFT JOIN LATERAL crm.parse_name(c.name) p ON c.name IS NOT NULL
        WHERE c.id IS NOT NULL ORDER BY c.id RETURNING id
    )
    INSERT INTO crm.external_ref (contact_id, system, external_id) SELECT m.id, import_orders.system, m.customer FROM missing m JOIN made USING (id);
    GET DIAGNOSTICS contacts = ROW_COUNT;
    INSERT INTO crm.contact_point (contact_id, kind, raw, region, is_primary)
    SELECT c.id, 'email', c.email, NULL, true FROM pg_temp.crm_order_customer c WHERE c.id IS NOT NULL AND crm.try_email(c.email) IS NOT NULL
    UNION ALL
    SELECT c.id, 'phone', c.phone, c.country_code, true FROM pg_temp.crm_order_customer c
    WHERE c.id IS NOT NULL AND CASE WHEN c.country_code IS NULL THEN crm.try_phone(c.phone) ELSE crm.try_phone(c.phone, c.country_code) END IS NOT NULL
    ORDER BY 1, 2;
    UPDATE pg_temp.crm_order_import i SET contact_id = k.contact_id, product_id = p.id
    FROM (SELECT c.customer, k.contact_id FROM (SELECT DISTINCT j.customer FROM pg_temp.crm_order_import j WHERE j.reason IS NULL) c
          JOIN crm.contact_key k ON k.kind = 'external' AND k.key = system || ':' || c.customer) k, crm.product p
    WHERE i.reason IS NULL AND k.customer = i.customer AND p.sku = i.sku;
    ANALYZE pg_temp.crm_order_import;
    -- An order is in one currency.
    UPDATE pg_temp.crm_order_import i SET field = 'currency', code = 'ORDER_CURRENCY_MIXED', reason = format('the order has lines in %s', m.currency)
    FROM (SELECT j.contact_id, j.number, (array_agg(j.currency ORDER BY j.place))[1] AS currency FROM pg_temp.crm_order_import j WHERE j.reason IS NULL
          GROUP BY j.contact_id, j.number HAVING count(DISTINCT j.currency) > 1) m
    WHERE i.contact_id = m.contact_id AND i.number = m.number AND i.currency <> m.currency AND i.reason IS NULL;

    -- Orders that are there stay as they are.
    SELECT count(*) INTO unchanged FROM pg_temp.crm_order_import i
    WHERE i.reason IS NULL AND i.quantity > 0
      AND EXISTS (SELECT FROM crm.sales_order o WHERE o.contact_id = i.contact_id AND o.external_system = system AND o.external_id = i.number);
    WITH fresh AS MATERIALIZED (
        SELECT nextval('crm.sales_order_id_seq') AS id, n.* FROM (
            SELECT i.contact_id, i.number, min(i.ordered_at) AS ordered_at, min(i.currency) AS currency, sum(round(i.quantity * i.price, c.digits)) AS amount
            FROM pg_temp.crm_order_import i JOIN crm.currency c ON c.code = i.currency
            WHERE i.reason IS NULL AND i.quantity > 0
              AND NOT EXISTS (SELECT FROM crm.sales_order o WHERE o.contact_id = i.contact_id AND o.external_system = system AND o.external_id = i.number)
            GROUP BY i.contact_id, i.number ORDER BY min(i.ordered_at), i.number) n
    ), made AS (
        -- With the amount that the lines will have: nothing has to be changed afterwards.
        INSERT INTO crm.sales_order (contact_id, id, number, status, ordered_at, amount, currency, source, external_system, external_id)
        SELECT f.contact_id, f.id, f.number, import_orders.status, f.ordered_at, f.amount, f.currency, system, system, f.number FROM fresh f
        RETURNING id
    )
    UPDATE pg_temp.crm_order_import i SET order_id = f.id
    FROM fresh f WHERE i.contact_id = f.contact_id AND i.number = f.number AND i.reason IS NULL AND i.quantity > 0;
    ANALYZE pg_temp.crm_order_import;
    INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, description, quantity, unit_price, currency, digits, unit_cost)
    SELECT i.contact_id, i.order_id, row_number() OVER (PARTITION BY i.order_id ORDER BY i.place), i.product_id, i.description, i.quantity, i.price, i.currency, c.digits, i.cost
    FROM pg_temp.crm_order_import i JOIN crm.currency c ON c.code = i.currency
    WHERE i.order_id IS NOT NULL ORDER BY i.contact_id, i.order_id;
    GET DIAGNOSTICS lines = ROW_COUNT;
    SELECT count(DISTINCT i.order_id) INTO orders FROM pg_temp.crm_order_import i WHERE i.order_id IS NOT NULL;

    -- What came back is taken from what the person bought of the same before, the
    -- oldest first: two sequences of quantities laid side by side. Of more than
    -- was bought by then (what was bought before the data begin) only so much is
    -- taken: after credits of q1, q2 ... units, when p1, p2 ... had been bought,
    -- min(min(q1, p1) + q2, p2) ..., which is sum(q) + min(0, least p - sum(q) so far).
    WITH noted AS MATERIALIZED (
        SELECT min(i.place) AS place, i.contact_id, i.product_id, i.number, min(i.ordered_at) AS ordered_at, -sum(i.quantity) AS quantity,
               (SELECT sum(r.quantity) FROM crm.order_return r
                JOIN crm.order_line l ON l.contact_id = r.contact_id AND l.order_id = r.order_id AND l.line_number = r.line_number
                WHERE r.contact_id = i.contact_id AND r.external_system = system AND r.external_id = i.number AND l.product_id = i.product_id) AS written
        FROM pg_temp.crm_order_import i
        WHERE i.reason IS NULL AND i.quantity < 0
        GROUP BY i.contact_id, i.product_id, i.number
    ), sold AS MATERIALIZED (
        SELECT l.contact_id, l.product_id, l.order_id, l.line_number, o.ordered_at, l.quantity - l.returned_quantity AS quantity,
               sum(l.quantity - l.returned_quantity) OVER same AS upper, sum(l.quantity - l.returned_quantity) OVER same - (l.quantity - l.returned_quantity) AS lower
        FROM crm.order_line l JOIN crm.sales_order o ON o.contact_id = l.contact_id AND o.id = l.order_id
        WHERE o.external_system = system AND o.deleted_at IS NULL AND l.returned_quantity < l.quantity
          AND EXISTS (SELECT FROM noted c WHERE c.contact_id = l.contact_id AND c.product_id = l.product_id AND c.written IS NULL)
        WINDOW same AS (PARTITION BY l.contact_id, l.product_id ORDER BY o.ordered_at, l.order_id, l.line_number)
    ), course AS (
        SELECT e.*, sum(e.sold) OVER same AS bought, sum(e.credited) OVER same AS credited_so_far
        FROM (SELECT s.contact_id, s.product_id, s.ordered_at AS at, NULL::bigint AS place, s.quantity AS sold, 0::numeric AS credited FROM sold s
              UNION ALL SELECT c.contact_id, c.product_id, c.ordered_at, c.place, 0, c.quantity FROM noted c WHERE c.written IS NULL) e
        WINDOW same AS (PARTITION BY e.contact_id, e.product_id ORDER BY e.at, e.place NULLS FIRST ROWS UNBOUNDED PRECEDING)
    ), credit AS MATERIALIZED (
        SELECT t.contact_id, t.product_id, t.place, t.upper, coalesce(lag(t.upper) OVER (PARTITION BY t.contact_id, t.product_id ORDER BY t.at, t.place), 0) AS lower
        FROM (SELECT c.contact_id, c.product_id, c.at, c.place,
                     c.credited_so_far + least(0, min(c.bought - c.credited_so_far) OVER (PARTITION BY c.contact_id, c.product_id ORDER BY c.at, c.place ROWS UNBOUNDED PRECEDING)) AS upper
              FROM course c WHERE c.place IS NOT NULL) t
    ), part AS MATERIALIZED (
        SELECT n.place, n.contact_id, n.number, n.ordered_at, s.order_id, s.line_number, least(c.upper, s.upper) - greatest(c.lower, s.lower) AS quantity
        FROM credit c JOIN sold s ON s.contact_id = c.contact_id AND s.product_id = c.product_id AND s.lower < c.upper AND c.lower < s.upper AND c.lower < c.upper
        JOIN noted n ON n.place = c.place
    ), written AS (
        INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, returned_at, external_system, external_id)
        SELECT p.contact_id, p.order_id, p.line_number, p.quantity, p.ordered_at, system, p.number FROM part p
        ORDER BY p.place, p.contact_id, p.order_id, p.line_number
        RETURNING 1
    ), short AS (
        UPDATE pg_temp.crm_order_import i
        SET field = 'quantity', code = CASE WHEN coalesce(t.quantity, n.written, 0) = 0 THEN 'ORDER_RETURN_UNKNOWN' ELSE 'ORDER_RETURN_EXCESS' END,
            reason = format('%s came back, %s of them bought before', n.quantity, coalesce(t.quantity, n.written, 0))
        FROM noted n LEFT JOIN (SELECT p.place, sum(p.quantity) AS quantity FROM part p GROUP BY p.place) t ON t.place = n.place
        WHERE i.place = n.place AND n.quantity > coalesce(t.quantity, n.written, 0)
        RETURNING 1
    )
    SELECT count(*) INTO returns FROM written;

    DELETE FROM crm.order_import_reject r WHERE r.system = import_orders.system;
    INSERT INTO crm.order_import_reject (system, number, field, code, reason, source_row)
    SELECT import_orders.system, i.number, i.field, i.code, i.reason,
           jsonb_strip_nulls(jsonb_build_object('number', i.number, 'customer', i.customer, 'ordered_at', i.ordered_text, 'sku', i.sku, 'description', i.description,
               'quantity', i.quantity_text, 'price', i.price_text, 'cost', i.cost_text, 'currency', i.currency))
    FROM pg_temp.crm_order_import i WHERE i.reason IS NOT NULL ORDER BY i.place;
    GET DIAGNOSTICS rejected = ROW_COUNT;
    -- What is said of a customer and cannot be read keeps no order from being taken.
    INSERT INTO crm.order_import_reject (system, number, field, code, reason, source_row)
    SELECT import_orders.system, c.number, b.field, b.code, format('"%s": %s', b.value, b.message),
           jsonb_strip_nulls(jsonb_build_object('customer', c.customer, 'name', c.name, 'email', c.email, 'phone', c.phone, 'country', c.country, 'city', c.city))
    FROM pg_temp.crm_order_customer c
    CROSS JOIN LATERAL (
        SELECT 'country' AS field, c.country AS value, 'COUNTRY_UNKNOWN' AS code, 'The value is not a country.' AS message WHERE c.country IS NOT NULL AND c.country_code IS NULL
        UNION ALL
        SELECT 'email', c.email, e.code, e.message FROM crm.check_email(c.email) e WHERE c.email IS NOT NULL AND crm.try_email(c.email) IS NULL
        UNION ALL
        SELECT 'phone', c.phone, f.code, f.message FROM crm.check_phone(c.phone, c.country_code) f
        WHERE c.phone IS NOT NULL AND CASE WHEN c.country_code IS NULL THEN crm.try_phone(c.phone) ELSE crm.try_phone(c.phone, c.country_code) END IS NULL) b
    ORDER BY c.customer, b.field;
    SELECT count(*) AS orders, string_agg(DISTINCT o.currency, ', ') AS currencies INTO unpriced
    FROM crm.sales_order o WHERE o.exchange_rate IS NULL AND o.external_system = system;
    IF unpriced.orders > 0 THEN
        RAISE NOTICE '% orders in % have no exchange rate: their amounts are in no sum', unpriced.orders, unpriced.currencies
            USING HINT = format('Where all is in one currency: UPDATE crm.base_currency SET code = %L. Otherwise: INSERT INTO crm.fx_rate (currency, base, valid_from, rate) ...', split_part(unpriced.currencies, ', ', 1));
    END IF;
    DROP TABLE pg_temp.crm_order_import, pg_temp.crm_order_customer;
END
$$;
COMMENT ON FUNCTION crm.import_orders(regclass, text, jsonb, text, text, text, text) IS 'Takes orders from a relation with a row a line (a staging table of texts will do), set by set. columns says which column has which field (number, customer, ordered_at, sku, description, quantity, price, cost, currency; of the customer name, email, phone, country and city); without it they are found under their usual names, such as InvoiceNo or StockCode. Products are known by sku, persons by their number in the system (crm.external_ref); missing ones are made, with what the rows say of them. Orders are known by system and number: those that are there stay as they are. A negative quantity came back: it is taken from what the person bought of the same before, the oldest first (crm.order_return), and no more than that. Rows that cannot be taken stand in crm.order_import_reject with the reason, and so do values of customers that cannot be read, which keep no order from being taken and are not counted as rejected. A notice tells of orders without exchange rate. Gives the numbers of rows read, orders and lines made, returns written, products and contacts made, lines of orders that were there, and rows rejected. Errors: 42703 no column for a field; 22023 unknown field in columns or date_order.';
