-- What tags an execution or a flow may have (EXE-042).

local refusal = ff.refusal

local tags = {}

local MAX_TAGS = 256

-- Of all keys and values together.
local MAX_BYTES = 1048576

-- These tags, or none, with one more or another value.
function tags.with(known, key, value)
  known = known or {}
  known[key] = value
  local count, bytes = 0, 0
  for name, given in pairs(known) do
    count, bytes = count + 1, bytes + #name + #given
  end
  if count > MAX_TAGS or bytes > MAX_BYTES then
    refusal.validation('invalid_input', count .. ' tags of ' .. bytes .. ' bytes')
  end
  return known
end

-- What is done with each of these, in the order of their keys.
function tags.each(known, tell)
  for _, key in ipairs(ff.record.sorted(known)) do
    tell(key, known[key])
  end
end

ff.tags = tags
