//! Flows that are closed first and emptied by others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{CancelFlowArgs, CancelFlowHeader, CancelFlowResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId};
use futures_util::future::join_all;

use super::cancel::Mixed;
use crate::stage::{CALLERS_NOW, Failure, Verdict, World, case};

const POLICIES: [CancelFlowPolicy; 3] =
    [CancelFlowPolicy::FlowOnly, CancelFlowPolicy::CancelPending, CancelFlowPolicy::CancelAll];

const AT_ONCE: CancelFlowWait = CancelFlowWait::WaitTimeout(Duration::ZERO);

fn header(flow: FlowId, policy: &str, reason: &str) -> CancelFlowArgs {
    CancelFlowArgs {
        flow_id: flow,
        cancellation_policy: policy.to_owned(),
        reason: reason.to_owned(),
        now: CALLERS_NOW,
    }
}

impl World {
    /// Closes a flow by this policy.
    async fn close_by(&self, flow: &FlowId, policy: CancelFlowPolicy) -> Verdict {
        let args = header(*flow, policy.into(), "");
        self.cancel_flow_header(args).await?;
        Ok(())
    }

    /// Waits for a cancelled flow no longer than it takes to look.
    async fn look_at(&self, flow: &FlowId) -> Result<CancelFlowResult, EngineError> {
        let policy = CancelFlowPolicy::FlowOnly;
        self.cancel_flow(flow, policy, AT_ONCE).await
    }
}

/// The result, whatever the order of its members.
fn sorted(mut header: CancelFlowHeader) -> CancelFlowHeader {
    if let CancelFlowHeader::Cancelled { member_execution_ids, .. }
    | CancelFlowHeader::AlreadyTerminal { member_execution_ids, .. } = &mut header
    {
        member_execution_ids.sort();
    }
    header
}

fn ascending(members: &[&ExecutionId]) -> Vec<String> {
    let mut ids: Vec<String> = members.iter().map(ToString::to_string).collect();
    ids.sort();
    ids
}

/// An unknown policy, and an unknown flow.
#[case(CAN_001)]
async fn refused(world: World) -> Verdict {
    let flow = world.flow().await?;
    let unknown = world.flow_id();
    for policy in ["cancel_flow_only", "CancelAll", "", "all"] {
        for id in [flow, unknown] {
            let answer = world.cancel_flow_header(header(id, policy, "r")).await;
            expect_refused!(answer, "validation.invalid_input", "policy {policy:?}");
        }
    }
    for policy in POLICIES {
        let args = header(unknown, policy.into(), "r");
        expect_refused!(world.cancel_flow_header(args).await, "not_found.flow");
    }
    let state = world.described_flow(&flow).await?.public_flow_state;
    expect_eq!(state, "open", "nothing changes");
    Ok(())
}

/// The flow is closed, with its reason.
#[case(CAN_016, CAN_004, CAN_015, FLW_012)]
async fn closes(world: World) -> Verdict {
    for policy in POLICIES {
        for reason in ["too late", ""] {
            let flow = world.flow().await?;
            let member = world.execution_for(&flow).create().await?;
            let mut expected = world.described_flow(&flow).await?;
            world.pass_ms(7).await?;
            let args = header(flow, policy.into(), reason);
            world.cancel_flow_header(args).await?;
            let seen = world.described_flow(&flow).await?;
            expected.public_flow_state.clone_from(&seen.public_flow_state);
            let closed = world.snapped_to(seen.last_mutation_at, world.now());
            expected.cancelled_at = Some(closed);
            expected.last_mutation_at = closed;
            expected.cancellation_policy = Some(<&str>::from(policy).to_owned());
            expected.cancel_reason = Some(reason.to_owned()).filter(|text| !text.is_empty());
            expect_eq!(seen, expected, "{policy:?}");
            let answer = world.join(&flow, &member).await;
            expect_refused!(answer, "state.flow_already_terminal");
        }
    }
    Ok(())
}

/// A header that leaves its members as they are.
#[case(CAN_016, CAN_017)]
async fn members(world: World) -> Verdict {
    for policy in [CancelFlowPolicy::FlowOnly, CancelFlowPolicy::CancelAll] {
        let mixed = Mixed::new(&world).await?;
        let mut before = Vec::new();
        for member in mixed.members() {
            before.push(world.observe(member).await?);
        }
        let args = header(mixed.flow, policy.into(), "r");
        let expected = CancelFlowHeader::Cancelled {
            cancellation_policy: args.cancellation_policy.clone(),
            member_execution_ids: ascending(&mixed.members()),
        };
        expect_eq!(sorted(world.cancel_flow_header(args).await?), expected);
        for (member, before) in mixed.members().into_iter().zip(before) {
            expect_eq!(world.observe(member).await?, before, "{member} stays");
        }
        // Whatever is still claimable stays out of the next round's way.
        world.worker().drains().await?;
    }
    Ok(())
}

/// A header that ends the members that nobody holds.
#[case(CAN_034)]
async fn pending_members(world: World) -> Verdict {
    for (reason, told) in [("too late", "too late"), ("", "flow_cancelled")] {
        let mixed = Mixed::new(&world).await?;
        let mut before = Vec::new();
        for member in mixed.members() {
            before.push(world.observe(member).await?);
        }
        world.cancel_flow_header(header(mixed.flow, "cancel_pending", reason)).await?;
        let pending = [&mixed.waiting, &mixed.delayed, &mixed.blocked];
        for (member, before) in mixed.members().into_iter().zip(before) {
            if pending.contains(&member) {
                let expected = [
                    ("public_state", "cancelled".to_owned()),
                    ("cancellation_reason", told.to_owned()),
                    ("cancelled_by", "cancel_flow".to_owned()),
                    ("completed_at", world.now().0.to_string()),
                ];
                world.expect_fields(member, expected).await?;
            } else {
                expect_eq!(world.observe(member).await?, before, "{member} stays");
            }
        }
        world.worker().drains().await?;
    }
    Ok(())
}

/// A cancelled flow, cancelled again.
#[case(CAN_018)]
async fn again(world: World) -> Verdict {
    for first in POLICIES {
        let mixed = Mixed::new(&world).await?;
        let args = header(mixed.flow, first.into(), "the first");
        world.cancel_flow_header(args).await?;
        let flow = world.described_flow(&mixed.flow).await?;
        let held = world.observe(&mixed.held).await?;
        world.pass_ms(50).await?;
        let expected = CancelFlowHeader::AlreadyTerminal {
            member_execution_ids: ascending(&mixed.members()),
            stored_cancel_reason: Some("the first".to_owned()),
            stored_cancellation_policy: Some(<&str>::from(first).to_owned()),
        };
        for policy in POLICIES {
            let args = header(mixed.flow, policy.into(), "another");
            expect_eq!(sorted(world.cancel_flow_header(args).await?), expected);
            world.ack_cancel_member(&mixed.flow, &mixed.held).await?;
        }
        expect_eq!(world.described_flow(&mixed.flow).await?, flow, "the flow");
        expect_eq!(world.observe(&mixed.held).await?, held, "a member");
        world.worker().drains().await?;
    }
    let flow = world.flow().await?;
    world.close(&flow).await?;
    let expected = CancelFlowHeader::AlreadyTerminal {
        member_execution_ids: Vec::new(),
        stored_cancel_reason: None,
        stored_cancellation_policy: Some("flow_only".to_owned()),
    };
    let args = header(flow, "cancel_all", "another");
    expect_eq!(world.cancel_flow_header(args).await?, expected, "closed by `cancel_flow`");
    Ok(())
}

/// A flow of this many held members, closed for all to be cancelled.
async fn closed(
    world: &World,
    members: usize,
) -> Result<(FlowId, Vec<ff_core::backend::Handle>), Failure> {
    let flow = world.flow().await?;
    let mut handles = Vec::new();
    for _ in 0..members {
        let (id, handle) = world.execution_for(&flow).claimed().await?;
        world.join(&flow, &id).await?;
        handles.push(handle);
    }
    world.close_by(&flow, CancelFlowPolicy::CancelAll).await?;
    Ok((flow, handles))
}

/// Members that a header left are waited for until they have ended.
#[case(CAN_019, CAN_013, CAN_033)]
async fn left(world: World) -> Verdict {
    let (flow, handles) = closed(&world, 3).await?;
    for handle in &handles {
        for limit in [Duration::ZERO, Duration::from_millis(30)] {
            let policy = CancelFlowPolicy::CancelAll;
            let wait = CancelFlowWait::WaitTimeout(limit);
            match world.cancel_flow(&flow, policy, wait).await {
                Err(EngineError::Timeout { op: "cancel_flow", elapsed }) => {
                    expect_eq!(elapsed, limit, "the limit");
                }
                other => return Err(Failure::new(format!("it times out, not {other:?}"))),
            }
        }
        let policy = CancelFlowPolicy::CancelAll;
        let wait = CancelFlowWait::NoWait;
        world.cancel_flow(&flow, policy, wait).await?;
        let state = world.described_flow(&flow).await?.public_flow_state;
        expect_eq!(state, "cancelled", "it stays cancelled");
        world.cancel(handle, "with the flow").await?;
    }
    world.look_at(&flow).await?;
    let policy = CancelFlowPolicy::CancelAll;
    let wait = CancelFlowWait::WaitIndefinite;
    world.cancel_flow(&flow, policy, wait).await?;
    Ok(())
}

/// A cancellation that may wait for its members for as long as there is time.
#[case(SYS_038, needs(concurrency))]
async fn waits_forever(world: World) -> Verdict {
    let (flow, handles) = closed(&world, 1).await?;
    let waiting = world.clone();
    let cancelled = tokio::spawn(async move {
        let wait = CancelFlowWait::WaitTimeout(Duration::MAX);
        let policy = CancelFlowPolicy::CancelAll;
        waiting.cancel_flow(&flow, policy, wait).await
    });
    tokio::task::yield_now().await;
    for handle in &handles {
        world.cancel(handle, "with the flow").await?;
    }
    world.look_at(&flow).await?;
    cancelled.await.map_err(|error| Failure::new(error.to_string()))??;
    Ok(())
}

/// Policies, and flows, that leave nothing to others.
#[case(CAN_019, CAN_013)]
async fn none_left(world: World) -> Verdict {
    for policy in [CancelFlowPolicy::FlowOnly, CancelFlowPolicy::CancelPending] {
        let flow = world.flow().await?;
        let (held, _) = world.execution_for(&flow).claimed().await?;
        world.join(&flow, &held).await?;
        world.close_by(&flow, policy).await?;
        world.look_at(&flow).await?;
    }
    let flow = world.flow().await?;
    let (ended, handle) = world.execution_for(&flow).claimed().await?;
    world.complete(&handle, None).await?;
    world.join(&flow, &ended).await?;
    world.close_by(&flow, CancelFlowPolicy::CancelAll).await?;
    world.look_at(&flow).await?;
    Ok(())
}

/// Members that are acknowledged are not waited for.
#[case(CAN_020, CAN_013)]
async fn acknowledged(world: World) -> Verdict {
    let flow = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..2 {
        members.push(world.member(&flow).await?);
    }
    world.close_by(&flow, CancelFlowPolicy::CancelAll).await?;
    let described = world.described_flow(&flow).await?;
    for member in &members {
        expect_refused!(world.look_at(&flow).await, "timeout", "{member} is left");
        let before = world.observe(member).await?;
        for _ in 0..2 {
            world.ack_cancel_member(&flow, member).await?;
        }
        expect_eq!(world.observe(member).await?, before, "the member stays");
    }
    world.look_at(&flow).await?;
    expect_eq!(world.described_flow(&flow).await?, described, "so does it");
    let stranger = world.execution_id();
    for (flow, member) in [
        (flow, stranger.clone()),
        (world.flow_id(), members[0].clone()),
        (world.flow_id(), stranger),
    ] {
        world.ack_cancel_member(&flow, &member).await?;
    }
    Ok(())
}

/// All members are acknowledged at once.
#[case(CAN_021, needs(concurrency))]
async fn concurrent_acknowledgements(world: World) -> Verdict {
    let flow = world.flow().await?;
    let mut members = Vec::new();
    for _ in 0..16 {
        members.push(world.member(&flow).await?);
    }
    world.close_by(&flow, CancelFlowPolicy::CancelAll).await?;
    let acknowledgements = members.iter().flat_map(|member| {
        let one = (world.clone(), member.clone());
        [one.clone(), one]
    });
    let calls = acknowledgements.map(|(world, member)| {
        tokio::spawn(async move { world.ack_cancel_member(&flow, &member).await })
    });
    for call in join_all(calls).await {
        call.map_err(|error| Failure::new(error.to_string()))??;
    }
    world.look_at(&flow).await?;
    Ok(())
}

/// A cancellation that waits returns once the last member has ended.
#[case(CAN_013, needs(concurrency))]
async fn waited_for(world: World) -> Verdict {
    let (flow, handles) = closed(&world, 4).await?;
    let ended = AtomicUsize::new(0);
    let waiting = async {
        let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::WaitIndefinite);
        world.cancel_flow(&flow, policy, wait).await?;
        expect_eq!(ended.load(Ordering::SeqCst), 4, "members that have ended");
        Ok(())
    };
    let ending = async {
        for handle in &handles {
            ended.fetch_add(1, Ordering::SeqCst);
            world.cancel(handle, "with the flow").await?;
        }
        Ok(())
    };
    let (waiting, ending): (Verdict, Verdict) = tokio::join!(waiting, ending);
    ending.and(waiting)
}
