//! Deviants that break the clauses under "Scheduling".

use std::sync::Mutex;

use ff_core::backend::CapabilitySet;
use ff_core::call::{Call, Method, Reply};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::state::{AttemptState, EligibilityState, OwnershipState};
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use ff_mock::Execution;

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::executions::{creating, frees};
use crate::deviants::fault::{Fault, around, later_by, marks_repetitions_of, write};

deviant!("promotes-to-claim", SCH_001, "Promotes due work when someone claims." =>
    promotes_to_claim());

deviant!("lowest-first", SCH_002, "Claims by priority, lower first." =>
    creating(|args| args.priority = 9_000 - args.priority));

deviant!("youngest-first", SCH_002, "Claims by age, younger first." => write(|before, after| {
    if before.is_none() {
        after.created_at.0 = -after.created_at.0;
    }
}));

deviant!("back-of-the-queue", SCH_002,
    "Puts promoted work behind the rest." => write(|before, after| {
    if before.is_some_and(was_delayed) && after.is_claimable() {
        after.created_at = after.last_mutation_at;
    }
}));

request!("any-case-tokens", SCH_003,
    "Compares tokens without their case.", Claim { capabilities, .. } => {
    let lower: Vec<_> =
        capabilities.tokens.iter().map(|token| token.to_lowercase()).collect();
    capabilities.tokens.extend(lower);
});

request!("drops-bad-offers", SCH_004,
    "Leaves out the tokens that it does not like.", Claim { capabilities, .. } => {
    let bad = |c: char| c == ',' || c.is_whitespace() || c.is_control();
    capabilities.tokens.retain(|token| !token.is_empty() && !token.contains(bad));
});

deviant!("promotes-to-first", SCH_015,
    "Takes a promoted retry for a first attempt." => write(|before, after| {
    if before.is_some_and(was_delayed) && after.is_claimable() {
        after.attempt_state = AttemptState::PendingFirstAttempt;
    }
}));

deviant!("promotes-early", SCH_016, "Promotes before the time." =>
    later_by(Method::PromoteDelayed, 3_600_000));

deviant!("one-time-for-both", SCH_017,
    "Keeps delay and deadline in one place." => write(|_, after| {
    if after.delay_until.is_some() {
        after.deadline_at = after.delay_until;
    }
}));

around!("plain-work-first", SCH_002, "Prefers work that requires nothing.", |subject, call| {
    if let Call::Claim { lane, policy, .. } = &call {
        let plain = Call::Claim {
            lane: lane.clone(),
            capabilities: CapabilitySet::default(),
            policy: policy.clone(),
        };
        let answer = subject.ask(plain).await;
        if !matches!(answer, Ok(Reply::Claim(None))) {
            return answer;
        }
    }
    subject.ask(call).await
});

deviant!("largest-id-first", SCH_018,
    "Claims by id, larger first, instead of by age." => write(|before, after| {
    if before.is_none() {
        after.created_at.0 -= i64::from(after.id.uuid().as_fields().0);
    }
}));

deviant!("takes-the-lapsed", SCH_001, "Lets a lapsed execution be claimed." =>
    frees(OwnershipState::LeaseExpiredReclaimable));

deviant!("promotion-again", SCH_016, "Leaves a mark on what it has promoted already." =>
    marks_repetitions_of(Method::PromoteDelayed));

fn was_delayed(before: &Execution) -> bool {
    before.eligibility == EligibilityState::NotEligibleUntilTime
}

fn promotes_to_claim() -> Fault {
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
                subject.ask(hook).await?;
            }
            subject.ask(call).await
        })
    })
}
