//! Flows and edges as rows.

use ff_core::backend::Namespace;
use ff_core::types::{EdgeId, ExecutionId, FlowId, TimestampMs};
use ff_transactional::{Edge, EdgeGroup, Flow, StoreError};
use sqlx::sqlite::SqliteRow;

use crate::row::{get, json, literal, optional, optional_json, text_of};
use crate::transaction::{SqliteTx, Statement};

type Result<T> = std::result::Result<T, StoreError>;

impl SqliteTx {
    pub(crate) async fn write_flow(&mut self, flow: &Flow) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_flow_core \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let upsert = sqlx::query(sql)
            .bind(flow.partition)
            .bind(flow.id.0)
            .bind(flow.kind.clone())
            .bind(flow.namespace.0.clone())
            .bind(flow.public_flow_state.clone())
            .bind(flow.graph_revision.cast_signed())
            .bind(flow.node_count)
            .bind(flow.edge_count)
            .bind(flow.created_at.0)
            .bind(flow.last_mutation_at.0)
            .bind(flow.cancelled_at.map(|at| at.0))
            .bind(flow.cancel_reason.clone())
            .bind(flow.cancellation_policy.clone())
            .bind(flow.projection.as_ref().map(text_of).transpose()?);
        self.run(upsert).await?;
        Ok(())
    }

    pub(crate) async fn read_edges(&mut self, select: Statement) -> Result<Vec<Edge>> {
        self.all(select).await?.iter().map(edge).collect()
    }

    pub(crate) async fn write_edge(&mut self, edge: &Edge) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_edge VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let state: &'static str = edge.state.into();
        let upsert = sqlx::query(sql)
            .bind(edge.upstream.partition())
            .bind(edge.flow.0)
            .bind(edge.id.0)
            .bind(edge.upstream.uuid())
            .bind(edge.downstream.uuid())
            .bind(edge.dependency_kind.clone())
            .bind(edge.data_passing_ref.clone())
            .bind(state)
            .bind(edge.created_at.0);
        self.run(upsert).await?;
        Ok(())
    }

    pub(crate) async fn write_group(&mut self, group: &EdgeGroup) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_edge_group VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let upsert = sqlx::query(sql)
            .bind(group.downstream.partition())
            .bind(group.flow.0)
            .bind(group.downstream.uuid())
            .bind(text_of(&group.policy)?)
            .bind(group.satisfied_count)
            .bind(group.failed_count)
            .bind(group.skipped_count)
            .bind(group.running_count)
            .bind(group.group_state.as_str())
            .bind(group.pending_cancel.as_ref().map(text_of).transpose()?);
        self.run(upsert).await?;
        Ok(())
    }
}

pub(crate) fn decode(row: &SqliteRow) -> Result<Flow> {
    Ok(Flow {
        id: FlowId(get(row, "flow_id")?),
        partition: get(row, "partition_key")?,
        kind: get(row, "flow_kind")?,
        namespace: Namespace(get(row, "namespace")?),
        public_flow_state: get(row, "public_flow_state")?,
        graph_revision: get::<i64>(row, "graph_revision")?.cast_unsigned(),
        node_count: get(row, "node_count")?,
        edge_count: get(row, "edge_count")?,
        created_at: TimestampMs(get(row, "created_at")?),
        last_mutation_at: TimestampMs(get(row, "last_mutation_at")?),
        cancelled_at: optional(row, "cancelled_at")?.map(TimestampMs),
        cancel_reason: optional(row, "cancel_reason")?,
        cancellation_policy: optional(row, "cancellation_policy")?,
        projection: optional_json(row, "projection")?,
    })
}

pub(crate) fn decode_group(row: &SqliteRow) -> Result<EdgeGroup> {
    let downstream = get(row, "downstream_execution_id")?;
    Ok(EdgeGroup {
        flow: FlowId(get(row, "flow_id")?),
        downstream: ExecutionId::from_parts(get(row, "partition_key")?, downstream),
        policy: json(row, "policy")?,
        satisfied_count: get(row, "satisfied_count")?,
        failed_count: get(row, "failed_count")?,
        skipped_count: get(row, "skipped_count")?,
        running_count: get(row, "running_count")?,
        group_state: literal(row, "group_state")?,
        pending_cancel: optional_json(row, "pending_cancel")?,
    })
}

/// Both ends live in the flow's partition.
fn edge(row: &SqliteRow) -> Result<Edge> {
    let partition = get(row, "partition_key")?;
    let end = |name| Ok::<_, StoreError>(ExecutionId::from_parts(partition, get(row, name)?));
    Ok(Edge {
        flow: FlowId(get(row, "flow_id")?),
        id: EdgeId(get(row, "edge_id")?),
        upstream: end("upstream_execution_id")?,
        downstream: end("downstream_execution_id")?,
        dependency_kind: get(row, "dependency_kind")?,
        data_passing_ref: optional(row, "data_passing_ref")?,
        state: literal(row, "state")?,
        created_at: TimestampMs(get(row, "created_at")?),
    })
}
