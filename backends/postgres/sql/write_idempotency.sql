INSERT INTO ff_idempotency
SELECT * FROM jsonb_populate_recordset(NULL::ff_idempotency, $1 -> 'idempotency')
ON CONFLICT (digest) DO UPDATE
SET (execution_id, expires_at) = (excluded.execution_id, excluded.expires_at)
