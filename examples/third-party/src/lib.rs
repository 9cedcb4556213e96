//! A backend from outside: a family of its own, which counts the calls it gets.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ff_core::backend::BackendTag;
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::Clock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_mock::{MemoryStore, Model, Settings};

/// Counts calls on their way to the engine. A store of your own takes the place of `MemoryStore`.
pub struct CountingBackend {
    engine: Model,
    calls: AtomicU64,
}

impl CountingBackend {
    /// Few partitions show whether anything relies on the usual number.
    pub const PARTITIONS: PartitionConfig = PartitionConfig {
        num_flow_partitions: 4,
        num_budget_partitions: 2,
        num_quota_partitions: 2,
    };

    pub fn new(clock: impl Into<Clock>) -> Self {
        let settings = Settings {
            tag: BackendTag::Other("counting"),
            partitions: Self::PARTITIONS,
        };
        Self {
            engine: Model::new(MemoryStore::new(clock), settings),
            calls: AtomicU64::new(0),
        }
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Dispatch for CountingBackend {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.engine.dispatch(call).await
    }

    fn backend_label(&self) -> &'static str {
        Dispatch::backend_label(&self.engine)
    }

    fn capabilities(&self) -> Capabilities {
        Dispatch::capabilities(&self.engine)
    }
}
