//! Deviants that break the clauses under "Expired".

use ff_core::call::{Call, Reply};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::write;
use ff_core::engine_error::EngineError;
use ff_core::state::OwnershipState;
use ff_core::types::TimestampMs;

deviant!("lists-revoked-leases", LSE_033, "Lists a lease that was revoked." => write(|_, after| {
    if after.ownership == OwnershipState::LeaseRevoked {
        after.ownership = OwnershipState::LeaseExpiredReclaimable;
    }
}));

around!("lists-only-marked", LSE_033, "Lists only leases that were marked.", |subject, call| {
    let is_list = matches!(call, Call::ListExpiredLeases { .. });
    let mut answer = subject.ask(call).await;
    if let (true, Ok(Reply::ListExpiredLeases(page))) = (is_list, &mut answer) {
        let mut marked = Vec::new();
        for lease in std::mem::take(&mut page.entries) {
            if subject.field(&lease.execution_id, "lease_expired_at").await.is_some() {
                marked.push(lease);
            }
        }
        page.entries = marked;
    }
    answer
});

reply!("tells-the-first-epoch", LSE_033, "Forgets whose lease it was.",
ListExpiredLeases(page) => {
    for lease in &mut page.entries {
        lease.worker_instance_id = ff_core::types::WorkerInstanceId::new("nobody");
    }
});

reply!("expired-descending", LSE_034, "Lists the last to run out first.",
    ListExpiredLeases(page) => page.entries.reverse());

request!("expired-without-limit", LSE_034, "Takes a limit of 0 for none.",
    ListExpiredLeases { args } if args.limit == Some(0) => args.limit = None);

reply!("expired-by-id", LSE_035, "Lists by id as text what runs out at one time.",
    ListExpiredLeases(page) =>
        page.entries.sort_by_key(|lease| (lease.expires_at_ms, lease.execution_id.to_string())));

request!("hints-that-hide", LSE_035, "Looks into no more partitions than the hint says.",
    ListExpiredLeases { args } => args.limit = args.limit.or(args.max_partitions_per_call));

around!("no-partitions-are-none", LSE_035, "Lists nothing of 0 partitions.", |subject, call| {
    match subject.ask(call).await {
        Err(EngineError::Validation { detail, .. }) if detail.contains("0 partitions") => {
            let page = ff_core::contracts::ListExpiredLeasesResult::new(Vec::new(), None);
            Ok(Reply::ListExpiredLeases(page))
        }
        answer => answer,
    }
});

request!("expired-of-all", LSE_036, "Lists the leases of all namespaces.",
    ListExpiredLeases { args } => args.namespace = None);

around!(
    "expired-by-the-clock",
    LSE_037,
    "Lists only what has run out by its clock.",
    |subject, mut call| {
        if let Call::ListExpiredLeases { args } = &mut call {
            args.as_of = TimestampMs(args.as_of.0.min(subject.clock.now().0));
        }
        subject.ask(call).await
    }
);
