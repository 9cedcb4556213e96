-- Leases that have run out, and nobody has taken over, of one partition.

local record = ff.record

-- By the time at which they run out, then by id: those after the cursor up to a time, `wanted` at most (LSE-033 to
-- LSE-037).
ff.read('list_expired_leases', function(partition, args)
  local index = partition:index('execution', 'LEASES')
  local last = record.decimal(args.as_of)
  local first, skipped = '-inf', nil
  if args.after then
    local at, home = record.decimal(args.after.expires_at_ms), args.after_partition
    local here = partition:number()
    first = here < home and '(' .. at or at
    skipped = here == home and partition:namesake(args.after.execution_id) or nil
  end
  local entries, offset = {}, 0
  while #entries < args.wanted do
    local found = redis.call('ZRANGEBYSCORE', index, first, last, 'LIMIT', offset, args.wanted)
    offset = offset + #found
    for _, id in ipairs(found) do
      local fields = partition:execution(id)
      local lease = fields.lease
      local is_before = skipped
        and lease.expires_at == args.after.expires_at_ms
        and id <= skipped
      if not is_before
        and (not args.namespace or fields.namespace == args.namespace)
        and #entries < args.wanted then
        entries[#entries + 1] = {
          execution_id = id,
          lease_id = lease.id,
          lease_epoch = fields.lease_epoch,
          worker_instance_id = lease.worker_instance,
          expires_at_ms = lease.expires_at,
          attempt_index = fields.current_attempt.index,
        }
      end
    end
    if #found < args.wanted then
      break
    end
  end
  return entries
end)
