-- Claiming fresh work.

local execution, refusal = ff.execution, ff.refusal

local claim = {}

-- Whether tokens joined by commas are all among these.
function claim.is_subset(requirements, offered)
  for token in string.gmatch(requirements, '[^,]+') do
    if not offered[token] then
      return false
    end
  end
  return true
end

-- These tokens, to be asked for one by one.
function claim.set_of(tokens)
  local set = {}
  for _, token in ipairs(tokens) do
    set[token] = true
  end
  return set
end

local KINDS = {
  pending_retry_attempt = 'retry',
  pending_replay_attempt = 'replay',
}

-- Of each queue of these names on the lane whose requirements the worker meets, the first; of these, the first
-- (SCH-002) with its queue, and whether there is more.
local function head_of(partition, names, lane, offered)
  local first, queue
  local count, more = 0, false
  for _, name in ipairs(names) do
    local sets = partition:sets(name, lane)
    count = count + #sets
    for _, requirements in ipairs(sets) do
      if claim.is_subset(requirements, offered) then
        local candidate, second = unpack(partition:first_in_queue(name, lane, requirements, 2))
        more = more or second ~= nil
        if not candidate then
          -- Somebody else has removed the queue: it must not be looked for for ever.
          partition:leave_queue(name, lane, requirements, '')
        end
        if candidate and (not first or candidate < first) then
          first, queue = candidate, { name = name, requirements = requirements }
        end
      end
    end
  end
  return first, queue, more or count > 1
end

-- The first execution in these queues of the lane that the worker qualifies for, and whether there is more. An
-- entry without its record, which only somebody else can have removed, blocks nobody.
function claim.first(partition, names, lane, offered)
  while true do
    local first, queue, more = head_of(partition, names, lane, offered)
    if not first then
      return nil
    end
    local id = execution.at_place(first)
    local fields = partition:execution(id)
    if fields then
      return fields, more
    end
    redis.log(redis.LOG_WARNING, 'the record of ' .. id .. ' is gone, its entry in a queue goes too')
    partition:leave_queue(queue.name, lane, queue.requirements, first)
  end
end

-- What has to be asked before this execution is claimed: those of its budgets that nobody has asked yet (BUD-045).
function claim.budgets(fields, admitted)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  local budgets = policy and policy.budget_ids or {}
  if #budgets > 0 and admitted ~= fields.execution_id then
    return { execution_id = fields.execution_id, budget_ids = budgets }
  end
end

-- A lease that begins now.
function claim.lease(id, holder, ttl, now)
  return {
    id = id,
    worker = holder.worker_id,
    worker_instance = holder.worker_instance_id,
    acquired_at = now,
    ttl_ms = ttl,
    expires_at = ff.after(now, ttl),
  }
end

-- Begins a lease, for this attempt or for the one that goes on, for so many milliseconds at most; returns what
-- its handle stands for.
function claim.begin(partition, fields, attempt, lease, limit)
  if fields.last_lease_id then
    partition:put('past_lease', {
      execution_id = fields.execution_id,
      lease_id = fields.last_lease_id,
      lease_epoch = fields.lease_epoch,
    })
  end
  local event = attempt and attempt.kind == 'reclaim' and 'reclaimed' or 'acquired'
  if attempt then
    execution.start_attempt(fields, attempt, lease, limit)
  else
    execution.go_on(fields, lease, limit)
  end
  execution.emit(partition, fields, event, lease.acquired_at)
  return execution.handle_payload(fields)
end

-- What the next attempt is.
function claim.kind_of(fields)
  if execution.is_reclaimable(fields) then
    return 'reclaim'
  end
  return KINDS[fields.attempt_state] or 'initial'
end

-- Starts a new attempt under a new lease (CLM-005), for as long as is given or its policy says (ATT-024).
function claim.start(partition, fields, attempt_id, lease, given)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  local timeouts = policy and policy.timeout_policy
  local limit = given or timeouts and timeouts.attempt_timeout_ms
  local past = fields.current_attempt
  if past then
    partition:put('past_attempt', {
      execution_id = fields.execution_id,
      attempt_id = past.id,
      attempt_index = past.index,
    })
  end
  return claim.begin(partition, fields, {
    id = attempt_id,
    index = fields.total_attempt_count,
    kind = claim.kind_of(fields),
    started_at = lease.acquired_at,
  }, lease, limit)
end

-- Takes the first execution of the lane in this partition that the worker qualifies for (CLM-001,
-- CLM-002).
ff.write('claim', function(partition, args, context)
  local offered = claim.set_of(args.capabilities.tokens)
  if ff.grant.put_back(partition) then
    return { more = true }
  end
  local fields, more = claim.first(partition, { 'queue' }, args.lane, offered)
  if not fields then
    return nil
  end
  local asks = claim.budgets(fields, args.admitted)
  if asks then
    return { asks = asks, more = true }
  end
  local policy = args.policy
  local lease = claim.lease(context.lease_id, policy, policy.lease_ttl_ms, partition:now())
  return { found = claim.start(partition, fields, context.attempt_id, lease), more = more }
end)

-- An id is used once (LSE-001, CLM-025).
function claim.had(fields, id)
  refusal.validation('invalid_input', fields.execution_id .. ' has had ' .. id)
end

-- A caller's ids for a lease and an attempt are new to the execution (CLM-025, LSE-032).
function claim.check_ids(partition, fields, args)
  local id, current = fields.execution_id, fields.current_attempt
  if fields.last_lease_id == args.lease_id or partition:past_lease(id, args.lease_id) then
    claim.had(fields, args.lease_id)
  end
  if current and current.id == args.attempt_id or partition:past_attempt(id, args.attempt_id) then
    claim.had(fields, args.attempt_id)
  end
end

ff.claim = claim
