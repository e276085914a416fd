-- The functions here are owned by whoever installs and run with that role's
-- rights: who may write a contact need not be able to write its keys.

CREATE FUNCTION crm.refresh_contact_keys(contact_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    removal CONSTANT text := 'DELETE FROM crm.contact_key k
        WHERE k.contact_id = ANY ($1)
          AND NOT EXISTS (SELECT FROM crm.contact_keys_of($1) n WHERE n.kind = k.kind AND n.key = k.key AND n.contact_id = k.contact_id)';
    addition CONSTANT text := 'INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT n.kind, n.key, n.contact_id FROM crm.contact_keys_of($1) n ON CONFLICT (kind, key, contact_id) DO NOTHING';
BEGIN
    -- Whoever adds a point or a number holds the contact by its foreign key
    -- until the end of the transaction: wait for them, then look.
    PERFORM FROM crm.contact c WHERE c.id = ANY (contact_ids) ORDER BY c.id FOR UPDATE;
    -- A plan that is kept for a few would join thousands in a nested loop, and
    -- one that was made while the base was small would read all of it.
    IF cardinality(contact_ids) <= 20 THEN
        DELETE FROM crm.contact_key k
        WHERE k.contact_id = ANY (contact_ids)
          AND NOT EXISTS (SELECT FROM crm.contact_keys_of(contact_ids) n
                          WHERE n.kind = k.kind AND n.key = k.key AND n.contact_id = k.contact_id);
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT n.kind, n.key, n.contact_id FROM crm.contact_keys_of(contact_ids) n
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    ELSE
        SET LOCAL enable_seqscan = on;
        EXECUTE removal USING contact_ids;
        EXECUTE addition USING contact_ids;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_contact_keys(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_contact_keys(bigint[]) IS 'Brings crm.contact_key in line with the contacts named. Errors: 23505 when an account or external number belongs to another living contact.';

-- Named in full and without settings, so that it is planned with its caller.
CREATE FUNCTION crm.contact_keys_of(contact_ids bigint[], OUT kind text, OUT key text, OUT contact_id bigint)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    SELECT p.kind, p.match_key, p.contact_id
    FROM crm.contact living JOIN crm.contact_point p ON p.contact_id OPERATOR(pg_catalog.=) living.id
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
      AND p.match_key IS NOT NULL
    UNION
    SELECT 'tax_id', crm.tax_key(living.tax_id), living.id
    FROM crm.contact living
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
      AND crm.tax_key(living.tax_id) IS NOT NULL
    UNION
    SELECT 'name_birth', pg_catalog.concat(living.name_key, '|', pg_catalog.to_char(living.birth_date, 'YYYYMMDD')), living.id
    FROM crm.contact living
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
      AND living.name_key OPERATOR(pg_catalog.<>) '' AND living.birth_date IS NOT NULL
    UNION
    SELECT 'identity', pg_catalog.concat(i.provider, ':', i.external_id), i.contact_id
    FROM crm.contact living JOIN crm.contact_identity i ON i.contact_id OPERATOR(pg_catalog.=) living.id
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
    UNION
    SELECT 'external', pg_catalog.concat(r.system, ':', r.external_id), r.contact_id
    FROM crm.contact living JOIN crm.external_ref r ON r.contact_id OPERATOR(pg_catalog.=) living.id
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
$$;
COMMENT ON FUNCTION crm.contact_keys_of(bigint[]) IS 'The keys that crm.contact_key must hold for the contacts named; none for deleted or absorbed ones.';

CREATE FUNCTION crm.contact_key_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- New rows can only add keys: no need to look at what the contacts had.
    -- Sorted, because an index takes sorted keys several times faster.
    CASE TG_TABLE_NAME
    WHEN 'contact' THEN
        -- A contact that is new has no keys yet.
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'name_birth', n.name_key || '|' || to_char(n.birth_date, 'YYYYMMDD'), n.id
        FROM new_rows n
        WHERE n.name_key <> '' AND n.birth_date IS NOT NULL AND n.deleted_at IS NULL AND n.merged_into IS NULL
        ORDER BY 1, 2;
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'tax_id', crm.tax_key(n.tax_id), n.id
        FROM new_rows n
        WHERE n.tax_id IS NOT NULL AND crm.tax_key(n.tax_id) IS NOT NULL AND n.deleted_at IS NULL AND n.merged_into IS NULL
        ORDER BY 1, 2;
    WHEN 'contact_point' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT n.kind, n.match_key, n.contact_id
        FROM new_rows n
        WHERE n.match_key IS NOT NULL AND NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = n.contact_id AND (c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL))
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    WHEN 'contact_identity' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'identity', n.provider || ':' || n.external_id, n.contact_id
        FROM new_rows n
        WHERE NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = n.contact_id AND (c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL))
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    WHEN 'external_ref' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'external', n.system || ':' || n.external_id, n.contact_id
        FROM new_rows n
        WHERE NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = n.contact_id AND (c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL))
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    END CASE;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.contact_key_insert() FROM PUBLIC;
COMMENT ON FUNCTION crm.contact_key_insert() IS 'Trigger: adds the keys of new rows to crm.contact_key.';

CREATE FUNCTION crm.contact_key_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    ids bigint[];
    gone bigint[];
BEGIN
    IF TG_TABLE_NAME = 'contact' THEN
        IF TG_OP = 'DELETE' THEN
            DELETE FROM crm.contact_key WHERE contact_id IN (SELECT id FROM old_rows);
            RETURN NULL;
        END IF;
        -- Planned each time: a plan kept from updates of one row would join
        -- thousands in a nested loop.
        EXECUTE 'SELECT array_agg(o.id) FILTER (WHERE n.deleted_at IS NULL AND n.merged_into IS NULL),
                        array_agg(o.id) FILTER (WHERE n.deleted_at IS NOT NULL OR n.merged_into IS NOT NULL)
                 FROM old_rows o JOIN new_rows n USING (id)
                 WHERE (o.name_key, o.birth_date, o.tax_id, o.deleted_at IS NULL, o.merged_into)
                       IS DISTINCT FROM (n.name_key, n.birth_date, n.tax_id, n.deleted_at IS NULL, n.merged_into)' INTO ids, gone;
        -- Who is gone has no keys; wait for whoever is adding one.
        IF gone IS NOT NULL THEN
            PERFORM FROM crm.contact c WHERE c.id = ANY (gone) ORDER BY c.id FOR UPDATE;
            DELETE FROM crm.contact_key k WHERE k.contact_id = ANY (gone);
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(o.contact_id) INTO ids
        FROM (SELECT DISTINCT contact_id FROM old_rows) o
        -- One by one: as a join it would read all that are gone for one row.
        WHERE NOT coalesce((SELECT c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL FROM crm.contact c WHERE c.id = o.contact_id), false);
        -- Only the keys of these rows can go, those that no other row has. Of
        -- many it is not worth while: see crm.refresh_contact_keys().
        IF cardinality(ids) <= 20 THEN
            PERFORM FROM crm.contact c WHERE c.id = ANY (ids) ORDER BY c.id FOR UPDATE;
            CASE TG_TABLE_NAME
            WHEN 'contact_point' THEN
                DELETE FROM crm.contact_key k USING old_rows o
                WHERE o.contact_id = ANY (ids) AND k.contact_id = o.contact_id AND k.kind = o.kind AND k.key = o.match_key
                  AND NOT EXISTS (SELECT FROM crm.contact_point p
                                  WHERE p.contact_id = o.contact_id AND p.kind = o.kind AND p.match_key = o.match_key);
            WHEN 'contact_identity' THEN
                DELETE FROM crm.contact_key k USING old_rows o
                WHERE o.contact_id = ANY (ids) AND k.contact_id = o.contact_id AND k.kind = 'identity' AND k.key = o.provider || ':' || o.external_id
                  AND NOT EXISTS (SELECT FROM crm.contact_identity i
                                  WHERE i.contact_id = o.contact_id AND i.provider || ':' || i.external_id = o.provider || ':' || o.external_id);
            WHEN 'external_ref' THEN
                DELETE FROM crm.contact_key k USING old_rows o
                WHERE o.contact_id = ANY (ids) AND k.contact_id = o.contact_id AND k.kind = 'external' AND k.key = o.system || ':' || o.external_id
                  AND NOT EXISTS (SELECT FROM crm.external_ref r
                                  WHERE r.contact_id = o.contact_id AND r.system || ':' || r.external_id = o.system || ':' || o.external_id);
            END CASE;
            RETURN NULL;
        END IF;
    ELSE
        SELECT array_agg(DISTINCT contact_id) INTO ids
        FROM (SELECT contact_id FROM old_rows UNION SELECT contact_id FROM new_rows) both_rows;
    END IF;
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_contact_keys(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.contact_key_change() FROM PUBLIC;
COMMENT ON FUNCTION crm.contact_key_change() IS 'Trigger: brings crm.contact_key in line after updates and deletes.';

CREATE FUNCTION crm.company_keys_of(company_ids bigint[], OUT kind text, OUT key text, OUT company_id bigint)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH living AS (
        SELECT c.* FROM crm.company c WHERE c.id = ANY (company_ids) AND c.deleted_at IS NULL
    )
    SELECT p.kind, p.match_key, p.company_id
    FROM living JOIN crm.company_point p ON p.company_id = living.id
    WHERE p.match_key IS NOT NULL
    UNION
    SELECT 'name', living.name_key, living.id FROM living WHERE living.name_key <> ''
    UNION
    SELECT 'tax_id', crm.tax_key(living.tax_id), living.id FROM living WHERE crm.tax_key(living.tax_id) IS NOT NULL
    UNION
    SELECT 'registration_id', crm.tax_key(living.registration_id), living.id FROM living WHERE crm.tax_key(living.registration_id) IS NOT NULL
    UNION
    SELECT 'lei', crm.tax_key(living.lei), living.id FROM living WHERE crm.tax_key(living.lei) IS NOT NULL
    UNION
    SELECT 'external', r.system || ':' || r.external_id, r.company_id
    FROM living JOIN crm.company_external_ref r ON r.company_id = living.id
$$;
COMMENT ON FUNCTION crm.company_keys_of(bigint[]) IS 'The keys that crm.company_key must hold for the companies named; none for deleted ones.';

CREATE FUNCTION crm.refresh_company_keys(company_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM crm.company c WHERE c.id = ANY (company_ids) ORDER BY c.id FOR UPDATE;
    DELETE FROM crm.company_key k
    WHERE k.company_id = ANY (company_ids)
      AND NOT EXISTS (SELECT FROM crm.company_keys_of(company_ids) n
                      WHERE n.kind = k.kind AND n.key = k.key AND n.company_id = k.company_id);
    INSERT INTO crm.company_key (kind, key, company_id)
    SELECT n.kind, n.key, n.company_id FROM crm.company_keys_of(company_ids) n
    ON CONFLICT (kind, key, company_id) DO NOTHING;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_company_keys(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_company_keys(bigint[]) IS 'Brings crm.company_key in line with the companies named. Errors: 23505 when an external number belongs to another living company.';

CREATE FUNCTION crm.company_key_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    IF TG_TABLE_NAME = 'company' THEN
        CASE TG_OP
        WHEN 'INSERT' THEN SELECT array_agg(id) INTO ids FROM new_rows;
        WHEN 'UPDATE' THEN
            EXECUTE 'SELECT array_agg(o.id) FROM old_rows o JOIN new_rows n USING (id)
                     WHERE (o.name_key, o.tax_id, o.registration_id, o.lei, o.deleted_at IS NULL)
                           IS DISTINCT FROM (n.name_key, n.tax_id, n.registration_id, n.lei, n.deleted_at IS NULL)' INTO ids;
        WHEN 'DELETE' THEN
            DELETE FROM crm.company_key WHERE company_id IN (SELECT id FROM old_rows);
        END CASE;
    ELSE
        CASE TG_OP
        WHEN 'INSERT' THEN SELECT array_agg(DISTINCT company_id) INTO ids FROM new_rows;
        WHEN 'UPDATE' THEN
            SELECT array_agg(DISTINCT company_id) INTO ids
            FROM (SELECT company_id FROM old_rows UNION SELECT company_id FROM new_rows) both_rows;
        WHEN 'DELETE' THEN SELECT array_agg(DISTINCT company_id) INTO ids FROM old_rows;
        END CASE;
    END IF;
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_company_keys(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.company_key_change() FROM PUBLIC;
COMMENT ON FUNCTION crm.company_key_change() IS 'Trigger: brings crm.company_key in line.';

CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.contact FOR EACH ROW EXECUTE FUNCTION crm.derive();
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.company FOR EACH ROW EXECUTE FUNCTION crm.derive();
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.contact_point FOR EACH ROW EXECUTE FUNCTION crm.derive();
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.company_point FOR EACH ROW EXECUTE FUNCTION crm.derive();

CREATE TRIGGER key_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.contact_point REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.contact_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.contact_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.contact_identity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.external_ref REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();

CREATE TRIGGER key_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.company REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.company_point REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_update AFTER UPDATE ON crm.company_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.company_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.company_external_ref REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_update AFTER UPDATE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();

CREATE TRIGGER attrs_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.consent FOR EACH ROW EXECUTE FUNCTION crm.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.consent FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_change();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.company_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact_identity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.company_contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.company_contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company_contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact_need REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact_need REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact_need REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.tag REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.tag REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.tag REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.custom_field REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.custom_field REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.custom_field REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.branch
    FOR EACH ROW EXECUTE FUNCTION crm.time_zone_guard();
CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.agent
    FOR EACH ROW EXECUTE FUNCTION crm.time_zone_guard();
CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.company
    FOR EACH ROW WHEN (NEW.time_zone IS NOT NULL) EXECUTE FUNCTION crm.time_zone_guard();
CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.contact
    FOR EACH ROW WHEN (NEW.time_zone IS NOT NULL) EXECUTE FUNCTION crm.time_zone_guard();

-- TRUNCATE fires no other trigger: keys would stay, and no history be written.
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact_point FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company_point FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact_identity FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.external_ref FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company_external_ref FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company_contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.tag FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact_need FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
