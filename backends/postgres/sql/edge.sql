SELECT to_jsonb(e) AS record FROM ff_edge e WHERE flow_id = $1 AND edge_id = $2
