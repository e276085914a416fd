CREATE TABLE crm.warehouse (
    name text PRIMARY KEY CHECK (name <> ''), -- Name of the warehouse or shop.
    branch_id bigint REFERENCES crm.branch (id), -- The branch that it belongs to; null for none.
    allow_negative boolean NOT NULL DEFAULT true, -- Whether more may leave it than it holds: as long as its books are kept elsewhere; otherwise that is refused (RM054).
    active boolean NOT NULL DEFAULT true -- Whether it is in use.
);
COMMENT ON TABLE crm.warehouse IS 'Where goods are kept.';

CREATE SEQUENCE crm.stock_move_id_seq;

CREATE TABLE crm.stock_move (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stock_move_id_seq'), -- Number of the move.
    product_id bigint NOT NULL REFERENCES crm.product (id), -- What.
    warehouse text NOT NULL REFERENCES crm.warehouse (name), -- Where.
    quantity numeric NOT NULL CHECK (quantity <> 0 AND quantity > '-Infinity' AND quantity < 'Infinity'), -- How many units came; negative for those that left.
    reason text NOT NULL CHECK (reason IN ('supply', 'shipment', 'sale', 'return', 'transfer', 'correction')), -- supply (bought), shipment (sent to a client), sale (over the counter), return (by a client), transfer (between warehouses) or correction (counted).
    reference text CHECK (reference <> ''), -- What made it, once for each product and warehouse: such as shipment:17; null for a person.
    at timestamptz NOT NULL DEFAULT now(), -- When.
    created_by text NOT NULL DEFAULT session_user, -- Role of the session that entered it.
    UNIQUE (reference, product_id, warehouse)
);
COMMENT ON TABLE crm.stock_move IS 'What came to a warehouse and left it, append-only (RM020): a mistake is corrected by another move.';
CREATE INDEX stock_move_product ON crm.stock_move (product_id, warehouse, at);

CREATE TABLE crm.stock_balance (
    product_id bigint NOT NULL REFERENCES crm.product (id), -- What.
    warehouse text NOT NULL REFERENCES crm.warehouse (name), -- Where.
    quantity numeric NOT NULL, -- How many units are there: the sum of the moves.
    PRIMARY KEY (product_id, warehouse)
);
COMMENT ON TABLE crm.stock_balance IS 'What each warehouse holds, kept by trigger in the statement that writes a move.';

CREATE SEQUENCE crm.shipment_id_seq;

CREATE TABLE crm.shipment (
    contact_id bigint NOT NULL, -- The person who ordered.
    id bigint NOT NULL DEFAULT nextval('crm.shipment_id_seq'), -- Number of the shipment.
    order_id bigint NOT NULL, -- The order.
    status text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'packed', 'shipped', 'delivered', 'returned', 'lost')), -- planned, packed, shipped (on its way), delivered, returned (came back) or lost.
    warehouse text REFERENCES crm.warehouse (name), -- From where; null when stock is not kept here.
    carrier text CHECK (carrier <> ''), -- Who brings it.
    tracking text CHECK (tracking <> ''), -- The carrier's number of it.
    address text, -- Where to.
    promised_at timestamptz, -- By when it is promised to be there; null for no promise.
    shipped_at timestamptz, -- When it left; kept by trigger.
    delivered_at timestamptz, -- When it was there; kept by trigger.
    late_at timestamptz, -- When crm.tell_late_shipments() told that it is late; null before, and again when promised_at changes.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    PRIMARY KEY (contact_id, id),
    FOREIGN KEY (contact_id, order_id) REFERENCES crm.sales_order (contact_id, id)
);
COMMENT ON TABLE crm.shipment IS 'Shipments of orders. When one leaves or comes back the goods of its lines leave or enter the stock of its warehouse; an order all of which has left is shipped, and completed when all of it was delivered.';
CREATE INDEX shipment_order ON crm.shipment (contact_id, order_id);
CREATE INDEX shipment_promised ON crm.shipment (promised_at) WHERE late_at IS NULL AND promised_at IS NOT NULL;
CREATE INDEX shipment_tracking ON crm.shipment (tracking) WHERE tracking IS NOT NULL;

CREATE TABLE crm.shipment_line (
    contact_id bigint NOT NULL, -- The person who ordered.
    shipment_id bigint NOT NULL, -- The shipment.
    line_number integer NOT NULL, -- The line of the order.
    quantity numeric NOT NULL CHECK (quantity > 0 AND quantity < 'Infinity'), -- How many units of it.
    PRIMARY KEY (contact_id, shipment_id, line_number),
    FOREIGN KEY (contact_id, shipment_id) REFERENCES crm.shipment (contact_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE crm.shipment_line IS 'What is in a shipment; they change only while it is planned or packed (RM051).';

CREATE TABLE crm.receipt (
    fiscal_id text PRIMARY KEY CHECK (fiscal_id <> ''), -- Number by which the fiscal device, or the till, makes it the only one.
    store text, -- The shop.
    issued_at timestamptz NOT NULL, -- When it was printed.
    amount numeric NOT NULL CHECK (amount >= 0 AND amount < 'Infinity'), -- What was paid.
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of amount and lines.
    lines jsonb NOT NULL DEFAULT '[]', -- What was bought, as crm.document_lines() reads it.
    card text CHECK (card <> ''), -- Number of the card that was shown; null for none.
    phone text CHECK (phone <> ''), -- Phone number that was told, as entered; null for none.
    phone_key text, -- Derived from phone: equal for the same number however it was entered.
    contact_id bigint REFERENCES crm.contact (id), -- Who bought; null while nobody knows.
    order_id bigint, -- The order that was made of it.
    claimed_at timestamptz, -- When it was given to the contact.
    received_at timestamptz NOT NULL DEFAULT now(), -- When it came.
    FOREIGN KEY (contact_id, order_id) REFERENCES crm.sales_order (contact_id, id),
    CHECK ((contact_id IS NULL) = (order_id IS NULL))
);
COMMENT ON TABLE crm.receipt IS 'Receipts of tills, also of buyers whom nobody knows: crm.claim_receipts() gives those of a card or phone number to a contact later.';
CREATE INDEX receipt_card ON crm.receipt (card) WHERE contact_id IS NULL AND card IS NOT NULL;
CREATE INDEX receipt_phone ON crm.receipt (phone_key) WHERE contact_id IS NULL AND phone_key IS NOT NULL;
CREATE INDEX receipt_contact ON crm.receipt (contact_id, order_id) WHERE contact_id IS NOT NULL;

-- With the rights of the owner: who may write a move or a shipment need not be
-- able to write balances and orders.

CREATE FUNCTION crm.stock_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    short record;
BEGIN
    WITH changed AS (
        INSERT INTO crm.stock_balance AS b (product_id, warehouse, quantity)
        SELECT n.product_id, n.warehouse, sum(n.quantity) FROM new_rows n GROUP BY n.product_id, n.warehouse ORDER BY n.product_id, n.warehouse
        ON CONFLICT (product_id, warehouse) DO UPDATE SET quantity = b.quantity + excluded.quantity
        RETURNING b.product_id, b.warehouse, b.quantity
    ), moved AS (
        SELECT n.product_id, n.warehouse, sum(n.quantity) AS quantity FROM new_rows n GROUP BY n.product_id, n.warehouse
    )
    SELECT p.name, c.warehouse, c.quantity, m.quantity AS moved INTO short
    FROM changed c JOIN moved m ON m.product_id = c.product_id AND m.warehouse = c.warehouse
    JOIN crm.warehouse w ON w.name = c.warehouse JOIN crm.product p ON p.id = c.product_id
    WHERE c.quantity < 0 AND m.quantity < 0 AND NOT w.allow_negative
    ORDER BY c.product_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'warehouse "%" does not hold so much of "%"', short.warehouse, short.name
            USING ERRCODE = 'RM054', DETAIL = format('It holds %s; %s would leave.', short.quantity - short.moved, -short.moved),
                  HINT = 'Enter the supply first, or let the warehouse go below zero: crm.warehouse.allow_negative.';
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.stock_moved() FROM PUBLIC;
COMMENT ON FUNCTION crm.stock_moved() IS 'Trigger AFTER INSERT FOR EACH STATEMENT on crm.stock_move: keeps crm.stock_balance. Errors: RM054 more leaves a warehouse than it holds.';

CREATE FUNCTION crm.shipments_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
DECLARE
    contact_ids bigint[];
    order_ids bigint[];
BEGIN
    SELECT array_agg(t.contact_id), array_agg(t.order_id) INTO contact_ids, order_ids
    FROM (SELECT DISTINCT n.contact_id, n.order_id FROM new_rows n JOIN old_rows o ON o.contact_id = n.contact_id AND o.id = n.id
          WHERE n.status <> o.status) t;
    IF contact_ids IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM FROM unnest(contact_ids, order_ids) AS t (contact_id, id) JOIN crm.sales_order s ON s.contact_id = t.contact_id AND s.id = t.id
    ORDER BY s.contact_id, s.id FOR NO KEY UPDATE OF s;
    -- What left the warehouse, and what came back to it.
    INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason, reference, at)
    SELECT l.product_id, n.warehouse, CASE WHEN n.status = 'returned' THEN sum(h.quantity) ELSE -sum(h.quantity) END,
           CASE WHEN n.status = 'returned' THEN 'return' ELSE 'shipment' END,
           CASE WHEN n.status = 'returned' THEN 'return:' ELSE 'shipment:' END || n.id, CASE WHEN n.status = 'returned' THEN n.updated_at ELSE n.shipped_at END
    FROM new_rows n JOIN old_rows o ON o.contact_id = n.contact_id AND o.id = n.id
    JOIN crm.shipment_line h ON h.contact_id = n.contact_id AND h.shipment_id = n.id
    JOIN crm.order_line l ON l.contact_id = n.contact_id AND l.order_id = n.order_id AND l.line_number = h.line_number
    JOIN crm.product p ON p.id = l.product_id AND p.kind = 'good'
    WHERE n.warehouse IS NOT NULL
      AND (n.status IN ('shipped', 'delivered', 'lost') AND o.status IN ('planned', 'packed') OR n.status = 'returned' AND o.status <> 'returned')
    GROUP BY n.id, n.status, n.warehouse, n.shipped_at, n.updated_at, l.product_id ORDER BY n.id, l.product_id;
    INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, returned_at, reason)
    SELECT n.contact_id, n.order_id, h.line_number, h.quantity, n.updated_at, 'shipment ' || n.id
    FROM new_rows n JOIN old_rows o ON o.contact_id = n.contact_id AND o.id = n.id
    JOIN crm.shipment_line h ON h.contact_id = n.contact_id AND h.shipment_id = n.id
    WHERE n.status = 'returned' AND o.status <> 'returned' ORDER BY n.contact_id, n.id, h.line_number;
    -- How far the orders are.
    UPDATE crm.sales_order s SET status = f.status
    FROM (SELECT s.contact_id, s.id,
                 CASE WHEN lines.ordered > 0 AND lines.ordered = lines.returned THEN 'returned'
                      WHEN lines.waiting OR parts.waiting OR NOT parts.on_its_way THEN NULL
                      WHEN parts.arrived THEN 'completed' ELSE 'shipped' END AS status
          FROM unnest(contact_ids, order_ids) AS u (contact_id, id) JOIN crm.sales_order s ON s.contact_id = u.contact_id AND s.id = u.id
          CROSS JOIN LATERAL (
              SELECT bool_or(h.status IN ('planned', 'packed')) AS waiting, bool_or(h.status IN ('shipped', 'delivered', 'lost')) AS on_its_way,
                     bool_and(h.status IN ('delivered', 'returned')) AS arrived
              FROM crm.shipment h WHERE h.contact_id = s.contact_id AND h.order_id = s.id) parts
          CROSS JOIN LATERAL (
              SELECT coalesce(sum(l.quantity), 0) AS ordered, coalesce(sum(l.returned_quantity), 0) AS returned,
                     coalesce(bool_or(l.quantity - l.returned_quantity > coalesce((
                         SELECT sum(x.quantity) FROM crm.shipment h JOIN crm.shipment_line x ON x.contact_id = h.contact_id AND x.shipment_id = h.id
                         WHERE h.contact_id = l.contact_id AND h.order_id = l.order_id AND x.line_number = l.line_number
                           AND h.status IN ('shipped', 'delivered', 'lost')), 0)), false) AS waiting
              FROM crm.order_line l LEFT JOIN crm.product p ON p.id = l.product_id
              WHERE l.contact_id = s.contact_id AND l.order_id = s.id AND p.kind IS DISTINCT FROM 'service') lines) f
    WHERE s.contact_id = f.contact_id AND s.id = f.id AND s.status <> f.status
      AND (f.status = 'returned' AND s.status IN ('paid', 'shipped', 'completed') OR f.status = 'completed' AND s.status IN ('placed', 'paid', 'shipped')
           OR f.status = 'shipped' AND s.status IN ('placed', 'paid'));
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.shipments_changed() FROM PUBLIC;
COMMENT ON FUNCTION crm.shipments_changed() IS 'Trigger AFTER UPDATE FOR EACH STATEMENT on crm.shipment: moves stock when a shipment leaves or comes back, counts what came back in the lines of the order, and gives the order the status shipped, completed or returned when all of its goods are.';

CREATE FUNCTION crm.keep_shipment_line() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shipment record;
    ordered numeric;
    elsewhere numeric;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT h.id, h.status INTO shipment FROM crm.shipment h WHERE h.contact_id = OLD.contact_id AND h.id = OLD.shipment_id;
        IF shipment.status NOT IN ('planned', 'packed') THEN
            RAISE EXCEPTION 'shipment % has left', OLD.shipment_id USING ERRCODE = 'RM051', DETAIL = format('It is "%s".', shipment.status);
        ELSIF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
    END IF;
    -- Nobody sends it meanwhile, and one after the other ships a line.
    SELECT h.id, h.status, h.order_id INTO shipment FROM crm.shipment h WHERE h.contact_id = NEW.contact_id AND h.id = NEW.shipment_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NEW;             -- the foreign key says so
    ELSIF shipment.status NOT IN ('planned', 'packed') THEN
        RAISE EXCEPTION 'shipment % has left', NEW.shipment_id USING ERRCODE = 'RM051', DETAIL = format('It is "%s".', shipment.status);
    END IF;
    SELECT l.quantity - l.returned_quantity INTO ordered FROM crm.order_line l
    WHERE l.contact_id = NEW.contact_id AND l.order_id = shipment.order_id AND l.line_number = NEW.line_number FOR NO KEY UPDATE;
    SELECT coalesce(sum(x.quantity), 0) INTO elsewhere
    FROM crm.shipment h JOIN crm.shipment_line x ON x.contact_id = h.contact_id AND x.shipment_id = h.id
    WHERE h.contact_id = NEW.contact_id AND h.order_id = shipment.order_id AND x.line_number = NEW.line_number
      AND h.status NOT IN ('returned', 'lost') AND h.id <> NEW.shipment_id;
    IF ordered IS NULL OR NEW.quantity > ordered - elsewhere THEN
        RAISE EXCEPTION 'line % of order %: % cannot be shipped', NEW.line_number, shipment.order_id, NEW.quantity
            USING ERRCODE = 'RM057',
                  DETAIL = CASE WHEN ordered IS NULL THEN 'The order has no such line.' ELSE format('Ordered and not returned: %s; in other shipments: %s.', ordered, elsewhere) END;
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION crm.keep_shipment_line() FROM PUBLIC;
COMMENT ON FUNCTION crm.keep_shipment_line() IS 'Trigger BEFORE INSERT, UPDATE and DELETE FOR EACH ROW on crm.shipment_line. Errors: RM051 the shipment has left; RM057 more than was ordered.';

-- The receipts and the contacts side by side; those that somebody has already are left out.
CREATE FUNCTION crm.book_receipts(fiscal_ids text[], contact_ids bigint[], as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids text[];
    buyers bigint[];
    orders bigint[];
BEGIN
    SELECT array_agg(t.fiscal_id), array_agg(t.contact_id), array_agg(nextval('crm.sales_order_id_seq')) INTO ids, buyers, orders
    FROM (SELECT r.fiscal_id, u.contact_id FROM unnest(fiscal_ids, contact_ids) AS u (fiscal_id, contact_id) JOIN crm.receipt r ON r.fiscal_id = u.fiscal_id
          WHERE r.contact_id IS NULL AND u.contact_id IS NOT NULL ORDER BY r.fiscal_id FOR UPDATE OF r) t;
    IF ids IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO crm.sales_order (contact_id, id, number, status, ordered_at, amount, currency, source, external_system, external_id)
    SELECT u.contact_id, u.order_id, r.fiscal_id, 'completed', r.issued_at, r.amount, r.currency, r.store, 'receipt', r.fiscal_id
    FROM unnest(ids, buyers, orders) AS u (fiscal_id, contact_id, order_id) JOIN crm.receipt r ON r.fiscal_id = u.fiscal_id ORDER BY u.contact_id;
    WITH line AS (
        SELECT u.contact_id, u.order_id, l.line_number, l.product_id, coalesce(l.description, p.name) AS description, l.quantity,
               coalesce(l.unit_price, crm.product_price(l.product_id, r.issued_at, r.currency), 0) AS unit_price, r.currency, c.digits, l.discount_percent,
               coalesce(l.tax_rate, p.tax_rate, 0) AS tax_rate, coalesce(l.tax_included, true) AS tax_included,
               coalesce(l.unit_cost, crm.convert_amount(p.cost, p.currency, r.currency, r.issued_at, 4)) AS unit_cost, r.amount
        FROM unnest(ids, buyers, orders) AS u (fiscal_id, contact_id, order_id) JOIN crm.receipt r ON r.fiscal_id = u.fiscal_id
        JOIN crm.currency c ON c.code = r.currency
        CROSS JOIN LATERAL crm.document_lines(r.lines, false) l LEFT JOIN crm.product p ON p.id = l.product_id
    ), total AS (
        SELECT n.contact_id, n.order_id, n.currency, n.digits, max(n.line_number) AS last_line,
               n.amount - sum(n.price + CASE WHEN n.tax_included THEN 0 ELSE round(n.price * n.tax_rate / 100, n.digits) END) AS difference
        FROM (SELECT l.*, round(l.quantity * l.unit_price * (1 - l.discount_percent / 100), l.digits) AS price FROM line l) n
        GROUP BY n.contact_id, n.order_id, n.currency, n.digits, n.amount
    )
    INSERT INTO crm.order_line (contact_id, order_id, line_number, product_id, description, quantity, unit_price, currency, digits, discount_percent, tax_rate, tax_included, unit_cost)
    SELECT l.contact_id, l.order_id, l.line_number, l.product_id, l.description, l.quantity, l.unit_price, l.currency, l.digits, l.discount_percent, l.tax_rate, l.tax_included, l.unit_cost
    FROM line l
    UNION ALL
    SELECT t.contact_id, t.order_id, t.last_line + 1, NULL, 'Rounding and discounts of the receipt', 1, t.difference, t.currency, t.digits, 0, 0, true, 0
    FROM total t WHERE t.difference <> 0;
    INSERT INTO crm.payment (contact_id, order_id, amount, currency, method, status, paid_at)
    SELECT u.contact_id, u.order_id, r.amount, r.currency, 'till', 'paid', r.issued_at
    FROM unnest(ids, buyers, orders) AS u (fiscal_id, contact_id, order_id) JOIN crm.receipt r ON r.fiscal_id = u.fiscal_id WHERE r.amount > 0;
    UPDATE crm.receipt r SET contact_id = u.contact_id, order_id = u.order_id, claimed_at = as_of
    FROM unnest(ids, buyers, orders) AS u (fiscal_id, contact_id, order_id) WHERE r.fiscal_id = u.fiscal_id;
    RETURN cardinality(ids);
END
$$;
REVOKE ALL ON FUNCTION crm.book_receipts(text[], bigint[], timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION crm.book_receipts(text[], bigint[], timestamptz) IS 'Makes orders with lines and payments of receipts and gives them to the contacts beside them, of those that nobody has; gives how many. What the lines miss of the amount of the receipt is a line of its own. Called by crm.ingest_receipt(), crm.claim_receipt() and crm.claim_receipts().';

CREATE FUNCTION crm.receipt_owners(cards text[], phone_keys text[], OUT contact_id bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
    -- A card is one person's; a phone number says who when one only has it.
    SELECT coalesce((SELECT min(k.contact_id) FROM crm.contact_key k WHERE k.kind IN ('identity', 'card') AND k.key IN ('card:' || u.card, CASE k.kind WHEN 'card' THEN u.card END)),
                    (SELECT min(k.contact_id) FROM crm.contact_key k WHERE k.kind = 'phone' AND k.key = u.phone_key HAVING count(*) = 1))
    FROM unnest(cards, phone_keys) WITH ORDINALITY AS u (card, phone_key, n) ORDER BY u.n
$$;
REVOKE ALL ON FUNCTION crm.receipt_owners(text[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.receipt_owners(text[], text[]) IS 'Whose a card is, otherwise whose a phone number is that one contact only has; null when nobody''s. One row for each pair.';

CREATE FUNCTION crm.receipts_added() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids text[];
    cards text[];
    phones text[];
BEGIN
    PERFORM FROM new_rows n, crm.document_lines(n.lines, false);        -- whether they can be read
    INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason, reference, at)
    SELECT l.product_id, n.store, -sum(l.quantity), 'sale', 'receipt:' || n.fiscal_id, n.issued_at
    FROM new_rows n JOIN crm.warehouse w ON w.name = n.store
    CROSS JOIN LATERAL crm.document_lines(n.lines, false) l JOIN crm.product p ON p.id = l.product_id AND p.kind = 'good'
    GROUP BY n.fiscal_id, n.store, n.issued_at, l.product_id ORDER BY n.fiscal_id, l.product_id;
    SELECT array_agg(n.fiscal_id ORDER BY n.fiscal_id), array_agg(n.card ORDER BY n.fiscal_id), array_agg(n.phone_key ORDER BY n.fiscal_id) INTO ids, cards, phones
    FROM new_rows n WHERE n.contact_id IS NULL AND (n.card IS NOT NULL OR n.phone_key IS NOT NULL);
    IF ids IS NOT NULL THEN
        PERFORM crm.book_receipts(ids, ARRAY(SELECT o.contact_id FROM crm.receipt_owners(cards, phones) o));
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.receipts_added() FROM PUBLIC;
COMMENT ON FUNCTION crm.receipts_added() IS 'Trigger AFTER INSERT FOR EACH STATEMENT on crm.receipt: takes the goods out of the stock of the warehouse that has the name of the store, and gives the receipts to those whose card or phone number is known.';

CREATE TRIGGER balance AFTER INSERT ON crm.stock_move REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.stock_moved();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.stock_move FOR EACH ROW EXECUTE FUNCTION crm.refuse_log_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.stock_move FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_log_change();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON crm.shipment FOR EACH ROW WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.keep_shipment();
CREATE TRIGGER guard_status BEFORE UPDATE ON crm.shipment FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION crm.status_guard();
CREATE TRIGGER stock_update AFTER UPDATE ON crm.shipment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.shipments_changed();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.shipment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.shipment REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE OR DELETE ON crm.shipment_line FOR EACH ROW WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.keep_shipment_line();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON crm.receipt FOR EACH ROW WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.keep_receipt();
CREATE TRIGGER booked AFTER INSERT ON crm.receipt REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.receipts_added();
INSERT INTO crm.job (name, function, every) VALUES ('shipments', 'tell_late_shipments', '15 minutes');
