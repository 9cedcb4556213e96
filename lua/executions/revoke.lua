-- Taking a lease from its holder.

local execution, flow = ff.execution, ff.flow

-- Ends the lease; its attempt stays open for whoever reclaims it (OPS-014, OPS-016 to OPS-018).
ff.write('revoke_lease', function(partition, args)
  args = args.args
  local fields = execution.existing(partition, args.execution_id)
  local function satisfied(reason)
    return { already_satisfied = { reason = reason } }
  end
  local ownership, lease = fields.ownership_state, fields.lease
  if ownership == 'lease_revoked' then
    return satisfied('already_revoked')
  elseif ownership == 'lease_expired_reclaimable' then
    return satisfied('already_expired')
  elseif ownership ~= 'leased' then
    return satisfied('no_active_lease')
  end
  local instance, expected = args.worker_instance_id, args.expected_lease_id or ''
  if instance ~= '' and instance ~= lease.worker_instance then
    return satisfied('different_worker_instance_id')
  elseif expected ~= '' and expected ~= lease.id then
    return satisfied('lease_id_mismatch')
  end
  local now = partition:now()
  execution.revoke(fields, args.reason, now)
  flow.tell_revoked(partition, fields, lease, 'operator', now)
  return {
    revoked = { lease_epoch = ff.record.decimal(fields.lease_epoch), lease_id = lease.id },
  }
end)
