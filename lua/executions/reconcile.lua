-- Comparing executions with their places in the indexes.

-- How many executions, or entries, one call looks at.
local PAGE = 128

-- Whose sets the indexes have: those of the partition itself, of each of its lanes and of each of its flows.
local OWNERS = {
  {},
  { per = 'lane_id', kind = 'lane', index = 'KEY' },
  { per = 'flow_id', kind = 'flow', index = 'LISTED' },
}

-- The record of an execution, and whether it can be decoded.
local function decoded(partition, id)
  local decodes, fields = pcall(partition.execution, partition, id)
  return fields, decodes
end

local function is_in_place(entries)
  for _, entry in ipairs(entries) do
    local score = redis.call('ZSCORE', entry.set, entry.member)
    if not score or entry.score and tonumber(score) ~= entry.score then
      return false
    end
    if entry.sets and redis.call('SISMEMBER', entry.sets, entry.requirements) == 0 then
      return false
    end
  end
  return true
end

-- Puts the next executions where the indexes should have them; where to go on.
local function put_back(partition, walk, after)
  local first, index = after and '(' .. after or '-', partition:index('execution', 'KEY')
  local ids = redis.call('ZRANGE', index, first, '+', 'BYLEX', 'LIMIT', 0, walk.left)
  for _, id in ipairs(ids) do
    local fields, decodes = decoded(partition, id)
    if not decodes then
      walk.errors = walk.errors + 1
    elseif fields and ff.passes(partition, walk.filter, fields) then
      if not is_in_place(partition:entries('execution', fields)) then
        partition:reindex('execution', nil, fields)
        walk.mended[#walk.mended + 1] = id
      end
    end
  end
  walk.left = walk.left - #ids
  return walk.left == 0 and { after = ids[#ids] } or { owner = 1 }
end

-- The sets that an owner has in the indexes of executions, in order.
local function sets_of(partition, per, value)
  local found = {}
  for index, how in pairs(ff.kinds.execution.indexes) do
    if how.queue then
      local sets = per == 'lane_id' and partition:sets(how.queue, value) or {}
      for _, requirements in ipairs(sets) do
        local key = partition:key(how.queue, { value, requirements })
        found[#found + 1] = { key = key, queue = how.queue, requirements = requirements }
      end
    elseif index ~= 'KEY' and (how.per or {})[1] == per then
      found[#found + 1] = { key = partition:index('execution', index, value) }
    end
  end
  table.sort(found, function(one, other)
    return one.key < other.key
  end)
  return found
end

-- Whether an index has this entry of an execution that should not stand there; what does not decode is left.
local function is_misplaced(partition, walk, set, member)
  local id = string.match(member, '{fp:%d+}:.*$')
  local fields, decodes = decoded(partition, id)
  if not decodes or not ff.passes(partition, walk.filter, fields or {}) then
    return false
  end
  for _, entry in ipairs(fields and partition:entries('execution', fields) or {}) do
    if entry.set == set.key and entry.member == member then
      return false
    end
  end
  walk.mended[#walk.mended + 1] = id
  return true
end

-- The owner after this one.
local function next_owner(partition, at)
  local number, value = at.owner, at.value
  while OWNERS[number] do
    local kind, index = OWNERS[number].kind, OWNERS[number].index
    if kind then
      local first, listed = value and '(' .. value or '-', partition:index(kind, index)
      local found = redis.call('ZRANGE', listed, first, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
      if found then
        return { owner = number, value = found }
      end
    end
    number, value = number + 1, nil
  end
end

-- Removes from the sets of an owner what does not belong there; where to go on.
local function sweep(partition, walk, at)
  walk.left = walk.left - 1
  for _, set in ipairs(sets_of(partition, OWNERS[at.owner].per, at.value)) do
    if not at.set or set.key >= at.set then
      local rank = set.key == at.set and at.rank or 0
      local members = redis.call('ZRANGE', set.key, rank, rank + math.max(walk.left, 1) - 1)
      for _, member in ipairs(members) do
        if not is_misplaced(partition, walk, set, member) then
          rank = rank + 1
        elseif set.queue then
          partition:leave_queue(set.queue, at.value, set.requirements, member)
        else
          redis.call('ZREM', set.key, member)
        end
      end
      walk.left = walk.left - #members
      if walk.left <= 0 then
        return { owner = at.owner, value = at.value, set = set.key, rank = rank }
      end
    end
  end
  return next_owner(partition, at)
end

-- Looks at the next executions, and then at the entries of indexes (SCH-020 to SCH-022): which were not in place, how
-- many do not decode, and where to go on.
ff.write('reconcile_execution_index', function(partition, args)
  local walk = { filter = args.filter, left = PAGE, mended = {}, errors = 0 }
  local at = args.at or {}
  if not at.owner then
    at = put_back(partition, walk, at.after)
  end
  while at and at.owner and walk.left > 0 do
    at = sweep(partition, walk, at)
  end
  return { mended = walk.mended, errors = walk.errors, at = at }
end)
