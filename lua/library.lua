-- How calls come in and answers go out. Every chapter registers its calls with `ff.write` or
-- `ff.read`; one call is one function of the library.

-- Runs a call: its changes are kept if it returns, forgotten if it is refused.
local function answer(method, body, writes, keys, argv)
  local context = cmsgpack.unpack(argv[2])
  context.call = method .. argv[1]
  local partition = ff.partition.open(keys[1], context)
  local ok, value = pcall(body, partition, cmsgpack.unpack(argv[1]), context)
  if ok then
    if writes then
      partition:commit()
    end
    return cmsgpack.pack({ ok = value, work = partition.work })
  end
  if type(value) ~= 'table' or not value.refusal then
    error(value, 0)
  end
  if value.keeps then
    partition:commit()
  end
  return cmsgpack.pack({ err = value.refusal })
end

local function register(method, body, writes)
  redis.register_function({
    function_name = ff.name .. '_' .. method,
    callback = function(keys, argv)
      return answer(method, body, writes, keys, argv)
    end,
    flags = writes and {} or { 'no-writes' },
  })
end

function ff.write(method, body)
  register(method, body, true)
end

function ff.read(method, body)
  register(method, body, false)
end
