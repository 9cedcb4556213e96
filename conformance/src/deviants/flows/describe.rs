//! Deviants that break the clauses under "Describe".

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use ff_core::call::{Call, Reply};
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId};

use crate::deviants::declare::{around, deviant};
use crate::deviants::fault::{Fault, Subject, around, lock};
use crate::deviants::flows::described;

deviant!("done-with-the-last", FLW_016,
    "Calls a flow completed when all of its members have ended." =>
    done_with_the_last());

deviant!("namespaces-in-lower-case", FLW_011, "Shows a flow's namespace in lower case." =>
    described(|flow| flow.namespace.0.make_ascii_lowercase()));

around!(
    "unknown-flow-is-an-error",
    FLW_011,
    "Refuses to describe a flow that is not there.",
    |subject, call| {
        let answer = subject.ask(call).await;
        if let Ok(Reply::DescribeFlow(None)) = answer {
            return Err(EngineError::NotFound { entity: "flow" });
        }
        answer
    }
);

deviant!("edges-count-as-members", FLW_011, "Counts edges among the members." =>
    described(|flow| flow.node_count += flow.edge_count));

deviant!("invents-a-reason", FLW_012, "Gives a reason for every cancellation." => described(|flow| {
    if flow.cancelled_at.is_some() {
        flow.cancel_reason = Some("flow_cancelled".to_owned());
    }
}));

deviant!("groups-of-applied-edges", FLW_013, "Shows no group before an edge of it is applied." =>
    described(|flow| flow.edge_groups.retain(|group| group.total_deps > 0)));

deviant!("groups-the-other-way", FLW_013, "Shows groups in descending order." =>
    described(|flow| flow.edge_groups.reverse()));

deviant!("flow-never-modified", FLW_014,
    "Shows the time of creation as that of the last modification." =>
    described(|flow| flow.last_mutation_at = flow.created_at));

fn done_with_the_last() -> Fault {
    let members: Arc<Mutex<HashMap<FlowId, HashSet<ExecutionId>>>> = Arc::default();
    around(move |subject, call| {
        let members = Arc::clone(&members);
        Box::pin(async move {
            let mut answer = subject.ask(call.clone()).await;
            match (&call, &mut answer) {
                (Call::AddExecutionToFlow { args }, Ok(_)) => {
                    let mut members = lock(&members);
                    let of_flow = members.entry(args.flow_id).or_default();
                    of_flow.insert(args.execution_id.clone());
                }
                (Call::DescribeFlow { .. }, Ok(Reply::DescribeFlow(Some(flow))))
                    if flow.public_flow_state == "open" =>
                {
                    let known = lock(&members).get(&flow.flow_id).cloned();
                    if have_ended(subject, known.unwrap_or_default()).await {
                        "completed".clone_into(&mut flow.public_flow_state);
                    }
                }
                _ => {}
            }
            answer
        })
    })
}

async fn have_ended(subject: &Subject, members: HashSet<ExecutionId>) -> bool {
    for member in &members {
        if subject.field(member, "completed_at").await.is_none() {
            return false;
        }
    }
    !members.is_empty()
}

deviant!("closed-flows", FLW_035, "Has another word for cancelled flows." => described(|flow| {
    if flow.public_flow_state == "cancelled" {
        "closed".clone_into(&mut flow.public_flow_state);
    }
}));
