-- Tags of flows.

local flow = ff.flow

-- FLW-029.
ff.write('set_flow_tag', function(partition, args)
  local fields = flow.known(partition, args.flow_id)
  flow.touch(fields, partition:now())
  local known = partition:flow_tags(args.flow_id)
  local tags = ff.tags.with(known and known.tags, args.key, args.value)
  partition:put('flow_tags', { flow_id = args.flow_id, tags = tags })
end)

-- FLW-030.
ff.read('get_flow_tag', function(partition, args)
  local found = partition:flow_tags(args.flow_id)
  return found and found.tags[args.key]
end)
