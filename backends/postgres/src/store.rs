//! The store: what a transaction reads, locks and writes.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;

use ff_core::backend::PrepareOutcome;
use ff_core::clock::Clock;
use ff_core::types::{LaneId, TimestampMs};
use ff_transactional::records::{Kind, Outbox, Range, Record};
use ff_transactional::{
    Access, Changes, Events, Feed, Inspected, Place, Query, Queues, Store, StoreError, Tx,
    WaitingClaims, first_of,
};
use sqlx::SqlStr;
use sqlx::postgres::{PgPool, PgRow};

use crate::connections::{Connections, Lent};
use crate::hints::Hints;
use crate::parts::parts;
use crate::statements::{Found, Lock, Locked, Statement, Statements, as_it_stands, get, packed};
use crate::{events, open};

type Result<T> = std::result::Result<T, StoreError>;

/// Records in tables.
pub(crate) struct PostgresStore {
    connections: Connections,
    schema: String,
    clock: Clock,
    sql: Arc<Statements>,
    hints: Hints,
}

impl PostgresStore {
    pub(crate) fn new(
        connections: Connections,
        schema: String,
        clock: Clock,
        sql: Statements,
    ) -> Self {
        Self { connections, schema, clock, sql: Arc::new(sql), hints: Hints::default() }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.connections.pool()
    }
}

impl Store for PostgresStore {
    type Tx = PostgresTx;

    async fn begin(&self, access: Access) -> Result<PostgresTx> {
        let mut tx = PostgresTx {
            connections: self.connections.clone(),
            lent: None,
            schema: self.schema.clone(),
            sql: Arc::clone(&self.sql),
            clock: self.clock.clone(),
            locks: access == Access::WriteAgain,
            begun: false,
            locked: Locked::new(),
            messages: 0,
            now: None,
            has_grant_run_out: false,
        };
        if access == Access::Read {
            let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            tx.lent().await?.begin(snapshot).await?;
        }
        Ok(tx)
    }

    fn listen(&self, lane: &LaneId, waiting: &Arc<WaitingClaims>) {
        let options = self.pool().connect_options();
        self.hints.listen(&options, &self.schema, lane, waiting);
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        open::migrate(self.pool(), &self.schema).await
    }
}

impl Feed for PostgresStore {
    async fn events(&self, outbox: Outbox, behind: Option<&Place>, limit: usize) -> Result<Events> {
        let lent = self.connections.lend().await?;
        events::events(lent, outbox, behind.map(Vec::as_slice), limit).await
    }
}

/// A transaction. At first it takes its chances: it locks nothing, remembers in which version it has
/// read what it should have locked, and writes only if all of that is still so. Who has met another
/// locks as it reads. Both give everything locked a new version if they write anything, so that a
/// record can stand for others that are read under its lock.
pub(crate) struct PostgresTx {
    connections: Connections,
    /// From the first message on.
    lent: Option<Lent>,
    schema: String,
    sql: Arc<Statements>,
    clock: Clock,
    /// Whether a lock is a lock.
    locks: bool,
    /// Whether there is a transaction at the server, for such locks.
    begun: bool,
    /// What was locked, or else read in which version.
    locked: Locked,
    /// How often the server was asked.
    messages: u32,
    /// The server's clock, once something was read with it.
    now: Option<TimestampMs>,
    /// What a claim has found.
    has_grant_run_out: bool,
}

/// How many executions of a requirement set a claim looks at, at first: as many can be locked by others.
const HEADS: i64 = 16;

impl PostgresTx {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        self.messages += 1;
        self.lent().await?.rows(statement).await
    }

    async fn lent(&mut self) -> Result<&mut Lent> {
        let lent = match self.lent.take() {
            Some(lent) => lent,
            None => self.connections.lend().await?,
        };
        Ok(self.lent.insert(lent))
    }

    async fn find(&mut self, queries: &[Query], lock: Lock) -> Result<Vec<Vec<Record>>> {
        let rows = self.rows(self.sql.read(queries, lock)).await?;
        let mut found = vec![Vec::new(); queries.len()];
        for row in &rows {
            match Found::of(row)? {
                Found::Record(place, packed, version) => {
                    let kind = match &queries[place] {
                        Query::Key(key) => key.kind,
                        Query::Range(range) => range.kind,
                    };
                    let record = kind.unpack(&packed)?;
                    if lock != Lock::None {
                        // What the rule goes by is what it has read first.
                        self.locked.entry(record.key()).or_insert(version);
                    }
                    found[place].push(record);
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
}

impl Tx for PostgresTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        self.find(queries, Lock::None).await
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        if !self.locks {
            return self.find(queries, Lock::Later).await;
        }
        if !mem::replace(&mut self.begun, true) {
            self.lent().await?.begin("BEGIN").await?;
        }
        let found = self.find(queries, Lock::ForUpdate).await?;
        if queries.len() < 2 {
            return Ok(found);
        }
        // Who has waited for a record finds it as it was left, but not what was added beside it: that is seen once
        // all is locked.
        self.find(queries, Lock::ForUpdate).await
    }

    async fn count(&mut self, range: &Range) -> Result<usize> {
        let rows = self.rows(self.sql.count(range)).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Failed("a count has no answer".into()))?;
        let count: i64 = get(row, "count")?;
        usize::try_from(count).map_err(|error| StoreError::Failed(error.into()))
    }

    async fn inspect(&mut self, range: &Range) -> Result<Vec<Inspected>> {
        let rows = self.rows(self.sql.inspect(range)).await?;
        rows.iter().map(|row| as_it_stands(range.kind, row)).collect()
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        match self.clock.manual().or(self.now) {
            Some(now) => Ok(now),
            None => self.server_time().await,
        }
    }

    async fn commit(mut self, changes: Changes) -> Result<()> {
        // What one message has read was so at one instant.
        let to_check = !self.locks && !self.locked.is_empty() && self.messages > 1;
        if !changes.is_empty() || to_check {
            let parts = parts(changes, mem::take(&mut self.locked));
            if parts.len() > 1 && !mem::replace(&mut self.begun, true) {
                self.lent().await?.begin("BEGIN").await?;
            }
            for (changes, locked) in parts {
                let statement = self.sql.write(&self.schema, &changes, &locked);
                self.rows(statement).await?;
            }
        }
        match &mut self.lent {
            Some(lent) => lent.commit().await,
            None => Ok(()),
        }
    }

    async fn ping(&mut self) -> Result<()> {
        self.server_time().await.map(|_| ())
    }

    async fn first_in(
        &mut self,
        queues: Queues,
        lane: &LaneId,
        offered: &BTreeSet<String>,
    ) -> Result<Option<Record>> {
        let offered: Vec<String> = offered.iter().cloned().collect();
        self.begun = true;
        self.lent().await?.begin("BEGIN").await?;
        let fresh = self.first_by(self.sql.first_claimable.clone(), lane, &offered).await?;
        let resumable = match queues {
            Queues::Fresh => None,
            Queues::All => self.first_by(self.sql.first_resumable.clone(), lane, &offered).await?,
        };
        Ok(first_of(fresh.into_iter().chain(resumable)))
    }

    async fn has_grant_run_out(&mut self) -> Result<bool> {
        Ok(self.has_grant_run_out)
    }
}

impl PostgresTx {
    /// What a statement finds to be the first of a lane; locked.
    async fn first_by(
        &mut self,
        statement: SqlStr,
        lane: &LaneId,
        offered: &[String],
    ) -> Result<Option<Record>> {
        let mut heads = HEADS;
        loop {
            let first = sqlx::query(statement.clone());
            let first = first.bind(lane.0.clone()).bind(offered.to_vec()).bind(heads);
            let first = first.bind(self.clock.manual().map(|now| now.0));
            let rows = self.rows(first).await?;
            let row = rows.first();
            let row = row.ok_or_else(|| StoreError::Failed("a claim has no answer".into()))?;
            self.has_grant_run_out |= get::<bool>(row, "has_grant_run_out")?;
            if get::<Option<Vec<u8>>>(row, "fixed")?.is_some() {
                self.now = Some(TimestampMs(get(row, "now")?));
                return Kind::Execution.unpack(&packed(row)?).map(Some);
            }
            let looked_at: i64 = get(row, "looked_at")?;
            if looked_at < heads {
                return Ok(None);
            }
            heads *= 16;
        }
    }
}
