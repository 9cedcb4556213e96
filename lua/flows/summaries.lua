-- A flow's summary, kept for whoever reads the storage.

local execution, flow = ff.execution, ff.flow

local RUNNING = { 'active' }
local HELD_UP = { 'suspended', 'delayed', 'rate_limited', 'waiting_children' }
local READY = { 'waiting', 'resumable' }
local BAD = { 'failed', 'cancelled', 'expired' }

-- The first that applies: some run; some wait for more than a worker; some can run; all have ended,
-- some of them badly or none.
local function state_of(counts)
  local function any(states)
    for _, state in ipairs(states) do
      if counts[state] then
        return true
      end
    end
    return false
  end
  return any(RUNNING) and 'running'
    or any(HELD_UP) and 'blocked'
    or any(READY) and 'open'
    or any(BAD) and 'failed'
    or 'completed'
end

-- FLW-031, FLW-033.
ff.write('project_flow_summary', function(partition, args)
  local fields = partition:flow(args.flow_id)
  local members = fields and flow.members_of(partition, args.flow_id) or {}
  if #members == 0 then
    return false
  end
  local counts = {}
  for _, member in ipairs(members) do
    local state = execution.public_state(execution.existing(partition, member))
    counts[state] = (counts[state] or 0) + 1
  end
  fields.projection = {
    projected_at = partition:now(),
    counts = counts,
    total = #members,
    state = state_of(counts),
  }
  return true
end)
