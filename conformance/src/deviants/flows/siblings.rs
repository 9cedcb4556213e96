//! Deviants that break the clauses under "Siblings".

use std::collections::HashSet;
use std::sync::Mutex;

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::EdgeGroupState;
use ff_core::engine_backend::SiblingCancelReconcileAction as Action;
use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;

use crate::deviants::declare::{around, deviant, reply};
use crate::deviants::fault::{Fault, answer, group, lock, succeeds_for_all};
use crate::deviants::flows::waits_for_all_above;

deviant!("drains-once", DEP_029, "Refuses to drain where it has drained before." => drains_once());

deviant!("notes-successes-only", DEP_026,
    "Notes nothing when a group is impossible." => group(|_, group| {
    if group.group_state == EdgeGroupState::Impossible {
        group.pending_cancel = None;
    }
}));

deviant!("spares-nobody", DEP_028, "Waits for upstreams that others need as well." =>
    waits_for_all_above());

around!("drains-nothing", DEP_029, "Does not forget what it is told to.", |subject, call| {
    if let Call::DrainSiblingCancelGroup { .. } = call {
        return Ok(Reply::DrainSiblingCancelGroup(()));
    }
    subject.ask(call).await
});

reply!("done-early", DEP_030, "Says of every note that it is done with.",
    ReconcileSiblingCancelGroup(action) => *action = Action::CompletedDrain);

deviant!("done-twice", DEP_031, "Says to everyone who asks at once that they were done with it." =>
    succeeds_for_all(Method::ReconcileSiblingCancelGroup, |reply| *reply
    == Reply::ReconcileSiblingCancelGroup(Action::CompletedDrain)));

fn drains_once() -> Fault {
    let drained: Mutex<HashSet<ExecutionId>> = Mutex::default();
    answer(move |call, answer| {
        if let Call::DrainSiblingCancelGroup { downstream_eid, .. } = call
            && answer.is_ok()
            && !lock(&drained).insert(downstream_eid.clone())
        {
            *answer = Err(EngineError::NotFound { entity: "flow" });
        }
    })
}
