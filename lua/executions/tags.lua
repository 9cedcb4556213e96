-- Tags of executions.

local execution = ff.execution

-- Tells the outbox what happened to a tag (EVT-019, EVT-020).
function execution.tell_tag(partition, id, event, key, value)
  partition:append('tag_events', {
    execution_id = id,
    event_type = event,
    tag = key .. '=' .. value,
    occurred_at = partition:now(),
  })
end

-- EXE-029.
ff.write('set_execution_tag', function(partition, args)
  local fields = execution.existing(partition, args.execution_id)
  execution.touch(fields, partition:now())
  local known = partition:tags(args.execution_id)
  local before = known and known.tags[args.key]
  local tags = ff.tags.with(known and known.tags, args.key, args.value)
  partition:put('tags', { execution_id = args.execution_id, tags = tags })
  if before ~= args.value then
    if before then
      execution.tell_tag(partition, args.execution_id, 'cleared', args.key, before)
    end
    execution.tell_tag(partition, args.execution_id, 'attached', args.key, args.value)
  end
end)

-- EXE-030.
ff.read('get_execution_tag', function(partition, args)
  local found = partition:tags(args.execution_id)
  return found and found.tags[args.key]
end)
