-- Grants, and the leases that executions have had.

ALTER TABLE ff_exec_core ADD COLUMN reserved_until bigint;

CREATE INDEX ff_exec_reserved
    ON ff_exec_core (reserved_until, partition_key, execution_id)
    WHERE reserved_until IS NOT NULL;

CREATE TABLE ff_past_lease (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    lease_id      uuid NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, lease_id)
);
