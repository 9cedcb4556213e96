//! Deviants that break the clauses under "Suspend".

use ff_core::backend::SuspendOutcome;
use ff_core::call::{Call, Method};
use ff_core::contracts::AdditionalWaitpointBinding;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{BlockingReason, LifecyclePhase};
use ff_core::types::{AttemptId, TimestampMs, WaitpointId};
use ff_mock::{Signal, SuspendReplay};
use uuid::Uuid;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, busy, instead, write};

reply!("waitpoint-unshown", SUS_021, "Does not show what an execution waits on.",
    DescribeExecution(Some(snapshot)) => snapshot.current_waitpoint = None);

reply!("waitpoints-reversed", SUS_022, "Tells of the last waitpoint first.",
Suspend(SuspendOutcome::Suspended { details, .. }) => {
    let others: &mut Vec<AdditionalWaitpointBinding> = &mut details.additional_waitpoints;
    others.reverse();
});

deviant!("always-a-signal", SUS_017, "Says of every suspension that it waits for a signal." =>
write(|_, execution| {
    if execution.phase == LifecyclePhase::Suspended {
        execution.blocking_reason = BlockingReason::WaitingForSignal;
    }
}));

request!("waitpoints-cut", SUS_007, "Takes the first 64 waitpoints.",
Suspend { args, .. } if args.waitpoints.len() > 64 => {
    args.waitpoints.truncate(64);
    args.resume_condition = ff_core::backend::ResumeCondition::OperatorOnly;
    args.waitpoints.truncate(1);
});

around!("late-timeouts", SUS_009, "Takes a timeout that is long over.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let (Call::Suspend { handle, mut args }, Err(error)) = (call, &answer)
        && error.code() == "validation.invalid_input"
        && let Some(at) = args.timeout_at
    {
        args.timeout_at = Some(TimestampMs(at.0 + 600_000));
        return subject.ask(Call::Suspend { handle, args }).await;
    }
    answer
});

request!("suspension-policy-forgotten", SUS_044, "Forgets the suspension policy.",
CreateExecution { args } if args.policy.is_some() => {
    if let Some(policy) = &mut args.policy {
        policy.suspension_policy = None;
    }
});

around!(
    "known-ids-replaced",
    SUS_026,
    "Takes another id for a waitpoint whose id is known.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (Call::Suspend { handle, mut args }, Err(error)) = (call, &answer)
            && error.code() == "conflict.waitpoint_already_exists"
        {
            for binding in &mut args.waitpoints {
                if let ff_core::backend::WaitpointBinding::Fresh { waitpoint_id, .. } = binding {
                    *waitpoint_id = WaitpointId::from_uuid(Uuid::new_v4());
                }
            }
            return subject.ask(Call::Suspend { handle, args }).await;
        }
        answer
    }
);

deviant!("taken-is-expired", SUS_024, "Says of a waitpoint that is taken that it is late." =>
instead(&[Method::Suspend], "state.waitpoint_not_pending", |_, _| {
    Err(EngineError::State(StateKind::PendingWaitpointExpired))
}));

deviant!("kept-signals-renamed", SUS_025, "Forgets the names of signals that are kept." =>
Fault::default().damage(|_, signal: &mut Signal| {
    if signal.effect == "buffered_for_pending_waitpoint" {
        signal.name.clear();
    }
}));

request!("suspension-keys-ignored", SUS_019, "Takes no notice of idempotency keys.",
    Suspend { args, .. } => args.idempotency_key = None);

deviant!("suspension-keys-longer", SUS_046, "Remembers a key for a millisecond longer." =>
Fault::default().damage(|_, replay: &mut SuspendReplay| {
    replay.expires_at = TimestampMs(replay.expires_at.0 + 1);
}));

request!("suspensions-never-repeated", SUS_018, "Recognises no call without a key.",
Suspend { args, .. } if args.idempotency_key.is_none() => {
    args.continuation_metadata_pointer = Some(Uuid::new_v4().to_string());
});

deviant!("suspensions-in-the-way", SUS_020, "Turns away a suspension while another is under way." =>
    busy(Method::Suspend));

around!("any-attempts-fence", SUS_027, "Takes the fence of any attempt.", |subject, mut call| {
    if let Call::SuspendByTriple { exec_id, triple, .. } = &mut call
        && let Some(attempt) = subject.field(exec_id, "current_attempt_id").await
        && let Ok(attempt) = attempt.parse::<AttemptId>()
    {
        triple.attempt_id = attempt;
    }
    subject.ask(call).await
});
