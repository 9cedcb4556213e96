//! Deviants that break the clauses under "Retention".

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ff_core::backend::ScannerFilter;
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::EngineError;
use ff_core::types::{LeaseId, TimestampMs};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, call, instead, later_by, lock, write};

deviant!("trims-early", OPS_015, "Removes what ended an hour less ago." =>
    later_by(Method::TrimRetention, 3_600_000));

around!(
    "trims-nothing",
    OPS_020,
    "Counts what it should remove, and keeps it.",
    |subject, call| {
        match call {
            Call::TrimRetention { batch_size, .. } => Ok(Reply::TrimRetention(batch_size.min(1))),
            call => subject.ask(call).await,
        }
    }
);

deviant!("remembers-leases", OPS_020, "Knows the leases of what was removed." => remembers_leases());

request!("trims-without-limit", OPS_021, "Removes all that there is.",
    TrimRetention { batch_size, .. } if *batch_size > 0 => *batch_size = u32::MAX);

request!("trims-a-part", OPS_021, "Removes 32 and leaves it at that.",
    TrimRetention { batch_size, .. } => *batch_size = 32.min(*batch_size));

deviant!("trims-the-last-first", OPS_025, "Takes what ended last for what ended first." =>
write(|_, after| {
    if let Some(at) = &mut after.completed_at {
        *at = TimestampMs(2 * after.created_at.0 - at.0);
    }
}));

reply!("counts-what-is-kept", OPS_022, "Counts one that it may not remove.",
    TrimRetention(count) if *count == 0 => *count = 1);

request!("forgets-the-term", OPS_023, "Does not heed for how long a policy keeps executions.",
CreateExecution { args } => {
    if let Some(stream) = args.policy.as_mut().and_then(|policy| policy.stream_policy.as_mut()) {
        stream.retention_ttl_ms = None;
    }
});

deviant!("forgets-keys", OPS_024, "Removes idempotency keys too." => forgets_keys());

request!("trims-all-tenants", OPS_026, "Knows no filter.",
    TrimRetention { filter, .. } => *filter = ScannerFilter::NOOP);

deviant!("trims-anywhere", OPS_027, "Finds nothing to remove in a partition that is none." =>
    instead(&[Method::TrimRetention], "validation.invalid_input", |_, _| Ok(Reply::TrimRetention(0))));

fn remembers_leases() -> Fault {
    let known: Mutex<BTreeSet<LeaseId>> = Mutex::default();
    answer(move |call, answer| {
        if let (Call::ClaimExecution { args }, Ok(_)) = (call, &answer)
            && !lock(&known).insert(args.lease_id)
        {
            *answer = Err(EngineError::invalid_input("it was used before"));
        }
    })
}

fn forgets_keys() -> Fault {
    let has_trimmed = AtomicBool::new(false);
    call(move |call| match call {
        Call::TrimRetention { .. } => has_trimmed.store(true, Ordering::SeqCst),
        Call::CreateExecution { args } if has_trimmed.load(Ordering::SeqCst) => {
            args.idempotency_key = None;
        }
        _ => {}
    })
}
