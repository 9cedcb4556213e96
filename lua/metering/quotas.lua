-- Quota policies.

local quota = {}

-- The policy, or one of which nothing is known.
function quota.of(partition, id)
  local home = partition:number()
  return partition:quota(home, id)
    or { partition_key = home, quota_policy_id = id, admission_count = 0 }
end

-- QUO-003.
ff.write('create_quota_policy', function(partition, args)
  args = args.args
  local id = args.quota_policy_id
  local fields = quota.of(partition, id)
  if fields.limits then
    return { already_satisfied = { quota_policy_id = id } }
  end
  fields.limits = {
    max_concurrent = args.max_concurrent,
    max_requests_per_window = args.max_requests_per_window,
    window_seconds = args.window_seconds,
  }
  partition:put('quota', fields)
  return { created = { quota_policy_id = id } }
end)

-- QUO-004, QUO-018.
ff.read('read_quota_policy_limits', function(partition, args)
  local limits = quota.of(partition, args.quota_policy_id).limits
  return limits
    and {
      max_requests_per_window = limits.max_requests_per_window,
      requests_per_window_seconds = limits.window_seconds,
      active_concurrency_cap = limits.max_concurrent,
      jitter_ms = 0,
    }
end)

ff.quota = quota
