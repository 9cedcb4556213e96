-- Tags of flows.

local flow = ff.flow

-- FLW-029.
ff.write('set_flow_tag', function(partition, args)
  local fields = flow.known(partition, args.flow_id)
  flow.touch(fields, partition:now())
  partition:later('HSET', partition:key('flow_tags', args.flow_id), args.key, args.value)
end)

-- FLW-030.
ff.read('get_flow_tag', function(partition, args)
  return redis.call('HGET', partition:key('flow_tags', args.flow_id), args.key) or nil
end)
