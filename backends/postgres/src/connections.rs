//! Connections, lent to one transaction at a time.

use std::sync::{Arc, Mutex, PoisonError};

use ff_transactional::StoreError;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;

use sqlx::postgres::{PgDatabaseError, PgPool, PgRow, PgSeverity};
use sqlx::{Executor, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::statements::Statement;
use crate::transaction::failed;

type Result<T> = std::result::Result<T, StoreError>;

/// Connections of a pool. The pool asks each that comes back whether it is alive, which is a message
/// after every call; so those that are in order are kept.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: PgPool,
    /// None, if others use the pool as well.
    kept: Option<Arc<Kept>>,
}

struct Kept {
    idle: Mutex<Vec<PoolConnection<Postgres>>>,
    free: Arc<Semaphore>,
}

impl Kept {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PoolConnection<Postgres>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// As many as this, out of a pool that nobody else needs so many of.
    pub(crate) fn kept(pool: PgPool, number: usize) -> Self {
        let (idle, free) = (Mutex::default(), Arc::new(Semaphore::new(number)));
        Self { pool, kept: Some(Arc::new(Kept { idle, free })) }
    }

    /// Of a pool that others use as well.
    pub(crate) fn shared(pool: PgPool) -> Self {
        Self { pool, kept: None }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// One that nobody else has, as soon as there is one.
    pub(crate) async fn lend(&self) -> Result<Lent> {
        let mut lent = Lent { connection: None, home: None, owes: false, begun: false };
        if let Some(kept) = &self.kept {
            let permit = Arc::clone(&kept.free).acquire_owned().await;
            let permit = permit.map_err(|closed| StoreError::Failed(closed.into()))?;
            lent.connection = kept.idle().pop();
            lent.home = Some((Arc::clone(kept), permit));
        }
        if lent.connection.is_none() {
            lent.connection = Some(self.pool.acquire().await.map_err(failed)?);
        }
        Ok(lent)
    }
}

/// A connection. Nobody else gets it while the server owes an answer or has it in a transaction.
pub(crate) struct Lent {
    /// Absent only before it is there and while it is given back.
    connection: Option<PoolConnection<Postgres>>,
    home: Option<(Arc<Kept>, OwnedSemaphorePermit)>,
    owes: bool,
    begun: bool,
}

impl Lent {
    fn connection(&mut self) -> Result<&mut PoolConnection<Postgres>> {
        let connection = self.connection.as_mut();
        connection.ok_or_else(|| StoreError::Failed("the connection is gone".into()))
    }

    pub(crate) async fn begin(&mut self, how: &'static str) -> Result<()> {
        self.begun = true;
        self.command(how).await
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        if self.begun {
            self.command("COMMIT").await?;
            self.begun = false;
        }
        Ok(())
    }

    pub(crate) async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        self.owes = true;
        let rows = statement.fetch_all(&mut **self.connection()?).await;
        self.answered(rows).await
    }

    async fn command(&mut self, sql: &'static str) -> Result<()> {
        self.owes = true;
        let done = self.connection()?.execute(sqlx::raw_sql(sql)).await;
        self.answered(done).await.map(drop)
    }

    /// Notes that the server has answered. What it refused is over, and so is the transaction; after a fatal
    /// error, so is the connection.
    async fn answered<T>(&mut self, answer: std::result::Result<T, sqlx::Error>) -> Result<T> {
        if let Err(error) = answer {
            if error.as_database_error().is_some_and(is_survived) {
                if self.begun {
                    let undone = self.connection()?.execute(sqlx::raw_sql("ROLLBACK")).await;
                    self.begun = undone.is_err();
                }
                self.owes = self.begun;
            }
            return Err(failed(error));
        }
        self.owes = false;
        answer.map_err(failed)
    }
}

/// Whether the server keeps the connection after this error (57P01 and others end it).
fn is_survived(error: &dyn DatabaseError) -> bool {
    let error = error.try_downcast_ref::<PgDatabaseError>();
    let severity = error.map(PgDatabaseError::severity);
    !matches!(severity, None | Some(PgSeverity::Fatal | PgSeverity::Panic))
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if self.owes || self.begun {
            connection.close_on_drop();
        } else if let Some((kept, _)) = &self.home {
            kept.idle().push(connection);
        }
    }
}
