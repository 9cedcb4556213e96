//! How the rules use a store: retries, outboxes, and leaving nothing behind.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::atomic::{AtomicU32, Ordering};

use ff_core::backend::{BackendTag, PrepareOutcome};
use ff_core::clock::ManualClock;
use ff_core::contracts::CreateFlowArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::types::{FlowId, TimestampMs};
use ff_mock::{MemoryStore, Settings};
use ff_transactional::{Access, Store, StoreError, Transactional};

/// A store whose transactions meet others a few times.
struct Busy {
    memory: MemoryStore,
    conflicts: AtomicU32,
}

impl Store for Busy {
    type Tx = <MemoryStore as Store>::Tx;

    async fn begin(&self, access: Access) -> Result<Self::Tx, StoreError> {
        let left = self
            .conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match left {
            Ok(_) => Err(StoreError::Conflict),
            Err(_) => self.memory.begin(access).await,
        }
    }

    async fn prepare(&self) -> Result<PrepareOutcome, StoreError> {
        self.memory.prepare().await
    }
}

async fn create_flow(conflicts: u32) -> Result<(), EngineError> {
    let store = Busy {
        memory: MemoryStore::new(ManualClock::new()),
        conflicts: AtomicU32::new(conflicts),
    };
    let settings = Settings {
        tag: BackendTag::Other("busy"),
        partitions: PartitionConfig::single(),
    };
    let backend = Transactional::new(store, settings);
    let args = CreateFlowArgs {
        flow_id: FlowId::new(),
        flow_kind: "dag".to_owned(),
        namespace: "tenant".into(),
        now: TimestampMs(0),
    };
    backend.create_flow(args).await.map(|_| ())
}

#[tokio::test]
async fn conflicts_are_tried_three_times() {
    assert_eq!(create_flow(0).await, Ok(()));
    assert_eq!(create_flow(2).await, Ok(()));
    let exhausted = create_flow(3).await.unwrap_err();
    assert_eq!(exhausted.code(), "contention.retry_exhausted");
}
