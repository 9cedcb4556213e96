//! Dependencies resolved one by one, and what becomes of their group.

use ff_core::contracts::{
    EdgeDependencyPolicy, EdgeGroupState, OnSatisfied, ResolveDependencyArgs,
    ResolveDependencyOutcome as Resolved,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionFamily;
use ff_core::state::TerminalOutcome;
use ff_core::types::{AttemptIndex, EdgeId, LaneId};
use futures_util::future::join_all;

use crate::stage::{BLOCKED, Failure, Graph, READY, SKIPPED, Verdict, World, case};

const PENDING: EdgeGroupState = EdgeGroupState::Pending;
const SATISFIED: EdgeGroupState = EdgeGroupState::Satisfied;
const IMPOSSIBLE: EdgeGroupState = EdgeGroupState::Impossible;

const ALL_OF: EdgeDependencyPolicy = EdgeDependencyPolicy::AllOf;
const ANY_OF: EdgeDependencyPolicy =
    EdgeDependencyPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun };

fn quorum_of(k: u32) -> EdgeDependencyPolicy {
    EdgeDependencyPolicy::quorum(k, OnSatisfied::LetRun)
}

/// Words that are no outcome, and an unknown edge.
#[case(DEP_010)]
async fn refused(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 1, ALL_OF).await?;
    for outcome in ["nonsense", "none", "", "SUCCESS", "completed"] {
        let args = fan.graph.resolution(&fan.edges[0], outcome);
        let answer = world.resolve_dependency(args).await;
        expect_refused!(answer, "validation.invalid_input", "outcome {outcome:?}");
    }
    let mut args = fan.graph.resolution(&fan.edges[0], "success");
    args.edge_id = EdgeId::from_uuid(world.uuid());
    let answer = world.resolve_dependency(args).await;
    expect_refused!(answer, "validation.invalid_dependency", "no such edge");
    fan.expect_group([0, 0, 0, 1], PENDING, "nothing counts").await
}

/// Partition, outcome, edge, repetition.
#[case(DEP_051, FLW_007)]
async fn order_of_checks(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 2, ALL_OF).await?;
    let mut args = fan.graph.resolution(&fan.edges[0], "nonsense");
    args.edge_id = EdgeId::from_uuid(world.uuid());
    let home = args.partition;
    let mut wrong = args.clone();
    wrong.partition.family = PartitionFamily::Quota;
    expect_refused!(
        world.resolve_dependency(wrong).await,
        "validation.invalid_input",
        "another family"
    );
    if world.partitions().num_flow_partitions > 1 {
        let mut wrong = fan.graph.resolution(&fan.edges[0], "success");
        wrong.partition.index = (home.index + 1) % world.partitions().num_flow_partitions;
        expect_refused!(
            world.resolve_dependency(wrong).await,
            "validation.invalid_input",
            "another partition"
        );
    }
    let answer = world.resolve_dependency(args).await;
    expect_refused!(answer, "validation.invalid_input", "the outcome before the edge");
    fan.resolve(0, "success").await?;
    let mut again = fan.graph.resolution(&fan.edges[0], "nonsense");
    let answer = world.resolve_dependency(again.clone()).await;
    expect_refused!(answer, "validation.invalid_input", "before the repetition");
    again.upstream_outcome = "failed".to_owned();
    again.partition.family = PartitionFamily::Execution;
    expect_eq!(world.resolve_dependency(again).await?, Resolved::AlreadyResolved, "either family");
    Ok(())
}

/// An edge of other ends, of another flow, or not applied.
#[case(DEP_010, DEP_008)]
async fn mismatch(world: World) -> Verdict {
    let mut fan = Graph::fan_in(&world, 1, ALL_OF).await?;
    let upstream = fan.upstream(0).clone();
    let staged = fan.graph.stage(&upstream, &fan.downstream).await?;
    let other = Graph::new(&world).await?;
    let good = fan.graph.resolution(&fan.edges[0], "success");
    let change = |change: &dyn Fn(&mut ResolveDependencyArgs)| {
        let mut args = good.clone();
        change(&mut args);
        args
    };
    let broken = [
        change(&|args| args.edge_id = staged.edge_id),
        change(&|args| args.upstream_execution_id = fan.downstream.clone()),
        change(&|args| args.downstream_execution_id = upstream.clone()),
        change(&|args| {
            args.flow_id = other.flow;
            args.partition = other.partition();
        }),
    ];
    for (at, args) in broken.into_iter().enumerate() {
        let answer = world.resolve_dependency(args).await;
        expect_refused!(answer, "validation.invalid_dependency", "difference {at}");
    }
    fan.expect_group([0, 0, 0, 1], PENDING, "nothing counts").await?;
    fan.expect_state(BLOCKED).await?;
    fan.resolve(0, "success").await?;
    fan.expect_group([1, 0, 0, 0], SATISFIED, "without the staged edge").await?;
    fan.expect_state(READY).await
}

/// The answer and the count of every outcome.
#[case(DEP_006, DEP_011)]
async fn answers(world: World) -> Verdict {
    for (outcome, answer, counts) in [
        ("success", Resolved::Satisfied, [1, 0, 0, 4]),
        ("failed", Resolved::Impossible, [0, 1, 0, 4]),
        ("cancelled", Resolved::Impossible, [0, 1, 0, 4]),
        ("expired", Resolved::Impossible, [0, 1, 0, 4]),
        ("skipped", Resolved::Impossible, [0, 0, 1, 4]),
    ] {
        // Neither outcome decides.
        let fan = Graph::fan_in(&world, 5, quorum_of(2)).await?;
        expect_eq!(fan.resolve(0, outcome).await?, answer, "{outcome}");
        fan.expect_group(counts, PENDING, outcome).await?;
        fan.expect_state(BLOCKED).await?;
    }
    let fan = Graph::fan_in(&world, 2, ALL_OF).await?;
    expect_eq!(fan.resolve(0, "failed").await?, Resolved::Impossible);
    expect_eq!(
        fan.resolve(1, "success").await?,
        Resolved::Satisfied,
        "of the edge, not of the group"
    );
    Ok(())
}

/// An edge that is resolved already, by any outcome.
#[case(DEP_012, DEP_005)]
async fn again(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 3, ALL_OF).await?;
    fan.resolve(0, "success").await?;
    let before = world.observe(&fan.downstream).await?;
    for outcome in ["success", "failed", "skipped"] {
        expect_eq!(fan.resolve(0, outcome).await?, Resolved::AlreadyResolved, "{outcome}");
    }
    fan.expect_group([1, 0, 0, 2], PENDING, "nothing is counted again").await?;
    expect_eq!(world.observe(&fan.downstream).await?, before, "the member");
    fan.resolve(1, "failed").await?;
    expect_eq!(fan.resolve(1, "success").await?, Resolved::AlreadyResolved, "impossible for good");
    fan.expect_group([1, 1, 0, 1], IMPOSSIBLE, "a lost edge stays lost").await
}

/// All must succeed.
#[case(DEP_043, DEP_015, DEP_017, DEP_005)]
async fn all_of(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 3, ALL_OF).await?;
    for at in 0..2 {
        fan.resolve(at, "success").await?;
        fan.expect_state(BLOCKED).await?;
    }
    fan.expect_group([2, 0, 0, 1], PENDING, "two of three").await?;
    fan.resolve(2, "success").await?;
    fan.expect_group([3, 0, 0, 0], SATISFIED, "three of three").await?;
    fan.expect_state(READY).await?;
    fan.graph.claim(&fan.downstream).await?;
    for (outcome, counts) in [("failed", [1, 1, 0, 1]), ("skipped", [1, 0, 1, 1])] {
        let fan = Graph::fan_in(&world, 3, ALL_OF).await?;
        fan.resolve(0, "success").await?;
        fan.resolve(1, outcome).await?;
        fan.expect_group(counts, IMPOSSIBLE, outcome).await?;
        fan.expect_state(SKIPPED).await?;
    }
    Ok(())
}

/// One must succeed.
#[case(DEP_044, DEP_015, DEP_017, DEP_005)]
async fn any_of(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 3, ANY_OF).await?;
    fan.resolve(0, "failed").await?;
    fan.expect_group([0, 1, 0, 2], PENDING, "two are left").await?;
    fan.expect_state(BLOCKED).await?;
    fan.resolve(1, "success").await?;
    fan.expect_group([1, 1, 0, 1], SATISFIED, "one succeeded").await?;
    fan.expect_state(READY).await?;
    let fan = Graph::fan_in(&world, 3, ANY_OF).await?;
    for (at, outcome) in ["failed", "skipped"].into_iter().enumerate() {
        fan.resolve(at, outcome).await?;
        fan.expect_state(BLOCKED).await?;
    }
    fan.resolve(2, "expired").await?;
    fan.expect_group([0, 2, 1, 0], IMPOSSIBLE, "none is left").await?;
    fan.expect_state(SKIPPED).await
}

/// Two of four must succeed.
#[case(DEP_045, DEP_015, DEP_017, DEP_005)]
async fn quorum(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 4, quorum_of(2)).await?;
    for (at, outcome) in ["success", "failed", "skipped"].into_iter().enumerate() {
        fan.resolve(at, outcome).await?;
        fan.expect_state(BLOCKED).await?;
    }
    fan.expect_group([1, 1, 1, 1], PENDING, "two can still succeed").await?;
    fan.resolve(3, "success").await?;
    fan.expect_group([2, 1, 1, 0], SATISFIED, "two succeeded").await?;
    fan.expect_state(READY).await?;
    let fan = Graph::fan_in(&world, 4, quorum_of(2)).await?;
    for at in 0..2 {
        fan.resolve(at, "failed").await?;
        fan.expect_state(BLOCKED).await?;
    }
    fan.resolve(2, "skipped").await?;
    fan.expect_group([0, 2, 1, 1], IMPOSSIBLE, "one is not enough").await?;
    fan.expect_state(SKIPPED).await
}

/// A quorum that the edges cannot reach.
#[case(DEP_047)]
async fn oversized_quorum(world: World) -> Verdict {
    for k in [3, u32::try_from(i32::MAX).unwrap_or(u32::MAX)] {
        let fan = Graph::fan_in(&world, 2, quorum_of(k)).await?;
        fan.expect_state(BLOCKED).await?;
        fan.resolve(0, "success").await?;
        fan.expect_group([1, 0, 0, 1], IMPOSSIBLE, "two edges are too few").await?;
        fan.expect_state(SKIPPED).await?;
    }
    Ok(())
}

/// Ends that come after the decision.
#[case(DEP_007, DEP_005)]
async fn once(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 3, ALL_OF).await?;
    fan.resolve(0, "failed").await?;
    let before = world.observe(&fan.downstream).await?;
    for at in 1..3 {
        fan.resolve(at, "success").await?;
    }
    fan.expect_group([2, 1, 0, 0], IMPOSSIBLE, "late successes count, no more").await?;
    expect_eq!(world.observe(&fan.downstream).await?, before, "skipped once");
    let fan = Graph::fan_in(&world, 3, ANY_OF).await?;
    fan.resolve(0, "success").await?;
    let handle = fan.graph.claim(&fan.downstream).await?;
    let before = world.observe(&fan.downstream).await?;
    for at in 1..3 {
        fan.resolve(at, "failed").await?;
    }
    fan.expect_group([1, 2, 0, 0], SATISFIED, "late failures count, no more").await?;
    expect_eq!(world.observe(&fan.downstream).await?, before, "left alone");
    world.complete(&handle, None).await?;
    Ok(())
}

/// A lane and an attempt that are not the member's.
#[case(DEP_013)]
async fn hints(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 1, ALL_OF).await?;
    let mut args = fan.graph.resolution(&fan.edges[0], "success");
    args.lane_id = LaneId::new("another");
    args.current_attempt_index = AttemptIndex::new(7);
    world.resolve_dependency(args).await?;
    expect_eq!(world.worker().lane("another").try_claim().await?, None);
    fan.graph.claim(&fan.downstream).await?;
    expect_eq!(
        world.read_total_attempt_count(&fan.downstream).await?,
        AttemptIndex::new(1),
        "its first attempt"
    );
    Ok(())
}

/// One edge many times, and all edges at once.
#[case(DEP_012, DEP_005, needs(concurrency))]
async fn concurrent(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 8, quorum_of(4)).await?;
    let spawn = |args: ResolveDependencyArgs| {
        let world = world.clone();
        tokio::spawn(async move { world.resolve_dependency(args).await })
    };
    let calls = fan.edges.iter().flat_map(|edge| {
        let args = fan.graph.resolution(edge, "success");
        [args.clone(), args.clone(), args]
    });
    let (mut counted, mut repeated) = (0, 0);
    for call in join_all(calls.map(spawn)).await {
        match call.map_err(|error| Failure::new(error.to_string()))?? {
            Resolved::Satisfied => counted += 1,
            Resolved::AlreadyResolved => repeated += 1,
            other => return Err(Failure::new(format!("a success is not {other:?}"))),
        }
    }
    expect_eq!([counted, repeated], [8, 16], "each edge counts once");
    fan.expect_group([8, 0, 0, 0], SATISFIED, "all of them").await?;
    fan.expect_state(READY).await
}

/// An edge applied to an all-of group that was satisfied.
#[case(GRA_016)]
async fn reopened(world: World) -> Verdict {
    let mut fan = Graph::fan_in(&world, 1, ALL_OF).await?;
    fan.resolve(0, "success").await?;
    fan.expect_state(READY).await?;
    let late = fan.graph.member().await?;
    let edge = fan.graph.depend(&late, &fan.downstream).await?;
    fan.expect_group([1, 0, 0, 1], PENDING, "one more is to come").await?;
    fan.expect_state(BLOCKED).await?;
    fan.graph.resolve(&edge, "success").await?;
    fan.expect_group([2, 0, 0, 0], SATISFIED, "it came").await?;
    fan.expect_state(READY).await?;
    let member = fan.downstream.clone();
    fan.graph.end(&member, TerminalOutcome::Success).await?;
    fan.graph.depend(&late, &member).await?;
    fan.expect_group([2, 0, 0, 1], SATISFIED, "its member has ended").await
}

/// An edge applied to a group that stays decided.
#[case(GRA_022)]
async fn decided(world: World) -> Verdict {
    for (policy, outcome, state, counts) in [
        (ANY_OF, "success", SATISFIED, [1, 0, 0, 1]),
        (quorum_of(1), "success", SATISFIED, [1, 0, 0, 1]),
        (ALL_OF, "failed", IMPOSSIBLE, [0, 1, 0, 1]),
    ] {
        let mut fan = Graph::fan_in(&world, 1, policy).await?;
        fan.resolve(0, outcome).await?;
        let before = world.observe(&fan.downstream).await?;
        let late = fan.graph.member().await?;
        fan.graph.depend(&late, &fan.downstream).await?;
        fan.expect_group(counts, state, "it stays decided").await?;
        expect_eq!(world.observe(&fan.downstream).await?, before, "not blocked");
    }
    Ok(())
}

/// The caller's outcome counts, whatever the upstream's state.
#[case(DEP_011, needs(passive))]
async fn trusted(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 2, ALL_OF).await?;
    fan.graph.end(fan.upstream(0), TerminalOutcome::Failed).await?;
    for at in 0..2 {
        let upstream = world.observe(fan.upstream(at)).await?;
        fan.resolve(at, "success").await?;
        expect_eq!(world.observe(fan.upstream(at)).await?, upstream, "kept");
    }
    fan.expect_state(READY).await
}
