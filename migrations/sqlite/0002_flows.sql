-- Flows and the dependencies between their members.

CREATE TABLE ff_flow_core (
    flow_id           BLOB    NOT NULL PRIMARY KEY,
    partition_key     INTEGER NOT NULL,
    public_flow_state TEXT    NOT NULL,
    fixed             BLOB    NOT NULL,
    changing          BLOB    NOT NULL
) WITHOUT ROWID;

CREATE INDEX ff_flow_listed ON ff_flow_core (partition_key, flow_id);

CREATE TABLE ff_flow_tags (
    flow_id  BLOB NOT NULL PRIMARY KEY,
    fixed    BLOB NOT NULL,
    changing BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE ff_edge (
    flow_id                  BLOB    NOT NULL,
    edge_id                  BLOB    NOT NULL,
    upstream_partition_key   INTEGER NOT NULL,
    upstream_execution_id    BLOB    NOT NULL,
    downstream_partition_key INTEGER NOT NULL,
    downstream_execution_id  BLOB    NOT NULL,
    fixed                    BLOB    NOT NULL,
    changing                 BLOB    NOT NULL,
    PRIMARY KEY (flow_id, edge_id)
) WITHOUT ROWID;

CREATE INDEX ff_edge_out
    ON ff_edge (flow_id, upstream_partition_key, upstream_execution_id, edge_id);
CREATE INDEX ff_edge_in
    ON ff_edge (flow_id, downstream_partition_key, downstream_execution_id, edge_id);

CREATE TABLE ff_edge_group (
    flow_id                  BLOB    NOT NULL,
    downstream_partition_key INTEGER NOT NULL,
    downstream_execution_id  BLOB    NOT NULL,
    -- Not null while something is to be cancelled.
    noted_at                 INTEGER,
    fixed                    BLOB    NOT NULL,
    changing                 BLOB    NOT NULL,
    PRIMARY KEY (flow_id, downstream_partition_key, downstream_execution_id)
) WITHOUT ROWID;

CREATE INDEX ff_edge_group_noted
    ON ff_edge_group (downstream_partition_key, noted_at, flow_id, downstream_execution_id)
    WHERE noted_at IS NOT NULL;

-- Members of cancelled flows that others are to cancel.
CREATE TABLE ff_cancel_backlog (
    flow_id       BLOB    NOT NULL,
    partition_key INTEGER NOT NULL,
    execution_id  BLOB    NOT NULL,
    due_at        INTEGER NOT NULL,
    fixed         BLOB    NOT NULL,
    changing      BLOB    NOT NULL,
    PRIMARY KEY (flow_id, partition_key, execution_id)
) WITHOUT ROWID;

CREATE INDEX ff_cancel_backlog_due
    ON ff_cancel_backlog (partition_key, due_at, flow_id, execution_id);
