-- Merges of 0.1.0 can be undone as far as their journal goes: it had no
-- updated_at of the survivor.
DO $migration$
DECLARE
    part CONSTANT text := 'j.%1$s || coalesce((SELECT jsonb_object_agg(e.key, e.value)
        FROM jsonb_each(crm.row_texts(crm.row_restore(NULL::%2$s, (SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(j.%1$s) k WHERE k.key = ANY ($1))))) e
        WHERE e.key = ANY ($1) AND j.%1$s ? e.key), ''{}'')';
    item record;
BEGIN
    IF to_regclass('crm.merge_journal') IS NULL THEN
        RETURN;
    END IF;
    ALTER TABLE crm.merge_journal DROP CONSTRAINT IF EXISTS merge_journal_operation_check;
    ALTER TABLE crm.merge_journal ADD CONSTRAINT merge_journal_operation_check
        CHECK (operation IN ('absorb', 'fill', 'move', 'drop', 'add', 'relink'));
    COMMENT ON TABLE crm.merge_journal IS 'What merges did, row by row: every value that was overwritten and every row that was moved or dropped, exact to the byte. crm.unmerge() reads it.';
    COMMENT ON COLUMN crm.merge_journal.survivor_id IS 'The contact or company that absorbed.';
    COMMENT ON COLUMN crm.merge_journal.absorbed_id IS 'The contact or company that was absorbed.';
    COMMENT ON COLUMN crm.merge_journal.operation IS 'absorb (the contact itself), fill (columns of the survivor), move (a row that now belongs to the survivor), drop (a row in whose place another stands), add (a row that the merge made) or relink (a row that referred to a dropped one and now refers to the one in its place, or to none).';
    COMMENT ON COLUMN crm.merge_journal.row_before IS 'Column to value, as text, before; of a fill only the columns that changed; empty of an added row.';
    COMMENT ON COLUMN crm.merge_journal.row_after IS 'The columns that changed, after; of an added row all; null of a drop.';
    ALTER TABLE crm.merge_journal ADD COLUMN IF NOT EXISTS column_name text;
    COMMENT ON COLUMN crm.merge_journal.column_name IS 'The column that held the number of the absorbed one; null where it is not by such a column that the row was found.';
    UPDATE crm.merge_journal j SET column_name = CASE WHEN j.relation = 'contact' THEN 'merged_into' ELSE (
        SELECT b.key FROM jsonb_each_text(j.row_before) b
        WHERE b.value = j.absorbed_id::text AND j.row_after ->> b.key = j.survivor_id::text LIMIT 1) END
    WHERE j.operation = 'move';
    UPDATE crm.merge_journal j SET column_name = coalesce(
        (SELECT m.column_name FROM crm.merge_journal m
         WHERE m.operation = 'move' AND m.relation = j.relation AND j.row_before ->> m.column_name = j.absorbed_id::text LIMIT 1),
        (SELECT b.key FROM jsonb_each_text(j.row_before) b
         WHERE b.value = j.absorbed_id::text ORDER BY b.key <> 'contact_id', b.key LIMIT 1))
    WHERE j.operation = 'drop';
    -- 0.1.0 wrote what the casts to text give; of some types, as boolean and
    -- char(n), that is not what is printed, with which rows are compared now.
    FOR item IN
        SELECT r.target, array_agg(a.attname::text) AS columns, r.name
        FROM (SELECT j.relation AS name, crm.relation_of(j.relation) AS target FROM crm.merge_journal j GROUP BY j.relation) r
        JOIN pg_attribute a ON a.attrelid = r.target AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        WHERE EXISTS (SELECT FROM pg_cast c WHERE c.castsource IN (t.oid, t.typbasetype) AND c.casttarget = 'text'::regtype AND c.castmethod = 'f')
        GROUP BY r.name, r.target
    LOOP
        BEGIN
            EXECUTE format('UPDATE crm.merge_journal j SET row_before = %s, row_after = %s WHERE j.relation = $2',
                           format(part, 'row_before', item.target), format(part, 'row_after', item.target))
            USING item.columns, item.name;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR undefined_object THEN
            NULL;               -- a type has changed since: what cannot be read stays as it is
        END;
    END LOOP;
END
$migration$;

-- The sweep of match models.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every) VALUES ('match', 'match_tick', '1 minute') ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;
