-- Giving up a lease until a condition is met.

local condition, execution, lease, refusal, waitpoint =
  ff.condition, ff.execution, ff.lease, ff.refusal, ff.waitpoint

-- How far a deadline may lie in the past, in milliseconds (SUS-009).
local TOLERANCE_MS = 600000

-- How long an outcome is kept after the deadline, and at most, in milliseconds (SUS-046).
local KEPT_AFTER_MS = 60000
local KEPT_AT_MOST_MS = 604800000

-- The result of a suspension (SUS-022).
local function outcome(suspension_id, waitpoints, released)
  local others = {}
  for place = 2, #waitpoints do
    local fields = waitpoints[place]
    others[place - 1] = {
      waitpoint_id = fields.waitpoint_id,
      waitpoint_key = fields.waitpoint_key,
      waitpoint_token = fields.token,
    }
  end
  local first = waitpoints[1]
  return {
    details = {
      additional_waitpoints = others,
      suspension_id = suspension_id,
      waitpoint_id = first.waitpoint_id,
      waitpoint_key = first.waitpoint_key,
      waitpoint_token = first.token,
    },
    released = released,
  }
end

-- What the same request came to: by its key as long as that is remembered (SUS-019), otherwise until
-- something else happens to the lease (SUS-018).
local function repeated(partition, fields, digest, has_key)
  local replay = partition:suspend_replay(fields.execution_id, digest)
  if not replay then
    return nil
  end
  local closed_it = fields.lifecycle_phase ~= 'active'
    and fields.closing ~= nil
    and fields.closing.digest == digest
  if has_key and replay.expires_at <= partition:now() or not has_key and not closed_it then
    return nil
  end
  local waitpoints = {}
  for place, id in ipairs(replay.waitpoints) do
    waitpoints[place] = partition:waitpoint(partition:number(), id)
  end
  return outcome(replay.suspension_id, waitpoints, replay.released)
end

-- When it ends by itself and how: as the arguments say, or else the policy (SUS-009, SUS-044).
local function deadline(fields, args, now)
  if args.timeout_at then
    if args.timeout_at + TOLERANCE_MS < now then
      refusal.validation('invalid_input', 'the timeout is more than 600000 ms ago')
    end
    return args.timeout_at, args.timeout_behavior
  end
  local policy = fields.policy and cmsgpack.unpack(fields.policy).suspension_policy
  if policy and policy.default_timeout_ms then
    return ff.after(now, policy.default_timeout_ms), policy.timeout_behavior
  elseif condition.needs_timeout(args.resume_condition) then
    local why = 'only a timeout can meet the condition, and there is none'
    refusal.validation('invalid_input', why)
  end
  return nil, args.timeout_behavior
end

-- A pending waitpoint of the execution's attempt (SUS-024).
local function usable(partition, owner, id)
  local fields = partition:waitpoint(partition:number(), id)
  if not fields then
    refusal.contention('waitpoint_not_found')
  elseif not waitpoint.is_of_attempt(fields, owner) then
    waitpoint.refuse_foreign(fields)
  elseif not waitpoint.is_pending(fields) then
    refusal.state('waitpoint_not_pending')
  elseif waitpoint.is_due(fields, partition:now()) then
    refusal.state('pending_waitpoint_expired')
  end
  return fields
end

-- The waitpoints in the order of the request (SUS-024, SUS-026).
local function taken(partition, owner, args)
  local found = {}
  for place, binding in ipairs(args.waitpoints) do
    local fresh = binding.fresh
    if not fresh then
      found[place] = usable(partition, owner, binding.use_pending.waitpoint_id)
      if not condition.names_only(args.resume_condition, found[place].waitpoint_key) then
        local why = 'the condition names other waitpoints than there are'
        refusal.validation('invalid_input', why)
      end
    elseif partition:waitpoint(partition:number(), fresh.waitpoint_id) then
      refusal.conflict('waitpoint_already_exists')
    else
      found[place] = waitpoint.new(partition, owner, fresh.waitpoint_id, fresh.waitpoint_key)
    end
  end
  return found
end

-- Counts what a pending waitpoint has kept, in the order of acceptance; whether that meets the condition
-- (SUS-025).
local function count_buffered(partition, suspension, waitpoints)
  local first = waitpoints[1]
  if not first.pending_until then
    return false
  end
  for _, id in ipairs(partition:list('signal', 'ARRIVED', first.waitpoint_id)) do
    local signal = partition:signal(suspension.execution_id, id)
    local effect = condition.count(suspension, first.waitpoint_key, signal)
    if effect == 'resume_condition_satisfied' then
      return true
    end
  end
  return false
end

local function kept_until(timeout_at, now)
  local kept = KEPT_AT_MOST_MS
  if timeout_at then
    kept = math.min(math.max(timeout_at - now, 0) + KEPT_AFTER_MS, kept)
  end
  return ff.after(now, kept)
end

-- Takes the waitpoints and gives up the lease (SUS-021).
local function give_up(partition, fields, args, digest, suspension, waitpoints)
  local now = partition:now()
  local timeout_at, timeout_behavior = suspension.timeout_at, suspension.timeout_behavior
  execution.emit(partition, fields, 'released', now)
  execution.end_attempt(partition, fields, 'suspended', nil, now)
  execution.release(fields, { digest = digest }, now)
  for _, taken_one in ipairs(waitpoints) do
    taken_one.taken_at_epoch = fields.lease_epoch
    taken_one.activated_at = now
  end
  execution.suspend(fields, {
    id = args.suspension_id,
    waitpoint = waitpoints[1].waitpoint_id,
    since = now,
    reason = args.reason_code,
    timeout_at = timeout_at,
    timeout_behavior = timeout_behavior,
  })
end

-- Suspends, by a handle or by the lease's fence.
local function suspend(partition, args, context, held)
  local id = held.execution_id
  local fields = execution.existing(partition, id)
  local key = args.idempotency_key
  local has_key = key ~= nil and key ~= ''
  local digest = redis.sha1hex(has_key and 'key:' .. key or context.call)
  local known = repeated(partition, fields, digest, has_key)
  if known then
    return known
  elseif fields.lifecycle_phase ~= 'active' then
    lease.not_active(fields)
  end
  lease.hold(partition, fields, held)

  local now = partition:now()
  local timeout_at, timeout_behavior = deadline(fields, args, now)
  local waitpoints = taken(partition, fields, args)
  local ids = {}
  for place, one in ipairs(waitpoints) do
    ids[place] = one.waitpoint_id
  end
  local suspension = {
    execution_id = id,
    suspension_id = args.suspension_id,
    attempt_index = fields.current_attempt.index,
    condition = condition.kept(args.resume_condition),
    resume_policy = args.resume_policy,
    requested_by = args.requested_by,
    continuation_metadata_pointer = args.continuation_metadata_pointer,
    waitpoints = ids,
    counted = condition.none_counted(args.resume_condition),
    satisfiers = {},
  }
  local released
  if count_buffered(partition, suspension, waitpoints) then
    suspension.resumed_at = now
    waitpoints[1].closed_at = now
  else
    released = execution.handle_payload(fields)
    local timeout = { timeout_at = timeout_at, timeout_behavior = timeout_behavior }
    give_up(partition, fields, args, digest, timeout, waitpoints)
  end
  for _, one in ipairs(waitpoints) do
    partition:put('waitpoint', one)
  end
  partition:put('suspension', suspension)
  if has_key or released then
    partition:put('suspend_replay', {
      execution_id = id,
      digest = digest,
      suspension_id = args.suspension_id,
      waitpoints = ids,
      released = released,
      expires_at = kept_until(timeout_at, now),
    })
  end
  return outcome(args.suspension_id, waitpoints, released)
end

ff.write('suspend', function(partition, args, context)
  return suspend(partition, args.args, context, context.held)
end)

-- SUS-027.
ff.write('suspend_by_triple', function(partition, args, context)
  return suspend(partition, args.args, context, { execution_id = args.exec_id, fence = args.triple })
end)
