DELETE FROM ff_cancel_backlog WHERE flow_id = $1 AND execution_id = $2
