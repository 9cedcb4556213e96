//! Deviants of how an end is counted on everything that depends on it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ff_core::backend::CompletionPayload;
use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    ApplyDependencyToChildArgs, CascadeOutcome, EdgeDirection, EdgeSnapshot, ResolveDependencyArgs,
    ResolveDependencyOutcome,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::types::{AttemptIndex, ExecutionId, FlowId, LaneId, TimestampMs};

use super::tampering::{Answer, Subject, Tampering, around, lock, pause};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "cascades-once",
        "GRA-015",
        "Cascades from an execution once.",
        cascades_once(|| Ok(nothing()))
    ),
    deviant!(
        "staged-is-enough",
        "DEP-008",
        "Lets a cascade apply what is only staged.",
        around(|subject, call| Box::pin(async move {
            if let Call::CascadeCompletion { payload } = &call
                && let Some(flow) = payload.flow_id
            {
                for edge in outgoing(subject, flow, &payload.execution_id).await {
                    let args = ApplyDependencyToChildArgs {
                        flow_id: edge.flow_id,
                        edge_id: edge.edge_id,
                        upstream_execution_id: edge.upstream_execution_id,
                        downstream_execution_id: edge.downstream_execution_id,
                        dependency_kind: edge.dependency_kind,
                        data_passing_ref: edge.data_passing_ref,
                        graph_revision: 0,
                        now: TimestampMs::now(),
                    };
                    let call = Call::ApplyDependencyToChild { args };
                    // An edge of a cancelled flow stays staged.
                    let _ = subject.model.dispatch(call).await;
                }
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "believes-the-completion",
        "DEP-020",
        "Cascades the outcome that the completion tells.",
        around(|subject, call| Box::pin(async move {
            match &call {
                Call::CascadeCompletion { payload } => by_hand(subject, payload).await,
                _ => subject.model.dispatch(call).await,
            }
        }))
    ),
    deviant!(
        "counts-repetitions",
        "DEP-021",
        "Counts every edge, also those that were resolved before.",
        around(|subject, call| Box::pin(async move {
            let mut answer = subject.model.dispatch(call.clone()).await;
            if let Call::CascadeCompletion { payload } = &call
                && let Some(flow) = payload.flow_id
                && let Ok(Reply::CascadeCompletion(outcome)) = &mut answer
            {
                outcome.resolved = outgoing(subject, flow, &payload.execution_id).await.len();
            }
            answer
        }))
    ),
    deviant!(
        "one-hop",
        "DEP-022",
        "Resolves the next edges and goes no further.",
        around(|subject, call| Box::pin(async move {
            let Call::CascadeCompletion { payload } = &call else {
                return subject.model.dispatch(call).await;
            };
            let id = &payload.execution_id;
            let Some(stored) = subject.field(id, "terminal_outcome").await else {
                return subject.model.dispatch(call).await;
            };
            let mut completion = payload.clone();
            completion.outcome = stored;
            by_hand(subject, &completion).await
        }))
    ),
    deviant!(
        "tells-everyone",
        "DEP-022",
        "Goes on from members that have yet to run.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await?;
            if let Call::CascadeCompletion { payload } = &call
                && let Some(flow) = payload.flow_id
            {
                for edge in outgoing(subject, flow, &payload.execution_id).await {
                    let mut next = payload.clone();
                    next.execution_id = edge.downstream_execution_id;
                    by_hand(subject, &next).await?;
                }
            }
            Ok(answer)
        }))
    ),
    deviant!(
        "cascades-no-more",
        "DEP-024",
        "Refuses to cascade from an execution again.",
        cascades_once(|| Err(EngineError::invalid_input("it has been told")))
    ),
    deviant!(
        "told-before-done",
        "DEP-024",
        "Notes that an end has been told before it has been, and tells nobody twice.",
        told_before_done()
    ),
];

pub(super) fn nothing() -> Reply {
    Reply::CascadeCompletion(CascadeOutcome::synchronous(0, 0))
}

/// Answers like this, and does nothing, where an execution's end was cascaded before.
pub(super) fn cascades_once(again: fn() -> Answer) -> Tampering {
    let told: Arc<Mutex<HashSet<ExecutionId>>> = Arc::default();
    around(move |subject, call| {
        let told = Arc::clone(&told);
        Box::pin(async move {
            let Call::CascadeCompletion { payload } = &call else {
                return subject.model.dispatch(call).await;
            };
            let id = payload.execution_id.clone();
            let known = |id| lock(&told).contains(id);
            if known(&id) {
                return again();
            }
            let answer = subject.model.dispatch(call).await;
            if let Ok(Reply::CascadeCompletion(outcome)) = &answer
                && outcome.resolved > 0
            {
                lock(&told).insert(id);
            }
            answer
        })
    })
}

/// Does nothing where a cascade has begun before and has not ended.
fn told_before_done() -> Tampering {
    let begun: Arc<Mutex<HashSet<ExecutionId>>> = Arc::default();
    around(move |subject, call| {
        let begun = Arc::clone(&begun);
        Box::pin(async move {
            let Call::CascadeCompletion { payload } = &call else {
                return subject.model.dispatch(call).await;
            };
            let id = payload.execution_id.clone();
            if !lock(&begun).insert(id.clone()) {
                return Ok(nothing());
            }
            pause().await;
            let answer = subject.model.dispatch(call).await;
            lock(&begun).remove(&id);
            answer
        })
    })
}

pub(super) async fn outgoing(
    subject: &Subject,
    flow: FlowId,
    member: &ExecutionId,
) -> Vec<EdgeSnapshot> {
    let call = Call::ListEdges {
        flow_id: flow,
        direction: EdgeDirection::Outgoing { from_node: member.clone() },
    };
    match subject.model.dispatch(call).await {
        Ok(Reply::ListEdges(edges)) => edges,
        _ => Vec::new(),
    }
}

/// Resolves the edges that leave a member one by one.
async fn by_hand(subject: &Subject, completion: &CompletionPayload) -> Answer {
    let Some(flow) = completion.flow_id else {
        return Ok(nothing());
    };
    let mut resolved = 0;
    for edge in outgoing(subject, flow, &completion.execution_id).await {
        let args = ResolveDependencyArgs::new(
            flow_partition(&flow, &PartitionConfig::default()),
            flow,
            edge.downstream_execution_id,
            edge.upstream_execution_id,
            edge.edge_id,
            LaneId::new("default"),
            AttemptIndex::new(0),
            completion.outcome.clone(),
            TimestampMs::now(),
        );
        match subject.model.dispatch(Call::ResolveDependency { args }).await {
            Ok(Reply::ResolveDependency(ResolveDependencyOutcome::AlreadyResolved))
            | Err(EngineError::Validation { kind: ValidationKind::InvalidDependency, .. }) => {}
            Ok(_) => resolved += 1,
            Err(other) => return Err(other),
        }
    }
    let outcome = CascadeOutcome::synchronous(resolved, 0);
    Ok(Reply::CascadeCompletion(outcome))
}
