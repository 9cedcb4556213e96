//! The store: what a transaction reads, locks and writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_core::backend::PrepareOutcome;
use ff_core::clock::Clock;
use ff_core::types::{LaneId, TimestampMs};
use ff_transactional::records::{Execution, Kind, Record, Stored};
use ff_transactional::{
    Access, Before, Changes, Query, Store, StoreError, Tx, Write, requirements,
};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Postgres, Transaction};

use crate::open;
use crate::statements::{Found, Lock, Statement, Statements, get, packed};
use crate::transaction::{Begin, begin, failed, lane_turn};

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
            tx: match access {
                Access::Read => Some(begin(&self.pool, Begin::Snapshot).await?),
                Access::Look | Access::Write => None,
            },
            now: None,
            known_sets: Vec::new(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        open::migrate(&self.pool, &self.schema).await
    }
}

/// A transaction. What needs no lock and no other reads beside it runs by itself.
pub(crate) struct PostgresTx {
    pool: PgPool,
    schema: String,
    sql: Arc<Statements>,
    clock: Clock,
    /// Begun by the first lock, or for several reads at one instant.
    tx: Option<Transaction<'static, Postgres>>,
    /// The server's clock, once something was read with it.
    now: Option<TimestampMs>,
    /// The requirement sets of the lane that is claimed from, when they were last read.
    known_sets: Vec<String>,
}

impl PostgresTx {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        let rows = match &mut self.tx {
            Some(tx) => statement.fetch_all(&mut **tx).await,
            None => statement.fetch_all(&self.pool).await,
        };
        rows.map_err(failed)
    }

    async fn find(&mut self, queries: &[Query], lock: Lock) -> Result<Vec<Vec<Record>>> {
        let rows = self.rows(self.sql.read(queries, lock)).await?;
        let mut found = vec![Vec::new(); queries.len()];
        for row in &rows {
            match Found::of(row)? {
                Found::Record(place, packed) => {
                    let kind = match &queries[place] {
                        Query::Key(key) => key.kind,
                        Query::Range(range) => range.kind,
                    };
                    found[place].push(kind.unpack(&packed)?);
                }
                Found::Now(now) => self.now = Some(TimestampMs(now)),
            }
        }
        Ok(found)
    }

    async fn server_time(&mut self) -> Result<TimestampMs> {
        let rows = self.rows(sqlx::query(self.sql.clock.clone())).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Failed("the server has no clock".into()))?;
        Ok(TimestampMs(get(row, "now")?))
    }

    /// The turns of the lanes in which something becomes claimable: what a claim takes is still the
    /// first when it has taken it.
    fn turns(&self, changes: &Changes) -> Vec<i64> {
        let lanes = changes.records.values().filter_map(newly_queued);
        let lanes: BTreeSet<&LaneId> = lanes.collect();
        lanes
            .into_iter()
            .map(|lane| lane_turn(&self.schema, lane))
            .collect()
    }
}

fn newly_queued(write: &Write) -> Option<&LaneId> {
    let claimable = |record: &Record| Execution::of(record).is_some_and(|it| it.is_claimable());
    let was_there = match &write.before {
        Before::Present(before) => claimable(before),
        Before::Absent | Before::Unknown => false,
    };
    let after = write
        .after
        .as_ref()
        .filter(|after| !was_there && claimable(after))?;
    Execution::of(after).map(|execution| &execution.lane)
}

impl Tx for PostgresTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        self.find(queries, Lock::None).await
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        if self.tx.is_none() {
            self.tx = Some(begin(&self.pool, Begin::Plain).await?);
        }
        self.find(queries, Lock::ForUpdate).await
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        match self.clock.manual().or(self.now) {
            Some(now) => Ok(now),
            None => self.server_time().await,
        }
    }

    async fn commit(mut self, changes: Changes) -> Result<()> {
        if !changes.is_empty() {
            let statement = self.sql.write(&changes, self.turns(&changes));
            self.rows(statement).await?;
        }
        match self.tx {
            Some(tx) => tx.commit().await.map_err(failed),
            None => Ok(()),
        }
    }

    async fn ping(&mut self) -> Result<()> {
        self.server_time().await.map(|_| ())
    }

    async fn claimable_requirements(&mut self, lane: &LaneId) -> Result<Vec<BTreeSet<String>>> {
        let statement = sqlx::query(self.sql.claimable_requirements.clone());
        let rows = self.rows(statement.bind(lane.0.clone())).await?;
        let sets: Result<Vec<String>> = rows.iter().map(|row| get(row, "requirements")).collect();
        self.known_sets = sets?;
        let known = self.known_sets.iter();
        Ok(known.map(|set| requirements::split(set)).collect())
    }

    async fn first_claimable(
        &mut self,
        lane: &LaneId,
        sets: &[BTreeSet<String>],
    ) -> Result<Option<Record>> {
        let wanted: Vec<String> = sets.iter().map(requirements::join).collect();
        self.tx = Some(begin(&self.pool, Begin::InTurn(lane_turn(&self.schema, lane))).await?);
        let first = sqlx::query(self.sql.first_claimable.clone());
        let first = first.bind(lane.0.clone()).bind(wanted);
        let rows = self.rows(first.bind(self.known_sets.clone())).await?;
        if let Some(row) = rows.first() {
            self.now = Some(TimestampMs(get(row, "now")?));
            let first = Kind::Execution.unpack(&packed(row)?)?;
            if Execution::of(&first).is_some_and(|execution| execution.is_claimable()) {
                return Ok(Some(first));
            }
        }
        // Somebody has changed it, or there are other sets: they are read again without the turn.
        if let Some(tx) = self.tx.take() {
            tx.rollback().await.map_err(failed)?;
        }
        Ok(None)
    }
}
