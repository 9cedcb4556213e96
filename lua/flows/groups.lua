-- What a member's dependencies come to.

local flow, refusal = ff.flow, ff.refusal

-- A policy as it arrives, as fields of a group.
local function flat(policy)
  if policy == 'all_of' then
    return { policy = 'all_of' }
  end
  local kind, details = next(policy)
  return { policy = kind, quorum = details.k, on_satisfied = details.on_satisfied }
end

local function is_policy_of(group, given)
  return group.policy == given.policy
    and group.quorum == given.quorum
    and group.on_satisfied == given.on_satisfied
end

-- The policy of a group as callers see it.
local function shown(group)
  if group.policy == 'all_of' then
    return 'all_of'
  end
  return { [group.policy] = { k = group.quorum, on_satisfied = group.on_satisfied } }
end

-- No edge is applied, and all will have to be satisfied.
function flow.new_group(flow_id, downstream)
  return {
    flow_id = flow_id,
    downstream_execution_id = downstream,
    policy = 'all_of',
    satisfied_count = 0,
    failed_count = 0,
    skipped_count = 0,
    running_count = 0,
    group_state = 'pending',
  }
end

function flow.group_snapshot(group)
  local resolved = group.satisfied_count + group.failed_count + group.skipped_count
  return {
    downstream_execution_id = group.downstream_execution_id,
    policy = shown(group),
    total_deps = resolved + group.running_count,
    satisfied_count = group.satisfied_count,
    failed_count = group.failed_count,
    skipped_count = group.skipped_count,
    running_count = group.running_count,
    group_state = group.group_state,
  }
end

-- Says how many of a member's dependencies must succeed (DEP-001, DEP-002).
ff.write('set_edge_group_policy', function(partition, args)
  flow.open(partition, args.flow_id)
  local downstream = args.downstream_execution_id
  local member = partition:execution(downstream)
  if not member or member.flow_id ~= args.flow_id then
    refusal.state('execution_not_in_flow')
  end
  local staged = partition:edges_at('in', args.flow_id, downstream)[1]
  if staged then
    refusal.conflict({ dependency_already_exists = { existing = flow.edge_snapshot(staged) } })
  end
  local given = flat(args.policy)
  local group = partition:group(args.flow_id, downstream)
  if group and is_policy_of(group, given) then
    return 'already_set'
  end
  if not group then
    group = flow.new_group(args.flow_id, downstream)
    partition:new_group(group)
  end
  group.policy = given.policy
  group.quorum = given.quorum
  group.on_satisfied = given.on_satisfied
  return 'set'
end)
