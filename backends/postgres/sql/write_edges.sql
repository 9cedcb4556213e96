INSERT INTO ff_edge
SELECT * FROM jsonb_populate_recordset(NULL::ff_edge, $1 -> 'edges')
ON CONFLICT (flow_id, edge_id) DO UPDATE SET state = excluded.state
