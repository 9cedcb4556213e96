//! Deviants of what is noted of upstreams that are no longer needed.

use std::collections::HashSet;
use std::sync::Mutex;

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{EdgeDirection, EdgeGroupState};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::SiblingCancelReconcileAction as Action;
use ff_core::engine_error::EngineError;
use ff_core::partition::{PartitionConfig, flow_partition as flow_partition_of};
use ff_core::types::{ExecutionId, FlowId};

use super::tampering::{Subject, Tampering, answer, around, call, group, lock, succeeds_for_all};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "forgets-anywhere",
        "FLW-007",
        "Takes any partition of a note for the flow's.",
        call(|call| {
            if let Call::DrainSiblingCancelGroup { flow_partition, flow_id, .. }
            | Call::ReconcileSiblingCancelGroup { flow_partition, flow_id, .. } = call
            {
                *flow_partition = flow_partition_of(flow_id, &PartitionConfig::default());
            }
        })
    ),
    deviant!(
        "drains-once",
        "DEP-029",
        "Refuses to drain where it has drained before.",
        drains_once()
    ),
    deviant!(
        "notes-successes-only",
        "DEP-026",
        "Notes nothing when a group is impossible.",
        group(|_, group| {
            if group.group_state == EdgeGroupState::Impossible {
                group.pending_cancel = None;
            }
        })
    ),
    deviant!(
        "spares-nobody",
        "DEP-028",
        "Waits for upstreams that others need as well.",
        waits_for_all_above()
    ),
    deviant!(
        "drains-nothing",
        "DEP-029",
        "Does not forget what it is told to.",
        around(|subject, call| Box::pin(async move {
            if let Call::DrainSiblingCancelGroup { .. } = call {
                return Ok(Reply::DrainSiblingCancelGroup(()));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "done-early",
        "DEP-030",
        "Says of every note that it is done with.",
        answer(|_, answer| {
            if let Ok(Reply::ReconcileSiblingCancelGroup(action)) = answer {
                *action = Action::CompletedDrain;
            }
        })
    ),
    deviant!(
        "done-twice",
        "DEP-031",
        "Says to everyone who asks at once that they were done with it.",
        succeeds_for_all(Method::ReconcileSiblingCancelGroup, |reply| *reply
            == Reply::ReconcileSiblingCancelGroup(Action::CompletedDrain))
    ),
];

fn drains_once() -> Tampering {
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

/// Is done with a note only when every upstream but the first has ended, noted or not.
pub(super) fn waits_for_all_above() -> Tampering {
    around(|subject, call| {
        Box::pin(async move {
            if let Call::ReconcileSiblingCancelGroup { flow_id, downstream_eid, .. } = &call
                && is_running_above(subject, *flow_id, downstream_eid).await
            {
                return Ok(Reply::ReconcileSiblingCancelGroup(Action::NoOp));
            }
            subject.model.dispatch(call).await
        })
    })
}

async fn is_running_above(subject: &Subject, flow: FlowId, member: &ExecutionId) -> bool {
    let call = Call::ListEdges {
        flow_id: flow,
        direction: EdgeDirection::Incoming { to_node: member.clone() },
    };
    let Ok(Reply::ListEdges(edges)) = subject.model.dispatch(call).await else {
        return false;
    };
    for edge in edges.iter().skip(1) {
        let upstream = &edge.upstream_execution_id;
        if subject.field(upstream, "completed_at").await.is_none() {
            return true;
        }
    }
    false
}
