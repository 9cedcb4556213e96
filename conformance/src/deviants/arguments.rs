//! Deviants that take wrong arguments and handles.

use std::sync::Mutex;

use ff_core::backend::{BackendTag, Handle, HandleKind, HandlePayload};
use ff_core::call::{Call, Reply};
use ff_core::contracts::CreateExecutionResult;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{EngineError, StateKind, ValidationKind};
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, flow_partition};
use ff_core::types::{ExecutionId, FlowId, LaneId, MAX_INTEGER, TimestampMs};

use super::tampering::{Answer, Tampering, answer, around, call};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "drops-nul",
        "SYS-018",
        "Leaves U+0000 out of texts.",
        call(|call| each_text(call, &|text| text.retain(|c| c != '\0')))
    ),
    deviant!(
        "a-moment-at-least",
        "SYS-019",
        "Takes no length for a short one.",
        call(|call| {
            if let Call::Claim { policy, .. } = call {
                policy.lease_ttl_ms = policy.lease_ttl_ms.max(1);
            }
        })
    ),
    deviant!(
        "any-partition",
        "SYS-020",
        "Finds executions wherever it is told to look.",
        call(|call| {
            if let Call::MarkLeaseExpiredIfDue { partition, execution_id }
            | Call::PromoteDelayed { partition, execution_id, .. }
            | Call::ReadExecCoreFields { partition, execution_id, .. } = call
            {
                *partition = Partition {
                    family: PartitionFamily::Execution,
                    index: execution_id.partition(),
                };
            }
        })
    ),
    deviant!(
        "minds-the-lane",
        "SYS-021",
        "Promotes only under the right lane.",
        around(|subject, call| Box::pin(async move {
            if let Call::PromoteDelayed { lane, execution_id, .. } = &call
                && subject
                    .field(execution_id, "lane_id")
                    .await
                    .is_some_and(|stored| LaneId(stored) != *lane)
            {
                return Ok(Reply::PromoteDelayed(()));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "one-of-twins",
        "SYS-037",
        "Takes a creation for one of the execution with its UUID in the partition before.",
        around(|subject, call| Box::pin(async move {
            if let Call::CreateExecution { args } = &call
                && let Some(before) = args.execution_id.partition().checked_sub(1)
            {
                let known = ExecutionId::from_parts(before, args.execution_id.uuid());
                if subject.field(&known, "lane_id").await.is_some() {
                    let execution_id = known;
                    return Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate {
                        execution_id,
                    }));
                }
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "stages-for-namesakes",
        "SYS-037",
        "Takes the ends of an edge for members by their UUIDs.",
        call(|call| if let Call::StageDependencyEdge { args } = call {
            take_for_member(&args.flow_id, &mut args.upstream_execution_id);
            take_for_member(&args.flow_id, &mut args.downstream_execution_id);
        })
    ),
    deviant!(
        "policies-for-namesakes",
        "SYS-037",
        "Sets the policy of whichever member has the UUID.",
        call(|call| {
            if let Call::SetEdgeGroupPolicy { flow_id, downstream_execution_id, .. } = call {
                take_for_member(flow_id, downstream_execution_id);
            }
        })
    ),
    deviant!(
        "cascades-for-namesakes",
        "SYS-037",
        "Counts the end of whichever member has the UUID.",
        call(|call| {
            if let Call::CascadeCompletion { payload } = call
                && let Some(flow) = &payload.flow_id
            {
                take_for_member(flow, &mut payload.execution_id);
            }
        })
    ),
    deviant!(
        "drains-for-namesakes",
        "SYS-037",
        "Forgets the note on whichever member has the UUID.",
        call(|call| {
            if let Call::DrainSiblingCancelGroup { flow_id, downstream_eid, .. } = call {
                take_for_member(flow_id, downstream_eid);
            }
        })
    ),
    deviant!(
        "acknowledges-namesakes",
        "SYS-037",
        "Acknowledges whichever member has the UUID.",
        call(|call| {
            if let Call::AckCancelMember { flow_id, execution_id } = call {
                take_for_member(flow_id, execution_id);
            }
        })
    ),
    deviant!(
        "any-family",
        "SYS-025",
        "Takes handles for its own whatever their tag.",
        call(|call| {
            if let Some(handle) = call.handle_mut() {
                handle.backend = BackendTag::Mock;
            }
        })
    ),
    deviant!(
        "suspended-is-fresh",
        "SYS-026",
        "Takes a suspension's handle for a lease's.",
        call(|call| {
            if let Some(handle) = call.handle_mut() {
                handle.kind = HandleKind::Fresh;
            }
        })
    ),
    deviant!(
        "clamps-integers",
        "SYS-029",
        "Takes an integer that is too large for the largest.",
        call(|call| {
            if let Call::CreateExecution { args } = call {
                let largest = MAX_INTEGER.cast_signed();
                args.now.0 = args.now.0.clamp(-largest, largest);
                for at in
                    [&mut args.delay_until, &mut args.execution_deadline_at].into_iter().flatten()
                {
                    at.0 = at.0.clamp(-largest, largest);
                }
            }
        })
    ),
    deviant!("mends-handles", "SYS-030", "Guesses what a damaged handle was.", mends_handles()),
    deviant!(
        "cuts-payloads",
        "SYS-031",
        "Keeps as much of a payload as fits.",
        call(|call| match call {
            Call::CreateExecution { args } => args.input_payload.truncate(65_536),
            Call::Complete { payload: Some(payload), .. } => payload.truncate(65_536),
            Call::Fail { reason, .. } =>
                reason.detail.iter_mut().for_each(|detail| detail.truncate(65_536)),
            _ => {}
        })
    ),
    deviant!(
        "cuts-texts",
        "SYS-032",
        "Keeps as much of a text as fits.",
        call(|call| each_text(call, &|text| text.truncate(65_536)))
    ),
    deviant!(
        "names-the-nameless",
        "SYS-033",
        "Puts a default where a name is missing.",
        call(|call| {
            if let Call::CreateExecution { args } = call
                && args.namespace.0.is_empty()
            {
                args.namespace = "default".into();
            }
        })
    ),
    deviant!(
        "clamps-elsewhere",
        "SYS-029",
        "Takes a limit or revision that is too large for the largest.",
        call(|call| match call {
            Call::ListExecutions { limit, .. } | Call::ListLanes { limit, .. } =>
                *limit = (*limit).min(1_000),
            Call::StageDependencyEdge { args } => {
                args.expected_graph_revision = args.expected_graph_revision.min(MAX_INTEGER);
            }
            _ => {}
        })
    ),
    deviant!(
        "largest-but-one",
        "SYS-029",
        "Does not take the largest integer.",
        call(|call| {
            if let Call::CreateExecution { args } = call {
                let largest = MAX_INTEGER.cast_signed();
                args.delay_until = args.delay_until.map(|at| TimestampMs(at.0.min(largest - 1)));
            }
        })
    ),
    deviant!(
        "almost-64-kib",
        "SYS-031",
        "Refuses the longest payload.",
        answer(|call, answer| {
            if let Call::CreateExecution { args } = call
                && args.input_payload.len() == 65_536
            {
                *answer = Err(EngineError::validation(ValidationKind::PayloadTooLarge, "full"));
            }
        })
    ),
    deviant!(
        "drops-nul-in-flows",
        "SYS-018",
        "Leaves U+0000 out of the kinds of flows.",
        call(|call| {
            if let Call::CreateFlow { args } = call {
                args.flow_kind.retain(|c| c != '\0');
            }
        })
    ),
    deviant!(
        "ascii-only",
        "SYS-018",
        "Keeps only ASCII.",
        call(|call| each_text(call, &|text| text.retain(|c| c.is_ascii())))
    ),
    deviant!(
        "fresh-only",
        "SYS-026",
        "Does not know resumed handles.",
        answer(|call, answer| {
            if call.clone().handle_mut().is_some_and(|handle| handle.kind == HandleKind::Resumed) {
                *answer = Err(EngineError::State(StateKind::AlreadySuspended));
            }
        })
    ),
];

/// Makes an id that of the execution with its UUID which can be a member of the flow.
fn take_for_member(flow: &FlowId, id: &mut ExecutionId) {
    let home = flow_partition(flow, &PartitionConfig::default()).index;
    *id = ExecutionId::from_parts(home, id.uuid());
}

fn mends_handles() -> Tampering {
    let last: std::sync::Arc<Mutex<Option<Handle>>> = std::sync::Arc::default();
    let kept = std::sync::Arc::clone(&last);
    call(move |call| {
        if let (Some(handle), Ok(last)) = (call.handle_mut(), last.lock())
            && HandlePayload::open(BackendTag::Mock, handle).is_err()
            && let Some(good) = &*last
        {
            *handle = good.clone();
        }
    })
    .answer(move |_, answer: &mut Answer| {
        if let (Ok(Reply::Claim(Some(handle))), Ok(mut kept)) = (answer, kept.lock()) {
            *kept = Some(handle.clone());
        }
    })
}

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
