//! Deviants that break the clauses under "Claims".

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_core::backend::{BackendTag, Handle, HandleKind, HandlePayload};
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase};
use ff_core::types::ExecutionId;
use ff_mock::{Execution, Take};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{
    Answer, Fault, Subject, answer, around, counted, linger, lock, marks_the_passed_over, write,
};

deviant!("nothing-is-an-error", CLM_001,
    "Refuses a claim when there is no work." => answer(|_, answer| {
    if let Ok(Reply::Claim(None)) = answer {
        *answer = Err(EngineError::Contention(ContentionKind::NoEligibleExecution));
    }
}));

deviant!("looks-16-deep", CLM_002, "Looks at 16 executions and gives up." => looks_16_deep());

request!("never-waits", CLM_004, "Answers at once, whatever it was told.",
    Claim { policy, .. } => policy.max_wait = None);

around!("no-time-no-look", CLM_004, "Does not look where it may not wait.", |subject, call| {
    match &call {
        Call::Claim { policy, .. } if policy.max_wait == Some(Duration::ZERO) => {
            Ok(Reply::Claim(None))
        }
        _ => subject.ask(call).await,
    }
});

deviant!("waits-always", CLM_004, "Takes the work that a dropped claim would have got." =>
    takes_for_the_dropped());

deviant!("starts-again", CLM_005, "Takes each attempt for the start." => write(|_, after| {
    if let Some(lease) = &after.lease {
        after.started_at = Some(lease.acquired_at);
    }
}));

reply!("resumed-handle", CLM_006, "Says that a new attempt is a continued one.",
    Claim(Some(handle)) => handle.kind = HandleKind::Resumed);

deviant!("hands-out-twice", CLM_008, "Hands out the last work again when there is none." =>
    hands_out_twice());

reply!("loses-the-last-partition", CLM_002,
    "Finds nothing in the last partition.", Claim(claimed) => {
    let last = |handle: &Handle| {
        HandlePayload::open(BackendTag::Mock, handle)
            .is_ok_and(|payload| payload.execution_id.partition() == 255)
    };
    *claimed = claimed.take().filter(|handle| !last(handle));
});

deviant!("marks-the-passed-over", CLM_002, "Leaves a mark on what a claim passes over." =>
    marks_the_passed_over(Method::Claim));

deviant!("serves-one-partition", CLM_011, "Claims from the last partition that has work." =>
    serves_one_partition());

deviant!("starts-over", CLM_012, "Claims what should go on with its attempt." => starts_over());

deviant!("busy-claim-takes-the-second", CLM_009,
    "A claim that overlaps a change under a lease takes what comes second, touched or not." =>
    busy_claim_takes_the_second());

deviant!("claims-scatter", CLM_009,
    "A claim that overlaps another takes the last of the queue, to be out of its way." =>
    claims_scatter());

deviant!("refusals-hide", CLM_010,
    "A claim passes over what a call under a lease is about, also if that is refused." =>
    refusals_hide());

deviant!("busy-claim-finds-nothing", CLM_009,
    "A claim that overlaps a change under a lease finds nothing." =>
    busy_claim_finds_nothing());

fn serves_one_partition() -> Fault {
    around(|subject, call| {
        Box::pin(async move {
            let Call::Claim { lane, capabilities, .. } = &call else {
                return subject.ask(call).await;
            };
            let claimable = subject.claimable(lane, capabilities).await;
            let last = claimable.keys().last();
            let take = last.map_or(Take::First, |partition| Take::FirstIn(*partition));
            subject.take(take, call).await
        })
    })
}

/// Shows the attempt as interrupted all the same.
fn starts_over() -> Fault {
    let goes_on = |execution: &Execution| {
        execution.phase == LifecyclePhase::Runnable
            && execution.eligibility == EligibilityState::EligibleNow
            && execution.attempt_state == AttemptState::AttemptInterrupted
    };
    let interrupted: Arc<Mutex<BTreeSet<ExecutionId>>> = Arc::default();
    let known = Arc::clone(&interrupted);
    let shown = |call: &Call, known: &BTreeSet<ExecutionId>| match call {
        Call::ReadExecCoreFields { execution_id, .. } => known.contains(execution_id),
        _ => false,
    };
    write(move |_, after| {
        if goes_on(after) {
            lock(&interrupted).insert(after.id.clone());
            after.attempt_state = AttemptState::PendingRetryAttempt;
        }
    })
    .answer(move |call, answer| {
        if let Ok(Reply::ReadExecCoreFields(fields)) = answer
            && shown(call, &lock(&known))
        {
            for (name, value) in
                [("public_state", "resumable"), ("attempt_state", "attempt_interrupted")]
            {
                if let Some(field) = fields.get_mut(name) {
                    *field = Some(value.to_owned());
                }
            }
        }
    })
}

/// Work that stands behind 16 executions of other requirements is not found.
fn looks_16_deep() -> Fault {
    let required: Mutex<Vec<BTreeSet<String>>> = Mutex::default();
    answer(move |call, answer| {
        let Ok(mut required) = required.lock() else {
            return;
        };
        match call {
            Call::CreateExecution { args } => {
                let routing = args.policy.as_ref().and_then(|p| p.routing_requirements.as_ref());
                required.extend(routing.map(|routing| routing.required_capabilities.clone()));
            }
            Call::Claim { capabilities, .. } => {
                let offered = capabilities.tokens.iter().cloned().collect();
                if required.iter().filter(|set| !set.is_subset(&offered)).count() >= 16 {
                    *answer = Ok(Reply::Claim(None));
                }
            }
            _ => {}
        }
    })
}

/// A waiting claim goes on in a task of its own, which nobody stops.
fn takes_for_the_dropped() -> Fault {
    let pending: Arc<Mutex<Option<Call>>> = Arc::default();
    around(move |subject, mut call| {
        let pending = Arc::clone(&pending);
        Box::pin(async move {
            if let Call::Claim { policy, .. } = &call
                && policy.max_wait > Some(Duration::from_secs(10))
                && let Ok(mut pending) = pending.lock()
            {
                *pending = Some(call.clone());
            }
            let left_over = match &mut call {
                Call::Claim { policy, .. } if policy.max_wait.is_none() => {
                    pending.lock().ok().and_then(|mut pending| pending.take())
                }
                _ => None,
            };
            if let Some(Call::Claim { lane, capabilities, mut policy }) = left_over {
                policy.max_wait = None;
                let late = Call::Claim { lane, capabilities, policy };
                subject.ask(late).await?;
            }
            subject.ask(call).await
        })
    })
}

fn hands_out_twice() -> Fault {
    let last: Mutex<Option<Handle>> = Mutex::default();
    answer(move |_, answer: &mut Answer| {
        let Ok(mut last) = last.lock() else { return };
        if let Ok(Reply::Claim(claimed)) = answer {
            match claimed {
                Some(handle) => *last = Some(handle.clone()),
                None => claimed.clone_from(&last),
            }
        }
    })
}

fn busy_claim_finds_nothing() -> Fault {
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
            subject.ask(call).await
        })
    })
}

/// A claim of the second in the queue, or of the first if it is the only one.
async fn take_second(subject: &Subject, call: Call) -> Answer {
    let Call::Claim { lane, capabilities, .. } = &call else {
        return subject.ask(call).await;
    };
    let claimable = subject.claimable(lane, capabilities).await;
    let second = claimable.into_values().flatten().nth(1);
    subject.take(second.map_or(Take::First, Take::Only), call).await
}

fn busy_claim_takes_the_second() -> Fault {
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
            subject.ask(call).await
        })
    })
}

fn claims_scatter() -> Fault {
    let claiming: Arc<AtomicUsize> = Arc::default();
    around(move |subject, call| {
        let claiming = Arc::clone(&claiming);
        Box::pin(async move {
            let Call::Claim { lane, capabilities, .. } = &call else {
                return subject.ask(call).await;
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

fn refusals_hide() -> Fault {
    let busy: Arc<AtomicUsize> = Arc::default();
    around(move |subject, mut call| {
        let busy = Arc::clone(&busy);
        Box::pin(async move {
            if call.handle_mut().is_some() {
                return counted(&busy, subject, call).await;
            }
            let Call::Claim { lane, capabilities, .. } = &call else {
                return subject.ask(call).await;
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
            subject.ask(call).await
        })
    })
}
