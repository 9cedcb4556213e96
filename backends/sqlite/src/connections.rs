//! Connections, lent to one transaction at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ff_transactional::StoreError;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::location::Location;

type Result<T> = std::result::Result<T, StoreError>;

/// How long a statement waits for another process, or another backend on the same file.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// The first and the longest pause before a busy database is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// Connections to one database that do the same.
///
/// A statement runs where the call runs: it takes some ten microseconds, less than the way to a thread of
/// its own and back.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Kept>);

struct Kept {
    location: Location,
    read_only: bool,
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Kept {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// As many as this, opened when they are needed.
    pub(crate) fn new(location: Location, read_only: bool, number: usize) -> Self {
        Self(Arc::new(Kept {
            location,
            read_only,
            idle: Mutex::default(),
            free: Arc::new(Semaphore::new(number)),
        }))
    }

    /// One that nobody else has, as soon as there is one.
    pub(crate) async fn lend(&self) -> Result<Lent> {
        let kept = Arc::clone(&self.0);
        let permit = Arc::clone(&kept.free).acquire_owned().await;
        let permit = permit.map_err(|closed| StoreError::Failed(closed.into()))?;
        let idle = kept.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => kept.location.open(kept.read_only).map_err(failed)?,
        };
        Ok(Lent { connection: Some(connection), kept, _permit: permit })
    }
}

/// A connection. Whatever was begun on it is over before anybody else has it.
pub(crate) struct Lent {
    /// Absent only while it is given back.
    connection: Option<Connection>,
    kept: Arc<Kept>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    /// Does this, again and again while another has the database.
    pub(crate) async fn patiently<T>(
        &mut self,
        mut work: impl FnMut(&Connection) -> Result<T> + Send,
    ) -> Result<T> {
        let connection = self.connection.as_mut();
        let connection = connection.expect("it is given back at the end");
        let begun = Instant::now();
        let [mut pause, longest] = PAUSES;
        loop {
            match work(connection) {
                Err(StoreError::Conflict) if begun.elapsed() < BUSY => {
                    sleep(pause).await;
                    pause = longest.min(pause * 2);
                }
                Err(StoreError::Conflict) => {
                    let why = format!("another has kept the database for {BUSY:?}");
                    return Err(StoreError::Failed(why.into()));
                }
                done => return done,
            }
        }
    }

    pub(crate) async fn execute(&mut self, sql: &'static str) -> Result<()> {
        let run = |connection: &Connection| connection.prepare_cached(sql)?.execute([]);
        self.patiently(|connection| run(connection).map(drop).map_err(failed)).await
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        // One that cannot be brought out of its transaction is closed, and another opened.
        if connection.is_autocommit() {
            self.kept.idle().push(connection);
        }
    }
}

/// SQLite reports a lock that it could not get as busy or locked.
pub(crate) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Conflict,
        _ => StoreError::Failed(error.into()),
    }
}
