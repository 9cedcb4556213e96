//! Looking at edges.

use std::collections::BTreeSet;

use ff_core::contracts::{EdgeDirection, EdgeSnapshot, StageDependencyEdgeArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{EdgeId, ExecutionId, FlowId};

use crate::stage::{Failure, Graph, Verdict, World, apply_args, case};

fn outgoing(node: &ExecutionId) -> EdgeDirection {
    EdgeDirection::Outgoing { from_node: node.clone() }
}

fn incoming(node: &ExecutionId) -> EdgeDirection {
    EdgeDirection::Incoming { to_node: node.clone() }
}

/// An edge as it is described.
async fn seen(world: &World, flow: &FlowId, edge: &EdgeId) -> Result<EdgeSnapshot, Failure> {
    let seen = world.describe_edge(flow, edge).await?;
    seen.ok_or_else(|| Failure::new("the edge is there"))
}

/// An edge as it was staged, before and after it is applied.
#[case(GRA_020, GRA_021, GRA_008)]
async fn described(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    world.pass_ms(9).await?;
    let mut staged = world.edge_args(&id, &one, &two, 2);
    staged.dependency_kind = "some kind \u{e9}".to_owned();
    staged.data_passing_ref = Some("ref".to_owned());
    world.stage_dependency_edge(staged.clone()).await?;
    let new = seen(&world, &id, &staged.edge_id).await?;
    expect_eq!((new.edge_id, new.flow_id), (staged.edge_id, id), "its ids");
    expect_eq!((&new.upstream_execution_id, &new.downstream_execution_id), (&one, &two));
    expect_eq!(new.dependency_kind, staged.dependency_kind);
    expect_eq!(new.data_passing_ref, staged.data_passing_ref);
    world.expect_time(new.created_at, world.now(), "created_at")?;
    world.pass_ms(9).await?;
    world.apply_dependency_to_child(apply_args(&staged)).await?;
    let applied = seen(&world, &id, &staged.edge_id).await?;
    let mut expected = new;
    expected.edge_state.clone_from(&applied.edge_state);
    expect_eq!(applied, expected, "nothing but its state changes");
    Ok(())
}

/// The words for an edge's state, condition and creator, and an empty reference.
#[case(GRA_027)]
async fn words(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let mut staged = world.edge_args(&id, &one, &two, 2);
    staged.data_passing_ref = Some(String::new());
    world.stage_dependency_edge(staged.clone()).await?;
    let new = seen(&world, &id, &staged.edge_id).await?;
    expect_eq!(new.edge_state, "pending");
    expect_eq!(new.satisfaction_condition, "all_required");
    expect_eq!(new.created_by, "engine");
    expect_eq!(new.data_passing_ref, None, "an empty reference is none");
    staged.data_passing_ref = None;
    world.apply_dependency_to_child(apply_args(&staged)).await?;
    expect_eq!(seen(&world, &id, &staged.edge_id).await?.edge_state, "applied");
    let listed = world.list_edges(&id, outgoing(&one)).await?;
    expect_eq!(listed.first().map(|edge| &*edge.edge_state), Some("applied"), "listed");
    Ok(())
}

/// Edges that were never staged, or in another flow.
#[case(GRA_020)]
async fn unknown(world: World) -> Verdict {
    let partition = 0;
    let (id, other) = (world.flow_id_in(partition), world.flow_id_in(partition));
    for flow in [id, other] {
        world.create_flow(world.flow_args(flow)).await?;
    }
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let staged = world.staged(&id, &one, &two, 2).await?;
    let never = EdgeId::from_uuid(world.uuid());
    expect_eq!(world.describe_edge(&id, &never).await?, None, "never staged");
    for flow in [other, world.flow_id()] {
        let seen = world.describe_edge(&flow, &staged.edge_id).await?;
        expect_eq!(seen, None, "an edge of another flow");
    }
    Ok(())
}

/// The ids of edges, as they are listed.
async fn ids(
    world: &World,
    flow: &FlowId,
    direction: EdgeDirection,
) -> Result<Vec<EdgeId>, Failure> {
    let edges = world.list_edges(flow, direction).await?;
    Ok(edges.into_iter().map(|edge| edge.edge_id).collect())
}

/// All edges of a member, from either end, parallel ones included.
#[case(GRA_017, GRA_020)]
async fn listed(world: World) -> Verdict {
    let id = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(world.member(&id).await?);
    }
    let [one, two, three] = &members[..] else {
        return Ok(());
    };
    let (mut from_one, mut to_three) = (Vec::new(), Vec::new());
    for number in 0..6 {
        let target = if number % 2 == 0 { two } else { three };
        let staged = world.staged(&id, one, target, 3 + number).await?;
        from_one.push(staged.edge_id);
        if target == three {
            to_three.push(staged.edge_id);
            world.apply_dependency_to_child(staged).await?;
        }
    }
    let last = world.staged(&id, two, three, 9).await?.edge_id;
    to_three.push(last);
    let set = |ids: Vec<EdgeId>| ids.into_iter().collect::<BTreeSet<_>>();
    let leaving = ids(&world, &id, outgoing(one)).await?;
    expect_eq!(leaving.len(), from_one.len(), "each once");
    expect_eq!(set(leaving), set(from_one), "leaving");
    expect_eq!(set(ids(&world, &id, incoming(three)).await?), set(to_three), "entering");
    expect_eq!(ids(&world, &id, outgoing(two)).await?, vec![last], "one");
    expect_eq!(ids(&world, &id, incoming(one)).await?, vec![], "none");
    expect_eq!(ids(&world, &id, outgoing(three)).await?, vec![], "none");
    for edge in world.list_edges(&id, incoming(three)).await? {
        let described = world.describe_edge(&id, &edge.edge_id).await?;
        expect_eq!(Some(edge), described, "as it is described");
    }
    Ok(())
}

/// By id, from either end.
#[case(GRA_029)]
async fn in_order(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let mut staged = Vec::new();
    for number in 0..6 {
        staged.push(world.staged(&id, &one, &two, 2 + number).await?.edge_id);
    }
    staged.sort();
    expect_eq!(ids(&world, &id, outgoing(&one)).await?, staged, "leaving");
    expect_eq!(ids(&world, &id, incoming(&two)).await?, staged, "entering");
    Ok(())
}

/// Members without edges, and executions that are no members.
#[case(GRA_017)]
async fn nobody(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    world.staged(&id, &one, &two, 2).await?;
    let standalone = world.execution().create().await?;
    // Its UUID is a member's, its partition is not.
    let namesake = ExecutionId::from_parts(one.partition() ^ 1, one.uuid());
    let none: Vec<EdgeId> = Vec::new();
    for stranger in [&standalone, &world.execution_id(), &namesake] {
        expect_eq!(ids(&world, &id, outgoing(stranger)).await?, none);
        expect_eq!(ids(&world, &id, incoming(stranger)).await?, none);
    }
    let elsewhere = world.flow().await?;
    for flow in [elsewhere, world.flow_id()] {
        expect_eq!(ids(&world, &flow, outgoing(&one)).await?, none);
        expect_eq!(ids(&world, &flow, incoming(&two)).await?, none);
    }
    Ok(())
}

/// 1 001 edges between two members.
#[case(GRA_018)]
async fn many(world: World) -> Verdict {
    const EDGES: usize = 1_001;
    let mut graph = Graph::new(&world).await?;
    let (one, two) = (graph.member().await?, graph.member().await?);
    let mut staged = Vec::new();
    for _ in 0..EDGES {
        staged.push(graph.stage(&one, &two).await?.edge_id);
    }
    staged.sort();
    for direction in [outgoing(&one), incoming(&two)] {
        let mut listed = ids(&world, &graph.flow, direction).await?;
        listed.sort();
        expect_eq!(listed.len(), EDGES, "none is left out");
        expect_eq!(listed, staged);
    }
    Ok(())
}

/// A list made while edges are staged ends with one of them.
#[case(GRA_018, needs(concurrency))]
async fn one_instant(world: World) -> Verdict {
    const EDGES: u64 = 40;
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let edges = (0..EDGES).map(|number| world.edge_args(&id, &one, &two, 2 + number));
    let edges: Vec<StageDependencyEdgeArgs> = edges.collect();
    let order: Vec<EdgeId> = edges.iter().map(|edge| edge.edge_id).collect();
    let staging = {
        let world = world.clone();
        tokio::spawn(async move {
            for edge in edges {
                world.stage_dependency_edge(edge).await?;
            }
            Ok::<_, EngineError>(())
        })
    };
    let mut is_over = false;
    while !is_over {
        is_over = staging.is_finished();
        let mut listed = ids(&world, &id, outgoing(&one)).await?;
        listed.sort();
        let mut expected = order[..listed.len()].to_vec();
        expected.sort();
        expect_eq!(listed, expected, "the first {} edges", listed.len());
        tokio::task::yield_now().await;
    }
    staging.await.map_err(|error| Failure::new(error.to_string()))??;
    let listed = ids(&world, &id, outgoing(&one)).await?;
    expect_eq!(listed.len(), order.len(), "all in the end");
    Ok(())
}

/// Edges outlive their members and the flow's cancellation.
#[case(GRA_020, CAN_015)]
async fn kept(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let staged = world.staged(&id, &one, &two, 2).await?;
    world.apply_dependency_to_child(staged.clone()).await?;
    let before = world.describe_edge(&id, &staged.edge_id).await?;
    world.complete(&world.worker().claim().await?, None).await?;
    world.close(&id).await?;
    let after = world.describe_edge(&id, &staged.edge_id).await?;
    expect_eq!(after, before, "nothing removes an edge");
    let listed = ids(&world, &id, outgoing(&one)).await?;
    expect_eq!(listed, vec![staged.edge_id], "listed still");
    Ok(())
}
