-- One call's view of one partition: what it reads is remembered, what it changes is written when
-- the call succeeds, all of it or nothing (SYS-011).
--
-- KEYS[1] is the partition's hash tag behind the deployment's prefix, and begins every key.

local record = ff.record

local partition = {}
partition.__index = partition

function partition.open(tag, context)
  return setmetatable({ tag = tag, context = context, records = {}, events = {} }, partition)
end

-- The clock, read once: the deployment's manual one, or else the server's.
function partition:now()
  if not self.time then
    if self.context.now then
      self.time = self.context.now
    else
      local time = redis.call('TIME')
      self.time = time[1] * 1000 + math.floor(time[2] / 1000)
    end
  end
  return self.time
end

function partition:number()
  return tonumber(string.match(self.tag, '{%a+:(%d+)}$'))
end

-- Names are told apart by their length, as they may have any character.
function partition:key(kind, names)
  local key = self.tag .. ':' .. kind
  for place = 1, #names do
    local name = tostring(names[place])
    key = key .. ':' .. #name .. ':' .. name
  end
  return key
end

-- The execution here that has the UUID of this one.
function partition:namesake(id)
  return '{fp:' .. self:number() .. '}' .. string.match(id, '}(.*)$')
end

-- The record with this key, or nil. It may be changed in place.
function partition:get(kind, ...)
  local names = { ... }
  local key = self:key(kind, names)
  local entry = self.records[key]
  if entry == nil then
    local packed = redis.call('GET', key) or nil
    entry = { kind = kind, packed = packed }
    if packed then
      entry.fields, entry.values = record.unpack(ff.kinds[kind], packed, names)
    end
    self.records[key] = entry
  end
  return entry.fields
end

-- `partition:flow(id)` and the like. While a library is loaded, Lua has no `pairs`.
local READ = {
  'idempotency', 'flow', 'flow_tags', 'execution', 'payload', 'result', 'tags', 'edge', 'group',
  'secrets', 'waitpoint', 'suspension', 'suspend_replay', 'signal', 'signal_key', 'past_lease',
  'past_attempt', 'registration', 'budget', 'spend', 'usage_key', 'quota', 'window', 'place', 'slot',
  'stream', 'frame', 'summary',
}

for place = 1, #READ do
  local kind = READ[place]
  partition[kind] = function(self, ...)
    return self:get(kind, ...)
  end
end

local function values_of(fields, names)
  local values = {}
  for place = 1, #names do
    values[place] = fields[names[place]]
    if values[place] == nil then
      return nil
    end
  end
  return values
end

-- Stores a record, or replaces the one with its key.
function partition:put(kind, fields)
  local key = self:key(kind, values_of(fields, ff.kinds[kind].key))
  local entry = self.records[key] or { kind = kind }
  entry.fields = fields
  self.records[key] = entry
end

function partition:remove(kind, ...)
  local fields = self:get(kind, ...)
  local entry = self.records[self:key(kind, { ... })]
  entry.fields, entry.removed = nil, fields
end

-- The ordered set of an index for these values.
function partition:index(kind, index, ...)
  return self:key(kind .. '.' .. index, { ... })
end

-- The last parts of the keys in an index, ascending.
function partition:list(kind, index, ...)
  return redis.call('ZRANGE', self:index(kind, index, ...), 0, -1)
end

-- How many entries an index has for these values.
function partition:count(kind, index, ...)
  return redis.call('ZCARD', self:index(kind, index, ...))
end

-- The records of an index by time up to now, the earliest first.
function partition:timed(kind, index, limit)
  local found = {}
  local now = record.decimal(self:now())
  local key = self:index(kind, index)
  for place, member in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, limit)) do
    local names = {}
    for name in string.gmatch(member, '[^ ]+') do
      names[#names + 1] = name
    end
    found[place] = self:get(kind, unpack(names))
  end
  return found
end

-- The edges that leave ('OUT') or enter ('IN') a member, ascending by id.
function partition:edges_at(side, flow_id, execution_id)
  local found = {}
  for place, edge_id in ipairs(self:list('edge', side, flow_id, execution_id)) do
    found[place] = self:edge(flow_id, edge_id)
  end
  return found
end

-- Adds to an outbox, with the tags of the execution for those who filter by them.
function partition:append(outbox, event)
  if outbox ~= 'tag_events' then
    local found = self:tags(event.execution_id)
    event.tags = found and found.tags or {}
  end
  self.events[#self.events + 1] = { outbox, record.pack(ff.outboxes[outbox], event) }
end

-- The queue of this name that an execution stands in, and its member there: claims go by the members' byte
-- order (SCH-002).
local function place_in_queue(self, how, fields)
  if not fields or not how.holds(fields) then
    return nil
  end
  return {
    lane_id = fields.lane_id,
    requirements = fields.required_capabilities,
    member = ff.execution.place(fields),
  }
end

-- The requirement sets of those queues of this name that are not empty.
function partition:sets(name, lane)
  return redis.call('SMEMBERS', self:key(name .. '.sets', { lane }))
end

-- Tells the caller that there is more work in a lane, and all instances whose claims wait.
function partition:announce(lane)
  self.work = self.work or {}
  self.work[#self.work + 1] = lane
  local prefix, number = string.match(self.tag, '^(.*){fp:(%d+)}$')
  redis.call('PUBLISH', prefix .. 'work', number .. ' ' .. lane)
end

-- Puts a member into an ordered set.
function partition:enter(set, score, member)
  redis.call('ZADD', set, score, member)
end

-- Puts a member into a queue; a lane lists those that are not empty.
function partition:enter_queue(name, lane, requirements, member)
  redis.call('ZADD', self:key(name, { lane, requirements }), 0, member)
  redis.call('SADD', self:key(name .. '.sets', { lane }), requirements)
end

-- Removes a member from a queue.
function partition:leave_queue(name, lane, requirements, member)
  local queue = self:key(name, { lane, requirements })
  redis.call('ZREM', queue, member)
  if redis.call('EXISTS', queue) == 0 then
    redis.call('SREM', self:key(name .. '.sets', { lane }), requirements)
  end
end

-- Keeps the queues of a name in step with an execution.
local function queue(self, how, before, after)
  before, after = place_in_queue(self, how, before), place_in_queue(self, how, after)
  local name = how.queue
  if before and not (after and after.member == before.member) then
    self:leave_queue(name, before.lane_id, before.requirements, before.member)
  end
  if after and not (before and after.member == before.member) then
    self:enter_queue(name, after.lane_id, after.requirements, after.member)
    if how.is_work and not before then
      self:announce(after.lane_id)
    end
  end
end

-- Whether two versions of a record are alike in these fields.
local function alike(before, after, names)
  if not before or not after then
    return false
  end
  for place = 1, #names do
    if before[names[place]] ~= after[names[place]] then
      return false
    end
  end
  return true
end

-- Keeps an ordered set for each combination of some fields in step with a record.
local function relist(self, kind, index, before, after)
  local declared = ff.kinds[kind]
  local how, name = declared.indexes[index], declared.key[#declared.key]
  local per, when = how.per, how.when
  if when then
    before, after = before and when(before) and before, after and when(after) and after
  end
  local is_listed = alike(before, after, per) and (not how.by or before[how.by] == after[how.by])
  if not before and not after or is_listed then
    return
  end
  local from, to = before and values_of(before, per), after and values_of(after, per)
  if from then
    redis.call('ZREM', self:key(kind .. '.' .. index, from), before[name])
  end
  if to then
    local score = how.by and record.decimal(after[how.by]) or 0
    self:enter(self:key(kind .. '.' .. index, to), score, after[name])
    if how.leads_to then
      self:enter(self:key(kind .. '.' .. index .. '.next', to), 0, after[how.leads_to])
    end
  end
end

-- Keeps an index by time in step with a record.
local function retime(self, kind, index, before, after)
  local declared = ff.kinds[kind]
  local at = declared.indexes[index].at
  local from, to = before and at(before), after and at(after)
  if from == to then
    return
  end
  local key = self:index(kind, index)
  local member = table.concat(values_of(after or before, declared.key), ' ')
  if to then
    self:enter(key, record.decimal(to), member)
  else
    redis.call('ZREM', key, member)
  end
end

-- Keeps an index by place in step with a record.
local function replace(self, kind, index, before, after)
  local how = ff.kinds[kind].indexes[index]
  local from, to = before and how.place(before), after and how.place(after)
  if from == to then
    return
  end
  if from then
    redis.call('ZREM', self:index(kind, index, unpack(values_of(before, how.per))), from)
  end
  if to then
    self:enter(self:index(kind, index, unpack(values_of(after, how.per))), 0, to)
  end
end

-- Keeps the indexes in step with a record.
function partition:reindex(kind, before, after)
  for index, how in pairs(ff.kinds[kind].indexes) do
    if how.queue then
      queue(self, how, before, after)
    elseif how.at then
      retime(self, kind, index, before, after)
    elseif how.place then
      replace(self, kind, index, before, after)
    else
      relist(self, kind, index, before, after)
    end
  end
end

-- The entries that the indexes should have of a record: each with its set, and with its score or the requirement
-- set under which a lane lists the queue.
function partition:entries(kind, fields)
  local found = {}
  local noting = setmetatable({}, { __index = self })
  function noting.enter(_, set, score, member)
    found[#found + 1] = { set = set, member = member, score = tonumber(score) }
  end
  function noting.enter_queue(_, name, lane, requirements, member)
    found[#found + 1] = {
      set = self:key(name, { lane, requirements }),
      member = member,
      sets = self:key(name .. '.sets', { lane }),
      requirements = requirements,
    }
  end
  function noting.announce() end
  noting:reindex(kind, nil, fields)
  return found
end

-- The first in a queue, `count` at most; members of all queues compare.
function partition:first_in_queue(name, lane, requirements, count)
  return redis.call('ZRANGE', self:key(name, { lane, requirements }), 0, count - 1)
end

function partition:commit()
  for key, entry in pairs(self.records) do
    local kind, fields = ff.kinds[entry.kind], entry.fields
    local packed = fields and record.pack(kind, fields)
    if packed ~= entry.packed then
      if next(kind.indexes) then
        local before
        if entry.packed then
          local names = values_of(fields or entry.removed, kind.key)
          before = record.before(kind, entry.values, names)
        end
        self:reindex(entry.kind, before, fields)
      end
      if not packed then
        redis.call('DEL', key)
      elseif #kind.fields > 0 then
        -- A record without fields is its place in an index.
        redis.call('SET', key, packed)
      end
    end
  end
  for _, event in ipairs(self.events) do
    redis.call('XADD', self:key(event[1], {}), '*', 'event', event[2])
    redis.call('PUBLISH', string.match(self.tag, '^(.*){') .. 'events', event[1])
  end
  self.records, self.events = {}, {}
end

ff.partition = partition
