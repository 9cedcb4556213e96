//! Deviants that break the clauses under "Edges".

use ff_core::call::{Call, Reply};
use ff_core::contracts::EdgeDirection;
use ff_core::engine_error::{EngineError, StateKind};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{answer, pause};
use crate::deviants::flows::described_by;

reply!("a-thousand-edges", GRA_018, "Lists no more than 1 000 edges.",
    ListEdges(edges) => edges.truncate(1_000));

around!(
    "edges-in-two-parts",
    GRA_018,
    "Looks for one half of the edges first and for the other half afterwards.",
    |subject, call| {
        if !matches!(call, Call::ListEdges { .. }) {
            return subject.ask(call).await;
        }
        let before = subject.ask(call.clone()).await;
        for _ in 0..4 {
            pause().await;
        }
        let mut after = subject.ask(call).await;
        if let (Ok(Reply::ListEdges(first)), Ok(Reply::ListEdges(then))) = (before, &mut after) {
            let is_late = |id: &ff_core::types::EdgeId| id.0.as_bytes()[0] >= 128;
            then.retain(|edge| is_late(&edge.edge_id));
            let early = first.into_iter().filter(|edge| !is_late(&edge.edge_id));
            then.splice(0..0, early);
        }
        after
    }
);

request!("one-end-for-both", GRA_017,
    "Lists the edges that leave, whichever were asked for.", ListEdges { direction, .. } => {
    let from_node = direction.subject().clone();
    *direction = EdgeDirection::Outgoing { from_node };
});

around!(
    "strangers-refused",
    GRA_017,
    "Refuses to list the edges of an execution that is not a member.",
    |subject, call| {
        if let Call::ListEdges { flow_id, direction } = &call
            && subject.field(direction.subject(), "flow_id").await != Some(flow_id.to_string())
        {
            return Err(EngineError::State(StateKind::ExecutionNotInFlow));
        }
        subject.ask(call).await
    }
);

reply!("edges-in-descending-order", GRA_029, "Lists the edges with the largest ids first.",
    ListEdges(edges) => edges.reverse());

reply!("applied-edges-vanish", GRA_020, "Does not know an edge any more once it is applied.",
    DescribeEdge(edge) => *edge = edge.take().filter(|edge| edge.edge_state == "pending"));

around!(
    "unknown-edge-is-an-error",
    GRA_020,
    "Refuses to describe an edge that is not there.",
    |subject, call| {
        let answer = subject.ask(call).await;
        if let Ok(Reply::DescribeEdge(None)) = answer {
            return Err(EngineError::NotFound { entity: "edge" });
        }
        answer
    }
);

around!(
    "edges-go-with-the-flow",
    GRA_020,
    "Does not know the edges of a cancelled flow.",
    |subject, call| {
        if let Call::DescribeEdge { flow_id, .. } = &call
            && described_by(subject, flow_id).await.is_some_and(|flow| flow.cancelled_at.is_some())
        {
            return Ok(Reply::DescribeEdge(None));
        }
        subject.ask(call).await
    }
);

deviant!("applied-edges-lose-their-kind", GRA_021,
    "Forgets the kind of an edge once it is applied." => answer(|_, answer| {
    if let Ok(Reply::DescribeEdge(Some(edge))) = answer
        && edge.edge_state == "applied"
    {
        edge.dependency_kind.clear();
    }
}));
