//! Deviants that break the clauses under "Reconcile".

use ff_core::backend::ScannerFilter;
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_backend::ReconcileCounts;
use ff_core::types::LaneId;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::instead;

around!(
    "counts-and-leaves",
    SCH_020,
    "Counts what is out of place, and leaves it there.",
    |subject, call| {
        match call {
            Call::ReconcileExecutionIndex { partition, lanes, .. } => {
                let filter = ScannerFilter::NOOP.with_namespace("nobody");
                let call = Call::ReconcileExecutionIndex { partition, lanes, filter };
                let answer = subject.ask(call).await;
                answer.map(|_| {
                    Reply::ReconcileExecutionIndex(ReconcileCounts { processed: 2, errors: 0 })
                })
            }
            call => subject.ask(call).await,
        }
    }
);

reply!("counts-what-is-in-place", SCH_021, "Counts one that is in its place.",
    ReconcileExecutionIndex(counts) => counts.processed += 1);

reply!("hides-damage", SCH_021, "Passes over what does not decode.",
    ReconcileExecutionIndex(counts) => counts.errors = 0);

request!("reconciles-all-tenants", SCH_022, "Knows no filter.",
    ReconcileExecutionIndex { filter, .. } => *filter = ScannerFilter::NOOP);

around!("reconciles-lanes-only", SCH_022, "Looks at the lanes that are named.", |subject, call| {
    match call {
        Call::ReconcileExecutionIndex { lanes, .. } if !lanes.contains(&LaneId::new("default")) => {
            Ok(Reply::ReconcileExecutionIndex(ReconcileCounts::default()))
        }
        call => subject.ask(call).await,
    }
});

deviant!("reconciles-anywhere", SCH_023, "Finds all in place in a partition that is none." =>
instead(&[Method::ReconcileExecutionIndex], "validation.invalid_input", |_, _| {
    Ok(Reply::ReconcileExecutionIndex(ReconcileCounts::default()))
}));
