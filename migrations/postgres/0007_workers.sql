-- Workers, leases by the time at which they run out, and what waits for a worker.

ALTER TABLE ff_exec_core ADD COLUMN lease_expires_at bigint;
ALTER TABLE ff_exec_core ADD COLUMN routed_lane text COLLATE "C";
ALTER TABLE ff_exec_core ADD COLUMN routed_requirements text COLLATE "C";

CREATE INDEX ff_exec_leases
    ON ff_exec_core (lease_expires_at, partition_key, execution_id)
    WHERE lease_expires_at IS NOT NULL;

-- The set is there as its digest.
CREATE INDEX ff_exec_routed
    ON ff_exec_core (routed_lane, routed_requirements, partition_key, execution_id)
    WHERE routed_lane IS NOT NULL;

CREATE TABLE ff_worker_registry (
    namespace          text COLLATE "C" NOT NULL,
    worker_instance_id text COLLATE "C" NOT NULL,
    expires_at         bigint NOT NULL,
    fixed              bytea NOT NULL,
    changing           bytea NOT NULL,
    PRIMARY KEY (namespace, worker_instance_id)
);

CREATE INDEX ff_worker_expiring
    ON ff_worker_registry (expires_at, namespace, worker_instance_id);
