-- Ending a member over its holder's head.

local execution, flow = ff.execution, ff.flow

-- Ends the attempt that is open, if there is one, like this, and forgets the lease; the live lease that was
-- taken away, if there was one.
function flow.interrupt(partition, fields, ended, reason, now)
  local state = fields.attempt_state
  if state == 'running_attempt' or state == 'attempt_interrupted' then
    execution.end_attempt(partition, fields, ended, reason, now)
  end
  fields.closing = nil
  local lease = fields.ownership_state == 'leased' and fields.lease or nil
  execution.drop_lease(fields)
  return lease
end

-- Tells the outbox that a lease was taken away, or that there was none to take.
function flow.tell_revoked(partition, fields, lease, revoked_by, now)
  partition:append('lease_events', {
    execution_id = fields.execution_id,
    namespace = fields.namespace,
    event_type = 'revoked',
    lease_id = lease and lease.id,
    worker_instance = lease and lease.worker_instance,
    revoked_by = revoked_by,
    occurred_at = now,
  })
end
