//! A transaction: when it begins, what it has read and what it has yet to write.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ff_core::clock::Clock;
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs};
use ff_transactional::{Access, Edge, EdgeGroup, Execution, Flow, StoreError};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, SqlStr, Transaction};

use crate::row::{decode, get, records};
use crate::statements::Statements;
use crate::writes::{Part, Writes};

type Result<T> = std::result::Result<T, StoreError>;
pub(crate) type Statement = Query<'static, Postgres, PgArguments>;

/// A transaction. Reads that lock nothing run by themselves; each is one statement, and what a rule
/// reads in several never changes between them.
pub(crate) struct PostgresTx {
    pub(crate) pool: PgPool,
    pub(crate) schema: String,
    pub(crate) sql: Arc<Statements>,
    pub(crate) clock: Clock,
    pub(crate) access: Access,
    /// Begun by the first lock.
    pub(crate) tx: Option<Transaction<'static, Postgres>>,
    /// The server's clock, once something was read with it.
    pub(crate) now: Option<TimestampMs>,
    /// Executions that were claimable when they were last read.
    pub(crate) queued: HashSet<ExecutionId>,
    /// Tags that were read along with their execution.
    pub(crate) tags: Option<(ExecutionId, BTreeMap<String, String>)>,
    /// The requirement sets of the lane that is claimed from, when they were last read.
    pub(crate) known_sets: Vec<String>,
    /// What was read along with a flow.
    pub(crate) seen_flow: Option<SeenFlow>,
    /// Flows that are known to exist.
    pub(crate) flows: HashSet<FlowId>,
    pub(crate) writes: Writes,
}

/// What is shown with a flow, as of the same instant.
pub(crate) struct SeenFlow {
    pub(crate) id: FlowId,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) groups: Vec<EdgeGroup>,
}

impl PostgresTx {
    pub(crate) async fn server_time(&mut self) -> Result<TimestampMs> {
        let rows = self.read(sqlx::query(self.sql.clock.clone())).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Failed("the server has no clock".into()))?;
        Ok(TimestampMs(get(row, "now")?))
    }

    /// Rows of a statement that needs no lock.
    pub(crate) async fn read(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        let rows = match &mut self.tx {
            Some(tx) => statement.fetch_all(&mut **tx).await,
            None => statement.fetch_all(&self.pool).await,
        };
        rows.map_err(failed)
    }

    /// Rows of a statement whose locks and changes last until the end of the transaction.
    pub(crate) async fn locked(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        let tx = match &mut self.tx {
            Some(tx) => tx,
            none => none.insert(begin(&self.pool, None).await?),
        };
        statement.fetch_all(&mut **tx).await.map_err(failed)
    }

    /// Gives up all locks, keeping what was done under them.
    pub(crate) async fn release(&mut self) -> Result<()> {
        match self.tx.take() {
            Some(tx) => tx.commit().await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Sends what was written, for a read that would miss it or because the end has come.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let (sql, argument) = std::mem::take(&mut self.writes).statement(&self.sql);
        self.locked(sqlx::query(sql).bind(argument)).await?;
        Ok(())
    }

    /// Sends what was written, if that is one of the rows that a key stands for.
    pub(crate) async fn flush_row(&mut self, part: Part, key: &str) -> Result<()> {
        if self.writes.has(part, key) {
            self.flush().await?;
        }
        Ok(())
    }

    pub(crate) async fn flush_if(&mut self, parts: &[Part]) -> Result<()> {
        if self.writes.touches(parts) {
            self.flush().await?;
        }
        Ok(())
    }

    /// The execution in a row of `record` and `now`, and the clock for later.
    pub(crate) fn execution_of(&mut self, rows: &[PgRow]) -> Result<Option<Execution>> {
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

    pub(crate) fn note_queued(&mut self, execution: &Execution) {
        if execution.is_claimable() {
            self.queued.insert(execution.id.clone());
        } else {
            self.queued.remove(&execution.id);
        }
    }

    /// The flow; its tags and groups are kept for later.
    pub(crate) async fn flow_and_groups(&mut self, id: &FlowId) -> Result<Option<Flow>> {
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

    pub(crate) async fn ids<T: From<String>>(&mut self, statement: Statement) -> Result<Vec<T>> {
        let rows = self.read(statement).await?;
        rows.iter()
            .map(|row| get::<String>(row, "id").map(T::from))
            .collect()
    }

    pub(crate) async fn execution_ids(&mut self, statement: Statement) -> Result<Vec<ExecutionId>> {
        let ids: Vec<String> = self.ids(statement).await?;
        ids.into_iter()
            .map(|id| decode("execution id", id.into()))
            .collect()
    }

    pub(crate) async fn bytes(
        &mut self,
        sql: &SqlStr,
        id: &ExecutionId,
    ) -> Result<Option<Vec<u8>>> {
        let rows = self.read(of(sql, id)).await?;
        rows.first().map(|row| get(row, "bytes")).transpose()
    }

    /// Edges by their own id, or by the end that a statement looks for.
    pub(crate) async fn edges(&mut self, statement: Statement, named: &str) -> Result<Vec<Edge>> {
        self.flush_row(Part::Edges, named).await?;
        records("edge", &self.read(statement).await?)
    }
}

/// `sql` of one execution.
pub(crate) fn of(sql: &SqlStr, id: &ExecutionId) -> Statement {
    sqlx::query(sql.clone()).bind(id.to_string())
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

/// The turn that claims of a lane take, so that none passes over what another is about to take and
/// then leaves. Whoever adds to the lane takes it with others of its kind, so that nothing comes before
/// what a claim has found (SYS-035).
pub(crate) fn lane_turn(schema: &str, lane: &LaneId) -> i64 {
    turn_of(schema, &format!("lane {lane}"))
}

/// The key of an advisory lock of this schema.
pub(crate) fn turn_of(schema: &str, what: &str) -> i64 {
    let digest = Sha256::digest(format!("{}:{schema}:{what}", schema.len()));
    let (first, _) = digest.split_at(8);
    i64::from_be_bytes(first.try_into().expect("eight bytes"))
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
