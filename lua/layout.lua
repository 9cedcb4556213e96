-- Which deployment this is, and how many partitions it has: kept by its first caller, the same for all who come later.
-- It is in the first partition, which there always is.

-- The deployment whose layout is kept, if one is; refused if there is another layout.
local function kept(partition, args)
  local deployment, complete = nil, true
  for family, partitions in pairs(args.families) do
    local layout = partition:get('layout', family)
    if layout and layout.partitions ~= partitions then
      local numbers = layout.partitions .. ' ' .. family .. ' partitions, not ' .. partitions
      ff.refusal.validation('invalid_input', 'this deployment has ' .. numbers)
    end
    deployment = deployment or layout and layout.deployment
    complete = complete and layout ~= nil
  end
  return complete and deployment or nil
end

ff.read('kept_layout', kept)

ff.write('keep_layout', function(partition, args)
  local deployment = kept(partition, args)
  if not deployment then
    deployment = args.deployment
    for family, partitions in pairs(args.families) do
      partition:put('layout', { family = family, partitions = partitions, deployment = deployment })
    end
  end
  return deployment
end)
