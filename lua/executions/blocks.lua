-- Admission blocks: an execution in WAIT is kept from every claim until somebody lifts the block.

local execution, refusal = ff.execution, ff.refusal

-- How a blocked execution shows what it waits for.
local BLOCKS = {
  waiting_for_budget = 'blocked_by_budget',
  waiting_for_quota = 'blocked_by_quota',
  waiting_for_capable_worker = 'blocked_by_route',
}

-- Why it cannot be blocked, or nothing if it is (SCH-007 to SCH-010).
local function block(partition, args, reason)
  local fields = partition:execution(args.execution_id)
  if not fields then
    return 'execution_not_found'
  elseif fields.lifecycle_phase == 'terminal' then
    return 'execution_not_active'
  end
  local is_again = execution.is_blocked(fields) and fields.blocking_reason == reason
  if not execution.is_eligible(fields) and not is_again then
    return 'execution_not_eligible'
  elseif fields.lane_id ~= args.lane_id then
    return 'execution_not_in_eligible_set'
  elseif not is_again then
    execution.block(fields, BLOCKS[reason], reason, args.reason_detail or '', partition:now())
  end
end

-- For the reason that the caller gives.
ff.write('block_execution_for_admission', function(partition, args)
  args = args.args
  local why = block(partition, args, args.reason)
  if why then
    return { rejected = { message = why } }
  end
  return { blocked = { execution_id = args.execution_id, reason = args.reason } }
end)

-- Until a worker comes that qualifies.
ff.write('block_route', function(partition, args)
  args = args.args
  local why = block(partition, args, 'waiting_for_capable_worker')
  if why then
    return { rejected = { message = why } }
  end
  return { blocked = { execution_id = args.execution_id } }
end)

-- Lifts the block that the caller expects (SCH-012, SCH-013).
ff.write('unblock_execution', function(partition, args)
  local fields = partition:execution(args.execution_id)
  if not fields then
    return nil
  elseif not execution.is_blocked(fields)
    or fields.blocking_reason ~= args.expected_blocking_reason then
    refusal.contention('execution_not_eligible')
  end
  execution.make_eligible(fields, partition:now())
end)
