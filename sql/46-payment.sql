/* ------------------------------------------------------------------
 * Payments and what payment systems tell of them; shipments; receipts.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.refuse_log_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'rows of crm.% cannot be changed or removed', TG_TABLE_NAME
        USING ERRCODE = 'RM020',
              HINT = format('Add another row. To shorten the log all the same, the owner of the table disables its trigger: ALTER TABLE crm.%I DISABLE TRIGGER append_only.', TG_TABLE_NAME);
END
$$;
COMMENT ON FUNCTION crm.refuse_log_change() IS 'Trigger: keeps a log append-only. Raises RM020.';

CREATE FUNCTION crm.payment_status_rank(status text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_position('{pending,authorized,failed,cancelled,paid,partially_refunded,refunded}', status)
$$;
COMMENT ON FUNCTION crm.payment_status_rank(text) IS 'The place of a status of a payment in its life: of two messages of one moment the one with the higher counts.';

CREATE FUNCTION crm.order_received(contact_id bigint, order_id bigint, currency text, exchange_rate numeric) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(CASE WHEN p.currency = $3 THEN p.amount - p.refunded_amount
                    ELSE round((p.amount - p.refunded_amount) * p.exchange_rate / $4, (SELECT c.digits FROM crm.currency c WHERE c.code = $3)) END)
    FROM crm.payment p
    WHERE p.contact_id = $1 AND p.order_id = $2 AND p.status IN ('paid', 'partially_refunded', 'refunded')
$$;
COMMENT ON FUNCTION crm.order_received(bigint, bigint, text, numeric) IS 'What came for an order less what was given back, in the currency of the order, whose exchange rate is given; null when nothing came.';

CREATE FUNCTION crm.record_payment_status(provider text, provider_payment_id text, status text, event_at timestamptz, event_id text DEFAULT NULL,
    payload jsonb DEFAULT NULL, sequence bigint DEFAULT 0, refunded_amount numeric DEFAULT NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    message_id text := coalesce(event_id, md5(concat_ws('|', $2, $3, extract(epoch FROM $4), $7, $8)));
    known record;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.payment_event (provider, event_id, provider_payment_id, status, event_at, sequence, refunded_amount, payload)
    VALUES ($1, message_id, $2, $3, $4, coalesce($7, 0), $8, $6)
    ON CONFLICT ON CONSTRAINT payment_event_pkey DO NOTHING;
    IF NOT FOUND THEN
        SELECT e.provider_payment_id, e.status INTO known FROM crm.payment_event e WHERE e.provider = $1 AND e.event_id = message_id;
        IF (known.provider_payment_id, known.status) IS DISTINCT FROM ($2, $3) THEN
            RAISE EXCEPTION 'message "%" of "%" said something else before', message_id, $1
                USING ERRCODE = 'RM053', DETAIL = format('It said that payment "%s" is "%s".', known.provider_payment_id, known.status),
                      HINT = 'event_id is the number of the message, not of the payment; leave it out if there is none.';
        END IF;
    END IF;
    RETURN (SELECT e.status FROM crm.payment_event e WHERE e.provider = $1 AND e.provider_payment_id = $2
            ORDER BY coalesce(e.event_at, '-infinity') DESC, e.sequence DESC, crm.payment_status_rank(e.status) DESC, e.event_id DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION crm.record_payment_status(text, text, text, timestamptz, text, jsonb, bigint, numeric) IS 'Takes a message of a payment system (a callback): payment so-and-so had this status at event_at by its clock; null when it does not say. May come repeatedly, in any order, from several sessions at once, and before the payment is known here: the payment has the status of the latest message by event_at, sequence, place of the status, event_id. Without event_id, the number of the message, equal messages are one. refunded_amount is all that was given back by then. Gives the status that the payment has by what was told. Errors: RM053 the message said something else before; 23514 an unknown status, partially_refunded without refunded_amount.';

CREATE FUNCTION crm.create_payment(payment jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields jsonb := payment;
    columns text[];
    unknown text;
    balance record;
    new_payment_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_readable('crm.payment', fields);
    PERFORM crm.require_known((fields ->> 'contact_id')::bigint, deal_id => (fields ->> 'deal_id')::bigint);
    IF fields ->> 'order_id' IS NOT NULL THEN
        SELECT b.open_amount, b.currency INTO balance FROM crm.v_order_balance b
        WHERE b.contact_id = (fields ->> 'contact_id')::bigint AND b.order_id = (fields ->> 'order_id')::bigint;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'contact % has no order %', fields ->> 'contact_id', fields ->> 'order_id' USING ERRCODE = 'RM004';
        ELSIF fields ->> 'amount' IS NULL THEN
            IF balance.open_amount IS NULL OR balance.open_amount <= 0 THEN
                RAISE EXCEPTION 'nothing is open of order %', fields ->> 'order_id' USING ERRCODE = 'RM003', HINT = 'Give amount and currency.';
            END IF;
            fields := fields || jsonb_build_object('amount', balance.open_amount, 'currency', balance.currency);
        END IF;
    END IF;
    SELECT array_agg(k) FILTER (WHERE a.attname IS NOT NULL), string_agg(k, ', ') FILTER (WHERE a.attname IS NULL)
    INTO columns, unknown
    FROM jsonb_object_keys(fields) k
    LEFT JOIN pg_attribute a ON a.attrelid = 'crm.payment'::regclass AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped
                            AND a.attname <> ALL ('{id,updated_at}');
    IF unknown IS NOT NULL OR columns IS NULL THEN
        RAISE EXCEPTION 'unknown field of a payment: %', coalesce(unknown, 'none is given')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Fields are the columns of crm.payment. Your own go into attrs.';
    END IF;
    EXECUTE format('INSERT INTO crm.payment (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::crm.payment, $1) RETURNING id',
                   (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c))
    INTO new_payment_id USING fields;
    RETURN new_payment_id;
END
$$;
COMMENT ON FUNCTION crm.create_payment(jsonb) IS 'Makes a payment from its fields, the columns of crm.payment, and gives its number: pending unless status says otherwise, which is the intent to be handed to a payment system. Of an order the amount is what is open, when not given. Errors: 22023 unknown field; 23505 another payment has the provider''s number; P0002 no such contact; RM003 nothing is open; RM004 no such order or deal.';

CREATE FUNCTION crm.overdue_orders(as_of timestamptz DEFAULT now(),
    OUT contact_id bigint, OUT order_id bigint, OUT open_amount numeric, OUT currency text, OUT overdue_since timestamptz, OUT overdue_by interval)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT b.contact_id, b.order_id, b.open_amount, b.currency, b.first_due_at, $1 - b.first_due_at
    FROM crm.v_order_balance b
    WHERE b.open_amount > 0 AND b.first_due_at < $1
    ORDER BY b.first_due_at, b.order_id
$$;
COMMENT ON FUNCTION crm.overdue_orders(timestamptz) IS 'Orders of which something is open that was due before as_of: how much, since when, for how long; the longest first.';

/* Shipments. */

CREATE FUNCTION crm.order_goods(contact_id bigint, order_id bigint,
    OUT line_number integer, OUT kept numeric, OUT planned numeric, OUT under_way numeric, OUT delivered numeric, OUT lost numeric, OUT is_expected boolean)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    WITH part AS MATERIALIZED (
        SELECT x.line_number, sum(x.quantity - coalesce(r.quantity, 0)) FILTER (WHERE h.status IN ('planned', 'packed')) AS planned,
               sum(x.quantity - coalesce(r.quantity, 0)) FILTER (WHERE h.status = 'shipped') AS under_way,
               sum(x.quantity - coalesce(r.quantity, 0)) FILTER (WHERE h.status = 'delivered') AS delivered,
               sum(x.quantity - coalesce(r.quantity, 0)) FILTER (WHERE h.status = 'lost') AS lost
        FROM crm.shipment h
        JOIN crm.shipment_line x ON x.contact_id = h.contact_id AND x.shipment_id = h.id
        CROSS JOIN LATERAL (SELECT sum(r.quantity) AS quantity FROM crm.order_return r
                            WHERE r.contact_id = x.contact_id AND r.shipment_id = x.shipment_id AND r.line_number = x.line_number) r
        WHERE h.contact_id = $1 AND h.order_id = $2 GROUP BY x.line_number
    )
    SELECT l.line_number, l.quantity - l.returned_quantity, coalesce(t.planned, 0), coalesce(t.under_way, 0), coalesce(t.delivered, 0), coalesce(t.lost, 0),
           l.product_id IS NOT NULL OR t.line_number IS NOT NULL
           OR NOT EXISTS (SELECT FROM crm.order_line o JOIN crm.product g ON g.id = o.product_id WHERE o.contact_id = $1 AND o.order_id = $2 AND g.kind = 'good')
    FROM crm.order_line l
    LEFT JOIN crm.product p ON p.id = l.product_id
    LEFT JOIN part t ON t.line_number = l.line_number
    WHERE l.contact_id = $1 AND l.order_id = $2 AND l.unit_price >= 0 AND p.kind IS DISTINCT FROM 'service'
$$;
COMMENT ON FUNCTION crm.order_goods(bigint, bigint) IS 'The lines of an order that can be shipped, neither services nor deductions: how many units were ordered and not returned, and how many are in shipments that are planned or packed, under way, delivered and lost, less what came back of them; is_expected is false for lines without a product that nobody ships, such as a fee, of an order that has others.';

CREATE FUNCTION crm.keep_shipment() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status NOT IN ('planned', 'packed') THEN
            RAISE EXCEPTION 'shipment % has left and cannot be deleted', OLD.id
                USING ERRCODE = 'RM051', DETAIL = format('It is "%s".', OLD.status), HINT = 'When it comes back, give it the status returned.';
        END IF;
        RETURN OLD;
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('planned', 'packed') THEN
            RAISE EXCEPTION 'a shipment cannot begin as "%"', NEW.status
                USING ERRCODE = 'RM050', HINT = 'Insert it as planned or packed with its lines, then change the status; shipped_at and delivered_at may be given.';
        END IF;
        RETURN NEW;
    END IF;
    NEW.updated_at := now();
    IF NEW.order_id <> OLD.order_id AND EXISTS (SELECT FROM crm.shipment_line l WHERE l.contact_id = OLD.contact_id AND l.shipment_id = OLD.id) THEN
        RAISE EXCEPTION 'shipment % has lines of order %', OLD.id, OLD.order_id
            USING ERRCODE = 'RM051', DETAIL = format('It cannot become one of order %s.', NEW.order_id), HINT = 'Make another shipment: crm.create_shipment().';
    END IF;
    IF NEW.status <> OLD.status THEN
        IF NEW.status IN ('shipped', 'delivered', 'lost') THEN
            NEW.shipped_at := coalesce(NEW.shipped_at, now());
        END IF;
        IF NEW.status = 'delivered' THEN
            NEW.delivered_at := coalesce(NEW.delivered_at, now());
        END IF;
    END IF;
    IF NEW.promised_at IS DISTINCT FROM OLD.promised_at THEN
        NEW.late_at := NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.keep_shipment() IS 'Trigger BEFORE INSERT, UPDATE and DELETE FOR EACH ROW on crm.shipment: keeps shipped_at, delivered_at, late_at, updated_at. Errors: RM050 a shipment that begins as shipped; RM051 one that has left is deleted, or one with lines gets another order.';

CREATE FUNCTION crm.create_shipment(contact_id bigint, order_id bigint, warehouse text DEFAULT NULL, promised_at timestamptz DEFAULT NULL,
    carrier text DEFAULT NULL, lines jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_shipment_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM FROM crm.sales_order o WHERE o.contact_id = $1 AND o.id = $2 FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'contact % has no order %', $1, $2 USING ERRCODE = 'RM004';
    END IF;
    IF lines IS NULL AND NOT EXISTS (SELECT FROM crm.order_goods($1, $2) g WHERE g.is_expected AND g.kept > g.planned + g.under_way + g.delivered) THEN
        RAISE EXCEPTION 'there is nothing to ship of order %', $2
            USING ERRCODE = 'RM003', DETAIL = (SELECT CASE count(*) WHEN 0 THEN 'It has no goods.' ELSE 'All its goods are in shipments, or came back.' END FROM crm.order_goods($1, $2)),
                  HINT = 'crm.order_goods() tells how much of each line is where.';
    END IF;
    INSERT INTO crm.shipment (contact_id, order_id, warehouse, promised_at, carrier) VALUES ($1, $2, $3, $4, $5) RETURNING id INTO new_shipment_id;
    IF lines IS NULL THEN
        INSERT INTO crm.shipment_line (contact_id, shipment_id, line_number, quantity)
        SELECT $1, new_shipment_id, g.line_number, g.kept - g.planned - g.under_way - g.delivered
        FROM crm.order_goods($1, $2) g WHERE g.kept > g.planned + g.under_way + g.delivered ORDER BY g.line_number;
    ELSE
        INSERT INTO crm.shipment_line (contact_id, shipment_id, line_number, quantity)
        SELECT $1, new_shipment_id, (g ->> 'line')::integer, (g ->> 'quantity')::numeric FROM jsonb_array_elements(lines) g ORDER BY 3;
    END IF;
    RETURN new_shipment_id;
END
$$;
COMMENT ON FUNCTION crm.create_shipment(bigint, bigint, text, timestamptz, text, jsonb) IS 'Plans a shipment of an order and gives its number: of the lines [{"line": 1, "quantity": 2}], otherwise of all goods that are in no shipment yet. Errors: RM003 there is nothing to ship; RM004 no such order; RM057 more than was ordered.';

CREATE FUNCTION crm.late_shipments(as_of timestamptz DEFAULT now(),
    OUT contact_id bigint, OUT shipment_id bigint, OUT order_id bigint, OUT status text, OUT promised_at timestamptz, OUT delivered_at timestamptz, OUT late_by interval)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.contact_id, h.id, h.order_id, h.status, h.promised_at, h.delivered_at, least(coalesce(h.delivered_at, $1), $1) - h.promised_at
    FROM crm.shipment h
    WHERE h.promised_at < $1 AND h.status <> 'returned' AND (h.delivered_at IS NULL OR h.delivered_at > h.promised_at)
    ORDER BY h.promised_at, h.id
$$;
COMMENT ON FUNCTION crm.late_shipments(timestamptz) IS 'Shipments that were not delivered by the promised time, and those that came late, with how late they are, or were.';

CREATE FUNCTION crm.tell_late_shipments(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told integer;
BEGIN
    PERFORM crm.require_installed();
    WITH due AS (
        SELECT h.contact_id, h.id FROM crm.shipment h
        WHERE h.late_at IS NULL AND h.promised_at < as_of AND h.status <> 'returned' AND (h.delivered_at IS NULL OR h.delivered_at > h.promised_at)
        ORDER BY h.promised_at, h.id LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), marked AS (
        UPDATE crm.shipment h SET late_at = as_of FROM due d WHERE h.contact_id = d.contact_id AND h.id = d.id
        RETURNING h.contact_id, h.id, h.order_id, h.status, h.promised_at, h.delivered_at
    )
    INSERT INTO crm.outbox (topic, key, payload, available_at)
    SELECT 'shipment.late', m.id || ':' || extract(epoch FROM m.promised_at),
           jsonb_build_object('contact_id', m.contact_id, 'shipment_id', m.id, 'order_id', m.order_id, 'status', m.status,
                              'promised_at', m.promised_at, 'delivered_at', m.delivered_at), as_of
    FROM marked m ORDER BY m.promised_at, m.id
    ON CONFLICT (topic, key) DO NOTHING;
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN told;
END
$$;
COMMENT ON FUNCTION crm.tell_late_shipments(timestamptz, integer) IS 'The job: writes a message of topic shipment.late into crm.outbox for each shipment that is late, once for each promise; gives how many.';

/* Receipts. */

CREATE FUNCTION crm.keep_receipt() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.fiscal_id, NEW.amount, NEW.currency, NEW.issued_at, NEW.lines) IS DISTINCT FROM (OLD.fiscal_id, OLD.amount, OLD.currency, OLD.issued_at, OLD.lines)
           OR OLD.contact_id IS NOT NULL AND (NEW.contact_id, NEW.order_id) IS DISTINCT FROM (OLD.contact_id, OLD.order_id) THEN
            RAISE EXCEPTION 'receipt "%" cannot change', OLD.fiscal_id
                USING ERRCODE = 'RM055', HINT = 'What came back is a row of crm.order_return of its order.';
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM crm.currency c WHERE c.code = NEW.currency) THEN
        RAISE EXCEPTION 'there is no currency "%"', NEW.currency
            USING ERRCODE = 'foreign_key_violation', COLUMN = 'currency', HINT = 'Write the three letters of ISO 4217, in capitals; crm.currency lists them.';
    END IF;
    NEW.phone_key := crm.e164(crm.base(crm.try_phone(NEW.phone)));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.keep_receipt() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.receipt: derives phone_key. Errors: 23503 there is no such currency; RM055 what was printed changes, or whose it is once it is somebody''s.';

CREATE FUNCTION crm.claim_receipt(fiscal_id text, contact_id bigint, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    buyer bigint := crm.resolve_contact(contact_id);
    receipt record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known(buyer);
    PERFORM crm.book_receipts(ARRAY[$1], ARRAY[buyer], as_of);
    SELECT r.contact_id, r.order_id INTO receipt FROM crm.receipt r WHERE r.fiscal_id = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no receipt "%"', $1 USING ERRCODE = 'RM004', HINT = 'crm.ingest_receipt() takes it.';
    ELSIF receipt.contact_id <> buyer THEN
        RAISE EXCEPTION 'receipt "%" is of another contact', $1
            USING ERRCODE = 'RM055', DETAIL = format('It is of contact %s.', receipt.contact_id);
    END IF;
    RETURN receipt.order_id;
END
$$;
COMMENT ON FUNCTION crm.claim_receipt(text, bigint, timestamptz) IS 'Gives an anonymous receipt to a contact: makes the order with its lines and the payment, once, also when two claim it at the same time; gives the number of the order. Errors: P0002 no such contact; RM004 no such receipt; RM055 it is of another contact.';

CREATE FUNCTION crm.claim_receipts(contact_id bigint, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    buyer bigint := crm.resolve_contact(contact_id);
    ids text[];
    owners bigint[];
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known(buyer);
    SELECT array_agg(r.fiscal_id), array_agg(buyer) INTO ids, owners
    FROM (SELECT r.fiscal_id FROM crm.contact_key k JOIN crm.receipt r ON r.card = CASE k.kind WHEN 'card' THEN k.key ELSE substr(k.key, 6) END
          WHERE k.contact_id = buyer AND (k.kind = 'card' OR k.kind = 'identity' AND starts_with(k.key, 'card:')) AND r.contact_id IS NULL
          UNION
          SELECT r.fiscal_id FROM crm.contact_key k JOIN crm.receipt r ON r.phone_key = k.key
          WHERE k.contact_id = buyer AND k.kind = 'phone' AND r.contact_id IS NULL AND r.card IS NULL
            AND NOT EXISTS (SELECT FROM crm.contact_key o WHERE o.kind = 'phone' AND o.key = k.key AND o.contact_id <> buyer)) r;
    RETURN CASE WHEN ids IS NULL THEN 0 ELSE crm.book_receipts(ids, owners, as_of) END;
END
$$;
COMMENT ON FUNCTION crm.claim_receipts(bigint, timestamptz) IS 'Gives a contact all anonymous receipts of its cards (crm.contact_identity of provider card), and those without a card of its phone numbers that nobody else has; gives how many. Metrics are counted once. To be called when a card is given out or a number becomes known. Errors: P0002 no such contact.';

CREATE FUNCTION crm.ingest_receipt(fiscal_id text, store text, issued_at timestamptz, amount numeric, currency text DEFAULT NULL, lines jsonb DEFAULT '[]',
    card text DEFAULT NULL, phone text DEFAULT NULL, contact_id bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit text := coalesce(currency, (SELECT b.code FROM crm.base_currency b));
    known record;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.receipt (fiscal_id, store, issued_at, amount, currency, lines, card, phone)
    VALUES ($1, $2, $3, $4, unit, $6, $7, $8) ON CONFLICT ON CONSTRAINT receipt_pkey DO NOTHING;
    -- Whose it is a till may not see; without an order it is nobody's.
    SELECT r.amount, r.currency, r.issued_at, r.order_id INTO known FROM crm.receipt r WHERE r.fiscal_id = $1;
    IF (known.amount, known.currency, known.issued_at) IS DISTINCT FROM ($4, unit, $3) THEN
        RAISE EXCEPTION 'receipt "%" came before with another content', $1
            USING ERRCODE = 'RM055', DETAIL = format('It was of %s %s.', known.amount, known.currency),
                  HINT = 'A fiscal id names one receipt: put the number of the device before that of the receipt.';
    ELSIF known.order_id IS NULL AND $9 IS NOT NULL THEN
        RETURN crm.claim_receipt($1, $9);
    END IF;
    RETURN known.order_id;
END
$$;
COMMENT ON FUNCTION crm.ingest_receipt(text, text, timestamptz, numeric, text, jsonb, text, text, bigint) IS 'Takes a receipt of a till, once however often it comes. lines is an array of {sku or product_id, description, quantity, unit_price, discount_percent, tax_rate, tax_included, unit_cost}, prices with tax unless they say otherwise; an unknown sku is kept as a description, a negative quantity came back. With a known buyer, named or found by card, otherwise by phone number, it becomes an order, whose number is given; otherwise it is kept without a contact, and null is given. Who names contact_id must be allowed to read crm.contact, which crm_gateway is not: a receipt of the gateway is claimed by its card or phone. Errors: P0002 no such contact; RM055 a receipt of that fiscal id has another amount or time; 22023 malformed lines.';
