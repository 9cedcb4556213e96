-- Reading executions.

local execution, record, refusal = ff.execution, ff.record, ff.refusal

local function tags(partition, id)
  local found = partition:tags(id)
  return found and found.tags or {}
end

-- What it waits for, if it waits for anything (EXE-018).
local function blocking_reason(fields)
  if fields.blocking_reason ~= 'none' then
    return fields.blocking_reason
  end
end

local function current_attempt(fields)
  if execution.shows_attempt(fields) then
    local attempt = fields.current_attempt
    return { attempt_id = attempt.id, attempt_index = attempt.index }
  end
end

local function attempt_index(fields)
  return fields.current_attempt and fields.current_attempt.index or 0
end

-- The lease, exactly while it holds the execution (EXE-017).
local function current_lease(fields)
  if fields.ownership_state == 'leased' then
    local lease = fields.lease
    return {
      lease_epoch = fields.lease_epoch,
      worker_instance_id = lease.worker_instance,
      expires_at = lease.expires_at,
      attempt_index = fields.current_attempt.index,
      last_heartbeat_at = lease.renewed_at or lease.acquired_at,
      lease_id = lease.id,
    }
  end
end

-- The execution at one instant (EXE-016 to EXE-019).
ff.read('describe_execution', function(partition, args)
  local fields = partition:execution(args.id)
  if not fields then
    return nil
  end
  return {
    execution_id = args.id,
    flow_id = fields.flow_id,
    lane_id = fields.lane_id,
    namespace = fields.namespace,
    public_state = execution.public_state(fields),
    blocking_reason = blocking_reason(fields),
    blocking_detail = fields.blocking_detail ~= '' and fields.blocking_detail or nil,
    current_attempt = current_attempt(fields),
    current_lease = current_lease(fields),
    current_waitpoint = fields.lifecycle_phase == 'suspended' and fields.suspension.waitpoint or nil,
    created_at = fields.created_at,
    last_mutation_at = fields.last_mutation_at,
    total_attempt_count = fields.total_attempt_count,
    tags = tags(partition, args.id),
  }
end)

-- The execution, for dashboards (EXE-020, EXE-048).
ff.read('read_execution_info', function(partition, args)
  local fields = partition:execution(args.id)
  if not fields then
    return nil
  end
  local public_state = execution.public_state(fields)
  return {
    execution_id = args.id,
    flow_id = fields.flow_id,
    blocking_detail = fields.blocking_detail,
    completed_at = fields.completed_at and record.decimal(fields.completed_at),
    created_at = record.decimal(fields.created_at),
    current_attempt_index = attempt_index(fields),
    execution_kind = fields.execution_kind,
    lane_id = fields.lane_id,
    namespace = fields.namespace,
    priority = fields.priority,
    public_state = public_state,
    started_at = fields.started_at and record.decimal(fields.started_at),
    state_vector = {
      lifecycle_phase = fields.lifecycle_phase,
      ownership_state = fields.ownership_state,
      eligibility_state = fields.eligibility_state,
      blocking_reason = fields.blocking_reason,
      terminal_outcome = fields.terminal_outcome,
      attempt_state = fields.attempt_state,
      public_state = public_state,
    },
  }
end)

-- EXE-021.
ff.read('read_execution_state', function(partition, args)
  local fields = partition:execution(args.id)
  return fields and execution.public_state(fields)
end)

local function known(partition, id)
  return partition:execution(id)
    or refusal.validation('invalid_input', 'there is no execution ' .. id)
end

-- EXE-022.
ff.read('read_execution_context', function(partition, args)
  local id = args.execution_id
  local fields = known(partition, id)
  local payload = partition:payload(id)
    or refusal.validation('corruption', id .. ' has no payload')
  return {
    input_payload = payload.payload,
    execution_kind = fields.execution_kind,
    tags = tags(partition, args.execution_id),
  }
end)

-- EXE-023.
ff.read('get_execution_result', function(partition, args)
  local found = partition:result(args.id)
  return found and found.result
end)

-- EXE-024.
ff.read('get_execution_namespace', function(partition, args)
  local fields = partition:execution(args.execution_id)
  return fields and fields.namespace
end)

-- ATT-001, ATT-002, ATT-030.
ff.read('read_current_attempt_index', function(partition, args)
  return attempt_index(known(partition, args.execution_id))
end)

ff.read('read_total_attempt_count', function(partition, args)
  return known(partition, args.execution_id).total_attempt_count
end)
