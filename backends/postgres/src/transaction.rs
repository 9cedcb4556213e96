//! Whom transactions wait for, and how they fail.

use ff_transactional::StoreError;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

/// Begins a transaction when no other has this turn, which goes with it. Nobody can give up the beginning
/// half-way, as the client library would take the connection for free while the server has it in a
/// transaction; and it begins before it waits, so that a wait that fails is rolled back.
pub(crate) async fn begin_in_turn(
    pool: &PgPool,
    turn: i64,
) -> Result<Transaction<'static, Postgres>, StoreError> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await }).await;
    let mut transaction =
        begun.map_err(|stopped| StoreError::Failed(stopped.into()))?.map_err(failed)?;
    let wait = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(turn);
    wait.execute(&mut *transaction).await.map_err(failed)?;
    Ok(transaction)
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
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code {
        Some(code) if CONFLICTS.contains(&&*code) => StoreError::Conflict,
        _ => StoreError::Failed(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test fails by panicking.

    use ff_provision::{Kind, Scratch};
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::*;

    #[tokio::test]
    async fn needs_postgres_a_turn_that_is_not_had_leaves_no_transaction_open() {
        let scratch = Scratch::on(Kind::Postgres).await.unwrap();
        let url: PgConnectOptions = scratch.server.url.parse().unwrap();
        let one = PgPoolOptions::new().max_connections(1);
        let holder = one.clone().connect_with(url.clone()).await.unwrap();
        let turn = turn_of(&scratch.name, "test");
        let held = begin_in_turn(&holder, turn).await.unwrap();
        for setting in ["statement_timeout", "lock_timeout"] {
            let url = url.clone().options([(setting, "50")]);
            let waits = one.clone().connect_with(url).await.unwrap();
            begin_in_turn(&waits, turn).await.unwrap_err();
            // In a transaction, time stands still.
            let now = || {
                sqlx::query_scalar::<_, f64>("SELECT extract(epoch FROM now())::float8")
                    .fetch_one(&waits)
            };
            assert!(now().await.unwrap() < now().await.unwrap(), "{setting}");
        }
        drop(held);
        scratch.leave().await.unwrap();
    }
}
