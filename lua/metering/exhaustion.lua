-- Budgets that keep executions from claims. Budgets are in partitions of their own: whoever claims asks there.

local execution = ff.execution

-- The most that one look at what waits for budgets finds.
local MAX_PAGE = 1000

-- Whether one of the budget's hard limits is reached (BUD-045).
ff.read('is_exhausted', function(partition, args)
  local fields = ff.budget.of(partition, args.budget_id)
  for dimension, limits in pairs(fields.definition and fields.definition.limits or {}) do
    if limits.hard > 0 and (fields.usage[dimension] or 0) >= limits.hard then
      return true
    end
  end
  return false
end)

-- BUDGET, unless somebody else has taken it (BUD-046).
ff.write('deny', function(partition, args)
  local fields = partition:execution(args.execution_id)
  if not fields or not (execution.is_claimable(fields) or execution.is_resumable(fields)) then
    return
  end
  local reason, now = 'waiting_for_budget', partition:now()
  execution.block(fields, 'blocked_by_budget', reason, args.budget_id, now)
  fields.denied_by_budget = args.budget_id
end)

-- The budgets that executions here wait for.
ff.read('awaited_budgets', function(partition)
  local index, found, after = partition:index('execution', 'DENIED'), {}, '-'
  while #found < MAX_PAGE do
    -- Jumps from one budget to the next, however many executions it keeps waiting.
    local first = redis.call('ZRANGE', index, after, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
    if not first then
      break
    end
    found[#found + 1] = string.match(first, '^[^:]+')
    after = '(' .. found[#found] .. ';'
  end
  return found
end)

-- The calls that lift the blocks for want of this budget.
ff.read('admit_again', function(partition, args)
  local index, calls = partition:index('execution', 'DENIED'), {}
  local first, last = '[' .. args.budget_id .. ':', '(' .. args.budget_id .. ';'
  for _, place in ipairs(redis.call('ZRANGE', index, first, last, 'BYLEX', 'LIMIT', 0, args.limit)) do
    local fields = partition:execution(string.match(place, '^[^:]+:(.*)$'))
    calls[#calls + 1] = {
      unblock_execution = {
        partition = { family = 'execution', index = partition:number() },
        lane_id = fields.lane_id,
        execution_id = fields.execution_id,
        expected_blocking_reason = 'waiting_for_budget',
        now_ms = partition:now(),
      },
    }
  end
  return calls
end)
