//! Deviants that are wrong only when calls overlap in some way, so that hardly a case sees them:
//! histories do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ff_core::backend::{BackendTag, Handle, HandlePayload};
use ff_core::call::{Call, Reply};
use ff_core::contracts::ExecutionSnapshot;
use ff_core::dispatch::Dispatch;
use ff_core::types::ExecutionId;
use ff_mock::Take;

use super::tampering::{Answer, Subject, Tampering, around, lock, pause, target_of};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "tags-written-back",
        "SYS-035",
        "Reads all tags, changes one and writes all back.",
        tags_written_back()
    ),
    deviant!(
        "retry-granted-twice",
        "SYS-035",
        "Gives two claims that overlap the same lease, if it is of a second attempt.",
        retry_granted_twice()
    ),
    deviant!(
        "cache-cleared-too-early",
        "SYS-035",
        "Keeps what it has read until the next change begins, not until it is made; claims excepted.",
        cache_cleared_too_early()
    ),
    deviant!(
        "busy-claim-takes-the-second",
        "CLM-009",
        "A claim that overlaps a change under a lease takes what comes second, touched or not.",
        busy_claim_takes_the_second()
    ),
    deviant!(
        "claims-scatter",
        "CLM-009",
        "A claim that overlaps another takes the last of the queue, to be out of its way.",
        claims_scatter()
    ),
    deviant!(
        "refusals-hide",
        "CLM-010",
        "A claim passes over what a call under a lease is about, also if that is refused.",
        refusals_hide()
    ),
    deviant!(
        "busy-claim-finds-nothing",
        "CLM-009",
        "A claim that overlaps a change under a lease finds nothing.",
        busy_claim_finds_nothing()
    ),
    deviant!(
        "busy-progress-comes-late",
        "SYS-035",
        "Answers progress before it is stored, when it has much to do.",
        busy_progress_comes_late()
    ),
];

/// Long enough for several calls of other tasks to come between.
async fn linger() {
    for _ in 0..6 {
        pause().await;
    }
}

fn tags_written_back() -> Tampering {
    around(|subject, call| {
        Box::pin(async move {
            let Call::SetExecutionTag { execution_id, key, .. } = &call else {
                return subject.model.dispatch(call).await;
            };
            let context = Call::ReadExecutionContext { execution_id: execution_id.clone() };
            let before = match subject.model.dispatch(context).await {
                Ok(Reply::ReadExecutionContext(context)) => context.tags,
                _ => HashMap::new(),
            };
            let others = before.into_iter().filter(|(other, _)| other != key);
            let others: Vec<_> = others.collect();
            linger().await;
            let answer = subject.model.dispatch(call.clone()).await;
            for (key, value) in others.into_iter().filter(|_| answer.is_ok()) {
                let execution_id = execution_id.clone();
                let again = Call::SetExecutionTag { execution_id, key, value };
                subject.model.dispatch(again).await?;
            }
            answer
        })
    })
}

fn retry_granted_twice() -> Tampering {
    let granting: Arc<Mutex<Option<Handle>>> = Arc::default();
    around(move |subject, call| {
        let granting = Arc::clone(&granting);
        Box::pin(async move {
            if !matches!(call, Call::Claim { .. }) {
                return subject.model.dispatch(call).await;
            }
            if let Some(handle) = lock(&granting).clone() {
                return Ok(Reply::Claim(Some(handle)));
            }
            let answer = subject.model.dispatch(call).await;
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

fn cache_cleared_too_early() -> Tampering {
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
                let answer = subject.model.dispatch(call).await;
                if is_claim {
                    lock(&cache).clear();
                }
                return answer;
            };
            if let Some(known) = lock(&cache).get(id) {
                return Ok(Reply::DescribeExecution(known.clone()));
            }
            let id = id.clone();
            let answer = subject.model.dispatch(call).await;
            if let Ok(Reply::DescribeExecution(seen)) = &answer {
                lock(&cache).insert(id, seen.clone());
            }
            answer
        })
    })
}

/// Counts the calls that change something under a lease, while they are under way.
async fn counted(busy: &AtomicUsize, subject: &Subject, call: Call) -> Answer {
    busy.fetch_add(1, Ordering::SeqCst);
    pause().await;
    let answer = subject.model.dispatch(call).await;
    busy.fetch_sub(1, Ordering::SeqCst);
    answer
}

fn busy_claim_finds_nothing() -> Tampering {
    let busy: Arc<AtomicUsize> = Arc::default();
    around(move |subject, mut call| {
        let busy = Arc::clone(&busy);
        Box::pin(async move {
            if call.handle_mut().is_some() {
                return counted(&busy, subject, call).await;
            }
            if matches!(call, Call::Claim { .. }) && busy.load(Ordering::SeqCst) > 0 {
                return Ok(Reply::Claim(None));
            }
            subject.model.dispatch(call).await
        })
    })
}

/// A claim of the second in the queue, or of the first if it is the only one.
async fn take_second(subject: &Subject, call: Call) -> Answer {
    let Call::Claim { lane, capabilities, .. } = &call else {
        return subject.model.dispatch(call).await;
    };
    let claimable = subject.claimable(lane, capabilities).await;
    let second = claimable.into_values().flatten().nth(1);
    subject.take(second.map_or(Take::First, Take::Only), call).await
}

fn busy_claim_takes_the_second() -> Tampering {
    let busy: Arc<AtomicUsize> = Arc::default();
    around(move |subject, mut call| {
        let busy = Arc::clone(&busy);
        Box::pin(async move {
            if call.handle_mut().is_some() {
                return counted(&busy, subject, call).await;
            }
            if busy.load(Ordering::SeqCst) > 0 {
                return take_second(subject, call).await;
            }
            subject.model.dispatch(call).await
        })
    })
}

fn claims_scatter() -> Tampering {
    let claiming: Arc<AtomicUsize> = Arc::default();
    around(move |subject, call| {
        let claiming = Arc::clone(&claiming);
        Box::pin(async move {
            let Call::Claim { lane, capabilities, .. } = &call else {
                return subject.model.dispatch(call).await;
            };
            claiming.fetch_add(1, Ordering::SeqCst);
            linger().await;
            let alone = claiming.load(Ordering::SeqCst) == 1;
            let claimable = subject.claimable(lane, capabilities).await;
            let last = claimable.into_values().flatten().last();
            let last = last.filter(|_| !alone);
            let answer = subject.take(last.map_or(Take::First, Take::Only), call);
            let answer = answer.await;
            claiming.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    })
}

fn refusals_hide() -> Tampering {
    let busy: Arc<AtomicUsize> = Arc::default();
    around(move |subject, mut call| {
        let busy = Arc::clone(&busy);
        Box::pin(async move {
            if call.handle_mut().is_some() {
                return counted(&busy, subject, call).await;
            }
            let Call::Claim { lane, capabilities, .. } = &call else {
                return subject.model.dispatch(call).await;
            };
            let first = subject.claimable(lane, capabilities).await;
            let first = first.into_values().flatten().next();
            let has_been_held = match &first {
                Some(id) => {
                    subject.field(id, "total_attempt_count").await.is_some_and(|count| count != "0")
                }
                None => false,
            };
            if has_been_held && busy.load(Ordering::SeqCst) > 0 {
                return take_second(subject, call).await;
            }
            subject.model.dispatch(call).await
        })
    })
}

fn busy_progress_comes_late() -> Tampering {
    let busy: Arc<AtomicUsize> = Arc::default();
    let late: Arc<Mutex<Vec<Call>>> = Arc::default();
    around(move |subject, mut call| {
        let (busy, late) = (Arc::clone(&busy), Arc::clone(&late));
        Box::pin(async move {
            if matches!(call, Call::Progress { .. }) && busy.load(Ordering::SeqCst) > 0 {
                // Refused or not is known at once; what was said is stored by whoever comes next.
                let renewal = call.handle_mut().cloned();
                let answer = match renewal {
                    Some(handle) => subject.model.dispatch(Call::Renew { handle }).await,
                    None => return subject.model.dispatch(call).await,
                };
                lock(&late).push(call);
                return answer.map(|_| Reply::Progress(()));
            }
            if call.method().is_read() {
                return subject.model.dispatch(call).await;
            }
            let answer = counted(&busy, subject, call).await;
            let stored = std::mem::take(&mut *lock(&late));
            for call in stored {
                // By now its lease may be over, and what it said is lost.
                let _ = subject.model.dispatch(call).await;
            }
            answer
        })
    })
}
