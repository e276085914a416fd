/* ------------------------------------------------------------------
 * Products: prices by day, list and currency; what they are worth to whom;
 * proposals.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.touch_product() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.touch_product() IS 'Trigger BEFORE UPDATE FOR EACH ROW on crm.product and others: keeps updated_at.';

CREATE FUNCTION crm.product_id(sku text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id bigint;
BEGIN
    IF sku IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT p.id INTO found_id FROM crm.product p WHERE p.sku = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no product "%"', sku
            USING ERRCODE = 'RM004', HINT = 'Give the sku of a row of crm.product, or add one.';
    END IF;
    RETURN found_id;
END
$$;
COMMENT ON FUNCTION crm.product_id(text) IS 'The number of the product of that sku; null for null. Errors: RM004 there is none.';

CREATE FUNCTION crm.convert_amount(amount numeric, from_currency text, to_currency text, as_of timestamptz DEFAULT now(), digits integer DEFAULT NULL) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp AS $$
    SELECT round(CASE WHEN from_currency = to_currency THEN amount
                      ELSE amount * crm.exchange_rate(from_currency, as_of) / crm.exchange_rate(to_currency, as_of) END,
                 coalesce($5, (SELECT c.digits FROM crm.currency c WHERE c.code = to_currency)))
$$;
COMMENT ON FUNCTION crm.convert_amount(numeric, text, text, timestamptz, integer) IS 'An amount in another currency, through the base currency at the rates of the day (crm.exchange_rate()), rounded half away from zero to so many digits, by default those of that currency; null when a rate is not known.';

CREATE FUNCTION crm.product_price(product_id bigint, as_of timestamptz DEFAULT now(), currency text DEFAULT NULL, list text DEFAULT 'standard') RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE COST 200
SET search_path = pg_catalog, pg_temp AS $$
    WITH wanted AS (
        SELECT p.price, p.currency AS own_currency, coalesce($3, p.currency, (SELECT b.code FROM crm.base_currency b)) AS currency
        FROM crm.product p WHERE p.id = $1
    ), listed AS (
        -- Of each currency the latest that holds.
        SELECT DISTINCT ON (l.currency) l.currency, l.price, l.valid_from
        FROM crm.product_price l
        WHERE l.product_id = $1 AND l.list = $4 AND l.valid_from <= ($2 AT TIME ZONE 'UTC')::date
        ORDER BY l.currency, l.valid_from DESC
    )
    SELECT coalesce(
        (SELECT l.price FROM listed l WHERE l.currency = w.currency),
        (SELECT crm.convert_amount(l.price, l.currency, w.currency, $2) FROM listed l
         WHERE l.price IS NOT NULL AND l.currency <> w.currency AND crm.convert_amount(l.price, l.currency, w.currency, $2) IS NOT NULL
         ORDER BY l.valid_from DESC, l.currency LIMIT 1),
        CASE WHEN w.own_currency = w.currency THEN w.price ELSE crm.convert_amount(w.price, w.own_currency, w.currency, $2) END)
    FROM wanted w
$$;
COMMENT ON FUNCTION crm.product_price(bigint, timestamptz, text, text) IS 'The price of a unit on the day (in UTC) of a moment, in a currency (by default that of the product): that of the list in this currency; otherwise the latest of the list in another one, converted; otherwise the product''s own, converted where need be. Null when there is none or no rate is known.';

/* ------------------------------------------------------------------
 * Needs, values, proposals.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.proposal_arguments(deal_id bigint, as_of timestamptz DEFAULT now(),
    OUT contact_id bigint, OUT need_id bigint, OUT need_kind text, OUT subject text, OUT strength integer,
    OUT product_id bigint, OUT product text, OUT argument text, OUT is_answered boolean)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    WITH party AS (
        SELECT d.contact_id FROM crm.deal d WHERE d.id = $1 AND d.contact_id IS NOT NULL
        UNION
        SELECT p.contact_id FROM crm.deal_contact p WHERE p.deal_id = $1
    ), offered AS (
        -- What the latest version of the deal's quotes offers.
        SELECT DISTINCT l.product_id FROM crm.quote q JOIN crm.quote_line l ON l.quote_id = q.id
        WHERE q.deal_id = $1 AND q.status IN ('draft', 'sent', 'viewed', 'accepted') AND l.product_id IS NOT NULL
    ), need AS (
        SELECT n.contact_id, n.id, n.kind, n.subject, n.strength FROM crm.contact_need n JOIN party p ON p.contact_id = n.contact_id
        WHERE n.valid @> $2
    )
    SELECT n.contact_id, n.id, n.kind, n.subject, n.strength, v.product_id, p.name, v.argument, v.id IS NOT NULL
    FROM need n
    LEFT JOIN (crm.product_value v LEFT JOIN crm.product p ON p.id = v.product_id)
        ON lower(v.subject) = lower(n.subject) AND (v.need_kind IS NULL OR v.need_kind = n.kind)
       AND CASE WHEN v.product_id IS NULL THEN true
                WHEN EXISTS (SELECT FROM offered) THEN v.product_id IN (SELECT o.product_id FROM offered o)
                ELSE p.active END
    ORDER BY n.strength DESC, n.contact_id, n.id, v.product_id NULLS LAST, v.id
$$;
COMMENT ON FUNCTION crm.proposal_arguments(bigint, timestamptz) IS 'What to say to the persons of a deal: each need of theirs that holds at as_of, the strongest first, with the arguments of crm.product_value that answer it, of the products that the deal''s quotes offer (without a quote, of all that are active) and of no product in particular. A need that nothing answers has one row, with is_answered false; no argument comes that no need asks for.';

CREATE FUNCTION crm.fill_template(template text, fields jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
    filled text;
BEGIN
    SELECT m[1] INTO unknown FROM regexp_matches(template, '\{([[:alpha:]_]+)\}', 'g') m WHERE NOT fields ? m[1] LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown place in a template: {%}', unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Places are ' || (SELECT string_agg('{' || k || '}', ', ' ORDER BY k) FROM jsonb_object_keys(fields) k) || '.';
    END IF;
    -- In one pass: what is filled in is not looked at again.
    SELECT string_agg(concat(m[1], fields ->> nullif(m[2], '')), '' ORDER BY n) INTO filled
    FROM regexp_matches(template || '{}', '(.*?)\{([[:alpha:]_]*)\}', 'g') WITH ORDINALITY AS u (m, n);
    RETURN filled;
END
$$;
COMMENT ON FUNCTION crm.fill_template(text, jsonb) IS 'A text with its places, such as {name}, filled in from the fields of an object; null fields are left out. Braces around what is no word stay. Errors: 22023 a place without a field.';

CREATE FUNCTION crm.render_proposal(deal_id bigint, template text DEFAULT 'standard', as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    form crm.proposal_template;
    deal record;
    offer record;
    needs text;
    prices text;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO form FROM crm.proposal_template t WHERE t.name = template;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no proposal template "%"', template
            USING ERRCODE = 'RM004', HINT = 'crm.proposal_template lists them.';
    END IF;
    SELECT d.name, d.amount, d.currency, crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix) AS contact,
           o.name AS company, a.name AS owner
    INTO deal
    FROM crm.deal d
    LEFT JOIN crm.contact c ON c.id = d.contact_id
    LEFT JOIN crm.company o ON o.id = d.company_id
    LEFT JOIN crm.agent a ON a.id = d.owner_id
    WHERE d.id = $1 AND d.deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no deal %', $1 USING ERRCODE = 'RM004';
    END IF;
    SELECT string_agg(crm.fill_template(CASE WHEN n.argument IS NULL THEN form.unanswered_line ELSE form.need_line END,
               jsonb_build_object('subject', n.subject, 'kind', n.need_kind, 'product', n.products, 'argument', n.argument)), '' ORDER BY n.place)
    INTO needs
    FROM (SELECT min(g.place) AS place, g.subject, g.need_kind, string_agg(DISTINCT g.product, ', ') AS products,
                 string_agg(g.argument, '; ' ORDER BY g.place) AS argument
          FROM (SELECT DISTINCT ON (lower(x.subject), x.need_kind, x.argument) x.* FROM (
                    SELECT a.*, row_number() OVER () AS place FROM crm.proposal_arguments($1, as_of) a) x
                ORDER BY lower(x.subject), x.need_kind, x.argument, x.place) g
          GROUP BY lower(g.subject), g.subject, g.need_kind) n;
    SELECT q.id, q.currency INTO offer FROM crm.quote q
    WHERE q.deal_id = $1 AND q.status IN ('draft', 'sent', 'viewed', 'accepted')
    ORDER BY q.status = 'accepted' DESC, q.id DESC LIMIT 1;
    SELECT string_agg(crm.fill_template(form.price_line, jsonb_build_object('product', l.description, 'sku', p.sku, 'quantity', l.quantity,
               'unit', coalesce(p.unit, ''), 'price', l.unit_price, 'amount', l.amount, 'currency', l.currency)), '' ORDER BY l.line_number)
    INTO prices
    FROM crm.quote_line l LEFT JOIN crm.product p ON p.id = l.product_id WHERE l.quote_id = offer.id;
    RETURN crm.fill_template(form.body, jsonb_build_object('contact', deal.contact, 'company', deal.company, 'deal', deal.name, 'owner', deal.owner,
        'date', to_char(as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'needs', needs, 'prices', prices,
        'total', CASE WHEN offer.id IS NULL THEN deal.amount || ' ' || deal.currency
                      ELSE (SELECT sum(l.amount) FROM crm.quote_line l WHERE l.quote_id = offer.id) || ' ' || offer.currency END));
END
$$;
COMMENT ON FUNCTION crm.render_proposal(bigint, text, timestamptz) IS 'The value proposition of a deal as text, by a template of crm.proposal_template: every need that its persons stated, with what answers it or marked as not answered; the prices of its accepted, otherwise latest quote. Errors: RM004 no such deal or template; 22023 an unknown place in the template.';
