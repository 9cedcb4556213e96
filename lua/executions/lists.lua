-- Listing executions and lanes, a page at a time.

-- EXE-033.
ff.read('list_executions', function(partition, args)
  local cursor = args.cursor and partition:namesake(args.cursor)
  local index = partition:index('execution', 'KEY')
  local executions, next_cursor = ff.page(index, cursor, args.limit)
  return { executions = executions, next_cursor = next_cursor }
end)

-- The lanes of one partition (EXE-036).
ff.read('list_lanes', function(partition, args)
  local lanes, next_cursor = ff.page(partition:index('lane', 'KEY'), args.cursor, args.limit)
  return { lanes = lanes, next_cursor = next_cursor }
end)
