SELECT
    to_jsonb(e) AS record,
    coalesce(
        (
            SELECT to_jsonb(g) FROM ff_edge_group g
            WHERE g.flow_id = e.flow_id AND g.downstream_execution_id = e.execution_id
        ),
        'null'
    ) AS edge_group
FROM ff_exec_core e
WHERE execution_id = $1
