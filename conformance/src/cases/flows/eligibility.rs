//! Whether a member's dependencies let it run.

use ff_core::contracts::{
    EdgeDependencyPolicy, EvaluateFlowEligibilityArgs, EvaluateFlowEligibilityResult, OnSatisfied,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;

use crate::stage::{Failure, Graph, Verdict, World, case};

async fn expect_status(world: &World, id: &ExecutionId, status: &str) -> Verdict {
    let args = EvaluateFlowEligibilityArgs { execution_id: id.clone() };
    let expected = EvaluateFlowEligibilityResult::Status { status: status.to_owned() };
    expect_eq!(world.evaluate_flow_eligibility(args).await?, expected);
    Ok(())
}

/// A member is looked at in every state.
#[case(DEP_033)]
async fn without_effect(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 1, EdgeDependencyPolicy::AllOf).await?;
    let looked = async |id: &ExecutionId| -> Verdict {
        let before = (world.observe(id).await?, world.described_flow(&fan.graph.flow).await?);
        let args = EvaluateFlowEligibilityArgs { execution_id: id.clone() };
        world.evaluate_flow_eligibility(args).await?;
        let after = (world.observe(id).await?, world.described_flow(&fan.graph.flow).await?);
        expect_eq!(after.0, before.0, "the member");
        expect_eq!(after.1, before.1, "its flow");
        Ok(())
    };
    let (up, down) = (fan.upstream(0), &fan.downstream);
    looked(up).await?;
    looked(down).await?;
    let handle = fan.graph.claim(up).await?;
    looked(up).await?;
    world.complete(&handle, None).await?;
    looked(up).await?;
    fan.graph.cascade(up).await?;
    looked(down).await
}

/// Every status that an execution passes through.
#[case(DEP_032)]
async fn states(world: World) -> Verdict {
    expect_status(&world, &world.execution_id(), "not_found").await?;
    let mut graph = Graph::new(&world).await?;
    let alone = graph.execution().create().await?;
    expect_status(&world, &alone, "eligible").await?;
    let (up, down) = (graph.member().await?, graph.member().await?);
    expect_status(&world, &down, "eligible").await?;
    let staged = graph.stage(&up, &down).await?;
    expect_status(&world, &down, "eligible").await?;
    graph.apply(&staged).await?;
    expect_status(&world, &down, "blocked_by_dependencies").await?;
    let handle = graph.claim(&up).await?;
    expect_status(&world, &up, "not_runnable").await?;
    world.complete(&handle, None).await?;
    expect_status(&world, &up, "not_runnable").await?;
    expect_status(&world, &down, "blocked_by_dependencies").await?;
    graph.cascade(&up).await?;
    expect_status(&world, &down, "eligible").await?;
    graph.end(&down, TerminalOutcome::Success).await?;
    expect_status(&world, &down, "not_runnable").await
}

/// Groups of every policy, pending and satisfied.
#[case(DEP_032)]
async fn groups(world: World) -> Verdict {
    let let_run = OnSatisfied::LetRun;
    for (policy, needed) in [
        (EdgeDependencyPolicy::AllOf, 3),
        (EdgeDependencyPolicy::any_of(let_run), 1),
        (EdgeDependencyPolicy::quorum(2, let_run), 2),
    ] {
        let fan = Graph::fan_in(&world, 3, policy).await?;
        for at in 0..3 {
            let status = if at < needed { "blocked_by_dependencies" } else { "eligible" };
            expect_status(&world, &fan.downstream, status).await?;
            fan.resolve(at, "success").await?;
        }
        expect_status(&world, &fan.downstream, "eligible").await?;
    }
    Ok(())
}

/// A member that can be claimed although its group is pending.
#[case(DEP_032)]
async fn claimable(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let up = graph.member().await?;
    let member = {
        let builder = graph.execution().retries(1, 0);
        graph.add(builder).await?
    };
    let handle = graph.claim(&member).await?;
    graph.depend(&up, &member).await?;
    world.fail_with(&handle, ff_core::backend::FailureClass::Transient).await?;
    expect_status(&world, &member, "blocked_by_dependencies").await
}

/// A delay is no matter of dependencies.
#[case(DEP_032)]
async fn other_blocks(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let builder = graph.execution().delay_until(world.in_ms(60_000));
    let member = graph.add(builder).await?;
    expect_status(&world, &member, "eligible").await
}

/// A member is looked at while it is skipped.
#[case(DEP_048, needs(concurrency))]
async fn one_instant(world: World) -> Verdict {
    for _ in 0..10 {
        let fan = Graph::fan_in(&world, 1, EdgeDependencyPolicy::AllOf).await?;
        fan.graph.end(fan.upstream(0), TerminalOutcome::Failed).await?;
        let completion = fan.graph.completion(fan.upstream(0));
        let cascading = {
            let world = world.clone();
            tokio::spawn(async move { world.cascade_completion(&completion).await })
        };
        let mut is_over = false;
        while !is_over {
            is_over = cascading.is_finished();
            let args = EvaluateFlowEligibilityArgs { execution_id: fan.downstream.clone() };
            let EvaluateFlowEligibilityResult::Status { status } =
                world.evaluate_flow_eligibility(args).await?;
            let before_or_after = ["blocked_by_dependencies", "not_runnable"];
            expect!(before_or_after.contains(&&*status), "before or after, not {status}");
            tokio::task::yield_now().await;
        }
        cascading.await.map_err(|error| Failure::new(error.to_string()))??;
    }
    Ok(())
}
