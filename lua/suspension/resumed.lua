-- Going on with an interrupted attempt, by a grant.

local claim, execution, grant, refusal = ff.claim, ff.execution, ff.grant, ff.refusal

local function begin(partition, fields, id, holder, limit)
  local lease = claim.lease(id, holder, holder.lease_ttl_ms, partition:now())
  return claim.begin(partition, fields, nil, lease, limit)
end

-- Under a lease whose id the caller gives (SUS-037, SUS-038, SUS-051).
ff.write('claim_resumed_execution', function(partition, args)
  args = args.args
  local fields = execution.existing(partition, args.execution_id)
  if not execution.is_eligible(fields) then
    refusal.contention('execution_not_leaseable')
  elseif not execution.is_interrupted(fields) then
    refusal.contention('not_a_resumed_execution')
  elseif fields.current_attempt.index ~= args.current_attempt_index then
    refusal.contention('execution_not_leaseable')
  end
  grant.check(fields, args.worker_id, args.lane_id, partition:now())
  if fields.last_lease_id == args.lease_id
    or partition:past_lease(args.execution_id, args.lease_id) then
    claim.had(fields, args.lease_id)
  end
  local limit = args.remaining_attempt_timeout_ms
  local payload = begin(partition, fields, args.lease_id, args, limit)
  return { payload = payload, expires_at = fields.lease.expires_at }
end)

-- Under a lease of its own, if there is still something to go on with (SUS-052).
ff.write('claim_from_resume_grant', function(partition, args, context)
  local token = args.token
  local fields = execution.existing(partition, token.grant.execution_id)
  if not execution.is_eligible(fields) or not execution.is_interrupted(fields) then
    return nil
  end
  grant.check(fields, token.worker_id, token.grant.lane_id, partition:now())
  return begin(partition, fields, context.lease_id, token, nil)
end)
