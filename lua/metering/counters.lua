-- Removing what is over: keys, what was counted before a reset, admissions.

local record = ff.record

-- How many budgets or policies one call looks at, and how many records of a kind it removes for one of them.
local PAGE, MOST = 128, 256

-- The members of an index up to this number, the lowest first.
local function up_to(partition, kind, index, id, last)
  local key = partition:index(kind, index, id)
  return redis.call('ZRANGEBYSCORE', key, '-inf', record.decimal(last), 'LIMIT', 0, MOST)
end

-- Removes records of an owner by their last names; whether there may be more.
local function remove(partition, kind, id, names)
  for _, name in ipairs(names) do
    partition:remove(kind, id, name)
  end
  return #names == MOST
end

-- Sees to the next records of a kind, each by its own rule: it says whether something was removed, and whether there
-- may be more.
local function pass(kind, see_to)
  return function(partition, args)
    local index, home = partition:index(kind, 'KEY', partition:number()), partition:number()
    local first = args.after and '(' .. args.after or '-'
    local ids = redis.call('ZRANGE', index, first, '+', 'BYLEX', 'LIMIT', 0, PAGE)
    local looked = { processed = {}, errors = 0, again = false }
    for _, id in ipairs(ids) do
      local decodes, fields = pcall(partition[kind], partition, home, id)
      if not decodes then
        looked.errors = looked.errors + 1
      elseif fields then
        local removed, again = see_to(partition, id, fields)
        if removed then
          looked.processed[#looked.processed + 1] = id
        end
        looked.again = looked.again or again
      end
    end
    looked.last = #ids == PAGE and ids[PAGE] or nil
    return looked
  end
end

-- BUD-026.
ff.write('reconcile_budget_counters', pass('budget', function(partition, id, fields)
  local keys = up_to(partition, 'usage_key', 'EXPIRING', id, partition:now())
  local spends = up_to(partition, 'spend', 'COUNTED', id, fields.reset_count - 1)
  local more = remove(partition, 'usage_key', id, keys)
  more = remove(partition, 'spend', id, spends) or more
  return #keys + #spends > 0, more
end))

-- Forgets the places of a window that were taken up to then; whether there may be more.
local function leave(partition, id, dimension, since)
  local fields = partition:window(id, dimension)
  ff.window.leave(partition, fields, since, MOST)
  if fields.first == fields.next then
    partition:remove('window', id, dimension)
    return false
  end
  return fields.oldest <= since
end

-- QUO-017.
ff.write('reconcile_quota_counters', pass('quota', function(partition, id, fields)
  local slots = up_to(partition, 'slot', 'HELD', id, partition:now())
  local removed, more = #slots > 0, remove(partition, 'slot', id, slots)
  if fields.limits then
    local since = partition:now() - fields.limits.window_seconds * 1000
    local windows = up_to(partition, 'window', 'OLDEST', id, since)
    removed, more = removed or #windows > 0, more or #windows == MOST
    for _, dimension in ipairs(windows) do
      more = leave(partition, id, dimension, since) or more
    end
  end
  return removed, more
end))
