-- The registry of workers: all of it is in the first partition. It decides nothing about leases, and no claim
-- needs it.

local claim, execution, refusal = ff.claim, ff.execution, ff.refusal

local worker = {}

-- Entries of a page when no limit is given, and the most that one has (WRK-011).
local DEFAULT_PAGE, MAX_PAGE = 1000, 10000

-- How many registrations that are over one call removes on its way.
local SWEPT = 16

-- How many executions one call unblocks.
local LIFTED = 128

-- Its place in the list: no name has a zero byte.
function worker.place(namespace, instance)
  return namespace .. '\0' .. instance
end

-- Its place among those that are over by a time.
function worker.expiry(registration)
  local place = worker.place(registration.namespace, registration.worker_instance_id)
  return string.format('%016.0f:', registration.expires_at) .. place
end

local function at_place(partition, place)
  local zero = string.find(place, '\0', 1, true)
  return partition:registration(string.sub(place, 1, zero - 1), string.sub(place, zero + 1))
end

local function is_live(registration, now)
  return registration ~= nil and registration.expires_at > now
end

local function sign_of_life(registration, now)
  registration.last_heartbeat_at = now
  registration.expires_at = ff.after(now, registration.liveness_ttl_ms)
end

-- Registrations that are over take no place for ever.
local function sweep(partition, now)
  local index = partition:index('registration', 'EXPIRING')
  local last = '(' .. string.format('%016.0f;', now)
  for _, found in ipairs(redis.call('ZRANGE', index, '-', last, 'BYLEX', 'LIMIT', 0, SWEPT)) do
    local over = at_place(partition, string.match(found, '^%d+:(.*)$'))
    partition:remove('registration', over.namespace, over.worker_instance_id)
  end
end

local function told(outcome, registration)
  return {
    outcome = outcome,
    routes = { lanes = registration.lanes, capabilities = registration.capabilities },
  }
end

-- WRK-001, WRK-004, WRK-006.
ff.write('register_worker', function(partition, args)
  args = args.args
  local known = partition:registration(args.namespace, args.worker_instance_id)
  local now = partition:now()
  local live = is_live(known, now) and known or nil
  if live and live.worker_id ~= args.worker_id then
    refusal.validation('invalid_input', 'instance_id reassigned')
  end
  sweep(partition, now)
  local registration = {
    namespace = args.namespace,
    worker_instance_id = args.worker_instance_id,
    worker_id = args.worker_id,
    lanes = args.lanes,
    capabilities = args.capabilities,
    liveness_ttl_ms = args.liveness_ttl_ms,
    registered_at = live and live.registered_at or now,
  }
  sign_of_life(registration, now)
  partition:put('registration', registration)
  return told(live and 'refreshed' or 'registered', registration)
end)

-- WRK-003.
ff.write('heartbeat_worker', function(partition, args)
  args = args.args
  local live = partition:registration(args.namespace, args.worker_instance_id)
  local now = partition:now()
  if not is_live(live, now) then
    return { outcome = 'not_registered', routes = { lanes = {}, capabilities = {} } }
  end
  sign_of_life(live, now)
  return told({ refreshed = { next_expiry_ms = live.expires_at } }, live)
end)

-- WRK-007.
ff.write('mark_worker_dead', function(partition, args)
  args = args.args
  local known = partition:registration(args.namespace, args.worker_instance_id)
  if not is_live(known, partition:now()) then
    return 'not_registered'
  end
  partition:remove('registration', args.namespace, args.worker_instance_id)
  return 'marked'
end)

-- Lifts the route blocks in this partition that are there for want of such a worker (WRK-014); whether there may be
-- more.
ff.write('lift_routes', function(partition, args)
  local offered, now = claim.set_of(args.capabilities), partition:now()
  local left = LIFTED
  for _, lane in ipairs(args.lanes) do
    for _, requirements in ipairs(partition:sets('routed', lane)) do
      if claim.is_subset(requirements, offered) then
        for _, member in ipairs(partition:first_in_queue('routed', lane, requirements, left)) do
          local fields = partition:execution(string.match(member, '^%d+:%d+:(.*)$'))
          if fields then
            execution.make_eligible(fields, now)
          else
            partition:leave_queue('routed', lane, requirements, member)
          end
          left = left - 1
        end
      end
      if left == 0 then
        return true
      end
    end
  end
  return false
end)

-- Where the list goes on after a cursor: without a namespace that is the length of one, then both names.
local function after_cursor(args)
  if not args.after then
    return args.namespace and '[' .. worker.place(args.namespace, '') or '-'
  elseif args.namespace then
    return '(' .. worker.place(args.namespace, args.after)
  end
  local length, names = string.match(args.after, '^(%d+):(.*)$')
  local namespace = string.sub(names, 1, tonumber(length))
  return '(' .. worker.place(namespace, string.sub(names, tonumber(length) + 1))
end

local function cursor_of(args, last)
  if args.namespace then
    return last.worker_instance_id
  end
  return #last.namespace .. ':' .. last.namespace .. last.worker_instance_id
end

local function entry_of(registration)
  return {
    worker_id = registration.worker_id,
    worker_instance_id = registration.worker_instance_id,
    namespace = registration.namespace,
    lanes = registration.lanes,
    capabilities = registration.capabilities,
    last_heartbeat_ms = registration.last_heartbeat_at,
    liveness_ttl_ms = registration.liveness_ttl_ms,
    registered_at_ms = registration.registered_at,
  }
end

-- WRK-005, WRK-009 to WRK-012.
ff.read('list_workers', function(partition, args)
  args = args.args
  local limit = math.min(args.limit or DEFAULT_PAGE, MAX_PAGE)
  local index, now = partition:index('registration', 'KEY'), partition:now()
  local after, last = after_cursor(args), args.namespace and '(' .. args.namespace .. '\1' or '+'
  local found = {}
  while limit > 0 and #found <= limit do
    local wanted = limit + 1 - #found
    local places = redis.call('ZRANGE', index, after, last, 'BYLEX', 'LIMIT', 0, wanted)
    for _, place in ipairs(places) do
      local registration = at_place(partition, place)
      if is_live(registration, now) then
        found[#found + 1] = registration
      end
      after = '(' .. place
    end
    if #places < wanted then
      break
    end
  end
  local cursor
  if limit > 0 and #found > limit then
    table.remove(found)
    cursor = cursor_of(args, found[limit])
  end
  local entries = {}
  for place, registration in ipairs(found) do
    entries[place] = entry_of(registration)
  end
  return { entries = entries, cursor = cursor }
end)

ff.worker = worker
