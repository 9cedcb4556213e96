-- Workers, leases by the time at which they run out, and what waits for a worker.

ALTER TABLE ff_exec_core ADD COLUMN lease_expires_at INTEGER;
ALTER TABLE ff_exec_core ADD COLUMN routed_lane TEXT;
ALTER TABLE ff_exec_core ADD COLUMN routed_requirements TEXT;

CREATE INDEX ff_exec_leases
    ON ff_exec_core (lease_expires_at, partition_key, execution_id)
    WHERE lease_expires_at IS NOT NULL;

-- The set is there as its digest.
CREATE INDEX ff_exec_routed
    ON ff_exec_core (routed_lane, routed_requirements, partition_key, execution_id)
    WHERE routed_lane IS NOT NULL;

CREATE TABLE ff_worker_registry (
    namespace          TEXT NOT NULL,
    worker_instance_id TEXT NOT NULL,
    expires_at         INTEGER NOT NULL,
    fixed              BLOB NOT NULL,
    changing           BLOB NOT NULL,
    PRIMARY KEY (namespace, worker_instance_id)
) WITHOUT ROWID;

CREATE INDEX ff_worker_expiring
    ON ff_worker_registry (expires_at, namespace, worker_instance_id);
