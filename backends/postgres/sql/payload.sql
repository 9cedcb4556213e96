SELECT payload AS bytes FROM ff_exec_payload WHERE execution_id = $1
