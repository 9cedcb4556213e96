-- Flows and the dependencies between their members.

CREATE TABLE ff_flow_core (
    partition_key       INTEGER NOT NULL,
    flow_id             BLOB    NOT NULL PRIMARY KEY,
    flow_kind           TEXT    NOT NULL,
    namespace           TEXT    NOT NULL,
    public_flow_state   TEXT    NOT NULL,
    graph_revision      INTEGER NOT NULL,
    node_count          INTEGER NOT NULL,
    edge_count          INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    last_mutation_at    INTEGER NOT NULL,
    cancelled_at        INTEGER,
    cancel_reason       TEXT,
    cancellation_policy TEXT,
    projection          TEXT
) WITHOUT ROWID;

CREATE INDEX ff_flow_listed ON ff_flow_core (partition_key, flow_id);

CREATE TABLE ff_flow_tag (
    flow_id   BLOB NOT NULL,
    tag_key   TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (flow_id, tag_key)
) WITHOUT ROWID;

CREATE TABLE ff_edge (
    partition_key           INTEGER NOT NULL,
    flow_id                 BLOB    NOT NULL,
    edge_id                 BLOB    NOT NULL,
    upstream_execution_id   BLOB    NOT NULL,
    downstream_execution_id BLOB    NOT NULL,
    dependency_kind         TEXT    NOT NULL,
    data_passing_ref        TEXT,
    state                   TEXT    NOT NULL,
    created_at              INTEGER NOT NULL,
    PRIMARY KEY (flow_id, edge_id)
) WITHOUT ROWID;

CREATE INDEX ff_edge_out ON ff_edge (flow_id, upstream_execution_id);
CREATE INDEX ff_edge_in ON ff_edge (flow_id, downstream_execution_id);

CREATE TABLE ff_edge_group (
    partition_key           INTEGER NOT NULL,
    flow_id                 BLOB    NOT NULL,
    downstream_execution_id BLOB    NOT NULL,
    -- As JSON.
    policy                  TEXT    NOT NULL,
    satisfied_count         INTEGER NOT NULL,
    failed_count            INTEGER NOT NULL,
    skipped_count           INTEGER NOT NULL,
    running_count           INTEGER NOT NULL,
    group_state             TEXT    NOT NULL,
    -- As JSON.
    pending_cancel          TEXT,
    PRIMARY KEY (flow_id, downstream_execution_id)
) WITHOUT ROWID;

-- Members of cancelled flows that others are to cancel.
CREATE TABLE ff_cancel_backlog (
    partition_key INTEGER NOT NULL,
    flow_id       BLOB    NOT NULL,
    execution_id  BLOB    NOT NULL,
    due_at        INTEGER NOT NULL,
    PRIMARY KEY (flow_id, execution_id)
) WITHOUT ROWID;

CREATE INDEX ff_cancel_backlog_due ON ff_cancel_backlog (partition_key, due_at);
