//! Whom transactions wait for, and how they fail.

use ff_transactional::StoreError;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

/// Begins a transaction when no other has this turn, which goes with it: in a task that nobody can give
/// up half-way, as the client library would take the connection for free while the server has it in a
/// transaction.
pub(crate) async fn begin_in_turn(
    pool: &PgPool,
    turn: i64,
) -> Result<Transaction<'static, Postgres>, StoreError> {
    let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({turn})");
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(begin)).await }).await;
    begun
        .map_err(|stopped| StoreError::Failed(stopped.into()))?
        .map_err(failed)
}

/// The key of an advisory lock of this schema.
pub(crate) fn turn_of(schema: &str, what: &str) -> i64 {
    let digest = Sha256::digest(format!("{}:{schema}:{what}", schema.len()));
    let (first, _) = digest.split_at(8);
    i64::from_be_bytes(first.try_into().expect("eight bytes"))
}

/// Transactions that met, by SQLSTATE: a serialization failure, a deadlock, a lock that could not
/// be had, two that inserted the same key, and a record that has changed since it was read: the
/// statement that writes divides by what it finds unchanged.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    const CONFLICTS: [&str; 5] = ["40001", "40P01", "55P03", "23505", "22012"];
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    match code {
        Some(code) if CONFLICTS.contains(&&*code) => StoreError::Conflict,
        _ => StoreError::Failed(error.into()),
    }
}
