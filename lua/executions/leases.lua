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

-- The ladder (LSE-002, LSE-018, LSE-022): it exists, it is active, its lease was not revoked and is not due, and the
-- lease is the caller's.
-- For an execution that is not active it asks `otherwise`.
function lease.held(partition, held, otherwise)
  local fields = execution.existing(partition, held.execution_id)
  if fields.lifecycle_phase ~= 'active' then
    return fields, otherwise(fields)
  end
  lease.hold(partition, fields, held)
  return fields
end

-- Whether all that the caller says of the lease agrees with the record (LSE-007, LSE-017). An operator has no fence
-- (LSE-006), and only a handle tells the lane.
local function is_right(fields, held)
  local fence, current = held.fence, fields.lease
  local is_current = not fence
    or current.id == fence.lease_id
      and fields.lease_epoch == fence.lease_epoch
      and fields.current_attempt.id == fence.attempt_id
  local is_handle = held.lane_id ~= nil
  return is_current
    and (not held.attempt_index or held.attempt_index == fields.current_attempt.index)
    and (not is_handle
      or held.lane_id == fields.lane_id
        and held.worker_instance_id == current.worker_instance
        and held.lease_ttl_ms == current.ttl_ms)
end

-- The ladder on an active execution: its lease was not revoked, it is not due, and it is the caller's.
function lease.hold(partition, fields, held)
  local now = partition:now()
  if fields.ownership_state == 'lease_revoked' then
    refusal.state('lease_revoked')
  end
  if fields.ownership_state == 'lease_expired_reclaimable' then
    refusal.state('lease_expired')
  end
  if is_due(fields, now) then
    lapse(partition, fields, now)
    refusal.lapsed()
  end
  if not is_right(fields, held) then
    refusal.state('stale_lease')
  end
end

local function extend(partition, held)
  local fields = lease.held(partition, held, lease.not_active)
  local now = partition:now()
  local current = fields.lease
  fields.lease = {
    id = current.id,
    worker = current.worker,
    worker_instance = current.worker_instance,
    acquired_at = current.acquired_at,
    ttl_ms = current.ttl_ms,
    renewed_at = now,
    expires_at = ff.after(now, held.lease_ttl_ms),
  }
  execution.touch(fields, now)
  execution.emit(partition, fields, 'renewed', now)
  return fields
end

-- Extends the lease to the clock plus the handle's TTL (LSE-009).
ff.write('renew', function(partition, _, context)
  local fields = extend(partition, context.held)
  return {
    expires_at_ms = fields.lease.expires_at,
    lease_epoch = fields.lease_epoch,
  }
end)

-- The same without a handle, for as long as the caller says (LSE-010).
ff.write('renew_lease', function(partition, args)
  local fields = extend(partition, args.args)
  return { renewed = { expires_at = fields.lease.expires_at } }
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
