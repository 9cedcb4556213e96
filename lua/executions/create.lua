-- Creating executions.

local execution = ff.execution

-- How long an idempotency key is remembered if the policy does not say (EXE-009).
local DEDUP_WINDOW_MS = 86400000

-- The last time that can travel.
local MAX_TIME = 9007199254740991

-- A time after now.
function ff.after(now, by)
  return math.min(now + by, MAX_TIME)
end

-- EXE-006.
function execution.clamped(priority)
  return math.min(math.max(priority, 0), 9000)
end

local function new_execution(args, policy, now)
  local routing = policy.routing_requirements
  local timeout = policy.timeout_policy
  local deadline = args.execution_deadline_at
  if not deadline and timeout and timeout.execution_deadline_ms then
    deadline = ff.after(now, timeout.execution_deadline_ms) -- EXE-013
  end
  return {
    execution_id = args.execution_id,
    namespace = args.namespace,
    lane_id = args.lane_id,
    execution_kind = args.execution_kind,
    creator_identity = args.creator_identity,
    payload_encoding = args.payload_encoding,
    priority = execution.clamped(args.priority),
    required_capabilities = routing and table.concat(routing.required_capabilities, ',') or '',
    policy = args.policy and cmsgpack.pack(args.policy),
    lifecycle_phase = 'runnable',
    ownership_state = 'unowned',
    eligibility_state = 'eligible_now',
    blocking_reason = 'waiting_for_worker',
    blocking_detail = '',
    terminal_outcome = 'none',
    attempt_state = 'pending_first_attempt',
    total_attempt_count = 0,
    retry_count = 0,
    replay_count = 0,
    lease_reclaim_count = 0,
    lease_epoch = 0,
    waitpoint_count = 0,
    signal_count = 0,
    created_at = now,
    last_transition_at = now,
    last_mutation_at = now,
    execution_deadline_at = deadline,
  }
end

-- Creates an execution, or recognises one whose idempotency key is remembered (EXE-008) or that
-- exists (EXE-007); both decide before anything is written.
ff.write('create_execution', function(partition, args)
  args = args.args
  local now = partition:now()
  local policy = args.policy or {}
  local id = args.execution_id
  local idempotency = args.idempotency_key
  local known_by
  if idempotency and idempotency ~= '' then
    -- The length keeps the parts apart.
    known_by = redis.sha1hex(#args.namespace .. ':' .. args.namespace .. ':' .. idempotency)
    local known = partition:idempotency(partition:number(), known_by)
    if known and known.expires_at > now then
      return { duplicate = { execution_id = known.execution_id } }
    end
  end
  if partition:execution(id) then
    return { duplicate = { execution_id = id } }
  end

  local fields = new_execution(args, policy, now)
  if args.delay_until and args.delay_until > now then
    execution.park_until(fields, args.delay_until, 'waiting_for_delay', now) -- EXE-002
  end
  partition:put('execution', fields)
  partition:put('payload', { execution_id = id, payload = args.input_payload })
  if next(args.tags) then
    partition:put('tags', { execution_id = id, tags = args.tags })
    ff.tags.each(args.tags, function(key, value)
      execution.tell_tag(partition, id, 'attached', key, value)
    end)
  end
  partition:put('lane', { lane_id = fields.lane_id }) -- EXE-014
  if known_by then
    partition:put('idempotency', {
      partition_key = partition:number(),
      digest = known_by,
      execution_id = id,
      expires_at = ff.after(now, policy.dedup_window_ms or DEDUP_WINDOW_MS),
    })
  end
  return {
    created = { execution_id = id, public_state = execution.public_state(fields) },
  }
end)
