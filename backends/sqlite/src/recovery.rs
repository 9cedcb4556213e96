//! What comes after a disk that was full, or could not be written to.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ff_conformance::plain_execution;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, LaneId};
use uuid::Uuid;

use crate::backend::SqliteBackend;
use crate::connections::failed;
use crate::open::SqliteOptions;

/// Sets something of the writer's connection.
async fn set(backend: &SqliteBackend, pragma: &'static str, value: u32) {
    let mut writer = backend.store().writer().lend().await.unwrap();
    let set = writer.patiently(|connection| {
        connection.execute_batch(&format!("PRAGMA {pragma} = {value}")).map_err(failed)
    });
    set.await.unwrap();
}

/// An execution cannot be created, the way it is now; with this it can again.
async fn refuses_until(backend: &SqliteBackend, mend: impl AsyncFnOnce(&SqliteBackend)) {
    let id = ExecutionId::from_parts(0, Uuid::new_v4());
    let mut args = plain_execution(id, LaneId::new("default"));
    args.input_payload = vec![0; 65_536];
    for _ in 0..3 {
        let refused = backend.create_execution(args.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "transport", "{refused}");
        let known = backend.describe_execution(&args.execution_id).await;
        assert_eq!(known.unwrap(), None, "all of it or nothing");
    }
    mend(backend).await;
    backend.create_execution(args.clone()).await.unwrap();
    let known = backend.describe_execution(&args.execution_id).await;
    assert!(known.unwrap().is_some());
}

#[tokio::test]
async fn calls_that_cannot_write_fail_alone() {
    let directory = tempfile::tempdir().unwrap();
    let uri = directory.path().join("full.db").display().to_string();
    let backend = SqliteOptions::new(uri).dev_mode().open().await.unwrap();
    // The file may have this many pages, but not fewer than it has.
    set(&backend, "max_page_count", 1).await;
    refuses_until(&backend, async |it| {
        set(it, "max_page_count", 1_000_000).await;
    })
    .await;
    // As on a file system that is read-only.
    set(&backend, "query_only", 1).await;
    refuses_until(&backend, async |it| {
        set(it, "query_only", 0).await;
    })
    .await;
}
