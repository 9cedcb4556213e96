//! Deviants that break the clauses under "Signals".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::DeliverSignalResult as Delivered;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::PublicState;
use ff_core::types::{LaneId, SignalId};
use uuid::Uuid;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{busy, instead};

around!("ended-before-token", SIG_001, "Looks at the state before the token.", |subject, call| {
    if let Call::DeliverSignal { args } = &call {
        let state = subject.ask(Call::ReadExecutionState { id: args.execution_id.clone() }).await?;
        if state == Reply::ReadExecutionState(Some(PublicState::Cancelled)) {
            return Err(EngineError::State(StateKind::TargetNotSignalable));
        }
    }
    subject.ask(call).await
});

request!("reserved-names", SIG_002, "Takes names that are reserved.",
    DeliverSignal { args } if args.signal_name.starts_with("__") =>
        args.signal_name = args.signal_name.replacen("__", "a", 1));

request!("payloads-as-text", SIG_003, "Takes a payload for text.",
DeliverSignal { args } => {
    if let Some(payload) = &mut args.payload {
        *payload = String::from_utf8_lossy(payload).into_owned().into_bytes();
    }
});

request!("signal-keys-ignored", SIG_005, "Takes no notice of idempotency keys.",
    DeliverSignal { args } => args.idempotency_key = None);

request!("signal-keys-longer", SIG_021, "Remembers a key for a millisecond longer.",
    DeliverSignal { args } =>
        args.dedup_ttl_ms = Some(args.dedup_ttl_ms.unwrap_or(86_400_000).saturating_add(1)));

request!("signal-ids-ignored", SIG_006, "Gives every signal an id of its own.",
    DeliverSignal { args } => args.signal_id = SignalId::from_uuid(Uuid::new_v4()));

deviant!("signals-in-the-way", SIG_007, "Turns away a signal while another is under way." =>
    busy(Method::DeliverSignal));

around!(
    "keeping-leaves-a-trace",
    SIG_008,
    "Marks the execution for which a signal is kept.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (
            Call::DeliverSignal { args },
            Ok(Reply::DeliverSignal(Delivered::Accepted { effect, .. })),
        ) = (&call, &answer)
            && effect.starts_with("buffered")
        {
            subject.leave_trace(&args.execution_id).await;
        }
        answer
    }
);

request!("one-signal-more", SIG_009, "Takes one signal more than there may be.",
DeliverSignal { args } => {
    args.max_signals_per_execution = args.max_signals_per_execution.map(|limit| limit + 1);
});

request!("signal-policy-ignored", SIG_022, "Takes no notice of the policy's limit.",
    DeliverSignal { args } if args.max_signals_per_execution.is_none() =>
        args.max_signals_per_execution = Some(10_000));

reply!("no-duplicates-told", SIG_012, "Says of each signal that fits that it counts.",
    DeliverSignal(Delivered::Accepted { effect, .. }) if effect.ends_with("_duplicate") =>
        effect.truncate(effect.len() - "_duplicate".len()));

request!("policys-delay-ignored", SIG_013, "Takes no notice of the resume policy's delay.",
    DeliverSignal { args } if args.resume_delay_ms.is_none() => args.resume_delay_ms = Some(0));

deviant!("late-signals-accepted", SIG_015, "Accepts a signal that comes too late." =>
instead(&[Method::DeliverSignal], "state.waitpoint_closed", |call, error| match call {
    Call::DeliverSignal { args } => Ok(Reply::DeliverSignal(Delivered::Accepted {
        effect: "appended_to_waitpoint".to_owned(),
        signal_id: args.signal_id,
    })),
    _ => Err(error),
}));

reply!("approvals-are-signals", SIG_017, "Shows an approval as any signal.",
ObserveSignals(signals) => {
    for signal in signals {
        "signal".clone_into(&mut signal.signal_category);
    }
});

around!("approvals-on-any-lane", SIG_018, "Takes an approval on any lane.", |subject, mut call| {
    if let Call::DeliverApprovalSignal { args } = &mut call
        && let Some(lane) = subject.field(&args.execution_id, "lane_id").await
    {
        args.lane_id = LaneId::new(lane);
    }
    subject.ask(call).await
});

request!("every-approval-new", SIG_019, "Recognises no approval.",
    DeliverApprovalSignal { args } => args.idempotency_suffix = Uuid::new_v4().to_string());

reply!("last-signal-only", SUS_040, "Tells only of the signal that completed the condition.",
ObserveSignals(signals) if signals.len() > 1 => {
    signals.drain(..signals.len() - 1);
});

reply!("signals-backwards", SUS_048, "Tells of the latest signal first.",
    ObserveSignals(signals) => signals.reverse());
