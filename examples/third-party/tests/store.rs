//! The suite for stores, on a file for each check.

use ff_core::clock::Clock;
use ff_transactional::suite::{Storage, check};
use redb_backend::RedbStore;
use tempfile::TempDir;

struct File(TempDir);

impl Storage for File {
    type Store = RedbStore;

    async fn open(&self) -> RedbStore {
        RedbStore::open(self.0.path().join("store.redb"), Clock::Server).expect("it opens")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_a_store() {
    let empty = || async { File(tempfile::tempdir().expect("a directory")) };
    assert_eq!(check(empty).await, []);
}
