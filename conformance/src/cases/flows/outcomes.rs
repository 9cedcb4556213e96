//! What becomes of a member when its group is decided.

use ff_core::backend::FailureClass;
use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupState, OnSatisfied};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::TerminalOutcome;

use crate::stage::{BLOCKED, Graph, READY, SKIPPED, Verdict, World, case};

const ALL_OF: EdgeDependencyPolicy = EdgeDependencyPolicy::AllOf;
const ANY_OF: EdgeDependencyPolicy =
    EdgeDependencyPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun };

/// A released member stands where its priority and age put it.
#[case(DEP_015, SCH_002)]
async fn released(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let upstream = graph.member().await?;
    let (mut members, mut edges) = (Vec::new(), Vec::new());
    for priority in [0, 5, 0] {
        let builder = graph.execution().lane("shared").priority(priority);
        let member = graph.add(builder).await?;
        edges.push(graph.depend(&upstream, &member).await?);
        members.push(member);
        world.pass_ms(1).await?;
    }
    let other = graph.execution().lane("shared").create().await?;
    // In an order that is neither.
    for at in [2, 1, 0] {
        graph.resolve(&edges[at], "success").await?;
    }
    let seen = world.worker().lane("shared").drains().await?;
    let [first, second, third] = &members[..] else {
        unreachable!("three were made");
    };
    expect_eq!(
        seen.iter().collect::<Vec<_>>(),
        [second, first, third, &other],
        "by priority, then by age"
    );
    Ok(())
}

/// A released member whose delay is not over.
#[case(DEP_016, needs(clock))]
async fn released_later(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let upstream = graph.member().await?;
    let due = world.in_ms(100);
    let mut edges = Vec::new();
    let mut members = Vec::new();
    for _ in 0..2 {
        let builder = graph.execution().delay_until(due);
        let member = graph.add(builder).await?;
        edges.push(graph.depend(&upstream, &member).await?);
        members.push(member);
    }
    world.pass_ms(99).await?;
    graph.resolve(&edges[0], "success").await?;
    let expected = [
        ("eligibility_state", "not_eligible_until_time".to_owned()),
        ("blocking_reason", "waiting_for_delay".to_owned()),
        ("public_state", "delayed".to_owned()),
        ("delay_until", due.0.to_string()),
    ];
    world.expect_fields(&members[0], expected).await?;
    world.promote(&members[0]).await?;
    expect_eq!(graph.worker(&members[0]).try_claim().await?, None, "early");
    world.pass_ms(1).await?;
    world.promote(&members[0]).await?;
    graph.expect_state(&members[0], READY).await?;
    world.promote(&members[1]).await?;
    graph.expect_state(&members[1], BLOCKED).await?;
    graph.resolve(&edges[1], "success").await?;
    graph.expect_state(&members[1], READY).await?;
    expect_eq!(world.field(&members[1], "delay_until").await?, None, "over");
    Ok(())
}

/// A member that waits for its retry, and for a dependency as well.
#[case(DEP_015, DEP_016, needs(clock))]
async fn retry_later(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let upstream = graph.member().await?;
    let builder = graph.execution().retries(1, 50);
    let member = graph.add(builder).await?;
    let handle = graph.claim(&member).await?;
    let retryable = FailureClass::Transient;
    world.fail_with(&handle, retryable).await?;
    let edge = graph.depend(&upstream, &member).await?;
    graph.expect_state(&member, BLOCKED).await?;
    graph.resolve(&edge, "success").await?;
    let expected = [
        ("eligibility_state", "not_eligible_until_time"),
        ("blocking_reason", "waiting_for_delay"),
        ("attempt_state", "pending_retry_attempt"),
    ];
    world.expect_fields(&member, expected).await?;
    world.pass_ms(50).await?;
    world.promote(&member).await?;
    graph.claim(&member).await?;
    Ok(())
}

/// Members that are held, delayed or ended when their group is satisfied.
#[case(DEP_015, DEP_014)]
async fn left_alone(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let upstream = graph.member().await?;
    let held = graph.member().await?;
    let handle = graph.claim(&held).await?;
    let ended = graph.member().await?;
    graph.end(&ended, TerminalOutcome::Failed).await?;
    let retried = {
        let builder = graph.execution().retries(1, 50);
        graph.add(builder).await?
    };
    let retrying = graph.claim(&retried).await?;
    let mut edges = Vec::new();
    for member in [&held, &ended, &retried] {
        edges.push(graph.depend(&upstream, member).await?);
    }
    let retryable = FailureClass::Transient;
    world.fail_with(&retrying, retryable).await?;
    for (edge, member) in edges.iter().zip([&held, &ended, &retried]) {
        let before = world.observe(member).await?;
        world.pass_ms(1).await?;
        graph.resolve(edge, "success").await?;
        expect_eq!(world.observe(member).await?, before, "it is left alone");
        let group = graph.group(member).await?;
        expect_eq!(group.group_state, EdgeGroupState::Satisfied);
    }
    world.complete(&handle, None).await?;
    Ok(())
}

/// Whatever a member waited for, it is skipped.
#[case(DEP_017, EXE_019, DEP_014)]
async fn skipped(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let upstream = graph.member().await?;
    let blocked = graph.member().await?;
    let delayed = {
        let builder = graph.execution().delay_until(world.in_ms(60_000));
        graph.add(builder).await?
    };
    let retried = {
        let builder = graph.execution().retries(1, 0);
        graph.add(builder).await?
    };
    let retrying = graph.claim(&retried).await?;
    let ended = graph.member().await?;
    graph.end(&ended, TerminalOutcome::Success).await?;
    let mut edges = Vec::new();
    for member in [&blocked, &delayed, &retried, &ended] {
        edges.push(graph.depend(&upstream, member).await?);
    }
    // It can be claimed, and its group is pending.
    world.fail_with(&retrying, FailureClass::Transient).await?;
    world.promote(&retried).await?;
    world.pass_ms(7).await?;
    let before = world.observe(&ended).await?;
    for edge in &edges {
        graph.resolve(edge, "failed").await?;
    }
    expect_eq!(world.observe(&ended).await?, before, "it had ended");
    for (member, attempt) in
        [(&blocked, "none"), (&delayed, "none"), (&retried, "attempt_terminal")]
    {
        let expected = [
            ("lifecycle_phase", "terminal".to_owned()),
            ("ownership_state", "unowned".to_owned()),
            ("eligibility_state", "not_applicable".to_owned()),
            ("terminal_outcome", "skipped".to_owned()),
            ("attempt_state", attempt.to_owned()),
            ("public_state", "skipped".to_owned()),
            ("completed_at", world.now().0.to_string()),
        ];
        world.expect_fields(member, expected).await?;
        for name in ["delay_until", "blocking_reason"] {
            expect_eq!(world.field(member, name).await?, None, "{name}");
        }
        expect_eq!(graph.worker(member).try_claim().await?, None, "no work");
        world.promote(member).await?;
    }
    Ok(())
}

/// A held member is taken from its worker.
#[case(DEP_018, DEP_017, LSE_003)]
async fn skipped_under_lease(world: World) -> Verdict {
    for lapse in [false, true] {
        let mut graph = Graph::new(&world).await?;
        let (upstream, member) = (graph.member().await?, graph.member().await?);
        let handle = graph.worker(&member).ttl(if lapse { 100 } else { 30_000 }).claim().await?;
        let edge = graph.depend(&upstream, &member).await?;
        if lapse {
            world.pass_ms(100).await?;
            world.mark_lapsed(&member).await?;
        }
        graph.resolve(&edge, "failed").await?;
        graph.expect_state(&member, SKIPPED).await?;
        let expected = [("attempt_state", "attempt_terminal")];
        world.expect_fields(&member, expected).await?;
        let gone = [
            "current_lease_id",
            "current_worker_id",
            "lease_expires_at",
            "lease_expired_at",
            "blocking_detail",
        ];
        for name in gone {
            expect_eq!(world.field(&member, name).await?, None, "{name}");
        }
        let before = world.observe(&member).await?;
        let code = "contention.execution_not_active";
        expect_refused!(world.renew(&handle).await, code);
        expect_refused!(world.complete(&handle, None).await, code);
        expect_eq!(world.observe(&member).await?, before, "for good");
    }
    Ok(())
}

/// A result becomes an input.
#[case(DEP_019, DEP_046)]
async fn data(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (one, two) = (graph.member().await?, graph.member().await?);
    let plain = graph.member().await?;
    let member = graph.member().await?;
    let mut edges = Vec::new();
    for upstream in [&one, &two] {
        edges.push(graph.feed(upstream, &member).await?);
    }
    edges.push(graph.depend(&plain, &member).await?);
    for (upstream, result) in [(&one, b"one"), (&two, b"two"), (&plain, b"not")] {
        let handle = graph.claim(upstream).await?;
        world.complete(&handle, Some(result.to_vec())).await?;
    }
    // In an order that is not that of the edges' ids, as far as these are random.
    for (at, payload) in [(1, b"two"), (0, b"one"), (2, b"one")] {
        graph.resolve(&edges[at], "success").await?;
        let context = world.read_execution_context(&member).await?;
        expect_eq!(context.input_payload, payload, "after edge {at}");
    }
    graph.expect_state(&member, READY).await
}

/// Where there is nothing to pass on, the payload stays.
#[case(DEP_019)]
async fn no_data(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (silent, lost) = (graph.member().await?, graph.member().await?);
    let (member, skipped, ended) =
        (graph.member().await?, graph.member().await?, graph.member().await?);
    graph.end(&silent, TerminalOutcome::Success).await?;
    let handle = graph.claim(&lost).await?;
    world.complete(&handle, Some(b"result".to_vec())).await?;
    let edge = graph.feed(&silent, &member).await?;
    graph.resolve(&edge, "success").await?;
    graph.expect_state(&member, READY).await?;
    let edge = graph.feed(&lost, &skipped).await?;
    graph.resolve(&edge, "failed").await?;
    graph.end(&ended, TerminalOutcome::Success).await?;
    let edge = graph.feed(&lost, &ended).await?;
    graph.resolve(&edge, "success").await?;
    for (id, what) in [
        (&member, "an upstream without a result"),
        (&skipped, "an upstream that failed"),
        (&ended, "a member that has ended"),
    ] {
        let context = world.read_execution_context(id).await?;
        expect_eq!(context.input_payload, b"input", "{what}");
    }
    Ok(())
}

/// Of an any-of group, the edge that decides passes its result on.
#[case(DEP_046)]
async fn first_data(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let member = graph.member().await?;
    graph.policy(&member, ANY_OF).await?;
    let mut edges = Vec::new();
    for result in [b"one", b"two"] {
        let upstream = graph.member().await?;
        let handle = graph.claim(&upstream).await?;
        world.complete(&handle, Some(result.to_vec())).await?;
        edges.push(graph.feed(&upstream, &member).await?);
    }
    for edge in edges.iter().rev() {
        graph.resolve(edge, "success").await?;
        let context = world.read_execution_context(&member).await?;
        expect_eq!(context.input_payload, b"two", "of the one that decided");
    }
    Ok(())
}

/// On a cancelled flow members are still released and skipped.
#[case(DEP_009)]
async fn cancelled_flow(world: World) -> Verdict {
    let kept = Graph::fan_in(&world, 2, ALL_OF).await?;
    world.close(&kept.graph.flow).await?;
    kept.resolve(0, "success").await?;
    kept.expect_state(BLOCKED).await?;
    kept.resolve(1, "success").await?;
    kept.expect_state(READY).await?;
    kept.graph.claim(&kept.downstream).await?;
    let lost = Graph::fan_in(&world, 1, ALL_OF).await?;
    world.close(&lost.graph.flow).await?;
    let upstream = lost.upstream(0);
    lost.graph.end_and_cascade(upstream, TerminalOutcome::Failed).await?;
    lost.expect_state(SKIPPED).await
}
