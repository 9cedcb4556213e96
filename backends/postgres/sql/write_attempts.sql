INSERT INTO ff_attempt
SELECT * FROM jsonb_populate_recordset(NULL::ff_attempt, $1 -> 'attempts')
ON CONFLICT (execution_id, attempt_index) DO UPDATE
SET (state, ended_at, failure_reason, failure_category) = (
    excluded.state, excluded.ended_at, excluded.failure_reason, excluded.failure_category
)
