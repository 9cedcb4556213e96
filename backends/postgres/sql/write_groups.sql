INSERT INTO ff_edge_group
SELECT * FROM jsonb_populate_recordset(NULL::ff_edge_group, $1 -> 'groups')
ON CONFLICT (flow_id, downstream_execution_id) DO UPDATE SET
    policy = excluded.policy,
    satisfied_count = excluded.satisfied_count,
    failed_count = excluded.failed_count,
    skipped_count = excluded.skipped_count,
    running_count = excluded.running_count,
    group_state = excluded.group_state,
    pending_cancel = excluded.pending_cancel
