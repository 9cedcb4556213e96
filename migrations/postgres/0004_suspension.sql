-- Secrets, waitpoints, suspensions and signals.

CREATE TABLE ff_waitpoint_secret (
    partition_key bigint NOT NULL PRIMARY KEY,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL
);

ALTER TABLE ff_exec_core ADD COLUMN suspended_at bigint;

CREATE INDEX ff_exec_suspended
    ON ff_exec_core (partition_key, suspended_at, execution_id)
    WHERE suspended_at IS NOT NULL;

CREATE TABLE ff_waitpoint (
    partition_key bigint NOT NULL,
    waitpoint_id  uuid NOT NULL,
    -- Not null while it is pending.
    execution_id  uuid,
    due_at        bigint,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, waitpoint_id)
);

CREATE INDEX ff_waitpoint_pending
    ON ff_waitpoint (partition_key, execution_id, waitpoint_id)
    WHERE execution_id IS NOT NULL;

CREATE INDEX ff_waitpoint_due
    ON ff_waitpoint (partition_key, due_at, waitpoint_id)
    WHERE due_at IS NOT NULL;

CREATE TABLE ff_suspension (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_suspend_replay (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    digest        text COLLATE "C" NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, digest)
);

CREATE TABLE ff_signal (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    signal_id     uuid NOT NULL,
    waitpoint_id  uuid NOT NULL,
    arrival       bigint NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, signal_id)
);

CREATE INDEX ff_signal_arrived
    ON ff_signal (waitpoint_id, arrival, partition_key, execution_id, signal_id);

CREATE TABLE ff_signal_key (
    waitpoint_id uuid NOT NULL,
    digest       text COLLATE "C" NOT NULL,
    fixed        bytea NOT NULL,
    changing     bytea NOT NULL,
    PRIMARY KEY (waitpoint_id, digest)
);
