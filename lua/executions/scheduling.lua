-- Making delayed work claimable.

local execution = ff.execution

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
