SELECT to_jsonb(a) AS record FROM ff_attempt a WHERE execution_id = $1 AND attempt_index = $2
