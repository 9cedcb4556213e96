-- Executions and what hangs from them. Times are Unix milliseconds. A record is
-- packed in `fixed`, what is the same in all its versions, and `changing`; the other columns are keys,
-- what indexes need, and what people look for. No rule reads the last.

CREATE TABLE ff_idempotency (
    partition_key bigint NOT NULL,
    -- SHA-256 of namespace and key, which are longer than an index takes.
    digest        text COLLATE "C" NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, digest)
);

CREATE TABLE ff_exec_core (
    partition_key         bigint NOT NULL,
    execution_id          uuid NOT NULL,
    -- Not null while a fresh claim may take it.
    queue_lane            text COLLATE "C",
    -- Required capabilities in ascending order, joined by commas.
    queue_requirements    text COLLATE "C",
    queue_rank            bigint,
    queue_age             bigint,
    flow_id               uuid,
    -- Not null while time makes something due, or has.
    due_at                bigint,
    -- The phase, or for a terminal execution how it ended.
    lifecycle_phase       text COLLATE "C" NOT NULL,
    attempt_state         text COLLATE "C" NOT NULL,
    public_state          text COLLATE "C" NOT NULL,
    required_capabilities text COLLATE "C" NOT NULL,
    fixed                 bytea NOT NULL,
    changing              bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

-- Claims walk this: per lane and requirement set, in claim order (SCH-002). A set may have 4 096 bytes,
-- more than an index takes.
CREATE INDEX ff_exec_queue
    ON ff_exec_core
    (queue_lane, md5(queue_requirements), queue_rank, queue_age, partition_key, execution_id)
    WHERE queue_lane IS NOT NULL;

CREATE INDEX ff_exec_members
    ON ff_exec_core (flow_id, partition_key, execution_id)
    WHERE flow_id IS NOT NULL;

CREATE INDEX ff_exec_due
    ON ff_exec_core (partition_key, due_at, execution_id)
    WHERE due_at IS NOT NULL;

CREATE TABLE ff_exec_payload (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_exec_result (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_exec_tags (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id)
);

CREATE TABLE ff_attempt (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    attempt_index bigint NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index)
);

CREATE TABLE ff_lane_registry (
    lane_id  text COLLATE "C" NOT NULL PRIMARY KEY,
    fixed    bytea NOT NULL,
    changing bytea NOT NULL
);

-- Outboxes: appended with the change they tell of, read in order of event_id.

CREATE TABLE ff_completion_event (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    flow_id       uuid,
    outcome       text COLLATE "C" NOT NULL,
    event         bytea NOT NULL
);

CREATE TABLE ff_lease_event (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    event_type    text COLLATE "C" NOT NULL,
    event         bytea NOT NULL
);
