-- Records as hashes: texts outside, numbers inside, and only what changed is written back.

local record = {}

-- Fields of any record that hold numbers.
local NUMBERS = {
  priority = true,
  total_attempt_count = true,
  retry_count = true,
  replay_count = true,
  lease_reclaim_count = true,
  current_attempt_index = true,
  current_lease_epoch = true,
  lease_acquired_at = true,
  lease_last_renewed_at = true,
  lease_expires_at = true,
  lease_expired_at = true,
  closing_retry_at = true,
  created_at = true,
  started_at = true,
  completed_at = true,
  last_transition_at = true,
  last_mutation_at = true,
  delay_until = true,
  execution_deadline_at = true,
  progress_percent = true,
  graph_revision = true,
  node_count = true,
  edge_count = true,
  satisfied_count = true,
  failed_count = true,
  skipped_count = true,
  running_count = true,
  quorum = true,
  cancelled_at = true,
  attempt_index = true,
  ended_at = true,
  expires_at = true,
}

-- A number in decimals; Lua's own way gives up digits beyond the fourteenth.
function record.decimal(number)
  return string.format('%.0f', number)
end

local function text(value)
  if type(value) == 'number' then
    return record.decimal(value)
  end
  return value
end

-- The record at a key, and a copy to compare with later; nil if there is none.
function record.load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then
    return nil
  end
  local fields, before = {}, {}
  for place = 1, #flat, 2 do
    local name, value = flat[place], flat[place + 1]
    before[name] = value
    fields[name] = NUMBERS[name] and tonumber(value) or value
  end
  return fields, before
end

-- Writes what differs from the copy.
function record.save(key, fields, before)
  local set, removed = { 'HSET', key }, { 'HDEL', key }
  for name, value in pairs(fields) do
    if text(value) ~= before[name] then
      set[#set + 1] = name
      set[#set + 1] = text(value)
    end
  end
  for name in pairs(before) do
    if fields[name] == nil then
      removed[#removed + 1] = name
    end
  end
  if #set > 2 then
    redis.call(unpack(set))
  end
  if #removed > 2 then
    redis.call(unpack(removed))
  end
end

ff.record = record
