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
local function cancel_member(partition, fields, reason, now)
  local lease = flow.interrupt(partition, fields, 'ended_cancelled', nil, now)
  flow.tell_revoked(partition, fields, lease, 'operator', now)
  fields.cancellation_reason = reason or 'flow_cancelled'
  fields.cancelled_by = 'cancel_flow'
  execution.finish(partition, fields, 'cancelled', now)
end

-- Closes a flow (CAN-004).
function flow.close(fields, policy, reason, now)
  fields.public_flow_state = 'cancelled'
  fields.cancelled_at = now
  fields.cancellation_policy = policy
  fields.cancel_reason = reason
  flow.touch(fields, now)
end

-- Ends the members that the policy selects (CAN-003).
function flow.cancel_members(partition, members, policy, reason, now)
  for _, member in ipairs(members) do
    local fields = execution.existing(partition, member)
    if SELECTS[policy](fields) then
      cancel_member(partition, fields, reason, now)
    end
  end
end

-- Closes the flow and ends the members that the policy selects, in one step (CAN-003 to CAN-012).
ff.write('cancel_flow', function(partition, args)
  local closed = flow.known(partition, args.id)
  local members = flow.members_of(partition, args.id)
  if closed.public_flow_state == 'open' then
    local now = partition:now()
    flow.close(closed, args.policy, nil, now)
    flow.cancel_members(partition, members, args.policy, nil, now)
  end
  return {
    cancelled = {
      cancellation_policy = closed.cancellation_policy,
      member_execution_ids = members,
    },
  }
end)
