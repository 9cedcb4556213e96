-- When a suspension ends: what signals count for, and whether that is enough (SUS-012 to SUS-014).

local condition = {}

-- As it is kept: what is nested more than 16 deep, cmsgpack leaves out.
function condition.kept(tree)
  return cjson.encode(tree)
end

-- What was kept like this.
function condition.of(kept)
  return cjson.decode(kept)
end

-- The parts that count signals, from the left.
local function parts_of(tree, into)
  if type(tree) ~= 'table' then
    return into
  end
  local single, composite = tree.single, tree.composite
  if single then
    into[#into + 1] = {
      n = 1,
      count_kind = 'distinct_signals',
      matcher = single.matcher,
      waitpoints = { single.waitpoint_key },
    }
  elseif composite.count then
    into[#into + 1] = composite.count
  else
    for _, member in ipairs(composite.all_of.members) do
      parts_of(member, into)
    end
  end
  return into
end

local function has(list, value)
  for _, known in ipairs(list) do
    if known == value then
      return true
    end
  end
  return false
end

-- The name that the matcher asks for, if it asks for one.
local function name_of(matcher)
  return type(matcher) == 'table' and matcher.by_name or nil
end

-- What a signal counts once as; the length keeps the parts of a source apart.
local COUNTED = {
  distinct_waitpoints = function(name)
    return name
  end,
  distinct_signals = function(_, signal)
    return signal.signal_id
  end,
  distinct_sources = function(_, signal)
    return #signal.source_type .. ':' .. signal.source_type .. signal.source_identity
  end,
}

-- Takes for each part, from the left, whether it is met.
local function is_met(tree, met)
  if type(tree) ~= 'table' then
    return false
  elseif tree.composite and tree.composite.all_of then
    local all = true
    for _, member in ipairs(tree.composite.all_of.members) do
      all = is_met(member, met) and all
    end
    return all
  end
  return table.remove(met, 1)
end

-- Nothing, for each part of the condition.
function condition.none_counted(tree)
  local counted = {}
  for place in ipairs(parts_of(tree, {})) do
    counted[place] = {}
  end
  return counted
end

-- Counts a signal at the waitpoint of this name wherever it counts: what that does (SIG-012).
local function arrive(tree, counted, name, signal)
  local is_named, is_accepted, is_new = false, false, false
  local met = {}
  for place, part in ipairs(parts_of(tree, {})) do
    local expected = name_of(part.matcher)
    if has(part.waitpoints, name) then
      is_named = true
      if not expected or expected == signal.signal_name then
        is_accepted = true
        local one = COUNTED[part.count_kind](name, signal)
        if #counted[place] < part.n and not has(counted[place], one) then
          table.insert(counted[place], one)
          is_new = true
        end
      end
    end
    met[place] = #counted[place] >= part.n
  end
  if is_new then
    return is_met(tree, met) and 'resume_condition_satisfied' or 'appended_to_waitpoint'
  elseif is_accepted then
    return 'appended_to_waitpoint_duplicate'
  end
  return is_named and 'signal_ignored_matcher_failed' or 'signal_ignored_not_in_condition'
end

-- Counts a signal towards a suspension.
function condition.count(suspension, name, signal)
  local tree = condition.of(suspension.condition)
  local effect = arrive(tree, suspension.counted, name, signal)
  if effect == 'resume_condition_satisfied' or effect == 'appended_to_waitpoint' then
    table.insert(suspension.satisfiers, signal.signal_id)
  end
  return effect
end

-- Whether it has a part that only time meets.
function condition.needs_timeout(tree)
  if tree == 'timeout_only' then
    return true
  end
  local all_of = type(tree) == 'table' and tree.composite and tree.composite.all_of
  for _, member in ipairs(all_of and all_of.members or {}) do
    if condition.needs_timeout(member) then
      return true
    end
  end
  return false
end

-- Whether the waitpoint of this name is the one that it names, if it names any (SUS-010).
function condition.names_only(tree, name)
  for _, part in ipairs(parts_of(tree, {})) do
    for _, named in ipairs(part.waitpoints) do
      if named ~= name then
        return false
      end
    end
  end
  return true
end

-- The names that count at a waitpoint; none if any does (WPT-015).
function condition.required_names(tree, waitpoint)
  if type(tree) ~= 'table' then
    return { '__' .. tree .. '__' }
  end
  local names = {}
  for _, part in ipairs(parts_of(tree, {})) do
    if has(part.waitpoints, waitpoint) then
      local name = name_of(part.matcher)
      if not name then
        return {}
      elseif not has(names, name) then
        names[#names + 1] = name
      end
    end
  end
  return names
end

ff.condition = condition
