INSERT INTO ff_completion_event (execution_id, flow_id, namespace, outcome, occurred_at)
SELECT execution_id, flow_id, namespace, outcome, occurred_at
FROM jsonb_populate_recordset(NULL::ff_completion_event, $1 -> 'completions')
