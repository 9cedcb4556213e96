SELECT (SELECT to_jsonb(e) FROM ff_exec_core e WHERE e.execution_id = $1) AS record,
       floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
