//! Deviants that break the clauses under "Eligibility".

use ff_core::call::{Call, Reply};
use ff_core::contracts::{EdgeGroupSnapshot, EvaluateFlowEligibilityResult};
use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;

use crate::deviants::declare::{around, deviant};
use crate::deviants::fault::{Answer, Subject, answer, pause};
use crate::deviants::flows::described_by;

deviant!("missing-is-an-error", DEP_032,
    "Does not evaluate what is not there." => answer(|_, answer| {
    if status_of(answer) == Some("not_found") {
        *answer = Err(EngineError::NotFound { entity: "execution" });
    }
}));

around!(
    "asks-the-record-only",
    DEP_032,
    "Does not look at the group of a member that can be claimed.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
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
    }
);

around!(
    "all-must-be-resolved",
    DEP_032,
    "Finds a member blocked while any upstream runs.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let Call::EvaluateFlowEligibility { args } = &call
            && status_of(&answer) == Some("eligible")
            && upstreams_run(subject, &args.execution_id).await
        {
            return Ok(status("blocked_by_dependencies"));
        }
        answer
    }
);

around!("looking-is-a-change", DEP_033, "Leaves a mark on the member.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let Call::EvaluateFlowEligibility { args } = &call {
        subject.leave_trace(&args.execution_id).await;
    }
    answer
});

around!("delays-count", DEP_032, "Finds a delayed member not eligible.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let Call::EvaluateFlowEligibility { args } = &call
        && subject.field(&args.execution_id, "delay_until").await.is_some()
        && status_of(&answer) == Some("eligible")
    {
        return Ok(status("not_runnable"));
    }
    answer
});

around!(
    "looks-twice",
    DEP_048,
    "Looks at the execution first and at its group a moment later.",
    |subject, call| {
        let Call::EvaluateFlowEligibility { args } = &call else {
            return subject.ask(call).await;
        };
        let phase = subject.field(&args.execution_id, "lifecycle_phase").await;
        pause().await;
        let answer = subject.ask(call).await;
        let was_runnable = phase.as_deref() == Some("runnable");
        if was_runnable && status_of(&answer) == Some("not_runnable") {
            return Ok(status("impossible"));
        }
        answer
    }
);

fn status(status: &str) -> Reply {
    Reply::EvaluateFlowEligibility(EvaluateFlowEligibilityResult::Status {
        status: status.to_owned(),
    })
}

fn status_of(answer: &Answer) -> Option<&str> {
    match answer {
        Ok(Reply::EvaluateFlowEligibility(EvaluateFlowEligibilityResult::Status { status })) => {
            Some(status)
        }
        _ => None,
    }
}

/// Whether a member's group counts running edges.
async fn upstreams_run(subject: &Subject, member: &ExecutionId) -> bool {
    let call = Call::ResolveExecutionFlowId { execution_id: member.clone() };
    let Ok(Reply::ResolveExecutionFlowId(Some(flow))) = subject.ask(call).await else {
        return false;
    };
    let flow = described_by(subject, &flow).await;
    let groups = flow.map(|flow| flow.edge_groups).unwrap_or_default();
    let of = |group: &EdgeGroupSnapshot| group.downstream_execution_id == *member;
    groups.iter().any(|group| of(group) && group.running_count > 0)
}
