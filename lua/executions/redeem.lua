-- Starting a new attempt of one execution: by a grant, or as an operator.

local claim, execution, grant, refusal = ff.claim, ff.execution, ff.grant, ff.refusal

-- Who holds what an operator claims (CLM-030).
local OPERATOR = { worker_id = 'operator', worker_instance_id = 'operator' }

-- By a grant of the worker, under ids that the caller gives (CLM-020, CLM-022, CLM-023, CLM-025).
ff.write('claim_execution', function(partition, args)
  args = args.args
  local id = args.execution_id
  local fields = execution.existing(partition, id)
  if not execution.is_eligible(fields) then
    refusal.contention('execution_not_leaseable')
  elseif execution.is_interrupted(fields) then
    refusal.contention('use_claim_resumed_execution')
  end
  local now = partition:now()
  grant.check(fields, args.worker_id, args.lane_id, now)
  if fields.total_attempt_count ~= args.expected_attempt_index then
    refusal.contention('execution_not_leaseable')
  end
  claim.check_ids(partition, fields, args)
  if args.execution_deadline_at then
    fields.execution_deadline_at = args.execution_deadline_at
  end
  local lease = claim.lease(args.lease_id, args, args.lease_ttl_ms, now)
  local kind = claim.kind_of(fields)
  local payload = claim.start(partition, fields, args.attempt_id, lease, args.attempt_timeout_ms)
  return { payload = payload, attempt_type = kind, expires_at = lease.expires_at }
end)

-- As an operator, whatever the execution requires: a new attempt, or the one that goes on (CLM-027, CLM-029).
ff.write('issue_grant_and_claim', function(partition, args, context)
  args = args.args
  local fields = execution.existing(partition, args.execution_id)
  local now = partition:now()
  grant.free(fields, args.lane_id, now)
  local lease = claim.lease(context.lease_id, OPERATOR, args.lease_duration_ms, now)
  local payload
  if execution.is_interrupted(fields) then
    payload = claim.begin(partition, fields, nil, lease)
  else
    payload = claim.start(partition, fields, context.attempt_id, lease)
  end
  return {
    lease_id = lease.id,
    lease_epoch = payload.fence.lease_epoch,
    attempt_index = payload.attempt_index,
  }
end)
