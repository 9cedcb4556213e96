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
    cancellation_policy TEXT
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
