-- How an attempt ends: success, cancellation by its holder, a wait for dependencies.

local execution, lease = ff.execution, ff.lease

local attempt = {}

-- The execution that this call ends the lease of, or true if it ended it before (ATT-003). Other
-- calls under a lease that is over are refused (ATT-004).
function attempt.ending(partition, context)
  return lease.held(partition, context.held, function(fields)
    if not fields.closing or fields.closing.digest ~= redis.sha1hex(context.call) then
      lease.not_active(fields)
    end
    return true
  end)
end

-- Ends the attempt and gives up the lease (LSE-013); the call is kept for a repetition.
function attempt.release(partition, fields, context, state)
  local now = partition:now()
  execution.emit(partition, fields, 'released', now)
  execution.end_attempt(partition, fields, state, now)
  execution.drop_lease(fields)
  fields.closing = { digest = redis.sha1hex(context.call) }
end

-- Ends the execution in success (ATT-007), with its result (ATT-008).
ff.write('complete', function(partition, args, context)
  local fields, again = attempt.ending(partition, context)
  if again then
    return nil
  end
  if args.payload then
    partition:put('result', { execution_id = fields.execution_id, result = args.payload })
  end
  attempt.release(partition, fields, context, 'ended_success')
  execution.finish(partition, fields, 'success', partition:now())
end)

-- Ends the execution as cancelled by its holder (ATT-019, EXE-051).
ff.write('cancel', function(partition, args, context)
  local fields, again = attempt.ending(partition, context)
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
  local fields, again = attempt.ending(partition, context)
  if again then
    return nil
  end
  local group = fields.flow_id and partition:group(fields.flow_id, fields.execution_id)
  local satisfied = group ~= nil and group.group_state == 'satisfied'
  attempt.release(partition, fields, context, 'suspended')
  execution.wait_for_children(fields, satisfied, partition:now())
end)

ff.attempt = attempt
