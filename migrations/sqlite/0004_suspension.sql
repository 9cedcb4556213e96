-- Secrets, waitpoints, suspensions and signals.

CREATE TABLE ff_waitpoint_secret (
    partition_key INTEGER NOT NULL PRIMARY KEY,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL
) WITHOUT ROWID;

ALTER TABLE ff_exec_core ADD COLUMN suspended_at INTEGER;

CREATE INDEX ff_exec_suspended
    ON ff_exec_core (partition_key, suspended_at, execution_id)
    WHERE suspended_at IS NOT NULL;

CREATE TABLE ff_waitpoint (
    partition_key INTEGER NOT NULL,
    waitpoint_id  BLOB NOT NULL,
    -- Not null while it is pending.
    execution_id  BLOB,
    due_at        INTEGER,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, waitpoint_id)
) WITHOUT ROWID;

CREATE INDEX ff_waitpoint_pending
    ON ff_waitpoint (partition_key, execution_id, waitpoint_id)
    WHERE execution_id IS NOT NULL;

CREATE INDEX ff_waitpoint_due
    ON ff_waitpoint (partition_key, due_at, waitpoint_id)
    WHERE due_at IS NOT NULL;

CREATE TABLE ff_suspension (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
) WITHOUT ROWID;

CREATE TABLE ff_suspend_replay (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    digest        TEXT NOT NULL,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, execution_id, digest)
) WITHOUT ROWID;

CREATE TABLE ff_signal (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    signal_id     BLOB NOT NULL,
    waitpoint_id  BLOB NOT NULL,
    arrival       INTEGER NOT NULL,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, execution_id, signal_id)
) WITHOUT ROWID;

CREATE INDEX ff_signal_arrived
    ON ff_signal (waitpoint_id, arrival, partition_key, execution_id, signal_id);

CREATE TABLE ff_signal_key (
    waitpoint_id BLOB NOT NULL,
    digest       TEXT NOT NULL,
    fixed        BLOB NOT NULL,
    changing     BLOB NOT NULL,
    PRIMARY KEY (waitpoint_id, digest)
) WITHOUT ROWID;
