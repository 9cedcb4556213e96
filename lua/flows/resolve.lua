-- What the end of a member means for those that depend on it.

local execution, flow, refusal = ff.execution, ff.flow, ff.refusal

-- Hands the upstream's result to the downstream as its input, if there is one (DEP-019,
-- DEP-046).
local function pass_data(partition, edge, fields, now)
  local found = partition:result(edge.upstream_execution_id)
  if found then
    partition:put('payload', { execution_id = fields.execution_id, payload = found.result })
    execution.touch(fields, now)
  end
end

-- Lets a member run that waited for its dependencies, once its delay is over (DEP-015, DEP-016).
local function release(fields, now)
  if fields.eligibility_state ~= 'blocked_by_dependencies' then
    return
  end
  local due = fields.delay_until
  if due and due > now then
    execution.park_until(fields, due, 'waiting_for_delay', now)
  else
    execution.make_eligible(fields, now)
  end
end

-- Ends a member that cannot run any more, whoever holds it (DEP-017, DEP-018).
local function skip(partition, fields, now)
  local lease = flow.interrupt(partition, fields, 'ended_cancelled', nil, now)
  if lease then
    flow.tell_revoked(partition, fields, lease, 'reconciler', now)
  end
  execution.finish(partition, fields, 'skipped', now)
end

-- Counts an outcome on an edge that waits for it. The downstream, if that has ended it.
function flow.resolve_edge(partition, edge, outcome, now)
  local success = outcome == 'success'
  edge.state = success and 'satisfied' or 'impossible'
  local group = partition:group(edge.flow_id, edge.downstream_execution_id)
  local fired = flow.count(group, outcome)
  if fired then
    flow.note_remaining(partition, group, edge.upstream_execution_id)
  end
  local decides = group.policy == 'all_of' or fired == 'satisfied'
  local passes_data = success and decides and edge.data_passing_ref
  if not fired and not passes_data then
    return nil
  end
  local member = partition:execution(edge.downstream_execution_id)
  if not member or member.lifecycle_phase == 'terminal' then
    return nil
  end
  if passes_data then
    pass_data(partition, edge, member, now)
  end
  if fired == 'satisfied' then
    release(member, now)
  elseif fired == 'impossible' then
    skip(partition, member, now)
    return member
  end
end

local function is_applied_as(edge, args)
  return edge.state ~= 'staged'
    and edge.upstream_execution_id == args.upstream_execution_id
    and edge.downstream_execution_id == args.downstream_execution_id
end

-- Counts an upstream's end on one dependency (DEP-010 to DEP-013, DEP-051).
ff.write('resolve_dependency', function(partition, args)
  args = args.args
  local edge = partition:edge(args.flow_id, args.edge_id)
  if not edge or not is_applied_as(edge, args) then
    local detail = 'edge ' .. args.edge_id .. ' is not applied like that'
    refusal.validation('invalid_dependency', detail)
  end
  if edge.state ~= 'unsatisfied' then
    return 'already_resolved'
  end
  flow.resolve_edge(partition, edge, args.upstream_outcome, partition:now())
  return args.upstream_outcome == 'success' and 'satisfied' or 'impossible'
end)
