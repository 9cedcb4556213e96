INSERT INTO ff_exec_core
SELECT * FROM jsonb_populate_recordset(NULL::ff_exec_core, $1 -> 'created')
