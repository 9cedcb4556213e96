//! Cancelling flows.

use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, FailureClass};
use ff_core::contracts::{CancelFlowArgs, CancelFlowHeader, CancelFlowResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, FlowId};

use crate::stage::{CALLERS_NOW, Failure, Verdict, World, case};

/// A flow with a member in each state.
pub(super) struct Mixed {
    pub(super) flow: FlowId,
    pub(super) waiting: ExecutionId,
    pub(super) delayed: ExecutionId,
    pub(super) blocked: ExecutionId,
    pub(super) held: ExecutionId,
    pub(super) lapsed: ExecutionId,
    pub(super) ended: ExecutionId,
}

impl Mixed {
    pub(super) async fn new(world: &World) -> Result<Self, Failure> {
        let flow = world.flow().await?;
        let (ended, handle) = world.execution_for(&flow).claimed().await?;
        world.complete(&handle, None).await?;
        let (held, _) = world.execution_for(&flow).claimed().await?;
        let lapsed = world.execution_for(&flow).create().await?;
        world.worker().ttl(5).claim().await?;
        world.pass_ms(5).await?;
        world.mark_lapsed(&lapsed).await?;
        let delayed = world.execution_for(&flow).delay_until(world.in_ms(60_000)).create().await?;
        let waiting = world.execution_for(&flow).create().await?;
        let blocked = world.execution_for(&flow).create().await?;
        let mixed = Self { flow, waiting, delayed, blocked, held, lapsed, ended };
        for member in mixed.members() {
            world.join(&flow, member).await?;
        }
        let edge = world.staged(&flow, &mixed.waiting, &mixed.blocked, 6).await?;
        world.apply_dependency_to_child(edge).await?;
        Ok(mixed)
    }

    pub(super) fn members(&self) -> [&ExecutionId; 6] {
        [&self.waiting, &self.delayed, &self.blocked, &self.held, &self.lapsed, &self.ended]
    }

    async fn cancel(
        &self,
        world: &World,
        policy: CancelFlowPolicy,
    ) -> Result<CancelFlowResult, Failure> {
        Ok(sorted(world.cancel_flow(&self.flow, policy, world.longest_wait()).await?))
    }

    /// Cancels, and asserts that exactly these members have ended by it.
    async fn expect_cancelled(
        &self,
        world: &World,
        policy: CancelFlowPolicy,
        cancelled: &[&ExecutionId],
    ) -> Verdict {
        let mut before = Vec::new();
        for member in self.members() {
            before.push(world.observe(member).await?);
        }
        self.cancel(world, policy).await?;
        for (member, before) in self.members().into_iter().zip(before) {
            if cancelled.contains(&member) {
                let state = world.read_execution_state(member).await?;
                expect_eq!(state, Some(PublicState::Cancelled), "{member} is cancelled");
            } else {
                expect_eq!(world.observe(member).await?, before, "{member} is left alone");
            }
        }
        Ok(())
    }
}

/// The result, whatever the order of its members.
fn sorted(mut result: CancelFlowResult) -> CancelFlowResult {
    if let CancelFlowResult::Cancelled { member_execution_ids, .. } = &mut result {
        member_execution_ids.sort();
    }
    result
}

/// A flow that is not there.
#[case(CAN_002)]
async fn unknown(world: World) -> Verdict {
    let flow = FlowId::from_uuid(world.uuid());
    let wait = CancelFlowWait::NoWait;
    let answer = world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await;
    expect_refused!(answer, "not_found.flow");
    Ok(())
}

/// All members that have not ended.
#[case(CAN_003, CAN_005)]
async fn all(world: World) -> Verdict {
    let mixed = Mixed::new(&world).await?;
    let cancelled = [&mixed.waiting, &mixed.delayed, &mixed.blocked, &mixed.held, &mixed.lapsed];
    mixed.expect_cancelled(&world, CancelFlowPolicy::CancelAll, &cancelled).await?;
    for member in cancelled {
        let attempted = [&mixed.held, &mixed.lapsed].contains(&member);
        let attempt = if attempted { "attempt_terminal" } else { "none" };
        world
            .expect_fields(
                member,
                [
                    ("lifecycle_phase", Some("terminal")),
                    ("ownership_state", Some("unowned")),
                    ("eligibility_state", Some("not_applicable")),
                    ("blocking_reason", None),
                    ("terminal_outcome", Some("cancelled")),
                    ("attempt_state", Some(attempt)),
                    ("current_lease_id", None),
                    ("delay_until", None),
                ],
            )
            .await?;
        world.expect_fields(member, [("completed_at", world.now().to_string())]).await?;
    }
    expect_eq!(world.worker().try_claim().await?, None, "none can be claimed");
    Ok(())
}

/// Only members that no worker holds.
#[case(CAN_003)]
async fn pending(world: World) -> Verdict {
    let mixed = Mixed::new(&world).await?;
    let cancelled = [&mixed.waiting, &mixed.delayed, &mixed.blocked];
    mixed.expect_cancelled(&world, CancelFlowPolicy::CancelPending, &cancelled).await
}

/// No member, and they run on.
#[case(CAN_003)]
async fn flow_only(world: World) -> Verdict {
    let mixed = Mixed::new(&world).await?;
    mixed.expect_cancelled(&world, CancelFlowPolicy::FlowOnly, &[]).await?;
    let handle = world.worker().claim().await?;
    world.complete(&handle, None).await?;
    let state = world.read_execution_state(&mixed.waiting).await?;
    expect_eq!(state, Some(PublicState::Completed), "a member runs to its own end");
    Ok(())
}

/// The worker of a cancelled member is told, and changes nothing.
#[case(CAN_006)]
async fn holder(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (id, handle) = world.execution_for(&flow).retries(9, 0).claimed().await?;
    world.join(&flow, &id).await?;
    let wait = CancelFlowWait::NoWait;
    world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await?;
    let before = world.observe(&id).await?;
    let over = "contention.execution_not_active";
    expect_refused!(world.renew(&handle).await, over, "renew");
    expect_refused!(world.progress(&handle, Some(1), None).await, over, "progress");
    expect_refused!(world.complete(&handle, None).await, over, "complete");
    expect_refused!(world.fail_with(&handle, FailureClass::Transient).await, over, "fail");
    expect_refused!(world.cancel(&handle, "why").await, over, "cancel");
    expect_eq!(world.observe(&id).await?, before, "it stays cancelled");

    let (id, handle) = world.execution().retries(9, 60_000).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    let flow = world.flow().await?;
    if world.join(&flow, &id).await.is_ok() {
        world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await?;
        let again = world.fail_with(&handle, FailureClass::Transient).await;
        expect_refused!(again, over, "a repetition is none once it is cancelled");
    }
    Ok(())
}

/// Members have ended when the call returns, though nobody waits for them.
#[case(CAN_036)]
async fn at_once(world: World) -> Verdict {
    let mixed = Mixed::new(&world).await?;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    world.cancel_flow(&mixed.flow, policy, wait).await?;
    for member in [&mixed.waiting, &mixed.delayed, &mixed.blocked, &mixed.held, &mixed.lapsed] {
        let state = world.read_execution_state(member).await?;
        expect_eq!(state, Some(PublicState::Cancelled), "{member} is cancelled");
    }
    Ok(())
}

/// Members come in ascending order, from a flow and from a header.
#[case(CAN_035)]
async fn ascending(world: World) -> Verdict {
    let flow = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..8 {
        members.push(world.member(&flow).await?.to_string());
    }
    members.sort();
    let (policy, wait) = (CancelFlowPolicy::FlowOnly, CancelFlowWait::NoWait);
    let result = world.cancel_flow(&flow, policy, wait).await?;
    let CancelFlowResult::Cancelled { member_execution_ids: named, .. } = result else {
        return Err(Failure::new(format!("it is cancelled, so not {result:?}")));
    };
    expect_eq!(named, members, "cancelled");
    let header = |flow_id| CancelFlowArgs {
        flow_id,
        cancellation_policy: "flow_only".to_owned(),
        reason: String::new(),
        now: CALLERS_NOW,
    };
    let again = world.cancel_flow_header(header(flow)).await?;
    let CancelFlowHeader::AlreadyTerminal { member_execution_ids: named, .. } = again else {
        return Err(Failure::new(format!("it was cancelled, so not {again:?}")));
    };
    expect_eq!(named, members, "cancelled already");
    let flow = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..8 {
        members.push(world.member(&flow).await?.to_string());
    }
    members.sort();
    let first = world.cancel_flow_header(header(flow)).await?;
    let CancelFlowHeader::Cancelled { member_execution_ids: named, .. } = first else {
        return Err(Failure::new(format!("it is cancelled, so not {first:?}")));
    };
    expect_eq!(named, members, "cancelled by a header");
    Ok(())
}

/// The policy's name and all members.
#[case(CAN_010)]
async fn result(world: World) -> Verdict {
    for (policy, name) in [
        (CancelFlowPolicy::FlowOnly, "flow_only"),
        (CancelFlowPolicy::CancelPending, "cancel_pending"),
        (CancelFlowPolicy::CancelAll, "cancel_all"),
    ] {
        let mixed = Mixed::new(&world).await?;
        let mut ids = mixed.members().map(ToString::to_string).to_vec();
        ids.sort();
        let expected = CancelFlowResult::Cancelled {
            cancellation_policy: name.to_owned(),
            member_execution_ids: ids,
        };
        expect_eq!(mixed.cancel(&world, policy).await?, expected);
        let empty = world.flow().await?;
        let expected = CancelFlowResult::Cancelled {
            cancellation_policy: name.to_owned(),
            member_execution_ids: Vec::new(),
        };
        let answer = world.cancel_flow(&empty, policy, CancelFlowWait::NoWait).await?;
        expect_eq!(answer, expected, "a flow without members");
        // Whatever is still claimable stays out of the next round's way.
        world.worker().drains().await?;
    }
    Ok(())
}

/// A second cancellation, with a wider policy.
#[case(CAN_012)]
async fn again(world: World) -> Verdict {
    let mixed = Mixed::new(&world).await?;
    let first = mixed.cancel(&world, CancelFlowPolicy::CancelPending).await?;
    let before = world.observe(&mixed.held).await?;
    let cancelled = world.observe(&mixed.waiting).await?;
    world.pass_ms(100).await?;
    for policy in
        [CancelFlowPolicy::CancelAll, CancelFlowPolicy::CancelPending, CancelFlowPolicy::FlowOnly]
    {
        expect_eq!(mixed.cancel(&world, policy).await?, first, "the first stands");
    }
    expect_eq!(world.observe(&mixed.held).await?, before, "nothing more is cancelled");
    expect_eq!(world.observe(&mixed.waiting).await?, cancelled, "nor cancelled again");
    Ok(())
}

/// With a wait, the members have ended.
#[case(CAN_013)]
async fn waits(world: World) -> Verdict {
    for wait in
        [CancelFlowWait::WaitTimeout(Duration::from_secs(20)), CancelFlowWait::WaitIndefinite]
    {
        let mixed = Mixed::new(&world).await?;
        world.cancel_flow(&mixed.flow, CancelFlowPolicy::CancelAll, wait).await?;
        for member in mixed.members() {
            let phase = world.field(member, "lifecycle_phase").await?;
            expect_eq!(phase.as_deref(), Some("terminal"), "{member} has ended");
        }
    }
    Ok(())
}

/// Against claims and completions.
#[case(CAN_014, ATT_029, needs(concurrency))]
async fn race(world: World) -> Verdict {
    let flow = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..12 {
        members.push(world.member(&flow).await?);
    }
    let mut handles = Vec::new();
    for _ in 0..4 {
        handles.push(world.worker().claim().await?);
    }
    let cancel = {
        let world = world.clone();
        let wait = CancelFlowWait::NoWait;
        tokio::spawn(
            async move { world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await },
        )
    };
    let workers: Vec<_> = handles
        .into_iter()
        .map(|handle| {
            let world = world.clone();
            tokio::spawn(async move {
                let done = world.complete(&handle, None).await.is_ok();
                let next = world.worker().try_claim().await;
                (done, next)
            })
        })
        .collect();
    cancel.await.map_err(|error| Failure::new(error.to_string()))??;
    let mut completed = 0;
    for worker in workers {
        let (done, next) = worker.await.map_err(|error| Failure::new(error.to_string()))?;
        completed += usize::from(done);
        if let Some(handle) = next? {
            let over = "contention.execution_not_active";
            expect_refused!(world.renew(&handle).await, over, "no lease on a cancelled member");
        }
    }
    let mut success = 0;
    for member in &members {
        match world.field(member, "terminal_outcome").await?.as_deref() {
            Some("success") => success += 1,
            Some("cancelled") => {}
            other => return Err(Failure::new(format!("{member} has ended, not {other:?}"))),
        }
    }
    expect_eq!(success, completed, "members whose completion was first");
    Ok(())
}

/// A cancelled flow does not grow.
#[case(CAN_015)]
async fn closed(world: World) -> Verdict {
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let edge = world.staged(&flow, &up, &down, 2).await?;
    let late = world.execution_for(&flow).create().await?;
    let wait = CancelFlowWait::NoWait;
    world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await?;
    let closed = "state.flow_already_terminal";
    expect_refused!(world.join(&flow, &late).await, closed, "a member");
    expect_refused!(world.join(&flow, &up).await, closed, "even one it has");
    let args = world.edge_args(&flow, &up, &down, 3);
    expect_refused!(world.stage_dependency_edge(args).await, closed, "an edge");
    expect_refused!(world.apply_dependency_to_child(edge).await, closed, "an effect");
    world.set_execution_tag(&up, "app.k", "v").await?;
    expect_eq!(world.get_execution_tag(&up, "app.k").await?.as_deref(), Some("v"), "tags go on");
    Ok(())
}

/// Under each policy.
#[case(CAN_007)]
async fn suspended(world: World) -> Verdict {
    world.sign().await?;
    for (policy, state, code) in [
        (CancelFlowPolicy::CancelAll, "cancelled", Some("state.target_not_signalable")),
        (CancelFlowPolicy::CancelPending, "suspended", None),
        (CancelFlowPolicy::FlowOnly, "suspended", None),
    ] {
        let flow = world.flow().await?;
        let claimed = world.execution_for(&flow).claimed().await?;
        world.join(&flow, &claimed.0).await.map_err(Failure::setup_refused)?;
        let suspended = world.suspended_by(claimed, world.plain_suspension()).await;
        let suspended = suspended.map_err(Failure::in_setup)?;
        world.cancel_flow(&flow, policy, world.longest_wait()).await?;
        world.expect_fields(&suspended.id, [("public_state", state)]).await?;
        let delivered = world.deliver_signal(world.signal(&suspended.target())).await;
        match code {
            Some(code) => expect_refused!(delivered, code, "{policy:?}"),
            None => drop(delivered?),
        }
    }
    Ok(())
}
