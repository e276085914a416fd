-- Merges of 0.1.0 can be undone as far as their journal goes: it had no
-- updated_at of the survivor.
DO $migration$
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
