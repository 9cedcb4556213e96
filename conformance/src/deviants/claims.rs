//! Deviants that schedule and hand out work wrongly.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ff_core::backend::{BackendTag, CapabilitySet, Handle, HandleKind, HandlePayload};
use ff_core::call::{Call, Reply};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::cancel_flow_wait_deadline;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase, OwnershipState};
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use ff_mock::{Execution, Take};

use super::executions::creating;
use super::tampering::{Answer, Tampering, answer, around, call, lock, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "promotes-to-claim",
        "SCH-001",
        "Promotes due work when someone claims.",
        promotes_to_claim()
    ),
    deviant!(
        "lowest-first",
        "SCH-002",
        "Claims by priority, lower first.",
        creating(|args| args.priority = 9_000 - args.priority)
    ),
    deviant!(
        "back-of-the-queue",
        "SCH-002",
        "Puts promoted work behind the rest.",
        write(|before, after| {
            if before.is_some_and(was_delayed) && after.is_claimable() {
                after.created_at = after.last_mutation_at;
            }
        })
    ),
    deviant!(
        "any-case-tokens",
        "SCH-003",
        "Compares tokens without their case.",
        call(|call| {
            if let Call::Claim { capabilities, .. } = call {
                let lower: Vec<_> =
                    capabilities.tokens.iter().map(|token| token.to_lowercase()).collect();
                capabilities.tokens.extend(lower);
            }
        })
    ),
    deviant!(
        "drops-bad-offers",
        "SCH-004",
        "Leaves out the tokens that it does not like.",
        call(|call| {
            if let Call::Claim { capabilities, .. } = call {
                let bad = |c: char| c == ',' || c.is_whitespace() || c.is_control();
                capabilities.tokens.retain(|token| !token.is_empty() && !token.contains(bad));
            }
        })
    ),
    deviant!(
        "promotes-to-first",
        "SCH-015",
        "Takes a promoted retry for a first attempt.",
        write(|before, after| {
            if before.is_some_and(was_delayed) && after.is_claimable() {
                after.attempt_state = AttemptState::PendingFirstAttempt;
            }
        })
    ),
    deviant!(
        "promotes-early",
        "SCH-016",
        "Promotes before the time.",
        around(|subject, call| Box::pin(async move {
            if !matches!(call, Call::PromoteDelayed { .. }) {
                return subject.model.dispatch(call).await;
            }
            let now = subject.clock.now();
            subject.clock.set(TimestampMs(now.0 + 3_600_000));
            let answer = subject.model.dispatch(call).await;
            subject.clock.set(now);
            answer
        }))
    ),
    deviant!(
        "one-time-for-both",
        "SCH-017",
        "Keeps delay and deadline in one place.",
        write(|_, after| {
            if after.delay_until.is_some() {
                after.deadline_at = after.delay_until;
            }
        })
    ),
    deviant!(
        "nothing-is-an-error",
        "CLM-001",
        "Refuses a claim when there is no work.",
        answer(|_, answer| {
            if let Ok(Reply::Claim(None)) = answer {
                *answer = Err(EngineError::Contention(ContentionKind::NoEligibleExecution));
            }
        })
    ),
    deviant!("looks-16-deep", "CLM-002", "Looks at 16 executions and gives up.", looks_16_deep()),
    deviant!(
        "never-waits",
        "CLM-004",
        "Answers at once, whatever it was told.",
        call(|call| {
            if let Call::Claim { policy, .. } = call {
                policy.max_wait = None;
            }
        })
    ),
    deviant!(
        "waits-overflow",
        "SYS-038",
        "Cannot say when a very long wait will be over.",
        around(|subject, call| Box::pin(async move {
            let wait = match &call {
                Call::Claim { policy, .. } => policy.max_wait,
                Call::CancelFlow { wait, .. } => cancel_flow_wait_deadline(*wait),
                _ => None,
            };
            if wait.is_some_and(|wait| Instant::now().checked_add(wait).is_none()) {
                return Err(EngineError::transport("mock", "the end of time"));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "waits-always",
        "CLM-004",
        "Takes the work that a dropped claim would have got.",
        takes_for_the_dropped()
    ),
    deviant!(
        "starts-again",
        "CLM-005",
        "Takes each attempt for the start.",
        write(|_, after| {
            if let Some(lease) = &after.lease {
                after.started_at = Some(lease.acquired_at);
            }
        })
    ),
    deviant!(
        "resumed-handle",
        "CLM-006",
        "Says that a new attempt is a continued one.",
        answer(|_, answer| {
            if let Ok(Reply::Claim(Some(handle))) = answer {
                handle.kind = HandleKind::Resumed;
            }
        })
    ),
    deviant!(
        "hands-out-twice",
        "CLM-008",
        "Hands out the last work again when there is none.",
        hands_out_twice()
    ),
    deviant!(
        "plain-work-first",
        "SCH-002",
        "Prefers work that requires nothing.",
        around(|subject, call| Box::pin(async move {
            if let Call::Claim { lane, policy, .. } = &call {
                let plain = Call::Claim {
                    lane: lane.clone(),
                    capabilities: CapabilitySet::default(),
                    policy: policy.clone(),
                };
                let answer = subject.model.dispatch(plain).await;
                if !matches!(answer, Ok(Reply::Claim(None))) {
                    return answer;
                }
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "largest-id-first",
        "SCH-002",
        "Claims by id, larger first, instead of by age.",
        write(|before, after| {
            if before.is_none() {
                after.created_at.0 -= i64::from(after.id.uuid().as_fields().0);
            }
        })
    ),
    deviant!(
        "takes-the-lapsed",
        "SCH-001",
        "Lets a lapsed execution be claimed.",
        frees_the_lapsed()
    ),
    deviant!(
        "any-lane",
        "CLM-001",
        "Looks in another lane for an impossible one.",
        call(|call| {
            if let Call::Claim { lane, .. } = call
                && lane.check().is_err()
            {
                *lane = LaneId::new("default");
            }
        })
    ),
    deviant!(
        "loses-the-last-partition",
        "CLM-002",
        "Finds nothing in the last partition.",
        answer(|_, answer| {
            if let Ok(Reply::Claim(claimed)) = answer {
                let last = |handle: &Handle| {
                    HandlePayload::open(BackendTag::Mock, handle)
                        .is_ok_and(|payload| payload.execution_id.partition() == 255)
                };
                *claimed = claimed.take().filter(|handle| !last(handle));
            }
        })
    ),
    deviant!(
        "marks-the-passed-over",
        "CLM-002",
        "Leaves a mark on what a claim passes over.",
        marks_the_passed_over()
    ),
    deviant!(
        "serves-one-partition",
        "CLM-011",
        "Claims from the last partition that has work.",
        serves_one_partition()
    ),
    deviant!("starts-over", "CLM-012", "Claims what should go on with its attempt.", starts_over()),
];

fn serves_one_partition() -> Tampering {
    around(|subject, call| {
        Box::pin(async move {
            let Call::Claim { lane, capabilities, .. } = &call else {
                return subject.model.dispatch(call).await;
            };
            let claimable = subject.claimable(lane, capabilities).await;
            let last = claimable.keys().last();
            let take = last.map_or(Take::First, |partition| Take::FirstIn(*partition));
            subject.take(take, call).await
        })
    })
}

/// Shows the attempt as interrupted all the same.
fn starts_over() -> Tampering {
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

fn was_delayed(before: &Execution) -> bool {
    before.eligibility == EligibilityState::NotEligibleUntilTime
}

fn promotes_to_claim() -> Tampering {
    let known: Mutex<Vec<ExecutionId>> = Mutex::default();
    around(move |subject, call| {
        let mut promote = Vec::new();
        if let Ok(mut known) = known.lock() {
            match &call {
                Call::CreateExecution { args } => known.push(args.execution_id.clone()),
                Call::Claim { .. } => promote.clone_from(&known),
                _ => {}
            }
        }
        Box::pin(async move {
            for execution_id in promote {
                let partition = Partition {
                    family: PartitionFamily::Execution,
                    index: execution_id.partition(),
                };
                let lane = LaneId::new("any");
                let now_ms = TimestampMs(0);
                let hook = Call::PromoteDelayed { partition, lane, execution_id, now_ms };
                subject.model.dispatch(hook).await?;
            }
            subject.model.dispatch(call).await
        })
    })
}

/// Work that stands behind 16 executions of other requirements is not found.
fn looks_16_deep() -> Tampering {
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
fn takes_for_the_dropped() -> Tampering {
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
                subject.model.dispatch(late).await?;
            }
            subject.model.dispatch(call).await
        })
    })
}

fn hands_out_twice() -> Tampering {
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

pub(super) fn frees_the_lapsed() -> Tampering {
    write(|_, after| {
        if after.ownership == OwnershipState::LeaseExpiredReclaimable {
            after.phase = LifecyclePhase::Runnable;
            after.ownership = OwnershipState::Unowned;
            after.eligibility = EligibilityState::EligibleNow;
            after.attempt_state = AttemptState::PendingRetryAttempt;
            after.lease = None;
        }
    })
}

fn marks_the_passed_over() -> Tampering {
    let demanding: Mutex<Vec<ExecutionId>> = Mutex::default();
    around(move |subject, call| {
        let mut passed_over = Vec::new();
        if let Ok(mut demanding) = demanding.lock() {
            match &call {
                Call::CreateExecution { args } if args.policy.is_some() => {
                    demanding.push(args.execution_id.clone());
                }
                Call::Claim { .. } => passed_over.clone_from(&demanding),
                _ => {}
            }
        }
        Box::pin(async move {
            for id in passed_over {
                subject.leave_trace(&id).await;
            }
            subject.model.dispatch(call).await
        })
    })
}
