-- Counting usage against a budget, and its limits.

local budget, record, refusal = ff.budget, ff.record, ff.refusal

-- For how long a key is kept, in milliseconds (BUD-040).
local KEPT_MS = 86400000

-- Dimensions of a budget that are ever counted (BUD-041).
local MAX_COUNTED = 1024

local MAX_INTEGER = 9007199254740991

-- The first dimension that the report would take beyond its hard limit (BUD-010, BUD-039).
local function hard_breach(fields, names, deltas)
  for _, name in ipairs(names) do
    local used, limit = fields.usage[name] or 0, budget.limits(fields, name).hard
    if limit > 0 and used + deltas[name] > limit then
      return { current_usage = used, dimension = name, hard_limit = limit }
    end
  end
end

-- The first that it has left beyond its soft limit (BUD-011, BUD-039).
local function soft_breach(fields, names)
  for _, name in ipairs(names) do
    local used, limit = fields.usage[name], budget.limits(fields, name).soft
    if limit > 0 and used > limit then
      return { current_usage = used, dimension = name, soft_limit = limit }
    end
  end
end

-- BUD-041.
local function count(fields, deltas)
  for name, delta in pairs(deltas) do
    local used = (fields.usage[name] or 0) + delta
    if used > MAX_INTEGER then
      refusal.validation('invalid_input', name .. ': beyond 2^53 - 1')
    end
    fields.usage[name] = used
  end
  local counted = 0
  for _ in pairs(fields.usage) do
    counted = counted + 1
  end
  if counted > MAX_COUNTED then
    refusal.validation('invalid_input', counted .. ' dimensions, at most ' .. MAX_COUNTED)
  end
end

-- What is counted in the execution's name with this report; nothing from before a reset (BUD-021).
local function attribute(partition, fields, execution_id, deltas)
  local spend = partition:spend(fields.budget_id, execution_id)
  if not spend or spend.reset_count ~= fields.reset_count then
    spend = {
      budget_id = fields.budget_id,
      execution_id = execution_id,
      amounts = {},
      reset_count = fields.reset_count,
    }
  end
  for name, delta in pairs(deltas) do
    spend.amounts[name] = (spend.amounts[name] or 0) + delta
  end
  partition:put('spend', spend)
end

-- Counts all of a report or nothing (BUD-010, BUD-011, BUD-014).
local function report(partition, id, deltas, key, execution_id)
  local fields, now = budget.of(partition, id), partition:now()
  local digest = key and key ~= '' and redis.sha1hex(key)
  local known = digest and partition:usage_key(id, digest)
  if known and known.expires_at > now then
    return 'already_applied'
  end
  local names = record.sorted(deltas)
  local breach = hard_breach(fields, names, deltas)
  if breach then
    fields.breach_count = fields.breach_count + 1
    fields.last_breach = { dimension = breach.dimension, at = now }
    partition:put('budget', fields)
    return { hard_breach = breach }
  end
  count(fields, deltas)
  breach = soft_breach(fields, names)
  if breach then
    fields.soft_breach_count = fields.soft_breach_count + 1
  end
  partition:put('budget', fields)
  if execution_id then
    attribute(partition, fields, execution_id, deltas)
  end
  if digest then
    local expires_at = ff.after(now, KEPT_MS)
    partition:put('usage_key', { budget_id = id, digest = digest, expires_at = expires_at })
  end
  return breach and { soft_breach = breach } or 'ok'
end

-- BUD-007.
ff.write('report_usage', function(partition, args, context)
  local given, deltas = args.dimensions, {}
  for name, delta in pairs(given.custom) do
    deltas[name] = delta
  end
  for _, name in ipairs({ 'input_tokens', 'output_tokens', 'wall_ms' }) do
    if given[name] and given[name] > 0 then
      deltas[name] = given[name]
    end
  end
  return report(partition, args.budget, deltas, given.dedup_key, context.held.execution_id)
end)

-- BUD-037.
ff.write('report_usage_admin', function(partition, args)
  local given, deltas = args.args, {}
  for place, name in ipairs(given.dimensions) do
    deltas[name] = given.deltas[place]
  end
  return report(partition, args.budget, deltas, given.dedup_key)
end)

-- BUD-017.
ff.write('record_spend', function(partition, args)
  args = args.args
  return report(partition, args.budget_id, args.deltas, args.idempotency_key, args.execution_id)
end)
