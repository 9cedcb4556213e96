-- What a worker tells of its progress.

local execution, lease = ff.execution, ff.lease

-- Records progress; what is not given stays (ATT-005).
ff.write('progress', function(partition, args, context)
  local fields = lease.held(partition, context.held, lease.not_active)
  fields.progress_percent = args.percent or fields.progress_percent
  fields.progress_message = args.message or fields.progress_message
  execution.touch(fields, partition:now())
end)
