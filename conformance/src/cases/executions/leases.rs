//! Holding a lease, losing it, and being too late.

use std::time::Duration;

use ff_core::backend::{FailureClass, Handle, HandleOpaque, LeaseRenewal};
use ff_core::call::Method;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::types::{ExecutionId, TimestampMs};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::stage::{Failure, Verdict, World, case};

/// An execution that one worker failed and another holds, and both handles.
async fn superseded(world: &World, ttl: u32) -> Result<(ExecutionId, Handle, Handle), Failure> {
    let (id, old) = world.execution().retries(9, 0).claimed().await?;
    world.fail_with(&old, FailureClass::Transient).await?;
    world.promote(&id).await?;
    let new = world.worker().named("other", "other-1").ttl(ttl).claim().await?;
    Ok((id, old, new))
}

impl World {
    /// Asserts that a renewal is for so long from now.
    fn expect_expiry(&self, renewal: &LeaseRenewal, millis: i64) -> Verdict {
        let shown = TimestampMs(renewal.expires_at_ms.cast_signed());
        self.expect_time(shown, self.due_in_ms(millis), "the expiry")
    }
}

/// Every call under a lease, refused with this code.
async fn refused_everywhere(world: &World, handle: &Handle, code: &str) -> Verdict {
    expect_refused!(world.renew(handle).await, code, "renew");
    expect_refused!(world.progress(handle, Some(99), None).await, code, "progress");
    expect_refused!(world.complete(handle, Some(b"late".to_vec())).await, code, "complete");
    expect_refused!(world.fail_with(handle, FailureClass::InfraCrash).await, code, "fail");
    expect_refused!(world.cancel(handle, "late").await, code, "cancel");
    expect_refused!(world.wait_children(handle).await, code, "wait_children");
    if world.claims(Method::Suspend) {
        expect_refused!(world.suspend(handle, world.plain_suspension()).await, code, "suspend");
    }
    if world.claims(Method::CreateWaitpoint) {
        let answer = world.create_waitpoint(handle, "wp", Duration::from_mins(1)).await;
        expect_refused!(answer, code, "create_waitpoint");
    }
    Ok(())
}

/// A handle with each of its bits the other way.
#[case(LSE_017)]
async fn edited(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().claim().await?;
    let bytes = handle.opaque.as_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut edited = bytes.to_vec();
        edited[bit / 8] ^= 1 << (bit % 8);
        let edited = HandleOpaque::new(edited.into_boxed_slice());
        let edited = Handle::new(handle.backend, handle.kind, edited);
        let at = format!("bit {bit} of {}", bytes.len() * 8);
        match world.renew(&edited).await {
            Ok(renewal) => {
                world.expect_expiry(&renewal, 30_000)?;
                expect_eq!(renewal.lease_epoch, 1, "the epoch, {at}");
            }
            Err(EngineError::Transport { source, .. }) => {
                return Err(Failure::new(format!("{at}: {source}")));
            }
            Err(_) => {}
        }
        if bit % 8 == 0 {
            world.pass_ms(1).await?;
        }
        world.renew(&handle).await?;
    }
    world.complete(&handle, None).await?;
    world.expect_fields(&id, [("terminal_outcome", "success")]).await
}

/// An old handle while another worker holds the execution.
#[case(LSE_001, LSE_002, LSE_008)]
async fn stale(world: World) -> Verdict {
    let (id, old, new) = superseded(&world, 30_000).await?;
    world.progress(&new, Some(10), Some("mine".to_owned())).await?;
    let before = world.observe(&id).await?;
    refused_everywhere(&world, &old, "state.stale_lease").await?;
    expect_eq!(world.observe(&id).await?, before, "the new holder notices nothing");
    world.complete(&new, Some(b"result".to_vec())).await?;
    expect_eq!(world.get_execution_result(&id).await?.as_deref(), Some(&b"result"[..]));
    Ok(())
}

/// A lease that is both stale and due is due.
#[case(LSE_018)]
async fn ladder(world: World) -> Verdict {
    let (_, old, _) = superseded(&world, 100).await?;
    world.pass_ms(100).await?;
    refused_everywhere(&world, &old, "state.lease_expired").await
}

/// A handle of an execution that only another deployment has.
#[case(LSE_002, needs(elsewhere))]
async fn unknown(world: World) -> Verdict {
    let (_, handle) = world.elsewhere().claimed().await?;
    refused_everywhere(&world, &handle, "not_found.execution").await
}

/// Calls under a lease when the execution waits or has ended.
#[case(LSE_003, needs(passive))]
async fn not_active(world: World) -> Verdict {
    let refused = "contention.execution_not_active";
    let (id, handle) = world.execution().retries(2, 100).claimed().await?;
    world.fail_with(&handle, FailureClass::Timeout).await?;
    let before = world.observe(&id).await?;
    refused_everywhere(&world, &handle, refused).await?;
    world.pass_ms(100).await?;
    expect_eq!(world.observe(&id).await?, before, "while it is delayed");
    world.promote(&id).await?;
    let before = world.observe(&id).await?;
    refused_everywhere(&world, &handle, refused).await?;
    expect_eq!(world.observe(&id).await?, before, "while it waits");

    let (id, handle) = world.execution().lane("other").claimed().await?;
    world.complete(&handle, None).await?;
    let before = world.observe(&id).await?;
    refused_everywhere(&world, &handle, refused).await?;
    expect_eq!(world.observe(&id).await?, before, "when it has ended");
    Ok(())
}

/// What the refusal says there is instead.
#[case(LSE_004)]
async fn not_active_detail(world: World) -> Verdict {
    let detail = |outcome: &str, epoch: &str, phase: &str, attempt: Option<String>| {
        EngineError::Contention(ContentionKind::ExecutionNotActive {
            terminal_outcome: outcome.to_owned(),
            lease_epoch: epoch.to_owned(),
            lifecycle_phase: phase.to_owned(),
            attempt_id: attempt.unwrap_or_default(),
        })
    };
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    let expected = detail("none", "1", "runnable", None);
    expect_eq!(world.renew(&handle).await, Err(expected), "a retry is pending");
    world.promote(&id).await?;
    let handle = world.worker().claim().await?;
    let attempt = world.field(&id, "current_attempt_id").await?;
    world.cancel(&handle, "why").await?;
    let expected = detail("cancelled", "2", "terminal", attempt);
    expect_eq!(world.renew(&handle).await, Err(expected), "it has ended");
    Ok(())
}

/// Whoever calls first on a due lease marks it.
#[case(LSE_005)]
async fn lapse_on_contact(world: World) -> Verdict {
    for call in ["renew", "progress", "complete", "fail", "cancel", "wait_children"] {
        let id = world.execution().create().await?;
        let handle = world.worker().ttl(100).claim().await?;
        world.pass_ms(120).await?;
        let answer = match call {
            "renew" => world.renew(&handle).await.map(|_| ()),
            "progress" => world.progress(&handle, Some(1), None).await,
            "complete" => world.complete(&handle, None).await,
            "wait_children" => world.wait_children(&handle).await,
            "fail" => world.fail_with(&handle, FailureClass::Transient).await.map(|_| ()),
            _ => world.cancel(&handle, "why").await,
        };
        expect_refused!(answer, "state.lease_expired", "{call}");
        world
            .expect_fields(
                &id,
                [
                    ("ownership_state", "lease_expired_reclaimable".to_owned()),
                    ("lease_expired_at", world.now().to_string()),
                ],
            )
            .await?;
        let before = world.observe(&id).await?;
        world.pass_ms(5).await?;
        expect_refused!(world.renew(&handle).await, "state.lease_expired", "again");
        expect_eq!(world.observe(&id).await?, before, "once marked it stays so");
    }
    Ok(())
}

/// From now, not from the last expiry, and as often as one likes.
#[case(LSE_009)]
async fn renew(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(31_700).claim().await?;
    for pause in [0, 40, 99, 1] {
        world.pass_ms(pause).await?;
        let before = world.observe(&id).await?;
        let renewal = world.renew(&handle).await?;
        world.expect_expiry(&renewal, 31_700)?;
        expect_eq!(renewal.lease_epoch, 1, "the epoch");
        let (until, now) = (world.due_in_ms(31_700).to_string(), world.now().to_string());
        let expected = [("lease_expires_at", until), ("lease_last_renewed_at", now)];
        world.expect_fields(&id, expected).await?;
        let touched =
            ["expires_at", "lease_last_renewed_at", "last_heartbeat_at", "last_mutation_at"];
        expect_eq!(
            world.observe(&id).await?.without(&touched),
            before.without(&touched),
            "nothing else changes"
        );
    }
    Ok(())
}

/// A lease that has lapsed.
async fn lapsed(world: &World) -> Result<(ExecutionId, Handle), Failure> {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(100).claim().await?;
    world.pass_ms(100).await?;
    world.mark_lapsed(&id).await?;
    Ok((id, handle))
}

/// A lapsed lease stays lapsed.
#[case(LSE_011)]
async fn renew_lapsed(world: World) -> Verdict {
    let (id, handle) = lapsed(&world).await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.renew(&handle).await, "state.lease_expired");
    expect_eq!(world.observe(&id).await?, before, "it stays lapsed");
    Ok(())
}

/// Even if the clock went back, a lapse would stand.
#[case(LSE_011, needs(clock))]
async fn renew_when_the_clock_goes_back(world: World) -> Verdict {
    let (id, handle) = lapsed(&world).await?;
    let before = world.observe(&id).await?;
    world.clock().set(world.in_ms(-50));
    expect_refused!(world.renew(&handle).await, "state.lease_expired");
    expect_eq!(world.observe(&id).await?, before, "it stays lapsed");
    Ok(())
}

/// A renewal and the mark at once, with a live and with a due lease.
#[case(LSE_011, needs(clock, concurrency))]
async fn renew_race(world: World) -> Verdict {
    for (pause, renewed) in [(99, true), (100, false)] {
        let id = world.execution().create().await?;
        let handle = world.worker().ttl(100).claim().await?;
        world.pass_ms(pause).await?;
        let (renewal, mark) = futures_util::join!(world.renew(&handle), world.mark_lapsed(&id));
        mark?;
        let ownership = world.field(&id, "ownership_state").await?;
        if renewed {
            renewal?;
            expect_eq!(ownership.as_deref(), Some("leased"), "renewed, so not marked");
        } else {
            expect_refused!(renewal, "state.lease_expired", "marked, so not renewed");
            expect_eq!(ownership.as_deref(), Some("lease_expired_reclaimable"));
        }
    }
    Ok(())
}

/// A due lease, marked or not, frees nothing.
#[case(LSE_012)]
async fn no_takeover(world: World) -> Verdict {
    let id = world.execution().create().await?;
    world.worker().ttl(100).claim().await?;
    world.pass_ms(150).await?;
    expect_eq!(world.worker().try_claim().await, Ok(None), "due");
    world.mark_lapsed(&id).await?;
    expect_eq!(world.worker().try_claim().await, Ok(None), "marked");
    world.promote(&id).await?;
    expect_eq!(world.worker().try_claim().await, Ok(None), "and not promoted either");
    Ok(())
}

/// What remains of a lease that its holder ended.
#[case(LSE_013)]
async fn released(world: World) -> Verdict {
    for end in ["complete", "fail", "cancel", "retry", "wait_children"] {
        let retries = u32::from(end == "retry");
        let (id, handle) = world.execution().retries(retries, 60_000).claimed().await?;
        match end {
            "complete" => world.complete(&handle, None).await?,
            "cancel" => world.cancel(&handle, "why").await?,
            "wait_children" => world.wait_children(&handle).await?,
            _ => world.fail_with(&handle, FailureClass::Transient).await.map(|_| ())?,
        }
        for field in [
            "current_lease_id",
            "current_worker_id",
            "current_worker_instance_id",
            "lease_expires_at",
            "lease_last_renewed_at",
        ] {
            expect_eq!(world.field(&id, field).await?, None, "{field} after {end}");
        }
        world
            .expect_fields(&id, [("ownership_state", "unowned"), ("current_lease_epoch", "1")])
            .await?;
    }
    Ok(())
}

/// Whatever happens, one handle at most can be renewed.
#[case(LSE_014)]
async fn one_live(world: World) -> Verdict {
    let id = world.execution().retries(1_000, 5).create().await?;
    let mut rng = StdRng::seed_from_u64(world.random());
    let mut handles: Vec<Handle> = Vec::new();
    for step in 0..120 {
        match rng.random_range(0..6) {
            0 | 1 => handles.extend(world.worker().ttl(40).try_claim().await?),
            2 => world.promote(&id).await?,
            3 => world.pass_ms(rng.random_range(1..8)).await?,
            _ if handles.is_empty() => {}
            n => {
                let handle = &handles[rng.random_range(0..handles.len())];
                // Refusals are part of the game: what counts is what is live afterwards.
                if n == 4 {
                    drop(world.fail_with(handle, FailureClass::Transient).await);
                } else {
                    drop(world.progress(handle, Some(1), None).await);
                }
            }
        }
        let mut live = 0;
        for handle in &handles {
            live += usize::from(world.renew(handle).await.is_ok());
        }
        expect!(live <= 1, "{live} handles can be renewed after step {step}");
    }
    Ok(())
}

/// What a lapse leaves.
#[case(LSE_015)]
async fn mark(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().named("w", "w-1").ttl(100).claim().await?;
    let lease = world.field(&id, "current_lease_id").await?;
    world.pass_ms(130).await?;
    world.mark_lapsed(&id).await?;
    world
        .expect_fields(
            &id,
            [
                ("lifecycle_phase", Some("active".to_owned())),
                ("ownership_state", Some("lease_expired_reclaimable".to_owned())),
                ("public_state", Some("active".to_owned())),
                ("blocking_reason", Some("waiting_for_worker".to_owned())),
                ("attempt_state", Some("attempt_interrupted".to_owned())),
                ("lease_expired_at", Some(world.now().to_string())),
                ("current_lease_id", lease),
                ("current_worker_instance_id", Some("w-1".to_owned())),
                ("current_lease_epoch", Some("1".to_owned())),
            ],
        )
        .await?;
    expect_refused!(world.complete(&handle, None).await, "state.lease_expired");
    Ok(())
}

/// Marking what is not due, not held or marked already.
#[case(LSE_016)]
async fn mark_no_ops(world: World) -> Verdict {
    let live = world.execution().create().await?;
    world.worker().claim().await?;
    let (ended, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    let marked = world.execution().create().await?;
    world.worker().ttl(10).claim().await?;
    let waiting = world.execution().create().await?;
    world.pass_ms(50).await?;
    world.mark_lapsed(&marked).await?;
    world.pass_ms(50).await?;
    for id in [&live, &ended, &marked, &waiting] {
        let before = world.observe(id).await?;
        world.mark_lapsed(id).await?;
        expect_eq!(world.observe(id).await?, before, "there is nothing to mark");
    }
    Ok(())
}

/// Every call under the lease that was given up.
#[case(LSE_019)]
async fn suspended(world: World) -> Verdict {
    let suspended = world.suspended().await?;
    let (id, handle) = (&suspended.id, &suspended.handle);
    let refused = "contention.lease_conflict";
    let before = world.observe(id).await?;
    expect_refused!(world.renew(handle).await, refused);
    expect_refused!(world.progress(handle, Some(1), None).await, refused);
    expect_refused!(world.complete(handle, None).await, refused);
    expect_refused!(world.fail_with(handle, FailureClass::Transient).await, refused);
    expect_refused!(world.cancel(handle, "why").await, refused);
    expect_refused!(world.wait_children(handle).await, refused);
    let minute = Duration::from_mins(1);
    expect_refused!(world.create_waitpoint(handle, "wp", minute).await, refused);
    expect_refused!(world.suspend(handle, world.plain_suspension()).await, refused);
    let fence = ff_core::types::LeaseFence {
        lease_id: ff_core::types::LeaseId::from_uuid(world.uuid()),
        lease_epoch: ff_core::types::LeaseEpoch::new(1),
        attempt_id: ff_core::types::AttemptId::from_uuid(world.uuid()),
    };
    let by_triple = world.suspend_by_triple(id.clone(), fence, world.plain_suspension()).await;
    expect_refused!(by_triple, refused);
    expect_eq!(world.observe(id).await?, before, "nothing has changed");
    Ok(())
}
