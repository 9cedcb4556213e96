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
  local packed = {}
  for place, name in ipairs(kind.fields) do
    local value = fields[name]
    if value == nil then
      value = false
    end
    packed[place] = value
  end
  return cmsgpack.pack(packed)
end

-- The record that was packed like this, with the fields of its key.
function record.unpack(kind, packed, key)
  local ok, values = pcall(cmsgpack.unpack, packed)
  if not ok or type(values) ~= 'table' or #values ~= #kind.fields then
    ff.refusal.validation('corruption', 'the record of ' .. table.concat(key, ' ') .. ' is damaged')
  end
  local fields = {}
  for place, name in ipairs(kind.fields) do
    if values[place] ~= false then
      fields[name] = values[place]
    end
  end
  for place, name in ipairs(kind.key) do
    fields[name] = key[place]
  end
  return fields
end

ff.record = record
