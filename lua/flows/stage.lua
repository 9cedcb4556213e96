-- Adding dependencies.

local execution, flow, refusal = ff.execution, ff.flow, ff.refusal

-- Members that a search for cycles visits at most (GRA-026).
local MAX_VISITED = 1000

-- Edges that a search for cycles looks at (GRA-024), and that leave or enter a member (GRA-023), at most.
local MAX_EDGES = 10000

-- Whether the upstream can be reached from the downstream already; a search that grows too large
-- counts as a yes (GRA-006, GRA-026).
local function closes_cycle(partition, args)
  local visited = { [args.downstream_execution_id] = true }
  local frontier = { args.downstream_execution_id }
  local looked_at, edges = 0, 0
  while looked_at < #frontier do
    looked_at = looked_at + 1
    local member = frontier[looked_at]
    edges = edges + partition:count('edge', 'OUT', args.flow_id, member)
    if edges > MAX_EDGES then
      return true
    end
    for _, downstream in ipairs(partition:list('edge', 'OUT.next', args.flow_id, member)) do
      if downstream == args.upstream_execution_id then
        return true
      end
      if not visited[downstream] then
        visited[downstream] = true
        frontier[#frontier + 1] = downstream
        if #frontier > MAX_VISITED then
          return true
        end
      end
    end
  end
  return false
end

-- An empty reference counts as none (GRA-027).
function flow.reference(given)
  if given ~= '' then
    return given
  end
end

-- Adds a dependency by compare-and-swap on the revision (GRA-002), in the order of GRA-025.
ff.write('stage_dependency_edge', function(partition, args)
  args = args.args
  local graph = flow.open(partition, args.flow_id)
  if args.expected_graph_revision ~= graph.graph_revision then
    refusal.contention('stale_graph_revision')
  end
  for _, member in ipairs({ args.upstream_execution_id, args.downstream_execution_id }) do
    local fields = partition:execution(member)
    if not fields or fields.flow_id ~= args.flow_id then
      refusal.state('execution_not_in_flow')
    end
  end
  if closes_cycle(partition, args) then
    refusal.conflict('cycle_detected')
  end
  local known = partition:edge(args.flow_id, args.edge_id)
  if known then
    refusal.conflict({ dependency_already_exists = { existing = flow.edge_snapshot(known) } })
  end
  local leaving = partition:count('edge', 'OUT', args.flow_id, args.upstream_execution_id)
  local entering = partition:count('edge', 'IN', args.flow_id, args.downstream_execution_id)
  if math.max(leaving, entering) >= MAX_EDGES then
    refusal.validation('invalid_input', leaving .. ' edges leave it, ' .. entering .. ' enter it')
  end
  local now = partition:now()
  partition:put('edge', {
    flow_id = args.flow_id,
    edge_id = args.edge_id,
    upstream_execution_id = args.upstream_execution_id,
    downstream_execution_id = args.downstream_execution_id,
    dependency_kind = args.dependency_kind,
    data_passing_ref = flow.reference(args.data_passing_ref),
    state = 'staged',
    created_at = now,
  })
  if not partition:group(args.flow_id, args.downstream_execution_id) then
    partition:put('group', flow.new_group(args.flow_id, args.downstream_execution_id))
  end
  graph.edge_count = graph.edge_count + 1
  flow.grow(graph, now)
  return { staged = { edge_id = args.edge_id, new_graph_revision = graph.graph_revision } }
end)
