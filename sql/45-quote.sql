/* ------------------------------------------------------------------
 * Lines of orders; quotes.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.complete_order_line() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    product record;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'line % of order % cannot change its currency or digits', OLD.line_number, OLD.order_id
            USING ERRCODE = 'RM056', HINT = 'Remove it and write it anew.';
    END IF;
    IF NOT NEW.quantity > 0 THEN
        RAISE EXCEPTION 'line % of order %: the quantity % is not greater than 0', NEW.line_number, NEW.order_id, NEW.quantity
            USING ERRCODE = 'check_violation', HINT = 'What came back is a row of crm.order_return; a deduction has a negative unit_price.';
    END IF;
    IF NEW.currency IS NULL THEN
        SELECT o.currency INTO NEW.currency FROM crm.sales_order o WHERE o.contact_id = NEW.contact_id AND o.id = NEW.order_id;
    END IF;
    IF NEW.digits IS NULL THEN
        SELECT c.digits INTO NEW.digits FROM crm.currency c WHERE c.code = NEW.currency;
        IF NOT FOUND THEN
            -- What the foreign key would say, if the missing digits did not come first.
            RAISE EXCEPTION 'contact % has no order %', NEW.contact_id, NEW.order_id USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;
    IF NEW.unit_price IS NULL AND NEW.product_id IS NOT NULL THEN
        SELECT p.name, p.tax_rate, p.tax_included, p.cost, p.currency, o.ordered_at INTO product
        FROM crm.product p, crm.sales_order o WHERE p.id = NEW.product_id AND o.contact_id = NEW.contact_id AND o.id = NEW.order_id;
        NEW.unit_price := crm.product_price(NEW.product_id, product.ordered_at, NEW.currency);
        IF NEW.unit_price IS NULL AND product.name IS NOT NULL THEN
            RAISE EXCEPTION 'product "%" has no price in %', product.name, NEW.currency
                USING ERRCODE = 'RM003', HINT = 'Give unit_price, or add a row to crm.product_price or crm.fx_rate.';
        END IF;
        IF NEW.tax_rate = 0 THEN
            NEW.tax_rate := product.tax_rate;
            NEW.tax_included := product.tax_included;
        END IF;
        NEW.description := coalesce(NEW.description, product.name);
        NEW.unit_cost := coalesce(NEW.unit_cost, crm.convert_amount(product.cost, product.currency, NEW.currency, product.ordered_at, 4));
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.complete_order_line() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.order_line: completes currency and digits from the order, and, where no price is given, price, tax, cost and description from the product; keeps currency and digits. Errors: 23503 no such order; 23514 a quantity that is not greater than 0; RM003 the product has no price; RM056 currency or digits change.';

/* Quotes. */

CREATE FUNCTION crm.keep_quote() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status = 'accepted' THEN
            RAISE EXCEPTION 'quote % version % is accepted and cannot be deleted', OLD.number, OLD.version USING ERRCODE = 'RM051';
        END IF;
        RETURN OLD;
    ELSIF crm.merge_mode() <> 'off' THEN
        RETURN NEW;             -- only the number of the contact or company changes
    END IF;
    IF TG_OP = 'INSERT' THEN
        NEW.number := coalesce(NEW.number, 'Q-' || NEW.id);
        IF NEW.currency IS NULL THEN
            SELECT b.code INTO NEW.currency FROM crm.base_currency b;
        END IF;
        IF NEW.status <> 'draft' THEN
            RAISE EXCEPTION 'quote % cannot begin as "%"', NEW.number, NEW.status
                USING ERRCODE = 'RM050', HINT = 'Insert it as a draft with its lines, then change the status; sent_at, viewed_at and closed_at may be given.';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.status = 'accepted' AND (to_jsonb(NEW) - '{order_id,owner_id,updated_at}'::text[] IS DISTINCT FROM to_jsonb(OLD) - '{order_id,owner_id,updated_at}'::text[]
                                    OR OLD.order_id IS NOT NULL AND NEW.order_id IS DISTINCT FROM OLD.order_id) THEN
        RAISE EXCEPTION 'quote % version % is accepted and cannot change', OLD.number, OLD.version
            USING ERRCODE = 'RM051', HINT = 'What was agreed on later is a matter of the order, or of another quote.';
    ELSIF OLD.status <> 'draft' AND (NEW.number, NEW.version, NEW.deal_id, NEW.contact_id, NEW.company_id, NEW.currency, NEW.price_list)
                            IS DISTINCT FROM (OLD.number, OLD.version, OLD.deal_id, OLD.contact_id, OLD.company_id, OLD.currency, OLD.price_list) THEN
        RAISE EXCEPTION 'quote % version % is no draft any more', OLD.number, OLD.version
            USING ERRCODE = 'RM051', DETAIL = format('It is "%s".', OLD.status), HINT = format('Make another version: SELECT crm.revise_quote(%s).', OLD.id);
    ELSIF NEW.currency <> OLD.currency AND EXISTS (SELECT FROM crm.quote_line l WHERE l.quote_id = OLD.id) THEN
        RAISE EXCEPTION 'quote % has lines in %', OLD.number, OLD.currency
            USING ERRCODE = 'RM056', DETAIL = format('Its currency cannot become %s.', NEW.currency), HINT = 'Remove the lines, change the currency, and write them anew.';
    END IF;
    NEW.updated_at := now();
    IF NEW.status <> OLD.status THEN
        IF NEW.status IN ('sent', 'accepted') AND NOT EXISTS (SELECT FROM crm.quote_line l WHERE l.quote_id = NEW.id) THEN
            RAISE EXCEPTION 'quote % has no lines', NEW.number USING ERRCODE = 'RM003', HINT = 'Add rows to crm.quote_line first.';
        END IF;
        CASE NEW.status
            WHEN 'sent' THEN NEW.sent_at := coalesce(NEW.sent_at, now());
            WHEN 'viewed' THEN NEW.viewed_at := coalesce(NEW.viewed_at, now());
            ELSE NEW.closed_at := coalesce(NEW.closed_at, now());
        END CASE;
        IF NEW.status = 'accepted' AND (NEW.closed_at AT TIME ZONE 'UTC')::date > NEW.valid_until THEN
            RAISE EXCEPTION 'quote % was valid until %', NEW.number, to_char(NEW.valid_until, 'YYYY-MM-DD')
                USING ERRCODE = 'RM052', HINT = format('Make another version: SELECT crm.revise_quote(%s).', NEW.id);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.keep_quote() IS 'Trigger BEFORE INSERT, UPDATE and DELETE FOR EACH ROW on crm.quote: completes number, currency and times, keeps what was sent as it is. Errors: RM003 a quote without lines is sent or accepted; RM050 a quote that does not begin as a draft; RM051 it is accepted, or no draft any more; RM052 it is accepted after valid_until; RM056 the currency of a quote with lines.';

CREATE FUNCTION crm.keep_quote_line() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    quote record;
    product record;
BEGIN
    -- Nobody sends the quote meanwhile, and lines come one after the other.
    SELECT q.id, q.number, q.status, q.currency, q.price_list, q.created_at, q.updated_at, c.digits INTO quote
    FROM crm.quote q JOIN crm.currency c ON c.code = q.currency
    WHERE q.id = CASE TG_OP WHEN 'DELETE' THEN OLD.quote_id ELSE NEW.quote_id END FOR NO KEY UPDATE OF q;
    IF TG_OP = 'DELETE' AND NOT FOUND THEN
        RETURN OLD;             -- goes with its quote
    ELSIF NOT FOUND THEN
        RAISE EXCEPTION 'there is no quote %', NEW.quote_id USING ERRCODE = 'foreign_key_violation';
    ELSIF quote.status <> 'draft' OR TG_OP = 'UPDATE' AND NEW.quote_id <> OLD.quote_id THEN
        RAISE EXCEPTION 'the lines of quote % cannot change', quote.number
            USING ERRCODE = 'RM051', DETAIL = format('It is "%s".', quote.status), HINT = format('Make another version: SELECT crm.revise_quote(%s).', quote.id);
    END IF;
    -- Once a transaction: so that under REPEATABLE READ nobody sends or sells a quote whose new lines he does not see.
    IF quote.updated_at <> now() THEN
        UPDATE crm.quote q SET updated_at = now() WHERE q.id = quote.id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.currency := quote.currency;
    NEW.digits := quote.digits;
    IF NEW.line_number IS NULL THEN
        NEW.line_number := 1 + coalesce((SELECT max(l.line_number) FROM crm.quote_line l WHERE l.quote_id = NEW.quote_id), 0);
    END IF;
    IF NEW.unit_price IS NULL OR NEW.description IS NULL OR NEW.tax_rate IS NULL OR NEW.tax_included IS NULL OR NEW.unit_cost IS NULL AND TG_OP = 'INSERT' THEN
        SELECT p.name, p.cost, p.currency, p.tax_rate, p.tax_included INTO product FROM crm.product p WHERE p.id = NEW.product_id;
        NEW.description := coalesce(NEW.description, product.name);
        NEW.tax_rate := coalesce(NEW.tax_rate, product.tax_rate, 0);
        NEW.tax_included := coalesce(NEW.tax_included, product.tax_included, false);
        NEW.unit_cost := coalesce(NEW.unit_cost, crm.convert_amount(product.cost, product.currency, NEW.currency, quote.created_at, 4));
        NEW.unit_price := coalesce(NEW.unit_price, crm.product_price(NEW.product_id, quote.created_at, NEW.currency, quote.price_list));
        IF NEW.unit_price IS NULL AND NEW.product_id IS NOT NULL AND product.name IS NOT NULL THEN
            RAISE EXCEPTION 'product "%" has no price in %', product.name, NEW.currency
                USING ERRCODE = 'RM003', HINT = 'Give unit_price, or add a row to crm.product_price or crm.fx_rate.';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.keep_quote_line() IS 'Trigger BEFORE INSERT, UPDATE and DELETE FOR EACH ROW on crm.quote_line: completes line_number, currency, digits, and price, tax, cost and description from the product. Errors: RM003 the product has no price; RM051 the quote is no draft; 23503 no such quote.';

-- The lines of a document in JSON as rows, with products by number or sku.
CREATE FUNCTION crm.document_lines(lines jsonb, strict boolean DEFAULT true, OUT line_number integer, OUT product_id bigint, OUT description text, OUT quantity numeric,
    OUT unit_price numeric, OUT discount_percent numeric, OUT tax_rate numeric, OUT tax_included boolean, OUT unit_cost numeric)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    IF jsonb_typeof(lines) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'lines are no array' USING ERRCODE = 'invalid_parameter_value', HINT = 'Write them so: [{"sku": "A-1", "quantity": 2}].';
    END IF;
    SELECT string_agg(DISTINCT k, ', ') INTO unknown FROM jsonb_array_elements(lines) l, jsonb_object_keys(l) k
    WHERE k <> ALL ('{sku,product_id,description,quantity,unit_price,discount_percent,tax_rate,tax_included,unit_cost}');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown field of a line: %', unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are sku or product_id, description, quantity, unit_price, discount_percent, tax_rate, tax_included and unit_cost.';
    END IF;
    PERFORM crm.require_readable('crm.order_line', l.line) FROM jsonb_array_elements(lines) WITH ORDINALITY AS l (line, n) ORDER BY l.n;
    RETURN QUERY
    SELECT l.n::integer, coalesce(CASE WHEN strict THEN (l.line ->> 'product_id')::bigint ELSE (SELECT p.id FROM crm.product p WHERE p.id = (l.line ->> 'product_id')::bigint) END,
                                      CASE WHEN strict THEN crm.product_id(l.line ->> 'sku') ELSE (SELECT p.id FROM crm.product p WHERE p.sku = l.line ->> 'sku') END),
           coalesce(l.line ->> 'description', CASE WHEN NOT strict THEN (SELECT coalesce(p.name, l.line ->> 'sku') FROM (SELECT) one LEFT JOIN crm.product p ON p.sku = l.line ->> 'sku') END),
           coalesce((l.line ->> 'quantity')::numeric, 1), (l.line ->> 'unit_price')::numeric, coalesce((l.line ->> 'discount_percent')::numeric, 0),
           (l.line ->> 'tax_rate')::numeric, (l.line ->> 'tax_included')::boolean, (l.line ->> 'unit_cost')::numeric
    FROM jsonb_array_elements(lines) WITH ORDINALITY AS l (line, n);
END
$$;
COMMENT ON FUNCTION crm.document_lines(jsonb, boolean) IS 'The lines of a quote or receipt that are given as a JSON array, as rows. Not strict, an unknown sku, or product_id, is a line without product; the description of one is its sku. Errors: 22023 no array, or an unknown field; RM004 no product of that sku.';

CREATE FUNCTION crm.create_quote(quote jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields jsonb := quote - '{owner,lines}'::text[];
    columns text[];
    unknown text;
    new_quote_id bigint;
BEGIN
    PERFORM crm.require_installed();
    IF quote ->> 'owner' IS NOT NULL THEN
        fields := fields || jsonb_build_object('owner_id', crm.agent_id(quote ->> 'owner'));
    END IF;
    PERFORM crm.require_readable('crm.quote', fields);
    PERFORM crm.require_known((fields ->> 'contact_id')::bigint, (fields ->> 'owner_id')::bigint, (fields ->> 'deal_id')::bigint, company_id => (fields ->> 'company_id')::bigint);
    -- What is not said is that of the deal.
    IF fields ->> 'deal_id' IS NOT NULL THEN
        SELECT jsonb_strip_nulls(jsonb_build_object('contact_id', d.contact_id, 'company_id', d.company_id, 'owner_id', d.owner_id,
                   'currency', coalesce(d.currency, p.currency))) || fields INTO fields
        FROM crm.deal d JOIN crm.pipeline p ON p.id = d.pipeline_id WHERE d.id = (fields ->> 'deal_id')::bigint;
    END IF;
    SELECT array_agg(k) FILTER (WHERE a.attname IS NOT NULL), string_agg(k, ', ') FILTER (WHERE a.attname IS NULL)
    INTO columns, unknown
    FROM jsonb_object_keys(fields) k
    LEFT JOIN pg_attribute a ON a.attrelid = 'crm.quote'::regclass AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped
                            AND a.attname <> ALL ('{id,version,status,order_id,updated_at}');
    IF unknown IS NOT NULL OR columns IS NULL THEN
        RAISE EXCEPTION 'unknown field of a quote: %', coalesce(unknown, 'none is given')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are the columns of crm.quote, owner by name, and lines. Your own go into attrs.';
    END IF;
    EXECUTE format('INSERT INTO crm.quote (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::crm.quote, $1) RETURNING id',
                   (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c))
    INTO new_quote_id USING fields;
    IF quote ? 'lines' THEN
        INSERT INTO crm.quote_line (quote_id, line_number, product_id, description, quantity, unit_price, discount_percent, tax_rate, tax_included, unit_cost)
        SELECT new_quote_id, l.line_number, l.product_id, l.description, l.quantity, l.unit_price, l.discount_percent, l.tax_rate, l.tax_included, l.unit_cost
        FROM crm.document_lines(quote -> 'lines') l ORDER BY l.line_number;
    END IF;
    RETURN new_quote_id;
END
$$;
COMMENT ON FUNCTION crm.create_quote(jsonb) IS 'Makes a draft of a quote from its fields and gives its id. Fields are the columns of crm.quote; owner by name; lines, an array of {sku or product_id, description, quantity, unit_price, discount_percent, tax_rate, tax_included, unit_cost}. Of a quote for a deal, contact, company, owner and currency are those of the deal unless given. Errors: 22023 unknown field; 23505 the number is taken; P0002 no such contact; RM003 a product without price; RM004 unknown deal, agent, company or sku.';

CREATE FUNCTION crm.change_quote_status(quote_id bigint, status text, as_of timestamptz, reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    -- Twice the same is once, also from two sessions at once.
    UPDATE crm.quote q
    SET status = $2, sent_at = CASE WHEN $2 = 'sent' THEN as_of ELSE q.sent_at END, viewed_at = CASE WHEN $2 = 'viewed' THEN as_of ELSE q.viewed_at END,
        closed_at = CASE WHEN $2 IN ('sent', 'viewed') THEN q.closed_at ELSE as_of END, refusal_reason = coalesce(reason, q.refusal_reason)
    WHERE q.id = $1 AND q.status <> $2;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM crm.quote q WHERE q.id = $1) THEN
        RAISE EXCEPTION 'there is no quote %', $1 USING ERRCODE = 'RM004';
    END IF;
    RETURN $2;
END
$$;
COMMENT ON FUNCTION crm.change_quote_status(bigint, text, timestamptz, text) IS 'What crm.send_quote(), crm.view_quote() and crm.refuse_quote() have in common: gives the quote a status and its time, once. Errors: RM003, RM050, RM051 as of crm.keep_quote(); RM004 no such quote.';

CREATE FUNCTION crm.send_quote(quote_id bigint, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.change_quote_status(quote_id, 'sent', as_of)
$$;
COMMENT ON FUNCTION crm.send_quote(bigint, timestamptz) IS 'Marks a draft as sent: from then on its lines are fixed. Does nothing when it is sent. Errors: RM003 it has no lines; RM004 no such quote; RM050 it is no draft.';

CREATE FUNCTION crm.view_quote(quote_id bigint, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now_status text;
BEGIN
    PERFORM crm.require_installed();
    -- Who looks again at what is decided changes nothing, also when it is decided meanwhile.
    UPDATE crm.quote q SET status = 'viewed', viewed_at = as_of WHERE q.id = $1 AND q.status = 'sent' RETURNING q.status INTO now_status;
    IF now_status IS NULL THEN
        SELECT q.status INTO now_status FROM crm.quote q WHERE q.id = $1 AND q.status <> 'draft';
    END IF;
    RETURN coalesce(now_status, crm.change_quote_status(quote_id, 'viewed', as_of));     -- which says what is wrong
END
$$;
COMMENT ON FUNCTION crm.view_quote(bigint, timestamptz) IS 'Marks a quote that was sent as seen by the client; one that is seen or decided stays as it is. Gives its status. Errors: RM004 no such quote; RM050 it is a draft.';

CREATE FUNCTION crm.refuse_quote(quote_id bigint, reason text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT crm.change_quote_status(quote_id, 'refused', as_of, reason)
$$;
COMMENT ON FUNCTION crm.refuse_quote(bigint, text, timestamptz) IS 'Marks a quote as refused by the client, with the reason. Does nothing when it is refused. Errors: RM004 no such quote; RM050 it is accepted, expired or superseded.';

CREATE FUNCTION crm.revise_quote(quote_id bigint, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_quote crm.quote;
    latest bigint;
    new_quote_id bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO old_quote FROM crm.quote q WHERE q.id = $1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no quote %', $1 USING ERRCODE = 'RM004';
    END IF;
    SELECT q.id INTO latest FROM crm.quote q WHERE q.number = old_quote.number ORDER BY q.version DESC LIMIT 1;
    IF old_quote.status = 'accepted' OR latest <> $1 THEN
        RAISE EXCEPTION 'quote % version % cannot be revised', old_quote.number, old_quote.version
            USING ERRCODE = 'RM051', DETAIL = CASE WHEN latest <> $1 THEN format('Its latest version is quote %s.', latest) ELSE 'It is accepted.' END;
    END IF;
    UPDATE crm.quote q SET status = 'superseded', closed_at = as_of WHERE q.id = $1;
    INSERT INTO crm.quote (number, version, deal_id, contact_id, company_id, owner_id, currency, price_list, valid_until, description, attrs)
    VALUES (old_quote.number, old_quote.version + 1, old_quote.deal_id, old_quote.contact_id, old_quote.company_id, old_quote.owner_id, old_quote.currency,
            old_quote.price_list, CASE WHEN old_quote.valid_until >= (as_of AT TIME ZONE 'UTC')::date THEN old_quote.valid_until END, old_quote.description, old_quote.attrs)
    RETURNING id INTO new_quote_id;
    INSERT INTO crm.quote_line (quote_id, line_number, product_id, description, quantity, unit_price, discount_percent, tax_rate, tax_included, unit_cost)
    SELECT new_quote_id, l.line_number, l.product_id, l.description, l.quantity, l.unit_price, l.discount_percent, l.tax_rate, l.tax_included, l.unit_cost
    FROM crm.quote_line l WHERE l.quote_id = $1 ORDER BY l.line_number;
    RETURN new_quote_id;
END
$$;
COMMENT ON FUNCTION crm.revise_quote(bigint, timestamptz) IS 'Makes the next version of a quote, a draft with the same lines, and gives its id; the version before is superseded. A valid_until that has passed is left out. Errors: RM004 no such quote; RM051 it is accepted, or not the latest version.';

CREATE FUNCTION crm.accept_quote(quote_id bigint, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    accepted crm.quote;
    total numeric;
    new_order_id bigint;
    before timestamptz;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO accepted FROM crm.quote q WHERE q.id = $1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no quote %', $1 USING ERRCODE = 'RM004';
    ELSIF accepted.order_id IS NOT NULL THEN
        RETURN accepted.order_id;               -- the second click
    ELSIF accepted.contact_id IS NULL THEN
        RAISE EXCEPTION 'quote % has no contact', accepted.number
            USING ERRCODE = 'RM003', HINT = 'An order is of a person: make another version with contact_id.';
    END IF;
    UPDATE crm.quote q SET status = 'accepted', closed_at = as_of WHERE q.id = $1 AND q.status <> 'accepted';
    SELECT sum(l.amount) INTO total FROM crm.quote_line l WHERE l.quote_id = $1;
    IF total < 0 THEN
        RAISE EXCEPTION 'quote % is worth %', accepted.number, total
            USING ERRCODE = 'check_violation', DETAIL = 'The amount of an order is not less than 0.', HINT = format('Make another version: SELECT crm.revise_quote(%s).', $1);
    END IF;
    before := crm.set_effective_at(as_of);
    INSERT INTO crm.sales_order (contact_id, number, ordered_at, amount, currency, company_id, agent_id, deal_id, source)
    VALUES (accepted.contact_id, accepted.number, as_of, total, accepted.currency, accepted.company_id, accepted.owner_id, accepted.deal_id, 'quote')
    RETURNING id INTO new_order_id;
    INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, description, quantity, unit_price, currency, digits, discount_percent,
                                tax_rate, tax_included, unit_cost)
    SELECT accepted.contact_id, new_order_id, l.line_number, l.product_id, l.description, l.quantity, l.unit_price, l.currency, l.digits, l.discount_percent,
           l.tax_rate, l.tax_included, l.unit_cost
    FROM crm.quote_line l WHERE l.quote_id = $1;
    UPDATE crm.quote q SET order_id = new_order_id WHERE q.id = $1;
    UPDATE crm.deal d SET amount = total, currency = accepted.currency
    WHERE d.id = accepted.deal_id AND d.deleted_at IS NULL AND (d.amount, d.currency) IS DISTINCT FROM (total, accepted.currency);
    PERFORM crm.set_effective_at(before);
    RETURN new_order_id;
END
$$;
COMMENT ON FUNCTION crm.accept_quote(bigint, timestamptz) IS 'Marks a quote that was sent as accepted, makes the order with its lines, gives the deal its amount, all or nothing, and gives the number of the order; called again, also at the same time, it gives the same number and does nothing. Errors: RM003 no contact; RM004 no such quote; RM050 it was not sent, or is decided otherwise; RM052 after valid_until; 23514 its deductions are more than its other lines.';

CREATE FUNCTION crm.expire_quotes(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    expired integer;
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.quote q SET status = 'expired', closed_at = as_of
    FROM (SELECT d.id FROM crm.quote d WHERE d.status IN ('sent', 'viewed') AND d.valid_until < (as_of AT TIME ZONE 'UTC')::date
          ORDER BY d.valid_until, d.id LIMIT batch_limit FOR UPDATE SKIP LOCKED) due
    WHERE q.id = due.id;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;
COMMENT ON FUNCTION crm.expire_quotes(timestamptz, integer) IS 'The job: quotes that were sent and not answered until valid_until become expired; gives how many.';
