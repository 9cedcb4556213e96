//! Deviants that break the clauses under "Resolve".

use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    ApplyDependencyToChildArgs, EdgeDependencyPolicy, EdgeGroupState, OnSatisfied,
    ResolveDependencyOutcome,
};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::TerminalOutcome;
use ff_core::types::{AttemptIndex, TimestampMs};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, call, group};
use crate::deviants::flows::outgoing;

around!(
    "staged-is-enough",
    DEP_008,
    "Lets a cascade apply what is only staged.",
    |subject, call| {
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
                let _ = subject.ask(call).await;
            }
        }
        subject.ask(call).await
    }
);

deviant!("runs-on", DEP_005, "Counts a resolved edge as running as well." => group(|before, group| {
    if before.is_some_and(|before| before.running_count > group.running_count) {
        group.running_count += 1;
    }
}));

deviant!("skips-are-failures", DEP_006, "Counts the skipped among the failed." => group(|_, group| {
    group.failed_count += group.skipped_count;
    group.skipped_count = 0;
}));

deviant!("late-success-helps", DEP_007,
    "Calls an impossible group satisfied when a late upstream succeeds." => group(|before, group| {
    if before.is_some_and(|before| before.satisfied_count < group.satisfied_count)
        && group.group_state == EdgeGroupState::Impossible
    {
        group.group_state = EdgeGroupState::Satisfied;
    }
}));

request!("unknown-is-failed", DEP_010, "Takes any outcome that it does not know for a failure.",
    ResolveDependency { args } if args.upstream_outcome.parse::<TerminalOutcome>().is_err() =>
        "failed".clone_into(&mut args.upstream_outcome));

around!(
    "resolved-before-the-outcome",
    DEP_051,
    "Does not look at the outcome of an edge that is resolved.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (Call::ResolveDependency { args }, Err(EngineError::Validation { .. })) =
            (&call, &answer)
        {
            let mut known = args.clone();
            "failed".clone_into(&mut known.upstream_outcome);
            let again = Call::ResolveDependency { args: known };
            if let Ok(Reply::ResolveDependency(ResolveDependencyOutcome::AlreadyResolved)) =
                subject.ask(again.clone()).await
            {
                return subject.ask(again).await;
            }
        }
        answer
    }
);

around!(
    "edge-id-is-enough",
    DEP_010,
    "Does not compare the ends of an edge.",
    |subject, mut call| {
        if let Call::ResolveDependency { args } = &mut call
            && let Ok(Reply::DescribeEdge(Some(edge))) = subject
                .ask(Call::DescribeEdge { flow_id: args.flow_id, edge_id: args.edge_id })
                .await
        {
            args.upstream_execution_id = edge.upstream_execution_id;
            args.downstream_execution_id = edge.downstream_execution_id;
        }
        subject.ask(call).await
    }
);

around!(
    "believes-the-record",
    DEP_011,
    "Lets an upstream succeed only if its record says so.",
    |subject, mut call| {
        if let Call::ResolveDependency { args } = &mut call {
            let upstream = &args.upstream_execution_id;
            let stored = subject.field(upstream, "terminal_outcome").await;
            if stored.as_deref() == Some("failed") {
                "failed".clone_into(&mut args.upstream_outcome);
            }
        }
        subject.ask(call).await
    }
);

reply!("resolved-anew", DEP_012, "Says of a resolved edge that it is satisfied now.",
    ResolveDependency(outcome) if *outcome == ResolveDependencyOutcome::AlreadyResolved =>
        *outcome = ResolveDependencyOutcome::Satisfied);

deviant!("trusts-the-attempt", DEP_013,
    "Resolves only for the attempt that is current." => answer(|call, answer| {
    if let Call::ResolveDependency { args } = call
        && args.current_attempt_index != AttemptIndex::new(0)
    {
        *answer = Err(EngineError::State(StateKind::StaleLease));
    }
}));

deviant!("one-is-all", DEP_043, "Takes all-of for any-of." => policies(|policy| match policy {
    EdgeDependencyPolicy::AllOf => EdgeDependencyPolicy::any_of(OnSatisfied::LetRun),
    other => other,
}));

deviant!("all-of-any", DEP_044, "Takes any-of for all-of." => policies(|policy| match policy {
    EdgeDependencyPolicy::AnyOf { .. } => EdgeDependencyPolicy::AllOf,
    other => other,
}));

deviant!("one-more", DEP_045,
    "Asks for one more than the quorum." => policies(|policy| match policy {
    EdgeDependencyPolicy::Quorum { k, on_satisfied } =>
        EdgeDependencyPolicy::quorum((k + 1).min(1 << 30), on_satisfied),
    other => other,
}));

deviant!("quorum-cut-down", DEP_047, "Asks for two at most." => policies(|policy| match policy {
    EdgeDependencyPolicy::Quorum { k, on_satisfied } if k > 2 && k < 1 << 31 =>
        EdgeDependencyPolicy::quorum(2, on_satisfied),
    other => other,
}));

fn policies(change: fn(EdgeDependencyPolicy) -> EdgeDependencyPolicy) -> Fault {
    call(move |call| {
        if let Call::SetEdgeGroupPolicy { policy, .. } = call {
            *policy = change(*policy);
        }
    })
}
