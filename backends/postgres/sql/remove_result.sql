DELETE FROM ff_exec_result WHERE execution_id = $1
