SELECT
    to_jsonb(f) AS record,
    (
        SELECT coalesce(jsonb_agg(g ORDER BY downstream_execution_id), '[]') FROM ff_edge_group g
        WHERE g.flow_id = f.flow_id
    ) AS groups
FROM ff_flow_core f
WHERE flow_id = $1
