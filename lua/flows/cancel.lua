-- Cancelling flows.

local execution, flow = ff.execution, ff.flow

-- How long the members that a header leaves to others may stay before somebody else sees to them.
local GRACE_MS = 30000

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
  flow.tell_revoked(partition, fields, flow.interrupt(partition, fields, now), 'operator', now)
  fields.cancellation_reason = reason or 'flow_cancelled'
  fields.cancelled_by = 'cancel_flow'
  execution.finish(partition, fields, 'cancelled', now)
end

local function close(fields, policy, reason, now)
  fields.public_flow_state = 'cancelled'
  fields.cancelled_at = now
  fields.cancellation_policy = policy
  fields.cancel_reason = reason
  flow.touch(fields, now)
end

local function cancel_members(partition, members, policy, reason, now)
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
    close(closed, args.policy, nil, now)
    cancel_members(partition, members, args.policy, nil, now)
  end
  return {
    cancelled = {
      cancellation_policy = closed.cancellation_policy,
      member_execution_ids = members,
    },
  }
end)

-- Leaves members to others, until then.
local function put_backlog(partition, flow_id, members, due)
  for _, member in ipairs(members) do
    if SELECTS.cancel_all(execution.existing(partition, member)) then
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
  close(closed, policy, reason, now)
  if policy == 'cancel_pending' then
    cancel_members(partition, members, policy, reason, now)
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
    if fields and SELECTS.cancel_all(fields) then
      return true
    end
  end
  return false
end)
