CREATE SEQUENCE crm.payment_id_seq;

CREATE TABLE crm.payment (
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- Who pays.
    id bigint NOT NULL DEFAULT nextval('crm.payment_id_seq'), -- Number of the payment.
    order_id bigint, -- The order that it is for; null for money on account.
    quote_id bigint REFERENCES crm.quote (id), -- The quote that it is for, when there is no order yet.
    deal_id bigint, -- The deal that it is for.
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 'Infinity'), -- How much.
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of amount; when not given, that of the order, otherwise the base currency.
    exchange_rate numeric CHECK (exchange_rate > 0 AND exchange_rate < 'Infinity'), -- What one unit of currency was worth in the base currency on the day of the payment; when not given, looked up when the money comes; null before, and when there was none.
    method text CHECK (method <> ''), -- How: card, transfer, cash, till ...
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'authorized', 'paid', 'failed', 'refunded', 'partially_refunded', 'cancelled')), -- pending (intended, or an instalment to come), authorized (reserved), paid, failed, refunded, partially_refunded or cancelled. Where the provider has told, what it told.
    refunded_amount numeric NOT NULL DEFAULT 0 CHECK (refunded_amount >= 0), -- How much of amount was given back.
    provider text CHECK (provider <> ''), -- The payment system; null for none.
    provider_payment_id text CHECK (provider_payment_id <> ''), -- Its number of the payment; null until it has one.
    due_at timestamptz, -- When it is to come: of an instalment; null for none.
    paid_at timestamptz, -- When it was first paid; kept by trigger.
    description text, -- What for; notes.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    PRIMARY KEY (contact_id, id),
    FOREIGN KEY (contact_id, order_id) REFERENCES crm.sales_order (contact_id, id),
    CHECK (provider IS NOT NULL OR provider_payment_id IS NULL),
    CHECK (CASE status WHEN 'refunded' THEN refunded_amount = amount
                       WHEN 'partially_refunded' THEN refunded_amount > 0 AND refunded_amount < amount
                       ELSE refunded_amount = 0 END)
);
COMMENT ON TABLE crm.payment IS 'Payments, intended and made. Money that came is of the statuses paid, partially_refunded and refunded; refunded_amount of it went back. crm.record_payment_status() takes the messages of payment systems.';
CREATE INDEX payment_order ON crm.payment (contact_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX payment_quote ON crm.payment (quote_id) WHERE quote_id IS NOT NULL;
CREATE INDEX payment_deal ON crm.payment (deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX payment_due ON crm.payment (due_at) WHERE status IN ('pending', 'authorized') AND due_at IS NOT NULL;

CREATE TABLE crm.payment_key (
    provider text COLLATE "C" NOT NULL, -- The payment system.
    provider_payment_id text COLLATE "C" NOT NULL, -- Its number of the payment.
    contact_id bigint, -- Who pays; null while only the provider knows the payment.
    payment_id bigint, -- The payment.
    status text, -- The status that the provider's latest message gives; null before any.
    event_at timestamptz, -- When that was, by the provider's clock; minus infinity when it did not say.
    sequence bigint, -- Its number in the provider's order of messages; 0 when there is none.
    status_rank integer, -- Its place among the statuses of one moment: the later in a payment's life the higher.
    event_id text COLLATE "C", -- The provider's number of that message.
    refunded_amount numeric, -- How much it says was given back by then.
    paid_at timestamptz, -- The earliest event_at of a message that says that money came.
    PRIMARY KEY (provider, provider_payment_id),
    FOREIGN KEY (contact_id, payment_id) REFERENCES crm.payment (contact_id, id)
);
COMMENT ON TABLE crm.payment_key IS 'Which payment has which number at its provider, unique over all contacts, and the provider''s latest message on it. Kept by triggers.';
CREATE INDEX payment_key_payment ON crm.payment_key (contact_id, payment_id);
CREATE INDEX payment_key_unknown ON crm.payment_key (provider) WHERE payment_id IS NULL;

CREATE TABLE crm.payment_event (
    provider text COLLATE "C" NOT NULL CHECK (provider <> ''), -- The payment system.
    event_id text COLLATE "C" NOT NULL CHECK (event_id <> ''), -- Its number of the message.
    provider_payment_id text COLLATE "C" NOT NULL CHECK (provider_payment_id <> ''), -- Its number of the payment; which may come to be known here later.
    status text NOT NULL CHECK (status IN ('pending', 'authorized', 'paid', 'failed', 'refunded', 'partially_refunded', 'cancelled')), -- The status that it tells.
    event_at timestamptz, -- When that was, by the provider's clock; null when it does not say: earlier than any that do.
    sequence bigint NOT NULL DEFAULT 0, -- Its number in the provider's order of messages, for equal event_at; 0 when there is none.
    refunded_amount numeric CHECK (refunded_amount >= 0 AND refunded_amount < 'Infinity'), -- How much of the payment was given back by then, all told; must be given for partially_refunded.
    payload jsonb, -- The message as it came.
    received_at timestamptz NOT NULL DEFAULT now(), -- When it came.
    PRIMARY KEY (provider, event_id),
    CHECK (status <> 'partially_refunded' OR refunded_amount IS NOT NULL AND refunded_amount > 0)
);
COMMENT ON TABLE crm.payment_event IS 'Messages of payment systems, append-only (RM020). The status of a payment is that of the latest message in the order of event_at, sequence, status, event_id, in whatever order and how often they come.';
CREATE INDEX payment_event_payment ON crm.payment_event (provider, provider_payment_id, event_at);

-- The functions here run with the rights of the owner: a gateway that may hand
-- in messages need not be able to write payments, nor a cashier orders.

CREATE FUNCTION crm.payment_events_added() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    contacts bigint[];
    payments bigint[];
    statuses text[];
BEGIN
    -- Payments before their numbers, as whoever changes a payment does.
    PERFORM FROM (SELECT DISTINCT n.provider, n.provider_payment_id FROM new_rows n) n
    JOIN crm.payment_key k ON k.provider = n.provider AND k.provider_payment_id = n.provider_payment_id
    JOIN crm.payment p ON p.contact_id = k.contact_id AND p.id = k.payment_id
    ORDER BY p.contact_id, p.id FOR NO KEY UPDATE OF p;
    -- The greatest message wins, and the greatest of all is the same in
    -- whatever order they are compared.
    WITH latest AS (
        SELECT DISTINCT ON (n.provider, n.provider_payment_id) n.*
        FROM (SELECT r.provider, r.provider_payment_id, r.status, coalesce(r.event_at, '-infinity') AS event_at, r.sequence,
                     crm.payment_status_rank(r.status) AS status_rank, r.event_id, r.refunded_amount,
                     min(r.event_at) FILTER (WHERE r.status IN ('paid', 'partially_refunded', 'refunded')) OVER (PARTITION BY r.provider, r.provider_payment_id) AS paid_at
              FROM new_rows r) n
        ORDER BY n.provider, n.provider_payment_id, n.event_at DESC, n.sequence DESC, n.status_rank DESC, n.event_id DESC
    ), changed AS (
        INSERT INTO crm.payment_key AS k (provider, provider_payment_id, status, event_at, sequence, status_rank, event_id, refunded_amount, paid_at)
        SELECT l.provider, l.provider_payment_id, l.status, l.event_at, l.sequence, l.status_rank, l.event_id, l.refunded_amount, l.paid_at FROM latest l
        ORDER BY l.provider, l.provider_payment_id
        ON CONFLICT (provider, provider_payment_id) DO UPDATE
        SET (status, event_at, sequence, status_rank, event_id, refunded_amount) = (
                SELECT g.status, g.event_at, g.sequence, g.status_rank, g.event_id, g.refunded_amount
                FROM (VALUES (k.status, k.event_at, k.sequence, k.status_rank, k.event_id, k.refunded_amount),
                             (excluded.status, excluded.event_at, excluded.sequence, excluded.status_rank, excluded.event_id, excluded.refunded_amount))
                     AS g (status, event_at, sequence, status_rank, event_id, refunded_amount)
                ORDER BY g.event_at DESC NULLS LAST, g.sequence DESC, g.status_rank DESC, g.event_id DESC LIMIT 1),
            paid_at = least(k.paid_at, excluded.paid_at)
        RETURNING k.contact_id, k.payment_id, k.status
    )
    SELECT array_agg(c.contact_id), array_agg(c.payment_id), array_agg(c.status) INTO contacts, payments, statuses
    FROM changed c WHERE c.payment_id IS NOT NULL;
    -- A statement of its own: the payment may have come while the key was waited for.
    UPDATE crm.payment p SET status = c.status
    FROM unnest(contacts, payments, statuses) AS c (contact_id, payment_id, status)
    WHERE p.contact_id = c.contact_id AND p.id = c.payment_id;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.payment_events_added() FROM PUBLIC;
COMMENT ON FUNCTION crm.payment_events_added() IS 'Trigger AFTER INSERT FOR EACH STATEMENT on crm.payment_event: gives payments the status of their latest message.';

CREATE FUNCTION crm.keep_payment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told crm.payment_key;
    told_status text;
    renamed boolean := TG_OP = 'INSERT' OR (NEW.provider, NEW.provider_payment_id) IS DISTINCT FROM (OLD.provider, OLD.provider_payment_id);
BEGIN
    IF NOT (NEW.amount > 0 AND NEW.amount < 'Infinity') THEN
        RAISE EXCEPTION 'payment % cannot be of %', NEW.id, NEW.amount
            USING ERRCODE = 'check_violation', DETAIL = 'The amount of a payment is greater than 0.',
                  HINT = 'What is given back is refunded_amount of the payment with which it came.';
    ELSIF NEW.provider IS NULL AND NEW.provider_payment_id IS NOT NULL THEN
        RAISE EXCEPTION 'payment % has the number "%" of no provider', NEW.id, NEW.provider_payment_id
            USING ERRCODE = 'check_violation', HINT = 'Give provider, the name of the payment system, too.';
    ELSIF crm.payment_status_rank(NEW.status) IS NULL THEN
        RAISE EXCEPTION 'payment % cannot be "%"', NEW.id, NEW.status
            USING ERRCODE = 'check_violation', HINT = 'Statuses are pending, authorized, paid, failed, partially_refunded, refunded and cancelled.';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
        IF renamed AND OLD.provider_payment_id IS NOT NULL THEN
            UPDATE crm.payment_key k SET contact_id = NULL, payment_id = NULL
            WHERE k.provider = OLD.provider AND k.provider_payment_id = OLD.provider_payment_id;
        END IF;
    END IF;
    IF NEW.currency IS NULL THEN
        SELECT o.currency INTO NEW.currency FROM crm.sales_order o WHERE o.contact_id = NEW.contact_id AND o.id = NEW.order_id;
        IF NOT FOUND THEN
            SELECT b.code INTO NEW.currency FROM crm.base_currency b;
        END IF;
    END IF;
    IF NEW.provider_payment_id IS NOT NULL AND NEW.provider IS NOT NULL AND renamed THEN
        -- What the provider told before we knew the payment.
        INSERT INTO crm.payment_key AS k (provider, provider_payment_id) VALUES (NEW.provider, NEW.provider_payment_id)
        ON CONFLICT (provider, provider_payment_id) DO UPDATE SET provider = k.provider
        RETURNING * INTO told;
        IF told.payment_id IS NOT NULL AND (told.contact_id, told.payment_id) <> (NEW.contact_id, NEW.id) THEN
            RAISE EXCEPTION 'payment "%" of "%" is there already', NEW.provider_payment_id, NEW.provider
                USING ERRCODE = 'unique_violation', DETAIL = format('It is payment %s of contact %s.', told.payment_id, told.contact_id);
        END IF;
    ELSIF NEW.provider_payment_id IS NOT NULL THEN
        SELECT * INTO told FROM crm.payment_key k WHERE k.provider = NEW.provider AND k.provider_payment_id = NEW.provider_payment_id;
    END IF;
    IF told.status IS NOT NULL THEN
        told_status := CASE WHEN told.status = 'partially_refunded' AND told.refunded_amount >= NEW.amount THEN 'refunded' ELSE told.status END;
        IF TG_OP = 'UPDATE' AND NOT renamed AND NEW.status <> OLD.status AND NEW.status NOT IN (told.status, told_status) THEN
            RAISE EXCEPTION 'payment % cannot become "%": "%" says it is "%"', NEW.id, NEW.status, NEW.provider, told_status
                USING ERRCODE = 'RM053', HINT = 'What the payment system tells is recorded with crm.record_payment_status().';
        END IF;
        NEW.status := told_status;
        NEW.refunded_amount := CASE told_status WHEN 'refunded' THEN NEW.amount WHEN 'partially_refunded' THEN told.refunded_amount ELSE 0 END;
        NEW.paid_at := coalesce(told.paid_at, NEW.paid_at);
    ELSIF TG_OP = 'UPDATE' AND NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM crm.status_transition t WHERE t.entity = 'payment' AND t.from_status = OLD.status AND t.to_status = NEW.status) THEN
        RAISE EXCEPTION 'payment % cannot become "%": it is "%"', NEW.id, NEW.status, OLD.status
            USING ERRCODE = 'RM050',
                  DETAIL = (SELECT coalesce('It may become: ' || string_agg('"' || t.to_status || '"', ', ' ORDER BY t.to_status) || '.', 'That is its last status.')
                            FROM crm.status_transition t WHERE t.entity = 'payment' AND t.from_status = OLD.status);
    ELSIF NEW.status = 'refunded' THEN
        NEW.refunded_amount := NEW.amount;
    END IF;
    IF NEW.status IN ('paid', 'partially_refunded', 'refunded') THEN
        NEW.paid_at := coalesce(NEW.paid_at, now());
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.currency <> OLD.currency AND NEW.exchange_rate IS NOT DISTINCT FROM OLD.exchange_rate THEN
        NEW.exchange_rate := NULL;
    END IF;
    IF NEW.exchange_rate IS NULL AND NEW.status IN ('paid', 'partially_refunded', 'refunded') THEN
        NEW.exchange_rate := crm.exchange_rate(NEW.currency, NEW.paid_at);
    END IF;
    IF NOT (CASE NEW.status WHEN 'refunded' THEN NEW.refunded_amount = NEW.amount
                            WHEN 'partially_refunded' THEN NEW.refunded_amount > 0 AND NEW.refunded_amount < NEW.amount
                            ELSE NEW.refunded_amount = 0 END) THEN
        RAISE EXCEPTION 'payment % cannot be "%" with % of % given back', NEW.id, NEW.status, NEW.refunded_amount, NEW.amount
            USING ERRCODE = 'check_violation',
                  HINT = 'refunded_amount is part of the amount when the status is partially_refunded, all of it when refunded, and otherwise 0.';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION crm.keep_payment() FROM PUBLIC;
COMMENT ON FUNCTION crm.keep_payment() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.payment: completes currency, rate and times, takes over what the provider has told. Errors: 23505 another payment has the provider''s number; 23514 an amount, a status or a refunded_amount that cannot be; RM050 a change of status that crm.status_transition does not allow; RM053 one that the provider does not tell.';

CREATE FUNCTION crm.link_payment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE crm.payment_key k SET contact_id = NULL, payment_id = NULL
        WHERE k.contact_id = OLD.contact_id AND k.payment_id = OLD.id;
        RETURN OLD;
    END IF;
    UPDATE crm.payment_key k SET contact_id = NEW.contact_id, payment_id = NEW.id
    WHERE k.provider = NEW.provider AND k.provider_payment_id = NEW.provider_payment_id
      AND (k.contact_id, k.payment_id) IS DISTINCT FROM (NEW.contact_id, NEW.id);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.link_payment() FROM PUBLIC;
COMMENT ON FUNCTION crm.link_payment() IS 'Trigger on crm.payment: keeps the number of the payment in crm.payment_key.';

CREATE FUNCTION crm.payments_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
DECLARE
    contact_ids bigint[];
    order_ids bigint[];
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        SELECT array_agg(t.contact_id), array_agg(t.order_id) INTO contact_ids, order_ids
        FROM (SELECT DISTINCT n.contact_id, n.order_id FROM new_rows n
              WHERE n.order_id IS NOT NULL AND n.status IN ('paid', 'partially_refunded', 'refunded')) t;
    WHEN 'UPDATE' THEN
        -- Of payments that are the same in what money came nothing is left.
        SELECT array_agg(t.contact_id), array_agg(t.order_id) INTO contact_ids, order_ids
        FROM (SELECT DISTINCT c.contact_id, c.order_id
              FROM (SELECT m.contact_id, m.order_id
                    FROM (SELECT n.contact_id, n.id, n.order_id, n.amount - n.refunded_amount AS amount, n.currency, n.exchange_rate FROM new_rows n
                          WHERE n.order_id IS NOT NULL AND n.status IN ('paid', 'partially_refunded', 'refunded')
                          UNION ALL
                          SELECT o.contact_id, o.id, o.order_id, o.amount - o.refunded_amount, o.currency, o.exchange_rate FROM old_rows o
                          WHERE o.order_id IS NOT NULL AND o.status IN ('paid', 'partially_refunded', 'refunded')) m
                    GROUP BY m.contact_id, m.id, m.order_id, m.amount, m.currency, m.exchange_rate HAVING count(*) = 1) c) t;
    WHEN 'DELETE' THEN
        SELECT array_agg(t.contact_id), array_agg(t.order_id) INTO contact_ids, order_ids
        FROM (SELECT DISTINCT o.contact_id, o.order_id FROM old_rows o
              WHERE o.order_id IS NOT NULL AND o.status IN ('paid', 'partially_refunded', 'refunded')) t;
    END CASE;
    IF contact_ids IS NULL THEN
        RETURN NULL;
    END IF;
    -- The orders first, then, in a statement that sees what others paid meanwhile,
    -- the sums. They are written in any case: see crm.order_lines_changed().
    PERFORM FROM unnest(contact_ids, order_ids) AS t (contact_id, id) JOIN crm.sales_order s ON s.contact_id = t.contact_id AND s.id = t.id
    ORDER BY s.contact_id, s.id FOR NO KEY UPDATE OF s;
    UPDATE crm.sales_order s
    SET status = CASE WHEN b.received < s.amount THEN 'placed' WHEN s.amount > 0 THEN 'paid' ELSE s.status END
    FROM (SELECT o.contact_id, o.id, coalesce(crm.order_received(o.contact_id, o.id, o.currency, o.exchange_rate), 0) AS received
          FROM unnest(contact_ids, order_ids) AS u (contact_id, id)
          JOIN crm.sales_order o ON o.contact_id = u.contact_id AND o.id = u.id) b
    WHERE s.contact_id = b.contact_id AND s.id = b.id AND s.deleted_at IS NULL AND s.status IN ('placed', 'paid');
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.payments_changed() FROM PUBLIC;
COMMENT ON FUNCTION crm.payments_changed() IS 'Trigger AFTER INSERT, UPDATE and DELETE FOR EACH STATEMENT on crm.payment: an order that is placed becomes paid when its payments reach its amount, and placed again when they do not any more.';

CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON crm.payment FOR EACH ROW WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.keep_payment();
CREATE TRIGGER link AFTER INSERT OR UPDATE OF provider, provider_payment_id ON crm.payment FOR EACH ROW
    WHEN (NEW.provider_payment_id IS NOT NULL AND crm.merge_mode() = 'off') EXECUTE FUNCTION crm.link_payment();
CREATE TRIGGER unlink BEFORE DELETE ON crm.payment FOR EACH ROW
    WHEN (OLD.provider_payment_id IS NOT NULL AND crm.merge_mode() = 'off') EXECUTE FUNCTION crm.link_payment();
CREATE TRIGGER order_insert AFTER INSERT ON crm.payment REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.payments_changed();
CREATE TRIGGER order_update AFTER UPDATE ON crm.payment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.payments_changed();
CREATE TRIGGER order_delete AFTER DELETE ON crm.payment REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT WHEN (crm.merge_mode() = 'off') EXECUTE FUNCTION crm.payments_changed();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.payment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.payment REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER status_insert AFTER INSERT ON crm.payment_event REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.payment_events_added();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.payment_event FOR EACH ROW EXECUTE FUNCTION crm.refuse_log_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.payment_event FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_log_change();
