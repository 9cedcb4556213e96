SELECT to_jsonb(e) AS record FROM ff_edge e WHERE flow_id = $1 AND downstream_execution_id = $2
ORDER BY edge_id
