-- What the rules of flows share.

local refusal = ff.refusal

local flow = {}

function flow.known(partition, id)
  return partition:flow(id) or refusal.not_found('flow')
end

function flow.refuse_closed(fields)
  if fields.public_flow_state ~= 'open' then
    refusal.state('flow_already_terminal')
  end
end

function flow.open(partition, id)
  local fields = flow.known(partition, id)
  flow.refuse_closed(fields)
  return fields
end

function flow.touch(fields, now)
  fields.last_mutation_at = math.max(fields.last_mutation_at, now)
end

-- The graph has grown by a member or an edge (GRA-001).
function flow.grow(fields, now)
  fields.graph_revision = fields.graph_revision + 1
  flow.touch(fields, now)
end

-- The flow's members, ascending.
function flow.members_of(partition, flow_id)
  return partition:list('execution', 'MEMBERS', flow_id)
end

-- An edge as callers see it (GRA-027).
function flow.edge_snapshot(edge)
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

ff.flow = flow
