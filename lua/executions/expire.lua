-- The ends that time brings: of an attempt, and of the whole execution.

local execution, flow, retry = ff.execution, ff.flow, ff.retry

-- Both are failures of this category.
local CATEGORY = 'timeout'

-- Does what is due to be done, or nothing (ATT-025 to ATT-027, ATT-039).
ff.write('expire_execution', function(partition, args)
  local fields = partition:execution(args.execution_id)
  if not fields then
    return nil
  end
  local now = partition:now()
  local is_attempt = args.phase == 'attempt_timeout'
  local limit = is_attempt and execution.attempt_limit(fields) or nil
  if not is_attempt then
    limit = execution.deadline(fields)
  end
  if not limit or limit > now then
    return nil
  end
  fields.failure_reason = args.phase
  fields.failure_category = CATEGORY
  if fields.ownership_state == 'leased' then
    execution.emit(partition, fields, 'expired', now)
  end
  flow.interrupt(partition, fields, 'ended_failure', 'expired', now)
  local due = is_attempt and retry.due_at(fields, nil, CATEGORY, now)
  if due then
    execution.retry(fields, due, now)
  else
    execution.finish(partition, fields, 'expired', now)
  end
end)
