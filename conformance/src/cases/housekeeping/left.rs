//! What one call leaves to others: members of cancelled flows, siblings of decided groups.

use ff_core::call::Call;
use ff_core::contracts::{CancelFlowArgs, EdgeDependencyPolicy, OnSatisfied};
use ff_core::engine_backend::{EngineBackend, SiblingCancelReconcileAction};
use ff_core::state::TerminalOutcome;
use ff_core::types::CancelSource;

use super::times::named;
use crate::stage::{CALLERS_NOW, Failure, Graph, Verdict, World, case};

/// Fails unless each listed cancellation is an operator's with this reason.
fn expect_cancellations(due: &[Call], reason: &str, count: usize) -> Verdict {
    expect_eq!(due.len(), count, "one for each");
    for call in due {
        let Call::CancelExecution { args } = call else {
            return Err(Failure::new(format!("{call:?} is a cancellation")));
        };
        expect_eq!(args.reason, reason);
        expect_eq!(args.source, CancelSource::OperatorOverride);
    }
    Ok(())
}

/// Members that a header left, after half a minute.
#[case(HSK_004, needs(clock, housekeeping))]
async fn members(world: World) -> Verdict {
    for (given, reason) in [("too late", "too late"), ("", "flow_cancelled")] {
        let mut graph = Graph::new(&world).await?;
        let (first, second, gone) =
            (graph.member().await?, graph.member().await?, graph.member().await?);
        graph.end(&gone, TerminalOutcome::Success).await?;
        world.settle().await?;
        let header = CancelFlowArgs {
            flow_id: graph.flow,
            cancellation_policy: "cancel_all".to_owned(),
            reason: given.to_owned(),
            now: CALLERS_NOW,
        };
        world.cancel_flow_header(header).await?;
        world.pass_ms(29_999).await?;
        expect_eq!(world.due_names().await?, [], "whoever sent the header has time");
        world.pass_ms(1).await?;
        let due = world.due().await?;
        expect_cancellations(&due, reason, 2)?;
        for call in due {
            call.send(&*world).await?;
        }
        let acknowledged = |name: &(String, _)| name.0 == "ack_cancel_member";
        let mut listed = world.due_names().await?;
        listed.retain(acknowledged);
        listed.sort();
        let mut expected = [&first, &second].map(|id| named("ack_cancel_member", id));
        expected.sort();
        expect_eq!(listed, expected, "both have ended");
        world.ack_cancel_member(&graph.flow, &first).await?;
        world.settle().await?;
        for member in [&first, &second] {
            let ended = [("terminal_outcome", "cancelled"), ("cancellation_reason", reason)];
            world.expect_fields(member, ended).await?;
        }
        expect_eq!(world.due_names().await?, [], "acknowledged");
    }
    Ok(())
}

/// Upstreams that a decided group does not need.
#[case(HSK_005, needs(housekeeping))]
async fn siblings(world: World) -> Verdict {
    let cancel = OnSatisfied::CancelRemaining;
    let (success, failed) = (TerminalOutcome::Success, TerminalOutcome::Failed);
    for (policy, ends, reason) in [
        (EdgeDependencyPolicy::any_of(cancel), vec![success], "sibling_quorum_satisfied"),
        (EdgeDependencyPolicy::quorum(3, cancel), vec![failed; 2], "sibling_quorum_impossible"),
    ] {
        let fan = Graph::fan_in(&world, 4, policy).await?;
        let decided = ends.len();
        for (at, outcome) in ends.into_iter().enumerate() {
            expect_eq!(world.due_names().await?, [], "nothing is noted");
            fan.graph.end_and_cascade(fan.upstream(at), outcome).await?;
        }
        let due = world.due().await?;
        expect_cancellations(&due, reason, 4 - decided)?;
        // Somebody else is faster with one of them.
        fan.graph.end_and_cascade(fan.upstream(3), success).await?;
        expect_cancellations(&world.due().await?, reason, 3 - decided)?;
        for call in world.due().await? {
            call.send(&*world).await?;
        }
        let drains = named("drain_sibling_cancel_group", &fan.downstream);
        expect!(world.due_names().await?.contains(&drains), "all have ended");
        world.settle().await?;
        expect_eq!(world.due_names().await?, [], "forgotten");
        let action = fan.reconcile().await?;
        expect_eq!(action, SiblingCancelReconcileAction::NoOp, "there is no note");
        let ended = [("terminal_outcome", "cancelled"), ("cancelled_by", "operator_override")];
        world.expect_fields(fan.upstream(2), ended).await?;
    }
    Ok(())
}
