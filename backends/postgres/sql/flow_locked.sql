SELECT to_jsonb(f) AS record FROM (SELECT * FROM ff_flow_core WHERE flow_id = $1 FOR UPDATE) f
