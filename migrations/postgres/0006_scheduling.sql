-- The attempts that executions have had.

CREATE TABLE ff_past_attempt (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    attempt_id    uuid NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_id)
);
