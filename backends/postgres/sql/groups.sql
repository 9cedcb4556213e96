SELECT to_jsonb(g) AS record FROM ff_edge_group g
WHERE flow_id = $1 ORDER BY downstream_execution_id
