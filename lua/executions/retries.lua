-- Whether and when a failed attempt is followed by another.

local attempt, execution = ff.attempt, ff.execution

local retry = {}

local FORBIDS_RETRY = { permanent = true, cancelled = true }

local function contains(list, wanted)
  for _, entry in ipairs(list) do
    if entry == wanted then
      return true
    end
  end
  return false
end

-- The retry policy, if it grants one more (ATT-009 to ATT-011).
local function applicable_retry(fields, given, category)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  local asked = given or policy and policy.retry_policy
  if not asked or FORBIDS_RETRY[category] or fields.retry_count >= asked.max_retries then
    return nil
  end
  local categories = asked.retryable_categories
  if #categories > 0 and not contains(categories, category) then
    return nil
  end
  return asked
end

-- The wait before the next retry, after `retries` others (ATT-012, ATT-032). It is exact also where the policy
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

-- When a retry is due, if the policy grants one more (ATT-012).
function retry.due_at(fields, given, category, now)
  local policy = applicable_retry(fields, given, category)
  return policy and ff.after(now, backoff_ms(policy.backoff, fields.retry_count))
end

-- Ends the attempt in failure: a retry follows if the policy and the class permit (ATT-009).
local function fail(partition, held, context, failure)
  local fields, again = attempt.ending(partition, held, context)
  if again then
    return fields
  end
  local now = partition:now()
  fields.failure_reason = failure.reason
  fields.failure_category = failure.category
  attempt.release(partition, fields, context, 'ended_failure')
  local due = retry.due_at(fields, failure.policy, failure.category, now)
  if due then
    fields.closing.retry_at = due
    execution.retry(fields, due, now) -- ATT-015
  else
    execution.finish(partition, fields, 'failed', now) -- ATT-017
  end
  return fields
end

-- ATT-016.
ff.write('fail', function(partition, args, context)
  local failure = { reason = args.reason.message, category = args.classification }
  local retry_at = fail(partition, context.held, context, failure).closing.retry_at
  return retry_at and { retry_scheduled = { delay_until = retry_at } } or 'terminal_failed'
end)

-- The same without a handle, by a policy of the caller's if there is one (ATT-011). It comes as it was
-- understood beside the arguments.
ff.write('fail_execution', function(partition, args, context)
  local failed = args.args
  local fields = fail(partition, failed, context, {
    reason = failed.failure_reason,
    category = failed.failure_category,
    policy = args.retry_policy,
  })
  local retry_at, following = fields.closing.retry_at, fields.total_attempt_count
  return retry_at
      and { retry_scheduled = { delay_until = retry_at, next_attempt_index = following } }
    or 'terminal_failed'
end)

ff.retry = retry
