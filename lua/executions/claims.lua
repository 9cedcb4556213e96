-- Claiming fresh work.

local execution = ff.execution

local claim = {}

local function is_subset(requirements, offered)
  for token in string.gmatch(requirements, '[^,]+') do
    if not offered[token] then
      return false
    end
  end
  return true
end

local KINDS = {
  pending_retry_attempt = 'retry',
  pending_replay_attempt = 'replay',
}

-- Of each queue of the lane whose requirements the worker meets, the first; of these, the first (SCH-002)
-- with its queue, and whether there is more.
local function head_of(partition, lane, offered)
  local sets = redis.call('SMEMBERS', partition:key('lane', { lane }))
  local first, queue
  local more = #sets > 1
  for _, requirements in ipairs(sets) do
    if is_subset(requirements, offered) then
      local candidate, second = partition:first_in_queue(lane, requirements)
      more = more or second ~= nil
      if not candidate then
        -- Somebody else has removed the queue: it must not be looked for for ever.
        partition:leave_queue(lane, requirements, '')
      end
      if candidate and (not first or candidate < first) then
        first, queue = candidate, requirements
      end
    end
  end
  return first, queue, more
end

-- Begins a lease, for this attempt or for the one that goes on; returns what its handle stands for.
function claim.begin(partition, fields, attempt, lease, ttl)
  if fields.last_lease_id then
    partition:put('past_lease', {
      execution_id = fields.execution_id,
      lease_id = fields.last_lease_id,
      lease_epoch = fields.lease_epoch,
    })
  end
  if attempt then
    execution.start_attempt(fields, attempt, lease)
  else
    execution.go_on(fields, lease)
  end
  execution.emit(partition, fields, 'acquired', lease.acquired_at)
  return {
    execution_id = fields.execution_id,
    fence = {
      lease_id = lease.id,
      lease_epoch = fields.lease_epoch,
      attempt_id = fields.current_attempt.id,
    },
    attempt_index = fields.current_attempt.index,
    lease_ttl_ms = ttl,
    lane_id = fields.lane_id,
    worker_instance_id = lease.worker_instance,
  }
end

-- Takes the first execution of the lane in this partition that the worker qualifies for (CLM-001,
-- CLM-002). An entry without its record, which only somebody else can have removed, blocks nobody.
ff.write('claim', function(partition, args, context)
  local offered = {}
  for _, token in ipairs(args.capabilities.tokens) do
    offered[token] = true
  end
  if ff.grant.put_back(partition) then
    return { more = true }
  end
  local id, fields, more
  repeat
    local first, queue
    first, queue, more = head_of(partition, args.lane, offered)
    if not first then
      return nil
    end
    id = string.match(first, '^%d+:%d+:(.*)$')
    fields = partition:execution(id)
    if not fields then
      redis.log(redis.LOG_WARNING, 'the record of ' .. id .. ' is gone, its entry in a queue goes too')
      partition:leave_queue(args.lane, queue, first)
    end
  until fields

  local now = partition:now()
  local policy = args.policy
  local payload = claim.begin(partition, fields, {
    id = context.attempt_id,
    index = fields.total_attempt_count,
    kind = KINDS[fields.attempt_state] or 'initial',
    started_at = now,
  }, {
    id = context.lease_id,
    worker = policy.worker_id,
    worker_instance = policy.worker_instance_id,
    acquired_at = now,
    expires_at = ff.after(now, policy.lease_ttl_ms),
  }, policy.lease_ttl_ms)
  return { payload = payload, more = more }
end)

ff.claim = claim
