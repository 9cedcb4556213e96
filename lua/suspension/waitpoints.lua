-- Places for signals: made ahead of a suspension, listed, closed when none takes them.

local condition, execution, lease, refusal, token =
  ff.condition, ff.execution, ff.lease, ff.refusal, ff.token

local waitpoint = {}

local MAX_PAGE = 1000

-- Entries of a page, if the caller does not say.
local DEFAULT_PAGE = 100

-- No suspension has taken it, and it is not closed.
function waitpoint.is_pending(fields)
  return not fields.taken_at_epoch and not fields.closed_at
end

-- The suspension that took it lasts.
function waitpoint.is_active(fields, owner)
  return owner.lifecycle_phase == 'suspended'
    and not fields.closed_at
    and fields.taken_at_epoch == owner.lease_epoch
end

-- No suspension may take it any more (WPT-004).
function waitpoint.is_due(fields, now)
  return fields.pending_until ~= nil and fields.pending_until <= now
end

-- Of the attempt that the execution is at.
function waitpoint.is_of_attempt(fields, owner)
  return fields.execution_id == owner.execution_id
    and execution.shows_attempt(owner)
    and fields.attempt_index == owner.current_attempt.index
end

-- Signals may still be kept for a suspension to come (WPT-004).
function waitpoint.buffers(fields, owner, now)
  return waitpoint.is_pending(fields)
    and not waitpoint.is_due(fields, now)
    and waitpoint.is_of_attempt(fields, owner)
end

-- The refusal of a waitpoint that is another's.
function waitpoint.refuse_foreign(fields)
  local why = 'the waitpoint ' .. fields.waitpoint_id .. ' is of another execution or attempt'
  refusal.validation('invalid_waitpoint_for_execution', why)
end

-- A new waitpoint of the attempt that is under way, with its token.
function waitpoint.new(partition, owner, id, name, pending_until)
  local fields = {
    partition_key = partition:number(),
    waitpoint_id = id,
    execution_id = owner.execution_id,
    attempt_index = owner.current_attempt.index,
    waitpoint_key = name,
    created_at = partition:now(),
    pending_until = pending_until,
  }
  fields.token = token.sign(partition, fields)
  return fields
end

-- Makes a waitpoint that a suspension may take (WPT-002).
ff.write('create_waitpoint', function(partition, args, context)
  local owner = lease.held(partition, context.held, lease.not_active)
  local millis = args.expires_in.secs * 1000 + math.floor(args.expires_in.nanos / 1000000)
  local until_then = ff.after(partition:now(), millis)
  local fields =
    waitpoint.new(partition, owner, context.fresh_id, args.waitpoint_key, until_then)
  owner.waitpoint_count = owner.waitpoint_count + 1
  partition:put('waitpoint', fields)
  return { waitpoint_id = fields.waitpoint_id, hmac_token = fields.token }
end)

-- WPT-011.
ff.read('read_waitpoint_token', function(partition, args)
  local fields = partition:waitpoint(partition:number(), args.waitpoint_id)
  return fields and fields.token
end)

-- WPT-014.
local function info(owner, suspension, fields)
  local kid, fingerprint = string.match(fields.token, '^(.*):(' .. string.rep('%x', 16) .. ')%x*$')
  if not kid then
    refusal.validation('corruption', 'the token of ' .. fields.waitpoint_id .. ' is damaged')
  end
  local is_active = waitpoint.is_active(fields, owner)
  local tree = is_active and condition.of(suspension.condition)
  local expires_at = fields.pending_until
  if is_active then
    expires_at = owner.suspension.timeout_at
  end
  return {
    waitpoint_id = fields.waitpoint_id,
    waitpoint_key = fields.waitpoint_key,
    state = is_active and 'active' or 'pending',
    created_at = fields.created_at,
    execution_id = fields.execution_id,
    token_kid = kid,
    token_fingerprint = fingerprint,
    activated_at = fields.activated_at,
    expires_at = expires_at,
    required_signal_names = tree and condition.required_names(tree, fields.waitpoint_key) or {},
  }
end

-- Those that are pending or active, ascending (WPT-013).
ff.read('list_pending_waitpoints', function(partition, args)
  args = args.args
  local owner = execution.existing(partition, args.execution_id)
  local limit = math.min(args.limit or DEFAULT_PAGE, MAX_PAGE)
  if limit == 0 then
    return { entries = {} }
  end
  local index = partition:index('waitpoint', 'PENDING', owner.execution_id)
  local after = args.after and '(' .. args.after or '-'
  local ids = redis.call('ZRANGE', index, after, '+', 'BYLEX', 'LIMIT', 0, limit + 1)
  local suspension
  if owner.lifecycle_phase == 'suspended' then
    suspension = partition:suspension(owner.execution_id)
    for _, id in ipairs(suspension.waitpoints) do
      if not args.after or id > args.after then
        ids[#ids + 1] = id
      end
    end
    table.sort(ids)
  end
  local entries = {}
  for place = 1, math.min(limit, #ids) do
    local fields = partition:waitpoint(partition:number(), ids[place])
    entries[place] = info(owner, suspension, fields)
  end
  return { entries = entries, next_cursor = #ids > limit and ids[limit] or nil }
end)

-- Closes a pending waitpoint that is due (WPT-016).
ff.write('close_waitpoint', function(partition, args)
  local fields = partition:waitpoint(partition:number(), args.waitpoint_id)
  if not fields then
    return nil
  end
  if fields.execution_id ~= args.execution_id then
    waitpoint.refuse_foreign(fields)
  end
  local now = partition:now()
  if waitpoint.is_pending(fields) and waitpoint.is_due(fields, now) then
    fields.closed_at = now
  end
end)

ff.waitpoint = waitpoint
