-- Listing executions and lanes, a page at a time.

-- The longest page (EXE-034, EXE-036).
local MAX_PAGE = 1000

-- The members of an ordered set strictly after the cursor; one beyond the page tells whether another
-- page follows.
local function page(key, cursor, limit)
  limit = math.min(limit, MAX_PAGE)
  if limit == 0 then
    return {}
  end
  local after = cursor and '(' .. cursor or '-'
  local found = redis.call('ZRANGE', key, after, '+', 'BYLEX', 'LIMIT', 0, limit + 1)
  if #found > limit then
    table.remove(found)
    return found, found[limit]
  end
  return found
end

-- EXE-033.
ff.read('list_executions', function(partition, args)
  local cursor = args.cursor and partition.short(args.cursor)
  local found, next_cursor = page(partition:key('executions'), cursor, args.limit)
  for place, short in ipairs(found) do
    found[place] = partition:long(short)
  end
  return {
    executions = found,
    next_cursor = next_cursor and partition:long(next_cursor),
  }
end)

-- The lanes of one partition (EXE-036).
ff.read('list_lanes', function(partition, args)
  local lanes, next_cursor = page(partition:key('lanes'), args.cursor, args.limit)
  return { lanes = lanes, next_cursor = next_cursor }
end)
