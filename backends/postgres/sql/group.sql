SELECT to_jsonb(g) AS record FROM ff_edge_group g
WHERE flow_id = $1 AND downstream_execution_id = $2
