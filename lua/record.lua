-- Records as packed lists; numbers stay numbers.

local record = {}

-- A number in decimals, for answers that are texts; Lua's own way gives up digits beyond the
-- fourteenth.
function record.decimal(number)
  return string.format('%.0f', number)
end

-- The order of bytes, whatever the server's locale.
local function precedes(one, other)
  for place = 1, math.min(#one, #other) do
    local left, right = string.byte(one, place), string.byte(other, place)
    if left ~= right then
      return left < right
    end
  end
  return #one < #other
end

-- The names of a table in that order.
function record.sorted(named)
  local names = {}
  for name in pairs(named) do
    names[#names + 1] = name
  end
  table.sort(names, precedes)
  return names
end

-- How the records of a kind become a list and a table again: written out field by field, which Lua
-- runs in half the time of a loop over names. A list has no holes: what is not there is `false`.
local function compile(kind)
  local listed, named = {}, {}
  for place = 1, #kind.fields do
    local name = kind.fields[place]
    listed[place] = string.format('fields.%s or false', name)
    named[place] = string.format('%s = values[%d] or nil', name, place)
  end
  for place = 1, #(kind.key or {}) do
    named[#named + 1] = string.format('%s = key[%d]', kind.key[place], place)
  end
  local function define(parameters, body)
    return loadstring('local ' .. parameters .. ' = ... return {' .. table.concat(body, ',') .. '}')
  end
  return { list = define('fields', listed), name = define('values, key', named) }
end

local COMPILED = {}

local function compiled(kind)
  local known = COMPILED[kind]
  if not known then
    known = compile(kind)
    COMPILED[kind] = known
  end
  return known
end

-- The fields of a record or an event in the order of its kind.
function record.pack(kind, fields)
  return cmsgpack.pack(compiled(kind).list(fields))
end

-- The record that was packed like this, with the fields of its key; and the list of its values.
function record.unpack(kind, packed, key)
  local ok, values = pcall(cmsgpack.unpack, packed)
  if not ok or type(values) ~= 'table' or #values ~= #kind.fields then
    ff.refusal.validation('corruption', 'the record of ' .. table.concat(key, ' ') .. ' is damaged')
  end
  return compiled(kind).name(values, key), values
end

-- Where each field of a kind is in its list.
local PLACES = {}

-- The fields of a record as they were when it was unpacked, by its list of values. What is inside a
-- field is shared, so a rule puts another value in its place instead of changing it.
function record.before(kind, values, key)
  local places = PLACES[kind]
  if not places then
    places = {}
    for place = 1, #kind.fields do
      places[kind.fields[place]] = place
    end
    PLACES[kind] = places
  end
  for place = 1, #kind.key do
    values[kind.key[place]] = key[place]
  end
  return setmetatable(values, {
    __index = function(_, name)
      return places[name] and rawget(values, places[name]) or nil
    end,
  })
end

ff.record = record
