//! An engine in ten lines: it runs a flow of three to its end on SQLite, while a worker that crashes
//! is replaced. Try `cargo run -p ff-backend-sqlite --example engine`.

use std::error::Error;
use std::time::Duration;

use ff_backend_sqlite::SqliteOptions;
use ff_core::backend::{BackendTag, CapabilitySet, ClaimPolicy, HandlePayload};
use ff_core::call::Call;
use ff_core::clock::ManualClock;
use ff_core::contracts::{
    AddExecutionToFlowArgs, ApplyDependencyToChildArgs, CancelExecutionArgs, CreateFlowArgs,
    ReplayExecutionArgs, StageDependencyEdgeArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::state::PublicState;
use ff_core::types::{
    CancelSource, EdgeId, ExecutionId, FlowId, LaneId, TimestampMs, WorkerId, WorkerInstanceId,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The engine: sends what is due until nothing is. Where a lease has lapsed, the work begins anew.
async fn settle<B: EngineBackend + Housekeeping>(backend: &B, home: &PartitionKey) -> Result<()> {
    loop {
        let due = backend.due(home, 100).await?;
        for call in &due {
            call.send(backend).await?;
            if let Call::MarkLeaseExpiredIfDue { execution_id, .. } = call {
                backend.cancel_execution(given_up(execution_id)).await?;
                backend.replay_execution(again(execution_id)).await?;
            }
        }
        if due.is_empty() {
            return Ok(());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    run().await
}

async fn run() -> Result<()> {
    // A real engine takes the database's clock, and looks every second or so.
    let clock = ManualClock::new();
    let backend = SqliteOptions::new(":memory:").clock(clock.clone()).dev_mode().open().await?;
    let home = Partition { family: PartitionFamily::Flow, index: 0 };
    let home = PartitionKey::from(&home);
    let members = chain_of_three(&*backend).await?;

    let (lane, offers) = (LaneId::new("work"), CapabilitySet::default());
    let mut done = Vec::new();
    for worker in 1.. {
        settle(&*backend, &home).await?;
        let instance = WorkerInstanceId::new(format!("worker-{worker}"));
        let policy = ClaimPolicy::new(WorkerId::new("worker"), instance, 30_000, None);
        let Some(lease) = backend.claim(&lane, &offers, policy).await? else {
            break;
        };
        let id = HandlePayload::open(BackendTag::Sqlite, &lease)?.execution_id;
        if worker == 2 {
            println!("worker {worker} crashes on {id}");
            clock.advance(Duration::from_secs(30));
            continue;
        }
        backend.complete(&lease, Some(b"done".to_vec())).await?;
        println!("worker {worker} completes {id}");
        done.push(id);
    }
    assert_eq!(done, members, "each ends once, one after the other");
    for id in &members {
        let state = backend.read_execution_state(id).await?;
        assert_eq!(state, Some(PublicState::Completed));
    }
    Ok(())
}

fn given_up(id: &ExecutionId) -> CancelExecutionArgs {
    CancelExecutionArgs {
        execution_id: id.clone(),
        attempt_id: None,
        lease_epoch: None,
        lease_id: None,
        reason: "its worker is gone".to_owned(),
        source: CancelSource::OperatorOverride,
        now: TimestampMs::now(),
    }
}

fn again(id: &ExecutionId) -> ReplayExecutionArgs {
    ReplayExecutionArgs { execution_id: id.clone(), now: TimestampMs::now() }
}

/// Three executions in a flow, each of which waits for the one before.
async fn chain_of_three(backend: &dyn EngineBackend) -> Result<Vec<ExecutionId>> {
    let (flow_id, now) = (FlowId::new(), TimestampMs::now());
    let flow_kind = "dag".to_owned();
    let flow = CreateFlowArgs { flow_id, flow_kind, namespace: "example".into(), now };
    backend.create_flow(flow).await?;
    let mut members = Vec::new();
    for _ in 0..3 {
        let id = ExecutionId::from_parts(0, uuid::Uuid::new_v4());
        let args = ff_conformance::plain_execution(id.clone(), LaneId::new("work"));
        backend.create_execution(args).await?;
        let join = AddExecutionToFlowArgs { flow_id, execution_id: id.clone(), now };
        backend.add_execution_to_flow(join).await?;
        members.push(id);
    }
    for (revision, pair) in (3..).zip(members.windows(2)) {
        let edge_id = EdgeId::new();
        let dependency_kind = "success_only".to_owned();
        let staged = StageDependencyEdgeArgs {
            flow_id,
            edge_id,
            upstream_execution_id: pair[0].clone(),
            downstream_execution_id: pair[1].clone(),
            dependency_kind: dependency_kind.clone(),
            data_passing_ref: None,
            expected_graph_revision: revision,
            now,
        };
        backend.stage_dependency_edge(staged).await?;
        let applied = ApplyDependencyToChildArgs {
            flow_id,
            edge_id,
            upstream_execution_id: pair[0].clone(),
            downstream_execution_id: pair[1].clone(),
            dependency_kind,
            data_passing_ref: None,
            graph_revision: revision,
            now,
        };
        backend.apply_dependency_to_child(applied).await?;
    }
    Ok(members)
}

#[cfg(test)]
#[tokio::test]
async fn the_flow_ends() -> Result<()> {
    run().await
}
