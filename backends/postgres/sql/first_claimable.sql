-- The first of the first of each set, unless there are sets by now that are not among the known ones.
-- Claims of a lane take turns, so no other is about to take it.
WITH RECURSIVE sets AS (
    (SELECT requirements_md5, requirements FROM ff_eligible
     WHERE lane_id = $1 ORDER BY requirements_md5 LIMIT 1)
    UNION ALL
    SELECT following.* FROM sets CROSS JOIN LATERAL (
        SELECT q.requirements_md5, q.requirements FROM ff_eligible q
        WHERE q.lane_id = $1 AND q.requirements_md5 > sets.requirements_md5
        ORDER BY q.requirements_md5 LIMIT 1
    ) following
)
SELECT record, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
FROM (
    SELECT to_jsonb(e) AS record
    FROM (
        SELECT head.execution_id
        FROM unnest($2::text[]) AS wanted (requirements)
        CROSS JOIN LATERAL (
            SELECT * FROM ff_eligible q
            WHERE q.lane_id = $1 AND q.requirements_md5 = md5(wanted.requirements)
            ORDER BY q.priority DESC, q.created_at, q.execution_id
            LIMIT 1
        ) head
        WHERE NOT EXISTS (SELECT FROM sets WHERE sets.requirements <> ALL ($3::text[]))
        ORDER BY head.priority DESC, head.created_at, head.execution_id
        LIMIT 1
    ) first
    JOIN ff_exec_core e ON e.execution_id = first.execution_id
    FOR UPDATE OF e
) taken
