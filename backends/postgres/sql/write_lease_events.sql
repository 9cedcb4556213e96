INSERT INTO ff_lease_event
    (execution_id, namespace, event_type, lease_id, worker_instance, revoked_by, occurred_at)
SELECT execution_id, namespace, event_type, lease_id, worker_instance, revoked_by, occurred_at
FROM jsonb_populate_recordset(NULL::ff_lease_event, $1 -> 'lease_events')
