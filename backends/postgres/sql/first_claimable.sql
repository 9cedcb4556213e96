-- The first of the first of each set. Claims of a lane take turns, so no other is about to take it.
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
        ORDER BY head.priority DESC, head.created_at, head.execution_id
        LIMIT 1
    ) first
    JOIN ff_exec_core e ON e.execution_id = first.execution_id
    FOR UPDATE OF e
) taken
