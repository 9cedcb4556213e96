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

-- Fields that follow from others.
local DERIVED = {
  partition_id = function(fields)
    return string.match(fields.execution_id, '^{fp:(%d+)}')
  end,
  public_state = execution.public_state,
  blocking_reason = function(fields)
    return fields.blocking_reason ~= 'none' and fields.blocking_reason or nil -- EXE-018
  end,
  current_lease_epoch = function(fields)
    return fields.lease_epoch
  end,
}

-- Fields of a suspension that lasts.
function DERIVED.current_waitpoint_id(fields)
  return fields.lifecycle_phase == 'suspended' and fields.suspension.waitpoint or nil
end

function DERIVED.current_suspension_id(fields)
  return fields.lifecycle_phase == 'suspended' and fields.suspension.id or nil
end

-- Fields of what an execution may have.
local WITHIN = {
  current_attempt_index = { 'current_attempt', 'index' },
  current_attempt_id = { 'current_attempt', 'id' },
  current_lease_id = { 'lease', 'id' },
  current_worker_id = { 'lease', 'worker' },
  current_worker_instance_id = { 'lease', 'worker_instance' },
  lease_acquired_at = { 'lease', 'acquired_at' },
  lease_expires_at = { 'lease', 'expires_at' },
  lease_last_renewed_at = { 'lease', 'renewed_at' },
}

-- Fields of the record that go by other names, or are for the engine alone.
local HIDDEN = {
  policy = true, current_attempt = true, lease = true, lease_epoch = true, closing = true,
  suspension = true, waitpoint_count = true, signal_count = true, uncascaded_since = true,
  grant = true, last_lease_id = true,
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
  if DERIVED[name] then
    value = DERIVED[name](fields)
  elseif WITHIN[name] then
    local whole = fields[WITHIN[name][1]]
    value = whole and whole[WITHIN[name][2]]
  elseif not HIDDEN[name] then
    value = fields[name]
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
