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
    reference text CHECK (reference <> ''), -- What made it, once for each product and warehouse: such as shipment:17; null for a person, and for a return that was entered wrongly.
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

CREATE SEQUENCE crm.order_return_id_seq;

CREATE TABLE crm.order_return (
    contact_id bigint NOT NULL, -- The person who ordered.
    id bigint NOT NULL DEFAULT nextval('crm.order_return_id_seq'), -- Number of the return.
    order_id bigint NOT NULL, -- The order.
    line_number integer NOT NULL, -- The line of it.
    quantity numeric NOT NULL CHECK (quantity > 0 AND quantity < 'Infinity'), -- How many units came back.
    returned_at timestamptz NOT NULL DEFAULT now(), -- When.
    reason text, -- Why.
    shipment_id bigint, -- The shipment with which it had left, to whose warehouse it comes back; null for none.
    external_system text CHECK (external_system <> ''), -- The other system that knows it; null for none.
    external_id text CHECK (external_id <> ''), -- Number of the credit note there.
    created_by text NOT NULL DEFAULT session_user, -- Role of the session that entered it.
    PRIMARY KEY (contact_id, id),
    UNIQUE (contact_id, external_system, external_id, order_id, line_number),
    FOREIGN KEY (contact_id, order_id, line_number) REFERENCES crm.order_line (contact_id, order_id, line_number) ON DELETE CASCADE,
    FOREIGN KEY (contact_id, shipment_id, line_number) REFERENCES crm.shipment_line (contact_id, shipment_id, line_number),
    CHECK ((external_system IS NULL) = (external_id IS NULL))
);
COMMENT ON TABLE crm.order_return IS 'What came back of which line, and when: a row adds to returned_quantity of the line, in the statement that writes it, and to the stock of the warehouse of its shipment; one that is removed takes that back. A shipment that comes back writes them of what it still has.';
CREATE INDEX order_return_line ON crm.order_return (contact_id, order_id, line_number);
CREATE INDEX order_return_shipment ON crm.order_return (contact_id, shipment_id, line_number) WHERE shipment_id IS NOT NULL;

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

CREATE FUNCTION crm.follow_shipments(contact_ids bigint[], order_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
BEGIN
    UPDATE crm.sales_order s
    SET status = CASE WHEN f.status = 'completed' AND s.status IN ('placed', 'paid', 'shipped') OR f.status = 'shipped' AND s.status IN ('placed', 'paid')
                      THEN f.status ELSE s.status END
    FROM (SELECT u.contact_id, u.id,
                 CASE WHEN NOT parts.are_gone OR NOT coalesce(goods.are_gone, NOT parts.are_waiting) THEN NULL
                      WHEN coalesce(goods.are_delivered, parts.are_delivered) THEN 'completed' ELSE 'shipped' END AS status
          FROM (SELECT DISTINCT t.contact_id, t.id FROM unnest(contact_ids, order_ids) AS t (contact_id, id)) u
          CROSS JOIN LATERAL (
              SELECT bool_or(h.status IN ('planned', 'packed')) AS are_waiting, bool_or(h.status IN ('shipped', 'delivered', 'lost')) AS are_gone,
                     bool_and(h.status IN ('delivered', 'returned')) AS are_delivered
              FROM crm.shipment h WHERE h.contact_id = u.contact_id AND h.order_id = u.id HAVING count(*) > 0) parts
          CROSS JOIN LATERAL (
              SELECT bool_and(g.under_way + g.delivered + g.lost >= g.kept) AS are_gone, bool_and(g.delivered >= g.kept) AS are_delivered
              FROM crm.order_goods(u.contact_id, u.id) g WHERE g.is_expected) goods) f
    WHERE s.contact_id = f.contact_id AND s.id = f.id;
END
$$;
REVOKE ALL ON FUNCTION crm.follow_shipments(bigint[], bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.follow_shipments(bigint[], bigint[]) IS 'Internal: gives orders, which the caller has locked, the status shipped or completed when all of their goods have left or were delivered, and writes them in any case. Orders without shipments stay as they are.';

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
    -- The lines of what comes back, then the orders, then the stock.
    PERFORM FROM new_rows n JOIN old_rows o ON o.contact_id = n.contact_id AND o.id = n.id
    JOIN crm.shipment_line h ON h.contact_id = n.contact_id AND h.shipment_id = n.id
    JOIN crm.order_line l ON l.contact_id = n.contact_id AND l.order_id = n.order_id AND l.line_number = h.line_number
    WHERE n.status = 'returned' AND o.status <> 'returned'
    ORDER BY l.contact_id, l.order_id, l.line_number FOR NO KEY UPDATE OF l;
    PERFORM FROM unnest(contact_ids, order_ids) AS t (contact_id, id) JOIN crm.sales_order s ON s.contact_id = t.contact_id AND s.id = t.id
    ORDER BY s.contact_id, s.id FOR NO KEY UPDATE OF s;
    -- As much comes back as has not come back already.
    INSERT INTO crm.order_return (contact_id, order_id, line_number, quantity, returned_at, shipment_id)
    SELECT n.contact_id, n.order_id, h.line_number, least(h.quantity - coalesce(r.quantity, 0), l.quantity - l.returned_quantity), n.updated_at, n.id
    FROM new_rows n JOIN old_rows o ON o.contact_id = n.contact_id AND o.id = n.id
    JOIN crm.shipment_line h ON h.contact_id = n.contact_id AND h.shipment_id = n.id
    JOIN crm.order_line l ON l.contact_id = n.contact_id AND l.order_id = n.order_id AND l.line_number = h.line_number
    CROSS JOIN LATERAL (SELECT sum(r.quantity) AS quantity FROM crm.order_return r
                        WHERE r.contact_id = n.contact_id AND r.shipment_id = n.id AND r.line_number = h.line_number) r
    WHERE n.status = 'returned' AND o.status <> 'returned' AND least(h.quantity - coalesce(r.quantity, 0), l.quantity - l.returned_quantity) > 0
    ORDER BY n.contact_id, n.id, h.line_number;
    -- What left the warehouse.
    INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason, reference, at)
    SELECT l.product_id, n.warehouse, -sum(h.quantity), 'shipment', 'shipment:' || n.id, n.shipped_at
    FROM new_rows n JOIN old_rows o ON o.contact_id = n.contact_id AND o.id = n.id
    JOIN crm.shipment_line h ON h.contact_id = n.contact_id AND h.shipment_id = n.id
    JOIN crm.order_line l ON l.contact_id = n.contact_id AND l.order_id = n.order_id AND l.line_number = h.line_number
    JOIN crm.product p ON p.id = l.product_id AND p.kind = 'good'
    WHERE n.warehouse IS NOT NULL AND n.status IN ('shipped', 'delivered', 'lost') AND o.status IN ('planned', 'packed')
    GROUP BY n.id, n.warehouse, n.shipped_at, l.product_id ORDER BY n.id, l.product_id;
    PERFORM crm.follow_shipments(contact_ids, order_ids);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.shipments_changed() FROM PUBLIC;
COMMENT ON FUNCTION crm.shipments_changed() IS 'Trigger AFTER UPDATE FOR EACH STATEMENT on crm.shipment: moves stock when a shipment leaves, writes crm.order_return when it comes back, and gives the order the status shipped or completed when all of its goods are.';

CREATE FUNCTION crm.shipment_lines_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    contact_ids bigint[];
    shipment_ids bigint[];
    line_numbers integer[];
    quantities numeric[];       -- null for lines that are gone
    wrong record;
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        SELECT array_agg(n.contact_id), array_agg(n.shipment_id), array_agg(n.line_number), array_agg(n.quantity)
        INTO contact_ids, shipment_ids, line_numbers, quantities FROM new_rows n;
    WHEN 'UPDATE' THEN
        SELECT array_agg(r.contact_id), array_agg(r.shipment_id), array_agg(r.line_number), array_agg(r.quantity)
        INTO contact_ids, shipment_ids, line_numbers, quantities
        FROM (SELECT n.contact_id, n.shipment_id, n.line_number, n.quantity FROM new_rows n
              UNION ALL SELECT o.contact_id, o.shipment_id, o.line_number, NULL FROM old_rows o) r;
    WHEN 'DELETE' THEN
        SELECT array_agg(o.contact_id), array_agg(o.shipment_id), array_agg(o.line_number), array_agg(NULL::numeric)
        INTO contact_ids, shipment_ids, line_numbers, quantities FROM old_rows o;
    END CASE;
    -- Nobody sends it meanwhile, and one after the other ships of an order.
    PERFORM FROM (SELECT DISTINCT t.contact_id, t.id FROM unnest(contact_ids, shipment_ids) AS t (contact_id, id)) t
    JOIN crm.shipment h ON h.contact_id = t.contact_id AND h.id = t.id ORDER BY h.contact_id, h.id FOR NO KEY UPDATE OF h;
    SELECT h.id, h.status INTO wrong FROM unnest(contact_ids, shipment_ids) AS t (contact_id, id)
    JOIN crm.shipment h ON h.contact_id = t.contact_id AND h.id = t.id
    WHERE h.status NOT IN ('planned', 'packed') ORDER BY h.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'shipment % has left', wrong.id
            USING ERRCODE = 'RM051', DETAIL = format('It is "%s".', wrong.status), HINT = 'What came back of it is a row of crm.order_return.';
    END IF;
    UPDATE crm.shipment h SET updated_at = now()
    FROM (SELECT DISTINCT t.contact_id, t.id FROM unnest(contact_ids, shipment_ids) AS t (contact_id, id)) t WHERE h.contact_id = t.contact_id AND h.id = t.id;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    PERFORM FROM (SELECT DISTINCT h.contact_id, h.order_id FROM unnest(contact_ids, shipment_ids) AS t (contact_id, id)
                  JOIN crm.shipment h ON h.contact_id = t.contact_id AND h.id = t.id) t
    JOIN crm.sales_order s ON s.contact_id = t.contact_id AND s.id = t.order_id ORDER BY s.contact_id, s.id FOR NO KEY UPDATE OF s;
    UPDATE crm.sales_order s SET updated_at = now()
    FROM (SELECT DISTINCT h.contact_id, h.order_id FROM unnest(contact_ids, shipment_ids) AS t (contact_id, id)
          JOIN crm.shipment h ON h.contact_id = t.contact_id AND h.id = t.id) t
    WHERE s.contact_id = t.contact_id AND s.id = t.order_id;
    SELECT t.order_id, t.line_number, t.quantity, l.quantity - l.returned_quantity AS kept, l.returned_quantity, p.quantity - t.quantity AS elsewhere INTO wrong
    FROM (SELECT h.contact_id, h.order_id, u.line_number, sum(u.quantity) AS quantity
          FROM unnest(contact_ids, shipment_ids, line_numbers, quantities) AS u (contact_id, shipment_id, line_number, quantity)
          JOIN crm.shipment h ON h.contact_id = u.contact_id AND h.id = u.shipment_id
          WHERE u.quantity IS NOT NULL GROUP BY h.contact_id, h.order_id, u.line_number) t
    LEFT JOIN crm.order_line l ON l.contact_id = t.contact_id AND l.order_id = t.order_id AND l.line_number = t.line_number
    CROSS JOIN LATERAL (
        SELECT sum(x.quantity - coalesce((SELECT sum(r.quantity) FROM crm.order_return r
                                          WHERE r.contact_id = x.contact_id AND r.shipment_id = x.shipment_id AND r.line_number = x.line_number), 0)) AS quantity
        FROM crm.shipment h JOIN crm.shipment_line x ON x.contact_id = h.contact_id AND x.shipment_id = h.id
        WHERE h.contact_id = t.contact_id AND h.order_id = t.order_id AND x.line_number = t.line_number AND h.status NOT IN ('returned', 'lost')) p
    WHERE l.quantity IS NULL OR p.quantity > l.quantity - l.returned_quantity
    ORDER BY t.order_id, t.line_number LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'line % of order %: % cannot be shipped', wrong.line_number, wrong.order_id, wrong.quantity
            USING ERRCODE = 'RM057',
                  DETAIL = CASE WHEN wrong.kept IS NULL THEN 'The order has no such line.' ELSE format('Ordered and not returned: %s; in other shipments: %s.', wrong.kept, wrong.elsewhere) END,
                  HINT = CASE WHEN wrong.returned_quantity > 0 THEN 'What came back of a shipment makes no room in others unless its row of crm.order_return names the shipment.' ELSE '' END;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.shipment_lines_changed() FROM PUBLIC;
COMMENT ON FUNCTION crm.shipment_lines_changed() IS 'Trigger AFTER INSERT, UPDATE and DELETE FOR EACH STATEMENT on crm.shipment_line: lines change only before the shipment leaves, and never more is shipped than was ordered. Errors: RM051 the shipment has left; RM057 more than was ordered.';

CREATE FUNCTION crm.order_returns_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
DECLARE
    contact_ids bigint[];
    order_ids bigint[];
    line_numbers integer[];
    changes numeric[];
    wrong record;
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        SELECT array_agg(d.contact_id), array_agg(d.order_id), array_agg(d.line_number), array_agg(d.quantity) INTO contact_ids, order_ids, line_numbers, changes
        FROM (SELECT n.contact_id, n.order_id, n.line_number, sum(n.quantity) AS quantity FROM new_rows n GROUP BY n.contact_id, n.order_id, n.line_number) d;
    WHEN 'UPDATE' THEN
        SELECT array_agg(d.contact_id), array_agg(d.order_id), array_agg(d.line_number), array_agg(d.quantity) INTO contact_ids, order_ids, line_numbers, changes
        FROM (SELECT u.contact_id, u.order_id, u.line_number, sum(u.quantity) AS quantity
              FROM (SELECT n.contact_id, n.order_id, n.line_number, n.quantity FROM new_rows n
                    UNION ALL SELECT o.contact_id, o.order_id, o.line_number, -o.quantity FROM old_rows o) u
              GROUP BY u.contact_id, u.order_id, u.line_number HAVING sum(u.quantity) <> 0) d;
    WHEN 'DELETE' THEN
        SELECT array_agg(d.contact_id), array_agg(d.order_id), array_agg(d.line_number), array_agg(d.quantity) INTO contact_ids, order_ids, line_numbers, changes
        FROM (SELECT o.contact_id, o.order_id, o.line_number, -sum(o.quantity) AS quantity FROM old_rows o GROUP BY o.contact_id, o.order_id, o.line_number) d;
    END CASE;
    PERFORM FROM unnest(contact_ids, order_ids, line_numbers) AS t (contact_id, order_id, line_number)
    JOIN crm.order_line l ON l.contact_id = t.contact_id AND l.order_id = t.order_id AND l.line_number = t.line_number
    ORDER BY l.contact_id, l.order_id, l.line_number FOR NO KEY UPDATE OF l;
    SELECT l.order_id, l.line_number, l.quantity, l.returned_quantity, t.change INTO wrong
    FROM unnest(contact_ids, order_ids, line_numbers, changes) AS t (contact_id, order_id, line_number, change)
    JOIN crm.order_line l ON l.contact_id = t.contact_id AND l.order_id = t.order_id AND l.line_number = t.line_number
    WHERE l.returned_quantity + t.change > l.quantity ORDER BY l.order_id, l.line_number LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'line % of order %: % cannot come back', wrong.line_number, wrong.order_id, wrong.change
            USING ERRCODE = 'check_violation', DETAIL = format('Ordered: %s; came back before: %s.', wrong.quantity, wrong.returned_quantity);
    END IF;
    UPDATE crm.order_line l SET returned_quantity = greatest(l.returned_quantity + t.change, 0)
    FROM unnest(contact_ids, order_ids, line_numbers, changes) AS t (contact_id, order_id, line_number, change)
    WHERE l.contact_id = t.contact_id AND l.order_id = t.order_id AND l.line_number = t.line_number;
    -- What had left with a shipment comes back to its warehouse.
    IF TG_OP <> 'DELETE' THEN
        SELECT n.shipment_id, n.line_number, n.order_id, h.order_id AS other_order, h.status, x.quantity, r.quantity AS returned INTO wrong
        FROM new_rows n
        JOIN crm.shipment h ON h.contact_id = n.contact_id AND h.id = n.shipment_id
        JOIN crm.shipment_line x ON x.contact_id = n.contact_id AND x.shipment_id = n.shipment_id AND x.line_number = n.line_number
        CROSS JOIN LATERAL (SELECT sum(r.quantity) AS quantity FROM crm.order_return r
                            WHERE r.contact_id = n.contact_id AND r.shipment_id = n.shipment_id AND r.line_number = n.line_number) r
        WHERE n.shipment_id IS NOT NULL AND (h.order_id <> n.order_id OR h.status IN ('planned', 'packed') OR r.quantity > x.quantity)
        ORDER BY n.shipment_id, n.line_number LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'shipment % cannot give so much of line % of order % back', wrong.shipment_id, wrong.line_number, wrong.order_id
                USING ERRCODE = 'RM057',
                      DETAIL = CASE WHEN wrong.other_order <> wrong.order_id THEN format('It is of order %s.', wrong.other_order)
                                    WHEN wrong.status IN ('planned', 'packed') THEN format('It is "%s".', wrong.status)
                                    ELSE format('It had %s of it; %s would have come back.', wrong.quantity, wrong.returned) END;
        END IF;
    END IF;
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason, reference, at)
        SELECT l.product_id, h.warehouse, n.quantity, 'return', 'return:' || n.id, n.returned_at
        FROM new_rows n
        JOIN crm.shipment h ON h.contact_id = n.contact_id AND h.id = n.shipment_id AND h.warehouse IS NOT NULL
        JOIN crm.order_line l ON l.contact_id = n.contact_id AND l.order_id = n.order_id AND l.line_number = n.line_number
        JOIN crm.product p ON p.id = l.product_id AND p.kind = 'good'
        WHERE n.shipment_id IS NOT NULL ORDER BY l.product_id, h.warehouse, n.id;
    WHEN 'UPDATE' THEN
        INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason)
        SELECT l.product_id, h.warehouse, sum(u.quantity), 'correction'
        FROM (SELECT n.contact_id, n.order_id, n.line_number, n.shipment_id, n.quantity FROM new_rows n
              UNION ALL SELECT o.contact_id, o.order_id, o.line_number, o.shipment_id, -o.quantity FROM old_rows o) u
        JOIN crm.shipment h ON h.contact_id = u.contact_id AND h.id = u.shipment_id AND h.warehouse IS NOT NULL
        JOIN crm.order_line l ON l.contact_id = u.contact_id AND l.order_id = u.order_id AND l.line_number = u.line_number
        JOIN crm.product p ON p.id = l.product_id AND p.kind = 'good'
        GROUP BY l.product_id, h.warehouse HAVING sum(u.quantity) <> 0 ORDER BY l.product_id, h.warehouse;
    WHEN 'DELETE' THEN
        INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason)
        SELECT l.product_id, h.warehouse, -sum(o.quantity), 'correction'
        FROM old_rows o
        JOIN crm.shipment h ON h.contact_id = o.contact_id AND h.id = o.shipment_id AND h.warehouse IS NOT NULL
        JOIN crm.order_line l ON l.contact_id = o.contact_id AND l.order_id = o.order_id AND l.line_number = o.line_number
        JOIN crm.product p ON p.id = l.product_id AND p.kind = 'good'
        GROUP BY l.product_id, h.warehouse ORDER BY l.product_id, h.warehouse;
    END CASE;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.order_returns_changed() FROM PUBLIC;
COMMENT ON FUNCTION crm.order_returns_changed() IS 'Trigger AFTER INSERT, UPDATE and DELETE FOR EACH STATEMENT on crm.order_return: counts it in returned_quantity of the line and in the stock of the warehouse of its shipment. Errors: 23514 more comes back than was ordered; RM057 more than left with the shipment.';

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
        -- What came back at the till is a deduction, of no product and without cost.
        SELECT u.contact_id, u.order_id, l.line_number, CASE WHEN l.quantity > 0 THEN l.product_id END AS product_id,
               CASE WHEN l.quantity < 0 THEN concat_ws(': ', 'Return', coalesce(l.description, p.name)) ELSE coalesce(l.description, p.name) END AS description,
               abs(l.quantity) AS quantity, sign(l.quantity) * coalesce(l.unit_price, crm.product_price(l.product_id, r.issued_at, r.currency), 0) AS unit_price,
               r.currency, c.digits, l.discount_percent,
               coalesce(l.tax_rate, p.tax_rate, 0) AS tax_rate, coalesce(l.tax_included, true) AS tax_included,
               CASE WHEN l.quantity > 0 THEN coalesce(l.unit_cost, crm.convert_amount(p.cost, p.currency, r.currency, r.issued_at, 4)) END AS unit_cost, r.amount
        FROM unnest(ids, buyers, orders) AS u (fiscal_id, contact_id, order_id) JOIN crm.receipt r ON r.fiscal_id = u.fiscal_id
        JOIN crm.currency c ON c.code = r.currency
        CROSS JOIN LATERAL crm.document_lines(r.lines, false) l LEFT JOIN crm.product p ON p.id = l.product_id
        WHERE l.quantity <> 0
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
    SELECT coalesce((SELECT min(k.contact_id) FROM crm.contact_key k WHERE k.kind = 'identity' AND k.key = 'card:' || u.card),
                    (SELECT min(k.contact_id) FROM crm.contact_key k WHERE k.kind = 'card' AND k.key = u.card),
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
    wrong record;
BEGIN
    -- Whether they can be read, and be lines of an order one day.
    SELECT n.fiscal_id, l.line_number INTO wrong FROM new_rows n CROSS JOIN LATERAL crm.document_lines(n.lines, false) l
    WHERE NOT (l.quantity > '-Infinity' AND l.quantity < 'Infinity' AND coalesce(l.unit_price > '-Infinity' AND l.unit_price < 'Infinity', true)
               AND l.discount_percent BETWEEN 0 AND 100 AND coalesce(l.tax_rate >= 0 AND l.tax_rate < 1000, true) AND coalesce(l.unit_cost >= 0 AND l.unit_cost < 'Infinity', true))
    ORDER BY n.fiscal_id, l.line_number LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'line % of receipt "%" has a number out of range', wrong.line_number, wrong.fiscal_id
            USING ERRCODE = 'invalid_parameter_value', HINT = 'discount_percent is from 0 to 100, tax_rate from 0 to below 1000, unit_cost not below 0.';
    END IF;
    SELECT array_agg(n.fiscal_id ORDER BY n.fiscal_id), array_agg(n.card ORDER BY n.fiscal_id), array_agg(n.phone_key ORDER BY n.fiscal_id) INTO ids, cards, phones
    FROM new_rows n WHERE n.contact_id IS NULL AND (n.card IS NOT NULL OR n.phone_key IS NOT NULL);
    IF ids IS NOT NULL THEN
        PERFORM crm.book_receipts(ids, ARRAY(SELECT o.contact_id FROM crm.receipt_owners(cards, phones) o));
    END IF;
    -- Stock last, as everywhere: after orders and the metrics of their contacts.
    INSERT INTO crm.stock_move (product_id, warehouse, quantity, reason, reference, at)
    SELECT l.product_id, n.store, -sum(l.quantity), CASE WHEN sum(l.quantity) > 0 THEN 'sale' ELSE 'return' END, 'receipt:' || n.fiscal_id, n.issued_at
    FROM new_rows n JOIN crm.warehouse w ON w.name = n.store
    CROSS JOIN LATERAL crm.document_lines(n.lines, false) l JOIN crm.product p ON p.id = l.product_id AND p.kind = 'good'
    GROUP BY n.fiscal_id, n.store, n.issued_at, l.product_id HAVING sum(l.quantity) <> 0 ORDER BY n.fiscal_id, l.product_id;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.receipts_added() FROM PUBLIC;
COMMENT ON FUNCTION crm.receipts_added() IS 'Trigger AFTER INSERT FOR EACH STATEMENT on crm.receipt: takes the goods out of the stock of the warehouse that has the name of the store, and gives the receipts to those whose card or phone number is known. Errors: 22023 malformed lines.';

CREATE TRIGGER balance AFTER INSERT ON crm.stock_move REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.stock_moved();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.stock_move FOR EACH ROW EXECUTE FUNCTION crm.refuse_log_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.stock_move FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_log_change();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE OR DELETE ON crm.shipment FOR EACH ROW WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.keep_shipment();
CREATE TRIGGER guard_status BEFORE UPDATE ON crm.shipment FOR EACH ROW
    WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION crm.status_guard();
CREATE TRIGGER stock_update AFTER UPDATE ON crm.shipment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.shipments_changed();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.shipment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.shipment REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER lines_insert AFTER INSERT ON crm.shipment_line REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.shipment_lines_changed();
CREATE TRIGGER lines_update AFTER UPDATE ON crm.shipment_line REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.shipment_lines_changed();
CREATE TRIGGER lines_delete AFTER DELETE ON crm.shipment_line REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.shipment_lines_changed();
CREATE TRIGGER line_insert AFTER INSERT ON crm.order_return REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.order_returns_changed();
CREATE TRIGGER line_update AFTER UPDATE ON crm.order_return REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.order_returns_changed();
CREATE TRIGGER line_delete AFTER DELETE ON crm.order_return REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.order_returns_changed();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON crm.receipt FOR EACH ROW WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.keep_receipt();
CREATE TRIGGER booked AFTER INSERT ON crm.receipt REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.receipts_added();
INSERT INTO crm.job (name, function, every) VALUES ('shipments', 'tell_late_shipments', '15 minutes');
