-- Taking over an execution whose lease has lapsed or was revoked, by a grant.

local claim, execution, grant, refusal = ff.claim, ff.execution, ff.grant, ff.refusal

local NOT_RECLAIMABLE = 'its lease has neither lapsed nor been revoked'

-- How often an execution may be taken over whose policy does not say (LSE-029).
local MAX_RECLAIMS = 100

-- As the caller says, or else its policy.
local function cap(fields, given)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  return given or policy and policy.max_reclaim_count or MAX_RECLAIMS
end

local function not_reclaimable(id)
  return { not_reclaimable = { detail = NOT_RECLAIMABLE, execution_id = id } }
end

local function exceeded(fields)
  return {
    reclaim_cap_exceeded = {
      execution_id = fields.execution_id,
      reclaim_count = fields.lease_reclaim_count,
    },
  }
end

-- Keeps an execution that nobody holds any more for a worker (LSE-023 to LSE-025, LSE-029).
ff.write('issue_reclaim_grant', function(partition, args)
  args = args.args
  local id = args.execution_id
  local fields = execution.existing(partition, id)
  if not execution.is_reclaimable(fields) then
    return not_reclaimable(id)
  elseif fields.lease_reclaim_count >= cap(fields) then
    return exceeded(fields)
  end
  local now = partition:now()
  if execution.is_granted(fields, now) then
    refusal.state('grant_already_exists')
  elseif fields.lane_id ~= args.lane_id then
    refusal.contention('execution_not_in_eligible_set')
  end
  grant.give(fields, args, now)
  local granted = grant.describe(partition, fields)
  granted.lane_id = fields.lane_id
  return { granted = granted }
end)

-- Starts a new attempt in place of the one that was left behind (LSE-026, LSE-028, LSE-030, LSE-031), or ends the
-- execution that was taken over too often (LSE-029).
ff.write('reclaim_execution', function(partition, args)
  args = args.args
  local id = args.execution_id
  local fields = execution.existing(partition, id)
  if not execution.is_reclaimable(fields) then
    return not_reclaimable(id)
  end
  local now = partition:now()
  local given = fields.grant
  if not given or given.worker ~= args.worker_id or given.expires_at <= now then
    return { grant_not_found = { execution_id = id } }
  elseif fields.lane_id ~= args.lane_id then
    refusal.contention('execution_not_in_eligible_set')
  end
  claim.check_ids(partition, fields, args)
  if fields.lease_reclaim_count >= cap(fields, args.max_reclaim_count) then
    local answer = exceeded(fields)
    fields.failure_reason = 'max_reclaims_exceeded'
    fields.failure_category = nil
    execution.end_attempt(partition, fields, 'ended_failure', nil, now)
    execution.drop_lease(fields)
    execution.finish(partition, fields, 'failed', now)
    return answer
  end
  execution.end_attempt(partition, fields, 'interrupted_reclaimed', nil, now)
  fields.lease_reclaim_count = fields.lease_reclaim_count + 1
  local lease = claim.lease(args.lease_id, args, args.lease_ttl_ms, now)
  return { claimed = claim.start(partition, fields, args.attempt_id, lease) }
end)
