//! What is shown of a flow, and of which flow an execution is.

use std::collections::BTreeMap;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, Namespace};
use ff_core::contracts::{
    EdgeDependencyPolicy, EdgeGroupSnapshot, EdgeGroupState, FlowSnapshot, FlowStatus, OnSatisfied,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::TerminalOutcome;
use ff_core::types::{ExecutionId, TimestampMs};

use crate::stage::{Graph, Verdict, World, case};

/// A flow that nobody created.
#[case(FLW_011)]
async fn unknown(world: World) -> Verdict {
    expect_eq!(world.describe_flow(&world.flow_id()).await?, None);
    Ok(())
}

/// A new flow, in full.
#[case(FLW_011, FLW_009, FLW_012)]
async fn new(world: World) -> Verdict {
    let id = world.flow_id();
    let mut args = world.flow_args(id);
    args.flow_kind = "dag of \u{e9}".to_owned();
    args.namespace = Namespace::new("Tenant A");
    args.now = TimestampMs(5);
    world.pass_ms(3).await?;
    world.create_flow(args).await?;
    let created = world.now();
    world.pass_ms(10).await?;
    let described = world.described_flow(&id).await?;
    let created = world.snapped_to(described.created_at, created);
    let expected = FlowSnapshot::new(
        id,
        "dag of \u{e9}".to_owned(),
        Namespace::new("Tenant A"),
        described.public_flow_state.clone(),
        0,
        0,
        0,
        created,
        created,
        None,
        None,
        None,
        BTreeMap::new(),
        Vec::new(),
    );
    expect_eq!(described, expected);
    Ok(())
}

/// Members and edges are counted, each a revision.
#[case(FLW_011, GRA_001, FLW_022)]
async fn grown(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    world.pass_ms(7).await?;
    world.staged(&id, &one, &two, 2).await?;
    let flow = world.described_flow(&id).await?;
    expect_eq!(
        (flow.graph_revision, flow.node_count, flow.edge_count),
        (3, 2, 1),
        "revision, members, edges"
    );
    world.expect_time(flow.last_mutation_at, world.now(), "the edge changed it")?;
    Ok(())
}

/// A cancelled flow says when and by which policy, and the first stays.
#[case(FLW_012, CAN_004)]
async fn cancelled(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    world.staged(&id, &one, &two, 2).await?;
    world.set_flow_tag(&id, "app.k", "v").await?;
    let before = world.described_flow(&id).await?;
    world.pass_ms(50).await?;
    let wait = CancelFlowWait::NoWait;
    world.cancel_flow(&id, CancelFlowPolicy::CancelPending, wait).await?;
    let mut expected = before;
    let described = world.described_flow(&id).await?;
    let at = world.snapped_to(described.last_mutation_at, world.now());
    expected.public_flow_state.clone_from(&described.public_flow_state);
    expected.cancelled_at = Some(at);
    expected.cancellation_policy = Some("cancel_pending".to_owned());
    expected.last_mutation_at = at;
    expect_eq!(described, expected, "cancelled");
    world.pass_ms(50).await?;
    world.cancel_flow(&id, CancelFlowPolicy::CancelAll, wait).await?;
    expect_eq!(world.described_flow(&id).await?, expected, "the first cancellation stays");
    Ok(())
}

/// The words for the states of a flow.
#[case(FLW_035)]
async fn states(world: World) -> Verdict {
    let id = world.flow().await?;
    expect_eq!(world.described_flow(&id).await?.public_flow_state, "open");
    world.close(&id).await?;
    expect_eq!(world.described_flow(&id).await?.public_flow_state, "cancelled");
    Ok(())
}

/// A flow whose members have all ended.
#[case(FLW_016, FLW_017)]
async fn ended_members(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let mut members = Vec::new();
    for outcome in [TerminalOutcome::Success, TerminalOutcome::Failed, TerminalOutcome::Cancelled] {
        let member = graph.member().await?;
        graph.end_and_cascade(&member, outcome).await?;
        members.push(member);
        let state = world.described_flow(&graph.flow).await?.public_flow_state;
        expect_eq!(state, "open", "after {outcome:?}");
    }
    let key = world.partition_key_of_flow(&graph.flow);
    let listed = world.list_flows(key, None, 10).await?.flows;
    let status = listed.iter().find(|flow| flow.flow_id == graph.flow);
    expect_eq!(status.map(|flow| flow.status), Some(FlowStatus::Active));
    graph.stage(&members[0], &members[1]).await?;
    graph.member().await?;
    Ok(())
}

/// Only what changes the flow itself moves its time of modification.
#[case(FLW_014)]
async fn modified(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let applying = world.staged(&id, &one, &two, 2).await?;
    let before = world.described_flow(&id).await?;
    world.pass_ms(10).await?;
    let mut args = world.flow_args(id);
    args.flow_kind = "other".to_owned();
    world.create_flow(args).await?;
    world.join(&id, &one).await?;
    world.complete(&world.worker().claim().await?, None).await?;
    world.set_execution_tag(&two, "app.k", "v").await?;
    let stale = world.edge_args(&id, &one, &two, 2);
    expect_refused!(world.stage_dependency_edge(stale).await, "contention.stale_graph_revision");
    expect_eq!(world.described_flow(&id).await?, before, "none changes it");
    world.apply_dependency_to_child(applying).await?;
    let applied = world.described_flow(&id).await?;
    let ours = (applied.graph_revision, applied.last_mutation_at);
    let unchanged = (before.graph_revision, before.last_mutation_at);
    expect_eq!(ours, unchanged, "an applied edge is the group's affair");
    world.set_flow_tag(&id, "app.k", "v").await?;
    let tagged = world.described_flow(&id).await?;
    expect_eq!(tagged.graph_revision, before.graph_revision, "a tag is no revision");
    world.expect_time(tagged.last_mutation_at, world.now(), "a tag is a change")?;
    Ok(())
}

/// A group with this many applied edges, none of them resolved.
fn waiting(member: &ExecutionId, policy: EdgeDependencyPolicy, edges: u32) -> EdgeGroupSnapshot {
    let state = EdgeGroupState::Pending;
    EdgeGroupSnapshot::new(member.clone(), policy, edges, 0, 0, 0, edges, state)
}

/// Groups of members with staged and applied edges, and with a policy only.
#[case(FLW_013)]
async fn groups(world: World) -> Verdict {
    let id = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(world.member(&id).await?);
    }
    members.sort();
    let [first, second, third, fourth] = &members[..] else {
        return Ok(());
    };
    let quorum = EdgeDependencyPolicy::quorum(2, OnSatisfied::LetRun);
    world.set_edge_group_policy(&id, third, quorum).await?;
    world.staged(&id, fourth, second, 4).await?;
    let two = world.staged(&id, second, first, 5).await?;
    let three = world.staged(&id, fourth, first, 6).await?;
    let all_of = EdgeDependencyPolicy::all_of();
    let shown = world.described_flow(&id).await?.edge_groups;
    let expected =
        vec![waiting(first, all_of, 0), waiting(second, all_of, 0), waiting(third, quorum, 0)];
    expect_eq!(shown, expected, "nothing is applied yet");
    world.apply_dependency_to_child(two).await?;
    world.apply_dependency_to_child(three.clone()).await?;
    world.apply_dependency_to_child(three).await?;
    let shown = world.described_flow(&id).await?.edge_groups;
    expect_eq!(
        shown,
        vec![waiting(first, all_of, 2), waiting(second, all_of, 0), waiting(third, quorum, 0),],
        "two are applied"
    );
    Ok(())
}

/// Groups come in the order of their members.
#[case(FLW_013)]
async fn many_groups(world: World) -> Verdict {
    let id = world.flow().await?;
    let hub = world.member(&id).await?;
    let mut expected = Vec::new();
    for number in 0..20 {
        let member = world.member(&id).await?;
        world.staged(&id, &hub, &member, 2 + 2 * number).await?;
        expected.push(member);
    }
    expected.sort();
    let groups = world.described_flow(&id).await?.edge_groups;
    let shown: Vec<_> = groups.into_iter().map(|group| group.downstream_execution_id).collect();
    expect_eq!(shown, expected);
    Ok(())
}

/// The flow of an execution, from the moment it joins, in any state.
#[case(FLW_027)]
async fn flow_of_execution(world: World) -> Verdict {
    let absent = world.execution_id();
    expect_eq!(world.resolve_execution_flow_id(&absent).await?, None);
    let id = world.flow().await?;
    let execution = world.execution_for(&id).create().await?;
    expect_eq!(world.resolve_execution_flow_id(&execution).await?, None);
    world.join(&id, &execution).await?;
    let own = Some(id);
    expect_eq!(world.resolve_execution_flow_id(&execution).await?, own);
    world.complete(&world.worker().claim().await?, None).await?;
    world.close(&id).await?;
    expect_eq!(
        world.resolve_execution_flow_id(&execution).await?,
        own,
        "it has ended, and the flow is closed"
    );
    Ok(())
}
