-- The groups of edges that enter a member, and their policies.

local flow, refusal = ff.flow, ff.refusal

-- The kind of a group's policy, and what it says beside.
function flow.policy_of(group)
  if group.policy == 'all_of' then
    return 'all_of', {}
  end
  return next(group.policy)
end

local function has_policy(group, given)
  local kind, details = flow.policy_of(group)
  local other, others = flow.policy_of({ policy = given })
  return kind == other
    and details.k == others.k
    and details.on_satisfied == others.on_satisfied
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
    policy = group.policy,
    total_deps = resolved + group.running_count,
    satisfied_count = group.satisfied_count,
    failed_count = group.failed_count,
    skipped_count = group.skipped_count,
    running_count = group.running_count,
    group_state = group.group_state,
  }
end

-- What the counts say, satisfied before impossible (DEP-006).
local function decided(group)
  local satisfied = group.satisfied_count
  local lost = group.failed_count + group.skipped_count
  local total = satisfied + lost + group.running_count
  local policy, details = flow.policy_of(group)
  local is_satisfied, is_impossible
  if policy == 'any_of' then
    is_satisfied, is_impossible = satisfied >= 1, total > 0 and lost == total
  elseif policy == 'quorum' then
    is_satisfied, is_impossible = satisfied >= details.k, lost > total - details.k
  else
    is_satisfied, is_impossible = total > 0 and satisfied == total, lost >= 1
  end
  if is_satisfied then
    return 'satisfied'
  end
  return is_impossible and 'impossible' or 'pending'
end

-- One more edge waits for its upstream; an all-of group waits for it as well, unless its member has
-- ended (GRA-016, GRA-022).
function flow.apply(group, ended)
  group.running_count = group.running_count + 1
  if group.policy == 'all_of' and group.group_state == 'satisfied' and not ended then
    group.group_state = 'pending'
  end
end

-- Leaves the pending state, if the counts decide.
function flow.fire(group)
  local state = decided(group)
  if group.group_state == 'pending' and state ~= 'pending' then
    group.group_state = state
    return state
  end
end

-- Waits again for what was lost (DEP-037).
function flow.reopen_group(group)
  group.running_count = group.running_count + group.failed_count + group.skipped_count
  group.failed_count = 0
  group.skipped_count = 0
  group.pending_cancel, group.noted_at = nil, nil
  group.group_state = decided(group) == 'satisfied' and 'satisfied' or 'pending'
end

-- Counts an upstream's end (DEP-006). The state it fires in, if this end decides it (DEP-007).
function flow.count(group, outcome)
  if group.running_count < 1 then
    local detail = 'the group of ' .. group.downstream_execution_id .. ' counts no running edge'
    refusal.validation('corruption', detail)
  end
  group.running_count = group.running_count - 1
  local count = outcome == 'success' and 'satisfied_count'
    or outcome == 'skipped' and 'skipped_count'
    or 'failed_count'
  group[count] = group[count] + 1
  return flow.fire(group)
end

-- Says how many of a member's dependencies must succeed (DEP-001, DEP-002, DEP-050).
ff.write('set_edge_group_policy', function(partition, args)
  flow.open(partition, args.flow_id)
  local downstream = args.downstream_execution_id
  local member = partition:execution(downstream)
  if not member or member.flow_id ~= args.flow_id then
    refusal.state('execution_not_in_flow')
  end
  local staged = partition:edges_at('IN', args.flow_id, downstream)[1]
  if staged then
    refusal.conflict({ dependency_already_exists = { existing = flow.edge_snapshot(staged) } })
  end
  local group = partition:group(args.flow_id, downstream)
  if group and has_policy(group, args.policy) then
    return 'already_set'
  end
  if not group then
    group = flow.new_group(args.flow_id, downstream)
    partition:put('group', group)
  end
  group.policy = args.policy
  return 'set'
end)
