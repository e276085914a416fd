CREATE VIEW crm.v_match_contact WITH (security_invoker = true) AS
SELECT
    c.id, -- Number of the contact.
    c.given_name, -- Given name.
    c.middle_name, -- Middle name or patronymic.
    c.family_name, -- Family name.
    c.birth_date, -- Date of birth.
    c.gender, -- m or f.
    c.tax_id, -- Personal tax number.
    c.city, -- City.
    p.emails, -- E-mail addresses, the primary one first.
    p.phones, -- Phone numbers, the primary one first.
    p.address, -- Address.
    o.company -- Primary company.
FROM crm.contact c
LEFT JOIN LATERAL (
    SELECT array_agg(coalesce(p.email::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'email') AS emails,
           array_agg(coalesce(p.phone::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'phone') AS phones,
           (array_agg(p.raw ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'address'))[1] AS address
    FROM crm.contact_point p WHERE p.contact_id = c.id) p ON true
LEFT JOIN LATERAL (
    SELECT m.name AS company FROM crm.company_contact l JOIN crm.company m ON m.id = l.company_id
    WHERE l.contact_id = c.id AND upper_inf(l.valid) ORDER BY l.is_primary DESC, l.company_id LIMIT 1) o ON true
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_match_contact IS 'What match model contacts compares of each living contact.';

CREATE VIEW crm.v_match_company WITH (security_invoker = true) AS
SELECT
    c.id, -- Number of the company.
    c.name, -- Name.
    c.legal_name, -- Full legal name.
    c.tax_id, -- Tax number.
    c.registration_id, -- Registry number.
    c.website, -- Web address.
    c.city, -- City.
    c.postal_code, -- Postal code.
    c.address, -- Street address.
    p.emails, -- E-mail addresses.
    p.phones -- Phone numbers.
FROM crm.company c
LEFT JOIN LATERAL (
    SELECT array_agg(coalesce(p.email::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'email') AS emails,
           array_agg(coalesce(p.phone::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'phone') AS phones
    FROM crm.company_point p WHERE p.company_id = c.id) p ON true
WHERE c.deleted_at IS NULL;
COMMENT ON VIEW crm.v_match_company IS 'What match model companies compares of each living company.';

CREATE VIEW crm.v_match_pair WITH (security_invoker = true) AS
SELECT
    p.model, -- What found it.
    p.left_id, -- The one record.
    p.right_id, -- The other one.
    coalesce(d.status, c.status, p.status) AS status, -- new, confirmed, rejected or merged; of contacts and companies as decided there.
    p.weight, -- Weight of the evidence, in bits; 0 is a probability of one half.
    p.probability, -- Probability that both are one entity.
    coalesce(k.cluster_id = o.cluster_id, false) AS in_cluster, -- Whether the last run brought both into one cluster.
    CASE WHEN k.cluster_id = o.cluster_id THEN k.cluster_id END AS cluster_id, -- The first record of that cluster.
    p.version, -- Version of the model.
    p.found_at, -- When it was first found.
    coalesce(d.decided_at, c.decided_at, p.decided_at) AS decided_at, -- When a person decided; null while new.
    coalesce(d.decided_by, c.decided_by, p.decided_by) AS decided_by -- Who decided.
FROM crm.match_pair p
LEFT JOIN crm.match_model m ON m.name = p.model
LEFT JOIN crm.match_cluster k ON k.model = p.model AND k.id = p.left_id
LEFT JOIN crm.match_cluster o ON o.model = p.model AND o.id = p.right_id
LEFT JOIN crm.duplicate_pair d ON d.contact_id = CASE WHEN m.entity = 'contact' THEN p.left_id::bigint END
    AND d.duplicate_id = CASE WHEN m.entity = 'contact' THEN p.right_id::bigint END
LEFT JOIN crm.company_duplicate_pair c ON c.company_id = CASE WHEN m.entity = 'company' THEN p.left_id::bigint END
    AND c.duplicate_id = CASE WHEN m.entity = 'company' THEN p.right_id::bigint END;
COMMENT ON VIEW crm.v_match_pair IS 'Pairs that match models found, with what people decided. crm.review_pairs() shows those that wait, with their rows.';

CREATE VIEW crm.v_match_level WITH (security_invoker = true) AS
SELECT
    l.model, -- Whose level.
    f.name AS field, -- Name of the field.
    l.level, -- 1 is equal, higher ones are less.
    l.label, -- What it means.
    l.m, -- How often it occurs among records of one entity.
    l.u, -- How often it occurs among records of different ones.
    l.weight, -- log2(m / u), in bits.
    f.comparator, -- How values are compared.
    f."position" AS field_position -- Place of the field.
FROM crm.match_model m
JOIN crm.match_level l ON l.model = m.name AND l.version = m.version
JOIN crm.match_field f ON f.model = m.name AND f."position" = l.field
ORDER BY l.model, f."position", l.level;
COMMENT ON VIEW crm.v_match_level IS 'What agreement in each field weighs, by the parameters that match models use now.';

CREATE VIEW crm.v_company_duplicate WITH (security_invoker = true) AS
SELECT
    d.company_id, -- The one company.
    a.name, -- Its name.
    d.duplicate_id, -- The other.
    b.name AS duplicate_name, -- Its name.
    d.strength, -- How strong the evidence is, 0 to 1.
    d.evidence, -- What agrees.
    d.status, -- new or confirmed.
    d.found_at, -- When the pair was found.
    d.method -- What found it: exact keys, a match model, or a person.
FROM crm.company_duplicate_pair d
JOIN crm.company a ON a.id = d.company_id AND a.deleted_at IS NULL
JOIN crm.company b ON b.id = d.duplicate_id AND b.deleted_at IS NULL
WHERE d.status IN ('new', 'confirmed')
ORDER BY d.strength DESC, d.company_id, d.duplicate_id;
COMMENT ON VIEW crm.v_company_duplicate IS 'Pairs of companies that wait for a decision or a merge, the surest first.';

CREATE VIEW crm.v_match_progress WITH (security_invoker = true) AS
SELECT
    p.pid, -- Process of the run.
    a.usename AS role, -- Role that started it.
    CASE p.param14 WHEN 1 THEN 'reading records' WHEN 2 THEN 'making blocks' WHEN 3 THEN 'training' WHEN 4 THEN 'comparing pairs'
        WHEN 5 THEN 'making clusters' WHEN 6 THEN 'writing' END AS phase, -- What it is doing.
    p.param3 AS records, -- Records read so far.
    p.param15 AS pairs_planned, -- Pairs that the blocks hold, those of several blocks counted in each.
    p.param16 AS pairs_compared, -- Pairs compared so far.
    a.query_start AS started_at -- When the statement began.
FROM pg_stat_get_progress_info('COPY') AS p
LEFT JOIN pg_stat_activity a ON a.pid = p.pid
WHERE p.param13 = 6517357;
COMMENT ON VIEW crm.v_match_progress IS 'Runs of match models that are under way, one row each, in this and other databases.';
