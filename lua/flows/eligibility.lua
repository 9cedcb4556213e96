-- Whether an execution could run, as far as its dependencies go.

-- Whether a member's dependencies let it run: the first that applies (DEP-032).
local function status(partition, fields)
  if not fields then
    return 'not_found'
  elseif fields.lifecycle_phase ~= 'runnable' then
    return 'not_runnable'
  elseif fields.ownership_state ~= 'unowned' then
    return 'owned'
  end
  local group = fields.flow_id and partition:group(fields.flow_id, fields.execution_id)
  if group and group.group_state == 'impossible' then
    return 'impossible'
  elseif fields.eligibility_state == 'blocked_by_dependencies'
    or group and group.group_state == 'pending' and group.running_count > 0 then
    return 'blocked_by_dependencies'
  end
  return 'eligible'
end

ff.read('evaluate_flow_eligibility', function(partition, args)
  return { status = { status = status(partition, partition:execution(args.args.execution_id)) } }
end)
