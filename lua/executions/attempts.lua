-- How an attempt ends or is set aside: success, cancellation by its holder, a wait for dependencies or a time.

local execution, lease = ff.execution, ff.lease

local attempt = {}

-- The execution that this call ends the lease of, or true if it ended it before (ATT-003). Other
-- calls under a lease that is over are refused (ATT-004), and an operator's is never the same again.
function attempt.ending(partition, held, context)
  return lease.held(partition, held, function(fields)
    local closing = held.fence and fields.closing
    if not closing or closing.digest ~= redis.sha1hex(context.call) then
      lease.not_active(fields)
    end
    return true
  end)
end

-- Ends the attempt and gives up the lease (LSE-013); the call is kept for a repetition.
function attempt.release(partition, fields, context, state)
  local now = partition:now()
  execution.emit(partition, fields, 'released', now)
  execution.end_attempt(partition, fields, state, nil, now)
  execution.release(fields, { digest = redis.sha1hex(context.call) }, now)
end

-- Ends the execution in success (ATT-007), with its result (ATT-008).
local function succeed(partition, held, context, result)
  local fields, again = attempt.ending(partition, held, context)
  if again then
    return nil
  end
  if result then
    partition:put('result', { execution_id = fields.execution_id, result = result })
  end
  attempt.release(partition, fields, context, 'ended_success')
  execution.finish(partition, fields, 'success', partition:now())
end

ff.write('complete', function(partition, args, context)
  succeed(partition, context.held, context, args.payload)
end)

-- The same without a handle.
ff.write('complete_execution', function(partition, args, context)
  args = args.args
  succeed(partition, args, context, args.result_payload)
  return { completed = { execution_id = args.execution_id, public_state = 'completed' } }
end)

-- Ends the execution as cancelled by its holder (ATT-019, EXE-051).
ff.write('cancel', function(partition, args, context)
  local fields, again = attempt.ending(partition, context.held, context)
  if again then
    return nil
  end
  fields.cancellation_reason = args.reason
  fields.cancelled_by = 'worker'
  attempt.release(partition, fields, context, 'ended_cancelled')
  execution.finish(partition, fields, 'cancelled', partition:now())
end)

-- Gives up the lease until the dependencies are satisfied, or for now if they are (DEP-034).
ff.write('wait_children', function(partition, _, context)
  local fields, again = attempt.ending(partition, context.held, context)
  if again then
    return nil
  end
  local group = fields.flow_id and partition:group(fields.flow_id, fields.execution_id)
  local satisfied = group ~= nil and group.group_state == 'satisfied'
  attempt.release(partition, fields, context, 'suspended')
  execution.wait_for_children(fields, satisfied, partition:now())
end)

-- Gives up the lease until a time; the attempt goes on then (ATT-020).
ff.write('delay', function(partition, args, context)
  local fields, again = attempt.ending(partition, context.held, context)
  if again then
    return nil
  end
  attempt.release(partition, fields, context, 'suspended')
  fields.attempt_state = 'attempt_interrupted'
  execution.park_until(fields, args.delay_until, 'waiting_for_delay', partition:now())
end)

ff.attempt = attempt
