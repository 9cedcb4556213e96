//! Deviants that break the clauses under "Idempotency".

use ff_core::call::{Call, Reply};
use ff_core::contracts::CreateExecutionResult;
use ff_core::state::PublicState;

use crate::deviants::declare::{around, deviant, reply};
use crate::deviants::executions::creating;

deviant!("ignores-keys", EXE_008, "Has never heard of idempotency keys." =>
    creating(|args| args.idempotency_key = None));

deviant!("one-key-for-all", EXE_008, "Remembers keys across namespaces." => creating(|args| {
    if args.idempotency_key.is_some() {
        args.namespace = "tenant".into();
    }
}));

deviant!("short-memory", EXE_009, "Forgets keys a little early." => creating(|args| {
    let window = &mut args.policy.get_or_insert_default().dedup_window_ms;
    *window = Some(window.unwrap_or(86_400_000).saturating_sub(1));
}));

around!("id-before-key", EXE_047, "Looks for the id before the key.", |subject, mut call| {
    if let Call::CreateExecution { args } = &mut call
        && subject.field(&args.execution_id, "lane_id").await.is_some()
    {
        args.idempotency_key = None;
    }
    subject.ask(call).await
});

reply!("everyone-creates", EXE_010,
    "Says of every creation that it was the first.", CreateExecution(result) => {
    if let CreateExecutionResult::Duplicate { execution_id } = result.clone() {
        *result = CreateExecutionResult::Created {
            execution_id,
            public_state: PublicState::Waiting,
        };
    }
});

deviant!("empty-is-a-key", EXE_008, "Takes no key for a key like any other." => creating(|args| {
    if args.idempotency_key.as_deref() == Some("") {
        args.idempotency_key = Some("empty".to_owned());
    }
}));

deviant!("zero-is-a-day", EXE_009, "Takes a window of nothing for none given." => creating(|args| {
    if let Some(policy) = &mut args.policy {
        policy.dedup_window_ms = policy.dedup_window_ms.filter(|window| *window > 0);
    }
}));

around!(
    "forgets-keys-of-the-ended",
    EXE_009,
    "Frees a key when its execution has ended.",
    |subject, mut call| {
        let answer = subject.ask(call.clone()).await;
        if let (
            Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate { execution_id })),
            Call::CreateExecution { args },
        ) = (&answer, &mut call)
            && subject.field(execution_id, "completed_at").await.is_some()
        {
            args.idempotency_key = None;
            return subject.ask(call).await;
        }
        answer
    }
);
