//! What time, or an earlier crash, has made due: the calls that see to it.

use ff_core::backend::CompletionPayload;
use ff_core::call::Call;
use ff_core::contracts::{CancelExecutionArgs, EdgeGroupState};
use ff_core::engine_backend::ExpirePhase;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{CancelSource, ExecutionId, TimestampMs};

use crate::engine::Rule;
use crate::executions::Due;
use crate::page::{MAX_PAGE, partition_of};
use crate::records::{Backlog, EdgeGroup, Execution, Flow, Waitpoint};
use crate::session::Session;
use crate::store::Tx;

/// The calls, at most `limit` (HSK-001 to HSK-012).
pub(crate) async fn due<T: Tx>(
    tx: &mut Session<T>,
    key: &PartitionKey,
    limit: usize,
) -> Rule<Vec<Call>> {
    let partition = partition_of(key)?.index;
    let limit = limit.min(MAX_PAGE);
    let now = tx.now().await?;
    let executions = Execution::DUE.of(&partition).up_to(&now).limit(limit);
    let left = Backlog::DUE.of(&partition).up_to(&now).limit(limit);
    let noted = EdgeGroup::NOTED.of(&partition).up_to(&now).limit(limit);
    let pending = Waitpoint::DUE.of(&partition).up_to(&now).limit(limit);
    let (executions, left, noted, pending) = tx.get((executions, left, noted, pending)).await?;
    let mut calls: Vec<Call> =
        executions.iter().flat_map(|execution| see_to(execution, now)).collect();
    for left in left {
        calls.push(sees_to_member(tx, left, now).await?);
    }
    for group in noted {
        calls.extend(see_to_siblings(tx, group, now).await?);
    }
    calls.extend(pending.into_iter().map(|waitpoint| Call::CloseWaitpoint {
        partition: home_of(&waitpoint.execution),
        waitpoint_id: waitpoint.id.to_string(),
        execution_id: waitpoint.execution,
        now_ms: now,
    }));
    calls.truncate(limit);
    Ok(calls)
}

/// The calls that see to an execution whose time has come.
fn see_to(execution: &Execution, now: TimestampMs) -> impl Iterator<Item = Call> {
    let due = execution.dues().filter(move |(_, at)| *at <= now);
    due.filter_map(move |(due, _)| sees_to(execution, due, now))
}

fn sees_to(execution: &Execution, due: Due, now: TimestampMs) -> Option<Call> {
    let (partition, execution_id) = (home_of(&execution.id), execution.id.clone());
    let expire =
        |phase, execution_id| Call::ExpireExecution { partition, execution_id, phase, now_ms: now };
    Some(match due {
        Due::Deadline => expire(ExpirePhase::ExecutionDeadline, execution_id),
        Due::Attempt => expire(ExpirePhase::AttemptTimeout, execution_id),
        Due::Suspension => Call::ExpireSuspension { partition, execution_id, now_ms: now },
        Due::Delay => {
            let lane = execution.lane.clone();
            Call::PromoteDelayed { partition, lane, execution_id, now_ms: now }
        }
        Due::Lease => Call::MarkLeaseExpiredIfDue { partition, execution_id },
        Due::End => {
            let (outcome, ended_at) = (execution.outcome.as_str(), execution.completed_at?);
            let payload = CompletionPayload::new(execution_id, outcome, None, ended_at);
            Call::CascadeCompletion { payload: payload.with_flow_id(execution.flow?) }
        }
    })
}

fn home_of(execution: &ExecutionId) -> Partition {
    Partition { family: PartitionFamily::Execution, index: execution.partition() }
}

/// A member that a header left to others is cancelled, and acknowledged once it has ended.
async fn sees_to_member<T: Tx>(tx: &mut Session<T>, left: Backlog, now: TimestampMs) -> Rule<Call> {
    let asked = (Flow::at(&left.flow), Execution::at(&left.member));
    let (flow, member) = tx.get(asked).await?;
    if member.is_none_or(|member| member.is_terminal()) {
        return Ok(Call::AckCancelMember { flow_id: left.flow, execution_id: left.member });
    }
    let reason = flow.and_then(|flow| flow.cancel_reason);
    let reason = reason.unwrap_or_else(|| "flow_cancelled".to_owned());
    Ok(cancel(left.member, reason, now))
}

/// Siblings that a decided group does not need are cancelled, and forgotten once all have ended.
async fn see_to_siblings<T: Tx>(
    tx: &mut Session<T>,
    group: EdgeGroup,
    now: TimestampMs,
) -> Rule<Vec<Call>> {
    let noted: Vec<ExecutionId> = group.pending_cancel.into_iter().flatten().collect();
    let found = tx.get(noted.iter().map(Execution::at).collect::<Vec<_>>()).await?;
    let running = found.into_iter().flatten().filter(|sibling| !sibling.is_terminal());
    let reason = match group.group_state {
        EdgeGroupState::Impossible => "sibling_quorum_impossible",
        _ => "sibling_quorum_satisfied",
    };
    let mut calls: Vec<Call> =
        running.map(|sibling| cancel(sibling.id, reason.to_owned(), now)).collect();
    if calls.is_empty() {
        calls.push(Call::DrainSiblingCancelGroup {
            flow_partition: Partition {
                family: PartitionFamily::Flow,
                index: group.downstream.partition(),
            },
            flow_id: group.flow,
            downstream_eid: group.downstream,
        });
    }
    Ok(calls)
}

fn cancel(execution_id: ExecutionId, reason: String, now: TimestampMs) -> Call {
    let args = CancelExecutionArgs {
        execution_id,
        attempt_id: None,
        lease_epoch: None,
        lease_id: None,
        reason,
        source: CancelSource::OperatorOverride,
        now,
    };
    Call::CancelExecution { args }
}
