-- A row that a claim holds is left to that claim, which drops it: whoever holds the execution never
-- waits for a claim that waits for the execution.
DELETE FROM ff_eligible
WHERE execution_id IN (
    SELECT q.execution_id FROM ff_eligible q
    WHERE q.execution_id IN (SELECT jsonb_array_elements_text($1 -> 'ineligible'))
    FOR UPDATE SKIP LOCKED
)
