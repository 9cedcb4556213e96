//! What a mock can be told, and what it says when it was not called so.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, Namespace, PrepareOutcome};
use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{CreateFlowArgs, DeliverSignalResult, ListExecutionsPage};
use ff_core::engine_backend::{EngineBackend, wait_for_flow_cancellation};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, FlowId, LaneId, SignalId, TimestampMs};
use ff_mock::MockBackend;

fn erased(mock: &Arc<MockBackend>) -> Arc<dyn EngineBackend> {
    mock.clone()
}

#[tokio::test]
async fn unscripted_calls_are_unavailable_under_the_mocks_name() {
    let mock = Arc::new(MockBackend::default());
    let error = erased(&mock).describe_flow(&FlowId::new()).await.unwrap_err();
    assert_eq!(error, EngineError::Unavailable { op: "mock::describe_flow" });
    assert_eq!(EngineBackend::backend_label(&*mock), "mock");
}

#[tokio::test]
async fn defaults_that_work_are_kept() {
    let mock = erased(&Arc::new(MockBackend::new()));
    assert_eq!(mock.prepare().await.unwrap(), PrepareOutcome::NoOp);
    mock.shutdown_prepare(Duration::from_secs(5)).await.unwrap();
    assert!(mock.server_time_ms().await.unwrap() > 1_600_000_000_000);
}

#[tokio::test]
async fn scripted_replies_come_back_and_arguments_are_seen() {
    let mock = Arc::new(MockBackend::new());
    let id = ExecutionId::solo(&LaneId::new("parity"), &PartitionConfig::default());
    let page = ListExecutionsPage::new(vec![id], None);
    mock.reply(Reply::ListExecutions(page.clone()), |line| line);
    let accepted = DeliverSignalResult::Duplicate { existing_signal_id: SignalId::new() };
    mock.reply(Reply::DeliverSignal(accepted), |line| line.times(1));

    let key = PartitionKey::from(&Partition { family: PartitionFamily::Execution, index: 7 });
    for _ in 0..2 {
        let got = erased(&mock).list_executions(key.clone(), None, 50).await.unwrap();
        assert_eq!(got, page);
    }
    let seen = Call::ListExecutions { partition: key, cursor: None, limit: 50 };
    assert_eq!(mock.calls(), [seen.clone(), seen]);
    let unmet: Vec<_> = mock.unmet().iter().map(ToString::to_string).collect();
    assert_eq!(unmet, ["expected 1 call(s) of deliver_signal, saw 0"]);
}

#[tokio::test]
async fn lines_apply_in_order_by_count_and_predicate() {
    let mock = MockBackend::new();
    mock.refuse(
        Method::ListLanes,
        EngineError::Contention(ContentionKind::RetryExhausted),
        |line| line.times(2),
    );
    mock.call_through(Method::ListLanes, |line| {
        line.when(|call| matches!(call, Call::ListLanes { limit: 5, .. }))
    });
    for _ in 0..2 {
        let error = mock.list_lanes(None, 5).await.unwrap_err();
        assert_eq!(error.code(), "contention.retry_exhausted");
    }
    assert_eq!(mock.list_lanes(None, 5).await.unwrap().lanes, vec![]);
    let error = mock.list_lanes(None, 6).await.unwrap_err();
    assert_eq!(error, EngineError::Unavailable { op: "mock::list_lanes" });
    mock.verify();
}

#[tokio::test]
#[should_panic(expected = "expected 2 call(s) of ping, saw 1")]
async fn unmet_expectations_are_told() {
    let mock = MockBackend::new();
    mock.reply(Reply::Ping(()), |line| line.times(2));
    mock.ping().await.unwrap();
    mock.verify();
}

#[tokio::test]
async fn a_script_stands_before_the_model() {
    let mock = MockBackend::conforming();
    mock.refuse(Method::Ping, EngineError::transport("mock", "cut off"), |line| line.times(1));
    assert_eq!(mock.ping().await.unwrap_err().code(), "transport");
    mock.ping().await.unwrap();
    assert!(EngineBackend::capabilities(&mock).supports.create_execution);
}

#[tokio::test]
async fn a_wait_for_a_cancellation_looks_at_least_once() {
    let mock = MockBackend::conforming();
    let flow = FlowId::new();
    let (kind, namespace, now) = ("dag".to_owned(), Namespace::new("tenant"), TimestampMs(0));
    let args = CreateFlowArgs { flow_id: flow, flow_kind: kind, namespace, now };
    mock.create_flow(args).await.unwrap();
    let late = wait_for_flow_cancellation(&mock, &flow, Duration::ZERO).await;
    let elapsed = Duration::ZERO;
    assert_eq!(late, Err(EngineError::Timeout { op: "cancel_flow", elapsed }));
    mock.cancel_flow(&flow, CancelFlowPolicy::FlowOnly, CancelFlowWait::NoWait).await.unwrap();
    for gone in [flow, FlowId::new()] {
        wait_for_flow_cancellation(&mock, &gone, Duration::ZERO).await.unwrap();
    }
}
