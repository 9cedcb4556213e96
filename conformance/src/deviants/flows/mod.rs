//! Deviants of flows.

mod apply;
mod cancel;
mod cascade;
mod closing;
mod describe;
mod edges;
mod eligibility;
mod groups;
mod headers;
mod lists;
mod members;
mod outcomes;
mod replay;
mod resolve;
mod siblings;
mod stage;
mod summaries;
mod tags;

use crate::deviants::fault::{Answer, Fault, Subject, answer, around, lock};
use ff_core::call::Call;
use ff_core::call::Reply;
use ff_core::contracts::CancelFlowHeader;
use ff_core::contracts::CancelFlowResult;
use ff_core::contracts::CascadeOutcome;
use ff_core::contracts::EdgeDirection;
use ff_core::contracts::EdgeSnapshot;
use ff_core::contracts::FlowSnapshot;
use ff_core::engine_backend::SiblingCancelReconcileAction as Action;
use ff_core::engine_error::EngineError;
use ff_core::engine_error::StateKind;
use ff_core::types::ExecutionId;
use ff_core::types::FlowId;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;

pub(in crate::deviants) fn nothing() -> Reply {
    Reply::CascadeCompletion(CascadeOutcome::synchronous(0, 0))
}

/// Answers like this, and does nothing, where an execution's end was cascaded before.
pub(in crate::deviants) fn cascades_once(again: fn() -> Answer) -> Fault {
    let told: Arc<Mutex<HashSet<ExecutionId>>> = Arc::default();
    around(move |subject, call| {
        let told = Arc::clone(&told);
        Box::pin(async move {
            let Call::CascadeCompletion { payload } = &call else {
                return subject.ask(call).await;
            };
            let id = payload.execution_id.clone();
            let known = |id| lock(&told).contains(id);
            if known(&id) {
                return again();
            }
            let answer = subject.ask(call).await;
            if let Ok(Reply::CascadeCompletion(outcome)) = &answer
                && outcome.resolved > 0
            {
                lock(&told).insert(id);
            }
            answer
        })
    })
}

pub(in crate::deviants) async fn outgoing(
    subject: &Subject,
    flow: FlowId,
    member: &ExecutionId,
) -> Vec<EdgeSnapshot> {
    let call = Call::ListEdges {
        flow_id: flow,
        direction: EdgeDirection::Outgoing { from_node: member.clone() },
    };
    match subject.ask(call).await {
        Ok(Reply::ListEdges(edges)) => edges,
        _ => Vec::new(),
    }
}

/// The flow that a call closes, if it is open.
pub(in crate::deviants) fn closed_by(call: &Call) -> Option<FlowId> {
    match call {
        Call::CancelFlow { id, .. } => Some(*id),
        Call::CancelFlowHeader { args } => Some(args.flow_id),
        _ => None,
    }
}

/// The members that a cancellation names, if it is the first.
pub(in crate::deviants) fn named_in(answer: &Answer) -> Vec<ExecutionId> {
    let Ok(
        Reply::CancelFlow(CancelFlowResult::Cancelled { member_execution_ids, .. })
        | Reply::CancelFlowHeader(CancelFlowHeader::Cancelled { member_execution_ids, .. }),
    ) = answer
    else {
        return Vec::new();
    };
    let ids = member_execution_ids.iter();
    ids.filter_map(|id| ExecutionId::parse(id).ok()).collect()
}

/// Changes how flows are described.
pub(in crate::deviants) fn described(change: fn(&mut FlowSnapshot)) -> Fault {
    answer(move |_, answer| {
        if let Ok(Reply::DescribeFlow(Some(flow))) = answer {
            change(flow);
        }
    })
}

pub(in crate::deviants) async fn described_by(
    subject: &Subject,
    id: &FlowId,
) -> Option<FlowSnapshot> {
    match subject.ask(Call::DescribeFlow { id: *id }).await {
        Ok(Reply::DescribeFlow(flow)) => flow,
        _ => None,
    }
}

pub(in crate::deviants) async fn refuse_ended(
    subject: &Subject,
    id: &ExecutionId,
) -> Result<(), EngineError> {
    match subject.field(id, "completed_at").await {
        Some(_) => Err(EngineError::State(StateKind::Terminal)),
        None => Ok(()),
    }
}

/// Is done with a note only when every upstream but the first has ended, noted or not.
pub(in crate::deviants) fn waits_for_all_above() -> Fault {
    around(|subject, call| {
        Box::pin(async move {
            if let Call::ReconcileSiblingCancelGroup { flow_id, downstream_eid, .. } = &call
                && is_running_above(subject, *flow_id, downstream_eid).await
            {
                return Ok(Reply::ReconcileSiblingCancelGroup(Action::NoOp));
            }
            subject.ask(call).await
        })
    })
}

pub(in crate::deviants) async fn is_running_above(
    subject: &Subject,
    flow: FlowId,
    member: &ExecutionId,
) -> bool {
    let call = Call::ListEdges {
        flow_id: flow,
        direction: EdgeDirection::Incoming { to_node: member.clone() },
    };
    let Ok(Reply::ListEdges(edges)) = subject.ask(call).await else {
        return false;
    };
    for edge in edges.iter().skip(1) {
        let upstream = &edge.upstream_execution_id;
        if subject.field(upstream, "completed_at").await.is_none() {
            return true;
        }
    }
    false
}
