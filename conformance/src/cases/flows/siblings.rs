//! Upstreams that a decided group has no more need of.

use ff_core::contracts::{EdgeDependencyPolicy, OnSatisfied};
use ff_core::engine_backend::{EngineBackend, SiblingCancelReconcileAction};
use ff_core::partition::PartitionFamily;
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;
use futures_util::future::join_all;

use crate::stage::{Failure, FanIn, Graph, Verdict, World, case};

type Action = SiblingCancelReconcileAction;

const ANY_OF: EdgeDependencyPolicy =
    EdgeDependencyPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining };

impl Graph {
    async fn reconcile(&self, member: &ExecutionId) -> Result<Action, Failure> {
        let (partition, flow) = (self.partition(), &self.flow);
        let world = &self.world;
        Ok(world.reconcile_sibling_cancel_group(partition, flow, member).await?)
    }

    async fn drain(&self, member: &ExecutionId) -> Verdict {
        let (partition, flow) = (self.partition(), &self.flow);
        let world = &self.world;
        world.drain_sibling_cancel_group(partition, flow, member).await?;
        Ok(())
    }
}

impl FanIn {
    pub(crate) async fn reconcile(&self) -> Result<Action, Failure> {
        self.graph.reconcile(&self.downstream).await
    }
}

/// A partition that is not the flow's.
#[case(FLW_007)]
async fn partition(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 2, ANY_OF).await?;
    fan.resolve(0, "success").await?;
    let home = fan.graph.partition();
    let mut wrong = vec![home; 3];
    wrong[0].family = PartitionFamily::Budget;
    wrong[1].family = PartitionFamily::Quota;
    let count = world.partitions().num_flow_partitions;
    wrong[2].index = if count > 1 { (home.index + 1) % count } else { count };
    for partition in wrong {
        let (flow, member) = (&fan.graph.flow, &fan.downstream);
        let answer = world.drain_sibling_cancel_group(partition, flow, member);
        expect_refused!(answer.await, "validation.invalid_input", "{partition:?}");
        let answer = world.reconcile_sibling_cancel_group(partition, flow, member);
        expect_refused!(answer.await, "validation.invalid_input", "{partition:?}");
    }
    fan.graph.end(fan.upstream(1), TerminalOutcome::Success).await?;
    let mut alias = home;
    alias.family = PartitionFamily::Execution;
    let action =
        world.reconcile_sibling_cancel_group(alias, &fan.graph.flow, &fan.downstream).await?;
    expect_eq!(action, Action::CompletedDrain, "it was noted all the time");
    Ok(())
}

/// What a decided group leaves over is noted until it has ended.
#[case(DEP_026, DEP_030, needs(passive))]
async fn noted(world: World) -> Verdict {
    let cancel = OnSatisfied::CancelRemaining;
    for (policy, outcomes) in [
        (ANY_OF, vec!["success"]),
        (EdgeDependencyPolicy::quorum(2, cancel), vec!["success"; 2]),
        (EdgeDependencyPolicy::quorum(3, cancel), vec!["failed"; 2]),
    ] {
        let fan = Graph::fan_in(&world, 4, policy).await?;
        expect_eq!(fan.reconcile().await?, Action::NoOp, "it is pending");
        let decided = outcomes.len();
        for (at, outcome) in outcomes.into_iter().enumerate() {
            // Whoever was resolved has ended, as far as the group is concerned.
            let how = match outcome {
                "success" => TerminalOutcome::Success,
                _ => TerminalOutcome::Failed,
            };
            fan.graph.end(fan.upstream(at), how).await?;
            fan.resolve(at, outcome).await?;
        }
        for at in decided..4 {
            let before = world.observe(fan.upstream(at)).await?;
            expect_eq!(fan.reconcile().await?, Action::NoOp, "{at} is running");
            expect_eq!(world.observe(fan.upstream(at)).await?, before, "it runs on");
            let upstream = fan.upstream(at);
            fan.graph.end(upstream, TerminalOutcome::Cancelled).await?;
        }
        expect_eq!(fan.reconcile().await?, Action::CompletedDrain);
        expect_eq!(fan.reconcile().await?, Action::NoOp, "forgotten");
    }
    Ok(())
}

/// Groups that note nothing.
#[case(DEP_026, DEP_030)]
async fn not_noted(world: World) -> Verdict {
    for (policy, outcome) in [
        (EdgeDependencyPolicy::any_of(OnSatisfied::LetRun), "success"),
        (EdgeDependencyPolicy::quorum(2, OnSatisfied::LetRun), "failed"),
        (EdgeDependencyPolicy::AllOf, "failed"),
        (ANY_OF, "failed"),
    ] {
        let fan = Graph::fan_in(&world, 2, policy).await?;
        fan.resolve(0, outcome).await?;
        fan.graph.end(fan.upstream(1), TerminalOutcome::Success).await?;
        expect_eq!(fan.reconcile().await?, Action::NoOp, "{policy:?}");
    }
    let graph = Graph::new(&world).await?;
    let unknown = graph.execution().args().execution_id;
    expect_eq!(graph.reconcile(&unknown).await?, Action::NoOp, "no member");
    Ok(())
}

/// A note without upstreams.
#[case(DEP_026, DEP_030, needs(passive))]
async fn none_left(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 2, ANY_OF).await?;
    for at in 0..2 {
        fan.graph.end(fan.upstream(at), TerminalOutcome::Failed).await?;
        fan.resolve(at, "failed").await?;
    }
    expect_eq!(fan.reconcile().await?, Action::CompletedDrain);
    // The one that is resolved does not count, although it has not ended.
    let fan = Graph::fan_in(&world, 1, ANY_OF).await?;
    fan.resolve(0, "success").await?;
    expect_eq!(fan.reconcile().await?, Action::CompletedDrain);
    Ok(())
}

/// An upstream that another pending group waits for.
#[case(DEP_028)]
async fn spared(world: World) -> Verdict {
    let policies = [EdgeDependencyPolicy::AllOf, ANY_OF];
    for policy in policies {
        let mut fan = Graph::fan_in(&world, 2, ANY_OF).await?;
        let sibling = fan.upstream(1).clone();
        let other = fan.graph.member().await?;
        fan.graph.policy(&other, policy).await?;
        fan.graph.depend(&sibling, &other).await?;
        fan.resolve(0, "success").await?;
        expect_eq!(fan.reconcile().await?, Action::CompletedDrain, "it was spared");
    }
    // Neither an edge that has no effect nor a group that is decided needs it.
    let mut fan = Graph::fan_in(&world, 2, ANY_OF).await?;
    let sibling = fan.upstream(1).clone();
    let other = fan.graph.member().await?;
    fan.graph.stage(&sibling, &other).await?;
    let spare = fan.graph.member().await?;
    let decided = fan.graph.member().await?;
    let let_run = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
    fan.graph.policy(&decided, let_run).await?;
    fan.graph.depend(&sibling, &decided).await?;
    let edge = fan.graph.depend(&spare, &decided).await?;
    fan.graph.resolve(&edge, "success").await?;
    fan.resolve(0, "success").await?;
    expect_eq!(fan.reconcile().await?, Action::NoOp, "it was noted");
    fan.graph.end(&sibling, TerminalOutcome::Success).await?;
    expect_eq!(fan.reconcile().await?, Action::CompletedDrain);
    Ok(())
}

/// A note is forgotten, and nothing else.
#[case(DEP_029, DEP_030, needs(passive))]
async fn drained(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 3, ANY_OF).await?;
    fan.graph.drain(&fan.downstream).await?;
    fan.resolve(0, "success").await?;
    let flow = world.described_flow(&fan.graph.flow).await?;
    let upstream = world.observe(fan.upstream(1)).await?;
    for _ in 0..2 {
        fan.graph.drain(&fan.downstream).await?;
        expect_eq!(world.described_flow(&fan.graph.flow).await?, flow, "flow");
        expect_eq!(world.observe(fan.upstream(1)).await?, upstream, "upstream");
    }
    for at in 1..3 {
        fan.graph.end(fan.upstream(at), TerminalOutcome::Cancelled).await?;
    }
    expect_eq!(fan.reconcile().await?, Action::NoOp, "nothing is noted");
    let unknown = fan.graph.execution().args().execution_id;
    fan.graph.drain(&unknown).await
}

/// Drains and reconciliations at once.
#[case(DEP_031, needs(passive, concurrency))]
async fn concurrent(world: World) -> Verdict {
    for drains in [0, 2] {
        let fan = Graph::fan_in(&world, 1, ANY_OF).await?;
        fan.resolve(0, "success").await?;
        let calls = (0..8).map(|n| {
            let (world, member) = (world.clone(), fan.downstream.clone());
            let (partition, flow) = (fan.graph.partition(), fan.graph.flow);
            tokio::spawn(async move {
                if n < drains {
                    let drain = world.drain_sibling_cancel_group(partition, &flow, &member);
                    return drain.await.map(|()| Action::NoOp);
                }
                let reconcile = world.reconcile_sibling_cancel_group(partition, &flow, &member);
                reconcile.await
            })
        });
        let mut completed = 0;
        for call in join_all(calls).await {
            let action = call.map_err(|error| Failure::new(error.to_string()))??;
            completed += usize::from(action == Action::CompletedDrain);
        }
        expect!(completed <= 1, "{completed} reconciliations found one note");
        expect!(drains > 0 || completed == 1, "one of them found the note");
    }
    Ok(())
}
