//! Deviants of how dependencies are resolved.

use std::collections::HashMap;
use std::sync::Mutex;

use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    EdgeDependencyPolicy, EdgeGroupState, OnSatisfied, ResolveDependencyOutcome,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::state::{BlockingReason, EligibilityState, LifecyclePhase, TerminalOutcome};
use ff_core::types::{AttemptIndex, EdgeId, ExecutionId, TimestampMs};

use super::flow_reads::described_by;
use super::tampering::{Tampering, answer, around, call, group, lock, write};
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
        "satisfied-for-good",
        "GRA-016",
        "Does not let a late edge reopen a satisfied group.",
        group(|before, group| {
            if before.is_some_and(|before| before.group_state == EdgeGroupState::Satisfied) {
                group.group_state = EdgeGroupState::Satisfied;
            }
        })
    ),
    deviant!(
        "reopens-everything",
        "GRA-022",
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
                    .dispatch(Call::DescribeEdge { flow_id: args.flow_id, edge_id: args.edge_id })
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
                && subject.field(&args.downstream_execution_id, "completed_at").await.is_some()
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
        "one-edge-feeds",
        "DEP-046",
        "Lets only the first edge with a reference pass data to a member.",
        one_edge_feeds()
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
        "DEP-047",
        "Asks for two at most.",
        policies(|policy| match policy {
            EdgeDependencyPolicy::Quorum { k, on_satisfied } if k > 2 && k < 1 << 31 =>
                EdgeDependencyPolicy::quorum(2, on_satisfied),
            other => other,
        })
    ),
];

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

/// Forgets the reference of every edge but the first that has one and enters a member.
fn one_edge_feeds() -> Tampering {
    let feeding: Mutex<HashMap<ExecutionId, EdgeId>> = Mutex::default();
    call(move |call| {
        let (member, edge, reference) = match call {
            Call::StageDependencyEdge { args } => {
                (&args.downstream_execution_id, args.edge_id, &mut args.data_passing_ref)
            }
            Call::ApplyDependencyToChild { args } => {
                (&args.downstream_execution_id, args.edge_id, &mut args.data_passing_ref)
            }
            _ => return,
        };
        if reference.is_some() && *lock(&feeding).entry(member.clone()).or_insert(edge) != edge {
            *reference = None;
        }
    })
}
