-- Records as packed lists; numbers stay numbers.

local record = {}

-- A number in decimals, for answers that are texts; Lua's own way gives up digits beyond the
-- fourteenth.
function record.decimal(number)
  return string.format('%.0f', number)
end

-- The fields of a record or an event in the order of its kind. A list has no holes: what is not there
-- is `false`.
function record.pack(kind, fields)
  local packed, names = {}, kind.fields
  for place = 1, #names do
    local value = fields[names[place]]
    if value == nil then
      value = false
    end
    packed[place] = value
  end
  return cmsgpack.pack(packed)
end

-- The record that was packed like this, with the fields of its key; and the list of its values.
function record.unpack(kind, packed, key)
  local ok, values = pcall(cmsgpack.unpack, packed)
  if not ok or type(values) ~= 'table' or #values ~= #kind.fields then
    ff.refusal.validation('corruption', 'the record of ' .. table.concat(key, ' ') .. ' is damaged')
  end
  local fields, names = {}, kind.fields
  for place = 1, #names do
    if values[place] ~= false then
      fields[names[place]] = values[place]
    end
  end
  for place = 1, #kind.key do
    fields[kind.key[place]] = key[place]
  end
  return fields, values
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
