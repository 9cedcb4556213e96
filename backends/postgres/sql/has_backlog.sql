SELECT EXISTS (
    SELECT FROM ff_cancel_backlog b JOIN ff_exec_core e USING (execution_id)
    WHERE b.flow_id = $1 AND e.completed_at IS NULL
) AS found
