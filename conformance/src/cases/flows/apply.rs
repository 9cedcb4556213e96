//! Dependencies taking effect.

use std::collections::BTreeSet;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::ApplyDependencyToChildResult as Applying;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::{EdgeId, FlowId};
use futures_util::future::join_all;

use crate::stage::{Failure, Verdict, World, case};

fn applied(unsatisfied_count: u32) -> Applying {
    Applying::Applied { unsatisfied_count }
}

/// An unknown flow, and a cancelled one.
#[case(GRA_010)]
async fn refused(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let edge = world.staged(&flow, &up, &down, 2).await?;
    let mut unknown = edge.clone();
    unknown.flow_id = world.flow_id();
    expect_refused!(world.apply_dependency_to_child(unknown).await, "not_found.flow");
    world.close(&flow).await?;
    let answer = world.apply_dependency_to_child(edge).await;
    expect_refused!(answer, "state.flow_already_terminal");
    Ok(())
}

/// Flow, edge, repetition, state.
#[case(GRA_028)]
async fn order_of_checks(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let edge = world.staged(&flow, &up, &down, 2).await?;
    let mut unknown = edge.clone();
    unknown.flow_id = FlowId::from_uuid(world.uuid());
    unknown.edge_id = EdgeId::from_uuid(world.uuid());
    expect_refused!(world.apply_dependency_to_child(unknown).await, "not_found.flow");
    world.apply_dependency_to_child(edge.clone()).await?;
    world.cancel_flow(&flow, CancelFlowPolicy::FlowOnly, CancelFlowWait::NoWait).await?;
    let mut strange = edge.clone();
    strange.edge_id = EdgeId::from_uuid(world.uuid());
    let answer = world.apply_dependency_to_child(strange).await;
    expect_refused!(answer, "validation.invalid_dependency", "the edge before the state");
    let again = world.apply_dependency_to_child(edge).await?;
    expect_eq!(again, Applying::AlreadyApplied, "a repetition before the state");
    Ok(())
}

/// An edge that was staged otherwise.
#[case(GRA_010)]
async fn mismatch(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let edge = world.staged(&flow, &up, &down, 2).await?;
    let before = world.observe(&down).await?;
    let mut broken = vec![edge.clone(); 5];
    broken[0].edge_id = EdgeId::from_uuid(world.uuid());
    broken[1].upstream_execution_id = world.execution_id();
    broken[2].downstream_execution_id = up.clone();
    broken[3].dependency_kind = "other".to_owned();
    broken[4].data_passing_ref = Some("other".to_owned());
    for (at, args) in broken.into_iter().enumerate() {
        let answer = world.apply_dependency_to_child(args).await;
        expect_refused!(answer, "validation.invalid_dependency", "difference {at}");
    }
    expect_eq!(world.observe(&down).await?, before, "nothing changes");
    Ok(())
}

/// Each edge counts, ended upstreams too.
#[case(GRA_011, needs(passive))]
async fn counts(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (ended, handle) = world.execution_for(&flow).claimed().await?;
    world.complete(&handle, None).await?;
    world.join(&flow, &ended).await?;
    let up = world.member(&flow).await?;
    let down = world.member(&flow).await?;
    let first = world.staged(&flow, &ended, &down, 3).await?;
    let second = world.staged(&flow, &up, &down, 4).await?;
    world.staged(&flow, &ended, &up, 5).await?;
    expect_eq!(world.apply_dependency_to_child(first).await?, applied(1));
    expect_eq!(world.apply_dependency_to_child(second).await?, applied(2));
    Ok(())
}

/// A waiting or delayed child waits for its dependencies.
#[case(GRA_012, SCH_001, EXE_019)]
async fn blocks(world: World) -> Verdict {
    let flow = world.flow().await?;
    let up = world.execution_for(&flow).lane("up").create().await?;
    world.join(&flow, &up).await?;
    let delayed = world.execution_for(&flow).delay_until(world.in_ms(10)).create().await?;
    world.join(&flow, &delayed).await?;
    let waiting = world.member(&flow).await?;
    for (revision, child) in [(3, &waiting), (4, &delayed)] {
        let edge = world.staged(&flow, &up, child, revision).await?;
        world.apply_dependency_to_child(edge).await?;
        world
            .expect_fields(
                child,
                [
                    ("lifecycle_phase", "runnable"),
                    ("eligibility_state", "blocked_by_dependencies"),
                    ("blocking_reason", "waiting_for_children"),
                    ("attempt_state", "pending_first_attempt"),
                    ("public_state", "waiting_children"),
                ],
            )
            .await?;
    }
    world.pass_ms(10).await?;
    world.promote(&delayed).await?;
    world.promote(&waiting).await?;
    expect_eq!(world.worker().try_claim().await?, None, "neither can be claimed");
    Ok(())
}

/// A child that is held or has ended is left alone.
#[case(GRA_012)]
async fn leaves(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (ended, handle) = world.execution_for(&flow).claimed().await?;
    world.complete(&handle, None).await?;
    let (held, handle) = world.execution_for(&flow).claimed().await?;
    world.join(&flow, &ended).await?;
    world.join(&flow, &held).await?;
    let up = world.member(&flow).await?;
    for (revision, child, state) in
        [(3, &ended, PublicState::Completed), (4, &held, PublicState::Active)]
    {
        let edge = world.staged(&flow, &up, child, revision).await?;
        let before = world.observe(child).await?;
        expect_eq!(world.apply_dependency_to_child(edge).await?, applied(1));
        expect_eq!(world.observe(child).await?, before, "it is left alone");
        expect_eq!(world.read_execution_state(child).await?, Some(state));
    }
    world.complete(&handle, None).await?;
    Ok(())
}

/// An edge that is applied already.
#[case(GRA_013)]
async fn again(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let edge = world.staged(&flow, &up, &down, 2).await?;
    world.apply_dependency_to_child(edge.clone()).await?;
    let before = world.observe(&down).await?;
    for _ in 0..2 {
        let again = world.apply_dependency_to_child(edge.clone()).await?;
        expect_eq!(again, Applying::AlreadyApplied);
    }
    expect_eq!(world.observe(&down).await?, before, "nothing changes");
    let next = world.staged(&flow, &up, &down, 3).await?;
    expect_eq!(world.apply_dependency_to_child(next).await?, applied(2), "nothing was counted");
    world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait).await?;
    let again = world.apply_dependency_to_child(edge).await?;
    expect_eq!(again, Applying::AlreadyApplied, "nor does a cancellation matter");
    Ok(())
}

/// One edge many times, and many edges at once.
#[case(GRA_013, needs(concurrency))]
async fn concurrent(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let mut edges = Vec::new();
    for n in 0..6 {
        edges.push(world.staged(&flow, &up, &down, 2 + n).await?);
    }
    let spawn = |args: ff_core::contracts::ApplyDependencyToChildArgs| {
        let world = world.clone();
        tokio::spawn(async move { world.apply_dependency_to_child(args).await })
    };
    let mut counts = BTreeSet::new();
    let mut first = 0;
    let calls = edges[1..].iter().chain(vec![&edges[0]; 5]);
    for call in join_all(calls.cloned().map(spawn)).await {
        match call.map_err(|error| Failure::new(error.to_string()))?? {
            Applying::Applied { unsatisfied_count } => {
                expect!(counts.insert(unsatisfied_count), "{unsatisfied_count} counted twice");
            }
            Applying::AlreadyApplied => first += 1,
        }
    }
    expect_eq!(counts, (1..=6).collect::<BTreeSet<_>>(), "counts");
    expect_eq!(first, 4, "repetitions of one edge");
    Ok(())
}

/// Any revision will do.
#[case(GRA_014)]
async fn revision(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    for (n, revision) in [0, 1_000, ff_core::types::MAX_INTEGER].into_iter().enumerate() {
        let mut edge = world.staged(&flow, &up, &down, 2 + n as u64).await?;
        edge.graph_revision = revision;
        let count = u32::try_from(n + 1).unwrap_or(u32::MAX);
        let answer = world.apply_dependency_to_child(edge).await?;
        expect_eq!(answer, applied(count), "revision {revision}");
    }
    Ok(())
}
