-- The first of all that the worker qualifies for, and how many were looked at: of each set at most $3,
-- so if all of these are locked by others and there are so many, more may wait behind them. Only what
-- is taken is locked; what others have locked is passed over (CLM-009). So is what another transaction has
-- changed since this statement began: its lock would be had, though the row is no longer taken, and who
-- completes it would wait.
WITH RECURSIVE sets AS (
    -- Jumps from one set to the next in the index, so that the backlog's length costs nothing.
    (SELECT md5(queue_requirements) AS digest, queue_requirements FROM ff_exec_core
     WHERE queue_lane = $1 ORDER BY md5(queue_requirements) LIMIT 1)
    UNION ALL
    SELECT following.* FROM sets CROSS JOIN LATERAL (
        SELECT md5(q.queue_requirements), q.queue_requirements FROM ff_exec_core q
        WHERE q.queue_lane = $1 AND md5(q.queue_requirements) > sets.digest
        ORDER BY md5(q.queue_requirements) LIMIT 1
    ) following
), matching AS MATERIALIZED (
    SELECT digest FROM sets WHERE string_to_array(queue_requirements, ',') <@ $2::text[]
), heads AS MATERIALIZED (
    SELECT head.* FROM matching CROSS JOIN LATERAL (
        SELECT q.queue_rank, q.queue_age, q.partition_key, q.execution_id FROM ff_exec_core q
        WHERE q.queue_lane = $1 AND md5(q.queue_requirements) = matching.digest
        ORDER BY q.queue_rank, q.queue_age, q.partition_key, q.execution_id
        LIMIT $3
    ) head
), taken AS MATERIALIZED (
    SELECT e.fixed, e.changing
    FROM heads JOIN ff_exec_core e USING (partition_key, execution_id)
        CROSS JOIN (SELECT pg_current_snapshot() AS snapshot) statement
        -- The number that stands for xmax without its upper half, nearest to the newest one.
        CROSS JOIN LATERAL (
            SELECT pg_snapshot_xmax(snapshot)::text::bigint + (1 << 30) AS newest
        ) numbers
    WHERE e.queue_lane = $1 AND pg_visible_in_snapshot(
        (newest - (newest - e.xmax::text::bigint) % (1::bigint << 32))::text::xid8, snapshot
    )
    ORDER BY heads.queue_rank, heads.queue_age, heads.partition_key, heads.execution_id
    LIMIT 1
    FOR UPDATE OF e SKIP LOCKED
)
SELECT fixed, changing, (SELECT count(*) FROM heads) AS looked_at,
    EXISTS (
        SELECT 1 FROM ff_exec_core
        -- The manual clock, or else the server's.
        WHERE reserved_until <= coalesce($4, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint)
    ) AS has_grant_run_out,
    floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
FROM (VALUES (1)) always LEFT JOIN taken ON true
