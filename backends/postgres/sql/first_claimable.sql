-- The first of the first of each set, unless there are sets by now that are not among the known ones.
-- Claims of a lane take turns, so no other is about to take it.
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
SELECT fixed, changing, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
FROM (
    SELECT e.fixed, e.changing
    FROM (
        SELECT head.partition_key, head.execution_id
        FROM unnest($2::text[]) AS wanted (requirements)
        CROSS JOIN LATERAL (
            SELECT * FROM ff_exec_core q
            WHERE q.queue_lane = $1 AND md5(q.queue_requirements) = md5(wanted.requirements)
            ORDER BY q.queue_rank, q.queue_age, q.partition_key, q.execution_id
            LIMIT 1
        ) head
        WHERE NOT EXISTS (SELECT FROM sets WHERE sets.queue_requirements <> ALL ($3::text[]))
        ORDER BY head.queue_rank, head.queue_age, head.partition_key, head.execution_id
        LIMIT 1
    ) first
    JOIN ff_exec_core e USING (partition_key, execution_id)
    FOR UPDATE OF e
) taken
