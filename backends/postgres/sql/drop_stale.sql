DELETE FROM ff_eligible WHERE execution_id = $1
