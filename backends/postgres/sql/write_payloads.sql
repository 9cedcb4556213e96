INSERT INTO ff_exec_payload
SELECT * FROM jsonb_populate_recordset(NULL::ff_exec_payload, $1 -> 'payloads')
ON CONFLICT (execution_id) DO UPDATE SET payload = excluded.payload
