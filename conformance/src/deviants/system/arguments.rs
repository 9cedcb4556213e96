//! Deviants that break the clauses under "Arguments".

use std::time::Instant;

use ff_core::call::{Call, Reply};
use ff_core::engine_backend::cancel_flow_wait_deadline;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{LaneId, MAX_INTEGER, TimestampMs};

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::fault::{answer, call};

deviant!("drops-nul", SYS_018, "Leaves U+0000 out of texts." =>
    call(|call| each_text(call, &|text| text.retain(|c| c != '\0'))));

request!("a-moment-at-least", SYS_019, "Takes no length for a short one.",
    Claim { policy, .. } => policy.lease_ttl_ms = policy.lease_ttl_ms.max(1));

request!("any-partition", SYS_020, "Finds executions wherever it is told to look.",
MarkLeaseExpiredIfDue { partition, execution_id }
| PromoteDelayed { partition, execution_id, .. }
| ReadExecCoreFields { partition, execution_id, .. } => {
    *partition = Partition {
        family: PartitionFamily::Execution,
        index: execution_id.partition(),
    };
});

around!("minds-the-lane", SYS_021, "Promotes only under the right lane.", |subject, call| {
    if let Call::PromoteDelayed { lane, execution_id, .. } = &call
        && subject
            .field(execution_id, "lane_id")
            .await
            .is_some_and(|stored| LaneId(stored) != *lane)
    {
        return Ok(Reply::PromoteDelayed(()));
    }
    subject.ask(call).await
});

request!("clamps-integers", SYS_029,
    "Takes an integer that is too large for the largest.", CreateExecution { args } => {
    let largest = MAX_INTEGER.cast_signed();
    args.now.0 = args.now.0.clamp(-largest, largest);
    for at in
        [&mut args.delay_until, &mut args.execution_deadline_at].into_iter().flatten()
    {
        at.0 = at.0.clamp(-largest, largest);
    }
});

deviant!("cuts-payloads", SYS_031, "Keeps as much of a payload as fits." => call(|call| match call {
    Call::CreateExecution { args } => args.input_payload.truncate(65_536),
    Call::Complete { payload: Some(payload), .. } => payload.truncate(65_536),
    Call::Fail { reason, .. } =>
        reason.detail.iter_mut().for_each(|detail| detail.truncate(65_536)),
    _ => {}
}));

deviant!("cuts-texts", SYS_032, "Keeps as much of a text as fits." =>
    call(|call| each_text(call, &|text| text.truncate(65_536))));

request!("names-the-nameless", SYS_033, "Puts a default where a name is missing.",
    CreateExecution { args } if args.namespace.0.is_empty() => args.namespace = "default".into());

deviant!("clamps-elsewhere", SYS_029,
    "Takes a limit or revision that is too large for the largest." => call(|call| match call {
    Call::ListExecutions { limit, .. } | Call::ListLanes { limit, .. } =>
        *limit = (*limit).min(1_000),
    Call::StageDependencyEdge { args } => {
        args.expected_graph_revision = args.expected_graph_revision.min(MAX_INTEGER);
    }
    _ => {}
}));

request!("largest-but-one", SYS_029,
    "Does not take the largest integer.", CreateExecution { args } => {
    let largest = MAX_INTEGER.cast_signed();
    args.delay_until = args.delay_until.map(|at| TimestampMs(at.0.min(largest - 1)));
});

deviant!("almost-64-kib", SYS_031, "Refuses the longest payload." => answer(|call, answer| {
    if let Call::CreateExecution { args } = call
        && args.input_payload.len() == 65_536
    {
        *answer = Err(EngineError::validation(ValidationKind::PayloadTooLarge, "full"));
    }
}));

request!("drops-nul-in-flows", SYS_018, "Leaves U+0000 out of the kinds of flows.",
    CreateFlow { args } => args.flow_kind.retain(|c| c != '\0'));

deviant!("ascii-only", SYS_047, "Keeps only ASCII." =>
    call(|call| each_text(call, &|text| text.retain(|c| c.is_ascii()))));

around!(
    "waits-overflow",
    SYS_038,
    "Cannot say when a very long wait will be over.",
    |subject, call| {
        let wait = match &call {
            Call::Claim { policy, .. } => policy.max_wait,
            Call::CancelFlow { wait, .. } => cancel_flow_wait_deadline(*wait),
            _ => None,
        };
        if wait.is_some_and(|wait| Instant::now().checked_add(wait).is_none()) {
            return Err(EngineError::transport("mock", "the end of time"));
        }
        subject.ask(call).await
    }
);

/// The texts that calls carry.
fn each_text(call: &mut Call, change: &dyn Fn(&mut String)) {
    match call {
        Call::CreateExecution { args } => {
            change(&mut args.namespace.0);
            change(&mut args.execution_kind);
            args.idempotency_key.iter_mut().for_each(change);
            args.tags.values_mut().for_each(change);
        }
        Call::SetExecutionTag { value, .. } | Call::SetFlowTag { value, .. } => change(value),
        Call::Progress { message: Some(message), .. } => change(message),
        Call::Fail { reason, .. } => change(&mut reason.message),
        Call::Cancel { reason, .. } => change(reason),
        _ => {}
    }
}
