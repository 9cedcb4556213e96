-- The chapter of flows: members, dependencies, cancellation.

local execution, refusal = ff.execution, ff.refusal

-- Members that a search for cycles visits at most (GRA-006).
local MAX_VISITED = 1000

local function known_flow(partition, id)
  return partition:flow(id) or refusal.not_found('flow')
end

local function refuse_closed(flow)
  if flow.public_flow_state ~= 'open' then
    refusal.state('flow_already_terminal')
  end
end

local function open_flow(partition, id)
  local flow = known_flow(partition, id)
  refuse_closed(flow)
  return flow
end

-- The graph has grown by a member or an edge (GRA-001).
local function grow(flow, now)
  flow.graph_revision = flow.graph_revision + 1
  flow.last_mutation_at = math.max(flow.last_mutation_at, now)
end

-- Creates a flow, or recognises one (FLW-010).
ff.write('create_flow', function(partition, args)
  args = args.args
  local id = args.flow_id
  if partition:flow(id) then
    return { already_satisfied = { flow_id = id } }
  end
  local now = partition:now()
  partition:new_flow(id, {
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

-- Makes an execution a member (FLW-021 to FLW-024).
ff.write('add_execution_to_flow', function(partition, args)
  args = args.args
  local flow = open_flow(partition, args.flow_id)
  local id = args.execution_id
  local fields = execution.existing(partition, id)
  if fields.flow_id == args.flow_id then
    return { already_member = { execution_id = id, node_count = flow.node_count } }
  end
  if fields.flow_id then
    refusal.conflict('execution_already_in_flow')
  end
  local now = partition:now()
  fields.flow_id = args.flow_id
  execution.touch(fields, now)
  flow.node_count = flow.node_count + 1
  grow(flow, now)
  partition:later('ZADD', partition:key('members', args.flow_id), 0, partition.short(id))
  return { added = { execution_id = id, new_node_count = flow.node_count } }
end)

-- Whether the upstream can be reached from the downstream already; a search that grows too large
-- counts as a yes (GRA-006).
local function closes_cycle(partition, args)
  local visited = { [args.downstream_execution_id] = true }
  local frontier = { args.downstream_execution_id }
  local looked_at = 0
  while looked_at < #frontier do
    looked_at = looked_at + 1
    for _, edge in ipairs(partition:edges_at('out', args.flow_id, frontier[looked_at])) do
      local downstream = edge.downstream_execution_id
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

-- An empty reference counts as none (GRA-008).
local function reference(given)
  if given ~= '' then
    return given
  end
end

local function snapshot(edge)
  return {
    edge_id = edge.edge_id,
    flow_id = edge.flow_id,
    upstream_execution_id = edge.upstream_execution_id,
    downstream_execution_id = edge.downstream_execution_id,
    dependency_kind = edge.dependency_kind,
    satisfaction_condition = 'all_required',
    data_passing_ref = edge.data_passing_ref,
    edge_state = edge.state == 'staged' and 'pending' or 'applied',
    created_at = edge.created_at,
    created_by = 'engine',
  }
end

-- Adds a dependency by compare-and-swap on the revision (GRA-002), in the order of GRA-005.
ff.write('stage_dependency_edge', function(partition, args)
  args = args.args
  local flow = open_flow(partition, args.flow_id)
  if args.expected_graph_revision ~= flow.graph_revision then
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
    refusal.conflict({ dependency_already_exists = { existing = snapshot(known) } })
  end
  local now = partition:now()
  partition:new_edge({
    flow_id = args.flow_id,
    edge_id = args.edge_id,
    upstream_execution_id = args.upstream_execution_id,
    downstream_execution_id = args.downstream_execution_id,
    dependency_kind = args.dependency_kind,
    data_passing_ref = reference(args.data_passing_ref),
    state = 'staged',
    created_at = now,
  })
  flow.edge_count = flow.edge_count + 1
  grow(flow, now)
  return { staged = { edge_id = args.edge_id, new_graph_revision = flow.graph_revision } }
end)

local function is_staged_as(edge, args)
  return edge.upstream_execution_id == args.upstream_execution_id
    and edge.downstream_execution_id == args.downstream_execution_id
    and edge.dependency_kind == args.dependency_kind
    and edge.data_passing_ref == reference(args.data_passing_ref)
end

-- Lets a staged dependency take effect (GRA-010 to GRA-014).
ff.write('apply_dependency_to_child', function(partition, args)
  args = args.args
  local flow = known_flow(partition, args.flow_id)
  local edge = partition:edge(args.flow_id, args.edge_id)
  if not edge or not is_staged_as(edge, args) then
    local detail = 'edge ' .. args.edge_id .. ' is not staged like that'
    refusal.validation('invalid_dependency', detail)
  end
  if edge.state ~= 'staged' then
    return 'already_applied'
  end
  refuse_closed(flow)
  local child = execution.existing(partition, edge.downstream_execution_id)
  edge.state = 'unsatisfied'
  local unsatisfied = 0
  for _, entering in ipairs(partition:edges_at('in', args.flow_id, child.execution_id)) do
    if entering.state == 'unsatisfied' then
      unsatisfied = unsatisfied + 1
    end
  end
  if child.lifecycle_phase == 'runnable' then
    execution.block_by_dependencies(child, partition:now())
  end
  return { applied = { unsatisfied_count = unsatisfied } }
end)

-- Whether the policy selects a member (CAN-003).
local SELECTS = {
  cancel_all = function(fields)
    return fields.lifecycle_phase ~= 'terminal'
  end,
  cancel_pending = function(fields)
    return fields.lifecycle_phase == 'runnable' and fields.ownership_state == 'unowned'
  end,
  flow_only = function()
    return false
  end,
}

-- Ends a member, whoever holds it; each tells both outboxes, leased or not.
local function cancel_member(partition, fields, now)
  execution.emit(partition, fields, 'revoked', now, 'operator')
  if fields.lifecycle_phase == 'active' then
    execution.end_attempt(partition, fields, 'ended_cancelled', now)
  end
  execution.drop_lease(fields)
  fields.closing_digest = nil
  fields.closing_retry_at = nil
  fields.cancellation_reason = 'flow_cancelled'
  fields.cancelled_by = 'cancel_flow'
  execution.finish(partition, fields, 'cancelled', now)
end

-- Closes the flow and ends the members that the policy selects, in one step (CAN-003 to CAN-012).
ff.write('cancel_flow', function(partition, args)
  local flow = known_flow(partition, args.id)
  local members = redis.call('ZRANGE', partition:key('members', args.id), 0, -1)
  for place, short in ipairs(members) do
    members[place] = partition:long(short)
  end
  if flow.public_flow_state == 'open' then
    local now = partition:now()
    flow.public_flow_state = 'cancelled'
    flow.cancelled_at = now
    flow.cancellation_policy = args.policy
    flow.last_mutation_at = math.max(flow.last_mutation_at, now)
    for _, member in ipairs(members) do
      local fields = execution.existing(partition, member)
      if SELECTS[args.policy](fields) then
        cancel_member(partition, fields, now)
      end
    end
  end
  return {
    cancelled = {
      cancellation_policy = flow.cancellation_policy,
      member_execution_ids = members,
    },
  }
end)
