//! Counting an end on everything that depends on it.

use std::collections::VecDeque;

use ff_core::backend::CompletionPayload;
use ff_core::contracts::CascadeOutcome;

use super::resolve::resolve_edge;
use crate::engine::Rule;
use crate::records::{Edge, EdgeState, Execution, Flow};
use crate::session::Session;
use crate::store::Tx;

/// Counts a member's end on everything that depends on it, and the ends that follow from it on what
/// depends on these (DEP-020 to DEP-024).
pub(crate) async fn cascade<T: Tx>(
    tx: &mut Session<T>,
    completion: &CompletionPayload,
) -> Rule<CascadeOutcome> {
    let nothing = Ok(CascadeOutcome::synchronous(0, 0));
    let Some(flow) = completion.flow_id else {
        return nothing;
    };
    let ended = Execution::at(&completion.execution_id);
    let (_, ended) = tx.lock((Flow::at(&flow), ended)).await?;
    let ended = match ended {
        Some(execution) if execution.flow == Some(flow) && execution.is_terminal() => execution,
        _ => return nothing,
    };
    let now = tx.now().await?;
    let (mut resolved, mut skipped) = (0, 0);
    let mut ends = VecDeque::from([(ended.id, ended.outcome)]);
    while let Some((upstream, outcome)) = ends.pop_front() {
        // Locked already: it is the one that was named, or was ended here.
        if let Some(mut told) = tx.lock(Execution::at(&upstream)).await?
            && told.uncascaded_since.take().is_some()
        {
            tx.put(&told);
        }
        for edge in tx.get(Edge::OUT.of(&flow).and(&upstream)).await? {
            if edge.state != EdgeState::Unsatisfied {
                continue;
            }
            resolved += 1;
            if let Some(member) = resolve_edge(tx, edge, outcome, now).await? {
                skipped += 1;
                ends.push_back((member.id, member.outcome));
            }
        }
    }
    Ok(CascadeOutcome::synchronous(resolved, skipped))
}
