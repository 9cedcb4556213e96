//! Letting dependencies take effect.

use ff_core::contracts::{
    ApplyDependencyToChildArgs, ApplyDependencyToChildResult, EdgeGroupState,
};
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::state::LifecyclePhase;

use super::groups::group_of;
use super::stage::reference;
use super::{known_flow, refuse_closed};
use crate::engine::Rule;
use crate::executions::existing;
use crate::records::{Edge, EdgeState, Execution};
use crate::session::Session;
use crate::store::Tx;

/// Lets a staged dependency take effect (GRA-010 to GRA-016, GRA-028).
pub(crate) async fn apply_dependency<T: Tx>(
    tx: &mut Session<T>,
    args: &ApplyDependencyToChildArgs,
) -> Rule<ApplyDependencyToChildResult> {
    let flow = known_flow(tx, &args.flow_id).await?;
    let mut edge = match tx.get(Edge::at(&flow.id, &args.edge_id)).await? {
        Some(edge) if is_staged_as(&edge, args) => edge,
        _ => {
            return Err(EngineError::validation(
                ValidationKind::InvalidDependency,
                format!("edge {} is not staged like that", args.edge_id),
            )
            .into());
        }
    };
    if edge.state != EdgeState::Staged {
        return Ok(ApplyDependencyToChildResult::AlreadyApplied);
    }
    refuse_closed(&flow)?;
    let mut child = existing(tx, &edge.downstream).await?;
    let mut group = group_of(tx, &edge).await?;
    edge.state = EdgeState::Unsatisfied;
    tx.put(&edge);
    group.apply(child.is_terminal());
    tx.put(&group);
    let now = tx.now().await?;
    if let Some(upstream) = tx.get(Execution::at(&edge.upstream)).await?
        && upstream.is_terminal()
        && let Some(mut upstream) = tx.lock(Execution::at(&edge.upstream)).await?
    {
        // Its end did not reach this edge.
        upstream.uncascaded_since = upstream.is_terminal().then_some(now);
        tx.put(&upstream);
    }
    if group.group_state == EdgeGroupState::Pending && child.phase == LifecyclePhase::Runnable {
        child.block_by_dependencies(now);
        tx.put(&child);
    }
    Ok(ApplyDependencyToChildResult::Applied { unsatisfied_count: group.running_count })
}

fn is_staged_as(edge: &Edge, args: &ApplyDependencyToChildArgs) -> bool {
    edge.upstream == args.upstream_execution_id
        && edge.downstream == args.downstream_execution_id
        && edge.dependency_kind == args.dependency_kind
        && edge.data_passing_ref == reference(args.data_passing_ref.as_ref())
}
