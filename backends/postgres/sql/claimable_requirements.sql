-- Jumps from one set to the next in the index, so that the backlog's length costs nothing.
WITH RECURSIVE sets AS (
    (SELECT md5(queue_requirements) AS digest, queue_requirements FROM ff_exec_core
     WHERE queue_lane = $1 ORDER BY md5(queue_requirements) LIMIT 1)
    UNION ALL
    SELECT following.* FROM sets CROSS JOIN LATERAL (
        SELECT md5(q.queue_requirements), q.queue_requirements FROM ff_exec_core q
        WHERE q.queue_lane = $1 AND md5(q.queue_requirements) > sets.digest
        ORDER BY md5(q.queue_requirements) LIMIT 1
    ) following
)
SELECT queue_requirements AS requirements FROM sets
