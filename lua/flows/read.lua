-- Looking at flows and their dependencies.

local flow = ff.flow

-- FLW-011 to FLW-014.
ff.read('describe_flow', function(partition, args)
  local fields = partition:flow(args.id)
  if not fields then
    return nil
  end
  local groups = {}
  for place, short in ipairs(partition:members_with_groups(args.id)) do
    groups[place] = flow.group_snapshot(partition:group(args.id, partition:long(short)))
  end
  local tags = redis.call('HGETALL', partition:key('flow_tags', args.id))
  local named = {}
  for place = 1, #tags, 2 do
    named[tags[place]] = tags[place + 1]
  end
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
    tags = named,
    edge_groups = groups,
  }
end)

-- FLW-017 to FLW-020.
ff.read('list_flows', function(partition, args)
  local found, next_cursor = ff.page(partition:key('flows'), args.cursor, args.limit)
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
  local side, ends = 'in', args.direction.incoming
  if not ends then
    side, ends = 'out', args.direction.outgoing
  end
  local node = ends.to_node or ends.from_node
  -- Members live in the flow's partition.
  if node ~= partition:long(partition.short(node)) then
    return {}
  end
  local edges = partition:edges_at(side, args.flow_id, node)
  for place, edge in ipairs(edges) do
    edges[place] = flow.edge_snapshot(edge)
  end
  return edges
end)
