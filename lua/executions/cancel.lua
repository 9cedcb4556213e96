-- Ending an execution over its holder's head.

local execution, flow, lease, refusal = ff.execution, ff.flow, ff.lease, ff.refusal

-- Sources that act without a lease, and how each is called (OPS-003).
local AUTHORITIES = {
  operator_override = true,
  flow_cascade = true,
  system_timeout = true,
}

local function fence_of(args)
  if args.lease_id and args.lease_epoch and args.attempt_id then
    return { fence = args }
  end
  local partly = args.lease_id or args.lease_epoch or args.attempt_id
  refusal.validation('invalid_input', partly and 'partial_fence_triple' or 'fence_required')
end

-- Ends the execution on the source's authority (OPS-001 to OPS-004, EXE-051).
ff.write('cancel_execution', function(partition, args)
  args = args.args
  local fields = execution.existing(partition, args.execution_id)
  local cancelled = {
    cancelled = { execution_id = args.execution_id, public_state = 'cancelled' },
  }
  if fields.terminal_outcome == 'cancelled' then
    return cancelled
  elseif fields.lifecycle_phase == 'terminal' then
    refusal.state('terminal')
  end
  local source = args.source
  if not AUTHORITIES[source] and fields.lifecycle_phase == 'active' then
    lease.hold(partition, fields, fence_of(args))
  end
  local now = partition:now()
  local taken = flow.interrupt(partition, fields, 'ended_cancelled', nil, now)
  if taken then
    flow.tell_revoked(partition, fields, taken, 'operator', now)
  end
  fields.cancellation_reason = args.reason
  fields.cancelled_by = type(source) == 'table' and source.custom or source
  execution.finish(partition, fields, 'cancelled', now)
  return cancelled
end)
