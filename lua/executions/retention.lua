-- Removing executions that ended long ago.

-- How many are looked at in one go.
local PAGE = 32

-- Whether somebody still depends on it (OPS-022).
local function is_needed(partition, fields)
  if not fields.flow_id then
    return false
  end
  for _, edge in ipairs(partition:edges_at('OUT', fields.flow_id, fields.execution_id)) do
    if edge.state == 'staged' or edge.state == 'unsatisfied' then
      return true
    end
  end
  return false
end

-- Adds the first of one term that may go, and perhaps some more.
local function collect(partition, args, index, term, ended_by, found)
  local after = '[' .. term .. ':'
  local last = string.format('(%s:%016.0f;', term, ended_by)
  local count = 0
  while count < args.batch_size do
    local places = redis.call('ZRANGE', index, after, last, 'BYLEX', 'LIMIT', 0, PAGE)
    for _, place in ipairs(places) do
      local fields = partition:execution(string.match(place, '^%d+:%d+:(.*)$'))
      if ff.passes(partition, args.filter, fields) and not is_needed(partition, fields) then
        found[#found + 1] = fields
        count = count + 1
      end
      after = '(' .. place
    end
    if #places < PAGE then
      return
    end
  end
end

-- Removes all that there is of it (OPS-020).
local function purge(partition, fields)
  local id = fields.execution_id
  local known = partition:tags(id)
  ff.tags.each(known and known.tags or {}, function(key, value)
    ff.execution.tell_tag(partition, id, 'cleared', key, value)
  end)
  for _, kind in ipairs({ 'payload', 'result', 'tags', 'suspension' }) do
    partition:remove(kind, id)
  end
  for index = 0, fields.total_attempt_count - 1 do
    partition:remove('attempt', id, index)
    ff.stream.purge(partition, id, index)
  end
  for _, kind in ipairs({ 'past_lease', 'past_attempt', 'suspend_replay' }) do
    for _, name in ipairs(partition:list(kind, 'KEY', id)) do
      partition:remove(kind, id, name)
    end
  end
  for _, waitpoint in ipairs(partition:list('waitpoint', 'OWNED', id)) do
    for _, signal in ipairs(partition:list('signal', 'ARRIVED', waitpoint)) do
      partition:remove('signal', id, signal)
    end
    for _, digest in ipairs(partition:list('signal_key', 'KEY', waitpoint)) do
      partition:remove('signal_key', waitpoint, digest)
    end
    partition:remove('waitpoint', partition:number(), waitpoint)
  end
  if fields.flow_id then
    partition:remove('backlog', fields.flow_id, id)
  end
  partition:remove('execution', id)
end

-- Removes those that ended first (OPS-015, OPS-020 to OPS-026); how many.
ff.write('trim_retention', function(partition, args)
  local index, now = partition:index('execution', 'ENDED', args.lane_id), partition:now()
  local found, after = {}, '-'
  while args.batch_size > 0 do
    -- Those of one policy's term after the other: what is kept for longer stands in nobody's way.
    local first = redis.call('ZRANGE', index, after, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
    if not first then
      break
    end
    local term = string.match(first, '^%d+')
    local ended_by = now - math.max(args.retention_ms, tonumber(term))
    if ended_by >= 0 then
      collect(partition, args, index, term, ended_by, found)
    end
    after = '(' .. term .. ';'
  end
  table.sort(found, function(one, other)
    if one.completed_at ~= other.completed_at then
      return one.completed_at < other.completed_at
    end
    return one.execution_id < other.execution_id
  end)
  local count = math.min(args.batch_size, #found)
  for place = 1, count do
    purge(partition, found[place])
  end
  return count
end)
