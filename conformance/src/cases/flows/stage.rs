//! Dependencies, added by compare-and-swap on the revision.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, FailureClass};
use ff_core::contracts::{
    ApplyDependencyToChildResult, EdgeDependencyPolicy, EdgeDirection, OnSatisfied,
    StageDependencyEdgeResult,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ConflictKind, EngineError};
use ff_core::types::{ExecutionId, FlowId};
use futures_util::future::join_all;

use crate::stage::{Failure, Graph, Verdict, World, case};

async fn members(world: &World, count: usize) -> Result<(FlowId, Vec<ExecutionId>), Failure> {
    let flow = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..count {
        members.push(world.member(&flow).await?);
    }
    Ok((flow, members))
}

async fn expect_revision(world: &World, flow: &FlowId, revision: u64) -> Verdict {
    let flow = world.described_flow(flow).await?;
    expect_eq!(flow.graph_revision, revision, "the revision");
    let grown = u64::from(flow.node_count + flow.edge_count);
    expect_eq!(grown, revision, "members and edges");
    Ok(())
}

/// What moves the revision, and what does not.
#[case(GRA_001)]
async fn revisions(world: World) -> Verdict {
    let flow = world.flow().await?;
    let first = world.member(&flow).await?;
    let second = world.member(&flow).await?;
    let edge = world.staged(&flow, &first, &second, 2).await?;
    expect_revision(&world, &flow, 3).await?;
    world.join(&flow, &first).await?;
    let refused = world.edge_args(&flow, &second, &first, 3);
    expect_refused!(world.stage_dependency_edge(refused).await, "conflict.cycle_detected");
    let applied = world.apply_dependency_to_child(edge).await?;
    expect_eq!(applied, ApplyDependencyToChildResult::Applied { unsatisfied_count: 1 });
    world.set_flow_tag(&flow, "app.k", "v").await?;
    let policy = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
    world.set_edge_group_policy(&flow, &first, policy).await?;
    world.close(&flow).await?;
    expect_revision(&world, &flow, 3).await
}

/// An older, a newer and a wild revision.
#[case(GRA_002)]
async fn stale_revision(world: World) -> Verdict {
    let (flow, members) = members(&world, 2).await?;
    for revision in [0, 1, 3, 99, ff_core::types::MAX_INTEGER] {
        let args = world.edge_args(&flow, &members[0], &members[1], revision);
        let answer = world.stage_dependency_edge(args).await;
        expect_refused!(answer, "contention.stale_graph_revision", "revision {revision} of 2");
    }
    world.staged(&flow, &members[0], &members[1], 2).await?;
    Ok(())
}

/// The same call again, and again at the present revision.
#[case(GRA_004)]
async fn again(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let mut args = world.edge_args(&id, &one, &two, 2);
    world.stage_dependency_edge(args.clone()).await?;
    let before = world.described_flow(&id).await?;
    for (revision, code) in
        [(2, "contention.stale_graph_revision"), (3, "conflict.dependency_already_exists")]
    {
        args.expected_graph_revision = revision;
        expect_refused!(world.stage_dependency_edge(args.clone()).await, code);
    }
    expect_eq!(world.described_flow(&id).await?, before, "nothing changes");
    Ok(())
}

/// Many callers at one revision.
#[case(GRA_003, needs(concurrency))]
async fn race(world: World) -> Verdict {
    let (flow, members) = members(&world, 2).await?;
    let stagings = (0..64).map(|_| {
        let world = world.clone();
        let args = world.edge_args(&flow, &members[0], &members[1], 2);
        tokio::spawn(async move { world.stage_dependency_edge(args).await })
    });
    let mut staged = 0;
    for staging in join_all(stagings).await {
        match staging.map_err(|error| Failure::new(error.to_string()))? {
            Ok(_) => staged += 1,
            Err(error) => expect_eq!(error.code(), "contention.stale_graph_revision", "a loser"),
        }
    }
    expect_eq!(staged, 1, "edges staged");
    expect_revision(&world, &flow, 3).await
}

/// Each reason for a refusal by itself.
#[case(GRA_005)]
async fn refused(world: World) -> Verdict {
    let (flow, members) = members(&world, 2).await?;
    let (a, b) = (&members[0], &members[1]);
    let stranger = world.execution_for(&flow).create().await?;
    let stage = async |flow: &FlowId, up: &ExecutionId, down: &ExecutionId| {
        world.stage_dependency_edge(world.edge_args(flow, up, down, 2)).await
    };
    expect_refused!(stage(&flow, a, a).await, "conflict.self_referencing_edge");
    let mut no_kind = world.edge_args(&flow, a, b, 2);
    no_kind.dependency_kind.clear();
    let answer = world.stage_dependency_edge(no_kind).await;
    expect_refused!(answer, "validation.invalid_input", "no kind");
    expect_refused!(stage(&world.flow_id(), a, b).await, "not_found.flow");
    let outside = "state.execution_not_in_flow";
    expect_refused!(stage(&flow, a, &stranger).await, outside);
    expect_refused!(stage(&flow, &stranger, b).await, outside);
    world.close(&flow).await?;
    expect_refused!(stage(&flow, a, b).await, "state.flow_already_terminal");
    Ok(())
}

/// Each check before the next.
#[case(GRA_025)]
async fn order_of_checks(world: World) -> Verdict {
    let (flow, members) = members(&world, 2).await?;
    let unknown = FlowId::from_uuid(world.uuid());
    let stranger = world.execution_for(&flow).create().await?;
    let (a, b) = (&members[0], &members[1]);
    let stage = async |flow: &FlowId, up: &ExecutionId, down: &ExecutionId, revision: u64| {
        let args = world.edge_args(flow, up, down, revision);
        world.stage_dependency_edge(args).await
    };
    let itself = "conflict.self_referencing_edge";
    expect_refused!(stage(&unknown, a, a, 99).await, itself, "before the flow");
    let mut no_kind = world.edge_args(&unknown, a, b, 99);
    no_kind.dependency_kind.clear();
    let answer = world.stage_dependency_edge(no_kind).await;
    expect_refused!(answer, "validation.invalid_input", "the kind before the flow");
    expect_refused!(stage(&unknown, a, b, 99).await, "not_found.flow", "before the revision");
    let stale = "contention.stale_graph_revision";
    expect_refused!(stage(&flow, a, &stranger, 99).await, stale, "before the membership");
    let edge = world.staged(&flow, a, b, 2).await?;
    let mut known = world.edge_args(&flow, b, a, 3);
    known.edge_id = edge.edge_id;
    let answer = world.stage_dependency_edge(known).await;
    expect_refused!(answer, "conflict.cycle_detected", "the cycle before the edge id");
    world.cancel_flow(&flow, CancelFlowPolicy::FlowOnly, CancelFlowWait::NoWait).await?;
    let closed = "state.flow_already_terminal";
    expect_refused!(stage(&flow, a, b, 99).await, closed, "before the revision");
    Ok(())
}

/// A cycle of two, and one of six, applied or not.
#[case(GRA_006)]
async fn cycles(world: World) -> Verdict {
    let (flow, members) = members(&world, 6).await?;
    let mut revision = 6;
    for pair in members.windows(2) {
        let edge = world.staged(&flow, &pair[0], &pair[1], revision).await?;
        revision += 1;
        let back = world.edge_args(&flow, &pair[1], &pair[0], revision);
        let answer = world.stage_dependency_edge(back).await;
        expect_refused!(answer, "conflict.cycle_detected", "a cycle of two");
        if revision % 2 == 0 {
            world.apply_dependency_to_child(edge).await?;
        }
    }
    let back = world.edge_args(&flow, &members[5], &members[0], revision);
    expect_refused!(world.stage_dependency_edge(back).await, "conflict.cycle_detected", "of six");
    Ok(())
}

/// Many ways from one member to another are no cycle.
#[case(GRA_006)]
async fn diamonds(world: World) -> Verdict {
    let (flow, members) = members(&world, 5).await?;
    let mut revision = 5;
    for up in 0..4 {
        for down in up + 1..5 {
            world.staged(&flow, &members[up], &members[down], revision).await?;
            revision += 1;
        }
    }
    Ok(())
}

/// A search over more than 1 000 members is refused.
#[case(GRA_026)]
async fn deep_search(world: World) -> Verdict {
    let (flow, members) = members(&world, 1_002).await?;
    let mut revision = 1_002;
    // A fan: staging each edge searches from a member that leads nowhere.
    for down in &members[2..] {
        world.staged(&flow, &members[1], down, revision).await?;
        revision += 1;
    }
    let far = world.edge_args(&flow, &members[0], &members[1], revision);
    let answer = world.stage_dependency_edge(far).await;
    expect_refused!(answer, "conflict.cycle_detected", "1 001 members would be visited");
    Ok(())
}

/// As many edges between two members as there may be, and what they forbid.
#[case(GRA_023, GRA_024)]
async fn many_edges(world: World) -> Verdict {
    const MOST: usize = 10_000;
    let mut graph = Graph::new(&world).await?;
    let (first, last) = (graph.member().await?, graph.member().await?);
    let (before, after) = (graph.member().await?, graph.member().await?);
    for _ in 0..MOST {
        graph.stage(&first, &last).await?;
    }
    let flow = graph.flow;
    let full = world.described_flow(&flow).await?;
    let refuse = async |up: &ExecutionId, down: &ExecutionId, code: &str| -> Verdict {
        let revision = world.described_flow(&flow).await?.graph_revision;
        let args = world.edge_args(&flow, up, down, revision);
        expect_refused!(world.stage_dependency_edge(args).await, code);
        Ok(())
    };
    for (up, down) in [(&first, &last), (&first, &after), (&before, &last)] {
        refuse(up, down, "validation.invalid_input").await?;
    }
    expect_eq!(world.described_flow(&flow).await?, full, "nothing changes");
    let leaving = EdgeDirection::Outgoing { from_node: first.clone() };
    let listed = world.list_edges(&flow, leaving).await?;
    expect_eq!(listed.len(), MOST, "the edges that leave");
    let entering = EdgeDirection::Incoming { to_node: last.clone() };
    let entering = world.list_edges(&flow, entering).await?;
    expect!(entering == listed, "those that enter are the same");
    // The search looks at all of them, and at no other.
    graph.stage(&before, &first).await?;
    graph.stage(&last, &after).await?;
    let another = graph.member().await?;
    refuse(&another, &first, "conflict.cycle_detected").await
}

/// An edge id that is taken, for whatever ends.
#[case(GRA_007)]
async fn known_edge(world: World) -> Verdict {
    let (flow, members) = members(&world, 3).await?;
    let edge = world.staged(&flow, &members[0], &members[1], 3).await?;
    for (up, down) in [(0, 1), (1, 2)] {
        let mut args = world.edge_args(&flow, &members[up], &members[down], 4);
        args.edge_id = edge.edge_id;
        args.dependency_kind = "other".to_owned();
        match world.stage_dependency_edge(args).await {
            Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing })) => {
                expect_eq!(existing.edge_id, edge.edge_id);
                expect_eq!(existing.upstream_execution_id, members[0], "the stored one");
                expect_eq!(existing.downstream_execution_id, members[1], "the stored one");
                expect_eq!(existing.dependency_kind, "success_only", "the stored one");
            }
            other => return Err(Failure::new(format!("the edge is known, not {other:?}"))),
        }
    }
    Ok(())
}

/// Two edges between the same members.
#[case(GRA_007)]
async fn parallel(world: World) -> Verdict {
    let (flow, members) = members(&world, 2).await?;
    let first = world.staged(&flow, &members[0], &members[1], 2).await?;
    let second = world.staged(&flow, &members[0], &members[1], 3).await?;
    for (edge, unsatisfied_count) in [(first, 1), (second, 2)] {
        let applied = world.apply_dependency_to_child(edge).await?;
        expect_eq!(applied, ApplyDependencyToChildResult::Applied { unsatisfied_count });
    }
    Ok(())
}

/// What is stored of an edge, and that no member changes.
#[case(GRA_008)]
async fn stored(world: World) -> Verdict {
    let (flow, members) = members(&world, 2).await?;
    let before = (world.observe(&members[0]).await?, world.observe(&members[1]).await?);
    world.pass_ms(17).await?;
    for (at, (given, kept)) in
        [(None, None), (Some("s3://x"), Some("s3://x"))].into_iter().enumerate()
    {
        let revision = 2 + at as u64;
        let mut args = world.edge_args(&flow, &members[0], &members[1], revision);
        args.data_passing_ref = given.map(str::to_owned);
        let edge_id = args.edge_id;
        let staged = world.stage_dependency_edge(args.clone()).await?;
        let expected =
            StageDependencyEdgeResult::Staged { edge_id, new_graph_revision: revision + 1 };
        expect_eq!(staged, expected);
        args.expected_graph_revision += 1;
        let Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing: seen })) =
            world.stage_dependency_edge(args).await
        else {
            return Err(Failure::new("the edge is known"));
        };
        expect_eq!(seen.data_passing_ref.as_deref(), kept, "the reference {given:?}");
        expect_eq!(seen.flow_id, flow);
        world.expect_time(seen.created_at, world.now(), "created_at")?;
    }
    let after = (world.observe(&members[0]).await?, world.observe(&members[1]).await?);
    expect_eq!(after, before, "no member changes");
    Ok(())
}

/// Members that are held or have ended.
#[case(GRA_009)]
async fn any_phase(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (held, _) = world.execution_for(&flow).lane("x").claimed().await?;
    let (ended, handle) = world.execution_for(&flow).lane("y").claimed().await?;
    world.fail_with(&handle, FailureClass::Permanent).await?;
    world.join(&flow, &held).await?;
    world.join(&flow, &ended).await?;
    world.staged(&flow, &held, &ended, 2).await?;
    Ok(())
}
