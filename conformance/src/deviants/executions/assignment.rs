//! Deviants that break the clauses under "Assignment".

use std::collections::BTreeSet;
use std::sync::Mutex;

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{ClaimForWorkerOutcome, ClaimGrant};
use ff_core::types::ExecutionId;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{
    Answer, Fault, answer, instead, later_by, lock, marks_the_passed_over,
};

reply!("scans-backwards", SCH_005, "Lists the last first.",
    ScanEligibleExecutions(ids) => ids.reverse());

around!("scans-mark", SCH_005, "Leaves a mark on what it lists.", |subject, call| {
    let answer = subject.ask(call).await;
    if let Ok(Reply::ScanEligibleExecutions(ids)) = &answer {
        for id in ids {
            subject.leave_trace(id).await;
        }
    }
    answer
});

deviant!("scans-what-is-kept", SCH_006, "Lists what a grant keeps." =>
    later_by(Method::ScanEligibleExecutions, 60_000));

request!("scans-at-least-one", SCH_019, "Takes a limit of 0 for one of 1.",
    ScanEligibleExecutions { args } if args.limit == 0 => args.limit = 1);

reply!("scans-beyond-a-page", SCH_019, "Lists one more than a page takes.",
    ScanEligibleExecutions(ids) if ids.len() == 1_000 => ids.push(ids[0].clone()));

deviant!("scans-anywhere", SCH_019, "Finds nothing in a partition that is none." =>
instead(&[Method::ScanEligibleExecutions], "validation.invalid_input", |_, _| {
    Ok(Reply::ScanEligibleExecutions(Vec::new()))
}));

reply!("assigns-without-a-name", CLM_032, "Gives its grants no name.",
    ClaimForWorker(ClaimForWorkerOutcome::Granted(grant)) => grant.grant_key.clear());

reply!("assigns-for-longer", CLM_032, "Says that a grant lasts a millisecond longer.",
    ClaimForWorker(ClaimForWorkerOutcome::Granted(grant)) => grant.expires_at_ms += 1);

around!("assigns-fresh-work-only", CLM_033, "Finds no attempt that goes on.", |subject, call| {
    let answer = subject.ask(call).await;
    let Some(grant) = granted(&answer) else {
        return answer;
    };
    match subject.field(&grant.execution_id, "attempt_state").await {
        Some(state) if state == "attempt_interrupted" => Ok(NOTHING),
        _ => answer,
    }
});

reply!("assigns-nothing-in-the-last-partition", CLM_034, "Finds nothing in the last partition.",
ClaimForWorker(outcome) => {
    if let ClaimForWorkerOutcome::Granted(grant) = outcome
        && grant.execution_id.partition() == 255
    {
        *outcome = ClaimForWorkerOutcome::NoWork;
    }
});

deviant!("assigning-marks", CLM_034, "Leaves a mark on what the worker does not qualify for." =>
    marks_the_passed_over(Method::ClaimForWorker));

deviant!("assigns-again", CLM_035, "Gives the last work again where there is none." =>
    assigns_again());

deviant!("assigns-once", CLM_035, "Finds nothing that has been kept for a worker before." =>
    assigns_once());

deviant!("assigns-what-does-not-wait", CLM_036, "Gives what came first where nothing waits." =>
    assigns_what_came_first());

request!("assigns-for-no-time", CLM_037, "Takes a grant of 0 ms for one of 1 ms.",
    ClaimForWorker { args } if args.grant_ttl_ms == 0 => args.grant_ttl_ms = 1);

const NOTHING: Reply = Reply::ClaimForWorker(ClaimForWorkerOutcome::NoWork);

fn granted(answer: &Answer) -> Option<&ClaimGrant> {
    match answer {
        Ok(Reply::ClaimForWorker(ClaimForWorkerOutcome::Granted(grant))) => Some(grant),
        _ => None,
    }
}

fn assigns_again() -> Fault {
    let last: Mutex<Option<ClaimGrant>> = Mutex::default();
    answer(move |_, answer| {
        let mut last = lock(&last);
        if let Some(grant) = granted(answer) {
            *last = Some(grant.clone());
        } else if let (true, Some(grant)) = (*answer == Ok(NOTHING), &*last) {
            *answer = Ok(Reply::ClaimForWorker(ClaimForWorkerOutcome::Granted(grant.clone())));
        }
    })
}

fn assigns_once() -> Fault {
    let known: Mutex<BTreeSet<ExecutionId>> = Mutex::default();
    answer(move |_, answer| {
        if let Some(grant) = granted(answer)
            && !lock(&known).insert(grant.execution_id.clone())
        {
            *answer = Ok(NOTHING);
        }
    })
}

fn assigns_what_came_first() -> Fault {
    let first: Mutex<Option<ExecutionId>> = Mutex::default();
    answer(move |call, answer| {
        let mut first = lock(&first);
        if let Call::CreateExecution { args } = call {
            first.get_or_insert(args.execution_id.clone());
        }
        if let (true, Some(id)) = (*answer == Ok(NOTHING), &*first) {
            let home = ff_core::partition::PartitionKey::new(format!("{{fp:{}}}", id.partition()));
            let grant = ClaimGrant::new(id.clone(), home, "grant".to_owned(), 0);
            *answer = Ok(Reply::ClaimForWorker(ClaimForWorkerOutcome::Granted(grant)));
        }
    })
}
