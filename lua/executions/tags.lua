-- Tags of executions.

local execution = ff.execution

-- EXE-029.
ff.write('set_execution_tag', function(partition, args)
  local fields = execution.existing(partition, args.execution_id)
  execution.touch(fields, partition:now())
  local key = partition:key('tags', partition.short(args.execution_id))
  partition:later('HSET', key, args.key, args.value)
end)

-- EXE-030.
ff.read('get_execution_tag', function(partition, args)
  local key = partition:key('tags', partition.short(args.execution_id))
  return redis.call('HGET', key, args.key) or nil
end)
