-- Looking at flows and their dependencies.

local flow = ff.flow

-- FLW-011 to FLW-014.
ff.read('describe_flow', function(partition, args)
  local fields = partition:flow(args.id)
  if not fields then
    return nil
  end
  local groups = {}
  for place, member in ipairs(partition:list('group', 'KEY', args.id)) do
    groups[place] = flow.group_snapshot(partition:group(args.id, member))
  end
  local tags = partition:flow_tags(args.id)
  return {
    flow_id = args.id,
    flow_kind = fields.flow_kind,
    namespace = fields.namespace,
    public_flow_state = fields.public_flow_state,
    graph_revision = fields.graph_revision,
    node_count = fields.node_count,
    edge_count = fields.edge_count,
    created_at = fields.created_at,
    last_mutation_at = fields.last_mutation_at,
    cancelled_at = fields.cancelled_at,
    cancel_reason = fields.cancel_reason,
    cancellation_policy = fields.cancellation_policy,
    tags = tags and tags.tags or {},
    edge_groups = groups,
  }
end)

-- FLW-017 to FLW-020.
ff.read('list_flows', function(partition, args)
  local found, next_cursor = ff.page(partition:index('flow', 'LISTED'), args.cursor, args.limit)
  for place, id in ipairs(found) do
    local fields = partition:flow(id)
    local status = fields.public_flow_state == 'open' and 'active' or 'cancelled'
    found[place] = { flow_id = id, created_at = fields.created_at, status = status }
  end
  return { flows = found, next_cursor = next_cursor }
end)

-- FLW-027.
ff.read('resolve_execution_flow_id', function(partition, args)
  local fields = partition:execution(args.execution_id)
  return fields and fields.flow_id
end)

-- GRA-020, GRA-021.
ff.read('describe_edge', function(partition, args)
  local edge = partition:edge(args.flow_id, args.edge_id)
  return edge and flow.edge_snapshot(edge)
end)

-- GRA-017.
ff.read('list_edges', function(partition, args)
  local side, ends = 'IN', args.direction.incoming
  if not ends then
    side, ends = 'OUT', args.direction.outgoing
  end
  local edges = partition:edges_at(side, args.flow_id, ends.to_node or ends.from_node)
  for place, edge in ipairs(edges) do
    edges[place] = flow.edge_snapshot(edge)
  end
  return edges
end)
