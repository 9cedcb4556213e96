-- The attempts that executions have had.

CREATE TABLE ff_past_attempt (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    attempt_id    BLOB NOT NULL,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_id)
) WITHOUT ROWID;
