-- Executions and what hangs from them. Times are Unix milliseconds. An execution id begins with its
-- partition, `{fp:N}:`, so that byte order keeps a partition together.

CREATE TABLE ff_exec_core (
    execution_id          text COLLATE "C" PRIMARY KEY,
    namespace             text    NOT NULL,
    lane_id               text    NOT NULL,
    execution_kind        text    NOT NULL,
    creator_identity      text    NOT NULL,
    payload_encoding      text,
    priority              integer NOT NULL,
    required_capabilities text[]  NOT NULL,
    policy                jsonb,
    flow_id               uuid,

    lifecycle_phase       text    NOT NULL,
    ownership_state       text    NOT NULL,
    eligibility_state     text    NOT NULL,
    blocking_reason       text    NOT NULL,
    blocking_detail       text    NOT NULL,
    terminal_outcome      text    NOT NULL,
    attempt_state         text    NOT NULL,

    total_attempt_count   bigint  NOT NULL,
    retry_count           bigint  NOT NULL,
    replay_count          bigint  NOT NULL,
    lease_reclaim_count   bigint  NOT NULL,
    -- The attempt most recently started: id, index.
    current_attempt       jsonb,
    -- The lease issued last: id, worker, worker_instance, acquired_at, renewed_at, expires_at.
    lease                 jsonb,
    lease_epoch           bigint  NOT NULL,
    lease_expired_at      bigint,
    -- The call that ended the last lease: digest, retry_at.
    closing               jsonb,

    created_at            bigint  NOT NULL,
    started_at            bigint,
    completed_at          bigint,
    last_transition_at    bigint  NOT NULL,
    last_mutation_at      bigint  NOT NULL,
    delay_until           bigint,
    execution_deadline_at bigint,

    failure_reason        text,
    failure_category      text,
    cancellation_reason   text,
    cancelled_by          text,
    progress_percent      smallint,
    progress_message      text,

    tags                  jsonb   NOT NULL DEFAULT '{}'
);

CREATE INDEX ff_exec_member ON ff_exec_core (flow_id, execution_id) WHERE flow_id IS NOT NULL;

-- What can be claimed. A row may outlive that by a moment, while a claim holds it; it is never
-- missing. Claims lock rows here, so that a change of the execution itself does not hide it.
CREATE TABLE ff_eligible (
    execution_id     text COLLATE "C" PRIMARY KEY,
    lane_id          text COLLATE "C" NOT NULL,
    -- The required capabilities in ascending order, joined by commas; up to 4 096 bytes, more than
    -- an index takes.
    requirements     text NOT NULL,
    requirements_md5 text COLLATE "C" NOT NULL GENERATED ALWAYS AS (md5(requirements)) STORED,
    priority         integer NOT NULL,
    created_at       bigint  NOT NULL
);

-- Claims walk this, per lane and requirement set in claim order (SCH-002).
CREATE INDEX ff_eligible_order
    ON ff_eligible (lane_id, requirements_md5, priority DESC, created_at, execution_id);

CREATE TABLE ff_exec_payload (
    execution_id text COLLATE "C" PRIMARY KEY,
    payload      bytea NOT NULL
);

CREATE TABLE ff_exec_result (
    execution_id text COLLATE "C" PRIMARY KEY,
    result       bytea NOT NULL
);

CREATE TABLE ff_attempt (
    execution_id     text COLLATE "C" NOT NULL,
    attempt_index    bigint NOT NULL,
    attempt_id       uuid   NOT NULL,
    attempt_type     text   NOT NULL,
    state            text   NOT NULL,
    started_at       bigint NOT NULL,
    ended_at         bigint,
    failure_reason   text,
    failure_category text,
    PRIMARY KEY (execution_id, attempt_index)
);

CREATE TABLE ff_idempotency (
    -- SHA-256 of partition, namespace and key, which are longer than an index takes.
    digest       text COLLATE "C" PRIMARY KEY,
    -- Empty while a creation that is not yet decided holds the key.
    execution_id text   NOT NULL,
    expires_at   bigint NOT NULL
);

CREATE TABLE ff_lane_registry (
    lane_id text COLLATE "C" PRIMARY KEY
);

-- Outboxes: appended with the change they tell of, read in order of event_id.

CREATE TABLE ff_completion_event (
    event_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id text   NOT NULL,
    flow_id      uuid,
    namespace    text   NOT NULL,
    outcome      text   NOT NULL,
    occurred_at  bigint NOT NULL
);

CREATE TABLE ff_lease_event (
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id    text   NOT NULL,
    namespace       text   NOT NULL,
    event_type      text   NOT NULL,
    lease_id        uuid,
    worker_instance text,
    revoked_by      text,
    occurred_at     bigint NOT NULL
);
