INSERT INTO ff_flow_core
SELECT * FROM jsonb_populate_recordset(NULL::ff_flow_core, $1 -> 'flows_created')
