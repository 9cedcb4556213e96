-- Takes hold of the key, whether or not it is known, and shows what it stands for.
INSERT INTO ff_idempotency AS known (digest, execution_id, expires_at)
VALUES ($1, '', 0)
ON CONFLICT (digest) DO UPDATE SET expires_at = known.expires_at
RETURNING execution_id, expires_at
