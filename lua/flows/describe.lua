-- Describing flows.

local flow = ff.flow

-- FLW-011 to FLW-014.
ff.read('describe_flow', function(partition, args)
  local fields = partition:flow(args.id)
  if not fields then
    return nil
  end
  local groups = {}
  for place, member in ipairs(partition:list('group', 'KEY', args.id)) do
    groups[place] = flow.group_snapshot(partition:group(args.id, member))
  end
  local tags = partition:flow_tags(args.id)
  return {
    flow_id = args.id,
    flow_kind = fields.flow_kind,
    namespace = fields.namespace,
    public_flow_state = fields.public_flow_state,
    graph_revision = fields.graph_revision,
    node_count = fields.node_count,
    edge_count = fields.edge_count,
    created_at = fields.created_at,
    last_mutation_at = fields.last_mutation_at,
    cancelled_at = fields.cancelled_at,
    cancel_reason = fields.cancel_reason,
    cancellation_policy = fields.cancellation_policy,
    tags = tags and tags.tags or {},
    edge_groups = groups,
  }
end)
