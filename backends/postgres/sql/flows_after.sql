SELECT to_jsonb(f) AS record FROM ff_flow_core f
WHERE partition_key = $1 AND ($2::uuid IS NULL OR flow_id > $2)
ORDER BY flow_id LIMIT $3
