SELECT pg_advisory_xact_lock_shared(turn::bigint)
FROM jsonb_array_elements_text($1 -> 'turns') AS taken (turn)
