//! The store: transactions that begin with the first lock and write in one statement.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use ff_core::backend::{Namespace, PrepareOutcome};
use ff_core::clock::Clock;
use ff_core::types::{EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use ff_transactional::{
    Access, Attempt, CompletionRecord, Edge, EdgeGroup, Execution, Flow, LeaseRecord, Store,
    StoreError, Tx, requirements,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row, SqlStr, Transaction};

use crate::open;
use crate::statements::Statements;
use crate::writes::{Part, Writes};

type Result<T> = std::result::Result<T, StoreError>;
type Statement = Query<'static, Postgres, PgArguments>;

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
            flows: HashSet::new(),
            writes: Writes::default(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        open::migrate(&self.pool, &self.schema).await
    }
}

/// A transaction. Reads that lock nothing run by themselves; each is one statement, and what a rule
/// reads in several never changes between them.
pub(crate) struct PostgresTx {
    pool: PgPool,
    schema: String,
    sql: Arc<Statements>,
    clock: Clock,
    access: Access,
    /// Begun by the first lock.
    tx: Option<Transaction<'static, Postgres>>,
    /// The server's clock, once something was read with it.
    now: Option<TimestampMs>,
    /// Executions that were claimable when they were last read.
    queued: HashSet<ExecutionId>,
    /// Tags that were read along with their execution.
    tags: Option<(ExecutionId, BTreeMap<String, String>)>,
    /// What was read along with a flow.
    seen_flow: Option<SeenFlow>,
    /// Flows that are known to exist.
    flows: HashSet<FlowId>,
    writes: Writes,
}

/// What is shown with a flow, as of the same instant.
struct SeenFlow {
    id: FlowId,
    tags: BTreeMap<String, String>,
    groups: Vec<EdgeGroup>,
}

impl PostgresTx {
    async fn server_time(&mut self) -> Result<TimestampMs> {
        let rows = self.read(sqlx::query(self.sql.clock.clone())).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Failed("the server has no clock".into()))?;
        Ok(TimestampMs(get(row, "now")?))
    }

    /// Rows of a statement that needs no lock.
    async fn read(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        let rows = match &mut self.tx {
            Some(tx) => statement.fetch_all(&mut **tx).await,
            None => statement.fetch_all(&self.pool).await,
        };
        rows.map_err(failed)
    }

    /// Rows of a statement whose locks and changes last until the end of the transaction.
    async fn locked(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        let tx = match &mut self.tx {
            Some(tx) => tx,
            none => none.insert(begin(&self.pool, None).await?),
        };
        statement.fetch_all(&mut **tx).await.map_err(failed)
    }

    /// Gives up all locks, keeping what was done under them.
    async fn release(&mut self) -> Result<()> {
        match self.tx.take() {
            Some(tx) => tx.commit().await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Sends what was written, for a read that would miss it or because the end has come.
    async fn flush(&mut self) -> Result<()> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let (sql, argument) = std::mem::take(&mut self.writes).statement(&self.sql);
        self.locked(sqlx::query(sql).bind(argument)).await?;
        Ok(())
    }

    /// Sends what was written, if that is one of the rows that a key stands for.
    async fn flush_row(&mut self, part: Part, key: &str) -> Result<()> {
        if self.writes.has(part, key) {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush_if(&mut self, parts: &[Part]) -> Result<()> {
        if self.writes.touches(parts) {
            self.flush().await?;
        }
        Ok(())
    }

    /// The execution in a row of `record` and `now`, and the clock for later.
    fn execution_of(&mut self, rows: &[PgRow]) -> Result<Option<Execution>> {
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        self.now = Some(TimestampMs(get(row, "now")?));
        let Some(mut record) = get::<Option<Value>>(row, "record")? else {
            return Ok(None);
        };
        let tags = decode("tags", record["tags"].take())?;
        let execution: Execution = decode("execution", record)?;
        self.tags = Some((execution.id.clone(), tags));
        self.note_queued(&execution);
        Ok(Some(execution))
    }

    fn note_queued(&mut self, execution: &Execution) {
        if execution.is_claimable() {
            self.queued.insert(execution.id.clone());
        } else {
            self.queued.remove(&execution.id);
        }
    }

    /// The flow; its tags and groups are kept for later.
    async fn flow_and_groups(&mut self, id: &FlowId) -> Result<Option<Flow>> {
        let statement = sqlx::query(self.sql.flow.clone()).bind(id.0);
        let rows = self.read(statement).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let mut record: Value = get(row, "record")?;
        self.seen_flow = Some(SeenFlow {
            id: *id,
            tags: decode("tags", record["tags"].take())?,
            groups: decode("edge group", get(row, "groups")?)?,
        });
        decode("flow", record).map(Some)
    }

    async fn ids<T: From<String>>(&mut self, statement: Statement) -> Result<Vec<T>> {
        let rows = self.read(statement).await?;
        rows.iter()
            .map(|row| get::<String>(row, "id").map(T::from))
            .collect()
    }

    async fn execution_ids(&mut self, statement: Statement) -> Result<Vec<ExecutionId>> {
        let ids: Vec<String> = self.ids(statement).await?;
        ids.into_iter()
            .map(|id| decode("execution id", id.into()))
            .collect()
    }

    async fn bytes(&mut self, sql: &SqlStr, id: &ExecutionId) -> Result<Option<Vec<u8>>> {
        let rows = self.read(of(sql, id)).await?;
        rows.first().map(|row| get(row, "bytes")).transpose()
    }

    /// Edges by their own id, or by the end that a statement looks for.
    async fn edges(&mut self, statement: Statement, named: &str) -> Result<Vec<Edge>> {
        self.flush_row(Part::Edges, named).await?;
        records("edge", &self.read(statement).await?)
    }
}

/// Begins a transaction in a task that nobody can give up half-way: the client library would take
/// the connection for free while the server has it in a transaction. With a `turn` it begins when
/// no other transaction has that turn; the turn goes with the transaction.
pub(crate) async fn begin(
    pool: &PgPool,
    turn: Option<i64>,
) -> Result<Transaction<'static, Postgres>> {
    let begin = match turn {
        Some(turn) => format!("BEGIN; SELECT pg_advisory_xact_lock({turn})"),
        None => "BEGIN".to_owned(),
    };
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(begin)).await }).await;
    begun
        .map_err(|stopped| StoreError::Failed(stopped.into()))?
        .map_err(failed)
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
        rows.iter()
            .map(|row| Ok(requirements::split(&get::<String>(row, "requirements")?)))
            .collect()
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
        let rows = self.locked(first.bind(lane.0.clone()).bind(wanted)).await?;
        match self.execution_of(&rows)? {
            Some(execution) if execution.is_claimable() => return Ok(Some(execution)),
            Some(stale) => drop(self.locked(of(&self.sql.drop_stale, &stale.id)).await?),
            None => {}
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

/// `sql` of one execution.
fn of(sql: &SqlStr, id: &ExecutionId) -> Statement {
    sqlx::query(sql.clone()).bind(id.to_string())
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

/// The turn that claims of a lane take, so that none passes over what another is about to take and
/// then leaves. Whoever adds to the lane takes it with others of its kind, so that nothing comes before
/// what a claim has found (SYS-035).
fn lane_turn(schema: &str, lane: &LaneId) -> i64 {
    turn_of(schema, &format!("lane {lane}"))
}

/// The key of an advisory lock of this schema.
pub(crate) fn turn_of(schema: &str, what: &str) -> i64 {
    let digest = Sha256::digest(format!("{}:{schema}:{what}", schema.len()));
    let (first, _) = digest.split_at(8);
    i64::from_be_bytes(first.try_into().expect("eight bytes"))
}

fn get<'r, T>(row: &'r PgRow, name: &str) -> Result<T>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    row.try_get(name).map_err(|error| StoreError::Corrupt {
        record: "row",
        detail: format!("{name}: {error}"),
    })
}

/// The records in rows of `record`.
fn records<T: DeserializeOwned>(record: &'static str, rows: &[PgRow]) -> Result<Vec<T>> {
    rows.iter()
        .map(|row| decode(record, get(row, "record")?))
        .collect()
}

/// Whatever does not decode is corruption, never a default.
fn decode<T: DeserializeOwned>(record: &'static str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| StoreError::Corrupt {
        record,
        detail: error.to_string(),
    })
}

/// Transactions that met, by SQLSTATE: a serialization failure, a deadlock, a lock that could not
/// be had, and two that inserted the same key.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    const CONFLICTS: [&str; 4] = ["40001", "40P01", "55P03", "23505"];
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    match code {
        Some(code) if CONFLICTS.contains(&&*code) => StoreError::Conflict,
        _ => StoreError::Failed(error.into()),
    }
}
