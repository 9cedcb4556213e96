-- What was counted in an execution's name, and taking it back.

-- BUD-018, BUD-019, BUD-021.
ff.write('release_budget', function(partition, args)
  args = args.args
  local spend = partition:spend(args.budget_id, args.execution_id)
  if not spend then
    return nil
  end
  local fields = ff.budget.of(partition, args.budget_id)
  if spend.reset_count == fields.reset_count then
    for name, amount in pairs(spend.amounts) do
      fields.usage[name] = math.max((fields.usage[name] or 0) - amount, 0)
    end
    partition:put('budget', fields)
  end
  partition:remove('spend', args.budget_id, args.execution_id)
end)
