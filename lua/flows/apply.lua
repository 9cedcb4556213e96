-- Letting dependencies take effect.

local execution, flow, refusal = ff.execution, ff.flow, ff.refusal

local function is_staged_as(edge, args)
  return edge.upstream_execution_id == args.upstream_execution_id
    and edge.downstream_execution_id == args.downstream_execution_id
    and edge.dependency_kind == args.dependency_kind
    and edge.data_passing_ref == flow.reference(args.data_passing_ref)
end

-- Lets a staged dependency take effect (GRA-010 to GRA-016, GRA-028).
ff.write('apply_dependency_to_child', function(partition, args)
  args = args.args
  local graph = flow.known(partition, args.flow_id)
  local edge = partition:edge(args.flow_id, args.edge_id)
  if not edge or not is_staged_as(edge, args) then
    local detail = 'edge ' .. args.edge_id .. ' is not staged like that'
    refusal.validation('invalid_dependency', detail)
  end
  if edge.state ~= 'staged' then
    return 'already_applied'
  end
  flow.refuse_closed(graph)
  local child = execution.existing(partition, edge.downstream_execution_id)
  edge.state = 'unsatisfied'
  local group = partition:group(args.flow_id, child.execution_id)
  flow.apply(group, child.lifecycle_phase == 'terminal')
  local upstream = partition:execution(edge.upstream_execution_id)
  if upstream and upstream.lifecycle_phase == 'terminal' then
    upstream.uncascaded_since = partition:now() -- Its end did not reach this edge.
  end
  if group.group_state == 'pending' and child.lifecycle_phase == 'runnable' then
    execution.block_by_dependencies(child, partition:now())
  end
  return { applied = { unsatisfied_count = group.running_count } }
end)
