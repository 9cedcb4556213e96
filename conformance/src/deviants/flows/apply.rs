//! Deviants that break the clauses under "Apply".

use std::sync::atomic::{AtomicU64, Ordering};

use ff_core::call::{Call, Reply};
use ff_core::contracts::{ApplyDependencyToChildResult, EdgeGroupState};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::state::EligibilityState;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, group, write};
use crate::deviants::flows::{cascades_once, nothing};

deviant!("cascades-once", GRA_015, "Cascades from an execution once." =>
    cascades_once(|| Ok(nothing())));

request!("any-kind", GRA_010, "Does not compare kinds.",
    ApplyDependencyToChild { args } => "success_only".clone_into(&mut args.dependency_kind));

deviant!("applies-in-closed-flows", GRA_010, "Says that it applied an edge of a cancelled flow." =>
    answer(|call, answer| {
    if let (Call::ApplyDependencyToChild { .. }, Err(EngineError::State(StateKind::FlowAlreadyTerminal))) =
        (call, &answer)
    {
        let applied = ApplyDependencyToChildResult::Applied { unsatisfied_count: 1 };
        *answer = Ok(Reply::ApplyDependencyToChild(applied));
    }
}));

reply!("counts-the-others", GRA_011, "Counts the edges before this one.",
    ApplyDependencyToChild(ApplyDependencyToChildResult::Applied { unsatisfied_count, }) =>
        *unsatisfied_count -= 1);

deviant!("leaves-claimable", GRA_012,
    "Lets a child be claimed that waits." => write(|before, after| {
    if let Some(before) = before
        && after.eligibility == EligibilityState::BlockedByDependencies
    {
        after.clone_from(before);
    }
}));

reply!("applies-again", GRA_013, "Says of an applied edge that it was applied now.",
    ApplyDependencyToChild(result) if *result == ApplyDependencyToChildResult::AlreadyApplied =>
        *result = ApplyDependencyToChildResult::Applied { unsatisfied_count: 1 });

deviant!("minds-the-revision", GRA_014,
    "Compares the revision of an application." => answer(|call, answer| {
    if let Call::ApplyDependencyToChild { args } = call
        && args.graph_revision >= 1_000
    {
        *answer = Err(EngineError::Contention(ContentionKind::StaleGraphRevision));
    }
}));

around!("touches-the-held", GRA_012, "Leaves a mark on every child.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let (Call::ApplyDependencyToChild { args }, Ok(_)) = (&call, &answer) {
        subject.leave_trace(&args.downstream_execution_id).await;
    }
    answer
});

deviant!("state-before-repetition", GRA_028, "Refuses a repetition when the flow is cancelled." =>
    state_before_repetition());

deviant!("satisfied-for-good", GRA_016,
    "Does not let a late edge reopen a satisfied group." => group(|before, group| {
    if before.is_some_and(|before| before.group_state == EdgeGroupState::Satisfied) {
        group.group_state = EdgeGroupState::Satisfied;
    }
}));

deviant!("reopens-everything", GRA_022,
    "Lets a late edge reopen any group." => group(|before, group| {
    if before.is_some_and(|before| before.running_count < group.running_count) {
        group.group_state = EdgeGroupState::Pending;
    }
}));

fn state_before_repetition() -> Fault {
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
