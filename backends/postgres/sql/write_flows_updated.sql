UPDATE ff_flow_core f
SET (
    public_flow_state, graph_revision, node_count, edge_count, last_mutation_at, cancelled_at,
    cancel_reason, cancellation_policy, projection, tags
) = (
    r.public_flow_state, r.graph_revision, r.node_count, r.edge_count, r.last_mutation_at,
    r.cancelled_at, r.cancel_reason, r.cancellation_policy, r.projection,
    f.tags || coalesce(r.tags, '{}')
)
FROM jsonb_populate_recordset(NULL::ff_flow_core, $1 -> 'flows_updated') r
WHERE f.flow_id = r.flow_id
