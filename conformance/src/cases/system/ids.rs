//! Ids with a UUID that is known, in another partition.

use ff_core::call::Call;
use ff_core::contracts::{
    AddExecutionToFlowArgs, CancelFlowArgs, EdgeDependencyPolicy, EdgeDirection,
    EvaluateFlowEligibilityArgs, OnSatisfied, ReplayExecutionArgs,
};
use ff_core::engine_backend::{EngineBackend, SiblingCancelReconcileAction};
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;

use crate::stage::{CALLERS_NOW, Graph, Verdict, World, apply_args, cancellation, case};

impl World {
    /// The id with this UUID in another partition.
    fn namesake(&self, id: &ExecutionId) -> ExecutionId {
        let count = self.partitions().num_flow_partitions;
        let other = if count > 1 { (id.partition() + 1) % count } else { count };
        ExecutionId::from_parts(other, id.uuid())
    }

    /// Asserts that a call is answered for the namesake of an execution as for an id that nothing has.
    async fn expect_stranger(
        &self,
        known: &ExecutionId,
        naming: &(dyn Fn(ExecutionId) -> Call + Sync),
    ) -> Verdict {
        let namesake = self.namesake(known);
        let stranger = ExecutionId::from_parts(namesake.partition(), self.uuid());
        let call = naming(namesake.clone());
        let answer = self.told(&call, &namesake).await;
        let expected = self.told(&naming(stranger.clone()), &stranger).await;
        expect_eq!(answer, expected, "{call:?}");
        Ok(())
    }

    /// What a call answers, whatever the id that it names.
    async fn told(&self, call: &Call, id: &ExecutionId) -> String {
        match call.send(&**self).await {
            Ok(reply) => {
                let shown = serde_json::to_value(&reply).unwrap_or_default().to_string();
                shown.replace(&id.uuid().to_string(), "its UUID")
            }
            Err(error) => error.code(),
        }
    }
}

/// Two executions with one UUID, in two partitions.
#[case(SYS_037)]
async fn twins(world: World) -> Verdict {
    let one = world.execution().requires(&["cpu"]).payload(b"one");
    let one = one.tag("app.name", "one").create().await?;
    let other = world.namesake(&one);
    expect_eq!(world.describe_execution(&other).await?, None, "not yet");
    let before = world.observe(&one).await?;
    if other.partition() >= world.partitions().num_flow_partitions {
        return Ok(());
    }
    let twin = world.execution().id(&other).lane("other");
    twin.requires(&["gpu"]).payload(b"other").created().await?;
    expect_eq!(world.observe(&one).await?, before, "the first");
    let after = world.observe(&other).await?;
    expect_eq!(after.get("required_capabilities"), Some("gpu"));
    let cpu = world.worker().offers(&["cpu"]);
    let gpu = world.worker().lane("other").offers(&["gpu"]);
    let held = gpu.claim().await?;
    world.complete(&held, Some(b"done".to_vec())).await?;
    expect_eq!(world.observe(&one).await?, before, "the first");
    expect_eq!(cpu.claims().await?, Some(one.clone()), "the first");
    expect_eq!(world.get_execution_result(&one).await?, None, "the first");
    let result = world.get_execution_result(&other).await?;
    expect_eq!(result, Some(b"done".to_vec()), "the second");
    Ok(())
}

/// Calls that name a member by its UUID and another partition.
#[case(SYS_037)]
async fn namesakes(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let late = graph.execution().delay_until(world.in_ms(200));
    let (late, held, up, alone) = (
        graph.add(late).await?,
        graph.member().await?,
        graph.member().await?,
        graph.member().await?,
    );
    let down = graph.execution().tag("app.name", "down");
    let down = graph.add(down).await?;
    let edge = graph.feed(&up, &down).await?;
    let staged = graph.stage(&held, &down).await?;
    graph.end(&up, TerminalOutcome::Success).await?;
    graph.worker(&held).ttl(200).claim().await?;
    world.pass_ms(200).await?;
    let members = [&late, &held, &up, &alone, &down];
    let mut before = Vec::new();
    for member in members {
        before.push(world.observe(member).await?);
    }
    let flow = graph.flow;
    let described = world.described_flow(&flow).await?;
    let now = CALLERS_NOW;

    for naming in about_one(&world) {
        for member in members {
            world.expect_stranger(member, &naming).await?;
        }
    }
    let next = |upstream: &ExecutionId, downstream: &ExecutionId| Call::StageDependencyEdge {
        args: world.edge_args(&flow, upstream, downstream, described.graph_revision),
    };
    world.expect_stranger(&alone, &|id| next(&id, &down)).await?;
    world.expect_stranger(&alone, &|id| next(&up, &id)).await?;
    let joining = |execution_id| Call::AddExecutionToFlow {
        args: AddExecutionToFlowArgs { flow_id: flow, execution_id, now },
    };
    world.expect_stranger(&alone, &joining).await?;
    let setting = |downstream_execution_id| Call::SetEdgeGroupPolicy {
        flow_id: flow,
        downstream_execution_id,
        policy: EdgeDependencyPolicy::any_of(OnSatisfied::LetRun),
    };
    world.expect_stranger(&alone, &setting).await?;
    let applying = |change: &dyn Fn(&mut ff_core::contracts::ApplyDependencyToChildArgs)| {
        let mut args = apply_args(&staged);
        change(&mut args);
        Call::ApplyDependencyToChild { args }
    };
    let upstream = |id: ExecutionId| applying(&|args| args.upstream_execution_id = id.clone());
    world.expect_stranger(&held, &upstream).await?;
    let downstream = |id: ExecutionId| applying(&|args| args.downstream_execution_id = id.clone());
    world.expect_stranger(&down, &downstream).await?;
    let resolving = |change: &dyn Fn(&mut ff_core::contracts::ResolveDependencyArgs)| {
        let mut args = graph.resolution(&edge, "success");
        change(&mut args);
        Call::ResolveDependency { args }
    };
    let upstream = |id: ExecutionId| resolving(&|args| args.upstream_execution_id = id.clone());
    world.expect_stranger(&up, &upstream).await?;
    let downstream = |id: ExecutionId| resolving(&|args| args.downstream_execution_id = id.clone());
    world.expect_stranger(&down, &downstream).await?;
    let cascading = |id| Call::CascadeCompletion { payload: graph.completion(&id) };
    world.expect_stranger(&up, &cascading).await?;
    for direction in [
        |to_node| EdgeDirection::Incoming { to_node },
        |from_node| EdgeDirection::Outgoing { from_node },
    ] {
        let listing = |id| Call::ListEdges { flow_id: flow, direction: direction(id) };
        world.expect_stranger(&up, &listing).await?;
        world.expect_stranger(&down, &listing).await?;
    }

    for (member, before) in members.into_iter().zip(before) {
        expect_eq!(world.observe(member).await?, before, "{member}");
    }
    let after = world.described_flow(&flow).await?;
    expect_eq!(after, described, "the flow");
    Ok(())
}

/// The calls that name one execution and no flow.
fn about_one(world: &World) -> Vec<Box<dyn Fn(ExecutionId) -> Call + Send + Sync + '_>> {
    let now = CALLERS_NOW;
    vec![
        Box::new(|id| Call::DescribeExecution { id }),
        Box::new(|id| Call::ReadExecutionInfo { id }),
        Box::new(|id| Call::ReadExecutionState { id }),
        Box::new(|id| Call::GetExecutionResult { id }),
        Box::new(|execution_id| Call::ReadExecutionContext { execution_id }),
        Box::new(|execution_id| Call::GetExecutionNamespace { execution_id }),
        Box::new(|execution_id| Call::ReadCurrentAttemptIndex { execution_id }),
        Box::new(|execution_id| Call::ReadTotalAttemptCount { execution_id }),
        Box::new(|execution_id| Call::ResolveExecutionFlowId { execution_id }),
        Box::new(|id| Call::ReadExecCoreFields {
            partition: world.partition_of(&id),
            execution_id: id,
            fields: vec!["flow_id".to_owned(), "lane_id".to_owned()],
        }),
        Box::new(|execution_id| Call::GetExecutionTag { execution_id, key: "app.name".to_owned() }),
        Box::new(|execution_id| Call::SetExecutionTag {
            execution_id,
            key: "app.name".to_owned(),
            value: "another".to_owned(),
        }),
        Box::new(move |id| Call::PromoteDelayed {
            partition: world.partition_of(&id),
            lane: world.lane(),
            execution_id: id,
            now_ms: now,
        }),
        Box::new(|id| Call::MarkLeaseExpiredIfDue {
            partition: world.partition_of(&id),
            execution_id: id,
        }),
        Box::new(move |execution_id| Call::ReplayExecution {
            args: ReplayExecutionArgs { execution_id, now },
        }),
        Box::new(|id| Call::CancelExecution { args: cancellation(&id) }),
        Box::new(|execution_id| Call::EvaluateFlowEligibility {
            args: EvaluateFlowEligibilityArgs { execution_id },
        }),
    ]
}

/// What is left of a cancellation, named in another partition.
#[case(SYS_037, needs(clock, housekeeping))]
async fn namesakes_left(world: World) -> Verdict {
    let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::CancelRemaining);
    let fan = Graph::fan_in(&world, 2, any_of).await?;
    fan.resolve(0, "success").await?;
    let flow_partition = fan.graph.partition();
    let flow_id = fan.graph.flow;
    let reconciling = |downstream_eid| Call::ReconcileSiblingCancelGroup {
        flow_partition,
        flow_id,
        downstream_eid,
    };
    let draining =
        |downstream_eid| Call::DrainSiblingCancelGroup { flow_partition, flow_id, downstream_eid };
    let member = &fan.downstream;
    world.expect_stranger(member, &reconciling).await?;
    world.expect_stranger(member, &draining).await?;
    for at in 0..2 {
        fan.graph.end(fan.upstream(at), TerminalOutcome::Success).await?;
    }
    world.expect_stranger(member, &reconciling).await?;
    let noted = SiblingCancelReconcileAction::CompletedDrain;
    expect_eq!(fan.reconcile().await?, noted, "the note is still there");
    world.settle().await?;

    let mut graph = Graph::new(&world).await?;
    let member = graph.member().await?;
    let header = CancelFlowArgs {
        flow_id: graph.flow,
        cancellation_policy: "cancel_all".to_owned(),
        reason: "enough".to_owned(),
        now: CALLERS_NOW,
    };
    world.cancel_flow_header(header).await?;
    let acknowledging = |execution_id| Call::AckCancelMember { flow_id: graph.flow, execution_id };
    world.expect_stranger(&member, &acknowledging).await?;
    world.cancel_execution(cancellation(&member)).await?;
    world.pass_ms(30_000).await?;
    let due = world.due().await?;
    let left = Call::AckCancelMember { flow_id: graph.flow, execution_id: member };
    expect!(due.contains(&left), "it is still to be acknowledged");
    Ok(())
}
