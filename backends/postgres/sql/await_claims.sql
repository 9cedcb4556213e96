-- Returns once the claims that hold the first of each set have been decided.
SELECT count(*) AS held
FROM unnest($2::text[]) AS wanted (requirements)
CROSS JOIN LATERAL (
    SELECT 1 FROM ff_eligible q
    WHERE q.lane_id = $1 AND q.requirements_md5 = md5(wanted.requirements)
    ORDER BY q.priority DESC, q.created_at, q.execution_id
    LIMIT 1
    FOR UPDATE
) head
