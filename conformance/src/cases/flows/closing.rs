//! What a cancellation shows, names and leaves alone, whoever looks and however many there are.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    CancelFlowArgs, CancelFlowHeader, CancelFlowResult, EdgeDependencyPolicy, OnSatisfied,
};
use ff_core::engine_backend::{EngineBackend, SiblingCancelReconcileAction as Action};
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, FlowId};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::stage::{CALLERS_NOW, Failure, Graph, Verdict, World, case};

#[derive(Clone, Copy, Debug)]
enum Way {
    Flow,
    Header,
}

impl Way {
    /// Closes the flow and ends its members, none of which is held.
    async fn close(self, world: &World, flow: FlowId) -> Result<(), EngineError> {
        match self {
            Self::Flow => {
                let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
                world.cancel_flow(&flow, policy, wait).await?;
            }
            Self::Header => {
                world.cancel_flow_header(header(flow)).await?;
            }
        }
        Ok(())
    }
}

fn header(flow: FlowId) -> CancelFlowArgs {
    CancelFlowArgs {
        flow_id: flow,
        cancellation_policy: "cancel_pending".to_owned(),
        reason: String::new(),
        now: CALLERS_NOW,
    }
}

/// Edges and groups stay, and the ends count when they are told.
#[case(CAN_011)]
async fn graph(world: World) -> Verdict {
    for way in [Way::Flow, Way::Header] {
        let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::CancelRemaining);
        let fan = Graph::fan_in(&world, 2, any_of).await?;
        let flow = fan.graph.flow;
        let before = world.described_flow(&flow).await?;
        way.close(&world, flow).await?;
        let after = world.described_flow(&flow).await?;
        expect_eq!(after.edge_groups, before.edge_groups, "{way:?}: the groups");
        expect_eq!(fan.reconcile().await?, Action::NoOp, "{way:?}: no note");
        let told = fan.graph.cascade(fan.upstream(0)).await?;
        expect_eq!(told.resolved, 1, "{way:?}: the edge was unresolved");
        let group = fan.graph.group(&fan.downstream).await?;
        let counts = (group.failed_count, group.running_count);
        expect_eq!(counts, (1, 1), "{way:?}: failed and running");
    }
    Ok(())
}

/// Others look at the flow and its members while it is closed.
#[case(CAN_031, needs(concurrency))]
async fn seen(world: World) -> Verdict {
    for way in [Way::Flow, Way::Header, Way::Flow, Way::Header] {
        let flow = world.flow().await?;
        let mut members = Vec::new();
        for _ in 0..6 {
            members.push(world.member(&flow).await?);
        }
        let closing = {
            let world = world.clone();
            tokio::spawn(async move { way.close(&world, flow).await })
        };
        loop {
            let is_over = closing.is_finished();
            if world.described_flow(&flow).await?.public_flow_state == "cancelled" {
                break;
            }
            expect!(!is_over, "{way:?}: it is closed when the call returns");
            tokio::task::yield_now().await;
        }
        for member in &members {
            let state = world.read_execution_state(member).await?;
            expect_eq!(state, Some(PublicState::Cancelled), "{way:?}: a member");
        }
        closing.await.map_err(|error| Failure::new(error.to_string()))??;
    }
    Ok(())
}

/// A flow of 1 001 members.
#[case(CAN_032, CAN_010, CAN_018)]
async fn many(world: World) -> Verdict {
    const MEMBERS: usize = 1_001;
    const AT_ONCE: usize = 16;
    let flow = world.flow().await?;
    let joining = stream::iter(0..MEMBERS).map(|_| {
        let world = world.clone();
        async move { world.member(&flow).await }
    });
    let mut members: Vec<ExecutionId> = joining.buffer_unordered(AT_ONCE).try_collect().await?;
    members.sort();
    let ids: Vec<String> = members.iter().map(ToString::to_string).collect();
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    let CancelFlowResult::Cancelled { member_execution_ids, .. } =
        world.cancel_flow(&flow, policy, wait).await?
    else {
        return Err(Failure::new("it is cancelled"));
    };
    expect_eq!(member_execution_ids, ids, "all are named");
    let states = stream::iter(members).map(|id| {
        let world = world.clone();
        async move { world.read_execution_state(&id).await }
    });
    let states: Vec<_> = states.buffer_unordered(AT_ONCE).try_collect().await?;
    let ended = states.iter().filter(|state| **state == Some(PublicState::Cancelled));
    expect_eq!(ended.count(), MEMBERS, "all have ended");
    let CancelFlowHeader::AlreadyTerminal { member_execution_ids, .. } =
        world.cancel_flow_header(header(flow)).await?
    else {
        return Err(Failure::new("it was cancelled before"));
    };
    expect_eq!(member_execution_ids, ids, "all are named again");
    Ok(())
}
