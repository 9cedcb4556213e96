//! What comes after a disk that was full.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ff_conformance::plain_execution;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, LaneId};
use uuid::Uuid;

use crate::backend::SqliteBackend;
use crate::connections::failed;
use crate::open::SqliteOptions;

/// Lets the file grow to so many pages, but not below what it has.
async fn bound(backend: &SqliteBackend, pages: u32) {
    let mut writer = backend.store().writer().lend().await.unwrap();
    let bounded = writer.patiently(|connection| {
        let bound = |_: &rusqlite::Row<'_>| Ok(());
        let bounded = connection.pragma_update_and_check(None, "max_page_count", pages, bound);
        bounded.map_err(failed)
    });
    bounded.await.unwrap();
}

#[tokio::test]
async fn a_call_that_finds_the_disk_full_fails_alone() {
    let directory = tempfile::tempdir().unwrap();
    let uri = directory.path().join("full.db").display().to_string();
    let backend = SqliteOptions::new(uri).dev_mode().open().await.unwrap();
    bound(&backend, 1).await;
    let mut args = plain_execution(
        ExecutionId::from_parts(0, Uuid::new_v4()),
        LaneId::new("default"),
    );
    args.input_payload = vec![0; 65_536];
    for _ in 0..3 {
        let refused = backend.create_execution(args.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "transport", "{refused}");
        let known = backend.describe_execution(&args.execution_id).await;
        assert_eq!(known.unwrap(), None, "all of it or nothing");
    }
    bound(&backend, 1_000_000).await;
    backend.create_execution(args.clone()).await.unwrap();
    let known = backend.describe_execution(&args.execution_id).await;
    assert!(known.unwrap().is_some());
}
