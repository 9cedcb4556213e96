UPDATE ff_exec_core e
SET (
    priority, flow_id, lifecycle_phase, ownership_state, eligibility_state, blocking_reason,
    blocking_detail, terminal_outcome, attempt_state, total_attempt_count, retry_count,
    replay_count, lease_reclaim_count, current_attempt, lease, lease_epoch, lease_expired_at,
    closing, started_at, completed_at, last_transition_at, last_mutation_at, delay_until,
    execution_deadline_at, failure_reason, failure_category, cancellation_reason, cancelled_by,
    progress_percent, progress_message, tags
) = (
    r.priority, r.flow_id, r.lifecycle_phase, r.ownership_state, r.eligibility_state,
    r.blocking_reason, r.blocking_detail, r.terminal_outcome, r.attempt_state,
    r.total_attempt_count, r.retry_count, r.replay_count, r.lease_reclaim_count,
    r.current_attempt, r.lease, r.lease_epoch, r.lease_expired_at, r.closing, r.started_at,
    r.completed_at, r.last_transition_at, r.last_mutation_at, r.delay_until,
    r.execution_deadline_at, r.failure_reason, r.failure_category, r.cancellation_reason,
    r.cancelled_by, r.progress_percent, r.progress_message, e.tags || coalesce(r.tags, '{}')
)
FROM jsonb_populate_recordset(NULL::ff_exec_core, $1 -> 'updated') r
WHERE e.execution_id = r.execution_id
