-- The end of a suspension without its condition, and the list of those that last.

local execution, refusal = ff.execution, ff.refusal

local MAX_PAGE = 1000

-- Whatever its condition says (SUS-032).
ff.write('resume_execution', function(partition, args)
  args = args.args
  local fields = execution.existing(partition, args.execution_id)
  if fields.lifecycle_phase ~= 'suspended' then
    refusal.state('execution_not_suspended')
  end
  local now = partition:now()
  local suspension = partition:suspension(args.execution_id)
  suspension.resumed_at = now
  suspension.resumed_by = args.trigger_type
  execution.resume(fields, args.resume_delay_ms, now)
  return { resumed = { public_state = execution.public_state(fields) } }
end)

local function finish(partition, fields, attempt, outcome, now)
  execution.end_attempt(partition, fields, attempt, 'suspension_timeout', now)
  fields.closing = nil
  execution.finish(partition, fields, outcome, now)
end

local function fail(partition, fields, reason, outcome, now)
  fields.failure_reason = reason
  fields.failure_category = 'timeout'
  finish(partition, fields, 'ended_failure', outcome, now)
end

-- What a timeout does, by its behaviour.
local EXPIRE = {}

function EXPIRE.auto_resume_with_timeout_signal(partition, fields, now, id)
  local suspension = partition:suspension(fields.execution_id)
  ff.timeout_signal(partition, fields, id)
  table.insert(suspension.satisfiers, id)
  suspension.resumed_at = now
  suspension.resumed_by = 'timeout'
  execution.resume(fields, 0, now)
end

function EXPIRE.cancel(partition, fields, now)
  fields.cancellation_reason = 'suspension_timeout:cancel'
  fields.cancelled_by = 'system_timeout'
  finish(partition, fields, 'ended_cancelled', 'cancelled', now)
end

function EXPIRE.escalate(_, fields, now)
  execution.escalate(fields, now)
end

function EXPIRE.expire(partition, fields, now)
  fail(partition, fields, 'suspension_timeout:expire', 'expired', now)
end

function EXPIRE.fail(partition, fields, now)
  fail(partition, fields, 'suspension_timeout:fail', 'failed', now)
end

-- Does what is due to be done with a suspension, or nothing (SUS-033 to SUS-036).
ff.write('expire_suspension', function(partition, args, context)
  local fields = partition:execution(args.execution_id)
  if not fields or fields.lifecycle_phase ~= 'suspended' then
    return nil
  end
  local suspended, now = fields.suspension, partition:now()
  if suspended.timeout_at and suspended.timeout_at <= now then
    EXPIRE[suspended.timeout_behavior](partition, fields, now, context.fresh_id)
  end
end)

-- SUS-042, SUS-043.
ff.read('list_suspended', function(partition, args)
  local after
  if args.cursor then
    local last = partition:execution(args.cursor)
    if not last or not last.suspension then
      refusal.validation('invalid_input', args.cursor .. ' has never been suspended')
    end
    after = execution.place_suspended(last.suspension.since, args.cursor)
  end
  local limit = math.min(args.limit, MAX_PAGE)
  local places, next_place = ff.page(partition:index('execution', 'SUSPENDED'), after, limit)
  local entries = {}
  for place, found in ipairs(places) do
    local id = string.match(found, '^%d+:(.*)$')
    local suspended = partition:execution(id).suspension
    entries[place] = {
      execution_id = id,
      suspended_at_ms = suspended.since,
      reason = suspended.reason,
    }
  end
  return { entries = entries, next_cursor = next_place and string.match(next_place, '^%d+:(.*)$') }
end)
