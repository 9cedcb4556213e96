INSERT INTO ff_exec_result
SELECT * FROM jsonb_populate_recordset(NULL::ff_exec_result, $1 -> 'results')
