-- Flows and their members.

local execution, flow, refusal = ff.execution, ff.flow, ff.refusal

-- Creates a flow, or recognises one (FLW-010).
ff.write('create_flow', function(partition, args)
  args = args.args
  local id = args.flow_id
  if partition:flow(id) then
    return { already_satisfied = { flow_id = id } }
  end
  local now = partition:now()
  partition:put('flow', {
    flow_id = id,
    partition_key = partition:number(),
    flow_kind = args.flow_kind,
    namespace = args.namespace,
    public_flow_state = 'open',
    graph_revision = 0,
    node_count = 0,
    edge_count = 0,
    created_at = now,
    last_mutation_at = now,
  })
  return { created = { flow_id = id } }
end)

-- Makes an execution a member (FLW-021 to FLW-024, FLW-037).
ff.write('add_execution_to_flow', function(partition, args)
  args = args.args
  local joined = flow.open(partition, args.flow_id)
  local id = args.execution_id
  local fields = execution.existing(partition, id)
  if fields.flow_id == args.flow_id then
    return { already_member = { execution_id = id, node_count = joined.node_count } }
  end
  if fields.flow_id then
    refusal.conflict('execution_already_in_flow')
  end
  local now = partition:now()
  fields.flow_id = args.flow_id
  execution.touch(fields, now)
  joined.node_count = joined.node_count + 1
  flow.grow(joined, now)
  return { added = { execution_id = id, new_node_count = joined.node_count } }
end)

-- FLW-027.
ff.read('resolve_execution_flow_id', function(partition, args)
  local fields = partition:execution(args.execution_id)
  return fields and fields.flow_id
end)
