//! Deviants of the chapter on flows.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    AddExecutionToFlowResult, ApplyDependencyToChildResult, CreateFlowResult,
    StageDependencyEdgeResult,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{ConflictKind, ContentionKind, EngineError, StateKind};
use ff_core::state::EligibilityState;
use ff_core::types::ExecutionId;

use super::tampering::{Subject, Tampering, answer, around, call, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "names-the-flow",
        "FLW-008",
        "Puts a default where a kind is missing.",
        call(|call| {
            if let Call::CreateFlow { args } = call
                && args.flow_kind.is_empty()
            {
                "dag".clone_into(&mut args.flow_kind);
            }
        })
    ),
    deviant!(
        "born-at-one",
        "FLW-009",
        "Begins to count revisions at one.",
        call(|call| {
            if let Call::StageDependencyEdge { args } = call {
                args.expected_graph_revision = args.expected_graph_revision.wrapping_sub(1);
            }
        })
    ),
    deviant!(
        "always-created",
        "FLW-010",
        "Says of a known flow that it is new.",
        answer(|_, answer| {
            if let Ok(Reply::CreateFlow(CreateFlowResult::AlreadySatisfied { flow_id })) = answer {
                *answer = Ok(Reply::CreateFlow(CreateFlowResult::Created { flow_id: *flow_id }));
            }
        })
    ),
    deviant!(
        "execution-first",
        "FLW-021",
        "Looks for the execution before the flow.",
        around(|subject, call| Box::pin(async move {
            if let Call::AddExecutionToFlow { args } = &call
                && subject.field(&args.execution_id, "lane_id").await.is_none()
            {
                return Err(EngineError::NotFound { entity: "execution" });
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "no-back-pointer",
        "FLW-022",
        "Does not say what flow an execution is in.",
        answer(|_, answer| {
            if let Ok(Reply::DescribeExecution(Some(seen))) = answer {
                seen.flow_id = None;
            }
        })
    ),
    deviant!(
        "added-again",
        "FLW-023",
        "Says of a member that it is new.",
        answer(|_, answer| {
            if let Ok(Reply::AddExecutionToFlow(result)) = answer
                && let AddExecutionToFlowResult::AlreadyMember { execution_id, node_count } =
                    result.clone()
            {
                *result =
                    AddExecutionToFlowResult::Added { execution_id, new_node_count: node_count };
            }
        })
    ),
    deviant!(
        "only-the-living",
        "FLW-024",
        "Does not let ended executions join.",
        around(|subject, call| Box::pin(async move {
            if let Call::AddExecutionToFlow { args } = &call {
                refuse_ended(subject, &args.execution_id).await?;
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "miscounts-members",
        "FLW-025",
        "Tells everyone that it is the first.",
        answer(|_, answer| {
            if let Ok(Reply::AddExecutionToFlow(AddExecutionToFlowResult::Added {
                new_node_count,
                ..
            })) = answer
            {
                *new_node_count = 1;
            }
        })
    ),
    deviant!(
        "repetitions-count",
        "GRA-001",
        "Raises the revision when a member is added again.",
        repetitions_count()
    ),
    deviant!("any-revision", "GRA-002", "Stages whatever the revision.", any_revision()),
    deviant!("no-compare", "GRA-003", "Stages every edge of a race.", any_revision()),
    deviant!(
        "flow-first",
        "GRA-005",
        "Looks for the flow before it looks at the ends.",
        call(|call| {
            if let Call::StageDependencyEdge { args } = call
                && args.upstream_execution_id == args.downstream_execution_id
            {
                let other =
                    ExecutionId::from_parts(args.upstream_execution_id.partition(), args.edge_id.0);
                args.downstream_execution_id = other;
            }
        })
    ),
    deviant!(
        "cycles-are-fine",
        "GRA-006",
        "Says that a cycle was staged.",
        answer(|call, answer| {
            if let (
                Call::StageDependencyEdge { args },
                Err(EngineError::Conflict(ConflictKind::CycleDetected)),
            ) = (call, &answer)
            {
                *answer = Ok(staged(args));
            }
        })
    ),
    deviant!(
        "no-bound-of-edges",
        "GRA-023",
        "Says that an edge for which there is no room was staged.",
        answer(|call, answer| {
            if let (Call::StageDependencyEdge { args }, Err(EngineError::Validation { .. })) =
                (call, &answer)
                && args.dependency_kind == "success_only"
            {
                *answer = Ok(staged(args));
            }
        })
    ),
    deviant!(
        "edges-twice",
        "GRA-007",
        "Says that a known edge is new.",
        answer(|call, answer| {
            if let (
                Call::StageDependencyEdge { args },
                Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { .. })),
            ) = (call, &answer)
            {
                *answer = Ok(staged(args));
            }
        })
    ),
    deviant!(
        "anonymous-edges",
        "GRA-008",
        "Does not say who made an edge.",
        answer(|_, answer| {
            if let Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing })) =
                answer
            {
                existing.created_by.clear();
            }
        })
    ),
    deviant!(
        "links-the-living",
        "GRA-009",
        "Does not link what has ended.",
        around(|subject, call| Box::pin(async move {
            if let Call::StageDependencyEdge { args } = &call {
                refuse_ended(subject, &args.downstream_execution_id).await?;
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "any-kind",
        "GRA-010",
        "Does not compare kinds.",
        call(|call| {
            if let Call::ApplyDependencyToChild { args } = call {
                "success_only".clone_into(&mut args.dependency_kind);
            }
        })
    ),
    deviant!(
        "counts-the-others",
        "GRA-011",
        "Counts the edges before this one.",
        answer(|_, answer| {
            if let Ok(Reply::ApplyDependencyToChild(ApplyDependencyToChildResult::Applied {
                unsatisfied_count,
            })) = answer
            {
                *unsatisfied_count -= 1;
            }
        })
    ),
    deviant!(
        "leaves-claimable",
        "GRA-012",
        "Lets a child be claimed that waits.",
        write(|before, after| {
            if let Some(before) = before
                && after.eligibility == EligibilityState::BlockedByDependencies
            {
                after.clone_from(before);
            }
        })
    ),
    deviant!(
        "applies-again",
        "GRA-013",
        "Says of an applied edge that it was applied now.",
        answer(|_, answer| {
            if let Ok(Reply::ApplyDependencyToChild(result)) = answer
                && *result == ApplyDependencyToChildResult::AlreadyApplied
            {
                *result = ApplyDependencyToChildResult::Applied { unsatisfied_count: 1 };
            }
        })
    ),
    deviant!(
        "minds-the-revision",
        "GRA-014",
        "Compares the revision of an application.",
        answer(|call, answer| {
            if let Call::ApplyDependencyToChild { args } = call
                && args.graph_revision >= 1_000
            {
                *answer = Err(EngineError::Contention(ContentionKind::StaleGraphRevision));
            }
        })
    ),
    deviant!(
        "touches-the-held",
        "GRA-012",
        "Leaves a mark on every child.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (Call::ApplyDependencyToChild { args }, Ok(_)) = (&call, &answer) {
                subject.leave_trace(&args.downstream_execution_id).await;
            }
            answer
        }))
    ),
    deviant!(
        "state-before-repetition",
        "GRA-010",
        "Refuses a repetition when the flow is cancelled.",
        state_before_repetition()
    ),
    deviant!(
        "trees-only",
        "GRA-006",
        "Takes a second way to a member for a cycle.",
        staged_once(|args| args.downstream_execution_id.to_string())
    ),
    deviant!(
        "one-edge-a-pair",
        "GRA-007",
        "Refuses a second edge between two members.",
        staged_once(|args| {
            format!("{} {}", args.upstream_execution_id, args.downstream_execution_id)
        })
    ),
];

async fn refuse_ended(subject: &Subject, id: &ExecutionId) -> Result<(), EngineError> {
    match subject.field(id, "completed_at").await {
        Some(_) => Err(EngineError::State(StateKind::Terminal)),
        None => Ok(()),
    }
}

fn staged(args: &ff_core::contracts::StageDependencyEdgeArgs) -> Reply {
    Reply::StageDependencyEdge(StageDependencyEdgeResult::Staged {
        edge_id: args.edge_id,
        new_graph_revision: args.expected_graph_revision + 1,
    })
}

/// Each repetition shifts the revisions that callers see by one.
fn repetitions_count() -> Tampering {
    let shift = std::sync::Arc::new(AtomicU64::new(0));
    let shifted = std::sync::Arc::clone(&shift);
    call(move |call| {
        if let Call::StageDependencyEdge { args } = call {
            let shift = shift.load(Ordering::SeqCst);
            args.expected_graph_revision = args.expected_graph_revision.wrapping_sub(shift);
        }
    })
    .answer(move |_, answer| match answer {
        Ok(Reply::AddExecutionToFlow(AddExecutionToFlowResult::AlreadyMember { .. })) => {
            shifted.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Reply::StageDependencyEdge(StageDependencyEdgeResult::Staged {
            new_graph_revision,
            ..
        })) => *new_graph_revision += shifted.load(Ordering::SeqCst),
        _ => {}
    })
}

/// A stale caller is served at the revision that happens to be current.
fn any_revision() -> Tampering {
    around(|subject, mut call| {
        Box::pin(async move {
            let mut answer = subject.model.dispatch(call.clone()).await;
            for revision in 0..100 {
                let stale = Err(EngineError::Contention(ContentionKind::StaleGraphRevision));
                if answer != stale {
                    break;
                }
                if let Call::StageDependencyEdge { args } = &mut call {
                    args.expected_graph_revision = revision;
                }
                answer = subject.model.dispatch(call.clone()).await;
            }
            answer
        })
    })
}

fn state_before_repetition() -> Tampering {
    let cancelled = AtomicU64::new(0);
    answer(move |_, answer| match answer {
        Ok(Reply::CancelFlow(_)) => {
            cancelled.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Reply::ApplyDependencyToChild(ApplyDependencyToChildResult::AlreadyApplied))
            if cancelled.load(Ordering::SeqCst) > 0 =>
        {
            *answer = Err(EngineError::State(StateKind::FlowAlreadyTerminal));
        }
        _ => {}
    })
}

/// Says of an edge that it closes a cycle if one with the same key was staged.
fn staged_once(
    key: impl Fn(&ff_core::contracts::StageDependencyEdgeArgs) -> String + Send + Sync + 'static,
) -> Tampering {
    let staged: Mutex<BTreeSet<String>> = Mutex::default();
    answer(move |call, answer| {
        if let (Call::StageDependencyEdge { args }, Ok(_), Ok(mut staged)) =
            (call, &answer, staged.lock())
            && !staged.insert(key(args))
        {
            *answer = Err(EngineError::Conflict(ConflictKind::CycleDetected));
        }
    })
}
