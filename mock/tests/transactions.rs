//! How the rules use a store: retries, outboxes, and leaving nothing behind.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ff_core::backend::{BackendTag, CapabilitySet, ClaimPolicy, PrepareOutcome};
use ff_core::clock::ManualClock;
use ff_core::contracts::CreateFlowArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::types::{FlowId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use ff_mock::{MemoryStore, Settings};
use ff_transactional::records::Outbox;
use ff_transactional::{Access, Events, Feed, Place, Store, StoreError, Transactional};

/// A store whose transactions meet others a few times, and are counted.
struct Busy {
    memory: MemoryStore,
    conflicts: AtomicU32,
    begun: AtomicU32,
}

impl Feed for Busy {
    async fn events(
        &self,
        outbox: Outbox,
        behind: Option<&Place>,
        limit: usize,
    ) -> Result<Events, StoreError> {
        self.memory.events(outbox, behind, limit).await
    }
}

impl Store for Busy {
    type Tx = <MemoryStore as Store>::Tx;

    async fn begin(&self, access: Access) -> Result<Self::Tx, StoreError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let left = self
            .conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(StoreError::Conflict),
            Err(_) => self.memory.begin(access).await,
        }
    }

    async fn prepare(&self) -> Result<PrepareOutcome, StoreError> {
        self.memory.prepare().await
    }
}

fn backend(conflicts: u32) -> Transactional<Busy> {
    let store = Busy {
        memory: MemoryStore::new(ManualClock::new()),
        conflicts: AtomicU32::new(conflicts),
        begun: AtomicU32::new(0),
    };
    let settings = Settings::new(BackendTag::Other("busy"), PartitionConfig::single());
    Transactional::new(store, settings)
}

async fn create_flow(conflicts: u32) -> Result<(), EngineError> {
    let backend = backend(conflicts);
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

/// Claims that wait do not wake each other.
#[tokio::test]
async fn waiting_claims_are_idle() {
    let backend = backend(0);
    let lane = LaneId::new("default");
    let offers = CapabilitySet::default();
    let policy = |name: &str| {
        let limit = Some(Duration::from_millis(120));
        ClaimPolicy::new(WorkerId::new("w"), WorkerInstanceId::new(name), 1_000, limit)
    };
    let (one, two, three) = tokio::join!(
        backend.claim(&lane, &offers, policy("1")),
        backend.claim(&lane, &offers, policy("2")),
        backend.claim(&lane, &offers, policy("3")),
    );
    assert_eq!((one, two, three), (Ok(None), Ok(None), Ok(None)));
    let begun = backend.store().begun.load(Ordering::SeqCst);
    assert!(begun <= 15, "{begun} looks at an empty lane in 120 ms");
}
