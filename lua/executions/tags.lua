-- Tags of executions.

local execution = ff.execution

-- EXE-029.
ff.write('set_execution_tag', function(partition, args)
  local fields = execution.existing(partition, args.execution_id)
  execution.touch(fields, partition:now())
  local known = partition:tags(args.execution_id)
  local tags = ff.tags.with(known and known.tags, args.key, args.value)
  partition:put('tags', { execution_id = args.execution_id, tags = tags })
end)

-- EXE-030.
ff.read('get_execution_tag', function(partition, args)
  local found = partition:tags(args.execution_id)
  return found and found.tags[args.key]
end)
