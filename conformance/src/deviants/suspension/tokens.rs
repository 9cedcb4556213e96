//! Deviants that break the clauses under "Tokens".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ff_core::backend::WaitpointHmac;
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::{EngineError, StateKind, ValidationKind};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::WaitpointToken;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, around, instead};

reply!("tokens-in-capitals", WPT_005, "Writes tokens in capitals.",
CreateWaitpoint(made) => {
    made.hmac_token = WaitpointHmac::new(made.hmac_token.as_str().to_uppercase());
});

around!(
    "any-waitpoints-token",
    WPT_006,
    "Takes the token of any waitpoint.",
    |subject, mut call| {
        if let Call::DeliverSignal { args } = &mut call
            && args.waitpoint_token.as_str().len() == "first:".len() + 40
        {
            let read = Call::ReadWaitpointToken {
                partition: PartitionKey::from(&Partition {
                    family: PartitionFamily::Flow,
                    index: args.execution_id.partition(),
                }),
                waitpoint_id: args.waitpoint_id,
            };
            if let Ok(Reply::ReadWaitpointToken(Some(token))) = subject.ask(read).await {
                args.waitpoint_token = WaitpointToken::new(token);
            }
        }
        subject.ask(call).await
    }
);

request!("tokens-mended", WPT_007, "Takes tokens in capitals.",
DeliverSignal { args } => {
    args.waitpoint_token = WaitpointToken::new(args.waitpoint_token.as_str().to_lowercase());
});

request!("old-keys-for-ever", WPT_008, "Takes tokens of old secrets for ever.",
    RotateWaitpointHmacSecretAll { args } => args.grace_ms = (1 << 53) - 1);

reply!("tokens-renamed", WPT_008, "Names the first secret in every token.",
CreateWaitpoint(made) => {
    let token = made.hmac_token.as_str().replace("second:", "first:");
    made.hmac_token = WaitpointHmac::new(token);
});

deviant!("unsigned-state", WPT_010, "Calls it a state that there is no secret." =>
instead(
    &[Method::CreateWaitpoint, Method::Suspend, Method::SuspendByTriple],
    "validation.invalid_input",
    |_, _| Err(EngineError::State(StateKind::WaitpointNotOpen)),
));

deviant!("every-other-instance", WPT_034, "Knows tokens on every other instance." => every_other());

deviant!("unknown-waitpoints-told", SIG_004, "Tells that there is no such waitpoint." =>
instead(&[Method::DeliverSignal], "validation.invalid_token", |call, error| match call {
    Call::DeliverSignal { args } if args.waitpoint_token.as_str().len() == 46 => {
        Err(EngineError::NotFound { entity: "waitpoint" })
    }
    _ => Err(error),
}));

deviant!("tokens-in-errors", WPT_009, "Shows the token that it refuses." => answer(|call, answer| {
    if let (Call::DeliverSignal { args }, Err(EngineError::Validation { detail, .. })) = (call, answer) {
        detail.push_str(args.waitpoint_token.as_str());
    }
}));

deviant!("secrets-in-errors", WPT_009, "Shows the secret that it refuses." => answer(|call, answer| {
    let secret = match call {
        Call::RotateWaitpointHmacSecretAll { args } => &args.new_secret_hex,
        Call::SeedWaitpointHmacSecret { args } => &args.secret_hex,
        _ => return,
    };
    if let Err(EngineError::Validation { kind: ValidationKind::InvalidSecretHex, detail }) = answer {
        detail.push_str(secret);
    }
}));

fn every_other() -> Fault {
    let delivered = Arc::new(AtomicUsize::new(0));
    around(move |subject, call| {
        let delivered = Arc::clone(&delivered);
        Box::pin(async move {
            if matches!(call, Call::DeliverSignal { .. })
                && delivered.fetch_add(1, Ordering::SeqCst).is_multiple_of(2)
            {
                let kind = ValidationKind::InvalidToken;
                return Err(EngineError::Validation { kind, detail: String::new() });
            }
            subject.ask(call).await
        })
    })
}
