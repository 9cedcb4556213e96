//! Deviants that break the clauses under "Workers".

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{
    HeartbeatWorkerOutcome, MarkWorkerDeadOutcome, RegisterWorkerOutcome, RevokeLeaseArgs,
};
use ff_core::engine_error::EngineError;
use ff_core::types::WorkerInstanceId;
use ff_mock::Registration;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::around as around_calls;
use crate::deviants::fault::{Fault, pause};

reply!("always-new", WRK_001, "Says of every registration that it is new.",
    RegisterWorker(outcome) => *outcome = RegisterWorkerOutcome::Registered);

deviant!("keeps-the-first-lanes", WRK_001, "Keeps the lanes of the first registration." =>
Fault::default().damage(|before: Option<&Registration>, after: &mut Registration| {
    if let Some(before) = before {
        after.lanes.clone_from(&before.lanes);
    }
}));

around!(
    "registers-for-nothing",
    WRK_002,
    "Registers workers without lanes.",
    |subject, mut call| {
        if let Call::RegisterWorker { args } = &mut call
            && args.lanes.is_empty()
        {
            args.lanes = BTreeSet::from([ff_core::types::LaneId::new("any")]);
        }
        subject.ask(call).await
    }
);

around!(
    "hears-of-nobody",
    WRK_016,
    "Has not heard of instances without a name.",
    |subject, call| {
        let is_nobody = matches!(&call, Call::HeartbeatWorker { args } if args.worker_instance_id.as_str().is_empty());
        match subject.ask(call).await {
            Err(_) if is_nobody => {
                Ok(Reply::HeartbeatWorker(HeartbeatWorkerOutcome::NotRegistered))
            }
            answer => answer,
        }
    }
);

around!(
    "heartbeats-revive",
    WRK_003,
    "Says of everyone that it is registered.",
    |subject, call| {
        match subject.ask(call).await {
            Ok(Reply::HeartbeatWorker(HeartbeatWorkerOutcome::NotRegistered)) => {
                let next_expiry_ms = subject.clock.now();
                Ok(Reply::HeartbeatWorker(HeartbeatWorkerOutcome::Refreshed { next_expiry_ms }))
            }
            answer => answer,
        }
    }
);

deviant!("heartbeats-change-nothing", WRK_003, "Tells another expiry than it has." =>
crate::deviants::fault::answer(|_, answer| {
    if let Ok(Reply::HeartbeatWorker(HeartbeatWorkerOutcome::Refreshed { next_expiry_ms })) = answer {
        next_expiry_ms.0 += 1;
    }
}));

around!("reassigns", WRK_004, "Gives an instance to another worker.", |subject, call| {
    if let Call::RegisterWorker { args } = &call
        && let Err(EngineError::Validation { .. }) = subject.ask(call.clone()).await
    {
        let death = ff_core::contracts::MarkWorkerDeadArgs::new(
            args.worker_instance_id.clone(),
            args.namespace.clone(),
            String::new(),
            args.now,
        );
        // Whoever has it, has it no longer.
        let _ = subject.ask(Call::MarkWorkerDead { args: death }).await;
    }
    subject.ask(call).await
});

deviant!("lives-a-millisecond-more", WRK_005, "Lets registrations live for a millisecond more." =>
    Fault::default().damage(|_, after: &mut Registration| after.expires_at.0 += 1));

deviant!("registered-anew", WRK_006, "Dates a registration by its last renewal." =>
    Fault::default().damage(|_, after: &mut Registration| after.registered_at = after.last_heartbeat_at));

deviant!("heard-of-once", WRK_006, "Does not say when it heard of a worker last." =>
    Fault::default().damage(|_, after: &mut Registration| after.last_heartbeat_at = after.registered_at));

reply!("always-marked", WRK_007, "Says of nobody that it has died.",
    MarkWorkerDead(outcome) => *outcome = MarkWorkerDeadOutcome::Marked);

request!("reasons-are-cut", WRK_008, "Cuts reasons that are too long.",
    MarkWorkerDead { args } if args.reason.len() > 256 => args.reason.truncate(256));

request!("reasons-on-one-line", WRK_008, "Takes control characters for spaces.",
    MarkWorkerDead { args } => args.reason = args.reason.replace(char::is_control, " "));

reply!("lists-no-capabilities", WRK_009, "Does not say what a worker offers.",
    ListWorkers(page) => page.entries.iter_mut().for_each(|one| one.capabilities.clear()));

reply!("lanes-of-words", WRK_009, "Takes a lane with a comma for two.", ListWorkers(page) => {
    for worker in &mut page.entries {
        let lanes = worker.lanes.iter().flat_map(|lane| lane.as_str().split(", "));
        worker.lanes = lanes.map(ff_core::types::LaneId::new).collect();
    }
});

reply!("workers-descending", WRK_010, "Lists in descending order.",
    ListWorkers(page) => page.entries.reverse());

request!("workers-without-limit", WRK_010, "Takes a limit of 0 for none.",
    ListWorkers { args } if args.limit == Some(0) => args.limit = None);

reply!("workers-always-more", WRK_010, "Gives a cursor with every page.", ListWorkers(page) =>
    page.cursor = page.entries.last().map(|last| last.worker_instance_id.clone()));

reply!("a-worker-too-few", WRK_011, "Gives a page with a worker less than there is.",
ListWorkers(page) if page.entries.len() == 2 && page.entries[0].worker_instance_id.as_str() == "w09" => {
    page.entries.pop();
});

request!("one-namespace-for-all", WRK_012, "Takes a list of all namespaces for one of the first.",
    ListWorkers { args } if args.namespace.is_none() =>
        args.namespace = Some(ff_core::backend::Namespace::new("a")));

around!(
    "any-cursor",
    WRK_012,
    "Begins anew after a cursor that it does not know.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        match (call, answer) {
            (Call::ListWorkers { mut args }, Err(_)) => {
                args.after = None;
                subject.ask(Call::ListWorkers { args }).await
            }
            (_, answer) => answer,
        }
    }
);

around!("death-ends-leases", WRK_013, "Takes the leases of who is dead.", |subject, call| {
    if let Call::MarkWorkerDead { args } = &call {
        let held =
            ff_core::contracts::ListExpiredLeasesArgs::new(ff_core::types::TimestampMs(1 << 50));
        if let Ok(Reply::ListExpiredLeases(page)) =
            subject.ask(Call::ListExpiredLeases { args: held }).await
        {
            for lease in page.entries {
                let args = RevokeLeaseArgs {
                    execution_id: lease.execution_id,
                    expected_lease_id: None,
                    reason: String::new(),
                    worker_instance_id: args.worker_instance_id.clone(),
                };
                subject.ask(Call::RevokeLease { args }).await?;
            }
        }
    }
    subject.ask(call).await
});

request!("lifts-for-nobody", WRK_014, "Lifts no route.",
    RegisterWorker { args } => args.capabilities.clear());

around!(
    "heartbeats-lift-nothing",
    WRK_014,
    "Lifts routes only for who registers.",
    |subject, mut call| {
        if let Call::HeartbeatWorker { args } = &mut call {
            args.worker_instance_id = WorkerInstanceId::new("nobody");
        }
        subject.ask(call).await
    }
);

deviant!("several-are-new", WRK_015, "Says of all that register at once that they are new." => {
    let under_way = Arc::new(AtomicUsize::new(0));
    around_calls(move |subject, call| {
        let under_way = Arc::clone(&under_way);
        Box::pin(async move {
            if call.method() != Method::RegisterWorker {
                return subject.ask(call).await;
            }
            let others = under_way.fetch_add(1, Ordering::SeqCst);
            pause().await;
            let mut answer = subject.ask(call).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            if let (true, Ok(Reply::RegisterWorker(outcome))) = (others > 0, &mut answer) {
                *outcome = RegisterWorkerOutcome::Registered;
            }
            answer
        })
    })
});
