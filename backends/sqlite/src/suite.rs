//! The suite for stores, on files and in memory.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::Mutex;

use ff_transactional::suite::{Storage, check};
use tempfile::TempDir;

use crate::open::SqliteOptions;
use crate::store::SqliteStore;

async fn open(uri: String) -> SqliteStore {
    SqliteOptions::new(uri).dev_mode().store().await.unwrap()
}

struct File(TempDir);

impl Storage for File {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        open(format!("file:{}", self.0.path().join("store.db").display())).await
    }
}

/// Memory goes with its connection, so there is one store.
struct Memory(Mutex<Option<SqliteStore>>);

impl Storage for Memory {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        self.0.lock().unwrap().take().expect("memory is opened once")
    }

    fn is_durable(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_a_store() {
    assert_eq!(check(|| async { File(tempfile::tempdir().unwrap()) }).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_a_store() {
    let memory = || async { Memory(Mutex::new(Some(open(":memory:".to_owned()).await))) };
    assert_eq!(check(memory).await, []);
}
