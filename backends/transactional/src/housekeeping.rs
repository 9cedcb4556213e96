//! What time, or an earlier crash, has made due: the calls that see to it.

use ff_core::backend::CompletionPayload;
use ff_core::call::Call;
use ff_core::contracts::{CancelExecutionArgs, EdgeGroupState, ResetBudgetArgs};
use ff_core::engine_backend::ExpirePhase;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey};
use ff_core::state::BlockingReason;
use ff_core::types::{BudgetId, CancelSource, ExecutionId, TimestampMs};

use crate::engine::Rule;
use crate::executions::Due;
use crate::page::{MAX_PAGE, partition_of};
use crate::records::{Backlog, Budget, EdgeGroup, Execution, Flow, Waitpoint};
use crate::session::Session;
use crate::store::Tx;

/// The calls, at most `limit` (HSK-001 to HSK-014).
pub(crate) async fn due<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    key: &PartitionKey,
    limit: usize,
) -> Rule<Vec<Call>> {
    let Partition { family, index: partition } = partition_of(key)?;
    let limit = limit.min(MAX_PAGE);
    let now = tx.now().await?;
    match family {
        PartitionFamily::Budget => {
            let over = tx.get(Budget::DUE.of(&partition).up_to(&now).limit(limit)).await?;
            let reset = |budget: Budget| ResetBudgetArgs { budget_id: budget.id, now };
            return Ok(over.into_iter().map(|it| Call::ResetBudget { args: reset(it) }).collect());
        }
        PartitionFamily::Quota => return Ok(Vec::new()),
        PartitionFamily::Flow | PartitionFamily::Execution => {}
    }
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
    if calls.len() < limit {
        calls.extend(admit_again(tx, partitions, partition, limit - calls.len()).await?);
    }
    calls.truncate(limit);
    Ok(calls)
}

/// Lifts the blocks that are there for want of a budget which has room again.
async fn admit_again<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    partition: u16,
    limit: usize,
) -> Rule<Vec<Call>> {
    let now = tx.now().await?;
    let mut calls = Vec::new();
    let mut seen: Option<BudgetId> = None;
    while calls.len() < limit {
        // Jumps from one budget to the next, however many executions it keeps waiting.
        let next = Execution::DENIED.of(&partition).after(seen.as_ref()).limit(1);
        seen = tx.get(next).await?.first().and_then(|first| first.denied_by);
        let Some(id) = seen else {
            break;
        };
        if tx.get(Budget::named(&id, partitions)).await?.is_some_and(|it| it.is_exhausted()) {
            continue;
        }
        let denied = Execution::DENIED.of(&partition).and(&id).limit(limit - calls.len());
        calls.extend(tx.get(denied).await?.into_iter().map(|execution| Call::UnblockExecution {
            partition: home_of(&execution.id),
            lane_id: execution.lane,
            execution_id: execution.id,
            expected_blocking_reason: BlockingReason::WaitingForBudget.as_str().to_owned(),
            now_ms: now,
        }));
    }
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
