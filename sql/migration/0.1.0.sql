COMMENT ON TABLE crm.completeness_weight IS 'What makes a contact complete: crm.completeness() is the sum of the weights of the filled ones.';
ALTER TABLE crm.import_result DROP CONSTRAINT IF EXISTS import_result_batch_id_fkey;
