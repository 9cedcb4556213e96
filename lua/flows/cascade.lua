-- Counting an end on everything that depends on it.

local flow = ff.flow

-- Counts a member's end on everything that depends on it, and the ends that follow from it on what
-- depends on these (DEP-020 to DEP-024).
ff.write('cascade_completion', function(partition, args)
  local flow_id, id = args.payload.flow_id, args.payload.execution_id
  local outcome = { resolved = 0, cascaded_children = 0, synchronous = true }
  local ended = flow_id and partition:execution(id)
  if not ended or ended.flow_id ~= flow_id or ended.lifecycle_phase ~= 'terminal' then
    return outcome
  end
  local now = partition:now()
  local ends, next_end = { ended }, 1
  while ends[next_end] do
    local upstream = ends[next_end]
    next_end = next_end + 1
    upstream.uncascaded_since = nil
    for _, edge in ipairs(partition:edges_at('OUT', flow_id, upstream.execution_id)) do
      if edge.state == 'unsatisfied' then
        outcome.resolved = outcome.resolved + 1
        local skipped = flow.resolve_edge(partition, edge, upstream.terminal_outcome, now)
        if skipped then
          outcome.cascaded_children = outcome.cascaded_children + 1
          ends[#ends + 1] = skipped
        end
      end
    end
  end
  return outcome
end)
