//! A backend that promotes, cascades and sees to what is due by itself conforms as well.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ff_conformance::{
    CaseInfo, CaseReport, Deployment, Harness, HarnessError, Options, Progress, Settling, Status,
    registry, run_backend,
};
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_mock::MockBackend;

/// The model, with an engine at work in it.
struct Eager {
    model: MockBackend,
    /// Where executions were created.
    partitions: Mutex<BTreeSet<u16>>,
}

#[async_trait]
impl Dispatch for Eager {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        if let Call::CreateExecution { args } = &call {
            self.partitions.lock().unwrap().insert(args.execution_id.partition());
        }
        self.model.dispatch(call).await
    }

    fn backend_label(&self) -> &'static str {
        "mock"
    }

    fn capabilities(&self) -> Capabilities {
        Dispatch::capabilities(&self.model)
    }
}

#[async_trait]
impl Settling for Eager {
    async fn settle(&self) -> Result<(), HarnessError> {
        let partitions = self.partitions.lock().unwrap().clone();
        for index in partitions {
            let key = PartitionKey::from(&Partition { family: PartitionFamily::Flow, index });
            loop {
                // Lapses are left to whoever holds the lease.
                let mut due = self.model.due(&key, 1_000).await.unwrap_or_default();
                due.retain(|call| !matches!(call, Call::MarkLeaseExpiredIfDue { .. }));
                if due.is_empty() {
                    break;
                }
                for call in due {
                    self.model.dispatch(call).await?;
                }
            }
        }
        Ok(())
    }
}

struct EagerHarness;

#[async_trait]
impl Harness for EagerHarness {
    fn name(&self) -> &str {
        "eager"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let model = MockBackend::conforming_with(clock.clone());
        let eager = Arc::new(Eager { model, partitions: Mutex::default() });
        Ok(Deployment::new(eager.clone()).with_settling(eager).with_clock(clock))
    }
}

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_works_by_itself_keeps_every_must() {
    let harness: Arc<dyn Harness> = Arc::new(EagerHarness);
    let mut cases = registry();
    // Generated calls compare with a model that leaves everything to be done.
    cases.retain(|case| !case.slug.starts_with("system.interactions."));
    let report = run_backend(&harness, &cases, Options::default(), &Silent).await;
    let failed = report.cases.iter().filter(|case| case.status == Status::Failed);
    let failed: Vec<_> = failed.map(|case| (&case.slug, &case.reason)).collect();
    assert_eq!(failed, [], "{} of {}", failed.len(), cases.len());
}
