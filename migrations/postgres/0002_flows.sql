-- Flows and the dependencies between their members.

CREATE TABLE ff_flow_core (
    flow_id             uuid PRIMARY KEY,
    partition_key       integer NOT NULL,
    flow_kind           text    NOT NULL,
    namespace           text    NOT NULL,
    public_flow_state   text    NOT NULL,
    graph_revision      bigint  NOT NULL,
    node_count          bigint  NOT NULL,
    edge_count          bigint  NOT NULL,
    created_at          bigint  NOT NULL,
    last_mutation_at    bigint  NOT NULL,
    cancelled_at        bigint,
    cancel_reason       text,
    cancellation_policy text,
    projection          jsonb,
    tags                jsonb   NOT NULL DEFAULT '{}'
);

CREATE INDEX ff_flow_listed ON ff_flow_core (partition_key, flow_id);

CREATE TABLE ff_edge (
    flow_id                 uuid NOT NULL,
    edge_id                 uuid NOT NULL,
    upstream_execution_id   text COLLATE "C" NOT NULL,
    downstream_execution_id text COLLATE "C" NOT NULL,
    dependency_kind         text NOT NULL,
    data_passing_ref        text,
    state                   text NOT NULL,
    created_at              bigint NOT NULL,
    PRIMARY KEY (flow_id, edge_id)
);

CREATE INDEX ff_edge_out ON ff_edge (flow_id, upstream_execution_id);
CREATE INDEX ff_edge_in ON ff_edge (flow_id, downstream_execution_id);

CREATE TABLE ff_edge_group (
    flow_id                 uuid   NOT NULL,
    downstream_execution_id text   COLLATE "C" NOT NULL,
    policy                  jsonb  NOT NULL,
    satisfied_count         bigint NOT NULL,
    failed_count            bigint NOT NULL,
    skipped_count           bigint NOT NULL,
    running_count           bigint NOT NULL,
    group_state             text   NOT NULL,
    pending_cancel          jsonb,
    PRIMARY KEY (flow_id, downstream_execution_id)
);

-- Members of cancelled flows that others are to cancel.
CREATE TABLE ff_cancel_backlog (
    flow_id       uuid    NOT NULL,
    execution_id  text    COLLATE "C" NOT NULL,
    partition_key integer NOT NULL,
    due_at        bigint  NOT NULL,
    PRIMARY KEY (flow_id, execution_id)
);

CREATE INDEX ff_cancel_backlog_due ON ff_cancel_backlog (partition_key, due_at);
