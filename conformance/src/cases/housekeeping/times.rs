//! Delays that end and leases that lapse.

use ff_core::backend::TimeoutBehavior;
use ff_core::call::Call;
use ff_core::contracts::BlockingReason;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, TimestampMs};

use crate::stage::{Failure, Verdict, Way, World, case, revocation};

impl World {
    /// What is due, as method and execution.
    pub(super) async fn due_names(&self) -> Result<Vec<(String, Option<ExecutionId>)>, Failure> {
        let due = self.due().await?;
        Ok(due.iter().map(|call| (call.method().to_string(), about(call))).collect())
    }
}

/// The execution that a listed call is about.
pub(super) fn about(call: &Call) -> Option<ExecutionId> {
    match call {
        Call::PromoteDelayed { execution_id, .. }
        | Call::MarkLeaseExpiredIfDue { execution_id, .. }
        | Call::ExpireSuspension { execution_id, .. }
        | Call::ExpireExecution { execution_id, .. }
        | Call::CloseWaitpoint { execution_id, .. }
        | Call::UnblockExecution { execution_id, .. }
        | Call::AckCancelMember { execution_id, .. } => Some(execution_id.clone()),
        Call::CascadeCompletion { payload } => Some(payload.execution_id.clone()),
        Call::CancelExecution { args } => Some(args.execution_id.clone()),
        Call::DrainSiblingCancelGroup { downstream_eid, .. } => Some(downstream_eid.clone()),
        _ => None,
    }
}

pub(super) fn named(method: &str, id: &ExecutionId) -> (String, Option<ExecutionId>) {
    (method.to_owned(), Some(id.clone()))
}

/// Delays of creations and of retries, to the millisecond.
#[case(HSK_001, needs(clock, housekeeping))]
async fn delays(world: World) -> Verdict {
    let id = world.execution().delay_until(world.in_ms(500)).retries(1, 200).create().await?;
    let later = world.execution().delay_until(world.in_ms(90_000)).create().await?;
    expect_eq!(world.due_names().await?, [], "it is delayed");
    world.pass_ms(499).await?;
    expect_eq!(world.due_names().await?, [], "a millisecond early");
    world.pass_ms(1).await?;
    for _ in 0..2 {
        expect_eq!(world.due_names().await?, [named("promote_delayed", &id)], "it is over");
    }
    expect_eq!(world.settle().await?, 1);
    world.expect_fields(&id, [("public_state", "waiting")]).await?;
    let handle = world.worker().ttl(80_000).claim().await?;
    world.fail_with(&handle, ff_core::backend::FailureClass::Transient).await?;
    world.pass_ms(199).await?;
    expect_eq!(world.due_names().await?, [], "a retry waits");
    world.pass_ms(1).await?;
    expect_eq!(world.due_names().await?, [named("promote_delayed", &id)], "a retry is due");
    world.promote(&id).await?;
    expect_eq!(world.due_names().await?, [], "promoted");
    world.expect_fields(&later, [("public_state", "delayed")]).await
}

/// Leases, renewed and not, to the millisecond.
#[case(HSK_002, needs(clock, housekeeping))]
async fn leases(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(1_000).claim().await?;
    let other = world.execution().lane("long").create().await?;
    let _held = world.worker().lane("long").ttl(100_000).claim().await?;
    world.pass_ms(600).await?;
    world.renew(&handle).await?;
    world.pass_ms(999).await?;
    expect_eq!(world.due_names().await?, [], "it was renewed");
    world.pass_ms(1).await?;
    let marks = [named("mark_lease_expired_if_due", &id)];
    for _ in 0..2 {
        expect_eq!(world.due_names().await?, marks, "it is due");
    }
    expect_eq!(world.settle().await?, 1);
    world.expect_fields(&id, [("ownership_state", "lease_expired_reclaimable")]).await?;
    world.expect_fields(&other, [("ownership_state", "leased")]).await?;
    world.execution().lane("done").create().await?;
    let done = world.worker().lane("done").claim().await?;
    world.complete(&done, None).await?;
    world.pass_ms(50_000).await?;
    expect_eq!(world.due_names().await?, [], "no lease is left of what has ended");
    Ok(())
}

/// Attempts, held and left behind, to the millisecond.
#[case(HSK_011, needs(clock, housekeeping))]
async fn attempts(world: World) -> Verdict {
    let limited = || world.execution().attempts_of_ms(500);
    let held = limited().create().await?;
    let handle = world.worker().ttl(600_000).claim().await?;
    let (revoked, _) = limited().lane("revoked").claimed().await?;
    world.revoke_lease(revocation(&revoked)).await?;
    let (_aside, other) = limited().lane("aside").claimed().await?;
    world.delay(&other, world.in_ms(90_000)).await?;
    world.pass_ms(499).await?;
    expect_eq!(world.due_names().await?, [], "a millisecond early");
    world.pass_ms(1).await?;
    let mut due = [named("expire_execution", &held), named("expire_execution", &revoked)];
    due.sort();
    for _ in 0..2 {
        let mut listed = world.due_names().await?;
        listed.sort();
        expect_eq!(listed, due, "they are out of time");
    }
    world.complete(&handle, None).await?;
    expect_eq!(world.due_names().await?, [named("expire_execution", &revoked)], "one is over");
    expect_eq!(world.settle().await?, 1);
    world.expect_fields(&revoked, [("failure_reason", "attempt_timeout")]).await
}

/// Deadlines of what waits, is delayed and is held, to the millisecond.
#[case(HSK_012, needs(clock, housekeeping))]
async fn deadlines(world: World) -> Verdict {
    let limited = || world.execution().deadline_at(world.in_ms(500));
    let waiting = limited().lane("waiting").create().await?;
    let delayed = limited().delay_until(world.in_ms(90_000)).create().await?;
    let held = limited().create().await?;
    world.worker().ttl(600_000).claim().await?;
    let (_, handle) = limited().lane("over").claimed().await?;
    world.complete(&handle, None).await?;
    world.pass_ms(499).await?;
    expect_eq!(world.due_names().await?, [], "a millisecond early");
    world.pass_ms(1).await?;
    let mut due = [&waiting, &delayed, &held].map(|id| named("expire_execution", id));
    due.sort();
    for _ in 0..2 {
        let mut listed = world.due_names().await?;
        listed.sort();
        expect_eq!(listed, due, "they are out of time");
    }
    expect_eq!(world.settle().await?, 3);
    for id in [waiting, delayed, held] {
        world.expect_fields(&id, [("failure_reason", "execution_deadline")]).await?;
    }
    Ok(())
}

/// Limits, partitions, and keys that are refused.
#[case(HSK_006, needs(housekeeping))]
async fn pages(world: World) -> Verdict {
    let mut ids = Vec::new();
    let last = world.in_ms(1_800);
    for number in 0..5 {
        let delay = TimestampMs(last.0 - number);
        ids.push(world.execution().delay_until(delay).create().await?);
    }
    world.pass_ms(1_800).await?;
    let home = ids[0].partition();
    for limit in [0, 1, 4, 5, 6, 1_000, 5_000] {
        let due = world.due_in(home, limit).await?;
        expect_eq!(due.len(), limit.min(5), "at most {limit}");
    }
    // The first to have been due comes first.
    let due = world.due_in(home, 1).await?;
    expect_eq!(due.first().and_then(about), ids.last().cloned(), "the earliest");
    let count = world.partitions().num_flow_partitions;
    if count > 1 {
        expect_eq!(world.due_in((home + 1) % count, 10).await?, [], "another partition");
    }
    for limit in [0, 10] {
        let beyond = world.due_in(count, limit).await;
        expect_refused!(beyond, "validation.invalid_input", "no such partition, {limit}");
    }
    Ok(())
}

/// One that times out, one that does not, and one that a signal ends before.
#[case(HSK_009, needs(clock, housekeeping))]
async fn suspensions(world: World) -> Verdict {
    world.sign().await?;
    let mut suspended = Vec::new();
    for behavior in [TimeoutBehavior::Escalate, TimeoutBehavior::AutoResumeWithTimeoutSignal] {
        let claimed = world.claimed().await?;
        let args = world.plain_suspension().with_timeout(world.in_ms(500), behavior);
        suspended.push(world.suspended_by(claimed, args).await?);
    }
    let claimed = world.claimed().await?;
    world.suspended_by(claimed, world.plain_suspension()).await?;
    world.pass_ms(499).await?;
    expect_eq!(world.due_names().await?, [], "a millisecond early");
    world.pass_ms(1).await?;
    world.deliver_signal(world.signal(&suspended[1].target())).await?;
    let due = [named("expire_suspension", &suspended[0].id)];
    for _ in 0..2 {
        expect_eq!(world.due_names().await?, due, "the timeout has come");
    }
    expect_eq!(world.settle().await?, 1);
    world.expect_fields(&suspended[0].id, [("blocking_reason", "paused_by_operator")]).await?;
    expect_eq!(world.due_names().await?, [], "seen to");
    Ok(())
}

/// One that nobody takes, and one that a suspension has taken.
#[case(HSK_010, needs(clock, housekeeping))]
async fn waitpoints(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let mut targets = Vec::new();
    for key in ["left", "taken"] {
        targets.push(world.pending(&claimed, key).await?);
    }
    let suspended = world.suspended_by(claimed, world.taking(&targets[1], "taken")).await?;
    world.pass_ms(59_999).await?;
    expect_eq!(world.due_names().await?, [], "a millisecond early");
    world.pass_ms(1).await?;
    let due = [named("close_waitpoint", &suspended.id)];
    for _ in 0..2 {
        expect_eq!(world.due_names().await?, due, "its deadline has come");
    }
    expect_eq!(world.settle().await?, 1);
    let listed = world.waitpoints(&suspended.id).await?;
    let listed: Vec<_> = listed.iter().map(|entry| entry.waitpoint_id).collect();
    expect_eq!(listed, [targets[1].waitpoint], "what is still open");
    Ok(())
}

/// Of two budgets, one of which is reset; beside a block that a caller has put there.
#[case(HSK_013, needs(housekeeping))]
async fn budgets(world: World) -> Verdict {
    let (one, other) =
        (world.budget(&[("cost", 5, 0)]).await?, world.budget(&[("cost", 5, 0)]).await?);
    let blocked = world.execution().create().await?;
    let mut block = world.blocking(&blocked, BlockingReason::WaitingForBudget);
    block.reason_detail = Some(one.to_string());
    world.block_execution_for_admission(block).await?;
    let mut denied = Vec::new();
    for budget in [one, one, other] {
        denied.push(world.execution().budgets(&[budget]).create().await?);
    }
    for budget in [one, other] {
        world.counts(&Way::Operator, &budget, &[("cost", 5)]).await?;
    }
    expect_eq!(world.worker().try_claim().await?, None, "both are exhausted");
    expect_eq!(world.due_names().await?, [], "neither has room");
    world.reset(&one).await?;
    let mut expected =
        denied[..2].iter().map(|id| named("unblock_execution", id)).collect::<Vec<_>>();
    expected.sort();
    for _ in 0..2 {
        let mut due = world.due_names().await?;
        due.sort();
        expect_eq!(due, expected, "the one has room");
    }
    expect_eq!(world.settle().await?, 2);
    for id in &denied[..2] {
        world.expect_fields(id, [("eligibility_state", "eligible_now")]).await?;
    }
    for id in [&denied[2], &blocked] {
        world.expect_fields(id, [("eligibility_state", "blocked_by_budget")]).await?;
    }
    Ok(())
}

/// To the millisecond, and again.
#[case(HSK_014, needs(clock, housekeeping))]
async fn resets(world: World) -> Verdict {
    let mut args = world.budget_args(&[("cost", 5, 0)]);
    args.reset_interval_ms = 500;
    let budget = world.define(args).await?;
    let never = world.budget(&[("cost", 5, 0)]).await?;
    let homes = [world.budget_home(&budget), world.budget_home(&never)];
    let due = || async {
        let mut due = Vec::new();
        for home in &homes[..if homes[0] == homes[1] { 1 } else { 2 }] {
            due.extend(world.due_at(home, 10).await?);
        }
        Ok::<_, Failure>(due)
    };
    for _ in 0..2 {
        world.counts(&Way::Operator, &budget, &[("cost", 5)]).await?;
        world.pass_ms(499).await?;
        expect_eq!(due().await?, [], "a millisecond early");
        world.pass_ms(1).await?;
        let calls = due().await?;
        let budgets = calls.iter().map(|call| match call {
            Call::ResetBudget { args } => Some(args.budget_id),
            _ => None,
        });
        expect_eq!(budgets.collect::<Vec<_>>(), [Some(budget)], "it is due");
        calls[0].send(&*world).await?;
        expect_eq!(due().await?, [], "it was reset");
        world.expect_usage(&budget, &[("cost", 0)], "it was reset").await?;
    }
    Ok(())
}
