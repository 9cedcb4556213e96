SELECT to_jsonb(e) AS record, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
FROM (SELECT * FROM ff_exec_core WHERE flow_id = $1 ORDER BY execution_id FOR UPDATE) e
