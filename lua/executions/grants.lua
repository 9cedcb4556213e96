-- Grants: an execution in WAIT is kept for a worker until it claims it, or until it is too late.

local execution, refusal = ff.execution, ff.refusal

local grant = {}

-- How many executions stand in their queues again by one call.
local MOST = 128

-- The tokens that a worker lacks, ascending.
local function missing_of(fields, offered)
  local has, missing = {}, {}
  for _, token in ipairs(offered) do
    has[token] = true
  end
  for token in string.gmatch(fields.required_capabilities, '[^,]+') do
    if not has[token] then
      missing[#missing + 1] = token
    end
  end
  return missing
end

-- Keeps an execution for a worker that qualifies (CLM-016, CLM-017).
function grant.give(fields, args, now)
  local missing = missing_of(fields, args.worker_capabilities)
  if #missing > 0 then
    refusal.validation('capability_mismatch', table.concat(missing, ','))
  end
  grant.issue(fields, args, now)
end

-- Keeps an execution for a worker.
function grant.issue(fields, args, now)
  fields.grant = {
    worker = args.worker_id,
    worker_instance = args.worker_instance_id,
    expires_at = ff.after(now, args.grant_ttl_ms),
    is_over = false,
    admission_summary = args.admission_summary,
    capability_hash = args.capability_hash,
    route_snapshot_json = args.route_snapshot_json,
  }
end

-- What a grant of the execution is to who asked for it.
function grant.describe(partition, fields)
  return {
    execution_id = fields.execution_id,
    partition_key = '{fp:' .. partition:number() .. '}',
    grant_key = fields.execution_id .. ':' .. ff.record.decimal(fields.lease_epoch),
    expires_at_ms = fields.grant.expires_at,
  }
end

-- Refuses what is not in WAIT, has a grant that lasts, or is of another lane (CLM-019, CLM-029).
function grant.free(fields, lane, now)
  if not execution.is_eligible(fields) then
    refusal.contention('execution_not_eligible')
  elseif execution.is_granted(fields, now) then
    refusal.state('grant_already_exists')
  elseif fields.lane_id ~= lane then
    refusal.contention('execution_not_in_eligible_set')
  end
end

-- Keeps an execution for a worker, and changes nothing that is shown (CLM-013, CLM-018).
ff.write('issue_claim_grant', function(partition, args)
  args = args.args
  local fields = execution.existing(partition, args.execution_id)
  local now = partition:now()
  grant.free(fields, args.lane_id, now)
  grant.give(fields, args, now)
  return { granted = { execution_id = fields.execution_id } }
end)

-- Refuses a worker who may not redeem a grant of the execution (CLM-022, SUS-038, SUS-051).
function grant.check(fields, worker, lane, now)
  local given = fields.grant
  if not given or given.worker ~= worker then
    refusal.contention('invalid_claim_grant')
  elseif given.expires_at <= now then
    refusal.contention('claim_grant_expired')
  elseif fields.lane_id ~= lane then
    refusal.contention('execution_not_in_eligible_set')
  end
end

-- Executions whose grants have run out stand in their queues again (CLM-014). Tells whether there were as
-- many as one call sees to.
function grant.put_back(partition)
  local found = partition:timed('execution', 'RESERVED', MOST)
  if #found == 0 then
    return false
  end
  for _, fields in ipairs(found) do
    local given = fields.grant
    fields.grant = {
      worker = given.worker,
      worker_instance = given.worker_instance,
      expires_at = given.expires_at,
      is_over = true,
      admission_summary = given.admission_summary,
      capability_hash = given.capability_hash,
      route_snapshot_json = given.route_snapshot_json,
    }
  end
  partition:commit()
  return #found == MOST
end

ff.grant = grant
