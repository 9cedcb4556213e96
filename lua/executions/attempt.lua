-- How an attempt ends: success, failure with or without a retry, cancellation by its holder.

local execution, lease = ff.execution, ff.lease

-- The execution that this call ends the lease of, or true if it ended it before (ATT-003). Other
-- calls under a lease that is over are refused (ATT-004).
local function ending(partition, context)
  return lease.held(partition, context.held, function(fields)
    if not fields.closing or fields.closing.digest ~= redis.sha1hex(context.call) then
      lease.not_active(fields)
    end
    return true
  end)
end

-- Ends the attempt and gives up the lease (LSE-013); the call is kept for a repetition.
local function release(partition, fields, context, state)
  local now = partition:now()
  execution.emit(partition, fields, 'released', now)
  execution.end_attempt(partition, fields, state, now)
  execution.drop_lease(fields)
  fields.closing = { digest = redis.sha1hex(context.call) }
end

-- Ends the execution in success (ATT-007), with its result (ATT-008).
ff.write('complete', function(partition, args, context)
  local fields, again = ending(partition, context)
  if again then
    return nil
  end
  if args.payload then
    partition:put('result', { execution_id = fields.execution_id, result = args.payload })
  end
  release(partition, fields, context, 'ended_success')
  execution.finish(partition, fields, 'success', partition:now())
end)

-- Ends the execution as cancelled by its holder (ATT-019).
ff.write('cancel', function(partition, args, context)
  local fields, again = ending(partition, context)
  if again then
    return nil
  end
  fields.cancellation_reason = args.reason
  fields.cancelled_by = 'worker'
  release(partition, fields, context, 'ended_cancelled')
  execution.finish(partition, fields, 'cancelled', partition:now())
end)

local PERMITS_RETRY = { transient = true, infra_crash = true, timeout = true }

local function contains(list, wanted)
  for _, entry in ipairs(list) do
    if entry == wanted then
      return true
    end
  end
  return false
end

-- The retry policy, if it grants one more (ATT-009 to ATT-011).
local function applicable_retry(fields, category)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  local retry = policy and policy.retry_policy
  if not retry or not PERMITS_RETRY[category] or fields.retry_count >= retry.max_retries then
    return nil
  end
  local categories = retry.retryable_categories
  if #categories > 0 and not contains(categories, category) then
    return nil
  end
  return retry
end

-- The wait before the retry that follows so many others (ATT-012). It is exact also where the policy
-- allows jitter (ATT-014).
local function backoff_ms(backoff, retries)
  if backoff.type == 'fixed' then
    return backoff.delay_ms
  end
  local grown = backoff.initial_delay_ms
  for _ = 1, retries do
    local following = grown * backoff.multiplier
    if following == grown then
      break
    end
    grown = following
  end
  return math.floor(math.min(grown, backoff.max_delay_ms))
end

local function outcome(fields)
  if fields.closing.retry_at then
    return { retry_scheduled = { delay_until = fields.closing.retry_at } } -- ATT-016
  end
  return 'terminal_failed'
end

-- Ends the attempt in failure: a retry follows if the policy and the class permit (ATT-009).
ff.write('fail', function(partition, args, context)
  local fields, again = ending(partition, context)
  if again then
    return outcome(fields)
  end
  local now = partition:now()
  fields.failure_reason = args.reason.message
  fields.failure_category = args.classification
  release(partition, fields, context, 'ended_failure')
  local retry = applicable_retry(fields, args.classification)
  if retry then
    local due = ff.after(now, backoff_ms(retry.backoff, fields.retry_count))
    fields.closing.retry_at = due
    fields.retry_count = fields.retry_count + 1
    fields.attempt_state = 'pending_retry_attempt'
    execution.park_until(fields, due, 'waiting_for_retry_backoff', now) -- ATT-015
  else
    execution.finish(partition, fields, 'failed', now) -- ATT-017
  end
  return outcome(fields)
end)

-- Gives up the lease until the dependencies are satisfied, or for now if they are (DEP-034).
ff.write('wait_children', function(partition, _, context)
  local fields, again = ending(partition, context)
  if again then
    return nil
  end
  local group = fields.flow_id and partition:group(fields.flow_id, fields.execution_id)
  local satisfied = group ~= nil and group.group_state == 'satisfied'
  release(partition, fields, context, 'suspended')
  execution.wait_for_children(fields, satisfied, partition:now())
end)
