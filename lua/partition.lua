-- One call's view of one partition: what it reads is remembered, what it changes is written when
-- the call succeeds, all of it or nothing (SYS-011).
--
-- KEYS[1] is the partition's hash tag behind the deployment's prefix, and begins every key.

local record = ff.record

local partition = {}
partition.__index = partition

function partition.open(tag, context)
  return setmetatable({
    tag = tag,
    context = context,
    executions = {},
    flows = {},
    edges = {},
    groups = {},
    commands = {},
  }, partition)
end

-- The clock: the deployment's manual one, or else the server's.
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

-- Names are told apart by their length, as they may have any character.
function partition:key(kind, ...)
  local key = self.tag .. ':' .. kind
  for _, part in ipairs({ ... }) do
    key = key .. ':' .. #part .. ':' .. part
  end
  return key
end

-- The id without its partition; ids of one partition sort as these do.
function partition.short(id)
  return string.match(id, '}:(.*)$')
end

function partition:long(short)
  return '{' .. string.match(self.tag, '{(fp:%d+)}$') .. '}:' .. short
end

-- A command for when the call succeeds.
function partition:later(...)
  self.commands[#self.commands + 1] = { ... }
end

-- A record of a kind, remembered in one of the tables above.
local function remembered(self, known, kind, name)
  local entry = known[name]
  if entry == nil then
    local key = self:key(kind, name)
    local fields, before = record.load(key)
    entry = { key = key, fields = fields, before = before }
    known[name] = entry
  end
  return entry
end

function partition:execution(id)
  local fields = remembered(self, self.executions, 'execution', self.short(id)).fields
  if fields then
    fields.execution_id = id
  end
  return fields
end

function partition:new_execution(id, fields)
  local entry = remembered(self, self.executions, 'execution', self.short(id))
  fields.execution_id = id
  entry.fields, entry.before = fields, {}
  self:later('ZADD', self:key('executions'), 0, self.short(id))
end

function partition:flow(id)
  return remembered(self, self.flows, 'flow', id).fields
end

function partition:new_flow(id, fields)
  local entry = remembered(self, self.flows, 'flow', id)
  entry.fields, entry.before = fields, {}
  self:later('ZADD', self:key('flows'), 0, id)
end

function partition:edge(flow_id, edge_id)
  return remembered(self, self.edges, 'edge', flow_id .. edge_id).fields
end

function partition:new_edge(fields)
  local flow_id, edge_id = fields.flow_id, fields.edge_id
  local entry = remembered(self, self.edges, 'edge', flow_id .. edge_id)
  entry.fields, entry.before = fields, {}
  local up, down = fields.upstream_execution_id, fields.downstream_execution_id
  self:later('ZADD', self:key('out', flow_id, self.short(up)), 0, edge_id)
  self:later('ZADD', self:key('in', flow_id, self.short(down)), 0, edge_id)
end

-- The edges that leave ('out') or enter ('in') a member, ascending by id.
function partition:edges_at(side, flow_id, execution_id)
  local found = {}
  local key = self:key(side, flow_id, self.short(execution_id))
  local ids = redis.call('ZRANGE', key, 0, -1)
  for _, edge_id in ipairs(ids) do
    found[#found + 1] = self:edge(flow_id, edge_id)
  end
  return found
end

-- The group of a member, which exists once an edge enters it or it has a policy.
function partition:group(flow_id, downstream)
  local name = flow_id .. self.short(downstream)
  return remembered(self, self.groups, 'group', name).fields
end

function partition:new_group(fields)
  local short = self.short(fields.downstream_execution_id)
  local entry = remembered(self, self.groups, 'group', fields.flow_id .. short)
  entry.fields, entry.before = fields, {}
  self:later('ZADD', self:key('groups', fields.flow_id), 0, short)
end

-- The members that have a group, ascending.
function partition:members_with_groups(flow_id)
  return redis.call('ZRANGE', self:key('groups', flow_id), 0, -1)
end

function partition:attempt(id, index)
  local packed = redis.call('HGET', self:key('attempts', self.short(id)), index)
  return packed and cmsgpack.unpack(packed)
end

function partition:put_attempt(id, attempt)
  local key = self:key('attempts', self.short(id))
  self:later('HSET', key, attempt.attempt_index, cmsgpack.pack(attempt))
end

-- Adds to an outbox; fields that are nil are left out.
function partition:append(outbox, event)
  local command = { 'XADD', self:key(outbox), '*' }
  for name, value in pairs(event) do
    command[#command + 1] = name
    command[#command + 1] = type(value) == 'number' and record.decimal(value) or value
  end
  self.commands[#self.commands + 1] = command
end

-- The queue that a claimable execution stands in, its lane's set of queues, and its member there:
-- claims go by the members' byte order (SCH-002).
local function place_of(self, fields)
  if not ff.execution.is_claimable(fields) then
    return nil
  end
  local rank = 9000 - tonumber(fields.priority)
  local member = string.format('%04d:%016.0f:', rank, tonumber(fields.created_at))
  return {
    queue = self:key('queue', fields.lane_id, fields.required_capabilities),
    lane = self:key('lane', fields.lane_id),
    requirements = fields.required_capabilities,
    member = member .. self.short(fields.execution_id),
  }
end

-- Keeps the queues in step with an execution; a lane lists those that are not empty.
local function move(before, after)
  if before and not (after and after.member == before.member) then
    redis.call('ZREM', before.queue, before.member)
    if redis.call('EXISTS', before.queue) == 0 then
      redis.call('SREM', before.lane, before.requirements)
    end
  end
  if after and not (before and after.member == before.member) then
    redis.call('ZADD', after.queue, 0, after.member)
    redis.call('SADD', after.lane, after.requirements)
  end
end

-- The first in a queue; members of all queues compare.
function partition:first_in_queue(lane, requirements)
  return redis.call('ZRANGE', self:key('queue', lane, requirements), 0, 0)[1]
end

function partition:commit()
  for _, entry in pairs(self.executions) do
    if entry.fields then
      local fields, before = entry.fields, entry.before
      before.execution_id = fields.execution_id
      move(place_of(self, before), place_of(self, fields))
      record.save(entry.key, fields, before)
    end
  end
  for _, known in ipairs({ self.flows, self.edges, self.groups }) do
    for _, entry in pairs(known) do
      if entry.fields then
        record.save(entry.key, entry.fields, entry.before)
      end
    end
  end
  for _, command in ipairs(self.commands) do
    redis.call(unpack(command))
  end
end

ff.partition = partition
