//! A backend that is wrong in five ways at once: what its author sees.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{
    BackendReport, CaseInfo, CaseReport, Deployment, Harness, HarnessError, Options, Progress,
    Report, Status, registry, run_backend, summary_text,
};
use ff_core::backend::{CancelFlowPolicy, LeaseRenewal};
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::ManualClock;
use ff_core::contracts::{CancelFlowResult, StageDependencyEdgeResult};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{ConflictKind, EngineError, StateKind};
use ff_mock::MockBackend;

/// Accepts cycles, ignores idempotency keys, drops delays, renews lapsed leases, and leaves the members of a flow
/// that is cancelled with all of them.
struct Wrong(MockBackend);

#[async_trait]
impl Dispatch for Wrong {
    async fn dispatch(&self, mut call: Call) -> Result<Reply, EngineError> {
        let mut all = false;
        match &mut call {
            Call::CreateExecution { args } => {
                args.idempotency_key = None;
                args.delay_until = None;
            }
            Call::CancelFlow { policy, .. } if *policy == CancelFlowPolicy::CancelAll => {
                *policy = CancelFlowPolicy::FlowOnly;
                all = true;
            }
            _ => {}
        }
        let mut answer = self.0.dispatch(call.clone()).await;
        match (&call, &mut answer) {
            (
                Call::StageDependencyEdge { args },
                Err(EngineError::Conflict(ConflictKind::CycleDetected)),
            ) => {
                answer = Ok(Reply::StageDependencyEdge(StageDependencyEdgeResult::Staged {
                    edge_id: args.edge_id,
                    new_graph_revision: args.expected_graph_revision + 1,
                }));
            }
            (Call::Renew { .. }, Err(EngineError::State(StateKind::LeaseExpired))) => {
                answer = Ok(Reply::Renew(LeaseRenewal::new(1, 1)));
            }
            (_, Ok(Reply::CancelFlow(CancelFlowResult::Cancelled { cancellation_policy, .. })))
                if all =>
            {
                "cancel_all".clone_into(cancellation_policy);
            }
            _ => {}
        }
        answer
    }

    fn backend_label(&self) -> &'static str {
        "mock"
    }

    fn capabilities(&self) -> Capabilities {
        Dispatch::capabilities(&self.0)
    }
}

struct WrongHarness {
    with_clock: bool,
}

#[async_trait]
impl Harness for WrongHarness {
    fn name(&self) -> &str {
        "wrong"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        if !self.with_clock {
            return Ok(Deployment::new(Arc::new(Wrong(MockBackend::conforming()))));
        }
        let clock = ManualClock::new();
        let wrong = Wrong(MockBackend::conforming_with(clock.clone()));
        Ok(Deployment::new(Arc::new(wrong)).with_clock(clock))
    }

    fn regressions(&self) -> Option<PathBuf> {
        None
    }
}

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}

async fn run(with_clock: bool) -> BackendReport {
    let harness: Arc<dyn Harness> = Arc::new(WrongHarness { with_clock });
    run_backend(&harness, &registry(), Options::default(), &Silent).await
}

/// The clauses that failed cases accuse the backend of breaking.
fn accused(report: &BackendReport) -> BTreeSet<&str> {
    let failed = report.cases.iter().filter(|case| case.status == Status::Failed);
    let accusing = failed.filter(|case| !case.failure.as_ref().unwrap().setup);
    accusing.flat_map(|case| case.clauses.iter().map(String::as_str)).collect()
}

/// What stands on its own on the screen; of failures that look alike only the first is told in full.
fn told_in_full(screen: &str) -> usize {
    let failures = screen.lines().filter(|line| line.starts_with("FAIL") && line.ends_with(" ms"));
    failures.count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_author_finds_all_five() {
    let report = run(true).await;
    expect_all_five(&report);
    let failed = report.totals.failed;
    let screen = summary_text(&Report::new(Options::default(), 0, vec![report.clone()]), false);
    let told = told_in_full(&screen);
    assert!(told < failed, "{told} of {failed} failures are told in full:\n{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_clock_that_can_be_turned_too() {
    let report = run(false).await;
    expect_all_five(&report);
    let about_time = |reason: &&str| reason.contains("clock") || reason.contains("wait");
    let reasons = report.cases.iter().filter_map(|case| case.reason.as_deref());
    let skipped = reasons.filter(about_time).count();
    assert!(100 * skipped < 8 * report.cases.len(), "{skipped} are skipped");
}

fn expect_all_five(report: &BackendReport) {
    let accused = accused(report);
    for clause in ["GRA-006", "EXE-008", "EXE-002", "LSE-011", "CAN-003"] {
        assert!(accused.contains(clause), "{clause} is not among {accused:?}");
    }
}
