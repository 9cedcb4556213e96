//! The store: how each kind of record is read and written.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use ff_core::backend::{Namespace, PrepareOutcome};
use ff_core::clock::Clock;
use ff_core::types::{EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use ff_transactional::{
    Access, Attempt, CompletionRecord, Edge, EdgeGroup, Execution, Flow, LeaseRecord, Store,
    StoreError, Tx, requirements,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPool;

use crate::open;
use crate::row::{decode, get, records};
use crate::statements::Statements;
use crate::transaction::{PostgresTx, begin, lane_turn, of};
use crate::writes::{Part, Writes};

type Result<T> = std::result::Result<T, StoreError>;

/// Records in tables.
pub(crate) struct PostgresStore {
    pool: PgPool,
    schema: String,
    clock: Clock,
    sql: Arc<Statements>,
}

impl PostgresStore {
    pub(crate) fn new(pool: PgPool, schema: String, clock: Clock, sql: Statements) -> Self {
        Self {
            pool,
            schema,
            clock,
            sql: Arc::new(sql),
        }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl Store for PostgresStore {
    type Tx = PostgresTx;

    async fn begin(&self, access: Access) -> Result<PostgresTx> {
        Ok(PostgresTx {
            pool: self.pool.clone(),
            schema: self.schema.clone(),
            sql: Arc::clone(&self.sql),
            clock: self.clock.clone(),
            access,
            tx: None,
            now: None,
            queued: HashSet::new(),
            tags: None,
            seen_flow: None,
            known_sets: Vec::new(),
            flows: HashSet::new(),
            writes: Writes::default(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        open::migrate(&self.pool, &self.schema).await
    }
}

impl Tx for PostgresTx {
    async fn commit(mut self) -> Result<()> {
        self.flush().await?;
        self.release().await
    }

    async fn ping(&mut self) -> Result<()> {
        self.server_time().await.map(|_| ())
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        if let Some(now) = self.clock.manual().or(self.now) {
            return Ok(now);
        }
        let now = self.server_time().await?;
        self.now = Some(now);
        Ok(now)
    }

    async fn execution(&mut self, id: &ExecutionId) -> Result<Option<Execution>> {
        self.flush_row(Part::Created, id.as_str()).await?;
        self.flush_row(Part::Updated, id.as_str()).await?;
        let rows = match self.access {
            Access::Read => self.read(of(&self.sql.execution, id)).await?,
            Access::Write => self.locked(of(&self.sql.execution_locked, id)).await?,
        };
        self.execution_of(&rows)
    }

    async fn peek(&mut self, id: &ExecutionId) -> Result<Option<Execution>> {
        self.flush_row(Part::Updated, id.as_str()).await?;
        let rows = self.read(of(&self.sql.execution, id)).await?;
        rows.first()
            .and_then(|row| get(row, "record").transpose())
            .map(|record| decode("execution", record?))
            .transpose()
    }

    async fn insert_execution(
        &mut self,
        execution: &Execution,
        payload: &[u8],
        tags: &BTreeMap<String, String>,
    ) -> Result<()> {
        if execution.is_claimable() {
            self.writes
                .await_claims(lane_turn(&self.schema, &execution.lane));
        }
        self.writes.create(execution, payload, tags)
    }

    async fn update_execution(&mut self, execution: &Execution) -> Result<()> {
        let queued = self.queued.contains(&execution.id);
        if execution.is_claimable() && !queued {
            self.writes
                .await_claims(lane_turn(&self.schema, &execution.lane));
        }
        self.writes.update(execution, queued)
    }

    async fn payload(&mut self, id: &ExecutionId) -> Result<Vec<u8>> {
        let sql = self.sql.payload.clone();
        let found = self.bytes(&sql, id).await?;
        found.ok_or_else(|| StoreError::Corrupt {
            record: "payload",
            detail: format!("{id} has none"),
        })
    }

    async fn put_payload(&mut self, id: &ExecutionId, payload: &[u8]) -> Result<()> {
        self.writes.put_payload(id, payload);
        Ok(())
    }

    async fn result(&mut self, id: &ExecutionId) -> Result<Option<Vec<u8>>> {
        let sql = self.sql.result.clone();
        self.bytes(&sql, id).await
    }

    async fn put_result(&mut self, id: &ExecutionId, result: &[u8]) -> Result<()> {
        self.writes.put_result(id, result);
        Ok(())
    }

    async fn remove_result(&mut self, id: &ExecutionId) -> Result<()> {
        let sql = self.sql.remove_result.clone();
        self.locked(of(&sql, id)).await?;
        Ok(())
    }

    async fn tags(&mut self, id: &ExecutionId) -> Result<BTreeMap<String, String>> {
        if self.tags.as_ref().is_none_or(|(of, _)| of != id) {
            self.execution(id).await?;
        }
        Ok(self.tags.take().map(|(_, tags)| tags).unwrap_or_default())
    }

    async fn put_tag(&mut self, id: &ExecutionId, key: &str, value: &str) -> Result<()> {
        self.writes.tag(id, key, value)
    }

    async fn put_attempt(&mut self, id: &ExecutionId, attempt: &Attempt) -> Result<()> {
        self.writes.put_attempt(id, attempt)
    }

    async fn attempt(&mut self, id: &ExecutionId, index: u32) -> Result<Option<Attempt>> {
        self.flush_if(&[Part::Attempts]).await?;
        let statement = of(&self.sql.attempt, id).bind(i64::from(index));
        let rows = self.read(statement).await?;
        Ok(records("attempt", &rows)?.pop())
    }

    async fn idempotency(
        &mut self,
        partition: u16,
        namespace: &Namespace,
        key: &str,
    ) -> Result<Option<(ExecutionId, TimestampMs)>> {
        let statement = sqlx::query(self.sql.idempotency.clone())
            .bind(idempotency_digest(partition, namespace, key));
        let rows = self.locked(statement).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let id: String = get(row, "execution_id")?;
        if id.is_empty() {
            return Ok(None);
        }
        let until = TimestampMs(get(row, "expires_at")?);
        Ok(Some((decode("execution id", id.into())?, until)))
    }

    async fn put_idempotency(
        &mut self,
        namespace: &Namespace,
        key: &str,
        id: &ExecutionId,
        until: TimestampMs,
    ) -> Result<()> {
        let digest = idempotency_digest(id.partition(), namespace, key);
        self.writes.put_idempotency(&digest, id, until.0);
        Ok(())
    }

    async fn executions_after(
        &mut self,
        partition: u16,
        cursor: Option<&ExecutionId>,
        limit: usize,
    ) -> Result<Vec<ExecutionId>> {
        let prefix = format!("{{fp:{partition}}}:");
        let after = cursor.map_or(prefix, ToString::to_string);
        // A semicolon follows the colon.
        let end = format!("{{fp:{partition}}};");
        let statement = sqlx::query(self.sql.executions_after.clone())
            .bind(after)
            .bind(end)
            .bind(page(limit));
        self.execution_ids(statement).await
    }

    async fn put_lane(&mut self, lane: &LaneId) -> Result<()> {
        self.writes.put_lane(lane);
        Ok(())
    }

    async fn lanes_after(&mut self, cursor: Option<&LaneId>, limit: usize) -> Result<Vec<LaneId>> {
        let after = cursor.map_or_else(String::new, |cursor| cursor.0.clone());
        let statement = sqlx::query(self.sql.lanes_after.clone());
        self.ids(statement.bind(after).bind(page(limit))).await
    }

    async fn claimable_requirements(&mut self, lane: &LaneId) -> Result<Vec<BTreeSet<String>>> {
        let statement = sqlx::query(self.sql.claimable_requirements.clone());
        let rows = self.read(statement.bind(lane.0.clone())).await?;
        let sets: Result<Vec<String>> = rows.iter().map(|row| get(row, "requirements")).collect();
        self.known_sets = sets?;
        let known = self.known_sets.iter();
        Ok(known.map(|set| requirements::split(set)).collect())
    }

    async fn first_claimable(
        &mut self,
        lane: &LaneId,
        sets: &[BTreeSet<String>],
    ) -> Result<Option<Execution>> {
        let wanted: Vec<String> = sets.iter().map(requirements::join).collect();
        let turn = lane_turn(&self.schema, lane);
        if self.tx.is_none() {
            self.tx = Some(begin(&self.pool, Some(turn)).await?);
        }
        let first = sqlx::query(self.sql.first_claimable.clone());
        let first = first.bind(lane.0.clone()).bind(wanted);
        let first = first.bind(self.known_sets.clone());
        let rows = self.locked(first).await?;
        match self.execution_of(&rows)? {
            Some(execution) if execution.is_claimable() => return Ok(Some(execution)),
            Some(stale) => drop(self.locked(of(&self.sql.drop_stale, &stale.id)).await?),
            // There are other sets, or none: they are read again under the turn.
            None => return Ok(None),
        }
        self.release().await?;
        Ok(None)
    }

    async fn flow(&mut self, id: &FlowId) -> Result<Option<Flow>> {
        if self.access == Access::Read {
            return self.flow_and_groups(id).await;
        }
        self.flush_if(&[Part::FlowsCreated, Part::FlowsUpdated])
            .await?;
        let statement = sqlx::query(self.sql.flow_locked.clone()).bind(id.0);
        let rows = self.locked(statement).await?;
        let flow = records("flow", &rows)?.pop();
        if flow.is_some() {
            self.flows.insert(*id);
        }
        Ok(flow)
    }

    async fn put_flow(&mut self, flow: &Flow) -> Result<()> {
        if self.flows.insert(flow.id) {
            self.writes.create_flow(flow)
        } else {
            self.writes.update_flow(flow)
        }
    }

    async fn flow_tags(&mut self, id: &FlowId) -> Result<BTreeMap<String, String>> {
        if let Some(seen) = &mut self.seen_flow
            && seen.id == *id
        {
            return Ok(std::mem::take(&mut seen.tags));
        }
        let statement = sqlx::query(self.sql.flow_tags.clone()).bind(id.0);
        let rows = self.read(statement).await?;
        let tags = rows.first().map(|row| get::<Value>(row, "tags"));
        tags.map_or_else(|| Ok(BTreeMap::new()), |tags| decode("tags", tags?))
    }

    async fn put_flow_tag(&mut self, id: &FlowId, key: &str, value: &str) -> Result<()> {
        self.writes.tag_flow(id, key, value)
    }

    async fn flows_after(
        &mut self,
        partition: u16,
        cursor: Option<&FlowId>,
        limit: usize,
    ) -> Result<Vec<Flow>> {
        let statement = sqlx::query(self.sql.flows_after.clone())
            .bind(i32::from(partition))
            .bind(cursor.map(|cursor| cursor.0))
            .bind(page(limit));
        records("flow", &self.read(statement).await?)
    }

    async fn members(&mut self, flow: &FlowId) -> Result<Vec<Execution>> {
        self.flush_if(&[Part::Created, Part::Updated]).await?;
        let statement = sqlx::query(self.sql.members.clone()).bind(flow.0);
        let rows = self.locked(statement).await?;
        if let Some(last) = rows.last() {
            self.now = Some(TimestampMs(get(last, "now")?));
        }
        let members: Vec<Execution> = records("execution", &rows)?;
        for member in &members {
            self.note_queued(member);
        }
        Ok(members)
    }

    async fn put_backlog(
        &mut self,
        flow: &FlowId,
        members: &[ExecutionId],
        due_at: TimestampMs,
    ) -> Result<()> {
        for member in members {
            self.writes.put_backlog(flow, member, due_at.0);
        }
        Ok(())
    }

    async fn strike_backlog(&mut self, flow: &FlowId, member: &ExecutionId) -> Result<()> {
        let statement = sqlx::query(self.sql.strike_backlog.clone()).bind(flow.0);
        self.locked(statement.bind(member.to_string())).await?;
        Ok(())
    }

    async fn has_backlog(&mut self, flow: &FlowId) -> Result<bool> {
        let statement = sqlx::query(self.sql.has_backlog.clone()).bind(flow.0);
        let rows = self.read(statement).await?;
        rows.first().map_or(Ok(false), |row| get(row, "found"))
    }

    async fn edge(&mut self, flow: &FlowId, id: &EdgeId) -> Result<Option<Edge>> {
        let statement = sqlx::query(self.sql.edge.clone()).bind(flow.0).bind(id.0);
        let named = id.to_string();
        Ok(self.edges(statement, &named).await?.pop())
    }

    async fn put_edge(&mut self, edge: &Edge) -> Result<()> {
        self.writes.put_edge(edge)
    }

    async fn edges_from(&mut self, flow: &FlowId, upstream: &ExecutionId) -> Result<Vec<Edge>> {
        let statement = sqlx::query(self.sql.edges_from.clone()).bind(flow.0);
        let statement = statement.bind(upstream.to_string());
        self.edges(statement, upstream.as_str()).await
    }

    async fn edges_to(&mut self, flow: &FlowId, downstream: &ExecutionId) -> Result<Vec<Edge>> {
        let statement = sqlx::query(self.sql.edges_to.clone()).bind(flow.0);
        let statement = statement.bind(downstream.to_string());
        self.edges(statement, downstream.as_str()).await
    }

    async fn group(
        &mut self,
        flow: &FlowId,
        downstream: &ExecutionId,
    ) -> Result<Option<EdgeGroup>> {
        self.flush_row(Part::Groups, downstream.as_str()).await?;
        let statement = sqlx::query(self.sql.group.clone()).bind(flow.0);
        let rows = self.read(statement.bind(downstream.to_string())).await?;
        Ok(records("edge group", &rows)?.pop())
    }

    async fn execution_and_group(
        &mut self,
        id: &ExecutionId,
    ) -> Result<Option<(Execution, Option<EdgeGroup>)>> {
        let sql = self.sql.execution_and_group.clone();
        let rows = self.read(of(&sql, id)).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let execution = decode("execution", get(row, "record")?)?;
        Ok(Some((
            execution,
            decode("edge group", get(row, "edge_group")?)?,
        )))
    }

    async fn put_group(&mut self, group: &EdgeGroup) -> Result<()> {
        self.writes.put_group(group)
    }

    async fn groups(&mut self, flow: &FlowId) -> Result<Vec<EdgeGroup>> {
        if let Some(seen) = &mut self.seen_flow
            && seen.id == *flow
        {
            return Ok(std::mem::take(&mut seen.groups));
        }
        self.flush_if(&[Part::Groups]).await?;
        let statement = sqlx::query(self.sql.groups.clone()).bind(flow.0);
        records("edge group", &self.read(statement).await?)
    }

    async fn append_completion(&mut self, completion: &CompletionRecord) -> Result<()> {
        self.writes.append_completion(completion)
    }

    async fn append_lease_event(&mut self, event: &LeaseRecord) -> Result<()> {
        self.writes.append_lease_event(event)
    }
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// What a key is found by; lengths keep the parts apart.
fn idempotency_digest(partition: u16, namespace: &Namespace, key: &str) -> String {
    let namespace = namespace.as_str();
    let text = format!("{partition}:{}:{namespace}:{key}", namespace.len());
    format!("{:x}", Sha256::digest(text))
}
