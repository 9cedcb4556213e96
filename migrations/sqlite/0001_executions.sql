-- Executions and what hangs from them. Times are Unix milliseconds, ids are 16-byte UUIDs. A record is
-- packed in `fixed`, what is the same in all its versions, and `changing`; the other columns are keys,
-- what indexes need, and what people look for. No rule reads the last.

CREATE TABLE ff_idempotency (
    partition_key INTEGER NOT NULL,
    -- SHA-256 of namespace and key, which are longer than an index takes.
    digest        TEXT    NOT NULL,
    fixed         BLOB    NOT NULL,
    changing      BLOB    NOT NULL,
    PRIMARY KEY (partition_key, digest)
) WITHOUT ROWID;

CREATE TABLE ff_exec_core (
    partition_key         INTEGER NOT NULL,
    execution_id          BLOB    NOT NULL,
    -- Not null while a fresh claim may take it.
    queue_lane            TEXT,
    -- Required capabilities in ascending order, joined by commas.
    queue_requirements    TEXT,
    queue_rank            INTEGER,
    queue_age             INTEGER,
    flow_id               BLOB,
    -- Not null while time makes something due, or has.
    due_at                INTEGER,
    -- The phase, or for a terminal execution how it ended.
    lifecycle_phase       TEXT    NOT NULL,
    attempt_state         TEXT    NOT NULL,
    public_state          TEXT    NOT NULL,
    required_capabilities TEXT    NOT NULL,
    fixed                 BLOB    NOT NULL,
    changing              BLOB    NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
) WITHOUT ROWID;

-- Claims walk this: per lane and requirement set, in claim order (SCH-002).
CREATE INDEX ff_exec_queue
    ON ff_exec_core
    (queue_lane, queue_requirements, queue_rank, queue_age, partition_key, execution_id)
    WHERE queue_lane IS NOT NULL;

CREATE INDEX ff_exec_members
    ON ff_exec_core (flow_id, partition_key, execution_id)
    WHERE flow_id IS NOT NULL;

CREATE INDEX ff_exec_due
    ON ff_exec_core (partition_key, due_at, execution_id)
    WHERE due_at IS NOT NULL;

-- A row for each required capability of each execution.
CREATE VIEW ff_execution_capabilities AS
WITH RECURSIVE split (execution_id, capability, rest) AS (
    SELECT execution_id, NULL, required_capabilities || ',' FROM ff_exec_core
    WHERE required_capabilities <> ''
    UNION ALL
    SELECT execution_id, substr(rest, 1, instr(rest, ',') - 1), substr(rest, instr(rest, ',') + 1)
    FROM split
    WHERE rest <> ''
)
SELECT execution_id, capability FROM split WHERE capability IS NOT NULL;

CREATE TABLE ff_exec_payload (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    fixed         BLOB    NOT NULL,
    changing      BLOB    NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_exec_result (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    fixed         BLOB    NOT NULL,
    changing      BLOB    NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_exec_tags (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    fixed         BLOB    NOT NULL,
    changing      BLOB    NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
) WITHOUT ROWID;

CREATE TABLE ff_attempt (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    attempt_index INTEGER NOT NULL,
    fixed         BLOB    NOT NULL,
    changing      BLOB    NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index)
) WITHOUT ROWID;

CREATE TABLE ff_lane_registry (
    lane_id  TEXT NOT NULL PRIMARY KEY,
    fixed    BLOB NOT NULL,
    changing BLOB NOT NULL
) WITHOUT ROWID;

-- Outboxes: appended with the change they tell of, read in order of event_id.

CREATE TABLE ff_completion_event (
    event_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    flow_id       BLOB,
    outcome       TEXT    NOT NULL,
    event         BLOB    NOT NULL
);

CREATE TABLE ff_lease_event (
    event_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    event_type    TEXT    NOT NULL,
    event         BLOB    NOT NULL
);
