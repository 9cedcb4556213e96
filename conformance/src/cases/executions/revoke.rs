//! Taking a lease from its holder.

use ff_core::contracts::{RevokeLeaseArgs, RevokeLeaseResult};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, WorkerInstanceId};

use crate::stage::{
    ENDING, Failure, KEEPING, Leased, SUSPENDING, Verdict, World, case, revocation,
};

impl World {
    /// A lease that was taken from its holder.
    pub(crate) async fn revoked(&self) -> Result<Leased, Failure> {
        let leased = self.leased().await?;
        match self.revoke_lease(revocation(&leased.id)).await.map_err(Failure::setup_refused)? {
            RevokeLeaseResult::Revoked { .. } => Ok(leased),
            other @ RevokeLeaseResult::AlreadySatisfied { .. } => {
                Err(Failure::setup(&format!("the lease is revoked: {other:?}")))
            }
        }
    }

    async fn expect_satisfied(&self, args: RevokeLeaseArgs, reason: Option<&str>) -> Verdict {
        let id = args.execution_id.clone();
        let before = self.observe(&id).await?;
        match (self.revoke_lease(args).await?, reason) {
            (RevokeLeaseResult::AlreadySatisfied { reason: told }, Some(reason)) => {
                expect_eq!(told, reason, "the reason");
            }
            (RevokeLeaseResult::AlreadySatisfied { .. }, None) => {}
            (other, _) => return Err(Failure::new(format!("nothing is revoked, not {other:?}"))),
        }
        expect_eq!(self.observe(&id).await?, before, "what is shown of it");
        Ok(())
    }
}

/// Before it is due, and after.
#[case(OPS_014)]
async fn revoked(world: World) -> Verdict {
    for (ttl, pause) in [(60_000, 5), (50, 60)] {
        let id = world.execution().create().await?;
        let handle = world.worker().named("w", "w-1").ttl(ttl).claim().await?;
        let leased = world.leased_by((id.clone(), handle)).await?;
        world.pass_ms(pause).await?;
        let answer = world.revoke_lease(revocation(&id)).await?;
        let (lease_id, lease_epoch) = (leased.fence.lease_id.to_string(), "1".to_owned());
        expect_eq!(answer, RevokeLeaseResult::Revoked { lease_epoch, lease_id: lease_id.clone() });
        let expected = [
            ("lifecycle_phase", "active".to_owned()),
            ("ownership_state", "lease_revoked".to_owned()),
            ("public_state", "active".to_owned()),
            ("blocking_reason", "waiting_for_worker".to_owned()),
            ("attempt_state", "attempt_interrupted".to_owned()),
            ("current_lease_id", lease_id),
            ("current_lease_epoch", "1".to_owned()),
            ("current_worker_instance_id", "w-1".to_owned()),
            ("current_attempt_id", leased.fence.attempt_id.to_string()),
            ("last_transition_at", world.now().to_string()),
        ];
        world.expect_fields(&id, expected).await?;
        world.mark_lapsed(&id).await?;
        world.expect_fields(&id, [("ownership_state", "lease_revoked")]).await?;
        expect_eq!(world.worker().try_claim().await?, None, "nobody can claim it");
    }
    Ok(())
}

/// Every call of whoever held it.
#[case(LSE_022)]
async fn refused(world: World) -> Verdict {
    let revoked = world.revoked().await?;
    let before = world.observe(&revoked.id).await?;
    for call in world.claimed_of(&[KEEPING, ENDING, SUSPENDING]) {
        let answer = world.dispatch(call.of(&world, &revoked)).await;
        expect_refused!(answer, "state.lease_revoked", "{}", call.method);
    }
    expect_eq!(world.observe(&revoked.id).await?, before, "nothing has changed");
    Ok(())
}

/// Due as well, and with a fence that is nobody's: revoked comes first.
#[case(LSE_018)]
async fn before_due(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(50).claim().await?;
    let mut leased = world.leased_by((id.clone(), handle)).await?;
    world.revoke_lease(revocation(&id)).await?;
    world.pass_ms(50).await?;
    expect_refused!(world.renew(&leased.handle).await, "state.lease_revoked", "it is due");
    leased.fence.lease_epoch = leased.fence.lease_epoch.next();
    let stale = world.renew_lease(leased.renewing()).await;
    expect_refused!(stale, "state.lease_revoked", "it is nobody's");
    Ok(())
}

/// Executions that nobody holds, with why.
async fn without_a_lease(world: &World) -> Result<Vec<(ExecutionId, &'static str)>, Failure> {
    let waiting = world.execution().lane("waiting").create().await?;
    let delayed = world.execution().delay_until(world.in_ms(60_000)).create().await?;
    let (over, handle) = world.claimed().await?;
    world.complete(&handle, None).await.map_err(Failure::setup_refused)?;
    let suspended = world.suspended().await?.id;
    let revoked = world.revoked().await?.id;
    let lapsed = world.execution().create().await?;
    world.worker().ttl(50).claim().await?;
    world.pass_ms(50).await?;
    world.mark_lapsed(&lapsed).await?;
    let none = [waiting, delayed, over, suspended].map(|id| (id, "no_active_lease"));
    let gone = [(revoked, "already_revoked"), (lapsed, "already_expired")];
    Ok(none.into_iter().chain(gone).collect())
}

/// Unknown, and in every state without a lease.
#[case(OPS_016)]
async fn nothing_to_revoke(world: World) -> Verdict {
    let unknown = world.revoke_lease(revocation(&world.execution_id())).await;
    expect_refused!(unknown, "not_found.execution");
    for (id, _) in without_a_lease(&world).await? {
        world.expect_satisfied(revocation(&id), None).await?;
    }
    Ok(())
}

/// Of another instance, and another lease.
#[case(OPS_017)]
async fn another(world: World) -> Verdict {
    let leased = world.leased().await?;
    let args = || revocation(&leased.id);
    let instance = WorkerInstanceId::new("nobody");
    world
        .expect_satisfied(RevokeLeaseArgs { worker_instance_id: instance, ..args() }, None)
        .await?;
    for lease in [world.uuid().to_string(), "nonsense".to_owned()] {
        let args = RevokeLeaseArgs { expected_lease_id: Some(lease), ..args() };
        world.expect_satisfied(args, None).await?;
    }
    let holder = world.field(&leased.id, "current_worker_instance_id").await?.unwrap_or_default();
    let args = RevokeLeaseArgs {
        expected_lease_id: Some(leased.fence.lease_id.to_string()),
        worker_instance_id: WorkerInstanceId::new(holder),
        ..args()
    };
    world.revoke_lease(args).await?;
    world.expect_fields(&leased.id, [("ownership_state", "lease_revoked")]).await?;
    let leased = world.leased().await?;
    let args = revocation(&leased.id);
    let args = RevokeLeaseArgs { expected_lease_id: Some(String::new()), ..args };
    world.revoke_lease(args).await?;
    world.expect_fields(&leased.id, [("ownership_state", "lease_revoked")]).await
}

/// Why nothing was revoked.
#[case(OPS_018)]
async fn reasons(world: World) -> Verdict {
    for (id, reason) in without_a_lease(&world).await? {
        let args = revocation(&id);
        let instance = WorkerInstanceId::new("nobody");
        let args = RevokeLeaseArgs { worker_instance_id: instance, ..args };
        world.expect_satisfied(args, Some(reason)).await?;
    }
    let leased = world.leased().await?;
    let other = Some(world.uuid().to_string());
    let args = RevokeLeaseArgs { expected_lease_id: other, ..revocation(&leased.id) };
    world.expect_satisfied(args.clone(), Some("lease_id_mismatch")).await?;
    let instance = WorkerInstanceId::new("nobody");
    let args = RevokeLeaseArgs { worker_instance_id: instance, ..args };
    world.expect_satisfied(args, Some("different_worker_instance_id")).await
}

/// When and why it was revoked can be read until somebody holds it again, or until it ends.
#[case(OPS_019)]
async fn told(world: World) -> Verdict {
    let mut revoked = Vec::new();
    for _ in 0..2 {
        let leased = world.leased().await?;
        world.pass_ms(5).await?;
        world.revoke_lease(revocation(&leased.id)).await?;
        let expected = [
            ("lease_revoked_at", world.now().to_string()),
            ("lease_revoke_reason", "why".to_owned()),
            ("blocking_detail", "lease revoked: why".to_owned()),
        ];
        world.expect_fields(&leased.id, expected).await?;
        revoked.push(leased.id);
    }
    let nothing = [
        ("lease_revoked_at", None::<&str>),
        ("lease_revoke_reason", None),
        ("blocking_detail", None),
    ];
    world.issue_reclaim_grant(world.regranting(&revoked[0])).await?;
    world.reclaim_execution(world.reclaiming(&revoked[0])).await?;
    world.expect_fields(&revoked[0], nothing).await?;
    world.cancel_execution(crate::stage::cancellation(&revoked[1])).await?;
    world.expect_fields(&revoked[1], nothing).await
}
