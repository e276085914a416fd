-- House rules that the catalog can prove, of the extension and of what
-- crm.install() makes.  Every query must give no row.  R-173
SELECT crm.install() IS NOT NULL AS installed;
CREATE TEMPORARY VIEW member AS
SELECT classid, objid FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm');
CREATE TEMPORARY VIEW our_function AS
SELECT p.*, EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid) AS is_member,
       l.lanname AS language
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'crm'::regnamespace;

-- A comment on every function, type, operator, table, view and column.
SELECT 'function' AS kind, oid::regprocedure::text AS name FROM our_function WHERE obj_description(oid, 'pg_proc') IS NULL
UNION ALL
SELECT 'type', t.oid::regtype::text FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
WHERE obj_description(t.oid, 'pg_type') IS NULL AND t.typelem = 0 AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
UNION ALL
SELECT 'relation', oid::regclass::text FROM pg_class
WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'm', 'p') AND obj_description(oid, 'pg_class') IS NULL
UNION ALL
SELECT 'column', attrelid::regclass || '.' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'c') AND a.attnum > 0 AND NOT a.attisdropped
  AND col_description(a.attrelid, a.attnum) IS NULL
ORDER BY 1, 2;

-- search_path fixed, but for functions in C and those meant to be inlined,
-- which name everything in full.
SELECT oid::regprocedure AS function, language FROM our_function
WHERE language NOT IN ('c', 'internal') AND proconfig IS NULL AND proname NOT IN ('contact_identity_key', 'contact_keys_of', 'contact_metrics_of', 'current_actor', 'deal_facts', 'deal_priorities', 'deal_probability', 'deals_as_of', 'pipeline_as_of', 'stage_visits') ORDER BY 1;
-- ... first pg_catalog, and pg_temp last.
SELECT oid::regprocedure AS function, proconfig FROM our_function
WHERE language NOT IN ('c', 'internal') AND proconfig IS NOT NULL AND NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig) ORDER BY 1;

-- SECURITY DEFINER: never a member, never for everybody.
SELECT oid::regprocedure AS definer_member FROM our_function WHERE prosecdef AND is_member ORDER BY 1;
SELECT oid::regprocedure AS definer_for_public FROM our_function
WHERE prosecdef AND has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1;

-- Trigger functions that run with the rights of the writer are for everybody: who
-- attaches one needs a table of his own.
SELECT oid::regprocedure AS kept_from_public FROM our_function
WHERE prorettype = 'trigger'::regtype AND NOT prosecdef AND NOT has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1;

-- Parallel safety is declared on purpose: what is immutable is safe.
SELECT oid::regprocedure AS immutable_but_unsafe FROM our_function WHERE provolatile = 'i' AND proparallel <> 's' AND prokind = 'f' ORDER BY 1;
-- ... and what is safe has no exception block, which would be a subtransaction,
-- writes nothing, and calls nothing that is not safe. (Literals are left out.)
CREATE TEMPORARY VIEW safe_body AS
SELECT oid::regprocedure AS function, regexp_replace(regexp_replace(prosrc, '--[^\n]*', '', 'g'), '''[^'']*''', '', 'g') AS body FROM our_function
WHERE proparallel = 's' AND language IN ('sql', 'plpgsql') AND proname <> 'schema_source';
SELECT function AS safe_but_writes FROM safe_body
WHERE body ~* '\mexception\s+when\M|\m(insert\s+into|update\s+crm\.|delete\s+from)\M' ORDER BY 1;
SELECT function AS safe, proname AS calls FROM safe_body JOIN our_function g ON body ~ ('\mcrm\.' || proname || '\(')
WHERE proparallel <> 's' AND NOT EXISTS (SELECT FROM our_function o WHERE o.proname = g.proname AND o.proparallel = 's') ORDER BY 1, 2;

-- Operators: commutators and negators agree, joins and hashes have what they need.
SELECT o.oid::regoperator AS no_commutator FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
WHERE o.oprname IN ('=', '<>', '<', '>', '<=', '>=') AND (o.oprcom = 0 OR o.oprnegate = 0) ORDER BY 1;
SELECT o.oid::regoperator AS hash_without_opclass FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
WHERE o.oprcanhash AND NOT EXISTS (SELECT FROM pg_amop a JOIN pg_am am ON am.oid = a.amopmethod WHERE a.amopopr = o.oid AND am.amname = 'hash') ORDER BY 1;
SELECT o.oid::regoperator AS no_estimator FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
WHERE o.oprresult = 'boolean'::regtype AND (o.oprrest = 0 OR o.oprjoin = 0) ORDER BY 1;
SELECT opcname AS invalid_opclass FROM pg_opclass c JOIN member m ON m.classid = 'pg_opclass'::regclass AND m.objid = c.oid WHERE NOT amvalidate(c.oid) ORDER BY 1;

-- Tables: nothing of them is a member of the extension, and no default, check
-- or generated column calls our functions.
SELECT c.oid::regclass AS member_table FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid WHERE c.relkind IN ('r', 'v', 'S', 'i') ORDER BY 1;
SELECT conrelid::regclass AS relation, conname FROM pg_constraint WHERE connamespace = 'crm'::regnamespace AND contype = 'c' AND pg_get_constraintdef(oid) ~ 'crm\.' ORDER BY 1, 2;
SELECT adrelid::regclass AS relation, pg_get_expr(adbin, adrelid) FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
WHERE c.relnamespace = 'crm'::regnamespace AND pg_get_expr(adbin, adrelid) ~ 'crm\.' AND pg_get_expr(adbin, adrelid) !~ '^nextval' ORDER BY 1;
-- No identity columns; ids are bigint; no foreign key from one contact to another.
SELECT attrelid::regclass AS relation, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') AND (a.attidentity <> '' OR (a.attname ~ '(^|_)id$' AND a.attnum > 0 AND a.atttypid NOT IN ('bigint'::regtype, 'text'::regtype, 'xid8'::regtype))) ORDER BY 1, 2;
SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = 'crm.contact'::regclass AND confrelid = 'crm.contact'::regclass;
-- Tables that carry a contact have it first in their key.
SELECT i.indrelid::regclass AS relation, i.indexrelid::regclass AS index
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'contact_id' AND a.attnotnull
JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'crm'::regnamespace AND i.indisprimary AND i.indkey[0] <> a.attnum
  AND c.relname NOT IN ('contact_key', 'deal_contact') ORDER BY 1;
-- Changes of every table can be published.
SELECT c.oid::regclass AS not_replicated FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'r' AND c.relreplident = 'd'
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) ORDER BY 1;
-- What type a column has is read of its statement.
SELECT s.name AS relation, t.name, t.type FROM crm.schema_source() f CROSS JOIN crm.schema_statements(f.source) s CROSS JOIN crm.table_columns(s.statement) t
WHERE f.kind = 'table' AND s.kind = 'table'
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('crm.%I', s.name)::regclass AND a.attname = t.name AND a.atttypid = to_regtype(t.type)) ORDER BY 1, 2;
-- Views run with the rights of whoever asks, but for the one that masks.
SELECT oid::regclass AS view FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'v'
  AND NOT coalesce(reloptions, '{}') @> '{security_invoker=true}' AND relname <> 'v_contact_masked' ORDER BY 1;
-- A foreign key to contacts or companies has an index on its side, or deleting
-- one would read the whole table.
SELECT c.conrelid::regclass AS relation, c.conname FROM pg_constraint c
WHERE c.contype = 'f' AND c.connamespace = 'crm'::regnamespace AND c.confrelid IN ('crm.contact'::regclass, 'crm.company'::regclass)
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1]) ORDER BY 1, 2;
DROP VIEW safe_body, our_function, member;
