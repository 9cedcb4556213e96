-- Running again what has ended.

local execution, flow, refusal = ff.execution, ff.flow, ff.refusal

-- Replays where the policy says nothing.
local MAX_REPLAYS = 10

-- Takes a member off all that is to be cancelled (DEP-041).
local function forget_cancellation(partition, flow_id, member)
  partition:remove('backlog', flow_id, member)
  for _, edge in ipairs(partition:edges_at('OUT', flow_id, member)) do
    local group = partition:group(flow_id, edge.downstream_execution_id)
    if group then
      flow.forget_upstream(group, member)
    end
  end
end

-- Lets a skipped member's group wait again for the upstreams that it lost (DEP-037). Whether the
-- member has to.
local function reopen(partition, flow_id, member)
  local group = partition:group(flow_id, member)
  if not group then
    return false
  end
  for _, edge in ipairs(partition:edges_at('IN', flow_id, member)) do
    if edge.state == 'impossible' then
      edge.state = 'unsatisfied'
    end
  end
  flow.reopen_group(group)
  return group.group_state == 'pending'
end

-- Makes a terminal execution runnable again, in the order of checks of OPS-012. A skipped member waits
-- for its dependencies anew (DEP-037, DEP-038).
ff.write('replay_execution', function(partition, args)
  local id = args.args.execution_id
  local fields = execution.existing(partition, id)
  if fields.lifecycle_phase ~= 'terminal' then
    refusal.state('execution_not_terminal')
  end
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  if fields.replay_count >= (policy and policy.max_replay_count or MAX_REPLAYS) then
    refusal.state('max_replays_exhausted')
  end
  local now = partition:now()
  local skipped = fields.terminal_outcome == 'skipped'
  execution.replay(fields, now)
  if fields.flow_id then
    forget_cancellation(partition, fields.flow_id, id)
    if skipped and reopen(partition, fields.flow_id, id) then
      execution.block_by_dependencies(fields, now)
    end
  end
  partition:remove('result', id)
  return { replayed = { public_state = execution.public_state(fields) } }
end)
