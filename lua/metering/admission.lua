-- Admission under a quota policy: a sliding window for each dimension, and a cap for all of them.

local window = {}

local MAX_INTEGER = 9007199254740991

-- How many places that have been left one admission removes on its way.
local SWEPT = 2

-- Forgets up to so many places at the beginning of a window that were taken up to then.
function window.leave(partition, fields, since, most)
  local id, dimension = fields.quota_policy_id, fields.dimension
  for _ = 1, most do
    local place = partition:place(id, dimension, fields.first)
    if not place or place.taken_at > since then
      break
    end
    partition:remove('place', id, dimension, fields.first)
    fields.first = fields.first + 1
  end
  local first = partition:place(id, dimension, fields.first)
  fields.oldest = first and first.taken_at or fields.latest
end

-- For how long the window has no room for another: as long as the place is taken that so many back was the last
-- to be taken (QUO-008, QUO-009).
local function full_for(partition, fields, limit, length, now)
  local number = fields.next - limit
  if limit == 0 or number < fields.first then
    return nil
  end
  local place = partition:place(fields.quota_policy_id, fields.dimension, number)
  local left = place and ff.after(place.taken_at, length) - now
  return left and left > 0 and left or nil
end

-- Takes the next place. The clock may have been set back; places are in the order of their times.
local function take_place(partition, fields, length, now)
  fields.longest = math.max(fields.longest, length)
  fields.latest = math.max(fields.latest, now)
  partition:put('place', {
    quota_policy_id = fields.quota_policy_id,
    dimension = fields.dimension,
    number = fields.next,
    taken_at = fields.latest,
  })
  fields.next = fields.next + 1
  window.leave(partition, fields, now - fields.longest, SWEPT)
  partition:put('window', fields)
end

-- Whether as many others are admitted as may be (QUO-011).
local function is_at_cap(partition, id, cap, is_one_of_them, now)
  if cap == 0 then
    return false
  end
  local held = partition:index('slot', 'HELD', id)
  local count = redis.call('ZCOUNT', held, '(' .. ff.record.decimal(now), '+inf')
  return count - (is_one_of_them and 1 or 0) >= cap
end

-- From 0 to this, at random (QUO-022).
local function jitter(context, most)
  local drawn = tonumber(string.sub((string.gsub(context.fresh_id, '-', '')), 1, 12), 16)
  return drawn % (most + 1)
end

-- Admits the execution if there is room for it (QUO-007 to QUO-022).
ff.write('check_admission', function(partition, call, context)
  local id, args, now = call.quota_policy_id, call.args, partition:now()
  local dimension = redis.sha1hex(call.dimension == '' and 'default' or call.dimension)
  local slot = partition:slot(id, args.execution_id)
  local ends, last = {}, 0
  for name, at in pairs(slot and slot.ends or {}) do
    if at > now then
      ends[name], last = at, math.max(last, at)
    end
  end
  if ends[dimension] then
    return 'already_admitted'
  end
  local fields = partition:window(id, dimension)
    or {
      quota_policy_id = id,
      dimension = dimension,
      first = 0,
      next = 0,
      oldest = now,
      latest = now,
      longest = 0,
    }
  local length = args.window_seconds * 1000
  local wait = full_for(partition, fields, args.rate_limit, length, now)
  if wait then
    return { rate_exceeded = { retry_after_ms = wait + jitter(context, args.jitter_ms or 0) } }
  elseif is_at_cap(partition, id, args.concurrency_cap, next(ends) ~= nil, now) then
    return 'concurrency_exceeded'
  end
  if length > 0 then
    take_place(partition, fields, length, now)
  end
  ends[dimension] = ff.after(now, length > 0 and length or MAX_INTEGER)
  partition:put('slot', {
    quota_policy_id = id,
    execution_id = args.execution_id,
    ends = ends,
    held_until = math.max(last, ends[dimension]),
  })
  local quota = ff.quota.of(partition, id)
  quota.admission_count = quota.admission_count + 1
  partition:put('quota', quota)
  return 'admitted'
end)

-- QUO-014, QUO-015.
ff.write('release_admission', function(partition, args)
  args = args.args
  if partition:slot(args.quota_policy_id, args.execution_id) then
    partition:remove('slot', args.quota_policy_id, args.execution_id)
  end
  return 'released'
end)

ff.window = window
