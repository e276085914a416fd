/* ------------------------------------------------------------------
 * Comments on what only the server calls: input and output functions, the
 * functions behind operators and operator classes, planner support.
 * ------------------------------------------------------------------ */

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT DISTINCT ON (p.oid) p.oid::pg_catalog.regprocedure AS function, r.text
        FROM pg_catalog.pg_proc p
        JOIN (
            SELECT t.typinput::oid AS oid, 1 AS rank, 'Input function of type ' || pg_catalog.format_type(t.oid, NULL) || '. Errors: 22P02 malformed value.' AS text FROM pg_catalog.pg_type t
            UNION ALL SELECT t.typoutput::oid, 1, 'Output function of type ' || pg_catalog.format_type(t.oid, NULL) || '.' FROM pg_catalog.pg_type t
            UNION ALL SELECT t.typreceive::oid, 1, 'Binary input function of type ' || pg_catalog.format_type(t.oid, NULL) || '. Errors: 22P03 malformed binary value.' FROM pg_catalog.pg_type t
            UNION ALL SELECT t.typsend::oid, 1, 'Binary output function of type ' || pg_catalog.format_type(t.oid, NULL) || '.' FROM pg_catalog.pg_type t
            UNION ALL SELECT o.oprcode::oid, 2, 'Implementation of operator ' || o.oid::pg_catalog.regoperator || '.' FROM pg_catalog.pg_operator o
            UNION ALL SELECT a.amproc::oid, 3, 'Support function ' || a.amprocnum || ' of ' || m.amname || ' operator family ' || f.opfname || '.'
                      FROM pg_catalog.pg_amproc a JOIN pg_catalog.pg_opfamily f ON f.oid OPERATOR(pg_catalog.=) a.amprocfamily JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) f.opfmethod
            UNION ALL SELECT s.prosupport::oid, 4, 'Planner support of ' || s.oid::pg_catalog.regprocedure || '.' FROM pg_catalog.pg_proc s WHERE s.prosupport::oid OPERATOR(pg_catalog.<>) 0
            UNION ALL SELECT g.aggtransfn::oid, 5, 'Transition function of aggregate ' || g.aggfnoid || '.' FROM pg_catalog.pg_aggregate g
            UNION ALL SELECT k.castfunc, 6, 'Cast from ' || pg_catalog.format_type(k.castsource, NULL) || ' to ' || pg_catalog.format_type(k.casttarget, NULL) || '.' FROM pg_catalog.pg_cast k
        ) r ON r.oid OPERATOR(pg_catalog.=) p.oid
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'crm'::pg_catalog.regnamespace
          AND pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL
        ORDER BY p.oid, r.rank, r.text
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON FUNCTION %s IS %L', item.function, item.text);
    END LOOP;
END
$$;

COMMENT ON FUNCTION crm.phone_base_low(crm.phone) IS 'For plans of ~= only: the lower end of the index range of a number and its extensions.';
COMMENT ON FUNCTION crm.phone_base_high(crm.phone) IS 'For plans of ~= only: the upper end of the index range of a number and its extensions.';
COMMENT ON FUNCTION crm.phone_prefix_low(text) IS 'For plans of ^@ only: the lower end of the index range of a prefix.';
COMMENT ON FUNCTION crm.phone_prefix_high(text) IS 'For plans of ^@ only: the upper end of the index range of a prefix.';
COMMENT ON FUNCTION crm.phone_suffix_low(text) IS 'For plans of %^ only: the lower end of the index range of a suffix.';
COMMENT ON FUNCTION crm.phone_suffix_high(text) IS 'For plans of %^ only: the upper end of the index range of a suffix.';
