//! Deviants of creation.

use ff_core::backend::FailureClass;
use ff_core::call::{Call, Reply};
use ff_core::contracts::CreateExecutionResult;
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use ff_core::types::{LaneId, LeaseEpoch};

use super::tampering::{Answer, Tampering, answer, around, call, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "born-delayed",
        "EXE-001",
        "Says that new work is delayed.",
        answer(|_, answer| {
            if let Ok(Reply::CreateExecution(CreateExecutionResult::Created {
                public_state, ..
            })) = answer
            {
                *public_state = PublicState::Delayed;
            }
        })
    ),
    deviant!(
        "forgets-delays",
        "EXE-002",
        "Takes delayed work for work that is due.",
        creating(|args| args.delay_until = None)
    ),
    deviant!(
        "mends-lanes",
        "EXE-003",
        "Puts work of an impossible lane into another.",
        creating(|args| {
            if args.lane_id.check().is_err() {
                args.lane_id = LaneId::new("default");
            }
        })
    ),
    deviant!(
        "shortens-keys",
        "EXE-041",
        "Cuts long keys.",
        call(|call| {
            if let Call::SetExecutionTag { key, .. }
            | Call::SetFlowTag { key, .. }
            | Call::GetExecutionTag { key, .. }
            | Call::GetFlowTag { key, .. } = call
            {
                key.truncate(256);
            }
        })
    ),
    deviant!(
        "drops-tags",
        "EXE-042",
        "Leaves out tags that there is no room for.",
        answer(|call, answer| match call {
            Call::SetExecutionTag { key, .. } if is_full(key, answer) => {
                *answer = Ok(Reply::SetExecutionTag(()));
            }
            Call::SetFlowTag { key, .. } if is_full(key, answer) => {
                *answer = Ok(Reply::SetFlowTag(()));
            }
            _ => {}
        })
    ),
    deviant!(
        "drops-budgets",
        "EXE-043",
        "Leaves out all budgets but the first 64.",
        creating(|args| {
            if let Some(policy) = &mut args.policy {
                policy.budget_ids.truncate(64);
            }
        })
    ),
    deviant!(
        "drops-bad-requirements",
        "EXE-004",
        "Leaves out the tokens that it does not like.",
        creating(|args| {
            if let Some(routing) =
                args.policy.as_mut().and_then(|policy| policy.routing_requirements.as_mut())
            {
                let bad = |c: char| c == ',' || c.is_whitespace() || c.is_control();
                routing
                    .required_capabilities
                    .retain(|token| !token.is_empty() && !token.contains(bad));
            }
        })
    ),
    deviant!(
        "drops-bad-tags",
        "EXE-005",
        "Leaves out the tags that it does not like.",
        creating(|args| {
            args.tags.retain(|key, _| validate_tag_key(key).is_ok());
        })
    ),
    deviant!(
        "narrow-priorities",
        "EXE-006",
        "Keeps priorities below 9000.",
        creating(|args| args.priority = args.priority.min(8_999))
    ),
    deviant!(
        "create-overwrites",
        "EXE-007",
        "Answers `Duplicate`, but keeps the newer tags.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (
                Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate { .. })),
                Call::CreateExecution { args },
            ) = (&answer, call)
            {
                for (key, value) in args.tags {
                    let execution_id = args.execution_id.clone();
                    subject
                        .model
                        .dispatch(Call::SetExecutionTag { execution_id, key, value })
                        .await?;
                }
            }
            answer
        }))
    ),
    deviant!(
        "ended-ids-are-free",
        "EXE-007",
        "Says that an ended execution was created again.",
        around(|subject, call| Box::pin(async move {
            let mut answer = subject.model.dispatch(call).await;
            if let Ok(Reply::CreateExecution(result)) = &mut answer
                && let CreateExecutionResult::Duplicate { execution_id } = result.clone()
                && subject.field(&execution_id, "completed_at").await.is_some()
            {
                *result = CreateExecutionResult::Created {
                    execution_id,
                    public_state: PublicState::Waiting,
                };
            }
            answer
        }))
    ),
    deviant!(
        "ignores-keys",
        "EXE-008",
        "Has never heard of idempotency keys.",
        creating(|args| args.idempotency_key = None)
    ),
    deviant!(
        "one-key-for-all",
        "EXE-008",
        "Remembers keys across namespaces.",
        creating(|args| {
            if args.idempotency_key.is_some() {
                args.namespace = "tenant".into();
            }
        })
    ),
    deviant!(
        "short-memory",
        "EXE-009",
        "Forgets keys a little early.",
        creating(|args| {
            let window = &mut args.policy.get_or_insert_default().dedup_window_ms;
            *window = Some(window.unwrap_or(86_400_000).saturating_sub(1));
        })
    ),
    deviant!(
        "id-before-key",
        "EXE-010",
        "Looks for the id before the key.",
        around(|subject, mut call| Box::pin(async move {
            if let Call::CreateExecution { args } = &mut call
                && subject.field(&args.execution_id, "lane_id").await.is_some()
            {
                args.idempotency_key = None;
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "born-old",
        "EXE-011",
        "Begins to count leases at one.",
        write(|before, after| {
            if before.is_none() {
                after.epoch = LeaseEpoch::new(1);
            }
        })
    ),
    deviant!(
        "policy-decides",
        "EXE-012",
        "Takes the priority from the policy.",
        creating(|args| {
            if let Some(policy) = &args.policy {
                args.priority = policy.priority;
            }
        })
    ),
    deviant!(
        "forgets-deadlines",
        "EXE-013",
        "Counts no deadline from the creation.",
        creating(|args| {
            if let Some(timeouts) =
                args.policy.as_mut().and_then(|policy| policy.timeout_policy.as_mut())
            {
                timeouts.execution_deadline_ms = None;
            }
        })
    ),
    deviant!(
        "knows-one-lane",
        "EXE-014",
        "Knows only the first lane.",
        answer(|_, answer| {
            if let Ok(Reply::ListLanes(page)) = answer {
                page.lanes.truncate(1);
            }
        })
    ),
    deviant!(
        "lossy-payload",
        "EXE-015",
        "Takes payloads for text.",
        creating(|args| {
            args.input_payload =
                String::from_utf8_lossy(&args.input_payload).into_owned().into_bytes();
        })
    ),
    deviant!(
        "any-word-will-do",
        "EXE-037",
        "Takes behaviours that nobody knows for failing.",
        creating(|args| {
            if let Some(suspension) =
                args.policy.as_mut().and_then(|policy| policy.suspension_policy.as_mut())
            {
                "fail".clone_into(&mut suspension.timeout_behavior);
            }
        })
    ),
    deviant!(
        "absolute-factors",
        "ATT-013",
        "Makes something of every factor.",
        creating(|args| {
            if let Some(retry) =
                args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
                && let ff_core::policy::BackoffStrategy::Exponential { multiplier, .. } =
                    &mut retry.backoff
            {
                *multiplier = if multiplier.is_finite() { multiplier.abs() } else { 1.0 };
            }
        })
    ),
    deviant!(
        "rejects-late-deadlines",
        "EXE-013",
        "Refuses a creation whose deadline has passed.",
        around(|subject, call| Box::pin(async move {
            if let Call::CreateExecution { args } = &call
                && args.execution_deadline_at.is_some_and(|at| at <= subject.clock.now())
            {
                return Err(EngineError::invalid_input("too late"));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "drops-impossible-times",
        "EXE-003",
        "Takes an impossible time for none.",
        creating(|args| {
            args.delay_until = args.delay_until.filter(|at| at.0 > 0);
            args.execution_deadline_at = args.execution_deadline_at.filter(|at| at.0 > 0);
        })
    ),
    deviant!(
        "short-lanes",
        "EXE-003",
        "Refuses the longest lane names.",
        refusing(|args| args.lane_id.as_str().len() == 64)
    ),
    deviant!(
        "corrects-partitions",
        "EXE-003",
        "Takes the partition from the id, whatever is given.",
        creating(|args| args.partition_id = args.execution_id.partition())
    ),
    deviant!(
        "everyone-creates",
        "EXE-010",
        "Says of every creation that it was the first.",
        answer(|_, answer| {
            if let Ok(Reply::CreateExecution(result)) = answer
                && let CreateExecutionResult::Duplicate { execution_id } = result.clone()
            {
                *result = CreateExecutionResult::Created {
                    execution_id,
                    public_state: PublicState::Waiting,
                };
            }
        })
    ),
    deviant!(
        "cuts-requirements",
        "EXE-004",
        "Keeps the first 256 tokens.",
        creating(|args| {
            if let Some(routing) =
                args.policy.as_mut().and_then(|policy| policy.routing_requirements.as_mut())
            {
                routing.required_capabilities =
                    routing.required_capabilities.iter().take(256).cloned().collect();
            }
        })
    ),
    deviant!(
        "empty-is-a-key",
        "EXE-008",
        "Takes no key for a key like any other.",
        creating(|args| {
            if args.idempotency_key.as_deref() == Some("") {
                args.idempotency_key = Some("empty".to_owned());
            }
        })
    ),
    deviant!(
        "zero-is-a-day",
        "EXE-009",
        "Takes a window of nothing for none given.",
        creating(|args| {
            if let Some(policy) = &mut args.policy {
                policy.dedup_window_ms = policy.dedup_window_ms.filter(|window| *window > 0);
            }
        })
    ),
    deviant!(
        "forgets-keys-of-the-ended",
        "EXE-009",
        "Frees a key when its execution has ended.",
        around(|subject, mut call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (
                Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate { execution_id })),
                Call::CreateExecution { args },
            ) = (&answer, &mut call)
                && subject.field(execution_id, "completed_at").await.is_some()
            {
                args.idempotency_key = None;
                return subject.model.dispatch(call).await;
            }
            answer
        }))
    ),
    deviant!(
        "never-escalates",
        "EXE-037",
        "Does not know one of the behaviours.",
        refusing(|args| {
            let suspension =
                args.policy.as_ref().and_then(|policy| policy.suspension_policy.as_ref());
            suspension.is_some_and(|suspension| suspension.timeout_behavior == "escalate")
        })
    ),
];

/// Whether a tag with a good key was refused for its size or number.
fn is_full(key: &str, answer: &Answer) -> bool {
    let refused = matches!(answer, Err(EngineError::Validation { .. }));
    refused && validate_tag_key(key).is_ok()
}

/// Changes the arguments of creations.
pub(super) fn creating(
    change: impl Fn(&mut ff_core::contracts::CreateExecutionArgs) + Send + Sync + 'static,
) -> Tampering {
    call(move |call| {
        if let Call::CreateExecution { args } = call {
            change(args);
        }
    })
}

/// Changes the class of failures.
pub(super) fn failing(change: impl Fn(&mut FailureClass) + Send + Sync + 'static) -> Tampering {
    call(move |call| {
        if let Call::Fail { classification, .. } = call {
            change(classification);
        }
    })
}

/// Refuses some creations that are fine.
fn refusing(
    refused: impl Fn(&ff_core::contracts::CreateExecutionArgs) -> bool + Send + Sync + 'static,
) -> Tampering {
    answer(move |call, answer| {
        if let Call::CreateExecution { args } = call
            && refused(args)
        {
            *answer = Err(EngineError::invalid_input("not here"));
        }
    })
}
