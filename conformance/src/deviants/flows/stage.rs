//! Deviants that break the clauses under "Stage".

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ff_core::call::{Call, Reply};
use ff_core::contracts::{AddExecutionToFlowResult, StageDependencyEdgeResult};
use ff_core::engine_error::{ConflictKind, ContentionKind, EngineError, StateKind};
use ff_core::types::ExecutionId;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, around, call};
use crate::deviants::flows::refuse_ended;

around!("staged-is-staged", GRA_004, "Takes a repetition for a success.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let Call::StageDependencyEdge { args } = &call
        && answer == Err(EngineError::Contention(ContentionKind::StaleGraphRevision))
    {
        let known = Call::DescribeEdge { flow_id: args.flow_id, edge_id: args.edge_id };
        if let Ok(Reply::DescribeEdge(Some(_))) = subject.ask(known).await {
            return Ok(Reply::StageDependencyEdge(StageDependencyEdgeResult::Staged {
                edge_id: args.edge_id,
                new_graph_revision: args.expected_graph_revision + 1,
            }));
        }
    }
    answer
});

deviant!("repetitions-count", GRA_001, "Raises the revision when a member is added again." =>
    repetitions_count());

deviant!("any-revision", GRA_002, "Stages whatever the revision." => any_revision());

deviant!("no-compare", GRA_003, "Stages every edge of a race." => any_revision());

request!("flow-first", GRA_025, "Looks for the flow before it looks at the ends.",
StageDependencyEdge { args } if args.upstream_execution_id == args.downstream_execution_id => {
    let other =
        ExecutionId::from_parts(args.upstream_execution_id.partition(), args.edge_id.0);
    args.downstream_execution_id = other;
});

deviant!("strangers-can-be-linked", GRA_005,
    "Says of executions that are not members that they were linked." => answer(|call, answer| {
    if let (Call::StageDependencyEdge { args }, Err(EngineError::State(StateKind::ExecutionNotInFlow))) =
        (call, &answer)
    {
        *answer = Ok(staged(args));
    }
}));

deviant!("searches-for-ever", GRA_026,
    "Says that an edge was staged whose search was given up." => answer(|call, answer| {
    if let (
        Call::StageDependencyEdge { args },
        Err(EngineError::Conflict(ConflictKind::CycleDetected)),
    ) = (call, &answer)
    {
        *answer = Ok(staged(args));
    }
}));

request!("references-forgotten", GRA_008, "Stores no data reference.",
    StageDependencyEdge { args } => args.data_passing_ref = None);

deviant!("cycles-are-fine", GRA_006, "Says that a cycle was staged." => answer(|call, answer| {
    if let (
        Call::StageDependencyEdge { args },
        Err(EngineError::Conflict(ConflictKind::CycleDetected)),
    ) = (call, &answer)
    {
        *answer = Ok(staged(args));
    }
}));

deviant!("no-bound-of-edges", GRA_023,
    "Says that an edge for which there is no room was staged." => answer(|call, answer| {
    if let (Call::StageDependencyEdge { args }, Err(EngineError::Validation { .. })) =
        (call, &answer)
        && args.dependency_kind == "success_only"
    {
        *answer = Ok(staged(args));
    }
}));

deviant!("edges-twice", GRA_007, "Says that a known edge is new." => answer(|call, answer| {
    if let (
        Call::StageDependencyEdge { args },
        Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { .. })),
    ) = (call, &answer)
    {
        *answer = Ok(staged(args));
    }
}));

reply!("anonymous-edges", GRA_027, "Does not say who made an edge.",
    DescribeEdge(Some(edge)) => edge.created_by.clear());

around!("links-the-living", GRA_009, "Does not link what has ended.", |subject, call| {
    if let Call::StageDependencyEdge { args } = &call {
        refuse_ended(subject, &args.downstream_execution_id).await?;
    }
    subject.ask(call).await
});

deviant!("trees-only", GRA_006, "Takes a second way to a member for a cycle." =>
    staged_once(|args| args.downstream_execution_id.to_string()));

deviant!("one-edge-a-pair", GRA_007,
    "Refuses a second edge between two members." => staged_once(|args| {
    format!("{} {}", args.upstream_execution_id, args.downstream_execution_id)
}));

fn staged(args: &ff_core::contracts::StageDependencyEdgeArgs) -> Reply {
    Reply::StageDependencyEdge(StageDependencyEdgeResult::Staged {
        edge_id: args.edge_id,
        new_graph_revision: args.expected_graph_revision + 1,
    })
}

/// Each repetition shifts the revisions that callers see by one.
fn repetitions_count() -> Fault {
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
fn any_revision() -> Fault {
    around(|subject, mut call| {
        Box::pin(async move {
            let mut answer = subject.ask(call.clone()).await;
            for revision in 0..100 {
                let stale = Err(EngineError::Contention(ContentionKind::StaleGraphRevision));
                if answer != stale {
                    break;
                }
                if let Call::StageDependencyEdge { args } = &mut call {
                    args.expected_graph_revision = revision;
                }
                answer = subject.ask(call.clone()).await;
            }
            answer
        })
    })
}

/// Says of an edge that it closes a cycle if one with the same key was staged.
fn staged_once(
    key: impl Fn(&ff_core::contracts::StageDependencyEdgeArgs) -> String + Send + Sync + 'static,
) -> Fault {
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

deviant!("edges-always-pending", GRA_027,
    "Shows applied edges as pending." => answer(|_, answer| match answer {
    Ok(Reply::DescribeEdge(Some(edge))) => edge.edge_state = "pending".to_owned(),
    Ok(Reply::ListEdges(edges)) => {
        for edge in edges {
            edge.edge_state = "pending".to_owned();
        }
    }
    _ => {}
}));
