-- What has ended, by lane, and the waitpoints of an execution.

ALTER TABLE ff_exec_core ADD COLUMN ended_lane text COLLATE "C";
ALTER TABLE ff_exec_core ADD COLUMN kept_ms bigint;
ALTER TABLE ff_exec_core ADD COLUMN ended_at bigint;

CREATE INDEX ff_exec_ended
    ON ff_exec_core (partition_key, ended_lane, kept_ms, ended_at, execution_id)
    WHERE ended_lane IS NOT NULL;

ALTER TABLE ff_waitpoint ADD COLUMN owner_partition_key bigint;
ALTER TABLE ff_waitpoint ADD COLUMN owner_execution_id uuid;

CREATE INDEX ff_waitpoint_owned
    ON ff_waitpoint (owner_partition_key, owner_execution_id, partition_key, waitpoint_id);
