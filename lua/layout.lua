-- How many partitions a deployment has: kept by its first caller, the same for all who come later. It is
-- in the first partition, which there always is.

-- Whether the layout is kept; refused if there is another.
local function is_kept(partition, families)
  local kept = true
  for family, partitions in pairs(families) do
    local layout = partition:get('layout', family)
    if layout and layout.partitions ~= partitions then
      local numbers = layout.partitions .. ' ' .. family .. ' partitions, not ' .. partitions
      ff.refusal.validation('invalid_input', 'this deployment has ' .. numbers)
    end
    kept = kept and layout ~= nil
  end
  return kept
end

ff.read('layout_is_kept', is_kept)

ff.write('keep_layout', function(partition, families)
  if not is_kept(partition, families) then
    for family, partitions in pairs(families) do
      partition:put('layout', { family = family, partitions = partitions })
    end
  end
end)
