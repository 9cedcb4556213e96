//! The store: one writer and several readers, and how each kind of record is read and written.

use std::collections::{BTreeMap, BTreeSet};

use ff_core::backend::{Namespace, PrepareOutcome};
use ff_core::clock::Clock;
use ff_core::types::{AttemptId, AttemptIndex, EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use ff_transactional::{
    Access, Attempt, CompletionRecord, Edge, EdgeGroup, Execution, Flow, LeaseRecord, Store,
    StoreError, Tx,
};
use sqlx::SqlitePool;
use tokio::sync::broadcast;

use crate::open::MIGRATIONS;
use crate::transaction::{OutboxEvent, SqliteTx, failed, of};
use crate::{flow, row};

type Result<T> = std::result::Result<T, StoreError>;

/// How many completions a slow subscriber may fall behind.
const WAKE_UPS: usize = 1_024;

/// Records in tables.
pub(crate) struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    clock: Clock,
    completions: broadcast::Sender<OutboxEvent>,
}

impl SqliteStore {
    pub(crate) fn new(writer: SqlitePool, reader: SqlitePool, clock: Clock) -> Self {
        Self {
            writer,
            reader,
            clock,
            completions: broadcast::channel(WAKE_UPS).0,
        }
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub(crate) fn completions(&self) -> broadcast::Receiver<OutboxEvent> {
        self.completions.subscribe()
    }
}

impl Store for SqliteStore {
    type Tx = SqliteTx;

    async fn begin(&self, access: Access) -> Result<SqliteTx> {
        let (pool, begin) = match access {
            Access::Read => (self.reader.clone(), "BEGIN"),
            // A write lock from the start, so that what is read stays true until the commit.
            Access::Write => (self.writer.clone(), "BEGIN IMMEDIATE"),
        };
        // In a task that nobody can give up half-way: a connection that was about to begin is closed
        // by its pool, and what is held in memory goes with it.
        let begun = tokio::spawn(async move { pool.begin_with(begin).await }).await;
        let begun = begun.map_err(|stopped| StoreError::Failed(stopped.into()))?;
        Ok(SqliteTx {
            tx: begun.map_err(failed)?,
            clock: self.clock.clone(),
            completions: self.completions.clone(),
            appended: Vec::new(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        let migrated = MIGRATIONS.run(&self.writer).await;
        migrated.map_err(|error| StoreError::Failed(error.into()))?;
        // Opening has brought the schema up to date already.
        Ok(PrepareOutcome::NoOp)
    }
}

impl Tx for SqliteTx {
    async fn commit(self) -> Result<()> {
        self.tx.commit().await.map_err(failed)?;
        for event in self.appended {
            // That nobody listens is fine: the outbox has it.
            let _ = self.completions.send(event);
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<()> {
        self.database_time().await.map(|_| ())
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        match self.clock.manual() {
            Some(now) => Ok(now),
            None => self.database_time().await,
        }
    }

    async fn execution(&mut self, id: &ExecutionId) -> Result<Option<Execution>> {
        let sql = "SELECT * FROM ff_exec_core WHERE partition_key = ? AND execution_id = ?";
        let found = self.one(of(sql, id)).await?;
        found.as_ref().map(row::decode).transpose()
    }

    async fn insert_execution(
        &mut self,
        execution: &Execution,
        payload: &[u8],
        tags: &BTreeMap<String, String>,
    ) -> Result<()> {
        let id = &execution.id;
        self.update_execution(execution).await?;
        self.put_payload(id, payload).await?;
        for capability in &execution.requirements {
            let sql = "INSERT INTO ff_execution_capabilities VALUES (?, ?)";
            let insert = sqlx::query(sql).bind(id.uuid()).bind(capability.clone());
            self.run(insert).await?;
        }
        for (key, value) in tags {
            self.put_tag(id, key, value).await?;
        }
        Ok(())
    }

    async fn update_execution(&mut self, execution: &Execution) -> Result<()> {
        let upsert = row::bind(sqlx::query(row::upsert()), execution)?;
        self.run(upsert).await?;
        Ok(())
    }

    async fn payload(&mut self, id: &ExecutionId) -> Result<Vec<u8>> {
        let sql = "SELECT payload FROM ff_exec_payload \
                   WHERE partition_key = ? AND execution_id = ?";
        let found = self.one(of(sql, id)).await?;
        let found = found.ok_or_else(|| StoreError::Corrupt {
            record: "ff_exec_payload",
            detail: format!("{id} has no payload"),
        })?;
        row::get(&found, "payload")
    }

    async fn put_payload(&mut self, id: &ExecutionId, payload: &[u8]) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_exec_payload VALUES (?, ?, ?)";
        self.run(of(sql, id).bind(payload.to_vec())).await?;
        Ok(())
    }

    async fn result(&mut self, id: &ExecutionId) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT result FROM ff_exec_result \
                   WHERE partition_key = ? AND execution_id = ?";
        let found = self.one(of(sql, id)).await?;
        found.map(|found| row::get(&found, "result")).transpose()
    }

    async fn put_result(&mut self, id: &ExecutionId, result: &[u8]) -> Result<()> {
        let sql = "INSERT INTO ff_exec_result VALUES (?, ?, ?)";
        self.run(of(sql, id).bind(result.to_vec())).await?;
        Ok(())
    }

    async fn remove_result(&mut self, id: &ExecutionId) -> Result<()> {
        let sql = "DELETE FROM ff_exec_result WHERE partition_key = ? AND execution_id = ?";
        self.run(of(sql, id)).await?;
        Ok(())
    }

    async fn tags(&mut self, id: &ExecutionId) -> Result<BTreeMap<String, String>> {
        let sql = "SELECT tag_key, tag_value FROM ff_exec_tag \
                   WHERE partition_key = ? AND execution_id = ?";
        row::tags(&self.all(of(sql, id)).await?)
    }

    async fn put_tag(&mut self, id: &ExecutionId, key: &str, value: &str) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_exec_tag VALUES (?, ?, ?, ?)";
        let upsert = of(sql, id).bind(key.to_owned()).bind(value.to_owned());
        self.run(upsert).await?;
        Ok(())
    }

    async fn put_attempt(&mut self, id: &ExecutionId, attempt: &Attempt) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let upsert = of(sql, id)
            .bind(attempt.index.0)
            .bind(attempt.id.0)
            .bind(attempt.kind.as_str())
            .bind(attempt.state.as_str())
            .bind(attempt.started_at.0)
            .bind(attempt.ended_at.map(|at| at.0))
            .bind(attempt.failure_reason.clone())
            .bind(attempt.failure_category.clone());
        self.run(upsert).await?;
        Ok(())
    }

    async fn attempt(&mut self, id: &ExecutionId, index: u32) -> Result<Option<Attempt>> {
        let sql = "SELECT * FROM ff_attempt \
                   WHERE partition_key = ? AND execution_id = ? AND attempt_index = ?";
        let Some(found) = self.one(of(sql, id).bind(index)).await? else {
            return Ok(None);
        };
        Ok(Some(Attempt {
            index: AttemptIndex(index),
            id: AttemptId(row::get(&found, "attempt_id")?),
            kind: row::literal(&found, "attempt_type")?,
            state: row::literal(&found, "state")?,
            started_at: TimestampMs(row::get(&found, "started_at")?),
            ended_at: row::optional(&found, "ended_at")?.map(TimestampMs),
            failure_reason: row::optional(&found, "failure_reason")?,
            failure_category: row::optional(&found, "failure_category")?,
        }))
    }

    async fn idempotency(
        &mut self,
        partition: u16,
        namespace: &Namespace,
        key: &str,
    ) -> Result<Option<(ExecutionId, TimestampMs)>> {
        let sql = "SELECT partition_key, execution_id, expires_at FROM ff_idempotency \
                   WHERE partition_key = ? AND namespace = ? AND idem_key = ?";
        let lookup = sqlx::query(sql)
            .bind(partition)
            .bind(namespace.0.clone())
            .bind(key.to_owned());
        let found = self.one(lookup).await?;
        found
            .map(|found| {
                let until = row::get(&found, "expires_at")?;
                Ok((row::execution_id(&found)?, TimestampMs(until)))
            })
            .transpose()
    }

    async fn put_idempotency(
        &mut self,
        namespace: &Namespace,
        key: &str,
        id: &ExecutionId,
        until: TimestampMs,
    ) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_idempotency VALUES (?, ?, ?, ?, ?)";
        let upsert = sqlx::query(sql)
            .bind(id.partition())
            .bind(namespace.0.clone())
            .bind(key.to_owned())
            .bind(id.uuid())
            .bind(until.0);
        self.run(upsert).await?;
        Ok(())
    }

    async fn executions_after(
        &mut self,
        partition: u16,
        cursor: Option<&ExecutionId>,
        limit: usize,
    ) -> Result<Vec<ExecutionId>> {
        // Byte order of the UUIDs is byte order of the ids of one partition.
        let sql = "SELECT partition_key, execution_id FROM ff_exec_core \
                   WHERE partition_key = ? AND execution_id > ? \
                   ORDER BY execution_id LIMIT ?";
        let page = sqlx::query(sql)
            .bind(partition)
            .bind(cursor.map_or_else(Vec::new, |cursor| cursor.uuid().as_bytes().to_vec()))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.all(page).await?;
        rows.iter().map(row::execution_id).collect()
    }

    async fn put_lane(&mut self, lane: &LaneId) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO ff_lane_registry VALUES (?)";
        self.run(sqlx::query(sql).bind(lane.0.clone())).await?;
        Ok(())
    }

    async fn lanes_after(&mut self, cursor: Option<&LaneId>, limit: usize) -> Result<Vec<LaneId>> {
        let sql = "SELECT lane_id FROM ff_lane_registry WHERE lane_id > ? \
                   ORDER BY lane_id LIMIT ?";
        let after = cursor.map_or_else(String::new, |cursor| cursor.0.clone());
        let page = sqlx::query(sql)
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.all(page).await?;
        rows.iter()
            .map(|found| Ok(LaneId(row::get(found, "lane_id")?)))
            .collect()
    }

    async fn claimable_requirements(&mut self, lane: &LaneId) -> Result<Vec<BTreeSet<String>>> {
        self.read_requirements(lane).await
    }

    async fn first_claimable(
        &mut self,
        lane: &LaneId,
        sets: &[BTreeSet<String>],
    ) -> Result<Option<Execution>> {
        self.read_first_claimable(lane, sets).await
    }

    async fn flow(&mut self, id: &FlowId) -> Result<Option<Flow>> {
        let sql = "SELECT * FROM ff_flow_core WHERE flow_id = ?";
        let found = self.one(sqlx::query(sql).bind(id.0)).await?;
        found.as_ref().map(flow::decode).transpose()
    }

    async fn put_flow(&mut self, flow: &Flow) -> Result<()> {
        self.write_flow(flow).await
    }

    async fn flow_tags(&mut self, id: &FlowId) -> Result<BTreeMap<String, String>> {
        let sql = "SELECT tag_key, tag_value FROM ff_flow_tag WHERE flow_id = ?";
        row::tags(&self.all(sqlx::query(sql).bind(id.0)).await?)
    }

    async fn put_flow_tag(&mut self, id: &FlowId, key: &str, value: &str) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ff_flow_tag VALUES (?, ?, ?)";
        let upsert = sqlx::query(sql).bind(id.0);
        self.run(upsert.bind(key.to_owned()).bind(value.to_owned()))
            .await?;
        Ok(())
    }

    async fn flows_after(
        &mut self,
        partition: u16,
        cursor: Option<&FlowId>,
        limit: usize,
    ) -> Result<Vec<Flow>> {
        let sql = "SELECT * FROM ff_flow_core WHERE partition_key = ? AND flow_id > ? \
                   ORDER BY flow_id LIMIT ?";
        let page = sqlx::query(sql)
            .bind(partition)
            .bind(cursor.map_or_else(Vec::new, |cursor| cursor.0.as_bytes().to_vec()))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.all(page).await?.iter().map(flow::decode).collect()
    }

    async fn members(&mut self, flow: &FlowId) -> Result<Vec<Execution>> {
        let sql = "SELECT * FROM ff_exec_core WHERE flow_id = ? ORDER BY execution_id";
        let rows = self.all(sqlx::query(sql).bind(flow.0)).await?;
        rows.iter().map(row::decode).collect()
    }

    async fn put_backlog(
        &mut self,
        flow: &FlowId,
        members: &[ExecutionId],
        due_at: TimestampMs,
    ) -> Result<()> {
        for member in members {
            let sql = "INSERT INTO ff_cancel_backlog VALUES (?, ?, ?, ?)";
            let insert = sqlx::query(sql).bind(member.partition()).bind(flow.0);
            self.run(insert.bind(member.uuid()).bind(due_at.0)).await?;
        }
        Ok(())
    }

    async fn strike_backlog(&mut self, flow: &FlowId, member: &ExecutionId) -> Result<()> {
        let sql = "DELETE FROM ff_cancel_backlog \
                   WHERE flow_id = ? AND partition_key = ? AND execution_id = ?";
        let delete = sqlx::query(sql).bind(flow.0);
        self.run(delete.bind(member.partition()).bind(member.uuid()))
            .await?;
        Ok(())
    }

    async fn has_backlog(&mut self, flow: &FlowId) -> Result<bool> {
        let sql = "SELECT 1 FROM ff_cancel_backlog \
                   JOIN ff_exec_core USING (partition_key, execution_id) \
                   WHERE ff_cancel_backlog.flow_id = ? AND completed_at IS NULL LIMIT 1";
        let found = self.one(sqlx::query(sql).bind(flow.0)).await?;
        Ok(found.is_some())
    }

    async fn edge(&mut self, flow: &FlowId, id: &EdgeId) -> Result<Option<Edge>> {
        let sql = "SELECT * FROM ff_edge WHERE flow_id = ? AND edge_id = ?";
        let edges = self
            .read_edges(sqlx::query(sql).bind(flow.0).bind(id.0))
            .await?;
        Ok(edges.into_iter().next())
    }

    async fn put_edge(&mut self, edge: &Edge) -> Result<()> {
        self.write_edge(edge).await
    }

    async fn edges_from(&mut self, flow: &FlowId, upstream: &ExecutionId) -> Result<Vec<Edge>> {
        let sql = "SELECT * FROM ff_edge WHERE flow_id = ? AND upstream_execution_id = ? \
                   ORDER BY edge_id";
        self.read_edges(sqlx::query(sql).bind(flow.0).bind(upstream.uuid()))
            .await
    }

    async fn edges_to(&mut self, flow: &FlowId, downstream: &ExecutionId) -> Result<Vec<Edge>> {
        let sql = "SELECT * FROM ff_edge WHERE flow_id = ? AND downstream_execution_id = ? \
                   ORDER BY edge_id";
        self.read_edges(sqlx::query(sql).bind(flow.0).bind(downstream.uuid()))
            .await
    }

    async fn group(
        &mut self,
        flow: &FlowId,
        downstream: &ExecutionId,
    ) -> Result<Option<EdgeGroup>> {
        let sql = "SELECT * FROM ff_edge_group WHERE flow_id = ? AND downstream_execution_id = ?";
        let lookup = sqlx::query(sql).bind(flow.0).bind(downstream.uuid());
        let found = self.one(lookup).await?;
        found.as_ref().map(flow::decode_group).transpose()
    }

    async fn put_group(&mut self, group: &EdgeGroup) -> Result<()> {
        self.write_group(group).await
    }

    async fn groups(&mut self, flow: &FlowId) -> Result<Vec<EdgeGroup>> {
        // Byte order of the UUIDs is byte order of the ids of one partition.
        let sql = "SELECT * FROM ff_edge_group WHERE flow_id = ? ORDER BY downstream_execution_id";
        let rows = self.all(sqlx::query(sql).bind(flow.0)).await?;
        rows.iter().map(flow::decode_group).collect()
    }

    async fn append_completion(&mut self, completion: &CompletionRecord) -> Result<()> {
        let sql = "INSERT INTO ff_completion_event \
                   (partition_key, execution_id, flow_id, namespace, outcome, occurred_at) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        let insert = of(sql, &completion.execution)
            .bind(completion.flow.map(|flow| flow.0))
            .bind(completion.namespace.0.clone())
            .bind(completion.outcome.as_str())
            .bind(completion.at.0);
        let event_id = self.run(insert).await?;
        self.appended.push(OutboxEvent {
            event_id,
            partition_key: completion.execution.partition().into(),
        });
        Ok(())
    }

    async fn append_lease_event(&mut self, event: &LeaseRecord) -> Result<()> {
        let sql = "INSERT INTO ff_lease_event \
                   (partition_key, execution_id, namespace, event_type, lease_id, \
                    worker_instance_id, revoked_by, occurred_at) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let kind: &'static str = event.kind.into();
        let insert = of(sql, &event.execution)
            .bind(event.namespace.0.clone())
            .bind(kind)
            .bind(event.lease.map(|lease| lease.0))
            .bind(
                event
                    .worker_instance
                    .as_ref()
                    .map(|worker| worker.0.clone()),
            )
            .bind(event.revoked_by)
            .bind(event.at.0);
        self.run(insert).await?;
        Ok(())
    }
}
