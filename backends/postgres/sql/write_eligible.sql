INSERT INTO ff_eligible (execution_id, lane_id, requirements, priority, created_at)
SELECT execution_id, lane_id, requirements, priority, created_at
FROM jsonb_populate_recordset(NULL::ff_eligible, $1 -> 'eligible')
ON CONFLICT (execution_id) DO NOTHING
