//! Connections, lent to one transaction at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of a pool. The pool asks each that comes back whether it is alive, which costs a trip to
/// the connection's thread; those of a file are therefore kept.
#[derive(Clone)]
pub(crate) enum Connections {
    /// The one that is the database, for whoever uses the pool.
    Shared(SqlitePool),
    Kept(Arc<Kept>),
}

pub(crate) struct Kept {
    idle: Mutex<Vec<PoolConnection<Sqlite>>>,
    free: Arc<Semaphore>,
}

impl Kept {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PoolConnection<Sqlite>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Takes so many out of the pool for good.
    pub(crate) async fn kept(pool: &SqlitePool, number: u32) -> Result<Self, sqlx::Error> {
        let mut idle = Vec::new();
        for _ in 0..number {
            idle.push(pool.acquire().await?);
        }
        let free = Arc::new(Semaphore::new(idle.len()));
        Ok(Self::Kept(Arc::new(Kept {
            idle: Mutex::new(idle),
            free,
        })))
    }

    /// One that nobody else has, as soon as there is one.
    pub(crate) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let (connection, home) = match self {
            Self::Shared(pool) => (pool.acquire().await?, None),
            Self::Kept(kept) => {
                let free = Arc::clone(&kept.free).acquire_owned().await;
                let permit = free.map_err(|_| sqlx::Error::PoolClosed)?;
                let idle = kept.idle().pop().ok_or(sqlx::Error::PoolClosed)?;
                (idle, Some((Arc::clone(kept), permit)))
            }
        };
        Ok(Lent {
            connection: Some(connection),
            home,
            begun: false,
        })
    }
}

/// A connection. Whatever was begun on it is over before anybody else has it.
pub(crate) struct Lent {
    /// Absent only while it is given back.
    connection: Option<PoolConnection<Sqlite>>,
    home: Option<(Arc<Kept>, OwnedSemaphorePermit)>,
    pub(crate) begun: bool,
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection
            .as_ref()
            .expect("it is given back at the end")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection
            .as_mut()
            .expect("it is given back at the end")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.begun {
            // Its thread gets this at once, and does it before anything else. If nothing was begun
            // after all, it says so to nobody.
            let _ = sqlx::raw_sql("ROLLBACK")
                .execute(&mut **self)
                .now_or_never();
        }
        if let Some((kept, permit)) = self.home.take() {
            kept.idle().extend(self.connection.take());
            drop(permit);
        }
    }
}
