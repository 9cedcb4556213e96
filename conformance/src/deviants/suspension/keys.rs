//! Deviants that break the clauses under "Keys".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{
    RotateWaitpointHmacSecretAllArgs, RotateWaitpointHmacSecretOutcome as Rotation, SeedOutcome,
};
use ff_core::engine_error::{ConflictKind, EngineError};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, busy};

request!("kids-mended", WPT_018, "Takes key ids with a colon.",
    RotateWaitpointHmacSecretAll { args } => args.new_kid = args.new_kid.replace(':', "-"));

request!("secrets-mended", WPT_018, "Takes half a byte.",
    RotateWaitpointHmacSecretAll { args } if args.new_secret_hex.len() % 2 == 1 =>
        args.new_secret_hex.push('0'));

request!("grace-without-end", WPT_018, "Takes any grace.",
    RotateWaitpointHmacSecretAll { args } => args.grace_ms = args.grace_ms.min((1 << 53) - 1));

reply!("one-entry", WPT_019, "Tells of one partition.",
    RotateWaitpointHmacSecretAll(rotated) => rotated.entries.truncate(1));

reply!("entries-backwards", WPT_019, "Tells of the last partition first.",
    RotateWaitpointHmacSecretAll(rotated) => rotated.entries.reverse());

deviant!("no-previous", WPT_020, "Does not tell what was current before." => rotations(|rotation| {
    if let Ok(Rotation::Rotated { previous_kid, .. }) = rotation {
        *previous_kid = None;
    }
}));

deviant!("rotated-again", WPT_020, "Says of each call that it has rotated." => rotations(|rotation| {
    if let Ok(Rotation::Noop { kid }) = rotation {
        *rotation =
            Ok(Rotation::Rotated { gc_count: 0, new_kid: kid.clone(), previous_kid: None });
    }
}));

deviant!("conflicts-unseen", WPT_025, "Says of a conflict that nothing was to be done." =>
rotations(|rotation| {
    if let Err(EngineError::Conflict(ConflictKind::RotationConflict(kid))) = rotation {
        *rotation = Ok(Rotation::Noop { kid: kid.clone() });
    }
}));

request!("longer-grace", WPT_026, "Retains a secret for a millisecond longer.",
    RotateWaitpointHmacSecretAll { args } if args.grace_ms < 1 << 52 => args.grace_ms += 1);

deviant!("nothing-collected", WPT_026, "Does not count what is gone." => rotations(|rotation| {
    if let Ok(Rotation::Rotated { gc_count, .. }) = rotation {
        *gc_count = 0;
    }
}));

request!("seeds-cut", WPT_022, "Takes the first 64 digits.",
    SeedWaitpointHmacSecret { args } if args.secret_hex.is_ascii() => args.secret_hex.truncate(64));

reply!("always-the-same", WPT_023, "Says of each secret that it is the one that is there.",
    SeedWaitpointHmacSecret(SeedOutcome::AlreadySeeded { same_secret, .. }) => *same_secret = true);

deviant!("seeded-again", WPT_023, "Says of each seed that it is the first." => answer(|_, answer| {
    if let Ok(Reply::SeedWaitpointHmacSecret(outcome)) = answer
        && let SeedOutcome::AlreadySeeded { kid, same_secret: true } = outcome
    {
        *outcome = SeedOutcome::Seeded { kid: kid.clone() };
    }
}));

around!("seeds-rotate", WPT_027, "Makes a seed current beside another secret.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let (Call::SeedWaitpointHmacSecret { args }, Err(error)) = (&call, &answer)
        && error.code() == "validation.invalid_input"
    {
        let args =
            RotateWaitpointHmacSecretAllArgs::new(args.kid.clone(), args.secret_hex.clone(), 0);
        let kid = args.new_kid.clone();
        subject.ask(Call::RotateWaitpointHmacSecretAll { args }).await?;
        return Ok(Reply::SeedWaitpointHmacSecret(SeedOutcome::Seeded { kid }));
    }
    answer
});

deviant!("seeds-conflict", WPT_028, "Calls a seed beside another secret a conflict." =>
answer(|call, answer| {
    if let (Call::SeedWaitpointHmacSecret { args }, Err(error)) = (call, &*answer)
        && error.code() == "validation.invalid_input"
    {
        let kid = args.kid.clone();
        *answer = Err(EngineError::Conflict(ConflictKind::RotationConflict(kid)));
    }
}));

deviant!("seeds-in-the-way", WPT_024, "Turns away a seed while another is under way." =>
    busy(Method::SeedWaitpointHmacSecret));

/// Changes how a rotation went in each partition.
fn rotations(change: fn(&mut Result<Rotation, EngineError>)) -> Fault {
    answer(move |_, answer| {
        if let Ok(Reply::RotateWaitpointHmacSecretAll(rotated)) = answer {
            rotated.entries.iter_mut().for_each(|entry| change(&mut entry.result));
        }
    })
}
