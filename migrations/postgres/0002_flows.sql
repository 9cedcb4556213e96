-- Flows and the dependencies between their members.

CREATE TABLE ff_flow_core (
    flow_id           uuid NOT NULL PRIMARY KEY,
    partition_key     bigint NOT NULL,
    public_flow_state text COLLATE "C" NOT NULL,
    fixed             bytea NOT NULL,
    changing          bytea NOT NULL
);

CREATE INDEX ff_flow_listed ON ff_flow_core (partition_key, flow_id);

CREATE TABLE ff_flow_tags (
    flow_id  uuid NOT NULL PRIMARY KEY,
    fixed    bytea NOT NULL,
    changing bytea NOT NULL
);

CREATE TABLE ff_edge (
    flow_id                  uuid NOT NULL,
    edge_id                  uuid NOT NULL,
    upstream_partition_key   bigint NOT NULL,
    upstream_execution_id    uuid NOT NULL,
    downstream_partition_key bigint NOT NULL,
    downstream_execution_id  uuid NOT NULL,
    fixed                    bytea NOT NULL,
    changing                 bytea NOT NULL,
    PRIMARY KEY (flow_id, edge_id)
);

CREATE INDEX ff_edge_out
    ON ff_edge (flow_id, upstream_partition_key, upstream_execution_id, edge_id);
CREATE INDEX ff_edge_in
    ON ff_edge (flow_id, downstream_partition_key, downstream_execution_id, edge_id);

CREATE TABLE ff_edge_group (
    flow_id                  uuid NOT NULL,
    downstream_partition_key bigint NOT NULL,
    downstream_execution_id  uuid NOT NULL,
    -- Not null while something is to be cancelled.
    noted_at                 bigint,
    fixed                    bytea NOT NULL,
    changing                 bytea NOT NULL,
    PRIMARY KEY (flow_id, downstream_partition_key, downstream_execution_id)
);

CREATE INDEX ff_edge_group_noted
    ON ff_edge_group (downstream_partition_key, noted_at, flow_id, downstream_execution_id)
    WHERE noted_at IS NOT NULL;

-- Members of cancelled flows that others are to cancel.
CREATE TABLE ff_cancel_backlog (
    flow_id       uuid NOT NULL,
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    due_at        bigint NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (flow_id, partition_key, execution_id)
);

CREATE INDEX ff_cancel_backlog_due
    ON ff_cancel_backlog (partition_key, due_at, flow_id, execution_id);
