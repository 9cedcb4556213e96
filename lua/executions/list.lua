-- Listing executions and lanes, a page at a time.

-- EXE-033.
ff.read('list_executions', function(partition, args)
  local cursor = args.cursor and partition.short(args.cursor)
  local found, next_cursor = ff.page(partition:key('executions'), cursor, args.limit)
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
  local lanes, next_cursor = ff.page(partition:key('lanes'), args.cursor, args.limit)
  return { lanes = lanes, next_cursor = next_cursor }
end)
