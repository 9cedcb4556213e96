//! Deviants that break the clauses under "Interactions".

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ff_core::backend::{BackendTag, Handle, HandlePayload};
use ff_core::call::{Call, Reply};
use ff_core::contracts::{CreateExecutionResult, ExecutionSnapshot};
use ff_core::state::{BlockingReason, EligibilityState, OwnershipState, TerminalOutcome};
use ff_core::types::ExecutionId;
use ff_mock::Execution;

use crate::deviants::declare::deviant;
use crate::deviants::fault::{Fault, around, counted, linger, lock, target_of, write};

deviant!("tags-written-back", SYS_035, "Reads all tags, changes one and writes all back." =>
    tags_written_back());

deviant!("retry-granted-twice", SYS_035,
    "Gives two claims that overlap the same lease, if it is of a second attempt." =>
    retry_granted_twice());

deviant!("cache-cleared-too-early", SYS_035,
    "Keeps what it has read until the next change begins, not until it is made; claims excepted." =>
    cache_cleared_too_early());

deviant!("busy-progress-comes-late", SYS_035,
    "Answers progress before it is stored, when it has much to do." =>
    busy_progress_comes_late());

deviant!("tag-shortens-backoff", SYS_034,
    "A tag set while a retry waits makes the retry due." => write(|before, after| {
    let waiting = BlockingReason::WaitingForRetryBackoff;
    if before.is_some_and(|before| before.blocking_reason == waiting)
        && after.blocking_reason == waiting
    {
        after.delay_until = Some(after.created_at);
    }
}));

deviant!("renewal-forgets-full-progress", SYS_034,
    "A renewal forgets progress of 100 percent." => write(|before, after| {
    let renewed = |execution: &Execution| execution.lease.as_ref()?.renewed_at;
    if before.and_then(renewed) != renewed(after) && after.progress_percent == Some(100) {
        after.progress_percent = None;
    }
}));

deviant!("lapse-of-a-retry-counts-a-lease", SYS_034,
    "When the lease of a second attempt lapses, its epoch grows." => write(|before, after| {
    let lapsed = OwnershipState::LeaseExpiredReclaimable;
    if before.is_some_and(|before| before.ownership != lapsed)
        && after.ownership == lapsed
        && after.total_attempts > 1
    {
        after.epoch = after.epoch.next();
    }
}));

deviant!("flow-cancel-passes-over-retries", SYS_034,
    "A cancelled flow leaves members alone that wait for a retry." => write(|before, after| {
    if let Some(before) = before
        && before.blocking_reason == BlockingReason::WaitingForRetryBackoff
        && after.outcome == TerminalOutcome::Cancelled
        && after.cancelled_by.as_deref() == Some("cancel_flow")
    {
        *after = before.clone();
    }
}));

deviant!("first-wait-is-longer", SYS_034,
    "The first retry of all namespaces but one waits a millisecond too long." =>
write(|before, after| {
    if before.is_some_and(|before| before.retry_count == 0)
        && after.retry_count == 1
        && after.namespace.as_str() != "tenant"
        && let Some(until) = &mut after.delay_until
    {
        until.0 += 1;
    }
}));

deviant!("key-freed-by-cancellation", SYS_034,
    "The key of a cancelled execution stands for nothing." =>
    key_freed_by_cancellation());

deviant!("dependency-forgets-failure", SYS_034,
    "A dependency applied to what has failed before forgets why it failed." =>
write(|before, after| {
    let blocked = EligibilityState::BlockedByDependencies;
    if before.is_some_and(|before| before.eligibility != blocked)
        && after.eligibility == blocked
    {
        after.failure_reason = None;
    }
}));

fn tags_written_back() -> Fault {
    around(|subject, call| {
        Box::pin(async move {
            let Call::SetExecutionTag { execution_id, key, .. } = &call else {
                return subject.ask(call).await;
            };
            let context = Call::ReadExecutionContext { execution_id: execution_id.clone() };
            let before = match subject.ask(context).await {
                Ok(Reply::ReadExecutionContext(context)) => context.tags,
                _ => HashMap::new(),
            };
            let others = before.into_iter().filter(|(other, _)| other != key);
            let others: Vec<_> = others.collect();
            linger().await;
            let answer = subject.ask(call.clone()).await;
            for (key, value) in others.into_iter().filter(|_| answer.is_ok()) {
                let execution_id = execution_id.clone();
                let again = Call::SetExecutionTag { execution_id, key, value };
                subject.ask(again).await?;
            }
            answer
        })
    })
}

fn retry_granted_twice() -> Fault {
    let granting: Arc<Mutex<Option<Handle>>> = Arc::default();
    around(move |subject, call| {
        let granting = Arc::clone(&granting);
        Box::pin(async move {
            if !matches!(call, Call::Claim { .. }) {
                return subject.ask(call).await;
            }
            if let Some(handle) = lock(&granting).clone() {
                return Ok(Reply::Claim(Some(handle)));
            }
            let answer = subject.ask(call).await;
            if let Ok(Reply::Claim(Some(handle))) = &answer
                && HandlePayload::open(BackendTag::Mock, handle)?.attempt_index.0 > 0
            {
                *lock(&granting) = Some(handle.clone());
                linger().await;
                *lock(&granting) = None;
            }
            answer
        })
    })
}

fn cache_cleared_too_early() -> Fault {
    type Cache = HashMap<ExecutionId, Option<ExecutionSnapshot>>;
    let cache: Arc<Mutex<Cache>> = Arc::default();
    around(move |subject, call| {
        let cache = Arc::clone(&cache);
        Box::pin(async move {
            let Call::DescribeExecution { id } = &call else {
                match target_of(&call) {
                    Some(id) => drop(lock(&cache).remove(&id)),
                    None => lock(&cache).clear(),
                }
                let is_claim = matches!(call, Call::Claim { .. });
                if !is_claim && !call.method().is_read() {
                    linger().await;
                }
                let answer = subject.ask(call).await;
                if is_claim {
                    lock(&cache).clear();
                }
                return answer;
            };
            if let Some(known) = lock(&cache).get(id) {
                return Ok(Reply::DescribeExecution(known.clone()));
            }
            let id = id.clone();
            let answer = subject.ask(call).await;
            if let Ok(Reply::DescribeExecution(seen)) = &answer {
                lock(&cache).insert(id, seen.clone());
            }
            answer
        })
    })
}

fn busy_progress_comes_late() -> Fault {
    let busy: Arc<AtomicUsize> = Arc::default();
    let late: Arc<Mutex<Vec<Call>>> = Arc::default();
    around(move |subject, mut call| {
        let (busy, late) = (Arc::clone(&busy), Arc::clone(&late));
        Box::pin(async move {
            if matches!(call, Call::Progress { .. }) && busy.load(Ordering::SeqCst) > 0 {
                // Refused or not is known at once; what was said is stored by whoever comes next.
                let renewal = call.handle_mut().cloned();
                let answer = match renewal {
                    Some(handle) => subject.ask(Call::Renew { handle }).await,
                    None => return subject.ask(call).await,
                };
                lock(&late).push(call);
                return answer.map(|_| Reply::Progress(()));
            }
            if call.method().is_read() {
                return subject.ask(call).await;
            }
            let answer = counted(&busy, subject, call).await;
            let stored = std::mem::take(&mut *lock(&late));
            for call in stored {
                // By now its lease may be over, and what it said is lost.
                let _ = subject.ask(call).await;
            }
            answer
        })
    })
}

fn key_freed_by_cancellation() -> Fault {
    around(|subject, call| {
        Box::pin(async move {
            let answer = subject.ask(call.clone()).await;
            let Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate { execution_id })) =
                &answer
            else {
                return answer;
            };
            let outcome = subject.field(execution_id, "terminal_outcome").await;
            let Call::CreateExecution { mut args } = call else {
                return answer;
            };
            if args.execution_id == *execution_id || outcome.as_deref() != Some("cancelled") {
                return answer;
            }
            args.idempotency_key = None;
            subject.ask(Call::CreateExecution { args }).await
        })
    })
}
