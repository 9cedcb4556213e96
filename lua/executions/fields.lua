-- Reading single fields by name.

local execution, record = ff.execution, ff.record

-- EXE-026.
local ALIASES = {
  attempt_index = 'current_attempt_index',
  created_at_ms = 'created_at',
  terminal_at_ms = 'completed_at',
  completed_at_ms = 'completed_at',
  deadline_at_ms = 'execution_deadline_at',
  cancel_reason = 'cancellation_reason',
  progress_pct = 'progress_percent',
}

-- Fields of the record that are shown as they are stored.
local STORED = {
  execution_id = true,
  namespace = true,
  lane_id = true,
  execution_kind = true,
  creator_identity = true,
  payload_encoding = true,
  flow_id = true,
  priority = true,
  required_capabilities = true,
  lifecycle_phase = true,
  ownership_state = true,
  eligibility_state = true,
  blocking_reason = true,
  blocking_detail = true,
  terminal_outcome = true,
  attempt_state = true,
  total_attempt_count = true,
  current_attempt_index = true,
  current_attempt_id = true,
  retry_count = true,
  replay_count = true,
  lease_reclaim_count = true,
  current_lease_id = true,
  current_lease_epoch = true,
  current_worker_id = true,
  current_worker_instance_id = true,
  lease_acquired_at = true,
  lease_expires_at = true,
  lease_last_renewed_at = true,
  lease_expired_at = true,
  created_at = true,
  started_at = true,
  completed_at = true,
  last_transition_at = true,
  last_mutation_at = true,
  delay_until = true,
  execution_deadline_at = true,
  failure_reason = true,
  failure_category = true,
  cancellation_reason = true,
  cancelled_by = true,
  progress_percent = true,
  progress_message = true,
}

-- Fields that follow from others.
local DERIVED = {
  partition_id = function(fields)
    return string.match(fields.execution_id, '^{fp:(%d+)}')
  end,
  public_state = execution.public_state,
}

function DERIVED.budget_ids(fields)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  if not policy then
    return nil
  end
  table.sort(policy.budget_ids)
  return table.concat(policy.budget_ids, ',')
end

-- The field's text (EXE-027), or null if there is nothing to show (EXE-025).
local function field(fields, name)
  name = ALIASES[name] or name
  local value
  if STORED[name] then
    value = fields[name]
  elseif DERIVED[name] then
    value = DERIVED[name](fields)
  end
  if name == 'blocking_reason' and value == 'none' then
    value = nil -- EXE-018
  end
  if type(value) == 'number' then
    value = record.decimal(value)
  end
  if value == nil or value == '' then
    return cjson.null
  end
  return value
end

-- One entry for each name (EXE-025).
ff.read('read_exec_core_fields', function(partition, args)
  local fields = partition:execution(args.execution_id) or {}
  local found = {}
  for _, name in ipairs(args.fields) do
    found[name] = fields.execution_id and field(fields, name) or cjson.null
  end
  return found
end)
