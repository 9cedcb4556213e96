//! The history of leases.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, FailureClass};
use ff_core::contracts::ReclaimExecutionOutcome;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_backend::ExpirePhase::AttemptTimeout;
use ff_core::stream_events::LeaseHistoryEvent;
use ff_core::types::{ExecutionId, LeaseId, TimestampMs, WorkerInstanceId};

use crate::stage::{Failure, Following, Graph, Verdict, World, case, revocation};

/// What an event tells: its kind, the lease, the worker instance or who revoked it, and when.
#[derive(Debug, PartialEq)]
struct Told {
    kind: &'static str,
    lease: Option<LeaseId>,
    who: String,
    at: TimestampMs,
}

fn told(event: &LeaseHistoryEvent) -> Told {
    let name = |worker: &Option<WorkerInstanceId>| {
        worker.as_ref().map_or_else(String::new, |worker| worker.as_str().to_owned())
    };
    let (kind, lease, who) = match event {
        LeaseHistoryEvent::Acquired { lease_id, worker_instance_id, .. } => {
            ("acquired", lease_id, name(worker_instance_id))
        }
        LeaseHistoryEvent::Renewed { lease_id, worker_instance_id, .. } => {
            ("renewed", lease_id, name(worker_instance_id))
        }
        LeaseHistoryEvent::Expired { lease_id, prev_owner, .. } => {
            ("expired", lease_id, name(prev_owner))
        }
        LeaseHistoryEvent::Reclaimed { new_lease_id, new_owner, .. } => {
            ("reclaimed", new_lease_id, name(new_owner))
        }
        LeaseHistoryEvent::Revoked { lease_id, revoked_by, .. } => {
            ("revoked", lease_id, revoked_by.clone())
        }
        LeaseHistoryEvent::Released { lease_id, prev_owner, .. } => {
            ("released", lease_id, name(prev_owner))
        }
        _ => ("unknown", &None, String::new()),
    };
    Told { kind, lease: *lease, who, at: event.at() }
}

type Leases = Following<LeaseHistoryEvent>;

impl World {
    /// Asserts what comes next of an execution.
    async fn expect_lease(&self, leases: &mut Leases, id: &ExecutionId, kind: &str) -> Verdict {
        let event = leases.next().await?;
        expect_eq!((event.execution_id(), told(&event).kind), (id, kind), "what comes next");
        Ok(())
    }
}

/// Begun, kept, run out, taken over, and taken away; and begun in every other way.
#[case(EVT_014)]
async fn every_change(world: World) -> Verdict {
    let mut leases = world.follow::<LeaseHistoryEvent>().await?;
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(50).claim().await?;
    world.expect_lease(&mut leases, &id, "acquired").await?;
    world.renew(&handle).await?;
    world.expect_lease(&mut leases, &id, "renewed").await?;
    world.pass_ms(50).await?;
    world.mark_lapsed(&id).await?;
    world.expect_lease(&mut leases, &id, "expired").await?;
    world.taken_over(&id).await?;
    world.expect_lease(&mut leases, &id, "reclaimed").await?;
    world.revoke_lease(revocation(&id)).await?;
    world.expect_lease(&mut leases, &id, "revoked").await?;
    let granted = world.execution().create().await?;
    world.granted(&granted).await?;
    world.redeem(world.redeeming(&granted)).await?;
    world.expect_lease(&mut leases, &granted, "acquired").await?;
    let leased = world.leased_by((granted.clone(), handle)).await?;
    world.renew_lease(leased.renewing()).await?;
    world.expect_lease(&mut leases, &granted, "renewed").await?;
    let operated = world.execution().create().await?;
    world.claim_as_operator(&operated).await?;
    world.expect_lease(&mut leases, &operated, "acquired").await?;
    let limited = world.execution().attempts_of_ms(50).create().await?;
    world.worker().ttl(600_000).claim().await?;
    world.expect_lease(&mut leases, &limited, "acquired").await?;
    world.pass_ms(50).await?;
    world.time_out(&limited, AttemptTimeout).await?;
    world.expect_lease(&mut leases, &limited, "expired").await
}

/// By every call that gives a lease up, and with a flow.
#[case(EVT_025)]
async fn given_up(world: World) -> Verdict {
    let mut leases = world.follow::<LeaseHistoryEvent>().await?;
    for way in 0..5 {
        let (id, handle) = world.signing().await?;
        world.expect_lease(&mut leases, &id, "acquired").await?;
        match way {
            0 => world.complete(&handle, None).await?,
            1 => {
                world.fail_with(&handle, FailureClass::Permanent).await?;
            }
            2 => world.cancel(&handle, "why").await?,
            3 => world.delay(&handle, world.in_ms(60_000)).await?,
            _ => {
                world.suspended_by((id.clone(), handle), world.plain_suspension()).await?;
            }
        }
        world.expect_lease(&mut leases, &id, "released").await?;
    }
    let mut graph = Graph::new(&world).await?;
    let (held, idle) = (graph.member().await?, graph.member().await?);
    graph.claim(&held).await?;
    world.expect_lease(&mut leases, &held, "acquired").await?;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    world.cancel_flow(&graph.flow, policy, wait).await?;
    let mut left = vec![held.clone(), idle];
    while !left.is_empty() {
        let event = leases.next().await?;
        let seen = told(&event);
        expect_eq!((seen.kind, seen.who.as_str()), ("revoked", "operator"), "with its flow");
        expect_eq!(seen.lease.is_some(), event.execution_id() == &held, "whether it had a lease");
        left.retain(|id| id != event.execution_id());
    }
    Ok(())
}

/// The lease, the worker and the time, of each kind.
#[case(EVT_015)]
async fn told_in_full(world: World) -> Verdict {
    let mut leases = world.follow::<LeaseHistoryEvent>().await?;
    let id = world.execution().create().await?;
    let handle = world.worker().named("worker", "one").ttl(50).claim().await?;
    let first = world.fence_of(&id).await?.lease_id;
    let mut expected = vec![("acquired", first, "one".to_owned(), world.now())];
    world.pass_ms(5).await?;
    world.renew(&handle).await?;
    expected.push(("renewed", first, "one".to_owned(), world.now()));
    world.pass_ms(50).await?;
    world.mark_lapsed(&id).await?;
    expected.push(("expired", first, "one".to_owned(), world.now()));
    world.pass_ms(5).await?;
    let args = world.reclaiming(&id);
    let (second, owner) = (args.lease_id, args.worker_instance_id.as_str().to_owned());
    let granted = world.issue_reclaim_grant(world.regranting(&id)).await;
    granted.map_err(Failure::setup_refused)?;
    let ReclaimExecutionOutcome::Claimed(handle) = world.reclaim_execution(args).await? else {
        return Err(Failure::setup("it is taken over"));
    };
    expected.push(("reclaimed", second, owner.clone(), world.now()));
    world.complete(&handle, None).await?;
    expected.push(("released", second, owner, world.now()));
    for (kind, lease, who, at) in expected {
        let event = leases.next().await?;
        let seen = told(&event);
        expect_eq!((seen.kind, seen.lease, seen.who), (kind, Some(lease), who), "{event:?}");
        world.expect_time(seen.at, at, "the time")?;
    }
    Ok(())
}
