-- The clock is read after the lock has been granted: columns are computed in order.
SELECT (SELECT to_jsonb(e)
        FROM (SELECT * FROM ff_exec_core WHERE execution_id = $1 FOR UPDATE) e) AS record,
       floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
