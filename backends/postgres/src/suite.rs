//! The suite for stores, in a schema for each check.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::atomic::{AtomicU32, Ordering};

use ff_provision::{Kind, Scratch};
use ff_transactional::suite::{Storage, check};
use sqlx::{AssertSqlSafe, Executor};

use crate::connections::Connections;
use crate::open::PostgresOptions;
use crate::store::PostgresStore;

struct Schema(PostgresOptions);

impl Storage for Schema {
    type Store = PostgresStore;

    async fn open(&self) -> PostgresStore {
        let pool = self.0.connect().await.unwrap();
        let connections = Connections::kept(pool, 8);
        self.0.clone().store(connections).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_postgres_a_schema_is_a_store() {
    let scratch = Scratch::on(Kind::Postgres).await.unwrap();
    let schemas = AtomicU32::new(0);
    let schema = |number| format!("{}_{number}", scratch.name);
    let options = |number| PostgresOptions::new(&scratch.server.url).schema(schema(number));
    let empty = || async {
        let number = schemas.fetch_add(1, Ordering::Relaxed);
        Schema(options(number).connections(8))
    };
    let wrong = check(empty).await;
    assert_eq!(wrong, []);
    let pool = options(0).connect().await.unwrap();
    for number in 0..schemas.load(Ordering::Relaxed) {
        let drop = AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", schema(number)));
        pool.execute(drop).await.unwrap();
    }
    scratch.leave().await.unwrap();
}
