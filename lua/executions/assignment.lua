-- Finding work for a worker, and keeping it for that worker.

local execution, claim, grant = ff.execution, ff.claim, ff.grant

-- The longest page (SCH-019).
local MAX_PAGE = 1000

-- What waits on a lane and is kept for nobody, in the order of claims (SCH-005, SCH-006, SCH-019).
ff.read('scan_eligible_executions', function(partition, args)
  args = args.args
  local index, now = partition:index('execution', 'WAITING', args.lane_id), partition:now()
  local wanted, after, found = math.min(args.limit, MAX_PAGE), '-', {}
  while #found < wanted do
    local missing = wanted - #found
    local places = redis.call('ZRANGE', index, after, '+', 'BYLEX', 'LIMIT', 0, missing)
    for _, place in ipairs(places) do
      local id = execution.at_place(place)
      if not execution.is_granted(partition:execution(id), now) then
        found[#found + 1] = id
      end
      after = '(' .. place
    end
    if #places < missing then
      break
    end
  end
  return found
end)

-- Keeps the first in this partition that the worker qualifies for (CLM-032 to CLM-036).
ff.write('claim_for_worker', function(partition, given)
  local args = given.args
  if grant.put_back(partition) then
    return { more = true }
  end
  local offered = claim.set_of(args.worker_capabilities)
  local fields, more = claim.first(partition, { 'queue', 'resumable' }, args.lane_id, offered)
  if not fields then
    return nil
  end
  local asks = claim.budgets(fields, given.admitted)
  if asks then
    return { asks = asks, more = true }
  end
  grant.issue(fields, args, partition:now())
  return { found = grant.describe(partition, fields), more = more }
end)
