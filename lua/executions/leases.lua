-- Calls under a lease: the ladder of checks, renewal, and what happens when it lapses.

local execution, refusal, record = ff.execution, ff.refusal, ff.record

local lease = {}

-- Due as soon as the expiry equals the clock (SYS-007).
local function is_due(fields, now)
  return fields.lease ~= nil and fields.lease.expires_at <= now
end

local function lapse(partition, fields, now)
  execution.lapse(fields, now)
  execution.emit(partition, fields, 'expired', now)
end

-- What there is instead of a live lease (LSE-003, LSE-004, LSE-019).
function lease.not_active(fields)
  if fields.lifecycle_phase == 'suspended' then
    refusal.contention('lease_conflict')
  end
  refusal.contention({
    execution_not_active = {
      terminal_outcome = fields.terminal_outcome,
      lease_epoch = record.decimal(fields.lease_epoch),
      lifecycle_phase = fields.lifecycle_phase,
      attempt_id = execution.shows_attempt(fields) and fields.current_attempt.id or '',
    },
  })
end

-- The ladder (LSE-002, LSE-018): it exists, it is active, its lease is not due, the lease is the caller's.
-- For an execution that is not active it asks `otherwise`.
function lease.held(partition, held, otherwise)
  local fields = execution.existing(partition, held.execution_id)
  if fields.lifecycle_phase ~= 'active' then
    return fields, otherwise(fields)
  end
  lease.hold(partition, fields, held.fence, held)
  return fields
end

-- Whether a handle says of its lease what the record says (LSE-017).
local function is_true(fields, handle)
  local held = fields.lease
  return handle.attempt_index == fields.current_attempt.index
    and handle.lane_id == fields.lane_id
    and handle.worker_instance_id == held.worker_instance
    and ff.after(held.renewed_at or held.acquired_at, handle.lease_ttl_ms) == held.expires_at
end

-- The ladder on an active execution: its lease is not due, and it is the caller's, by a handle if there is
-- one.
function lease.hold(partition, fields, fence, handle)
  local now = partition:now()
  if fields.ownership_state == 'lease_expired_reclaimable' then
    refusal.state('lease_expired')
  end
  if is_due(fields, now) then
    lapse(partition, fields, now)
    refusal.lapsed()
  end
  if fields.lease.id ~= fence.lease_id
    or fields.lease_epoch ~= fence.lease_epoch
    or fields.current_attempt.id ~= fence.attempt_id
    or handle and not is_true(fields, handle) then
    refusal.state('stale_lease')
  end
end

-- Extends the lease to the clock plus the handle's TTL (LSE-009).
ff.write('renew', function(partition, _, context)
  local held = context.held
  local fields = lease.held(partition, held, lease.not_active)
  local now = partition:now()
  local current = fields.lease
  fields.lease = {
    id = current.id,
    worker = current.worker,
    worker_instance = current.worker_instance,
    acquired_at = current.acquired_at,
    renewed_at = now,
    expires_at = ff.after(now, held.lease_ttl_ms),
  }
  execution.touch(fields, now)
  execution.emit(partition, fields, 'renewed', now)
  return {
    expires_at_ms = fields.lease.expires_at,
    lease_epoch = fields.lease_epoch,
  }
end)

-- Marks a due lease as lapsed (LSE-015), else does nothing (LSE-016).
ff.write('mark_lease_expired_if_due', function(partition, args)
  local fields = partition:execution(args.execution_id)
  if not fields then
    return nil
  end
  local now = partition:now()
  if fields.ownership_state == 'leased' and is_due(fields, now) then
    lapse(partition, fields, now)
  end
end)

ff.lease = lease
