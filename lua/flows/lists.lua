-- Listing flows.

local flow = ff.flow

-- FLW-017 to FLW-020.
ff.read('list_flows', function(partition, args)
  local found, next_cursor = ff.page(partition:index('flow', 'LISTED'), args.cursor, args.limit)
  for place, id in ipairs(found) do
    local fields = partition:flow(id)
    local status = fields.public_flow_state == 'open' and 'active' or 'cancelled'
    found[place] = { flow_id = id, created_at = fields.created_at, status = status }
  end
  return { flows = found, next_cursor = next_cursor }
end)
