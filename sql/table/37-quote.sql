CREATE TABLE crm.status_transition (
    entity text NOT NULL CHECK (entity IN ('sales_order', 'quote', 'shipment', 'payment')), -- The table: sales_order, quote, shipment or payment.
    from_status text NOT NULL, -- The status that is left.
    to_status text NOT NULL, -- The status that may follow.
    PRIMARY KEY (entity, from_status, to_status),
    CHECK (from_status <> to_status)
);
COMMENT ON TABLE crm.status_transition IS 'Which status may follow which: a change that is no row here is refused (RM050), for every client. A payment of which a provider has told follows the provider instead.';
INSERT INTO crm.status_transition (entity, from_status, to_status)
SELECT t.entity, t.from_status, u.to_status
FROM (VALUES
    ('sales_order', 'draft', '{placed,paid,shipped,completed,cancelled}'::text[]),
    ('sales_order', 'placed', '{paid,shipped,completed,cancelled}'),
    ('sales_order', 'paid', '{placed,shipped,completed,cancelled,returned}'),
    ('sales_order', 'shipped', '{completed,returned}'),
    ('sales_order', 'completed', '{returned}'),
    ('sales_order', 'cancelled', '{placed,paid}'),
    ('sales_order', 'returned', '{completed}'),
    ('quote', 'draft', '{sent,refused,superseded}'),
    ('quote', 'sent', '{viewed,accepted,refused,expired,superseded}'),
    ('quote', 'viewed', '{accepted,refused,expired,superseded}'),
    ('quote', 'expired', '{superseded}'),
    ('quote', 'refused', '{superseded}'),
    ('shipment', 'planned', '{packed,shipped}'),
    ('shipment', 'packed', '{planned,shipped}'),
    ('shipment', 'shipped', '{delivered,returned,lost}'),
    ('shipment', 'lost', '{delivered,returned}'),
    ('shipment', 'delivered', '{returned}'),
    ('payment', 'pending', '{authorized,paid,failed,cancelled}'),
    ('payment', 'authorized', '{paid,failed,cancelled}'),
    ('payment', 'failed', '{pending,paid}'),
    ('payment', 'paid', '{partially_refunded,refunded}'),
    ('payment', 'partially_refunded', '{paid,refunded}')) AS t (entity, from_status, next), unnest(t.next) AS u (to_status);

-- With the rights of the owner: who may change an order need not be able to
-- read the rules.
CREATE FUNCTION crm.status_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM crm.status_transition t
                   WHERE t.entity = TG_TABLE_NAME AND t.from_status = OLD.status AND t.to_status = NEW.status) THEN
        RAISE EXCEPTION '% % cannot become "%": it is "%"', replace(TG_TABLE_NAME, 'sales_order', 'order'), OLD.id, NEW.status, OLD.status
            USING ERRCODE = 'RM050',
                  DETAIL = (SELECT coalesce('It may become: ' || string_agg('"' || t.to_status || '"', ', ' ORDER BY t.to_status) || '.', 'That is its last status.')
                            FROM crm.status_transition t WHERE t.entity = TG_TABLE_NAME AND t.from_status = OLD.status),
                  HINT = format('To allow it for all: INSERT INTO crm.status_transition VALUES (%L, %L, %L).', TG_TABLE_NAME, OLD.status, NEW.status);
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION crm.status_guard() FROM PUBLIC;
COMMENT ON FUNCTION crm.status_guard() IS 'Trigger BEFORE UPDATE FOR EACH ROW of orders, quotes, shipments and payments: refuses a change of status that crm.status_transition does not allow. Errors: RM050.';

CREATE TRIGGER status_guard BEFORE UPDATE ON crm.sales_order FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION crm.status_guard();

CREATE TABLE crm.order_line (
    contact_id bigint NOT NULL, -- The person who orders.
    order_id bigint NOT NULL, -- The order.
    line_number integer NOT NULL CHECK (line_number > 0), -- Place of the line in it.
    product_id bigint REFERENCES crm.product (id), -- What is ordered; null for what is in no catalogue.
    description text CHECK (description <> ''), -- What it is called there and then.
    quantity numeric NOT NULL DEFAULT 1 CHECK (quantity > 0 AND quantity < 'Infinity'), -- How many units were ordered.
    returned_quantity numeric NOT NULL DEFAULT 0 CHECK (returned_quantity >= 0), -- How many of them came back: what is to be paid is for the others.
    unit_price numeric NOT NULL CHECK (unit_price > '-Infinity' AND unit_price < 'Infinity'), -- Price of a unit; negative for a deduction.
    currency text NOT NULL, -- Currency of the amounts: that of the order; completed by trigger.
    digits integer NOT NULL CHECK (digits BETWEEN 0 AND 4), -- Decimal places to which amounts are rounded: those of the currency; completed by trigger.
    discount_percent numeric NOT NULL DEFAULT 0 CHECK (discount_percent BETWEEN 0 AND 100), -- Discount, in percent of the price.
    tax_rate numeric NOT NULL DEFAULT 0 CHECK (tax_rate >= 0 AND tax_rate < 1000), -- Tax, in percent.
    tax_included boolean NOT NULL DEFAULT false, -- Whether unit_price has the tax in it.
    unit_cost numeric CHECK (unit_cost >= 0 AND unit_cost < 'Infinity'), -- What a unit cost us; null when not known.
    amount numeric GENERATED ALWAYS AS (
        CASE WHEN tax_included THEN round((quantity - returned_quantity) * unit_price * (1 - discount_percent / 100), digits)
             ELSE round((quantity - returned_quantity) * unit_price * (1 - discount_percent / 100), digits)
                + round(round((quantity - returned_quantity) * unit_price * (1 - discount_percent / 100), digits) * tax_rate / 100, digits) END) STORED, -- What is to be paid, with tax: quantity that is kept by price less discount, rounded; and the tax of that, rounded, where it is not included.
    tax_amount numeric GENERATED ALWAYS AS (
        round(round((quantity - returned_quantity) * unit_price * (1 - discount_percent / 100), digits) * tax_rate
            / CASE WHEN tax_included THEN 100 + tax_rate ELSE 100 END, digits)) STORED, -- The tax in it.
    margin numeric GENERATED ALWAYS AS (
        round((quantity - returned_quantity) * unit_price * (1 - discount_percent / 100), digits)
        - CASE WHEN tax_included THEN round(round((quantity - returned_quantity) * unit_price * (1 - discount_percent / 100), digits) * tax_rate / (100 + tax_rate), digits) ELSE 0 END
        - round((quantity - returned_quantity) * unit_cost, digits)) STORED, -- Amount without tax less cost; null when the cost is not known.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    PRIMARY KEY (contact_id, order_id, line_number),
    FOREIGN KEY (contact_id, order_id) REFERENCES crm.sales_order (contact_id, id) ON DELETE CASCADE,
    CHECK (returned_quantity <= quantity)
);
COMMENT ON TABLE crm.order_line IS 'Lines of orders. The amount of an order with lines is their sum, kept by trigger in the statement that changes a line. Amounts are rounded half away from zero, line by line, to the digits of the currency.';
CREATE INDEX order_line_product ON crm.order_line (product_id) WHERE product_id IS NOT NULL;

CREATE FUNCTION crm.order_is_returned(contact_id bigint, order_id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(bool_and(l.returned_quantity = l.quantity), false)
    FROM crm.order_line l LEFT JOIN crm.product p ON p.id = l.product_id
    WHERE l.contact_id = $1 AND l.order_id = $2 AND l.unit_price >= 0 AND (p.kind IS DISTINCT FROM 'service' OR l.amount > 0)
$$;
REVOKE ALL ON FUNCTION crm.order_is_returned(bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION crm.order_is_returned(bigint, bigint) IS 'Internal: whether all came back of an order: every line of it but deductions and services that cost nothing.';

-- How the amount stays right when transactions meet: the orders are locked
-- first, in the order of their keys; the statement after that sees all lines.
-- Of one order and of a million each order's lines are read by the index.
--
-- Everything that changes what belongs to an order locks the rows of its own
-- first (payment, shipment, line), then the order, then balances of stock, and
-- nothing the other way round: PostgreSQL locks a line before any trigger could
-- lock its order. It also writes the order, so that under REPEATABLE READ
-- whoever does not see it fails (40001) rather than overlooks it.
CREATE FUNCTION crm.order_lines_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
DECLARE
    contact_ids bigint[];
    order_ids bigint[];
    less_contacts bigint[];     -- lines of which less is to be had than before
    less_orders bigint[];
    less_lines integer[];
    is_merge CONSTANT boolean := crm.merge_mode() <> 'off';     -- which writes orders as they were
    wrong record;
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        SELECT array_agg(t.contact_id), array_agg(t.order_id) INTO contact_ids, order_ids
        FROM (SELECT DISTINCT n.contact_id, n.order_id FROM new_rows n) t;
    WHEN 'UPDATE' THEN
        SELECT array_agg(t.contact_id), array_agg(t.order_id) INTO contact_ids, order_ids
        FROM (SELECT n.contact_id, n.order_id FROM new_rows n UNION SELECT o.contact_id, o.order_id FROM old_rows o) t;
        SELECT array_agg(t.contact_id), array_agg(t.order_id), array_agg(t.line_number) INTO less_contacts, less_orders, less_lines
        FROM (SELECT r.contact_id, r.order_id, r.line_number
              FROM (SELECT o.contact_id, o.order_id, o.line_number, o.quantity - o.returned_quantity AS quantity, false AS is_new FROM old_rows o
                    UNION ALL SELECT n.contact_id, n.order_id, n.line_number, n.quantity - n.returned_quantity, true FROM new_rows n) r
              GROUP BY r.contact_id, r.order_id, r.line_number
              HAVING coalesce(max(r.quantity) FILTER (WHERE r.is_new), -1) < max(r.quantity) FILTER (WHERE NOT r.is_new)) t;
    WHEN 'DELETE' THEN
        SELECT array_agg(t.contact_id), array_agg(t.order_id) INTO contact_ids, order_ids
        FROM (SELECT DISTINCT o.contact_id, o.order_id FROM old_rows o) t;
        SELECT array_agg(o.contact_id), array_agg(o.order_id), array_agg(o.line_number) INTO less_contacts, less_orders, less_lines FROM old_rows o;
    END CASE;
    IF contact_ids IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM FROM unnest(contact_ids, order_ids) AS t (contact_id, id) JOIN crm.sales_order s ON s.contact_id = t.contact_id AND s.id = t.id
    ORDER BY s.contact_id, s.id FOR NO KEY UPDATE OF s;
    IF TG_OP <> 'DELETE' THEN
        SELECT n.order_id, n.line_number, n.currency, n.digits, s.currency AS order_currency, c.digits AS currency_digits INTO wrong
        FROM (SELECT r.contact_id, r.order_id, r.currency, r.digits, min(r.line_number) AS line_number FROM new_rows r
              GROUP BY r.contact_id, r.order_id, r.currency, r.digits) n
        JOIN crm.sales_order s ON s.contact_id = n.contact_id AND s.id = n.order_id
        JOIN crm.currency c ON c.code = s.currency
        WHERE n.currency <> s.currency OR TG_OP = 'INSERT' AND n.digits <> c.digits     -- a line keeps those of its day
        ORDER BY n.order_id, n.line_number LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'line % of order % is in % with % digits, the order in % with %', wrong.line_number, wrong.order_id, wrong.currency, wrong.digits, wrong.order_currency, wrong.currency_digits
                USING ERRCODE = 'RM056', HINT = 'Leave currency and digits out: they are completed from the order.';
        END IF;
    END IF;
    -- What is in shipments stays ordered.
    IF less_lines IS NOT NULL AND NOT is_merge THEN
        SELECT t.order_id, t.line_number, coalesce(l.quantity, 0) AS quantity, p.quantity AS shipped INTO wrong
        FROM unnest(less_contacts, less_orders, less_lines) AS t (contact_id, order_id, line_number)
        JOIN crm.sales_order s ON s.contact_id = t.contact_id AND s.id = t.order_id
        LEFT JOIN crm.order_line l ON l.contact_id = t.contact_id AND l.order_id = t.order_id AND l.line_number = t.line_number
        CROSS JOIN LATERAL (
            SELECT sum(x.quantity) AS quantity FROM crm.shipment h JOIN crm.shipment_line x ON x.contact_id = h.contact_id AND x.shipment_id = h.id
            WHERE h.contact_id = t.contact_id AND h.order_id = t.order_id AND x.line_number = t.line_number AND (h.status <> 'lost' OR l.quantity IS NULL)) p
        WHERE p.quantity > coalesce(l.quantity, 0)
        ORDER BY t.order_id, t.line_number LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'line % of order %: % are in shipments', wrong.line_number, wrong.order_id, wrong.shipped
                USING ERRCODE = 'RM057',
                      DETAIL = CASE wrong.quantity WHEN 0 THEN 'It cannot be removed.' ELSE format('Its quantity cannot become %s.', wrong.quantity) END,
                      HINT = 'Take them out of the shipments that have not left (crm.shipment_line); what came back is a row of crm.order_return.';
        END IF;
    END IF;
    UPDATE crm.sales_order s
    SET amount = t.amount, status = CASE WHEN t.is_returned AND s.status IN ('paid', 'shipped', 'completed') AND NOT is_merge THEN 'returned' ELSE s.status END
    FROM (SELECT r.contact_id, r.id, r.is_returned, CASE WHEN r.is_returned THEN greatest(r.amount, 0) ELSE r.amount END AS amount
          FROM (SELECT u.contact_id, u.id, l.amount, coalesce(l.returned > 0, false) AND crm.order_is_returned(u.contact_id, u.id) AS is_returned
                FROM unnest(contact_ids, order_ids) AS u (contact_id, id)
                CROSS JOIN LATERAL (SELECT sum(l.amount) AS amount, sum(l.returned_quantity) AS returned
                                    FROM crm.order_line l WHERE l.contact_id = u.contact_id AND l.order_id = u.id) l) r) t
    WHERE s.contact_id = t.contact_id AND s.id = t.id
      AND (s.amount IS DISTINCT FROM t.amount OR less_lines IS NOT NULL OR t.is_returned AND s.status IN ('paid', 'shipped', 'completed'));
    IF less_lines IS NOT NULL AND NOT is_merge THEN
        PERFORM crm.follow_shipments(contact_ids, order_ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.order_lines_changed() FROM PUBLIC;
COMMENT ON FUNCTION crm.order_lines_changed() IS 'Trigger AFTER INSERT, UPDATE and DELETE FOR EACH STATEMENT on crm.order_line: makes the amount of each order the sum of its lines; null when the last one is gone; an order all of which came back is returned, one all of whose other goods have left or arrived is shipped or completed. Errors: RM056 a line in another currency than its order, or with other digits; RM057 less than is in shipments.';

CREATE FUNCTION crm.order_amount_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
DECLARE
    lines record;
    received numeric;
BEGIN
    SELECT sum(l.amount) AS amount, min(l.currency) AS currency, sum(l.returned_quantity) AS returned INTO lines
    FROM crm.order_line l WHERE l.contact_id = OLD.contact_id AND l.order_id = OLD.id;
    IF lines.currency <> NEW.currency THEN
        RAISE EXCEPTION 'order % has lines in %', OLD.id, lines.currency
            USING ERRCODE = 'RM056', DETAIL = format('Its currency cannot become %s.', NEW.currency), HINT = 'Remove the lines, change the currency, and write them anew.';
    ELSIF lines.currency IS NOT NULL THEN
        NEW.amount := lines.amount;
    END IF;
    IF NEW.amount < 0 THEN
        -- A deduction of what came back wholly is void.
        IF lines.returned > 0 AND crm.order_is_returned(OLD.contact_id, OLD.id) THEN
            NEW.amount := 0;
        ELSE
            RAISE EXCEPTION 'order % would be worth %', OLD.id, NEW.amount
                USING ERRCODE = 'check_violation', DETAIL = 'The amount of an order is not less than 0.',
                      HINT = 'Its deductions are more than its other lines: lessen them, or have them returned too (crm.order_return).';
        END IF;
    END IF;
    -- Whether it is paid is asked anew, where payments say anything of it.
    IF NEW.status IN ('placed', 'paid') AND (NEW.status = OLD.status AND (NEW.amount, NEW.currency) IS DISTINCT FROM (OLD.amount, OLD.currency)
                                             OR NEW.status = 'placed' AND OLD.status IN ('draft', 'cancelled')) THEN
        received := crm.order_received(NEW.contact_id, NEW.id, NEW.currency, NEW.exchange_rate);
        IF received IS NOT NULL THEN
            NEW.status := CASE WHEN received < NEW.amount OR NEW.amount IS NULL THEN 'placed' WHEN NEW.amount > 0 THEN 'paid' ELSE NEW.status END;
        END IF;
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION crm.order_amount_guard() FROM PUBLIC;
COMMENT ON FUNCTION crm.order_amount_guard() IS 'Trigger BEFORE UPDATE FOR EACH ROW on crm.sales_order: the amount of an order with lines is their sum, whatever is written; an order with payments is paid or not by its new amount, or when it is placed. Errors: 23514 an amount less than 0; RM056 another currency than that of the lines.';

CREATE TRIGGER complete BEFORE INSERT ON crm.order_line FOR EACH ROW
    WHEN (NEW.currency IS NULL OR NEW.digits IS NULL OR NEW.unit_price IS NULL) EXECUTE FUNCTION crm.complete_order_line();
CREATE TRIGGER keep BEFORE UPDATE ON crm.order_line FOR EACH ROW
    WHEN (NEW.currency IS DISTINCT FROM OLD.currency OR NEW.digits IS DISTINCT FROM OLD.digits) EXECUTE FUNCTION crm.complete_order_line();
CREATE TRIGGER amount_insert AFTER INSERT ON crm.order_line REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_lines_changed();
CREATE TRIGGER amount_update AFTER UPDATE ON crm.order_line REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_lines_changed();
-- What a merge removes goes with its order.
CREATE TRIGGER amount_delete AFTER DELETE ON crm.order_line REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() <> 'merge') EXECUTE FUNCTION crm.order_lines_changed();
-- After complete_update, which finds the rate of another currency.
CREATE TRIGGER guard_amount BEFORE UPDATE ON crm.sales_order FOR EACH ROW
    WHEN (NEW.amount IS DISTINCT FROM OLD.amount OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.status = 'placed' AND OLD.status IN ('draft', 'cancelled'))
    EXECUTE FUNCTION crm.order_amount_guard();

CREATE SEQUENCE crm.order_import_reject_id_seq;

CREATE TABLE crm.order_import_reject (
    id bigint PRIMARY KEY DEFAULT nextval('crm.order_import_reject_id_seq'), -- Number of the entry.
    system text NOT NULL, -- The system it was to be imported from.
    number text, -- Number of the order there; null when it has none.
    field text NOT NULL, -- The field that is wrong.
    code text NOT NULL, -- What is wrong, in a word to group by, such as ORDER_RETURN_UNKNOWN.
    reason text NOT NULL, -- What is wrong with it.
    source_row jsonb NOT NULL, -- The fields of the row as they came.
    imported_at timestamptz NOT NULL DEFAULT now() -- When the import ran.
);
COMMENT ON TABLE crm.order_import_reject IS 'Rows that crm.import_orders() could not take, and single values of customers, with the reason; those of the last import of each system.';
CREATE INDEX order_import_reject_system ON crm.order_import_reject (system);

CREATE SEQUENCE crm.quote_id_seq;

CREATE TABLE crm.quote (
    id bigint PRIMARY KEY DEFAULT nextval('crm.quote_id_seq'), -- Number of this version of the quote in this database.
    number text NOT NULL CHECK (number <> ''), -- Number of the quote as people know it, the same for all its versions; when not given, Q- and the id.
    version integer NOT NULL DEFAULT 1 CHECK (version > 0), -- Version; crm.revise_quote() makes the next.
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'sent', 'viewed', 'accepted', 'refused', 'expired', 'superseded')), -- draft (is being written), sent, viewed (the client has seen it), accepted, refused, expired (not answered in time) or superseded (by the next version).
    deal_id bigint REFERENCES crm.deal (id), -- The deal that it is for; null for none.
    contact_id bigint REFERENCES crm.contact (id), -- The person whom it is for; who accepts must be known.
    company_id bigint REFERENCES crm.company (id), -- The company whom it is for.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of its amounts.
    price_list text NOT NULL DEFAULT 'standard' CHECK (price_list <> ''), -- List from which prices are taken, see crm.product_price().
    valid_until date, -- Last day (in UTC) on which it can be accepted; null for ever.
    sent_at timestamptz, -- When it was sent; kept by trigger.
    viewed_at timestamptz, -- When the client first saw it; kept by trigger.
    closed_at timestamptz, -- When it was accepted or refused, expired or was superseded; kept by trigger.
    refusal_reason text, -- Why it was refused.
    order_id bigint, -- The order that was made of it, of contact_id.
    description text, -- Notes; terms.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    UNIQUE (number, version),
    FOREIGN KEY (contact_id, order_id) REFERENCES crm.sales_order (contact_id, id)
);
COMMENT ON TABLE crm.quote IS 'Commercial offers, a row a version. What the client has got does not change: only a draft can be edited, and an accepted version not at all but for its owner (RM051).';
CREATE UNIQUE INDEX quote_accepted ON crm.quote (number) WHERE status = 'accepted';
CREATE UNIQUE INDEX quote_open ON crm.quote (number) WHERE status IN ('draft', 'sent', 'viewed');
CREATE INDEX quote_deal ON crm.quote (deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX quote_contact ON crm.quote (contact_id, order_id) WHERE contact_id IS NOT NULL;
CREATE INDEX quote_company ON crm.quote (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX quote_to_expire ON crm.quote (valid_until) WHERE status IN ('sent', 'viewed');

CREATE TABLE crm.quote_line (
    quote_id bigint NOT NULL REFERENCES crm.quote (id) ON DELETE CASCADE, -- The version of the quote.
    line_number integer NOT NULL CHECK (line_number > 0), -- Place of the line in it; when not given, the next.
    product_id bigint REFERENCES crm.product (id), -- What is offered; null for what is in no catalogue.
    description text NOT NULL CHECK (description <> ''), -- What it is called there; when not given, the name of the product.
    quantity numeric NOT NULL DEFAULT 1 CHECK (quantity > 0 AND quantity < 'Infinity'), -- How many units.
    unit_price numeric NOT NULL CHECK (unit_price > '-Infinity' AND unit_price < 'Infinity'), -- Price of a unit; when not given, crm.product_price() at created_at of the quote; negative for a deduction.
    currency text NOT NULL, -- Currency of the amounts: that of the quote; kept by trigger.
    digits integer NOT NULL, -- Decimal places to which amounts are rounded: those of the currency; kept by trigger.
    discount_percent numeric NOT NULL DEFAULT 0 CHECK (discount_percent BETWEEN 0 AND 100), -- Discount, in percent of the price.
    tax_rate numeric NOT NULL CHECK (tax_rate >= 0 AND tax_rate < 1000), -- Tax, in percent; when not given, that of the product.
    tax_included boolean NOT NULL, -- Whether unit_price has the tax in it; when not given, as of the product.
    unit_cost numeric CHECK (unit_cost >= 0 AND unit_cost < 'Infinity'), -- What a unit costs us; when not given, that of the product; null when not known.
    amount numeric GENERATED ALWAYS AS (
        CASE WHEN tax_included THEN round(quantity * unit_price * (1 - discount_percent / 100), digits)
             ELSE round(quantity * unit_price * (1 - discount_percent / 100), digits)
                + round(round(quantity * unit_price * (1 - discount_percent / 100), digits) * tax_rate / 100, digits) END) STORED, -- What is to be paid, with tax: as of crm.order_line.
    tax_amount numeric GENERATED ALWAYS AS (
        round(round(quantity * unit_price * (1 - discount_percent / 100), digits) * tax_rate
            / CASE WHEN tax_included THEN 100 + tax_rate ELSE 100 END, digits)) STORED, -- The tax in it.
    margin numeric GENERATED ALWAYS AS (
        round(quantity * unit_price * (1 - discount_percent / 100), digits)
        - CASE WHEN tax_included THEN round(round(quantity * unit_price * (1 - discount_percent / 100), digits) * tax_rate / (100 + tax_rate), digits) ELSE 0 END
        - round(quantity * unit_cost, digits)) STORED, -- Amount without tax less cost; null when the cost is not known.
    PRIMARY KEY (quote_id, line_number)
);
COMMENT ON TABLE crm.quote_line IS 'Lines of quotes; rounded as those of orders. Lines of a quote that is no draft cannot change (RM051).';
CREATE INDEX quote_line_product ON crm.quote_line (product_id) WHERE product_id IS NOT NULL;

CREATE TRIGGER keep_quote BEFORE INSERT OR UPDATE OR DELETE ON crm.quote FOR EACH ROW EXECUTE FUNCTION crm.keep_quote();
CREATE TRIGGER guard_status BEFORE UPDATE ON crm.quote FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION crm.status_guard();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.quote REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.quote REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER keep_quote_line BEFORE INSERT OR UPDATE OR DELETE ON crm.quote_line FOR EACH ROW EXECUTE FUNCTION crm.keep_quote_line();
INSERT INTO crm.job (name, function, every, daily_at) VALUES ('quotes', 'expire_quotes', NULL, '00:05');
