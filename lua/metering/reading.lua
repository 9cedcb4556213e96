-- Reading the streams of attempts.

local execution, stream = ff.execution, ff.stream

-- The frames after one place and up to another, at most so many (STR-018, STR-022).
local function frames(partition, args)
  local id, attempt = args.execution_id, args.attempt_index
  local fields = partition:stream(id, attempt)
  if not fields or fields.expires_at and stream.is_over(fields, partition:now()) then
    return {}
  end
  local index = partition:index('frame', args.lasting and 'LASTING' or 'PLACED', id, attempt)
  -- No place is before the beginning.
  local after = args.after[1] < 0 and '-' or '(' .. stream.place(unpack(args.after))
  local up_to = args.up_to[1] < 0 and '-' or '[' .. stream.place(unpack(args.up_to))
  local found = {}
  for _, place in ipairs(redis.call('ZRANGE', index, after, up_to, 'BYLEX', 'LIMIT', 0, args.limit)) do
    local number = tonumber(string.match(place, ':(%d+)$'))
    local frame = partition:frame(id, attempt, number)
    found[#found + 1] = { frame.appended_at, number, frame.content }
  end
  return found
end

-- With how the stream was closed, if it was (STR-019).
ff.read('read_frames', function(partition, args)
  local fields = partition:execution(args.execution_id)
  if not fields then
    return { frames = {} }
  end
  local ended = partition:get('attempt', args.execution_id, args.attempt_index)
  local closed = ended and ended.closed
  local current = fields.current_attempt
  if not closed and current and current.index == args.attempt_index then
    closed = execution.left_behind(fields)
  end
  return { frames = frames(partition, args), closed = closed or nil }
end)
