//! Deviants of how dependencies are resolved.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ff_core::backend::CompletionPayload;
use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    ApplyDependencyToChildArgs, CascadeOutcome, EdgeDependencyPolicy, EdgeDirection,
    EdgeGroupSnapshot, EdgeGroupState, EdgeSnapshot, EvaluateFlowEligibilityResult, OnSatisfied,
    ResolveDependencyArgs, ResolveDependencyOutcome,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{EngineError, StateKind, ValidationKind};
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::state::{BlockingReason, EligibilityState, LifecyclePhase, TerminalOutcome};
use ff_core::types::{AttemptIndex, ExecutionId, FlowId, LaneId, TimestampMs};

use super::flow_reads::described_by;
use super::tampering::{
    Answer, Subject, Tampering, answer, around, call, group, lock, pause, write,
};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "resolves-anywhere",
        "FLW-007",
        "Takes any partition for the flow's.",
        call(|call| {
            if let Call::ResolveDependency { args } = call {
                args.partition = flow_partition(&args.flow_id, &PartitionConfig::default());
            }
        })
    ),
    deviant!(
        "cascades-once",
        "GRA-015",
        "Cascades from an execution once.",
        cascades_once(|| Ok(nothing()))
    ),
    deviant!(
        "reopens-everything",
        "GRA-016",
        "Lets a late edge reopen any group.",
        group(|before, group| {
            if before.is_some_and(|before| before.running_count < group.running_count) {
                group.group_state = EdgeGroupState::Pending;
            }
        })
    ),
    deviant!(
        "runs-on",
        "DEP-005",
        "Counts a resolved edge as running as well.",
        group(|before, group| {
            if before.is_some_and(|before| before.running_count > group.running_count) {
                group.running_count += 1;
            }
        })
    ),
    deviant!(
        "skips-are-failures",
        "DEP-006",
        "Counts the skipped among the failed.",
        group(|_, group| {
            group.failed_count += group.skipped_count;
            group.skipped_count = 0;
        })
    ),
    deviant!(
        "late-success-helps",
        "DEP-007",
        "Calls an impossible group satisfied when a late upstream succeeds.",
        group(|before, group| {
            if before.is_some_and(|before| before.satisfied_count < group.satisfied_count)
                && group.group_state == EdgeGroupState::Impossible
            {
                group.group_state = EdgeGroupState::Satisfied;
            }
        })
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
        "cancelled-flows-rest",
        "DEP-009",
        "Resolves nothing on a cancelled flow.",
        around(|subject, call| Box::pin(async move {
            let flow = match &call {
                Call::ResolveDependency { args } => Some(args.flow_id),
                Call::CascadeCompletion { payload } => payload.flow_id,
                _ => None,
            };
            if let Some(flow) = flow
                && let Some(flow) = described_by(subject, &flow).await
                && flow.cancelled_at.is_some()
            {
                return Err(EngineError::State(StateKind::FlowAlreadyTerminal));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "unknown-is-failed",
        "DEP-010",
        "Takes any outcome that it does not know for a failure.",
        call(|call| {
            if let Call::ResolveDependency { args } = call
                && args.upstream_outcome.parse::<TerminalOutcome>().is_err()
            {
                "failed".clone_into(&mut args.upstream_outcome);
            }
        })
    ),
    deviant!(
        "edge-id-is-enough",
        "DEP-010",
        "Does not compare the ends of an edge.",
        around(|subject, mut call| Box::pin(async move {
            if let Call::ResolveDependency { args } = &mut call
                && let Ok(Reply::DescribeEdge(Some(edge))) = subject
                    .model
                    .dispatch(Call::DescribeEdge {
                        flow_id: args.flow_id,
                        edge_id: args.edge_id,
                    })
                    .await
            {
                args.upstream_execution_id = edge.upstream_execution_id;
                args.downstream_execution_id = edge.downstream_execution_id;
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "believes-the-record",
        "DEP-011",
        "Lets an upstream succeed only if its record says so.",
        around(|subject, mut call| Box::pin(async move {
            if let Call::ResolveDependency { args } = &mut call {
                let upstream = &args.upstream_execution_id;
                let stored = subject.field(upstream, "terminal_outcome").await;
                if stored.as_deref() == Some("failed") {
                    "failed".clone_into(&mut args.upstream_outcome);
                }
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "resolved-anew",
        "DEP-012",
        "Says of a resolved edge that it is satisfied now.",
        answer(|_, answer| {
            if let Ok(Reply::ResolveDependency(outcome)) = answer
                && *outcome == ResolveDependencyOutcome::AlreadyResolved
            {
                *outcome = ResolveDependencyOutcome::Satisfied;
            }
        })
    ),
    deviant!(
        "trusts-the-attempt",
        "DEP-013",
        "Resolves only for the attempt that is current.",
        answer(|call, answer| {
            if let Call::ResolveDependency { args } = call
                && args.current_attempt_index != AttemptIndex::new(0)
            {
                *answer = Err(EngineError::State(StateKind::StaleLease));
            }
        })
    ),
    deviant!(
        "ended-members-matter",
        "DEP-014",
        "Cannot resolve for a member that has ended.",
        around(|subject, call| Box::pin(async move {
            if let Call::ResolveDependency { args } = &call
                && subject
                    .field(&args.downstream_execution_id, "completed_at")
                    .await
                    .is_some()
            {
                return Err(EngineError::State(StateKind::ExecutionNotInFlow));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "released-to-the-end",
        "DEP-015",
        "Puts released members behind all others of their priority.",
        write(|before, after| {
            if released(before, after.eligibility) {
                after.created_at = TimestampMs(after.created_at.0 + 1_000);
            }
        })
    ),
    deviant!(
        "forgets-the-delay",
        "DEP-016",
        "Releases members before their delay is over.",
        write(|before, after| {
            let delayed = EligibilityState::NotEligibleUntilTime;
            if was_blocked(before) && after.eligibility == delayed {
                after.eligibility = EligibilityState::EligibleNow;
                after.blocking_reason = BlockingReason::WaitingForWorker;
                after.delay_until = None;
            }
        })
    ),
    deviant!(
        "skipped-is-cancelled",
        "DEP-017",
        "Cancels what cannot run any more.",
        write(|_, after| {
            if after.outcome == TerminalOutcome::Skipped {
                after.outcome = TerminalOutcome::Cancelled;
            }
        })
    ),
    deviant!(
        "lets-holders-finish",
        "DEP-018",
        "Skips nothing that a worker holds.",
        write(|before, after| {
            if let Some(before) = before
                && before.phase == LifecyclePhase::Active
                && after.outcome == TerminalOutcome::Skipped
            {
                *after = before.clone();
            }
        })
    ),
    deviant!(
        "keeps-results-to-itself",
        "DEP-019",
        "Passes no data on.",
        call(|call| match call {
            Call::StageDependencyEdge { args } => args.data_passing_ref = None,
            Call::ApplyDependencyToChild { args } => args.data_passing_ref = None,
            _ => {}
        })
    ),
    deviant!(
        "skipped-without-input",
        "DEP-019",
        "Shows no payload of what was skipped.",
        around(|subject, call| Box::pin(async move {
            let mut answer = subject.model.dispatch(call.clone()).await;
            if let Call::ReadExecutionContext { execution_id } = &call
                && let Ok(Reply::ReadExecutionContext(context)) = &mut answer
                && subject
                    .field(execution_id, "terminal_outcome")
                    .await
                    .is_some_and(|outcome| outcome == "skipped")
            {
                context.input_payload.clear();
            }
            answer
        }))
    ),
    deviant!(
        "one-is-all",
        "DEP-043",
        "Takes all-of for any-of.",
        policies(|policy| match policy {
            EdgeDependencyPolicy::AllOf => EdgeDependencyPolicy::any_of(OnSatisfied::LetRun),
            other => other,
        })
    ),
    deviant!(
        "all-of-any",
        "DEP-044",
        "Takes any-of for all-of.",
        policies(|policy| match policy {
            EdgeDependencyPolicy::AnyOf { .. } => EdgeDependencyPolicy::AllOf,
            other => other,
        })
    ),
    deviant!(
        "one-more",
        "DEP-045",
        "Asks for one more than the quorum.",
        policies(|policy| match policy {
            EdgeDependencyPolicy::Quorum { k, on_satisfied } =>
                EdgeDependencyPolicy::quorum((k + 1).min(1 << 30), on_satisfied),
            other => other,
        })
    ),
    deviant!(
        "quorum-cut-down",
        "DEP-045",
        "Asks for two at most.",
        policies(|policy| match policy {
            EdgeDependencyPolicy::Quorum { k, on_satisfied } if k > 2 && k < 1 << 31 =>
                EdgeDependencyPolicy::quorum(2, on_satisfied),
            other => other,
        })
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
    deviant!(
        "missing-is-an-error",
        "DEP-032",
        "Does not evaluate what is not there.",
        answer(|_, answer| {
            if status_of(answer) == Some("not_found") {
                *answer = Err(EngineError::NotFound {
                    entity: "execution",
                });
            }
        })
    ),
    deviant!(
        "asks-the-record-only",
        "DEP-032",
        "Does not look at the group of a member that can be claimed.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Call::EvaluateFlowEligibility { args } = &call
                && status_of(&answer) == Some("blocked_by_dependencies")
                && subject
                    .field(&args.execution_id, "public_state")
                    .await
                    .is_some_and(|state| state != "waiting_children")
            {
                return Ok(status("eligible"));
            }
            answer
        }))
    ),
    deviant!(
        "all-must-be-resolved",
        "DEP-032",
        "Finds a member blocked while any upstream runs.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Call::EvaluateFlowEligibility { args } = &call
                && status_of(&answer) == Some("eligible")
                && upstreams_run(subject, &args.execution_id).await
            {
                return Ok(status("blocked_by_dependencies"));
            }
            answer
        }))
    ),
    deviant!(
        "delays-count",
        "DEP-033",
        "Finds a delayed member not eligible.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Call::EvaluateFlowEligibility { args } = &call
                && subject
                    .field(&args.execution_id, "delay_until")
                    .await
                    .is_some()
                && status_of(&answer) == Some("eligible")
            {
                return Ok(status("not_runnable"));
            }
            answer
        }))
    ),
];

pub(super) fn nothing() -> Reply {
    Reply::CascadeCompletion(CascadeOutcome::synchronous(0, 0))
}

fn status(status: &str) -> Reply {
    Reply::EvaluateFlowEligibility(EvaluateFlowEligibilityResult::Status {
        status: status.to_owned(),
    })
}

/// Whether a member's group counts running edges.
async fn upstreams_run(subject: &Subject, member: &ExecutionId) -> bool {
    let call = Call::ResolveExecutionFlowId {
        execution_id: member.clone(),
    };
    let Ok(Reply::ResolveExecutionFlowId(Some(flow))) = subject.model.dispatch(call).await else {
        return false;
    };
    let flow = described_by(subject, &flow).await;
    let groups = flow.map(|flow| flow.edge_groups).unwrap_or_default();
    let of = |group: &EdgeGroupSnapshot| group.downstream_execution_id == *member;
    groups
        .iter()
        .any(|group| of(group) && group.running_count > 0)
}

fn status_of(answer: &Answer) -> Option<&str> {
    match answer {
        Ok(Reply::EvaluateFlowEligibility(EvaluateFlowEligibilityResult::Status { status })) => {
            Some(status)
        }
        _ => None,
    }
}

fn was_blocked(before: Option<&ff_mock::Execution>) -> bool {
    before.is_some_and(|before| before.eligibility == EligibilityState::BlockedByDependencies)
}

fn released(before: Option<&ff_mock::Execution>, eligibility: EligibilityState) -> bool {
    was_blocked(before) && eligibility == EligibilityState::EligibleNow
}

fn policies(change: fn(EdgeDependencyPolicy) -> EdgeDependencyPolicy) -> Tampering {
    call(move |call| {
        if let Call::SetEdgeGroupPolicy { policy, .. } = call {
            *policy = change(*policy);
        }
    })
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
        direction: EdgeDirection::Outgoing {
            from_node: member.clone(),
        },
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
        match subject
            .model
            .dispatch(Call::ResolveDependency { args })
            .await
        {
            Ok(Reply::ResolveDependency(ResolveDependencyOutcome::AlreadyResolved))
            | Err(EngineError::Validation {
                kind: ValidationKind::InvalidDependency,
                ..
            }) => {}
            Ok(_) => resolved += 1,
            Err(other) => return Err(other),
        }
    }
    let outcome = CascadeOutcome::synchronous(resolved, 0);
    Ok(Reply::CascadeCompletion(outcome))
}
