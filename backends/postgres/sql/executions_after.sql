-- $1 is the cursor, or the prefix of the partition; $2 is the first text after all with that prefix.
SELECT execution_id AS id FROM ff_exec_core
WHERE execution_id > $1 AND execution_id < $2
ORDER BY execution_id
LIMIT $3
