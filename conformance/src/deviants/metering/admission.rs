//! Deviants that break the clauses under "Admission".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{CheckAdmissionResult, ReleaseAdmissionArgs};
use ff_core::engine_error::EngineError;
use ff_mock::{Place, Slot};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, busy, pause};

request!("one-admission-more", QUO_019, "Admits one more than the rate limit.",
    CheckAdmission { args, .. } => args.rate_limit += u64::from(args.rate_limit > 1));

request!("zero-is-a-limit", QUO_019, "Takes a rate limit of 0 for one of 1.",
    CheckAdmission { args, .. } if args.window_seconds > 0 => args.rate_limit = args.rate_limit.max(1));

deviant!("leaves-late", QUO_008, "Keeps places for a millisecond more." =>
    Fault::default().damage(|_, after: &mut Place| after.taken_at.0 += 1));

deviant!("leaves-early", QUO_008, "Keeps places for a millisecond less." =>
    Fault::default().damage(|_, after: &mut Place| after.taken_at.0 -= 1));

request!("windows-in-steps", QUO_008, "Looks at whole windows only.", CheckAdmission { dimension, args, .. } => {
    let window = i64::try_from(args.window_seconds.max(1) * 1_000).unwrap_or(i64::MAX);
    *dimension = format!("{dimension}.{}", args.now.0 / window);
});

request!("one-dimension", QUO_007, "Knows one dimension only.",
    CheckAdmission { dimension, .. } => dimension.clear());

request!("nameless-is-another", QUO_007, "Takes the dimension without a name for one of its own.",
    CheckAdmission { dimension, .. } if dimension.is_empty() => "none".clone_into(dimension));

around!(
    "refusals-take-places",
    QUO_012,
    "Takes a place for who is admitted already.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (
            Call::CheckAdmission { quota_policy_id, dimension, args },
            Ok(Reply::CheckAdmission(CheckAdmissionResult::AlreadyAdmitted)),
        ) = (&call, &answer)
        {
            let release = ReleaseAdmissionArgs::new(*quota_policy_id, args.execution_id.clone());
            let _ = subject.ask(Call::ReleaseAdmission { args: release }).await;
            let mut again = args.clone();
            (again.rate_limit, again.concurrency_cap) = (0, 0);
            let again = Call::CheckAdmission {
                quota_policy_id: *quota_policy_id,
                dimension: dimension.clone(),
                args: again,
            };
            let _ = subject.ask(again).await;
        }
        answer
    }
);

reply!("waits-too-short", QUO_009, "Tells a wait that is a millisecond too short.",
    CheckAdmission(CheckAdmissionResult::RateExceeded { retry_after_ms }) =>
        *retry_after_ms = retry_after_ms.saturating_sub(1));

request!("all-of-the-jitter", QUO_022, "Adds all of the jitter.", CheckAdmission { args, .. } => {
    args.jitter_ms = None;
});

reply!("waits-in-seconds", QUO_022, "Tells waits in whole seconds.",
    CheckAdmission(CheckAdmissionResult::RateExceeded { retry_after_ms }) =>
        *retry_after_ms = retry_after_ms.div_ceil(1_000) * 1_000);

around!(
    "limits-before-guards",
    QUO_010,
    "Looks at the rate before it looks who asks.",
    |subject, call| {
        let Call::CheckAdmission { quota_policy_id, dimension, args } = &call else {
            return subject.ask(call).await;
        };
        let mut other = args.clone();
        other.execution_id = ff_core::types::ExecutionId::from_parts(0, uuid::Uuid::nil());
        let asked = Call::CheckAdmission {
            quota_policy_id: *quota_policy_id,
            dimension: dimension.clone(),
            args: other.clone(),
        };
        let answer = subject.ask(asked).await;
        if let Ok(Reply::CheckAdmission(CheckAdmissionResult::RateExceeded { .. })) = answer {
            return answer;
        }
        let release = ReleaseAdmissionArgs::new(*quota_policy_id, other.execution_id);
        let _ = subject.ask(Call::ReleaseAdmission { args: release }).await;
        subject.ask(call).await
    }
);

deviant!("admits-for-longer", QUO_020, "Has admissions last for a millisecond more." =>
Fault::default().damage(|_, after: &mut Slot| {
    after.ends.values_mut().for_each(|end| end.0 += 1);
    after.held_until.0 += 1;
}));

request!("no-window-no-end", QUO_020, "Has admissions without a window last for a second.",
    CheckAdmission { args, .. } => args.window_seconds = args.window_seconds.max(1));

deviant!("never-ends", QUO_011, "Counts executions that are admitted no longer." =>
    Fault::default().damage(|_, after: &mut Slot| after.held_until.0 = (1 << 53) - 1));

request!("counts-admissions", QUO_011, "Counts an execution in each dimension.",
    CheckAdmission { dimension, args, .. } if args.concurrency_cap > 1 && dimension == "other" =>
        args.execution_id = ff_core::types::ExecutionId::from_parts(0, uuid::Uuid::from_u128(1)));

around!("cap-first", QUO_021, "Looks at the cap before the rate.", |subject, call| {
    let Call::CheckAdmission { quota_policy_id, dimension, args } = &call else {
        return subject.ask(call).await;
    };
    let answer = subject.ask(call.clone()).await;
    if let Ok(Reply::CheckAdmission(CheckAdmissionResult::RateExceeded { .. })) = answer {
        let mut unlimited = args.clone();
        unlimited.rate_limit = 0;
        let asked = Call::CheckAdmission {
            quota_policy_id: *quota_policy_id,
            dimension: dimension.clone(),
            args: unlimited,
        };
        if let Ok(Reply::CheckAdmission(CheckAdmissionResult::ConcurrencyExceeded)) =
            subject.ask(asked).await
        {
            return Ok(Reply::CheckAdmission(CheckAdmissionResult::ConcurrencyExceeded));
        }
    }
    answer
});

around!("limits-of-the-policy", QUO_005, "Takes the limits of the policy.", |subject, mut call| {
    if let Call::CheckAdmission { quota_policy_id, args, .. } = &mut call {
        let read = Call::ReadQuotaPolicyLimits { quota_policy_id: *quota_policy_id };
        if let Ok(Reply::ReadQuotaPolicyLimits(Some(limits))) = subject.ask(read).await {
            args.rate_limit = limits.max_requests_per_window;
            args.concurrency_cap = limits.active_concurrency_cap;
        }
    }
    subject.ask(call).await
});

request!("a-second-at-least", QUO_006, "Takes a window of 0 s for one of 1 s.",
    CheckAdmission { args, .. } if args.rate_limit > 0 =>
        args.window_seconds = args.window_seconds.max(1));

around!(
    "counts-then-admits",
    QUO_013,
    "Lets all in who ask at the same time.",
    |subject, mut call| {
        if let Call::CheckAdmission { quota_policy_id, dimension, args } = &mut call {
            let mut probe = args.clone();
            probe.execution_id = ff_core::types::ExecutionId::from_parts(0, uuid::Uuid::new_v4());
            let probe = Call::CheckAdmission {
                quota_policy_id: *quota_policy_id,
                dimension: dimension.clone(),
                args: probe,
            };
            pause().await;
            let answer = subject.ask(probe).await;
            pause().await;
            if let Ok(Reply::CheckAdmission(CheckAdmissionResult::Admitted)) = answer {
                (args.rate_limit, args.concurrency_cap) = (0, 0);
            }
        }
        subject.ask(call).await
    }
);

deviant!("one-admission-at-a-time", QUO_013, "Turns away those that meet." => busy(Method::CheckAdmission));

around!(
    "releases-one-dimension",
    QUO_014,
    "Keeps who is released from coming back.",
    |subject, call| {
        if let Call::ReleaseAdmission { .. } = &call {
            return Ok(Reply::ReleaseAdmission(
                ff_core::contracts::ReleaseAdmissionResult::Released,
            ));
        }
        subject.ask(call).await
    }
);

deviant!("refunds", QUO_023, "Gives the place in the window back." => {
    let last = std::sync::Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    crate::deviants::fault::around(move |subject, mut call| {
        let released = std::sync::Arc::clone(&last);
        Box::pin(async move {
            if let Call::ReleaseAdmission { args } = &call {
                crate::deviants::fault::lock(&released).insert(args.quota_policy_id);
            }
            if let Call::CheckAdmission { quota_policy_id, args, .. } = &mut call
                && args.rate_limit > 0
                && crate::deviants::fault::lock(&released).contains(quota_policy_id)
            {
                args.rate_limit += 1;
            }
            subject.ask(call).await
        })
    })
});

around!("releases-anybody", QUO_015, "Releases somebody, whoever it is.", |subject, call| {
    let Call::ReleaseAdmission { args } = &call else {
        return subject.ask(call).await;
    };
    let held = ff_mock::Snapshot::of(subject.model.store()).await;
    let somebody = held.all::<Slot>().find(|slot| slot.quota == args.quota_policy_id);
    let somebody = somebody.map(|slot| slot.execution.clone());
    let mut args = args.clone();
    args.execution_id = somebody.unwrap_or(args.execution_id);
    subject.ask(Call::ReleaseAdmission { args }).await
});

around!("releases-the-admitted", QUO_015, "Refuses where nothing is admitted.", |subject, call| {
    let Call::ReleaseAdmission { args } = &call else {
        return subject.ask(call).await;
    };
    let held = ff_mock::Snapshot::of(subject.model.store()).await;
    let (policy, execution) = (&args.quota_policy_id, &args.execution_id);
    let is_there =
        held.all::<Slot>().any(|slot| slot.quota == *policy && slot.execution == *execution);
    if is_there {
        subject.ask(call).await
    } else {
        Err(EngineError::NotFound { entity: "quota_policy" })
    }
});
