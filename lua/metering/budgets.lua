-- Budgets: their definitions, and what they show.

local record, refusal = ff.record, ff.refusal

local budget = {}

-- The budget, or one of which nothing is known.
function budget.of(partition, id)
  local home = partition:number()
  return partition:budget(home, id)
    or {
      partition_key = home,
      budget_id = id,
      usage = {},
      breach_count = 0,
      soft_breach_count = 0,
      reset_count = 0,
    }
end

-- The budget with its definition, or the refusal that what needs one gets (BUD-034).
local function defined(partition, id)
  local fields = budget.of(partition, id)
  if not fields.definition then
    refusal.not_found('budget')
  end
  return fields, fields.definition
end

function budget.limits(fields, dimension)
  local definition = fields.definition
  return definition and definition.limits[dimension] or { hard = 0, soft = 0 }
end

-- Counts from here on until the next reset (BUD-031, BUD-033).
local function start_interval(fields, now)
  local interval = fields.definition.reset_interval_ms
  fields.next_reset_at = interval > 0 and ff.after(now, interval) or nil
end

-- BUD-004, BUD-005.
ff.write('create_budget', function(partition, args)
  args = args.args
  local id = args.budget_id
  local fields = budget.of(partition, id)
  if fields.definition then
    return { already_satisfied = { budget_id = id } }
  end
  local now, limits = partition:now(), {}
  for place, dimension in ipairs(args.dimensions) do
    limits[dimension] = { hard = args.hard_limits[place], soft = args.soft_limits[place] }
  end
  fields.definition = {
    scope_type = args.scope_type,
    scope_id = args.scope_id,
    enforcement_mode = args.enforcement_mode,
    on_hard_limit = args.on_hard_limit,
    on_soft_limit = args.on_soft_limit,
    reset_interval_ms = args.reset_interval_ms,
    limits = limits,
    created_at = now,
  }
  start_interval(fields, now)
  partition:put('budget', fields)
  return { created = { budget_id = id } }
end)

-- BUD-020, BUD-032, BUD-033.
ff.write('reset_budget', function(partition, args)
  args = args.args
  local fields = defined(partition, args.budget_id)
  for dimension in pairs(fields.usage) do
    fields.usage[dimension] = 0
  end
  fields.last_breach = nil
  fields.reset_count = fields.reset_count + 1
  start_interval(fields, partition:now())
  partition:put('budget', fields)
  return { reset = { next_reset_at = fields.next_reset_at or 0 } }
end)

-- BUD-023, BUD-030, BUD-031.
ff.read('get_budget_status', function(partition, args)
  local fields, definition = defined(partition, args.id)
  local hard, soft, breach = {}, {}, fields.last_breach
  for dimension, limits in pairs(definition.limits) do
    hard[dimension], soft[dimension] = limits.hard, limits.soft
  end
  return {
    breach_count = fields.breach_count,
    budget_id = args.id,
    created_at = record.decimal(definition.created_at),
    enforcement_mode = definition.enforcement_mode,
    hard_limits = hard,
    last_breach_at = breach and record.decimal(breach.at),
    last_breach_dim = breach and breach.dimension,
    next_reset_at = fields.next_reset_at and record.decimal(fields.next_reset_at),
    scope_id = definition.scope_id,
    scope_type = definition.scope_type,
    soft_breach_count = fields.soft_breach_count,
    soft_limits = soft,
    usage = fields.usage,
  }
end)

-- BUD-024, BUD-035.
ff.read('read_budget_usage_and_limits', function(partition, args)
  local fields = budget.of(partition, args.budget_id)
  local definition = fields.definition
  if not definition or not next(definition.limits) then
    return { limits = {}, usage = {} }
  end
  local shown, usage = {}, {}
  for dimension, limits in pairs(definition.limits) do
    shown['hard:' .. dimension] = record.decimal(limits.hard)
    shown['soft:' .. dimension] = record.decimal(limits.soft)
    usage[dimension] = 0
  end
  for dimension, used in pairs(fields.usage) do
    usage[dimension] = used
  end
  return { limits = shown, usage = usage }
end)

ff.budget = budget
