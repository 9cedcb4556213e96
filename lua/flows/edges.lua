-- Looking at dependencies.

local flow = ff.flow

-- GRA-020, GRA-021, GRA-027.
ff.read('describe_edge', function(partition, args)
  local edge = partition:edge(args.flow_id, args.edge_id)
  return edge and flow.edge_snapshot(edge)
end)

-- GRA-017, GRA-029.
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
