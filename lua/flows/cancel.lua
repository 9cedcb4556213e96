-- Cancelling flows.

local execution, flow = ff.execution, ff.flow

-- Whether the policy selects a member (CAN-003).
local SELECTS = {
  cancel_all = function(fields)
    return fields.lifecycle_phase ~= 'terminal'
  end,
  cancel_pending = function(fields)
    return fields.lifecycle_phase == 'runnable' and fields.ownership_state == 'unowned'
  end,
  flow_only = function()
    return false
  end,
}

-- Ends a member, whoever holds it; each tells both outboxes, leased or not.
local function cancel_member(partition, fields, now)
  execution.emit(partition, fields, 'revoked', now, 'operator')
  if fields.lifecycle_phase == 'active' then
    execution.end_attempt(partition, fields, 'ended_cancelled', now)
  end
  execution.drop_lease(fields)
  fields.closing_digest = nil
  fields.closing_retry_at = nil
  fields.cancellation_reason = 'flow_cancelled'
  fields.cancelled_by = 'cancel_flow'
  execution.finish(partition, fields, 'cancelled', now)
end

-- Closes the flow and ends the members that the policy selects, in one step (CAN-003 to CAN-012).
ff.write('cancel_flow', function(partition, args)
  local closed = flow.known(partition, args.id)
  local members = redis.call('ZRANGE', partition:key('members', args.id), 0, -1)
  for place, short in ipairs(members) do
    members[place] = partition:long(short)
  end
  if closed.public_flow_state == 'open' then
    local now = partition:now()
    closed.public_flow_state = 'cancelled'
    closed.cancelled_at = now
    closed.cancellation_policy = args.policy
    flow.touch(closed, now)
    for _, member in ipairs(members) do
      local fields = execution.existing(partition, member)
      if SELECTS[args.policy](fields) then
        cancel_member(partition, fields, now)
      end
    end
  end
  return {
    cancelled = {
      cancellation_policy = closed.cancellation_policy,
      member_execution_ids = members,
    },
  }
end)
