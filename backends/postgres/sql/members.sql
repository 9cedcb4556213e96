SELECT execution_id AS id FROM ff_exec_core WHERE flow_id = $1 ORDER BY execution_id
