-- Whoever writes here holds the execution.
DELETE FROM ff_eligible
WHERE execution_id IN (SELECT jsonb_array_elements_text($1 -> 'ineligible'))
