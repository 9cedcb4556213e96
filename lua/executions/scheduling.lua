-- Making delayed work claimable, and changing its place.

local execution, refusal = ff.execution, ff.refusal

-- Makes a delayed execution claimable once its time is due (SCH-015), else does nothing (SCH-016).
ff.write('promote_delayed', function(partition, args)
  local fields = partition:execution(args.execution_id)
  if not fields or fields.eligibility_state ~= 'not_eligible_until_time' then
    return nil
  end
  local now = partition:now()
  if not fields.delay_until or fields.delay_until <= now then
    execution.make_eligible(fields, now)
  end
end)

-- Gives an execution in WAIT the place of another priority (OPS-006, OPS-007).
ff.write('change_priority', function(partition, args)
  args = args.args
  local fields = execution.existing(partition, args.execution_id)
  if not execution.is_eligible(fields) then
    refusal.contention('execution_not_eligible')
  elseif args.lane_id ~= '' and args.lane_id ~= fields.lane_id then
    refusal.contention('execution_not_in_eligible_set')
  end
  local priority = execution.clamped(args.new_priority)
  if priority ~= fields.priority then
    fields.priority = priority
    execution.touch(fields, partition:now())
  end
  return { changed = { execution_id = fields.execution_id } }
end)
