-- Signals: delivered to a waitpoint, kept until a suspension takes it, counted once one has.

local condition, execution, refusal, token, waitpoint =
  ff.condition, ff.execution, ff.refusal, ff.token, ff.waitpoint

-- How long an idempotency key is remembered if nothing else is said, in milliseconds (SIG-005).
local DEDUP_MS = 86400000

-- Signals of an execution, if nothing else is said (SIG-009).
local MAX_SIGNALS = 10000

-- What a key is found by; the lengths keep the parts apart.
local function digest(parts)
  for place, part in ipairs(parts) do
    parts[place] = #part .. ':' .. part
  end
  return redis.sha1hex(table.concat(parts))
end

-- Signals that the execution may have, 0 for any number (SIG-009).
local function limit_of(fields)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  return policy and policy.max_signals_per_execution or MAX_SIGNALS
end

-- Counts it towards the suspension, and ends that if it is enough (SIG-013).
local function count(partition, owner, target, signal, delay)
  local suspension = partition:suspension(owner.execution_id)
  local effect = condition.count(suspension, target.waitpoint_key, signal)
  if effect == 'resume_condition_satisfied' then
    suspension.resumed_at = partition:now()
    suspension.resumed_by = 'signal'
    delay = delay or suspension.resume_policy.resume_delay_ms or 0
    execution.resume(owner, delay, partition:now())
  end
  return effect
end

-- Tells the outbox that a signal came, to its effect if it was not there already (EVT-016).
local function tell(partition, owner, signal, id, effect)
  partition:append('signals', {
    execution_id = owner.execution_id,
    namespace = owner.namespace,
    signal_id = id,
    waitpoint_id = signal.waitpoint_id,
    source_identity = signal.source_identity,
    effect = effect,
    occurred_at = partition:now(),
  })
end

-- Everything but the token: whether the signal is known, whether it may come, and what it does.
local function take(partition, owner, target, signal, delivery)
  local now = partition:now()
  local known = delivery.key and partition:signal_key(target.waitpoint_id, delivery.key)
  if known and known.expires_at > now then
    tell(partition, owner, signal, known.signal_id)
    return { Duplicate = known.signal_id }
  elseif partition:signal(owner.execution_id, signal.signal_id) then
    tell(partition, owner, signal, signal.signal_id)
    return { Duplicate = signal.signal_id }
  elseif owner.lifecycle_phase == 'terminal' then
    refusal.state('target_not_signalable')
  end
  local buffers = waitpoint.buffers(target, owner, now)
  if not buffers and not waitpoint.is_active(target, owner) then
    refusal.state('waitpoint_closed')
  end
  local limit = delivery.limit or limit_of(owner)
  if limit > 0 and owner.signal_count >= limit then
    local why = 'the execution has ' .. owner.signal_count .. ' signals'
    refusal.validation('signal_limit_exceeded', why)
  end
  if buffers then
    signal.effect = 'buffered_for_pending_waitpoint'
  else
    signal.effect = count(partition, owner, target, signal, delivery.resume_delay_ms)
  end
  owner.signal_count = owner.signal_count + 1
  signal.number = owner.signal_count
  partition:put('signal', signal)
  tell(partition, owner, signal, signal.signal_id, signal.effect)
  if delivery.key and delivery.dedup_ms > 0 then
    partition:put('signal_key', {
      waitpoint_id = target.waitpoint_id,
      digest = delivery.key,
      signal_id = signal.signal_id,
      expires_at = ff.after(now, delivery.dedup_ms),
    })
  end
  return { Accepted = signal }
end

local function answer(taken)
  if taken.Duplicate then
    return { duplicate = { existing_signal_id = taken.Duplicate } }
  end
  local signal = taken.Accepted
  return { accepted = { effect = signal.effect, signal_id = signal.signal_id } }
end

-- The waitpoint, if it is of this execution.
local function target_of(partition, args)
  local target = partition:waitpoint(partition:number(), args.waitpoint_id)
  return target and target.execution_id == args.execution_id and target or nil
end

-- SIG-001.
ff.write('deliver_signal', function(partition, args)
  args = args.args
  local owner = execution.existing(partition, args.execution_id)
  local target = target_of(partition, args) or token.refuse()
  token.authorise(partition, target, args.waitpoint_token)
  local now, key = partition:now(), args.idempotency_key
  local has_key = key ~= nil and key ~= ''
  local payload = args.payload
  return answer(take(partition, owner, target, {
    execution_id = args.execution_id,
    signal_id = args.signal_id,
    waitpoint_id = args.waitpoint_id,
    signal_name = args.signal_name,
    signal_category = args.signal_category,
    source_type = args.source_type,
    source_identity = args.source_identity,
    correlation_id = args.correlation_id,
    idempotency_key = key,
    target_scope = args.target_scope,
    payload = payload ~= '' and payload or nil,
    payload_encoding = args.payload_encoding,
    created_at = args.created_at or now,
    accepted_at = now,
  }, {
    key = has_key and digest({ 'key', key }),
    dedup_ms = args.dedup_ttl_ms or DEDUP_MS,
    limit = args.max_signals_per_execution,
    resume_delay_ms = args.resume_delay_ms,
  }))
end)

-- SIG-017, SIG-018.
ff.write('deliver_approval_signal', function(partition, args, context)
  args = args.args
  local owner = execution.existing(partition, args.execution_id)
  if owner.lane_id ~= args.lane_id then
    local why = "the execution's lane is " .. owner.lane_id .. ', not ' .. args.lane_id
    refusal.validation('invalid_input', why)
  end
  local target = target_of(partition, args) or refusal.not_found('waitpoint')
  token.authorise(partition, target, target.token)
  local now = partition:now()
  return answer(take(partition, owner, target, {
    execution_id = args.execution_id,
    signal_id = context.fresh_id,
    waitpoint_id = args.waitpoint_id,
    signal_name = args.signal_name,
    signal_category = 'approval',
    source_type = 'operator',
    source_identity = '',
    target_scope = 'execution',
    created_at = now,
    accepted_at = now,
  }, {
    key = digest({ 'approval', args.signal_name, args.idempotency_suffix }),
    dedup_ms = args.signal_dedup_ttl_ms,
    limit = args.max_signals_per_execution,
  }))
end)

-- What the latest suspension of the handle's attempt was resumed by (SUS-040).
ff.read('observe_signals', function(partition, _, context)
  local held = context.held
  local suspension = partition:suspension(held.execution_id)
  if not suspension
    or not suspension.resumed_at
    or suspension.attempt_index ~= held.attempt_index then
    return {}
  end
  local found = {}
  for place, id in ipairs(suspension.satisfiers) do
    found[place] = partition:signal(held.execution_id, id)
  end
  table.sort(found, function(one, other)
    if one.accepted_at ~= other.accepted_at then
      return one.accepted_at < other.accepted_at
    end
    return one.signal_id < other.signal_id
  end)
  for place, signal in ipairs(found) do
    found[place] = {
      accepted_at = signal.accepted_at,
      correlation_id = signal.correlation_id or '',
      payload = signal.payload,
      signal_category = signal.signal_category,
      signal_id = signal.signal_id,
      signal_name = signal.signal_name,
      source_identity = signal.source_identity,
      source_type = signal.source_type,
    }
  end
  return found
end)

-- The signal of a timeout (SUS-035).
function ff.timeout_signal(partition, owner, id)
  local now = partition:now()
  owner.signal_count = owner.signal_count + 1
  partition:put('signal', {
    execution_id = owner.execution_id,
    signal_id = id,
    waitpoint_id = owner.suspension.waitpoint,
    number = owner.signal_count,
    signal_name = 'timeout',
    signal_category = 'timeout',
    source_type = 'system',
    source_identity = 'suspension_timeout',
    target_scope = 'execution',
    created_at = now,
    accepted_at = now,
    effect = 'resume_condition_satisfied',
  })
end
