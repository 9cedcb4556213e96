-- Jumps from one set to the next in the index, so that the backlog's length costs nothing.
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
SELECT requirements FROM sets
