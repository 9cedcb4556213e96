-- The first of each requirement set of a lane. Jumps from one set to the next in the index, so that the
-- backlog's length costs nothing.
WITH RECURSIVE sets (requirements) AS (
    SELECT min(queue_requirements) FROM ff_exec_core WHERE queue_lane = $1
    UNION ALL
    SELECT (
        SELECT min(q.queue_requirements) FROM ff_exec_core q
        WHERE q.queue_lane = $1 AND q.queue_requirements > sets.requirements
    )
    FROM sets WHERE sets.requirements IS NOT NULL
)
SELECT e.fixed, e.changing
FROM sets JOIN ff_exec_core e ON (e.partition_key, e.execution_id) = (
    SELECT q.partition_key, q.execution_id FROM ff_exec_core q
    WHERE q.queue_lane = $1 AND q.queue_requirements = sets.requirements
    ORDER BY q.queue_rank, q.queue_age, q.partition_key, q.execution_id LIMIT 1
)
WHERE sets.requirements IS NOT NULL
