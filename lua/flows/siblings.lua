-- Upstreams that a decided group has no more need of.

local flow = ff.flow

local function is_running(partition, id)
  local fields = partition:execution(id)
  return fields ~= nil and fields.lifecycle_phase ~= 'terminal'
end

-- Whether another group that is not decided yet waits for the upstream.
local function is_needed_elsewhere(partition, group, upstream)
  for _, edge in ipairs(partition:edges_at('OUT', group.flow_id, upstream)) do
    local downstream = edge.downstream_execution_id
    if edge.state == 'unsatisfied'
      and downstream ~= group.downstream_execution_id
      and partition:group(group.flow_id, downstream).group_state == 'pending' then
      return true
    end
  end
  return false
end

-- Notes which upstreams are to be cancelled, if the policy says so (DEP-026).
function flow.note_remaining(partition, group, resolved)
  local _, details = flow.policy_of(group)
  if details.on_satisfied ~= 'cancel_remaining' then
    return
  end
  local upstreams = {}
  local edges = partition:edges_at('IN', group.flow_id, group.downstream_execution_id)
  for _, edge in ipairs(edges) do
    local upstream = edge.upstream_execution_id
    if edge.state ~= 'staged'
      and upstream ~= resolved
      and is_running(partition, upstream)
      and not is_needed_elsewhere(partition, group, upstream) then
      upstreams[#upstreams + 1] = upstream
    end
  end
  group.pending_cancel = upstreams
  group.noted_at = partition:now()
end

-- Takes an upstream off what is to be cancelled.
function flow.forget_upstream(group, upstream)
  if not group.pending_cancel then
    return
  end
  local left = {}
  for _, other in ipairs(group.pending_cancel) do
    if other ~= upstream then
      left[#left + 1] = other
    end
  end
  group.pending_cancel = left
end

-- Forgets what was to be cancelled (DEP-029).
ff.write('drain_sibling_cancel_group', function(partition, args)
  local group = partition:group(args.flow_id, args.downstream_eid)
  if group then
    group.pending_cancel, group.noted_at = nil, nil
  end
end)

-- Forgets what was to be cancelled if all of it has ended (DEP-030).
ff.write('reconcile_sibling_cancel_group', function(partition, args)
  local group = partition:group(args.flow_id, args.downstream_eid)
  if not group or not group.pending_cancel then
    return 'no_op'
  end
  for _, upstream in ipairs(group.pending_cancel) do
    if is_running(partition, upstream) then
      return 'no_op'
    end
  end
  group.pending_cancel, group.noted_at = nil, nil
  return 'completed_drain'
end)
