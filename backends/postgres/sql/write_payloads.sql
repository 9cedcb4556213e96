INSERT INTO ff_exec_payload
SELECT * FROM jsonb_populate_recordset(NULL::ff_exec_payload, $1 -> 'payloads')
