-- Closing a flow whose members are left to others.

local execution, flow = ff.execution, ff.flow

-- How long the members that a header leaves to others may stay before somebody else sees to them.
local GRACE_MS = 30000

-- Leaves members to others, until then.
local function put_backlog(partition, flow_id, members, due)
  for _, member in ipairs(members) do
    if execution.existing(partition, member).lifecycle_phase ~= 'terminal' then
      partition:put('backlog', { flow_id = flow_id, execution_id = member, due_at = due })
    end
  end
end

-- Closes the flow. Its pending members end with it if only these are to; of all, others see to them
-- (CAN-016 to CAN-019).
ff.write('cancel_flow_header', function(partition, args)
  args = args.args
  local closed = flow.known(partition, args.flow_id)
  local members = flow.members_of(partition, args.flow_id)
  if closed.public_flow_state ~= 'open' then
    return {
      already_terminal = {
        member_execution_ids = members,
        stored_cancel_reason = closed.cancel_reason,
        stored_cancellation_policy = closed.cancellation_policy,
      },
    }
  end
  local now = partition:now()
  local policy, reason = args.cancellation_policy, nil
  if args.reason ~= '' then
    reason = args.reason
  end
  flow.close(closed, policy, reason, now)
  if policy == 'cancel_pending' then
    flow.cancel_members(partition, members, policy, reason, now)
  elseif policy == 'cancel_all' then
    put_backlog(partition, args.flow_id, members, now + GRACE_MS)
  end
  return { cancelled = { cancellation_policy = policy, member_execution_ids = members } }
end)

-- CAN-020.
ff.write('ack_cancel_member', function(partition, args)
  partition:remove('backlog', args.flow_id, args.execution_id)
end)

-- Whether a member that others are to cancel has not ended (CAN-013).
ff.read('has_backlog', function(partition, args)
  for _, member in ipairs(partition:list('backlog', 'KEY', args.flow_id)) do
    local fields = partition:execution(member)
    if fields and fields.lifecycle_phase ~= 'terminal' then
      return true
    end
  end
  return false
end)
