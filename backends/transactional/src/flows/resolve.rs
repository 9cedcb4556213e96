//! What the end of a member means for those that depend on it.

use ff_core::contracts::{
    EdgeDependencyPolicy, EdgeGroupState, ResolveDependencyArgs, ResolveDependencyOutcome,
};
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::state::{AttemptLifecycle, BlockingReason, EligibilityState, TerminalOutcome};
use ff_core::types::TimestampMs;

use super::groups::group_of;
use super::interrupt::{interrupt, tell_revoked};
use super::siblings::note_remaining;
use crate::arguments::upstream_outcome;
use crate::engine::Rule;
use crate::executions::end;
use crate::records::{Edge, EdgeState, Execution, ExecutionResult, Flow, Payload};
use crate::session::Session;
use crate::store::Tx;

/// Counts an upstream's end on one dependency (DEP-010 to DEP-013, DEP-051).
pub(crate) async fn resolve<T: Tx>(
    tx: &mut Session<T>,
    args: &ResolveDependencyArgs,
) -> Rule<ResolveDependencyOutcome> {
    let outcome = upstream_outcome(args)?;
    tx.lock(Flow::at(&args.flow_id)).await?;
    let edge = match tx.get(Edge::at(&args.flow_id, &args.edge_id)).await? {
        Some(edge) if is_applied_as(&edge, args) => edge,
        _ => {
            return Err(EngineError::validation(
                ValidationKind::InvalidDependency,
                format!("edge {} is not applied like that", args.edge_id),
            )
            .into());
        }
    };
    if edge.state != EdgeState::Unsatisfied {
        return Ok(ResolveDependencyOutcome::AlreadyResolved);
    }
    let now = tx.now().await?;
    resolve_edge(tx, edge, outcome, now).await?;
    Ok(if outcome == TerminalOutcome::Success {
        ResolveDependencyOutcome::Satisfied
    } else {
        ResolveDependencyOutcome::Impossible
    })
}

fn is_applied_as(edge: &Edge, args: &ResolveDependencyArgs) -> bool {
    edge.state != EdgeState::Staged
        && edge.upstream == args.upstream_execution_id
        && edge.downstream == args.downstream_execution_id
}

/// Counts an outcome on an edge that waits for it. The downstream, if that has ended it.
pub(super) async fn resolve_edge<T: Tx>(
    tx: &mut Session<T>,
    mut edge: Edge,
    outcome: TerminalOutcome,
    now: TimestampMs,
) -> Rule<Option<Execution>> {
    let success = outcome == TerminalOutcome::Success;
    edge.state = if success { EdgeState::Satisfied } else { EdgeState::Impossible };
    tx.put(&edge);
    let mut group = group_of(tx, &edge).await?;
    let fired = group.count(outcome)?;
    if fired.is_some() {
        note_remaining(tx, &mut group, &edge.upstream, now).await?;
    }
    tx.put(&group);
    let decides =
        group.policy == EdgeDependencyPolicy::AllOf || fired == Some(EdgeGroupState::Satisfied);
    let passes_data = success && decides && edge.data_passing_ref.is_some();
    if fired.is_none() && !passes_data {
        return Ok(None);
    }
    let Some(mut member) = tx.lock(Execution::at(&edge.downstream)).await? else {
        return Ok(None);
    };
    if member.is_terminal() {
        return Ok(None);
    }
    if passes_data {
        pass_data(tx, &edge, &mut member, now).await?;
    }
    match fired {
        Some(EdgeGroupState::Satisfied) => {
            release(tx, &mut member, now);
            Ok(None)
        }
        Some(EdgeGroupState::Impossible) => {
            skip(tx, &mut member, now);
            Ok(Some(member))
        }
        _ => Ok(None),
    }
}

/// Hands the upstream's result to the downstream as its input, if there is one (DEP-019,
/// DEP-046).
async fn pass_data<T: Tx>(
    tx: &mut Session<T>,
    edge: &Edge,
    member: &mut Execution,
    now: TimestampMs,
) -> Rule<()> {
    let Some(result) = tx.get(ExecutionResult::at(&edge.upstream)).await? else {
        return Ok(());
    };
    tx.put(&Payload { execution: member.id.clone(), bytes: result.bytes });
    member.touch(now);
    tx.put(member);
    Ok(())
}

/// Lets a member run that waited for its dependencies, once its delay is over (DEP-015, DEP-016).
fn release<T: Tx>(tx: &mut Session<T>, member: &mut Execution, now: TimestampMs) {
    if member.eligibility != EligibilityState::BlockedByDependencies {
        return;
    }
    match member.delay_until {
        Some(until) if until > now => {
            member.park_until(until, BlockingReason::WaitingForDelay, now);
        }
        _ => member.make_eligible(now),
    }
    tx.put(member);
}

/// Ends a member that cannot run any more, whoever holds it (DEP-017, DEP-018).
fn skip<T: Tx>(tx: &mut Session<T>, member: &mut Execution, now: TimestampMs) {
    if let Some(lease) = interrupt(tx, member, AttemptLifecycle::EndedCancelled, None, now) {
        tell_revoked(tx, member, Some(lease), "reconciler", now);
    }
    end(tx, member, TerminalOutcome::Skipped, now);
}
