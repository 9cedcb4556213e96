-- The states of an execution, and the transitions between them.

local refusal = ff.refusal

local execution = {}

-- The execution, or the refusal that changes get (SYS-016).
function execution.existing(partition, id)
  return partition:execution(id) or refusal.not_found('execution')
end

-- WAIT: a worker may have it, for a new attempt or for one that goes on.
function execution.is_eligible(fields)
  return fields.lifecycle_phase == 'runnable'
    and fields.ownership_state == 'unowned'
    and fields.eligibility_state == 'eligible_now'
end

-- Whether its attempt goes on instead of a new one being started.
function execution.is_interrupted(fields)
  return fields.attempt_state == 'attempt_interrupted'
end

-- Whether a grant keeps it from claims, until somebody finds that it has run out (CLM-014).
function execution.is_reserved(fields)
  return execution.is_eligible(fields) and fields.grant ~= nil and not fields.grant.is_over
end

-- Whether a grant keeps it for its worker.
function execution.is_granted(fields, now)
  return fields.grant ~= nil and fields.grant.expires_at > now
end

-- Whether a fresh claim may take it (SCH-001).
function execution.is_claimable(fields)
  return execution.is_eligible(fields)
    and not execution.is_interrupted(fields)
    and not execution.is_reserved(fields)
end

-- Whether its attempt may go on under whatever grant is given next (CLM-033).
function execution.is_resumable(fields)
  return execution.is_eligible(fields)
    and execution.is_interrupted(fields)
    and not execution.is_reserved(fields)
end

-- Its place among all that wait on its lane in its partition, by its bytes (SCH-002, SCH-018).
function execution.place(fields)
  local place = string.format('%04d:%016.0f:', 9000 - fields.priority, fields.created_at)
  return place .. fields.execution_id
end

-- The execution at a place.
function execution.at_place(place)
  return string.match(place, '^%d+:%d+:(.*)$')
end

-- LAPSED or REVOKED: the attempt is open, and nobody holds it.
function execution.is_reclaimable(fields)
  local ownership = fields.ownership_state
  return ownership == 'lease_expired_reclaimable' or ownership == 'lease_revoked'
end

-- Whether an admission block keeps it from every claim (SCH-007).
function execution.is_blocked(fields)
  local eligibility = fields.eligibility_state
  return eligibility == 'blocked_by_budget'
    or eligibility == 'blocked_by_quota'
    or eligibility == 'blocked_by_route'
end

-- The lease under which it is held, or was until that ran out.
function execution.unrevoked_lease(fields)
  local ownership = fields.ownership_state
  if ownership == 'leased' or ownership == 'lease_expired_reclaimable' then
    return fields.lease
  end
end

-- When the whole execution is out of time.
function execution.deadline(fields)
  return fields.lifecycle_phase ~= 'terminal' and fields.execution_deadline_at or nil
end

-- When its attempt is out of time; not while it is set aside (ATT-037).
function execution.attempt_limit(fields)
  return fields.attempt_clock and fields.attempt_clock.runs
end

-- What is to be done about it, and when, by calls that need nobody's lease.
function execution.dues(fields)
  local dues = {}
  local function add(due, at)
    if at then
      dues[#dues + 1] = { due = due, at = at }
    end
  end
  add('deadline', execution.deadline(fields))
  if fields.lifecycle_phase == 'suspended' then
    add('suspension', fields.suspension.timeout_at)
  elseif fields.eligibility_state == 'not_eligible_until_time' then
    add('delay', fields.delay_until)
  elseif fields.ownership_state == 'leased' then
    add('lease', fields.lease.expires_at)
  end
  add('attempt', execution.attempt_limit(fields))
  add('end', fields.uncascaded_since)
  return dues
end

-- When there is something to do about it.
function execution.due_at(fields)
  local first
  for _, due in ipairs(execution.dues(fields)) do
    first = math.min(first or due.at, due.at)
  end
  return first
end

-- Its place among those that are suspended: by time, then by id.
function execution.place_suspended(since, id)
  return string.format('%016.0f:%s', since, id)
end

-- For how long its policy has it kept once it has ended, in milliseconds (OPS-023).
function execution.kept_ms(fields)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  local stream = policy and policy.stream_policy
  return stream and stream.retention_ttl_ms or 0
end

-- Its place among those of its lane that have ended: by the term for which it is kept, by time, then by id.
function execution.place_ended(fields)
  local term, at = execution.kept_ms(fields), fields.completed_at
  return string.format('%016.0f:%016.0f:%s', term, at, fields.execution_id)
end

local BY_OUTCOME = {
  success = 'completed',
  failed = 'failed',
  cancelled = 'cancelled',
  expired = 'expired',
  skipped = 'skipped',
}

local BY_ELIGIBILITY = {
  not_eligible_until_time = 'delayed',
  blocked_by_dependencies = 'waiting_children',
  blocked_by_budget = 'rate_limited',
  blocked_by_quota = 'rate_limited',
}

-- The state shown to callers (EXE-019).
function execution.public_state(fields)
  local phase = fields.lifecycle_phase
  if phase == 'terminal' then
    return BY_OUTCOME[fields.terminal_outcome]
  elseif phase == 'suspended' or phase == 'active' then
    return phase
  elseif fields.eligibility_state == 'eligible_now'
    and fields.attempt_state == 'attempt_interrupted' then
    return 'resumable'
  end
  return BY_ELIGIBILITY[fields.eligibility_state] or 'waiting'
end

-- Whether readers are shown the current attempt (EXE-017).
function execution.shows_attempt(fields)
  return fields.current_attempt ~= nil
    and fields.attempt_state ~= 'pending_retry_attempt'
    and fields.attempt_state ~= 'pending_replay_attempt'
end

-- What a handle of the current lease says.
function execution.handle_payload(fields)
  local lease, attempt = fields.lease, fields.current_attempt
  return {
    execution_id = fields.execution_id,
    fence = {
      lease_id = lease.id,
      lease_epoch = fields.lease_epoch,
      attempt_id = attempt.id,
    },
    attempt_index = attempt.index,
    lease_ttl_ms = lease.ttl_ms,
    lane_id = fields.lane_id,
    worker_instance_id = lease.worker_instance,
  }
end

-- Every change passes here (EXE-028); the time never goes back.
function execution.touch(fields, now)
  fields.last_mutation_at = math.max(fields.last_mutation_at, now)
end

local function transition(fields, now)
  execution.touch(fields, now)
  fields.last_transition_at = fields.last_mutation_at
end

-- WAIT: claimable at the place its priority and age give it.
function execution.make_eligible(fields, now)
  fields.eligibility_state = 'eligible_now'
  fields.blocking_reason = 'waiting_for_worker'
  fields.blocking_detail = ''
  fields.delay_until = nil
  fields.denied_by_budget = nil
  transition(fields, now)
end

-- BUDGET, QUOTA or ROUTE: no claim takes it (SCH-007).
function execution.block(fields, eligibility, reason, detail, now)
  fields.eligibility_state = eligibility
  fields.blocking_reason = reason
  fields.blocking_detail = detail
  transition(fields, now)
end

-- DELAY.
function execution.park_until(fields, due, reason, now)
  fields.lifecycle_phase = 'runnable'
  fields.eligibility_state = 'not_eligible_until_time'
  fields.blocking_reason = reason
  fields.delay_until = due
  transition(fields, now)
end

-- DEPS, keeping a delay for when the dependencies are resolved.
function execution.block_by_dependencies(fields, now)
  fields.eligibility_state = 'blocked_by_dependencies'
  fields.denied_by_budget = nil
  fields.blocking_reason = 'waiting_for_children'
  fields.blocking_detail = ''
  transition(fields, now)
end

-- Nothing of an attempt that has ended can be held, taken over or timed out.
local function clear_attempt(fields)
  fields.ownership_state = 'unowned'
  fields.blocking_detail = ''
  fields.lease_expired_at = nil
  fields.lease_revoked_at = nil
  fields.lease_revoke_reason = nil
  fields.grant = nil
  fields.attempt_clock = nil
end

-- DELAY until another attempt begins (ATT-015).
function execution.retry(fields, due, now)
  fields.retry_count = fields.retry_count + 1
  fields.attempt_state = 'pending_retry_attempt'
  clear_attempt(fields)
  execution.park_until(fields, due, 'waiting_for_retry_backoff', now)
end

-- ACTIVE: a new attempt under a new lease (CLM-005), for so many milliseconds at most (ATT-024).
function execution.start_attempt(fields, attempt, lease, limit)
  fields.current_attempt = attempt
  fields.total_attempt_count = fields.total_attempt_count + 1
  fields.started_at = fields.started_at or lease.acquired_at
  fields.attempt_clock = limit and { stands = limit }
  execution.go_on(fields, lease, nil)
end

-- ACTIVE: the attempt goes on under a new lease (SUS-037), for what is left of its time and at most for so many
-- milliseconds (ATT-037, ATT-038).
function execution.go_on(fields, lease, limit)
  local left = fields.attempt_clock and fields.attempt_clock.stands
  if left and limit then
    left = math.min(left, limit)
  end
  left = left or limit
  fields.attempt_clock = left and { runs = ff.after(lease.acquired_at, left) }
  fields.lifecycle_phase = 'active'
  fields.ownership_state = 'leased'
  fields.eligibility_state = 'not_applicable'
  fields.blocking_reason = 'none'
  fields.blocking_detail = ''
  fields.attempt_state = 'running_attempt'
  fields.lease_epoch = fields.lease_epoch + 1
  fields.last_lease_id = lease.id
  fields.lease = lease
  fields.lease_expired_at = nil
  fields.lease_revoked_at = nil
  fields.lease_revoke_reason = nil
  fields.closing = nil
  fields.grant = nil
  transition(fields, lease.acquired_at)
end

-- LAPSED: the lease has run out, the attempt is still open (LSE-015).
function execution.lapse(fields, now)
  fields.ownership_state = 'lease_expired_reclaimable'
  fields.blocking_reason = 'waiting_for_worker'
  fields.blocking_detail = 'lease expired, awaiting reclaim'
  fields.attempt_state = 'attempt_interrupted'
  fields.lease_expired_at = now
  transition(fields, now)
end

-- REVOKED: the lease was taken from its holder, the attempt is still open (OPS-014).
function execution.revoke(fields, reason, now)
  fields.ownership_state = 'lease_revoked'
  fields.blocking_reason = 'waiting_for_worker'
  fields.blocking_detail = 'lease revoked: ' .. reason
  fields.attempt_state = 'attempt_interrupted'
  fields.lease_revoked_at = now
  fields.lease_revoke_reason = reason
  transition(fields, now)
end

-- Forgets the lease; its epoch stays (LSE-013).
function execution.drop_lease(fields)
  fields.ownership_state = 'unowned'
  fields.lease = nil
end

-- The same by its holder's own call; the attempt's clock stands still (ATT-037).
function execution.release(fields, closing, now)
  execution.drop_lease(fields)
  fields.closing = closing
  local limit = execution.attempt_limit(fields)
  if limit then
    fields.attempt_clock = { stands = math.max(limit - now, 0) }
  end
end

-- WAIT after the end, for another attempt (OPS-010).
function execution.replay(fields, now)
  fields.lifecycle_phase = 'runnable'
  fields.terminal_outcome = 'none'
  fields.attempt_state = 'pending_replay_attempt'
  fields.replay_count = fields.replay_count + 1
  fields.retry_count = 0
  fields.closing = nil
  fields.completed_at = nil
  fields.uncascaded_since = nil
  fields.failure_reason = nil
  fields.failure_category = nil
  fields.cancellation_reason = nil
  fields.cancelled_by = nil
  if fields.execution_deadline_at and fields.execution_deadline_at <= now then
    fields.execution_deadline_at = nil
  end
  execution.make_eligible(fields, now)
end

-- Waits for dependencies, to go on with the same attempt then; or may go on at once.
function execution.wait_for_children(fields, satisfied, now)
  fields.lifecycle_phase = 'runnable'
  fields.attempt_state = 'attempt_interrupted'
  if satisfied then
    execution.make_eligible(fields, now)
  else
    execution.block_by_dependencies(fields, now)
  end
end

-- Why a suspended execution does not run, where that is not to wait for a signal (SUS-017).
local BLOCKED_BY = {
  waiting_for_approval = 'waiting_for_approval',
  waiting_for_callback = 'waiting_for_callback',
  waiting_for_tool_result = 'waiting_for_tool_result',
  waiting_for_operator_review = 'paused_by_operator',
  manual_pause = 'paused_by_operator',
  paused_by_policy = 'paused_by_policy',
  paused_by_budget = 'waiting_for_budget',
}

-- SUSPENDED, after the lease was given up (SUS-021).
function execution.suspend(fields, suspended)
  fields.lifecycle_phase = 'suspended'
  fields.blocking_reason = BLOCKED_BY[suspended.reason] or 'waiting_for_signal'
  fields.attempt_state = 'attempt_interrupted'
  fields.suspension = suspended
  transition(fields, suspended.since)
end

-- RESUMED: the same attempt may go on, now or after a delay (SUS-029).
function execution.resume(fields, delay, now)
  fields.lifecycle_phase = 'runnable'
  if delay == 0 then
    execution.make_eligible(fields, now)
  else
    execution.park_until(fields, ff.after(now, delay), 'waiting_for_resume_delay', now)
  end
end

-- The suspension has no end by itself any more, an operator has to see to it (SUS-036).
function execution.escalate(fields, now)
  local suspended = fields.suspension
  fields.suspension = {
    id = suspended.id,
    waitpoint = suspended.waitpoint,
    since = suspended.since,
    reason = 'waiting_for_operator_review',
    timeout_behavior = suspended.timeout_behavior,
  }
  fields.blocking_reason = BLOCKED_BY.waiting_for_operator_review
  transition(fields, now)
end

-- TERMINAL, and the outbox is told.
function execution.finish(partition, fields, outcome, now)
  fields.lifecycle_phase = 'terminal'
  fields.eligibility_state = 'not_applicable'
  fields.blocking_reason = 'none'
  fields.terminal_outcome = outcome
  fields.attempt_state = fields.current_attempt and 'attempt_terminal' or 'none'
  fields.delay_until = nil
  fields.denied_by_budget = nil
  clear_attempt(fields)
  fields.completed_at = now
  fields.uncascaded_since = fields.flow_id and now
  transition(fields, now)
  partition:append('completions', {
    execution_id = fields.execution_id,
    flow_id = fields.flow_id,
    namespace = fields.namespace,
    outcome = outcome,
    occurred_at = now,
  })
end

-- How the stream of the current attempt was closed when its lease ran out (STR-016).
function execution.left_behind(fields)
  if fields.ownership_state == 'lease_expired_reclaimable' then
    return { at = fields.lease_expired_at, reason = 'lease_expired' }
  end
end

local CLOSES = {
  ended_success = 'attempt_success',
  ended_failure = 'attempt_failure',
  ended_cancelled = 'attempt_cancelled',
  interrupted_reclaimed = 'reclaimed',
}

-- How the stream of the current attempt is closed as it ends like this, for that reason if none follows from the end
-- itself (STR-016, STR-038).
local function closed(fields, state, reason, now)
  if not CLOSES[state] then
    return nil
  end
  local lapsed = execution.left_behind(fields)
  if lapsed and state ~= 'interrupted_reclaimed' then
    return lapsed
  end
  return { at = lapsed and lapsed.at or now, reason = reason or CLOSES[state] }
end

-- Records the current attempt as it ends or is set aside; its stream is closed for that reason, or else the one that
-- follows from the end.
function execution.end_attempt(partition, fields, state, reason, now)
  local current = fields.current_attempt
  if not current then
    return
  end
  local failed = state == 'ended_failure'
  partition:put('attempt', {
    execution_id = fields.execution_id,
    attempt_index = current.index,
    attempt_id = current.id,
    attempt_type = current.kind,
    started_at = current.started_at,
    state = state,
    ended_at = state ~= 'suspended' and now or nil,
    failure_reason = failed and fields.failure_reason or nil,
    failure_category = failed and fields.failure_category or nil,
    closed = closed(fields, state, reason, now),
  })
end

-- Tells the outbox what happened to the lease that the record shows.
function execution.emit(partition, fields, event, now)
  local lease = fields.lease or {}
  partition:append('lease_events', {
    execution_id = fields.execution_id,
    namespace = fields.namespace,
    event_type = event,
    lease_id = lease.id,
    worker_instance = lease.worker_instance,
    occurred_at = now,
  })
end

ff.execution = execution
