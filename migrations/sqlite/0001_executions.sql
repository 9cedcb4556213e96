-- Executions and what hangs from them. Times are Unix milliseconds, ids are 16-byte UUIDs.

CREATE TABLE ff_exec_core (
    partition_key         INTEGER NOT NULL,
    execution_id          BLOB    NOT NULL,
    namespace             TEXT    NOT NULL,
    lane_id               TEXT    NOT NULL,
    execution_kind        TEXT    NOT NULL,
    creator_identity      TEXT    NOT NULL,
    payload_encoding      TEXT,
    priority              INTEGER NOT NULL,
    -- Required capabilities in ascending order, joined by commas.
    requirements          TEXT    NOT NULL,
    policy                TEXT,
    flow_id               BLOB,

    -- The phase, or for a terminal execution how it ended.
    lifecycle_phase       TEXT    NOT NULL,
    ownership_state       TEXT    NOT NULL,
    eligibility_state     TEXT    NOT NULL,
    blocking_reason       TEXT    NOT NULL,
    blocking_detail       TEXT    NOT NULL,
    -- `initial` for a pending first attempt, otherwise as the contract names it.
    attempt_state         TEXT    NOT NULL,
    -- For people reading the table; the engine derives it and never reads it back.
    public_state          TEXT    NOT NULL,

    total_attempt_count   INTEGER NOT NULL,
    retry_count           INTEGER NOT NULL,
    replay_count          INTEGER NOT NULL,
    lease_reclaim_count   INTEGER NOT NULL,
    current_attempt_index INTEGER,
    current_attempt_id    BLOB,

    lease_id              BLOB,
    lease_epoch           INTEGER NOT NULL,
    worker_id             TEXT,
    worker_instance_id    TEXT,
    lease_acquired_at     INTEGER,
    lease_renewed_at      INTEGER,
    lease_expires_at      INTEGER,
    lease_expired_at      INTEGER,
    closing_digest        TEXT,
    closing_retry_at      INTEGER,

    created_at            INTEGER NOT NULL,
    started_at            INTEGER,
    completed_at          INTEGER,
    last_transition_at    INTEGER NOT NULL,
    last_mutation_at      INTEGER NOT NULL,
    delay_until           INTEGER,
    execution_deadline_at INTEGER,

    failure_reason        TEXT,
    failure_category      TEXT,
    cancellation_reason   TEXT,
    cancelled_by          TEXT,
    progress_percent      INTEGER,
    progress_message      TEXT,

    PRIMARY KEY (partition_key, execution_id)
) WITHOUT ROWID;

-- Claims walk this: per lane and requirement set, in claim order (SCH-002).
CREATE INDEX ff_exec_claimable
    ON ff_exec_core (lane_id, requirements, priority DESC, created_at, partition_key, execution_id)
    WHERE lifecycle_phase = 'runnable'
      AND ownership_state = 'unowned'
      AND eligibility_state = 'eligible_now'
      AND attempt_state <> 'attempt_interrupted';

CREATE INDEX ff_exec_member
    ON ff_exec_core (flow_id, execution_id)
    WHERE flow_id IS NOT NULL;

CREATE TABLE ff_execution_capabilities (
    execution_id BLOB NOT NULL,
    capability   TEXT NOT NULL,
    PRIMARY KEY (execution_id, capability)
) WITHOUT ROWID;

CREATE TABLE ff_exec_payload (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    payload       BLOB    NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_exec_result (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    result        BLOB    NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_exec_tag (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    tag_key       TEXT    NOT NULL,
    tag_value     TEXT    NOT NULL,
    PRIMARY KEY (partition_key, execution_id, tag_key)
) WITHOUT ROWID;

CREATE TABLE ff_attempt (
    partition_key    INTEGER NOT NULL,
    execution_id     BLOB    NOT NULL,
    attempt_index    INTEGER NOT NULL,
    attempt_id       BLOB    NOT NULL,
    attempt_type     TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    started_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    failure_reason   TEXT,
    failure_category TEXT,
    PRIMARY KEY (partition_key, execution_id, attempt_index)
) WITHOUT ROWID;

CREATE TABLE ff_idempotency (
    partition_key INTEGER NOT NULL,
    namespace     TEXT    NOT NULL,
    idem_key      TEXT    NOT NULL,
    execution_id  BLOB    NOT NULL,
    expires_at    INTEGER NOT NULL,
    PRIMARY KEY (partition_key, namespace, idem_key)
) WITHOUT ROWID;

CREATE TABLE ff_lane_registry (
    lane_id TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- Outboxes: appended with the change they tell of, read in order of event_id.

CREATE TABLE ff_completion_event (
    event_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    flow_id       BLOB,
    namespace     TEXT    NOT NULL,
    outcome       TEXT    NOT NULL,
    occurred_at   INTEGER NOT NULL
);

CREATE TABLE ff_lease_event (
    event_id           INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key      INTEGER NOT NULL,
    execution_id       BLOB    NOT NULL,
    namespace          TEXT    NOT NULL,
    event_type         TEXT    NOT NULL,
    lease_id           BLOB,
    worker_instance_id TEXT,
    revoked_by         TEXT,
    occurred_at        INTEGER NOT NULL
);
