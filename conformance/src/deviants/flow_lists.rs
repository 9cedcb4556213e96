//! Deviants of where flows are listed, when they are open, and what is listed of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use ff_core::call::{Call, Reply};
use ff_core::contracts::StageDependencyEdgeResult;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::partition::{
    Partition, PartitionConfig, PartitionFamily, PartitionKey, flow_partition,
};
use ff_core::types::{ExecutionId, FlowId};

use super::tampering::{Subject, Tampering, answer, around, call, lock, pause};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "lists-next-door",
        "FLW-006",
        "Lists flows in the partition before theirs.",
        call(|call| {
            if let Call::ListFlows { partition, .. } = call
                && let Ok(Partition { family: PartitionFamily::Flow, index }) = partition.parse()
            {
                let count = PartitionConfig::default().num_flow_partitions;
                *partition = PartitionKey::from(&Partition {
                    family: PartitionFamily::Flow,
                    index: (index + 1) % count,
                });
            }
        })
    ),
    deviant!(
        "done-with-the-last",
        "FLW-016",
        "Calls a flow completed when all of its members have ended.",
        done_with_the_last()
    ),
    deviant!(
        "always-a-summary",
        "FLW-031",
        "Says of every flow that it has written a summary.",
        answer(|_, answer| {
            if let Ok(Reply::ProjectFlowSummary(written)) = answer {
                *written = true;
            }
        })
    ),
    deviant!("one-summary", "FLW-031", "Writes a flow's summary once.", one_summary()),
    deviant!(
        "summaries-anywhere",
        "FLW-007",
        "Takes any partition of a summary for the flow's.",
        call(|call| {
            if let Call::ProjectFlowSummary { partition, flow_id, .. } = call {
                *partition = flow_partition(flow_id, &PartitionConfig::default());
            }
        })
    ),
    deviant!(
        "summary-as-a-tag",
        "FLW-033",
        "Keeps summaries among the tags.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Call::ProjectFlowSummary { flow_id, .. } = &call
                && matches!(answer, Ok(Reply::ProjectFlowSummary(true)))
            {
                let tag = Call::SetFlowTag {
                    flow_id: *flow_id,
                    key: "deviant.summary".to_owned(),
                    value: String::new(),
                };
                subject.model.dispatch(tag).await?;
            }
            answer
        }))
    ),
    deviant!(
        "pages-by-number",
        "FLW-034",
        "Takes a cursor for the number of flows before it.",
        pages_by_number()
    ),
    deviant!(
        "staged-is-staged",
        "GRA-004",
        "Takes a repetition for a success.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Call::StageDependencyEdge { args } = &call
                && answer == Err(EngineError::Contention(ContentionKind::StaleGraphRevision))
            {
                let known = Call::DescribeEdge { flow_id: args.flow_id, edge_id: args.edge_id };
                if let Ok(Reply::DescribeEdge(Some(_))) = subject.model.dispatch(known).await {
                    return Ok(Reply::StageDependencyEdge(StageDependencyEdgeResult::Staged {
                        edge_id: args.edge_id,
                        new_graph_revision: args.expected_graph_revision + 1,
                    }));
                }
            }
            answer
        }))
    ),
    deviant!(
        "a-thousand-edges",
        "GRA-018",
        "Lists no more than 1 000 edges.",
        answer(|_, answer| {
            if let Ok(Reply::ListEdges(edges)) = answer {
                edges.truncate(1_000);
            }
        })
    ),
    deviant!(
        "edges-in-two-parts",
        "GRA-018",
        "Looks for one half of the edges first and for the other half afterwards.",
        around(|subject, call| Box::pin(async move {
            if !matches!(call, Call::ListEdges { .. }) {
                return subject.model.dispatch(call).await;
            }
            let before = subject.model.dispatch(call.clone()).await;
            for _ in 0..4 {
                pause().await;
            }
            let mut after = subject.model.dispatch(call).await;
            if let (Ok(Reply::ListEdges(first)), Ok(Reply::ListEdges(then))) = (before, &mut after)
            {
                let is_late = |id: &ff_core::types::EdgeId| id.0.as_bytes()[0] >= 128;
                then.retain(|edge| is_late(&edge.edge_id));
                let early = first.into_iter().filter(|edge| !is_late(&edge.edge_id));
                then.splice(0..0, early);
            }
            after
        }))
    ),
];

fn done_with_the_last() -> Tampering {
    let members: Arc<Mutex<HashMap<FlowId, HashSet<ExecutionId>>>> = Arc::default();
    around(move |subject, call| {
        let members = Arc::clone(&members);
        Box::pin(async move {
            let mut answer = subject.model.dispatch(call.clone()).await;
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

fn one_summary() -> Tampering {
    let written: Mutex<HashSet<FlowId>> = Mutex::default();
    answer(move |call, answer| {
        if let (Call::ProjectFlowSummary { flow_id, .. }, Ok(Reply::ProjectFlowSummary(done))) =
            (call, answer)
            && *done
        {
            *done = lock(&written).insert(*flow_id);
        }
    })
}

fn pages_by_number() -> Tampering {
    let places: Arc<Mutex<HashMap<FlowId, usize>>> = Arc::default();
    around(move |subject, call| {
        let places = Arc::clone(&places);
        Box::pin(async move {
            let Call::ListFlows { partition, cursor, limit } = call else {
                return subject.model.dispatch(call).await;
            };
            let place = cursor.and_then(|cursor| lock(&places).get(&cursor).copied());
            let Some(place) = place.or_else(|| cursor.is_none().then_some(0)) else {
                let call = Call::ListFlows { partition, cursor, limit };
                return subject.model.dispatch(call).await;
            };
            let from_the_first =
                Call::ListFlows { partition, cursor: None, limit: limit.saturating_add(place) };
            let mut answer = subject.model.dispatch(from_the_first).await;
            if let Ok(Reply::ListFlows(page)) = &mut answer {
                page.flows.drain(..place.min(page.flows.len()));
                if let Some(next) = page.next_cursor {
                    lock(&places).insert(next, place + limit);
                }
            }
            answer
        })
    })
}
