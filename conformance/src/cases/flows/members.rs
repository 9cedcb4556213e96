//! Flows and their members.

use std::collections::BTreeSet;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, Namespace};
use ff_core::contracts::{AddExecutionToFlowResult, CreateFlowResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, FlowId};
use futures_util::future::join_all;

use crate::stage::{Failure, Verdict, World, case};

/// A flow without a kind or a namespace.
#[case(FLW_008)]
async fn empty_names(world: World) -> Verdict {
    let id = FlowId::from_uuid(world.uuid());
    let refused = "validation.invalid_input";
    let mut args = world.flow_args(id);
    args.flow_kind.clear();
    expect_refused!(world.create_flow(args).await, refused, "no kind");
    let mut args = world.flow_args(id);
    args.namespace = Namespace::new("");
    expect_refused!(world.create_flow(args).await, refused, "no namespace");
    let created = world.create_flow(world.flow_args(id)).await?;
    expect_eq!(created, CreateFlowResult::Created { flow_id: id }, "neither stored it");
    Ok(())
}

/// A new flow is empty and at revision 0.
#[case(FLW_009)]
async fn new(world: World) -> Verdict {
    let id = FlowId::from_uuid(world.uuid());
    let created = world.create_flow(world.flow_args(id)).await?;
    expect_eq!(created, CreateFlowResult::Created { flow_id: id });
    let member = world.execution_for(&id).create().await?;
    let added = AddExecutionToFlowResult::Added { execution_id: member.clone(), new_node_count: 1 };
    expect_eq!(world.join(&id, &member).await?, added, "the first member");
    let other = world.member(&id).await?;
    world.staged(&id, &member, &other, 2).await?;
    Ok(())
}

/// A known flow, with other arguments, and when it is cancelled.
#[case(FLW_010)]
async fn known(world: World) -> Verdict {
    let id = world.flow().await?;
    let member = world.member(&id).await?;
    let mut args = world.flow_args(id);
    args.flow_kind = "other".to_owned();
    args.namespace = Namespace::new("other");
    let known = CreateFlowResult::AlreadySatisfied { flow_id: id };
    expect_eq!(world.create_flow(args.clone()).await?, known);
    let again =
        AddExecutionToFlowResult::AlreadyMember { execution_id: member.clone(), node_count: 1 };
    expect_eq!(world.join(&id, &member).await?, again, "its members stay");
    world.cancel_flow(&id, CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait).await?;
    expect_eq!(world.create_flow(args).await?, known, "cancelled");
    let late = world.execution_for(&id).create().await?;
    expect_refused!(world.join(&id, &late).await, "state.flow_already_terminal", "it stays so");
    Ok(())
}

/// Of many creations at once, one is new.
#[case(FLW_010, needs(concurrency))]
async fn create_race(world: World) -> Verdict {
    let id = FlowId::from_uuid(world.uuid());
    let creations = (0..12).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.create_flow(world.flow_args(id)).await })
    });
    let mut created = 0;
    for creation in join_all(creations).await {
        let result = creation.map_err(|error| Failure::new(error.to_string()))??;
        created += usize::from(matches!(result, CreateFlowResult::Created { .. }));
    }
    expect_eq!(created, 1, "creations that are new");
    Ok(())
}

/// Each reason for a refusal by itself.
#[case(FLW_021)]
async fn refused(world: World) -> Verdict {
    let flow = world.flow().await?;
    let nobody = ExecutionId::deterministic_for_flow(&flow, &world.partitions(), world.uuid());
    expect_refused!(world.join(&flow, &nobody).await, "not_found.execution");
    if world.partitions().num_flow_partitions > 1 {
        let elsewhere = world.execution_id_in(nobody.partition() ^ 1);
        world.execution().id(&elsewhere).create().await?;
        expect_refused!(world.join(&flow, &elsewhere).await, "validation.invalid_input");
    }
    let member = world.member(&flow).await?;
    let other = another_flow_beside(&world, &member).await?;
    let answer = world.join(&other, &member).await;
    expect_refused!(answer, "conflict.execution_already_in_flow");
    let alone = world.execution_for(&other).create().await?;
    world.close(&other).await?;
    expect_refused!(world.join(&other, &alone).await, "state.flow_already_terminal");
    let unknown = world.flow_id();
    let alone = world.execution_for(&unknown).create().await?;
    expect_refused!(world.join(&unknown, &alone).await, "not_found.flow");
    Ok(())
}

/// Partition, flow, state, execution, membership.
#[case(FLW_037)]
async fn order_of_checks(world: World) -> Verdict {
    let flow = world.flow().await?;
    let unknown_flow = FlowId::from_uuid(world.uuid());
    let nobody = |flow: &FlowId| {
        ExecutionId::deterministic_for_flow(flow, &world.partitions(), world.uuid())
    };
    let elsewhere = world.execution_id_in(nobody(&unknown_flow).partition() ^ 1);
    let refused = "validation.invalid_input";
    expect_refused!(world.join(&unknown_flow, &elsewhere).await, refused, "the partition first");
    let stray = world.join(&unknown_flow, &nobody(&unknown_flow)).await;
    expect_refused!(stray, "not_found.flow", "the flow before the execution");

    let member = world.member(&flow).await?;
    let other = another_flow_beside(&world, &member).await?;
    world.cancel_flow(&other, CancelFlowPolicy::FlowOnly, CancelFlowWait::NoWait).await?;
    let answer = world.join(&other, &member).await;
    expect_refused!(answer, "state.flow_already_terminal", "the flow's state first");
    let answer = world.join(&other, &nobody(&other)).await;
    expect_refused!(answer, "state.flow_already_terminal", "before the execution");
    Ok(())
}

/// Another flow in the partition of an execution.
async fn another_flow_beside(world: &World, execution: &ExecutionId) -> Result<FlowId, Failure> {
    for _ in 0..100_000 {
        let id = FlowId::from_uuid(world.uuid());
        let partition = ff_core::partition::flow_partition(&id, &world.partitions());
        if partition.index == execution.partition() {
            world.create_flow(world.flow_args(id)).await?;
            return Ok(id);
        }
    }
    Err(Failure::new("flows are spread over all partitions"))
}

/// A member shows its flow and is otherwise as it was.
#[case(FLW_022)]
async fn added(world: World) -> Verdict {
    let flow = world.flow().await?;
    let id = world.execution_for(&flow).create().await?;
    let touched = ["flow_id", "last_mutation_at"];
    let before = world.observe(&id).await?.without(&touched);
    for (n, member) in [(1, &id), (2, &world.execution_for(&flow).create().await?)] {
        let added =
            AddExecutionToFlowResult::Added { execution_id: member.clone(), new_node_count: n };
        expect_eq!(world.join(&flow, member).await?, added);
    }
    expect_eq!(world.observe(&id).await?.without(&touched), before, "its state stays");
    let seen = world.describe_execution(&id).await?;
    expect_eq!(seen.and_then(|seen| seen.flow_id), Some(flow), "described");
    let info = world.read_execution_info(&id).await?;
    expect_eq!(info.and_then(|info| info.flow_id), Some(flow.to_string()), "informed");
    expect_eq!(world.worker().claims().await?.is_some(), true, "it can be claimed");
    Ok(())
}

/// A member that is one already.
#[case(FLW_023)]
async fn again(world: World) -> Verdict {
    let flow = world.flow().await?;
    let first = world.member(&flow).await?;
    let second = world.member(&flow).await?;
    let before = world.observe(&first).await?;
    let member =
        AddExecutionToFlowResult::AlreadyMember { execution_id: first.clone(), node_count: 2 };
    expect_eq!(world.join(&flow, &first).await?, member);
    expect_eq!(world.observe(&first).await?, before, "nothing changes");
    world.staged(&flow, &first, &second, 2).await?;
    Ok(())
}

/// Held and ended executions, of any namespace and lane.
#[case(FLW_024)]
async fn any_phase(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (held, _) = world.execution_for(&flow).lane("x").namespace("other").claimed().await?;
    let (ended, handle) = world.execution_for(&flow).claimed().await?;
    world.complete(&handle, None).await?;
    for id in [&held, &ended] {
        let before = world.read_execution_state(id).await?;
        world.join(&flow, id).await?;
        expect_eq!(world.read_execution_state(id).await?, before, "its state stays");
    }
    Ok(())
}

/// Many executions at once, and one many times.
#[case(FLW_025, needs(concurrency))]
async fn concurrent(world: World) -> Verdict {
    let flow = world.flow().await?;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(world.execution_for(&flow).create().await?);
    }
    let spawn = |id: ExecutionId| {
        let world = world.clone();
        tokio::spawn(async move { world.join(&flow, &id).await })
    };
    let mut counts = BTreeSet::new();
    for addition in join_all(ids.iter().cloned().map(spawn)).await {
        match addition.map_err(|error| Failure::new(error.to_string()))?? {
            AddExecutionToFlowResult::Added { new_node_count, .. } => {
                counts.insert(new_node_count);
            }
            AddExecutionToFlowResult::AlreadyMember { execution_id, .. } => {
                return Err(Failure::new(format!("{execution_id} is new")));
            }
        }
    }
    expect_eq!(counts, (1..=10).collect::<BTreeSet<_>>(), "numbers of members");

    let late = world.execution_for(&flow).create().await?;
    let mut added = 0;
    for addition in join_all((0..8).map(|_| spawn(late.clone()))).await {
        let result = addition.map_err(|error| Failure::new(error.to_string()))??;
        added += usize::from(matches!(result, AddExecutionToFlowResult::Added { .. }));
    }
    expect_eq!(added, 1, "additions of one");
    world.staged(&flow, &ids[0], &ids[1], 11).await?;
    Ok(())
}
